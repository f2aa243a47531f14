/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_FLANNEL_STATE_H
#define CNI_FLANNEL_STATE_H

/*
 * What the plugin flannel remembers of an attachment: the configuration with which it ran its delegate, since DEL must use the
 * same. The file is <directory>/<container id>, as flannel has always had it, for the first interface of a container, and
 * <container id>:<interface> for any other; no container id has a colon.
 *
 * Whose the common file is, is kept beside its text, which must stay as it is: in the extended attribute user.flannel.ifname,
 * or, where the file system has none, by a second name of the same file, <container id>:<interface>. So both this plugin and
 * flannel's own can follow the other at any time:
 *  - A file that flannel's own has written has neither. It serves whichever interface asks first, as it always did, unless that
 *    one has a file to itself; it is not written over, since it may be another's.
 *  - flannel's own finds the file of the first interface, and knows nothing of the others; for those it takes the first one's
 *    configuration, which is the same but for its ranges, and these DEL does not need.
 *
 * A file appears as a whole, by rename(2), and is not synchronised: what it describes ends with the node's power as well, and
 * its addresses are collected after a restart. A file that is empty then is as good as a damaged one.
 */

#include <stddef.h>

#include "plugin.h"

struct cni_flannel_state {
	char *path;
	char *alias;  /* the second name of the same file; NULL for none */
	char *text;   /* of a file that was loaded */
	char *former; /* what a file that was saved has replaced; NULL: there was none */
	size_t len;   /* of text */
};

/* writes the configuration of the request's interface */
int cni_flannel_state_save(const struct cni_request *request, const char *directory, const char *text,
			   struct cni_flannel_state *ret_state, struct cni_error *error);

/* takes back what was saved: what was there before is there again */
void cni_flannel_state_undo(const struct cni_flannel_state *state, const struct cni_request *request,
			    const char *directory);

/* reads what was saved for the request's interface: 1, 0 if there is nothing, -1 */
int cni_flannel_state_load(const struct cni_request *request, const char *directory,
			   struct cni_flannel_state *ret_state, struct cni_error *error);

/* reads a file by its path: 1, 0 if there is none, -1 */
int cni_flannel_state_load_file(const char *path, struct cni_flannel_state *ret_state, struct cni_error *error);

/*
 * Whose the common file at path is: "" if it does not say, NULL if another name of it does or there is none. The text is
 * malloc()ed.
 */
char *cni_flannel_state_get_owner(const char *path);

/* deletes what a save left that was killed before the file was whole */
int cni_flannel_state_remove_unfinished(const struct cni_request *request, const char *directory,
					struct cni_error *error);

/* deletes the file, if it is there */
int cni_flannel_state_remove(const struct cni_flannel_state *state, struct cni_error *error);

void cni_flannel_state_clear(struct cni_flannel_state *state);

#endif
