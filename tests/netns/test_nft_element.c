/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements of sets and maps by plain messages, in a namespace of the test's own; nft(8) makes the tables and looks. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>

#include "base/loop.h"
#include "domain/firewall/nft_command.h"
#include "nft_client.h"
#include "sandbox.h"
#include "sys/nft/element.h"

static const struct fl_nft_place place = {.family = "inet", .table = "t"};

/* a table with sets of every kind that we use */
static const char table[] = "nft -f - <<'END'\n"
			    "table inet t {\n"
			    " map addresses { type inet_proto . inet_service : ipv4_addr; flags timeout; }\n"
			    " set macs { type ether_addr; flags timeout; }\n"
			    " set links { type ifname . ipv4_addr; flags timeout; }\n"
			    " map plain { type inet_service : inet_service; }\n"
			    "}\n"
			    "table bridge b { set macs { type ifname . ether_addr; flags timeout; }; }\n"
			    "END";

static struct fl_rtnl *netfilter;

static void set_up(void)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	sandbox_enter();
	sandbox_run("%s", table);
	sandbox_assert_ok(fl_rtnl_open_netfilter(-1, true, &netfilter, &error), error);
}

static void tear_down(void)
{
	netfilter = fl_rtnl_close(netfilter);
}

TestSuite(nft_element, .init = set_up, .fini = tear_down);

/* tcp . port : address */
static struct fl_nft_element mapping(uint16_t port, const char *address, const char *comment)
{
	struct fl_nft_element element = {.set = "addresses"};
	uint16_t service = htons(port);
	struct in_addr bytes;

	cr_assert_eq(inet_pton(AF_INET, address, &bytes), 1);
	fl_nft_value_append(&element.key, &(uint8_t){IPPROTO_TCP}, 1);
	fl_nft_value_append(&element.key, &service, sizeof(service));
	element.data = fl_nft_value_of(&bytes, sizeof(bytes));
	snprintf(element.comment, sizeof(element.comment), "%s", comment);
	return element;
}

/* what nft sees of a set: each element's key, data and comment */
static void expect_listing(const char *kind, const char *set, const char *expected)
{
	sandbox_expect(expected,
		       "nft -j list %s inet t %s | jq -c '[.nftables[] | select(.%s) | .%s.elem // [] | .[] |"
		       " if type == \"array\" then [(.[0] | .elem?.val // .), .[1], (.[0] | .elem?.comment)]"
		       " else [(.elem?.val // .), .elem?.comment] end]'",
		       kind, set, kind, kind);
}

/* looks, while the kernel's clock ticks, until the element is not found any more; there is no notification of that */
static void wait_until_gone(struct fl_nft_element element)
{
	uint64_t end_ns = fl_loop_now() + UINT64_C(10) * 1000 * FL_NSEC_PER_MSEC;
	bool found = true;

	while (found && fl_loop_now() < end_ns)
		cr_assert_geq(fl_nft_element_find(netfilter, &place, &element, 1, &found, NULL), 0);
	cr_assert(!found, "a retired element is still found");
}

Test(nft_element, add_and_look_up)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_nft_element elements[3] = {mapping(80, "10.0.0.1", "one"), mapping(81, "10.0.0.2", ""),
					     mapping(82, "10.0.0.3", "three")};
	struct fl_nft_element asked[5] = {mapping(79, "0.0.0.0", ""), elements[0], mapping(90, "0.0.0.0", ""),
					  elements[1], elements[2]};
	bool found[5];

	sandbox_assert_ok(fl_nft_element_add(netfilter, &place, elements, 3, NULL, &error), error);
	expect_listing(
		"map", "addresses",
		"[[{\"concat\":[\"tcp\",80]},\"10.0.0.1\",\"one\"],[{\"concat\":[\"tcp\",81]},\"10.0.0.2\",null],"
		"[{\"concat\":[\"tcp\",82]},\"10.0.0.3\",\"three\"]]");
	for (size_t i = 0; i < 5; i++)
		asked[i].data.len = 0;
	cr_expect_eq(fl_nft_element_find(netfilter, &place, asked, 5, found, &error), 3);
	cr_expect(!found[0] && found[1] && !found[2] && found[3] && found[4]);
	cr_expect_str_eq(asked[1].comment, "one");
	cr_expect_str_eq(asked[3].comment, "");
	cr_expect_arr_eq(asked[4].data.bytes, elements[2].data.bytes, 4);
	cr_expect_eq(asked[4].data.len, 4);
	/* 50 years */
	cr_expect(asked[4].expires_msec > UINT64_C(49) * 365 * 86400 * 1000);
	cr_expect(!fl_nft_element_is_retired(&asked[4]));
	/* again: nothing to refuse */
	sandbox_assert_ok(fl_nft_element_add(netfilter, &place, elements, 3, NULL, &error), error);
}

Test(nft_element, sets_of_other_kinds)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct fl_nft_place bridge = {.family = "bridge", .table = "b"};
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, address[4] = {10, 0, 0, 1};
	struct fl_nft_element element = {.set = "macs", .key = fl_nft_value_of(mac, 6)};

	sandbox_assert_ok(fl_nft_element_add(netfilter, &place, &element, 1, NULL, &error), error);
	expect_listing("set", "macs", "[[\"02:00:00:00:00:01\",null]]");
	element = (struct fl_nft_element){.set = "links"};
	fl_nft_value_append(&element.key, "cni0\0\0\0\0\0\0\0\0\0\0\0", 16);
	fl_nft_value_append(&element.key, address, 4);
	sandbox_assert_ok(fl_nft_element_add(netfilter, &place, &element, 1, NULL, &error), error);
	expect_listing("set", "links", "[[{\"concat\":[\"cni0\",\"10.0.0.1\"]},null]]");
	element = (struct fl_nft_element){.set = "macs", .comment = "owner"};
	fl_nft_value_append(&element.key, "veth1\0\0\0\0\0\0\0\0\0\0", 16);
	fl_nft_value_append(&element.key, mac, 6);
	sandbox_assert_ok(fl_nft_element_add(netfilter, &bridge, &element, 1, NULL, &error), error);
	sandbox_expect("[{\"concat\":[\"veth1\",\"02:00:00:00:00:01\"]}]",
		       "nft -j list set bridge b macs | jq -c '[.nftables[].set // empty | .elem[].elem.val]'");
	sandbox_assert_ok(fl_nft_element_retire(netfilter, &bridge, &element, 1, &error), error);
}

Test(nft_element, refusals_are_told_and_leave_nothing)
{
	struct flannel_error *error = NULL;
	struct fl_nft_element elements[3] = {mapping(80, "10.0.0.1", "mine"), mapping(81, "10.0.0.2", "mine"),
					     mapping(82, "10.0.0.3", "mine")};
	struct fl_nft_element other = mapping(81, "10.9.9.9", "theirs");
	struct fl_nft_place nowhere = {.family = "inet", .table = "nowhere"};
	size_t failed = 77;
	bool found;

	cr_assert_eq(fl_nft_element_add(netfilter, &place, &other, 1, NULL, NULL), 0);
	cr_expect_eq(fl_nft_element_add(netfilter, &place, elements, 3, &failed, &error), -EEXIST);
	cr_expect_eq(failed, 1);
	sandbox_expect_error(&error, -EEXIST, "add to nft inet t addresses");
	expect_listing("map", "addresses", "[[{\"concat\":[\"tcp\",81]},\"10.9.9.9\",\"theirs\"]]");
	cr_expect_eq(fl_nft_element_add(netfilter, &nowhere, elements, 3, &failed, &error), -ENOENT);
	sandbox_expect_error(&error, -ENOENT, "nowhere");
	cr_expect_eq(fl_nft_element_find(netfilter, &nowhere, elements, 1, &found, &error), 0);
	cr_expect(!found && !error);
	elements[0].key.len = 4;
	cr_expect_eq(fl_nft_element_add(netfilter, &place, elements, 1, &failed, &error), -EINVAL);
	cr_expect_eq(failed, 0);
	error = flannel_error_unref(error);
	elements[0].set = "plain";
	elements[0].key = elements[0].data = fl_nft_value_of("\0\1", 2);
	cr_expect_eq(fl_nft_element_add(netfilter, &place, elements, 1, &failed, &error), -EINVAL);
	flannel_error_unref(error);
}

Test(nft_element, a_retired_element_ends_and_its_key_is_free)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_nft_element first = mapping(80, "10.0.0.1", "first"), second = mapping(80, "10.0.0.2", "second");

	for (int i = 0; i < 5; i++) {
		sandbox_assert_ok(fl_nft_element_add(netfilter, &place, &first, 1, NULL, &error), error);
		/* 0: this kernel updates timeouts, nothing was deleted */
		cr_expect_eq(fl_nft_element_retire(netfilter, &place, &first, 1, &error), 0);
		wait_until_gone(first);
		sandbox_assert_ok(fl_nft_element_add(netfilter, &place, &second, 1, NULL, &error), error);
		expect_listing("map", "addresses", "[[{\"concat\":[\"tcp\",80]},\"10.0.0.2\",\"second\"]]");
		cr_expect_eq(fl_nft_element_retire(netfilter, &place, &second, 1, &error), 0);
		wait_until_gone(second);
		expect_listing("map", "addresses", "[]");
	}
	/* one that is not there: no harm */
	cr_expect_geq(fl_nft_element_retire(netfilter, &place, &first, 1, &error), 0);
	wait_until_gone(first);
}

Test(nft_element, replacing_is_one_step)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_nft_element first = mapping(80, "10.0.0.1", "first"), second = mapping(80, "10.0.0.2", "second");

	sandbox_assert_ok(fl_nft_element_add(netfilter, &place, &first, 1, NULL, &error), error);
	sandbox_assert_ok(fl_nft_element_replace(netfilter, &place, &second, 1, &error), error);
	expect_listing("map", "addresses", "[[{\"concat\":[\"tcp\",80]},\"10.0.0.2\",\"second\"]]");
}

Test(nft_element, sets_without_timeouts_are_deleted_from)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_nft_element element = {
		.set = "plain", .key = fl_nft_value_of("\0\120", 2), .data = fl_nft_value_of("\0\121", 2)};

	sandbox_run("nft add element inet t plain '{ 80 : 81, 90 : 91 }'");
	cr_expect_eq(fl_nft_element_retire(netfilter, &place, &element, 1, &error), 1, "%s",
		     flannel_error_get_message(error));
	expect_listing("map", "plain", "[[90,91]]");
	/* gone already */
	cr_expect_eq(fl_nft_element_retire(netfilter, &place, &element, 1, &error), 1, "%s",
		     flannel_error_get_message(error));
	expect_listing("map", "plain", "[[90,91]]");
}

Test(nft_element, deleting_does_not_mind_what_is_gone)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_nft_element elements[3] = {mapping(80, "10.0.0.1", ""), mapping(81, "10.0.0.2", ""),
					     mapping(82, "10.0.0.3", "")};

	sandbox_assert_ok(fl_nft_element_add(netfilter, &place, elements, 1, NULL, &error), error);
	sandbox_assert_ok(fl_nft_element_add(netfilter, &place, elements + 2, 1, NULL, &error), error);
	cr_expect_eq(fl_nft_element_delete(netfilter, &place, elements, 3, &error), 0, "%s",
		     flannel_error_get_message(error));
	expect_listing("map", "addresses", "[]");
}

Test(nft_element, thousands_at_once)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) struct fl_nft_element *elements = calloc(3000, sizeof(*elements)), *listed = NULL;
	FL_CLEANUP(fl_freep) bool *found = calloc(3000, sizeof(*found));
	size_t n = 0;

	cr_assert(elements && found);
	for (uint16_t i = 0; i < 3000; i++)
		elements[i] =
			mapping((uint16_t)(20000 + i), "10.0.0.1", "a comment of some length, as an owner may be");
	sandbox_assert_ok(fl_nft_element_add(netfilter, &place, elements, 3000, NULL, &error), error);
	cr_expect_eq(fl_nft_element_find(netfilter, &place, elements, 3000, found, &error), 3000, "%s",
		     flannel_error_get_message(error));
	sandbox_assert_ok(fl_nft_element_list(netfilter, &place, "addresses", &listed, &n, &error), error);
	cr_expect_eq(n, 3000);
	cr_expect(n > 0 && strcmp(listed[n - 1].comment, elements[0].comment) == 0);
	cr_expect_eq(fl_nft_element_retire(netfilter, &place, elements, 3000, &error), 0);
	wait_until_gone(elements[2999]);
	cr_expect_eq(fl_nft_element_find(netfilter, &place, elements, 3000, found, &error), 0);
}

Test(nft_element, lists)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_nft_element *listed = NULL;
	size_t n = 7;

	sandbox_assert_ok(fl_nft_element_list(netfilter, &place, "addresses", &listed, &n, &error), error);
	cr_expect(n == 0 && !listed);
	cr_expect_eq(fl_nft_element_list(netfilter, &place, "nothing", &listed, &n, &error), -ENOENT);
	sandbox_expect_error(&error, -ENOENT, "list nft inet t nothing");
	/* what others wrote: without a timeout, with a comment longer than ours may be */
	sandbox_run("nft add element inet t addresses '{ udp . 53 comment \"%0120d\" : 10.0.0.9 }'", 0);
	sandbox_assert_ok(fl_nft_element_list(netfilter, &place, "addresses", &listed, &n, &error), error);
	cr_assert_eq(n, 1);
	cr_expect_eq(strlen(listed[0].comment), 120);
	cr_expect_eq(listed[0].expires_msec, 0);
	free(listed);
}

Test(nft_element, tables_and_chains)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct fl_nft_place other = {.family = "ip", .table = "t"};
	FL_CLEANUP(fl_freep) char *names = NULL;

	sandbox_run("nft add chain inet t c; nft add table inet cni-x-1; nft add table inet cni-x-2; nft add table ip "
		    "cni-x-3");
	cr_expect_eq(fl_nft_has_table(netfilter, &place, &error), 1);
	cr_expect_eq(fl_nft_has_table(netfilter, &other, &error), 0);
	cr_expect_eq(fl_nft_has_chain(netfilter, &place, "c", &error), 1);
	cr_expect_eq(fl_nft_has_chain(netfilter, &place, "d", &error), 0);
	cr_expect_eq(fl_nft_has_chain(netfilter, &other, "c", &error), 0);
	cr_assert_eq(fl_nft_list_tables(netfilter, "inet", "cni-x-", &names, &error), 2);
	cr_expect_str_eq(names, "cni-x-1");
	cr_expect_str_eq(names + 8, "cni-x-2");
	cr_expect_null(error);
}

/* what the helper makes for us is what elements can be put into */
Test(nft_element, tables_by_the_helper)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	const struct fl_nft_table_name name = {.family = "inet", .name = "made"};
	const struct fl_nft_place made = {.family = "inet", .table = "made"};
	const char *const fields[3] = {"inet_proto", "inet_service"};
	struct fl_nft_element element = mapping(80, "10.0.0.1", "");

	for (int i = 0; i < 2; i++) {
		int r = fl_nft_run_sync(nft,
					FL_NFT_ARRAY(fl_nft_create_table(&name),
						     fl_nft_add_set(&name, "addresses", fields, "ipv4_addr"),
						     fl_nft_add_chain(&name, "c"),
						     fl_nft_add_base_chain(&name, "hook", "nat", "postrouting", 100),
						     fl_nft_add_rule(&name, "hook", FL_NFT_ARRAY(fl_nft_jump("c")))),
					ANSWER_MS, &error);

		cr_expect_eq(r, i == 0 ? 0 : -EEXIST, "%d: %s", r, flannel_error_get_message(error));
		error = flannel_error_unref(error);
	}
	cr_expect_eq(fl_nft_run_sync(nft, NULL, ANSWER_MS, NULL), -ENOMEM);
	sandbox_assert_ok(fl_nft_element_add(netfilter, &made, &element, 1, NULL, &error), error);
	/* the second attempt added no second rule */
	sandbox_expect("1", "nft -j list table inet made | jq '[.nftables[].rule // empty] | length'");
}
