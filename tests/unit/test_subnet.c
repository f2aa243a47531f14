/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "domain/lease/subnet.h"
#include "domain/lease/subnet_file.h"

#define MAX_LEASES 16

static struct flannel_netconf *netconf_of(const char *text)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_netconf *netconf = NULL;

	cr_assert_eq(flannel_netconf_parse(text, strlen(text), &netconf, &error), 0, "%s",
		     flannel_error_get_message(error));
	return netconf;
}

/* a lease from its key */
static struct flannel_lease *lease_of(const char *key)
{
	const char value[] = "{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":\"fd77::1\"}";
	struct flannel_lease *lease = NULL;

	cr_assert_eq(flannel_lease_parse(key, value, strlen(value), 0, 0, &lease, NULL), 0, "%s", key);
	return lease;
}

/* a prefix from text, AF_UNSPEC from NULL */
static struct flannel_prefix prefix_of(const char *text)
{
	struct flannel_prefix prefix = {0};

	if (text)
		cr_assert_eq(flannel_prefix_parse(text, &prefix), 0, "%s", text);
	return prefix;
}

#define DUAL "{\"Network\":\"10.3.0.0/16\",\"EnableIPv6\":true,\"IPv6Network\":\"fc00::/48\"}"
#define V4 "{\"Network\":\"10.3.0.0/16\",\"SubnetMin\":\"10.3.5.0\",\"SubnetMax\":\"10.3.7.0\"}"
#define V6 "{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fc00::/48\"}"

static const struct {
	const char *config, *key;
	bool fits;
} fits[] = {
	{V4, "10.3.5.0-24", true},
	{V4, "10.3.7.0-24", true},
	{V4, "10.3.4.0-24", false},
	{V4, "10.3.8.0-24", false},
	{V4, "10.3.5.0-25", false},
	{V4, "10.3.5.128-25", false},
	{V4, "10.3.4.0-23", false},
	{V4, "10.3.6.0-24&fc00:0:0:1::-64", false}, /* a family too many */
	{V4, "0.0.0.0-0&fc00:0:0:1::-64", false},
	{DUAL, "10.3.6.0-24&fc00:0:0:1::-64", true},
	{DUAL, "10.3.6.0-24&fc00::-64", false}, /* the first one is left out */
	{DUAL, "10.3.6.0-24&fc01::-64", false},
	{DUAL, "10.3.6.0-24&fc00:0:0:1::-65", false},
	{DUAL, "10.3.6.0-24", false}, /* a family too few */
	{V6, "0.0.0.0-0&fc00:0:0:ffff::-64", true},
	{V6, "10.3.6.0-24&fc00:0:0:1::-64", false},
};

Test(subnet, lease_fits)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(fits); i++) {
		struct flannel_netconf *netconf = netconf_of(fits[i].config);
		struct flannel_lease *lease = lease_of(fits[i].key);

		cr_expect_eq(fl_subnet_lease_fits(netconf, lease), fits[i].fits, "%s %s", fits[i].config, fits[i].key);
		cr_expect_not(fl_subnet_lease_fits(NULL, lease));
		cr_expect_not(fl_subnet_lease_fits(netconf, NULL));
		flannel_lease_unref(lease);
		flannel_netconf_unref(netconf);
	}
}

#define NET4(rest) "{\"Network\":\"10.3.0.0/16\"" rest "}"

/* chosen: "" if the family is not enabled; NULL if nothing is free */
static const struct choice_case {
	const char *config;
	const char *previous, *previous6;
	const char *leases[MAX_LEASES];
	uint64_t pick[2];
	const char *chosen, *chosen6;
} choices[] = {
	/* candidates are the first hundred free ones, counted from the range's start */
	{NET4(""), NULL, NULL, {NULL}, {0, 0}, "10.3.1.0/24", ""},
	{NET4(""), NULL, NULL, {NULL}, {99, 0}, "10.3.100.0/24", ""},
	{NET4(""), NULL, NULL, {NULL}, {100, 0}, "10.3.1.0/24", ""},
	{NET4(""), NULL, NULL, {NULL}, {UINT64_MAX, 0}, "10.3.16.0/24", ""},
	{NET4(""), NULL, NULL, {"10.3.1.0-24", "10.3.3.0-24"}, {0, 0}, "10.3.2.0/24", ""},
	{NET4(""), NULL, NULL, {"10.3.3.0-24", "10.3.1.0-24"}, {1, 0}, "10.3.4.0/24", ""},
	{NET4(""), NULL, NULL, {"10.3.3.0-24", "10.3.1.0-24"}, {99, 0}, "10.3.102.0/24", ""},
	/* the last one of the range and of the address space */
	{V4, NULL, NULL, {"10.3.5.0-24", "10.3.6.0-24"}, {5, 0}, "10.3.7.0/24", ""},
	{"{\"Network\":\"255.255.252.0/22\"}",
	 NULL,
	 NULL,
	 {"255.255.253.0-24", "255.255.254.0-24"},
	 {1, 0},
	 "255.255.255.0/24",
	 ""},
	{"{\"Network\":\"255.255.252.0/22\"}", NULL, NULL, {"255.255.252.0-22"}, {0, 0}, NULL, ""},
	{"{\"Network\":\"255.255.252.0/22\"}", NULL, NULL, {NULL}, {2, 0}, "255.255.255.0/24", ""},
	/* leases of other lengths, from before the network was changed: shorter, longer, one in another, doubled */
	{NET4(""), NULL, NULL, {"10.3.0.0-22"}, {0, 0}, "10.3.4.0/24", ""},
	{NET4(""), NULL, NULL, {"10.3.0.0-22"}, {99, 0}, "10.3.103.0/24", ""},
	{NET4(""), NULL, NULL, {"10.3.1.128-26"}, {0, 0}, "10.3.2.0/24", ""},
	{NET4(""),
	 NULL,
	 NULL,
	 {"10.3.1.0-26", "10.3.1.64-26", "10.3.1.192-26", "10.3.2.252-30"},
	 {0, 0},
	 "10.3.3.0/24",
	 ""},
	{NET4(""),
	 NULL,
	 NULL,
	 {"10.3.1.0-24", "10.3.0.0-23", "10.3.1.0-25", "10.3.0.0-21", "10.3.9.0-24"},
	 {0, 0},
	 "10.3.8.0/24",
	 ""},
	{NET4(""), NULL, NULL, {"10.3.1.0-24", "10.3.1.0-24"}, {0, 0}, "10.3.2.0/24", ""},
	{NET4(""), NULL, NULL, {"10.0.0.0-8"}, {0, 0}, NULL, ""},
	{NET4(""), NULL, NULL, {"10.2.0.0-16", "10.4.0.0-16", "9.0.0.0-8"}, {0, 0}, "10.3.1.0/24", ""},
	{NET4(""), NULL, NULL, {"128.0.0.0-1"}, {0, 0}, "10.3.1.0/24", ""},
	{"{\"Network\":\"10.3.0.0/16\",\"SubnetLen\":26}",
	 NULL,
	 NULL,
	 {"10.3.0.0-24", "10.3.1.0-26"},
	 {0, 0},
	 "10.3.1.64/26",
	 ""},
	/* jumped over at once: one by one it would take longer than anybody lives */
	{"{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fc00::/16\",\"IPv6SubnetLen\":120}",
	 NULL,
	 NULL,
	 {"0.0.0.0-0&fc00::-17"},
	 {0, 0},
	 "",
	 "fc00:8000::/120"},
	/* full */
	{V4, NULL, NULL, {"10.3.5.0-24", "10.3.6.0-24", "10.3.7.0-24"}, {0, 0}, NULL, ""},
	/* the previous one, if it fits and is free */
	{NET4(""), "10.3.200.0/24", NULL, {"10.3.1.0-24"}, {0, 0}, "10.3.200.0/24", ""},
	{NET4(""), "10.3.200.0/24", NULL, {"10.3.200.0-24"}, {0, 0}, "10.3.1.0/24", ""},
	{NET4(""), "10.3.200.0/24", NULL, {"10.3.200.64-26"}, {0, 0}, "10.3.1.0/24", ""},
	{NET4(""), "10.3.200.0/24", NULL, {"10.3.192.0-20"}, {0, 0}, "10.3.1.0/24", ""},
	{NET4(""), "10.4.200.0/24", NULL, {NULL}, {0, 0}, "10.3.1.0/24", ""},
	{NET4(""), "10.3.200.0/25", NULL, {NULL}, {0, 0}, "10.3.1.0/24", ""},
	{NET4(""), "10.3.200.1/24", NULL, {NULL}, {0, 0}, "10.3.1.0/24", ""},
	{NET4(""), "10.3.0.0/24", NULL, {NULL}, {3, 0}, "10.3.4.0/24", ""},
	{NET4(""), "fc00::/24", NULL, {NULL}, {0, 0}, "10.3.1.0/24", ""},
	/* two families: picked, and remembered, one by one */
	{DUAL, NULL, NULL, {"10.3.1.0-24&fc00:0:0:2::-64"}, {0, 1}, "10.3.2.0/24", "fc00:0:0:3::/64"},
	{DUAL, "10.3.9.0/24", "fc00:0:0:9::/64", {NULL}, {0, 0}, "10.3.9.0/24", "fc00:0:0:9::/64"},
	{DUAL, "10.3.9.0/24", NULL, {NULL}, {0, 2}, "10.3.9.0/24", "fc00:0:0:3::/64"},
	{DUAL,
	 "10.3.9.0/24",
	 "fc00:0:0:9::/64",
	 {"10.3.9.0-24&fc00:0:0:5::-64"},
	 {0, 0},
	 "10.3.1.0/24",
	 "fc00:0:0:9::/64"},
	{V6, "10.3.9.0/24", "fc00:0:0:9::/64", {"10.3.9.0-24"}, {0, 0}, "", "fc00:0:0:9::/64"},
	{V6, NULL, NULL, {"0.0.0.0-0&fc00::-16"}, {0, 0}, "", NULL},
};

/* makes the leases of a case */
static size_t make_leases(const struct choice_case *c, struct flannel_lease *leases[MAX_LEASES])
{
	size_t n = 0;

	for (; n < MAX_LEASES && c->leases[n]; n++)
		leases[n] = lease_of(c->leases[n]);
	return n;
}

Test(subnet, choice, .timeout = 60)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(choices); i++) {
		const struct choice_case *c = &choices[i];
		struct fl_subnet_choice previous = {prefix_of(c->previous), prefix_of(c->previous6)}, choice = {0};
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct flannel_netconf *netconf = netconf_of(c->config);
		struct flannel_lease *leases[MAX_LEASES];
		char buf[FLANNEL_PREFIX_STRLEN];
		size_t n = make_leases(c, leases);
		int r = fl_subnet_choose(netconf, c->previous || c->previous6 ? &previous : NULL, leases, n, c->pick,
					 &choice, &error);

		if (c->chosen && c->chosen6) {
			cr_expect_eq(r, 0, "case %zu: %s", i, flannel_error_get_message(error));
			cr_expect_str_eq(flannel_prefix_format(&choice.subnet, buf, sizeof(buf)), c->chosen,
					 "case %zu: %s", i, buf);
			cr_expect_str_eq(flannel_prefix_format(&choice.subnet6, buf, sizeof(buf)), c->chosen6,
					 "case %zu: %s", i, buf);
		} else {
			cr_expect_eq(r, -ENOSPC, "case %zu", i);
			cr_expect_eq(choice.subnet.family, AF_UNSPEC);
		}
		while (n > 0)
			flannel_lease_unref(leases[--n]);
		flannel_netconf_unref(netconf);
	}
}

Test(subnet, full_range_is_named)
{
	struct flannel_lease *leases[] = {lease_of("10.3.5.0-24"), lease_of("10.3.6.0-23"), lease_of("10.3.8.0-24"),
					  lease_of("10.3.4.0-24"), lease_of("10.3.6.0-24")};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_netconf *netconf = netconf_of(V4);
	const uint64_t pick[2] = {0, 0};
	struct fl_subnet_choice choice;

	cr_expect_eq(fl_subnet_choose(netconf, NULL, leases, FL_N_ELEMENTS(leases), pick, &choice, &error), -ENOSPC);
	cr_expect_str_eq(
		flannel_error_get_message(error),
		"choose a subnet from 10.3.5.0/24 to 10.3.7.0/24, of which 2 leases are in use: no subnet is free");
	cr_expect_eq(fl_subnet_choose(netconf, NULL, leases, FL_N_ELEMENTS(leases), pick, &choice, NULL), -ENOSPC);
	for (size_t i = 0; i < FL_N_ELEMENTS(leases); i++)
		flannel_lease_unref(leases[i]);
	flannel_netconf_unref(netconf);
}

#define MANY 50000

/* CPU seconds */
static double cpu_sec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* with all but the last subnets of a /8 leased, in any order: a quadratic walk would take minutes */
Test(subnet, many_leases)
{
	struct flannel_netconf *netconf = netconf_of("{\"Network\":\"10.0.0.0/8\"}");
	struct flannel_lease **leases = calloc(MANY, sizeof(*leases));
	struct fl_subnet_choice choice, previous = {0};
	const uint64_t pick[2] = {0, 0};
	char text[FLANNEL_PREFIX_STRLEN];
	double start;

	for (size_t i = 0; i < MANY; i++) {
		struct flannel_lease_fields fields = {.size = sizeof(fields), .subnet = prefix_of("10.0.1.0/24")};
		size_t k = (i * 7919) % MANY; /* prime to MANY: each once, out of order */

		cr_assert_eq(flannel_prefix_next(&fields.subnet, (int64_t)k, &fields.subnet), 0);
		cr_assert_eq(flannel_lease_new(&fields, &leases[i], NULL), 0);
	}
	start = cpu_sec();
	cr_expect_eq(fl_subnet_choose(netconf, NULL, leases, MANY, pick, &choice, NULL), 0);
	cr_expect_str_eq(flannel_prefix_format(&choice.subnet, text, sizeof(text)), "10.195.81.0/24");
	previous.subnet = prefix_of("10.250.0.0/24");
	cr_expect_eq(fl_subnet_choose(netconf, &previous, leases, MANY, pick, &choice, NULL), 0);
	cr_expect_str_eq(flannel_prefix_format(&choice.subnet, text, sizeof(text)), "10.250.0.0/24");
	cr_expect_lt(cpu_sec() - start, 2.0);
	for (size_t i = 0; i < MANY; i++)
		flannel_lease_unref(leases[i]);
	free(leases);
	flannel_netconf_unref(netconf);
}

/* reads a recorded file */
static char *read_data(const char *name, const char *file, size_t *ret_len)
{
	char path[256], *text = NULL;

	snprintf(path, sizeof(path), TEST_DATA "/flanneld/%s/%s", name, file);
	cr_assert_eq(fl_file_read(path, 1 << 20, &text, ret_len, NULL), 0, "%s", path);
	return text;
}

/* the leases that existed before a recorded start, without those of the node itself */
static size_t read_leases(const char *name, struct flannel_lease *leases[MAX_LEASES])
{
	struct json_object *rows = NULL;
	size_t len, n = 0;
	char *text = read_data(name, "leases-before.json", &len);

	cr_assert_eq(fl_json_parse(text, len, name, &rows, NULL), 0);
	for (size_t i = 0; i < fl_json_array_length(rows); i++) {
		const char *key, *value;

		cr_assert_eq(fl_json_get_string(fl_json_array_get(rows, i), name, "key", &key, NULL), 1);
		cr_assert_eq(fl_json_get_string(fl_json_array_get(rows, i), name, "value", &value, NULL), 1);
		if (flannel_lease_parse(key, value, strlen(value), 0, 0, &leases[n], NULL) == 0)
			n++;
	}
	fl_json_unref(rows);
	free(text);
	return n;
}

/* recorded starts whose outcome leaves no room for chance */
static const struct {
	const char *name;
	bool has_previous;
} recorded[] = {
	{"fresh-forced-subnet", false},
	{"previous-subnet-taken", true},
	{"hostgw-v4", true},
	{"hostgw-dual", true},
	{"dual-lease-keys", true},
	{"subnet-file-grammar", true},
	{"subnet-file-two-values", true},
};

Test(subnet, recorded_starts)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(recorded); i++) {
		struct flannel_lease *leases[MAX_LEASES];
		struct fl_subnet_choice previous = {0}, choice;
		struct fl_subnet_file before = {0}, after;
		struct flannel_netconf *netconf;
		const uint64_t pick[2] = {i, i};
		size_t len, n = read_leases(recorded[i].name, leases);
		char *text = read_data(recorded[i].name, "config.json", &len);

		cr_assert_eq(flannel_netconf_parse(text, len, &netconf, NULL), 0);
		free(text);
		if (recorded[i].has_previous) {
			text = read_data(recorded[i].name, "subnet.env.before", &len);
			fl_subnet_file_parse(text, len, &before);
			previous = (struct fl_subnet_choice){before.subnet, before.subnet6};
			free(text);
		}
		text = read_data(recorded[i].name, "subnet.env", &len);
		fl_subnet_file_parse(text, len, &after);
		free(text);
		cr_expect_eq(fl_subnet_choose(netconf, &previous, leases, n, pick, &choice, NULL), 0);
		cr_expect_eq(flannel_prefix_compare(&choice.subnet, &after.subnet), 0, "%s", recorded[i].name);
		cr_expect_eq(flannel_prefix_compare(&choice.subnet6, &after.subnet6), 0, "%s", recorded[i].name);
		while (n > 0)
			flannel_lease_unref(leases[--n]);
		flannel_netconf_unref(netconf);
	}
}

/* leases that the node had in the store before it started, and kept: they must count as fitting */
Test(subnet, recorded_own_leases_fit)
{
	const char *const cases[][2] = {{"existing-own-lease", "10.244.50.0-24"}, {"reservation", "10.244.40.0-24"}};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_lease *lease = lease_of(cases[i][1]);
		struct flannel_netconf *netconf = NULL;
		size_t len;
		char *text = read_data(cases[i][0], "config.json", &len);

		cr_assert_eq(flannel_netconf_parse(text, len, &netconf, NULL), 0);
		cr_expect(fl_subnet_lease_fits(netconf, lease), "%s", cases[i][0]);
		free(text);
		flannel_lease_unref(lease);
		flannel_netconf_unref(netconf);
	}
}
