/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_RULES_H
#define FL_ENGINE_NODE_RULES_H

/*
 * The node's masquerade and forward rules: set once they are asked for, and set again whenever somebody else changes
 * them, as a whole and in one transaction. Between changes nothing runs.
 */

#include "engine/node/scope.h"

struct fl_node_rules;

enum fl_node_rules_report {
	FL_NODE_RULES_SET,      /* what fl_node_rules_send() was asked for is in force */
	FL_NODE_RULES_FAILED,   /* it is not; error */
	FL_NODE_RULES_REPAIRED, /* one table of them, for the count */
	FL_NODE_RULES_HEALTH    /* fl_node_rules_get_error() is another */
};

/* hears of all that; after SET and FAILED the rules may be freed in the call */
typedef void (*fl_node_rules_fn)(void *userdata, enum fl_node_rules_report report, struct flannel_error *error);

/* begins to watch, so that nothing goes by unseen from the first request on. masquerade: FLANNEL_MASQUERADE_... */
int fl_node_rules_new(const struct fl_node_scope *scope, unsigned int masquerade, fl_node_rules_fn fn, void *userdata,
		      struct fl_node_rules **ret_rules, struct flannel_error **ret_error);

/*
 * Sends the rules for the subnets; the answer is SET or FAILED. From then on they are kept true. A repair that is under way is
 * finished first.
 */
int fl_node_rules_send(struct fl_node_rules *rules, const struct fl_subnet_choice *subnets,
		       struct flannel_error **ret_error);

/* is SET or FAILED still to come; rules may be NULL */
bool fl_node_rules_is_sending(const struct fl_node_rules *rules);

/* why rules that were in force are not any more, or NULL; borrowed; rules may be NULL */
struct flannel_error *fl_node_rules_get_error(const struct fl_node_rules *rules);

/* gives up what is under way and watches no longer; the rules stay */
struct fl_node_rules *fl_node_rules_free(struct fl_node_rules *rules);

#endif
