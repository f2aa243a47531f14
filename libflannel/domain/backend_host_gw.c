/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/backend.h"

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

static int host_gw_check(const struct flannel_netconf *netconf, const struct fl_underlay *underlay,
			 struct flannel_error **ret_error)
{
	int r;

	(void)netconf;
	r = check_family(&underlay->address, &underlay->public_ip, underlay, ret_error);
	return r < 0 ? r : check_family(&underlay->address6, &underlay->public_ip6, underlay, ret_error);
}

static uint32_t host_gw_mtu(const struct flannel_netconf *netconf, const struct fl_underlay *underlay)
{
	(void)netconf;
	return underlay->mtu;
}

/* one route per family that both the network and the peer have */
static int host_gw_want_peer(const struct flannel_netconf *netconf, const struct fl_underlay *underlay,
			     struct flannel_lease *peer, uint8_t route_protocol,
			     struct fl_object objects[FL_PEER_OBJECTS_MAX], struct flannel_error **ret_error)
{
	const int families[] = {AF_INET, AF_INET6};
	int n = 0;

	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		struct flannel_prefix network, subnet, via;
		char text[FLANNEL_PREFIX_STRLEN];

		if (flannel_netconf_get_network(netconf, families[i], &network) <= 0 ||
		    flannel_lease_get_subnet(peer, families[i], &subnet) <= 0)
			continue;
		if (flannel_lease_get_public_ip(peer, families[i], &via) <= 0)
			return fl_error_set(ret_error, -EINVAL, "node",
					    "its lease has no public address of that family", "reach peer %s",
					    flannel_prefix_format(&subnet, text, sizeof(text)));
		if (!flannel_prefix_contains(&network, &subnet) || subnet.plen <= network.plen)
			return fl_error_set(ret_error, -ERANGE, "node", "its subnet is no part of the network",
					    "reach peer %s", flannel_prefix_format(&subnet, text, sizeof(text)));
		objects[n] = (struct fl_object){.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE};
		objects[n].route = fl_route_main(&subnet, route_protocol);
		objects[n].route.via = via;
		memcpy(objects[n].route.link, underlay->name, sizeof(underlay->name));
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
