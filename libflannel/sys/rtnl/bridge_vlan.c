/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/socket.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sys/rtnl/bridge_vlan.h"

/* spans in one request; each takes two attributes of eight bytes, and a message has room for about 1,000 bytes */
#define SPANS_MAX 50

/* one end of a span; negative if there is no room */
static int put_vlan(struct nl_msg *message, uint16_t vlan, unsigned int flags)
{
	const struct bridge_vlan_info info = {.flags = (uint16_t)flags, .vid = vlan};

	return nla_put(message, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info);
}

/* a span; negative if there is no room */
static int put_span(struct nl_msg *message, const struct flannel_vlan_span *span, unsigned int flags)
{
	if (span->first == span->last)
		return put_vlan(message, span->first, flags);
	return put_vlan(message, span->first, flags | BRIDGE_VLAN_INFO_RANGE_BEGIN) |
	       put_vlan(message, span->last, flags | BRIDGE_VLAN_INFO_RANGE_END);
}

/* a message about VLANs of a port, which its bridge ("master") carries out; NULL without memory */
static struct nl_msg *make_message(uint16_t type, uint32_t ifindex, const struct flannel_vlan_span *spans,
				   size_t n_spans, unsigned int flags)
{
	const struct ifinfomsg header = {.ifi_family = AF_BRIDGE, .ifi_index = (int)ifindex};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(type, 0, &header, sizeof(header));
	struct nlattr *data = message ? nla_nest_start(message, IFLA_AF_SPEC) : NULL;
	int r;

	if (!data)
		return NULL;
	r = nla_put_u16(message, IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_MASTER);
	for (size_t i = 0; i < n_spans; i++)
		r |= put_span(message, &spans[i], flags);
	r |= nla_nest_end(message, data);
	return r < 0 ? NULL : FL_TAKE(message);
}

int fl_bridge_vlan_add(struct fl_rtnl *rtnl, uint32_t ifindex, const char *name, const struct flannel_vlan_span *spans,
		       size_t n_spans, enum fl_bridge_vlan_mode mode, struct flannel_error **ret_error)
{
	const unsigned int flags =
		mode == FL_BRIDGE_VLAN_UNTAGGED ? BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED : 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_spans; i += SPANS_MAX) {
		const size_t n = n_spans - i < SPANS_MAX ? n_spans - i : SPANS_MAX;
		FL_CLEANUP(fl_rtnl_message_freep)
		struct nl_msg *message = make_message(RTM_SETLINK, ifindex, &spans[i], n, flags);

		if (!message)
			return fl_error_oom(ret_error);
		r = fl_rtnl_request(rtnl, message, NULL, NULL, ret_error, "put port %s into VLAN %u%s", name,
				    spans[i].first, n_spans > 1 || spans[i].last > spans[i].first ? " and others" : "");
	}
	return r;
}

int fl_bridge_vlan_delete(struct fl_rtnl *rtnl, uint32_t ifindex, const char *name, uint16_t vlan,
			  struct flannel_error **ret_error)
{
	const struct flannel_vlan_span span = {vlan, vlan};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = make_message(RTM_DELLINK, ifindex, &span, 1, 0);

	if (!message)
		return fl_error_oom(ret_error);
	return fl_rtnl_request(rtnl, message, NULL, NULL, ret_error, "take port %s out of VLAN %u", name, vlan);
}

/* what is looked for in a port's VLANs */
struct search {
	uint16_t vlan;
	bool found;
};

/* types and lengths that the attributes must have */
static const struct nla_policy entry_policy[BRIDGE_VLANDB_ENTRY_MAX + 1] = {
	[BRIDGE_VLANDB_ENTRY_INFO] = {.type = NLA_UNSPEC, .minlen = sizeof(struct bridge_vlan_info)},
	[BRIDGE_VLANDB_ENTRY_RANGE] = {.type = NLA_U16},
};

/* one message of the list: VLANs of a port, those that follow each other as one entry */
static int look_at(void *userdata, const struct nlmsghdr *header)
{
	const int header_size = sizeof(struct br_vlan_msg);
	struct nlattr *tb[BRIDGE_VLANDB_ENTRY_MAX + 1];
	struct search *search = userdata;
	const struct nlattr *entry;
	int left;

	if (header->nlmsg_type != RTM_NEWVLAN || !nlmsg_valid_hdr(header, header_size))
		return -EBADMSG;
	nla_for_each_attr(entry, nlmsg_attrdata(header, header_size), nlmsg_attrlen(header, header_size), left)
	{
		struct bridge_vlan_info info;
		uint16_t last;

		if (nla_type(entry) != BRIDGE_VLANDB_ENTRY)
			continue;
		if (nla_parse_nested(tb, BRIDGE_VLANDB_ENTRY_MAX, (struct nlattr *)(uintptr_t)entry, entry_policy) <
			    0 ||
		    !tb[BRIDGE_VLANDB_ENTRY_INFO])
			return -EBADMSG;
		memcpy(&info, nla_data(tb[BRIDGE_VLANDB_ENTRY_INFO]), sizeof(info));
		last = tb[BRIDGE_VLANDB_ENTRY_RANGE] ? nla_get_u16(tb[BRIDGE_VLANDB_ENTRY_RANGE]) : info.vid;
		search->found |= search->vlan >= info.vid && search->vlan <= last;
	}
	return 0;
}

int fl_bridge_vlan_has(struct fl_rtnl *rtnl, uint32_t ifindex, uint16_t vlan, struct flannel_error **ret_error)
{
	const struct br_vlan_msg header = {.family = AF_BRIDGE, .ifindex = ifindex};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_GETVLAN, 0, &header, sizeof(header));
	struct search search = {.vlan = vlan};
	int r;

	if (!message)
		return fl_error_oom(ret_error);
	r = fl_rtnl_dump(rtnl, message, look_at, &search, ret_error, "list VLANs of port %u", ifindex);
	return r < 0 ? r : search.found;
}
