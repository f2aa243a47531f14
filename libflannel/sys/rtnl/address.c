/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sys/rtnl/address.h"

/* the last address of an IPv4 network, which is its broadcast address */
static uint32_t broadcast_of(const struct flannel_prefix *address)
{
	uint32_t bits;

	memcpy(&bits, address->addr, sizeof(bits));
	return bits | htonl(UINT32_MAX >> address->plen);
}

/* a message that names an address of a link; NULL without memory */
static struct nl_msg *make_message(uint16_t type, uint16_t flags, uint32_t ifindex,
				   const struct flannel_prefix *address)
{
	const struct ifaddrmsg header = {
		.ifa_family = (uint8_t)address->family,
		.ifa_prefixlen = address->plen,
		.ifa_index = ifindex,
	};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(type, flags, &header, sizeof(header));
	int len = fl_rtnl_address_len(address->family);

	if (!message || nla_put(message, IFA_LOCAL, len, address->addr) < 0 ||
	    nla_put(message, IFA_ADDRESS, len, address->addr) < 0)
		return NULL;
	return FL_TAKE(message);
}

struct nl_msg *fl_address_make_message(enum fl_verb verb, uint32_t ifindex, const struct flannel_prefix *address)
{
	bool is_deletion = verb == FL_VERB_DELETE;
	uint16_t flags = NLM_F_CREATE | (verb == FL_VERB_REPLACE ? NLM_F_REPLACE : NLM_F_EXCL);
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message =
		make_message(is_deletion ? RTM_DELADDR : RTM_NEWADDR, is_deletion ? 0 : flags, ifindex, address);

	if (message && !is_deletion && nla_put_u32(message, IFA_FLAGS, IFA_F_NODAD) < 0)
		return NULL;
	return FL_TAKE(message);
}

int fl_address_add(struct fl_rtnl *rtnl, uint32_t ifindex, const struct flannel_prefix *address, const char *link_name,
		   struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = make_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, address);
	char text[FLANNEL_PREFIX_STRLEN];

	if (!message)
		return fl_error_oom(ret_error);
	/* networks of one or two addresses have none (RFC 3021) */
	if (address->family == AF_INET && address->plen < 31 &&
	    nla_put_u32(message, IFA_BROADCAST, broadcast_of(address)) < 0)
		return fl_error_oom(ret_error);
	return fl_rtnl_request(rtnl, message, NULL, NULL, ret_error, "add address %s to %s",
			       flannel_prefix_format(address, text, sizeof(text)), link_name);
}

int fl_address_delete(struct fl_rtnl *rtnl, uint32_t ifindex, const struct flannel_prefix *address,
		      const char *link_name, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = make_message(RTM_DELADDR, 0, ifindex, address);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	char text[FLANNEL_PREFIX_STRLEN];
	int r;

	if (!message)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(rtnl, message, NULL, NULL, &error, "delete address %s from %s",
			    flannel_prefix_format(address, text, sizeof(text)), link_name);
	if (r == -EADDRNOTAVAIL || r == -ENODEV)
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r < 0 ? r : 1;
}

/* types and lengths that the attributes must have */
static const struct nla_policy address_policy[IFA_MAX + 1] = {
	[IFA_FLAGS] = {.type = NLA_U32},
};

int fl_address_parse(const struct nlmsghdr *header, struct fl_interface_address *ret_address)
{
	struct nlattr *tb[IFA_MAX + 1], *own;
	struct fl_interface_address result = {0};
	const struct ifaddrmsg *address;
	int len;

	if (!nlmsg_valid_hdr(header, sizeof(*address)))
		return -EBADMSG;
	address = nlmsg_data(header);
	len = fl_rtnl_address_len(address->ifa_family);
	if (len == 0 || address->ifa_prefixlen > 8 * len ||
	    nla_parse(tb, IFA_MAX, nlmsg_attrdata(header, sizeof(*address)), nlmsg_attrlen(header, sizeof(*address)),
		      address_policy) < 0)
		return -EBADMSG;
	/* with a peer, IFA_ADDRESS is the peer's */
	own = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!own || nla_len(own) != len)
		return -EBADMSG;
	result.ifindex = address->ifa_index;
	result.address.family = address->ifa_family;
	result.address.plen = address->ifa_prefixlen;
	memcpy(result.address.addr, nla_data(own), (size_t)len);
	/* the header has room for the first eight flags only */
	result.flags = tb[IFA_FLAGS] ? nla_get_u32(tb[IFA_FLAGS]) : address->ifa_flags;
	result.scope = address->ifa_scope;
	*ret_address = result;
	return 0;
}

/* one address of a list; a dump of all families brings those of rare ones, too */
static int parse_item(void *userdata, const struct nlmsghdr *header, void *ret_item)
{
	const struct rtgenmsg *family = nlmsg_data(header);
	int r;

	(void)userdata;
	if (nlmsg_valid_hdr(header, sizeof(*family)) && fl_rtnl_address_len(family->rtgen_family) == 0)
		return 0;
	r = fl_address_parse(header, ret_item);
	return r < 0 ? r : 1;
}

int fl_address_list(struct fl_rtnl *rtnl, uint32_t ifindex, int family, struct fl_interface_address **ret_addresses,
		    size_t *ret_n, struct flannel_error **ret_error)
{
	const struct ifaddrmsg header = {.ifa_family = (uint8_t)family, .ifa_index = ifindex};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_GETADDR, 0, &header, sizeof(header));
	void *addresses;
	int r;

	if (!message)
		return fl_error_oom(ret_error);
	r = fl_rtnl_list(rtnl, message, sizeof(**ret_addresses), parse_item, NULL, &addresses, ret_n, ret_error,
			 "list addresses");
	if (r == 0)
		*ret_addresses = addresses;
	return r;
}
