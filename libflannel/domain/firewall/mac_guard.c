/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/firewall/mac_guard.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "domain/firewall/nft_command.h"

/* before anybody else's chain, so that nothing is learned or passed on of a forged frame */
#define PRIORITY (-300)

/* the one rule */
static struct json_object *add_rule(const struct fl_nft_table_name *table)
{
	struct json_object *sender =
		fl_nft_concat(FL_NFT_ARRAY(fl_nft_meta("iifname"), fl_nft_payload("ether", "saddr")));
	struct json_object *statements = FL_NFT_ARRAY(
		fl_nft_match("==", fl_nft_meta("iifname"), fl_json_string("@" FL_MAC_GUARD_PORTS)),
		fl_nft_match("!=", sender, fl_json_string("@" FL_MAC_GUARD_ALLOWED)), fl_nft_keyed_null("drop"));

	return fl_nft_add_rule(table, FL_MAC_GUARD_CHAIN, statements);
}

struct json_object *fl_mac_guard_commands(bool only_rule)
{
	const struct fl_nft_table_name table = {.family = FL_MAC_GUARD_FAMILY, .name = FL_MAC_GUARD_TABLE};
	const char *const port[3] = {"ifname"}, *const sender[3] = {"ifname", "ether_addr"};

	if (only_rule)
		return FL_NFT_ARRAY(add_rule(&table));
	return FL_NFT_ARRAY(fl_nft_create_table(&table), fl_nft_add_set(&table, FL_MAC_GUARD_PORTS, port, NULL),
			    fl_nft_add_set(&table, FL_MAC_GUARD_ALLOWED, sender, NULL),
			    fl_nft_add_base_chain(&table, FL_MAC_GUARD_CHAIN, "filter", "prerouting", PRIORITY),
			    add_rule(&table));
}

void fl_mac_guard_elements(const char *port, const uint8_t mac[FL_MAC_LEN], const char *owner,
			   struct fl_nft_element ret_elements[FL_MAC_GUARD_ELEMENTS])
{
	char name[FLANNEL_IFNAME_SIZE] = "";

	(void)snprintf(name, sizeof(name), "%s", port);
	ret_elements[0] = (struct fl_nft_element){.set = FL_MAC_GUARD_ALLOWED};
	fl_nft_value_append(&ret_elements[0].key, name, sizeof(name));
	fl_nft_value_append(&ret_elements[0].key, mac, FL_MAC_LEN);
	ret_elements[1] = (struct fl_nft_element){.set = FL_MAC_GUARD_PORTS};
	ret_elements[1].key = fl_nft_value_of(name, sizeof(name));
	for (size_t i = 0; i < FL_MAC_GUARD_ELEMENTS; i++)
		(void)snprintf(ret_elements[i].comment, sizeof(ret_elements[i].comment), "%s", owner);
}
