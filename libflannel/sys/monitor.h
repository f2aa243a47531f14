/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_MONITOR_H
#define FL_SYS_MONITOR_H

/*
 * Hears of changes to links, addresses and routes of a namespace (RTNLGRP_LINK, IPV4_IFADDR, IPV6_IFADDR,
 * IPV4_ROUTE, IPV6_ROUTE), and of neighbours and FDB entries of chosen links (NEIGH). A lost message (ENOBUFS) is an event of its own: then everything must be listed again.
 *
 * The kernel says nothing of IPv4 routes that vanish because their link went down or away, or lost its last address:
 * whoever watches routes must take a change of a link or an address for one of its routes.
 */

#include "domain/underlay/interface.h"
#include "domain/plan/object.h"
#include "sys/rtnl/rtnl.h"
#include "sys/rtnl/link.h"

enum fl_change_type { FL_CHANGE_LINK, FL_CHANGE_ADDRESS, FL_CHANGE_ROUTE, FL_CHANGE_ENTRY, FL_CHANGE_OVERRUN };

struct fl_change {
	enum fl_change_type type;
	bool removed;
	struct fl_link_info link;
	struct fl_interface_address address;
	struct fl_route route;
	struct fl_object entry; /* a neighbour or an FDB entry */
};

/* must not close the monitor */
typedef void (*fl_monitor_fn)(void *userdata, const struct fl_change *change);

struct fl_monitor;

/* rtnl: where link names of routes are looked up; borrowed, of the same namespace */
int fl_monitor_open(int netns_fd, bool single_threaded, struct fl_rtnl *rtnl, fl_monitor_fn fn, void *userdata,
		    struct fl_monitor **ret_monitor, struct flannel_error **ret_error);
struct fl_monitor *fl_monitor_close(struct fl_monitor *monitor);

/*
 * Hears of neighbours and FDB entries of these links, too, and of no others: all links of a node together have many, and the kernel
 * tells each time that one is seen again. A filter in the kernel keeps the others away; indices of 0 are links that are not there
 * now. What changed before the call is not told.
 */
#define FL_MONITOR_LINKS_MAX 2
int fl_monitor_watch_entries(struct fl_monitor *monitor, const uint32_t ifindexes[FL_MONITOR_LINKS_MAX],
			     struct flannel_error **ret_error);

/* non-blocking netlink socket, for the event loop */
int fl_monitor_get_fd(const struct fl_monitor *monitor);

/* reads what is there, at most 256 messages: 1 if there may be more, 0 if not, negative errno */
int fl_monitor_dispatch(struct fl_monitor *monitor);

FL_DEFINE_CLEANUP(struct fl_monitor *, fl_monitor_close)

#endif
