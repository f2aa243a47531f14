/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_BACKEND_H
#define FL_DOMAIN_BACKEND_H

/*
 * A backend is a table of pure functions: from the network, the own lease, one peer's lease and facts about the underlay to
 * the kernel objects that are wanted for that peer. It opens nothing and knows no interface index.
 */

#include <flannel/lease.h>
#include <flannel/netconf.h>

#include "base/error.h"
#include "domain/object.h"

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

/* at most this many objects are wanted for one peer (vxlan: neighbour, FDB entry and route of two families) */
#define FL_PEER_OBJECTS_MAX 8

struct fl_backend {
	const char *name; /* lower case, as in Backend.Type and in leases */

	/* refuses a network or an underlay that the backend cannot serve */
	int (*check)(const struct flannel_netconf *netconf, const struct fl_underlay *underlay,
		     struct flannel_error **ret_error);

	/* MTU for pods, bytes */
	uint32_t (*mtu)(const struct flannel_netconf *netconf, const struct fl_underlay *underlay);

	/* what is wanted for one peer: fills objects, returns their number, or negative with the reason why this peer
	 * cannot be served */
	int (*want_peer)(const struct flannel_netconf *netconf, const struct fl_underlay *underlay,
			 struct flannel_lease *peer, uint8_t route_protocol,
			 struct fl_object objects[FL_PEER_OBJECTS_MAX], struct flannel_error **ret_error);
};

/* by lower-case name; -EINVAL naming the ones there are */
int fl_backend_find(const char *name, const struct fl_backend **ret_backend, struct flannel_error **ret_error);

extern const struct fl_backend fl_backend_host_gw;

#endif
