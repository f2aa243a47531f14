/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_UNDERLAY_INTERFACE_H
#define FL_DOMAIN_UNDERLAY_INTERFACE_H

/*
 * Which interface carries the traffic between nodes, and which of its addresses peers are told. Pure:
 * links, addresses and the default routes' links come in as facts.
 */

#include <stddef.h>

#include "base/error.h"
#include "domain/backend/backend.h"

struct fl_interface_link {
	char name[FLANNEL_IFNAME_SIZE];
	uint32_t ifindex;
	uint32_t mtu;
	uint8_t mac[FL_MAC_LEN];
	bool up;
	bool carrier;
};

struct fl_interface_address {
	uint32_t ifindex;
	struct flannel_prefix address;
	uint32_t
		flags; /* IFA_F_PERMANENT, IFA_F_TEMPORARY, IFA_F_DEPRECATED, IFA_F_TENTATIVE, IFA_F_DADFAILED; see rtnetlink(7) */
	uint8_t scope;
};

struct fl_interface_facts {
	const struct fl_interface_link *links; /* in order of their index */
	size_t n_links;
	const struct fl_interface_address *addresses; /* in the kernel's order */
	size_t n_addresses;
	uint32_t default_ifindex; /* link of the first IPv4 default route of the main table; 0: none, or multipath */
	uint32_t default6_ifindex;
	/* how the kernel would send to .can_reach: by this link, from this address */
	uint32_t reach_ifindex;
	struct flannel_prefix reach_source; /* AF_UNSPEC: it names none */
	const char *reach_problem;          /* why it would not; NULL: it would */
};

struct fl_interface_request {
	const char *const *interfaces; /* names or addresses, --iface; tried in order */
	size_t n_interfaces;
	const char *const *regexes; /* on addresses, else on names, --iface-regex; tried in order after those */
	size_t n_regexes;
	const char *can_reach;  /* NULL or an address, --iface-can-reach; tried last */
	const char *public_ip;  /* NULL or an IPv4 address */
	const char *public_ip6; /* NULL or an IPv6 address */
	bool ipv4;              /* families in use; at least one */
	bool ipv6;
};

/*
 * Interfaces that are named are tried in turn, then the expressions, then the way to .can_reach; if there is any of these and none fits,
 * no other is taken. Else the public address, IPv4 first, finds the interface and must be on it; else the default route does, for both
 * families the same interface. An expression is tried on the addresses of each link in order of the index, best address first; with two
 * families one of each must match on one link. If no address matches, the first usable link whose name does is taken. An address that names the interface is used
 * as that family's; the other family takes the interface's best address: global before link-local, permanent before
 * not, not temporary before temporary, never deprecated.
 *
 * Return: 0, or -EINVAL (a public address is no address), -ENODEV (no such interface, no usable address, MTU 0, or
 * default routes on two interfaces; the message says what was tried and what there is). .reason of the result says why
 * this one: "default route", "--iface eth1", "--iface-regex ^eth", "--public-ip 192.0.2.1".
 */
int fl_interface_select(const struct fl_interface_request *request, const struct fl_interface_facts *facts,
			struct fl_underlay *ret_underlay, struct flannel_error **ret_error);

/*
 * What became of the interface that was chosen. It is the one that has the addresses by which it was chosen (--iface 192.0.2.1,
 * --public-ip without --iface), else the one of that name: a default route that moves elsewhere, or an --iface further to the
 * front that turns up, makes no node move. The address in use stays in use as long as it can be used, whatever others come, so
 * that nothing flaps; a link-local one gives way to one that is not, never the other way round.
 *
 * Return: 0, or -ENODEV (the interface is gone, or has lost its addresses), -ENETDOWN (lost them because it is down): then
 * before is the best that is known. Errors are retryable, and sentences for whoever has to mend it.
 */
int fl_interface_follow(const struct fl_interface_request *request, const struct fl_interface_facts *facts,
			const struct fl_underlay *before, struct fl_underlay *ret_underlay,
			struct flannel_error **ret_error);

#endif
