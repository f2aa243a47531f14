/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_NETCONF_H
#define FLANNEL_NETCONF_H

#include <stddef.h>

#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/prefix.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: netconf.h - the network configuration that all nodes share (net-conf.json)
 *
 * One JSON object with the keys of flannel: EnableIPv4, EnableIPv6, EnableNFTables, Network, IPv6Network,
 * SubnetLen, SubnetMin, SubnetMax, IPv6SubnetLen, IPv6SubnetMin, IPv6SubnetMax, Backend. Keys match without regard
 * to case. A configuration is immutable, complete (every default filled in) and valid.
 */

struct flannel_netconf;

/**
 * flannel_netconf_parse() - read and check a configuration
 * @text:        JSON text, @len bytes, need not end in zero.
 * @len:         bytes.
 * @ret_netconf: set on success; owned by the caller, see flannel_netconf_unref().
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller. Area "config"; the message
 *               names the key, the value and what was expected.
 *
 * Rules and defaults: enabled families need a network; the subnet length is between the network's plus 2 and 30
 * (IPv6: 126), by default 24 (IPv6: 64) where the network leaves room, else the network's plus 2; the first and
 * last subnet lie in the network, are aligned, and first <= last, by default the second and the last of the
 * network. Without Backend the type is "udp", as in flannel.
 *
 * Return: 0, or negative: -EINVAL (not JSON, wrong type, rule broken), -ENOMEM. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_netconf_parse(const char *text, size_t len, struct flannel_netconf **ret_netconf,
					 struct flannel_error **ret_error);

/**
 * flannel_netconf_ref() - take one more reference
 * @netconf: a configuration or NULL.
 *
 * Return: @netconf. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_netconf *flannel_netconf_ref(struct flannel_netconf *netconf);

/**
 * flannel_netconf_unref() - drop a reference
 * @netconf: a configuration or NULL.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_netconf *flannel_netconf_unref(struct flannel_netconf *netconf);

/**
 * flannel_netconf_get_text() - the text it was parsed from
 * @netconf: a configuration; NULL gives "".
 *
 * Return: zero-terminated text owned by @netconf, byte for byte as given. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_netconf_get_text(const struct flannel_netconf *netconf);

/**
 * flannel_netconf_equal() - do two configurations mean the same
 * @a: a configuration.
 * @b: a configuration.
 *
 * Compares values after defaults, not texts; the backend's settings as JSON values.
 *
 * Return: 1 or 0; NULL equals nothing. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_netconf_equal(const struct flannel_netconf *a, const struct flannel_netconf *b);

/**
 * flannel_netconf_get_difference() - in what two configurations differ
 * @a:     a configuration.
 * @b:     another one.
 * @index: 0 for the first.
 *
 * Compares as flannel_netconf_equal() does. SubnetLen, SubnetMin and SubnetMax count as they are after defaults, the latter two only
 * where the network is the same.
 *
 * Return: static text, the key of a value that differs, such as "Network"; NULL beyond the last, and for NULL. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_netconf_get_difference(const struct flannel_netconf *a,
							  const struct flannel_netconf *b, unsigned int index);

/**
 * flannel_netconf_get_network() - the cluster's network of one family
 * @netconf:    a configuration.
 * @family:     AF_INET or AF_INET6.
 * @ret_prefix: set when 1 is returned.
 *
 * Return: 1; 0 if the family is not enabled; -EINVAL for NULL or another family. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_netconf_get_network(const struct flannel_netconf *netconf, int family,
					       struct flannel_prefix *ret_prefix);

/**
 * flannel_netconf_get_subnet_range() - the first and the last subnet that may be leased
 * @netconf:   a configuration.
 * @family:    AF_INET or AF_INET6.
 * @ret_first: set when 1 is returned; its length is the subnet length.
 * @ret_last:  set when 1 is returned; same length.
 *
 * Return: 1; 0 if the family is not enabled; -EINVAL for NULL or another family. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_netconf_get_subnet_range(const struct flannel_netconf *netconf, int family,
						    struct flannel_prefix *ret_first, struct flannel_prefix *ret_last);

/**
 * flannel_netconf_get_backend_type() - how nodes reach each other
 * @netconf: a configuration; NULL gives "".
 *
 * Return: lower-case name such as "host-gw", owned by @netconf; "" if Backend had no Type. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_netconf_get_backend_type(const struct flannel_netconf *netconf);

/**
 * flannel_netconf_get_backend_text() - the Backend object
 * @netconf: a configuration; NULL gives "{}".
 *
 * Return: JSON text owned by @netconf. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_netconf_get_backend_text(const struct flannel_netconf *netconf);

/**
 * flannel_netconf_get_nftables() - the value of EnableNFTables
 * @netconf: a configuration; NULL gives 0.
 *
 * This library always uses nftables; the value matters only to other implementations.
 *
 * Return: 1 or 0. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_netconf_get_nftables(const struct flannel_netconf *netconf);

/**
 * flannel_netconf_get_warning() - what the text contains that has no effect
 * @netconf: a configuration.
 * @index:   0 for the first.
 *
 * Return: a sentence such as "unknown key \"Netwrok\"", owned by @netconf; NULL beyond the last. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_netconf_get_warning(const struct flannel_netconf *netconf, unsigned int index);

FLANNEL_END_DECLS

#endif
