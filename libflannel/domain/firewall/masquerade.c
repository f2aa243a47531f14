/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/firewall/masquerade.h"

#include <netinet/in.h>
#include <stdio.h>

/* kube-proxy marks packets that it will masquerade itself; the other bits of the mark are other people's */
#define KUBE_MARK 0x4000U

static struct fl_nft_match source(struct flannel_prefix prefix, bool negated)
{
	return (struct fl_nft_match){.type = FL_NFT_SADDR, .negated = negated, .prefix = prefix};
}

static struct fl_nft_match destination(struct flannel_prefix prefix, bool negated)
{
	return (struct fl_nft_match){.type = FL_NFT_DADDR, .negated = negated, .prefix = prefix};
}

/* all multicast addresses of a family */
static struct flannel_prefix multicast(int family)
{
	if (family == AF_INET6)
		return (struct flannel_prefix){.family = AF_INET6, .plen = 8, .addr = {0xff}};
	return (struct flannel_prefix){.family = AF_INET, .plen = 4, .addr = {224}};
}

/* appends an empty rule, to be given its matches */
static struct fl_nft_rule *add_rule(struct fl_nft_chain *chain, enum fl_nft_verdict verdict)
{
	struct fl_nft_rule *rule = &chain->rules[chain->n_rules++];

	rule->verdict = verdict;
	return rule;
}

/* appends a rule on where a packet comes from and goes to */
static void add_path_rule(struct fl_nft_chain *chain, struct fl_nft_match from, struct fl_nft_match to,
			  enum fl_nft_verdict verdict)
{
	struct fl_nft_rule *rule = add_rule(chain, verdict);

	rule->matches[rule->n_matches++] = from;
	rule->matches[rule->n_matches++] = to;
}

/* appends a rule with one match */
static void add_match_rule(struct fl_nft_chain *chain, struct fl_nft_match match, enum fl_nft_verdict verdict)
{
	struct fl_nft_rule *rule = add_rule(chain, verdict);

	rule->matches[rule->n_matches++] = match;
}

/*
 * The rules of flannel's iptables mode, in its order. The first that matches decides, so what pods of this node say to
 * pods anywhere, and the reverse, keeps its addresses before anything is masqueraded. Without pods of other nodes, those
 * rules are left out that would say nothing new.
 */
static void fill_postrouting(struct fl_nft_chain *chain, const struct flannel_masquerade_options *options)
{
	struct flannel_prefix network = options->network;
	struct flannel_prefix subnet = options->subnet;
	enum fl_nft_verdict masquerade = FL_NFT_MASQUERADE_FULLY_RANDOM;
	bool has_other_nodes = flannel_prefix_compare(&network, &subnet) != 0;

	if (options->flags & FLANNEL_MASQUERADE_FIXED_PORTS)
		masquerade = FL_NFT_MASQUERADE;
	*chain = (struct fl_nft_chain){.name = "postrtg",
				       .type = "nat",
				       .hook = "postrouting",
				       .priority = 100,
				       .comment = "chain to manage traffic masquerading by flannel"};

	add_match_rule(chain, (struct fl_nft_match){.type = FL_NFT_MARK, .mark = KUBE_MARK, .mask = KUBE_MARK},
		       FL_NFT_RETURN);
	add_path_rule(chain, source(subnet, false), destination(network, false), FL_NFT_RETURN);
	if (has_other_nodes) {
		add_path_rule(chain, source(network, false), destination(subnet, false), FL_NFT_RETURN);
		/* from outside to a pod of this node: the pod should see who speaks */
		add_path_rule(chain, source(network, true), destination(subnet, false), FL_NFT_RETURN);
	}
	add_path_rule(chain, source(network, false), destination(multicast(network.family), true), masquerade);
	/* from outside to a pod of another node: the answer has to come back by this node */
	if (has_other_nodes)
		add_path_rule(chain, source(network, true), destination(network, false), masquerade);
}

/* lets through what comes from or goes to the network */
static void fill_forward(struct fl_nft_chain *chain, const struct flannel_masquerade_options *options)
{
	*chain = (struct fl_nft_chain){.name = "forward",
				       .type = "filter",
				       .hook = "forward",
				       .priority = 0,
				       .comment = "chain to accept flannel traffic"};
	add_match_rule(chain, source(options->network, false), FL_NFT_ACCEPT);
	add_match_rule(chain, destination(options->network, false), FL_NFT_ACCEPT);
}

void fl_masquerade_table_init(struct fl_nft_table *table, int family)
{
	bool ipv6 = family == AF_INET6;

	*table = (struct fl_nft_table){.family = ipv6 ? "ip6" : "ip",
				       .name = ipv6 ? "flannel-ipv6" : "flannel-ipv4",
				       .comment = ipv6 ? "rules for flannel-ipv6" : "rules for flannel-ipv4"};
}

const char *fl_masquerade_name_table(int family, const char *instance, char buf[FL_MASQUERADE_NAME_SIZE])
{
	struct fl_nft_table table;

	fl_masquerade_table_init(&table, family);
	snprintf(buf, FL_MASQUERADE_NAME_SIZE, "%s%s%s", table.name, *instance ? "-" : "", instance);
	return buf;
}

void fl_masquerade_want(const struct flannel_masquerade_options *options, struct fl_nft_table *ret_table)
{
	fl_masquerade_table_init(ret_table, options->network.family);
	if (options->table) {
		ret_table->name = options->table;
		ret_table->comment = "rules set by libflannel";
	}
	if (options->flags & FLANNEL_MASQUERADE_SNAT)
		fill_postrouting(&ret_table->chains[ret_table->n_chains++], options);
	if (options->flags & FLANNEL_MASQUERADE_FORWARD)
		fill_forward(&ret_table->chains[ret_table->n_chains++], options);
}
