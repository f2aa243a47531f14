/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Attachments that are taken back after they had succeeded. */

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "sandbox.h"

#include "pod.h"

/* attaches a container with two addresses to the node of a fixture */
static struct flannel_attachment *attach(struct pod_fixture *fixture, int netns_fd, const char *ipv4, const char *ipv6)
{
	struct flannel_address addresses[] = {{.size = sizeof(addresses[0]), .address = sandbox_prefix(ipv4)},
					      {.size = sizeof(addresses[0]), .address = sandbox_prefix(ipv6)}};
	const struct flannel_attachment_options options = {.size = sizeof(options),
							   .netns_fd = netns_fd,
							   .flags = FLANNEL_ATTACHMENT_DEFAULT_GATEWAY,
							   .addresses = addresses,
							   .n_addresses = 2};
	struct flannel_attachment *attachment = NULL;
	struct flannel_error *error = NULL;

	sandbox_assert_ok(flannel_attachment_attach(fixture->context, &options, &attachment, &error), error);
	return attachment;
}

/* everything is as if nothing had happened, and a second call adds nothing to that */
Test(attachment_undo, nothing_is_left)
{
	for (unsigned int mode = 0; mode < POD_MODES; mode++) {
		struct pod_fixture fixture;
		struct flannel_attachment *attachment;
		struct flannel_error *error = NULL;

		pod_open(&fixture, mode);
		sandbox_run("%s sysctl -qw net.ipv6.conf.lo.disable_ipv6=1", fixture.pod);
		pod_snapshot(&fixture, "before");
		attachment = attach(&fixture, fixture.pod_fd, "10.244.1.2/24", "fd00:10:244:1::2/64");
		for (int i = 0; i < 2; i++) {
			sandbox_assert_ok(flannel_attachment_undo(attachment, fixture.context, fixture.pod_fd, &error),
					  error);
			pod_snapshot(&fixture, "after");
			pod_expect_unchanged(&fixture, "before", "after", "node");
			pod_expect_unchanged(&fixture, "before", "after", "pod");
			pod_expect_unchanged(&fixture, "before", "after", "caller");
		}
		flannel_attachment_free(attachment);
		pod_close(&fixture);
	}
}

/* a bridge that has got another port since stays, with its addresses and forwarding */
Test(attachment_undo, others_keep_their_bridge)
{
	struct pod_fixture fixture;
	struct flannel_attachment *first, *second;
	struct flannel_error *error = NULL;
	int other;

	pod_open(&fixture, 0);
	other = sandbox_new_netns();
	first = attach(&fixture, fixture.pod_fd, "10.244.1.2/24", "fd00:10:244:1::2/64");
	second = attach(&fixture, other, "10.244.1.3/24", "fd00:10:244:1::3/64");
	sandbox_assert_ok(flannel_attachment_undo(first, fixture.context, fixture.pod_fd, &error), error);
	sandbox_expect("1", "%s ip -j link | jq length", fixture.pod);
	sandbox_expect("10.244.1.1 fd00:10:244:1::1",
		       "%s ip -j addr show cni0 scope global | jq -r '[.[0].addr_info[].local | values] | join(\" \")'",
		       fixture.node);
	sandbox_expect("1", "%s cat /proc/sys/net/ipv4/ip_forward", fixture.node);
	sandbox_expect("1", "%s ip -j link show master cni0 | jq length", fixture.node);
	/* the other one found the bridge as it is, and leaves it so */
	sandbox_assert_ok(flannel_attachment_undo(second, fixture.context, other, &error), error);
	sandbox_expect("cni0", "%s ip -j link show cni0 | jq -r '.[0].ifname'", fixture.node);
	flannel_attachment_free(first);
	flannel_attachment_free(second);
	close(other);
	pod_close(&fixture);
}

Test(attachment_undo, bad_parameters)
{
	struct pod_fixture fixture;
	struct flannel_attachment *attachment;
	struct flannel_error *error = NULL;

	pod_open(&fixture, 0);
	attachment = attach(&fixture, fixture.pod_fd, "10.244.1.2/24", "fd00:10:244:1::2/64");
	cr_expect_eq(flannel_attachment_undo(NULL, fixture.context, fixture.pod_fd, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "NULL");
	cr_expect_eq(flannel_attachment_undo(attachment, NULL, fixture.pod_fd, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "NULL");
	cr_expect_eq(flannel_attachment_undo(attachment, fixture.context, STDIN_FILENO, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "namespace");
	cr_expect_eq(flannel_attachment_undo(attachment, fixture.context, STDIN_FILENO, NULL), -EINVAL);
	sandbox_expect("eth0", "%s ip -j link show eth0 | jq -r '.[0].ifname'", fixture.pod);
	flannel_attachment_free(attachment);
	pod_close(&fixture);
}
