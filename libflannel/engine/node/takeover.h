/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_TAKEOVER_H
#define FL_ENGINE_NODE_TAKEOVER_H

/*
 * Takes over from the rules of flannel's iptables mode, which have no place beside ours. They go when ours are in force, so that there is
 * no moment without either; for packets both at once are as good as one.
 */

#include "engine/node/scope.h"

enum fl_node_takeover_report {
	FL_NODE_TAKEOVER_DUE, /* it is time to look for them again */
	FL_NODE_TAKEOVER_DONE /* what was begun has ended */
};

struct fl_node_takeover {
	const struct fl_node_scope *scope;
	unsigned int masquerade; /* FLANNEL_MASQUERADE_... */
	void (*fn)(void *userdata, enum fl_node_takeover_report report);
	void *userdata;

	struct fl_source *timer;     /* look for them again */
	struct fl_source *helper;    /* set while the helper works at them */
	bool has_warned;             /* of rules that are out of reach */
	struct flannel_error *error; /* why they are still there */
};

/* once, with the members of the first paragraph set */
int fl_node_takeover_init(struct fl_node_takeover *takeover, struct flannel_error **ret_error);

/* Looks for such rules, now that ours are in force. True: they are being removed, and DONE follows. */
bool fl_node_takeover_begin(struct fl_node_takeover *takeover);

/* the helper has no time: DUE again a little later */
void fl_node_takeover_postpone(struct fl_node_takeover *takeover);

/* gives up what is under way */
void fl_node_takeover_clear(struct fl_node_takeover *takeover);

#endif
