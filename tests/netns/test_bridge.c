/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Bridges, veth pairs and their end, by the public calls. */

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>

#include <flannel/link.h>

#include "sandbox.h"

#include "pod.h"

/* ensures a bridge and returns what the call did */
static int ensure_bridge(struct pod_fixture *fixture, const struct flannel_bridge_options *options,
			 struct flannel_link *link)
{
	struct flannel_error *error = NULL;
	int r = flannel_bridge_ensure(fixture->context, options, link, &error);

	sandbox_assert_ok(r, error);
	return r;
}

Test(bridge, is_made_and_found_again)
{
	for (unsigned int mode = 0; mode < POD_MODES; mode++) {
		struct flannel_prefix addresses[] = {sandbox_prefix("10.244.1.1/24"), sandbox_prefix("fd00:1::1/64")};
		struct flannel_bridge_options options = {.size = sizeof(options), .name = "br7", .mtu = 1400};
		struct flannel_link link = {.size = sizeof(link)};
		struct pod_fixture fixture;

		pod_open(&fixture, mode);
		pod_snapshot(&fixture, "before");
		cr_expect_eq(ensure_bridge(&fixture, &options, &link), 1);
		cr_expect_eq(link.mtu, 1400);
		cr_expect_str_eq(link.name, "br7");
		sandbox_expect(link.mac, "%s ip -j link show br7 | jq -r '.[0].address'", fixture.node);
		sandbox_expect("bridge 1400 true",
			       "%s ip -j -d link show br7 | jq -r '.[0] | \"\\(.linkinfo.info_kind) \\(.mtu) "
			       "\\(.flags | index(\"UP\") != null)\"'",
			       fixture.node);
		sandbox_expect("0", "%s cat /proc/sys/net/ipv6/conf/br7/accept_ra", fixture.node);
		cr_expect_eq(ensure_bridge(&fixture, &options, NULL), 0, "it was there");

		options.addresses = addresses;
		options.n_addresses = 2;
		cr_expect_eq(ensure_bridge(&fixture, &options, NULL), 1);
		cr_expect_eq(ensure_bridge(&fixture, &options, NULL), 0);
		sandbox_expect("10.244.1.1/24 10.244.1.255",
			       "%s ip -j -4 addr show br7 | jq -r '.[0].addr_info[] | \"\\(.local)/"
			       "\\(.prefixlen) \\(.broadcast)\"'",
			       fixture.node);
		options.promiscuous = 1;
		cr_expect_eq(ensure_bridge(&fixture, &options, NULL), 1);
		cr_expect_eq(ensure_bridge(&fixture, &options, NULL), 0);
		options.promiscuous = 0;
		options.mtu = 1300;
		cr_expect_eq(ensure_bridge(&fixture, &options, &link), 0, "an existing one keeps both");
		cr_expect_eq(link.mtu, 1400);
		sandbox_run("%s ip link set br7 down", fixture.node);
		cr_expect_eq(ensure_bridge(&fixture, &options, NULL), 1, "set up again");
		cr_expect_eq(flannel_link_remove(fixture.context, "br7", NULL), 1);
		cr_expect_eq(flannel_link_remove(fixture.context, "br7", NULL), 0);
		pod_snapshot(&fixture, "after");
		pod_expect_unchanged(&fixture, "before", "after", "node");
		pod_expect_unchanged(&fixture, "before", "after", "caller");
		pod_close(&fixture);
	}
}

/* with an address of its own a bridge keeps its MAC address, whatever ports come; without, it does not */
Test(bridge, mac_is_pinned_with_an_address)
{
	struct flannel_prefix address = sandbox_prefix("10.244.1.1/24");
	struct flannel_bridge_options options = {.size = sizeof(options), .name = "br7", .addresses = &address};
	struct flannel_link link = {.size = sizeof(link)};
	struct pod_fixture fixture;

	for (size_t n = 0; n <= 1; n++) {
		pod_open(&fixture, 0);
		options.n_addresses = n;
		ensure_bridge(&fixture, &options, &link);
		sandbox_run("ip link add low type veth peer name low1 && ip link set low address 02:00:00:00:00:01 && "
			    "ip link set low master br7");
		sandbox_expect(n ? link.mac : "02:00:00:00:00:01", "ip -j link show br7 | jq -r '.[0].address'");
		pod_close(&fixture);
	}
}

/* found by its other name, the right settings are written all the same */
Test(bridge, alternative_name)
{
	struct flannel_bridge_options options = {.size = sizeof(options), .name = "other"};
	struct flannel_link link = {.size = sizeof(link)};
	struct pod_fixture fixture;

	pod_open(&fixture, 0);
	sandbox_run("ip link add br7 type bridge && ip link property add dev br7 altname other");
	cr_expect_eq(ensure_bridge(&fixture, &options, &link), 1);
	cr_expect_str_eq(link.name, "br7");
	sandbox_expect("0", "cat /proc/sys/net/ipv6/conf/br7/accept_ra");
	pod_close(&fixture);
}

Test(bridge, failures_leave_nothing)
{
	static const struct {
		const char *before;
		const char *addresses[2];
		int force;
		uint32_t mtu;
		int code;
		const char *part;
	} cases[] = {
		{"ip link add br7 type veth peer name x", {"10.244.1.1/24"}, 0, 0, -EEXIST, "veth"},
		{"true", {"10.244.1.1/24"}, 0, 20, -EINVAL, "br7"},
		{"ip link add br7 type bridge; ip addr add 10.9.0.1/16 brd + dev br7",
		 {"10.244.1.1/24"},
		 0,
		 0,
		 -EEXIST,
		 "10.9.0.1/16"},
		{"ip link add br7 type bridge; ip addr add fd00::9/16 dev br7 nodad",
		 {"fd00:1::1/64"},
		 0,
		 0,
		 -EEXIST,
		 "fd00::9/16"},
		{"true", {"10.244.1.1/24", "10.244.2.1/24"}, 0, 0, -EEXIST, "10.244.1.1/24"},
		{"ip link add br7 type bridge; ip addr add 10.9.0.1/16 brd + dev br7",
		 {"10.244.1.1/24", "ff02::1/64"},
		 1,
		 0,
		 0,
		 "ff02::1/64"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix addresses[2] = {0};
		struct flannel_bridge_options options = {
			.size = sizeof(options), .name = "br7", .addresses = addresses};
		struct flannel_error *error = NULL;
		struct pod_fixture fixture;
		int r;

		pod_open(&fixture, (unsigned int)i % POD_MODES);
		sandbox_run("%s sh -c '%s'", fixture.node, cases[i].before);
		pod_snapshot(&fixture, "before");
		for (; options.n_addresses < 2 && cases[i].addresses[options.n_addresses]; options.n_addresses++)
			addresses[options.n_addresses] = sandbox_prefix(cases[i].addresses[options.n_addresses]);
		options.force_address = cases[i].force;
		options.mtu = cases[i].mtu;
		r = flannel_bridge_ensure(fixture.context, &options, NULL, &error);
		cr_expect_lt(r, 0, "case %zu", i);
		sandbox_expect_error(&error, cases[i].code ? cases[i].code : r, cases[i].part);
		pod_snapshot(&fixture, "after");
		pod_expect_unchanged(&fixture, "before", "after", "node");
		pod_close(&fixture);
	}
}

/* what is in the way goes, what is not stays */
Test(bridge, force_address)
{
	struct flannel_prefix addresses[] = {sandbox_prefix("10.244.1.1/24"), sandbox_prefix("fd00:1::1/64")};
	struct flannel_bridge_options options = {
		.size = sizeof(options), .name = "br7", .addresses = addresses, .n_addresses = 2};
	struct pod_fixture fixture;

	pod_open(&fixture, 1);
	sandbox_run("ip link add br7 type bridge && ip addr add 10.244.1.9/24 dev br7 && ip addr add 10.244.1.10/24 "
		    "dev br7 && "
		    "ip addr add 172.16.0.1/16 dev br7 && ip addr add fd00:1::9/64 dev br7 nodad && ip addr add "
		    "fd00:2::9/64 dev br7 "
		    "nodad");
	options.force_address = 1;
	cr_expect_eq(ensure_bridge(&fixture, &options, NULL), 1);
	cr_expect_eq(ensure_bridge(&fixture, &options, NULL), 0);
	sandbox_expect("10.244.1.1\nfd00:1::1\nfd00:2::9",
		       "ip -j addr show br7 scope global | jq -r '.[0].addr_info[] | select(.local).local' | sort");
	pod_close(&fixture);
}

Test(veth, is_made_and_found_again)
{
	for (unsigned int mode = 0; mode < POD_MODES; mode++) {
		struct flannel_bridge_options bridge = {.size = sizeof(bridge), .name = "br7"};
		struct flannel_veth_options options = {.size = sizeof(options), .peer_name = "eth0", .bridge = "br7"};
		struct flannel_link link = {.size = sizeof(link)}, again = {.size = sizeof(again)};
		struct flannel_error *error = NULL;
		struct pod_fixture fixture;
		int r;

		pod_open(&fixture, mode);
		ensure_bridge(&fixture, &bridge, NULL);
		options.peer_netns_fd = fixture.pod_fd;
		options.peer_mac = "02:11:22:33:44:55";
		options.mtu = 1400;
		options.hairpin = 1;
		options.isolated = 1;
		r = flannel_veth_ensure(fixture.context, &options, &link, &error);
		sandbox_assert_ok(r, error);
		cr_expect_eq(r, 1);
		cr_expect_eq(strncmp(link.name, "veth", 4), 0);
		cr_expect_eq(link.mtu, 1400);
		sandbox_expect("br7 true true 1 1",
			       "%s ip -j -d link show %s | jq -r '.[0] | [.master, (.linkinfo.info_slave_data | "
			       ".hairpin, .isolated), .num_tx_queues, .num_rx_queues] | map(tostring) | "
			       "join(\" \")'",
			       fixture.node, link.name);
		sandbox_expect("02:11:22:33:44:55 1400",
			       "%s ip -j link show eth0 | jq -r '.[0] | \"\\(.address) \\(.mtu)\"'", fixture.pod);
		cr_expect_eq(flannel_veth_ensure(fixture.context, &options, &again, &error), 0);
		cr_expect_eq(again.ifindex, link.ifindex);
		cr_expect_str_eq(again.mac, link.mac);
		cr_expect_eq(flannel_link_remove(fixture.context, link.name, NULL), 1);
		sandbox_expect("lo", "%s ip -j link | jq -r '.[].ifname'", fixture.pod);

		options = (struct flannel_veth_options){.size = sizeof(options), .peer_name = "net0", .name = "mine0"};
		options.peer_netns_fd = fixture.pod_fd;
		cr_expect_eq(flannel_veth_ensure(fixture.context, &options, &link, &error), 1);
		cr_expect_str_eq(link.name, "mine0");
		cr_expect_eq(flannel_veth_ensure(fixture.context, &options, NULL, &error), 0);
		pod_close(&fixture);
	}
}

Test(veth, failures_leave_nothing)
{
	static const struct {
		const char *node, *pod; /* what is there before */
		const char *name, *bridge;
		uint32_t mtu;
		int code;
		const char *part;
	} cases[] = {
		{"true", "ip link add eth0 type bridge", NULL, NULL, 0, -EEXIST, "eth0"},
		{"true", "ip link add eth0 type veth peer name x", NULL, NULL, 0, -EEXIST, "eth0"},
		{"ip link add mine0 type bridge", "true", "mine0", NULL, 0, -EEXIST, "mine0"},
		{"true", "true", NULL, "br7", 0, -ENODEV, "br7"},
		{"ip link add br7 type veth peer name x", "true", NULL, "br7", 0, -ENODEV, "br7"},
		{"ip link add br7 type bridge", "true", NULL, "br7", 20, -EINVAL, "eth0"},
		{"ip link add br7 type bridge; ip link add br8 type bridge; ip link add mine0 type veth peer name eth0 "
		 "netns POD; "
		 "ip link set mine0 master br8",
		 "true", NULL, "br7", 0, -EEXIST, "eth0"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_veth_options options = {.size = sizeof(options), .peer_name = "eth0"};
		struct flannel_error *error = NULL;
		struct pod_fixture fixture;
		char command[512], *pod;

		pod_open(&fixture, (unsigned int)i % POD_MODES);
		snprintf(command, sizeof(command), "%s", cases[i].node);
		pod = strstr(command, "POD");
		if (pod)
			snprintf(pod, sizeof(command) - (size_t)(pod - command), "/proc/%d/fd/%d%s", (int)getpid(),
				 fixture.pod_fd, strstr(cases[i].node, "POD") + 3);
		sandbox_run("%s sh -c '%s'", fixture.node, command);
		sandbox_run("%s sh -c '%s'", fixture.pod, cases[i].pod);
		pod_snapshot(&fixture, "before");
		options.peer_netns_fd = fixture.pod_fd;
		options.name = cases[i].name;
		options.bridge = cases[i].bridge;
		options.mtu = cases[i].mtu;
		cr_expect_eq(flannel_veth_ensure(fixture.context, &options, NULL, &error), cases[i].code, "case %zu",
			     i);
		sandbox_expect_error(&error, cases[i].code, cases[i].part);
		pod_snapshot(&fixture, "after");
		pod_expect_unchanged(&fixture, "before", "after", "node");
		pod_expect_unchanged(&fixture, "before", "after", "pod");
		pod_close(&fixture);
	}
}

Test(link, remove)
{
	struct flannel_error *error = NULL;
	struct pod_fixture fixture;

	pod_open(&fixture, 2);
	cr_expect_eq(flannel_link_remove(fixture.context, "none", &error), 0);
	cr_expect_eq(flannel_link_remove(fixture.context, "lo", &error), -EOPNOTSUPP);
	sandbox_expect_error(&error, -EOPNOTSUPP, "lo");
	sandbox_run("ip link add br7 type bridge");
	cr_expect_eq(flannel_link_remove(fixture.context, "br7", &error), 0, "that is the caller's");
	sandbox_run("ip link del br7");
	pod_close(&fixture);
}
