/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_NETCONF_NETCONF_H
#define FL_DOMAIN_NETCONF_NETCONF_H

/* How the network configuration is read, shared by netconf.c (the object) and netconf_family.c (the rules of a family). */

#include <stdbool.h>
#include <stddef.h>

#include <flannel/netconf.h>

#include "base/error.h"

struct json_object;

/* names the text in messages */
#define FL_NETCONF_ORIGIN "net-conf.json"

#define FL_NETCONF_FAMILIES 2

/* one address family, complete and checked; all zero but for .family if it is not enabled */
struct fl_netconf_family {
	int family; /* AF_INET, AF_INET6 */
	bool enabled;
	struct flannel_prefix network;
	struct flannel_prefix first; /* with the subnets' length */
	struct flannel_prefix last;
};

struct fl_netconf_warnings {
	char **list;
	size_t n;
};

/* keeps one more sentence; -ENOMEM */
int fl_netconf_warn(struct fl_netconf_warnings *warnings, const char *format, ...) FL_PRINTF(2, 3);

/* Reads, checks and completes both families, IPv4 first. Warns of settings for a family that is not enabled. */
int fl_netconf_load_families(struct json_object *object, struct fl_netconf_family families[FL_NETCONF_FAMILIES],
			     struct fl_netconf_warnings *warnings, struct flannel_error **ret_error);

/* is it a key of one of the families, in whatever case */
bool fl_netconf_is_family_key(const char *key);

#endif
