/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_ADDRESS_H
#define FL_SYS_RTNL_ADDRESS_H

/* Addresses of links. */

#include "domain/underlay/interface.h"
#include "domain/plan/object.h"
#include "sys/rtnl/rtnl.h"

/* Adds an address, with the broadcast address of its network for IPv4 prefixes shorter than 31. Return: 0, -EEXIST. */
int fl_address_add(struct fl_rtnl *rtnl, uint32_t ifindex, const struct flannel_prefix *address, const char *link_name,
		   struct flannel_error **ret_error);

/* 1 deleted, 0 was not there (or its link is gone), negative */
int fl_address_delete(struct fl_rtnl *rtnl, uint32_t ifindex, const struct flannel_prefix *address,
		      const char *link_name, struct flannel_error **ret_error);

/* the request for one operation on an address of a link; without duplicate address detection. NULL without memory. */
struct nl_msg *fl_address_make_message(enum fl_verb verb, uint32_t ifindex, const struct flannel_prefix *address);

/* addresses of one link (0: of all), of one family (AF_UNSPEC: both), in the kernel's order; the filter is the
 * kernel's, so the cost does not grow with other links. *ret_addresses is malloc()ed. -ENODEV if there is no such link. */
int fl_address_list(struct fl_rtnl *rtnl, uint32_t ifindex, int family, struct fl_interface_address **ret_addresses,
		    size_t *ret_n, struct flannel_error **ret_error);

/* parses one RTM_NEWADDR or RTM_DELADDR; -EBADMSG if malformed */
int fl_address_parse(const struct nlmsghdr *header, struct fl_interface_address *ret_address);

#endif
