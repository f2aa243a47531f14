/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_NEIGHBOUR_H
#define FL_SYS_RTNL_NEIGHBOUR_H

/*
 * Neighbours, and entries of a vxlan device's forwarding database: two tables of the kernel that share their messages
 * (RTM_NEWNEIGH). Of both only permanent entries are made.
 */

#include "domain/plan/object.h"
#include "sys/rtnl/rtnl.h"

/*
 * The request for one operation on an object of one of the two types whose link has that index. CREATE replaces what is there, too: an
 * entry that the kernel keeps by itself is nobody's. NULL without memory.
 */
struct nl_msg *fl_neighbour_make_message(enum fl_verb verb, const struct fl_object *object, uint32_t ifindex);

/* one operation, one request; -ENODEV if there is no such link, deletion of what is not there is 0 */
int fl_neighbour_execute(struct fl_rtnl *rtnl, enum fl_verb verb, const struct fl_object *object,
			 struct flannel_error **ret_error);

/* which entries a list has */
struct fl_neighbour_filter {
	bool (*wants)(void *userdata, const struct fl_object *object); /* must ask the kernel nothing */
	void *userdata;
};

/* permanent entries of a link: neighbours (AF_INET, AF_INET6) or those of its FDB (AF_BRIDGE). filter: NULL for all of them. *ret_objects is
 * malloc()ed, NULL if there are none. */
int fl_neighbour_list(struct fl_rtnl *rtnl, int family, uint32_t ifindex, const char *link,
		      const struct fl_neighbour_filter *filter, struct fl_object **ret_objects, size_t *ret_n,
		      struct flannel_error **ret_error);

/* Parses one RTM_NEWNEIGH or RTM_DELNEIGH; the link's index is ret_ifindex, its name is left empty. 1; 0 for what is no entry of
 * the two tables (bridge ports, multicast); -EBADMSG if malformed */
int fl_neighbour_parse(const struct nlmsghdr *header, struct fl_object *ret_object, uint32_t *ret_ifindex);

#endif
