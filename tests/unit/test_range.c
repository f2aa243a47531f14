/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/ipam/range.h"

/* what a range is made of; NULL means not given */
struct text {
	const char *subnet, *start, *end, *gateway;
	uint32_t set;
};

#define MAX_RANGES 4

/* an address or prefix, AF_UNSPEC for NULL */
static struct flannel_prefix P(const char *text) {
	struct flannel_prefix prefix = {0};

	if (text)
		cr_assert_eq(flannel_prefix_parse(text, &prefix), 0, "%s", text);
	return prefix;
}

/* makes ranges; the list ends where there is no subnet */
static size_t
make(const struct text *texts, struct flannel_address_range *ranges)
{
	size_t n = 0;

	for (; n < MAX_RANGES && texts[n].subnet; n++) {
		ranges[n] = (struct flannel_address_range){
			.size = sizeof(ranges[n]),
			.subnet = P(texts[n].subnet),
			.start = P(texts[n].start),
			.end = P(texts[n].end),
			.gateway = P(texts[n].gateway),
			.set = texts[n].set,
		};
	}
	return n;
}

/* makes ranges that are right */
static size_t check(const struct text *texts, struct flannel_address_range *ranges)
{
	struct flannel_error *error = NULL;
	size_t n = make(texts, ranges);

	cr_assert_eq(flannel_address_ranges_check(ranges, n, &error), 0, "%s", flannel_error_get_message(error));
	return n;
}

/* an address without its length */
static const char *show(const struct flannel_prefix *prefix, char *buf)
{
	return flannel_prefix_format_address(prefix, buf, FLANNEL_PREFIX_STRLEN);
}

Test(range, defaults)
{
	const struct {
		struct text range;
		const char *start, *end, *gateway;
	} cases[] = {
		{{.subnet = "192.0.2.0/24"}, "192.0.2.1/24", "192.0.2.254/24", "192.0.2.1/32"},
		{{.subnet = "192.0.2.128/25"}, "192.0.2.129/25", "192.0.2.254/25", "192.0.2.129/32"},
		{{.subnet = "192.0.2.0/30"}, "192.0.2.1/30", "192.0.2.2/30", "192.0.2.1/32"},
		{{.subnet = "2001:db8:1::/64"},
		 "2001:db8:1::1/64",
		 "2001:db8:1:0:ffff:ffff:ffff:ffff/64",
		 "2001:db8:1::1/128"},
		{{.subnet = "2001:db8::/126"}, "2001:db8::1/126", "2001:db8::3/126", "2001:db8::1/128"},
		/* all given */
		{{"192.0.2.0/24", "192.0.2.40", "192.0.2.50", "192.0.2.254", 0},
		 "192.0.2.40/24",
		 "192.0.2.50/24",
		 "192.0.2.254/32"},
		/* the network's own address and the broadcast address, if somebody insists */
		{{"192.0.2.0/24", "192.0.2.0", "192.0.2.255", NULL, 0},
		 "192.0.2.0/24",
		 "192.0.2.255/24",
		 "192.0.2.1/32"},
		/* a gateway elsewhere */
		{{"192.0.2.0/24", NULL, NULL, "10.0.0.1", 0}, "192.0.2.1/24", "192.0.2.254/24", "10.0.0.1/32"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text texts[2] = {cases[i].range};
		struct flannel_address_range ranges[MAX_RANGES];
		char buf[FLANNEL_PREFIX_STRLEN];

		check(texts, ranges);
		cr_expect_str_eq(flannel_prefix_format(&ranges[0].start, buf, sizeof(buf)), cases[i].start, "%zu: %s",
				 i, buf);
		cr_expect_str_eq(flannel_prefix_format(&ranges[0].end, buf, sizeof(buf)), cases[i].end, "%zu: %s", i,
				 buf);
		cr_expect_str_eq(flannel_prefix_format(&ranges[0].gateway, buf, sizeof(buf)), cases[i].gateway,
				 "%zu: %s", i, buf);
	}
}

Test(range, refused)
{
	const struct {
		struct text ranges[MAX_RANGES];
		const char *message; /* a part of it */
	} cases[] = {
		{{{.subnet = "192.0.2.12/24"}},
		 "set 0: subnet 192.0.2.12/24 has host bits set; the network is 192.0.2.0/24"},
		{{{.subnet = "192.0.2.128/24"}}, "the network is 192.0.2.0/24"},
		{{{.subnet = "192.0.3.0/23"}}, "the network is 192.0.2.0/23"},
		{{{.subnet = "2001:db8::1/64"}}, "the network is 2001:db8::/64"},
		{{{.subnet = "192.0.2.0/31"}}, "too small"},
		{{{.subnet = "192.0.2.0/32"}}, "too small"},
		{{{.subnet = "2001:db8::/127"}}, "too small"},
		{{{.subnet = "2001:db8::/128"}}, "too small"},
		{{{"192.0.2.0/24", "192.0.3.0", NULL, NULL, 0}}, "start 192.0.3.0 is not in subnet 192.0.2.0/24"},
		{{{"192.0.2.0/24", NULL, "192.0.4.0", NULL, 0}}, "end 192.0.4.0 is not in subnet"},
		{{{"192.0.2.0/24", "2001:db8::1", NULL, NULL, 0}}, "start 2001:db8::1 is not in subnet"},
		{{{"192.0.2.0/24", "192.0.2.50", "192.0.2.40", NULL, 0}}, "start 192.0.2.50 is after end 192.0.2.40"},
		/* the end before the start that is the default */
		{{{"192.0.2.0/24", NULL, "192.0.2.0", NULL, 0}}, "start 192.0.2.1 is after end 192.0.2.0"},
		{{{"192.0.2.0/24", NULL, NULL, "2001:db8::1", 0}}, "gateway 2001:db8::1 is of another family"},
		{{{.subnet = "192.0.2.0/24"}, {.subnet = "2001:db8::/64"}}, "different families"},
		{{{.subnet = "10.0.0.0/16"}, {.subnet = "10.0.2.0/24"}}, "overlap"},
		{{{.subnet = "10.0.2.0/24"}, {.subnet = "10.0.0.0/16"}}, "overlap"},
		{{{"10.0.0.0/16", "10.0.0.1", "10.0.2.100", NULL, 0},
		  {"10.0.0.0/16", "10.0.2.50", "10.0.3.0", NULL, 0}},
		 "overlap"},
		{{{.subnet = "10.0.0.0/24"}, {.subnet = "10.0.1.0/24"}, {.subnet = "10.0.0.0/16", .set = 1}},
		 "overlaps with range set 1"},
		/* numbers of sets */
		{{{.subnet = "10.0.0.0/24", .set = 1}}, "without gaps"},
		{{{.subnet = "10.0.0.0/24"}, {.subnet = "10.0.1.0/24", .set = 2}}, "without gaps"},
		{{{.subnet = "10.0.0.0/24"}, {.subnet = "10.0.1.0/24", .set = 1}, {.subnet = "10.0.2.0/24"}},
		 "without gaps"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flannel_address_range ranges[MAX_RANGES];
		struct flannel_error *error = NULL;
		size_t n = make(cases[i].ranges, ranges);

		cr_expect_eq(flannel_address_ranges_check(ranges, n, &error), -EINVAL, "%zu", i);
		cr_expect(strstr(flannel_error_get_message(error), cases[i].message), "%zu: %s", i,
			  flannel_error_get_message(error));
		flannel_error_unref(error);
	}
}

Test(range, bad_calls)
{
	struct flannel_address_range range = {.size = sizeof(range)};
	struct flannel_error *error = NULL;

	cr_expect_eq(flannel_address_ranges_check(NULL, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_address_ranges_check(&range, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_address_ranges_check(&range, 1, &error), -EINVAL);
	cr_expect(strstr(flannel_error_get_message(error), "subnet is missing"), "%s",
		  flannel_error_get_message(error));
	flannel_error_unref(error);
	range.size--;
	cr_expect_eq(flannel_address_ranges_check(&range, 1, NULL), -EINVAL);
	range.size += 2;
	cr_expect_eq(flannel_address_ranges_check(&range, 1, NULL), -E2BIG);
}

Test(range, neighbours_do_not_overlap)
{
	struct flannel_address_range ranges[MAX_RANGES];
	const struct text texts[MAX_RANGES] = {
		{"10.0.0.0/16", "10.0.0.1", "10.0.2.49", NULL, 0},
		{"10.0.0.0/16", "10.0.2.50", "10.0.3.0", NULL, 0},
		{.subnet = "10.1.0.0/24", .set = 1},
		{.subnet = "fd00::/64", .set = 2},
	};

	cr_expect_eq(fl_range_count_sets(ranges, check(texts, ranges)), 3);
}

Test(range, find)
{
	const struct text texts[] = {{"192.0.2.0/24", "192.0.2.40", "192.0.2.50", NULL, 0},
				     {.subnet = "192.0.3.0/24"},
				     {.subnet = "2001:db8:3::/64", .set = 1},
				     {NULL, NULL, NULL, NULL, 0}};
	const struct {
		const char *address;
		uint32_t set;
		int want;
	} cases[] = {
		{"192.0.2.39", 0, -1},    {"192.0.2.40", 0, 0},        {"192.0.2.50", 0, 0},
		{"192.0.2.51", 0, -1},    {"192.0.3.0", 0, -1},        {"192.0.3.1", 0, 1},
		{"192.0.3.254", 0, 1},    {"192.0.3.255", 0, -1},      {"192.0.3.1", 1, -1},
		{"2001:db8:3::1", 1, 2},  {"2001:db8:3::", 1, -1},     {"2001:db8:4::1", 1, -1},
		{"2001:db8:3::1", 0, -1}, {"::ffff:192.0.3.1", 0, -1},
	};
	struct flannel_address_range ranges[MAX_RANGES];
	size_t n = check(texts, ranges);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flannel_prefix address = P(cases[i].address);

		cr_expect_eq(fl_range_find(ranges, n, cases[i].set, &address), cases[i].want, "%s in %u",
			     cases[i].address, cases[i].set);
	}
}

/* walks to the end and compares with the addresses in want, separated by blanks */
static void expect_walk(const struct text *texts, uint32_t set, const char *last, const char *want)
{
	struct flannel_address_range ranges[MAX_RANGES];
	struct flannel_prefix last_address = P(last);
	struct flannel_prefix address;
	struct flannel_prefix gateway;
	struct fl_range_walk walk;
	char seen[1000] = "";
	char buf[FLANNEL_PREFIX_STRLEN];
	size_t n = check(texts, ranges);

	fl_range_walk_init(&walk, ranges, n, set, &last_address);
	for (int i = 0; i < 50 && fl_range_walk_next(&walk, &address, &gateway) > 0; i++) {
		strcat(strcat(seen, seen[0] ? " " : ""), show(&address, buf));
		cr_expect_eq(address.plen, ranges[fl_range_find(ranges, n, set, &address)].subnet.plen);
	}
	cr_expect_str_eq(seen, want, "after %s: %s, not %s", last ? last : "nothing", seen, want);
}

Test(range, walk_goes_once_around)
{
	const struct text slash29[] = {{.subnet = "10.0.0.0/29"}, {NULL, NULL, NULL, NULL, 0}};
	const struct text two[] = {{.subnet = "10.0.0.0/30"}, {.subnet = "10.0.1.0/30"}, {NULL, NULL, NULL, NULL, 0}};
	const struct text gateway_inside[] = {{"10.0.0.0/28", "10.0.0.4", "10.0.0.7", "10.0.0.5", 0},
					      {NULL, NULL, NULL, NULL, 0}};
	const struct text only_gateway[] = {{"10.0.0.0/28", "10.0.0.5", "10.0.0.5", "10.0.0.5", 0},
					    {NULL, NULL, NULL, NULL, 0}};
	const struct text highest[] = {{"255.255.255.248/29", NULL, "255.255.255.255", NULL, 0},
				       {NULL, NULL, NULL, NULL, 0}};
	const struct text ipv6[] = {
		{.subnet = "10.0.0.0/30"}, {.subnet = "fd00::fffc/126", .set = 1}, {NULL, NULL, NULL, NULL, 0}};

	/* the gateway .1 is passed over, wherever the walk begins, and each address comes once */
	expect_walk(slash29, 0, NULL, "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6");
	expect_walk(slash29, 0, "10.0.0.1", "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6");
	expect_walk(slash29, 0, "10.0.0.2", "10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.2");
	expect_walk(slash29, 0, "10.0.0.5", "10.0.0.6 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5");
	expect_walk(slash29, 0, "10.0.0.6", "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6");
	/* one that is not of the set */
	expect_walk(slash29, 0, "10.0.0.7", "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6");
	expect_walk(slash29, 0, "fd00::3", "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6");
	/* from one range to the next, and back to the first */
	expect_walk(two, 0, NULL, "10.0.0.2 10.0.1.2");
	expect_walk(two, 0, "10.0.0.2", "10.0.1.2 10.0.0.2");
	expect_walk(two, 0, "10.0.1.2", "10.0.0.2 10.0.1.2");
	expect_walk(gateway_inside, 0, NULL, "10.0.0.4 10.0.0.6 10.0.0.7");
	expect_walk(gateway_inside, 0, "10.0.0.4", "10.0.0.6 10.0.0.7 10.0.0.4");
	expect_walk(only_gateway, 0, NULL, "");
	/* the highest address of all has none after it */
	expect_walk(highest, 0, "255.255.255.253",
		    "255.255.255.254 255.255.255.255 255.255.255.250 255.255.255.251 "
		    "255.255.255.252 255.255.255.253");
	/* the second set; IPv6 has no broadcast address */
	expect_walk(ipv6, 1, NULL, "fd00::fffe fd00::ffff");
	expect_walk(ipv6, 1, "fd00::fffe", "fd00::ffff fd00::fffe");
	/* a set that is not there */
	expect_walk(slash29, 7, NULL, "");
}

/* how many addresses from this one on are taken, if bit n of the bits says so of the address that ends in n */
static uint32_t run_at(const struct flannel_prefix *address, uint32_t taken)
{
	uint32_t run = 0;

	for (uint32_t at = address->addr[address->family == AF_INET ? 3 : 15] & 31; at + run < 32; run++) {
		if ((taken >> (at + run) & 1) == 0)
			break;
	}
	return run;
}

/* what a walk gives that is not taken; with skips of whole runs, or of one address after the other */
static void walk_free(const struct flannel_address_range *ranges, size_t n, const char *last, uint32_t taken,
		      bool skips, char *seen)
{
	struct flannel_prefix last_address = P(last);
	struct flannel_prefix address;
	struct flannel_prefix gateway;
	struct fl_range_walk walk;
	char buf[FLANNEL_PREFIX_STRLEN];
	int n_steps = 0;

	seen[0] = '\0';
	fl_range_walk_init(&walk, ranges, n, 0, &last_address);
	while (fl_range_walk_next(&walk, &address, &gateway) > 0) {
		uint32_t run = run_at(&address, taken);

		cr_assert_lt(n_steps++, 200, "the walk does not end");
		if (run == 0)
			strcat(strcat(seen, " "), show(&address, buf));
		else if (skips)
			fl_range_walk_skip(&walk, run - 1);
	}
}

Test(range, walk_skips_what_is_taken)
{
	const struct text sets[][3] = {
		{{.subnet = "10.0.0.0/27"}, {NULL, NULL, NULL, NULL, 0}},
		{{"10.0.0.0/27", "10.0.0.3", "10.0.0.20", "10.0.0.9", 0}, {NULL, NULL, NULL, NULL, 0}},
		{{"10.0.0.0/27", "10.0.0.8", "10.0.0.12", NULL, 0},
		 {"10.0.1.0/27", "10.0.1.4", "10.0.1.30", "10.0.1.5", 0},
		 {NULL, NULL, NULL, NULL, 0}},
		{{.subnet = "255.255.255.224/27", .end = "255.255.255.255"}, {NULL, NULL, NULL, NULL, 0}},
		{{.subnet = "fd00::ffff:ffe0/123"}, {NULL, NULL, NULL, NULL, 0}},
	};
	const char *const last[] = {NULL,       "10.0.0.2",  "10.0.0.10",       "10.0.0.12",       "10.0.0.30",
				    "10.0.1.5", "10.0.1.30", "255.255.255.240", "fd00::ffff:fff0", "fd00::ffff:ffff"};
	struct flannel_address_range ranges[MAX_RANGES];
	char plain[2000], skipped[2000];
	unsigned int seed = 1;

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		size_t n = check(sets[i], ranges);

		for (size_t j = 0; j < 1000; j++) {
			/* long runs and short ones */
			uint32_t bits = (uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed);
			uint32_t taken = j % 3 == 0 ? bits : bits | bits >> 3 | bits << 7;
			const char *from = last[j % (sizeof(last) / sizeof(last[0]))];

			taken = j < 10 ? UINT32_MAX : taken;
			walk_free(ranges, n, from, taken, false, plain);
			walk_free(ranges, n, from, taken, true, skipped);
			cr_expect_str_eq(skipped, plain, "set %zu from %s, taken %x:%s, not%s", i, from ? from : "-",
					 taken, skipped, plain);
		}
	}
}

Test(range, describe)
{
	const struct text texts[] = {{"10.0.0.0/28", "10.0.0.4", "10.0.0.7", NULL, 0},
				     {.subnet = "10.1.0.0/30"},
				     {.subnet = "fd00::/126", .set = 1},
				     {NULL, NULL, NULL, NULL, 0}};
	struct flannel_address_range ranges[MAX_RANGES];
	size_t n = check(texts, ranges);
	char buf[100];

	cr_expect_str_eq(fl_range_describe(ranges, n, 0, buf, sizeof(buf)), "10.0.0.4-10.0.0.7, 10.1.0.1-10.1.0.2");
	cr_expect_str_eq(fl_range_describe(ranges, n, 1, buf, sizeof(buf)), "fd00::1-fd00::3");
	cr_expect_str_eq(fl_range_describe(ranges, n, 2, buf, sizeof(buf)), "");
	cr_expect_str_eq(fl_range_describe(ranges, n, 0, buf, 10), "10.0.0.4-");
}
