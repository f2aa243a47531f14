/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <linux/if_link.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sys/rtnl/vxlan.h"

#define DEFAULT_PORT 8472
#define PORT_PARAMETER "/sys/module/vxlan/parameters/udp_port"

int fl_vxlan_put(struct nl_msg *message, const struct fl_vxlan_link *vxlan, uint32_t lower_ifindex, bool is_new)
{
	const int len = fl_rtnl_address_len(vxlan->local.family);
	struct nlattr *data = nla_nest_start(message, IFLA_INFO_DATA);
	int r = 0;

	if (!data)
		return -1;
	r |= nla_put_u32(message, IFLA_VXLAN_ID, vxlan->vni);
	if (lower_ifindex)
		r |= nla_put_u32(message, IFLA_VXLAN_LINK, lower_ifindex);
	if (len)
		r |= nla_put(message, len == 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, len, vxlan->local.addr);
	r |= nla_put_u8(message, IFLA_VXLAN_LEARNING, vxlan->learning);
	if (is_new && vxlan->port)
		r |= nla_put_u16(message, IFLA_VXLAN_PORT, htons(vxlan->port));
	if (is_new && vxlan->gbp)
		r |= nla_put_flag(message, IFLA_VXLAN_GBP);
	return r | nla_nest_end(message, data);
}

/* types and lengths that the attributes must have */
static const struct nla_policy vxlan_policy[IFLA_VXLAN_MAX + 1] = {
	[IFLA_VXLAN_ID] = {.type = NLA_U32},      [IFLA_VXLAN_LINK] = {.type = NLA_U32},
	[IFLA_VXLAN_LOCAL] = {.minlen = 4},       [IFLA_VXLAN_LOCAL6] = {.minlen = 16},
	[IFLA_VXLAN_LEARNING] = {.type = NLA_U8}, [IFLA_VXLAN_PORT] = {.type = NLA_U16},
};

int fl_vxlan_parse(struct nlattr *data, struct fl_vxlan_link *ret_vxlan, uint32_t *ret_lower_ifindex)
{
	struct nlattr *tb[IFLA_VXLAN_MAX + 1];

	if (nla_parse_nested(tb, IFLA_VXLAN_MAX, data, vxlan_policy) < 0)
		return -EBADMSG;
	if (tb[IFLA_VXLAN_ID])
		ret_vxlan->vni = nla_get_u32(tb[IFLA_VXLAN_ID]);
	if (tb[IFLA_VXLAN_LINK])
		*ret_lower_ifindex = nla_get_u32(tb[IFLA_VXLAN_LINK]);
	if (tb[IFLA_VXLAN_LOCAL]) {
		ret_vxlan->local = (struct flannel_prefix){.family = AF_INET, .plen = 32};
		memcpy(ret_vxlan->local.addr, nla_data(tb[IFLA_VXLAN_LOCAL]), 4);
	} else if (tb[IFLA_VXLAN_LOCAL6]) {
		ret_vxlan->local = (struct flannel_prefix){.family = AF_INET6, .plen = 128};
		memcpy(ret_vxlan->local.addr, nla_data(tb[IFLA_VXLAN_LOCAL6]), 16);
	}
	if (tb[IFLA_VXLAN_PORT])
		ret_vxlan->port = ntohs(nla_get_u16(tb[IFLA_VXLAN_PORT]));
	ret_vxlan->learning = tb[IFLA_VXLAN_LEARNING] && nla_get_u8(tb[IFLA_VXLAN_LEARNING]);
	ret_vxlan->gbp = tb[IFLA_VXLAN_GBP] != NULL;
	return 0;
}

uint16_t fl_vxlan_default_port(void)
{
	FL_CLEANUP(fl_closep) int fd = open(PORT_PARAMETER, O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	unsigned long port;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return DEFAULT_PORT;
	port = strtoul(text, NULL, 10);
	return port > 0 && port <= UINT16_MAX ? (uint16_t)port : DEFAULT_PORT;
}
