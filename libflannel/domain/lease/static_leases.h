/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_LEASE_STATIC_LEASES_H
#define FL_DOMAIN_LEASE_STATIC_LEASES_H

/*
 * The text of a static store: the network configuration and who has which subnet, written by people. It is taken as a whole or not at
 * all; a message names line, key, value and expectation. docs/static-store.md describes it.
 */

#include <flannel/lease.h>
#include <flannel/netconf.h>

#include "base/error.h"

struct fl_static_leases {
	struct flannel_netconf *netconf;
	struct flannel_lease **leases; /* reservations, in the order of the text */
	size_t n_leases;
};

/*
 * origin names the text in messages. Backend data that the text leaves out is filled in, see fl_vxlan_derive_mac(). 0, -EINVAL, or
 * -ENOMEM.
 */
int fl_static_leases_parse(const char *text, size_t len, const char *origin, struct fl_static_leases *ret_leases,
			   struct flannel_error **ret_error);

/* the lease of the node with one of the addresses (AF_UNSPEC: none); NULL if there is none */
struct flannel_lease *fl_static_leases_find(const struct fl_static_leases *leases, const struct flannel_prefix *ip,
					    const struct flannel_prefix *ip6);

void fl_static_leases_clear(struct fl_static_leases *leases);

#endif
