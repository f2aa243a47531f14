/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_SCOPE_H
#define FL_ENGINE_NODE_SCOPE_H

/*
 * What each part of the agent may know of the whole: where it works, for which network, and in whose name events are. The agent
 * (node_state.h) fills it; the parts read it. They know neither the agent nor one another, and what they find goes up by a function
 * that the agent gave them.
 */

#include <flannel/node.h>

#include "domain/backend/backend.h"
#include "engine/context.h"
#include "engine/event.h"
#include "engine/reconcile/reconcile.h"

struct fl_node_scope {
	struct flannel_context *context;
	const struct flannel_node *source; /* whose events they are; opaque to the parts */
	void *userdata;                    /* of the events */
	const char *instance;              /* the agent's name among several; "": it has none */

	/* from the configuration on */
	const struct fl_backend *backend;
	struct fl_backend_facts facts; /* what the backend is told */
	struct fl_reconciler *reconciler;
};

/* something happened that may have made the node fit or unfit for its pods */
typedef void (*fl_node_health_fn)(void *userdata);

/* an event of the agent: (scope, type, lease or NULL, error or NULL, format, ...) */
#define fl_node_emit(scope, ...) fl_event_emit((scope)->context, (scope)->source, (scope)->userdata, __VA_ARGS__)

#endif
