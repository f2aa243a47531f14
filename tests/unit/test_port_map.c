/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of port mappings: conditions, tables, owners, elements. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "domain/firewall/nft_command.h"
#include "domain/port_map/port_map.h"

/* conditions as a rule has them, in JSON; or a part of the message and the code */
static const struct condition_case {
	int family;
	const char *words[6];
	int code;
	const char *expected;
} condition_cases[] = {
	{AF_INET, {NULL}, 0, "[]"},
	{AF_INET, {"", "  "}, 0, "[]"},
	{AF_INET,
	 {"ip", "saddr", "10.0.0.0/8"},
	 0,
	 "[{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"ip\",\"field\":\"saddr\"}},"
	 "\"right\":{\"prefix\":{\"addr\":\"10.0.0.0\",\"len\":8}}}}]"},
	{AF_INET6,
	 {"  ip6 daddr ne 2001:db8::1/32 "},
	 0,
	 "[{\"match\":{\"op\":\"!=\",\"left\":{\"payload\":{\"protocol\":\"ip6\",\"field\":\"daddr\"}},"
	 "\"right\":{\"prefix\":{\"addr\":\"2001:db8::\",\"len\":32}}}}]"},
	{AF_INET,
	 {"meta iifname != \"eth0\""},
	 0,
	 "[{\"match\":{\"op\":\"!=\",\"left\":{\"meta\":{\"key\":\"iifname\"}},\"right\":\"eth0\"}}]"},
	{AF_INET,
	 {"!", "-i", "eth0"},
	 0,
	 "[{\"match\":{\"op\":\"!=\",\"left\":{\"meta\":{\"key\":\"iifname\"}},\"right\":\"eth0\"}}]"},
	{AF_INET,
	 {"--destination", "192.0.2.1"},
	 0,
	 "[{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"ip\",\"field\":\"daddr\"}},"
	 "\"right\":{\"prefix\":{\"addr\":\"192.0.2.1\",\"len\":32}}}}]"},
	{AF_INET, {"ip daddr 0.0.0.0/0"}, 0, "[]"},
	{AF_INET, {"ip daddr != 0.0.0.0/0"}, -EINVAL, "never met"},
	{AF_INET, {"ip", "daddr"}, -EINVAL, "ends after \"daddr\""},
	{AF_INET, {"ip", "daddr", "=="}, -EINVAL, "ends after \"==\""},
	{AF_INET, {"!"}, -EINVAL, "ends after \"!\""},
	{AF_INET, {"ip", "daddr", "::1"}, -EINVAL, "key has \"::1\", expected an IPv4 network"},
	{AF_INET, {"iifname", "a-name-that-is-too-long"}, -EINVAL, "expected the name of a link"},
	{AF_INET, {"iifname", "eth*"}, -EINVAL, "expected the name of a link"},
	{AF_INET, {"ip", "daddr", "{", "10.0.0.1", "}"}, -EINVAL, "key has \"{\""},
	{AF_INET,
	 {"ip6", "daddr", "::1"},
	 -EOPNOTSUPP,
	 "key has \"ip6\", expected ip saddr, ip daddr, iifname, -s, -d or -i"},
	{AF_INET6, {"ip", "daddr", "10.0.0.1"}, -EOPNOTSUPP, "ip6 saddr"},
	{AF_INET, {"ip", "protocol", "tcp"}, -EOPNOTSUPP, "\"protocol\""},
	{AF_INET, {"! -m mark"}, -EOPNOTSUPP, "\"-m\""},
	{AF_INET, {"meta", "mark", "1"}, -EOPNOTSUPP, "\"mark\""},
	{AF_INET, {"saddr", "10.0.0.1"}, -EOPNOTSUPP, "\"saddr\""},
	{AF_INET, {"ip saddr 10.0.0.1; flush ruleset"}, -EINVAL, "\"10.0.0.1;\""},
	{AF_INET,
	 {"iifname a iifname a iifname a iifname a iifname a iifname a iifname a iifname a iifname a"},
	 -EINVAL,
	 "more than 8"},
};

Test(port_map, conditions)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(condition_cases); i++) {
		const struct condition_case *c = &condition_cases[i];
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		FL_CLEANUP(fl_json_unrefp) struct json_object *statements = fl_json_array();
		FL_CLEANUP(fl_freep) char *text = NULL;
		struct fl_port_conditions conditions;
		size_t n = 0;
		int r;

		while (n < FL_N_ELEMENTS(c->words) && c->words[n])
			n++;
		r = fl_port_conditions_parse(c->words, n, c->family, "key", &conditions, &error);
		cr_expect_eq(r, c->code, "case %zu: %d %s", i, r, flannel_error_get_message(error));
		if (r < 0) {
			cr_expect_not_null(strstr(flannel_error_get_message(error), c->expected), "case %zu: %s", i,
					   flannel_error_get_message(error));
			continue;
		}
		cr_assert_eq(fl_port_conditions_append(&conditions, statements), 0);
		text = fl_json_format(statements);
		cr_expect_str_eq(text, c->expected, "case %zu", i);
	}
}

static const struct flannel_attachment_id attachment = {
	.size = sizeof(attachment), .container_id = "cid1", .ifname = "eth0"};

/* one mapping; host: an address of the node, or NULL */
static struct flannel_port_mapping mapping(int protocol, uint16_t host_port, uint16_t container_port, const char *host)
{
	struct flannel_port_mapping made = {
		.size = sizeof(made), .protocol = protocol, .host_port = host_port, .container_port = container_port};

	if (host)
		cr_assert_eq(flannel_prefix_parse(host, &made.host_address), 0);
	return made;
}

/* the name of a table is found again by later versions */
Test(port_map, table_names)
{
	const char *const words[] = {"ip", "saddr", "!=", "192.0.2.0/24"}, *const other[] = {"-s", "192.0.2.0/24"};
	struct flannel_port_map_options options = {.size = sizeof(options), .network = "n1", .attachment = &attachment};
	struct fl_port_map_table table;

	cr_assert_eq(fl_port_map_choose_table(&options, &table, NULL), 0);
	cr_expect_str_eq(table.name, "cni-portmap-1");
	options.conditions_ipv4 = words;
	options.n_conditions_ipv4 = 4;
	cr_assert_eq(fl_port_map_choose_table(&options, &table, NULL), 0);
	cr_expect_str_eq(table.name, "cni-portmap-1-704e04d4d3d568a9");
	options.conditions_ipv4 = other;
	options.n_conditions_ipv4 = 2;
	cr_assert_eq(fl_port_map_choose_table(&options, &table, NULL), 0);
	cr_expect_str_neq(table.name, "cni-portmap-1-704e04d4d3d568a9");
}

/* so is an owner */
Test(port_map, owners)
{
	const struct flannel_attachment_id others[] = {
		{.size = sizeof(attachment), .container_id = "cid1", .ifname = "eth1"},
		{.size = sizeof(attachment), .container_id = "cid2", .ifname = "eth0"},
		{.size = sizeof(attachment), .container_id = "cid1e", .ifname = "th0"},
	};
	struct flannel_attachment_id wide = attachment;
	char owner[FL_NFT_COMMENT_MAX + 1], other[FL_NFT_COMMENT_MAX + 1], id[300];

	fl_element_owner_format("n1", &attachment, owner);
	cr_expect_str_eq(owner, "21cece1925f18240-9be6b8da39936a9c cid1/eth0");
	cr_expect_str_eq(fl_port_map_owner_text(owner), "cid1/eth0");
	cr_expect(fl_element_owner_equal(owner, owner));
	for (size_t i = 0; i < FL_N_ELEMENTS(others); i++) {
		fl_element_owner_format("n1", &others[i], other);
		cr_expect(!fl_element_owner_equal(owner, other), "%s", other);
		cr_expect(fl_element_owner_same_network(owner, other));
	}
	fl_element_owner_format("n2", &attachment, other);
	cr_expect(!fl_element_owner_equal(owner, other) && !fl_element_owner_same_network(owner, other));
	/* what others may have for comments */
	cr_expect(!fl_element_owner_equal("", "") && !fl_element_owner_same_network("", ""));
	cr_expect_str_eq(fl_port_map_owner_text("web"), "");
	/* ids that are alike as far as they are shown */
	memset(id, 'a', sizeof(id));
	id[sizeof(id) - 1] = '\0';
	wide.container_id = id;
	fl_element_owner_format("n1", &wide, owner);
	id[sizeof(id) - 2] = 'b';
	fl_element_owner_format("n1", &wide, other);
	cr_expect(!fl_element_owner_equal(owner, other));
	cr_expect_eq(strlen(owner), 34 + 64 + 5);
}

/* sets in order, with what they are about */
static void expect_wanted(const struct flannel_port_map_options *options, const char *expected)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) struct fl_nft_element *elements = NULL;
	char text[4096] = "", what[FL_PORT_MAP_TEXT_SIZE], where[FLANNEL_PREFIX_STRLEN];
	size_t n = 0;

	cr_assert_eq(fl_port_map_want(options, &elements, &n, &error), 0, "%s", flannel_error_get_message(error));
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s: %s%s%s\n", elements[i].set,
			 fl_port_map_format(&elements[i], what), elements[i].data.len > 0 ? " -> " : "",
			 elements[i].data.len > 0 ? fl_port_map_format_data(&elements[i], where) : "");
		cr_expect_str_eq(elements[i].comment, "21cece1925f18240-9be6b8da39936a9c cid1/eth0");
	}
	cr_expect_str_eq(text, expected);
}

Test(port_map, elements)
{
	const struct flannel_port_mapping mappings[] = {
		mapping(IPPROTO_TCP, 80, 8080, NULL),       mapping(IPPROTO_UDP, 80, 8081, "0.0.0.0"),
		mapping(IPPROTO_SCTP, 81, 81, "192.0.2.1"), mapping(IPPROTO_TCP, 82, 82, "2001:db8::1"),
		mapping(IPPROTO_TCP, 80, 8080, NULL),
	};
	struct flannel_port_map_options options = {.size = sizeof(options),
						   .network = "n1",
						   .attachment = &attachment,
						   .mappings = mappings,
						   .n_mappings = FL_N_ELEMENTS(mappings),
						   .flags = FLANNEL_PORT_MAP_SNAT};

	cr_assert_eq(fl_port_map_check_options(&options, NULL), 0);
	expect_wanted(&options, "");
	cr_assert_eq(flannel_prefix_parse("10.1.0.2/16", &options.ipv4), 0);
	expect_wanted(&options, "address4: host port tcp 80 -> 10.1.0.2\n"
				"address4: host port udp 80 -> 10.1.0.2\n"
				"port4: host port tcp 80 -> port 8080\n"
				"port4: host port udp 80 -> port 8081\n"
				"host-address4: host port sctp 81 of 192.0.2.1 -> 10.1.0.2\n"
				"host-port4: host port sctp 81 of 192.0.2.1 -> port 81\n"
				"hairpin4: masquerading towards 10.1.0.2\n"
				"hairpin4: masquerading towards 10.1.0.2\n");
	options.ipv4 = (struct flannel_prefix){.family = AF_UNSPEC};
	cr_assert_eq(flannel_prefix_parse("fd00::2", &options.ipv6), 0);
	options.flags |= FLANNEL_PORT_MAP_MASQUERADE_ALL;
	expect_wanted(&options, "address6: host port tcp 80 -> fd00::2\n"
				"port6: host port tcp 80 -> port 8080\n"
				"host-address6: host port tcp 82 of 2001:db8::1 -> fd00::2\n"
				"host-port6: host port tcp 82 of 2001:db8::1 -> port 82\n"
				"all6: masquerading towards fd00::2\n");
	/* nothing of the family is mapped: nothing to masquerade */
	options.mappings = &mappings[2];
	options.n_mappings = 1;
	expect_wanted(&options, "");
	options.flags = 0;
	options.mappings = mappings;
	expect_wanted(&options, "address6: host port tcp 80 -> fd00::2\nport6: host port tcp 80 -> port 8080\n");
}

Test(port_map, companions)
{
	const struct flannel_port_mapping one = mapping(IPPROTO_TCP, 80, 8080, "192.0.2.1");
	struct flannel_port_map_options options = {.size = sizeof(options),
						   .network = "n1",
						   .attachment = &attachment,
						   .mappings = &one,
						   .n_mappings = 1,
						   .flags = FLANNEL_PORT_MAP_SNAT};
	FL_CLEANUP(fl_freep) struct fl_nft_element *wanted = NULL, *keys = NULL;
	FL_CLEANUP(fl_freep) size_t *index = NULL;
	struct fl_nft_element companions[FL_PORT_MAP_COMPANIONS_MAX];
	size_t n = 0;

	cr_assert_eq(flannel_prefix_parse("10.1.0.2", &options.ipv4), 0);
	cr_assert_eq(fl_port_map_want(&options, &wanted, &n, NULL), 0);
	cr_assert_eq(n, 4);
	cr_expect(fl_port_map_is_address(&wanted[0]) && !fl_port_map_is_address(&wanted[1]));
	cr_assert_eq(fl_port_map_companions(&wanted[0], companions), 4);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_str_eq(companions[i].set, wanted[i + 1].set);
		cr_expect_arr_eq(&companions[i].key, &wanted[i + 1].key, sizeof(companions[i].key));
	}
	cr_expect_str_eq(companions[3].set, "all4");
	cr_assert_eq(fl_port_map_keys(&options, &keys, &index, &n, NULL), 0);
	cr_assert_eq(n, 1);
	cr_expect_str_eq(keys[0].set, "host-address4");
	cr_expect_arr_eq(&keys[0].key, &wanted[0].key, sizeof(keys[0].key));
	cr_expect_eq(index[0], 0);
}

/* commands nest, and one that there was no memory for takes the others along */
Test(port_map, commands)
{
	const struct fl_nft_table_name table = {.family = "inet", .name = "t"};
	const char *const fields[3] = {"ipv4_addr", "inet_proto", "inet_service"};
	FL_CLEANUP(fl_json_unrefp)
	struct json_object *commands = FL_NFT_ARRAY(
		fl_nft_create_table(&table), fl_nft_add_set(&table, "m", fields, "ipv4_addr"),
		fl_nft_add_set(&table, "s", (const char *const[3]){"ether_addr"}, NULL),
		fl_nft_add_base_chain(&table, "b", "nat", "output", -100),
		fl_nft_add_rule(&table, "b", FL_NFT_ARRAY(fl_nft_jump("c"))), fl_nft_delete_rule(&table, "b", 7),
		fl_nft_flush_chain(&table, "c"), fl_nft_delete_chain(&table, "c"));
	FL_CLEANUP(fl_freep) char *text = fl_json_format(commands);

	cr_expect_str_eq(
		text, "[{\"create\":{\"table\":{\"family\":\"inet\",\"name\":\"t\"}}},"
		      "{\"add\":{\"map\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"m\","
		      "\"type\":[\"ipv4_addr\",\"inet_proto\",\"inet_service\"],\"flags\":[\"timeout\"],\"map\":\"ipv4_"
		      "addr\"}}},"
		      "{\"add\":{\"set\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"s\",\"type\":\"ether_addr\","
		      "\"flags\":[\"timeout\"]}}},"
		      "{\"add\":{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"b\",\"type\":\"nat\","
		      "\"hook\":\"output\","
		      "\"prio\":-100,\"policy\":\"accept\"}}},"
		      "{\"add\":{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"b\","
		      "\"expr\":[{\"jump\":{\"target\":\"c\"}}]}}},"
		      "{\"delete\":{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"b\",\"handle\":7}}},"
		      "{\"flush\":{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"c\"}}},"
		      "{\"delete\":{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"c\"}}}]");
	cr_expect_null(FL_NFT_ARRAY(fl_nft_jump("c"), NULL, fl_nft_jump("d")));
	cr_expect_null(fl_nft_add_rule(&table, "b", NULL));
	cr_expect_null(fl_nft_match("==", NULL, fl_nft_meta("mark")));
}

Test(port_map, values)
{
	struct fl_nft_value value = fl_nft_value_of("\2\0\0\0\0\1", 6);

	cr_expect_eq(value.len, 6);
	value = (struct fl_nft_value){.len = 0};
	fl_nft_value_append(&value, "\6", 1);
	fl_nft_value_append(&value, "\37\220", 2);
	cr_expect_eq(value.len, 8);
	cr_expect_arr_eq(value.bytes, "\6\0\0\0\37\220\0\0", 8);
}
