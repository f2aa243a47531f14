/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/interface.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_addr.h>

#include "domain/underlay.h"

/* a message lists what was tried and what there is; a node with thousands of links must not make it endless */
#define LIST_SIZE 512

/* text that grows until it is full; then it ends in "..." */
struct list {
	char text[LIST_SIZE];
	size_t len;
	bool full;
};

/* one try: the request and facts, what was asked for in words, and the outcome */
struct attempt {
	const struct fl_interface_request *request;
	const struct fl_interface_facts *facts;
	const struct fl_underlay *before; /* addresses in use, which stay if they can; NULL at the start */
	struct list problem;              /* why it failed */
};

/* appends one item with a separator, or "..." if it does not fit */
static void list_add(struct list *list, const char *separator, const char *format, ...) FL_PRINTF(3, 4);

static void list_add(struct list *list, const char *separator, const char *format, ...)
{
	char item[256];
	va_list arguments;
	size_t need;

	if (list->full)
		return;
	va_start(arguments, format);
	(void)vsnprintf(item, sizeof(item), format, arguments);
	va_end(arguments);
	if (list->len == 0)
		separator = "";
	need = strlen(separator) + strlen(item);
	if (list->len + need + sizeof(", ...") > sizeof(list->text)) {
		list->full = true;
		separator = ", ";
		(void)snprintf(item, sizeof(item), "...");
	}
	list->len += (size_t)snprintf(list->text + list->len, sizeof(list->text) - list->len, "%s%s", separator, item);
}

/* writes down why the attempt failed */
static int fail(struct attempt *attempt, const char *format, ...) FL_PRINTF(2, 3);

static int fail(struct attempt *attempt, const char *format, ...)
{
	char text[128];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	attempt->problem = (struct list){.len = 0};
	list_add(&attempt->problem, "", "%s", text);
	return -ENODEV;
}

/* is it 0.0.0.0 or :: */
static bool is_unspecified(const struct flannel_prefix *address)
{
	const uint8_t zero[sizeof(address->addr)] = {0};

	return memcmp(address->addr, zero, sizeof(zero)) == 0;
}

/* 169.254.0.0/16, fe80::/10 */
static bool is_link_local(const struct flannel_prefix *address)
{
	if (address->family == AF_INET)
		return address->addr[0] == 169 && address->addr[1] == 254;
	return address->addr[0] == 0xfe && (address->addr[1] & 0xc0) == 0x80;
}

/* can other nodes send to it: neither unspecified, loopback, multicast nor broadcast */
static bool is_unicast(const struct flannel_prefix *address)
{
	const uint8_t broadcast[4] = {255, 255, 255, 255}, loopback6[16] = {[15] = 1};

	if (is_unspecified(address))
		return false;
	if (address->family == AF_INET)
		return address->addr[0] != 127 && (address->addr[0] & 0xf0) != 224 &&
		       memcmp(address->addr, broadcast, sizeof(broadcast)) != 0;
	return address->addr[0] != 0xff && memcmp(address->addr, loopback6, sizeof(loopback6)) != 0;
}

/* do two prefixes have the same address, whatever their lengths */
static bool same_address(const struct flannel_prefix *a, const struct flannel_prefix *b)
{
	return a->family == b->family && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* less is better: global before link-local, then permanent before not, then not temporary before temporary */
static int rank(const struct fl_interface_address *address)
{
	return (is_link_local(&address->address) ? 4 : 0) + (address->flags & IFA_F_PERMANENT ? 0 : 2) +
	       (address->flags & IFA_F_TEMPORARY ? 1 : 0);
}

/* can an address be used that nobody named */
static bool is_usable(const struct fl_interface_address *address)
{
	return is_unicast(&address->address) && !(address->flags & (IFA_F_DEPRECATED | IFA_F_DADFAILED));
}

/*
 * The best address of a family on a link, the first of equals; NULL if there is none to be used. The one in use (NULL: none is) stays if it
 * can. A link-local one gives way to another, but takes no other's place: that has gone for a moment only, one hopes.
 */
static const struct fl_interface_address *choose_address(const struct fl_interface_facts *facts, uint32_t ifindex,
							 int family, const struct flannel_prefix *in_use)
{
	const struct fl_interface_address *best = NULL, *kept = NULL;

	for (size_t i = 0; i < facts->n_addresses; i++) {
		const struct fl_interface_address *address = &facts->addresses[i];

		if (address->ifindex != ifindex || address->address.family != family || !is_usable(address))
			continue;
		if (!best || rank(address) < rank(best))
			best = address;
		if (in_use && same_address(&address->address, in_use))
			kept = address;
	}
	if (!in_use || !best)
		return best;
	if (kept && (!is_link_local(&kept->address) || is_link_local(&best->address)))
		return kept;
	return is_link_local(&best->address) && !is_link_local(in_use) ? NULL : best;
}

/* by index; NULL if there is none */
static const struct fl_interface_link *find_link(const struct fl_interface_facts *facts, uint32_t ifindex)
{
	for (size_t i = 0; i < facts->n_links; i++)
		if (facts->links[i].ifindex == ifindex)
			return &facts->links[i];
	return NULL;
}

/* by name; NULL if there is none */
static const struct fl_interface_link *find_link_by_name(const struct fl_interface_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->n_links; i++)
		if (strcmp(facts->links[i].name, name) == 0)
			return &facts->links[i];
	return NULL;
}

/* an address on a link, whatever its flags; ifindex 0 means any link, the lowest index first; NULL if there is none */
static const struct fl_interface_address *find_address(const struct fl_interface_facts *facts, uint32_t ifindex,
						       const struct flannel_prefix *wanted)
{
	const struct fl_interface_address *found = NULL;

	for (size_t i = 0; i < facts->n_addresses; i++) {
		const struct fl_interface_address *address = &facts->addresses[i];

		if (!same_address(&address->address, wanted) || (ifindex != 0 && address->ifindex != ifindex))
			continue;
		if (!found || address->ifindex < found->ifindex)
			found = address;
	}
	return found;
}

/* reads an address without a length; -EINVAL */
static int parse_address(const char *text, struct flannel_prefix *ret_address)
{
	return strchr(text, '/') ? -EINVAL : flannel_prefix_parse(text, ret_address);
}

/* sets one family's address of the underlay: the one asked for if it is of this family, else the link's best */
static int set_address(struct attempt *attempt, const struct fl_interface_link *link, int family,
		       const struct flannel_prefix *wanted, struct flannel_prefix *ret_address)
{
	const struct fl_interface_address *address;
	const struct flannel_prefix *in_use = NULL;

	if (attempt->before)
		in_use = family == AF_INET ? &attempt->before->address : &attempt->before->address6;
	if (wanted && wanted->family == family)
		address = find_address(attempt->facts, link->ifindex, wanted);
	else
		address = choose_address(attempt->facts, link->ifindex, family, in_use);
	if (!address)
		return fail(attempt, "%s has no %s address that peers could use", link->name,
			    family == AF_INET ? "IPv4" : "IPv6");
	*ret_address = address->address;
	return 0;
}

/* fills in the underlay from a link and at most one address per family that must be used */
static int use_link(struct attempt *attempt, const struct fl_interface_link *link, const struct flannel_prefix *wanted,
		    const struct flannel_prefix *wanted6, struct fl_underlay *underlay)
{
	int r;

	if (link->mtu == 0)
		return fail(attempt, "%s has MTU 0", link->name);
	*underlay = (struct fl_underlay){.ifindex = link->ifindex, .mtu = link->mtu};
	underlay->up = link->up;
	underlay->carrier = link->carrier;
	memcpy(underlay->name, link->name, sizeof(underlay->name));
	memcpy(underlay->mac, link->mac, sizeof(underlay->mac));
	if (attempt->request->ipv4) {
		r = set_address(attempt, link, AF_INET, wanted, &underlay->address);
		if (r < 0)
			return r;
	}
	return attempt->request->ipv6 ? set_address(attempt, link, AF_INET6, wanted6, &underlay->address6) : 0;
}

/* uses the link that has an address; a family whose address was not named takes the link's best */
static int use_address(struct attempt *attempt, const struct flannel_prefix *address, struct fl_underlay *underlay)
{
	const struct fl_interface_address *found = find_address(attempt->facts, 0, address);
	const struct fl_interface_link *link = found ? find_link(attempt->facts, found->ifindex) : NULL;
	int r;

	if (!link)
		return fail(attempt, "no interface has this address");
	r = use_link(attempt, link, address, address, underlay);
	*(address->family == AF_INET ? &underlay->named : &underlay->named6) = *address;
	return r;
}

/* tries one --iface: a name or an address */
static int try_interface(struct attempt *attempt, const char *text, struct fl_underlay *underlay)
{
	const struct fl_interface_link *link;
	struct flannel_prefix address;

	if (parse_address(text, &address) == 0)
		return use_address(attempt, &address, underlay);
	link = find_link_by_name(attempt->facts, text);
	if (!link)
		return fail(attempt, "no such interface");
	return use_link(attempt, link, NULL, NULL, underlay);
}

/* the name of a link for messages */
static const char *link_name(const struct fl_interface_facts *facts, uint32_t ifindex)
{
	const struct fl_interface_link *link = find_link(facts, ifindex);

	return link ? link->name : "an unknown interface";
}

/* tries the link of the default route, which must be the same for both families */
static int try_default_route(struct attempt *attempt, struct fl_underlay *underlay)
{
	const struct fl_interface_request *request = attempt->request;
	const struct fl_interface_facts *facts = attempt->facts;
	const struct fl_interface_link *link;
	uint32_t ifindex = request->ipv4 ? facts->default_ifindex : facts->default6_ifindex;

	if (request->ipv4 && facts->default_ifindex == 0)
		return fail(attempt, "there is no IPv4 default route, or it has several next hops");
	if (request->ipv6 && facts->default6_ifindex == 0)
		return fail(attempt, "there is no IPv6 default route, or it has several next hops");
	if (request->ipv4 && request->ipv6 && facts->default6_ifindex != ifindex)
		return fail(attempt, "the IPv4 default route is on %s, the IPv6 default route on %s",
			    link_name(facts, ifindex), link_name(facts, facts->default6_ifindex));
	link = find_link(facts, ifindex);
	if (!link)
		return fail(attempt, "the interface of the default route (index %u) is gone", ifindex);
	return use_link(attempt, link, NULL, NULL, underlay);
}

/* lists the interfaces and their addresses */
static void list_interfaces(const struct fl_interface_facts *facts, struct list *list)
{
	char text[FLANNEL_PREFIX_STRLEN];

	for (size_t i = 0; i < facts->n_links && !list->full; i++) {
		list_add(list, ", ", "%s", facts->links[i].name);
		for (size_t k = 0; k < facts->n_addresses; k++)
			if (facts->addresses[k].ifindex == facts->links[i].ifindex)
				list_add(list, " ", "%s",
					 flannel_prefix_format(&facts->addresses[k].address, text, sizeof(text)));
	}
}

/* the error when nothing fits */
static int refuse(const struct fl_interface_facts *facts, const char *tried, struct flannel_error **ret_error)
{
	struct list present = {.len = 0};
	char detail[2 * LIST_SIZE + 32];

	list_interfaces(facts, &present);
	(void)snprintf(detail, sizeof(detail), "%s; there is %s", tried, present.len ? present.text : "no interface");
	return fl_error_set(ret_error, -ENODEV, "node", detail, "choose the interface to the other nodes");
}

/* tries each --iface in turn; the first that can be used wins */
static int select_named(struct attempt *attempt, struct fl_underlay *underlay, struct flannel_error **ret_error)
{
	struct list tried = {.len = 0};

	for (size_t i = 0; i < attempt->request->n_interfaces; i++) {
		const char *text = attempt->request->interfaces[i];

		if (try_interface(attempt, text, underlay) == 0) {
			(void)snprintf(underlay->reason, sizeof(underlay->reason), "--iface %s", text);
			return 0;
		}
		list_add(&tried, "; ", "--iface %.48s: %s", text, attempt->problem.text);
	}
	return refuse(attempt->facts, tried.text, ret_error);
}

/*
 * Without --iface a public address is also the one by which the interface is found: it must be on this node.
 * flannel's behaviour, kept: --public-ip comes first, even where IPv4 is not in use and it cannot be meant.
 */
static int select_public(struct attempt *attempt, const struct flannel_prefix *public_ip,
			 const struct flannel_prefix *public_ip6, struct fl_underlay *underlay,
			 struct flannel_error **ret_error)
{
	const struct fl_interface_request *request = attempt->request;
	bool v4 = public_ip->family != AF_UNSPEC;
	const char *option = v4 ? "--public-ip" : "--public-ipv6";
	const char *text = v4 ? request->public_ip : request->public_ip6;
	const struct flannel_prefix *address = v4 ? public_ip : public_ip6;
	struct list tried = {.len = 0};
	int r;

	if (v4 ? !request->ipv4 : !request->ipv6)
		r = fail(attempt, "%s is not enabled in the network", v4 ? "IPv4" : "IPv6");
	else
		r = use_address(attempt, address, underlay);
	if (r == 0 && v4 && request->ipv6 && public_ip6->family != AF_UNSPEC) {
		const struct fl_interface_address *second = find_address(attempt->facts, underlay->ifindex, public_ip6);

		underlay->named6 = *public_ip6;
		if (second)
			underlay->address6 = second->address;
		else
			r = fail(attempt, "its interface %s does not have --public-ipv6 %s", underlay->name,
				 request->public_ip6);
	}
	if (r == 0) {
		(void)snprintf(underlay->reason, sizeof(underlay->reason), "%s %s", option, text);
		return 0;
	}
	list_add(&tried, "", "%s %s: %s", option, text, attempt->problem.text);
	return refuse(attempt->facts, tried.text, ret_error);
}

/* takes the interface of the default route */
static int select_default(struct attempt *attempt, struct fl_underlay *underlay, struct flannel_error **ret_error)
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
	if (parse_address(text, ret_address) == 0 && ret_address->family == family && !is_unspecified(ret_address))
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
	struct attempt attempt = {.request = request, .facts = facts};
	struct flannel_prefix public_ip, public_ip6;
	struct fl_underlay underlay = {.ifindex = 0};
	int r;

	r = read_public("--public-ip", request->public_ip, AF_INET, &public_ip, ret_error);
	if (r < 0)
		return r;
	r = read_public("--public-ipv6", request->public_ip6, AF_INET6, &public_ip6, ret_error);
	if (r < 0)
		return r;
	if (request->n_interfaces > 0)
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
		return find_link_by_name(facts, before->name);
	address = find_address(facts, 0, named);
	return address ? find_link(facts, address->ifindex) : NULL;
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
	struct attempt attempt = {.request = request, .facts = facts, .before = before};
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
	r = use_link(&attempt, link, &before->named, &before->named6, &underlay);
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
