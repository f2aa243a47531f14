/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/ipam/range.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define AREA "address"

/* address length of a family, bits */
static unsigned int family_bits(uint16_t family)
{
	return family == AF_INET ? 32 : 128;
}

/* compares addresses of one family, as memcmp(3); lengths do not count */
static int compare(const struct flannel_prefix *a, const struct flannel_prefix *b)
{
	return memcmp(a->addr, b->addr, family_bits(a->family) / 8);
}

bool fl_range_same_address(const struct flannel_prefix *a, const struct flannel_prefix *b)
{
	return a->family == b->family && (a->family == AF_UNSPEC || compare(a, b) == 0);
}

/* the address after this one; that of the highest address is never asked for */
static void increment(struct flannel_prefix *address)
{
	for (unsigned int i = family_bits(address->family) / 8; i-- > 0;) {
		if (++address->addr[i] != 0)
			return;
	}
}

/* the highest address of a network: all host bits one */
static struct flannel_prefix highest(struct flannel_prefix network)
{
	unsigned int bits = family_bits(network.family);

	for (unsigned int bit = network.plen; bit < bits; bit++)
		network.addr[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	return network;
}

/* the last address that a range gives out by itself: IPv4's broadcast address is left out */
static struct flannel_prefix default_end(const struct flannel_prefix *subnet)
{
	struct flannel_prefix end = highest(*subnet);

	if (end.family == AF_INET)
		end.addr[3] &= 0xfe;
	return end;
}

/* does the range give this address out */
static bool range_has(const struct flannel_address_range *range, const struct flannel_prefix *address)
{
	return address->family == range->subnet.family && compare(address, &range->start) >= 0 &&
	       compare(address, &range->end) <= 0;
}

/* do two checked ranges share an address that they give out */
static bool ranges_overlap(const struct flannel_address_range *a, const struct flannel_address_range *b)
{
	return a->subnet.family == b->subnet.family && compare(&a->start, &b->end) <= 0 &&
	       compare(&b->start, &a->end) <= 0;
}

/* one text of two addresses or prefixes for a message */
struct text {
	char buf[2 * FLANNEL_PREFIX_STRLEN + 100];
};

/* fails the check of a set with a formatted reason */
static int fail(struct flannel_error **ret_error, uint32_t set, const char *format, const char *a, const char *b)
	__attribute__((format(printf, 3, 0)));
static int fail(struct flannel_error **ret_error, uint32_t set, const char *format, const char *a, const char *b)
{
	struct text text;

	(void)snprintf(text.buf, sizeof(text.buf), format, a, b);
	return fl_error_set(ret_error, -EINVAL, AREA, text.buf, "check range set %u", set);
}

/* the subnet's own rules */
static int check_subnet(const struct flannel_address_range *range, struct flannel_error **ret_error)
{
	char given[FLANNEL_PREFIX_STRLEN];
	char right[FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix masked;

	if (range->subnet.family != AF_INET && range->subnet.family != AF_INET6)
		return fail(ret_error, range->set, "subnet is missing%s%s", "", "");
	(void)flannel_prefix_format(&range->subnet, given, sizeof(given));
	if (!flannel_prefix_is_network(&range->subnet)) {
		masked = flannel_prefix_mask(range->subnet);
		return fail(ret_error, range->set, "subnet %s has host bits set; the network is %s", given,
			    flannel_prefix_format(&masked, right, sizeof(right)));
	}
	if (range->subnet.plen > family_bits(range->subnet.family) - 2)
		return fail(ret_error, range->set, "subnet %s is too small to allocate from; at most /%s", given,
			    range->subnet.family == AF_INET ? "30" : "126");
	return 0;
}

/* start, end or gateway: of the subnet's family, and inside the subnet where that is demanded */
static int check_member(const struct flannel_address_range *range, const struct flannel_prefix *address, bool inside,
			const char *format, struct flannel_error **ret_error)
{
	char given[FLANNEL_PREFIX_STRLEN];
	char subnet[FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix host = *address;

	if (address->family == AF_UNSPEC)
		return 0;
	host.plen = (uint8_t)family_bits(range->subnet.family);
	if (host.family == range->subnet.family && (!inside || flannel_prefix_contains(&range->subnet, &host)))
		return 0;
	return fail(ret_error, range->set, format, flannel_prefix_format_address(address, given, sizeof(given)),
		    flannel_prefix_format(&range->subnet, subnet, sizeof(subnet)));
}

/* sets what is not given, and gives addresses the lengths that they are handed out with */
static void fill_defaults(struct flannel_address_range *range)
{
	struct flannel_prefix second = range->subnet;

	increment(&second);
	if (range->gateway.family == AF_UNSPEC)
		range->gateway = second;
	if (range->start.family == AF_UNSPEC)
		range->start = second;
	if (range->end.family == AF_UNSPEC)
		range->end = default_end(&range->subnet);
	range->start.plen = range->subnet.plen;
	range->end.plen = range->subnet.plen;
	range->gateway.plen = (uint8_t)family_bits(range->subnet.family);
}

/* the rules for one range by itself */
static int check_range(struct flannel_address_range *range, struct flannel_error **ret_error)
{
	char start[FLANNEL_PREFIX_STRLEN];
	char end[FLANNEL_PREFIX_STRLEN];
	int r;

	if (range->size != sizeof(*range))
		return fl_error_set(ret_error, range->size < sizeof(*range) ? -EINVAL : -E2BIG, "argument", NULL,
				    "check range: size of struct flannel_address_range");
	r = check_subnet(range, ret_error);
	if (r == 0)
		r = check_member(range, &range->start, true, "start %s is not in subnet %s", ret_error);
	if (r == 0)
		r = check_member(range, &range->end, true, "end %s is not in subnet %s", ret_error);
	if (r == 0)
		r = check_member(range, &range->gateway, false, "gateway %s is of another family than subnet %s",
				 ret_error);
	if (r < 0)
		return r;

	fill_defaults(range);
	if (compare(&range->start, &range->end) > 0)
		return fail(ret_error, range->set, "start %s is after end %s",
			    flannel_prefix_format_address(&range->start, start, sizeof(start)),
			    flannel_prefix_format_address(&range->end, end, sizeof(end)));
	return 0;
}

/* the rules between two checked ranges; b comes after a */
static int check_pair(const struct flannel_address_range *a, const struct flannel_address_range *b,
		      struct flannel_error **ret_error)
{
	char first[FLANNEL_PREFIX_STRLEN];
	char second[FLANNEL_PREFIX_STRLEN];
	char set[12];

	(void)flannel_prefix_format(&a->subnet, first, sizeof(first));
	(void)flannel_prefix_format(&b->subnet, second, sizeof(second));
	if (a->set == b->set && a->subnet.family != b->subnet.family)
		return fail(ret_error, a->set, "subnets %s and %s are of different families", first, second);
	if (!ranges_overlap(a, b))
		return 0;
	if (a->set == b->set)
		return fail(ret_error, a->set, "the ranges of %s and %s overlap", first, second);
	(void)snprintf(set, sizeof(set), "%u", b->set);
	return fail(ret_error, a->set, "%s overlaps with range set %s", first, set);
}

int flannel_address_ranges_check(struct flannel_address_range *ranges, size_t n_ranges,
				 struct flannel_error **ret_error)
{
	int r;

	if (!ranges || n_ranges == 0)
		return fl_error_set(ret_error, -EINVAL, AREA, "there is no range", "check ranges");
	for (size_t i = 0; i < n_ranges; i++) {
		uint32_t before = i > 0 ? ranges[i - 1].set : 0;

		if (ranges[i].set != before && (i == 0 || ranges[i].set != before + 1))
			return fl_error_set(ret_error, -EINVAL, "argument", "sets are numbered from 0 without gaps",
					    "check ranges: set %u", ranges[i].set);
		r = check_range(&ranges[i], ret_error);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n_ranges; i++) {
		for (size_t j = i + 1; j < n_ranges; j++) {
			r = check_pair(&ranges[i], &ranges[j], ret_error);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

size_t fl_range_count_sets(const struct flannel_address_range *ranges, size_t n_ranges)
{
	return n_ranges > 0 ? (size_t)ranges[n_ranges - 1].set + 1 : 0;
}

int fl_range_find(const struct flannel_address_range *ranges, size_t n_ranges, uint32_t set,
		  const struct flannel_prefix *address)
{
	for (size_t i = 0; i < n_ranges; i++) {
		if (ranges[i].set == set && range_has(&ranges[i], address))
			return (int)i;
	}
	return -1;
}

const char *fl_range_describe(const struct flannel_address_range *ranges, size_t n_ranges, uint32_t set, char *buf,
			      size_t size)
{
	char start[FLANNEL_PREFIX_STRLEN];
	char end[FLANNEL_PREFIX_STRLEN];
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n_ranges && len < size; i++) {
		if (ranges[i].set != set)
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%s%s-%s", len > 0 ? ", " : "",
					flannel_prefix_format_address(&ranges[i].start, start, sizeof(start)),
					flannel_prefix_format_address(&ranges[i].end, end, sizeof(end)));
	}
	return buf;
}

void fl_range_walk_init(struct fl_range_walk *walk, const struct flannel_address_range *ranges, size_t n_ranges,
			uint32_t set, const struct flannel_prefix *last)
{
	size_t begin = 0;
	size_t end;
	int found;

	while (begin < n_ranges && ranges[begin].set != set)
		begin++;
	end = begin;
	while (end < n_ranges && ranges[end].set == set)
		end++;

	memset(walk, 0, sizeof(*walk));
	walk->ranges = ranges + begin;
	walk->n_ranges = end - begin;
	found = fl_range_find(walk->ranges, walk->n_ranges, set, last);
	if (found >= 0) {
		walk->at = (size_t)found;
		walk->current = *last;
	}
}

/* goes on to the next address of the set, gateway or not */
static void step(struct fl_range_walk *walk)
{
	if (walk->current.family == AF_UNSPEC) {
		walk->current = walk->ranges[0].start;
	} else if (compare(&walk->current, &walk->ranges[walk->at].end) == 0) {
		walk->at = (walk->at + 1) % walk->n_ranges;
		walk->current = walk->ranges[walk->at].start;
	} else {
		increment(&walk->current);
	}
}

int fl_range_walk_next(struct fl_range_walk *walk, struct flannel_prefix *ret_address,
		       struct flannel_prefix *ret_gateway)
{
	const struct flannel_address_range *range;

	if (walk->n_ranges == 0)
		return 0;
	do {
		step(walk);
		if (walk->first.family == AF_UNSPEC)
			walk->first = walk->current;
		else if (fl_range_same_address(&walk->current, &walk->first))
			return 0;
		range = &walk->ranges[walk->at];
	} while (fl_range_same_address(&walk->current, &range->gateway));

	*ret_address = walk->current;
	ret_address->plen = range->subnet.plen;
	*ret_gateway = range->gateway;
	return 1;
}

/* how many steps from a to b, which does not come before it; at most max */
static uint32_t distance(const struct flannel_prefix *a, const struct flannel_prefix *b, uint32_t max)
{
	uint64_t steps = 0;

	for (unsigned int i = 0; i < family_bits(a->family) / 8; i++) {
		/* never negative, as b's leading bytes do not come before a's either */
		steps = (steps << 8) + b->addr[i] - a->addr[i];
		if (steps > UINT64_C(1) << 40)
			return max;
	}
	return steps < max ? (uint32_t)steps : max;
}

/* the address n further on */
static void add(struct flannel_prefix *address, uint32_t n)
{
	unsigned int n_bytes = family_bits(address->family) / 8;
	uint64_t carry = n;

	for (unsigned int i = 0; i < n_bytes && carry > 0; i++) {
		uint8_t *byte = &address->addr[n_bytes - 1 - i];

		carry += *byte;
		*byte = (uint8_t)carry;
		carry >>= 8;
	}
}

void fl_range_walk_skip(struct fl_range_walk *walk, uint32_t n)
{
	const struct flannel_address_range *range = &walk->ranges[walk->at];

	if (walk->current.family == AF_UNSPEC)
		return;
	n = distance(&walk->current, &range->end, n);
	/* not past the place where the walk ends */
	if (range_has(range, &walk->first) && compare(&walk->first, &walk->current) > 0)
		n = distance(&walk->current, &walk->first, n + 1) - 1;
	add(&walk->current, n);
}
