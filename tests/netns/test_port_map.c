/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls about port mappings, in a namespace of the test's own, looked at by nft(8). What packets make of the table is in
 * tests/e2e/cni/ports.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

#include <flannel/context.h>
#include <flannel/port_map.h>

#include "nft_listing.h"
#include "sandbox.h"
#include "sys/conntrack.h"

#define TABLE "inet cni-portmap-1"

static struct flannel_context *context;

static void set_up(void)
{
	const struct flannel_context_options options = {
		.size = sizeof(options), .flags = FLANNEL_CONTEXT_SINGLE_THREADED, .nft_helper = TEST_NFT_HELPER};

	sandbox_enter();
	cr_assert_eq(flannel_context_new(&context, &options, NULL), 0);
}

static void tear_down(void)
{
	flannel_context_unref(context);
}

TestSuite(port_map, .init = set_up, .fini = tear_down);

static const struct flannel_attachment_id one = {.size = sizeof(one), .container_id = "one", .ifname = "eth0"};
static const struct flannel_attachment_id two = {.size = sizeof(two), .container_id = "two", .ifname = "eth0"};

/* a mapping for all addresses */
static struct flannel_port_mapping mapping(int protocol, uint16_t host_port, uint16_t container_port)
{
	return (struct flannel_port_mapping){.size = sizeof(struct flannel_port_mapping),
					     .protocol = protocol,
					     .host_port = host_port,
					     .container_port = container_port};
}

/* what most tests map: one port of a container with an IPv4 address */
static struct flannel_port_map_options options_of(const struct flannel_attachment_id *attachment,
						  const struct flannel_port_mapping *mappings, size_t n_mappings)
{
	return (struct flannel_port_map_options){.size = sizeof(struct flannel_port_map_options),
						 .network = "n1",
						 .attachment = attachment,
						 .mappings = mappings,
						 .n_mappings = n_mappings,
						 .ipv4 = sandbox_prefix("10.1.0.2/24"),
						 .flags = FLANNEL_PORT_MAP_SNAT};
}

/* elements in the table that are not on their way out */
static void expect_elements(const char *expected)
{
	sandbox_expect(expected,
		       "nft -j list table " TABLE " | jq '[.nftables[] | (.map // .set // {}).elem // [] | .[]"
		       " | if type == \"array\" then .[0] else . end | .elem | select(.expires > 0)] | length'");
}

/* compares the rules of a chain, as nft writes them */
static void expect_chain(const char *table, const char *chain, const char *expected)
{
	sandbox_expect(expected, "nft list chain %s %s | grep -v '^table\\|chain\\|}' | sed 's/^\t*//'", table, chain);
}

Test(port_map, the_table)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct flannel_port_mapping tcp = mapping(IPPROTO_TCP, 8080, 80);
	struct flannel_port_map_options options = options_of(&one, &tcp, 1);

	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	expect_chain(TABLE, "ports",
		     "dnat ip to ip daddr . meta l4proto . th dport map @host-address4:"
		     "ip daddr . meta l4proto . th dport map @host-port4\n"
		     "meta nfproto ipv4 dnat ip to meta l4proto . th dport map @address4:"
		     "meta l4proto . th dport map @port4\n"
		     "dnat ip6 to ip6 daddr . meta l4proto . th dport map @host-address6:"
		     "ip6 daddr . meta l4proto . th dport map @host-port6\n"
		     "meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @address6:"
		     "meta l4proto . th dport map @port6");
	expect_chain(TABLE, "prerouting",
		     "type nat hook prerouting priority dstnat; policy accept;\n"
		     "meta nfproto ipv4 fib daddr type local jump ports\n"
		     "meta nfproto ipv6 fib daddr type local jump ports");
	expect_chain(TABLE, "output",
		     "type nat hook output priority -100; policy accept;\n"
		     "meta nfproto ipv4 fib daddr type local jump ports\n"
		     "meta nfproto ipv6 fib daddr type local jump ports");
	expect_chain(TABLE, "forward",
		     "type filter hook forward priority filter; policy accept;\n"
		     "ct status dnat ip daddr . ip daddr @hairpin4 fib daddr . iif oif != 0 meta mark set meta mark | "
		     "0x00002000\n"
		     "ct status dnat ip6 daddr . ip6 daddr @hairpin6 fib daddr . iif oif != 0 meta mark set meta mark "
		     "| 0x00002000");
	expect_chain(TABLE, "postrouting",
		     "type nat hook postrouting priority srcnat; policy accept;\n"
		     "ct status dnat ip saddr . ip daddr @hairpin4 masquerade\n"
		     "ct status dnat ip daddr @all4 masquerade\n"
		     "ct status dnat ip6 saddr . ip6 daddr @hairpin6 masquerade\n"
		     "ct status dnat ip6 daddr @all6 masquerade\n"
		     "ct status dnat meta mark & 0x00002000 == 0x00002000 masquerade");
	expect_elements("4");
}

Test(port_map, conditions_make_a_table)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct flannel_port_mapping tcp = mapping(IPPROTO_TCP, 8080, 80);
	struct flannel_port_map_options options = options_of(&one, &tcp, 1);
	const char *const ipv4[] = {"ip saddr != 192.0.2.0/24", "iifname", "eth0"};
	const char *const same[] = {"!", "-s", "192.0.2.7/24", "-i", "eth0"};
	const char *const ipv6[] = {"ip6", "daddr", "2001:db8::1"};

	options.conditions_ipv4 = ipv4;
	options.n_conditions_ipv4 = 3;
	options.conditions_ipv6 = ipv6;
	options.n_conditions_ipv6 = 3;
	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	/* the same in the other language: the same table */
	options.conditions_ipv4 = same;
	options.n_conditions_ipv4 = 5;
	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	sandbox_expect("1", "nft list tables | grep -c cni-portmap-1-");
	expect_chain("$(nft list tables | sed 's/^table //')", "prerouting",
		     "type nat hook prerouting priority dstnat; policy accept;\n"
		     "ip saddr != 192.0.2.0/24 iifname \"eth0\" fib daddr type local jump ports\n"
		     "ip6 daddr 2001:db8::1 fib daddr type local jump ports");
}

Test(port_map, bad_arguments)
{
	struct flannel_error *error = NULL;
	struct flannel_port_mapping bad[2] = {mapping(IPPROTO_TCP, 8080, 80), mapping(IPPROTO_TCP, 8080, 81)};
	struct flannel_port_map_options options = options_of(&one, bad, 2);
	const struct flannel_attachment_id nobody = {.size = sizeof(nobody), .container_id = "", .ifname = "eth0"};
	const char *const words[] = {"ct", "state", "new"};

	cr_expect_eq(flannel_port_map_ensure(NULL, &options, &error), -EINVAL);
	error = flannel_error_unref(error);
	cr_expect_eq(flannel_port_map_ensure(context, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_port_map_remove(context, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_port_map_check(NULL, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_port_map_collect(context, NULL, NULL, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_port_map_collect(context, "n1", NULL, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_port_map_collect(context, "n1", &nobody, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_port_map_remove_former(context, "", NULL, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_port_map_probe(NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_port_map_ensure(context, &options, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "host port tcp 8080 leads to two ports");
	bad[1] = mapping(IPPROTO_ICMP, 1, 1);
	cr_expect_eq(flannel_port_map_ensure(context, &options, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "port mapping 1");
	bad[1] = mapping(IPPROTO_TCP, 1, 0);
	cr_expect_eq(flannel_port_map_ensure(context, &options, NULL), -EINVAL);
	bad[1] = mapping(IPPROTO_TCP, 1, 1);
	bad[1].host_address = sandbox_prefix("192.0.2.0/24");
	cr_expect_eq(flannel_port_map_ensure(context, &options, NULL), -EINVAL);
	bad[1] = bad[0];
	options.flags = 64;
	cr_expect_eq(flannel_port_map_ensure(context, &options, NULL), -EINVAL);
	options = options_of(&nobody, bad, 2);
	cr_expect_eq(flannel_port_map_ensure(context, &options, NULL), -EINVAL);
	options = options_of(&one, bad, 2);
	options.ipv6 = options.ipv4;
	cr_expect_eq(flannel_port_map_ensure(context, &options, NULL), -EINVAL);
	options = options_of(&one, bad, 2);
	options.conditions_ipv4 = words;
	options.n_conditions_ipv4 = 3;
	cr_expect_eq(flannel_port_map_ensure(context, &options, &error), -EOPNOTSUPP);
	sandbox_expect_error(&error, -EOPNOTSUPP, "conditionsV4 has \"ct\"");
	sandbox_expect("", "nft list ruleset");
	/* the same mapping twice is one */
	options = options_of(&one, bad, 2);
	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	expect_elements("4");
}

/* an attachment's mappings come and go; another one's stay, and so do those of another network */
Test(port_map, owners)
{
	struct flannel_error *error = NULL;
	const struct flannel_port_mapping first = mapping(IPPROTO_TCP, 8080, 80),
					  second = mapping(IPPROTO_UDP, 8080, 80);
	struct flannel_port_map_options a = options_of(&one, &first, 1), b = options_of(&two, &second, 1), other = a;

	b.ipv4 = sandbox_prefix("10.1.0.3");
	sandbox_assert_ok(flannel_port_map_ensure(context, &a, &error), error);
	sandbox_assert_ok(flannel_port_map_ensure(context, &b, &error), error);
	expect_elements("8");
	/* the same container's id in another network is another owner */
	other.network = "n2";
	other.ipv4 = sandbox_prefix("10.9.0.9");
	cr_expect_eq(flannel_port_map_ensure(context, &other, &error), -EADDRINUSE);
	sandbox_expect_error(&error, -EADDRINUSE, "host port tcp 8080 is mapped to 10.1.0.2 for one/eth0 already");
	cr_expect_eq(flannel_port_map_check(context, &other, &error), -EADDRINUSE);
	sandbox_expect_error(&error, -EADDRINUSE, "belongs to one/eth0");
	cr_expect_eq(flannel_port_map_remove(context, &other, &error), 0, "%s", flannel_error_get_message(error));
	expect_elements("8");
	sandbox_assert_ok(flannel_port_map_check(context, &a, &error), error);
	cr_expect_eq(flannel_port_map_remove(context, &a, &error), 4);
	expect_elements("4");
	cr_expect_eq(flannel_port_map_check(context, &a, &error), -ENOENT);
	sandbox_expect_error(&error, -ENOENT, "host port tcp 8080 is not set");
	cr_expect_eq(flannel_port_map_remove(context, &a, &error), 0);
	cr_expect_eq(flannel_port_map_collect(context, "n2", NULL, 0, &error), 0);
	cr_expect_eq(flannel_port_map_collect(context, "n1", &two, 1, &error), 0);
	expect_elements("4");
	cr_expect_eq(flannel_port_map_collect(context, "n1", &one, 1, &error), 4);
	expect_elements("0");
	cr_expect_null(error);
}

/* elements that nobody owns are somebody's all the same */
Test(port_map, strangers)
{
	struct flannel_error *error = NULL;
	const struct flannel_port_mapping tcp = mapping(IPPROTO_TCP, 8080, 80);
	struct flannel_port_map_options options = options_of(&one, &tcp, 1);

	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	cr_expect_eq(flannel_port_map_remove(context, &options, &error), 4);
	sandbox_run("nft flush map " TABLE " address4; nft add element " TABLE " address4 '{ tcp . 8080 : 10.7.7.7 }'");
	cr_expect_eq(flannel_port_map_ensure(context, &options, &error), -EADDRINUSE);
	sandbox_expect_error(&error, -EADDRINUSE, "mapped to 10.7.7.7 for another program");
	sandbox_expect("1", "nft list map " TABLE " address4 | grep -c 10.7.7.7");
	cr_expect_eq(flannel_port_map_collect(context, "n1", NULL, 0, &error), 0);
	sandbox_expect("1", "nft list map " TABLE " address4 | grep -c 10.7.7.7");
}

/* a mapping that is not among those of the request, and one in a table of other conditions */
Test(port_map, removal_looks_everywhere_when_something_is_missing)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct flannel_port_mapping mappings[3] = {mapping(IPPROTO_TCP, 8080, 80), mapping(IPPROTO_TCP, 8081, 81),
							 mapping(IPPROTO_TCP, 8082, 82)};
	struct flannel_port_map_options options = options_of(&one, mappings, 2);
	const char *const words[] = {"-s", "192.0.2.1"};

	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	options.conditions_ipv4 = words;
	options.n_conditions_ipv4 = 2;
	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	options = options_of(&one, mappings + 1, 2);
	cr_expect_eq(flannel_port_map_remove(context, &options, &error), 12, "%s", flannel_error_get_message(error));
	expect_elements("0");
	options = options_of(&one, NULL, 0);
	cr_expect_eq(flannel_port_map_ensure(context, &options, &error), 0);
	cr_expect_eq(flannel_port_map_remove(context, &options, &error), 0);
	cr_expect_eq(flannel_port_map_check(context, &options, &error), 0);
}

/* the same owner's element that leads elsewhere is replaced; the whole table made by another process meanwhile is no failure */
Test(port_map, moved)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct flannel_port_mapping before = mapping(IPPROTO_TCP, 8080, 80),
					  after = mapping(IPPROTO_TCP, 8080, 81);
	struct flannel_port_map_options options = options_of(&one, &before, 1);

	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	options.mappings = &after;
	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	sandbox_assert_ok(flannel_port_map_check(context, &options, &error), error);
	expect_elements("4");
	sandbox_expect("1", "nft list map " TABLE " port4 | grep -c 'tcp . 8080.*: 81'");
}

/* route_localnet of the link towards the container, and a failure that takes the mappings back */
Test(port_map, localhost)
{
	struct flannel_error *error = NULL;
	const struct flannel_port_mapping tcp = mapping(IPPROTO_TCP, 8080, 80);
	struct flannel_port_map_options options = options_of(&one, &tcp, 1);

	sandbox_run("ip link add br0 type bridge; ip link set br0 up; ip addr add 10.1.0.1/24 dev br0");
	options.flags = 0;
	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	sandbox_expect("0", "cat /proc/sys/net/ipv4/conf/br0/route_localnet");
	expect_elements("2");
	options.flags = FLANNEL_PORT_MAP_SNAT;
	sandbox_assert_ok(flannel_port_map_ensure(context, &options, &error), error);
	sandbox_expect("1", "cat /proc/sys/net/ipv4/conf/br0/route_localnet");
	expect_elements("4");
	sandbox_run("echo 0 >/proc/sys/net/ipv4/conf/br0/route_localnet");
	/* settings that cannot be written */
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	sandbox_run("mount --make-rprivate /; mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys");
	cr_expect_eq(flannel_port_map_ensure(context, &options, &error), -EROFS, "%s",
		     flannel_error_get_message(error));
	sandbox_expect_error(&error, -EROFS, "route_localnet");
	expect_elements("0");
	sandbox_run("umount /proc/sys");
}

/* a tracked connection over UDP from 127.0.0.1 to a port of 127.0.0.1; sends a datagram and waits for it */
static void open_flow(const char *address, uint16_t port)
{
	struct sockaddr_storage storage = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
	int family = strchr(address, ':') ? AF_INET6 : AF_INET;
	int to = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), from = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd readable = {.fd = to, .events = POLLIN};
	socklen_t len = family == AF_INET ? sizeof(*v4) : sizeof(*v6);

	storage.ss_family = (sa_family_t)family;
	inet_pton(family, address, family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr);
	*(family == AF_INET ? &v4->sin_port : &v6->sin6_port) = htons(port);
	cr_assert_eq(bind(to, (struct sockaddr *)&storage, len), 0);
	cr_assert_eq(sendto(from, "x", 1, 0, (struct sockaddr *)&storage, len), 1);
	cr_assert_eq(poll(&readable, 1, 10000), 1);
	close(to);
	close(from);
}

/* how many connections the kernel tracks that were opened to a port */
static int count_flows(struct fl_rtnl *netfilter, int family, uint16_t port)
{
	/* asking is deleting; what it finds is the number */
	return fl_conntrack_forget_each(netfilter, family, IPPROTO_UDP, port, NULL);
}

Test(port_map, tracked_connections)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *netfilter = NULL;
	const struct {
		int family;
		const char *address;
	} cases[] = {{AF_INET, "127.0.0.1"}, {AF_INET6, "::1"}};

	/* a rule that looks at connections makes the kernel track them */
	sandbox_run("nft add table inet t; nft add chain inet t c '{ type filter hook output priority 0; }'; "
		    "nft add rule inet t c ct state new accept");
	sandbox_assert_ok(fl_rtnl_open_netfilter(-1, true, &netfilter, &error), error);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		int family = cases[i].family, other = family == AF_INET ? AF_INET6 : AF_INET;

		open_flow(cases[i].address, 5353);
		open_flow(cases[i].address, 5354);
		/* in one request, or one by one: the one port only, the one family only, the one protocol only */
		sandbox_assert_ok(fl_conntrack_forget(netfilter, other, IPPROTO_UDP, 5353, &error), error);
		sandbox_assert_ok(fl_conntrack_forget(netfilter, family, IPPROTO_TCP, 5353, &error), error);
		cr_expect_eq(count_flows(netfilter, family, 5353), 1);
		open_flow(cases[i].address, 5353);
		sandbox_assert_ok(fl_conntrack_forget(netfilter, family, IPPROTO_UDP, 5353, &error), error);
		cr_expect_eq(count_flows(netfilter, family, 5353), 0);
		cr_expect_eq(count_flows(netfilter, family, 5354), 1);
		cr_expect_eq(count_flows(netfilter, family, 5354), 0);
	}
}

Test(port_map, another_namespace)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct flannel_port_mapping tcp = mapping(IPPROTO_TCP, 8080, 80);
	struct flannel_port_map_options options = options_of(&one, &tcp, 1);
	int netns_fd = sandbox_new_netns(), n_fds;
	const struct flannel_context_options there = {
		.size = sizeof(there), .netns_fd = netns_fd, .nft_helper = TEST_NFT_HELPER};
	struct flannel_context *elsewhere;
	char in[64];

	n_fds = sandbox_count_fds();
	cr_assert_eq(flannel_context_new(&elsewhere, &there, NULL), 0);
	sandbox_run("%s ip link add br0 type bridge; %s ip link set br0 up; %s ip addr add 10.1.0.1/24 dev br0",
		    sandbox_in(netns_fd, in), in, in);
	sandbox_assert_ok(flannel_port_map_probe(elsewhere, &error), error);
	sandbox_assert_ok(flannel_port_map_ensure(elsewhere, &options, &error), error);
	sandbox_assert_ok(flannel_port_map_check(elsewhere, &options, &error), error);
	sandbox_expect("", "nft list tables");
	sandbox_expect("table " TABLE, "%s nft list tables", in);
	sandbox_expect("1", "%s cat /proc/sys/net/ipv4/conf/br0/route_localnet", in);
	cr_expect_eq(flannel_port_map_remove(elsewhere, &options, &error), 4);
	flannel_context_unref(elsewhere);
	cr_expect_eq(sandbox_count_fds(), n_fds);
	close(netns_fd);
}
