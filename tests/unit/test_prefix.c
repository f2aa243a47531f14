/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <flannel/prefix.h>

#include "base/cleanup.h"

/* parses what must parse */
static struct flannel_prefix P(const char *text) {
	struct flannel_prefix prefix;

	cr_assert_eq(flannel_prefix_parse(text, &prefix), 0, "%s", text);
	return prefix;
}

/* expects a prefix to read as text */
static void
expect_text(const struct flannel_prefix *prefix, const char *want, const char *what)
{
	char buf[FLANNEL_PREFIX_STRLEN];

	cr_expect_str_eq(flannel_prefix_format(prefix, buf, sizeof(buf)), want, "%s: %s, not %s", what, buf, want);
}

Test(prefix, parse_and_format)
{
	const struct {
		const char *text, *want;
	} cases[] = {
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"10.244.1.7/24", "10.244.1.7/24"},
		{"10.244.1.7", "10.244.1.7/32"},
		{"255.255.255.255/32", "255.255.255.255/32"},
		{"::", "::/128"},
		{"::/0", "::/0"},
		{"::1", "::1/128"},
		{"FD00:0:0:1::/64", "fd00:0:0:1::/64"},
		{"fd00::/48", "fd00::/48"},
		/* the longest run is cut, the first of equals, never a single group */
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1/128"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1/128"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1/128"},
		{"1:0:0:2:0:0:0:0", "1:0:0:2::/128"},
		{"0:0:1:0:0:1:0:0", "::1:0:0:1:0:0/128"},
		{"0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7/128"},
		{"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0/128"},
		{"1:2:3:4:5:6::", "1:2:3:4:5:6::/128"},
		{"0001:0002:0003:0004:0005:0006:0007:0008/128", "1:2:3:4:5:6:7:8/128"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
		/* dots for mapped addresses only */
		{"::1.2.3.4", "::102:304/128"},
		{"::0.0.0.0", "::/128"},
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4/128"},
		{"::ffff:102:304/96", "::ffff:1.2.3.4/96"},
		{"64:ff9b::192.0.2.1", "64:ff9b::c000:201/128"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix prefix = P(cases[i].text), again;

		expect_text(&prefix, cases[i].want, cases[i].text);
		again = P(cases[i].want);
		cr_expect_eq(memcmp(&prefix, &again, sizeof(prefix)), 0, "%s does not come back", cases[i].text);
	}
}

Test(prefix, parse_refuses)
{
	const char *const cases[] = {
		"",
		" ",
		"/",
		"/24",
		"10",
		"10.0.0",
		"10.0.0.0.0",
		"10.0.0.256",
		"10.0.0.-1",
		"10.0.0.1 ",
		" 10.0.0.1",
		"10.0.0.1/",
		"10.0.0.1/33",
		"10.0.0.1/-1",
		"10.0.0.1/+1",
		"10.0.0.1/ 1",
		"10.0.0.1/1 ",
		"10.0.0.1/08",
		"10.0.0.1/00",
		"10.0.0.1/1/2",
		"10.0.0.1/a",
		"10.0.0.1/0x8",
		"10.0.0.1/4294967296",
		"10.0.0.1/1000",
		"010.0.0.1",
		"10.00.0.1",
		"10.0.0.01",
		"10..0.1",
		".10.0.0.1",
		"0x0a.0.0.1",
		"10.0.0.1\n",
		"10.0.0.0/255.255.0.0",
		":",
		":::",
		"1::2::3",
		"fd00::/129",
		"fd00::/",
		"fd00::%eth0",
		"fe80::1%eth0/64",
		"12345::",
		"::g",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"::1.2.3",
		"::01.2.3.4",
		"::ffff:1.2.3.04",
		"::1.2.3.4.5",
		"[::1]",
		"fd00::/64x",
		"localhost",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix prefix = {.family = 77};

		cr_expect_eq(flannel_prefix_parse(cases[i], &prefix), -EINVAL, "\"%s\" was taken", cases[i]);
		cr_expect_eq(prefix.family, 77, "\"%s\" changed the result", cases[i]);
	}
}

Test(prefix, null_and_malformed)
{
	struct flannel_prefix good = P("10.0.0.0/8"), none = {0}, out = {.family = 77};
	const struct flannel_prefix bad[] = {
		{.family = AF_INET, .plen = 33},
		{.family = AF_INET6, .plen = 129},
		{.family = AF_UNIX, .plen = 0},
		{.family = 0xffff, .plen = 255},
	};
	char buf[FLANNEL_PREFIX_STRLEN] = "x";

	cr_expect_eq(flannel_prefix_parse(NULL, &out), -EINVAL);
	cr_expect_eq(flannel_prefix_parse("10.0.0.0/8", NULL), -EINVAL);
	cr_expect_str_empty(flannel_prefix_format(NULL, buf, sizeof(buf)));
	cr_expect_str_empty(flannel_prefix_format(&good, NULL, 50));
	cr_expect_str_empty(flannel_prefix_format(&good, buf, 0));
	cr_expect_str_empty(flannel_prefix_format_address(NULL, buf, sizeof(buf)));
	cr_expect_str_empty(flannel_prefix_format_address(&good, NULL, 50));
	cr_expect_eq(flannel_prefix_format(&none, buf, sizeof(buf)), buf);
	cr_expect_str_empty(buf);
	cr_expect_eq(flannel_prefix_is_network(NULL), 0);
	cr_expect_eq(flannel_prefix_is_network(&none), 0);
	cr_expect_eq(flannel_prefix_contains(NULL, &good), 0);
	cr_expect_eq(flannel_prefix_contains(&good, NULL), 0);
	cr_expect_eq(flannel_prefix_overlaps(NULL, &good), 0);
	cr_expect_eq(flannel_prefix_overlaps(&good, NULL), 0);
	cr_expect_eq(flannel_prefix_contains(&none, &none), 0);
	cr_expect_eq(flannel_prefix_compare(NULL, NULL), 0);
	cr_expect_lt(flannel_prefix_compare(NULL, &good), 0);
	cr_expect_gt(flannel_prefix_compare(&good, NULL), 0);
	cr_expect_eq(flannel_prefix_next(NULL, 1, &out), -EINVAL);
	cr_expect_eq(flannel_prefix_next(&good, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_prefix_next(&none, 0, &out), -EINVAL);
	cr_expect_eq(flannel_prefix_host(NULL, 1, &out), -EINVAL);
	cr_expect_eq(flannel_prefix_host(&good, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_prefix_host(&none, 0, &out), -EINVAL);
	for (size_t i = 0; i < FL_N_ELEMENTS(bad); i++) {
		struct flannel_prefix masked = flannel_prefix_mask(bad[i]);

		cr_expect_str_empty(flannel_prefix_format(&bad[i], buf, sizeof(buf)), "case %zu", i);
		cr_expect_eq(memcmp(&masked, &bad[i], sizeof(masked)), 0, "case %zu", i);
		cr_expect_eq(flannel_prefix_is_network(&bad[i]), 0, "case %zu", i);
		cr_expect_eq(flannel_prefix_contains(&bad[i], &bad[i]), 0, "case %zu", i);
		cr_expect_eq(flannel_prefix_next(&bad[i], 0, &out), -EINVAL, "case %zu", i);
		cr_expect_eq(flannel_prefix_host(&bad[i], 0, &out), -EINVAL, "case %zu", i);
	}
	cr_expect_eq(out.family, 77, "a failure changed the result");
}

Test(prefix, format_needs_room)
{
	struct flannel_prefix prefix = P("10.1.2.3/16");
	char buf[FLANNEL_PREFIX_STRLEN];

	cr_expect_str_eq(flannel_prefix_format(&prefix, buf, 12), "10.1.2.3/16");
	cr_expect_str_empty(flannel_prefix_format(&prefix, buf, 11));
	cr_expect_str_empty(buf);
	cr_expect_str_eq(flannel_prefix_format_address(&prefix, buf, 9), "10.1.2.3");
	cr_expect_str_empty(flannel_prefix_format_address(&prefix, buf, 8));
	prefix = P("fd00::1/64");
	cr_expect_str_eq(flannel_prefix_format_address(&prefix, buf, sizeof(buf)), "fd00::1");
}

Test(prefix, mask)
{
	const struct {
		const char *text, *want;
	} cases[] = {
		{"10.244.1.7/24", "10.244.1.0/24"},     {"10.244.1.7/32", "10.244.1.7/32"},
		{"10.244.255.7/17", "10.244.128.0/17"}, {"255.255.255.255/0", "0.0.0.0/0"},
		{"255.255.255.255/1", "128.0.0.0/1"},   {"fd00:1:2:3:4::1/64", "fd00:1:2:3::/64"},
		{"fd00::ffff/113", "fd00::8000/113"},   {"ffff::/0", "::/0"},
		{"fd00::1/128", "fd00::1/128"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix prefix = P(cases[i].text), masked = flannel_prefix_mask(prefix);

		expect_text(&masked, cases[i].want, cases[i].text);
		cr_expect_eq(flannel_prefix_is_network(&masked), 1, "%s", cases[i].text);
		cr_expect_eq(flannel_prefix_is_network(&prefix), strcmp(cases[i].text, cases[i].want) == 0, "%s",
			     cases[i].text);
	}
}

Test(prefix, compare_is_a_total_order)
{
	const char *const sorted[] = {
		"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.1/8", "10.1.0.0/16", "192.168.0.0/16",
		"::/0",      "::/128",     "::1/64",      "fd00::/8",   "ff00::/8",
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(sorted); i++) {
		for (size_t j = 0; j < FL_N_ELEMENTS(sorted); j++) {
			struct flannel_prefix a = P(sorted[i]), b = P(sorted[j]);
			int r = flannel_prefix_compare(&a, &b);

			cr_expect_eq((r > 0) - (r < 0), (i > j) - (i < j), "%s and %s", sorted[i], sorted[j]);
		}
	}
}

Test(prefix, contains_and_overlaps)
{
	const struct {
		const char *outer, *inner;
		int contains, overlaps;
	} cases[] = {
		{"10.0.0.0/8", "10.1.0.0/16", 1, 1},
		{"10.1.0.0/16", "10.0.0.0/8", 0, 1},
		{"10.0.0.0/8", "10.0.0.0/8", 1, 1},
		{"10.9.9.9/8", "10.1.2.3/32", 1, 1},
		{"10.0.0.0/8", "11.0.0.0/8", 0, 0},
		{"0.0.0.0/0", "203.0.113.7", 1, 1},
		{"10.0.0.0/9", "10.128.0.0/9", 0, 0},
		{"10.0.0.0/9", "10.127.255.255", 1, 1},
		{"0.0.0.0/0", "::/0", 0, 0},
		{"::/0", "0.0.0.0/0", 0, 0},
		{"fd00::/48", "fd00:0:0:ffff::/64", 1, 1},
		{"fd00::/48", "fd00:0:1::/64", 0, 0},
		{"::/96", "1.2.3.4", 0, 0},
		{"10.0.0.1/32", "10.0.0.1/31", 0, 1},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix outer = P(cases[i].outer), inner = P(cases[i].inner);

		cr_expect_eq(flannel_prefix_contains(&outer, &inner), cases[i].contains, "%s %s", cases[i].outer,
			     cases[i].inner);
		cr_expect_eq(flannel_prefix_overlaps(&outer, &inner), cases[i].overlaps, "%s %s", cases[i].outer,
			     cases[i].inner);
		cr_expect_eq(flannel_prefix_overlaps(&inner, &outer), cases[i].overlaps, "%s %s", cases[i].inner,
			     cases[i].outer);
	}
}

Test(prefix, next)
{
	const struct {
		const char *text;
		int64_t steps;
		const char *want; /* NULL: out of range */
	} cases[] = {
		{"10.244.1.7/24", 0, "10.244.1.0/24"},
		{"10.244.1.0/24", 1, "10.244.2.0/24"},
		{"10.244.255.0/24", 1, "10.245.0.0/24"},
		{"10.244.0.0/24", -1, "10.243.255.0/24"},
		{"10.244.0.0/24", 256, "10.245.0.0/24"},
		{"255.255.255.255/32", 1, NULL},
		{"255.255.255.254/32", 1, "255.255.255.255/32"},
		{"0.0.0.0/32", -1, NULL},
		{"255.255.255.0/24", 1, NULL},
		{"0.0.0.0/24", (1 << 24) - 1, "255.255.255.0/24"},
		{"0.0.0.0/24", 1 << 24, NULL},
		{"0.0.0.0/32", 4294967295, "255.255.255.255/32"},
		{"0.0.0.0/32", 4294967296, NULL},
		{"0.0.0.0/0", 0, "0.0.0.0/0"},
		{"0.0.0.0/0", 1, NULL},
		{"0.0.0.0/0", -1, NULL},
		{"10.0.0.0/8", INT64_MAX, NULL},
		{"10.0.0.0/8", INT64_MIN, NULL},
		{"fd00::/64", 1, "fd00:0:0:1::/64"},
		{"fd00:0:0:ffff::/64", 1, "fd00:0:1::/64"},
		{"fd00:0:1::/64", -1, "fd00:0:0:ffff::/64"},
		{"fd00::/65", 1, "fd00::8000:0:0:0/65"},
		{"fd00::/65", 3, "fd00:0:0:1:8000::/65"},
		{"fd00::ffff:ffff:ffff:ffff/128", 1, "fd00:0:0:1::/128"},
		{"fd00:0:0:1::/128", -1, "fd00::ffff:ffff:ffff:ffff/128"},
		{"::/64", INT64_MAX, "7fff:ffff:ffff:ffff::/64"},
		{"8000::/64", INT64_MIN, "::/64"},
		{"7fff::/64", INT64_MIN, NULL},
		{"ffff:ffff:ffff:ffff::/64", 1, NULL},
		{"::/63", INT64_MIN, NULL},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 1, NULL},
		{"::/128", -1, NULL},
		{"::/0", 1, NULL},
		{"::/1", 1, "8000::/1"},
		{"::/1", 2, NULL},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix prefix = P(cases[i].text), before = prefix;
		int r = flannel_prefix_next(&prefix, cases[i].steps, &prefix);

		cr_expect_eq(r, cases[i].want ? 0 : -ERANGE, "%s %lld: %d", cases[i].text, (long long)cases[i].steps,
			     r);
		if (r == 0)
			expect_text(&prefix, cases[i].want, cases[i].text);
		else
			cr_expect_eq(memcmp(&prefix, &before, sizeof(prefix)), 0, "%s changed", cases[i].text);
	}
}

Test(prefix, host)
{
	const struct {
		const char *text;
		uint64_t n;
		const char *want; /* NULL: out of range */
	} cases[] = {
		{"10.244.1.0/24", 0, "10.244.1.0/24"},
		{"10.244.1.0/24", 1, "10.244.1.1/24"},
		{"10.244.1.99/24", 1, "10.244.1.1/24"},
		{"10.244.1.0/24", 255, "10.244.1.255/24"},
		{"10.244.1.0/24", 256, NULL},
		{"10.244.0.0/16", 256, "10.244.1.0/16"},
		{"10.0.0.1/32", 0, "10.0.0.1/32"},
		{"10.0.0.1/32", 1, NULL},
		{"0.0.0.0/0", 4294967295, "255.255.255.255/0"},
		{"0.0.0.0/0", 4294967296, NULL},
		{"10.0.0.0/8", UINT64_MAX, NULL},
		{"fd00::/64", 1, "fd00::1/64"},
		{"fd00::/64", UINT64_MAX, "fd00::ffff:ffff:ffff:ffff/64"},
		{"fd00::/65", UINT64_MAX, NULL},
		{"fd00::/48", UINT64_MAX, "fd00::ffff:ffff:ffff:ffff/48"},
		{"::/0", UINT64_MAX, "::ffff:ffff:ffff:ffff/0"},
		{"fd00::1/128", 0, "fd00::1/128"},
		{"fd00::1/128", 1, NULL},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix network = P(cases[i].text), out = {.family = 77};
		int r = flannel_prefix_host(&network, cases[i].n, &out);

		cr_expect_eq(r, cases[i].want ? 0 : -ERANGE, "%s %llu: %d", cases[i].text,
			     (unsigned long long)cases[i].n, r);
		if (r == 0)
			expect_text(&out, cases[i].want, cases[i].text);
		else
			cr_expect_eq(out.family, 77, "%s changed the result", cases[i].text);
	}
}
