/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_VXLAN_H
#define FL_SYS_RTNL_VXLAN_H

/* What is peculiar to vxlan devices: for link.c, which makes them, and for who has to know the kernel's default port. */

#include "domain/plan/object.h"
#include "sys/rtnl/rtnl.h"

struct nlattr;

/* appends IFLA_INFO_DATA to an open IFLA_LINKINFO; is_new: with what cannot be changed later. Negative if there is no room. */
int fl_vxlan_put(struct nl_msg *message, const struct fl_vxlan_link *vxlan, uint32_t lower_ifindex, bool is_new);

/* Reads IFLA_INFO_DATA; .lower is left alone, its index goes to ret_lower_ifindex. -EBADMSG if malformed. */
int fl_vxlan_parse(struct nlattr *data, struct fl_vxlan_link *ret_vxlan, uint32_t *ret_lower_ifindex);

/* which UDP port a device gets that is told none: 8472, unless the kernel's module has another parameter */
uint16_t fl_vxlan_default_port(void);

#endif
