/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Detaching without the kernel's wait: what others see when the call returns, and what becomes of the child. */

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sandbox.h"

#include "pod.h"
#include "sys/link_removal.h"
#include "sys/rtnl/link.h"

/* a fixture whose context detaches early */
static void open_early(struct pod_fixture *fixture)
{
	const struct flannel_context_options options = {
		.size = sizeof(options), .flags = FLANNEL_CONTEXT_SINGLE_THREADED | FLANNEL_CONTEXT_DETACH_EARLY};
	struct flannel_error *error = NULL;

	pod_open(fixture, 1);
	flannel_context_unref(fixture->context);
	sandbox_assert_ok(flannel_context_new(&fixture->context, &options, &error), error);
}

/* the child ends by itself, and with success */
static void reap_child(void)
{
	int status = -1;

	cr_assert_gt(waitpid(-1, &status, 0), 0);
	cr_expect_eq(status, 0);
	cr_expect_eq(waitpid(-1, &status, WNOHANG), -1, "there is another child");
}

Test(attachment_early, nobody_sees_the_interface_any_more)
{
	struct flannel_address address = {.size = sizeof(address), .address = sandbox_prefix("10.244.1.2/24")};
	struct flannel_attachment_options options = {.size = sizeof(options),
						     .flags = FLANNEL_ATTACHMENT_DEFAULT_GATEWAY,
						     .addresses = &address,
						     .n_addresses = 1};
	struct flannel_attachment *attachment = NULL;
	struct flannel_error *error = NULL;
	struct pod_fixture fixture;
	const char *host;

	open_early(&fixture);
	options.netns_fd = fixture.pod_fd;
	for (int i = 0; i < 5; i++) {
		sandbox_assert_ok(flannel_attachment_attach(fixture.context, &options, &attachment, &error), error);
		host = flannel_attachment_get_host_link(attachment)->name;
		sandbox_expect("1", "ip -j link show dev %s | jq length", host);
		cr_assert_eq(flannel_attachment_detach(fixture.context, fixture.pod_fd, "eth0", &error), 1);
		sandbox_expect("", "%s ip -o link show dev eth0 2>/dev/null", fixture.pod);
		sandbox_expect("", "%s ip -o -4 addr", fixture.pod);
		sandbox_expect("", "ip -o link show dev %s 2>/dev/null", host);
		sandbox_expect("0", "bridge -j fdb | jq '[.[] | select(.ifname == \"%s\")] | length'", host);
		cr_expect_eq(flannel_attachment_detach(fixture.context, fixture.pod_fd, "eth0", &error), 0);
		attachment = flannel_attachment_free(attachment);
		reap_child();
	}
	pod_close(&fixture);
}

Test(attachment_early, the_kernels_refusal_comes_through)
{
	struct flannel_error *error = NULL;
	struct pod_fixture fixture;

	open_early(&fixture);
	cr_expect_eq(flannel_attachment_detach(fixture.context, fixture.pod_fd, "lo", &error), -EOPNOTSUPP);
	sandbox_expect_error(&error, -EOPNOTSUPP, "lo");
	reap_child();
	pod_close(&fixture);
}

/* a descriptor that the caller has open, say a pipe to a runtime, ends when the caller closes it, not when the child ends */
Test(attachment_early, the_child_holds_nothing)
{
	struct flannel_error *error = NULL;
	struct pod_fixture fixture;
	int pipe_fds[2];
	char byte;

	open_early(&fixture);
	sandbox_run("%s ip link add eth0 type veth peer name x", fixture.pod);
	cr_assert_eq(pipe(pipe_fds), 0);
	cr_assert_eq(flannel_attachment_detach(fixture.context, fixture.pod_fd, "eth0", &error), 1);
	close(pipe_fds[1]);
	cr_expect_eq(read(pipe_fds[0], &byte, 1), 0);
	close(pipe_fds[0]);
	reap_child();
	pod_close(&fixture);
}

/* ifindex of a link of the fixture's container that is made for it */
static uint32_t make_link(struct pod_fixture *fixture, struct fl_rtnl *rtnl)
{
	struct fl_link_info info;
	struct flannel_error *error = NULL;

	sandbox_run("%s ip link add eth0 type veth peer name x", fixture->pod);
	cr_assert_eq(fl_link_get(rtnl, "eth0", &info, &error), 1);
	return info.ifindex;
}

Test(attachment_early, a_link_that_is_gone_is_no_failure)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct flannel_error *error = NULL;
	struct pod_fixture fixture;
	uint32_t ifindex;

	open_early(&fixture);
	sandbox_assert_ok(fl_rtnl_open(fixture.pod_fd, true, &rtnl, &error), error);
	ifindex = make_link(&fixture, rtnl);
	cr_expect_eq(fl_link_delete_early(rtnl, fixture.pod_fd, ifindex, "eth0", &error), 1);
	reap_child();
	/* nothing to be seen: whether the child was first does not matter */
	cr_expect_geq(fl_link_delete_early(rtnl, fixture.pod_fd, ifindex, "eth0", &error), 0);
	reap_child();
	pod_close(&fixture);
}

Test(attachment_early, needs_a_process_with_one_thread)
{
	const struct flannel_context_options options = {.size = sizeof(options), .flags = FLANNEL_CONTEXT_DETACH_EARLY};
	struct flannel_context *context = NULL;
	struct flannel_error *error = NULL;

	cr_expect_eq(flannel_context_new(&context, &options, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "SINGLE_THREADED");
}
