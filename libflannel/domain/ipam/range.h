/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_IPAM_RANGE_H
#define FL_DOMAIN_IPAM_RANGE_H

/*
 * The rules of host-local's address ranges: which addresses a set offers, in which order. It yields candidates; the address
 * pool tries to create them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/address.h>

#include "base/error.h"

/* do two prefixes hold the same address, whatever their lengths */
bool fl_range_same_address(const struct flannel_prefix *a, const struct flannel_prefix *b);

/* how many sets; the ranges were checked */
size_t fl_range_count_sets(const struct flannel_address_range *ranges, size_t n_ranges);

/* is the address one that the set may give out (start <= a <= end, right family); the index of its range, or -1 */
int fl_range_find(const struct flannel_address_range *ranges, size_t n_ranges, uint32_t set,
		  const struct flannel_prefix *address);

/* "10.1.2.4-10.1.2.7, 10.1.3.1-10.1.3.9": what a set spans, for messages; cut short where buf ends. Returns buf. */
const char *fl_range_describe(const struct flannel_address_range *ranges, size_t n_ranges, uint32_t set, char *buf,
			      size_t size);

/* walks a set once around, from the address after the last one given out */
struct fl_range_walk {
	const struct flannel_address_range *ranges; /* of this set */
	size_t n_ranges;
	size_t at;
	struct flannel_prefix current; /* AF_UNSPEC before the first step, unless there is a last address */
	struct flannel_prefix first;   /* coming here again ends the walk */
};

/* last: AF_UNSPEC, or outside of the set, starts at the first range's start */
void fl_range_walk_init(struct fl_range_walk *walk, const struct flannel_address_range *ranges, size_t n_ranges,
			uint32_t set, const struct flannel_prefix *last);

/* the next candidate, never a gateway: 1, or 0 when the set is exhausted. The address has its subnet's length, the gateway
 * that of an address. */
int fl_range_walk_next(struct fl_range_walk *walk, struct flannel_prefix *ret_address,
		       struct flannel_prefix *ret_gateway);

/* Goes on by up to n addresses, all of which are known to be taken: the next candidate comes after them. */
void fl_range_walk_skip(struct fl_range_walk *walk, uint32_t n);

#endif
