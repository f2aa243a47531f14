/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/underlay/interface.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/underlay/interface_attempt.h"
#include "domain/underlay/underlay.h"

/* tries one --iface: a name or an address */
static int try_interface(struct fl_attempt *attempt, const char *text, struct fl_underlay *underlay)
{
	const struct fl_interface_link *link;
	struct flannel_prefix address;

	if (fl_attempt_parse_address(text, &address) == 0)
		return fl_attempt_use_address(attempt, &address, underlay);
	link = fl_attempt_find_link_by_name(attempt->facts, text);
	if (!link)
		return fl_attempt_fail(attempt, "no such interface");
	return fl_attempt_use_link(attempt, link, NULL, NULL, underlay);
}

/* the name of a link for messages */
static const char *link_name(const struct fl_interface_facts *facts, uint32_t ifindex)
{
	const struct fl_interface_link *link = fl_attempt_find_link(facts, ifindex);

	return link ? link->name : "an unknown interface";
}

/* tries the link of the default route, which must be the same for both families */
static int try_default_route(struct fl_attempt *attempt, struct fl_underlay *underlay)
{
	const struct fl_interface_request *request = attempt->request;
	const struct fl_interface_facts *facts = attempt->facts;
	const struct fl_interface_link *link;
	uint32_t ifindex = request->ipv4 ? facts->default_ifindex : facts->default6_ifindex;

	if (request->ipv4 && facts->default_ifindex == 0)
		return fl_attempt_fail(attempt, "there is no IPv4 default route, or it has several next hops");
	if (request->ipv6 && facts->default6_ifindex == 0)
		return fl_attempt_fail(attempt, "there is no IPv6 default route, or it has several next hops");
	if (request->ipv4 && request->ipv6 && facts->default6_ifindex != ifindex)
		return fl_attempt_fail(attempt, "the IPv4 default route is on %s, the IPv6 default route on %s",
				       link_name(facts, ifindex), link_name(facts, facts->default6_ifindex));
	link = fl_attempt_find_link(facts, ifindex);
	if (!link)
		return fl_attempt_fail(attempt, "the interface of the default route (index %u) is gone", ifindex);
	return fl_attempt_use_link(attempt, link, NULL, NULL, underlay);
}

/* lists the interfaces and their addresses */
static void list_interfaces(const struct fl_interface_facts *facts, struct fl_attempt_list *list)
{
	char text[FLANNEL_PREFIX_STRLEN];

	for (size_t i = 0; i < facts->n_links && !list->full; i++) {
		fl_attempt_list_add(list, ", ", "%s", facts->links[i].name);
		for (size_t k = 0; k < facts->n_addresses; k++)
			if (facts->addresses[k].ifindex == facts->links[i].ifindex)
				fl_attempt_list_add(
					list, " ", "%s",
					flannel_prefix_format(&facts->addresses[k].address, text, sizeof(text)));
	}
}

/* the error when nothing fits */
static int refuse(const struct fl_interface_facts *facts, const char *tried, struct flannel_error **ret_error)
{
	struct fl_attempt_list present = {.len = 0};
	char detail[2 * FL_ATTEMPT_LIST_SIZE + 32];

	list_interfaces(facts, &present);
	(void)snprintf(detail, sizeof(detail), "%s; there is %s", tried, present.len ? present.text : "no interface");
	return fl_error_set(ret_error, -ENODEV, "node", detail, "choose the interface to the other nodes");
}

/* tries one way to name an interface; on failure it is added to what was tried */
static int try_way(struct fl_attempt *attempt, int (*way)(struct fl_attempt *, const char *, struct fl_underlay *),
		   const char *option, const char *text, struct fl_underlay *underlay, struct fl_attempt_list *tried)
{
	int r = way(attempt, text, underlay);

	if (r == 0)
		(void)snprintf(underlay->reason, sizeof(underlay->reason), "%s %s", option, text);
	else
		fl_attempt_list_add(tried, "; ", "%s %.48s: %s", option, text, attempt->problem.text);
	return r;
}

/* is an interface named in one of the ways that leave the default route aside */
static bool is_named(const struct fl_interface_request *request)
{
	return request->n_interfaces || request->n_regexes || (request->can_reach && *request->can_reach);
}

/* tries each --iface in turn, then each --iface-regex, then --iface-can-reach; the first that can be used wins */
static int select_named(struct fl_attempt *attempt, struct fl_underlay *underlay, struct flannel_error **ret_error)
{
	const struct fl_interface_request *request = attempt->request;
	struct fl_attempt_list tried = {.len = 0};
	int r = -ENODEV;

	for (size_t i = 0; r < 0 && i < request->n_interfaces; i++)
		r = try_way(attempt, try_interface, "--iface", request->interfaces[i], underlay, &tried);
	for (size_t i = 0; r < 0 && i < request->n_regexes; i++)
		r = try_way(attempt, fl_attempt_regex, "--iface-regex", request->regexes[i], underlay, &tried);
	if (r < 0 && request->can_reach && *request->can_reach)
		r = try_way(attempt, fl_attempt_can_reach, "--iface-can-reach", request->can_reach, underlay, &tried);
	return r < 0 ? refuse(attempt->facts, tried.text, ret_error) : 0;
}

/*
 * Without --iface a public address is also the one by which the interface is found: it must be on this node.
 * flannel's behaviour, kept: --public-ip comes first, even where IPv4 is not in use and it cannot be meant.
 */
static int select_public(struct fl_attempt *attempt, const struct flannel_prefix *public_ip,
			 const struct flannel_prefix *public_ip6, struct fl_underlay *underlay,
			 struct flannel_error **ret_error)
{
	const struct fl_interface_request *request = attempt->request;
	bool v4 = public_ip->family != AF_UNSPEC;
	const char *option = v4 ? "--public-ip" : "--public-ipv6";
	const char *text = v4 ? request->public_ip : request->public_ip6;
	const struct flannel_prefix *address = v4 ? public_ip : public_ip6;
	struct fl_attempt_list tried = {.len = 0};
	int r;

	if (v4 ? !request->ipv4 : !request->ipv6)
		r = fl_attempt_fail(attempt, "%s is not enabled in the network", v4 ? "IPv4" : "IPv6");
	else
		r = fl_attempt_use_address(attempt, address, underlay);
	if (r == 0 && v4 && request->ipv6 && public_ip6->family != AF_UNSPEC) {
		const struct fl_interface_address *second =
			fl_attempt_find_address(attempt->facts, underlay->ifindex, public_ip6);

		underlay->named6 = *public_ip6;
		if (second)
			underlay->address6 = second->address;
		else
			r = fl_attempt_fail(attempt, "its interface %s does not have --public-ipv6 %s", underlay->name,
					    request->public_ip6);
	}
	if (r == 0) {
		(void)snprintf(underlay->reason, sizeof(underlay->reason), "%s %s", option, text);
		return 0;
	}
	fl_attempt_list_add(&tried, "", "%s %s: %s", option, text, attempt->problem.text);
	return refuse(attempt->facts, tried.text, ret_error);
}

/* takes the interface of the default route */
static int select_default(struct fl_attempt *attempt, struct fl_underlay *underlay, struct flannel_error **ret_error)
{
	if (try_default_route(attempt, underlay) < 0)
		return refuse(attempt->facts, attempt->problem.text, ret_error);
	(void)snprintf(underlay->reason, sizeof(underlay->reason), "default route");
	return 0;
}

/* reads a public address option; AF_UNSPEC if it is not given */
static int read_public(const char *option, const char *text, int family, struct flannel_prefix *ret_address,
		       struct flannel_error **ret_error)
{
	char detail[128];

	*ret_address = (struct flannel_prefix){.family = AF_UNSPEC};
	if (!text || !*text)
		return 0;
	if (fl_attempt_parse_address(text, ret_address) == 0 && ret_address->family == family &&
	    !fl_attempt_is_unspecified(ret_address))
		return 0;
	(void)snprintf(detail, sizeof(detail), "%s is \"%.60s\", expected an %s address", option, text,
		       family == AF_INET ? "IPv4" : "IPv6");
	return fl_error_set(ret_error, -EINVAL, "argument", detail, "choose the interface to the other nodes");
}

/* what peers are told of one family: the public address if there is one, else the interface's */
static struct flannel_prefix advertise(const struct flannel_prefix *public_ip, const struct flannel_prefix *address)
{
	struct flannel_prefix told = public_ip->family != AF_UNSPEC ? *public_ip : *address;

	told.plen = told.family == AF_INET ? 32 : 128;
	return told;
}

/* what peers are told, of each family in use */
static void set_advertised(const struct fl_interface_request *request, const struct flannel_prefix *public_ip,
			   const struct flannel_prefix *public_ip6, struct fl_underlay *underlay)
{
	if (request->ipv4)
		underlay->public_ip = advertise(public_ip, &underlay->address);
	if (request->ipv6)
		underlay->public_ip6 = advertise(public_ip6, &underlay->address6);
}

int fl_interface_select(const struct fl_interface_request *request, const struct fl_interface_facts *facts,
			struct fl_underlay *ret_underlay, struct flannel_error **ret_error)
{
	struct fl_attempt attempt = {.request = request, .facts = facts};
	struct flannel_prefix public_ip, public_ip6;
	struct fl_underlay underlay = {.ifindex = 0};
	int r;

	r = read_public("--public-ip", request->public_ip, AF_INET, &public_ip, ret_error);
	if (r < 0)
		return r;
	r = read_public("--public-ipv6", request->public_ip6, AF_INET6, &public_ip6, ret_error);
	if (r < 0)
		return r;
	if (is_named(request))
		r = select_named(&attempt, &underlay, ret_error);
	else if (public_ip.family != AF_UNSPEC || public_ip6.family != AF_UNSPEC)
		r = select_public(&attempt, &public_ip, &public_ip6, &underlay, ret_error);
	else
		r = select_default(&attempt, &underlay, ret_error);
	if (r < 0)
		return r;
	set_advertised(request, &public_ip, &public_ip6, &underlay);
	*ret_underlay = underlay;
	return 0;
}

/* the link that the underlay is now: by the addresses that name it, else by name; NULL if there is none */
static const struct fl_interface_link *find_again(const struct fl_interface_facts *facts,
						  const struct fl_underlay *before)
{
	const struct flannel_prefix *named = before->named.family ? &before->named : &before->named6;
	const struct fl_interface_address *address;

	if (!named->family)
		return fl_attempt_find_link_by_name(facts, before->name);
	address = fl_attempt_find_address(facts, 0, named);
	return address ? fl_attempt_find_link(facts, address->ifindex) : NULL;
}

/* why the underlay is not there, as a sentence */
static int lament(const struct fl_underlay *before, const char *problem, struct flannel_error **ret_error)
{
	const struct flannel_prefix *named = before->named.family ? &before->named : &before->named6;
	char text[FLANNEL_PREFIX_STRLEN], detail[640];

	if (problem)
		(void)snprintf(detail, sizeof(detail), "%s; no traffic to other nodes until it has one", problem);
	else if (named->family)
		(void)snprintf(detail, sizeof(detail),
			       "no interface has the address %s any more; no traffic to other nodes until one has",
			       flannel_prefix_format_address(named, text, sizeof(text)));
	else
		(void)snprintf(detail, sizeof(detail),
			       "it is gone (removed or renamed); no traffic to other nodes until it is back");
	return fl_error_set_retryable(ret_error, -ENODEV, "node", detail, "underlay interface %s", before->name);
}

int fl_interface_follow(const struct fl_interface_request *request, const struct fl_interface_facts *facts,
			const struct fl_underlay *before, struct fl_underlay *ret_underlay,
			struct flannel_error **ret_error)
{
	struct fl_attempt attempt = {.request = request, .facts = facts, .before = before};
	const struct fl_interface_link *link = find_again(facts, before);
	struct flannel_prefix public_ip, public_ip6;
	struct fl_underlay underlay = *before;
	int r = read_public("--public-ip", request->public_ip, AF_INET, &public_ip, ret_error);

	if (r >= 0)
		r = read_public("--public-ipv6", request->public_ip6, AF_INET6, &public_ip6, ret_error);
	if (r < 0)
		return r;
	if (!link)
		return lament(before, NULL, ret_error);
	r = fl_attempt_use_link(&attempt, link, &before->named, &before->named6, &underlay);
	/* an interface that is down has lost its IPv6 addresses: that is the trouble, not the addresses */
	underlay.up = link->up;
	if (r < 0)
		return link->up ? lament(before, attempt.problem.text, ret_error)
				: fl_underlay_check(&underlay, ret_error);
	underlay.named = before->named;
	underlay.named6 = before->named6;
	memcpy(underlay.reason, before->reason, sizeof(underlay.reason));
	set_advertised(request, &public_ip, &public_ip6, &underlay);
	*ret_underlay = underlay;
	return 0;
}
