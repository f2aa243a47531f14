/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Containers without a bridge: what is in the kernel, packets between two of them and to the outside, and undo. */

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>

#include <flannel/attachment.h>

#include "sandbox.h"

#include "pod.h"

/* attaches the container of a namespace with these addresses */
static int attach(struct pod_fixture *fixture, int netns_fd, const char *ipv4, const char *ipv6,
		  struct flannel_attachment **ret_attachment, struct flannel_error **ret_error)
{
	struct flannel_address addresses[2] = {{.size = sizeof(addresses[0]), .address = sandbox_prefix(ipv4)},
					       {.size = sizeof(addresses[0]), .address = sandbox_prefix(ipv6)}};
	const struct flannel_attachment_options options = {
		.size = sizeof(options),
		.netns_fd = netns_fd,
		.flags = FLANNEL_ATTACHMENT_POINT_TO_POINT | FLANNEL_ATTACHMENT_DEFAULT_GATEWAY,
		.addresses = addresses,
		.n_addresses = 2,
	};

	return flannel_attachment_attach(fixture->context, &options, ret_attachment, ret_error);
}

/* one more namespace behind the node, which knows the way back */
static int add_outside(struct pod_fixture *fixture, char in[64])
{
	int fd = sandbox_new_netns();

	sandbox_in(fd, in);
	sandbox_run("%s ip link add up0 type veth peer name up0 netns /proc/%d/fd/%d", fixture->node, (int)getpid(),
		    fd);
	sandbox_run("%s ip -batch - <<'END'\naddr add 192.0.2.1/24 dev up0\naddr add fd00:2::1/64 dev up0 nodad\nlink "
		    "set up0 up\nEND",
		    fixture->node);
	sandbox_run("%s ip -batch - <<'END'\naddr add 192.0.2.2/24 dev up0\naddr add fd00:2::2/64 dev up0 nodad\nlink "
		    "set up0 up\n"
		    "route add default via 192.0.2.1\nroute add default via fd00:2::1\nEND",
		    in);
	return fd;
}

Test(attachment_point, packets)
{
	for (unsigned int mode = 0; mode < POD_MODES; mode++) {
		struct flannel_attachment *one = NULL, *two = NULL;
		struct flannel_error *error = NULL;
		struct pod_fixture fixture;
		char other[64], outside[64];
		int other_fd, outside_fd, r;

		pod_open(&fixture, mode);
		other_fd = sandbox_new_netns();
		sandbox_in(other_fd, other);
		outside_fd = add_outside(&fixture, outside);
		r = attach(&fixture, fixture.pod_fd, "10.1.0.2/24", "fd00:1::2/64", &one, &error);
		sandbox_assert_ok(r, error);
		r = attach(&fixture, other_fd, "10.1.0.3/24", "fd00:1::3/64", &two, &error);
		sandbox_assert_ok(r, error);
		cr_expect_null(flannel_attachment_get_bridge(one));
		sandbox_expect("default via 10.1.0.1 dev eth0\n10.1.0.0/24 via 10.1.0.1 dev eth0 src 10.1.0.2\n"
			       "10.1.0.1 dev eth0 scope link src 10.1.0.2",
			       "%s ip route | sed 's/ *$//'", fixture.pod);
		sandbox_expect("fd00:1::1 dev eth0 src fd00:1::2\nfd00:1::/64 via fd00:1::1 dev eth0 src fd00:1::2\n"
			       "default via fd00:1::1 dev eth0",
			       "%s ip -6 route | grep -v fe80 | sed 's/ metric.*//'", fixture.pod);
		sandbox_expect("10.1.0.1/32 fd00:1::1/128",
			       "%s ip -j addr show %s scope global | jq -r '[.[0].addr_info[] | select(.local) | "
			       "\"\\(.local)/\\(.prefixlen)\"] | join(\" \")'",
			       fixture.node, flannel_attachment_get_host_link(one)->name);
		sandbox_expect("host", "%s ip -j route show 10.1.0.2 | jq -r '.[0].scope'", fixture.node);
		sandbox_expect("0", "%s cat /proc/sys/net/ipv6/conf/%s/accept_ra", fixture.node,
			       flannel_attachment_get_host_link(one)->name);
		for (const char *const *to = (const char *const[]){"10.1.0.1", "10.1.0.3", "192.0.2.2", "fd00:1::1",
								   "fd00:1::3", "fd00:2::2", NULL};
		     *to; to++)
			sandbox_run("%s ping -q -c 1 -W 5 %s", fixture.pod, *to);
		sandbox_run("%s ping -q -c 1 -W 5 10.1.0.2", other);
		sandbox_run("%s ping -q -c 1 -W 5 fd00:1::2", outside);
		cr_expect_eq(flannel_attachment_detach(fixture.context, fixture.pod_fd, "eth0", NULL), 1);
		sandbox_expect("", "%s ip route show 10.1.0.2", fixture.node);
		flannel_attachment_free(one);
		flannel_attachment_free(two);
		close(other_fd);
		close(outside_fd);
		pod_close(&fixture);
	}
}

/* an attachment that is undone leaves nothing, but for what another one needs */
Test(attachment_point, undo)
{
	struct flannel_attachment *one = NULL, *two = NULL;
	struct flannel_error *error = NULL;
	struct pod_fixture fixture;
	int other_fd;

	pod_open(&fixture, 1);
	other_fd = sandbox_new_netns();
	pod_snapshot(&fixture, "before");
	sandbox_assert_ok(attach(&fixture, fixture.pod_fd, "10.1.0.2/24", "fd00:1::2/64", &one, &error), error);
	sandbox_assert_ok(flannel_attachment_undo(one, fixture.context, fixture.pod_fd, &error), error);
	pod_snapshot(&fixture, "after");
	pod_expect_unchanged(&fixture, "before", "after", "node");
	pod_expect_unchanged(&fixture, "before", "after", "pod");
	flannel_attachment_free(one);
	one = NULL;
	sandbox_assert_ok(attach(&fixture, fixture.pod_fd, "10.1.0.2/24", "fd00:1::2/64", &one, &error), error);
	sandbox_assert_ok(attach(&fixture, other_fd, "10.1.0.3/24", "fd00:1::3/64", &two, &error), error);
	sandbox_assert_ok(flannel_attachment_undo(one, fixture.context, fixture.pod_fd, &error), error);
	sandbox_expect("1", "cat /proc/sys/net/ipv4/ip_forward");
	sandbox_expect("1", "cat /proc/sys/net/ipv6/conf/all/forwarding");
	/* a failure is undone, too: the name is taken */
	cr_expect_eq(attach(&fixture, other_fd, "10.1.0.4/24", "fd00:1::4/64", &one, NULL), -EEXIST);
	sandbox_expect("1", "ip -j link show type veth | jq length");
	flannel_attachment_free(one);
	flannel_attachment_free(two);
	close(other_fd);
	pod_close(&fixture);
}
