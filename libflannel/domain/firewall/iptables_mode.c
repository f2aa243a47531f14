/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/firewall/iptables_mode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/cleanup.h"

struct fl_iptables_chain fl_iptables_masquerade(void)
{
	return (struct fl_iptables_chain){
		.table = "nat",
		.hooked = "POSTROUTING",
		.name = "FLANNEL-POSTRTG",
		.comment = "flanneld masq",
	};
}

struct fl_iptables_chain fl_iptables_forward(const char *instance)
{
	struct fl_iptables_chain chain = {.table = "filter", .hooked = "FORWARD"};

	snprintf(chain.name, sizeof(chain.name), "FLANNEL-FWD%s%.15s", *instance ? "-" : "", instance);
	snprintf(chain.comment, sizeof(chain.comment), "flanneld forward%s%s", *instance ? " " : "", instance);
	return chain;
}

/* the rule that accepts what comes from or goes to the network; iptables expects a counter in each of its rules */
static struct json_object *accept_rule(const struct fl_nft_table_name *table, const struct fl_iptables_chain *chain,
				       const char *field, const struct flannel_prefix *network)
{
	struct json_object *match = fl_nft_match(
		"==", fl_nft_payload(network->family == AF_INET6 ? "ip6" : "ip", field), fl_nft_prefix(network));

	return fl_nft_add_commented_rule(
		table, chain->name, FL_NFT_ARRAY(match, fl_nft_counter(), fl_nft_keyed_null("accept")), chain->comment);
}

int fl_iptables_accept(struct json_object *commands, const struct fl_iptables_chain *chain,
		       const struct flannel_prefix *network, bool has_jump)
{
	const struct fl_nft_table_name table = {.family = network->family == AF_INET6 ? "ip6" : "ip",
						.name = chain->table};
	struct json_object *const all[] = {
		fl_nft_add_chain(&table, chain->name),
		fl_nft_flush_chain(&table, chain->name),
		accept_rule(&table, chain, "saddr", network),
		accept_rule(&table, chain, "daddr", network),
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
