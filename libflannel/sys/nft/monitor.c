/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nft/monitor.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which defines the same again otherwise */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/firewall/masquerade.h"
#include "sys/netns.h"
#include "sys/notifications.h"

#define AREA "nft"

/* the kernel packs up to a page into a datagram, unless a single message is larger: rules of other programs come by here, too */
#define RECEIVE_SIZE (64 << 10)

struct fl_nft_monitor {
	struct fl_notifications notifications;
	fl_nft_monitor_fn fn;
	void *userdata;
	char names[2][FL_MASQUERADE_NAME_SIZE]; /* of the tables */
	unsigned int touched;                   /* by the transaction that is being told */
};

static void take(void *userdata, struct nlmsghdr *header);
static void tell_overrun(void *userdata);

static const struct fl_notifications_handler handler = {.message = take, .overrun = tell_overrun};

/* opens the socket in the namespace in which it is called; userdata is the int for it */
static int open_socket(void *userdata, struct flannel_error **ret_error)
{
	int *ret_fd = userdata;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	if (fd < 0)
		return fl_error_set(ret_error, -errno, AREA, NULL, "open netlink socket");
	*ret_fd = fd;
	return 0;
}

int fl_nft_monitor_open(int netns_fd, bool single_threaded, const char *instance, fl_nft_monitor_fn fn, void *userdata,
			struct fl_nft_monitor **ret_monitor, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_nft_monitor_closep) struct fl_nft_monitor *monitor = malloc(sizeof(*monitor));
	struct fl_notifications *notifications;
	int r;

	if (!monitor)
		return fl_error_oom(ret_error);
	*monitor = (struct fl_nft_monitor){.fn = fn, .userdata = userdata};
	notifications = &monitor->notifications;
	r = fl_notifications_init(notifications, RECEIVE_SIZE, &handler, monitor, ret_error);
	if (r < 0)
		return r;
	fl_masquerade_name_table(AF_INET, instance, monitor->names[0]);
	fl_masquerade_name_table(AF_INET6, instance, monitor->names[1]);
	r = fl_netns_run(netns_fd, single_threaded, open_socket, &notifications->fd, ret_error);
	if (r == 0)
		r = fl_notifications_join(notifications, 1U << (NFNLGRP_NFTABLES - 1), AREA, "nft changes", ret_error);
	if (r < 0)
		return r;
	*ret_monitor = FL_TAKE(monitor);
	return 0;
}

struct fl_nft_monitor *fl_nft_monitor_close(struct fl_nft_monitor *monitor)
{
	if (!monitor)
		return NULL;
	fl_notifications_clear(&monitor->notifications);
	free(monitor);
	return NULL;
}

int fl_nft_monitor_get_fd(const struct fl_nft_monitor *monitor)
{
	return monitor->notifications.fd;
}

/* the attribute of a message that names its table; 0 for messages that change no rule */
static int table_attribute(uint8_t type)
{
	switch (type) {
	case NFT_MSG_NEWTABLE: /* of a table that exists: made dormant, or awake */
	case NFT_MSG_DELTABLE:
		return NFTA_TABLE_NAME;
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_DELCHAIN:
		return NFTA_CHAIN_TABLE;
	case NFT_MSG_NEWRULE:
	case NFT_MSG_DELRULE:
		return NFTA_RULE_TABLE;
	default:
		return 0;
	}
}

/* which of flannel's tables a message of a transaction is about; 0: none */
static unsigned int find_touched(const struct fl_nft_monitor *monitor, struct nlmsghdr *header)
{
	const struct nfgenmsg *general = nlmsg_data(header);
	int attribute = table_attribute(NFNL_MSG_TYPE(header->nlmsg_type));
	struct nlattr *name = attribute ? nlmsg_find_attr(header, sizeof(*general), attribute) : NULL;

	if (!name)
		return 0;
	if (general->nfgen_family == NFPROTO_IPV4 && nla_strcmp(name, monitor->names[0]) == 0)
		return FL_NFT_TOUCHED_IPV4;
	if (general->nfgen_family == NFPROTO_IPV6 && nla_strcmp(name, monitor->names[1]) == 0)
		return FL_NFT_TOUCHED_IPV6;
	return 0;
}

/* the transaction is complete: tells the owner of it if it touched something */
static void end_transaction(struct fl_nft_monitor *monitor, struct nlmsghdr *header)
{
	struct fl_nft_change change = {.touched = monitor->touched};
	struct nlattr *pid = nlmsg_find_attr(header, sizeof(struct nfgenmsg), NFTA_GEN_PROC_PID);
	struct nlattr *name = nlmsg_find_attr(header, sizeof(struct nfgenmsg), NFTA_GEN_PROC_NAME);

	monitor->touched = 0;
	if (!change.touched)
		return;
	if (pid && nla_len(pid) >= (int)sizeof(uint32_t))
		change.pid = ntohl(nla_get_u32(pid));
	if (name)
		(void)nla_strlcpy(change.program, name, sizeof(change.program));
	/* a program chooses its name itself; it ends up in logs */
	for (char *c = change.program; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	monitor->fn(monitor->userdata, &change);
}

/* takes one message; what is malformed, or of no interest, is passed over */
static void take(void *userdata, struct nlmsghdr *header)
{
	struct fl_nft_monitor *monitor = userdata;

	if (NFNL_SUBSYS_ID(header->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    !nlmsg_valid_hdr(header, sizeof(struct nfgenmsg)))
		return;
	if (NFNL_MSG_TYPE(header->nlmsg_type) == NFT_MSG_NEWGEN)
		end_transaction(monitor, header);
	else
		monitor->touched |= find_touched(monitor, header);
}

/* a transaction that was not told to its end is part of what was lost */
static void tell_overrun(void *userdata)
{
	const struct fl_nft_change change = {.touched = 0};
	struct fl_nft_monitor *monitor = userdata;

	monitor->touched = 0;
	monitor->fn(monitor->userdata, &change);
}

int fl_nft_monitor_dispatch(struct fl_nft_monitor *monitor)
{
	return fl_notifications_dispatch(&monitor->notifications);
}
