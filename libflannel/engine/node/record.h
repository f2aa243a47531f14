/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_RECORD_H
#define FL_ENGINE_NODE_RECORD_H

/* Kernel objects that are wanted in one name, a peer's or the node's own. What becomes of them is told by events. */

#include "engine/node/scope.h"

struct fl_node_record {
	struct fl_owner owner;
	const struct fl_node_scope *scope;
	uint32_t n_objects;
};

/* the record of an owner */
struct fl_node_record *fl_node_record_of(struct fl_owner *owner);

/* what happened to an object becomes an event; for fl_owner.report */
void fl_node_record_report(struct fl_owner *owner, enum fl_report report, const struct fl_object *object,
			   struct flannel_error *error);

/* what the record wanted before and is not among these objects is wanted no longer: how many, or negative */
int fl_node_record_drop_others(struct fl_node_record *record, const struct fl_object *objects, int n_objects,
			       struct flannel_error **ret_error);

#endif
