/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domain/plan/plan.h"

/* a route from texts; via NULL: none */
static struct fl_object make_route(const char *dst, const char *via, const char *link, uint8_t protocol)
{
	struct fl_object object = {.type = FL_OBJECT_ROUTE};
	struct flannel_prefix prefix;

	cr_assert_eq(flannel_prefix_parse(dst, &prefix), 0, "%s", dst);
	object.route = fl_route_main(&prefix, protocol);
	if (via)
		cr_assert_eq(flannel_prefix_parse(via, &object.route.via), 0);
	snprintf(object.route.link, sizeof(object.route.link), "%s", link);
	return object;
}

static struct fl_ownership_rules make_rules(void)
{
	struct fl_ownership_rules rules = {.route_protocol = 241};

	flannel_prefix_parse("10.244.0.0/16", &rules.network);
	flannel_prefix_parse("fd00:10:244::/48", &rules.network6);
	return rules;
}

/* every pair of wanted and found, and what must come of it */
struct compare_case {
	const char *what;
	const char *wanted_via; /* NULL: nothing wanted */
	const char *found_via;  /* NULL: nothing found; "-": found without a gateway */
	uint8_t found_protocol;
	bool found_blackhole;
	int result;
	enum fl_verb verb;
};

static const struct compare_case compare_cases[] = {
	{"nothing at all", NULL, NULL, 0, false, 0, 0},
	{"wanted, not there", "192.0.2.2", NULL, 0, false, 1, FL_VERB_CREATE},
	{"wanted and there", "192.0.2.2", "192.0.2.2", 241, false, 0, 0},
	{"ours, other gateway", "192.0.2.2", "192.0.2.3", 241, false, 1, FL_VERB_REPLACE},
	{"the Go daemon's, same gateway", "192.0.2.2", "192.0.2.2", 3, false, 1, FL_VERB_REPLACE},
	{"the Go daemon's, other gateway", "192.0.2.2", "192.0.2.3", 3, false, 1, FL_VERB_REPLACE},
	{"somebody's static route", "192.0.2.2", "192.0.2.2", 4, false, -EEXIST, 0},
	{"somebody's route by hand without gateway", "192.0.2.2", "-", 3, false, -EEXIST, 0},
	{"a blackhole by hand", "192.0.2.2", "-", 3, true, -EEXIST, 0},
	{"the kernel's own", "192.0.2.2", "-", 2, false, -EEXIST, 0},
	{"ours, wanted by nobody", NULL, "192.0.2.3", 241, false, 1, FL_VERB_DELETE},
	{"the Go daemon's, wanted by nobody", NULL, "192.0.2.3", 3, false, 0, 0},
	{"somebody's, wanted by nobody", NULL, "192.0.2.3", 4, false, 0, 0},
};

Test(plan, compare)
{
	const struct fl_ownership_rules rules = make_rules();

	for (size_t i = 0; i < FL_N_ELEMENTS(compare_cases); i++) {
		const struct compare_case *c = &compare_cases[i];
		FL_CLEANUP_PLAN struct fl_plan plan = {0};
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_object wanted = {0}, found = {0};
		int r;

		if (c->wanted_via)
			wanted = make_route("10.244.2.0/24", c->wanted_via, "eth0", 241);
		if (c->found_via)
			found = make_route("10.244.2.0/24", c->found_via[0] == '-' ? NULL : c->found_via, "eth0",
					   c->found_protocol);
		if (c->found_blackhole)
			found.route.type = 6;
		r = fl_plan_compare(&plan, c->wanted_via ? &wanted : NULL, c->found_via ? &found : NULL, &rules,
				    &error);
		cr_assert_eq(r, c->result, "%s: %d", c->what, r);
		cr_assert_eq(plan.n_operations, r == 1 ? 1 : 0, "%s", c->what);
		if (r == 1)
			cr_assert_eq(plan.operations[0].verb, c->verb, "%s", c->what);
		if (r < 0) {
			cr_assert_not_null(strstr(flannel_error_get_message(error), "10.244.2.0/24"), "%s", c->what);
			cr_assert(flannel_error_is_retryable(error), "%s: the other may go away", c->what);
		}
	}
}

Test(plan, routes_outside_of_the_network_are_never_adopted)
{
	const struct fl_ownership_rules rules = make_rules();
	struct fl_object outside = make_route("10.99.0.0/24", "192.0.2.2", "eth0", 3);
	struct fl_object inside6 = make_route("fd00:10:244:2::/64", "fd77::2", "eth0", 3);
	struct fl_object link = {.type = FL_OBJECT_LINK};

	cr_assert_eq(fl_ownership_of(&outside, &rules), FL_FOREIGN);
	cr_assert_eq(fl_ownership_of(&inside6, &rules), FL_ADOPTABLE);
	cr_assert_eq(fl_ownership_of(&link, &rules), FL_FOREIGN);
}

/* things found, and whose they are where the backend has the device flannel.1 */
Test(plan, what_is_on_a_device_of_ours_is_ours)
{
	struct fl_ownership_rules rules = make_rules();
	const struct fl_object link = {.type = FL_OBJECT_LINK, .link = {.name = "flannel.1", .kind = "vxlan"}};
	struct fl_object object = link;

	snprintf(rules.devices[0], sizeof(rules.devices[0]), "flannel.1");
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_ADOPTABLE, "flannel gives it no alias");
	snprintf(object.link.alias, sizeof(object.link.alias), "%s", FL_OUR_ALIAS);
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_OURS);
	snprintf(object.link.alias, sizeof(object.link.alias), "somebody's");
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_FOREIGN);
	object = link;
	snprintf(object.link.kind, sizeof(object.link.kind), "bridge");
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_FOREIGN);
	object = link;
	snprintf(object.link.name, sizeof(object.link.name), "flannel.2");
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_FOREIGN);

	object = make_route("10.244.2.0/24", "10.244.2.0", "flannel.1", 3);
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_OURS, "the Go daemon's");
	object = make_route("10.99.0.0/24", "10.244.2.0", "flannel.1", 3);
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_FOREIGN, "not into the network");
	object = make_route("10.244.2.0/24", "10.244.2.0", "flannel.1", 4);
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_FOREIGN, "an operator's static one");

	object = (struct fl_object){.type = FL_OBJECT_ADDRESS, .address = {.link = "flannel.1"}};
	cr_assert_eq(flannel_prefix_parse("10.244.7.0/32", &object.address.address), 0);
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_OURS);
	cr_assert_eq(flannel_prefix_parse("10.99.7.0/32", &object.address.address), 0);
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_FOREIGN);
	object = (struct fl_object){.type = FL_OBJECT_NEIGHBOUR, .neighbour = {.link = "flannel.1"}};
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_OURS);
	snprintf(object.neighbour.link, sizeof(object.neighbour.link), "eth0");
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_FOREIGN);
	object = (struct fl_object){.type = FL_OBJECT_FDB, .fdb = {.link = "flannel.1"}};
	cr_assert_eq(fl_ownership_of(&object, &rules), FL_OURS);
}

Test(plan, what_is_needed_comes_first_and_deletion_last)
{
	FL_CLEANUP_PLAN struct fl_plan plan = {0};
	struct fl_object link = {.type = FL_OBJECT_LINK}, sysctl = {.type = FL_OBJECT_SYSCTL};
	struct fl_object address = {.type = FL_OBJECT_ADDRESS}, route = {.type = FL_OBJECT_ROUTE};
	struct fl_object neighbour = {.type = FL_OBJECT_NEIGHBOUR}, fdb = {.type = FL_OBJECT_FDB};
	const struct fl_object *order[] = {&route, &fdb, &address, &link, &neighbour, &sysctl, &route};
	const enum fl_object_type sorted[] = {
		FL_OBJECT_LINK,      FL_OBJECT_SYSCTL,  FL_OBJECT_ADDRESS, FL_OBJECT_NEIGHBOUR, FL_OBJECT_FDB,
		FL_OBJECT_ROUTE,     FL_OBJECT_ROUTE,   FL_OBJECT_ROUTE,   FL_OBJECT_ROUTE,     FL_OBJECT_FDB,
		FL_OBJECT_NEIGHBOUR, FL_OBJECT_ADDRESS, FL_OBJECT_SYSCTL,  FL_OBJECT_LINK};

	for (size_t i = 0; i < FL_N_ELEMENTS(order); i++) {
		struct fl_object object = *order[i];

		cr_assert_eq(fl_plan_add(&plan, FL_VERB_DELETE, &object, &object, NULL), 0);
		if (object.type == FL_OBJECT_ROUTE)
			object.route.metric = (uint32_t)i;
		cr_assert_eq(fl_plan_add(&plan, FL_VERB_CREATE, &object, NULL, NULL), 0);
	}
	cr_assert_eq(fl_plan_sort(&plan, NULL), 0);
	cr_assert_eq(plan.n_operations, FL_N_ELEMENTS(sorted));
	for (size_t i = 0; i < FL_N_ELEMENTS(sorted); i++) {
		cr_assert_eq(plan.operations[i].object.type, sorted[i], "place %zu", i);
		cr_assert_eq(plan.operations[i].verb, i < 7 ? FL_VERB_CREATE : FL_VERB_DELETE, "place %zu", i);
	}
	cr_assert_eq(plan.operations[5].object.route.metric, 0, "equal ranks keep their order");
	cr_assert_eq(plan.operations[6].object.route.metric, 6);
}

/* many of all ranks: sorted, and each as it was among its equals */
Test(plan, order_among_equals)
{
	enum { N = 1000 };
	FL_CLEANUP_PLAN struct fl_plan plan = {0};
	unsigned int state = 1;

	for (uint32_t i = 0; i < N; i++) {
		struct fl_object object = {.role = FL_ROLE_NODE};

		state = state * 1103515245 + 12345;
		object.type = (enum fl_object_type)(state >> 16) % (FL_OBJECT_ROUTE + 1);
		cr_assert_eq(fl_plan_add(&plan, state >> 30 ? FL_VERB_CREATE : FL_VERB_DELETE, &object, NULL, NULL), 0);
		plan.operations[i].before.route.metric = i;
	}
	cr_assert_eq(fl_plan_sort(&plan, NULL), 0);
	cr_assert_eq(plan.n_operations, N);
	for (uint32_t i = 1; i < N; i++) {
		const struct fl_operation *a = &plan.operations[i - 1], *b = &plan.operations[i];
		bool a_last = a->verb == FL_VERB_DELETE, b_last = b->verb == FL_VERB_DELETE;

		cr_assert_leq(a_last, b_last, "deletions come last");
		if (a_last != b_last)
			continue;
		cr_assert(a_last ? a->object.type >= b->object.type : a->object.type <= b->object.type, "place %u", i);
		if (a->object.type == b->object.type)
			cr_assert_lt(a->before.route.metric, b->before.route.metric, "place %u", i);
	}
}

Test(plan, a_route_to_the_gateway_comes_before_the_routes_through_it)
{
	FL_CLEANUP_PLAN struct fl_plan plan = {0};
	struct fl_object through = make_route("10.244.2.0/24", "192.0.2.2", "eth0", 241);
	struct fl_object to = make_route("192.0.2.2/32", NULL, "eth0", 241);

	cr_assert_eq(fl_plan_add(&plan, FL_VERB_DELETE, &to, &to, NULL), 0);
	cr_assert_eq(fl_plan_add(&plan, FL_VERB_DELETE, &through, &through, NULL), 0);
	cr_assert_eq(fl_plan_add(&plan, FL_VERB_CREATE, &through, NULL, NULL), 0);
	cr_assert_eq(fl_plan_add(&plan, FL_VERB_CREATE, &to, NULL, NULL), 0);
	cr_assert_eq(fl_plan_sort(&plan, NULL), 0);
	cr_assert_eq(plan.operations[0].object.route.via.family, 0, "made first");
	cr_assert_neq(plan.operations[1].object.route.via.family, 0);
	cr_assert_neq(plan.operations[2].object.route.via.family, 0, "deleted first");
	cr_assert_eq(plan.operations[3].object.route.via.family, 0);
}
