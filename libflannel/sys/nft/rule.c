/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nft/rule.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define QUESTION_SIZE 512

/* the type of a comment among the user data of a rule, as nft has it */
#define USERDATA_COMMENT 0

/* a text attribute as far as it fits; "" if there is none */
static void read_text(struct nlattr *attribute, char *buf, size_t size)
{
	size_t len = attribute ? strnlen(nla_data(attribute), (size_t)nla_len(attribute)) : 0;

	if (len >= size)
		len = size - 1;
	if (len > 0)
		memcpy(buf, nla_data(attribute), len);
	buf[len] = '\0';
}

/* the comment among a rule's user data: types, lengths, values */
static void read_comment(struct nlattr *attribute, char *buf, size_t size)
{
	const uint8_t *at = attribute ? nla_data(attribute) : NULL;
	size_t left = attribute ? (size_t)nla_len(attribute) : 0;

	buf[0] = '\0';
	while (left >= 2 && at[1] <= left - 2) {
		if (at[0] == USERDATA_COMMENT) {
			size_t len = strnlen((const char *)at + 2, at[1]);

			len = len < size ? len : size - 1;
			memcpy(buf, at + 2, len);
			buf[len] = '\0';
			return;
		}
		left -= 2U + at[1];
		at += 2 + at[1];
	}
}

/* the attribute of a type inside another one, which may be NULL */
static struct nlattr *inside(struct nlattr *nest, int type)
{
	return nest ? nla_find(nla_data(nest), nla_len(nest), type) : NULL;
}

/* where an expression of a rule sends packets; an expression is a name and, if it is a verdict, a chain deep inside */
static struct nlattr *find_target(struct nlattr *expression)
{
	struct nlattr *name = inside(expression, NFTA_EXPR_NAME);
	struct nlattr *data;

	if (!name || nla_strcmp(name, "immediate") != 0)
		return NULL;
	data = inside(inside(expression, NFTA_EXPR_DATA), NFTA_IMMEDIATE_DATA);
	return inside(inside(data, NFTA_DATA_VERDICT), NFTA_VERDICT_CHAIN);
}

/* the comment of a rule that iptables made, if this expression is one: a match of that name, and its argument */
static void read_match_comment(struct nlattr *expression, char *buf, size_t size)
{
	struct nlattr *name = inside(expression, NFTA_EXPR_NAME), *data = inside(expression, NFTA_EXPR_DATA);
	struct nlattr *match = inside(data, NFTA_MATCH_NAME);

	if (name && match && nla_strcmp(name, "match") == 0 && nla_strcmp(match, "comment") == 0)
		read_text(inside(data, NFTA_MATCH_INFO), buf, size);
}

/* what a rule has just loaded from a packet */
struct loaded {
	uint32_t offset;
	uint32_t len; /* 0: nothing of the network header */
};

/* a number of an attribute, 0 without it */
static uint32_t number(struct nlattr *attribute)
{
	return attribute && nla_len(attribute) >= (int)sizeof(uint32_t) ? be32toh(nla_get_u32(attribute)) : 0;
}

/* where an address that was loaded belongs, by the header's layout (RFC 791, RFC 8200); NULL if it is none */
static struct fl_nft_address *which_address(struct fl_nft_found_rule *rule, const struct loaded *loaded)
{
	if ((loaded->len == 4 && loaded->offset == 12) || (loaded->len == 16 && loaded->offset == 8))
		return &rule->source;
	if ((loaded->len == 4 && loaded->offset == 16) || (loaded->len == 16 && loaded->offset == 24))
		return &rule->destination;
	return NULL;
}

/* Notes an address that a rule compares with: one expression loads it, the next one compares. Between them stands a mask, if not
 * all of it counts. */
static void follow(struct fl_nft_found_rule *rule, struct nlattr *expression, struct loaded *loaded)
{
	struct nlattr *name = inside(expression, NFTA_EXPR_NAME), *data = inside(expression, NFTA_EXPR_DATA);
	struct fl_nft_address *address = which_address(rule, loaded);
	struct nlattr *value;

	if (name && nla_strcmp(name, "payload") == 0 &&
	    number(inside(data, NFTA_PAYLOAD_BASE)) == NFT_PAYLOAD_NETWORK_HEADER) {
		loaded->offset = number(inside(data, NFTA_PAYLOAD_OFFSET));
		loaded->len = number(inside(data, NFTA_PAYLOAD_LEN));
		return;
	}
	value = inside(inside(data, NFTA_CMP_DATA), NFTA_DATA_VALUE);
	if (name && nla_strcmp(name, "cmp") == 0 && address && number(inside(data, NFTA_CMP_OP)) == NFT_CMP_EQ &&
	    value && nla_len(value) == (int)loaded->len) {
		memcpy(address->bytes, nla_data(value), loaded->len);
		address->len = (uint8_t)loaded->len;
	}
	loaded->len = 0;
}

/* which rules a listing keeps; no filter: all */
struct selection {
	fl_nft_rule_filter is_meant;
	const void *userdata;
};

/* makes an item of a rule; an fl_rtnl_parse_fn */
static int parse_rule(void *userdata, const struct nlmsghdr *header, void *ret_item)
{
	const struct selection *selection = userdata;
	struct fl_nft_found_rule *rule = ret_item;
	struct nlattr *attributes[NFTA_RULE_MAX + 1], *expression;
	struct loaded loaded = {.len = 0};
	int left;

	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)header, sizeof(struct nfgenmsg), attributes, NFTA_RULE_MAX,
			NULL) < 0)
		return -EBADMSG;
	if (!attributes[NFTA_RULE_HANDLE] || nla_len(attributes[NFTA_RULE_HANDLE]) < (int)sizeof(uint64_t))
		return 0;
	rule->handle = be64toh(nla_get_u64(attributes[NFTA_RULE_HANDLE]));
	read_text(attributes[NFTA_RULE_CHAIN], rule->chain, sizeof(rule->chain));
	read_comment(attributes[NFTA_RULE_USERDATA], rule->comment, sizeof(rule->comment));
	if (attributes[NFTA_RULE_EXPRESSIONS])
		nla_for_each_nested(expression, attributes[NFTA_RULE_EXPRESSIONS], left)
		{
			if (rule->target[0] == '\0')
				read_text(find_target(expression), rule->target, sizeof(rule->target));
			if (rule->comment[0] == '\0')
				read_match_comment(expression, rule->comment, sizeof(rule->comment));
			follow(rule, expression, &loaded);
		}
	if (selection->is_meant && !selection->is_meant(selection->userdata, rule)) {
		*rule = (struct fl_nft_found_rule){.handle = 0};
		return 0;
	}
	return 1;
}

/* lists rules of a table, or of one chain of it */
static int list(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *chain,
		struct selection *selection, struct fl_nft_found_rule **ret_rules, size_t *ret_n,
		struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_nft_message(NFT_MSG_GETRULE, 0, place->family, QUESTION_SIZE);
	void *rules;
	int r;

	if (!message || nla_put_string(message, NFTA_RULE_TABLE, place->table) < 0 ||
	    (chain && nla_put_string(message, NFTA_RULE_CHAIN, chain) < 0))
		return fl_error_oom(ret_error);
	r = fl_rtnl_list(netfilter, message, sizeof(**ret_rules), parse_rule, selection, &rules, ret_n, ret_error,
			 "list nft rules");
	if (r >= 0)
		*ret_rules = rules;
	return r;
}

int fl_nft_rule_list(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *chain,
		     struct fl_nft_found_rule **ret_rules, size_t *ret_n, struct flannel_error **ret_error)
{
	struct selection all = {.is_meant = NULL};

	return list(netfilter, place, chain, &all, ret_rules, ret_n, ret_error);
}

int fl_nft_rule_find(struct fl_rtnl *netfilter, const struct fl_nft_place *place, fl_nft_rule_filter is_meant,
		     const void *userdata, struct fl_nft_found_rule **ret_rules, size_t *ret_n,
		     struct flannel_error **ret_error)
{
	struct selection selection = {.is_meant = is_meant, .userdata = userdata};

	return list(netfilter, place, NULL, &selection, ret_rules, ret_n, ret_error);
}
