/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules as packets feel them. Three namespaces: a pod (10.244.1.2) behind a node (10.244.1.1 towards the pod,
 * 192.0.2.1 and 198.51.100.1 towards the rest), and the outside, which is both the world (192.0.2.2) and a pod of
 * another node (10.244.2.2). Datagrams are sent by one and received by another of the sockets that the test has
 * opened in them; what counts is the source address they arrive with.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <flannel/context.h>
#include <flannel/masquerade.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "nft_listing.h"

#define RECEIVE_MS 5000
#define RESEND_MS 200
#define PORT 5353
#define MARKED_PORT 5354       /* gets mark 0x4000, kube-proxy's */
#define MORE_MARKED_PORT 5355  /* gets other bits beside it */
#define OTHER_MARKED_PORT 5356 /* gets other bits only */

/* the namespaces, by descriptor */
static struct lab {
	int pod, node, outside;
} lab;

/* makes a namespace and stays in it */
static int new_namespace(void)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root");
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* moves the test there */
static void go(int netns_fd)
{
	cr_assert_eq(setns(netns_fd, CLONE_NEWNET), 0);
}

/* runs shell commands in a namespace, in which the test then is */
static void run_in(int netns_fd, const char *commands)
{
	go(netns_fd);
	cr_assert_eq(system(commands), 0, "%s", commands);
}

/* makes a veth pair from the node to another namespace, in which its end is called eth0 */
static void connect_node(const char *name, int peer_fd)
{
	char command[200];

	snprintf(command, sizeof(command), "ip link add %s type veth peer name eth0 netns /proc/%d/fd/%d", name,
		 (int)getpid(), peer_fd);
	run_in(lab.node, command);
}

/* builds the three namespaces; nodad, so that IPv6 addresses can be used at once */
static void build_lab(void)
{
	lab.pod = new_namespace();
	lab.outside = new_namespace();
	lab.node = new_namespace();
	connect_node("topod", lab.pod);
	connect_node("eth0", lab.outside);
	run_in(lab.node, "ip link set lo up; ip link set topod up; ip link set eth0 up;"
			 "ip addr add 10.244.1.1/24 dev topod; ip addr add fd00:10:244:1::1/64 dev topod nodad;"
			 "ip addr add 192.0.2.1/24 dev eth0; ip addr add 2001:db8::1/64 dev eth0 nodad;"
			 "ip addr add 198.51.100.1/32 dev lo;"
			 "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding;"
			 "ip route add 10.244.2.0/24 via 192.0.2.2;"
			 "ip route add fd00:10:244:2::/64 via 2001:db8::2");
	run_in(lab.pod, "ip link set eth0 up;"
			"ip addr add 10.244.1.2/24 dev eth0; ip addr add fd00:10:244:1::2/64 dev eth0 nodad;"
			"ip route add default via 10.244.1.1; ip route add default via fd00:10:244:1::1");
	run_in(lab.outside, "ip link set lo up; ip link set eth0 up;"
			    "ip addr add 192.0.2.2/24 dev eth0; ip addr add 2001:db8::2/64 dev eth0 nodad;"
			    "ip addr add 10.244.2.2/32 dev lo; ip addr add fd00:10:244:2::2/128 dev lo nodad;"
			    "ip route add 10.244.1.0/24 via 192.0.2.1;"
			    "ip route add 198.51.100.1/32 via 192.0.2.1;"
			    "ip route add fd00:10:244:1::/64 via 2001:db8::1");
	go(lab.node);
}

static void tear_down_lab(void)
{
	close(lab.pod);
	close(lab.node);
	close(lab.outside);
}

TestSuite(masquerade, .init = build_lab, .fini = tear_down_lab);

/* address and port as the kernel wants them */
static socklen_t socket_address(const char *text, uint16_t port, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	cr_assert_eq(inet_pton(AF_INET, text, &v4->sin_addr), 1, "%s", text);
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	return sizeof(*v4);
}

/* a datagram socket in a namespace, bound; leaves the test in the node */
static int open_udp(int netns_fd, const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t len = socket_address(text, port, &address);
	int fd, on = 1;

	go(netns_fd);
	fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0, "bind %s", text);
	go(lab.node);
	return fd;
}

/* the port that a socket has */
static uint16_t port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	return ntohs(address.sin_port);
}

/* receives a datagram: the source address as text, and its port */
static const char *receive(int fd, char *text, size_t size, uint16_t *ret_port)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char byte;

	if (poll(&readable, 1, RECEIVE_MS) != 1)
		return "nothing came";
	cr_assert_eq(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&address, &len), 1);
	if (address.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr, text, (socklen_t)size);
		*ret_port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	} else {
		inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, text, (socklen_t)size);
		*ret_port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	}
	return text;
}

/* sends one datagram through new sockets and checks with which source it arrives; tells if the port was kept */
static bool expect_source(int from_netns, const char *from, int to_netns, const char *to, uint16_t port,
			  const char *source)
{
	FL_CLEANUP(fl_closep) int sender = open_udp(from_netns, from, 0);
	FL_CLEANUP(fl_closep) int receiver = open_udp(to_netns, to, port);
	struct sockaddr_storage address;
	socklen_t len = socket_address(to, port, &address);
	char text[INET6_ADDRSTRLEN];
	uint16_t source_port = 0;

	/* a datagram may be lost while links and neighbours settle: it is sent again until one arrives */
	for (int waited_ms = 0; waited_ms < RECEIVE_MS; waited_ms += RESEND_MS) {
		struct pollfd readable = {.fd = receiver, .events = POLLIN};

		cr_assert_eq(sendto(sender, "x", 1, 0, (struct sockaddr *)&address, len), 1, "%s to %s", from, to);
		if (poll(&readable, 1, RESEND_MS) == 1)
			break;
	}
	cr_expect_str_eq(receive(receiver, text, sizeof(text), &source_port), source, "%s to %s port %d", from, to,
			 port);
	return source_port == port_of(sender);
}

/* a context that works in the node, from anywhere */
static struct flannel_context *node_context(const char *helper)
{
	struct flannel_context_options options = {.size = sizeof(options), .netns_fd = lab.node, .nft_helper = helper};
	struct flannel_context *context = NULL;

	cr_assert_eq(flannel_context_new(&context, &options, NULL), 0);
	return context;
}

/* the rules of the lab's network */
static struct flannel_masquerade_options rules(bool ipv6, unsigned int flags)
{
	struct flannel_masquerade_options options = {.size = sizeof(options), .flags = flags};

	flannel_prefix_parse(ipv6 ? "fd00:10:244::/48" : "10.244.0.0/16", &options.network);
	flannel_prefix_parse(ipv6 ? "fd00:10:244:1::/64" : "10.244.1.0/24", &options.subnet);
	return options;
}

/* sets rules in the node, while the caller is elsewhere */
static void must_ensure(struct flannel_context *context, bool ipv6, unsigned int flags)
{
	struct flannel_masquerade_options options = rules(ipv6, flags);
	struct flannel_error *error = NULL;

	go(lab.pod);
	cr_assert_eq(flannel_masquerade_ensure(context, &options, &error), 0, "%s", flannel_error_get_message(error));
	go(lab.node);
}

/* one way through the lab: as it is without rules, and with them */
struct path {
	const char *from, *to, *source;
	uint16_t port;
	enum { POD_TO_OUTSIDE, OUTSIDE_TO_POD, NODE_TO_OUTSIDE } way;
};

static const struct path ipv4_paths[] = {
	{"10.244.1.2", "192.0.2.2", "192.0.2.1", PORT, POD_TO_OUTSIDE},       /* to the world */
	{"10.244.1.2", "10.244.2.2", "10.244.1.2", PORT, POD_TO_OUTSIDE},     /* to a pod elsewhere */
	{"10.244.2.2", "10.244.1.2", "10.244.2.2", PORT, OUTSIDE_TO_POD},     /* from a pod elsewhere */
	{"192.0.2.2", "10.244.1.2", "192.0.2.2", PORT, OUTSIDE_TO_POD},       /* from the world to our pod */
	{"198.51.100.1", "10.244.2.2", "192.0.2.1", PORT, NODE_TO_OUTSIDE},   /* from the world to another's pod */
	{"198.51.100.1", "192.0.2.2", "198.51.100.1", PORT, NODE_TO_OUTSIDE}, /* none of our business */
	{"10.244.1.2", "192.0.2.2", "10.244.1.2", MARKED_PORT, POD_TO_OUTSIDE},
	{"10.244.1.2", "192.0.2.2", "10.244.1.2", MORE_MARKED_PORT, POD_TO_OUTSIDE},
	{"10.244.1.2", "192.0.2.2", "192.0.2.1", OTHER_MARKED_PORT, POD_TO_OUTSIDE},
};

static const struct path ipv6_paths[] = {
	{"fd00:10:244:1::2", "2001:db8::2", "2001:db8::1", PORT, POD_TO_OUTSIDE},
	{"fd00:10:244:1::2", "fd00:10:244:2::2", "fd00:10:244:1::2", PORT, POD_TO_OUTSIDE},
	{"2001:db8::2", "fd00:10:244:1::2", "2001:db8::2", PORT, OUTSIDE_TO_POD},
	{"fd00:10:244:1::2", "2001:db8::2", "fd00:10:244:1::2", MARKED_PORT, POD_TO_OUTSIDE},
};

/* sends over a path; the source is what the rules make of it, or the sender's without rules */
static void expect_path(const struct path *path, bool with_rules)
{
	int from = path->way == POD_TO_OUTSIDE ? lab.pod : path->way == OUTSIDE_TO_POD ? lab.outside : lab.node;
	int to = path->way == OUTSIDE_TO_POD ? lab.pod : lab.outside;

	expect_source(from, path->from, to, path->to, path->port, with_rules ? path->source : path->from);
}

/* marks what goes to certain ports, as kube-proxy does for services */
static void mark_ports(void)
{
	run_in(lab.node, "nft 'add table inet marks;"
			 "add chain inet marks c { type filter hook prerouting priority 0; };"
			 "add rule inet marks c udp dport 5354 meta mark set 0x4000;"
			 "add rule inet marks c udp dport 5355 meta mark set 0x4001;"
			 "add rule inet marks c udp dport 5356 meta mark set 0x8001'");
}

Test(masquerade, sources_ipv4)
{
	struct flannel_context *context = node_context(TEST_NFT_HELPER);

	mark_ports();
	for (size_t i = 0; i < FL_N_ELEMENTS(ipv4_paths); i++)
		expect_path(&ipv4_paths[i], false);
	must_ensure(context, false, FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD);
	for (size_t i = 0; i < FL_N_ELEMENTS(ipv4_paths); i++)
		expect_path(&ipv4_paths[i], true);
	flannel_context_unref(context);
}

Test(masquerade, sources_ipv6)
{
	struct flannel_context *context = node_context(TEST_NFT_HELPER);

	mark_ports();
	for (size_t i = 0; i < FL_N_ELEMENTS(ipv6_paths); i++)
		expect_path(&ipv6_paths[i], false);
	must_ensure(context, true, FLANNEL_MASQUERADE_SNAT);
	for (size_t i = 0; i < FL_N_ELEMENTS(ipv6_paths); i++)
		expect_path(&ipv6_paths[i], true);
	flannel_context_unref(context);
}

/* the rules of the pod's range alone, in a table of that name */
static struct flannel_masquerade_options range_rules(bool ipv6, const char *table)
{
	struct flannel_masquerade_options options =
		rules(ipv6, FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_IF_MISSING);

	options.network = options.subnet;
	options.table = table;
	return options;
}

/* sets them in the node; the result says if they were missing */
static int must_ensure_range(struct flannel_context *context, bool ipv6, const char *table)
{
	struct flannel_masquerade_options options = range_rules(ipv6, table);
	struct flannel_error *error = NULL;
	int r = flannel_masquerade_ensure(context, &options, &error);

	cr_assert_geq(r, 0, "%s", flannel_error_get_message(error));
	return r;
}

/* what goes to a multicast group keeps the address of its sender */
static void expect_multicast(void)
{
	FL_CLEANUP(fl_closep) int receiver = open_udp(lab.outside, "0.0.0.0", PORT);
	FL_CLEANUP(fl_closep) int sender = open_udp(lab.node, "10.244.1.1", 0);
	struct ip_mreqn group = {.imr_ifindex = 0};
	struct sockaddr_storage address;
	socklen_t len = socket_address("239.1.2.3", PORT, &address);
	char text[INET6_ADDRSTRLEN];
	uint16_t port;

	inet_pton(AF_INET, "239.1.2.3", &group.imr_multiaddr);
	inet_pton(AF_INET, "192.0.2.2", &group.imr_address);
	cr_assert_eq(setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
	inet_pton(AF_INET, "192.0.2.1", &group.imr_address);
	cr_assert_eq(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)), 0);
	run_in(lab.outside, "echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter;"
			    "echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter");
	cr_assert_eq(sendto(sender, "x", 1, 0, (struct sockaddr *)&address, len), 1);
	cr_expect_str_eq(receive(receiver, text, sizeof(text), &port), "10.244.1.1");
}

Test(masquerade, multicast)
{
	struct flannel_context *context = node_context(TEST_NFT_HELPER);

	must_ensure(context, false, FLANNEL_MASQUERADE_SNAT);
	expect_multicast();
	flannel_context_unref(context);
}

/* one range is masqueraded towards everybody else, pods of other nodes too */
Test(masquerade, single_range)
{
	struct flannel_context *context = node_context(TEST_NFT_HELPER);

	mark_ports();
	cr_expect_eq(must_ensure_range(context, false, "range"), 1);
	cr_expect_eq(must_ensure_range(context, true, "range"), 1, "the other family has a table of its own");
	expect_source(lab.pod, "10.244.1.2", lab.outside, "192.0.2.2", PORT, "192.0.2.1");
	expect_source(lab.pod, "10.244.1.2", lab.outside, "10.244.2.2", PORT, "192.0.2.1");
	expect_source(lab.pod, "10.244.1.2", lab.outside, "192.0.2.2", MARKED_PORT, "10.244.1.2");
	expect_source(lab.outside, "192.0.2.2", lab.pod, "10.244.1.2", PORT, "192.0.2.2");
	expect_source(lab.node, "10.244.1.1", lab.pod, "10.244.1.2", PORT, "10.244.1.1");
	expect_source(lab.node, "198.51.100.1", lab.outside, "10.244.2.2", PORT, "198.51.100.1");
	expect_source(lab.pod, "fd00:10:244:1::2", lab.outside, "2001:db8::2", PORT, "2001:db8::1");
	expect_source(lab.outside, "2001:db8::2", lab.pod, "fd00:10:244:1::2", PORT, "2001:db8::2");
	expect_multicast();
	flannel_context_unref(context);
}

/* a table that is there is left alone, which needs no helper */
Test(masquerade, ensure_if_missing)
{
	struct flannel_context *good = node_context(TEST_NFT_HELPER), *bad = node_context("/nonexistent/nft");
	struct flannel_masquerade_options options = range_rules(false, "range");
	struct flannel_masquerade_options own = rules(false, FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_IF_MISSING);
	FL_CLEANUP(fl_freep) char *first = NULL;
	FL_CLEANUP(fl_freep) char *second = NULL;
	FL_CLEANUP(fl_freep) char *others = NULL;

	cr_expect_eq(flannel_masquerade_ensure(bad, &options, NULL), -ENOENT);
	cr_expect_eq(must_ensure_range(good, false, "range"), 1);
	first = ruleset_text();
	cr_expect_not_null(strstr(first, "masquerade"), "%s", first);
	go(lab.pod);
	cr_expect_eq(must_ensure_range(bad, false, "range"), 0);
	go(lab.node);
	cr_expect_eq(must_ensure_range(good, false, "range"), 0);
	options.flags |= FLANNEL_MASQUERADE_FORWARD;
	cr_expect_eq(flannel_masquerade_ensure(bad, &options, NULL), 0, "other rules than those that are there");
	second = ruleset_text();
	cr_expect_str_eq(first, second);

	/* neither its name in the other family nor another name is this table, and flannel's own is none of them */
	cr_expect_eq(flannel_masquerade_remove(bad, AF_INET, NULL), 0);
	run_in(lab.node, "nft add table ip6 other");
	cr_expect_eq(must_ensure_range(good, false, "other"), 1);
	cr_expect_eq(must_ensure_range(bad, true, "other"), 0);
	cr_expect_eq(flannel_masquerade_ensure(good, &own, NULL), 1);
	cr_expect_eq(flannel_masquerade_ensure(bad, &own, NULL), 0);
	cr_expect_eq(flannel_masquerade_remove(good, AF_INET, NULL), 1);
	others = output_of("nft list tables | sort");
	cr_expect_str_eq(others, "table ip other\ntable ip range\ntable ip6 other\n");
	flannel_context_unref(good);
	flannel_context_unref(bad);
}

/* a range of one address */
Test(masquerade, single_address)
{
	struct flannel_context *context = node_context(TEST_NFT_HELPER);
	struct flannel_masquerade_options options = range_rules(false, "a-34567890123456789012345678901");
	struct flannel_error *error = NULL;

	flannel_prefix_parse("10.244.1.2/32", &options.network);
	options.subnet = options.network;
	cr_assert_eq(flannel_masquerade_ensure(context, &options, &error), 1, "%s", flannel_error_get_message(error));
	expect_source(lab.pod, "10.244.1.2", lab.outside, "192.0.2.2", PORT, "192.0.2.1");
	cr_expect_eq(flannel_masquerade_ensure(context, &options, NULL), 0);
	flannel_context_unref(context);
}

/* how many of some datagrams to the world arrive with the port they were sent from */
static int count_kept_ports(int n)
{
	int n_kept = 0;

	for (int i = 0; i < n; i++)
		n_kept += expect_source(lab.pod, "10.244.1.2", lab.outside, "192.0.2.2", PORT, "192.0.2.1");
	return n_kept;
}

Test(masquerade, ports)
{
	struct flannel_context *context = node_context(TEST_NFT_HELPER);

	must_ensure(context, false, FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FIXED_PORTS);
	cr_expect_eq(count_kept_ports(8), 8);
	must_ensure(context, false, FLANNEL_MASQUERADE_SNAT);
	/* one in some 28,000 stays the same by chance */
	cr_expect_lt(count_kept_ports(8), 8);
	flannel_context_unref(context);
}

Test(masquerade, ensure_and_remove)
{
	struct flannel_context *context = node_context(TEST_NFT_HELPER);
	FL_CLEANUP(fl_freep) char *first = NULL;
	FL_CLEANUP(fl_freep) char *second = NULL;
	FL_CLEANUP(fl_freep) char *left = NULL;

	cr_expect_eq(flannel_masquerade_remove(context, AF_INET, NULL), 0);
	must_ensure(context, false, FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD);
	first = ruleset_text();
	must_ensure(context, false, FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD);
	second = ruleset_text();
	cr_expect_str_eq(first, second);
	cr_expect_null(strstr(first, "ip6"), "a family that is not in use has a table:\n%s", first);

	must_ensure(context, true, FLANNEL_MASQUERADE_SNAT);
	cr_expect_eq(flannel_masquerade_remove(context, AF_INET, NULL), 1);
	cr_expect_eq(flannel_masquerade_remove(context, AF_INET, NULL), 0);
	left = output_of("nft list tables");
	cr_expect_str_eq(left, "table ip6 flannel-ipv6\n");
	cr_expect_eq(flannel_masquerade_remove(context, AF_INET6, NULL), 1);
	flannel_context_unref(context);
	expect_source(lab.pod, "10.244.1.2", lab.outside, "192.0.2.2", PORT, "10.244.1.2");
}

/* the message names the program; the rules that were there stay */
Test(masquerade, without_helper)
{
	struct flannel_context *good = node_context(TEST_NFT_HELPER), *bad = node_context("/nonexistent/nft");
	struct flannel_masquerade_options options = rules(false, FLANNEL_MASQUERADE_FORWARD);
	struct flannel_error *error = NULL;

	/* nothing to remove needs no helper */
	cr_expect_eq(flannel_masquerade_remove(bad, AF_INET, NULL), 0);
	must_ensure(good, false, FLANNEL_MASQUERADE_SNAT);
	cr_expect_eq(flannel_masquerade_ensure(bad, &options, &error), -ENOENT);
	cr_expect_not_null(strstr(flannel_error_get_message(error), "/nonexistent/nft"), "%s",
			   flannel_error_get_message(error));
	cr_expect_str_eq(flannel_error_get_area(error), "nft");
	error = flannel_error_unref(error);
	cr_expect_eq(flannel_masquerade_remove(bad, AF_INET, &error), -ENOENT);
	flannel_error_unref(error);
	expect_source(lab.pod, "10.244.1.2", lab.outside, "192.0.2.2", PORT, "192.0.2.1");
	flannel_context_unref(good);
	flannel_context_unref(bad);
}
