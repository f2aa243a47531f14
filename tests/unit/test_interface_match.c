/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An interface that is named by an expression, or by where it leads. */

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "domain/underlay/interface.h"

#define PERM IFA_F_PERMANENT

static const struct fl_interface_link links[] = {
	{.name = "lo", .ifindex = 1, .mtu = 65536},   {.name = "eth0", .ifindex = 2, .mtu = 1500},
	{.name = "eth1", .ifindex = 3, .mtu = 9000},  {.name = "v4only", .ifindex = 4, .mtu = 1400},
	{.name = "bare0", .ifindex = 5, .mtu = 1400}, {.name = "bare1", .ifindex = 6, .mtu = 1400},
};

static const struct {
	uint32_t ifindex;
	const char *address;
	uint32_t flags;
} address_texts[] = {
	{1, "127.0.0.1/8", PERM},     {2, "192.168.77.1/24", PERM},
	{2, "192.168.77.8/24", PERM}, {2, "fd77::1/64", PERM},
	{2, "fe80::1/64", PERM},      {3, "198.51.100.9/24", PERM},
	{3, "fe80::1/64", PERM},      {3, "2001:db8::8/64", IFA_F_DEPRECATED},
	{3, "2001:db8::1:9/64", 0},   {3, "2001:db8::9/64", PERM},
	{4, "10.9.77.1/16", PERM},    {6, "10.7.0.1/16", PERM},
	{6, "fd07::1/64", PERM},
};

enum mode { V4, V6, DUAL };

/* how the way to the address is */
struct reach {
	uint32_t ifindex;
	const char *source;
	const char *problem;
};

static const struct {
	enum mode mode;
	const char *interface;
	const char *regexes[3];
	const char *can_reach;
	struct reach reach;
	const char *chosen; /* "name address address6 (reason)", NULL: refused */
	const char *message;
} cases[] = {
	/* addresses first, the best of a link first */
	{V4, NULL, {"192\\.168"}, NULL, {0}, "eth0 192.168.77.1/24 - (--iface-regex 192\\.168)", NULL},
	{V4, NULL, {"\\.8$"}, NULL, {0}, "eth0 192.168.77.8/24 - (--iface-regex \\.8$)", NULL},
	{V4, NULL, {"77"}, NULL, {0}, "eth0 192.168.77.1/24 - (--iface-regex 77)", NULL},
	{V4, NULL, {"^10\\."}, NULL, {0}, "v4only 10.9.77.1/16 - (--iface-regex ^10\\.)", NULL},
	{V6, NULL, {"2001:db8::"}, NULL, {0}, "eth1 - 2001:db8::9/64 (--iface-regex 2001:db8::)", NULL},
	{V6, NULL, {"::1:9"}, NULL, {0}, "eth1 - 2001:db8::1:9/64 (--iface-regex ::1:9)", NULL},
	/* a loopback address is none, and neither is a deprecated one */
	{V4, NULL, {"^127"}, NULL, {0}, NULL, "--iface-regex ^127: no address and no name matches"},
	{V6, NULL, {"::8$"}, NULL, {0}, NULL, "--iface-regex ::8$: no address and no name matches"},
	/* two families: both on one link, by the same expression */
	{DUAL, NULL, {"77"}, NULL, {0}, "eth0 192.168.77.1/24 fd77::1/64 (--iface-regex 77)", NULL},
	{DUAL,
	 NULL,
	 {"198\\.51|2001:"},
	 NULL,
	 {0},
	 "eth1 198.51.100.9/24 2001:db8::9/64 (--iface-regex 198\\.51|2001:)",
	 NULL},
	/* half a match on eth0 does not survive until a name matches */
	{DUAL,
	 NULL,
	 {"192\\.168|bare"},
	 NULL,
	 {0},
	 "bare1 10.7.0.1/16 fd07::1/64 (--iface-regex 192\\.168|bare)",
	 NULL},
	{DUAL, NULL, {"192\\.168"}, NULL, {0}, NULL, "--iface-regex 192\\.168: no address and no name matches"},
	/* names: the first that can be used */
	{V4, NULL, {"^bare"}, NULL, {0}, "bare1 10.7.0.1/16 - (--iface-regex ^bare)", NULL},
	{V4, NULL, {"eth"}, NULL, {0}, "eth0 192.168.77.1/24 - (--iface-regex eth)", NULL},
	{V4,
	 NULL,
	 {"^bare0$"},
	 NULL,
	 {0},
	 NULL,
	 "--iface-regex ^bare0$: bare0 has no IPv4 address that peers could use"},
	/* in order, after --iface */
	{V4, NULL, {"nosuch", "eth1", "eth0"}, NULL, {0}, "eth1 198.51.100.9/24 - (--iface-regex eth1)", NULL},
	{V4, "eth1", {"eth0"}, NULL, {0}, "eth1 198.51.100.9/24 - (--iface eth1)", NULL},
	{V4, "nosuch", {"eth0"}, NULL, {0}, "eth0 192.168.77.1/24 - (--iface-regex eth0)", NULL},
	{V4,
	 "nosuch",
	 {"nowhere", "("},
	 NULL,
	 {0},
	 NULL,
	 "--iface nosuch: no such interface; --iface-regex nowhere: no address and no name matches; --iface-regex (: "
	 "\"(\" is no regular expression"},
	/* where it leads */
	{V4,
	 NULL,
	 {NULL},
	 "198.51.100.1",
	 {3, "198.51.100.9", NULL},
	 "eth1 198.51.100.9/24 - (--iface-can-reach 198.51.100.1)",
	 NULL},
	{V4,
	 NULL,
	 {NULL},
	 "192.168.77.3",
	 {2, "192.168.77.8", NULL},
	 "eth0 192.168.77.8/24 - (--iface-can-reach 192.168.77.3)",
	 NULL},
	{V6,
	 NULL,
	 {NULL},
	 "2001:db8::1",
	 {3, "2001:db8::1:9", NULL},
	 "eth1 - 2001:db8::1:9/64 (--iface-can-reach 2001:db8::1)",
	 NULL},
	{DUAL,
	 NULL,
	 {NULL},
	 "2001:db8::1",
	 {3, "2001:db8::1:9", NULL},
	 "eth1 198.51.100.9/24 2001:db8::1:9/64 (--iface-can-reach 2001:db8::1)",
	 NULL},
	/* of a family that is not in use it names the interface alone */
	{V4, NULL, {NULL}, "fd77::2", {2, "fd77::1", NULL}, "eth0 192.168.77.1/24 - (--iface-can-reach fd77::2)", NULL},
	/* a source that the interface does not have */
	{V4,
	 NULL,
	 {NULL},
	 "9.9.9.9",
	 {3, "192.0.2.99", NULL},
	 "eth1 198.51.100.9/24 - (--iface-can-reach 9.9.9.9)",
	 NULL},
	{V4, NULL, {NULL}, "9.9.9.9", {3, NULL, NULL}, "eth1 198.51.100.9/24 - (--iface-can-reach 9.9.9.9)", NULL},
	{V4, NULL, {NULL}, "9.9.9.9", {0, NULL, "no way"}, NULL, "--iface-can-reach 9.9.9.9: no way"},
	{V4, NULL, {NULL}, "9.9.9.9", {77, NULL, NULL}, NULL, "--iface-can-reach 9.9.9.9: the interface of the route"},
	{V4, NULL, {NULL}, "192.168.77.1", {1, "192.168.77.1", NULL}, NULL, "lo has no IPv4 address that peers"},
	/* last of all */
	{V4, NULL, {"eth0"}, "9.9.9.9", {3, NULL, NULL}, "eth0 192.168.77.1/24 - (--iface-regex eth0)", NULL},
	{V4,
	 "nosuch",
	 {"nosuch"},
	 "9.9.9.9",
	 {3, NULL, NULL},
	 "eth1 198.51.100.9/24 - (--iface-can-reach 9.9.9.9)",
	 NULL},
};

#define N_ADDRESSES FL_N_ELEMENTS(address_texts)

/* facts of the node above */
static struct fl_interface_facts facts_of(const struct reach *reach, struct fl_interface_address addresses[N_ADDRESSES])
{
	struct fl_interface_facts facts = {.links = links, .n_links = FL_N_ELEMENTS(links), .addresses = addresses};

	for (size_t i = 0; i < N_ADDRESSES; i++) {
		addresses[i].ifindex = address_texts[i].ifindex;
		addresses[i].flags = address_texts[i].flags;
		cr_assert_eq(flannel_prefix_parse(address_texts[i].address, &addresses[i].address), 0);
	}
	facts.n_addresses = N_ADDRESSES;
	facts.default_ifindex = facts.default6_ifindex = 2;
	facts.reach_ifindex = reach->ifindex;
	facts.reach_problem = reach->problem;
	if (reach->source)
		cr_assert_eq(flannel_prefix_parse(reach->source, &facts.reach_source), 0);
	return facts;
}

/* "-" for none */
static const char *format(const struct flannel_prefix *prefix, char *buf)
{
	return prefix->family == AF_UNSPEC ? "-" : flannel_prefix_format(prefix, buf, FLANNEL_PREFIX_STRLEN);
}

Test(interface_match, chosen)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct fl_interface_address addresses[N_ADDRESSES];
		struct fl_interface_facts facts = facts_of(&cases[i].reach, addresses);
		struct fl_interface_request request = {
			.interfaces = &cases[i].interface,
			.n_interfaces = cases[i].interface != NULL,
			.regexes = cases[i].regexes,
			.can_reach = cases[i].can_reach,
			.ipv4 = cases[i].mode != V6,
			.ipv6 = cases[i].mode != V4,
		};
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_underlay underlay;
		char texts[2][FLANNEL_PREFIX_STRLEN], text[256];
		int r;

		while (request.n_regexes < 3 && cases[i].regexes[request.n_regexes])
			request.n_regexes++;
		r = fl_interface_select(&request, &facts, &underlay, &error);
		if (!cases[i].chosen) {
			cr_expect_eq(r, -ENODEV, "case %zu: %d", i, r);
			cr_expect(strstr(flannel_error_get_message(error), cases[i].message), "case %zu: %s", i,
				  flannel_error_get_message(error));
			continue;
		}
		cr_assert_eq(r, 0, "case %zu: %s", i, flannel_error_get_message(error));
		(void)snprintf(text, sizeof(text), "%s %s %s (%s)", underlay.name, format(&underlay.address, texts[0]),
			       format(&underlay.address6, texts[1]), underlay.reason);
		cr_expect_str_eq(text, cases[i].chosen, "case %zu: %s", i, text);
		/* followed by its name: an address that DHCP changes may cease to match */
		cr_expect_eq(underlay.named.family, AF_UNSPEC, "case %zu", i);
		cr_expect_eq(underlay.named6.family, AF_UNSPEC, "case %zu", i);
	}
}

/* a reason is cut, not the program */
Test(interface_match, long_expression)
{
	struct fl_interface_address addresses[N_ADDRESSES];
	struct fl_interface_facts facts = facts_of(&(struct reach){0}, addresses);
	char regex[200] = "eth1|";
	const char *const regexes[] = {regex};
	struct fl_interface_request request = {.regexes = regexes, .n_regexes = 1, .ipv4 = true};
	struct fl_underlay underlay;

	memset(regex + 5, 'x', sizeof(regex) - 6);
	cr_assert_eq(fl_interface_select(&request, &facts, &underlay, NULL), 0);
	cr_expect_str_eq(underlay.name, "eth1");
	cr_expect(strncmp(underlay.reason, "--iface-regex eth1|xxxx", 23) == 0, "%s", underlay.reason);
}
