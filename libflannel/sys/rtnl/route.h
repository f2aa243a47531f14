/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_ROUTE_H
#define FL_SYS_RTNL_ROUTE_H

/* Routes, one at a time; many go through sys/execute.h. */

#include "domain/plan/object.h"
#include "sys/rtnl/rtnl.h"

/*
 * Carries out one operation on a route. CREATE fails with -EEXIST where the key is taken (NLM_F_EXCL); REPLACE replaces what
 * has the same key; DELETE names protocol, gateway and link too, so that it cannot hit another route of the same key:
 * 0 also if it was gone. (The kernel takes IPv4 metric 0 for "any": if that route is gone, one with the same destination,
 * protocol, gateway, link and another metric goes instead.) The link's name is resolved here: -ENODEV if there is none.
 */
int fl_route_execute(struct fl_rtnl *rtnl, enum fl_verb verb, const struct fl_route *route,
		     struct flannel_error **ret_error);

/* Adds without EXCL and without REPLACE, as a container's routes are (several next hops for one destination):
 * 0, or -EEXIST for the very same route. */
int fl_route_append(struct fl_rtnl *rtnl, const struct fl_route *route, struct flannel_error **ret_error);

/* the request for one operation on a route whose link, if it names one, has that index; errors have no operation yet */
int fl_route_make_message(enum fl_verb verb, const struct fl_route *route, uint32_t ifindex,
			  struct nl_msg **ret_message, struct flannel_error **ret_error);

/* which routes a list has; zero in a field means any */
struct fl_route_filter {
	uint32_t table;                                              /* 0 means main */
	int family;                                                  /* AF_INET, AF_INET6; needed */
	uint8_t protocol;                                            /* the kernel filters */
	struct flannel_prefix dst;                                   /* just this destination; filtered here */
	bool (*wants)(void *userdata, const struct fl_route *route); /* NULL: all; must ask the kernel nothing */
	void *userdata;
};

/*
 * Only unicast, blackhole, unreachable and prohibit routes, and none for a type of service or a source. A route with several
 * next hops, or with a nexthop object, has .multipath set. *ret_routes is malloc()ed, NULL if there are none.
 */
int fl_route_list(struct fl_rtnl *rtnl, const struct fl_route_filter *filter, struct fl_route **ret_routes,
		  size_t *ret_n, struct flannel_error **ret_error);

/* The same of all tables but local, of one family. */
int fl_route_list_tables(struct fl_rtnl *rtnl, int family, struct fl_route **ret_routes, size_t *ret_n,
			 struct flannel_error **ret_error);

/*
 * The kernel's choice for a destination (ip route get): output link's index, source address and gateway (AF_UNSPEC if
 * on-link). -ENETUNREACH if there is none.
 */
struct fl_route_lookup {
	uint32_t ifindex;
	struct flannel_prefix source;
	struct flannel_prefix via;
};
int fl_route_get(struct fl_rtnl *rtnl, const struct flannel_prefix *dst, struct fl_route_lookup *ret_lookup,
		 struct flannel_error **ret_error);

/* parses one RTM_NEWROUTE or RTM_DELROUTE; the link's name is looked up, "" if it is gone.
 * 1, 0 for kinds that a list leaves out and for other tables, -EBADMSG if malformed */
int fl_route_parse(struct fl_rtnl *rtnl, const struct nlmsghdr *header, struct fl_route *ret_route);

#endif
