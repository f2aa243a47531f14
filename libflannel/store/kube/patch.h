/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_PATCH_H
#define FL_KUBE_PATCH_H

/*
 * What is written to the own Node: bodies of strategic merge patches of its status, which may carry annotations, too. No system call.
 */

#include <time.h>

#include "store/kube/node.h"

#define FL_KUBE_PATCH_TYPE "application/strategic-merge-patch+json"

/* what the annotations of a node with this lease are to be */
struct fl_kube_wanted {
	const char *values[FL_KUBE_N_OWN]; /* NULL: none; borrowed from this struct, the lease and the node */
	char public_ip[FLANNEL_PREFIX_STRLEN], public_ip6[FLANNEL_PREFIX_STRLEN];
	bool has_bad_overwrite, has_bad_overwrite6; /* an annotation that is no address was passed over */
};

/* node: as it is, with the annotations that people set */
void fl_kube_wanted_init(struct fl_kube_wanted *wanted, const struct fl_kube_node *node,
			 const struct flannel_lease *lease);

/* does the node have other annotations */
bool fl_kube_wanted_differs(const struct fl_kube_wanted *wanted, const struct fl_kube_node *node);

/* the changes that are needed, and no more; malloc()ed. wanted NULL: none of ours is wanted. -ENOMEM */
int fl_kube_patch_annotations(const struct fl_kube_keys *keys, const struct fl_kube_wanted *wanted,
			      const struct fl_kube_node *node, char **ret_body);

/* the condition NetworkUnavailable: no more if the network is up; why, if it is not. -ENOMEM */
int fl_kube_patch_condition(bool is_up, const char *why, time_t now, char **ret_body);

#endif
