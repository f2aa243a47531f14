/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* VLANs of a container's port, from the options of an attachment: tables of rules, compared as text. */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domain/pod/attachment.h"
#include "domain/pod/vlan.h"

#define N_MAX 4
#define FILTER FLANNEL_ATTACHMENT_VLAN_FILTER
#define KEEP FLANNEL_ATTACHMENT_KEEP_VLAN
#define GATEWAY FLANNEL_ATTACHMENT_GATEWAY

/* options as a test writes them; a span that begins with 0 ends the trunk */
struct given {
	uint32_t vlan;
	struct flannel_vlan_span trunk[N_MAX];
	unsigned int flags;
	const char *bridge;
};

static struct flannel_attachment_options make_options(const struct given *given)
{
	struct flannel_attachment_options options = {.size = sizeof(options), .netns_fd = -1, .vlan = given->vlan};

	options.flags = given->flags;
	options.bridge = given->bridge;
	options.trunk = given->trunk;
	while (options.n_trunk < N_MAX && given->trunk[options.n_trunk].first)
		options.n_trunk++;
	return options;
}

/* "filter port keep untagged: spans; what is left of default VLANs 1 and 7" */
static void format(const struct fl_vlan_want *want, char *text, size_t size)
{
	size_t len = (size_t)snprintf(text, size, "%s%s%s%u:", want->filter ? "filter " : "", want->port ? "port " : "",
				      want->keep ? "keep " : "", want->untagged);

	for (size_t i = 0; i < want->n_trunk; i++)
		len += (size_t)snprintf(text + len, size - len, " %u-%u", want->trunk[i].first, want->trunk[i].last);
	snprintf(text + len, size - len, "; %u %u", fl_vlan_to_leave(want, 1), fl_vlan_to_leave(want, 7));
}

Test(vlan, want)
{
	const struct {
		struct given given;
		const char *expected;
	} table[] = {
		{{0}, "1:; 0 0"},
		{{.flags = FILTER}, "filter 1:; 0 0"},
		{{.flags = KEEP}, "keep 1:; 0 0"},
		{{.vlan = 100}, "filter port 100:; 1 7"},
		{{.vlan = 100, .flags = KEEP}, "filter port keep 100:; 0 0"},
		{{.vlan = 1}, "filter port 1:; 0 7"},
		{{.vlan = 7}, "filter port 7:; 1 0"},
		{{.trunk = {{101, 101}, {200, 210}}}, "filter port 1: 101-101 200-210; 0 7"},
		{{.vlan = 100, .trunk = {{101, 101}, {200, 210}}}, "filter port 100: 101-101 200-210; 1 7"},
		/* in any order, overlapping, touching, the same again */
		{{.trunk = {{200, 210}, {101, 101}}}, "filter port 1: 101-101 200-210; 0 7"},
		{{.trunk = {{100, 105}, {103, 110}, {111, 111}}}, "filter port 1: 100-111; 0 7"},
		{{.trunk = {{100, 110}, {103, 105}, {100, 100}}}, "filter port 1: 100-110; 0 7"},
		{{.trunk = {{2, 4094}}}, "filter port 1: 2-4094; 0 0"},
		/* the untagged one is no part of the trunk */
		{{.vlan = 205, .trunk = {{200, 210}}}, "filter port 205: 200-204 206-210; 1 7"},
		{{.vlan = 200, .trunk = {{200, 210}, {300, 300}}}, "filter port 200: 201-210 300-300; 1 7"},
		{{.vlan = 210, .trunk = {{200, 210}}}, "filter port 210: 200-209; 1 7"},
		{{.vlan = 100, .trunk = {{100, 100}, {300, 300}}}, "filter port 100: 300-300; 1 7"},
		{{.vlan = 300, .trunk = {{100, 100}, {300, 300}}}, "filter port 300: 100-100; 1 7"},
		{{.vlan = 20, .trunk = {{10, 30}, {40, 50}, {60, 70}, {80, 90}}},
		 "filter port 20: 10-19 21-30 40-50 60-70 80-90; 1 7"},
		{{.trunk = {{1, 1}}}, "filter port 1:; 0 7"},
		{{.trunk = {{1, 4094}}}, "filter port 1: 2-4094; 0 0"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct flannel_attachment_options options = make_options(&table[i].given);
		struct fl_vlan_want want;
		char text[256];

		cr_assert_eq(fl_vlan_check(&options, NULL), 0, "%zu", i);
		cr_assert_eq(fl_vlan_want(&options, &want, NULL), 0, "%zu", i);
		format(&want, text, sizeof(text));
		cr_expect_str_eq(text, table[i].expected, "%zu: \"%s\", expected \"%s\"", i, text, table[i].expected);
		fl_vlan_want_clear(&want);
	}
}

Test(vlan, faults)
{
	const struct {
		struct given given;
		const char *word;
	} table[] = {
		{{.vlan = 4095}, "vlan is 4095"},
		{{.vlan = 65636}, "vlan is 65636"},
		{{.trunk = {{1, 1}, {5, 4}}}, "span 1 of trunk is 5 to 4"},
		{{.trunk = {{5, 0}}}, "span 0 of trunk is 5 to 0"},
		{{.trunk = {{5, 4095}}}, "span 0 of trunk is 5 to 4095"},
		{{.trunk = {{4095, 4095}}}, "span 0 of trunk is 4095 to 4095"},
		{{.vlan = 100, .flags = GATEWAY, .bridge = "abcdefghijkl"}, "\"abcdefghijkl.100\""},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct flannel_attachment_options options = make_options(&table[i].given);
		struct flannel_error *error = NULL;

		cr_expect_eq(fl_attachment_check(&options, &error), -EINVAL, "%zu", i);
		cr_assert_not_null(error);
		cr_expect_not_null(strstr(flannel_error_get_message(error), table[i].word), "%zu: %s", i,
				   flannel_error_get_message(error));
		flannel_error_unref(error);
	}
}

Test(vlan, no_list)
{
	const struct flannel_attachment_options options = {.size = sizeof(options), .n_trunk = 1};

	cr_expect_eq(fl_vlan_check(&options, NULL), -EINVAL);
}

/* without being the gateway there is no interface, so that any bridge will do */
Test(vlan, gateway_name)
{
	const struct given layer_2 = {.vlan = 100, .bridge = "abcdefghijklmno"};
	const struct given longest = {.vlan = 4094, .flags = GATEWAY, .bridge = "abcdefghij"};
	struct flannel_attachment_options options = make_options(&layer_2);
	char name[FLANNEL_IFNAME_SIZE];

	cr_expect_eq(fl_vlan_check(&options, NULL), 0);
	options = make_options(&longest);
	cr_expect_eq(fl_vlan_check(&options, NULL), 0);
	cr_expect_eq(fl_vlan_gateway_name("abcdefghij", 4094, name), 0);
	cr_expect_str_eq(name, "abcdefghij.4094");
	cr_expect_eq(fl_vlan_gateway_name("abcdefghijk", 4094, name), -ENAMETOOLONG);
}
