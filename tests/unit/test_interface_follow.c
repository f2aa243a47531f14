/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What becomes of the interface between nodes after it was chosen. */

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "domain/underlay/interface.h"
#include "domain/underlay/underlay.h"

#define N_ADDRESSES 6
#define N_LINKS 4
#define PERM IFA_F_PERMANENT
#define DOWN 1
#define NO_CARRIER 2

enum mode { V4, V6, DUAL };

struct link_text {
	const char *name;
	uint32_t ifindex;
	uint32_t mtu;
	int trouble;
};

struct address_text {
	uint32_t ifindex;
	const char *address;
	uint32_t flags;
};

/* the node as it is at a time */
struct scene {
	struct link_text links[N_LINKS];
	struct address_text addresses[N_ADDRESSES];
};

/* at the start: eth0 has 192.0.2.1 and 2001:db8::1, eth1 has 198.51.100.1 */
static const struct scene start = {
	{{"eth0", 2, 1500, 0}, {"eth1", 3, 9000, 0}},
	{{2, "192.0.2.1/24", PERM}, {2, "2001:db8::1/64", PERM}, {3, "198.51.100.1/24", PERM}},
};

/* change: what fl_underlay_format_change() says, "" for nothing. error: a part of the refusal, or of what fl_underlay_check() says */
static const struct {
	enum mode mode;
	const char *interface, *public_ip;
	struct scene now;
	const char *change, *error;
} cases[] = {
	/* nothing happened; and what happens elsewhere is nothing */
	{DUAL, "eth0", NULL, start, "", NULL},
	{V4, NULL, NULL, {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.1/24", PERM}, {2, "192.0.2.7/24", PERM}}}, "", NULL},
	/* removed and added within one look: behind the others now, and in use all the same */
	{V4, "eth0", NULL, {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.7/24", PERM}, {2, "192.0.2.1/24", PERM}}}, "", NULL},
	{V4, "eth0", NULL, {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.7/24", PERM}, {2, "192.0.2.1/24", 0}}}, "", NULL},
	/* another address */
	{V4,
	 "eth0",
	 NULL,
	 {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.9/24", PERM}}},
	 "eth0: address 192.0.2.1/24 is now 192.0.2.9/24",
	 NULL},
	{V4,
	 "eth0",
	 NULL,
	 {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.1/16", PERM}}},
	 "eth0: address 192.0.2.1/24 is now 192.0.2.1/16",
	 NULL},
	{DUAL,
	 "eth0",
	 NULL,
	 {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.9/24", PERM}, {2, "2001:db8::9/64", PERM}}},
	 "eth0: address 192.0.2.1/24 is now 192.0.2.9/24, address 2001:db8::1/64 is now 2001:db8::9/64",
	 NULL},
	{V6,
	 "eth0",
	 NULL,
	 {{{"eth0", 2, 1500, 0}}, {{2, "2001:db8::9/64", PERM}, {2, "2001:db8::1/64", IFA_F_DEPRECATED}}},
	 "eth0: address 2001:db8::1/64 is now 2001:db8::9/64",
	 NULL},
	/* MTU, index, and everything at once */
	{V4, "eth0", NULL, {{{"eth0", 2, 1400, 0}}, {{2, "192.0.2.1/24", PERM}}}, "eth0: MTU 1500 is now 1400", NULL},
	{V4,
	 "eth0",
	 NULL,
	 {{{"eth0", 7, 1500, 0}}, {{7, "192.0.2.1/24", PERM}}},
	 "eth0: the interface was made anew",
	 NULL},
	{V4,
	 "eth0",
	 NULL,
	 {{{"eth0", 7, 1400, 0}}, {{7, "192.0.2.9/24", PERM}}},
	 "eth0: the interface was made anew, address 192.0.2.1/24 is now 192.0.2.9/24, MTU 1500 is now 1400",
	 NULL},
	/* gone, or renamed: another one does not take its place, nor does another's default route */
	{V4, "eth0", NULL, {{{"eth1", 3, 9000, 0}}, {{3, "198.51.100.1/24", PERM}}}, NULL, "it is gone"},
	{V4, NULL, NULL, {{{"lan0", 2, 1500, 0}}, {{2, "192.0.2.1/24", PERM}}}, NULL, "it is gone"},
	/* no address that can be used */
	{V4, "eth0", NULL, {{{"eth0", 2, 1500, 0}}, {{2, "2001:db8::1/64", PERM}}}, NULL, "eth0 has no IPv4 address"},
	{DUAL, "eth0", NULL, {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.1/24", PERM}}}, NULL, "eth0 has no IPv6 address"},
	{V6, "eth0", NULL, {{{"eth0", 2, 1500, 0}}, {{2, "2001:db8::1/64", IFA_F_DADFAILED}}}, NULL, "no IPv6 address"},
	{V4, "eth0", NULL, {{{"eth0", 2, 0, 0}}, {{2, "192.0.2.1/24", PERM}}}, NULL, "eth0 has MTU 0"},
	/* down: the addresses that are left are followed; that it is down is the news if they are not */
	{V4, "eth0", NULL, {{{"eth0", 2, 1500, DOWN}}, {{2, "192.0.2.1/24", PERM}}}, "", "it is down"},
	{V4,
	 "eth0",
	 NULL,
	 {{{"eth0", 2, 1400, DOWN}}, {{2, "192.0.2.1/24", PERM}}},
	 "eth0: MTU 1500 is now 1400",
	 "it is down"},
	{DUAL, "eth0", NULL, {{{"eth0", 2, 1500, DOWN}}, {{2, "192.0.2.1/24", PERM}}}, NULL, "it is down"},
	{V4, "eth0", NULL, {{{"eth0", 2, 0, DOWN}}, {{2, "192.0.2.1/24", PERM}}}, NULL, "it is down"},
	{V4, "eth0", NULL, {{{"eth0", 2, 1500, NO_CARRIER}}, {{2, "192.0.2.1/24", PERM}}}, "", "no carrier"},
	/* a link-local one does not take a proper one's place */
	{V4, "eth0", NULL, {{{"eth0", 2, 1500, 0}}, {{2, "169.254.3.4/16", PERM}}}, NULL, "eth0 has no IPv4 address"},
	/* named by an address: wherever it is, and nothing instead of it */
	{V4,
	 "192.0.2.1",
	 NULL,
	 {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.9/24", PERM}, {2, "192.0.2.1/24", 0}}},
	 "",
	 NULL},
	{V4,
	 "192.0.2.1",
	 NULL,
	 {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.9/24", PERM}}},
	 NULL,
	 "no interface has the address 192.0.2.1 any more"},
	{V4,
	 "192.0.2.1",
	 NULL,
	 {{{"eth0", 2, 1500, 0}, {"br0", 4, 1500, 0}}, {{4, "192.0.2.1/24", PERM}}},
	 "br0 instead of eth0",
	 NULL},
	{V4,
	 NULL,
	 "192.0.2.1",
	 {{{"eth0", 2, 1500, 0}, {"br0", 4, 1400, 0}}, {{4, "192.0.2.1/24", PERM}}},
	 "br0 instead of eth0: MTU 1500 is now 1400",
	 NULL},
	{V4,
	 NULL,
	 "192.0.2.1",
	 {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.9/24", PERM}}},
	 NULL,
	 "no interface has the address 192.0.2.1 any more"},
	{DUAL,
	 "2001:db8::1",
	 NULL,
	 {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.9/24", PERM}, {2, "2001:db8::1/64", PERM}}},
	 "eth0: address 192.0.2.1/24 is now 192.0.2.9/24",
	 NULL},
	/* a public address beside a name is the operator's own business */
	{V4,
	 "eth0",
	 "203.0.113.1",
	 {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.9/24", PERM}}},
	 "eth0: address 192.0.2.1/24 is now 192.0.2.9/24",
	 NULL},
};

/* a scene as facts */
static struct fl_interface_facts facts_of(const struct scene *scene, struct fl_interface_link links[N_LINKS],
					  struct fl_interface_address addresses[N_ADDRESSES])
{
	struct fl_interface_facts facts = {.links = links, .addresses = addresses};

	for (; facts.n_links < N_LINKS && scene->links[facts.n_links].name; facts.n_links++) {
		const struct link_text *text = &scene->links[facts.n_links];

		links[facts.n_links] = (struct fl_interface_link){.ifindex = text->ifindex, .mtu = text->mtu};
		strcpy(links[facts.n_links].name, text->name);
		links[facts.n_links].up = text->trouble != DOWN;
		links[facts.n_links].carrier = text->trouble == 0;
	}
	for (; facts.n_addresses < N_ADDRESSES && scene->addresses[facts.n_addresses].address; facts.n_addresses++) {
		const struct address_text *text = &scene->addresses[facts.n_addresses];
		struct fl_interface_address *address = &addresses[facts.n_addresses];

		*address = (struct fl_interface_address){.ifindex = text->ifindex, .flags = text->flags};
		cr_assert_eq(flannel_prefix_parse(text->address, &address->address), 0);
	}
	return facts;
}

/* chooses at the start, then follows to another scene */
static int follow(enum mode mode, const char *interface, const char *public_ip, const struct scene *now,
		  struct fl_underlay *before, struct fl_underlay *underlay, struct flannel_error **error)
{
	struct fl_interface_request request = {.interfaces = &interface, .n_interfaces = interface != NULL};
	struct fl_interface_link links[N_LINKS];
	struct fl_interface_address addresses[N_ADDRESSES];
	struct fl_interface_facts facts = facts_of(&start, links, addresses);

	request.public_ip = public_ip;
	request.ipv4 = mode != V6;
	request.ipv6 = mode != V4;
	facts.default_ifindex = facts.default6_ifindex = 2;
	if (!before->ifindex)
		cr_assert_eq(fl_interface_select(&request, &facts, before, NULL), 0);
	facts = facts_of(now, links, addresses);
	facts.default_ifindex = 3;
	return fl_interface_follow(&request, &facts, before, underlay, error);
}

Test(interface_follow, changes)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_underlay before = {.ifindex = 0}, underlay = {.ifindex = 12345};
		char text[FL_UNDERLAY_CHANGE_STRLEN];
		int r = follow(cases[i].mode, cases[i].interface, cases[i].public_ip, &cases[i].now, &before, &underlay,
			       &error);

		if (!cases[i].change) {
			cr_expect(r == -ENODEV || r == -ENETDOWN, "case %zu: %d", i, r);
			cr_expect_eq(underlay.ifindex, 12345u, "case %zu", i);
			cr_expect(flannel_error_is_retryable(error), "case %zu", i);
		} else {
			cr_assert_eq(r, 0, "case %zu: %s", i, flannel_error_get_message(error));
			cr_expect_eq(fl_underlay_format_change(&before, &underlay, text, sizeof(text)),
				     *cases[i].change != 0, "case %zu", i);
			cr_expect_str_eq(text, cases[i].change, "case %zu: %s", i, text);
			cr_expect_str_eq(underlay.reason, before.reason, "case %zu", i);
			cr_expect_eq(fl_underlay_check(&underlay, &error), cases[i].error ? -ENETDOWN : 0, "case %zu",
				     i);
		}
		cr_expect(strstr(flannel_error_get_message(error), cases[i].error ? cases[i].error : ""),
			  "case %zu: %s", i, flannel_error_get_message(error));
	}
}

/* what peers are told follows, unless the operator said what */
Test(interface_follow, advertised)
{
	const struct scene now = {{{"eth0", 2, 1500, 0}}, {{2, "192.0.2.9/24", PERM}, {2, "2001:db8::9/64", PERM}}};
	struct fl_underlay before = {.ifindex = 0}, underlay;
	char text[FLANNEL_PREFIX_STRLEN];

	cr_assert_eq(follow(DUAL, "eth0", NULL, &now, &before, &underlay, NULL), 0);
	cr_expect_str_eq(flannel_prefix_format(&underlay.public_ip, text, sizeof(text)), "192.0.2.9/32");
	cr_expect_str_eq(flannel_prefix_format(&underlay.public_ip6, text, sizeof(text)), "2001:db8::9/128");
	before.ifindex = 0;
	cr_assert_eq(follow(DUAL, "eth0", "203.0.113.1", &now, &before, &underlay, NULL), 0);
	cr_expect_str_eq(flannel_prefix_format(&underlay.public_ip, text, sizeof(text)), "203.0.113.1/32");
	cr_expect_str_eq(flannel_prefix_format(&underlay.public_ip6, text, sizeof(text)), "2001:db8::9/128");
}

/* a link-local address gives way as soon as there is another, and not the other way round */
Test(interface_follow, link_local_gives_way)
{
	const struct scene only = {{{"eth0", 2, 1500, 0}}, {{2, "fe80::5/64", PERM}}};
	const struct scene both = {{{"eth0", 2, 1500, 0}}, {{2, "fe80::5/64", PERM}, {2, "2001:db8::7/64", 0}}};
	struct fl_underlay before = {.name = "eth0", .ifindex = 2, .mtu = 1500}, lowly, better, same;
	char text[FLANNEL_PREFIX_STRLEN];

	cr_assert_eq(flannel_prefix_parse("fe80::5/64", &before.address6), 0);
	cr_assert_eq(follow(V6, "eth0", NULL, &only, &before, &lowly, NULL), 0);
	cr_expect_str_eq(flannel_prefix_format(&lowly.address6, text, sizeof(text)), "fe80::5/64");
	cr_assert_eq(follow(V6, "eth0", NULL, &both, &lowly, &better, NULL), 0);
	cr_expect_str_eq(flannel_prefix_format(&better.address6, text, sizeof(text)), "2001:db8::7/64");
	cr_assert_eq(follow(V6, "eth0", NULL, &both, &better, &same, NULL), 0);
	cr_expect_str_eq(flannel_prefix_format(&same.address6, text, sizeof(text)), "2001:db8::7/64");
}

/* a short buffer is no trouble */
Test(interface_follow, text_is_cut_off)
{
	struct fl_underlay before = {.name = "eth0", .ifindex = 2, .mtu = 1500}, now = before;
	char text[12];

	now.mtu = 1400;
	cr_expect(fl_underlay_format_change(&before, &now, text, sizeof(text)));
	cr_expect_str_eq(text, "eth0: MTU 1");
}
