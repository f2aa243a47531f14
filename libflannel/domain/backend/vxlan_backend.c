/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/backend/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/*
 * vxlan: packets between pods travel in UDP between nodes. Each node has a device for each family, which learns nothing: for each
 * peer it is told the MAC of the peer's device (neighbour), where that is (FDB entry), and what lies behind it (route). With
 * DirectRouting the tunnel is for peers beyond a router only.
 */

/* the family's part of the underlay's MTU that is left for pods */
static uint32_t device_mtu(const struct fl_backend_facts *facts, int family)
{
	uint32_t most = facts->underlay->mtu, mtu = facts->vxlan.mtu ? facts->vxlan.mtu : most;

	/* flannel takes the smaller overhead for both; the kernel then gives the IPv6 device less than was asked for */
	most -= family == AF_INET6 ? FL_VXLAN_OVERHEAD6 : FL_VXLAN_OVERHEAD;
	mtu -= FL_VXLAN_OVERHEAD;
	return mtu < most ? mtu : most;
}

/* pods have one MTU for both families, so the smaller one */
static uint32_t vxlan_mtu(const struct fl_backend_facts *facts)
{
	uint32_t mtu = UINT32_MAX;

	for (size_t i = 0; i < facts->n_devices; i++) {
		uint32_t one = device_mtu(facts, facts->devices[i].family);

		mtu = one < mtu ? one : mtu;
	}
	return mtu;
}

/* settings, and a device for each family of the network */
static int vxlan_load(struct fl_backend_facts *facts, struct flannel_error **ret_error)
{
	const int families[] = {AF_INET, AF_INET6};
	struct flannel_prefix network;
	int r = fl_vxlan_load(facts->netconf, &facts->vxlan, ret_error);

	facts->n_devices = 0;
	for (size_t i = 0; i < FL_N_ELEMENTS(families) && r >= 0; i++) {
		struct fl_device *device = &facts->devices[facts->n_devices];

		if (flannel_netconf_get_network(facts->netconf, families[i], &network) <= 0)
			continue;
		*device = (struct fl_device){.family = families[i]};
		if (!fl_vxlan_format_name(&facts->vxlan, families[i], device->name))
			return fl_error_set(ret_error, -EINVAL, "config",
					    families[i] == AF_INET6 ? "expected 9999 or less, since the device's name, "
								      "flannel-v6.VNI, has at most 15 characters"
								    : "expected 9999999 or less, since the device's "
								      "name, flannel.VNI, has at most 15 characters",
					    "net-conf.json: Backend: VNI is %u", facts->vxlan.vni);
		facts->n_devices++;
	}
	return r;
}

static int vxlan_check(const struct fl_backend_facts *facts, struct flannel_error **ret_error)
{
	const struct fl_underlay *underlay = facts->underlay;

	for (size_t i = 0; i < facts->n_devices; i++) {
		bool v6 = facts->devices[i].family == AF_INET6;
		uint32_t least = v6 ? 1280 : 68; /* of the kernel, for the family */

		if (underlay->mtu < least + FL_VXLAN_OVERHEAD6 || device_mtu(facts, facts->devices[i].family) < least)
			return fl_error_set(ret_error, -EINVAL, "config",
					    v6 ? "IPv6 needs 1280 bytes, and the tunnel takes 70"
					       : "the tunnel takes 50 bytes of it, or 70 with IPv6",
					    "backend vxlan: MTU %u of %s is too small",
					    facts->vxlan.mtu ? facts->vxlan.mtu : underlay->mtu, underlay->name);
	}
	return 0;
}

static bool vxlan_asks_for_on_link(const struct fl_backend_facts *facts)
{
	return facts->vxlan.direct_routing;
}

static const char *vxlan_publish(const struct fl_backend_facts *facts, int family, char buf[FL_VXLAN_DATA_STRLEN])
{
	for (size_t i = 0; i < facts->n_devices; i++) {
		if (facts->devices[i].family == family)
			return fl_vxlan_format_data(facts->vxlan.vni, facts->devices[i].mac, buf);
	}
	return NULL;
}

/* the device of one family */
static struct fl_link make_link(const struct fl_backend_facts *facts, const struct fl_device *device)
{
	const struct fl_underlay *underlay = facts->underlay;
	struct fl_link link = {.kind = "vxlan", .up = true, .mtu = device_mtu(facts, device->family)};

	link.set = FL_LINK_VXLAN | FL_LINK_MAC | FL_LINK_MTU | FL_LINK_ALIAS | FL_LINK_UP;
	memcpy(link.name, device->name, sizeof(link.name));
	memcpy(link.mac, device->mac, sizeof(link.mac));
	fl_our_alias(facts->instance, link.alias);
	link.vxlan.vni = facts->vxlan.vni;
	link.vxlan.port = facts->vxlan.port ? facts->vxlan.port : facts->vxlan_port;
	link.vxlan.learning = facts->vxlan.learning;
	link.vxlan.gbp = facts->vxlan.gbp;
	/* not the public address: behind NAT the node does not have it, and the kernel would send nothing from it */
	link.vxlan.local = device->family == AF_INET6 ? underlay->address6 : underlay->address;
	link.vxlan.local.plen = device->family == AF_INET6 ? 128 : 32;
	memcpy(link.vxlan.lower, underlay->name, sizeof(link.vxlan.lower));
	return link;
}

/* the address of a device: the subnet's first, which no pod gets. Peers name it as the gateway to the subnet. */
static struct fl_address make_address(const struct fl_device *device, const struct flannel_prefix *subnet)
{
	struct fl_address address = {.address = *subnet};

	memcpy(address.link, device->name, sizeof(address.link));
	address.address.plen = device->family == AF_INET6 ? 128 : 32;
	return address;
}

static int vxlan_want_node(const struct fl_backend_facts *facts, struct fl_object objects[FL_NODE_OBJECTS_MAX])
{
	int n = 0;

	for (size_t i = 0; i < facts->n_devices; i++) {
		const struct fl_device *device = &facts->devices[i];
		const struct flannel_prefix *subnet =
			device->family == AF_INET6 ? &facts->own.subnet6 : &facts->own.subnet;

		objects[n] = (struct fl_object){.type = FL_OBJECT_LINK, .role = FL_ROLE_NODE};
		objects[n++].link = make_link(facts, device);
		if (!subnet->family)
			continue;
		objects[n] = (struct fl_object){.type = FL_OBJECT_ADDRESS, .role = FL_ROLE_NODE};
		objects[n++].address = make_address(device, subnet);
	}
	return n;
}

/* the three objects that lead to a peer's subnet */
static void want_tunnel(const struct fl_backend_facts *facts, const struct fl_device *device,
			const struct flannel_prefix *subnet, const struct flannel_prefix *public_ip,
			const uint8_t mac[FL_MAC_LEN], struct fl_object objects[3])
{
	struct flannel_prefix gateway = *subnet;
	struct fl_neighbour *neighbour = &objects[0].neighbour;
	struct fl_fdb *fdb = &objects[1].fdb;
	struct fl_route *route = &objects[2].route;

	gateway.plen = device->family == AF_INET6 ? 128 : 32;
	objects[0] = (struct fl_object){.type = FL_OBJECT_NEIGHBOUR, .role = FL_ROLE_NODE};
	neighbour->address = gateway;
	memcpy(neighbour->mac, mac, FL_MAC_LEN);
	memcpy(neighbour->link, device->name, sizeof(neighbour->link));
	objects[1] = (struct fl_object){.type = FL_OBJECT_FDB, .role = FL_ROLE_NODE};
	fdb->dst = *public_ip;
	memcpy(fdb->mac, mac, FL_MAC_LEN);
	memcpy(fdb->link, device->name, sizeof(fdb->link));
	objects[2] = (struct fl_object){.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE};
	*route = fl_route_main(subnet, facts->route_protocol);
	route->via = gateway;
	route->onlink = true;
	memcpy(route->link, device->name, sizeof(route->link));
}

/* where a peer is a neighbour its subnet is routed there, as with host-gw; by which interface is the kernel's choice */
static struct fl_object make_direct(const struct fl_backend_facts *facts, const struct flannel_prefix *subnet,
				    const struct flannel_prefix *public_ip)
{
	struct fl_object object = {.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE};

	object.route = fl_route_main(subnet, facts->route_protocol);
	object.route.via = *public_ip;
	return object;
}

/* one family of a peer: number of objects */
static int want_family(const struct fl_backend_facts *facts, const struct fl_device *device, struct flannel_lease *peer,
		       struct fl_object objects[3], struct flannel_error **ret_error)
{
	struct flannel_prefix subnet, public_ip;
	char text[FLANNEL_PREFIX_STRLEN];
	uint8_t mac[FL_MAC_LEN];
	int r = fl_backend_read_peer(facts, peer, device->family, &subnet, &public_ip, ret_error);

	if (r <= 0)
		return r;
	flannel_prefix_format(&subnet, text, sizeof(text));
	r = fl_vxlan_parse_data(flannel_lease_get_backend_data(peer, device->family), mac, ret_error);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "reach peer %s", text);
	if (memcmp(mac, device->mac, FL_MAC_LEN) == 0)
		return fl_error_set(ret_error, -EEXIST, "node",
				    "its device has the MAC address of this node's (an earlier lease of this node, or "
				    "a copy of it)",
				    "reach peer %s", text);
	if (facts->vxlan.direct_routing && (device->family == AF_INET6 ? facts->on_link6 : facts->on_link)) {
		objects[0] = make_direct(facts, &subnet, &public_ip);
		return 1;
	}
	want_tunnel(facts, device, &subnet, &public_ip, mac, objects);
	return 3;
}

static int vxlan_want_peer(const struct fl_backend_facts *facts, struct flannel_lease *peer,
			   struct fl_object objects[FL_PEER_OBJECTS_MAX], struct flannel_error **ret_error)
{
	int n = 0;

	for (size_t i = 0; i < facts->n_devices; i++) {
		int r = want_family(facts, &facts->devices[i], peer, objects + n, ret_error);

		if (r < 0)
			return r;
		n += r;
	}
	return n;
}

const struct fl_backend fl_backend_vxlan = {
	.name = "vxlan",
	.load = vxlan_load,
	.check = vxlan_check,
	.asks_for_on_link = vxlan_asks_for_on_link,
	.mtu = vxlan_mtu,
	.publish = vxlan_publish,
	.want_node = vxlan_want_node,
	.want_peer = vxlan_want_peer,
};
