/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <flannel/masquerade.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "domain/firewall/masquerade.h"
#include "sys/nft/encode.h"

/* options as a host would write them */
static struct flannel_masquerade_options options_of(const char *network, const char *subnet, unsigned int flags)
{
	struct flannel_masquerade_options options = {.size = sizeof(options), .flags = flags};

	cr_assert_eq(flannel_prefix_parse(network, &options.network), 0);
	cr_assert_eq(flannel_prefix_parse(subnet, &options.subnet), 0);
	return options;
}

/* a rule as text: what it matches and its verdict */
static void describe(const struct fl_nft_rule *rule, char *text, size_t size)
{
	static const char *const verdicts[] = {"return", "accept", "masquerade", "masquerade fully-random"};
	char prefix[FLANNEL_PREFIX_STRLEN];
	size_t n = 0;

	for (size_t i = 0; i < rule->n_matches; i++) {
		const struct fl_nft_match *match = &rule->matches[i];

		if (match->type == FL_NFT_MARK)
			n += (size_t)snprintf(text + n, size - n, "mark & 0x%x == 0x%x ", match->mask, match->mark);
		else
			n += (size_t)snprintf(text + n, size - n, "%s%s %s ",
					      match->type == FL_NFT_SADDR ? "saddr" : "daddr",
					      match->negated ? " !=" : "",
					      flannel_prefix_format(&match->prefix, prefix, sizeof(prefix)));
	}
	snprintf(text + n, size - n, "%s", verdicts[rule->verdict]);
}

struct want_case {
	const char *network, *subnet;
	unsigned int flags;
	const char *family, *name;
	struct {
		const char *name;
		const char *rules[8];
	} chains[2];
};

static const struct want_case want_cases[] = {
	{"10.244.0.0/16",
	 "10.244.1.0/24",
	 FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD,
	 "ip",
	 "flannel-ipv4",
	 {{"postrtg",
	   {"mark & 0x4000 == 0x4000 return", "saddr 10.244.1.0/24 daddr 10.244.0.0/16 return",
	    "saddr 10.244.0.0/16 daddr 10.244.1.0/24 return", "saddr != 10.244.0.0/16 daddr 10.244.1.0/24 return",
	    "saddr 10.244.0.0/16 daddr != 224.0.0.0/4 masquerade fully-random",
	    "saddr != 10.244.0.0/16 daddr 10.244.0.0/16 masquerade fully-random"}},
	  {"forward", {"saddr 10.244.0.0/16 accept", "daddr 10.244.0.0/16 accept"}}}},
	{"fd00:10:244::/48",
	 "fd00:10:244:1::/64",
	 FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FIXED_PORTS,
	 "ip6",
	 "flannel-ipv6",
	 {{"postrtg",
	   {"mark & 0x4000 == 0x4000 return", "saddr fd00:10:244:1::/64 daddr fd00:10:244::/48 return",
	    "saddr fd00:10:244::/48 daddr fd00:10:244:1::/64 return",
	    "saddr != fd00:10:244::/48 daddr fd00:10:244:1::/64 return",
	    "saddr fd00:10:244::/48 daddr != ff00::/8 masquerade",
	    "saddr != fd00:10:244::/48 daddr fd00:10:244::/48 masquerade"}}}},
	{"10.0.0.0/8",
	 "10.1.0.0/16",
	 FLANNEL_MASQUERADE_FORWARD,
	 "ip",
	 "flannel-ipv4",
	 {{"forward", {"saddr 10.0.0.0/8 accept", "daddr 10.0.0.0/8 accept"}}}},
	/* one range, in a table of its own */
	{"10.22.0.0/16",
	 "10.22.0.0/16",
	 FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FIXED_PORTS | FLANNEL_MASQUERADE_IF_MISSING,
	 "ip",
	 "cni-masq-1_X",
	 {{"postrtg",
	   {"mark & 0x4000 == 0x4000 return", "saddr 10.22.0.0/16 daddr 10.22.0.0/16 return",
	    "saddr 10.22.0.0/16 daddr != 224.0.0.0/4 masquerade"}}}},
	{"fd00:22::/64",
	 "fd00:22::/64",
	 FLANNEL_MASQUERADE_SNAT,
	 "ip6",
	 "flannel-ipv6",
	 {{"postrtg",
	   {"mark & 0x4000 == 0x4000 return", "saddr fd00:22::/64 daddr fd00:22::/64 return",
	    "saddr fd00:22::/64 daddr != ff00::/8 masquerade fully-random"}}}},
};

Test(masquerade, want)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(want_cases); i++) {
		const struct want_case *c = &want_cases[i];
		struct flannel_masquerade_options options = options_of(c->network, c->subnet, c->flags);
		struct fl_nft_table table;
		char text[200];

		options.table = strncmp(c->name, "flannel-", strlen("flannel-")) == 0 ? NULL : c->name;
		fl_masquerade_want(&options, &table);
		cr_expect_str_eq(table.family, c->family);
		cr_expect_str_eq(table.name, c->name);
		for (size_t k = 0; k < 2; k++) {
			cr_assert_eq(table.n_chains > k, c->chains[k].name != NULL, "case %zu chain %zu", i, k);
			if (!c->chains[k].name)
				continue;
			cr_expect_str_eq(table.chains[k].name, c->chains[k].name);
			for (size_t n = 0; n < 8; n++) {
				cr_assert_eq(table.chains[k].n_rules > n, c->chains[k].rules[n] != NULL);
				if (!c->chains[k].rules[n])
					continue;
				describe(&table.chains[k].rules[n], text, sizeof(text));
				cr_expect_str_eq(text, c->chains[k].rules[n], "case %zu: %s", i, text);
			}
		}
	}
}

/* the hooks are where flannel's own nftables mode puts them */
Test(masquerade, chains)
{
	struct flannel_masquerade_options options = options_of("10.244.0.0/16", "10.244.1.0/24", 5);
	struct fl_nft_table table;

	fl_masquerade_want(&options, &table);
	cr_expect_str_eq(table.comment, "rules for flannel-ipv4");
	cr_expect_str_eq(table.chains[0].type, "nat");
	cr_expect_str_eq(table.chains[0].hook, "postrouting");
	cr_expect_eq(table.chains[0].priority, 100);
	cr_expect_str_eq(table.chains[0].comment, "chain to manage traffic masquerading by flannel");
	cr_expect_str_eq(table.chains[1].type, "filter");
	cr_expect_str_eq(table.chains[1].hook, "forward");
	cr_expect_eq(table.chains[1].priority, 0);
	cr_expect_str_eq(table.chains[1].comment, "chain to accept flannel traffic");
}

#define TABLE_OF "{\"family\":\"ip\",\"name\":\"flannel-ipv4\",\"comment\":\"rules for flannel-ipv4\"}"

/* is the request for these tables that JSON */
static void expect_request(const struct fl_nft_table *tables, size_t n_tables, const char *expected)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *a = NULL;
	FL_CLEANUP(fl_json_unrefp) struct json_object *b = NULL;
	FL_CLEANUP(fl_freep) char *text = NULL;

	cr_assert_eq(fl_nft_encode(tables, n_tables, &text, NULL), 0);
	cr_assert_eq(fl_json_parse(text, strlen(text), "request", &a, NULL), 0, "%s", text);
	cr_assert_eq(fl_json_parse(expected, strlen(expected), "expected", &b, NULL), 0);
	cr_expect(fl_json_equal(a, b), "%s", text);
}

Test(nft_encode, delete)
{
	struct fl_nft_table table;

	fl_masquerade_table_init(&table, AF_INET);
	expect_request(&table, 1,
		       "{\"nftables\":[{\"add\":{\"table\":" TABLE_OF "}},{\"delete\":{\"table\":" TABLE_OF "}}]}");
	expect_request(NULL, 0, "{\"nftables\":[]}");
}

Test(nft_encode, replace)
{
	struct fl_nft_table table;
	struct fl_nft_chain *chain = &table.chains[0];

	fl_masquerade_table_init(&table, AF_INET);
	table.n_chains = 1;
	*chain = (struct fl_nft_chain){.name = "c", .type = "nat", .hook = "postrouting", .priority = -7, .n_rules = 2};
	chain->rules[0] = (struct fl_nft_rule){
		.matches = {{.type = FL_NFT_MARK, .negated = true, .mark = 0x80000000U, .mask = 0xf0000000U}},
		.n_matches = 1,
		.verdict = FL_NFT_ACCEPT,
	};
	chain->rules[1] = (struct fl_nft_rule){
		.matches = {{.type = FL_NFT_DADDR, .prefix = {.family = AF_INET6, .plen = 128, .addr = {[15] = 1}}}},
		.n_matches = 1,
		.verdict = FL_NFT_MASQUERADE_FULLY_RANDOM,
	};
	expect_request(
		&table, 1,
		"{\"nftables\":[{\"add\":{\"table\":" TABLE_OF "}},{\"delete\":{\"table\":" TABLE_OF "}},"
		"{\"add\":{\"table\":" TABLE_OF "}},{\"add\":{\"chain\":{\"family\":\"ip\",\"table\":\"flannel-ipv4\","
		"\"name\":\"c\",\"type\":\"nat\",\"hook\":\"postrouting\",\"prio\":-7,\"policy\":\"accept\"}}},"
		"{\"add\":{\"rule\":{\"family\":\"ip\",\"table\":\"flannel-ipv4\",\"chain\":\"c\",\"expr\":[{\"match\":"
		"{"
		"\"op\":\"!=\",\"left\":{\"&\":[{\"meta\":{\"key\":\"mark\"}},4026531840]},\"right\":2147483648}},"
		"{\"accept\":null}]}}},"
		"{\"add\":{\"rule\":{\"family\":\"ip\",\"table\":\"flannel-ipv4\",\"chain\":\"c\",\"expr\":[{\"match\":"
		"{"
		"\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"ip6\",\"field\":\"daddr\"}},"
		"\"right\":{\"prefix\":{\"addr\":\"::1\",\"len\":128}}}},"
		"{\"masquerade\":{\"flags\":\"fully-random\"}}]}}}]}");
}

/* a name from outside cannot leave its quotes, and a request has a limit */
Test(nft_encode, odd_names)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_nft_table table = {.family = "ip", .name = "a\"}};flush ruleset\n"};
	struct fl_nft_table many[600];
	char *text = NULL;

	expect_request(&table, 1,
		       "{\"nftables\":[{\"add\":{\"table\":{\"family\":\"ip\",\"name\":\"a\\\"}};flush ruleset\\n\"}}},"
		       "{\"delete\":{\"table\":{\"family\":\"ip\",\"name\":\"a\\\"}};flush ruleset\\n\"}}}]}");

	for (size_t i = 0; i < FL_N_ELEMENTS(many); i++)
		many[i] = table;
	cr_expect_eq(fl_nft_encode(many, FL_N_ELEMENTS(many), &text, &error), -EMSGSIZE);
	cr_expect_null(text);
	cr_expect_eq(flannel_error_get_code(error), -EMSGSIZE);
}

struct decode_case {
	const char *text;
	int code;
	int retryable;
	const char *detail; /* part of it */
};

static const struct decode_case decode_cases[] = {
	{"{\"errno\":0}", 0, 0, ""},
	{"{\"errno\":1,\"error\":\"Operation not permitted\"}", -EPERM, 0, "Operation not permitted"},
	{"{\"errno\":2}", -ENOENT, 0, "No such file or directory"},
	{"{\"errno\":16,\"error\":\"busy\"}", -EBUSY, 1, "busy"},
	{"{\"errno\":105,\"error\":\"no room\"}", -ENOBUFS, 1, "no room"},
	{"{\"errno\":\"1\"}", -EPROTO, 0, "errno"},
	{"{\"errno\":-1}", -EPROTO, 0, "errno"},
	{"{\"errno\":99999}", -EPROTO, 0, "errno"},
	{"{\"errno\":1,\"error\":7}", -EPROTO, 0, "error"},
	{"{}", -EPROTO, 0, "errno"},
	{"[]", -EPROTO, 0, ""},
	{"null", -EPROTO, 0, ""},
	{"", -EPROTO, 0, ""},
	{"{\"errno\":0", -EPROTO, 0, ""},
	{"{\"errno\":0} {}", -EPROTO, 0, ""},
};

Test(nft_decode, answers)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(decode_cases); i++) {
		const struct decode_case *c = &decode_cases[i];
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		cr_expect_eq(fl_nft_decode(c->text, strlen(c->text), &error), c->code, "%s", c->text);
		cr_expect_eq(fl_nft_decode(c->text, strlen(c->text), NULL), c->code, "%s", c->text);
		cr_expect_eq(flannel_error_get_code(error), c->code, "%s", c->text);
		cr_expect_eq(flannel_error_is_retryable(error), c->retryable, "%s", c->text);
		cr_expect_not_null(strstr(flannel_error_get_detail(error), c->detail), "%s: %s", c->text,
				   flannel_error_get_message(error));
	}
}

struct bad_case {
	const char *network, *subnet;
	unsigned int flags;
	const char *message; /* part of it */
};

static const struct bad_case bad_cases[] = {
	{"10.244.0.0/16", "10.244.1.0/24", 0, "flags"},
	{"10.244.0.0/16", "10.244.1.0/24", FLANNEL_MASQUERADE_FIXED_PORTS, "flags"},
	{"10.244.0.0/16", "10.244.1.0/24", FLANNEL_MASQUERADE_IF_MISSING, "flags"},
	{"10.244.0.0/16", "10.244.1.0/24", 16 | FLANNEL_MASQUERADE_SNAT, "flags 0x11"},
	{"10.244.0.1/16", "10.244.1.0/24", FLANNEL_MASQUERADE_SNAT, "network"},
	{"10.244.0.0/16", "10.244.1.1/24", FLANNEL_MASQUERADE_SNAT, "subnet"},
	{"10.244.0.0/16", "10.245.1.0/24", FLANNEL_MASQUERADE_SNAT, "10.245.1.0/24"},
	{"10.244.0.0/16", "10.0.0.0/8", FLANNEL_MASQUERADE_SNAT, "10.0.0.0/8"},
	{"10.244.0.0/16", "fd00:1::/64", FLANNEL_MASQUERADE_SNAT, "fd00:1::/64"},
};

static const char *const bad_tables[] = {"", "a b", "a;", "\"", "\xc3\xa4", "a2345678901234567890123456789012"};

/* nothing is started for what is refused: the helper's path names nothing */
Test(masquerade, refused)
{
	struct flannel_context_options context_options = {.size = sizeof(context_options),
							  .nft_helper = "/nonexistent/helper"};
	struct flannel_masquerade_options options;
	struct flannel_context *context = NULL;

	cr_assert_eq(flannel_context_new(&context, &context_options, NULL), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(bad_cases); i++) {
		const struct bad_case *c = &bad_cases[i];
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		options = options_of(c->network, c->subnet, c->flags);
		cr_expect_eq(flannel_masquerade_ensure(context, &options, &error), -EINVAL, "case %zu", i);
		cr_expect_not_null(strstr(flannel_error_get_message(error), c->message), "case %zu: %s", i,
				   flannel_error_get_message(error));
		cr_expect_eq(flannel_masquerade_ensure(context, &options, NULL), -EINVAL);
	}
	options = options_of("10.244.0.0/16", "10.244.1.0/24", FLANNEL_MASQUERADE_SNAT);
	for (size_t i = 0; i < FL_N_ELEMENTS(bad_tables); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		options.table = bad_tables[i];
		cr_expect_eq(flannel_masquerade_ensure(context, &options, &error), -EINVAL, "table %zu", i);
		cr_expect_not_null(strstr(flannel_error_get_message(error), "1 to 31"), "table %zu: %s", i,
				   flannel_error_get_message(error));
	}
	options.table = NULL;
	options.size = 0;
	cr_expect_eq(flannel_masquerade_ensure(context, &options, NULL), -EINVAL);
	options.size = sizeof(options);
	options.network.family = 99;
	cr_expect_eq(flannel_masquerade_ensure(context, &options, NULL), -EINVAL);
	cr_expect_eq(flannel_masquerade_ensure(NULL, &options, NULL), -EINVAL);
	cr_expect_eq(flannel_masquerade_ensure(context, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_masquerade_remove(NULL, AF_INET, NULL), -EINVAL);
	cr_expect_eq(flannel_masquerade_remove(context, AF_UNIX, NULL), -EINVAL);
	flannel_context_unref(context);
}
