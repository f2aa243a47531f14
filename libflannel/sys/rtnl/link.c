/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sys/rtnl/link.h"
#include "sys/rtnl/vxlan.h"

/* attributes that belong to a link as a bridge port, and those that are its own */
#define PORT_ATTRIBUTES (FL_LINK_HAIRPIN | FL_LINK_ISOLATED)
#define OWN_ATTRIBUTES                                                                                                 \
	(FL_LINK_MTU | FL_LINK_MAC | FL_LINK_UP | FL_LINK_PROMISC | FL_LINK_MASTER | FL_LINK_OPERSTATE |               \
	 FL_LINK_TXQLEN | FL_LINK_ALLMULTI | FL_LINK_ALIAS | FL_LINK_ARP_NOTIFY)

int fl_link_find_index(struct fl_rtnl *rtnl, const char *name, uint32_t *ret_ifindex)
{
	struct ifreq request = {0};
	size_t len = strlen(name);

	if (len == 0 || len >= sizeof(request.ifr_name))
		return -ENODEV;
	memcpy(request.ifr_name, name, len);
	if (ioctl(fl_rtnl_get_fd(rtnl), SIOCGIFINDEX, &request) < 0)
		return -errno;
	*ret_ifindex = (uint32_t)request.ifr_ifindex;
	return 0;
}

int fl_link_find_name(struct fl_rtnl *rtnl, uint32_t ifindex, char ret_name[FLANNEL_IFNAME_SIZE])
{
	struct ifreq request = {.ifr_ifindex = (int)ifindex};

	if (ioctl(fl_rtnl_get_fd(rtnl), SIOCGIFNAME, &request) < 0)
		return -errno;
	memcpy(ret_name, request.ifr_name, FLANNEL_IFNAME_SIZE);
	return 0;
}

bool fl_link_is_running(struct fl_rtnl *rtnl, const char *name)
{
	struct ifreq request = {0};

	memcpy(request.ifr_name, name, strnlen(name, sizeof(request.ifr_name) - 1));
	return ioctl(fl_rtnl_get_fd(rtnl), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING);
}

/* types and lengths that the attributes must have */
static const struct nla_policy port_policy[IFLA_BRPORT_MAX + 1] = {
	[IFLA_BRPORT_MODE] = {.type = NLA_U8},
	[IFLA_BRPORT_ISOLATED] = {.type = NLA_U8},
};

/* reads what a bridge says of its port */
static int parse_port(struct nlattr *data, struct fl_link_info *info)
{
	struct nlattr *tb[IFLA_BRPORT_MAX + 1];

	if (nla_parse_nested(tb, IFLA_BRPORT_MAX, data, port_policy) < 0)
		return -EBADMSG;
	info->is_port = true;
	info->hairpin = tb[IFLA_BRPORT_MODE] && nla_get_u8(tb[IFLA_BRPORT_MODE]);
	info->isolated = tb[IFLA_BRPORT_ISOLATED] && nla_get_u8(tb[IFLA_BRPORT_ISOLATED]);
	return 0;
}

/* types and lengths that the attributes must have */
static const struct nla_policy bridge_policy[IFLA_BR_MAX + 1] = {
	[IFLA_BR_VLAN_FILTERING] = {.type = NLA_U8},
	[IFLA_BR_VLAN_DEFAULT_PVID] = {.type = NLA_U16},
};

/* reads what is peculiar to a bridge */
static int parse_bridge(struct nlattr *data, struct fl_link_info *info)
{
	struct nlattr *tb[IFLA_BR_MAX + 1];

	if (nla_parse_nested(tb, IFLA_BR_MAX, data, bridge_policy) < 0)
		return -EBADMSG;
	info->vlan_filter = tb[IFLA_BR_VLAN_FILTERING] && nla_get_u8(tb[IFLA_BR_VLAN_FILTERING]);
	if (tb[IFLA_BR_VLAN_DEFAULT_PVID])
		info->default_vlan = nla_get_u16(tb[IFLA_BR_VLAN_DEFAULT_PVID]);
	return 0;
}

/* types and lengths that the attributes must have */
static const struct nla_policy kind_policy[IFLA_INFO_MAX + 1] = {
	[IFLA_INFO_KIND] = {.type = NLA_STRING},
	[IFLA_INFO_SLAVE_KIND] = {.type = NLA_STRING},
};

/* reads the kind of a link, and of which kind its master is */
static int parse_kind(struct nlattr *linkinfo, struct fl_link_info *info)
{
	struct nlattr *tb[IFLA_INFO_MAX + 1];

	if (nla_parse_nested(tb, IFLA_INFO_MAX, linkinfo, kind_policy) < 0)
		return -EBADMSG;
	if (tb[IFLA_INFO_KIND])
		nla_strlcpy(info->kind, tb[IFLA_INFO_KIND], sizeof(info->kind));
	if (tb[IFLA_INFO_DATA] && strcmp(info->kind, "bridge") == 0 && parse_bridge(tb[IFLA_INFO_DATA], info) < 0)
		return -EBADMSG;
	if (tb[IFLA_INFO_DATA] && strcmp(info->kind, "vxlan") == 0 &&
	    fl_vxlan_parse(tb[IFLA_INFO_DATA], &info->vxlan, &info->lower_ifindex) < 0)
		return -EBADMSG;
	if (tb[IFLA_INFO_SLAVE_KIND] && tb[IFLA_INFO_SLAVE_DATA] && nla_strcmp(tb[IFLA_INFO_SLAVE_KIND], "bridge") == 0)
		return parse_port(tb[IFLA_INFO_SLAVE_DATA], info);
	return 0;
}

/* does the array of IPv6 settings say that router advertisements are refused */
static bool refuses_ra(const struct nlattr *af_spec)
{
	const struct nlattr *ipv6 = af_spec ? nla_find(nla_data(af_spec), nla_len(af_spec), AF_INET6) : NULL;
	const struct nlattr *conf = ipv6 ? nla_find(nla_data(ipv6), nla_len(ipv6), IFLA_INET6_CONF) : NULL;
	int32_t accept_ra;

	if (!conf || nla_len(conf) < (int)((DEVCONF_ACCEPT_RA + 1) * sizeof(accept_ra)))
		return false;
	memcpy(&accept_ra, (const char *)nla_data(conf) + DEVCONF_ACCEPT_RA * sizeof(accept_ra), sizeof(accept_ra));
	return accept_ra == 0;
}

/* a number that may be absent */
static uint32_t get_u32(const struct nlattr *attr)
{
	return attr ? nla_get_u32(attr) : 0;
}

/* types and lengths that the attributes must have */
static const struct nla_policy link_policy[IFLA_MAX + 1] = {
	[IFLA_IFNAME] = {.type = NLA_STRING, .minlen = 2, .maxlen = FLANNEL_IFNAME_SIZE},
	[IFLA_MTU] = {.type = NLA_U32},
	[IFLA_TXQLEN] = {.type = NLA_U32},
	[IFLA_LINK] = {.type = NLA_U32},
	[IFLA_MASTER] = {.type = NLA_U32},
	[IFLA_PROMISCUITY] = {.type = NLA_U32},
	[IFLA_OPERSTATE] = {.type = NLA_U8},
	[IFLA_IFALIAS] = {.type = NLA_STRING},
	[IFLA_LINKINFO] = {.type = NLA_NESTED},
	[IFLA_AF_SPEC] = {.type = NLA_NESTED},
};

int fl_link_parse(const struct nlmsghdr *header, struct fl_link_info *ret_info)
{
	struct nlattr *tb[IFLA_MAX + 1];
	struct fl_link_info info = {0};
	const struct ifinfomsg *link;

	if (!nlmsg_valid_hdr(header, sizeof(*link)))
		return -EBADMSG;
	link = nlmsg_data(header);
	if (link->ifi_family != AF_UNSPEC ||
	    nla_parse(tb, IFLA_MAX, nlmsg_attrdata(header, sizeof(*link)), nlmsg_attrlen(header, sizeof(*link)),
		      link_policy) < 0 ||
	    !tb[IFLA_IFNAME])
		return -EBADMSG;
	if (tb[IFLA_LINKINFO] && parse_kind(tb[IFLA_LINKINFO], &info) < 0)
		return -EBADMSG;
	nla_strlcpy(info.name, tb[IFLA_IFNAME], sizeof(info.name));
	if (tb[IFLA_IFALIAS])
		nla_strlcpy(info.alias, tb[IFLA_IFALIAS], sizeof(info.alias));
	info.ifindex = (uint32_t)link->ifi_index;
	info.flags = link->ifi_flags;
	info.mtu = get_u32(tb[IFLA_MTU]);
	info.txqlen = get_u32(tb[IFLA_TXQLEN]);
	info.master_ifindex = get_u32(tb[IFLA_MASTER]);
	info.peer_ifindex = get_u32(tb[IFLA_LINK]);
	info.promiscuity = get_u32(tb[IFLA_PROMISCUITY]);
	info.operstate = tb[IFLA_OPERSTATE] ? nla_get_u8(tb[IFLA_OPERSTATE]) : 0;
	info.refuses_ra = refuses_ra(tb[IFLA_AF_SPEC]);
	info.has_mac = tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == FL_MAC_LEN;
	if (info.has_mac)
		memcpy(info.mac, nla_data(tb[IFLA_ADDRESS]), FL_MAC_LEN);
	*ret_info = info;
	return 0;
}

/* a link that an answer or an echo told of */
struct answer {
	struct fl_link_info info;
	bool seen;
};

/* keeps the link of an answer; one that makes no sense counts as none, lest a link be made and reported as a failure */
static int take_link(void *userdata, const struct nlmsghdr *header)
{
	struct answer *answer = userdata;

	if (!answer->seen && header->nlmsg_type == RTM_NEWLINK)
		answer->seen = fl_link_parse(header, &answer->info) == 0;
	return 0;
}

/* asks for one link, by name if there is one, without the statistics that make up half of an answer */
static int get_link(struct fl_rtnl *rtnl, const char *name, uint32_t ifindex, struct fl_link_info *ret_info,
		    struct flannel_error **ret_error)
{
	const struct ifinfomsg header = {.ifi_index = (int)ifindex};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_GETLINK, 0, &header, sizeof(header));
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct answer answer = {0};
	int r;

	if (!message || nla_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0 ||
	    (name && nla_put_string(message, IFLA_IFNAME, name) < 0))
		return fl_error_oom(ret_error);
	if (name)
		r = fl_rtnl_request(rtnl, message, take_link, &answer, &error, "get link %s", name);
	else
		r = fl_rtnl_request(rtnl, message, take_link, &answer, &error, "get link %u", ifindex);
	if (r == -ENODEV)
		return 0;
	if (r < 0) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	if (!answer.seen)
		return fl_error_set(ret_error, -EBADMSG, "rtnl", NULL, "get link %s", name ? name : "by index");
	*ret_info = answer.info;
	return 1;
}

int fl_link_get(struct fl_rtnl *rtnl, const char *name, struct fl_link_info *ret_info, struct flannel_error **ret_error)
{
	return get_link(rtnl, name, 0, ret_info, ret_error);
}

int fl_link_get_by_index(struct fl_rtnl *rtnl, uint32_t ifindex, struct fl_link_info *ret_info,
			 struct flannel_error **ret_error)
{
	return get_link(rtnl, NULL, ifindex, ret_info, ret_error);
}

/* one link of a list */
static int parse_item(void *userdata, const struct nlmsghdr *header, void *ret_item)
{
	int r = fl_link_parse(header, ret_item);

	(void)userdata;
	return r < 0 ? r : 1;
}

/* order of a list; the kernel's was that of a hash table until Linux 6.8 */
static int compare_indices(const void *a, const void *b)
{
	uint32_t index_a = ((const struct fl_link_info *)a)->ifindex,
		 index_b = ((const struct fl_link_info *)b)->ifindex;

	return (index_a > index_b) - (index_a < index_b);
}

int fl_link_list(struct fl_rtnl *rtnl, struct fl_link_info **ret_links, size_t *ret_n, struct flannel_error **ret_error)
{
	const struct ifinfomsg header = {0};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_GETLINK, 0, &header, sizeof(header));
	void *links;
	size_t n;
	int r;

	if (!message || nla_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0)
		return fl_error_oom(ret_error);
	r = fl_rtnl_list(rtnl, message, sizeof(**ret_links), parse_item, NULL, &links, &n, ret_error, "list links");
	if (r < 0)
		return r;
	if (n > 1)
		qsort(links, n, sizeof(**ret_links), compare_indices);
	*ret_links = links;
	*ret_n = n;
	return 0;
}

/* indices of the links that a link names; 0 where it names none */
struct others {
	uint32_t master;
	uint32_t lower;
};

/* looks them up */
static int find_others(struct fl_rtnl *rtnl, const struct fl_link *link, struct others *ret_others,
		       struct flannel_error **ret_error)
{
	int r = 0;

	*ret_others = (struct others){0};
	if ((link->set & FL_LINK_MASTER) && link->master[0])
		r = fl_link_find_index(rtnl, link->master, &ret_others->master);
	if (r < 0)
		return fl_error_set(ret_error, r, "rtnl", NULL, "put %s into %s", link->name, link->master);
	if ((link->set & FL_LINK_VXLAN) && link->vxlan.lower[0])
		r = fl_link_find_index(rtnl, link->vxlan.lower, &ret_others->lower);
	if (r < 0)
		return fl_error_set(ret_error, r, "rtnl", NULL, "set up %s over %s", link->name, link->vxlan.lower);
	return 0;
}

/* one flag of a message's header, if it is to be set or cleared */
static void put_flag(struct ifinfomsg *header, const struct fl_link *link, unsigned int attribute, unsigned int flag,
		     bool is_on)
{
	if (!(link->set & attribute))
		return;
	header->ifi_change |= flag;
	header->ifi_flags |= is_on ? flag : 0;
}

/* the message's header, with the flags for UP, PROMISC and ALLMULTI */
static struct ifinfomsg make_header(const struct fl_link *link, uint32_t ifindex)
{
	struct ifinfomsg header = {.ifi_index = (int)ifindex};

	put_flag(&header, link, FL_LINK_UP, IFF_UP, link->up);
	put_flag(&header, link, FL_LINK_PROMISC, IFF_PROMISC, link->promisc);
	put_flag(&header, link, FL_LINK_ALLMULTI, IFF_ALLMULTI, link->allmulti);
	return header;
}

/* appends the attributes that both a new and an existing link takes; negative if there is no room */
static int put_attributes(struct nl_msg *message, const struct fl_link *link, uint32_t master_ifindex)
{
	int r = 0;

	if (link->set & FL_LINK_MTU)
		r |= nla_put_u32(message, IFLA_MTU, link->mtu);
	if (link->set & FL_LINK_MAC)
		r |= nla_put(message, IFLA_ADDRESS, FL_MAC_LEN, link->mac);
	if (link->set & FL_LINK_MASTER)
		r |= nla_put_u32(message, IFLA_MASTER, master_ifindex);
	if (link->set & FL_LINK_OPERSTATE)
		r |= nla_put_u8(message, IFLA_OPERSTATE, link->operstate);
	if (link->set & FL_LINK_TXQLEN)
		r |= nla_put_u32(message, IFLA_TXQLEN, link->txqlen);
	return r;
}

/* One queue each way: a veth is served by the sender's CPU, and every further queue costs time at creation. */
static int put_queues(struct nl_msg *message)
{
	return nla_put_u32(message, IFLA_NUM_TX_QUEUES, 1) | nla_put_u32(message, IFLA_NUM_RX_QUEUES, 1);
}

/* Appends the other end of a veth. It cannot be born UP: the kernel refuses that until this end is complete. */
static int put_peer(struct nl_msg *message, const struct fl_link *link, int netns_fd)
{
	struct ifinfomsg header = {0};
	struct nlattr *data, *peer;
	int r;

	data = nla_nest_start(message, IFLA_INFO_DATA);
	peer = data ? nla_nest_start(message, VETH_INFO_PEER) : NULL;
	if (!peer)
		return -1;
	r = nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO);
	if (link->peer_name[0])
		r |= nla_put_string(message, IFLA_IFNAME, link->peer_name);
	if (link->set & FL_LINK_MTU)
		r |= nla_put_u32(message, IFLA_MTU, link->mtu);
	if (link->peer_has_mac)
		r |= nla_put(message, IFLA_ADDRESS, FL_MAC_LEN, link->peer_mac);
	if (netns_fd >= 0)
		r |= nla_put_u32(message, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	r |= put_queues(message);
	r |= nla_nest_end(message, peer);
	r |= nla_nest_end(message, data);
	return r;
}

/* appends what is peculiar to a bridge */
static int put_bridge(struct nl_msg *message, const struct fl_link *link)
{
	struct nlattr *data = nla_nest_start(message, IFLA_INFO_DATA);

	if (!data)
		return -1;
	return nla_put_u8(message, IFLA_BR_VLAN_FILTERING, link->vlan_filter) | nla_nest_end(message, data);
}

/* appends kind and what belongs to it */
static int put_kind(struct nl_msg *message, const struct fl_link *link, int peer_netns_fd, uint32_t lower_ifindex,
		    bool is_new)
{
	bool veth = strcmp(link->kind, "veth") == 0;
	struct nlattr *info;
	int r = 0;

	if (veth)
		r |= put_queues(message);
	info = nla_nest_start(message, IFLA_LINKINFO);
	if (!info)
		return -1;
	r |= nla_put_string(message, IFLA_INFO_KIND, link->kind);
	if (veth)
		r |= put_peer(message, link, peer_netns_fd);
	if (link->set & FL_LINK_VLAN_FILTER)
		r |= put_bridge(message, link);
	if (link->set & FL_LINK_VXLAN)
		r |= fl_vxlan_put(message, &link->vxlan, lower_ifindex, is_new);
	r |= nla_nest_end(message, info);
	return r;
}

/* sends the request that makes the link; its echo comes before the link enters its master */
static int send_create(struct fl_rtnl *rtnl, const struct fl_link *link, int peer_netns_fd, const struct others *others,
		       struct answer *answer, struct flannel_error **ret_error)
{
	const struct ifinfomsg header = make_header(link, 0);
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message =
		fl_rtnl_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO, &header, sizeof(header));
	bool peer = link->peer_name[0] != '\0';
	int r;

	if (!message || nla_put_string(message, IFLA_IFNAME, link->name) < 0 ||
	    put_attributes(message, link, others->master) < 0 ||
	    put_kind(message, link, peer_netns_fd, others->lower, true) < 0)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(rtnl, message, take_link, answer, ret_error, "create %s %s%s%s", link->kind, link->name,
			    peer ? " with peer " : "", link->peer_name);
	if (r == 0 && answer->seen && others->master > 0)
		answer->info.master_ifindex = others->master;
	return r;
}

/* reads back what was made, where the kernel did not tell */
static int complete(struct fl_rtnl *rtnl, const char *name, struct answer *answer, struct flannel_error **ret_error)
{
	int r;

	if (answer->seen)
		return 0;
	r = fl_link_get(rtnl, name, &answer->info, ret_error);
	if (r == 0)
		return fl_error_set(ret_error, -ENODEV, "rtnl", "it is gone again", "create %s", name);
	return r < 0 ? r : 0;
}

/* appends that neighbours are told of IPv4 addresses */
static int put_arp_notify(struct nl_msg *message)
{
	struct nlattr *spec = nla_nest_start(message, IFLA_AF_SPEC);
	struct nlattr *settings = spec ? nla_nest_start(message, AF_INET) : NULL;
	struct nlattr *conf = settings ? nla_nest_start(message, IFLA_INET_CONF) : NULL;

	if (!conf)
		return -1;
	return nla_put_u32(message, IPV4_DEVCONF_ARP_NOTIFY, 1) | nla_nest_end(message, conf) |
	       nla_nest_end(message, settings) | nla_nest_end(message, spec);
}

/* appends that no link-local address is made */
static int put_no_link_local(struct nl_msg *message)
{
	struct nlattr *spec = nla_nest_start(message, IFLA_AF_SPEC);
	struct nlattr *settings = spec ? nla_nest_start(message, AF_INET6) : NULL;

	if (!settings)
		return -1;
	return nla_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE) | nla_nest_end(message, settings) |
	       nla_nest_end(message, spec);
}

/* has the link make no link-local address; a kernel without IPv6 makes none anyway */
static int change_link_local(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *link,
			     struct flannel_error **ret_error)
{
	const struct ifinfomsg header = {.ifi_index = (int)ifindex};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_SETLINK, 0, &header, sizeof(header));
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (!message || put_no_link_local(message) < 0)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(rtnl, message, NULL, NULL, &error, "change settings of link %s", link->name);
	if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

/* changes a link's own attributes */
static int change_own(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *link,
		      struct flannel_error **ret_error)
{
	const struct ifinfomsg header = make_header(link, ifindex);
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_SETLINK, 0, &header, sizeof(header));
	struct others others;
	int r = find_others(rtnl, link, &others, ret_error);

	if (r < 0)
		return r;
	if (!message || put_attributes(message, link, others.master) < 0 ||
	    ((link->set & FL_LINK_ALIAS) && nla_put_string(message, IFLA_IFALIAS, link->alias) < 0) ||
	    ((link->set & FL_LINK_ARP_NOTIFY) && put_arp_notify(message) < 0))
		return fl_error_oom(ret_error);
	return fl_rtnl_request(rtnl, message, NULL, NULL, ret_error, "change link %s", link->name);
}

/* changes a link's attributes as a bridge port */
static int change_port(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *link,
		       struct flannel_error **ret_error)
{
	const struct ifinfomsg header = {.ifi_family = AF_BRIDGE, .ifi_index = (int)ifindex};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_SETLINK, 0, &header, sizeof(header));
	struct nlattr *port = message ? nla_nest_start(message, IFLA_PROTINFO) : NULL;
	int r = 0;

	if (!port)
		return fl_error_oom(ret_error);
	if (link->set & FL_LINK_HAIRPIN)
		r |= nla_put_u8(message, IFLA_BRPORT_MODE, link->hairpin);
	if (link->set & FL_LINK_ISOLATED)
		r |= nla_put_u8(message, IFLA_BRPORT_ISOLATED, link->isolated);
	r |= nla_nest_end(message, port);
	if (r < 0)
		return fl_error_oom(ret_error);
	return fl_rtnl_request(rtnl, message, NULL, NULL, ret_error, "change bridge port %s", link->name);
}

/* changes what is peculiar to a kind of link, which takes RTM_NEWLINK: RTM_SETLINK passes over it in silence */
static int change_kind(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *link,
		       struct flannel_error **ret_error)
{
	const struct ifinfomsg header = {.ifi_index = (int)ifindex};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_NEWLINK, 0, &header, sizeof(header));

	struct others others;
	int r = find_others(rtnl, link, &others, ret_error);

	if (r < 0)
		return r;
	if (!message || put_kind(message, link, -1, others.lower, false) < 0)
		return fl_error_oom(ret_error);
	return fl_rtnl_request(rtnl, message, NULL, NULL, ret_error, "change %s %s", link->kind, link->name);
}

/* sets the alias of a new link; without it nobody would know whose the link is, so that it goes if that fails */
static int set_alias(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *link,
		     struct flannel_error **ret_error)
{
	struct fl_link change = *link;
	int r;

	change.set = FL_LINK_ALIAS;
	r = change_own(rtnl, ifindex, &change, ret_error);
	if (r < 0)
		(void)fl_link_delete(rtnl, ifindex, link->name, NULL);
	return r;
}

int fl_link_create(struct fl_rtnl *rtnl, const struct fl_link *link, int peer_netns_fd, struct fl_link_info *ret_info,
		   struct flannel_error **ret_error)
{
	bool alias = (link->set & FL_LINK_ALIAS) && link->alias[0];
	struct answer answer = {0};
	struct others others;
	int r;

	r = find_others(rtnl, link, &others, ret_error);
	if (r == 0)
		r = send_create(rtnl, link, peer_netns_fd, &others, &answer, ret_error);
	if (r == 0 && (ret_info || alias))
		r = complete(rtnl, link->name, &answer, ret_error);
	if (r == 0 && alias)
		r = set_alias(rtnl, answer.info.ifindex, link, ret_error);
	if (r < 0)
		return r;
	if (alias)
		memcpy(answer.info.alias, link->alias, sizeof(answer.info.alias));
	if (ret_info)
		*ret_info = answer.info;
	return 0;
}

int fl_link_change(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *link, struct flannel_error **ret_error)
{
	int r = 0;

	if (link->set & FL_LINK_NO_LINK_LOCAL)
		r = change_link_local(rtnl, ifindex, link, ret_error);
	if (r == 0 && (link->set & OWN_ATTRIBUTES))
		r = change_own(rtnl, ifindex, link, ret_error);
	if (r == 0 && (link->set & PORT_ATTRIBUTES))
		r = change_port(rtnl, ifindex, link, ret_error);
	if (r == 0 && (link->set & (FL_LINK_VLAN_FILTER | FL_LINK_VXLAN)))
		r = change_kind(rtnl, ifindex, link, ret_error);
	return r;
}

int fl_link_delete(struct fl_rtnl *rtnl, uint32_t ifindex, const char *name, struct flannel_error **ret_error)
{
	const struct ifinfomsg header = {.ifi_index = (int)ifindex};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_DELLINK, 0, &header, sizeof(header));
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (!message)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(rtnl, message, NULL, NULL, &error, "delete link %s", name);
	if (r == -ENODEV)
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r < 0 ? r : 1;
}
