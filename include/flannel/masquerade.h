/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_MASQUERADE_H
#define FLANNEL_MASQUERADE_H

#include <stddef.h>

#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/prefix.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: masquerade.h - masquerade and forward rules of a network
 *
 * The rules live in one nftables table per family, flannel-ipv4 and flannel-ipv6, which is replaced as a whole in one
 * transaction. They are set by a helper program (libexec/flannel/nft), since libnftables may end its process; its
 * death is an ordinary retryable error. Needs CAP_NET_ADMIN over the context's namespace.
 */

/**
 * enum flannel_masquerade_flags - which rules
 * @FLANNEL_MASQUERADE_SNAT:        chain postrtg: traffic that leaves the network gets the node's address, traffic
 *                                  from outside to a pod of another node too; pod to pod keeps its own. Packets with
 *                                  mark 0x4000/0x4000 are left to kube-proxy.
 * @FLANNEL_MASQUERADE_FIXED_PORTS: without fully-random: source ports are kept where possible.
 * @FLANNEL_MASQUERADE_FORWARD:     chain forward: accept what comes from or goes to the network. This cannot
 *                                  override a drop in another table's base chain.
 */
enum flannel_masquerade_flags {
	FLANNEL_MASQUERADE_SNAT = 1,
	FLANNEL_MASQUERADE_FIXED_PORTS = 2,
	FLANNEL_MASQUERADE_FORWARD = 4
};

/**
 * struct flannel_masquerade_options - the rules that should exist
 * @size:    sizeof(struct flannel_masquerade_options).
 * @network: the whole network, host bits zero.
 * @subnet:  this node's part of it, host bits zero.
 * @flags:   enum flannel_masquerade_flags, or-ed; at least one of SNAT and FORWARD.
 */
struct flannel_masquerade_options {
	size_t size;
	struct flannel_prefix network;
	struct flannel_prefix subnet;
	unsigned int flags;
};

/**
 * flannel_masquerade_ensure() - make sure that the rules of one family exist
 * @context:   context.
 * @options:   what should be; read before return. The family is that of .network.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Immediate (a few milliseconds, at most five seconds if the helper hangs).
 *
 * Return: 0, or negative:
 *   -EINVAL     bad option, families differ, .subnet is not inside .network; nothing was tried
 *   -ENOENT, -EACCES  the helper is not installed or cannot be run; the message names its path
 *   -EBUSY      a node of the same context is setting its rules just now (retryable)
 *   -EPIPE      the helper died (retryable)
 *   -ETIMEDOUT  the helper did not answer (retryable)
 *   -EPERM, -E2BIG, -ENOMEM, and what the kernel says.
 * After -EPIPE and -ETIMEDOUT either the former rules or the new ones are in force, never a mix; after all others
 * the former.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_masquerade_ensure(struct flannel_context *context,
					     const struct flannel_masquerade_options *options,
					     struct flannel_error **ret_error);

/**
 * flannel_masquerade_remove() - delete the rules of one family
 * @context:   context.
 * @family:    AF_INET or AF_INET6.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 1 if there were any, 0 if not, or negative as flannel_masquerade_ensure(). Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_masquerade_remove(struct flannel_context *context, int family,
					     struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
