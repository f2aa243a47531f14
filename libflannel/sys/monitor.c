/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#include "sys/monitor.h"
#include "sys/notifications.h"
#include "sys/rtnl/address.h"
#include "sys/rtnl/link.h"
#include "sys/rtnl/neighbour.h"
#include "sys/rtnl/route.h"

/* the kernel packs up to a page into a datagram, and a message about a link has some kilobytes */
#define RECEIVE_SIZE (32 << 10)

struct fl_monitor {
	struct fl_notifications notifications;
	struct fl_rtnl *rtnl;
	fl_monitor_fn fn;
	void *userdata;
};

static void tell(void *userdata, struct nlmsghdr *header);
static void tell_overrun(void *userdata);

static const struct fl_notifications_handler handler = {.message = tell, .overrun = tell_overrun};

int fl_monitor_open(int netns_fd, bool single_threaded, struct fl_rtnl *rtnl, fl_monitor_fn fn, void *userdata,
		    struct fl_monitor **ret_monitor, struct flannel_error **ret_error)
{
	const uint32_t groups =
		RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = malloc(sizeof(*monitor));
	struct fl_notifications *notifications;
	int r;

	if (!monitor)
		return fl_error_oom(ret_error);
	*monitor = (struct fl_monitor){.rtnl = rtnl, .fn = fn, .userdata = userdata};
	notifications = &monitor->notifications;
	r = fl_notifications_init(notifications, RECEIVE_SIZE, &handler, monitor, ret_error);
	if (r == 0)
		r = fl_rtnl_socket(netns_fd, single_threaded, SOCK_NONBLOCK, &notifications->fd, ret_error);
	if (r == 0)
		r = fl_notifications_join(notifications, groups, "rtnl", "network changes", ret_error);
	if (r < 0)
		return r;
	*ret_monitor = FL_TAKE(monitor);
	return 0;
}

struct fl_monitor *fl_monitor_close(struct fl_monitor *monitor)
{
	if (!monitor)
		return NULL;
	fl_notifications_clear(&monitor->notifications);
	free(monitor);
	return NULL;
}

int fl_monitor_watch_entries(struct fl_monitor *monitor, const uint32_t ifindexes[FL_MONITOR_LINKS_MAX],
			     struct flannel_error **ret_error)
{
	const uint32_t type_at = offsetof(struct nlmsghdr, nlmsg_type);
	const uint32_t ifindex_at = NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_ifindex);
	/* the filter's machine loads in network order; a notification is one message. Nothing has index 0. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, type_at),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNEIGH), 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ifindex_at),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(ifindexes[0]), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(ifindexes[1]), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {.len = FL_N_ELEMENTS(code), .filter = code};
	const int group = RTNLGRP_NEIGH;

	if (setsockopt(monitor->notifications.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
	    setsockopt(monitor->notifications.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return fl_error_set(ret_error, -errno, "rtnl", NULL, "subscribe to neighbours");
	return 0;
}

/* a neighbour or an FDB entry, with the name of its link: 1, 0 if it has none any more */
static int parse_entry(struct fl_monitor *monitor, const struct nlmsghdr *header, struct fl_object *ret_entry)
{
	uint32_t ifindex;
	int r = fl_neighbour_parse(header, ret_entry, &ifindex);

	if (r <= 0)
		return r;
	return fl_link_find_name(monitor->rtnl, ifindex,
				 ret_entry->type == FL_OBJECT_FDB ? ret_entry->fdb.link : ret_entry->neighbour.link) ==
	       0;
}

int fl_monitor_get_fd(const struct fl_monitor *monitor)
{
	return monitor->notifications.fd;
}

/* tells the owner of one change; what is malformed, or of no interest, is passed over */
static void tell(void *userdata, struct nlmsghdr *header)
{
	struct fl_monitor *monitor = userdata;
	struct fl_change change = {0};
	int r;

	switch (header->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		change.type = FL_CHANGE_LINK;
		change.removed = header->nlmsg_type == RTM_DELLINK;
		r = fl_link_parse(header, &change.link) == 0;
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		change.type = FL_CHANGE_ADDRESS;
		change.removed = header->nlmsg_type == RTM_DELADDR;
		r = fl_address_parse(header, &change.address) == 0;
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		change.type = FL_CHANGE_ROUTE;
		change.removed = header->nlmsg_type == RTM_DELROUTE;
		r = fl_route_parse(monitor->rtnl, header, &change.route);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		change.type = FL_CHANGE_ENTRY;
		change.removed = header->nlmsg_type == RTM_DELNEIGH;
		r = parse_entry(monitor, header, &change.entry);
		break;
	default:
		return;
	}
	if (r > 0)
		monitor->fn(monitor->userdata, &change);
}

static void tell_overrun(void *userdata)
{
	const struct fl_change change = {.type = FL_CHANGE_OVERRUN};
	struct fl_monitor *monitor = userdata;

	monitor->fn(monitor->userdata, &change);
}

int fl_monitor_dispatch(struct fl_monitor *monitor)
{
	return fl_notifications_dispatch(&monitor->notifications);
}
