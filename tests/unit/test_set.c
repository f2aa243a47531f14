/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domain/plan/set.h"

/* the n-th of many routes */
static struct fl_object make_route(unsigned int n, const char *via)
{
	struct fl_object object = {.type = FL_OBJECT_ROUTE};
	struct flannel_prefix dst;
	char text[FLANNEL_PREFIX_STRLEN];

	snprintf(text, sizeof(text), "10.%u.%u.0/24", n >> 8, n & 255);
	cr_assert_eq(flannel_prefix_parse(text, &dst), 0);
	object.route = fl_route_main(&dst, 241);
	cr_assert_eq(flannel_prefix_parse(via, &object.route.via), 0);
	return object;
}

Test(set, put_tells_new_same_and_changed)
{
	FL_CLEANUP(fl_set_freep) struct fl_set *set = NULL;
	struct fl_object route = make_route(1, "192.0.2.1"), changed = make_route(1, "192.0.2.2"), kept;
	struct fl_entry *entry, *again;
	struct fl_set_owner owner = {0};

	cr_assert_eq(fl_set_new(&set, NULL), 0);
	cr_assert_eq(fl_set_put(set, &route, &owner, &entry, NULL), 1);
	cr_assert_eq(entry->state, FL_ENTRY_PENDING);
	fl_entry_set_result(entry, NULL, 0);
	cr_assert_eq(fl_set_put(set, &route, &owner, &again, NULL), 0);
	cr_assert_eq(again, entry);
	cr_assert_eq(entry->state, FL_ENTRY_IN_FORCE, "the same wish must not be compared again");
	cr_assert_eq(fl_set_put(set, &changed, &owner, &again, NULL), 1);
	entry = fl_set_find(set, &route);
	cr_assert_eq(again, entry);
	cr_assert_eq(owner.first, entry);
	cr_assert_null(entry->owner_next);
	cr_assert_eq(entry->state, FL_ENTRY_PENDING);
	cr_assert(entry->in_kernel, "the former object still has the place");
	fl_entry_get_object(entry, &kept);
	cr_assert(fl_object_satisfies(&kept, &changed));
	cr_assert_eq(fl_set_count(set), 1);
}

Test(set, two_owners_of_one_key_are_refused)
{
	FL_CLEANUP(fl_set_freep) struct fl_set *set = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_object route = make_route(1, "192.0.2.1"), other = make_route(1, "192.0.2.2");
	struct fl_set_owner a = {0}, b = {0};

	cr_assert_eq(fl_set_new(&set, NULL), 0);
	cr_assert_eq(fl_set_put(set, &route, &a, NULL, NULL), 1);
	cr_assert_eq(fl_set_put(set, &other, &b, NULL, &error), -EEXIST);
	cr_assert_not_null(strstr(flannel_error_get_message(error), "10.0.1.0/24"));
	cr_assert_null(b.first);
}

/* each of them must come once */
static int check_off(void *userdata, struct fl_entry *entry)
{
	struct fl_object object;
	bool *seen = userdata;
	unsigned int n;

	fl_entry_get_object(entry, &object);
	n = object.route.dst.addr[1] * 256U + object.route.dst.addr[2];
	cr_assert_lt(n, 3000);
	cr_assert_not(seen[n], "%u", n);
	seen[n] = true;
	return 0;
}

static int stop_at_once(void *userdata, struct fl_entry *entry)
{
	(void)entry;
	++*(int *)userdata;
	return 7;
}

Test(set, many_owners_with_several_objects)
{
	FL_CLEANUP(fl_set_freep) struct fl_set *set = NULL;
	struct fl_set_owner owners[100] = {0};
	bool seen[3000] = {false};
	struct fl_entry *entry;
	int calls = 0;

	cr_assert_eq(fl_set_new(&set, NULL), 0);
	for (unsigned int i = 0; i < 3000; i++) {
		struct fl_object route = make_route((i * 7919) % 3000, "192.0.2.1");

		cr_assert_eq(fl_set_put(set, &route, &owners[i % 100], NULL, NULL), 1);
	}
	cr_assert_eq(fl_set_count(set), 3000);
	cr_assert_eq(fl_set_each(set, check_off, seen), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(seen); i++)
		cr_assert(seen[i], "%zu", i);
	cr_assert_eq(fl_set_each(set, stop_at_once, &calls), 7);
	cr_assert_eq(calls, 1);
	for (int owner = 0; owner < 100; owner += 2) {
		int n = 0;

		while ((entry = owners[owner].first)) {
			cr_assert_eq(entry->owner, &owners[owner]);
			fl_set_remove(set, entry);
			n++;
		}
		cr_assert_eq(n, 30);
	}
	cr_assert_eq(fl_set_count(set), 1500);
	struct fl_object gone = make_route(0, "192.0.2.1"), there = make_route(7919 % 3000, "192.0.2.1");

	cr_assert_null(fl_set_find(set, &gone));
	cr_assert_not_null(fl_set_find(set, &there));
}

Test(set, failures_back_off_and_success_forgets_them)
{
	FL_CLEANUP(fl_set_freep) struct fl_set *set = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_object route = make_route(1, "192.0.2.1");
	struct fl_entry *entry;
	uint64_t last_ns = 0;
	struct fl_set_owner owner = {0};

	cr_assert_eq(fl_set_new(&set, NULL), 0);
	cr_assert_eq(fl_set_put(set, &route, &owner, &entry, NULL), 1);
	fl_error_set(&error, -ENETUNREACH, "rtnl", "Nexthop has invalid gateway", "add route");
	for (int i = 0; i < 20; i++) {
		fl_entry_set_result(entry, error, 1000);
		cr_assert_eq(entry->state, FL_ENTRY_FAILED);
		cr_assert(entry->trouble->retry_ns > last_ns || entry->trouble->retry_ns == 1000 + 60000000000ULL);
		last_ns = entry->trouble->retry_ns;
	}
	cr_assert_eq(last_ns, 1000 + 60000000000ULL);
	fl_entry_set_result(entry, NULL, 2000);
	cr_assert_eq(entry->state, FL_ENTRY_IN_FORCE);
	cr_assert_null(fl_entry_get_error(entry));
	fl_entry_set_result(entry, error, 3000);
	cr_assert_eq(entry->trouble->retry_ns, 3000 + 100000000ULL);
}
