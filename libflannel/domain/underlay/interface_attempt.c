/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/underlay/interface_attempt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_addr.h>

/* appends one item with a separator, or "..." if it does not fit */
void fl_attempt_list_add(struct fl_attempt_list *list, const char *separator, const char *format, ...)
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
int fl_attempt_fail(struct fl_attempt *attempt, const char *format, ...)
{
	char text[128];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	attempt->problem = (struct fl_attempt_list){.len = 0};
	fl_attempt_list_add(&attempt->problem, "", "%s", text);
	return -ENODEV;
}

/* is it 0.0.0.0 or :: */
bool fl_attempt_is_unspecified(const struct flannel_prefix *address)
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

	if (fl_attempt_is_unspecified(address))
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
int fl_attempt_rank(const struct fl_interface_address *address)
{
	return (is_link_local(&address->address) ? 4 : 0) + (address->flags & IFA_F_PERMANENT ? 0 : 2) +
	       (address->flags & IFA_F_TEMPORARY ? 1 : 0);
}

/* can an address be used that nobody named */
bool fl_attempt_is_usable(const struct fl_interface_address *address)
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

		if (address->ifindex != ifindex || address->address.family != family || !fl_attempt_is_usable(address))
			continue;
		if (!best || fl_attempt_rank(address) < fl_attempt_rank(best))
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
const struct fl_interface_link *fl_attempt_find_link(const struct fl_interface_facts *facts, uint32_t ifindex)
{
	for (size_t i = 0; i < facts->n_links; i++)
		if (facts->links[i].ifindex == ifindex)
			return &facts->links[i];
	return NULL;
}

/* by name; NULL if there is none */
const struct fl_interface_link *fl_attempt_find_link_by_name(const struct fl_interface_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->n_links; i++)
		if (strcmp(facts->links[i].name, name) == 0)
			return &facts->links[i];
	return NULL;
}

/* an address on a link, whatever its flags; ifindex 0 means any link, the lowest index first; NULL if there is none */
const struct fl_interface_address *fl_attempt_find_address(const struct fl_interface_facts *facts, uint32_t ifindex,
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
int fl_attempt_parse_address(const char *text, struct flannel_prefix *ret_address)
{
	return strchr(text, '/') ? -EINVAL : flannel_prefix_parse(text, ret_address);
}

/* sets one family's address of the underlay: the one asked for if it is of this family, else the link's best */
static int set_address(struct fl_attempt *attempt, const struct fl_interface_link *link, int family,
		       const struct flannel_prefix *wanted, struct flannel_prefix *ret_address)
{
	const struct fl_interface_address *address;
	const struct flannel_prefix *in_use = NULL;

	if (attempt->before)
		in_use = family == AF_INET ? &attempt->before->address : &attempt->before->address6;
	if (wanted && wanted->family == family)
		address = fl_attempt_find_address(attempt->facts, link->ifindex, wanted);
	else
		address = choose_address(attempt->facts, link->ifindex, family, in_use);
	if (!address)
		return fl_attempt_fail(attempt, "%s has no %s address that peers could use", link->name,
				       family == AF_INET ? "IPv4" : "IPv6");
	*ret_address = address->address;
	return 0;
}

/* fills in the underlay from a link and at most one address per family that must be used */
int fl_attempt_use_link(struct fl_attempt *attempt, const struct fl_interface_link *link,
			const struct flannel_prefix *wanted, const struct flannel_prefix *wanted6,
			struct fl_underlay *underlay)
{
	int r;

	if (link->mtu == 0)
		return fl_attempt_fail(attempt, "%s has MTU 0", link->name);
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
int fl_attempt_use_address(struct fl_attempt *attempt, const struct flannel_prefix *address,
			   struct fl_underlay *underlay)
{
	const struct fl_interface_address *found = fl_attempt_find_address(attempt->facts, 0, address);
	const struct fl_interface_link *link = found ? fl_attempt_find_link(attempt->facts, found->ifindex) : NULL;
	int r;

	if (!link)
		return fl_attempt_fail(attempt, "no interface has this address");
	r = fl_attempt_use_link(attempt, link, address, address, underlay);
	*(address->family == AF_INET ? &underlay->named : &underlay->named6) = *address;
	return r;
}
