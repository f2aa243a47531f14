/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <flannel/source_route.h>

#include "engine/context.h"
#include "sandbox.h"

/* what there is, in one line each; IPv6's own link-local routes left out */
#define RULES "ip rule | grep lookup | grep -v 'from all'; ip -6 rule | grep lookup | grep -v 'from all'"
#define LISTING                                                                                                        \
	RULES "; ip -4 route show table all | grep -v 'table local'; ip -6 route show table all | grep -vE "           \
	      "'table local|fe80|multicast|^local'"

/* eth0 with an IPv4 and an IPv6 address in a namespace of its own, and eth1 beside it */
static struct flannel_context *enter(void)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_context *context = NULL;
	int r;

	sandbox_enter();
	sandbox_run("sysctl -qw net.ipv6.conf.default.accept_dad=0");
	for (int i = 0; i < 2; i++) {
		sandbox_run("ip link add eth%d type veth peer name peer%d", i, i);
		sandbox_run("ip link set eth%d up && ip link set peer%d up", i, i);
	}
	sandbox_run("ip addr add 10.22.0.2/16 dev eth0 && ip addr add fd00:22::2/64 dev eth0 nodad");
	sandbox_run("ip addr add 10.33.0.2/16 dev eth1");
	sandbox_run("ip route add default via 10.22.0.1 dev eth0 && ip route add 172.16.0.0/12 via 10.22.0.9 dev eth0 "
		    "mtu 1400");
	sandbox_run("ip -6 route add default via fd00:22::1 dev eth0");
	r = flannel_context_new(&context, NULL, &error);
	sandbox_assert_ok(r, error);
	return context;
}

/* an address with a gateway, or with none for NULL */
static struct flannel_address make_address(const char *address, const char *gateway)
{
	struct flannel_address result = {.size = sizeof(result), .address = sandbox_prefix(address)};

	if (gateway)
		result.gateway = sandbox_prefix(gateway);
	return result;
}

Test(source_route, each_address_gets_a_table_and_everything_goes_again)
{
	FL_CLEANUP(flannel_context_unrefp) struct flannel_context *context = enter();
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct flannel_address addresses[] = {make_address("10.22.0.2/16", "10.22.0.1"),
						    make_address("fd00:22::2/64", "fd00:22::1")};
	const struct flannel_source_route_options options = {
		.size = sizeof(options), .link = "eth0", .addresses = addresses, .n_addresses = 2};
	int r;

	/* somebody else's: a rule to a table without routes, routes in a table without a rule */
	sandbox_run("ip rule add from 192.0.2.1 lookup 100 && ip route add 192.0.2.0/24 dev eth1 table 101");
	cr_expect_eq(flannel_source_route_check(context, &options, NULL), -ENOENT);
	r = flannel_source_route_ensure(context, &options, &error);
	sandbox_assert_ok(r, error);
	cr_expect_eq(r, 1);
	sandbox_expect("from 10.22.0.2 lookup 102\nfrom 192.0.2.1 lookup 100\nfrom fd00:22::2 lookup 103",
		       "(" RULES ") | sed 's/^[0-9]*:\\t//'");
	sandbox_expect("default via 10.22.0.1 dev eth0 \n"
		       "10.22.0.0/16 dev eth0 proto kernel scope link src 10.22.0.2 \n"
		       "172.16.0.0/12 via 10.22.0.9 dev eth0 mtu 1400 ",
		       "ip -4 route show table 102");
	sandbox_expect("fd00:22::/64 dev eth0 proto kernel metric 256 pref medium\n"
		       "default via fd00:22::1 dev eth0 metric 1024 pref medium",
		       "ip -6 route show table 103");
	/* what belongs to no address of the link stays, and what the link needs itself */
	sandbox_expect("10.33.0.0/16 dev eth1 proto kernel scope link src 10.33.0.2 ", "ip -4 route");
	sandbox_expect("1", "ip -6 route show dev eth0 | grep -c fe80::");
	sandbox_expect("0", "ip -6 route show dev eth0 | grep -vc fe80::");
	sandbox_expect("10.22.0.1", "ip -j route get 8.8.8.8 from 10.22.0.2 | jq -r '.[].gateway'");
	cr_expect_eq(flannel_source_route_check(context, &options, NULL), 0);
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 0);

	cr_expect_eq(flannel_source_route_remove(context, &options, NULL), 1);
	sandbox_expect("from 192.0.2.1 lookup 100", "(" RULES ") | sed 's/^[0-9]*:\\t//'");
	sandbox_expect("", "ip -4 route show table 102; ip -6 route show table 103");
	cr_expect_eq(flannel_source_route_remove(context, &options, NULL), 0);
}

Test(source_route, repair_and_check)
{
	FL_CLEANUP(flannel_context_unrefp) struct flannel_context *context = enter();
	const struct flannel_address address = make_address("10.22.0.2/16", "10.22.0.1");
	const struct flannel_source_route_options options = {.size = sizeof(options),
							     .link = "eth0",
							     .addresses = &address,
							     .n_addresses = 1},
						  other_table = {.size = sizeof(other_table),
								 .link = "eth0",
								 .addresses = &address,
								 .n_addresses = 1,
								 .table = 7};
	struct flannel_error *error = NULL;

	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 1);
	sandbox_run("ip route del default table 100");
	cr_expect_eq(flannel_source_route_check(context, &options, &error), -ENOENT);
	sandbox_expect_error(&error, -ENOENT, "default route via 10.22.0.1 dev eth0 in table 100: there is none");
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 1);
	cr_expect_eq(flannel_source_route_check(context, &options, NULL), 0);
	sandbox_run("ip rule del from 10.22.0.2");
	cr_expect_eq(flannel_source_route_check(context, &options, &error), -ENOENT);
	sandbox_expect_error(&error, -ENOENT, "rule from 10.22.0.2: there is none");
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 1);
	cr_expect_eq(flannel_source_route_check(context, &other_table, &error), -EEXIST);
	sandbox_expect_error(&error, -EEXIST, "rule from 10.22.0.2/32 to table 7 (table 100)");
	cr_expect_eq(flannel_source_route_ensure(context, &other_table, &error), -EEXIST);
	sandbox_expect_error(&error, -EEXIST, "there is a rule to another table");
	/* a rule that looks at more than the source is another one */
	sandbox_run("ip rule del from 10.22.0.2 && ip rule add from 10.22.0.2 to 10.0.0.0/8 lookup 9 && "
		    "ip rule add from 10.22.0.0/16 lookup 9 && ip rule add from 10.22.0.2 fwmark 1 lookup 9");
	cr_expect_eq(flannel_source_route_check(context, &options, NULL), -ENOENT);
}

Test(source_route, a_given_table_gets_rules_only)
{
	FL_CLEANUP(flannel_context_unrefp) struct flannel_context *context = enter();
	const struct flannel_address addresses[] = {make_address("10.22.0.2/16", "10.22.0.1"),
						    make_address("fd00:22::2/64", "fd00:22::1")};
	const struct flannel_source_route_options options = {
		.size = sizeof(options), .link = "eth0", .addresses = addresses, .n_addresses = 2, .table = 4000};
	FL_CLEANUP(fl_freep) char *before = sandbox_shell(false, "ip route show table all; ip -6 route show table all");

	sandbox_run("ip route add default via 10.22.0.7 table 4000");
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 1);
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 0);
	cr_expect_eq(flannel_source_route_check(context, &options, NULL), 0);
	sandbox_expect("from 10.22.0.2 lookup 4000\nfrom fd00:22::2 lookup 4000",
		       "(" RULES ") | sed 's/^[0-9]*:\\t//'");
	cr_expect_eq(flannel_source_route_remove(context, &options, NULL), 1);
	sandbox_expect("", "%s", RULES);
	sandbox_expect("default via 10.22.0.7 dev eth0 ", "ip route show table 4000");
	sandbox_run("ip route del default table 4000");
	sandbox_expect(before, "ip route show table all; ip -6 route show table all");
}

Test(source_route, networks_may_stay_with_a_hint)
{
	FL_CLEANUP(flannel_context_unrefp) struct flannel_context *context = enter();
	const struct flannel_address address = make_address("10.22.0.2/16", "10.22.0.5");
	const struct flannel_source_route_options options = {.size = sizeof(options),
							     .link = "eth0",
							     .addresses = &address,
							     .n_addresses = 1,
							     .flags = FLANNEL_SOURCE_ROUTE_KEEP_LINK};

	sandbox_run("ip route add 198.51.100.0/24 dev eth0");
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 1);
	sandbox_expect("10.22.0.0/16 proto kernel scope link src 10.22.0.2 \n198.51.100.0/24 scope link src 10.22.0.2 ",
		       "ip -4 route show dev eth0");
	/* the address's own gateway goes before the main table's */
	sandbox_expect("default via 10.22.0.5 \n10.22.0.0/16 proto kernel scope link src 10.22.0.2 \n"
		       "172.16.0.0/12 via 10.22.0.9 mtu 1400 \n198.51.100.0/24 scope link ",
		       "ip -4 route show dev eth0 table 100");
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 1, "the hint is copied, too");
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 0);
}

Test(source_route, a_refusal_takes_everything_back)
{
	FL_CLEANUP(flannel_context_unrefp) struct flannel_context *context = enter();
	/* the second gateway cannot be reached */
	const struct flannel_address addresses[] = {make_address("10.22.0.2/16", "10.22.0.1"),
						    make_address("fd00:22::2/64", "fd00:99::1")},
				     good = make_address("10.22.0.2/16", "10.22.0.1");
	struct flannel_source_route_options options = {
		.size = sizeof(options), .link = "eth0", .addresses = addresses, .n_addresses = 2};
	FL_CLEANUP(fl_freep) char *before = NULL;
	FL_CLEANUP(fl_freep) char *made = NULL;
	struct flannel_error *error = NULL;

	/* else the default route would lead to it */
	sandbox_run("ip -6 route del default");
	before = sandbox_shell(false, LISTING);
	cr_expect_eq(flannel_source_route_ensure(context, &options, &error), -EHOSTUNREACH);
	sandbox_expect_error(&error, -EHOSTUNREACH, "add route ::/0 via fd00:99::1 dev eth0");
	sandbox_expect(before, "%s", LISTING);

	/* what is there already stays: only this call's steps go */
	options.addresses = &good;
	options.n_addresses = 1;
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 1);
	made = sandbox_shell(false, LISTING);
	options.addresses = addresses;
	options.n_addresses = 2;
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), -EHOSTUNREACH);
	sandbox_expect(made, "%s", LISTING);
}

/* the last step of all fails: the main table's routes are put back as well */
Test(source_route, moved_routes_come_back)
{
	FL_CLEANUP(flannel_context_unrefp) struct flannel_context *context = enter();
	const struct flannel_address address = make_address("10.22.0.2/16", NULL);
	const struct flannel_source_route_options options = {.size = sizeof(options),
							     .link = "eth0",
							     .addresses = &address,
							     .n_addresses = 1,
							     .flags = FLANNEL_SOURCE_ROUTE_KEEP_LINK};
	FL_CLEANUP(fl_freep) char *before = NULL;
	struct flannel_error *error = NULL;

	/* the hint would be an address that the namespace does not have */
	sandbox_run("ip addr del 10.22.0.2/16 dev eth0 && ip addr add 10.22.0.3/16 dev eth0");
	sandbox_run("ip route add default via 10.22.0.1 && ip route add 198.51.100.0/24 dev eth0");
	before = sandbox_shell(false, LISTING);
	cr_expect_eq(flannel_source_route_ensure(context, &options, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "replace route 198.51.100.0/24 dev eth0");
	sandbox_expect(before, "%s", LISTING);
}

Test(source_route, remove_after_the_link_has_gone)
{
	FL_CLEANUP(flannel_context_unrefp) struct flannel_context *context = enter();
	const struct flannel_address address = make_address("10.22.0.2/16", "10.22.0.1");
	struct flannel_source_route_options options = {
		.size = sizeof(options), .link = "eth0", .addresses = &address, .n_addresses = 1};

	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), 1);
	sandbox_run("ip link del eth0");
	cr_expect_eq(flannel_source_route_check(context, &options, NULL), -ENODEV);
	cr_expect_eq(flannel_source_route_ensure(context, &options, NULL), -ENODEV);
	sandbox_expect("1", "(" RULES ") | wc -l");
	cr_expect_eq(flannel_source_route_remove(context, &options, NULL), 1);
	sandbox_expect("0", "(" RULES ") | wc -l");
	/* without addresses those of the link count */
	options.link = "eth1";
	options.addresses = NULL;
	options.n_addresses = 0;
	sandbox_run("ip rule add from 10.33.0.2 lookup 300 && ip rule add from 10.33.0.2 lookup 301");
	cr_expect_eq(flannel_source_route_remove(context, &options, NULL), 1);
	sandbox_expect("0", "(" RULES ") | wc -l");
}

Test(source_route, bad_arguments)
{
	FL_CLEANUP(flannel_context_unrefp) struct flannel_context *context = enter();
	const struct flannel_address address = make_address("10.22.0.2/16", NULL);
	const struct flannel_source_route_options good = {.size = sizeof(good),
							  .link = "eth0",
							  .addresses = &address,
							  .n_addresses = 1},
						  small = {.size = 8};

	cr_expect_eq(flannel_source_route_ensure(NULL, &good, NULL), -EINVAL);
	cr_expect_eq(flannel_source_route_ensure(context, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_source_route_ensure(context, &small, NULL), -EINVAL);
	cr_expect_eq(flannel_source_route_check(NULL, &good, NULL), -EINVAL);
	cr_expect_eq(flannel_source_route_check(context, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_source_route_remove(NULL, &good, NULL), -EINVAL);
	cr_expect_eq(flannel_source_route_remove(context, NULL, NULL), -EINVAL);
}
