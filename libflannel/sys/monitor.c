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
#include "sys/rtnl_address.h"
#include "sys/rtnl_link.h"
#include "sys/rtnl_neighbour.h"
#include "sys/rtnl_route.h"

enum {
	/* room for about 10,000 notifications while the host is busy with something else */
	MONITOR_RECEIVE_BUFFER = 8 << 20,
	RECEIVE_SIZE = 32 << 10,
	MESSAGES_PER_DISPATCH = 256,
};

struct fl_monitor {
	int fd;
	struct fl_rtnl *rtnl;
	fl_monitor_fn fn;
	void *userdata;
	bool overrun; /* something was lost; told when the queue is empty */
	_Alignas(struct nlmsghdr) char buffer[RECEIVE_SIZE];
};

/* enlarges the queue, joins the groups; both as far as allowed and needed */
static int subscribe(int fd, struct flannel_error **ret_error)
{
	const struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups =
			RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	};
	const int size = MONITOR_RECEIVE_BUFFER;

	/* a smaller queue only overruns more often */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return fl_error_set(ret_error, -errno, "rtnl", NULL, "subscribe to network changes");
	return 0;
}

int fl_monitor_open(int netns_fd, bool single_threaded, struct fl_rtnl *rtnl, fl_monitor_fn fn, void *userdata,
		    struct fl_monitor **ret_monitor, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = malloc(sizeof(*monitor));
	int r;

	if (!monitor)
		return fl_error_oom(ret_error);
	monitor->fd = -1;
	monitor->rtnl = rtnl;
	monitor->fn = fn;
	monitor->userdata = userdata;
	monitor->overrun = false;
	r = fl_rtnl_socket(netns_fd, single_threaded, SOCK_NONBLOCK, &monitor->fd, ret_error);
	if (r == 0)
		r = subscribe(monitor->fd, ret_error);
	if (r < 0)
		return r;
	*ret_monitor = FL_TAKE(monitor);
	return 0;
}

struct fl_monitor *fl_monitor_close(struct fl_monitor *monitor)
{
	if (!monitor)
		return NULL;
	if (monitor->fd >= 0)
		close(monitor->fd);
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

	if (setsockopt(monitor->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
	    setsockopt(monitor->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
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
	return monitor->fd;
}

/* tells the owner of one change; what is malformed, or of no interest, is passed over */
static void tell(struct fl_monitor *monitor, const struct nlmsghdr *header)
{
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

/* Receives one datagram: its length, 0 if it was another process's, or negative errno. */
static ssize_t receive(struct fl_monitor *monitor)
{
	struct sockaddr_nl sender = {0};
	struct iovec iov = {.iov_base = monitor->buffer, .iov_len = sizeof(monitor->buffer)};
	struct msghdr datagram = {.msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	do
		n = recvmsg(monitor->fd, &datagram, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (sender.nl_pid != 0)
		return 0;
	/* a notification that does not fit is one that was lost */
	return datagram.msg_flags & MSG_TRUNC ? -ENOBUFS : n;
}

/* the queue is empty, and the kernel fills it again: what is listed from now on is complete */
static void tell_overrun(struct fl_monitor *monitor)
{
	const struct fl_change change = {.type = FL_CHANGE_OVERRUN};

	monitor->overrun = false;
	monitor->fn(monitor->userdata, &change);
}

/*
 * After the first loss the kernel goes on dropping, in silence, until the queue has been read empty. So the rest of the queue
 * is thrown away, since everything will be listed again anyway, and the owner is told only then.
 */
int fl_monitor_dispatch(struct fl_monitor *monitor)
{
	for (int i = 0; i < MESSAGES_PER_DISPATCH; i++) {
		struct nlmsghdr *header = (struct nlmsghdr *)monitor->buffer;
		ssize_t n = receive(monitor);
		int left = (int)n;

		if (n == -EAGAIN) {
			if (monitor->overrun)
				tell_overrun(monitor);
			return 0;
		}
		if (n == -ENOBUFS)
			monitor->overrun = true;
		else if (n < 0)
			return (int)n;
		if (monitor->overrun)
			continue;
		for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left))
			tell(monitor, header);
	}
	return 1;
}
