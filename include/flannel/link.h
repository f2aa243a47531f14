/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_LINK_H
#define FLANNEL_LINK_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/prefix.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: link.h - bridges, veth pairs, and the settings of any link
 *
 * Calls are immediate: when they return, the kernel has done it. They need CAP_NET_ADMIN over the context's
 * namespace, and over the peer's for a veth pair. A failed call takes back what it did itself.
 */

/** FLANNEL_IFNAME_SIZE - bytes of an interface name with its terminating zero (IFNAMSIZ) */
#define FLANNEL_IFNAME_SIZE 16

/** FLANNEL_MAC_STRLEN - bytes of a MAC address as text "02:00:00:00:00:01" with its terminating zero */
#define FLANNEL_MAC_STRLEN 18

/**
 * struct flannel_bridge_options - the bridge that should exist
 * @size:          sizeof(struct flannel_bridge_options).
 * @name:          interface name, 1 to 15 bytes.
 * @mtu:           bytes, for a new bridge; 0 lets the kernel choose. An existing bridge keeps its MTU.
 * @addresses:     addresses the bridge should carry, each with its network's length.
 * @n_addresses:   how many.
 * @promiscuous:   non-zero: set promiscuous mode (never cleared).
 * @force_address: non-zero: remove other addresses of the bridge that are in the way instead of failing.
 * @vlan_filter:   non-zero: the bridge filters VLANs (never switched off).
 */
struct flannel_bridge_options {
	size_t size;
	const char *name;
	uint32_t mtu;
	const struct flannel_prefix *addresses;
	size_t n_addresses;
	int promiscuous;
	int force_address;
	int vlan_filter;
};

/**
 * struct flannel_link - what the kernel says of a link
 * @size:    sizeof(struct flannel_link), set by the caller.
 * @ifindex: interface index in its namespace.
 * @mtu:     bytes.
 * @name:    interface name.
 * @mac:     MAC address as text.
 */
struct flannel_link {
	size_t size;
	uint32_t ifindex;
	uint32_t mtu;
	char name[FLANNEL_IFNAME_SIZE];
	char mac[FLANNEL_MAC_STRLEN];
};

/**
 * flannel_bridge_ensure() - make sure that a bridge exists, is up and has its addresses
 * @context:   context.
 * @options:   what it should be; read before return.
 * @ret_link:  NULL, or where to write what the bridge is now; .size set by the caller.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * accept_ra is switched off before the bridge goes up (CVE-2020-10749).
 *
 * Return: 1 if something was changed, 0 if it was so already, or negative:
 *   -EINVAL  bad name, address or option
 *   -EEXIST  the name belongs to a link that is no bridge, or another address is in the way
 *   -EOPNOTSUPP the kernel's bridges cannot filter VLANs
 *   -EPERM   CAP_NET_ADMIN is missing
 *   -E2BIG, -ENOMEM, and what the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_bridge_ensure(struct flannel_context *context, const struct flannel_bridge_options *options,
					 struct flannel_link *ret_link, struct flannel_error **ret_error);

/**
 * struct flannel_veth_options - the veth pair that should exist
 * @size:          sizeof(struct flannel_veth_options).
 * @bridge:        bridge that this end becomes a port of; NULL for none.
 * @name:          name of this end; NULL means "veth" and eight random hexadecimal digits.
 * @peer_netns_fd: namespace of the other end, an open /proc/PID/ns/net; needed.
 * @peer_name:     name of the other end, such as "eth0".
 * @peer_mac:      MAC address of the other end as text; NULL lets the kernel choose.
 * @mtu:           bytes, of both ends; 0 lets the kernel choose.
 * @hairpin:       non-zero: the bridge may send frames back to this port.
 * @isolated:      non-zero: isolated from other isolated ports.
 */
struct flannel_veth_options {
	size_t size;
	const char *bridge;
	const char *name;
	int peer_netns_fd;
	const char *peer_name;
	const char *peer_mac;
	uint32_t mtu;
	int hairpin;
	int isolated;
};

/**
 * flannel_veth_ensure() - make sure that a veth pair reaches into a namespace
 * @context:   context.
 * @options:   what it should be; read before return.
 * @ret_link:  NULL, or where to write what this end is now; .size set by the caller.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * The other end is made directly inside its namespace, with one queue; this end is set up. If @peer_name exists there and is
 * a veth whose other end is a port of @bridge (or of none, without @bridge), it is taken as it is.
 *
 * Return: 1 if it was made, 0 if it was there, or negative:
 *   -EINVAL  bad name, MAC address or option; @peer_netns_fd is no network namespace
 *   -EEXIST  @peer_name exists there and is something else, or @name exists here
 *   -ENODEV  no bridge of that name
 *   -EPERM   CAP_NET_ADMIN is missing in one of the namespaces
 *   -E2BIG, -ENOMEM, and what the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_veth_ensure(struct flannel_context *context, const struct flannel_veth_options *options,
				       struct flannel_link *ret_link, struct flannel_error **ret_error);

/**
 * flannel_veth_get() - find the end of a veth pair whose other end is in another namespace
 * @context:       context; the end is looked for in its namespace.
 * @peer_netns_fd: namespace of the other end, an open /proc/PID/ns/net.
 * @peer_name:     name of the other end there.
 * @ret_link:      set on success to what this end is; .size set by the caller.
 * @ret_error:     NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative:
 *   -EINVAL  bad name, or @peer_netns_fd is no network namespace
 *   -ENODEV  there is no link of that name
 *   -ENXIO   it is no end of a veth pair, or this end is not in the context's namespace
 *   -ENOMEM, and what the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_veth_get(struct flannel_context *context, int peer_netns_fd, const char *peer_name,
				    struct flannel_link *ret_link, struct flannel_error **ret_error);

/**
 * flannel_link_remove() - delete a link, if it exists
 * @context:   context.
 * @name:      interface name.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 1 if it was deleted, 0 if there was none, or negative: -EINVAL, -EPERM, and what the kernel says
 * (-EOPNOTSUPP for physical devices). Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_link_remove(struct flannel_context *context, const char *name,
				       struct flannel_error **ret_error);

/** FLANNEL_KIND_SIZE - bytes of a link's kind, "bridge" or "veth", with its terminating zero */
#define FLANNEL_KIND_SIZE 16

/**
 * struct flannel_link_status - all that is asked of a link
 * @size:           sizeof(struct flannel_link_status), set by the caller.
 * @link:           index, MTU, name and MAC address; the last is "" if it has none of six bytes.
 * @kind:           "bridge", "veth" and so on; "" for physical devices and the loopback.
 * @flags:          IFF_UP and so on, see netdevice(7).
 * @master_ifindex: index of the bridge that it is a port of; 0 for none.
 * @peer_ifindex:   of a veth, index of the other end in the namespace of that; else 0 or the link that it is on.
 * @promiscuity:    how many users want it promiscuous, packet captures included.
 */
struct flannel_link_status {
	size_t size;
	struct flannel_link link;
	char kind[FLANNEL_KIND_SIZE];
	uint32_t flags;
	uint32_t master_ifindex;
	uint32_t peer_ifindex;
	uint32_t promiscuity;
};

/**
 * flannel_link_get() - look at one link
 * @context:    context; its option netns_fd says in which namespace the link is.
 * @name:       interface name.
 * @ret_status: set if the result is 1; .size set by the caller.
 * @ret_error:  NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * One request, whose cost does not depend on other links. Needs no privilege.
 *
 * Return: 1, 0 if there is no such link, or negative: -EINVAL (a parameter is NULL, bad name or size), and what the kernel
 * says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_link_get(struct flannel_context *context, const char *name,
				    struct flannel_link_status *ret_status, struct flannel_error **ret_error);

/**
 * flannel_link_get_addresses() - the addresses of one link
 * @context:       context; its option netns_fd says in which namespace the link is.
 * @name:          interface name.
 * @ret_addresses: room for @n_max addresses; those of the link in the kernel's order, each with its network's length. May
 *                 be NULL if @n_max is 0.
 * @n_max:         how many there is room for.
 * @ret_n:         set on success: how many there are, which may be more than @n_max.
 * @ret_error:     NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Those of both families, link-local ones included. Needs no privilege.
 *
 * Return: 0, or negative: -EINVAL (a parameter is NULL, bad name), -ENODEV (no such link), -ENOMEM, and what the kernel
 * says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_link_get_addresses(struct flannel_context *context, const char *name,
					      struct flannel_prefix *ret_addresses, size_t n_max, size_t *ret_n,
					      struct flannel_error **ret_error);

/**
 * enum flannel_link_setting - which members of struct flannel_link_settings count
 * @FLANNEL_LINK_SETTING_MAC:           .mac
 * @FLANNEL_LINK_SETTING_PROMISCUOUS:   .promiscuous
 * @FLANNEL_LINK_SETTING_MTU:           .mtu
 * @FLANNEL_LINK_SETTING_ALL_MULTICAST: .all_multicast
 * @FLANNEL_LINK_SETTING_QUEUE_LENGTH:  .queue_length
 */
enum flannel_link_setting {
	FLANNEL_LINK_SETTING_MAC = 1,
	FLANNEL_LINK_SETTING_PROMISCUOUS = 2,
	FLANNEL_LINK_SETTING_MTU = 4,
	FLANNEL_LINK_SETTING_ALL_MULTICAST = 8,
	FLANNEL_LINK_SETTING_QUEUE_LENGTH = 16
};

/**
 * struct flannel_link_settings - settings of a link
 * @size:          sizeof(struct flannel_link_settings), set by the caller.
 * @which:         enum flannel_link_setting, or-ed.
 * @mtu:           bytes.
 * @queue_length:  packets that may wait to be sent.
 * @promiscuous:   non-zero: the link hands up what is sent to others. That somebody asked for it by this setting counts, not
 *                 that a packet capture or a bridge did.
 * @all_multicast: non-zero: the link hands up all multicast packets. The same holds.
 * @mac:           MAC address as text.
 */
struct flannel_link_settings {
	size_t size;
	unsigned int which;
	uint32_t mtu;
	uint32_t queue_length;
	int promiscuous;
	int all_multicast;
	char mac[FLANNEL_MAC_STRLEN];
};

/**
 * flannel_link_settings_get() - read the settings of a link
 * @context:      context; its option netns_fd says in which namespace the link is.
 * @name:         interface name.
 * @ret_settings: set on success; .size set by the caller. .which is everything that the link has: some kinds have no
 *                MAC address of six bytes.
 * @ret_error:    NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative: -EINVAL, -ENODEV (no such link), and what the kernel says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_link_settings_get(struct flannel_context *context, const char *name,
					     struct flannel_link_settings *ret_settings,
					     struct flannel_error **ret_error);

/**
 * flannel_link_settings_ensure() - make sure that a link has these settings
 * @context:   context; its option netns_fd says in which namespace the link is.
 * @name:      interface name.
 * @settings:  what should be; read before return. Members that .which does not name are left alone.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * One request for each setting that differs, in the order of enum flannel_link_setting. If one is refused, those before it
 * are put back; should one of them not go back, the error names it.
 *
 * Return: 1 if something was changed, 0 if it was so already, or negative:
 *   -EINVAL  bad name or MAC address, unknown bits in .which, or the kernel refuses the MTU
 *   -ENODEV  no such link
 *   -EPERM   CAP_NET_ADMIN is missing
 *   -EADDRNOTAVAIL, -EBUSY, -EOPNOTSUPP  the kernel refuses the MAC address: not one interface's; the link is up; never
 *   -E2BIG, -ENOMEM, and what else the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_link_settings_ensure(struct flannel_context *context, const char *name,
						const struct flannel_link_settings *settings,
						struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
