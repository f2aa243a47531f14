/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sandbox.h"
#include "sys/rtnl/address.h"
#include "sys/rtnl/link.h"

/* a socket in a namespace of this test's own, with a bridge br0 */
static struct fl_rtnl *enter(uint32_t *ret_ifindex)
{
	struct fl_rtnl *rtnl = NULL;

	sandbox_enter();
	sandbox_run("ip link add br0 type bridge && ip link set br0 up");
	cr_assert_eq(fl_rtnl_open(-1, true, &rtnl, NULL), 0);
	cr_assert_eq(fl_link_find_index(rtnl, "br0", ret_ifindex), 0);
	return rtnl;
}

Test(address, add_shows_up_and_delete_takes_it_away)
{
	static const struct {
		const char *address, *shown;
	} cases[] = {
		{"10.244.1.1/24", "inet 10.244.1.1 24 10.244.1.255 global"},
		{"10.244.77.1/20", "inet 10.244.77.1 20 10.244.79.255 global"},
		{"10.1.2.3/8", "inet 10.1.2.3 8 10.255.255.255 global"},
		{"10.244.1.1/30", "inet 10.244.1.1 30 10.244.1.3 global"},
		{"10.244.1.0/31", "inet 10.244.1.0 31 null global"},
		{"10.244.1.1/32", "inet 10.244.1.1 32 null global"},
		{"fd00:10:244:1::1/64", "inet6 fd00:10:244:1::1 64 null global"},
		{"fd00::1/128", "inet6 fd00::1 128 null global"},
	};
	uint32_t ifindex;
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter(&ifindex);

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix address = sandbox_prefix(cases[i].address);
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		static const char show[] =
			"ip -j addr show br0 | jq -r '.[].addr_info[] | select(.scope==\"global\") | "
			"\"\\(.family) \\(.local) \\(.prefixlen) \\(.broadcast) \\(.scope)\"'";
		int r = fl_address_add(rtnl, ifindex, &address, "br0", &error);

		sandbox_assert_ok(r, error);
		sandbox_expect(cases[i].shown, show);
		cr_expect_eq(fl_address_delete(rtnl, ifindex, &address, "br0", &error), 1);
		sandbox_expect("", show);
		cr_expect_eq(fl_address_delete(rtnl, ifindex, &address, "br0", &error), 0);
		cr_expect_null(error);
	}
}

Test(address, add_refuses)
{
	uint32_t ifindex;
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter(&ifindex);
	const struct {
		const char *address;
		uint32_t ifindex;
		int result;
		const char *part;
	} cases[] = {
		{"10.244.1.1/24", ifindex, -EEXIST, "add address 10.244.1.1/24 to br0: "},
		{"fd00::1/64", ifindex, -EEXIST, "add address fd00::1/64 to br0: "},
		{"10.244.1.1/24", 4711, -ENODEV, "add address 10.244.1.1/24 to br0: "},
		{"fd00::1/64", 4711, -ENODEV, "add address fd00::1/64 to br0: "},
		{"ff02::1/64", ifindex, -EADDRNOTAVAIL, "add address ff02::1/64 to br0: "},
	};

	sandbox_run("ip addr add 10.244.1.1/24 dev br0 && ip addr add fd00::1/64 dev br0");
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix address = sandbox_prefix(cases[i].address);
		struct flannel_error *error = NULL;
		int r = fl_address_add(rtnl, cases[i].ifindex, &address, "br0", &error);

		cr_expect_eq(r, cases[i].result, "%s: %d", cases[i].address, r);
		sandbox_expect_error(&error, cases[i].result, cases[i].part);
	}
}

Test(address, delete_hits_just_this_address)
{
	uint32_t ifindex;
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter(&ifindex);
	struct flannel_prefix other_length = sandbox_prefix("10.244.1.1/16"),
			      other_link = sandbox_prefix("10.9.0.1/24"), wanted = sandbox_prefix("10.244.1.1/24");

	sandbox_run("ip addr add 10.244.1.1/24 dev br0 && ip addr add 10.244.1.2/24 dev br0 && "
		    "ip link add br1 type bridge && ip addr add 10.9.0.1/24 dev br1");
	cr_expect_eq(fl_address_delete(rtnl, ifindex, &other_length, "br0", NULL), 0);
	cr_expect_eq(fl_address_delete(rtnl, ifindex, &other_link, "br0", NULL), 0);
	cr_expect_eq(fl_address_delete(rtnl, 4711, &wanted, "gone", NULL), 0);
	sandbox_expect("10.244.1.1 10.244.1.2 10.9.0.1",
		       "ip -j -4 addr | jq -r '[.[] | select(.ifname!=\"lo\") | .addr_info[].local] | join(\" \")'");
}

Test(address, list_filters_by_link_and_family)
{
	uint32_t ifindex;
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter(&ifindex);
	const struct {
		uint32_t ifindex;
		int family;
		const char *addresses;
	} cases[] = {
		{ifindex, AF_INET, "10.0.0.1/24 10.0.1.1/32 10.0.0.2/24"},
		{ifindex, AF_INET6, "fd00::1/64"},
		{ifindex, AF_UNSPEC, "10.0.0.1/24 10.0.1.1/32 10.0.0.2/24 fd00::1/64"},
		{ifindex + 1, AF_UNSPEC, "10.9.0.1/24"},
		{ifindex + 2, AF_UNSPEC, ""},
		{0, AF_INET, "127.0.0.1/8 10.0.0.1/24 10.0.1.1/32 10.0.0.2/24 10.9.0.1/24"},
		{0, AF_INET6, "::1/128 fd00::1/64"},
	};

	sandbox_run("ip link add br1 index %u type bridge && ip link add br2 index %u type bridge && "
		    "echo 1 >/proc/sys/net/ipv6/conf/br0/addr_gen_mode && ip link set br0 down && ip link set br0 up",
		    ifindex + 1, ifindex + 2);
	sandbox_run("ip addr add 10.0.0.1/24 dev br0 && ip addr add 10.0.0.2/24 dev br0 && "
		    "ip addr add 10.0.1.1 peer 10.0.1.2 dev br0 && ip addr add 10.9.0.1/24 dev br1 && "
		    "ip addr add fd00::1/64 dev br0 nodad");
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_freep) struct fl_interface_address *addresses = NULL;
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		char text[512] = "", one[FLANNEL_PREFIX_STRLEN];
		size_t n = 0;
		int r = fl_address_list(rtnl, cases[i].ifindex, cases[i].family, &addresses, &n, &error);

		sandbox_assert_ok(r, error);
		for (size_t k = 0; k < n; k++) {
			if (k > 0)
				strcat(text, " ");
			strcat(text, flannel_prefix_format(&addresses[k].address, one, sizeof(one)));
			cr_expect(cases[i].ifindex == 0 || addresses[k].ifindex == cases[i].ifindex);
		}
		cr_expect_str_eq(text, cases[i].addresses, "case %zu: %s", i, text);
	}
}

Test(address, list_of_no_link)
{
	uint32_t ifindex;
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter(&ifindex);
	struct fl_interface_address *addresses = NULL;
	struct flannel_error *error = NULL;
	size_t n = 77;

	cr_expect_eq(fl_address_list(rtnl, 4711, AF_UNSPEC, &addresses, &n, &error), -ENODEV);
	sandbox_expect_error(&error, -ENODEV, "list addresses: ");
	cr_expect_null(addresses);
	cr_expect_eq(n, 77);
}

Test(address, list_has_flags_and_scope)
{
	uint32_t ifindex;
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter(&ifindex);
	FL_CLEANUP(fl_freep) struct fl_interface_address *addresses = NULL;
	size_t n = 0;

	sandbox_run("ip addr add 10.0.0.1/24 dev br0 scope link && "
		    "ip addr add 10.0.1.2/24 dev br0 valid_lft 1000 preferred_lft 1000 noprefixroute");
	cr_assert_eq(fl_address_list(rtnl, ifindex, AF_INET, &addresses, &n, NULL), 0);
	cr_assert_eq(n, 2);
	cr_expect_eq(addresses[0].scope, RT_SCOPE_LINK);
	cr_expect_eq(addresses[0].flags, IFA_F_PERMANENT);
	cr_expect_eq(addresses[1].scope, RT_SCOPE_UNIVERSE);
	/* noprefixroute lies beyond the eight bits of the header */
	cr_expect_eq(addresses[1].flags, IFA_F_NOPREFIXROUTE);
}

Test(address, parse_refuses_malformed_messages)
{
	const struct {
		uint8_t family, plen;
		int len;
		int result;
	} cases[] = {
		{AF_INET, 24, 4, 0},           {AF_INET6, 64, 16, 0},       {AF_INET, 33, 4, -EBADMSG},
		{AF_INET6, 129, 16, -EBADMSG}, {AF_INET, 24, 16, -EBADMSG}, {AF_INET6, 64, 4, -EBADMSG},
		{AF_INET, 24, -1, -EBADMSG},   {AF_PACKET, 0, 4, -EBADMSG}, {AF_INET, 24, 0, -EBADMSG},
	};
	const uint8_t bytes[16] = {10};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		const struct ifaddrmsg header = {.ifa_family = cases[i].family, .ifa_prefixlen = cases[i].plen};
		FL_CLEANUP(fl_rtnl_message_freep)
		struct nl_msg *message = fl_rtnl_message(RTM_NEWADDR, 0, &header, sizeof(header));
		struct fl_interface_address address;

		if (cases[i].len >= 0)
			cr_assert_eq(nla_put(message, IFA_ADDRESS, cases[i].len, bytes), 0);
		cr_expect_eq(fl_address_parse(nlmsg_hdr(message), &address), cases[i].result, "case %zu", i);
	}
}
