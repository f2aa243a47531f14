/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_FIREWALL_FIREWALL_H
#define FL_DOMAIN_FIREWALL_FIREWALL_H

/*
 * What lets attached containers through, as values: a table of ours with their addresses, and the few rules by which
 * the tables of iptables-nft come to know of it. <flannel/firewall.h> says why there are two.
 */

#include <stdbool.h>

#include <flannel/firewall.h>

#include "base/error.h"
#include "domain/firewall/nft_command.h"
#include "domain/firewall/nft_element.h"

/* The number is that of the layout: another one gets another table. */
#define FL_FIREWALL_FAMILY "inet"
#define FL_FIREWALL_TABLE "cni-firewall-1"

/* sets of our table: addresses of containers, bridges that are isolated, and those whose containers may meet all the same */
#define FL_FIREWALL_IPV4 "addresses-ipv4"
#define FL_FIREWALL_IPV6 "addresses-ipv6"
#define FL_FIREWALL_BRIDGES "bridges"
#define FL_FIREWALL_WITHIN "within"

/* its chains in the forward hook: what is dropped, the mark before the chains of iptables, and its end behind them */
#define FL_FIREWALL_ISOLATION "isolation"
#define FL_FIREWALL_BEFORE "before-filter"
#define FL_FIREWALL_AFTER "after-filter"

/* chains of the table "filter" of iptables */
#define FL_FIREWALL_FILTER "filter"
#define FL_FIREWALL_FORWARD "FORWARD"
#define FL_FIREWALL_CHAIN "CNI-FORWARD"
#define FL_FIREWALL_ADMIN "CNI-ADMIN"

/* by this comment the accepting rule is found again */
#define FL_FIREWALL_COMMENT "attached containers"

enum {
	FL_FIREWALL_ADDRESSES_MAX = 64,
	FL_FIREWALL_ELEMENTS_MAX = FL_FIREWALL_ADDRESSES_MAX + 2,
};

/* the options but for .network and .attachment: 0 or -EINVAL */
int fl_firewall_check_options(const struct flannel_firewall_options *options, struct flannel_error **ret_error);

/* the elements for the container's addresses, with their owner: how many */
size_t fl_firewall_addresses(const struct flannel_firewall_options *options, const char *owner,
			     struct fl_nft_element *ret_elements);

/* the elements for the bridge's policy, up to two, which serve many containers; without a policy none: how many */
size_t fl_firewall_bridge(const struct flannel_firewall_options *options, struct fl_nft_element *ret_elements);

/* The element that must not be there because of the policy: does the policy want one gone? */
bool fl_firewall_unwanted(const struct flannel_firewall_options *options, struct fl_nft_element *ret_element);

/* commands that make our table; NULL without memory. -EEXIST if it is there. */
struct json_object *fl_firewall_table(void);

/* what the table "filter" of a family has of what it should */
struct fl_firewall_found {
	bool has_forward; /* without this chain there is no iptables, and nothing is needed */
	bool has_jump;    /* from FORWARD */
	bool has_chain;
	bool has_admin_jump;
	bool has_accept;
};

/* is something missing in a family's table "filter"; what it is, for a message */
const char *fl_firewall_missing(const struct fl_firewall_found *found);

/* appends commands that complete it: 0 or -ENOMEM */
int fl_firewall_complete(struct json_object *commands, const char *family, const struct fl_firewall_found *found,
			 const char *admin_chain);

#endif
