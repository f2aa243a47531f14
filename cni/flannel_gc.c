/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "flannel_gc.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "decode.h"
#include "environment.h"
#include "flannel_delegate.h"
#include "flannel_state.h"

/* what the name of a file says */
struct entry {
	char *container_id;
	char *ifname;      /* "" if the name does not say */
	bool is_temporary; /* of an ADD that did not get as far as its delegate */
};

/* closedir() for CNI_CLEANUP */
static void close_directory(DIR **directory)
{
	if (*directory)
		(void)closedir(*directory);
}

/* for CNI_CLEANUP */
static void clear_entry(struct entry *entry)
{
	free(entry->container_id);
	free(entry->ifname);
}

/* Takes a name apart: <id>, <id>:<ifname>, .<id>:<ifname>.new. 1; 0 if it is none of these; -1 without memory. */
static int parse_name(const char *name, struct entry *entry)
{
	const char *const suffix = ".new";
	size_t len = strlen(name);
	size_t suffix_len = strlen(suffix);
	const char *colon;

	if (name[0] == '.') {
		if (len < suffix_len + 1 || strcmp(name + len - suffix_len, suffix) != 0)
			return 0;
		entry->is_temporary = true;
		name++;
		len -= suffix_len + 1;
	}
	colon = memchr(name, ':', len);
	if (entry->is_temporary && !colon)
		return 0;
	entry->container_id = strndup(name, colon ? (size_t)(colon - name) : len);
	entry->ifname = colon ? strndup(colon + 1, len - (size_t)(colon - name) - 1) : strdup("");
	if (!entry->container_id || !entry->ifname)
		return -1;
	return cni_name_is_valid(entry->container_id);
}

/* Loads what a file holds, and learns whose it is: 1; 0 if it is to be left alone; -1. */
static int load(const struct entry *entry, const char *directory, const char *path, const char **ret_ifname,
		char **ret_owner, struct cni_flannel_state *state, struct cni_error *error)
{
	struct cni_request request = {.container_id = entry->container_id, .ifname = entry->ifname};

	if (entry->is_temporary || entry->ifname[0] != '\0') {
		*ret_ifname = entry->ifname;
	} else {
		*ret_owner = cni_flannel_state_get_owner(path);
		if (!*ret_owner)
			return 0; /* its other name is in the directory as well */
		*ret_ifname = *ret_owner;
	}
	request.ifname = *ret_ifname;
	if (entry->is_temporary || request.ifname[0] == '\0')
		return cni_flannel_state_load_file(path, state, error);
	return cni_flannel_state_load(&request, directory, state, error);
}

/* is a saved configuration that of the network; one that cannot be read is anybody's */
static bool is_of_network(const struct cni_flannel_state *state, const char *network, struct json_object **ret_config)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	const char *name = "";

	return cni_flannel_delegate_parse(state, ret_config, &ignored) == 0 &&
	       cni_get_string(*ret_config, "", "name", &name, &ignored) >= 0 && strcmp(name, network) == 0;
}

/* one file */
static int collect(const struct cni_request *request, const char *directory, const char *name,
		   const struct cni_attachments *valid, struct cni_error *error)
{
	CNI_CLEANUP(clear_entry) struct entry entry = {0};
	CNI_CLEANUP(cni_freep) char *path = NULL;
	CNI_CLEANUP(cni_freep) char *owner = NULL;
	CNI_CLEANUP(cni_flannel_state_clear) struct cni_flannel_state state = {0};
	CNI_CLEANUP(cni_json_putp) struct json_object *saved = NULL;
	struct cni_request del = *request;
	int r = parse_name(name, &entry);

	if (r < 0 || asprintf(&path, "%s/%s", directory, name) < 0) {
		path = NULL;
		return cni_fail_oom(error);
	}
	if (r == 0)
		return 0;
	r = load(&entry, directory, path, &del.ifname, &owner, &state, error);
	if (r <= 0)
		return r;
	if (cni_attachments_have(valid, entry.container_id, del.ifname[0] != '\0' ? del.ifname : NULL) ||
	    !is_of_network(&state, request->network, &saved))
		return 0;
	del.verb = CNI_VERB_DEL;
	del.container_id = entry.container_id;
	del.netns = "";
	/* without an interface there is no DEL; what the delegate has of it is for its own GC */
	if (!entry.is_temporary && del.ifname[0] != '\0' && cni_flannel_delegate_call(&del, saved, error) < 0)
		return cni_wrap(error, "DEL of %s, which is not in use", path);
	return cni_flannel_state_remove(&state, error);
}

int cni_flannel_gc(const struct cni_request *request, const char *directory, const struct cni_attachments *valid,
		   struct cni_error *error)
{
	CNI_CLEANUP(close_directory) DIR *stream = opendir(directory);
	const struct dirent *entry;
	int r = 0;

	if (!stream && errno != ENOENT)
		return cni_fail(error, CNI_ERROR_INTERNAL, "dataDir: list %s: %s", directory, strerror(errno));
	while (stream && (entry = readdir(stream))) {
		CNI_CLEANUP(cni_error_clear) struct cni_error later = {0};

		if (collect(request, directory, entry->d_name, valid, r == 0 ? error : &later) < 0)
			r = -1;
	}
	return r;
}
