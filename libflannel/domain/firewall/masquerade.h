/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_FIREWALL_MASQUERADE_H
#define FL_DOMAIN_FIREWALL_MASQUERADE_H

/*
 * The firewall policy of a network, as values: tables, chains and rules that sys/nft/nft hands to the helper. Names,
 * priorities and comments are those of flannel's nftables mode, so that we replace what flanneld left and the
 * reverse; other tables have the same chains under the name that the host gives. The order of the rules and the mark's mask are those of its iptables mode: the nftables mode compares the
 * whole mark, and swaps subnet and network in its fourth rule, which keeps traffic from outside to a pod of another
 * node from being masqueraded.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/masquerade.h>

#include "base/error.h"

enum fl_nft_match_type { FL_NFT_SADDR, FL_NFT_DADDR, FL_NFT_MARK };

struct fl_nft_match {
	enum fl_nft_match_type type;
	bool negated;
	struct flannel_prefix prefix; /* SADDR, DADDR */
	uint32_t mark;                /* MARK: (meta mark & mask) == mark */
	uint32_t mask;
};

enum fl_nft_verdict { FL_NFT_RETURN, FL_NFT_ACCEPT, FL_NFT_MASQUERADE, FL_NFT_MASQUERADE_FULLY_RANDOM };

struct fl_nft_rule {
	struct fl_nft_match matches[3];
	size_t n_matches;
	enum fl_nft_verdict verdict;
};

struct fl_nft_chain {
	const char *name;
	const char *type; /* "nat", "filter" */
	const char *hook; /* "postrouting", "forward" */
	int priority;
	const char *comment;
	struct fl_nft_rule rules[8];
	size_t n_rules;
};

struct fl_nft_table {
	const char *family; /* "ip", "ip6" */
	const char *name;   /* "flannel-ipv4", "flannel-ipv6", or the host's choice */
	const char *comment;
	struct fl_nft_chain chains[2];
	size_t n_chains;
};

/* family, name and comment of flannel's table for AF_INET or AF_INET6; no chains */
void fl_masquerade_table_init(struct fl_nft_table *table, int family);

/* the name of an instance's table, which adds "-NAME" to flannel's; returns buf */
#define FL_MASQUERADE_NAME_SIZE 48
const char *fl_masquerade_name_table(int family, const char *instance, char buf[FL_MASQUERADE_NAME_SIZE]);

/* the whole table, for the family of .network; options were checked, and .table is borrowed */
void fl_masquerade_want(const struct flannel_masquerade_options *options, struct fl_nft_table *ret_table);

#endif
