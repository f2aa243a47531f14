/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/plan/leftover.h"

#include <string.h>
#include <sys/socket.h>

#include "domain/lease/subnet.h"

bool fl_leftover_looks_so(const struct fl_route *route, const struct flannel_netconf *netconf, const char *underlay)
{
	const struct fl_route plain = fl_route_main(&route->dst, FL_ROUTE_PROTOCOL_BOOT);

	return fl_subnet_may_be_leased(netconf, &route->dst) && strcmp(route->link, underlay) == 0 &&
	       route->via.family == route->dst.family && !route->source.family && !route->onlink && !route->multipath &&
	       route->protocol == plain.protocol && route->type == plain.type && route->scope == plain.scope &&
	       route->table == plain.table && route->metric == plain.metric && route->mtu == plain.mtu &&
	       route->advmss == plain.advmss;
}

enum fl_leftover_hint fl_leftover_ask(const struct fl_route *route, const struct flannel_lease *lease)
{
	struct flannel_prefix subnet, address;

	if (flannel_lease_get_subnet(lease, route->dst.family, &subnet) > 0 &&
	    flannel_prefix_overlaps(&subnet, &route->dst))
		return FL_LEFTOVER_OWNED;
	if (flannel_lease_get_public_ip(lease, route->dst.family, &address) > 0 &&
	    memcmp(address.addr, route->via.addr, sizeof(address.addr)) == 0)
		return FL_LEFTOVER_HOP;
	return FL_LEFTOVER_NOTHING;
}
