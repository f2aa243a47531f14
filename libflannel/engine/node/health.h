/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_HEALTH_H
#define FL_ENGINE_NODE_HEALTH_H

/* Tells the store whether pods of this node have their network, where the store wants to know. */

#include "engine/node/scope.h"
#include "engine/store/store.h"

struct fl_node_health {
	const struct fl_node_scope *scope;
	struct flannel_store *store;
	/* what keeps pods from their network; NULL: nothing. *ret_error keeps the text, if need be */
	const char *(*find_trouble)(void *userdata, struct flannel_error **ret_error);
	void *userdata;

	struct fl_source *timer; /* look at it; made when that is needed first */
	uint64_t unready_ns;     /* since when it is not well; 0: it is */
	bool has_told;
	bool told; /* what the store was told last */
};

/*
 * Something may be wrong with the node, or well again: looked at in the next dispatch. Before it is ready for the first time there is
 * nothing to note: the store knows by itself that it is not.
 */
void fl_node_health_note(struct fl_node_health *health);

void fl_node_health_clear(struct fl_node_health *health);

#endif
