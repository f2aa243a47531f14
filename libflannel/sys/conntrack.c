/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which defines the same again otherwise */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* the kernel's names for these bits of CTA_FILTER_ORIG_FLAGS are not among its public ones */
#define FILTER_PROTOCOL (1U << 3)
#define FILTER_DESTINATION_PORT (1U << 5)

/* room for the tuple of a connection, as the kernel tells it */
#define TUPLE_SIZE 128

/* a message; version 1 says that the family counts for what is asked without an address */
static struct nl_msg *make_message(uint8_t type, int family)
{
	const struct nfgenmsg header = {.nfgen_family = (uint8_t)family, .version = 1};

	return fl_rtnl_message(NFNL_SUBSYS_CTNETLINK << 8 | type, 0, &header, sizeof(header));
}

/* appends protocol and port as the tuple to look for, and that no more of a tuple counts */
static int put_filter(struct nl_msg *message, uint8_t protocol, uint16_t port)
{
	struct nlattr *tuple = nla_nest_start(message, CTA_TUPLE_ORIG), *part, *filter;

	part = tuple ? nla_nest_start(message, CTA_TUPLE_PROTO) : NULL;
	if (!part || nla_put_u8(message, CTA_PROTO_NUM, protocol) < 0 ||
	    nla_put_u16(message, CTA_PROTO_DST_PORT, htons(port)) < 0)
		return -ENOMEM;
	nla_nest_end(message, part);
	nla_nest_end(message, tuple);
	filter = nla_nest_start(message, CTA_FILTER);
	if (!filter || nla_put_u32(message, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL | FILTER_DESTINATION_PORT) < 0 ||
	    nla_put_u32(message, CTA_FILTER_REPLY_FLAGS, 0) < 0)
		return -ENOMEM;
	nla_nest_end(message, filter);
	return 0;
}

/* connections that are to be deleted, by their tuples */
struct tuple {
	uint8_t bytes[TUPLE_SIZE];
	int len;
	uint16_t zone;
};

/* what to look for */
struct wanted {
	uint8_t protocol;
	uint16_t port;
};

/* the attribute of a type inside another one, which may be NULL */
static struct nlattr *inside(struct nlattr *nest, int type)
{
	return nest ? nla_find(nla_data(nest), nla_len(nest), type) : NULL;
}

/* keeps the tuple of a connection that is wanted; kernels that do not filter (before Linux 5.8) tell all */
static int parse_connection(void *userdata, const struct nlmsghdr *header, void *ret_item)
{
	const struct wanted *wanted = userdata;
	struct nlmsghdr *message = (struct nlmsghdr *)(uintptr_t)header;
	struct nlattr *original = nlmsg_find_attr(message, sizeof(struct nfgenmsg), CTA_TUPLE_ORIG);
	struct nlattr *zone = nlmsg_find_attr(message, sizeof(struct nfgenmsg), CTA_ZONE);
	struct nlattr *proto = inside(original, CTA_TUPLE_PROTO);
	struct nlattr *number = inside(proto, CTA_PROTO_NUM), *port = inside(proto, CTA_PROTO_DST_PORT);
	struct tuple *tuple = ret_item;

	if (!number || !port || nla_len(port) < 2 || nla_get_u8(number) != wanted->protocol ||
	    ntohs(nla_get_u16(port)) != wanted->port || nla_len(original) > TUPLE_SIZE)
		return 0;
	memcpy(tuple->bytes, nla_data(original), (size_t)nla_len(original));
	tuple->len = nla_len(original);
	tuple->zone = zone && nla_len(zone) >= 2 ? nla_get_u16(zone) : 0;
	return 1;
}

/* deletes one connection; that it is gone is as good */
static int delete_connection(struct fl_rtnl *netfilter, int family, const struct tuple *tuple,
			     struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = make_message(IPCTNL_MSG_CT_DELETE, family);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (!message || nla_put(message, NLA_F_NESTED | CTA_TUPLE_ORIG, tuple->len, tuple->bytes) < 0 ||
	    (tuple->zone != 0 && nla_put_u16(message, CTA_ZONE, tuple->zone) < 0))
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(netfilter, message, NULL, NULL, &error, "forget a tracked connection");
	if (r >= 0 || r == -ENOENT)
		return 0;
	if (ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

int fl_conntrack_forget_each(struct fl_rtnl *netfilter, int family, uint8_t protocol, uint16_t port,
			     struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = make_message(IPCTNL_MSG_CT_GET, family);
	struct wanted wanted = {.protocol = protocol, .port = port};
	FL_CLEANUP(fl_freep) void *items = NULL;
	const struct tuple *tuples;
	size_t n = 0;
	int r;

	if (!message || put_filter(message, protocol, port) < 0)
		return fl_error_oom(ret_error);
	r = fl_rtnl_list(netfilter, message, sizeof(*tuples), parse_connection, &wanted, &items, &n, ret_error,
			 "list tracked connections");
	tuples = items;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = delete_connection(netfilter, family, &tuples[i], ret_error);
	return r < 0 ? r : (int)n;
}

int fl_conntrack_forget(struct fl_rtnl *netfilter, int family, uint8_t protocol, uint16_t port,
			struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = make_message(IPCTNL_MSG_CT_DELETE, family);
	int r;

	if (!message || put_filter(message, protocol, port) < 0)
		return fl_error_oom(ret_error);
	/* a kernel that does not know the filter takes the tuple for one whole connection, which it is not: -EINVAL */
	r = fl_rtnl_request(netfilter, message, NULL, NULL, NULL, "forget tracked connections");
	if (r == 0 || r == -ENOENT)
		return 0;
	r = fl_conntrack_forget_each(netfilter, family, protocol, port, ret_error);
	return r < 0 ? r : 0;
}
