/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/underlay/interface_attempt.h"
#include "domain/underlay/pattern.h"

/* the best address of a family on a link whose text matches; NULL if none does */
static const struct flannel_prefix *match_address(const struct fl_interface_facts *facts, uint32_t ifindex, int family,
						  const struct fl_pattern *pattern)
{
	const struct fl_interface_address *best = NULL;
	char text[FLANNEL_PREFIX_STRLEN];

	for (size_t i = 0; i < facts->n_addresses; i++) {
		const struct fl_interface_address *address = &facts->addresses[i];

		if (address->ifindex != ifindex || address->address.family != family || !fl_attempt_is_usable(address))
			continue;
		if (best && fl_attempt_rank(address) >= fl_attempt_rank(best))
			continue;
		if (fl_pattern_matches(pattern, flannel_prefix_format_address(&address->address, text, sizeof(text))))
			best = address;
	}
	return best ? &best->address : NULL;
}

/* tries a link by its addresses: of each family in use one must match, all on this link */
static int try_addresses(struct fl_attempt *attempt, const struct fl_interface_link *link,
			 const struct fl_pattern *pattern, struct fl_underlay *underlay)
{
	const struct fl_interface_request *request = attempt->request;
	const struct flannel_prefix *wanted = NULL, *wanted6 = NULL;

	if (request->ipv4)
		wanted = match_address(attempt->facts, link->ifindex, AF_INET, pattern);
	if (request->ipv6)
		wanted6 = match_address(attempt->facts, link->ifindex, AF_INET6, pattern);
	if ((request->ipv4 && !wanted) || (request->ipv6 && !wanted6))
		return -ENODEV;
	return fl_attempt_use_link(attempt, link, wanted, wanted6, underlay);
}

/* tries all links, by their addresses first; the reason of the last that matched and could not be used is kept */
static int try_links(struct fl_attempt *attempt, const struct fl_pattern *pattern, struct fl_underlay *underlay)
{
	const struct fl_interface_facts *facts = attempt->facts;

	for (size_t i = 0; i < facts->n_links; i++)
		if (try_addresses(attempt, &facts->links[i], pattern, underlay) == 0)
			return 0;
	for (size_t i = 0; i < facts->n_links; i++)
		if (fl_pattern_matches(pattern, facts->links[i].name) &&
		    fl_attempt_use_link(attempt, &facts->links[i], NULL, NULL, underlay) == 0)
			return 0;
	return -ENODEV;
}

int fl_attempt_regex(struct fl_attempt *attempt, const char *text, struct fl_underlay *underlay)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_pattern pattern;
	int r = fl_pattern_compile(text, &pattern, &error);

	if (r < 0)
		return fl_attempt_fail(attempt, "%s", flannel_error_get_detail(error));
	(void)fl_attempt_fail(attempt, "no address and no name matches");
	r = try_links(attempt, &pattern, underlay);
	fl_pattern_clear(&pattern);
	return r;
}

int fl_attempt_can_reach(struct fl_attempt *attempt, const char *address, struct fl_underlay *underlay)
{
	const struct fl_interface_facts *facts = attempt->facts;
	const struct fl_interface_link *link = fl_attempt_find_link(facts, facts->reach_ifindex);
	const struct flannel_prefix *source = &facts->reach_source;

	(void)address; /* the facts are about it */
	if (facts->reach_problem)
		return fl_attempt_fail(attempt, "%s", facts->reach_problem);
	if (!link)
		return fl_attempt_fail(attempt, "the interface of the route to it (index %u) is gone",
				       facts->reach_ifindex);
	/* a source that another link has, a loopback address for example, does not make the interface another one */
	if (!source->family || !fl_attempt_find_address(facts, link->ifindex, source))
		source = NULL;
	return fl_attempt_use_link(attempt, link, source, source, underlay);
}
