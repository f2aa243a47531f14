/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sandbox.h"
#include "sys/rtnl/link.h"
#include "sys/execute.h"
#include "sys/rtnl/route.h"

#define OURS 241

/* a socket in a namespace of this test's own, with up0 (192.0.2.1/24, 2001:db8::1/64) and up1 (198.51.100.1/24), both up */
static struct fl_rtnl *enter(void)
{
	struct fl_rtnl *rtnl = NULL;

	sandbox_enter();
	sandbox_run("ip link add up0 type veth peer name up1 && ip link set up0 up && ip link set up1 up && "
		    "ip addr add 192.0.2.1/24 dev up0 && ip addr add 198.51.100.1/24 dev up1 && "
		    "ip addr add 2001:db8::1/64 dev up0 nodad");
	cr_assert_eq(fl_rtnl_open(-1, true, &rtnl, NULL), 0);
	return rtnl;
}

/* a route of table main with our protocol; via and link may be NULL */
static struct fl_route make(const char *dst, const char *via, const char *link, uint32_t metric)
{
	struct flannel_prefix prefix = sandbox_prefix(dst);
	struct fl_route route = fl_route_main(&prefix, OURS);

	if (via)
		route.via = sandbox_prefix(via);
	if (link)
		snprintf(route.link, sizeof(route.link), "%s", link);
	if (metric > 0)
		route.metric = metric;
	return route;
}

/* carries one operation out, which must succeed */
static void must(struct fl_rtnl *rtnl, enum fl_verb verb, const struct fl_route *route)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_route_execute(rtnl, verb, route, &error);

	sandbox_assert_ok(r, error);
}

/* the routes of one family that a list has, with one protocol (0: all) */
static size_t list(struct fl_rtnl *rtnl, int family, uint8_t protocol, struct fl_route **ret_routes)
{
	const struct fl_route_filter filter = {.family = family, .protocol = protocol};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	size_t n = 0;
	int r = fl_route_list(rtnl, &filter, ret_routes, &n, &error);

	sandbox_assert_ok(r, error);
	return n;
}

Test(route, create_list_and_delete_agree_with_ip)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	const struct {
		struct fl_route route;
		const char *shown;
	} cases[] = {
		{make("10.244.2.0/24", "192.0.2.2", "up0", 0), "10.244.2.0/24 via 192.0.2.2 dev up0 "},
		{make("10.244.2.0/24", "192.0.2.2", NULL, 0), "10.244.2.0/24 via 192.0.2.2 dev up0 "},
		{make("10.244.2.0/24", "192.0.2.2", "up0", 77), "10.244.2.0/24 via 192.0.2.2 dev up0 metric 77 "},
		{make("0.0.0.0/0", "192.0.2.2", "up0", 0), "default via 192.0.2.2 dev up0 "},
		{make("10.244.2.3/32", "192.0.2.2", "up0", 0), "10.244.2.3 via 192.0.2.2 dev up0 "},
		{make("fd00:2::/64", "2001:db8::2", "up0", 0),
		 "fd00:2::/64 via 2001:db8::2 dev up0 metric 1024 pref medium"},
		{make("fd00:2::/64", "2001:db8::2", "up0", 7),
		 "fd00:2::/64 via 2001:db8::2 dev up0 metric 7 pref medium"},
		{make("::/0", "2001:db8::2", "up0", 0), "default via 2001:db8::2 dev up0 metric 1024 pref medium"},
		{make("fd00:2::/64", NULL, "up0", 0), "fd00:2::/64 dev up0 metric 1024 pref medium"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		const struct fl_route *route = &cases[i].route;
		int version = route->dst.family == AF_INET ? 4 : 6;
		FL_CLEANUP(fl_freep) struct fl_route *routes = NULL;

		must(rtnl, FL_VERB_CREATE, route);
		sandbox_expect(cases[i].shown, "ip -%d route show proto 241", version);
		cr_assert_eq(list(rtnl, route->dst.family, OURS, &routes), 1);
		if (route->link[0])
			cr_expect_eq(memcmp(&routes[0], route, sizeof(*route)), 0, "case %zu: not the same", i);
		else
			cr_expect_str_eq(routes[0].link, "up0");
		must(rtnl, FL_VERB_DELETE, route);
		sandbox_expect("", "ip -%d route show proto 241", version);
		must(rtnl, FL_VERB_DELETE, route);
	}
}

Test(route, attributes_come_back)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_route routes[] = {
		make("10.244.2.0/24", "203.0.113.9", "up0", 0), make("10.244.3.0/24", NULL, "up0", 0),
		make("10.244.4.0/24", NULL, NULL, 5),           make("10.244.5.0/24", NULL, NULL, 0),
		make("10.244.6.0/24", NULL, NULL, 0),           make("10.244.7.0/24", "2001:db8::2", "up0", 0),
		make("fd00:2::/64", "fd00:99::9", "up0", 0),
	};
	static const char *const shown[] = {
		"10.244.2.0/24 via 203.0.113.9 dev up0 onlink mtu 1400 advmss 1360 ",
		"10.244.3.0/24 dev up0 scope link ",
		"blackhole 10.244.4.0/24 metric 5 ",
		"unreachable 10.244.5.0/24 ",
		"prohibit 10.244.6.0/24 ",
		"10.244.7.0/24 via inet6 2001:db8::2 dev up0 ",
		"fd00:2::/64 via fd00:99::9 dev up0 metric 1024 onlink pref medium",
	};

	routes[0].onlink = true;
	routes[0].mtu = 1400;
	routes[0].advmss = 1360;
	routes[1].scope = FL_ROUTE_SCOPE_LINK;
	routes[2].type = RTN_BLACKHOLE;
	routes[3].type = RTN_UNREACHABLE;
	routes[4].type = RTN_PROHIBIT;
	routes[6].onlink = true;
	for (size_t i = 0; i < FL_N_ELEMENTS(routes); i++) {
		FL_CLEANUP(fl_freep) struct fl_route *found = NULL;
		int family = routes[i].dst.family;

		must(rtnl, FL_VERB_CREATE, &routes[i]);
		sandbox_expect(shown[i], "ip -%d route show proto 241", family == AF_INET ? 4 : 6);
		cr_assert_eq(list(rtnl, family, OURS, &found), 1);
		cr_expect_eq(memcmp(&found[0], &routes[i], sizeof(found[0])), 0, "case %zu: not the same", i);
		must(rtnl, FL_VERB_DELETE, &routes[i]);
		sandbox_expect("", "ip -%d route show proto 241", family == AF_INET ? 4 : 6);
	}
}

Test(route, refusals_carry_the_kernels_words)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	const struct {
		enum fl_verb verb;
		struct fl_route route;
		int result;
		const char *message;
	} cases[] = {
		{FL_VERB_CREATE, make("10.244.3.0/24", "203.0.113.1", NULL, 0), -ENETUNREACH,
		 "add route 10.244.3.0/24 via 203.0.113.1: Nexthop has invalid gateway"},
		{FL_VERB_CREATE, make("10.244.3.0/24", "203.0.113.1", "up0", 0), -ENETUNREACH,
		 "add route 10.244.3.0/24 via 203.0.113.1 dev up0: Nexthop has invalid gateway"},
		{FL_VERB_REPLACE, make("10.244.3.0/24", "203.0.113.1", "up0", 0), -ENETUNREACH,
		 "replace route 10.244.3.0/24 via 203.0.113.1 dev up0: Nexthop has invalid gateway"},
		{FL_VERB_CREATE, make("10.244.2.0/24", "192.0.2.3", "up0", 0), -EEXIST,
		 "add route 10.244.2.0/24 via 192.0.2.3 dev up0: File exists"},
		{FL_VERB_CREATE, make("10.244.3.0/24", "192.0.2.2", "nobody", 0), -ENODEV,
		 "add route 10.244.3.0/24 via 192.0.2.2 dev nobody: No such device"},
		{FL_VERB_CREATE, make("10.244.3.7/24", "192.0.2.2", "up0", 0), -EINVAL,
		 "Invalid prefix for given prefix length"},
		{FL_VERB_CREATE, make("fd00:3::/64", "fd00:99::1", NULL, 0), -EHOSTUNREACH,
		 "add route fd00:3::/64 via fd00:99::1: "},
		{FL_VERB_CREATE, make("fd00:2::/64", "2001:db8::2", "up0", 0), -EEXIST,
		 "add route fd00:2::/64 via 2001:db8::2 dev up0: File exists"},
		{FL_VERB_CREATE, {.link = "up0"}, -EINVAL, "it has no destination"},
	};

	sandbox_run("ip route add 10.244.2.0/24 via 192.0.2.9 && ip route add fd00:2::/64 via 2001:db8::9 metric 1024");
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_error *error = NULL;
		int r = fl_route_execute(rtnl, cases[i].verb, &cases[i].route, &error);

		cr_expect_eq(r, cases[i].result, "case %zu: %d", i, r);
		cr_expect_str_eq(flannel_error_get_area(error), "rtnl");
		sandbox_expect_error(&error, cases[i].result, cases[i].message);
		cr_expect_eq(fl_route_execute(rtnl, cases[i].verb, &cases[i].route, NULL), cases[i].result);
	}
	sandbox_expect("", "ip route show proto 241; ip -6 route show proto 241");
}

Test(route, a_link_that_is_down_is_worth_another_try)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_route route = make("10.244.2.0/24", NULL, "up0", 0);
	struct flannel_error *error = NULL;

	sandbox_run("ip link set up0 down");
	cr_expect_eq(fl_route_execute(rtnl, FL_VERB_CREATE, &route, &error), -ENETDOWN);
	cr_expect_eq(flannel_error_is_retryable(error), 1);
	sandbox_expect_error(&error, -ENETDOWN, "Device for nexthop is not up");
}

Test(route, replace_changes_the_route_of_the_same_key)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_route route = make("10.244.2.0/24", "192.0.2.2", "up0", 0),
			other = make("10.244.2.0/24", "192.0.2.3", "up0", 0),
			route6 = make("fd00:2::/64", "2001:db8::2", "up0", 0),
			other6 = make("fd00:2::/64", "2001:db8::3", "up0", 0);

	must(rtnl, FL_VERB_REPLACE, &route);
	must(rtnl, FL_VERB_REPLACE, &other);
	must(rtnl, FL_VERB_REPLACE, &other);
	must(rtnl, FL_VERB_REPLACE, &route6);
	must(rtnl, FL_VERB_REPLACE, &other6);
	sandbox_expect("10.244.2.0/24 via 192.0.2.3 dev up0", "ip route show proto 241 | sed 's/ *$//'");
	sandbox_expect("fd00:2::/64 via 2001:db8::3 dev up0 metric 1024 pref medium", "ip -6 route show proto 241");
}

/* someone else's route stands where ours was, or beside it: each differs in one thing */
Test(route, delete_spares_what_is_not_this_route)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	static const struct {
		const char *foreign;
		const char *dst, *via, *link;
		uint32_t metric;
	} cases[] = {
		{"10.244.2.0/24 via 192.0.2.2 dev up0 proto static", "10.244.2.0/24", "192.0.2.2", "up0", 0},
		{"10.244.2.0/24 via 192.0.2.2 dev up0 proto boot", "10.244.2.0/24", "192.0.2.2", "up0", 0},
		{"10.244.2.0/24 via 192.0.2.3 dev up0 proto 241", "10.244.2.0/24", "192.0.2.2", "up0", 0},
		{"10.244.2.0/24 via 198.51.100.2 dev up1 proto 241", "10.244.2.0/24", "192.0.2.2", "up0", 0},
		{"10.244.2.0/24 via 198.51.100.2 dev up1 proto 241", "10.244.2.0/24", "198.51.100.2", "up0", 0},
		{"10.244.2.0/24 via 192.0.2.2 dev up0 proto 241 metric 6", "10.244.2.0/24", "192.0.2.2", "up0", 5},
		{"10.244.2.0/24 via 192.0.2.2 dev up0 proto 241", "10.244.2.0/24", "192.0.2.2", "up0", 5},
		{"10.244.2.0/25 via 192.0.2.2 dev up0 proto 241", "10.244.2.0/24", "192.0.2.2", "up0", 0},
		{"10.244.2.0/24 via 192.0.2.2 dev up0 proto 241 table 77", "10.244.2.0/24", "192.0.2.2", "up0", 0},
		{"blackhole 10.244.2.0/24 proto 241", "10.244.2.0/24", "192.0.2.2", "up0", 0},
		{"blackhole 10.244.2.0/24 proto 241", "10.244.2.0/24", NULL, NULL, 0},
		{"10.244.2.0/24 via 192.0.2.2 dev up0 proto 241", "10.244.2.0/24", "192.0.2.2", "nobody", 0},
		{"fd00:2::/64 via 2001:db8::2 dev up0 proto static", "fd00:2::/64", "2001:db8::2", "up0", 0},
		{"fd00:2::/64 via 2001:db8::3 dev up0 proto 241", "fd00:2::/64", "2001:db8::2", "up0", 0},
		{"fd00:2::/64 dev up1 proto 241", "fd00:2::/64", "2001:db8::2", "up0", 0},
		{"fd00:2::/64 via 2001:db8::2 dev up0 proto 241 metric 7", "fd00:2::/64", "2001:db8::2", "up0", 0},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct fl_route route = make(cases[i].dst, cases[i].via, cases[i].link, cases[i].metric);
		int version = route.dst.family == AF_INET ? 4 : 6;

		sandbox_run("ip -%d route add %s", version, cases[i].foreign);
		must(rtnl, FL_VERB_DELETE, &route);
		sandbox_expect(
			"1", "ip -j -%d route show table all | jq '[.[] | select(.dst | test(\"^(10|fd)\"))] | length'",
			version);
		sandbox_run("ip -%d route del %s", version, cases[i].foreign);
	}
}

Test(route, delete_finds_a_route_of_any_scope)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_route route = make("10.244.2.0/24", NULL, "up0", 0);

	sandbox_run("ip route add 10.244.2.0/24 dev up0 proto 241 scope link");
	must(rtnl, FL_VERB_DELETE, &route);
	sandbox_expect("", "ip route show proto 241");
}

Test(route, append_allows_several_next_hops_for_a_destination)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	static const struct {
		const char *dst, *via;
		int result;
	} cases[] = {
		{"10.244.2.0/24", "192.0.2.2", 0},       {"10.244.2.0/24", "192.0.2.3", 0},
		{"10.244.2.0/24", "192.0.2.2", -EEXIST}, {"fd00:2::/64", "2001:db8::2", 0},
		{"fd00:2::/64", "2001:db8::3", 0},       {"fd00:2::/64", "2001:db8::2", -EEXIST},
	};
	FL_CLEANUP(fl_freep) struct fl_route *found = NULL;

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct fl_route route = make(cases[i].dst, cases[i].via, "up0", 0);
		struct flannel_error *error = NULL;

		cr_expect_eq(fl_route_append(rtnl, &route, &error), cases[i].result, "case %zu", i);
		if (cases[i].result < 0)
			sandbox_expect_error(&error, cases[i].result, "add route ");
		cr_expect_null(error);
	}
	sandbox_expect("2", "ip -j route show proto 241 | jq length");
	sandbox_expect("2", "ip -j -6 route show proto 241 | jq '.[0].nexthops | length'");
	cr_expect_eq(list(rtnl, AF_INET6, OURS, &found), 1);
	cr_expect(found[0].multipath);
}

Test(route, list_reads_what_others_made_and_delete_takes_it)
{
	static const struct {
		const char *command; /* after "ip " */
		const char *dst, *via, *link;
		bool multipath;
	} cases[] = {
		{"route add 10.1.0.0/16 proto 50 nexthop via 192.0.2.2 nexthop via 198.51.100.2", "10.1.0.0/16",
		 "192.0.2.2", "up0", true},
		{"-6 route add fd00:1::/64 proto 50 nexthop via 2001:db8::2 nexthop via 2001:db8::3", "fd00:1::/64",
		 "2001:db8::2", "up0", true},
		{"nexthop add id 5 via 192.0.2.2 dev up0 && ip route add 10.2.0.0/16 nhid 5 proto 50", "10.2.0.0/16",
		 "192.0.2.2", "up0", true},
		{"nexthop add id 6 via 2001:db8::2 dev up0 && ip -6 route add fd00:1::/64 nhid 6 proto 50",
		 "fd00:1::/64", "2001:db8::2", "up0", true},
		{"nexthop add id 5 via 192.0.2.2 dev up0 && ip nexthop add id 7 via 192.0.2.3 dev up0 && ip nexthop "
		 "add id 8 group 5/7 && ip route add 10.3.0.0/16 nhid 8 proto 50",
		 "10.3.0.0/16", "192.0.2.2", "up0", true},
		{"route add 10.4.0.0/16 via inet6 2001:db8::2 dev up0 proto 50", "10.4.0.0/16", "2001:db8::2", "up0",
		 false},
		{"-6 route add blackhole fd00:1::/64 proto 50", "fd00:1::/64", NULL, "lo", false},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
		FL_CLEANUP(fl_freep) struct fl_route *found = NULL, *left = NULL;
		struct flannel_prefix dst = sandbox_prefix(cases[i].dst), via = {0};

		if (cases[i].via)
			via = sandbox_prefix(cases[i].via);
		sandbox_run("ip %s", cases[i].command);
		cr_assert_eq(list(rtnl, dst.family, 50, &found), 1, "case %zu", i);
		cr_expect_eq(flannel_prefix_compare(&found[0].dst, &dst), 0);
		cr_expect_eq(flannel_prefix_compare(&found[0].via, &via), 0, "case %zu", i);
		cr_expect_str_eq(found[0].link, cases[i].link, "case %zu: %s", i, found[0].link);
		cr_expect_eq(found[0].multipath, cases[i].multipath, "case %zu", i);
		must(rtnl, FL_VERB_DELETE, &found[0]);
		cr_expect_eq(list(rtnl, dst.family, 50, &left), 0, "case %zu", i);
	}
}

Test(route, list_filters)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	FL_CLEANUP(fl_freep) struct fl_route *all = NULL, *ours = NULL, *one = NULL, *none = NULL;
	struct fl_route_filter filter = {.family = AF_INET, .dst = sandbox_prefix("10.2.0.0/16")};
	size_t n = 0;

	sandbox_run("ip route add 10.1.0.0/16 dev up0 proto 241 && ip route add 10.2.0.0/16 dev up0 && "
		    "ip route add 10.2.0.0/16 dev up1 metric 9 && ip route add 10.3.0.0/16 dev up0 tos 4 && "
		    "ip route add 10.4.0.0/16 dev up0 table 77 && ip route add throw 10.5.0.0/16 && "
		    "ip route add local 10.6.0.0/16 dev lo table main");
	/* 10.1, 10.2 twice, and the two that the kernel made for up0's and up1's addresses */
	cr_expect_eq(list(rtnl, AF_INET, 0, &all), 5);
	cr_expect_eq(list(rtnl, AF_INET, OURS, &ours), 1);
	cr_assert_eq(fl_route_list(rtnl, &filter, &one, &n, NULL), 0);
	cr_assert_eq(n, 2);
	cr_expect_eq(one[0].metric, 0);
	cr_expect_eq(one[1].metric, 9);
	cr_expect_str_eq(one[1].link, "up1");
	filter.dst = sandbox_prefix("10.2.0.0/17");
	cr_assert_eq(fl_route_list(rtnl, &filter, &none, &n, NULL), 0);
	cr_expect_eq(n, 0);
}

Test(route, list_of_a_namespace_without_any)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	FL_CLEANUP(fl_freep) struct fl_route *found = NULL, *found6 = NULL;

	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	cr_assert_eq(fl_rtnl_open(-1, true, &rtnl, NULL), 0);
	cr_expect_eq(list(rtnl, AF_INET, 0, &found), 0);
	cr_expect_eq(list(rtnl, AF_INET6, OURS, &found6), 0);
}

/* the i-th of many destinations */
static struct fl_route make_nth(unsigned int i, const char *via)
{
	struct fl_route route = make("10.0.0.0/24", via, "up0", 0);

	route.dst.addr[1] = (uint8_t)(i >> 8);
	route.dst.addr[2] = (uint8_t)i;
	return route;
}

Test(route, batch_of_thousands_where_some_fail)
{
	enum { N = 5000 };
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	FL_CLEANUP(fl_freep) struct fl_operation *operations = calloc(N, sizeof(*operations));
	FL_CLEANUP(fl_freep) struct flannel_error **errors = calloc(N, sizeof(*errors));
	FL_CLEANUP(fl_freep) int *results = calloc(N, sizeof(*results));
	FL_CLEANUP(fl_freep) struct fl_route *found = NULL, *left = NULL;
	struct flannel_error *error = NULL;

	for (unsigned int i = 0; i < N; i++) {
		struct fl_object *object = &operations[i].object;

		object->type = FL_OBJECT_ROUTE;
		object->route = make_nth(i, i % 10 == 3 ? "203.0.113.1" : "192.0.2.2");
		if (i % 10 == 5)
			strcpy(object->route.link, "nobody");
		if (i % 10 == 7) /* the one before, once more */
			object->route = operations[i - 1].object.route;
	}
	operations[0].object.type = FL_OBJECT_SYSCTL;
	cr_assert_eq(fl_execute(rtnl, operations, N, results, errors, &error), 0);
	cr_expect_null(error);
	for (int i = 0; i < N; i++) {
		static const int expected[10] = {[3] = -ENETUNREACH, [5] = -ENODEV, [7] = -EEXIST};
		static const char *const part[10] = {[3] = ": Nexthop has invalid gateway",
						     [5] = " dev nobody: No such device",
						     [7] = ": File exists"};
		int code = i == 0 ? -EINVAL : expected[i % 10];

		cr_expect_eq(results[i], code, "operation %d: %d", i, results[i]);
		if (code == 0)
			cr_expect_null(errors[i]);
		else if (i > 0)
			sandbox_expect_error(&errors[i], code, part[i % 10]);
	}
	sandbox_expect_error(&errors[0], -EINVAL, "no part of a batch");
	cr_assert_eq(list(rtnl, AF_INET, OURS, &found), N - 3 * N / 10 - 1);
	sandbox_expect("3499", "ip -j route show proto 241 | jq length");

	/* all away, also those that are not there */
	for (int i = 0; i < N; i++)
		operations[i].verb = FL_VERB_DELETE;
	operations[0].object.type = FL_OBJECT_ROUTE;
	cr_assert_eq(fl_execute(rtnl, operations, N, results, NULL, NULL), 0);
	for (int i = 0; i < N; i++)
		cr_expect_eq(results[i], 0, "operation %d: %d", i, results[i]);
	cr_expect_eq(list(rtnl, AF_INET, OURS, &left), 0);
	cr_expect_eq(fl_execute(rtnl, NULL, 0, NULL, NULL, NULL), 0);
}

Test(route, batch_keeps_the_order)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	const struct fl_route old = make("10.244.2.0/24", "192.0.2.2", "up0", 0),
			      new = make("10.244.2.0/24", "192.0.2.3", "up0", 0);
	const struct fl_operation operations[] = {
		{.verb = FL_VERB_CREATE, .object = {.type = FL_OBJECT_ROUTE, .route = old}},
		{.verb = FL_VERB_REPLACE, .object = {.type = FL_OBJECT_ROUTE, .route = new}},
		{.verb = FL_VERB_DELETE, .object = {.type = FL_OBJECT_ROUTE, .route = old}},
		{.verb = FL_VERB_CREATE, .object = {.type = FL_OBJECT_ROUTE, .route = new}},
	};
	struct flannel_error *errors[FL_N_ELEMENTS(operations)] = {NULL};
	int results[FL_N_ELEMENTS(operations)];

	cr_assert_eq(fl_execute(rtnl, operations, FL_N_ELEMENTS(operations), results, errors, NULL), 0);
	cr_expect(results[0] == 0 && results[1] == 0 && results[2] == 0);
	cr_expect_eq(results[3], -EEXIST);
	sandbox_expect_error(&errors[3], -EEXIST, "add route 10.244.2.0/24 via 192.0.2.3 dev up0: File exists");
	sandbox_expect("10.244.2.0/24 via 192.0.2.3 dev up0", "ip route show proto 241 | sed 's/ *$//'");
}

Test(route, get_asks_for_the_kernels_choice)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	const struct {
		const char *dst;
		int result;
		const char *link, *source, *via;
	} cases[] = {
		{"192.0.2.77", 0, "up0", "192.0.2.1/32", ""},
		{"10.1.2.3", 0, "up1", "198.51.100.1/32", "198.51.100.2/32"},
		{"10.1.2.3/16", 0, "up1", "198.51.100.1/32", "198.51.100.2/32"},
		{"2001:db8::77", 0, "up0", "2001:db8::1/128", ""},
		{"fd00:1::1", 0, "up0", "2001:db8::1/128", "2001:db8::2/128"},
		{"203.0.113.1", -ENETUNREACH, NULL, NULL, NULL},
		{"fd00:2::1", -ENETUNREACH, NULL, NULL, NULL},
	};

	sandbox_run("ip route add 10.1.0.0/16 via 198.51.100.2 && ip -6 route add fd00:1::/64 via 2001:db8::2");
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix dst = sandbox_prefix(cases[i].dst);
		struct fl_route_lookup lookup = {.ifindex = 77};
		struct flannel_error *error = NULL;
		char text[FLANNEL_PREFIX_STRLEN];
		uint32_t ifindex = 77;
		int r = fl_route_get(rtnl, &dst, &lookup, &error);

		cr_expect_eq(r, cases[i].result, "%s: %d", cases[i].dst, r);
		if (cases[i].result < 0) {
			sandbox_expect_error(&error, cases[i].result, "find the route to ");
		} else {
			cr_assert_eq(fl_link_find_index(rtnl, cases[i].link, &ifindex), 0);
			cr_expect_str_eq(flannel_prefix_format(&lookup.source, text, sizeof(text)), cases[i].source);
			cr_expect_str_eq(flannel_prefix_format(&lookup.via, text, sizeof(text)), cases[i].via);
		}
		cr_expect_eq(lookup.ifindex, ifindex);
	}
}

Test(route, a_large_table_number)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_route route = make("10.244.2.0/24", "192.0.2.2", "up0", 0);

	route.table = 70000;
	must(rtnl, FL_VERB_CREATE, &route);
	sandbox_expect("1", "ip -j route show table 70000 | jq length");
	must(rtnl, FL_VERB_DELETE, &route);
	sandbox_expect("0", "ip -j route show table 70000 2>/dev/null | jq length");
}

/* what a route message looks like; spoilt by one attribute */
struct sample {
	struct rtmsg header;
	int type;
	int len;
	int result;
};

Test(route, parse_refuses_malformed_messages)
{
	const struct rtmsg good = {
		.rtm_family = AF_INET, .rtm_dst_len = 24, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST};
	struct rtmsg long_prefix = good, packet = good, local = good;
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	/* a next hop of eight bytes; an MTU of two */
	const uint8_t bytes[16] = {8, 0}, metrics[16] = {6, 0, RTAX_MTU, 0};

	long_prefix.rtm_dst_len = 33;
	packet.rtm_family = AF_PACKET;
	local.rtm_type = RTN_LOCAL;

	const struct sample samples[] = {
		{good, RTA_DST, 4, 1},
		{good, RTA_DST, 16, -EBADMSG},
		{good, RTA_DST, 0, -EBADMSG},
		{long_prefix, RTA_DST, 4, -EBADMSG},
		{packet, RTA_DST, 4, -EBADMSG},
		{local, RTA_DST, 4, 0},
		{good, RTA_OIF, 2, -EBADMSG},
		{good, RTA_GATEWAY, 3, -EBADMSG},
		{good, RTA_GATEWAY, 16, -EBADMSG},
		{good, RTA_VIA, 1, -EBADMSG},
		{good, RTA_VIA, 6, -EBADMSG},
		{good, RTA_PRIORITY, 1, -EBADMSG},
		{good, RTA_MULTIPATH, 4, -EBADMSG},
		{good, RTA_MULTIPATH, 8, 1},
		{good, RTA_MULTIPATH, 7, -EBADMSG},
		{good, RTA_METRICS, 16, -EBADMSG},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(samples); i++) {
		FL_CLEANUP(fl_rtnl_message_freep)
		struct nl_msg *message = fl_rtnl_message(RTM_NEWROUTE, 0, &samples[i].header, sizeof(struct rtmsg));
		struct fl_route route;
		int r;

		cr_assert_eq(nla_put(message, samples[i].type, samples[i].len,
				     samples[i].type == RTA_METRICS ? metrics : bytes),
			     0);
		r = fl_route_parse(rtnl, nlmsg_hdr(message), &route);
		cr_expect_eq(r, samples[i].result, "case %zu: %d", i, r);
		nlmsg_hdr(message)->nlmsg_len = NLMSG_HDRLEN + 2;
		cr_expect_eq(fl_route_parse(rtnl, nlmsg_hdr(message), &route), -EBADMSG);
	}
}
