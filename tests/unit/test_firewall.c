/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lets containers through, as values: options, elements, the table, what completes the tables of iptables. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/firewall/element_owner.h"
#include "domain/firewall/firewall.h"

/* addresses from texts; the number is the result */
static size_t parse(const char *const texts[], struct flannel_prefix *ret_addresses)
{
	size_t n = 0;

	for (; texts[n]; n++)
		cr_assert_eq(flannel_prefix_parse(texts[n], &ret_addresses[n]), 0, "%s", texts[n]);
	return n;
}

struct option_case {
	const char *name;
	struct flannel_firewall_options options;
	const char *refused; /* NULL: taken */
};

static const struct flannel_prefix nothing = {.family = AF_UNSPEC};

static const struct option_case option_cases[] = {
	{"nothing at all", {0}, NULL},
	{"an address of no family", {.addresses = &nothing, .n_addresses = 1}, "address 0"},
	{"addresses that are not there", {.n_addresses = 1}, "1 addresses"},
	{"too many addresses", {.addresses = &nothing, .n_addresses = FL_FIREWALL_ADDRESSES_MAX + 1}, "65 addresses"},
	{"a policy", {.policy = FLANNEL_FIREWALL_ISOLATED, .bridge = "cni0"}, NULL},
	{"a policy of no bridge", {.policy = FLANNEL_FIREWALL_SAME_BRIDGE}, "bridge is \"\""},
	{"a bridge's name that is too long",
	 {.policy = FLANNEL_FIREWALL_SAME_BRIDGE, .bridge = "a234567890123456"},
	 "bridge"},
	{"no policy at all", {.policy = 3, .bridge = "cni0"}, "policy is 3"},
	{"a policy below all", {.policy = -1, .bridge = "cni0"}, "policy is -1"},
	{"a chain", {.admin_chain = "MY-RULES.1_x"}, NULL},
	{"the longest chain", {.admin_chain = "a234567890123456789012345678"}, NULL},
	{"a chain that is too long", {.admin_chain = "a2345678901234567890123456789"}, "admin_chain"},
	{"a chain without a name", {.admin_chain = ""}, "admin_chain"},
	{"an option for a chain", {.admin_chain = "-F"}, "admin_chain is \"-F\""},
	{"a target for a chain", {.admin_chain = "ACCEPT"}, "admin_chain"},
	{"a chain of the table", {.admin_chain = "INPUT"}, "admin_chain"},
	{"our own chain", {.admin_chain = "CNI-FORWARD"}, "admin_chain"},
	{"a chain in two words", {.admin_chain = "a b"}, "admin_chain"},
};

Test(firewall, options)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(option_cases); i++) {
		const struct option_case *c = &option_cases[i];
		struct flannel_error *error = NULL;
		int r = fl_firewall_check_options(&c->options, &error);

		cr_expect_eq(r, c->refused ? -EINVAL : 0, "%s: %d", c->name, r);
		if (c->refused)
			cr_expect_not_null(strstr(flannel_error_get_message(error), c->refused), "%s: %s", c->name,
					   flannel_error_get_message(error));
		flannel_error_unref(error);
		cr_expect_eq(fl_firewall_check_options(&c->options, NULL), r, "%s", c->name);
	}
}

Test(firewall, elements_of_addresses)
{
	const struct flannel_attachment_id id = {.size = sizeof(id), .container_id = "c1", .ifname = "eth0"};
	struct flannel_prefix addresses[2];
	struct flannel_firewall_options options = {.addresses = addresses};
	struct fl_nft_element elements[2];
	char owner[FL_NFT_COMMENT_MAX + 1];

	options.n_addresses = parse((const char *const[]){"10.1.0.2/24", "fd00:1::2/64", NULL}, addresses);
	fl_element_owner_format("n1", &id, owner);
	cr_assert_eq(fl_firewall_addresses(&options, owner, elements), 2);
	cr_expect_str_eq(elements[0].set, "addresses-ipv4");
	cr_expect_eq(elements[0].key.len, 4);
	cr_expect_arr_eq(elements[0].key.bytes, ((uint8_t[]){10, 1, 0, 2}), 4);
	cr_expect_str_eq(elements[1].set, "addresses-ipv6");
	cr_expect_eq(elements[1].key.len, 16);
	cr_expect_arr_eq(elements[1].key.bytes, addresses[1].addr, 16);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_str_eq(elements[i].comment, owner);
		cr_expect_eq(elements[i].data.len, 0);
	}
}

Test(firewall, elements_of_a_bridge)
{
	struct flannel_firewall_options options = {.bridge = "cni0"};
	struct fl_nft_element elements[2], unwanted;
	const char name[16] = "cni0";

	cr_expect_eq(fl_firewall_bridge(&options, elements), 0);
	cr_expect_not(fl_firewall_unwanted(&options, &unwanted));

	options.policy = FLANNEL_FIREWALL_SAME_BRIDGE;
	cr_assert_eq(fl_firewall_bridge(&options, elements), 2);
	cr_expect_str_eq(elements[0].set, "bridges");
	cr_expect_eq(elements[0].key.len, 16);
	cr_expect_arr_eq(elements[0].key.bytes, name, 16);
	cr_expect_str_eq(elements[1].set, "within");
	cr_expect_eq(elements[1].key.len, 32);
	cr_expect_arr_eq(elements[1].key.bytes, name, 16);
	cr_expect_arr_eq(elements[1].key.bytes + 16, name, 16);
	cr_expect_str_empty(elements[1].comment);
	cr_expect_not(fl_firewall_unwanted(&options, &unwanted));

	options.policy = FLANNEL_FIREWALL_ISOLATED;
	cr_expect_eq(fl_firewall_bridge(&options, elements), 1);
	cr_assert(fl_firewall_unwanted(&options, &unwanted));
	cr_expect_str_eq(unwanted.set, "within");
}

struct owner_case {
	const char *network, *container_id, *ifname;
	bool same, same_network;
};

/* compared with network n1, container c1, interface eth0 */
static const struct owner_case owner_cases[] = {
	{"n1", "c1", "eth0", true, true},   {"n1", "c1", "eth1", false, true},  {"n1", "c2", "eth0", false, true},
	{"n2", "c1", "eth0", false, false}, {"n1c", "1", "eth0", false, false}, {"n1", "c1eth0", "", false, true},
};

Test(firewall, owners)
{
	const struct flannel_attachment_id first = {.size = sizeof(first), .container_id = "c1", .ifname = "eth0"};
	char mine[FL_NFT_COMMENT_MAX + 1], other[FL_NFT_COMMENT_MAX + 1], id[300];
	struct flannel_attachment_id attachment = first;

	fl_element_owner_format("n1", &first, mine);
	cr_expect_str_eq(fl_element_owner_text(mine), "c1/eth0");
	for (size_t i = 0; i < FL_N_ELEMENTS(owner_cases); i++) {
		const struct owner_case *c = &owner_cases[i];

		attachment.container_id = c->container_id;
		attachment.ifname = c->ifname;
		fl_element_owner_format(c->network, &attachment, other);
		cr_expect_eq(fl_element_owner_equal(mine, other), c->same, "%zu", i);
		cr_expect_eq(fl_element_owner_same_network(mine, other), c->same_network, "%zu", i);
	}
	/* what is not of ours is nobody's */
	cr_expect_not(fl_element_owner_equal("", ""));
	cr_expect_not(fl_element_owner_same_network("", ""));
	cr_expect_str_eq(fl_element_owner_text("somebody"), "another program");
	/* the longest names fit, and their ends count */
	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	attachment =
		(struct flannel_attachment_id){.size = sizeof(first), .container_id = id, .ifname = "a23456789012345"};
	fl_element_owner_format("n1", &attachment, mine);
	id[sizeof(id) - 2] = 'y';
	fl_element_owner_format("n1", &attachment, other);
	cr_expect_not(fl_element_owner_equal(mine, other));
	cr_expect_not_null(strstr(other, "/a23456789012345"));
}

/* the commands as a text: nft itself reads them in the tests with a kernel */
Test(firewall, table)
{
	struct json_object *commands = fl_firewall_table();
	char *text = fl_json_format(commands);

	cr_assert_not_null(text);
	cr_expect_eq(strncmp(text, "[{\"create\":{\"table\":", 20), 0, "%s", text);
	cr_expect_not_null(strstr(text, "\"prio\":-2"));
	free(text);
	fl_json_unref(commands);
}

struct complete_case {
	const char *name;
	struct fl_firewall_found found;
	const char *missing; /* NULL: nothing, and nothing is done */
	const char *verbs;   /* "add"s and "insert"s, and what of, in order */
};

static const struct complete_case complete_cases[] = {
	{"no iptables", {false, false, false, false, false}, NULL, ""},
	{"nothing of ours",
	 {true, false, false, false, false},
	 "chain CNI-FORWARD",
	 "add chain, add rule, add chain, insert rule, insert rule, "},
	{"all", {true, true, true, true, true}, NULL, ""},
	{"no jump", {true, false, true, true, true}, "FORWARD to", "insert rule, "},
	{"no jump to the administrator's",
	 {true, true, true, false, true},
	 "administrator",
	 "add chain, insert rule, "},
	{"nothing accepts", {true, true, true, true, false}, "accepting", "add rule, "},
};

Test(firewall, complete)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(complete_cases); i++) {
		const struct complete_case *c = &complete_cases[i];
		struct json_object *commands = fl_json_array();
		const char *missing = fl_firewall_missing(&c->found);
		char verbs[200] = "";
		char *text;

		cr_expect_eq(!missing, !c->missing, "%s", c->name);
		if (missing && c->missing)
			cr_expect_not_null(strstr(missing, c->missing), "%s: %s", c->name, missing);
		if (missing)
			cr_expect_eq(fl_firewall_complete(commands, "ip6", &c->found, NULL), 0);
		text = fl_json_format(commands);
		for (const char *at = text; (at = strpbrk(at, "{[")); at++) {
			const char *const heads[] = {"{\"add\":{\"chain\"", "{\"add\":{\"rule\"",
						     "{\"insert\":{\"rule\""};
			const char *const words[] = {"add chain, ", "add rule, ", "insert rule, "};

			for (size_t h = 0; h < FL_N_ELEMENTS(heads); h++) {
				if (strncmp(at, heads[h], strlen(heads[h])) == 0)
					strcat(verbs, words[h]);
			}
		}
		cr_expect_str_eq(verbs, c->verbs, "%s: %s", c->name, text);
		cr_expect(!missing || strstr(text, "\"ip6\""), "%s", text);
		free(text);
		fl_json_unref(commands);
	}
}
