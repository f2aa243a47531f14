/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_LEASE_SUBNET_H
#define FL_DOMAIN_LEASE_SUBNET_H

/*
 * Which subnet a node asks for: the one it has, the one it had, or a free one picked at random among the first 100.
 * Pure: randomness comes in as a number.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/lease.h>
#include <flannel/netconf.h>

#include "base/error.h"

#define FL_SUBNET_CANDIDATES 100

/* does a lease fit the network: subnets of the configured length within the range, of just the enabled families */
bool fl_subnet_lease_fits(const struct flannel_netconf *netconf, const struct flannel_lease *lease);

/* is that one of the subnets that the network's nodes may lease */
bool fl_subnet_may_be_leased(const struct flannel_netconf *netconf, const struct flannel_prefix *subnet);

struct fl_subnet_choice {
	struct flannel_prefix subnet; /* AF_UNSPEC if IPv4 is not enabled */
	struct flannel_prefix subnet6;
};

/*
 * previous: subnets held before, each preferred if it fits and no part of it is leased, whatever becomes of the other;
 * may be NULL. leases: all that exist, reservations included; of any length. pick: a random number for each family.
 * Return: 0, or -ENOSPC (the message names the range and how many leases are in it), -ENOMEM. Fast with 50,000 leases:
 * they are sorted once and walked once.
 */
int fl_subnet_choose(const struct flannel_netconf *netconf, const struct fl_subnet_choice *previous,
		     struct flannel_lease *const *leases, size_t n_leases, const uint64_t pick[2],
		     struct fl_subnet_choice *ret_choice, struct flannel_error **ret_error);

#endif
