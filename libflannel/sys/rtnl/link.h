/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_LINK_H
#define FL_SYS_RTNL_LINK_H

/* Links of a namespace: bridges, veth pairs, ports, vxlan devices. */

#include "domain/plan/object.h"
#include "sys/rtnl/rtnl.h"

/* what the kernel says of a link */
struct fl_link_info {
	char name[FLANNEL_IFNAME_SIZE];
	char kind[16]; /* "" for physical devices */
	char alias[64];
	uint32_t ifindex;
	uint32_t mtu;
	uint32_t txqlen;      /* packets */
	uint32_t promiscuity; /* how many want it promiscuous */
	uint32_t flags;       /* IFF_UP, IFF_PROMISC ..., see netdevice(7) */
	uint32_t master_ifindex;
	uint32_t peer_ifindex; /* IFLA_LINK: veth's other end, in its namespace */
	uint8_t operstate;     /* IF_OPER_UP is 6 (RFC 2863) */
	bool has_mac;
	uint8_t mac[FL_MAC_LEN];
	bool refuses_ra; /* IPv6 router advertisements are refused for sure (accept_ra 0) */
	bool is_port;    /* hairpin and isolated are valid */
	bool hairpin;
	bool isolated;
	bool vlan_filter;      /* of a bridge; so is the next */
	uint16_t default_vlan; /* into which it puts new ports; 0: none */
	/* of a vxlan device; the index is that of .lower, which stays "" */
	struct fl_vxlan_link vxlan;
	uint32_t lower_ifindex;
};

/* index of a link by name, in a fraction of a microsecond: 0, or -ENODEV */
int fl_link_find_index(struct fl_rtnl *rtnl, const char *name, uint32_t *ret_ifindex);

/* the other way round */
int fl_link_find_name(struct fl_rtnl *rtnl, uint32_t ifindex, char ret_name[FLANNEL_IFNAME_SIZE]);

/* Is a link up with its operational state "up" or unknown. Unlike with requests, nobody has to wait for the kernel's lock. */
bool fl_link_is_running(struct fl_rtnl *rtnl, const char *name);

/* 1 if it exists, 0 if not, negative. An alternative name finds the link, too; .name is then another. */
int fl_link_get(struct fl_rtnl *rtnl, const char *name, struct fl_link_info *ret_info,
		struct flannel_error **ret_error);
int fl_link_get_by_index(struct fl_rtnl *rtnl, uint32_t ifindex, struct fl_link_info *ret_info,
			 struct flannel_error **ret_error);

/* all links, in order of their index; *ret_links is malloc()ed */
int fl_link_list(struct fl_rtnl *rtnl, struct fl_link_info **ret_links, size_t *ret_n,
		 struct flannel_error **ret_error);

/*
 * Makes a link (create, exclusive) with these attributes, if they are in link->set: MTU (of both ends of a veth), MAC, UP,
 * PROMISC, MASTER, TXQLEN, VLAN_FILTER, VXLAN and ALIAS. The kernel takes all but ALIAS in one request; if setting that one fails the link is deleted
 * again. Those of a bridge port are for fl_link_change(). peer_netns_fd: for a veth, where the other end is made; -1 is here.
 * veth: one queue on both ends. ret_info may be NULL; else what was made, from the kernel's echo, without a second request where
 * possible (Linux 6.2). -EEXIST if the name is taken, or the peer's in its namespace.
 */
int fl_link_create(struct fl_rtnl *rtnl, const struct fl_link *link, int peer_netns_fd, struct fl_link_info *ret_info,
		   struct flannel_error **ret_error);

/* Changes what link->set names: first NO_LINK_LOCAL, then link attributes (ARP_NOTIFY after UP), then those of a bridge port, then
 * VLAN_FILTER or what of VXLAN can be changed (local address, lower link, learning); one request for each of the four that there is
 * something of. */
int fl_link_change(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *link,
		   struct flannel_error **ret_error);

/* 1 deleted, 0 was gone already, negative. By index: a link that took over the name is never hit. */
int fl_link_delete(struct fl_rtnl *rtnl, uint32_t ifindex, const char *name, struct flannel_error **ret_error);

/* Parses one RTM_NEWLINK or RTM_DELLINK; -EBADMSG if malformed, which includes the messages of family AF_BRIDGE: they tell of
 * a port and not of the link, and an RTM_DELLINK of them only that it left its bridge. */
int fl_link_parse(const struct nlmsghdr *header, struct fl_link_info *ret_info);

#endif
