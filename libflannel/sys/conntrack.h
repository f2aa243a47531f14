/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_CONNTRACK_H
#define FL_SYS_CONNTRACK_H

/* Connections that the kernel tracks, by plain messages through a socket of fl_rtnl_open_netfilter(). */

#include <stdint.h>

#include "base/error.h"
#include "sys/rtnl/rtnl.h"

/*
 * Forgets connections of a family (AF_INET, AF_INET6) and protocol that were opened to a port, whatever the address. The kernel
 * looks for them itself, where it can (Linux 6.10 or so); else they are listed, and deleted one by one. Return: 0 or negative.
 */
int fl_conntrack_forget(struct fl_rtnl *netfilter, int family, uint8_t protocol, uint16_t port,
			struct flannel_error **ret_error);

/* the second way alone; how many were deleted, or negative */
int fl_conntrack_forget_each(struct fl_rtnl *netfilter, int family, uint8_t protocol, uint16_t port,
			     struct flannel_error **ret_error);

#endif
