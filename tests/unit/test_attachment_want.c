/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an attachment wants, from its options: tables of rules, written and compared as text. */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/pod/attachment.h"

#define GATEWAY FLANNEL_ATTACHMENT_GATEWAY
#define DEFAULT FLANNEL_ATTACHMENT_DEFAULT_GATEWAY
#define N_MAX 4

/* an address as a test writes it; gateway NULL is none */
struct given_address {
	const char *address;
	const char *gateway;
};

/* a route as a test writes it; unset numbers are defaults, scope 0 is "unset" */
struct given_route {
	const char *dst;
	const char *via;
	uint32_t mtu, advmss, priority, table;
	int scope;
};

/* options in memory, from text */
struct scratch {
	struct flannel_address addresses[N_MAX];
	struct flannel_attachment_route routes[N_MAX];
	struct flannel_attachment_options options;
};

/* a prefix from text; NULL gives AF_UNSPEC */
static struct flannel_prefix prefix(const char *text)
{
	struct flannel_prefix result = {0};

	if (text)
		cr_assert_eq(flannel_prefix_parse(text, &result), 0, "not a prefix: %s", text);
	return result;
}

static void build(struct scratch *scratch, unsigned int flags, const struct given_address *addresses,
		  const struct given_route *routes)
{
	*scratch = (struct scratch){.options = {.size = sizeof(scratch->options), .netns_fd = -1, .flags = flags}};
	for (size_t i = 0; i < N_MAX && addresses[i].address; i++) {
		scratch->addresses[i].size = sizeof(scratch->addresses[i]);
		scratch->addresses[i].address = prefix(addresses[i].address);
		scratch->addresses[i].gateway = prefix(addresses[i].gateway);
		scratch->options.n_addresses++;
	}
	for (size_t i = 0; i < N_MAX && routes[i].dst; i++) {
		struct flannel_attachment_route *route = &scratch->routes[i];

		route->size = sizeof(*route);
		route->dst = prefix(routes[i].dst);
		route->via = prefix(routes[i].via);
		route->mtu = routes[i].mtu;
		route->advmss = routes[i].advmss;
		route->priority = routes[i].priority;
		route->table = routes[i].table;
		route->scope = routes[i].scope ? routes[i].scope : FLANNEL_SCOPE_UNSET;
		scratch->options.n_routes++;
	}
	scratch->options.addresses = scratch->addresses;
	scratch->options.routes = scratch->routes;
}

/* appends "word prefix" */
static void append(char *text, size_t size, const char *word, const struct flannel_prefix *what)
{
	char buf[FLANNEL_PREFIX_STRLEN];
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s ", word, flannel_prefix_format(what, buf, sizeof(buf)));
}

/* appends a number that is not its default */
static void append_number(char *text, size_t size, const char *word, uint32_t number, uint32_t usual)
{
	size_t len = strlen(text);

	if (number != usual)
		snprintf(text + len, size - len, "%s %u ", word, number);
}

/* everything that is wanted, one line per list */
static void describe(const struct fl_attachment_want *want, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < want->n_addresses; i++) {
		append(text, size, "address ", &want->addresses[i].address);
		append(text, size, "gw ", &want->addresses[i].gateway);
	}
	for (size_t i = 0; i < want->n_gateways; i++)
		append(text, size, "bridge ", &want->gateways[i]);
	for (size_t i = 0; i < want->n_routes; i++) {
		const struct fl_route *route = &want->kernel_routes[i];

		append(text, size, "told ", &want->routes[i].dst);
		append(text, size, "via ", &want->routes[i].via);
		append(text, size, "route ", &route->dst);
		append(text, size, "via ", &route->via);
		append_number(text, size, "metric", route->metric, route->dst.family == AF_INET6 ? 1024 : 0);
		append_number(text, size, "table", route->table, 254);
		append_number(text, size, "scope", route->scope, 0);
		append_number(text, size, "mtu", route->mtu, 0);
		append_number(text, size, "advmss", route->advmss, 0);
		append_number(text, size, "protocol", route->protocol, 3);
		cr_expect_str_eq(route->link, "eth0");
	}
}

/* options, and everything that they want */
static const struct {
	const char *name;
	unsigned int flags;
	struct given_address addresses[N_MAX];
	struct given_route routes[N_MAX];
	const char *expected;
} wants[] = {
	{"layer 2", 0, {{0}}, {{0}}, ""},
	{"no gateway asked for", 0, {{"10.244.1.2/24", NULL}}, {{0}}, "address 10.244.1.2/24 gw  "},
	{"given gateway, bridge not it",
	 0,
	 {{"10.244.1.2/24", "10.244.1.9"}},
	 {{0}},
	 "address 10.244.1.2/24 gw 10.244.1.9/32 "},
	{"first host of the network",
	 GATEWAY,
	 {{"10.244.1.2/24", NULL}},
	 {{0}},
	 "address 10.244.1.2/24 gw 10.244.1.1/32 bridge 10.244.1.1/24 "},
	{"next to an address alone",
	 GATEWAY,
	 {{"10.244.1.2/32", NULL}, {"fd00::ff/128", NULL}},
	 {{0}},
	 "address 10.244.1.2/32 gw 10.244.1.3/32 address fd00::ff/128 gw fd00::100/128 "
	 "bridge 10.244.1.3/32 bridge fd00::100/128 "},
	{"given gateway on the bridge",
	 GATEWAY,
	 {{"10.244.1.2/24", "10.244.1.254"}},
	 {{0}},
	 "address 10.244.1.2/24 gw 10.244.1.254/32 bridge 10.244.1.254/24 "},
	{"given gateway with a length",
	 GATEWAY,
	 {{"10.244.1.2/24", "10.244.1.254/24"}},
	 {{0}},
	 "address 10.244.1.2/24 gw 10.244.1.254/32 bridge 10.244.1.254/24 "},
	{"default route",
	 DEFAULT,
	 {{"10.244.1.2/24", NULL}},
	 {{0}},
	 "address 10.244.1.2/24 gw 10.244.1.1/32 bridge 10.244.1.1/24 "
	 "told 0.0.0.0/0 via 10.244.1.1/32 route 0.0.0.0/0 via 10.244.1.1/32 "},
	{"IPv4 comes first on the bridge",
	 DEFAULT,
	 {{"fd00:10:244:1::2/64", NULL}, {"10.244.1.2/24", NULL}},
	 {{0}},
	 "address fd00:10:244:1::2/64 gw fd00:10:244:1::1/128 address 10.244.1.2/24 gw 10.244.1.1/32 "
	 "bridge 10.244.1.1/24 bridge fd00:10:244:1::1/64 "
	 "told 0.0.0.0/0 via 10.244.1.1/32 route 0.0.0.0/0 via 10.244.1.1/32 "
	 "told ::/0 via fd00:10:244:1::1/128 route ::/0 via fd00:10:244:1::1/128 "},
	{"two addresses of a network, one gateway",
	 DEFAULT,
	 {{"10.244.1.2/24", NULL}, {"10.244.1.3/24", NULL}},
	 {{0}},
	 "address 10.244.1.2/24 gw 10.244.1.1/32 address 10.244.1.3/24 gw 10.244.1.1/32 bridge 10.244.1.1/24 "
	 "told 0.0.0.0/0 via 10.244.1.1/32 route 0.0.0.0/0 via 10.244.1.1/32 "},
	{"two networks, the first one's gateway",
	 DEFAULT,
	 {{"10.1.0.2/24", NULL}, {"10.2.0.2/24", NULL}},
	 {{0}},
	 "address 10.1.0.2/24 gw 10.1.0.1/32 address 10.2.0.2/24 gw 10.2.0.1/32 bridge 10.1.0.1/24 "
	 "bridge 10.2.0.1/24 told 0.0.0.0/0 via 10.1.0.1/32 route 0.0.0.0/0 via 10.1.0.1/32 "},
	{"own default route with a gateway",
	 DEFAULT,
	 {{"10.244.1.2/24", NULL}},
	 {{.dst = "0.0.0.0/0", .via = "10.244.1.7"}},
	 "address 10.244.1.2/24 gw 10.244.1.1/32 bridge 10.244.1.1/24 "
	 "told 0.0.0.0/0 via 10.244.1.7/32 route 0.0.0.0/0 via 10.244.1.7/32 "},
	{"own default route without one counts as none",
	 DEFAULT,
	 {{"10.244.1.2/24", NULL}},
	 {{.dst = "0.0.0.0/0"}},
	 "address 10.244.1.2/24 gw 10.244.1.1/32 bridge 10.244.1.1/24 "
	 "told 0.0.0.0/0 via  route 0.0.0.0/0 via 10.244.1.1/32 "
	 "told 0.0.0.0/0 via 10.244.1.1/32 route 0.0.0.0/0 via 10.244.1.1/32 "},
	{"a default route of the other family does not count",
	 DEFAULT,
	 {{"10.244.1.2/24", NULL}},
	 {{.dst = "::/0", .via = "fd00::1"}},
	 "address 10.244.1.2/24 gw 10.244.1.1/32 bridge 10.244.1.1/24 "
	 "told ::/0 via fd00::1/128 route ::/0 via fd00::1/128 "
	 "told 0.0.0.0/0 via 10.244.1.1/32 route 0.0.0.0/0 via 10.244.1.1/32 "},
	{"host bits of IPv6 are told, but not for the kernel",
	 0,
	 {{"fd00::2/64", "fd00::1"}},
	 {{.dst = "fd00:8::1/64"}},
	 "address fd00::2/64 gw fd00::1/128 told fd00:8::1/64 via  route fd00:8::/64 via fd00::1/128 "},
	{"routes take the first gateway",
	 GATEWAY,
	 {{"10.244.1.2/24", NULL}},
	 {{.dst = "10.244.0.0/16"}, {.dst = "fd00::/48"}},
	 "address 10.244.1.2/24 gw 10.244.1.1/32 bridge 10.244.1.1/24 "
	 "told 10.244.0.0/16 via  route 10.244.0.0/16 via 10.244.1.1/32 told fd00::/48 via  route fd00::/48 "
	 "via  "},
	{"no gateway anywhere",
	 0,
	 {{"10.244.1.2/24", NULL}},
	 {{.dst = "10.244.0.0/16"}},
	 "address 10.244.1.2/24 gw  told 10.244.0.0/16 via  route 10.244.0.0/16 via  "},
	{"link scope takes none",
	 GATEWAY,
	 {{"10.244.1.2/24", NULL}},
	 {{.dst = "10.9.0.0/16", .scope = 253}},
	 "address 10.244.1.2/24 gw 10.244.1.1/32 bridge 10.244.1.1/24 "
	 "told 10.9.0.0/16 via  route 10.9.0.0/16 via  scope 253 "},
	{"link scope keeps its own",
	 GATEWAY,
	 {{"10.244.1.2/24", NULL}},
	 {{.dst = "10.9.0.0/16", .via = "10.244.1.5", .scope = 253}},
	 "address 10.244.1.2/24 gw 10.244.1.1/32 bridge 10.244.1.1/24 "
	 "told 10.9.0.0/16 via 10.244.1.5/32 route 10.9.0.0/16 via 10.244.1.5/32 scope 253 "},
	{"everything of a route",
	 0,
	 {{"10.244.1.2/24", NULL}},
	 {{.dst = "10.9.0.0/16",
	   .via = "10.244.1.5",
	   .mtu = 1300,
	   .advmss = 1200,
	   .priority = 7,
	   .table = 1000,
	   .scope = 200}},
	 "address 10.244.1.2/24 gw  told 10.9.0.0/16 via 10.244.1.5/32 "
	 "route 10.9.0.0/16 via 10.244.1.5/32 metric 7 table 1000 scope 200 mtu 1300 advmss 1200 "},
};

Test(attachment_want, table)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(wants); i++) {
		struct flannel_error *error = NULL;
		struct fl_attachment_want want;
		struct scratch scratch;
		char text[2048];

		build(&scratch, wants[i].flags, wants[i].addresses, wants[i].routes);
		cr_assert_eq(fl_attachment_check(&scratch.options, &error), 0, "%s: %s", wants[i].name,
			     flannel_error_get_message(error));
		cr_assert_eq(fl_attachment_want(&scratch.options, &want, &error), 0, "%s: %s", wants[i].name,
			     flannel_error_get_message(error));
		describe(&want, text, sizeof(text));
		cr_expect_str_eq(text, wants[i].expected, "%s:\n  gave     %s\n  expected %s", wants[i].name, text,
				 wants[i].expected);
		fl_attachment_want_clear(&want);
	}
}

Test(attachment_want, families_are_noted)
{
	static const struct given_address addresses[] = {{"10.1.0.2/24", NULL}, {"fd00::2/64", NULL}, {0}};
	static const struct given_route routes[] = {{0}};
	struct fl_attachment_want want;
	struct scratch scratch;

	for (unsigned int n = 0; n <= 2; n++) {
		build(&scratch, 0, addresses, routes);
		scratch.options.n_addresses = n;
		cr_assert_eq(fl_attachment_want(&scratch.options, &want, NULL), 0);
		cr_expect_eq(want.ipv4, n >= 1);
		cr_expect_eq(want.ipv6, n >= 2);
		cr_expect_eq(want.n_gateways, 0);
		fl_attachment_want_clear(&want);
	}
	scratch.options.ifname = "net7";
	scratch.options.flags = DEFAULT;
	cr_assert_eq(fl_attachment_want(&scratch.options, &want, NULL), 0);
	cr_expect_eq(want.n_routes, 2);
	cr_expect_str_eq(want.kernel_routes[1].link, "net7");
	fl_attachment_want_clear(&want);
}

Test(attachment_want, a_network_without_room_for_a_gateway)
{
	static const struct given_address addresses[] = {{"255.255.255.255/32", NULL}, {0}};
	static const struct given_route routes[] = {{0}};
	struct flannel_error *error = NULL;
	struct fl_attachment_want want = {.n_routes = 77};
	struct scratch scratch;

	build(&scratch, GATEWAY, addresses, routes);
	cr_assert_eq(fl_attachment_want(&scratch.options, &want, &error), -EINVAL);
	cr_expect_not_null(strstr(flannel_error_get_message(error), "255.255.255.255/32"));
	cr_expect_eq(want.n_routes, 77, "a failure touched the result");
	flannel_error_unref(error);
}

/* one thing wrong in options that are right otherwise */
enum flaw {
	FLAW_NONE,
	FLAW_FLAGS,
	FLAW_HAIRPIN_PROMISC,
	FLAW_DOWN_WITH_ADDRESS,
	FLAW_IFNAME,
	FLAW_IFNAME_LONG,
	FLAW_BRIDGE,
	FLAW_MAC,
	FLAW_MAC_MULTICAST,
	FLAW_ADDRESS_SIZE,
	FLAW_ADDRESS_MISSING,
	FLAW_GATEWAY_FAMILY,
	FLAW_ADDRESSES_NULL,
	FLAW_ROUTE_SIZE,
	FLAW_ROUTE_DST,
	FLAW_ROUTE_HOST_BITS,
	FLAW_ROUTE_FAMILY,
	FLAW_ROUTE_SCOPE,
	FLAW_ROUTE_SCOPE_NEGATIVE,
	FLAW_ROUTES_NULL,
};

/* plants it; what the message must name is returned */
static const char *plant(struct scratch *scratch, enum flaw flaw)
{
	struct flannel_attachment_options *options = &scratch->options;

	switch (flaw) {
	case FLAW_NONE:
		return NULL;
	case FLAW_FLAGS:
		options->flags = 0x40000000;
		return "0x40000000";
	case FLAW_HAIRPIN_PROMISC:
		options->flags = FLANNEL_ATTACHMENT_HAIRPIN | FLANNEL_ATTACHMENT_PROMISCUOUS;
		return "exclude each other";
	case FLAW_DOWN_WITH_ADDRESS:
		options->flags = FLANNEL_ATTACHMENT_LINK_DOWN;
		return "down";
	case FLAW_IFNAME:
		options->ifname = "eth/0";
		return "eth/0";
	case FLAW_IFNAME_LONG:
		options->ifname = "sixteen-bytes-it";
		return "sixteen-bytes-it";
	case FLAW_BRIDGE:
		options->bridge = "..";
		return "bridge is \"..\"";
	case FLAW_MAC:
		options->mac = "02:00:00:00:00";
		return "02:00:00:00:00";
	case FLAW_MAC_MULTICAST:
		options->mac = "03:00:00:00:00:01";
		return "03:00:00:00:00:01";
	case FLAW_ADDRESS_SIZE:
		scratch->addresses[0].size--;
		return "address 0";
	case FLAW_ADDRESS_MISSING:
		scratch->addresses[0].address.family = AF_UNSPEC;
		return "address 0";
	case FLAW_GATEWAY_FAMILY:
		scratch->addresses[0].gateway = prefix("fd00::1");
		return "10.244.1.2/24";
	case FLAW_ADDRESSES_NULL:
		options->addresses = NULL;
		return "addresses";
	case FLAW_ROUTE_SIZE:
		scratch->routes[0].size++;
		return "route 0";
	case FLAW_ROUTE_DST:
		scratch->routes[0].dst.family = AF_UNSPEC;
		return "destination";
	case FLAW_ROUTE_HOST_BITS:
		scratch->routes[0].dst = prefix("10.244.0.1/16");
		return "10.244.0.1/16";
	case FLAW_ROUTE_FAMILY:
		scratch->routes[0].via = prefix("fd00::1");
		return "another family";
	case FLAW_ROUTE_SCOPE:
		scratch->routes[0].scope = 256;
		return "scope";
	case FLAW_ROUTE_SCOPE_NEGATIVE:
		scratch->routes[0].scope = -2;
		return "scope";
	case FLAW_ROUTES_NULL:
		options->routes = NULL;
		return "routes";
	}
	return NULL;
}

Test(attachment_check, one_flaw_each)
{
	static const struct given_address addresses[] = {{"10.244.1.2/24", NULL}, {0}};
	static const struct given_route routes[] = {{.dst = "10.244.0.0/16"}, {0}};

	for (int flaw = FLAW_NONE; flaw <= FLAW_ROUTES_NULL; flaw++) {
		struct flannel_error *error = NULL;
		struct scratch scratch;
		const char *part;

		build(&scratch, 0, addresses, routes);
		part = plant(&scratch, (enum flaw)flaw);
		cr_expect_eq(fl_attachment_check(&scratch.options, &error), part ? -EINVAL : 0, "flaw %d", flaw);
		if (part)
			cr_expect_not_null(strstr(flannel_error_get_message(error), part),
					   "flaw %d: \"%s\" lacks \"%s\"", flaw, flannel_error_get_message(error),
					   part);
		flannel_error_unref(error);
	}
}

Test(attachment_fit_address, table)
{
	static const struct {
		const char *wanted;
		const char *found[N_MAX];
		int result;
		int other;
	} cases[] = {
		{"10.244.1.1/24", {NULL}, 0, -1},
		{"10.244.1.1/24", {"10.244.1.1/24"}, 1, -1},
		{"10.244.1.1/24", {"10.244.1.1/16"}, -EEXIST, 0},
		{"10.244.1.1/24", {"10.244.1.2/24"}, -EEXIST, 0},
		{"10.244.1.1/24", {"172.16.0.1/16"}, -EEXIST, 0}, /* any other IPv4 address, wherever it is */
		{"10.244.1.1/24", {"fd00::1/64"}, 0, -1},
		{"10.244.1.1/24", {"fd00::1/64", "10.9.0.1/24", "10.8.0.1/24"}, -EEXIST, 1},
		{"10.244.1.1/24", {"10.9.0.1/24", "10.244.1.1/24"}, 1, -1},
		{"fd00:1::1/64", {"fe80::1/64"}, 0, -1},
		{"fd00:1::1/64", {"fd00:2::1/64"}, 0, -1},
		{"fd00:1::1/64", {"fd00:1::2/64"}, -EEXIST, 0},
		{"fd00:1::1/64", {"fd00::1/16"}, -EEXIST, 0},
		{"fd00::1/16", {"fe80::1/64", "fd00:1::1/64"}, -EEXIST, 1},
		{"fd00:1::1/64", {"fe80::1/64", "fd00:1::1/64"}, 1, -1},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct fl_interface_address found[N_MAX] = {0};
		struct flannel_prefix wanted = prefix(cases[i].wanted);
		const struct flannel_prefix *other = NULL;
		size_t n = 0;
		int r;

		while (n < N_MAX && cases[i].found[n]) {
			found[n].address = prefix(cases[i].found[n]);
			n++;
		}
		r = fl_attachment_fit_address(&wanted, NULL, 0, found, n, &other);
		cr_expect_eq(r, cases[i].result, "case %zu: %d", i, r);
		if (cases[i].other < 0)
			cr_expect_null(other, "case %zu", i);
		else
			cr_expect_eq(other, &found[cases[i].other].address, "case %zu", i);
	}
}

Test(attachment_fit_address, other_gateways_of_the_same_call_are_not_in_the_way)
{
	struct flannel_prefix kept[2];
	struct fl_interface_address found[2] = {{.ifindex = 2}, {.ifindex = 2}};
	const struct flannel_prefix *other = NULL;

	cr_assert_eq(flannel_prefix_parse("10.22.1.1/24", &kept[0]), 0);
	cr_assert_eq(flannel_prefix_parse("10.33.1.1/24", &kept[1]), 0);
	found[0].address = kept[0];
	cr_assert_eq(flannel_prefix_parse("10.44.1.1/24", &found[1].address), 0);
	cr_assert_eq(fl_attachment_fit_address(&kept[1], kept, 2, found, 1, &other), 0);
	cr_assert_eq(fl_attachment_fit_address(&kept[1], kept, 2, found, 2, &other), -EEXIST);
	cr_assert_eq(other, &found[1].address);
}

/* the MAC of an attachment with the first address given; "" for none */
static void expect_mac(const char *address, const char *expected)
{
	struct flannel_address first = {.size = sizeof(first)};
	struct fl_attachment_want want = {.addresses = &first, .n_addresses = address[0] != '\0'};
	uint8_t mac[FL_MAC_LEN];
	char text[FLANNEL_MAC_STRLEN] = "";

	if (want.n_addresses)
		cr_assert_eq(flannel_prefix_parse(address, &first.address), 0);
	if (fl_attachment_choose_mac(&want, mac))
		fl_mac_format(mac, text, sizeof(text));
	if (expected)
		cr_expect_str_eq(text, expected, "%s: %s", address, text);
	else
		cr_expect(strncmp(text, "0e:", 3) == 0 && fl_attachment_mac_is_valid(text), "%s: %s", address, text);
}

Test(attachment_want, the_mac_follows_from_the_address)
{
	expect_mac("10.244.1.2/24", "0a:58:0a:f4:01:02");
	expect_mac("10.244.1.2/16", "0a:58:0a:f4:01:02");
	expect_mac("192.168.255.0/32", "0a:58:c0:a8:ff:00");
	expect_mac("fd00::2/64", NULL);
	expect_mac("", "");
}

Test(attachment_want, different_ipv6_addresses_have_different_macs)
{
	struct flannel_address addresses[2] = {{.size = sizeof(*addresses)}, {.size = sizeof(*addresses)}};
	struct fl_attachment_want pair[2] = {{.addresses = &addresses[0], .n_addresses = 1},
					     {.addresses = &addresses[1], .n_addresses = 1}};
	uint8_t macs[2][FL_MAC_LEN];

	cr_assert_eq(flannel_prefix_parse("fd00::2/64", &addresses[0].address), 0);
	cr_assert_eq(flannel_prefix_parse("fd00::3/64", &addresses[1].address), 0);
	cr_assert(fl_attachment_choose_mac(&pair[0], macs[0]));
	cr_assert(fl_attachment_choose_mac(&pair[1], macs[1]));
	cr_expect_neq(memcmp(macs[0], macs[1], FL_MAC_LEN), 0);
	cr_assert(fl_attachment_choose_mac(&pair[0], macs[1]));
	cr_expect_eq(memcmp(macs[0], macs[1], FL_MAC_LEN), 0);
}
