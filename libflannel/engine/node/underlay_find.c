/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/underlay_find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if.h>

#include "sys/rtnl/address.h"
#include "sys/rtnl/link.h"
#include "sys/rtnl/route.h"

/* a link as the decision wants it */
static struct fl_interface_link link_of(const struct fl_link_info *info)
{
	struct fl_interface_link link = {.ifindex = info->ifindex, .mtu = info->mtu};

	memcpy(link.name, info->name, sizeof(link.name));
	memcpy(link.mac, info->mac, sizeof(link.mac));
	link.up = (info->flags & IFF_UP) != 0;
	link.carrier = (info->flags & IFF_LOWER_UP) != 0;
	return link;
}

/* the links as the decision wants them; *ret_links is malloc()ed */
static int list_links(struct fl_rtnl *rtnl, struct fl_interface_link **ret_links, size_t *ret_n,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_link_info *infos = NULL;
	struct fl_interface_link *links;
	size_t n;
	int r = fl_link_list(rtnl, &infos, &n, ret_error);

	if (r < 0)
		return r;
	links = calloc(n + 1, sizeof(*links));
	if (!links)
		return fl_error_oom(ret_error);
	for (size_t i = 0; i < n; i++)
		links[i] = link_of(&infos[i]);
	*ret_links = links;
	*ret_n = n;
	return 0;
}

/* link of the first default route of a family; 0 if there is none, or it has several next hops */
static int find_default(struct fl_rtnl *rtnl, int family, const struct fl_interface_link *links, size_t n_links,
			uint32_t *ret_ifindex, struct flannel_error **ret_error)
{
	struct fl_route_filter filter = {.family = family, .dst = {.family = (uint16_t)family}};
	FL_CLEANUP(fl_freep) struct fl_route *routes = NULL;
	size_t n = 0;
	int r = fl_route_list(rtnl, &filter, &routes, &n, ret_error);

	*ret_ifindex = 0;
	if (r < 0)
		return r;
	if (n == 0 || routes[0].multipath)
		return 0;
	for (size_t i = 0; i < n_links; i++) {
		if (strcmp(links[i].name, routes[0].link) == 0)
			*ret_ifindex = links[i].ifindex;
	}
	return 0;
}

/* how the kernel would send to the address that the interface must lead to; problem: text that stays with the caller */
static int find_reach(struct fl_rtnl *rtnl, const char *text, struct fl_interface_facts *facts,
		      struct flannel_error **ret_problem)
{
	struct flannel_prefix address;
	struct fl_route_lookup lookup = {0};
	int r = flannel_prefix_parse(text, &address);

	if (r >= 0)
		r = fl_route_get(rtnl, &address, &lookup, ret_problem);
	if (r < 0)
		facts->reach_problem = *ret_problem ? flannel_error_get_message(*ret_problem) : "it is no address";
	facts->reach_ifindex = lookup.ifindex;
	facts->reach_source = lookup.source;
	return r == -ENOMEM ? r : 0;
}

int fl_underlay_find(struct fl_rtnl *rtnl, const struct fl_interface_request *request, struct fl_underlay *ret_underlay,
		     struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_interface_link *links = NULL;
	FL_CLEANUP(fl_freep) struct fl_interface_address *addresses = NULL;
	FL_CLEANUP_ERROR struct flannel_error *problem = NULL;
	struct fl_interface_facts facts = {0};
	int r = list_links(rtnl, &links, &facts.n_links, ret_error);

	if (r >= 0)
		r = fl_address_list(rtnl, 0, AF_UNSPEC, &addresses, &facts.n_addresses, ret_error);
	if (r >= 0 && request->can_reach && find_reach(rtnl, request->can_reach, &facts, &problem) < 0)
		r = fl_error_oom(ret_error);
	if (r >= 0 && request->ipv4)
		r = find_default(rtnl, AF_INET, links, facts.n_links, &facts.default_ifindex, ret_error);
	if (r >= 0 && request->ipv6)
		r = find_default(rtnl, AF_INET6, links, facts.n_links, &facts.default6_ifindex, ret_error);
	if (r < 0)
		return r;
	facts.links = links;
	facts.addresses = addresses;
	return fl_interface_select(request, &facts, ret_underlay, ret_error);
}

/* follows an interface that addresses name: it may be any */
static int find_by_address(struct fl_rtnl *rtnl, const struct fl_interface_request *request,
			   const struct fl_underlay *before, struct fl_underlay *ret_underlay,
			   struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_interface_link *links = NULL;
	FL_CLEANUP(fl_freep) struct fl_interface_address *addresses = NULL;
	struct fl_interface_facts facts = {0};
	int r = list_links(rtnl, &links, &facts.n_links, ret_error);

	if (r >= 0)
		r = fl_address_list(rtnl, 0, AF_UNSPEC, &addresses, &facts.n_addresses, ret_error);
	if (r < 0)
		return r;
	facts.links = links;
	facts.addresses = addresses;
	return fl_interface_follow(request, &facts, before, ret_underlay, ret_error);
}

/* follows an interface that is known by its name; info: NULL if it is not there */
static int find_by_name(struct fl_rtnl *rtnl, const struct fl_interface_request *request,
			const struct fl_underlay *before, const struct fl_link_info *info,
			struct fl_underlay *ret_underlay, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_interface_address *addresses = NULL;
	struct fl_interface_facts facts = {0};
	struct fl_interface_link link;
	int r = 0;

	if (info) {
		r = fl_address_list(rtnl, info->ifindex, AF_UNSPEC, &addresses, &facts.n_addresses, ret_error);
		link = link_of(info);
		facts.links = &link;
		/* it went in the moment between the questions */
		facts.n_links = r != -ENODEV;
	}
	if (r < 0 && r != -ENODEV)
		return r;
	if (r == -ENODEV && ret_error)
		*ret_error = flannel_error_unref(*ret_error);
	facts.addresses = addresses;
	return fl_interface_follow(request, &facts, before, ret_underlay, ret_error);
}

int fl_underlay_find_again(struct fl_rtnl *rtnl, const struct fl_interface_request *request,
			   const struct fl_underlay *before, struct fl_underlay *ret_underlay, uint32_t *ret_ifindex,
			   struct flannel_error **ret_error)
{
	struct fl_link_info info = {0};
	int r = fl_link_get(rtnl, before->name, &info, ret_error);
	/* an alternative name does not count, since notifications do not tell it */
	bool is_there = r > 0 && strcmp(info.name, before->name) == 0;

	*ret_ifindex = is_there ? info.ifindex : 0;
	if (r < 0)
		return r;
	if (before->named.family || before->named6.family)
		return find_by_address(rtnl, request, before, ret_underlay, ret_error);
	return find_by_name(rtnl, request, before, is_there ? &info : NULL, ret_underlay, ret_error);
}

/* is it one of the addresses that name the interface */
static bool is_named(const struct fl_underlay *underlay, const struct flannel_prefix *address)
{
	const struct flannel_prefix *named[] = {&underlay->named, &underlay->named6};

	for (size_t i = 0; i < FL_N_ELEMENTS(named); i++) {
		if (named[i]->family && named[i]->family == address->family &&
		    memcmp(named[i]->addr, address->addr, sizeof(address->addr)) == 0)
			return true;
	}
	return false;
}

/* has a link that is, or is called like, the interface become another in a way that counts */
static bool is_link_touched(const struct fl_underlay *underlay, uint32_t ifindex, bool in_trouble,
			    const struct fl_change *change)
{
	struct fl_interface_link link = link_of(&change->link);

	if (link.ifindex != ifindex && link.ifindex != underlay->ifindex && strcmp(link.name, underlay->name) != 0)
		return false;
	return in_trouble || change->removed || link.ifindex != underlay->ifindex ||
	       strcmp(link.name, underlay->name) != 0 || link.mtu != underlay->mtu || link.up != underlay->up ||
	       link.carrier != underlay->carrier;
}

bool fl_underlay_is_touched(const struct fl_underlay *underlay, uint32_t ifindex, bool in_trouble,
			    const struct fl_change *change)
{
	switch (change->type) {
	case FL_CHANGE_LINK:
		return is_link_touched(underlay, ifindex, in_trouble, change);
	case FL_CHANGE_ADDRESS:
		return change->address.ifindex == ifindex || change->address.ifindex == underlay->ifindex ||
		       is_named(underlay, &change->address.address);
	case FL_CHANGE_OVERRUN:
		return true;
	default:
		return false;
	}
}
