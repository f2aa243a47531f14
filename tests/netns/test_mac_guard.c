/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Containers behind guarded ports: frames with their own MAC address pass, forged ones do not. */

#include <criterion/criterion.h>
#include <errno.h>

#include <flannel/attachment.h>
#include <flannel/mac_guard.h>

#include "sandbox.h"

#define OWN_MAC "02:00:00:00:00:11"
#define FORGED_MAC "02:00:00:00:00:22"
#define OTHER_MAC "02:00:00:00:00:33"

/* a node, a container that is attached to it, and a guard */
struct fixture {
	struct flannel_context *context;
	struct flannel_attachment *attachment;
	struct flannel_attachment_id id;
	struct flannel_mac_guard_options options;
	int pod_fd;
	char pod[64];
};

static struct flannel_context *new_context(const char *helper)
{
	const struct flannel_context_options options = {
		.size = sizeof(options), .flags = FLANNEL_CONTEXT_SINGLE_THREADED, .nft_helper = helper};
	struct flannel_context *context = NULL;
	struct flannel_error *error = NULL;

	sandbox_assert_ok(flannel_context_new(&context, &options, &error), error);
	return context;
}

static void open_fixture(struct fixture *fixture)
{
	struct flannel_address address = {.size = sizeof(address), .address = sandbox_prefix("10.1.0.2/24")};
	struct flannel_attachment_options options = {.size = sizeof(options), .flags = FLANNEL_ATTACHMENT_GATEWAY};
	struct flannel_error *error = NULL;

	sandbox_enter();
	*fixture = (struct fixture){.context = new_context(TEST_NFT_HELPER), .pod_fd = sandbox_new_netns()};
	sandbox_in(fixture->pod_fd, fixture->pod);
	options.netns_fd = fixture->pod_fd;
	options.mac = OWN_MAC;
	options.addresses = &address;
	options.n_addresses = 1;
	sandbox_assert_ok(flannel_attachment_attach(fixture->context, &options, &fixture->attachment, &error), error);
	fixture->id =
		(struct flannel_attachment_id){.size = sizeof(fixture->id), .container_id = "c1", .ifname = "eth0"};
	fixture->options = (struct flannel_mac_guard_options){
		.size = sizeof(fixture->options),
		.network = "n1",
		.attachment = &fixture->id,
		.port = flannel_attachment_get_host_link(fixture->attachment)->name,
		.mac = OWN_MAC,
	};
}

static void close_fixture(struct fixture *fixture)
{
	flannel_attachment_free(fixture->attachment);
	flannel_context_unref(fixture->context);
	close(fixture->pod_fd);
}

/* does the container reach its gateway with a MAC address; neighbours are forgotten, so that a forged one has to be learned */
static void expect_reach(const struct fixture *fixture, const char *mac, bool reaches)
{
	sandbox_run("%s ip link set eth0 address %s", fixture->pod, mac);
	sandbox_run("ip neigh flush dev cni0; %s ip neigh flush dev eth0", fixture->pod);
	sandbox_expect(reaches ? "0" : "1", "%s ping -q -c 1 -W %d 10.1.0.1 >/dev/null 2>&1; echo $?", fixture->pod,
		       reaches ? 5 : 1);
}

static int ensure(struct fixture *fixture)
{
	struct flannel_error *error = NULL;
	int r = flannel_mac_guard_ensure(fixture->context, &fixture->options, &error);

	sandbox_assert_ok(r, error);
	return r;
}

Test(mac_guard, packets)
{
	struct fixture fixture;

	open_fixture(&fixture);
	expect_reach(&fixture, FORGED_MAC, true);
	cr_expect_eq(ensure(&fixture), 1);
	expect_reach(&fixture, FORGED_MAC, false);
	expect_reach(&fixture, OWN_MAC, true);
	/* nor does the bridge learn of it */
	expect_reach(&fixture, OTHER_MAC, false);
	sandbox_expect("", "bridge fdb show dev %s | grep %s", fixture.options.port, OTHER_MAC);
	cr_expect_eq(ensure(&fixture), 0);
	cr_expect_eq(flannel_mac_guard_remove(fixture.context, "n1", &fixture.id, NULL), 1);
	expect_reach(&fixture, FORGED_MAC, true);
	cr_expect_eq(flannel_mac_guard_remove(fixture.context, "n1", &fixture.id, NULL), 0);
	close_fixture(&fixture);
}

/* the helper is for the table; whoever comes later needs none */
Test(mac_guard, helper)
{
	struct flannel_context *without;
	struct flannel_error *error = NULL;
	struct fixture fixture;

	open_fixture(&fixture);
	without = new_context("/nonexistent/nft");
	cr_expect_eq(flannel_mac_guard_ensure(without, &fixture.options, &error), -ENOENT);
	sandbox_expect_error(&error, -ENOENT, "/nonexistent/nft");
	sandbox_expect("", "nft list tables");
	cr_expect_eq(flannel_mac_guard_remove(without, "n1", &fixture.id, NULL), 0);
	cr_expect_eq(ensure(&fixture), 1);
	fixture.options.port = "other";
	cr_expect_eq(flannel_mac_guard_ensure(without, &fixture.options, NULL), 0);
	sandbox_expect("2", "nft -j list set bridge cni-macspoof-1 ports | jq '.nftables[1].set.elem | length'");
	/* rules that somebody flushed are put back, and what is in the sets counts again */
	sandbox_run("nft flush table bridge cni-macspoof-1");
	expect_reach(&fixture, FORGED_MAC, true);
	cr_expect_eq(ensure(&fixture), 1);
	expect_reach(&fixture, FORGED_MAC, false);
	expect_reach(&fixture, OWN_MAC, true);
	flannel_context_unref(without);
	close_fixture(&fixture);
}

Test(mac_guard, collect)
{
	struct flannel_attachment_id other = {.size = sizeof(other), .container_id = "c2", .ifname = "eth0"};
	struct fixture fixture;

	open_fixture(&fixture);
	cr_expect_eq(ensure(&fixture), 1);
	fixture.options.attachment = &other;
	fixture.options.port = "port2";
	cr_expect_eq(ensure(&fixture), 0);
	fixture.options.network = "n2";
	fixture.options.port = "port3";
	cr_expect_eq(ensure(&fixture), 0);
	cr_expect_eq(flannel_mac_guard_collect(fixture.context, "n1", &fixture.id, 1, NULL), 1);
	cr_expect_eq(flannel_mac_guard_collect(fixture.context, "n1", &fixture.id, 1, NULL), 0);
	cr_expect_eq(flannel_mac_guard_remove(fixture.context, "n1", &other, NULL), 0);
	cr_expect_eq(flannel_mac_guard_collect(fixture.context, "n3", NULL, 0, NULL), 0);
	expect_reach(&fixture, FORGED_MAC, false);
	cr_expect_eq(flannel_mac_guard_collect(fixture.context, "n1", NULL, 0, NULL), 1);
	cr_expect_eq(flannel_mac_guard_remove(fixture.context, "n2", &other, NULL), 1);
	expect_reach(&fixture, FORGED_MAC, true);
	close_fixture(&fixture);
}

Test(mac_guard, bad_arguments)
{
	struct flannel_error *error = NULL;
	struct fixture fixture;

	open_fixture(&fixture);
	cr_expect_eq(flannel_mac_guard_ensure(NULL, &fixture.options, NULL), -EINVAL);
	cr_expect_eq(flannel_mac_guard_ensure(fixture.context, NULL, NULL), -EINVAL);
	fixture.options.mac = "01:00:00:00:00:01";
	cr_expect_eq(flannel_mac_guard_ensure(fixture.context, &fixture.options, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "01:00:00:00:00:01");
	fixture.options.mac = OWN_MAC;
	fixture.options.port = "a name that is too long";
	cr_expect_eq(flannel_mac_guard_ensure(fixture.context, &fixture.options, NULL), -EINVAL);
	cr_expect_eq(flannel_mac_guard_remove(NULL, "n1", &fixture.id, NULL), -EINVAL);
	cr_expect_eq(flannel_mac_guard_remove(fixture.context, "", &fixture.id, NULL), -EINVAL);
	cr_expect_eq(flannel_mac_guard_remove(fixture.context, "n1", NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_mac_guard_collect(fixture.context, "n1", NULL, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_mac_guard_remove_former(fixture.context, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_mac_guard_remove_former(fixture.context, &fixture.id, NULL), 0);
	close_fixture(&fixture);
}
