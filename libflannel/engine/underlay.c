/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/underlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/rtnl_address.h"
#include "sys/rtnl_link.h"
#include "sys/rtnl_route.h"

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
	for (size_t i = 0; i < n; i++) {
		memcpy(links[i].name, infos[i].name, sizeof(links[i].name));
		memcpy(links[i].mac, infos[i].mac, sizeof(links[i].mac));
		links[i].ifindex = infos[i].ifindex;
		links[i].mtu = infos[i].mtu;
	}
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

int fl_underlay_find(struct fl_rtnl *rtnl, const struct fl_interface_request *request, struct fl_underlay *ret_underlay,
		     struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_interface_link *links = NULL;
	FL_CLEANUP(fl_freep) struct fl_interface_address *addresses = NULL;
	struct fl_interface_facts facts = {0};
	int r = list_links(rtnl, &links, &facts.n_links, ret_error);

	if (r >= 0)
		r = fl_address_list(rtnl, 0, AF_UNSPEC, &addresses, &facts.n_addresses, ret_error);
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
