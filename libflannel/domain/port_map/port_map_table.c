/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of port mappings: what is made once, and looked up by every first packet of a connection. */

#include <stdio.h>

#include "base/cleanup.h"
#include "domain/firewall/nft_command.h"
#include "domain/port_map/port_map.h"

/* priorities of the kernel's own names for these hooks: dstnat, srcnat (nft(8)) */
#define PRIORITY_DSTNAT (-100)
#define PRIORITY_SRCNAT 100

#define PRIORITY_FILTER 0

#define FORWARD "forward"
#define OUTPUT "output"
#define POSTROUTING "postrouting"

/*
 * The bit of the mark by which the last hook knows packets that leave towards where they came from; the reference plugin has the
 * same for the same purpose.
 */
#define MARK_BIT 0x2000

/* what differs between the families */
struct family {
	const char *name;    /* of the protocol, and in nat statements */
	const char *nfproto; /* as "meta nfproto" has it */
	const char *address; /* the type of an address */
	const char *const *sets;
};

/* indices of the sets of one family, as in fl_port_map_sets */
enum { ADDRESS, PORT, HOST_ADDRESS, HOST_PORT, HAIRPIN, ALL, N_SETS };

/* "@name", the form in which a rule refers to a set; NULL without memory */
static struct json_object *reference(const char *set)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "@%s", set);
	return fl_json_string(text);
}

/* the key under which a packet is looked up: with its destination address or without */
static struct json_object *packet_key(const struct family *family, bool with_address)
{
	struct json_object *protocol = fl_nft_meta("l4proto"), *port = fl_nft_payload("th", "dport");

	if (with_address)
		return fl_nft_concat(FL_NFT_ARRAY(fl_nft_payload(family->name, "daddr"), protocol, port));
	return fl_nft_concat(FL_NFT_ARRAY(protocol, port));
}

/* {"map": {"key": .., "data": "@set"}} */
static struct json_object *look_up(struct json_object *key, const char *set)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *map = fl_nft_keyed("key", key);

	if (!map || fl_json_add(map, "data", reference(set)) < 0)
		return NULL;
	return fl_nft_keyed("map", FL_TAKE(map));
}

/* the statement that redirects: to the address from one map, the port from another */
static struct json_object *redirect(const struct family *family, bool with_address)
{
	const char *addresses = family->sets[with_address ? HOST_ADDRESS : ADDRESS];
	const char *ports = family->sets[with_address ? HOST_PORT : PORT];
	FL_CLEANUP(fl_json_unrefp) struct json_object *dnat = fl_nft_keyed_string("family", family->name);

	if (!dnat || fl_json_add(dnat, "addr", look_up(packet_key(family, with_address), addresses)) < 0 ||
	    fl_json_add(dnat, "port", look_up(packet_key(family, with_address), ports)) < 0)
		return NULL;
	return fl_nft_keyed("dnat", FL_TAKE(dnat));
}

/* matches packets of a family */
static struct json_object *is_family(const struct family *family)
{
	return fl_nft_match("==", fl_nft_meta("nfproto"), fl_json_string(family->nfproto));
}

/* matches packets to addresses of the node: nobody else's port is taken */
static struct json_object *is_local(void)
{
	struct json_object *fib = fl_nft_fib("type", FL_NFT_ARRAY(fl_json_string("daddr")));

	return fl_nft_match("==", fib, fl_json_string("local"));
}

/* the rule that has the ports of a family looked up for packets to this node that meet the conditions */
static struct json_object *guard(const struct fl_nft_table_name *table, const char *chain, const struct family *family,
				 const struct fl_port_conditions *conditions)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *statements = FL_NFT_ARRAY(is_family(family));

	if (!statements || fl_port_conditions_append(conditions, statements) < 0 ||
	    fl_json_append(statements, is_local()) < 0 ||
	    fl_json_append(statements, fl_nft_jump(FL_PORT_MAP_CHAIN)) < 0)
		return NULL;
	return fl_nft_add_rule(table, chain, FL_TAKE(statements));
}

/* matches packets of redirected connections */
static struct json_object *is_redirected(void)
{
	return fl_nft_match("in", fl_nft_ct("status"), fl_json_string("dnat"));
}

/* the rule that gives redirected connections that meet a condition the node's address */
static struct json_object *masquerade(const struct fl_nft_table_name *table, struct json_object *condition)
{
	return fl_nft_add_rule(table, POSTROUTING,
			       FL_NFT_ARRAY(is_redirected(), condition, fl_nft_keyed_null("masquerade")));
}

/* the condition that a key is in a set */
static struct json_object *is_in(struct json_object *key, const char *set)
{
	return fl_nft_match("==", key, reference(set));
}

/* the condition that the mark has our bit */
static struct json_object *is_marked(void)
{
	return fl_nft_match("==", fl_nft_mark_with("&", MARK_BIT), fl_json_int(MARK_BIT));
}

/*
 * The rule that marks what a neighbour of a container sends to its port: the container would answer to the neighbour itself,
 * past the node, and the neighbour would not know the answer. Only containers that are masqueraded towards are in the set, with
 * themselves. Routes are asked here since the last hook cannot.
 */
static struct json_object *mark_neighbours(const struct fl_nft_table_name *table, const struct family *family)
{
	struct json_object *container =
		FL_NFT_ARRAY(fl_nft_payload(family->name, "daddr"), fl_nft_payload(family->name, "daddr"));
	struct json_object *back = fl_nft_fib("oif", FL_NFT_ARRAY(fl_json_string("daddr"), fl_json_string("iif")));

	return fl_nft_add_rule(table, FORWARD,
			       FL_NFT_ARRAY(is_redirected(), is_in(fl_nft_concat(container), family->sets[HAIRPIN]),
					    fl_nft_match("!=", back, fl_json_int(0)),
					    fl_nft_set_mark(fl_nft_mark_with("|", MARK_BIT))));
}

/* appends commands to a list of them: 0 or -ENOMEM */
static int append_all(struct json_object *commands, struct json_object *const more[], size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		int one = fl_json_append(commands, more[i]);

		r = one < 0 ? one : r;
	}
	return r;
}

/* appends the maps and sets of a family */
static int append_sets(struct json_object *commands, const struct fl_nft_table_name *table, const struct family *family)
{
	const char *const by_port[3] = {"inet_proto", "inet_service"};
	const char *const by_address[3] = {family->address, "inet_proto", "inet_service"};
	const char *const pair[3] = {family->address, family->address};
	const char *const single[3] = {family->address};
	struct json_object *const sets[N_SETS] = {
		fl_nft_add_set(table, family->sets[ADDRESS], by_port, family->address),
		fl_nft_add_set(table, family->sets[PORT], by_port, "inet_service"),
		fl_nft_add_set(table, family->sets[HOST_ADDRESS], by_address, family->address),
		fl_nft_add_set(table, family->sets[HOST_PORT], by_address, "inet_service"),
		fl_nft_add_set(table, family->sets[HAIRPIN], pair, NULL),
		fl_nft_add_set(table, family->sets[ALL], single, NULL),
	};

	return append_all(commands, sets, N_SETS);
}

/* appends the rules of a family; a mapping for one address comes before one for all */
static int append_rules(struct json_object *commands, const struct fl_nft_table_name *table,
			const struct family *family, const struct fl_port_conditions *conditions)
{
	struct json_object *ends =
		FL_NFT_ARRAY(fl_nft_payload(family->name, "saddr"), fl_nft_payload(family->name, "daddr"));
	struct json_object *const rules[] = {
		fl_nft_add_rule(table, FL_PORT_MAP_CHAIN, FL_NFT_ARRAY(is_family(family), redirect(family, true))),
		fl_nft_add_rule(table, FL_PORT_MAP_CHAIN, FL_NFT_ARRAY(is_family(family), redirect(family, false))),
		guard(table, FL_PORT_MAP_HOOK, family, conditions),
		guard(table, OUTPUT, family, conditions),
		mark_neighbours(table, family),
		masquerade(table, is_in(fl_nft_concat(ends), family->sets[HAIRPIN])),
		masquerade(table, is_in(fl_nft_payload(family->name, "daddr"), family->sets[ALL])),
	};

	return append_all(commands, rules, FL_N_ELEMENTS(rules));
}

struct json_object *fl_port_map_commands(const struct fl_port_map_table *table)
{
	const struct fl_nft_table_name name = {.family = FL_PORT_MAP_FAMILY, .name = table->name};
	const struct family ipv4 = {"ip", "ipv4", "ipv4_addr", fl_port_map_sets};
	const struct family ipv6 = {"ip6", "ipv6", "ipv6_addr", fl_port_map_sets + N_SETS};
	FL_CLEANUP(fl_json_unrefp)
	struct json_object *commands =
		FL_NFT_ARRAY(fl_nft_create_table(&name), fl_nft_add_chain(&name, FL_PORT_MAP_CHAIN),
			     fl_nft_add_base_chain(&name, FL_PORT_MAP_HOOK, "nat", FL_PORT_MAP_HOOK, PRIORITY_DSTNAT),
			     fl_nft_add_base_chain(&name, OUTPUT, "nat", OUTPUT, PRIORITY_DSTNAT),
			     fl_nft_add_base_chain(&name, FORWARD, "filter", FORWARD, PRIORITY_FILTER),
			     fl_nft_add_base_chain(&name, POSTROUTING, "nat", POSTROUTING, PRIORITY_SRCNAT));

	if (!commands || append_sets(commands, &name, &ipv4) < 0 || append_sets(commands, &name, &ipv6) < 0 ||
	    append_rules(commands, &name, &ipv4, &table->ipv4) < 0 ||
	    append_rules(commands, &name, &ipv6, &table->ipv6) < 0 ||
	    fl_json_append(commands, masquerade(&name, is_marked())) < 0)
		return NULL;
	return FL_TAKE(commands);
}
