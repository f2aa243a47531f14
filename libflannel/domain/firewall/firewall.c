/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/firewall/firewall.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "domain/plan/object.h"

#define AREA "firewall"

/* iptables' own limit: XT_EXTENSION_MAXNAMELEN is 29 with the final zero */
#define CHAIN_NAME_MAX 28
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define CHAIN_NAME_BYTES LETTERS "0123456789_.-"

/* The bit of the mark by which the table of iptables knows packets of containers. */
#define MARK_BIT 0x1000
#define MARK_OTHERS INT64_C(0xffffefff)

/* the kernel's priority of iptables' "filter" is 0: isolation, then the mark, the table of iptables, and the mark goes */
#define PRIORITY_ISOLATE (-2)
#define PRIORITY_MARK (-1)
#define PRIORITY_UNMARK 1

/* the length of a name as nftables keeps those of interfaces */
#define IFNAME_BYTES 16

static int check_admin_chain(const char *name, struct flannel_error **ret_error)
{
	size_t len = strnlen(name, CHAIN_NAME_MAX + 1);
	/* those of the table, and ours */
	const char *const taken[] = {
		"INPUT", FL_FIREWALL_FORWARD, "OUTPUT", FL_FIREWALL_CHAIN, "ACCEPT", "DROP", "QUEUE", "RETURN"};
	bool is_good = len >= 1 && len <= CHAIN_NAME_MAX && name[strspn(name, CHAIN_NAME_BYTES)] == '\0' &&
		       strchr(LETTERS, name[0]);

	for (size_t i = 0; i < FL_N_ELEMENTS(taken) && is_good; i++)
		is_good = strcmp(name, taken[i]) != 0;
	if (is_good)
		return 0;
	return fl_error_set(
		ret_error, -EINVAL, "argument",
		"expected 1 to 28 letters, digits, \"_\", \".\" and \"-\", the first a letter, and no name of a "
		"chain or target of iptables",
		"admin_chain is \"%.*s\"", CHAIN_NAME_MAX + 1, name);
}

int fl_firewall_check_options(const struct flannel_firewall_options *options, struct flannel_error **ret_error)
{
	if (options->n_addresses > FL_FIREWALL_ADDRESSES_MAX || (options->n_addresses && !options->addresses))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected at most 64, and a pointer to them",
				    "%zu addresses", options->n_addresses);
	for (size_t i = 0; i < options->n_addresses; i++)
		if (options->addresses[i].family != AF_INET && options->addresses[i].family != AF_INET6)
			return fl_error_set(ret_error, -EINVAL, "argument", "expected IPv4 or IPv6", "address %zu", i);
	if (options->policy < FLANNEL_FIREWALL_OPEN || options->policy > FLANNEL_FIREWALL_ISOLATED)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected one of enum flannel_firewall_policy",
				    "policy is %d", options->policy);
	if (options->policy != FLANNEL_FIREWALL_OPEN && !fl_ifname_is_valid(options->bridge))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an interface name of 1 to 15 bytes",
				    "bridge is \"%s\"", options->bridge ? options->bridge : "");
	return options->admin_chain ? check_admin_chain(options->admin_chain, ret_error) : 0;
}

size_t fl_firewall_addresses(const struct flannel_firewall_options *options, const char *owner,
			     struct fl_nft_element *ret_elements)
{
	for (size_t i = 0; i < options->n_addresses; i++) {
		const struct flannel_prefix *address = &options->addresses[i];
		bool ipv6 = address->family == AF_INET6;
		struct fl_nft_element *element = &ret_elements[i];

		*element = (struct fl_nft_element){.set = ipv6 ? FL_FIREWALL_IPV6 : FL_FIREWALL_IPV4};
		element->key = fl_nft_value_of(address->addr, ipv6 ? 16 : 4);
		memccpy(element->comment, owner, '\0', sizeof(element->comment) - 1);
	}
	return options->n_addresses;
}

/* an element whose key is an interface name, once or twice */
static struct fl_nft_element interface_element(const char *set, const char *name, int times)
{
	struct fl_nft_element element = {.set = set};
	char bytes[IFNAME_BYTES] = "";

	memccpy(bytes, name, '\0', sizeof(bytes) - 1);
	for (int i = 0; i < times; i++)
		fl_nft_value_append(&element.key, bytes, sizeof(bytes));
	return element;
}

size_t fl_firewall_bridge(const struct flannel_firewall_options *options, struct fl_nft_element *ret_elements)
{
	if (options->policy == FLANNEL_FIREWALL_OPEN)
		return 0;
	ret_elements[0] = interface_element(FL_FIREWALL_BRIDGES, options->bridge, 1);
	if (options->policy == FLANNEL_FIREWALL_ISOLATED)
		return 1;
	ret_elements[1] = interface_element(FL_FIREWALL_WITHIN, options->bridge, 2);
	return 2;
}

bool fl_firewall_unwanted(const struct flannel_firewall_options *options, struct fl_nft_element *ret_element)
{
	if (options->policy != FLANNEL_FIREWALL_ISOLATED)
		return false;
	*ret_element = interface_element(FL_FIREWALL_WITHIN, options->bridge, 2);
	return true;
}

static const struct fl_nft_table_name own_table = {.family = FL_FIREWALL_FAMILY, .name = FL_FIREWALL_TABLE};

/* does the mark have our bit */
static struct json_object *is_marked(void)
{
	return fl_nft_match("==", fl_nft_mark_with("&", MARK_BIT), fl_json_int(MARK_BIT));
}

/* the rule that takes our bit from the mark */
static struct json_object *clear_rule(const char *chain)
{
	return fl_nft_add_rule(&own_table, chain,
			       FL_NFT_ARRAY(is_marked(), fl_nft_set_mark(fl_nft_mark_with("&", MARK_OTHERS))));
}

/* the rule that marks what containers send */
static struct json_object *sent_rule(const char *protocol, const char *set)
{
	struct json_object *source = fl_nft_match("==", fl_nft_payload(protocol, "saddr"), fl_json_string(set));

	return fl_nft_add_rule(&own_table, FL_FIREWALL_BEFORE,
			       FL_NFT_ARRAY(source, fl_nft_set_mark(fl_nft_mark_with("|", MARK_BIT))));
}

/* the rule that marks the answers */
static struct json_object *answer_rule(const char *protocol, const char *set)
{
	struct json_object *destination = fl_nft_match("==", fl_nft_payload(protocol, "daddr"), fl_json_string(set));
	struct json_object *states = FL_NFT_ARRAY(fl_json_string("established"), fl_json_string("related"));
	struct json_object *state = fl_nft_match("in", fl_nft_ct("state"), states);

	return fl_nft_add_rule(&own_table, FL_FIREWALL_BEFORE,
			       FL_NFT_ARRAY(destination, state, fl_nft_set_mark(fl_nft_mark_with("|", MARK_BIT))));
}

/* the rules about bridges that are isolated from each other */
static struct json_object *within_rule(void)
{
	struct json_object *both = fl_nft_concat(FL_NFT_ARRAY(fl_nft_meta("iifname"), fl_nft_meta("oifname")));
	struct json_object *match = fl_nft_match("==", both, fl_json_string("@" FL_FIREWALL_WITHIN));

	return fl_nft_add_rule(&own_table, FL_FIREWALL_ISOLATION, FL_NFT_ARRAY(match, fl_nft_keyed_null("accept")));
}

static struct json_object *between_rule(void)
{
	struct json_object *from = fl_nft_match("==", fl_nft_meta("iifname"), fl_json_string("@" FL_FIREWALL_BRIDGES));
	struct json_object *to = fl_nft_match("==", fl_nft_meta("oifname"), fl_json_string("@" FL_FIREWALL_BRIDGES));

	return fl_nft_add_rule(&own_table, FL_FIREWALL_ISOLATION, FL_NFT_ARRAY(from, to, fl_nft_keyed_null("drop")));
}

/* a base chain in the forward hook */
static struct json_object *forward_chain(const char *name, int priority)
{
	return fl_nft_add_base_chain(&own_table, name, "filter", "forward", priority);
}

struct json_object *fl_firewall_table(void)
{
	const char *const ipv4[3] = {"ipv4_addr"}, *const ipv6[3] = {"ipv6_addr"};
	const char *const one[3] = {"ifname"}, *const two[3] = {"ifname", "ifname"};
	FL_CLEANUP(fl_json_unrefp) struct json_object *commands = fl_json_array();
	struct json_object *const all[] = {
		fl_nft_create_table(&own_table),
		fl_nft_add_set(&own_table, FL_FIREWALL_IPV4, ipv4, NULL),
		fl_nft_add_set(&own_table, FL_FIREWALL_IPV6, ipv6, NULL),
		fl_nft_add_set(&own_table, FL_FIREWALL_BRIDGES, one, NULL),
		fl_nft_add_set(&own_table, FL_FIREWALL_WITHIN, two, NULL),
		forward_chain(FL_FIREWALL_ISOLATION, PRIORITY_ISOLATE),
		forward_chain(FL_FIREWALL_BEFORE, PRIORITY_MARK),
		forward_chain(FL_FIREWALL_AFTER, PRIORITY_UNMARK),
		within_rule(),
		between_rule(),
		/* somebody else's mark must not open the way */
		clear_rule(FL_FIREWALL_BEFORE),
		sent_rule("ip", "@" FL_FIREWALL_IPV4),
		answer_rule("ip", "@" FL_FIREWALL_IPV4),
		sent_rule("ip6", "@" FL_FIREWALL_IPV6),
		answer_rule("ip6", "@" FL_FIREWALL_IPV6),
		clear_rule(FL_FIREWALL_AFTER),
	};
	bool complete = commands != NULL;

	for (size_t i = 0; i < FL_N_ELEMENTS(all); i++) {
		if (complete)
			complete = fl_json_append(commands, all[i]) >= 0;
		else
			fl_json_unref(all[i]);
	}
	return complete ? FL_TAKE(commands) : NULL;
}

const char *fl_firewall_missing(const struct fl_firewall_found *found)
{
	if (!found->has_forward)
		return NULL;
	if (!found->has_chain)
		return "chain " FL_FIREWALL_CHAIN;
	if (!found->has_jump)
		return "the jump from " FL_FIREWALL_FORWARD " to " FL_FIREWALL_CHAIN;
	if (!found->has_admin_jump)
		return "the jump from " FL_FIREWALL_CHAIN " to the administrator's chain";
	return found->has_accept ? NULL : "the accepting rule in " FL_FIREWALL_CHAIN;
}

/* a rule that jumps, before all others of its chain */
static struct json_object *jump_rule(const struct fl_nft_table_name *table, const char *from, const char *to,
				     const char *comment)
{
	return fl_nft_insert_rule(table, from, FL_NFT_ARRAY(fl_nft_counter(), fl_nft_jump(to)), comment);
}

/* appends a command if it is wanted: 0 or -ENOMEM */
static int append_if(struct json_object *commands, bool is_wanted, struct json_object *command)
{
	if (is_wanted)
		return fl_json_append(commands, command);
	fl_json_unref(command);
	return 0;
}

int fl_firewall_complete(struct json_object *commands, const char *family, const struct fl_firewall_found *found,
			 const char *admin_chain)
{
	const struct fl_nft_table_name filter = {.family = family, .name = FL_FIREWALL_FILTER};
	const char *admin = admin_chain ? admin_chain : FL_FIREWALL_ADMIN;
	struct json_object *accept = fl_nft_add_commented_rule(
		&filter, FL_FIREWALL_CHAIN, FL_NFT_ARRAY(is_marked(), fl_nft_counter(), fl_nft_keyed_null("accept")),
		FL_FIREWALL_COMMENT);
	int last, r = append_if(commands, !found->has_chain, fl_nft_add_chain(&filter, FL_FIREWALL_CHAIN));

	last = append_if(commands, !found->has_accept, accept);
	r = last < 0 ? last : r;
	last = append_if(commands, !found->has_admin_jump, fl_nft_add_chain(&filter, admin));
	r = last < 0 ? last : r;
	last = append_if(commands, !found->has_admin_jump,
			 jump_rule(&filter, FL_FIREWALL_CHAIN, admin, "CNI firewall plugin admin overrides"));
	r = last < 0 ? last : r;
	last = append_if(commands, !found->has_jump,
			 jump_rule(&filter, FL_FIREWALL_FORWARD, FL_FIREWALL_CHAIN, "CNI firewall plugin rules"));
	return last < 0 ? last : r;
}
