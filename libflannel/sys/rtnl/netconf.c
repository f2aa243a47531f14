/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sys/rtnl/netconf.h"

/* types and lengths that the attributes must have */
static const struct nla_policy netconf_policy[NETCONFA_MAX + 1] = {
	[NETCONFA_FORWARDING] = {.type = NLA_U32},
};

/* keeps the answer's value */
static int take_forwarding(void *userdata, const struct nlmsghdr *header)
{
	struct nlattr *tb[NETCONFA_MAX + 1];
	int *forwarding = userdata;

	if (header->nlmsg_type != RTM_NEWNETCONF)
		return 0;
	if (!nlmsg_valid_hdr(header, sizeof(struct netconfmsg)) ||
	    nla_parse(tb, NETCONFA_MAX, nlmsg_attrdata(header, sizeof(struct netconfmsg)),
		      nlmsg_attrlen(header, sizeof(struct netconfmsg)), netconf_policy) < 0 ||
	    !tb[NETCONFA_FORWARDING])
		return -EBADMSG;
	*forwarding = nla_get_u32(tb[NETCONFA_FORWARDING]) != 0;
	return 0;
}

int fl_netconf_get_forwarding(struct fl_rtnl *rtnl, int family, struct flannel_error **ret_error)
{
	const struct netconfmsg header = {.ncm_family = (uint8_t)family};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_GETNETCONF, 0, &header, sizeof(header));
	const char *name = family == AF_INET6 ? "IPv6" : "IPv4";
	int forwarding = -EBADMSG, r;

	if (!message || nla_put_u32(message, NETCONFA_IFINDEX, (uint32_t)NETCONFA_IFINDEX_ALL) < 0)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(rtnl, message, take_forwarding, &forwarding, ret_error, "get forwarding of %s", name);
	if (r >= 0 && forwarding < 0)
		return fl_error_set(ret_error, forwarding, "rtnl", "there was no answer", "get forwarding of %s", name);
	return r < 0 ? r : forwarding;
}
