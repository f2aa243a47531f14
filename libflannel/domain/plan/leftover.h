/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_PLAN_LEFTOVER_H
#define FL_DOMAIN_PLAN_LEFTOVER_H

/*
 * Routes that flannel's Go daemon left behind for nodes that are no more: it tags nothing and removes nothing that went while it was down. By
 * their looks they are those that anybody could have made with ip(8), so more must speak for them than that.
 */

#include <stdbool.h>

#include <flannel/lease.h>
#include <flannel/netconf.h>

#include "domain/plan/object.h"

/*
 * Does a route look as flannel makes one for a peer: a subnet that may be leased, through the interface between nodes, with all defaults? Nobody
 * else has a use for such a subnet: flannel takes any route to it away as soon as it leases it.
 */
bool fl_leftover_looks_so(const struct fl_route *route, const struct flannel_netconf *netconf, const char *underlay);

/* what one lease says about such a route */
enum fl_leftover_hint {
	FL_LEFTOVER_NOTHING,
	FL_LEFTOVER_HOP,  /* its next hop is the node that has the lease */
	FL_LEFTOVER_OWNED /* its destination belongs to the lease: it is no leftover */
};
enum fl_leftover_hint fl_leftover_ask(const struct fl_route *route, const struct flannel_lease *lease);

#endif
