/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/iptables_mode.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/cleanup.h"

const struct fl_iptables_chain fl_iptables_masquerade = {
	.table = "nat",
	.name = "FLANNEL-POSTRTG",
	.hooked = "POSTROUTING",
	.comment = "flanneld masq",
};

const struct fl_iptables_chain fl_iptables_forward = {
	.table = "filter",
	.name = "FLANNEL-FWD",
	.hooked = "FORWARD",
	.comment = "flanneld forward",
};

/* the rule that accepts what comes from or goes to the network; iptables expects a counter in each of its rules */
static struct json_object *accept_rule(const struct fl_nft_table_name *table, const char *field,
				       const struct flannel_prefix *network)
{
	struct json_object *match = fl_nft_match(
		"==", fl_nft_payload(network->family == AF_INET6 ? "ip6" : "ip", field), fl_nft_prefix(network));

	return fl_nft_add_commented_rule(table, fl_iptables_forward.name,
					 FL_NFT_ARRAY(match, fl_nft_counter(), fl_nft_keyed_null("accept")),
					 fl_iptables_forward.comment);
}

int fl_iptables_accept(struct json_object *commands, const struct flannel_prefix *network, bool has_jump)
{
	const struct fl_iptables_chain *chain = &fl_iptables_forward;
	const struct fl_nft_table_name table = {.family = network->family == AF_INET6 ? "ip6" : "ip",
						.name = chain->table};
	struct json_object *const all[] = {
		fl_nft_add_chain(&table, chain->name),
		fl_nft_flush_chain(&table, chain->name),
		accept_rule(&table, "saddr", network),
		accept_rule(&table, "daddr", network),
		has_jump ? NULL
			 : fl_nft_add_commented_rule(&table, chain->hooked,
						     FL_NFT_ARRAY(fl_nft_counter(), fl_nft_jump(chain->name)),
						     chain->comment),
	};
	const size_t n = FL_N_ELEMENTS(all) - (has_jump ? 1 : 0);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		if (r < 0)
			fl_json_unref(all[i]);
		else
			r = fl_json_append(commands, all[i]);
	}
	return r;
}
