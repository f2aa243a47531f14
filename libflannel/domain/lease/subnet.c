/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/lease/subnet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* what is taken in one family: disjoint, in order */
struct taken {
	struct flannel_prefix *subnets;
	size_t n;
};

/* the subnets that may be leased in one family */
struct range {
	struct flannel_prefix first;
	struct flannel_prefix last;
};

/* is it a subnet of the range: same family and length, aligned, between first and last */
static bool range_has(const struct range *range, const struct flannel_prefix *subnet)
{
	return subnet->family == range->first.family && subnet->plen == range->first.plen &&
	       flannel_prefix_is_network(subnet) && flannel_prefix_compare(subnet, &range->first) >= 0 &&
	       flannel_prefix_compare(subnet, &range->last) <= 0;
}

/* does the lease's subnet of one family fit, or is it rightly absent */
static bool family_fits(const struct flannel_netconf *netconf, const struct flannel_lease *lease, int family)
{
	bool enabled, present;
	struct flannel_prefix subnet;
	struct range range;

	enabled = flannel_netconf_get_subnet_range(netconf, family, &range.first, &range.last) == 1;
	present = flannel_lease_get_subnet(lease, family, &subnet) == 1;
	if (!enabled || !present)
		return enabled == present;
	return range_has(&range, &subnet);
}

bool fl_subnet_may_be_leased(const struct flannel_netconf *netconf, const struct flannel_prefix *subnet)
{
	struct range range;

	return flannel_netconf_get_subnet_range(netconf, subnet->family, &range.first, &range.last) == 1 &&
	       range_has(&range, subnet);
}

bool fl_subnet_lease_fits(const struct flannel_netconf *netconf, const struct flannel_lease *lease)
{
	return netconf && lease && family_fits(netconf, lease, AF_INET) && family_fits(netconf, lease, AF_INET6);
}

/* flannel_prefix_compare() for qsort(3) */
static int compare(const void *a, const void *b)
{
	return flannel_prefix_compare(a, b);
}

/*
 * Collects the leases' subnets of a family in order, without those that lie in another one. Prefixes are either disjoint
 * or one lies in the other, and the order puts the outer one first, so one look back finds the inner ones.
 */
static int collect_taken(struct flannel_lease *const *leases, size_t n_leases, int family, struct taken *ret_taken)
{
	struct flannel_prefix *subnets = calloc(n_leases ? n_leases : 1, sizeof(*subnets));
	size_t n = 0, n_disjoint = 0;

	if (!subnets)
		return -ENOMEM;
	for (size_t i = 0; i < n_leases; i++)
		if (flannel_lease_get_subnet(leases[i], family, &subnets[n]) == 1)
			n++;
	qsort(subnets, n, sizeof(*subnets), compare);
	for (size_t i = 0; i < n; i++)
		if (n_disjoint == 0 || !flannel_prefix_contains(&subnets[n_disjoint - 1], &subnets[i]))
			subnets[n_disjoint++] = subnets[i];
	*ret_taken = (struct taken){.subnets = subnets, .n = n_disjoint};
	return 0;
}

/* is no part of the subnet taken */
static bool is_free(const struct taken *taken, const struct flannel_prefix *subnet)
{
	for (size_t i = 0; i < taken->n; i++)
		if (flannel_prefix_overlaps(&taken->subnets[i], subnet))
			return false;
	return true;
}

/* the first subnet of the same length behind another prefix of any length that overlaps it; false at the end */
static bool step_over(struct flannel_prefix *subnet, const struct flannel_prefix *obstacle)
{
	uint8_t plen = subnet->plen;

	if (obstacle->plen >= plen)
		return flannel_prefix_next(subnet, 1, subnet) == 0;
	/* jump over the whole obstacle: one step of its size */
	if (flannel_prefix_next(obstacle, 1, subnet) < 0)
		return false;
	subnet->plen = plen;
	return true;
}

/* finds free subnets from the range's start on, at most FL_SUBNET_CANDIDATES; both lists are walked just once */
static size_t find_candidates(const struct range *range, const struct taken *taken,
			      struct flannel_prefix candidates[FL_SUBNET_CANDIDATES])
{
	struct flannel_prefix subnet = range->first;
	size_t n = 0, i = 0;
	bool more = true;

	while (more && n < FL_SUBNET_CANDIDATES && flannel_prefix_compare(&subnet, &range->last) <= 0) {
		while (i < taken->n && flannel_prefix_compare(&taken->subnets[i], &subnet) < 0 &&
		       !flannel_prefix_overlaps(&taken->subnets[i], &subnet))
			i++;
		if (i < taken->n && flannel_prefix_overlaps(&taken->subnets[i], &subnet)) {
			more = step_over(&subnet, &taken->subnets[i]);
		} else {
			candidates[n++] = subnet;
			more = flannel_prefix_next(&subnet, 1, &subnet) == 0;
		}
	}
	return n;
}

/* how many of the taken subnets have a part in the range */
static size_t count_in_range(const struct range *range, const struct taken *taken)
{
	size_t n = 0;

	for (size_t i = 0; i < taken->n; i++) {
		const struct flannel_prefix *subnet = &taken->subnets[i];
		bool ends_before = flannel_prefix_compare(subnet, &range->first) < 0 &&
				   !flannel_prefix_overlaps(subnet, &range->first);
		bool begins_behind = flannel_prefix_compare(subnet, &range->last) > 0 &&
				     !flannel_prefix_overlaps(subnet, &range->last);

		n += !ends_before && !begins_behind;
	}
	return n;
}

/* the error for a range without a free subnet */
static int refuse_full(const struct range *range, const struct taken *taken, struct flannel_error **ret_error)
{
	char first[FLANNEL_PREFIX_STRLEN], last[FLANNEL_PREFIX_STRLEN];

	return fl_error_set(ret_error, -ENOSPC, "node", "no subnet is free",
			    "choose a subnet from %s to %s, of which %zu leases are in use",
			    flannel_prefix_format(&range->first, first, sizeof(first)),
			    flannel_prefix_format(&range->last, last, sizeof(last)), count_in_range(range, taken));
}

/* chooses the subnet of one family; AF_UNSPEC if it is not enabled */
static int choose_family(const struct flannel_netconf *netconf, int family, const struct flannel_prefix *previous,
			 struct flannel_lease *const *leases, size_t n_leases, uint64_t pick,
			 struct flannel_prefix *ret_subnet, struct flannel_error **ret_error)
{
	struct flannel_prefix candidates[FL_SUBNET_CANDIDATES];
	struct taken taken = {0};
	struct range range;
	size_t n;
	int r = 0;

	*ret_subnet = (struct flannel_prefix){0};
	if (flannel_netconf_get_subnet_range(netconf, family, &range.first, &range.last) != 1)
		return 0;
	if (collect_taken(leases, n_leases, family, &taken) < 0)
		return fl_error_oom(ret_error);
	if (previous && range_has(&range, previous) && is_free(&taken, previous)) {
		*ret_subnet = *previous;
	} else {
		n = find_candidates(&range, &taken, candidates);
		if (n > 0)
			*ret_subnet = candidates[pick % n];
		else
			r = refuse_full(&range, &taken, ret_error);
	}
	free(taken.subnets);
	return r;
}

int fl_subnet_choose(const struct flannel_netconf *netconf, const struct fl_subnet_choice *previous,
		     struct flannel_lease *const *leases, size_t n_leases, const uint64_t pick[2],
		     struct fl_subnet_choice *ret_choice, struct flannel_error **ret_error)
{
	struct fl_subnet_choice choice;
	int r;

	r = choose_family(netconf, AF_INET, previous ? &previous->subnet : NULL, leases, n_leases, pick[0],
			  &choice.subnet, ret_error);
	if (r < 0)
		return r;
	r = choose_family(netconf, AF_INET6, previous ? &previous->subnet6 : NULL, leases, n_leases, pick[1],
			  &choice.subnet6, ret_error);
	if (r < 0)
		return r;
	*ret_choice = choice;
	return 0;
}
