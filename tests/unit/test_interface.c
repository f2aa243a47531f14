/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "domain/underlay/interface.h"

#define MAX_ADDRESSES 16
#define PERM IFA_F_PERMANENT

/* an address as the tables below write it */
struct address_text {
	uint32_t ifindex;
	const char *address;
	uint32_t flags;
};

static const struct fl_interface_link links[] = {
	{.name = "lo", .ifindex = 1, .mtu = 65536},
	{.name = "eth0", .ifindex = 2, .mtu = 1500, .mac = {2, 0, 0, 0, 0, 1}},
	{.name = "eth1", .ifindex = 3, .mtu = 9000, .mac = {2, 0, 0, 0, 0, 2}},
	{.name = "v4only", .ifindex = 4, .mtu = 1400},
	{.name = "bare", .ifindex = 5, .mtu = 1400},
	{.name = "zero", .ifindex = 6, .mtu = 0},
};

static const struct address_text node_addresses[] = {
	{1, "127.0.0.1/8", PERM},     {1, "::1/128", PERM},     {2, "192.168.77.1/24", PERM},
	{2, "192.168.77.8/24", PERM}, {2, "fd77::1/64", PERM},  {2, "fe80::1/64", PERM},
	{3, "198.51.100.9/24", PERM}, {3, "fe80::1/64", PERM},  {3, "2001:db8::9/64", PERM},
	{4, "10.9.0.1/16", PERM},     {6, "10.8.0.1/16", PERM},
};

/* facts of a node with the links above */
static struct fl_interface_facts facts_of(const struct address_text *texts, size_t n,
					  struct fl_interface_address addresses[MAX_ADDRESSES])
{
	for (size_t i = 0; i < n; i++) {
		addresses[i] = (struct fl_interface_address){.ifindex = texts[i].ifindex, .flags = texts[i].flags};
		cr_assert_eq(flannel_prefix_parse(texts[i].address, &addresses[i].address), 0);
	}
	return (struct fl_interface_facts){
		.links = links,
		.n_links = FL_N_ELEMENTS(links),
		.addresses = addresses,
		.n_addresses = n,
		.default_ifindex = 2,
		.default6_ifindex = 2,
	};
}

/* families in use */
enum mode { V4, V6, DUAL };

static struct fl_interface_request request_of(enum mode mode, const char *const *interfaces, const char *public_ip,
					      const char *public_ip6)
{
	struct fl_interface_request request = {
		.interfaces = interfaces,
		.public_ip = public_ip,
		.public_ip6 = public_ip6,
		.ipv4 = mode != V6,
		.ipv6 = mode != V4,
	};

	while (request.n_interfaces < 3 && interfaces[request.n_interfaces])
		request.n_interfaces++;
	return request;
}

/* chosen: "name address address6 public public6 (reason)", "-" for none */
static const struct {
	enum mode mode;
	const char *interfaces[3];
	const char *public_ip, *public_ip6;
	const char *chosen;
} chosen[] = {
	/* the default route */
	{V4, {NULL}, NULL, NULL, "eth0 192.168.77.1/24 - 192.168.77.1/32 - (default route)"},
	{V4, {NULL}, "", "", "eth0 192.168.77.1/24 - 192.168.77.1/32 - (default route)"},
	{V6, {NULL}, NULL, NULL, "eth0 - fd77::1/64 - fd77::1/128 (default route)"},
	{DUAL, {NULL}, NULL, NULL, "eth0 192.168.77.1/24 fd77::1/64 192.168.77.1/32 fd77::1/128 (default route)"},
	/* a name */
	{V4, {"eth1"}, NULL, NULL, "eth1 198.51.100.9/24 - 198.51.100.9/32 - (--iface eth1)"},
	{V6, {"eth1"}, NULL, NULL, "eth1 - 2001:db8::9/64 - 2001:db8::9/128 (--iface eth1)"},
	{DUAL,
	 {"eth1"},
	 NULL,
	 NULL,
	 "eth1 198.51.100.9/24 2001:db8::9/64 198.51.100.9/32 2001:db8::9/128 (--iface eth1)"},
	/* the first that works; no address, no interface, MTU 0 do not */
	{V4, {"nosuch0", "eth1", "eth0"}, NULL, NULL, "eth1 198.51.100.9/24 - 198.51.100.9/32 - (--iface eth1)"},
	{V4, {"bare", "zero", "v4only"}, NULL, NULL, "v4only 10.9.0.1/16 - 10.9.0.1/32 - (--iface v4only)"},
	{DUAL,
	 {"v4only", "192.0.2.77", "eth0"},
	 NULL,
	 NULL,
	 "eth0 192.168.77.1/24 fd77::1/64 192.168.77.1/32 fd77::1/128 (--iface eth0)"},
	/* an address: exactly that one, and the best of the other family */
	{V4, {"192.168.77.8"}, NULL, NULL, "eth0 192.168.77.8/24 - 192.168.77.8/32 - (--iface 192.168.77.8)"},
	{DUAL,
	 {"192.168.77.8"},
	 NULL,
	 NULL,
	 "eth0 192.168.77.8/24 fd77::1/64 192.168.77.8/32 fd77::1/128 (--iface 192.168.77.8)"},
	{DUAL,
	 {"2001:db8::9"},
	 NULL,
	 NULL,
	 "eth1 198.51.100.9/24 2001:db8::9/64 198.51.100.9/32 2001:db8::9/128 (--iface 2001:db8::9)"},
	{V6, {"fd77::1"}, NULL, NULL, "eth0 - fd77::1/64 - fd77::1/128 (--iface fd77::1)"},
	{V6, {"FD77:0::1"}, NULL, NULL, "eth0 - fd77::1/64 - fd77::1/128 (--iface FD77:0::1)"},
	/* an address of a family that is not in use still names the interface */
	{V4, {"2001:db8::9"}, NULL, NULL, "eth1 198.51.100.9/24 - 198.51.100.9/32 - (--iface 2001:db8::9)"},
	{V6, {"198.51.100.9"}, NULL, NULL, "eth1 - 2001:db8::9/64 - 2001:db8::9/128 (--iface 198.51.100.9)"},
	/* even a link-local one; the lowest index wins */
	{V6, {"fe80::1"}, NULL, NULL, "eth0 - fe80::1/64 - fe80::1/128 (--iface fe80::1)"},
	/* public addresses beside --iface need not be local */
	{V4, {"eth0"}, "203.0.113.9", NULL, "eth0 192.168.77.1/24 - 203.0.113.9/32 - (--iface eth0)"},
	{DUAL,
	 {"eth0"},
	 "203.0.113.9",
	 "2001:db8:1::1",
	 "eth0 192.168.77.1/24 fd77::1/64 203.0.113.9/32 2001:db8:1::1/128 (--iface eth0)"},
	{DUAL,
	 {"192.168.77.8"},
	 NULL,
	 "2001:db8:1::1",
	 "eth0 192.168.77.8/24 fd77::1/64 192.168.77.8/32 2001:db8:1::1/128 (--iface 192.168.77.8)"},
	{V6, {"eth0"}, "203.0.113.9", NULL, "eth0 - fd77::1/64 - fd77::1/128 (--iface eth0)"},
	/* alone they name the interface */
	{V4, {NULL}, "198.51.100.9", NULL, "eth1 198.51.100.9/24 - 198.51.100.9/32 - (--public-ip 198.51.100.9)"},
	{V4, {NULL}, "198.51.100.9", "fd99::9", "eth1 198.51.100.9/24 - 198.51.100.9/32 - (--public-ip 198.51.100.9)"},
	{V6, {NULL}, NULL, "2001:db8::9", "eth1 - 2001:db8::9/64 - 2001:db8::9/128 (--public-ipv6 2001:db8::9)"},
	{DUAL,
	 {NULL},
	 "198.51.100.9",
	 NULL,
	 "eth1 198.51.100.9/24 2001:db8::9/64 198.51.100.9/32 2001:db8::9/128 (--public-ip 198.51.100.9)"},
	{DUAL,
	 {NULL},
	 NULL,
	 "2001:db8::9",
	 "eth1 198.51.100.9/24 2001:db8::9/64 198.51.100.9/32 2001:db8::9/128 (--public-ipv6 2001:db8::9)"},
	{DUAL,
	 {NULL},
	 "198.51.100.9",
	 "fe80::1",
	 "eth1 198.51.100.9/24 fe80::1/64 198.51.100.9/32 fe80::1/128 (--public-ip 198.51.100.9)"},
};

/* a prefix as the table writes it */
static const char *format(const struct flannel_prefix *prefix, char *buf)
{
	return prefix->family == AF_UNSPEC ? "-" : flannel_prefix_format(prefix, buf, FLANNEL_PREFIX_STRLEN);
}

/* the result as the table writes it */
static const char *describe(const struct fl_underlay *underlay, char *buf, size_t size)
{
	char texts[4][FLANNEL_PREFIX_STRLEN];

	snprintf(buf, size, "%s %s %s %s %s (%s)", underlay->name, format(&underlay->address, texts[0]),
		 format(&underlay->address6, texts[1]), format(&underlay->public_ip, texts[2]),
		 format(&underlay->public_ip6, texts[3]), underlay->reason);
	return buf;
}

Test(interface, chosen)
{
	struct fl_interface_address addresses[MAX_ADDRESSES];
	struct fl_interface_facts facts = facts_of(node_addresses, FL_N_ELEMENTS(node_addresses), addresses);

	for (size_t i = 0; i < FL_N_ELEMENTS(chosen); i++) {
		struct fl_interface_request request =
			request_of(chosen[i].mode, chosen[i].interfaces, chosen[i].public_ip, chosen[i].public_ip6);
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_underlay underlay;
		char text[320];

		cr_assert_eq(fl_interface_select(&request, &facts, &underlay, &error), 0, "case %zu: %s", i,
			     flannel_error_get_message(error));
		cr_expect_str_eq(describe(&underlay, text, sizeof(text)), chosen[i].chosen, "case %zu: %s", i, text);
	}
}

Test(interface, result_has_index_mtu_and_mac)
{
	struct fl_interface_address addresses[MAX_ADDRESSES];
	struct fl_interface_facts facts = facts_of(node_addresses, FL_N_ELEMENTS(node_addresses), addresses);
	const char *const names[3] = {"eth1"};
	struct fl_interface_request request = request_of(V4, names, NULL, NULL);
	struct fl_underlay underlay;

	cr_assert_eq(fl_interface_select(&request, &facts, &underlay, NULL), 0);
	cr_expect_eq(underlay.ifindex, 3);
	cr_expect_eq(underlay.mtu, 9000);
	cr_expect_eq(memcmp(underlay.mac, links[2].mac, FL_MAC_LEN), 0);
}

#define PRESENT                                                                                                        \
	"; there is lo 127.0.0.1/8 ::1/128, eth0 192.168.77.1/24 192.168.77.8/24 fd77::1/64 fe80::1/64, eth1 "         \
	"198.51.100.9/24 fe80::1/64 2001:db8::9/64, v4only 10.9.0.1/16, bare, zero 10.8.0.1/16"
#define PURPOSE "choose the interface to the other nodes: "

static const struct {
	enum mode mode;
	const char *interfaces[3];
	const char *public_ip, *public_ip6;
	uint32_t default_ifindex, default6_ifindex;
	int code;
	const char *message;
} refused[] = {
	{V4, {"nosuch0"}, NULL, NULL, 2, 2, -ENODEV, PURPOSE "--iface nosuch0: no such interface" PRESENT},
	{V4,
	 {"nosuch0", "192.0.2.77", "bare"},
	 NULL,
	 NULL,
	 2,
	 2,
	 -ENODEV,
	 PURPOSE
	 "--iface nosuch0: no such interface; --iface 192.0.2.77: no interface has this address; --iface bare: bare "
	 "has no IPv4 address that peers could use" PRESENT},
	{V4, {"zero"}, NULL, NULL, 2, 2, -ENODEV, PURPOSE "--iface zero: zero has MTU 0" PRESENT},
	{V4,
	 {"lo"},
	 NULL,
	 NULL,
	 2,
	 2,
	 -ENODEV,
	 PURPOSE "--iface lo: lo has no IPv4 address that peers could use" PRESENT},
	{V6,
	 {"lo"},
	 NULL,
	 NULL,
	 2,
	 2,
	 -ENODEV,
	 PURPOSE "--iface lo: lo has no IPv6 address that peers could use" PRESENT},
	{DUAL,
	 {"v4only"},
	 NULL,
	 NULL,
	 2,
	 2,
	 -ENODEV,
	 PURPOSE "--iface v4only: v4only has no IPv6 address that peers could use" PRESENT},
	{V4, {"eth0/24"}, NULL, NULL, 2, 2, -ENODEV, PURPOSE "--iface eth0/24: no such interface" PRESENT},
	{V4,
	 {"192.168.77.1/24"},
	 NULL,
	 NULL,
	 2,
	 2,
	 -ENODEV,
	 PURPOSE "--iface 192.168.77.1/24: no such interface" PRESENT},
	{V4, {""}, NULL, NULL, 2, 2, -ENODEV, PURPOSE "--iface : no such interface" PRESENT},
	/* default routes */
	{V4,
	 {NULL},
	 NULL,
	 NULL,
	 0,
	 2,
	 -ENODEV,
	 PURPOSE "there is no IPv4 default route, or it has several next hops" PRESENT},
	{V6,
	 {NULL},
	 NULL,
	 NULL,
	 2,
	 0,
	 -ENODEV,
	 PURPOSE "there is no IPv6 default route, or it has several next hops" PRESENT},
	{DUAL,
	 {NULL},
	 NULL,
	 NULL,
	 2,
	 0,
	 -ENODEV,
	 PURPOSE "there is no IPv6 default route, or it has several next hops" PRESENT},
	{DUAL,
	 {NULL},
	 NULL,
	 NULL,
	 2,
	 3,
	 -ENODEV,
	 PURPOSE "the IPv4 default route is on eth0, the IPv6 default route on eth1" PRESENT},
	{V4,
	 {NULL},
	 NULL,
	 NULL,
	 77,
	 2,
	 -ENODEV,
	 PURPOSE "the interface of the default route (index 77) is gone" PRESENT},
	{V4, {NULL}, NULL, NULL, 6, 2, -ENODEV, PURPOSE "zero has MTU 0" PRESENT},
	/* public addresses that are to find the interface */
	{V4,
	 {NULL},
	 "203.0.113.9",
	 NULL,
	 2,
	 2,
	 -ENODEV,
	 PURPOSE "--public-ip 203.0.113.9: no interface has this address" PRESENT},
	{V6,
	 {NULL},
	 NULL,
	 "fd99::9",
	 2,
	 2,
	 -ENODEV,
	 PURPOSE "--public-ipv6 fd99::9: no interface has this address" PRESENT},
	{V6,
	 {NULL},
	 "192.168.77.1",
	 NULL,
	 2,
	 2,
	 -ENODEV,
	 PURPOSE "--public-ip 192.168.77.1: IPv4 is not enabled in the network" PRESENT},
	{V6,
	 {NULL},
	 "192.168.77.1",
	 "fd77::1",
	 2,
	 2,
	 -ENODEV,
	 PURPOSE "--public-ip 192.168.77.1: IPv4 is not enabled in the network" PRESENT},
	{V4,
	 {NULL},
	 NULL,
	 "fd77::1",
	 2,
	 2,
	 -ENODEV,
	 PURPOSE "--public-ipv6 fd77::1: IPv6 is not enabled in the network" PRESENT},
	{DUAL,
	 {NULL},
	 "192.168.77.1",
	 "2001:db8::9",
	 2,
	 2,
	 -ENODEV,
	 PURPOSE "--public-ip 192.168.77.1: its interface eth0 does not have --public-ipv6 2001:db8::9" PRESENT},
	/* texts that are no address */
	{V4, {"eth0"}, "bogus", NULL, 2, 2, -EINVAL, PURPOSE "--public-ip is \"bogus\", expected an IPv4 address"},
	{V4, {"eth0"}, "fd77::1", NULL, 2, 2, -EINVAL, PURPOSE "--public-ip is \"fd77::1\", expected an IPv4 address"},
	{V4,
	 {NULL},
	 "192.168.77.1/24",
	 NULL,
	 2,
	 2,
	 -EINVAL,
	 PURPOSE "--public-ip is \"192.168.77.1/24\", expected an IPv4 address"},
	{V4, {"eth0"}, "0.0.0.0", NULL, 2, 2, -EINVAL, PURPOSE "--public-ip is \"0.0.0.0\", expected an IPv4 address"},
	{DUAL,
	 {"eth0"},
	 NULL,
	 "192.168.77.1",
	 2,
	 2,
	 -EINVAL,
	 PURPOSE "--public-ipv6 is \"192.168.77.1\", expected an IPv6 address"},
};

Test(interface, refusals_say_what_was_tried_and_what_there_is)
{
	struct fl_interface_address addresses[MAX_ADDRESSES];
	struct fl_interface_facts facts = facts_of(node_addresses, FL_N_ELEMENTS(node_addresses), addresses);

	for (size_t i = 0; i < FL_N_ELEMENTS(refused); i++) {
		struct fl_interface_request request =
			request_of(refused[i].mode, refused[i].interfaces, refused[i].public_ip, refused[i].public_ip6);
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_underlay underlay = {.ifindex = 12345};

		facts.default_ifindex = refused[i].default_ifindex;
		facts.default6_ifindex = refused[i].default6_ifindex;
		cr_expect_eq(fl_interface_select(&request, &facts, &underlay, &error), refused[i].code, "case %zu", i);
		cr_expect_str_eq(flannel_error_get_message(error), refused[i].message, "case %zu: %s", i,
				 flannel_error_get_message(error));
		cr_expect_eq(underlay.ifindex, 12345, "a failure must not touch the result");
		cr_expect_eq(fl_interface_select(&request, &facts, &underlay, NULL), refused[i].code);
	}
}

/* eth0's addresses and the one that is chosen, "" for none */
static const struct {
	int family;
	struct address_text addresses[5];
	const char *chosen;
} preferences[] = {
	{AF_INET, {{2, "10.0.0.1/24", PERM}, {2, "10.0.0.2/24", PERM}}, "10.0.0.1/24"},
	{AF_INET, {{3, "10.0.0.1/24", PERM}, {2, "10.0.0.2/24", PERM}}, "10.0.0.2/24"},
	{AF_INET, {{2, "169.254.1.1/16", PERM}, {2, "10.0.0.2/24", 0}}, "10.0.0.2/24"},
	{AF_INET, {{2, "169.254.1.1/16", PERM}}, "169.254.1.1/16"},
	{AF_INET, {{2, "10.0.0.1/24", 0}, {2, "10.0.0.2/24", PERM}}, "10.0.0.2/24"},
	{AF_INET,
	 {{2, "127.0.0.2/8", PERM},
	  {2, "224.0.0.1/32", PERM},
	  {2, "255.255.255.255/32", PERM},
	  {2, "0.0.0.0/32", PERM}},
	 ""},
	{AF_INET, {{2, "10.0.0.1/24", PERM | IFA_F_DEPRECATED}}, ""},
	/* the label "secondary" is the same bit as "temporary" */
	{AF_INET, {{2, "10.0.0.1/24", PERM | IFA_F_SECONDARY}, {2, "10.0.0.2/24", PERM}}, "10.0.0.2/24"},
	{AF_INET6, {{2, "fe80::5/64", PERM}, {2, "fd00::1/64", 0}}, "fd00::1/64"},
	{AF_INET6, {{2, "fe80::5/64", PERM}}, "fe80::5/64"},
	{AF_INET6, {{2, "febf::5/64", PERM}, {2, "fec0::1/64", 0}}, "fec0::1/64"},
	{AF_INET6, {{2, "fd00::1/64", IFA_F_TEMPORARY}, {2, "fd00::2/64", 0}, {2, "fd00::3/64", 0}}, "fd00::2/64"},
	{AF_INET6, {{2, "fd00::1/64", 0}, {2, "fd00::2/64", PERM | IFA_F_TEMPORARY}}, "fd00::2/64"},
	{AF_INET6, {{2, "fd00::1/64", PERM | IFA_F_DEPRECATED}, {2, "fe80::5/64", PERM}}, "fe80::5/64"},
	{AF_INET6, {{2, "fd00::1/64", PERM | IFA_F_DADFAILED}, {2, "fd00::2/64", 0}}, "fd00::2/64"},
	{AF_INET6, {{2, "fd00::1/64", PERM | IFA_F_TENTATIVE}}, "fd00::1/64"},
	{AF_INET6, {{2, "::1/128", PERM}, {2, "ff02::1/128", PERM}, {2, "::/128", PERM}}, ""},
};

Test(interface, address_preference)
{
	const char *const names[3] = {"eth0"};

	for (size_t i = 0; i < FL_N_ELEMENTS(preferences); i++) {
		bool v6 = preferences[i].family == AF_INET6;
		struct fl_interface_request request = request_of(v6 ? V6 : V4, names, NULL, NULL);
		struct fl_interface_address addresses[MAX_ADDRESSES];
		struct fl_interface_facts facts;
		struct fl_underlay underlay;
		char text[FLANNEL_PREFIX_STRLEN];
		size_t n = 0;

		while (n < 5 && preferences[i].addresses[n].address)
			n++;
		facts = facts_of(preferences[i].addresses, n, addresses);
		if (!*preferences[i].chosen) {
			cr_expect_eq(fl_interface_select(&request, &facts, &underlay, NULL), -ENODEV, "case %zu", i);
			continue;
		}
		cr_assert_eq(fl_interface_select(&request, &facts, &underlay, NULL), 0, "case %zu", i);
		cr_expect_str_eq(flannel_prefix_format(v6 ? &underlay.address6 : &underlay.address, text, sizeof(text)),
				 preferences[i].chosen, "case %zu: %s", i, text);
	}
}

/* a named address is taken whatever its flags: whoever names it wants it */
Test(interface, named_address_may_be_deprecated)
{
	const struct address_text texts[] = {{2, "fd00::1/64", PERM}, {2, "fd00::2/64", IFA_F_DEPRECATED}};
	const char *const names[3] = {"fd00::2"};
	struct fl_interface_request request = request_of(V6, names, NULL, NULL);
	struct fl_interface_address addresses[MAX_ADDRESSES];
	struct fl_interface_facts facts = facts_of(texts, 2, addresses);
	struct fl_underlay underlay;
	char text[FLANNEL_PREFIX_STRLEN];

	cr_assert_eq(fl_interface_select(&request, &facts, &underlay, NULL), 0);
	cr_expect_str_eq(flannel_prefix_format(&underlay.address6, text, sizeof(text)), "fd00::2/64");
}

/* neither thousands of links, nor long texts, nor none at all spoil the message */
Test(interface, message_is_bounded)
{
	const size_t n_many = 4000;
	struct fl_interface_link *many = calloc(n_many, sizeof(*many));
	struct fl_interface_facts facts = {.links = many, .n_links = n_many};
	char long_name[2000];
	const char *const names[3] = {long_name, "a", "b"};
	struct fl_interface_request request = request_of(V4, names, NULL, NULL);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP_ERROR struct flannel_error *none = NULL;
	struct fl_underlay underlay;

	memset(long_name, 'x', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	for (uint32_t i = 0; i < n_many; i++) {
		many[i] = (struct fl_interface_link){.ifindex = i + 1, .mtu = 1500};
		snprintf(many[i].name, sizeof(many[i].name), "veth%u", i);
	}
	cr_expect_eq(fl_interface_select(&request, &facts, &underlay, &error), -ENODEV);
	cr_expect_lt(strlen(flannel_error_get_message(error)), 1200);
	cr_expect(strstr(flannel_error_get_message(error), "veth0, veth1"));
	cr_expect(strstr(flannel_error_get_message(error), "--iface b: no such interface"));
	cr_expect_str_eq(strrchr(flannel_error_get_message(error), ','), ", ...");
	facts.n_links = 0;
	request.n_interfaces = 0;
	cr_expect_eq(fl_interface_select(&request, &facts, &underlay, &none), -ENODEV);
	cr_expect(strstr(flannel_error_get_message(none), "there is no interface"), "%s",
		  flannel_error_get_message(none));
	free(many);
}
