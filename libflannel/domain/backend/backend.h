/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_BACKEND_BACKEND_H
#define FL_DOMAIN_BACKEND_BACKEND_H

/*
 * A backend is a table of pure functions: from what is known (the network, the own lease, the underlay) and one peer's lease to
 * the kernel objects that are wanted. It opens nothing and knows no interface index.
 */

#include <flannel/lease.h>
#include <flannel/netconf.h>

#include "base/error.h"
#include "domain/plan/object.h"
#include "domain/plan/plan.h"
#include "domain/lease/subnet.h"
#include "domain/backend/vxlan.h"

/* what is known of the interface that carries traffic between nodes */
struct fl_underlay {
	char name[FLANNEL_IFNAME_SIZE];
	uint32_t ifindex;
	uint32_t mtu;
	uint8_t mac[FL_MAC_LEN];
	bool up;
	bool carrier;
	struct flannel_prefix address; /* IfaceAddr, with the length of its network; AF_UNSPEC if not used */
	struct flannel_prefix address6;
	struct flannel_prefix public_ip; /* ExtAddr, what peers are told; length 32 */
	struct flannel_prefix public_ip6;
	char reason[64]; /* why this interface */

	/* addresses that the operator named: the interface is the one that has them. AF_UNSPEC: it is known by its name */
	struct flannel_prefix named;
	struct flannel_prefix named6;
};

/* a link that the backend needs on this node, with an identity that peers know it by */
struct fl_device {
	int family;
	char name[FLANNEL_IFNAME_SIZE];
	uint8_t mac[FL_MAC_LEN]; /* kept for as long as possible: engine finds, remembers or draws it */
};

/* everything a backend is told; what is not known yet is zero */
struct fl_backend_facts {
	struct flannel_netconf *netconf;
	const struct fl_underlay *underlay;
	uint8_t route_protocol;
	const char *instance;        /* the agent's name among several; NULL: it has none */
	struct fl_subnet_choice own; /* subnets of the own lease */
	struct fl_vxlan_settings vxlan;
	uint16_t vxlan_port; /* which the kernel takes if it is told none */
	struct fl_device devices[FL_DEVICES_MAX];
	size_t n_devices;
	/* of the peer that is asked for, if asks_for_on_link(): would the kernel send to its address without a gateway */
	bool on_link;
	bool on_link6;
};

/* at most this many objects are wanted for one peer (vxlan: neighbour, FDB entry and route of two families) */
#define FL_PEER_OBJECTS_MAX 8

/* and for the node itself (vxlan: device and address of two families; a blackhole route of each) */
#define FL_NODE_OBJECTS_MAX 6

/* of a blackhole route, so that a bridge's route for the same subnet comes first, IPv6 (256 or 1024) included */
#define FL_BLACKHOLE_METRIC 1000000

struct fl_backend {
	const char *name; /* lower case, as in Backend.Type and in leases */

	/* reads the backend's settings of facts->netconf into facts, and names its devices; NULL: it has none */
	int (*load)(struct fl_backend_facts *facts, struct flannel_error **ret_error);

	/* refuses a network or an underlay that the backend cannot serve */
	int (*check)(const struct fl_backend_facts *facts, struct flannel_error **ret_error);

	/* has want_peer() to be told facts->on_link for each peer, again whenever that may have changed; NULL: no */
	bool (*asks_for_on_link)(const struct fl_backend_facts *facts);

	/* MTU for pods, bytes */
	uint32_t (*mtu)(const struct fl_backend_facts *facts);

	/* What the lease says of one family, NULL if nothing. The function may be NULL. */
	const char *(*publish)(const struct fl_backend_facts *facts, int family, char buf[FL_VXLAN_DATA_STRLEN]);

	/* what is wanted whatever peers there are: devices, and their addresses once the own lease is known. NULL: nothing. */
	int (*want_node)(const struct fl_backend_facts *facts, struct fl_object objects[FL_NODE_OBJECTS_MAX]);

	/* what is wanted for one peer: fills objects, returns their number, or negative with the reason why this peer
	 * cannot be served; -EEXIST: it is this node itself, to judge by its device */
	int (*want_peer)(const struct fl_backend_facts *facts, struct flannel_lease *peer,
			 struct fl_object objects[FL_PEER_OBJECTS_MAX], struct flannel_error **ret_error);
};

/* by lower-case name; -EINVAL naming the ones there are */
int fl_backend_find(const char *name, const struct fl_backend **ret_backend, struct flannel_error **ret_error);

/*
 * For want_peer(): the peer's subnet and address of one family that the network has, too: 1, 0 if the family is not for the two,
 * -EINVAL if the lease lacks an address, -ERANGE if its subnet is no part of the network.
 */
int fl_backend_read_peer(const struct fl_backend_facts *facts, const struct flannel_lease *peer, int family,
			 struct flannel_prefix *ret_subnet, struct flannel_prefix *ret_public_ip,
			 struct flannel_error **ret_error);

extern const struct fl_backend fl_backend_host_gw;
extern const struct fl_backend fl_backend_vxlan;

/* a blackhole route for each own subnet that is known, behind what others set for it: the number of objects, at most 2 */
int fl_blackhole_want(const struct fl_backend_facts *facts, struct fl_object objects[2]);

#endif
