/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_FORMER_H
#define FL_ENGINE_NODE_FORMER_H

/* Which rules of flannel's iptables mode there are. */

#include "engine/firewall/former.h"
#include "engine/node/scope.h"

/*
 * Marks what flannel left in the tables of iptables-nft. One thing there stays, or comes: where the chain FORWARD drops what nobody
 * accepts (Docker has it so), acceptance in a table of ours would not count, and flannel's chain FLANNEL-FWD is set for the networks
 * whose traffic is to be forwarded, if masquerade (FLANNEL_MASQUERADE_...) has that. former->n is 0 if there is nothing to do.
 */
int fl_node_former_mark(const struct fl_node_scope *scope, unsigned int masquerade, struct fl_former *former,
			struct flannel_error **ret_error);

/* Rules of iptables-legacy are beyond our reach: a warning says so, if flannel left some there. */
void fl_node_former_warn(const struct fl_node_scope *scope);

#endif
