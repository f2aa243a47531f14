/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_PORT_MAP_H
#define FLANNEL_PORT_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/attachment_id.h>
#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/prefix.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: port_map.h - ports of the node that lead to containers
 *
 * Static rules in one nftables table, inet cni-portmap-1, look ports up in maps; a container's mappings are elements of
 * these. So mapping a port changes no rule, costs a fraction of a millisecond, and the same with four containers and
 * with four thousand. What is sent to an address of the node and a mapped port, from outside, from a container or from
 * the node itself, goes to the container; what goes to other addresses is left alone, whatever its port.
 *
 * Mappings with conditions have a table of their own for each set of conditions, inet cni-portmap-1- and the
 * hash of the conditions in 16 hexadecimal digits.
 *
 * Each element bears its owner in its comment. Nobody's element is removed on behalf of somebody else, with one exception:
 * where an element leads to the very address that is mapped now, its owner must be gone, since addresses are given to one at a
 * time.
 *
 * The table is set by a helper program when it is missing (libexec/flannel/nft), all else without. A table that somebody
 * deleted comes back with the next mapping; those of other containers do not. Needs CAP_NET_ADMIN over the context's
 * namespace.
 */

/**
 * enum flannel_port_map_flags - what else is done with mapped connections
 * @FLANNEL_PORT_MAP_SNAT:            connections from the container to itself, from others behind the same link of the node (its
 *                                    neighbours on a bridge), and over IPv4 from the node's 127.0.0.1, get an address of
 *                                    the node as their source, without which no answer would come back; the setting
 *                                    route_localnet of the link towards the container is set to 1. The neighbours' packets get
 *                                    bit 0x2000 of the mark for this.
 * @FLANNEL_PORT_MAP_MASQUERADE_ALL:  so do all connections to the container that were redirected, be it by a
 *                                    mapping or by another program; needs SNAT, has no effect without.
 */
enum flannel_port_map_flags { FLANNEL_PORT_MAP_SNAT = 1, FLANNEL_PORT_MAP_MASQUERADE_ALL = 2 };

/**
 * struct flannel_port_mapping - one port of the node
 * @size:           sizeof(struct flannel_port_mapping), exactly.
 * @protocol:       IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP.
 * @host_port:      the node's port, 1 to 65535.
 * @container_port: the container's port, 1 to 65535.
 * @host_address:   the address of the node that the mapping is for, with the length of its family; family AF_UNSPEC for
 *                  all; 0.0.0.0 or :: for all of one family. A mapping for one address comes before one for all.
 */
struct flannel_port_mapping {
	size_t size;
	int protocol;
	uint16_t host_port;
	uint16_t container_port;
	struct flannel_prefix host_address;
};

/**
 * struct flannel_port_map_options - the mappings of one attachment
 * @size:              sizeof(struct flannel_port_map_options).
 * @network:           name of the network, not empty.
 * @attachment:        whose mappings they are.
 * @mappings:          the mappings; may be NULL if there are none.
 * @n_mappings:        how many.
 * @ipv4:              the container's IPv4 address; the length does not matter. AF_UNSPEC: it has none.
 * @ipv6:              the same for IPv6. Mappings of a family in which the container has no address are left out.
 * @flags:             enum flannel_port_map_flags, or-ed.
 * @conditions_ipv4:   words of conditions that packets have to meet besides, in nft's language or in that of iptables:
 *                     "ip saddr", "ip daddr" and a network, "iifname" and a name, each with "!=" before the last word or
 *                     not; or -s, -d and a network, -i and a name, each with "!" before it or not. A word may hold
 *                     several, separated by blanks. NULL for none.
 * @n_conditions_ipv4: how many words.
 * @conditions_ipv6:   the same for IPv6, with "ip6" for "ip".
 * @n_conditions_ipv6: how many words.
 */
struct flannel_port_map_options {
	size_t size;
	const char *network;
	const struct flannel_attachment_id *attachment;
	const struct flannel_port_mapping *mappings;
	size_t n_mappings;
	struct flannel_prefix ipv4;
	struct flannel_prefix ipv6;
	unsigned int flags;
	const char *const *conditions_ipv4;
	size_t n_conditions_ipv4;
	const char *const *conditions_ipv6;
	size_t n_conditions_ipv6;
};

/**
 * flannel_port_map_ensure() - map ports
 * @context:   context.
 * @options:   what should be; read before return.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Mappings of the same attachment that are there already stay, or lead to the container's new address and port from now on;
 * others of it that are not in @options are not removed. Connections over UDP that the kernel tracks for a mapped port are
 * forgotten, since they would go where the port led before; a failure of that is logged only.
 *
 * Immediate (a millisecond; a few if the table is missing, at most five seconds if the helper hangs; some 20 if the port was held
 * a moment ago).
 *
 * Return: 0; or negative, with those mappings in @options taken back that were added:
 *   -EINVAL      bad option, or one port mapped twice in different ways; nothing was tried
 *   -EOPNOTSUPP  a condition that is none of those above; nothing was tried
 *   -EADDRINUSE  a port is mapped for somebody else; the message says which, and to where
 *   -ENOENT, -EACCES  the helper is needed, and is not installed or cannot be run; the message names its path
 *   -EPIPE, -ETIMEDOUT  the helper died, or did not answer (retryable)
 *   -EPERM, -E2BIG, -ENOMEM, and what the kernel says.
 *
 * Since: 0.1.  See also: flannel_port_map_remove(), flannel_port_map_check().
 */
FLANNEL_PUBLIC int flannel_port_map_ensure(struct flannel_context *context,
					   const struct flannel_port_map_options *options,
					   struct flannel_error **ret_error);

/**
 * flannel_port_map_remove() - take back what flannel_port_map_ensure() did for an attachment
 * @context:   context.
 * @options:   .network and .attachment say whose; .mappings and the conditions where to look first. If not all of them are
 *             found there, everything is looked through. Without mappings nothing is done. The other members are
 *             not looked at.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Packets may still be redirected for some milliseconds. Tracked connections go on. route_localnet stays.
 *
 * Return: how many elements were removed, 0 if there were none; or negative as flannel_port_map_ensure(), but for what
 * concerns the helper and -EADDRINUSE. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_port_map_remove(struct flannel_context *context,
					   const struct flannel_port_map_options *options,
					   struct flannel_error **ret_error);

/**
 * flannel_port_map_check() - are the mappings of an attachment as they should be
 * @context:   context.
 * @options:   as for flannel_port_map_ensure().
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0; or negative:
 *   -ENOENT      something is missing: the table, its rules, or a mapping, which the message names
 *   -EADDRINUSE  a port leads somewhere else
 *   -EINVAL, -EOPNOTSUPP, -EPERM, -E2BIG, -ENOMEM, and what the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_port_map_check(struct flannel_context *context,
					  const struct flannel_port_map_options *options,
					  struct flannel_error **ret_error);

/**
 * flannel_port_map_collect() - remove the mappings of a network's attachments that are no more
 * @context:       context.
 * @network:       name of the network, not empty. Mappings of other networks are left alone.
 * @attachments:   those that are; may be NULL if there are none.
 * @n_attachments: how many.
 * @ret_error:     NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: how many elements were removed; or negative: -EINVAL for a bad argument, -EPERM, -ENOMEM, and what the kernel says.
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_port_map_collect(struct flannel_context *context, const char *network,
					    const struct flannel_attachment_id *attachments, size_t n_attachments,
					    struct flannel_error **ret_error);

/**
 * flannel_port_map_probe() - could ports be mapped
 * @context:   context.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Asks the kernel for the table and, if it is not there, starts the helper that would make it.
 *
 * Return: 0; or negative: -EINVAL for NULL, -ENOENT or -EACCES if the helper is needed and is not installed or cannot be run,
 * -EPERM, -ENOMEM, and what the kernel says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_port_map_probe(struct flannel_context *context, struct flannel_error **ret_error);

/**
 * flannel_port_map_remove_former() - take back what the CNI project's portmap plugin did for a container
 * @context:   context.
 * @comment:   the comment of its rules in the tables ip cni_hostport and ip6 cni_hostport: the container's id.
 * @chains:    names of its chains in the tables ip nat and ip6 nat (as iptables-nft makes them): they are deleted, and all
 *             rules that jump to them.
 * @n_chains:  how many.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Costs a question to the kernel for each table and chain if there is nothing. Rules of iptables-legacy are not seen.
 *
 * Return: how many rules and chains were removed, 0 if there were none; or negative: -EINVAL for a bad argument, and as
 * flannel_port_map_ensure() for what concerns the helper and the kernel. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_port_map_remove_former(struct flannel_context *context, const char *comment,
						  const char *const *chains, size_t n_chains,
						  struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
