/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "flannel_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "print.h"

#define OWNER_ATTRIBUTE "user.flannel.ifname"

/* whose a file is */
enum owner {
	OWNER_NOBODY, /* there is no file */
	OWNER_UNKNOWN,
	OWNER_SELF,
	OWNER_OTHER
};

void cni_flannel_state_clear(struct cni_flannel_state *state)
{
	free(state->path);
	free(state->text);
	memset(state, 0, sizeof(*state));
}

/* the path that every interface but the first has to itself, or the common one */
static char *make_path(const struct cni_request *request, const char *directory, bool common)
{
	char *path = NULL;
	int r = common ? asprintf(&path, "%s/%s", directory, request->container_id)
		       : asprintf(&path, "%s/%s:%s", directory, request->container_id, request->ifname);

	return r < 0 ? NULL : path;
}

/* whose the file at path is, as far as it says so */
static enum owner get_owner(const char *path, const char *ifname)
{
	char owner[64];
	ssize_t len = getxattr(path, OWNER_ATTRIBUTE, owner, sizeof(owner));

	if (len < 0)
		return errno == ENOENT || errno == ENOTDIR ? OWNER_NOBODY : OWNER_UNKNOWN;
	return (size_t)len == strlen(ifname) && memcmp(owner, ifname, (size_t)len) == 0 ? OWNER_SELF : OWNER_OTHER;
}

/* where the file is written before it gets its name; no container id begins with a dot */
static char *make_temporary_path(const struct cni_request *request, const char *directory)
{
	char *path = NULL;
	int r = asprintf(&path, "%s/.%s:%s.new", directory, request->container_id, request->ifname);

	return r < 0 ? NULL : path;
}

/* writes a new file; the attribute is welcome, not needed */
static int write_file(const char *path, const char *text, const char *ifname)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return -1;
	r = cni_write(fd, text, strlen(text));
	(void)fsetxattr(fd, OWNER_ATTRIBUTE, ifname, strlen(ifname), 0);
	return close(fd) < 0 ? -1 : r;
}

int cni_flannel_state_save(const struct cni_request *request, const char *directory, const char *text,
			   struct cni_flannel_state *ret_state, struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *path = make_path(request, directory, true);
	CNI_CLEANUP(cni_freep) char *temporary = make_temporary_path(request, directory);
	enum owner owner;

	if (!path || !temporary)
		return cni_fail_oom(error);
	if (cni_file_make_directories(directory, 0700, "dataDir", error) < 0)
		return -1;
	owner = get_owner(path, request->ifname);
	if (owner == OWNER_OTHER || owner == OWNER_UNKNOWN) {
		free(path);
		path = make_path(request, directory, false);
		if (!path)
			return cni_fail_oom(error);
		owner = get_owner(path, request->ifname);
	}
	if (write_file(temporary, text, request->ifname) < 0 || rename(temporary, path) < 0) {
		(void)cni_fail(error, CNI_ERROR_INTERNAL, "dataDir: write %s: %s", path, strerror(errno));
		(void)unlink(temporary);
		return -1;
	}
	*ret_state = (struct cni_flannel_state){.path = CNI_TAKE(path)};
	return owner == OWNER_NOBODY ? 1 : 0;
}

int cni_flannel_state_load(const struct cni_request *request, const char *directory,
			   struct cni_flannel_state *ret_state, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_state_clear) struct cni_flannel_state state = {0};
	int r = 0;

	for (int common = 0; common <= 1 && r == 0; common++) {
		free(state.path);
		state.path = make_path(request, directory, common);
		if (!state.path)
			return cni_fail_oom(error);
		if (!common || get_owner(state.path, request->ifname) != OWNER_OTHER)
			r = cni_file_read(state.path, "dataDir", &state.text, &state.len, error);
	}
	if (r > 0) {
		*ret_state = state;
		memset(&state, 0, sizeof(state));
	}
	return r;
}

/* deletes a file, if it is there */
static int remove_file(const char *path, struct cni_error *error)
{
	if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
		return cni_fail(error, CNI_ERROR_INTERNAL, "dataDir: remove %s: %s", path, strerror(errno));
	return 0;
}

int cni_flannel_state_remove_unfinished(const struct cni_request *request, const char *directory,
					struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *path = make_temporary_path(request, directory);

	return path ? remove_file(path, error) : cni_fail_oom(error);
}

int cni_flannel_state_remove(const struct cni_flannel_state *state, struct cni_error *error)
{
	return remove_file(state->path, error);
}
