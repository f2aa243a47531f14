/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_SOURCE_ROUTE_H
#define FLANNEL_SOURCE_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/address.h>
#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: source_route.h - what a link's addresses send leaves by that link
 *
 * In a namespace with several links, the main table alone decides by which of them a packet leaves. These calls give each
 * address of a link a rule "from the address, look up its own table" (ip-rule(8)), and move the link's routes there. Needs
 * CAP_NET_ADMIN over the context's namespace, in which the link is. Calls are immediate.
 */

/** FLANNEL_SOURCE_ROUTE_TABLE_MIN - the first table that is chosen; those that have rules or routes already are passed over */
#define FLANNEL_SOURCE_ROUTE_TABLE_MIN 100

/**
 * enum flannel_source_route_flags - what becomes of the main table
 * @FLANNEL_SOURCE_ROUTE_KEEP_LINK: the routes to the link's own networks, which have no gateway, stay there as well, and name
 *     the address as the source to prefer, so that programs that bind to none can reach the networks.
 */
enum flannel_source_route_flags { FLANNEL_SOURCE_ROUTE_KEEP_LINK = 1 };

/**
 * struct flannel_source_route_options - the rules that should exist
 * @size:        sizeof(struct flannel_source_route_options).
 * @link:        interface name.
 * @addresses:   addresses of the link, each with its network's length; a gateway becomes the default route of its table.
 * @n_addresses: how many, at least one.
 * @table:       a table that somebody else fills: then there are rules only, for all addresses to this table. 0: a table
 *               for each address.
 * @flags:       enum flannel_source_route_flags, or-ed.
 */
struct flannel_source_route_options {
	size_t size;
	const char *link;
	const struct flannel_address *addresses;
	size_t n_addresses;
	uint32_t table;
	unsigned int flags;
};

/**
 * flannel_source_route_ensure() - make sure that a link's addresses have their rules and tables
 * @context:   context.
 * @options:   what should be; read before return.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * A route of the main table belongs to an address if its preferred source or its gateway is in the address's network, or if
 * it has neither. Routes of the main table that belong to an address are moved; routes with several next hops and those to
 * IPv6's link-local network stay. An address that has a rule keeps its table. If a step fails, those before it are taken
 * back; what does not go back is logged.
 *
 * Return: 1 if something was changed, 0 if it was so already, or negative:
 *   -EINVAL  bad name, flag, table or address
 *   -ENODEV  no such link
 *   -EEXIST  an address has a rule to another table than .table
 *   -EPERM   CAP_NET_ADMIN is missing
 *   -E2BIG, -ENOMEM, and what else the kernel says (-ENETUNREACH: a gateway that the link does not reach).
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_source_route_ensure(struct flannel_context *context,
					       const struct flannel_source_route_options *options,
					       struct flannel_error **ret_error);

/**
 * flannel_source_route_check() - do a link's addresses have their rules and tables
 * @context:   context.
 * @options:   what should be, as for flannel_source_route_ensure().
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller: it says what is missing.
 *
 * Each address must have a rule; without .table, its gateway must be the default route of the table that the rule names.
 *
 * Return: 0 if all is as it should be, or negative:
 *   -ENOENT  a rule or a default route is missing
 *   -EEXIST  an address has a rule to another table than .table
 *   -EINVAL, -ENODEV, -E2BIG, -ENOMEM as for flannel_source_route_ensure(), and what else the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_source_route_check(struct flannel_context *context,
					      const struct flannel_source_route_options *options,
					      struct flannel_error **ret_error);

/**
 * flannel_source_route_remove() - remove the rules of a link's addresses, and what the link has in their tables
 * @context:   context.
 * @options:   .link, which need not exist any more, and .addresses, of which there need be none; the addresses that the link
 *             has now count as well. With .table its routes stay: somebody else has put them there.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * What was moved does not go back to the main table: the call is made before the link goes. What is not there is no failure.
 *
 * Return: 1 if something was removed, 0 if there was nothing, or negative: -EINVAL, -EPERM, -E2BIG, -ENOMEM, and what else the
 * kernel says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_source_route_remove(struct flannel_context *context,
					       const struct flannel_source_route_options *options,
					       struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
