/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "domain/pod/source_route.h"

/* a route of a table as "dst [via gateway] [src source]" on a link */
struct route_text {
	uint32_t table;
	const char *dst, *via, *source, *link;
};

static struct flannel_prefix parse(const char *text)
{
	struct flannel_prefix prefix = {0};

	cr_assert(!text || flannel_prefix_parse(text, &prefix) == 0, "%s", text);
	return prefix;
}

static struct fl_route make_route(const struct route_text *text)
{
	struct flannel_prefix dst = parse(text->dst);
	struct fl_route route = fl_route_main(&dst, FL_ROUTE_PROTOCOL_BOOT);

	route.table = text->table;
	route.via = parse(text->via);
	route.source = parse(text->source);
	snprintf(route.link, sizeof(route.link), "%s", text->link);
	return route;
}

/* a plan as text: "+route table", "~route" (replaced), "-route", "+rule source table" */
static void describe(const struct fl_source_route_plan *plan, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < plan->n; i++) {
		const struct fl_source_route_step *step = &plan->steps[i];
		char text[FL_OBJECT_STRLEN], source[FLANNEL_PREFIX_STRLEN];

		if (step->is_rule) {
			n += (size_t)snprintf(buf + n, size - n, "%srule %s %u; ", step->remove ? "-" : "+",
					      flannel_prefix_format(&step->rule.src, text, sizeof(text)),
					      step->rule.table);
			continue;
		}
		fl_object_format(&step->route.object, text, sizeof(text));
		flannel_prefix_format_address(&step->route.object.route.source, source, sizeof(source));
		n += (size_t)snprintf(buf + n, size - n, "%s%s%s%s %u; ",
				      step->route.verb == FL_VERB_CREATE    ? "+"
				      : step->route.verb == FL_VERB_REPLACE ? "~"
									    : "-",
				      text + strlen("route "), source[0] ? " src " : "", source,
				      step->route.object.route.table);
	}
}

#define MAX 8

/* a namespace and what should be in it */
struct scene {
	const char *what;
	struct {
		const char *address, *gateway;
	} addresses[MAX];
	uint32_t table;
	unsigned int flags;
	struct route_text routes[MAX];
	struct {
		const char *src;
		uint32_t table;
	} rules[MAX];
	uint32_t other_table; /* that a rule of another kind names */
	const char *wanted, *unwanted;
	int compared;
};

static const struct scene scenes[] = {
	{"one address",
	 {{"10.1.0.2/16", "10.1.0.1"}},
	 0,
	 0,
	 {{254, "10.1.0.0/16", NULL, "10.1.0.2", "eth0"}, {254, "0.0.0.0/0", "10.1.0.1", NULL, "eth0"}},
	 {{0}},
	 0,
	 "+10.1.0.0/16 dev eth0 src 10.1.0.2 100; +0.0.0.0/0 via 10.1.0.1 dev eth0 100; +rule 10.1.0.2/32 100; "
	 "-0.0.0.0/0 via 10.1.0.1 dev eth0 254; -10.1.0.0/16 dev eth0 src 10.1.0.2 254; ",
	 "",
	 -ENOENT},
	{"it is so already",
	 {{"10.1.0.2/16", "10.1.0.1"}},
	 0,
	 0,
	 {{100, "10.1.0.0/16", NULL, "10.1.0.2", "eth0"}, {100, "0.0.0.0/0", "10.1.0.1", NULL, "eth0"}},
	 {{"10.1.0.2/32", 100}},
	 0,
	 "",
	 "-rule 10.1.0.2/32 100; -10.1.0.0/16 dev eth0 src 10.1.0.2 100; -0.0.0.0/0 via 10.1.0.1 dev eth0 100; ",
	 0},
	{"the rule is gone, the table is not",
	 {{"10.1.0.2/16", "10.1.0.1"}},
	 0,
	 0,
	 {{103, "10.1.0.0/16", NULL, "10.1.0.2", "eth0"}, {103, "0.0.0.0/0", "10.1.0.1", NULL, "eth0"}},
	 {{0}},
	 0,
	 "+rule 10.1.0.2/32 103; ",
	 "",
	 -ENOENT},
	{"another gateway",
	 {{"10.1.0.2/16", "10.1.0.9"}},
	 0,
	 0,
	 {{100, "0.0.0.0/0", "10.1.0.1", NULL, "eth0"}, {100, "10.1.0.0/16", NULL, NULL, "eth0"}},
	 {{"10.1.0.2/32", 100}},
	 0,
	 "~0.0.0.0/0 via 10.1.0.9 dev eth0 100; ",
	 "-rule 10.1.0.2/32 100; -0.0.0.0/0 via 10.1.0.1 dev eth0 100; -10.1.0.0/16 dev eth0 100; ",
	 -ENOENT},
	{"tables in use are passed over, those of the kernel too",
	 {{"10.1.0.2/16", NULL}},
	 0,
	 0,
	 {{100, "192.0.2.0/24", NULL, NULL, "eth1"}},
	 {{"192.0.2.7/32", 101}},
	 102,
	 "+rule 10.1.0.2/32 103; ",
	 "",
	 -ENOENT},
	{"own gateway before the main table's, other gateways of the network too, others not",
	 {{"10.1.0.2/16", "10.1.0.5"}},
	 0,
	 0,
	 {{254, "0.0.0.0/0", "10.1.0.1", NULL, "eth0"},
	  {254, "10.9.0.0/16", "10.1.0.9", NULL, "eth0"},
	  {254, "10.8.0.0/16", "10.2.0.9", NULL, "eth0"},
	  {254, "10.7.0.0/16", "10.1.0.9", NULL, "eth1"},
	  {254, "10.6.0.0/16", NULL, "10.2.0.2", "eth0"},
	  {254, "10.5.0.0/16", NULL, NULL, "eth0"}},
	 {{0}},
	 0,
	 "+10.5.0.0/16 dev eth0 100; +0.0.0.0/0 via 10.1.0.5 dev eth0 100; +10.9.0.0/16 via 10.1.0.9 dev eth0 100; "
	 "+rule 10.1.0.2/32 100; -0.0.0.0/0 via 10.1.0.1 dev eth0 254; -10.9.0.0/16 via 10.1.0.9 dev eth0 254; "
	 "-10.5.0.0/16 dev eth0 254; ",
	 "",
	 -ENOENT},
	{"two families: one table each, and link-local stays",
	 {{"10.1.0.2/16", NULL}, {"fd00::2/64", "fd00::1"}},
	 0,
	 0,
	 {{254, "10.1.0.0/16", NULL, NULL, "eth0"},
	  {254, "fe80::/64", NULL, NULL, "eth0"},
	  {254, "fd00::/64", NULL, NULL, "eth0"}},
	 {{0}},
	 0,
	 "+10.1.0.0/16 dev eth0 100; +fd00::/64 dev eth0 101; +::/0 via fd00::1 dev eth0 101; +rule 10.1.0.2/32 100; "
	 "+rule fd00::2/128 101; -10.1.0.0/16 dev eth0 254; -fd00::/64 dev eth0 254; ",
	 "",
	 -ENOENT},
	{"two addresses of one network, one of them twice",
	 {{"10.1.0.2/16", NULL}, {"10.1.0.3/16", NULL}, {"10.1.0.2/24", NULL}},
	 0,
	 0,
	 {{254, "10.1.0.0/16", NULL, "10.1.0.2", "eth0"}},
	 {{0}},
	 0,
	 "+10.1.0.0/16 dev eth0 src 10.1.0.2 100; +10.1.0.0/16 dev eth0 src 10.1.0.2 101; +rule 10.1.0.2/32 100; "
	 "+rule 10.1.0.3/32 101; -10.1.0.0/16 dev eth0 src 10.1.0.2 254; ",
	 "",
	 -ENOENT},
	{"networks stay with a hint",
	 {{"10.1.0.2/16", NULL}},
	 0,
	 FLANNEL_SOURCE_ROUTE_KEEP_LINK,
	 {{254, "10.1.0.0/16", NULL, "10.1.0.2", "eth0"},
	  {254, "10.5.0.0/16", NULL, NULL, "eth0"},
	  {254, "10.9.0.0/16", "10.1.0.9", NULL, "eth0"}},
	 {{0}},
	 0,
	 "+10.1.0.0/16 dev eth0 src 10.1.0.2 100; +10.5.0.0/16 dev eth0 100; +10.9.0.0/16 via 10.1.0.9 dev eth0 100; "
	 "+rule 10.1.0.2/32 100; -10.9.0.0/16 via 10.1.0.9 dev eth0 254; ~10.5.0.0/16 dev eth0 src 10.1.0.2 254; ",
	 "",
	 -ENOENT},
	{"a given table: rules only",
	 {{"10.1.0.2/16", "10.1.0.1"}, {"10.1.0.3/16", NULL}},
	 7,
	 0,
	 {{254, "10.1.0.0/16", NULL, NULL, "eth0"}, {7, "0.0.0.0/0", "10.1.0.1", NULL, "eth0"}},
	 {{"10.1.0.3/32", 7}},
	 0,
	 "+rule 10.1.0.2/32 7; ",
	 "-rule 10.1.0.3/32 7; ",
	 -ENOENT},
	{"a given table, and a rule to another",
	 {{"10.1.0.2/16", NULL}},
	 7,
	 0,
	 {{0}},
	 {{"10.1.0.2/32", 8}},
	 0,
	 NULL,
	 "",
	 -EEXIST},
	{"a rule to the main table: nothing of that goes with it",
	 {{"10.1.0.2/16", NULL}},
	 0,
	 0,
	 {{254, "0.0.0.0/0", "10.2.0.1", NULL, "eth0"}},
	 {{"10.1.0.2/32", 254}},
	 0,
	 "",
	 "-rule 10.1.0.2/32 254; ",
	 0},
};

Test(source_route, plans)
{
	for (size_t k = 0; k < FL_N_ELEMENTS(scenes); k++) {
		const struct scene *scene = &scenes[k];
		struct flannel_address addresses[MAX];
		struct fl_route routes[MAX];
		struct fl_rule rules[MAX];
		uint32_t tables[MAX + 1];
		struct flannel_source_route_options options = {.size = sizeof(options),
							       .link = "eth0",
							       .addresses = addresses,
							       .table = scene->table,
							       .flags = scene->flags};
		struct fl_source_route_facts facts = {.rules = rules, .tables = tables, .routes = routes};
		struct fl_source_route_plan plan = {0};
		char text[2048];
		int r;

		for (; scene->addresses[options.n_addresses].address; options.n_addresses++)
			addresses[options.n_addresses] = (struct flannel_address){
				.size = sizeof(addresses[0]),
				.address = parse(scene->addresses[options.n_addresses].address),
				.gateway = parse(scene->addresses[options.n_addresses].gateway)};
		for (; scene->routes[facts.n_routes].dst; facts.n_routes++)
			routes[facts.n_routes] = make_route(&scene->routes[facts.n_routes]);
		for (; scene->rules[facts.n_rules].src; facts.n_rules++) {
			rules[facts.n_rules] = (struct fl_rule){.src = parse(scene->rules[facts.n_rules].src),
								.table = scene->rules[facts.n_rules].table};
			tables[facts.n_tables++] = scene->rules[facts.n_rules].table;
		}
		tables[facts.n_tables++] = scene->other_table;
		cr_assert_eq(fl_source_route_check(&options, true, NULL), 0);

		r = fl_source_route_want(&options, &facts, &plan, NULL);
		cr_expect_eq(r, scene->wanted ? 0 : -EEXIST, "%s", scene->what);
		describe(&plan, text, sizeof(text));
		cr_expect_str_eq(text, scene->wanted ? scene->wanted : "", "%s:\n%s\n%s", scene->what, text,
				 scene->wanted);
		fl_source_route_plan_clear(&plan);
		cr_expect_eq(fl_source_route_unwant(&options, &facts, &plan, NULL), 0);
		describe(&plan, text, sizeof(text));
		cr_expect_str_eq(text, scene->unwanted, "%s:\n%s\n%s", scene->what, text, scene->unwanted);
		fl_source_route_plan_clear(&plan);
		r = fl_source_route_compare(&options, &facts, NULL);
		cr_expect_eq(r, scene->compared, "%s: %d", scene->what, r);
	}
}

Test(source_route, options)
{
	const struct flannel_address good = {.size = sizeof(good), .address = parse("10.1.0.2/16")},
				     small = {.size = 1, .address = parse("10.1.0.2/16")},
				     missing = {.size = sizeof(good)},
				     mixed = {.size = sizeof(good),
					      .address = parse("10.1.0.2/16"),
					      .gateway = parse("fd00::1")};
	const struct {
		struct flannel_source_route_options options;
		bool needs_addresses;
		const char *message; /* NULL: none */
	} cases[] = {
		{{.link = "eth0", .addresses = &good, .n_addresses = 1}, true, NULL},
		{{.link = "eth0"}, false, NULL},
		{{.link = "eth0"}, true, "addresses: expected one at least"},
		{{.link = "eth0", .n_addresses = 1}, true, "addresses: expected one at least"},
		{{.addresses = &good, .n_addresses = 1},
		 true,
		 "link is \"\": expected an interface name of 1 to 15 bytes"},
		{{.link = "a/b"}, false, "link is \"a/b\": expected an interface name of 1 to 15 bytes"},
		{{.link = "eth0", .flags = 2}, false, "source route flags 0x2: unknown bits"},
		{{.link = "eth0", .addresses = &small, .n_addresses = 1}, true, "address 0: its size is wrong"},
		{{.link = "eth0", .addresses = &missing, .n_addresses = 1}, true, "address 0: it is missing"},
		{{.link = "eth0", .addresses = &mixed, .n_addresses = 1},
		 true,
		 "gateway of address 0: it is of the other family"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		cr_expect_eq(fl_source_route_check(&cases[i].options, cases[i].needs_addresses, &error),
			     cases[i].message ? -EINVAL : 0, "case %zu", i);
		cr_expect_str_eq(flannel_error_get_message(error), cases[i].message ? cases[i].message : "");
	}
}
