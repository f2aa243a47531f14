/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Looks at links, their addresses and routes, by name, in the context's namespace: nothing is listed but what is asked for. */

#include <errno.h>
#include <flannel/link.h>
#include <flannel/route.h>
#include <stdlib.h>
#include <string.h>

#include "engine/pod/bridge.h"
#include "engine/context.h"
#include "sys/rtnl/address.h"
#include "sys/rtnl/route.h"

int flannel_link_get(struct flannel_context *context, const char *name, struct flannel_link_status *ret_status,
		     struct flannel_error **ret_error)
{
	struct fl_link_info info;
	struct fl_rtnl *rtnl;
	int r;

	if (!context || !ret_status || !fl_ifname_is_valid(name))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected a context, an interface name and room for the answer", "get link \"%s\"",
				    name ? name : "");
	if (ret_status->size != sizeof(*ret_status))
		return fl_error_set(ret_error, -EINVAL, "argument", "its size is wrong", "ret_status");
	r = fl_context_get_rtnl(context, &rtnl, ret_error);
	if (r >= 0)
		r = fl_link_get(rtnl, name, &info, ret_error);
	if (r <= 0)
		return r;
	*ret_status = (struct flannel_link_status){.size = sizeof(*ret_status),
						   .flags = info.flags,
						   .master_ifindex = info.master_ifindex,
						   .peer_ifindex = info.peer_ifindex,
						   .promiscuity = info.promiscuity};
	ret_status->link.size = sizeof(ret_status->link);
	fl_link_describe(&info, &ret_status->link);
	if (!info.has_mac)
		ret_status->link.mac[0] = '\0';
	memcpy(ret_status->kind, info.kind, sizeof(ret_status->kind));
	return 1;
}

int flannel_link_get_addresses(struct flannel_context *context, const char *name, struct flannel_prefix *ret_addresses,
			       size_t n_max, size_t *ret_n, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_interface_address *found = NULL;
	struct fl_rtnl *rtnl;
	uint32_t ifindex;
	size_t n = 0;
	int r;

	if (!context || !ret_n || (n_max && !ret_addresses) || !fl_ifname_is_valid(name))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected a context, an interface name and room for the answer",
				    "get the addresses of link \"%s\"", name ? name : "");
	r = fl_context_get_rtnl(context, &rtnl, ret_error);
	if (r < 0)
		return r;
	r = fl_link_find_index(rtnl, name, &ifindex);
	if (r < 0)
		return fl_error_set(ret_error, r, "rtnl", NULL, "get the addresses of link %s", name);
	r = fl_address_list(rtnl, ifindex, AF_UNSPEC, &found, &n, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && i < n_max; i++)
		ret_addresses[i] = found[i].address;
	*ret_n = n;
	return 0;
}

/* is there a route among those to the destination that goes by that gateway; one with several next hops may */
static bool is_among(const struct fl_route *routes, size_t n, const struct flannel_prefix *via)
{
	for (size_t i = 0; i < n; i++) {
		if (!via || !via->family || routes[i].multipath ||
		    (routes[i].via.family == via->family &&
		     memcmp(routes[i].via.addr, via->addr, sizeof(via->addr)) == 0))
			return true;
	}
	return false;
}

int flannel_route_exists(struct flannel_context *context, const struct flannel_prefix *dst,
			 const struct flannel_prefix *via, uint32_t table, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_route *routes = NULL;
	struct fl_route_filter filter = {.table = table};
	struct fl_rtnl *rtnl;
	size_t n = 0;
	int r;

	if (!context || !dst || (dst->family != AF_INET && dst->family != AF_INET6) ||
	    (via && via->family && via->family != dst->family))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected a context, and a destination and a gateway of one family",
				    "look for a route");
	filter.family = dst->family;
	filter.dst = *dst;
	r = fl_context_get_rtnl(context, &rtnl, ret_error);
	if (r >= 0)
		r = fl_route_list(rtnl, &filter, &routes, &n, ret_error);
	return r < 0 ? r : is_among(routes, n, via);
}
