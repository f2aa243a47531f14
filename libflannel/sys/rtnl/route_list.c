/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sys/rtnl/link.h"
#include "sys/rtnl/route.h"

/* the link asked for last: neighbouring routes mostly share theirs */
struct link_cache {
	uint32_t ifindex; /* 0: nothing asked yet */
	char name[FLANNEL_IFNAME_SIZE];
};

/* name by index; "" for a link that is gone, as it is when the end of its routes is told */
static void resolve_index(struct fl_rtnl *rtnl, struct link_cache *cache, uint32_t ifindex,
			  char ret_name[FLANNEL_IFNAME_SIZE])
{
	if (ifindex == 0)
		return;
	if (cache->ifindex != ifindex) {
		cache->ifindex = 0;
		if (fl_link_find_name(rtnl, ifindex, cache->name) < 0)
			return;
		cache->ifindex = ifindex;
	}
	memcpy(ret_name, cache->name, FLANNEL_IFNAME_SIZE);
}

/* the first next hop of several */
static int parse_first_hop(const struct nlattr *multipath, struct rtnexthop *ret_hop, struct nlattr *tb[RTA_MAX + 1])
{
	const struct rtnexthop *hop = nla_data(multipath);

	if (nla_len(multipath) < (int)sizeof(*hop) || hop->rtnh_len < sizeof(*hop) ||
	    hop->rtnh_len > nla_len(multipath))
		return -EBADMSG;
	*ret_hop = *hop;
	return nla_parse(tb, RTA_MAX, (struct nlattr *)RTNH_DATA(hop), hop->rtnh_len - (int)sizeof(*hop), NULL) < 0
		       ? -EBADMSG
		       : 0;
}

/* reads an address of a given family as a prefix of full length */
static int read_address(unsigned int family, const void *bytes, int len, struct flannel_prefix *ret_address)
{
	if (len == 0 || len != fl_rtnl_address_len(family))
		return -EBADMSG;
	*ret_address = (struct flannel_prefix){.family = (uint16_t)family, .plen = (uint8_t)(8 * len)};
	memcpy(ret_address->addr, bytes, (size_t)len);
	return 0;
}

/* reads the gateway, which may be of the other family (RTA_VIA) */
static int parse_gateway(unsigned int family, struct nlattr *const tb[RTA_MAX + 1], struct flannel_prefix *ret_via)
{
	const int via_header = (int)sizeof(((struct rtvia *)NULL)->rtvia_family);
	const struct rtvia *via;

	if (tb[RTA_GATEWAY])
		return read_address(family, nla_data(tb[RTA_GATEWAY]), nla_len(tb[RTA_GATEWAY]), ret_via);
	if (!tb[RTA_VIA])
		return 0;
	if (nla_len(tb[RTA_VIA]) < via_header)
		return -EBADMSG;
	via = nla_data(tb[RTA_VIA]);
	return read_address(via->rtvia_family, via->rtvia_addr, nla_len(tb[RTA_VIA]) - via_header, ret_via);
}

/* types and lengths that the attributes must have */
static const struct nla_policy metrics_policy[RTAX_MAX + 1] = {
	[RTAX_MTU] = {.type = NLA_U32},
	[RTAX_ADVMSS] = {.type = NLA_U32},
};

/* reads the metrics we know */
static int parse_metrics(struct nlattr *metrics, struct fl_route *route)
{
	struct nlattr *tb[RTAX_MAX + 1];

	if (nla_parse_nested(tb, RTAX_MAX, metrics, metrics_policy) < 0)
		return -EBADMSG;
	if (tb[RTAX_MTU])
		route->mtu = nla_get_u32(tb[RTAX_MTU]);
	if (tb[RTAX_ADVMSS])
		route->advmss = nla_get_u32(tb[RTAX_ADVMSS]);
	return 0;
}

/* reads the first or only next hop: gateway, output link's index, onlink */
static int parse_next_hop(const struct rtmsg *header, struct nlattr *const tb[RTA_MAX + 1], struct fl_route *route,
			  uint32_t *ret_ifindex)
{
	struct nlattr *hop_tb[RTA_MAX + 1];
	struct rtnexthop hop;
	int r;

	route->multipath = tb[RTA_MULTIPATH] || tb[RTA_NH_ID];
	if (!tb[RTA_MULTIPATH]) {
		*ret_ifindex = tb[RTA_OIF] ? nla_get_u32(tb[RTA_OIF]) : 0;
		route->onlink = header->rtm_flags & RTNH_F_ONLINK;
		return parse_gateway(header->rtm_family, tb, &route->via);
	}
	r = parse_first_hop(tb[RTA_MULTIPATH], &hop, hop_tb);
	if (r < 0)
		return r;
	*ret_ifindex = (uint32_t)hop.rtnh_ifindex;
	route->onlink = hop.rtnh_flags & RTNH_F_ONLINK;
	return parse_gateway(header->rtm_family, hop_tb, &route->via);
}

/* types and lengths that the attributes must have */
static const struct nla_policy route_policy[RTA_MAX + 1] = {
	[RTA_OIF] = {.type = NLA_U32},
	[RTA_PRIORITY] = {.type = NLA_U32},
	[RTA_TABLE] = {.type = NLA_U32},
	[RTA_NH_ID] = {.type = NLA_U32},
};

/* reads header and attributes; 0, or -EBADMSG */
static int parse_message(const struct nlmsghdr *header, struct nlattr *tb[RTA_MAX + 1])
{
	const struct rtmsg *route;

	if (!nlmsg_valid_hdr(header, sizeof(*route)))
		return -EBADMSG;
	route = nlmsg_data(header);
	if (fl_rtnl_address_len(route->rtm_family) == 0 ||
	    route->rtm_dst_len > 8 * fl_rtnl_address_len(route->rtm_family) ||
	    nla_parse(tb, RTA_MAX, nlmsg_attrdata(header, sizeof(*route)), nlmsg_attrlen(header, sizeof(*route)),
		      route_policy) < 0)
		return -EBADMSG;
	return 0;
}

/* of which tables a list is */
#define ANY_TABLE RT_TABLE_UNSPEC

/* is a table one of those: ANY_TABLE are all but local */
static bool is_table(uint32_t table, uint32_t wanted_table)
{
	return wanted_table == ANY_TABLE ? table != RT_TABLE_LOCAL : table == wanted_table;
}

/*
 * Is it one that lists have: a route of the table, not a cached copy, of a type that can be wanted. Those for a type of
 * service or a source have another key in the kernel, so that they are in nobody's way.
 */
static bool is_listed(const struct rtmsg *header, uint32_t table, uint32_t wanted_table)
{
	if (!is_table(table, wanted_table) || (header->rtm_flags & RTM_F_CLONED) || header->rtm_tos != 0 ||
	    header->rtm_src_len != 0)
		return false;
	return header->rtm_type == RTN_UNICAST || header->rtm_type == RTN_BLACKHOLE ||
	       header->rtm_type == RTN_UNREACHABLE || header->rtm_type == RTN_PROHIBIT;
}

/* fl_route_parse() for any one table or all, with a memory for link names */
static int parse_route(struct fl_rtnl *rtnl, struct link_cache *cache, uint32_t table, const struct nlmsghdr *message,
		       struct fl_route *ret_route)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *tb[RTA_MAX + 1];
	struct fl_route route = {0};
	uint32_t ifindex = 0;

	if (parse_message(message, tb) < 0)
		return -EBADMSG;
	route.table = tb[RTA_TABLE] ? nla_get_u32(tb[RTA_TABLE]) : header->rtm_table;
	if (!is_listed(header, route.table, table))
		return 0;
	route.dst.family = header->rtm_family;
	if (tb[RTA_DST] &&
	    read_address(header->rtm_family, nla_data(tb[RTA_DST]), nla_len(tb[RTA_DST]), &route.dst) < 0)
		return -EBADMSG;
	route.dst.plen = header->rtm_dst_len;
	route.protocol = header->rtm_protocol;
	route.type = header->rtm_type;
	route.scope = header->rtm_scope;
	if (tb[RTA_PRIORITY])
		route.metric = nla_get_u32(tb[RTA_PRIORITY]);
	else if (header->rtm_family == AF_INET6)
		route.metric = FL_ROUTE_METRIC_DEFAULT_V6;
	if (tb[RTA_METRICS] && parse_metrics(tb[RTA_METRICS], &route) < 0)
		return -EBADMSG;
	if (tb[RTA_PREFSRC] &&
	    read_address(header->rtm_family, nla_data(tb[RTA_PREFSRC]), nla_len(tb[RTA_PREFSRC]), &route.source) < 0)
		return -EBADMSG;
	if (parse_next_hop(header, tb, &route, &ifindex) < 0)
		return -EBADMSG;
	resolve_index(rtnl, cache, ifindex, route.link);
	*ret_route = route;
	return 1;
}

int fl_route_parse(struct fl_rtnl *rtnl, const struct nlmsghdr *header, struct fl_route *ret_route)
{
	struct link_cache cache = {0};

	return parse_route(rtnl, &cache, RT_TABLE_MAIN, header, ret_route);
}

/* a list on its way */
struct listing {
	struct fl_rtnl *rtnl;
	const struct fl_route_filter *filter;
	uint32_t table;
	struct link_cache cache;
};

/* one route of a list. The kernel's filter is looked at again: a kernel that does not know it sends everything. */
static int parse_item(void *userdata, const struct nlmsghdr *header, void *ret_item)
{
	struct listing *listing = userdata;
	const struct fl_route_filter *filter = listing->filter;
	struct fl_route *route = ret_item;
	int r = parse_route(listing->rtnl, &listing->cache, listing->table, header, route);

	if (r <= 0)
		return r;
	if (filter->protocol != 0 && route->protocol != filter->protocol)
		return 0;
	if (filter->dst.family != AF_UNSPEC && flannel_prefix_compare(&route->dst, &filter->dst) != 0)
		return 0;
	return !filter->wants || filter->wants(filter->userdata, route);
}

/* asks for the routes of the listing's table, or of all */
static int list_routes(struct listing *listing, struct fl_route **ret_routes, size_t *ret_n,
		       struct flannel_error **ret_error)
{
	const struct rtmsg header = {
		.rtm_family = (uint8_t)listing->filter->family,
		.rtm_protocol = listing->filter->protocol,
	};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_GETROUTE, 0, &header, sizeof(header));
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	void *routes = NULL;
	size_t n = 0;
	int r;

	if (!message || (listing->table != ANY_TABLE && nla_put_u32(message, RTA_TABLE, listing->table) < 0))
		return fl_error_oom(ret_error);
	r = fl_rtnl_list(listing->rtnl, message, sizeof(**ret_routes), parse_item, listing, &routes, &n, &error,
			 "list routes");
	/* a namespace has no table before its first route */
	if (r < 0 && r != -ENOENT) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	*ret_routes = routes;
	*ret_n = n;
	return 0;
}

int fl_route_list(struct fl_rtnl *rtnl, const struct fl_route_filter *filter, struct fl_route **ret_routes,
		  size_t *ret_n, struct flannel_error **ret_error)
{
	struct listing listing = {
		.rtnl = rtnl, .filter = filter, .table = filter->table ? filter->table : RT_TABLE_MAIN};

	return list_routes(&listing, ret_routes, ret_n, ret_error);
}

int fl_route_list_tables(struct fl_rtnl *rtnl, int family, struct fl_route **ret_routes, size_t *ret_n,
			 struct flannel_error **ret_error)
{
	const struct fl_route_filter filter = {.family = family};
	struct listing listing = {.rtnl = rtnl, .filter = &filter, .table = ANY_TABLE};

	return list_routes(&listing, ret_routes, ret_n, ret_error);
}

/* reads the kernel's choice */
static int take_lookup(void *userdata, const struct nlmsghdr *message)
{
	struct fl_route_lookup *lookup = userdata;
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *tb[RTA_MAX + 1];

	if (message->nlmsg_type != RTM_NEWROUTE)
		return 0;
	if (parse_message(message, tb) < 0)
		return -EBADMSG;
	if (tb[RTA_OIF])
		lookup->ifindex = nla_get_u32(tb[RTA_OIF]);
	if (tb[RTA_PREFSRC] &&
	    read_address(header->rtm_family, nla_data(tb[RTA_PREFSRC]), nla_len(tb[RTA_PREFSRC]), &lookup->source) < 0)
		return -EBADMSG;
	return parse_gateway(header->rtm_family, tb, &lookup->via);
}

int fl_route_get(struct fl_rtnl *rtnl, const struct flannel_prefix *dst, struct fl_route_lookup *ret_lookup,
		 struct flannel_error **ret_error)
{
	int len = fl_rtnl_address_len(dst->family);
	const struct rtmsg header = {.rtm_family = (uint8_t)dst->family, .rtm_dst_len = (uint8_t)(8 * len)};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_GETROUTE, 0, &header, sizeof(header));
	struct fl_route_lookup lookup = {0};
	char text[FLANNEL_PREFIX_STRLEN];
	int r;

	if (!message || nla_put(message, RTA_DST, len, dst->addr) < 0)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(rtnl, message, take_lookup, &lookup, ret_error, "find the route to %s",
			    flannel_prefix_format_address(dst, text, sizeof(text)));
	if (r == 0)
		*ret_lookup = lookup;
	return r;
}
