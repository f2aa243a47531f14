/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sys/rtnl/link.h"
#include "sys/rtnl/route.h"

/* writes a route's operation into an error that holds the kernel's answer */
static int wrap(struct flannel_error **error, int code, const char *verb, const struct fl_route *route)
{
	struct fl_object object = {.type = FL_OBJECT_ROUTE, .route = *route};
	char text[FL_OBJECT_STRLEN];

	if (!error)
		return code;
	return fl_error_wrap(error, code, "%s %s", verb, fl_object_format(&object, text, sizeof(text)));
}

/* what the header says of a route */
static struct rtmsg make_header(enum fl_verb verb, const struct fl_route *route)
{
	struct rtmsg header = {
		.rtm_family = (uint8_t)route->dst.family,
		.rtm_dst_len = route->dst.plen,
		.rtm_table = (uint8_t)(route->table < 256 ? route->table : RT_TABLE_COMPAT),
		.rtm_protocol = route->protocol,
		.rtm_type = route->type,
		.rtm_scope = route->scope,
		.rtm_flags = route->onlink ? RTNH_F_ONLINK : 0,
	};

	/* an IPv4 route is found whatever its scope; IPv6 has no scopes */
	if (verb == FL_VERB_DELETE && route->dst.family == AF_INET)
		header.rtm_scope = RT_SCOPE_NOWHERE;
	return header;
}

/* appends a gateway; one of the other family has an attribute of its own */
static int put_gateway(struct nl_msg *message, const struct fl_route *route)
{
	int len = fl_rtnl_address_len(route->via.family);
	struct {
		uint16_t family;
		uint8_t address[16];
	} via = {.family = route->via.family};

	if (len == 0)
		return 0;
	if (route->via.family == route->dst.family)
		return nla_put(message, RTA_GATEWAY, len, route->via.addr);
	memcpy(via.address, route->via.addr, sizeof(via.address));
	return nla_put(message, RTA_VIA, (int)sizeof(via.family) + len, &via);
}

/* appends what is neither key nor next hop */
static int put_metrics(struct nl_msg *message, const struct fl_route *route)
{
	struct nlattr *metrics;
	int r = 0;

	if (route->mtu == 0 && route->advmss == 0)
		return 0;
	metrics = nla_nest_start(message, RTA_METRICS);
	if (!metrics)
		return -1;
	if (route->mtu > 0)
		r |= nla_put_u32(message, RTAX_MTU, route->mtu);
	if (route->advmss > 0)
		r |= nla_put_u32(message, RTAX_ADVMSS, route->advmss);
	return r | nla_nest_end(message, metrics);
}

/*
 * Appends everything. The kernel deletes the first route that has all that is named, so DELETE names whatever tells a route
 * from others under its key, but no metrics, which somebody may have changed. What it cannot name is IPv4 metric 0: that
 * means any. Of a route with several next hops it names none, since the kernel would not find it by one, or delete only that one.
 */
static int put_route(struct nl_msg *message, enum fl_verb verb, const struct fl_route *route, uint32_t ifindex)
{
	int r = 0;

	if (route->dst.plen > 0)
		r |= nla_put(message, RTA_DST, fl_rtnl_address_len(route->dst.family), route->dst.addr);
	if (route->table >= 256)
		r |= nla_put_u32(message, RTA_TABLE, route->table);
	if (route->metric > 0)
		r |= nla_put_u32(message, RTA_PRIORITY, route->metric);
	if (verb != FL_VERB_DELETE || !route->multipath) {
		if (ifindex > 0)
			r |= nla_put_u32(message, RTA_OIF, ifindex);
		r |= put_gateway(message, route);
	}
	if (verb != FL_VERB_DELETE) {
		if (route->source.family)
			r |= nla_put(message, RTA_PREFSRC, fl_rtnl_address_len(route->source.family),
				     route->source.addr);
		r |= put_metrics(message, route);
	}
	return r;
}

/* Makes the request for a route. Errors have no operation yet. */
static int make_message(enum fl_verb verb, uint16_t flags, const struct fl_route *route, uint32_t ifindex,
			struct nl_msg **ret_message, struct flannel_error **ret_error)
{
	const struct rtmsg header = make_header(verb, route);
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = NULL;

	if (fl_rtnl_address_len(route->dst.family) == 0 || route->dst.plen > 8 * fl_rtnl_address_len(route->dst.family))
		return fl_error_set(ret_error, -EINVAL, "rtnl", "it has no destination", "%s", "");
	message = fl_rtnl_message(verb == FL_VERB_DELETE ? RTM_DELROUTE : RTM_NEWROUTE, flags, &header, sizeof(header));
	if (!message || put_route(message, verb, route, ifindex) < 0)
		return fl_error_oom(ret_error);
	*ret_message = FL_TAKE(message);
	return 0;
}

/* how the kernel treats a route that is there already */
static uint16_t flags_of(enum fl_verb verb)
{
	switch (verb) {
	case FL_VERB_CREATE:
		return NLM_F_CREATE | NLM_F_EXCL;
	case FL_VERB_REPLACE:
		return NLM_F_CREATE | NLM_F_REPLACE;
	case FL_VERB_DELETE:
		break;
	}
	return 0;
}

int fl_route_make_message(enum fl_verb verb, const struct fl_route *route, uint32_t ifindex,
			  struct nl_msg **ret_message, struct flannel_error **ret_error)
{
	return make_message(verb, flags_of(verb), route, ifindex, ret_message, ret_error);
}

/*
 * Settles the result for one route: what should be deleted and does not exist is no failure (with its link, its table or
 * by itself), every other error gets its operation.
 */
static int conclude(enum fl_verb verb, const struct fl_route *route, int r, struct flannel_error **error)
{
	if (r >= 0)
		return 0;
	if (verb == FL_VERB_DELETE && (r == -ESRCH || r == -ENODEV || r == -ENOENT)) {
		if (error)
			*error = flannel_error_unref(*error);
		return 0;
	}
	return wrap(error, r, fl_verb_format(verb), route);
}

/* one route, one request */
static int execute(struct fl_rtnl *rtnl, enum fl_verb verb, uint16_t flags, const struct fl_route *route,
		   struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	uint32_t ifindex = 0;
	int r = route->link[0] ? fl_link_find_index(rtnl, route->link, &ifindex) : 0;

	if (r < 0)
		fl_error_set(&error, r, "rtnl", NULL, "%s", "");
	if (r == 0)
		r = make_message(verb, flags, route, ifindex, &message, &error);
	if (r == 0)
		r = fl_rtnl_request(rtnl, message, NULL, NULL, &error, "%s", "");
	r = conclude(verb, route, r, &error);
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

int fl_route_execute(struct fl_rtnl *rtnl, enum fl_verb verb, const struct fl_route *route,
		     struct flannel_error **ret_error)
{
	return execute(rtnl, verb, flags_of(verb), route, ret_error);
}

int fl_route_append(struct fl_rtnl *rtnl, const struct fl_route *route, struct flannel_error **ret_error)
{
	return execute(rtnl, FL_VERB_CREATE, NLM_F_CREATE, route, ret_error);
}
