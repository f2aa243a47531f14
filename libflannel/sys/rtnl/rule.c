/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sys/rtnl/rule.h"

/* one rule of a list */
struct item {
	struct fl_rule rule;
	bool is_plain; /* looks at nothing but the source */
};

/* types and lengths that the attributes must have */
static const struct nla_policy rule_policy[FRA_MAX + 1] = {
	[FRA_PRIORITY] = {.type = NLA_U32},
	[FRA_TABLE] = {.type = NLA_U32},
	[FRA_SUPPRESS_PREFIXLEN] = {.type = NLA_U32},
	[FRA_SUPPRESS_IFGROUP] = {.type = NLA_U32},
};

/* does a rule look at something that a plain one does not; -1 in a suppressing attribute is off */
static bool has_more(const struct fib_rule_hdr *header, struct nlattr *const tb[FRA_MAX + 1])
{
	const int others[] = {FRA_DST,    FRA_IIFNAME,   FRA_OIFNAME,  FRA_GOTO,        FRA_FWMARK,     FRA_TUN_ID,
			      FRA_L3MDEV, FRA_UID_RANGE, FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE};

	for (size_t i = 0; i < FL_N_ELEMENTS(others); i++) {
		if (tb[others[i]])
			return true;
	}
	return header->tos != 0 || (header->flags & FIB_RULE_INVERT) ||
	       (tb[FRA_SUPPRESS_PREFIXLEN] && nla_get_u32(tb[FRA_SUPPRESS_PREFIXLEN]) != UINT32_MAX) ||
	       (tb[FRA_SUPPRESS_IFGROUP] && nla_get_u32(tb[FRA_SUPPRESS_IFGROUP]) != UINT32_MAX);
}

/* keeps one rule that names a table: 1, or 0 for others */
static int parse_item(void *userdata, const struct nlmsghdr *message, void *ret_item)
{
	struct item *item = ret_item;
	struct nlattr *tb[FRA_MAX + 1];
	const struct fib_rule_hdr *header;
	int len;

	(void)userdata;
	if (!nlmsg_valid_hdr(message, sizeof(*header)))
		return -EBADMSG;
	header = nlmsg_data(message);
	len = fl_rtnl_address_len(header->family);
	if (len == 0 || header->src_len > 8 * len ||
	    nla_parse(tb, FRA_MAX, nlmsg_attrdata(message, sizeof(*header)), nlmsg_attrlen(message, sizeof(*header)),
		      rule_policy) < 0 ||
	    (tb[FRA_SRC] && nla_len(tb[FRA_SRC]) != len))
		return -EBADMSG;
	if (header->action != FR_ACT_TO_TBL)
		return 0;
	item->rule.table = tb[FRA_TABLE] ? nla_get_u32(tb[FRA_TABLE]) : header->table;
	item->rule.priority = tb[FRA_PRIORITY] ? nla_get_u32(tb[FRA_PRIORITY]) : 0;
	item->is_plain = tb[FRA_SRC] && !has_more(header, tb);
	if (!item->is_plain)
		return 1;
	item->rule.src = (struct flannel_prefix){.family = header->family, .plen = header->src_len};
	memcpy(item->rule.src.addr, nla_data(tb[FRA_SRC]), (size_t)len);
	return 1;
}

/* splits a list in two */
static int split(const struct item *items, size_t n, struct fl_rule **ret_rules, size_t *ret_n_rules,
		 uint32_t **ret_tables)
{
	FL_CLEANUP(fl_freep) struct fl_rule *rules = calloc(n + 1, sizeof(*rules));
	FL_CLEANUP(fl_freep) uint32_t *tables = calloc(n + 1, sizeof(*tables));
	size_t n_rules = 0;

	if (!rules || !tables)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		tables[i] = items[i].rule.table;
		if (items[i].is_plain)
			rules[n_rules++] = items[i].rule;
	}
	*ret_n_rules = n_rules;
	*ret_rules = FL_TAKE(rules);
	*ret_tables = FL_TAKE(tables);
	return 0;
}

int fl_rule_list(struct fl_rtnl *rtnl, int family, struct fl_rule **ret_rules, size_t *ret_n_rules,
		 uint32_t **ret_tables, size_t *ret_n_tables, struct flannel_error **ret_error)
{
	const struct fib_rule_hdr header = {.family = (uint8_t)family};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_GETRULE, 0, &header, sizeof(header));
	FL_CLEANUP(fl_freep) void *items = NULL;
	size_t n = 0;
	int r;

	if (!message)
		return fl_error_oom(ret_error);
	r = fl_rtnl_list(rtnl, message, sizeof(struct item), parse_item, NULL, &items, &n, ret_error, "list rules");
	if (r < 0)
		return r;
	if (split(items, n, ret_rules, ret_n_rules, ret_tables) < 0)
		return fl_error_oom(ret_error);
	*ret_n_tables = n;
	return 0;
}

/* a request for one rule; NULL without memory */
static struct nl_msg *make_message(uint16_t type, uint16_t flags, const struct fl_rule *rule)
{
	const struct fib_rule_hdr header = {
		.family = (uint8_t)rule->src.family,
		.src_len = rule->src.plen,
		.table = (uint8_t)(rule->table < 256 ? rule->table : RT_TABLE_UNSPEC),
		.action = FR_ACT_TO_TBL,
	};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(type, flags, &header, sizeof(header));

	if (!message || nla_put(message, FRA_SRC, fl_rtnl_address_len(rule->src.family), rule->src.addr) < 0 ||
	    nla_put_u32(message, FRA_TABLE, rule->table) < 0 ||
	    (rule->priority > 0 && nla_put_u32(message, FRA_PRIORITY, rule->priority) < 0))
		return NULL;
	return FL_TAKE(message);
}

int fl_rule_add(struct fl_rtnl *rtnl, const struct fl_rule *rule, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = make_message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
	char text[FLANNEL_PREFIX_STRLEN];

	if (!message)
		return fl_error_oom(ret_error);
	return fl_rtnl_request(rtnl, message, NULL, NULL, ret_error, "add rule from %s to table %u",
			       flannel_prefix_format(&rule->src, text, sizeof(text)), rule->table);
}

int fl_rule_delete(struct fl_rtnl *rtnl, const struct fl_rule *rule, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = make_message(RTM_DELRULE, 0, rule);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	char text[FLANNEL_PREFIX_STRLEN];
	int r;

	if (!message)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(rtnl, message, NULL, NULL, &error, "delete rule from %s to table %u",
			    flannel_prefix_format(&rule->src, text, sizeof(text)), rule->table);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r < 0 ? r : 1;
}
