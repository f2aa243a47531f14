/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_ATTACHMENT_H
#define FLANNEL_ATTACHMENT_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/address.h>
#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/link.h>
#include <flannel/prefix.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: attachment.h - connect a container to the node
 *
 * Attaching makes a bridge (if there is none), a veth pair from the bridge into the container's namespace, the addresses and
 * routes there, and, if asked to be the gateway, an address on the bridge and IP forwarding. Where VLANs are asked
 * for, the bridge filters them, the container's port belongs to those it should, and the gateway's address is on an interface of
 * that VLAN, "BRIDGE.VLAN", one end of a veth pair whose other end is a port of the bridge. Calls are
 * immediate. A failed call takes back, in reverse order, just what it did itself. The cost does not depend on how many
 * containers are attached. Needs CAP_NET_ADMIN in both namespaces.
 */

struct flannel_attachment;

/**
 * enum flannel_attachment_flags - how to attach
 * @FLANNEL_ATTACHMENT_GATEWAY:         the bridge gets each network's gateway address, and forwarding is switched on. The
 *                                      container does not ask other routers to introduce themselves.
 * @FLANNEL_ATTACHMENT_DEFAULT_GATEWAY: GATEWAY, and the container's default route goes there.
 * @FLANNEL_ATTACHMENT_FORCE_ADDRESS:   other addresses of the bridge that are in the way are removed.
 * @FLANNEL_ATTACHMENT_HAIRPIN:         the container may reach itself through the bridge.
 * @FLANNEL_ATTACHMENT_PROMISCUOUS:     the bridge is set promiscuous. Excludes HAIRPIN.
 * @FLANNEL_ATTACHMENT_ISOLATED:        the port is isolated from other isolated ports.
 * @FLANNEL_ATTACHMENT_DAD:             wait for duplicate address detection of IPv6 addresses (RFC 4862, 5.4).
 * @FLANNEL_ATTACHMENT_LINK_DOWN:       leave the container's end down; only without addresses.
 * @FLANNEL_ATTACHMENT_VLAN_FILTER:     the bridge filters VLANs (CONFIG_BRIDGE_VLAN_FILTERING), also one that exists and
 *                                      did not; a VLAN or a trunk implies it.
 * @FLANNEL_ATTACHMENT_KEEP_VLAN:       the port stays in the VLAN into which the bridge puts new ports (mostly 1), too.
 * @FLANNEL_ATTACHMENT_POINT_TO_POINT:  no bridge: the node's end of the veth pair carries each gateway as an address of its own, the
 *                                      node has a route to each of the container's addresses, and all that the container
 *                                      sends goes by its gateway, also to its own network. Implies GATEWAY. Needs addresses,
 *                                      and excludes all that is about bridges.
 */
enum flannel_attachment_flags {
	FLANNEL_ATTACHMENT_GATEWAY = 1,
	FLANNEL_ATTACHMENT_DEFAULT_GATEWAY = 2,
	FLANNEL_ATTACHMENT_FORCE_ADDRESS = 4,
	FLANNEL_ATTACHMENT_HAIRPIN = 8,
	FLANNEL_ATTACHMENT_PROMISCUOUS = 16,
	FLANNEL_ATTACHMENT_ISOLATED = 32,
	FLANNEL_ATTACHMENT_DAD = 64,
	FLANNEL_ATTACHMENT_LINK_DOWN = 128,
	FLANNEL_ATTACHMENT_VLAN_FILTER = 256,
	FLANNEL_ATTACHMENT_KEEP_VLAN = 512,
	FLANNEL_ATTACHMENT_POINT_TO_POINT = 1024
};

/**
 * struct flannel_vlan_span - VLANs that follow each other
 * @first: the lowest, 1 to 4094.
 * @last:  the highest, @first to 4094.
 */
struct flannel_vlan_span {
	uint16_t first;
	uint16_t last;
};

/** FLANNEL_SCOPE_UNSET - no scope given for a route of an attachment: the kernel's "universe" is used */
#define FLANNEL_SCOPE_UNSET (-1)

/**
 * struct flannel_attachment_route - a route inside the container
 * @size:     sizeof(struct flannel_attachment_route).
 * @dst:      destination, host bits zero.
 * @via:      gateway; AF_UNSPEC means the first gateway of the family, or none with link scope.
 * @mtu:      route MTU in bytes; 0 for none.
 * @advmss:   advertised MSS in bytes; 0 for none.
 * @priority: metric; 0 is the kernel's default.
 * @table:    routing table; 0 means main (254).
 * @scope:    rtm_scope 0 to 255, or FLANNEL_SCOPE_UNSET.
 */
struct flannel_attachment_route {
	size_t size;
	struct flannel_prefix dst;
	struct flannel_prefix via;
	uint32_t mtu;
	uint32_t advmss;
	uint32_t priority;
	uint32_t table;
	int scope;
};

/**
 * struct flannel_attachment_options - what to attach to what
 * @size:        sizeof(struct flannel_attachment_options).
 * @netns_fd:    the container's network namespace, an open /proc/PID/ns/net or bind mount of it; needed.
 * @ifname:      interface name in the container; NULL means "eth0".
 * @bridge:      bridge name; NULL means "cni0".
 * @mac:         MAC address of the container's end as text; NULL takes one that follows from the first address, so that who
 *               gets the address later gets the MAC, too; without addresses a random one.
 * @mtu:         bytes, of the veth pair and a new bridge; 0 lets the kernel choose.
 * @flags:       enum flannel_attachment_flags, or-ed.
 * @addresses:   addresses of the container, with their networks' lengths; each element's .size must be exactly
 *               sizeof(struct flannel_address). A gateway may be AF_UNSPEC: with GATEWAY the
 *               first host of the network is used.
 * @n_addresses: how many; 0 attaches on layer 2 only.
 * @routes:      routes of the container; each element's .size must be exactly that of its struct.
 * @n_routes:    how many.
 * @vlan:        VLAN of the frames that the container sends and gets untagged, 1 to 4094; 0 for none.
 * @trunk:       VLANs whose frames the container sends and gets tagged, in any order, overlapping or not. Frames of @vlan are
 *               untagged even if it is among them. Without @vlan untagged frames belong to VLAN 1.
 * @n_trunk:     how many spans; 0 for no trunk.
 */
struct flannel_attachment_options {
	size_t size;
	int netns_fd;
	const char *ifname;
	const char *bridge;
	const char *mac;
	uint32_t mtu;
	unsigned int flags;
	const struct flannel_address *addresses;
	size_t n_addresses;
	const struct flannel_attachment_route *routes;
	size_t n_routes;
	uint32_t vlan;
	const struct flannel_vlan_span *trunk;
	size_t n_trunk;
};

/**
 * flannel_attachment_attach() - attach a container
 * @context:        context.
 * @options:        read before return.
 * @ret_attachment: set on success; owned by the caller, see flannel_attachment_free(). Freeing it does not
 *                  detach.
 * @ret_error:      NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative with the kernel as it was before:
 *   -EINVAL     bad option; flags exclude each other; the descriptor is no network namespace; the namespace is
 *               the context's own; "BRIDGE.VLAN" is too long a name
 *   -EEXIST     @ifname exists in the container; the bridge's name or that of the VLAN's interface belongs to another
 *               kind of link; another address of the bridge, or of the VLAN's interface, is in the way
 *   -EOPNOTSUPP the kernel's bridges cannot filter VLANs
 *   -EADDRINUSE duplicate address detection found another owner
 *   -ETIMEDOUT  the port did not come up, or duplicate address detection did not end (retryable)
 *   -EPERM, -E2BIG, -ENOMEM, and what the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_attachment_attach(struct flannel_context *context,
					     const struct flannel_attachment_options *options,
					     struct flannel_attachment **ret_attachment,
					     struct flannel_error **ret_error);

/**
 * flannel_attachment_undo() - take back an attachment that has become worthless
 * @attachment: as flannel_attachment_attach() made it; after that it serves only for flannel_attachment_free().
 * @context:    the context that it was made with, or another of the same namespace.
 * @netns_fd:   the container's network namespace.
 * @ret_error:  NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * For a caller whose next step failed, so that it has to leave nothing behind: unlike
 * flannel_attachment_detach(), this also takes back the bridge, its addresses and forwarding as far as
 * flannel_attachment_attach() set them, unless another container has come to use the bridge since. A second call
 * does nothing. What the kernel refuses to take back is logged, the rest is taken back.
 *
 * Return: 0, or negative with nothing taken back: -EINVAL (a parameter is NULL, or the descriptor is no network
 * namespace), -EPERM, -ENOMEM. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_attachment_undo(struct flannel_attachment *attachment, struct flannel_context *context,
					   int netns_fd, struct flannel_error **ret_error);

/**
 * flannel_attachment_detach() - delete a container's interface
 * @context:   context.
 * @netns_fd:  the container's network namespace.
 * @ifname:    interface name in the container.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * The bridge, its addresses and forwarding stay.
 *
 * Return: 1 if it was deleted, 0 if there was none, or negative: -EINVAL, -EPERM, and what the kernel says.
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_attachment_detach(struct flannel_context *context, int netns_fd, const char *ifname,
					     struct flannel_error **ret_error);

/**
 * flannel_attachment_get_bridge() - the bridge as it is now
 * @attachment: an attachment.
 *
 * Return: the link, owned by @attachment; NULL if there is none (POINT_TO_POINT), and for NULL. Since: 0.1.
 */
FLANNEL_PUBLIC const struct flannel_link *flannel_attachment_get_bridge(const struct flannel_attachment *attachment);

/**
 * flannel_attachment_get_host_link() - the node's end of the veth pair
 * @attachment: an attachment.
 *
 * Return: the link, owned by @attachment; NULL for NULL. Since: 0.1.
 */
FLANNEL_PUBLIC const struct flannel_link *flannel_attachment_get_host_link(const struct flannel_attachment *attachment);

/**
 * flannel_attachment_get_container_link() - the container's end of the veth pair
 * @attachment: an attachment.
 *
 * Return: the link, owned by @attachment; its ifindex is that in the container. NULL for NULL. Since: 0.1.
 */
FLANNEL_PUBLIC const struct flannel_link *flannel_attachment_get_container_link(
	const struct flannel_attachment *attachment);

/**
 * flannel_attachment_get_vlan_link() - the interface that carries the gateway's addresses in a VLAN
 * @attachment: an attachment.
 *
 * Return: the link, owned by @attachment; NULL if the gateway is the bridge itself or there is none, and for NULL.
 * Since: 0.1.
 */
FLANNEL_PUBLIC const struct flannel_link *flannel_attachment_get_vlan_link(const struct flannel_attachment *attachment);

/**
 * flannel_attachment_get_address() - an address of the container
 * @attachment: an attachment.
 * @index:      0 for the first.
 *
 * Return: the address with the gateway that was used, owned by @attachment; NULL beyond the last. Since: 0.1.
 */
FLANNEL_PUBLIC const struct flannel_address *flannel_attachment_get_address(const struct flannel_attachment *attachment,
									    size_t index);

/**
 * flannel_attachment_get_route() - a route of the container
 * @attachment: an attachment.
 * @index:      0 for the first.
 *
 * The routes of the options in their order, then the default routes that DEFAULT_GATEWAY added; .via as
 * given, AF_UNSPEC where the option had none.
 *
 * Return: the route, owned by @attachment; NULL beyond the last. Since: 0.1.
 */
FLANNEL_PUBLIC const struct flannel_attachment_route *flannel_attachment_get_route(
	const struct flannel_attachment *attachment, size_t index);

/**
 * flannel_attachment_free() - done with the description of an attachment; the attachment itself stays
 * @attachment: an attachment or NULL.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_attachment *flannel_attachment_free(struct flannel_attachment *attachment);

FLANNEL_END_DECLS

#endif
