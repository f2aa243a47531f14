/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_PLAN_OBJECT_H
#define FL_DOMAIN_PLAN_OBJECT_H

/*
 * Kernel objects as values: what a backend or an attachment WANTS, what sys FOUND, and the operations between the
 * two. Objects name each other by key (a link's name), never by interface index; sys resolves when it executes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/link.h>
#include <flannel/prefix.h>

#define FL_MAC_LEN 6

/* in whose namespace an object lives */
enum fl_role { FL_ROLE_NODE, FL_ROLE_POD };

/* in the order in which they are made: each needs those before it */
enum fl_object_type {
	FL_OBJECT_LINK,
	FL_OBJECT_SYSCTL,
	FL_OBJECT_ADDRESS,
	FL_OBJECT_NEIGHBOUR,
	FL_OBJECT_FDB,
	FL_OBJECT_ROUTE
};

/* which attributes of a link count; the others are the kernel's business */
enum fl_link_attribute {
	FL_LINK_MTU = 1 << 0,
	FL_LINK_MAC = 1 << 1,
	FL_LINK_UP = 1 << 2,           /* .up */
	FL_LINK_PROMISC = 1 << 3,      /* .promisc */
	FL_LINK_MASTER = 1 << 4,       /* .master, "" detaches */
	FL_LINK_HAIRPIN = 1 << 5,      /* bridge port, .hairpin */
	FL_LINK_ISOLATED = 1 << 6,     /* bridge port, .isolated */
	FL_LINK_OPERSTATE = 1 << 8,    /* .operstate, of a link that cannot tell by itself */
	FL_LINK_TXQLEN = 1 << 9,       /* .txqlen */
	FL_LINK_ALLMULTI = 1 << 10,    /* .allmulti */
	FL_LINK_ALIAS = 1 << 7,        /* .alias */
	FL_LINK_VLAN_FILTER = 1 << 13, /* of a bridge, .vlan_filter */

	/* settings that netlink takes, too; where the kernel has no IPv6 the first is passed over */
	FL_LINK_NO_LINK_LOCAL = 1 << 11, /* no IPv6 link-local address by itself (addr_gen_mode none) */
	FL_LINK_ARP_NOTIFY = 1 << 12,    /* neighbours are told of the IPv4 addresses when the link goes up */

	FL_LINK_VXLAN = 1 << 14, /* .vxlan */
};

/* what is peculiar to a vxlan device */
struct fl_vxlan_link {
	uint32_t vni;
	uint16_t port;                   /* UDP destination */
	bool learning;                   /* takes entries of its FDB from what arrives */
	bool gbp;                        /* group policy extension */
	struct flannel_prefix local;     /* source of what is sent; of full length */
	char lower[FLANNEL_IFNAME_SIZE]; /* the link that carries it */
};

/* key: role and name */
struct fl_link {
	char name[FLANNEL_IFNAME_SIZE];
	char kind[16];    /* "bridge", "veth" */
	unsigned int set; /* enum fl_link_attribute, or-ed */
	uint32_t mtu;
	uint8_t mac[FL_MAC_LEN];
	bool up;
	bool promisc;
	bool allmulti;
	bool hairpin;
	bool isolated;
	bool vlan_filter;
	char master[FLANNEL_IFNAME_SIZE];
	char alias[64];
	uint8_t operstate; /* RFC 2863, as rtnetlink(7) numbers them: 6 is up */
	uint32_t txqlen;   /* packets */
	/* veth: the other end, made in the other role's namespace */
	char peer_name[FLANNEL_IFNAME_SIZE];
	bool peer_has_mac;
	uint8_t peer_mac[FL_MAC_LEN];
	struct fl_vxlan_link vxlan;
};

#define FL_SYSCTL_VALUE_SIZE 16

/* key: role and name; name is below /proc/sys, with slashes */
struct fl_sysctl {
	char name[80];
	char value[FL_SYSCTL_VALUE_SIZE];
	bool optional; /* failure to write is no failure (IPv6 switched off in the kernel) */
};

/* key: role, link, address and length */
struct fl_address {
	char link[FLANNEL_IFNAME_SIZE];
	struct flannel_prefix address;
};

/* key: role, link and address. What an address of a link's network is reached by; never asked for, never forgotten. */
struct fl_neighbour {
	char link[FLANNEL_IFNAME_SIZE];
	struct flannel_prefix address; /* of full length */
	uint8_t mac[FL_MAC_LEN];
	bool dynamic; /* found only: not a permanent one */
};

/* key: role, link and mac. Where a vxlan device sends what is for that MAC. */
struct fl_fdb {
	char link[FLANNEL_IFNAME_SIZE];
	uint8_t mac[FL_MAC_LEN];
	struct flannel_prefix dst; /* of full length */
	bool dynamic;              /* found only: learned, not a permanent one */
};

/* values of rtm_protocol, rtm_type and rtm_scope as the kernel numbers them, see rtnetlink(7) */
#define FL_ROUTE_TABLE_MAIN 254
#define FL_ROUTE_PROTOCOL_KERNEL 2
#define FL_ROUTE_PROTOCOL_BOOT 3
#define FL_ROUTE_TYPE_UNICAST 1
#define FL_ROUTE_TYPE_BLACKHOLE 6
#define FL_ROUTE_SCOPE_UNIVERSE 0
#define FL_ROUTE_SCOPE_LINK 253
#define FL_ROUTE_SCOPE_HOST 254
#define FL_ROUTE_METRIC_DEFAULT_V6 1024

/* key: role, table, dst and metric */
struct fl_route {
	struct flannel_prefix dst;
	struct flannel_prefix via; /* AF_UNSPEC for none */
	/* address that what is sent prefers as its own; AF_UNSPEC for none; not compared */
	struct flannel_prefix source;
	char link[FLANNEL_IFNAME_SIZE]; /* "" lets the kernel find it */
	uint32_t table;
	uint32_t metric; /* never 0 for IPv6: the kernel's default is written out */
	uint32_t mtu;
	uint32_t advmss;
	uint8_t protocol;
	uint8_t type;
	uint8_t scope;
	bool onlink;
	bool multipath; /* found only: has several next hops, via and link are the first's */
};

struct fl_object {
	enum fl_object_type type;
	enum fl_role role;
	union {
		struct fl_link link;
		struct fl_sysctl sysctl;
		struct fl_address address;
		struct fl_neighbour neighbour;
		struct fl_fdb fdb;
		struct fl_route route;
	};
};

/* Bytes of an object of that type. Kept objects may have no more: thousands of neighbours need not be as large as a link. */
size_t fl_object_size(enum fl_object_type type);

/* copies an object that may be kept so, into a whole one */
void fl_object_copy(struct fl_object *to, const struct fl_object *from);

/*
 * An object in little room, for where there are thousands: most of its bytes are zero, such as twelve in sixteen of an IPv4 address. Written
 * to buf, of FL_OBJECT_PACKED_MAX bytes; returns how many it took.
 */
#define FL_OBJECT_PACKED_MAX (sizeof(struct fl_object) + (sizeof(struct fl_object) + 7) / 8)
size_t fl_object_pack(const struct fl_object *object, uint8_t *buf);

/* and back */
void fl_object_unpack(enum fl_object_type type, const uint8_t *packed, struct fl_object *ret_object);

/* a number that is the same for objects with the same key */
uint32_t fl_object_hash_key(const struct fl_object *object);

enum fl_verb { FL_VERB_CREATE, FL_VERB_REPLACE, FL_VERB_DELETE };

/* "add", "replace", "delete" */
const char *fl_verb_format(enum fl_verb verb);

/* One step from found to wanted. before is what REPLACE and DELETE take away, which is also how to undo them. */
struct fl_operation {
	enum fl_verb verb;
	struct fl_object object;
	struct fl_object before;
};

/* a unicast route of the main table with all defaults, to be filled in */
struct fl_route fl_route_main(const struct flannel_prefix *dst, uint8_t protocol);

/* order by key: type, role, then the object's own key; 0 means the same object, perhaps with other attributes */
int fl_object_compare_key(const struct fl_object *a, const struct fl_object *b);

/* the link without which an object cannot be: its name, "" if it needs none or may have any. For a link it is "", too. */
const char *fl_object_get_link(const struct fl_object *object);

/* do found attributes satisfy the wanted ones; both have the same key */
bool fl_object_satisfies(const struct fl_object *found, const struct fl_object *wanted);

/*
 * Is there something that the kernel cannot change in a link: kind, and of a vxlan device VNI, port and GBP. Such a link has to be
 * deleted and made again.
 */
bool fl_link_must_be_remade(const struct fl_link *found, const struct fl_link *wanted);

/* "route 10.244.2.0/24 via 192.0.2.2 dev eth0", "address 10.244.1.1/24 on cni0", "bridge cni0",
 * "neighbour 10.244.2.0 on flannel.1", "FDB entry 02:00:00:00:77:02 to 192.0.2.2 on flannel.1"; returns buf */
#define FL_OBJECT_STRLEN 192
const char *fl_object_format(const struct fl_object *object, char *buf, size_t size);

/* MAC as text: FLANNEL_MAC_STRLEN bytes; parse takes ":" or "-" between the bytes, -EINVAL else */
const char *fl_mac_format(const uint8_t mac[FL_MAC_LEN], char *buf, size_t size);
int fl_mac_parse(const char *text, uint8_t ret_mac[FL_MAC_LEN]);

/* 1 to 15 bytes, none of them "/", ":" or white space, not "." or ".." */
bool fl_ifname_is_valid(const char *name);

/* the same for a name that an interface is to get: the kernel would make another of one with "%" */
bool fl_ifname_can_be_given(const char *name);

#endif
