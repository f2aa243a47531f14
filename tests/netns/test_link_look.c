/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Looking at links, addresses and routes by name, in this namespace and in another one. */

#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>

#include <flannel/link.h>
#include <flannel/route.h>

#include "sandbox.h"

#include "pod.h"

/* a node with a bridge, and a container with a port of it */
static void set_up(struct pod_fixture *fixture, unsigned int mode)
{
	pod_open(fixture, mode);
	sandbox_run("%s ip -batch - <<'END'\n"
		    "link add cni0 type bridge\n"
		    "link set cni0 mtu 1400 promisc on up address 02:00:00:00:00:01\n"
		    "link add port0 type veth peer name eth0 netns /proc/%d/fd/%d address 02:00:00:00:00:02\n"
		    "link set port0 master cni0 up\n"
		    "END",
		    fixture->node, (int)getpid(), fixture->pod_fd);
	sandbox_run("%s ip -batch - <<'END'\n"
		    "addr add 10.1.0.2/24 dev eth0\n"
		    "addr add 10.2.0.2/16 dev eth0\n"
		    "addr add fd00::2/64 dev eth0 nodad\n"
		    "link set eth0 addrgenmode none up\n"
		    "route add 10.50.0.0/16 via 10.1.0.1\n"
		    "route add default via 10.1.0.1\n"
		    "route add 10.51.0.0/16 via 10.1.0.1 table 100\n"
		    "route add 10.51.0.0/16 via 10.1.0.1 table 1000\n"
		    "route add 10.52.0.0/16 nexthop via 10.1.0.1 nexthop via 10.1.0.3\n"
		    "route add fd01::/64 via fd00::1\n"
		    "END",
		    fixture->pod);
}

/* a context in the container */
static struct flannel_context *enter_pod(const struct pod_fixture *fixture, unsigned int mode)
{
	const struct flannel_context_options options = {
		.size = sizeof(options), .flags = mode & 1, .netns_fd = fixture->pod_fd};
	struct flannel_context *context = NULL;
	struct flannel_error *error = NULL;

	sandbox_assert_ok(flannel_context_new(&context, &options, &error), error);
	return context;
}

Test(link_look, links)
{
	for (unsigned int mode = 0; mode < POD_MODES; mode++) {
		struct flannel_link_status bridge = {.size = sizeof(bridge)}, port = bridge, inside = bridge,
					   lo = bridge;
		struct flannel_context *pod;
		struct pod_fixture fixture;

		set_up(&fixture, mode);
		pod = enter_pod(&fixture, mode);
		cr_assert_eq(flannel_link_get(fixture.context, "cni0", &bridge, NULL), 1);
		cr_assert_eq(flannel_link_get(fixture.context, "port0", &port, NULL), 1);
		cr_assert_eq(flannel_link_get(pod, "eth0", &inside, NULL), 1);
		cr_expect_eq(flannel_link_get(fixture.context, "eth0", &lo, NULL), 0);
		cr_assert_eq(flannel_link_get(pod, "lo", &lo, NULL), 1);

		cr_expect_str_eq(bridge.link.name, "cni0");
		cr_expect_str_eq(bridge.link.mac, "02:00:00:00:00:01");
		cr_expect_str_eq(bridge.kind, "bridge");
		cr_expect_eq(bridge.link.mtu, 1400);
		cr_expect_eq(bridge.promiscuity, 1);
		cr_expect(bridge.flags & IFF_UP && bridge.flags & IFF_PROMISC);
		cr_expect_eq(bridge.master_ifindex, 0);
		cr_expect_eq(bridge.peer_ifindex, 0);
		cr_expect_str_eq(port.kind, "veth");
		cr_expect_eq(port.master_ifindex, bridge.link.ifindex);
		cr_expect_eq(port.peer_ifindex, inside.link.ifindex);
		cr_expect_eq(inside.peer_ifindex, port.link.ifindex);
		cr_expect_str_eq(inside.link.mac, "02:00:00:00:00:02");
		cr_expect_eq(inside.promiscuity, 0);
		cr_expect_str_eq(lo.kind, "");
		cr_expect_eq(lo.size, sizeof(lo));
		flannel_context_unref(pod);
		pod_close(&fixture);
	}
}

Test(link_look, addresses)
{
	struct flannel_prefix addresses[8];
	struct flannel_error *error = NULL;
	struct flannel_context *pod;
	struct pod_fixture fixture;
	char text[FLANNEL_PREFIX_STRLEN];
	size_t n = 99, again = 99;

	set_up(&fixture, 1);
	pod = enter_pod(&fixture, 1);
	sandbox_assert_ok(flannel_link_get_addresses(pod, "eth0", addresses, 8, &n, &error), error);
	cr_assert_eq(n, 3, "%zu", n);
	cr_expect_str_eq(flannel_prefix_format(&addresses[0], text, sizeof(text)), "10.1.0.2/24");
	cr_expect_str_eq(flannel_prefix_format(&addresses[1], text, sizeof(text)), "10.2.0.2/16");
	cr_expect_str_eq(flannel_prefix_format(&addresses[2], text, sizeof(text)), "fd00::2/64");
	/* no more than there is room for, and how many there are */
	memset(addresses, 0, sizeof(addresses));
	cr_expect_eq(flannel_link_get_addresses(pod, "eth0", addresses, 1, &again, NULL), 0);
	cr_expect_eq(again, n);
	cr_expect_eq(addresses[0].family, AF_INET);
	cr_expect_eq(addresses[1].family, AF_UNSPEC);
	cr_expect_eq(flannel_link_get_addresses(pod, "eth0", NULL, 0, &again, NULL), 0);
	cr_expect_eq(again, n);
	cr_expect_eq(flannel_link_get_addresses(pod, "eth1", addresses, 8, &n, &error), -ENODEV);
	sandbox_expect_error(&error, -ENODEV, "eth1");
	flannel_context_unref(pod);
	pod_close(&fixture);
}

Test(link_look, routes)
{
	const struct {
		const char *dst;
		const char *via; /* NULL: any */
		uint32_t table;
		int expected;
	} table[] = {
		{"10.1.0.0/24", NULL, 0, 1},
		{"10.1.0.0/25", NULL, 0, 0},
		{"10.1.0.0/24", "10.1.0.1", 0, 0},
		{"10.50.0.0/16", NULL, 0, 1},
		{"10.50.0.0/16", "10.1.0.1", 0, 1},
		{"10.50.0.0/16", "10.1.0.1", 254, 1},
		{"10.50.0.0/16", "10.1.0.9", 0, 0},
		{"0.0.0.0/0", "10.1.0.1", 0, 1},
		{"::/0", NULL, 0, 0},
		{"10.51.0.0/16", NULL, 0, 0},
		{"10.51.0.0/16", "10.1.0.1", 100, 1},
		{"10.51.0.0/16", NULL, 1000, 1},
		{"10.51.0.0/16", NULL, 1001, 0},
		{"10.52.0.0/16", "10.1.0.3", 0, 1},
		{"fd01::/64", "fd00::1", 0, 1},
		{"fd01::/64", "fd00::2", 0, 0},
		{"fd00::/64", NULL, 0, 1},
	};
	struct flannel_error *error = NULL;
	struct flannel_context *pod;
	struct pod_fixture fixture;

	set_up(&fixture, 1);
	pod = enter_pod(&fixture, 1);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct flannel_prefix dst = sandbox_prefix(table[i].dst);
		struct flannel_prefix via;
		int r;

		if (table[i].via)
			via = sandbox_prefix(table[i].via);
		r = flannel_route_exists(pod, &dst, table[i].via ? &via : NULL, table[i].table, &error);
		sandbox_assert_ok(r, error);
		cr_expect_eq(r, table[i].expected, "%s via %s table %u: %d", table[i].dst, table[i].via, table[i].table,
			     r);
	}
	flannel_context_unref(pod);
	pod_close(&fixture);
}

Test(link_look, bad_arguments)
{
	struct flannel_link_status status = {.size = sizeof(status)};
	struct flannel_prefix v4 = sandbox_prefix("10.0.0.0/8"), v6 = sandbox_prefix("fd00::1/128"), none = {0};
	struct flannel_error *error = NULL;
	struct pod_fixture fixture;
	size_t n;

	pod_open(&fixture, 1);
	cr_expect_eq(flannel_link_get(NULL, "lo", &status, NULL), -EINVAL);
	cr_expect_eq(flannel_link_get(fixture.context, "", &status, NULL), -EINVAL);
	cr_expect_eq(flannel_link_get(fixture.context, "lo", NULL, NULL), -EINVAL);
	status.size--;
	cr_expect_eq(flannel_link_get(fixture.context, "lo", &status, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "ret_status");
	cr_expect_eq(flannel_link_get_addresses(fixture.context, "lo", NULL, 1, &n, NULL), -EINVAL);
	cr_expect_eq(flannel_link_get_addresses(fixture.context, NULL, NULL, 0, &n, NULL), -EINVAL);
	cr_expect_eq(flannel_route_exists(fixture.context, &v4, &v6, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_route_exists(fixture.context, &none, NULL, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_route_exists(fixture.context, NULL, NULL, 0, NULL), -EINVAL);
	pod_close(&fixture);
}
