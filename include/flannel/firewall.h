/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_FIREWALL_H
#define FLANNEL_FIREWALL_H

#include <stddef.h>

#include <flannel/attachment_id.h>
#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/prefix.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: firewall.h - let containers through a firewall that drops what is forwarded
 *
 * What containers send, and the answers to it, is let through; what else is sent to them is left to the other rules of the node.
 *
 * With nftables an accept is valid only in its own table, so the one that counts has to be where the drop is. Where iptables (as
 * iptables-nft) has made the chain FORWARD of ip filter or ip6 filter, these rules are put there, in a form that iptables lists,
 * saves and restores:
 *
 *   -A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD        (first)
 *   -A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
 *   -A CNI-FORWARD -m mark --mark 0x1000/0x1000 -m comment --comment "attached containers" -j ACCEPT
 *
 * They are made once, whatever containers there are. Table inet cni-firewall-1 sets the mark on the packets of attached
 * containers, whose addresses are elements of its sets, just before these rules, and clears it just behind them: in the forward
 * hook, bit 0x1000 of the mark belongs to it. So attaching a container changes no rule, and takes a fraction of a millisecond. A
 * drop in any other table is out of reach (firewalld's is an example), and so are rules of iptables-legacy, for which
 * one rule with the same mark does it, made by hand.
 *
 * Isolation of bridges from each other needs no accept: the table drops by itself.
 *
 * Each address bears its owner in its comment; it has one owner, the last it was given to. The table and the rules are set by a
 * helper program when they are missing (libexec/flannel/nft), all else without. Needs CAP_NET_ADMIN over the context's
 * namespace.
 */

/**
 * enum flannel_firewall_policy - what may be forwarded to a bridge
 * @FLANNEL_FIREWALL_OPEN:        nothing is said about that; a policy that the bridge has stays.
 * @FLANNEL_FIREWALL_SAME_BRIDGE: nothing from other bridges that have this or the next policy; containers of the bridge reach
 *                                each other.
 * @FLANNEL_FIREWALL_ISOLATED:    nothing from those bridges, nor from the bridge itself: containers do not reach each other by
 *                                way of the node. (What a bridge passes on from port to port is forwarded only if
 *                                net.bridge.bridge-nf-call-iptables is 1.)
 */
enum flannel_firewall_policy {
	FLANNEL_FIREWALL_OPEN = 0,
	FLANNEL_FIREWALL_SAME_BRIDGE = 1,
	FLANNEL_FIREWALL_ISOLATED = 2
};

/**
 * struct flannel_firewall_options - the firewall of one attachment
 * @size:        sizeof(struct flannel_firewall_options).
 * @network:     name of the network, not empty.
 * @attachment:  whose addresses they are.
 * @addresses:   the container's addresses; lengths do not matter. May be NULL if there are none.
 * @n_addresses: how many, at most 64.
 * @policy:      enum flannel_firewall_policy. The last one that a bridge was given is valid, but OPEN gives none.
 * @bridge:      name of the bridge that @policy is for; may be NULL with OPEN.
 * @admin_chain: name of the chain in the iptables tables that comes before all accepting, for the rules of the
 *               administrator; made if it is missing, never emptied. 1 to 28 letters, digits, "_", "." and "-", the first a
 *               letter. NULL for CNI-ADMIN.
 */
struct flannel_firewall_options {
	size_t size;
	const char *network;
	const struct flannel_attachment_id *attachment;
	const struct flannel_prefix *addresses;
	size_t n_addresses;
	int policy;
	const char *bridge;
	const char *admin_chain;
};

/**
 * flannel_firewall_ensure() - let an attachment through
 * @context:   context.
 * @options:   what should be; read before return.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Looks at the iptables tables each time, so that a firewall that was set up or flushed since is met by the next attachment.
 *
 * Immediate (a millisecond; a few if rules are missing, at most five seconds if the helper hangs; some 20 if an address was somebody
 * else's).
 *
 * Return: 0; or negative, with no address of the attachment let through. Rules that serve all stay:
 *   -EINVAL      bad option; nothing was tried
 *   -ENOENT, -EACCES  the helper is needed, and is not installed or cannot be run; the message names its path
 *   -EPIPE, -ETIMEDOUT  the helper died, or did not answer (retryable)
 *   -EBUSY       somebody else changes the same addresses all the time (retryable)
 *   -EPERM, -E2BIG, -ENOMEM, and what the kernel says.
 *
 * Since: 0.1.  See also: flannel_firewall_remove(), flannel_firewall_check().
 */
FLANNEL_PUBLIC int flannel_firewall_ensure(struct flannel_context *context,
					   const struct flannel_firewall_options *options,
					   struct flannel_error **ret_error);

/**
 * flannel_firewall_remove() - take back what flannel_firewall_ensure() did for an attachment
 * @context:   context.
 * @options:   .network and .attachment say whose; .addresses where to look first. If not all of them are found
 *             there, or there are none, everything is looked through. The other members are not looked at.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Packets may still be let through for some milliseconds. Rules, and the policies of bridges, stay. An address that
 * somebody else owns by now is left alone.
 *
 * Return: how many addresses were removed; or negative: -EINVAL, -EPERM, -E2BIG, -ENOMEM, and what the kernel says.
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_firewall_remove(struct flannel_context *context,
					   const struct flannel_firewall_options *options,
					   struct flannel_error **ret_error);

/**
 * flannel_firewall_check() - is an attachment let through as it should be
 * @context:   context.
 * @options:   as for flannel_firewall_ensure().
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0; or negative:
 *   -ENOENT      an address, a bridge's policy or a rule is missing; the message names it
 *   -EADDRINUSE  an address belongs to another attachment
 *   -EINVAL, -EPERM, -E2BIG, -ENOMEM, and what the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_firewall_check(struct flannel_context *context,
					  const struct flannel_firewall_options *options,
					  struct flannel_error **ret_error);

/**
 * flannel_firewall_collect() - remove the addresses of a network's attachments that are no more
 * @context:       context.
 * @network:       name of the network, not empty. Addresses of other networks are left alone.
 * @attachments:   those that are; may be NULL if there are none.
 * @n_attachments: how many.
 * @ret_error:     NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Once there is no address left of any network, the policies of bridges are removed, too.
 *
 * Return: how many addresses were removed; or negative: -EINVAL for a bad argument, -EPERM, -ENOMEM, and what the kernel
 * says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_firewall_collect(struct flannel_context *context, const char *network,
					    const struct flannel_attachment_id *attachments, size_t n_attachments,
					    struct flannel_error **ret_error);

/**
 * flannel_firewall_remove_former() - take back what the CNI project's firewall plugin did for a container
 * @context:     context.
 * @addresses:   the container's addresses; lengths do not matter.
 * @n_addresses: how many.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Deletes the rules for just these addresses in the chains CNI-FORWARD of ip filter and ip6 filter. Costs two questions to the
 * kernel if there is nothing. Rules of iptables-legacy and sources in a zone of firewalld are not seen.
 *
 * Return: how many rules were removed; or negative: -EINVAL for a bad argument, and as flannel_firewall_ensure()
 * for what concerns the helper and the kernel. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_firewall_remove_former(struct flannel_context *context,
						  const struct flannel_prefix *addresses, size_t n_addresses,
						  struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
