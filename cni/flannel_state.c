/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "flannel_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* the two names that the file of an attachment can have */
struct names {
	char *common;
	char *own;
};

/* for CNI_CLEANUP */
static void clear_names(struct names *names)
{
	free(names->common);
	free(names->own);
}

void cni_flannel_state_clear(struct cni_flannel_state *state)
{
	free(state->path);
	free(state->alias);
	free(state->text);
	free(state->former);
	memset(state, 0, sizeof(*state));
}

/* both names, -1 without memory */
static int make_names(const struct cni_request *request, const char *directory, struct names *names)
{
	if (asprintf(&names->common, "%s/%s", directory, request->container_id) < 0)
		names->common = NULL;
	if (asprintf(&names->own, "%s/%s:%s", directory, request->container_id, request->ifname) < 0)
		names->own = NULL;
	return names->common && names->own ? 0 : -1;
}

/* where the file is written before it gets its name; no container id begins with a dot */
static char *make_temporary_path(const struct cni_request *request, const char *directory)
{
	char *path = NULL;

	return asprintf(&path, "%s/.%s:%s.new", directory, request->container_id, request->ifname) < 0 ? NULL : path;
}

/* are two names those of one file */
static bool is_same(const char *path, const char *other)
{
	struct stat a;
	struct stat b;

	return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

char *cni_flannel_state_get_owner(const char *path)
{
	char owner[64];
	struct stat status;
	ssize_t len = getxattr(path, OWNER_ATTRIBUTE, owner, sizeof(owner));

	if (len >= 0)
		return strndup(owner, (size_t)len);
	return stat(path, &status) < 0 || status.st_nlink > 1 ? NULL : strdup("");
}

/* whose the common file is, seen from an attachment */
static enum owner get_owner(const struct names *names, const char *ifname)
{
	CNI_CLEANUP(cni_freep) char *owner = NULL;
	struct stat status;

	if (stat(names->common, &status) < 0)
		return errno == ENOENT || errno == ENOTDIR ? OWNER_NOBODY : OWNER_UNKNOWN;
	owner = cni_flannel_state_get_owner(names->common);
	if (!owner)
		return is_same(names->common, names->own) ? OWNER_SELF : OWNER_OTHER;
	if (owner[0] == '\0')
		return OWNER_UNKNOWN;
	return strcmp(owner, ifname) == 0 ? OWNER_SELF : OWNER_OTHER;
}

/* writes a new file: 1 if it says whose it is, 0 if it cannot, -1 */
static int write_file(const char *path, const char *text, const char *ifname)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;
	int marked;

	if (fd < 0)
		return -1;
	r = cni_write(fd, text, strlen(text));
	marked = fsetxattr(fd, OWNER_ATTRIBUTE, ifname, strlen(ifname), 0) == 0;
	if (close(fd) < 0 || r < 0)
		return -1;
	return marked;
}

/* writes a file under one of its names; *ret_alias: the other, if it got that too */
static int put(const struct cni_request *request, const char *directory, const struct names *names, const char *path,
	       const char *text, char **ret_alias)
{
	CNI_CLEANUP(cni_freep) char *temporary = make_temporary_path(request, directory);
	CNI_CLEANUP(cni_freep) char *alias = NULL;
	int marked = temporary ? write_file(temporary, text, request->ifname) : -1;
	int saved;

	if (marked == 0 && path == names->common) {
		(void)unlink(names->own);
		/* without links either, nobody can tell whose the file is; flannel's own never could */
		alias = link(temporary, names->own) == 0 ? strdup(names->own) : NULL;
	}
	if (marked >= 0 && rename(temporary, path) == 0) {
		*ret_alias = CNI_TAKE(alias);
		return 0;
	}
	saved = errno;
	if (alias)
		(void)unlink(alias);
	if (temporary)
		(void)unlink(temporary);
	errno = saved;
	return -1;
}

int cni_flannel_state_save(const struct cni_request *request, const char *directory, const char *text,
			   struct cni_flannel_state *ret_state, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_state_clear) struct cni_flannel_state state = {0};
	CNI_CLEANUP(clear_names) struct names names = {0};
	enum owner owner;
	const char *path;
	size_t len;

	if (make_names(request, directory, &names) < 0)
		return cni_fail_oom(error);
	if (cni_file_make_directories(directory, 0700, "dataDir", error) < 0)
		return -1;
	owner = get_owner(&names, request->ifname);
	path = owner == OWNER_NOBODY || owner == OWNER_SELF ? names.common : names.own;
	if (owner != OWNER_NOBODY && cni_file_read(path, "dataDir", &state.former, &len, error) < 0)
		return -1;
	if (put(request, directory, &names, path, text, &state.alias) < 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "dataDir: write %s: %s", path, strerror(errno));
	state.path = path == names.common ? CNI_TAKE(names.common) : CNI_TAKE(names.own);
	*ret_state = state;
	memset(&state, 0, sizeof(state));
	return 0;
}

void cni_flannel_state_undo(const struct cni_flannel_state *state, const struct cni_request *request,
			    const char *directory)
{
	CNI_CLEANUP(clear_names) struct names names = {0};
	CNI_CLEANUP(cni_freep) char *alias = NULL;
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	const char *path;

	if (!state->former) {
		(void)cni_flannel_state_remove(state, &ignored);
		return;
	}
	if (make_names(request, directory, &names) < 0)
		return;
	path = strcmp(state->path, names.common) == 0 ? names.common : names.own;
	(void)put(request, directory, &names, path, state->former, &alias);
}

int cni_flannel_state_load_file(const char *path, struct cni_flannel_state *ret_state, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_state_clear) struct cni_flannel_state state = {.path = strdup(path)};
	int r = state.path ? cni_file_read(path, "dataDir", &state.text, &state.len, error) : cni_fail_oom(error);

	if (r > 0) {
		*ret_state = state;
		memset(&state, 0, sizeof(state));
	}
	return r;
}

int cni_flannel_state_load(const struct cni_request *request, const char *directory,
			   struct cni_flannel_state *ret_state, struct cni_error *error)
{
	CNI_CLEANUP(clear_names) struct names names = {0};
	int r;

	if (make_names(request, directory, &names) < 0)
		return cni_fail_oom(error);
	r = cni_flannel_state_load_file(names.own, ret_state, error);
	if (r > 0 && is_same(names.own, names.common))
		ret_state->alias = CNI_TAKE(names.common);
	if (r != 0 || get_owner(&names, request->ifname) == OWNER_OTHER)
		return r;
	return cni_flannel_state_load_file(names.common, ret_state, error);
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
	if (state->alias && remove_file(state->alias, error) < 0)
		return -1;
	return remove_file(state->path, error);
}
