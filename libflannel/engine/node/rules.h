/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_RULES_H
#define FL_ENGINE_NODE_RULES_H

/*
 * The node's masquerade and forward rules: set once they are asked for, and set again whenever somebody else changes
 * them, as a whole and in one transaction. Between changes nothing runs.
 */

#include "engine/node/node.h"

struct fl_node_rules;

/*
 * Sends the rules for the subnets; the answer comes by fl_node_take_rules(). From then on they are kept true. A repair that is under
 * way is finished first.
 */
int fl_node_rules_send(struct flannel_node *node, const struct fl_subnet_choice *subnets,
		       struct flannel_error **ret_error);

/* does the node wait for fl_node_take_rules(); rules may be NULL */
bool fl_node_rules_is_sending(const struct fl_node_rules *rules);

/* why rules that were in force are not any more, or NULL; borrowed; rules may be NULL */
struct flannel_error *fl_node_rules_get_error(const struct fl_node_rules *rules);

/* gives up what is under way and watches no longer; the rules stay */
struct fl_node_rules *fl_node_rules_free(struct fl_node_rules *rules);

#endif
