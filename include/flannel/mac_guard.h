/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_MAC_GUARD_H
#define FLANNEL_MAC_GUARD_H

#include <stddef.h>

#include <flannel/attachment_id.h>
#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: mac_guard.h - containers send with their own MAC address only
 *
 * A guarded port of a bridge takes in only frames whose source MAC address is the container's own; others are dropped before
 * the bridge learns of them. There is one nftables table of family bridge for all, which the first call makes with the
 * helper program (see masquerade.h). Ports are elements of its sets, so that containers come and go without a
 * rule being touched. Needs CAP_NET_ADMIN over the context's namespace.
 */

/**
 * struct flannel_mac_guard_options - which port to guard
 * @size:       sizeof(struct flannel_mac_guard_options).
 * @network:    name of the network that the attachment belongs to.
 * @attachment: whose port it is.
 * @port:       interface name of the node's end of the veth pair, 1 to 15 bytes.
 * @mac:        the container's MAC address as text.
 */
struct flannel_mac_guard_options {
	size_t size;
	const char *network;
	const struct flannel_attachment_id *attachment;
	const char *port;
	const char *mac;
};

/**
 * flannel_mac_guard_ensure() - guard a port
 * @context:   context.
 * @options:   read before return.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * A rule that somebody removed is put back. Immediate (below a millisecond; a few where the table has to be made).
 *
 * Return: 1 if the table was made or mended, 0 if it was there, or negative with the port not guarded:
 *   -EINVAL     a parameter is NULL, bad name or MAC address
 *   -ENOENT, -EACCES  the helper is not installed or cannot be run; the message names its path
 *   -EEXIST     an element of that port is on its way out just now (retryable)
 *   -EBUSY, -EPIPE, -ETIMEDOUT  as flannel_masquerade_ensure() (retryable)
 *   -EPERM, -E2BIG, -ENOMEM, and what the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_mac_guard_ensure(struct flannel_context *context,
					    const struct flannel_mac_guard_options *options,
					    struct flannel_error **ret_error);

/**
 * flannel_mac_guard_remove() - end the guard of an attachment's port
 * @context:    context.
 * @network:    name of the network.
 * @attachment: the attachment.
 * @ret_error:  NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Needs no helper, and touches no rule.
 *
 * Return: the number of guards that were ended, 0 if there was none, or negative: -EINVAL, -EPERM, -ENOMEM, and what the
 * kernel says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_mac_guard_remove(struct flannel_context *context, const char *network,
					    const struct flannel_attachment_id *attachment,
					    struct flannel_error **ret_error);

/**
 * flannel_mac_guard_collect() - end the guards of a network's attachments but for those that exist
 * @context:       context.
 * @network:       name of the network; guards of others are left alone.
 * @attachments:   those that exist; may be NULL if there are none.
 * @n_attachments: how many.
 * @ret_error:     NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: as flannel_mac_guard_remove(). Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_mac_guard_collect(struct flannel_context *context, const char *network,
					     const struct flannel_attachment_id *attachments, size_t n_attachments,
					     struct flannel_error **ret_error);

/**
 * flannel_mac_guard_remove_former() - remove the rules with which the CNI project's bridge plugin guards a port
 * @context:    context.
 * @attachment: whose rules.
 * @ret_error:  NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Two questions to the kernel if there are none; else the helper removes them.
 *
 * Return: how many rules and chains were removed, or negative as flannel_mac_guard_ensure(). Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_mac_guard_remove_former(struct flannel_context *context,
						   const struct flannel_attachment_id *attachment,
						   struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
