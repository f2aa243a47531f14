/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The firewall of attachments by the library's calls, in namespaces of the tests' own; nft(8) and iptables(8) look. What packets
 * make of it is shown by tests/e2e/cni/firewall.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>

#include <flannel/firewall.h>

#include "sandbox.h"

static struct flannel_context *context;
static struct flannel_prefix addresses[2];

/* a new context whose helper is this program */
static void open_context(const char *helper)
{
	const struct flannel_context_options options = {.size = sizeof(options)};
	struct flannel_error *error = NULL;

	context = flannel_context_unref(context);
	setenv("FLANNEL_NFT_HELPER", helper, 1);
	sandbox_assert_ok(flannel_context_new(&context, &options, &error), error);
}

static void set_up(void)
{
	sandbox_enter();
	open_context(TEST_NFT_HELPER);
	addresses[0] = sandbox_prefix("10.1.0.2/24");
	addresses[1] = sandbox_prefix("fd00:1::2/64");
}

static void tear_down(void)
{
	context = flannel_context_unref(context);
}

TestSuite(firewall, .init = set_up, .fini = tear_down);

static const struct flannel_attachment_id ids[] = {
	{.size = sizeof(ids[0]), .container_id = "c1", .ifname = "eth0"},
	{.size = sizeof(ids[0]), .container_id = "c2", .ifname = "eth0"},
};

/* options for an attachment with both addresses */
static struct flannel_firewall_options options_of(const struct flannel_attachment_id *id)
{
	return (struct flannel_firewall_options){.size = sizeof(struct flannel_firewall_options),
						 .network = "n1",
						 .attachment = id,
						 .addresses = addresses,
						 .n_addresses = 2};
}

/* a call that succeeds, with its result */
#define EXPECT_OK(expected, call)                                                                                      \
	do {                                                                                                           \
		struct flannel_error *error = NULL;                                                                    \
		int result = call;                                                                                     \
		sandbox_assert_ok(result < 0 ? result : 0, error);                                                     \
		cr_expect_eq(result, expected, "%d", result);                                                          \
	} while (0)

/* a call that fails, and a part of its message */
#define EXPECT_FAILURE(expected, part, call)                                                                           \
	do {                                                                                                           \
		struct flannel_error *error = NULL;                                                                    \
		cr_expect_eq(call, expected);                                                                          \
		sandbox_expect_error(&error, expected, part);                                                          \
	} while (0)

/* comments of the elements of both address sets, without hashes, once those that are retired are gone */
static void expect_owners(const char *expected)
{
	sandbox_expect(expected,
		       "for i in $(seq 1000); do o=$(for s in addresses-ipv4 addresses-ipv6; do "
		       "nft -j list set inet cni-firewall-1 $s | jq -r '.nftables[].set | values | .elem // [] | "
		       ".[].elem | select(.expires > 1) | .comment | split(\" \")[1]'; done | sort | xargs); "
		       "[ \"$o\" = '%s' ] && break; done; echo \"$o\"",
		       expected);
}

Test(firewall, as_often_as_wanted)
{
	const struct flannel_firewall_options options = options_of(&ids[0]);

	for (int i = 0; i < 3; i++)
		EXPECT_OK(0, flannel_firewall_ensure(context, &options, &error));
	expect_owners("c1/eth0 c1/eth0");
	EXPECT_OK(0, flannel_firewall_check(context, &options, &error));
	EXPECT_OK(2, flannel_firewall_remove(context, &options, &error));
	EXPECT_OK(0, flannel_firewall_remove(context, &options, &error));
	/* given back at once, while the kernel still has what was retired */
	EXPECT_OK(0, flannel_firewall_ensure(context, &options, &error));
	expect_owners("c1/eth0 c1/eth0");
	sandbox_expect("1", "nft -j list tables | jq '[.nftables[] | select(.table)] | length'");
}

Test(firewall, an_address_has_one_owner)
{
	struct flannel_firewall_options first = options_of(&ids[0]), second = options_of(&ids[1]);

	EXPECT_OK(0, flannel_firewall_ensure(context, &first, &error));
	EXPECT_OK(0, flannel_firewall_ensure(context, &second, &error));
	expect_owners("c2/eth0 c2/eth0");
	EXPECT_FAILURE(-EADDRINUSE, "c2/eth0", flannel_firewall_check(context, &first, &error));
	EXPECT_OK(0, flannel_firewall_remove(context, &first, &error));
	EXPECT_OK(0, flannel_firewall_check(context, &second, &error));
	/* without addresses, or with others, all are looked through */
	second.n_addresses = 0;
	EXPECT_OK(2, flannel_firewall_remove(context, &second, &error));
	expect_owners("");
	EXPECT_OK(0, flannel_firewall_ensure(context, &first, &error));
	addresses[0] = sandbox_prefix("10.1.0.9/24");
	EXPECT_OK(2, flannel_firewall_remove(context, &first, &error));
	expect_owners("");
}

Test(firewall, collection)
{
	struct flannel_firewall_options options = options_of(&ids[0]);

	/* nothing is there, not even the table */
	EXPECT_OK(0, flannel_firewall_collect(context, "n1", NULL, 0, &error));
	EXPECT_OK(0, flannel_firewall_remove(context, &options, &error));
	options.policy = FLANNEL_FIREWALL_SAME_BRIDGE;
	options.bridge = "cni0";
	EXPECT_OK(0, flannel_firewall_ensure(context, &options, &error));
	options.attachment = &ids[1];
	addresses[0] = sandbox_prefix("10.1.0.3/24");
	addresses[1] = sandbox_prefix("fd00:1::3/64");
	EXPECT_OK(0, flannel_firewall_ensure(context, &options, &error));
	EXPECT_OK(0, flannel_firewall_collect(context, "n2", NULL, 0, &error));
	EXPECT_OK(0, flannel_firewall_collect(context, "n1", ids, 2, &error));
	expect_owners("c1/eth0 c1/eth0 c2/eth0 c2/eth0");
	EXPECT_OK(2, flannel_firewall_collect(context, "n1", &ids[1], 1, &error));
	expect_owners("c2/eth0 c2/eth0");
	sandbox_expect("1",
		       "nft -j list set inet cni-firewall-1 bridges | jq '.nftables[].set | values | .elem | length'");
	EXPECT_OK(2, flannel_firewall_collect(context, "n1", NULL, 0, &error));
	expect_owners("");
}

Test(firewall, what_somebody_takes_away)
{
	struct flannel_firewall_options options = options_of(&ids[0]);

	options.policy = FLANNEL_FIREWALL_ISOLATED;
	options.bridge = "cni0";
	EXPECT_FAILURE(-ENOENT, "10.1.0.2", flannel_firewall_check(context, &options, &error));
	EXPECT_OK(0, flannel_firewall_ensure(context, &options, &error));
	EXPECT_OK(0, flannel_firewall_check(context, &options, &error));
	sandbox_run("nft flush set inet cni-firewall-1 bridges");
	EXPECT_FAILURE(-ENOENT, "cni0", flannel_firewall_check(context, &options, &error));
	EXPECT_OK(0, flannel_firewall_ensure(context, &options, &error));
	EXPECT_OK(0, flannel_firewall_check(context, &options, &error));
	sandbox_run("nft flush chain inet cni-firewall-1 before-filter");
	EXPECT_FAILURE(-ENOENT, "before-filter", flannel_firewall_check(context, &options, &error));
	sandbox_run("nft flush ruleset; iptables -P FORWARD DROP");
	EXPECT_FAILURE(-ENOENT, "10.1.0.2", flannel_firewall_check(context, &options, &error));
	EXPECT_OK(0, flannel_firewall_ensure(context, &options, &error));
	EXPECT_OK(0, flannel_firewall_check(context, &options, &error));
	sandbox_run("iptables -F CNI-FORWARD");
	EXPECT_FAILURE(-ENOENT, "administrator", flannel_firewall_check(context, &options, &error));
	sandbox_run("iptables -F FORWARD; iptables -X CNI-FORWARD");
	EXPECT_FAILURE(-ENOENT, "CNI-FORWARD", flannel_firewall_check(context, &options, &error));
}

/* what fails leaves no address; without rules to set, the helper is not needed */
Test(firewall, without_the_helper)
{
	struct flannel_firewall_options options = options_of(&ids[0]);

	open_context("/nonexistent/nft");
	EXPECT_FAILURE(-ENOENT, "/nonexistent/nft", flannel_firewall_ensure(context, &options, &error));
	sandbox_expect("0", "nft -j list tables | jq '[.nftables[] | select(.table)] | length'");
	open_context(TEST_NFT_HELPER);
	EXPECT_OK(0, flannel_firewall_ensure(context, &options, &error));
	sandbox_run("iptables -P FORWARD DROP");
	open_context("/nonexistent/nft");
	options.attachment = &ids[1];
	EXPECT_FAILURE(-ENOENT, "/nonexistent/nft", flannel_firewall_ensure(context, &options, &error));
	expect_owners("c1/eth0 c1/eth0");
	sandbox_run("iptables -X; nft delete table ip filter");
	EXPECT_OK(0, flannel_firewall_ensure(context, &options, &error));
	expect_owners("c2/eth0 c2/eth0");
}

Test(firewall, former)
{
	EXPECT_OK(0, flannel_firewall_remove_former(context, addresses, 2, &error));
	sandbox_run(
		"iptables -N CNI-FORWARD; iptables -A CNI-FORWARD -d 10.1.0.2/32 -m conntrack --ctstate "
		"RELATED,ESTABLISHED -j ACCEPT; iptables -A CNI-FORWARD -s 10.1.0.2/32 -j ACCEPT; "
		"iptables -A CNI-FORWARD -s 10.1.0.0/30 -j ACCEPT; iptables -A CNI-FORWARD ! -s 10.1.0.2/32 -j ACCEPT; "
		"ip6tables -N CNI-FORWARD; ip6tables -A CNI-FORWARD -s fd00:1::2/128 -j ACCEPT; "
		"ip6tables -A CNI-FORWARD -s fd00:1::3/128 -j ACCEPT");
	EXPECT_OK(0, flannel_firewall_remove_former(context, addresses, 0, &error));
	EXPECT_OK(3, flannel_firewall_remove_former(context, addresses, 2, &error));
	sandbox_expect("-A CNI-FORWARD -s 10.1.0.0/30 -j ACCEPT\n-A CNI-FORWARD ! -s 10.1.0.2/32 -j ACCEPT",
		       "iptables -S CNI-FORWARD | grep ^-A");
	sandbox_expect("-A CNI-FORWARD -s fd00:1::3/128 -j ACCEPT", "ip6tables -S CNI-FORWARD | grep ^-A");
}

Test(firewall, bad_arguments)
{
	struct flannel_firewall_options options = options_of(&ids[0]);
	struct flannel_attachment_id nobody = {.size = sizeof(nobody), .container_id = "", .ifname = "eth0"};
	int (*const calls[])(struct flannel_context *, const struct flannel_firewall_options *,
			     struct flannel_error **) = {flannel_firewall_ensure, flannel_firewall_remove,
							 flannel_firewall_check};

	for (size_t i = 0; i < 3; i++) {
		EXPECT_FAILURE(-EINVAL, "context", calls[i](NULL, &options, &error));
		EXPECT_FAILURE(-EINVAL, "options", calls[i](context, NULL, &error));
		options.network = "";
		EXPECT_FAILURE(-EINVAL, "network", calls[i](context, &options, &error));
		options.network = "n1";
		options.attachment = &nobody;
		EXPECT_FAILURE(-EINVAL, "container", calls[i](context, &options, &error));
		options.attachment = NULL;
		EXPECT_FAILURE(-EINVAL, "attachment", calls[i](context, &options, &error));
		options.attachment = &ids[0];
		options.size = 0;
		cr_expect_eq(calls[i](context, &options, NULL), -EINVAL);
		options.size = sizeof(options);
	}
	options.policy = FLANNEL_FIREWALL_ISOLATED;
	EXPECT_FAILURE(-EINVAL, "bridge", flannel_firewall_ensure(context, &options, &error));
	EXPECT_FAILURE(-EINVAL, "collect", flannel_firewall_collect(NULL, "n1", NULL, 0, &error));
	EXPECT_FAILURE(-EINVAL, "collect", flannel_firewall_collect(context, "n1", NULL, 1, &error));
	EXPECT_FAILURE(-EINVAL, "network", flannel_firewall_collect(context, NULL, NULL, 0, &error));
	EXPECT_FAILURE(-EINVAL, "container", flannel_firewall_collect(context, "n1", &nobody, 1, &error));
	EXPECT_FAILURE(-EINVAL, "remove", flannel_firewall_remove_former(NULL, addresses, 2, &error));
	EXPECT_FAILURE(-EINVAL, "remove", flannel_firewall_remove_former(context, NULL, 2, &error));
	sandbox_expect("0", "nft -j list tables | jq '[.nftables[] | select(.table)] | length'");
}

Test(firewall, without_privilege)
{
	const struct flannel_firewall_options options = options_of(&ids[0]);

	cr_assert_eq(seteuid(65534), 0);
	EXPECT_FAILURE(-EPERM, "", flannel_firewall_ensure(context, &options, &error));
	cr_assert_eq(seteuid(0), 0);
	sandbox_expect("0", "nft -j list tables | jq '[.nftables[] | select(.table)] | length'");
}
