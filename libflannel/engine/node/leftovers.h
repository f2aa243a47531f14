/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_LEFTOVERS_H
#define FL_ENGINE_NODE_LEFTOVERS_H

/*
 * Routes that flannel left for peers that are no more: they go when the node takes over; what may be somebody else's is a conflict,
 * which is shown.
 */

#include "engine/lease/request.h"
#include "engine/node/scope.h"

struct fl_node_conflict;

struct fl_node_leftovers {
	const struct fl_node_scope *scope;
	const struct flannel_request *request; /* knows whose subnets there are */
	struct fl_node_conflict *conflicts;
	size_t n_conflicts;
};

/* from now on the reconciler asks what is a leftover */
void fl_node_leftovers_judge(struct fl_node_leftovers *leftovers);

/* a route changed: if it was a conflict, it is none any more */
void fl_node_leftovers_note_change(struct fl_node_leftovers *leftovers, const struct fl_change *change);

/* a conflict in words, NULL behind the last; borrowed */
const char *fl_node_leftovers_get_conflict(const struct fl_node_leftovers *leftovers, size_t index);

/* nothing is judged any more, and no conflict known */
void fl_node_leftovers_clear(struct fl_node_leftovers *leftovers);

#endif
