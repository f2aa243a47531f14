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
 * The rules of a network live in one nftables table per family, flannel-ipv4 and flannel-ipv6 unless another name is
 * given, which is replaced as a whole in one transaction. They are set by a helper program (libexec/flannel/nft), since
 * libnftables may end its process; its death is an ordinary retryable error. Whether a table is there is asked without
 * the helper. Needs CAP_NET_ADMIN over the context's namespace.
 */

/**
 * enum flannel_masquerade_flags - which rules
 * @FLANNEL_MASQUERADE_SNAT:        chain postrtg: traffic that leaves the network gets the node's address, traffic
 *                                  from outside to a pod of another node too; pod to pod keeps its own. Packets with
 *                                  mark 0x4000/0x4000 are left to kube-proxy.
 * @FLANNEL_MASQUERADE_FIXED_PORTS: without fully-random: source ports are kept where possible.
 * @FLANNEL_MASQUERADE_FORWARD:     chain forward: accept what comes from or goes to the network. This cannot
 *                                  override a drop in another table's base chain.
 * @FLANNEL_MASQUERADE_IF_MISSING:  a table of that name is left as it is, whatever is in it; to see it takes one
 *                                  request to the kernel and no helper.
 */
enum flannel_masquerade_flags {
	FLANNEL_MASQUERADE_SNAT = 1,
	FLANNEL_MASQUERADE_FIXED_PORTS = 2,
	FLANNEL_MASQUERADE_FORWARD = 4,
	FLANNEL_MASQUERADE_IF_MISSING = 8
};

/**
 * struct flannel_masquerade_options - the rules that should exist
 * @size:    sizeof(struct flannel_masquerade_options).
 * @network: the whole network, host bits zero.
 * @subnet:  this node's part of it, host bits zero. The same as @network says that the network is one range of this
 *           node: then what goes from the range to the range, or to multicast groups (224.0.0.0/4, ff00::/8), keeps
 *           its address, and all else from the range is masqueraded.
 * @flags:   enum flannel_masquerade_flags, or-ed; at least one of SNAT and FORWARD.
 * @table:   name of the table, 1 to 31 letters, digits, "_" and "-"; NULL for flannel's own, flannel-ipv4 or
 *           flannel-ipv6. Tables of different names do not disturb each other; flannel_masquerade_remove() removes
 *           only flannel's own, flannel_masquerade_remove_tables() others.
 */
struct flannel_masquerade_options {
	size_t size;
	struct flannel_prefix network;
	struct flannel_prefix subnet;
	unsigned int flags;
	const char *table;
};

/**
 * flannel_masquerade_ensure() - make sure that the rules of one family exist
 * @context:   context.
 * @options:   what should be; read before return. The family is that of .network.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Immediate (a few milliseconds, at most five seconds if the helper hangs). With IF_MISSING, several that find no table
 * at the same time all set it, which is as good as one.
 *
 * Return: 0; with IF_MISSING 0 if the table was there, 1 if it was set; or negative:
 *   -EINVAL     bad option or table name, families differ, .subnet is not inside .network; nothing was tried
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
 * flannel_masquerade_remove() - delete flannel's own table of one family
 * @context:   context.
 * @family:    AF_INET or AF_INET6.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 1 if there were any, 0 if not, or negative as flannel_masquerade_ensure(). Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_masquerade_remove(struct flannel_context *context, int family,
					     struct flannel_error **ret_error);

/**
 * flannel_masquerade_remove_tables() - delete tables by the beginning of their names
 * @context:   context.
 * @prefix:    what their names begin with, 1 to 31 letters, digits, "_" and "-".
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Tables of both families, all in one transaction. They are asked for without the helper, which is not needed if there are
 * none.
 *
 * Return: how many were deleted, 0 if there were none, or negative as flannel_masquerade_ensure(). Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_masquerade_remove_tables(struct flannel_context *context, const char *prefix,
						    struct flannel_error **ret_error);

/**
 * flannel_masquerade_remove_former() - remove the rules with which the CNI project's plugins masquerade one container
 * @context:   context.
 * @comment:   what the comments of their nftables backend begin with: hashes of network and attachment.
 * @chain:     name of the chain of their iptables backend, where that works through nftables.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Three questions to the kernel if there are none; else the helper removes them in one transaction. Rules of an
 * iptables that works without nftables are not seen.
 *
 * Return: how many rules and chains were removed, or negative as flannel_masquerade_ensure(). Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_masquerade_remove_former(struct flannel_context *context, const char *comment,
						    const char *chain, struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
