/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_UNDERLAY_H
#define FL_ENGINE_NODE_UNDERLAY_H

/* The interface between nodes: chosen once, followed from then on. */

#include "engine/node/options.h"
#include "engine/node/scope.h"

enum fl_node_underlay_report {
	FL_NODE_UNDERLAY_CHANGED, /* .current is another, or not as it was: all that depends on it has to follow */
	FL_NODE_UNDERLAY_ON_LINK, /* which peers are on-link may have changed */
	FL_NODE_UNDERLAY_HEALTH   /* .error is another */
};

struct fl_node_underlay {
	const struct fl_node_scope *scope;
	const struct fl_node_options *options; /* which one is asked for */
	void (*fn)(void *userdata, enum fl_node_underlay_report report);
	void *userdata;

	struct fl_underlay current; /* as it was when it could be used last */
	bool is_known;
	uint32_t ifindex;                /* of the link with its name now; 0: none */
	struct flannel_error *error;     /* why it carries no traffic now */
	struct fl_source *timer;         /* look at it again; NULL: it is not followed */
	struct fl_source *on_link_timer; /* ask again which peers are on-link */
};

/* chooses it, and follows it from now on; the scope knows network and backend by now */
int fl_node_underlay_choose(struct fl_node_underlay *underlay, struct flannel_error **ret_error);

/* the kernel tells of a change; a burst of news leads to one look, after the last of them that is there */
void fl_node_underlay_note_change(struct fl_node_underlay *underlay, const struct fl_change *change);

/* follows it no longer; what is known of it stays */
void fl_node_underlay_forget(struct fl_node_underlay *underlay);

/* frees everything */
void fl_node_underlay_clear(struct fl_node_underlay *underlay);

#endif
