/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_FLANNEL_STATE_H
#define CNI_FLANNEL_STATE_H

/*
 * What the plugin flannel remembers of an attachment: the configuration with which it ran its delegate, since DEL must use the
 * same. The file is <directory>/<container id>, as flannel has always had it. A second interface of the same container gets
 * <container id>:<interface>; no container id has a colon. The interface that a file belongs to is also kept in its
 * extended attribute user.flannel.ifname, where the file system has them.
 */

#include <stddef.h>

#include "plugin.h"

struct cni_flannel_state {
	char *path;
	char *text;
	size_t len;
};

/* Writes the configuration; the file appears as a whole. *ret_state: what was written, and 1 if there was no such file before,
 * else 0. */
int cni_flannel_state_save(const struct cni_request *request, const char *directory, const char *text,
			   struct cni_flannel_state *ret_state, struct cni_error *error);

/* reads what was saved for the request's interface: 1, 0 if there is nothing, -1 */
int cni_flannel_state_load(const struct cni_request *request, const char *directory,
			   struct cni_flannel_state *ret_state, struct cni_error *error);

/* deletes what a save left that was killed before the file was whole */
int cni_flannel_state_remove_unfinished(const struct cni_request *request, const char *directory,
					struct cni_error *error);

/* deletes the file, if it is there */
int cni_flannel_state_remove(const struct cni_flannel_state *state, struct cni_error *error);

void cni_flannel_state_clear(struct cni_flannel_state *state);

#endif
