/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_NETCONF_H
#define FL_SYS_RTNL_NETCONF_H

/* Settings that netlink tells, too (RTM_GETNETCONF): at once, however many namespaces there are, see sysctl.h. */

#include "sys/rtnl/rtnl.h"

/* Are packets of a family forwarded between all links of the namespace (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding): 1, 0,
 * or negative: -EAFNOSUPPORT or -EOPNOTSUPP if the kernel lacks the family. */
int fl_netconf_get_forwarding(struct fl_rtnl *rtnl, int family, struct flannel_error **ret_error);

#endif
