/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/backend/backend.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/*
 * host-gw: no tunnel. Each peer's subnet is routed to the peer's public address, which must be a neighbour on the
 * underlay's own network.
 */

/* An address that peers are told but that is not on the interface means NAT: no peer could use it as a gateway. */
static int check_family(const struct flannel_prefix *address, const struct flannel_prefix *public_ip,
			const struct fl_underlay *underlay, struct flannel_error **ret_error)
{
	char own[FLANNEL_PREFIX_STRLEN], told[FLANNEL_PREFIX_STRLEN];

	if (!address->family || memcmp(address->addr, public_ip->addr, sizeof(address->addr)) == 0)
		return 0;
	return fl_error_set(ret_error, -EINVAL, "config",
			    "peers use the public address as a gateway, so it must be the interface's own",
			    "backend host-gw: public address %s, but %s has %s",
			    flannel_prefix_format_address(public_ip, told, sizeof(told)), underlay->name,
			    flannel_prefix_format_address(address, own, sizeof(own)));
}

static int host_gw_check(const struct fl_backend_facts *facts, struct flannel_error **ret_error)
{
	const struct fl_underlay *underlay = facts->underlay;
	int r = check_family(&underlay->address, &underlay->public_ip, underlay, ret_error);

	return r < 0 ? r : check_family(&underlay->address6, &underlay->public_ip6, underlay, ret_error);
}

static uint32_t host_gw_mtu(const struct fl_backend_facts *facts)
{
	return facts->underlay->mtu;
}

/* one route per family that both the network and the peer have */
static int host_gw_want_peer(const struct fl_backend_facts *facts, struct flannel_lease *peer,
			     struct fl_object objects[FL_PEER_OBJECTS_MAX], struct flannel_error **ret_error)
{
	const int families[] = {AF_INET, AF_INET6};
	int n = 0;

	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		struct flannel_prefix subnet, via;
		int r = fl_backend_read_peer(facts, peer, families[i], &subnet, &via, ret_error);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		objects[n] = (struct fl_object){.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE};
		objects[n].route = fl_route_main(&subnet, facts->route_protocol);
		objects[n].route.via = via;
		memcpy(objects[n].route.link, facts->underlay->name, sizeof(facts->underlay->name));
		n++;
	}
	return n;
}

const struct fl_backend fl_backend_host_gw = {
	.name = "host-gw",
	.check = host_gw_check,
	.mtu = host_gw_mtu,
	.want_peer = host_gw_want_peer,
};
