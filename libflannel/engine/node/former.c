/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/node/former.h"

#include <sys/socket.h>

#include "domain/firewall/iptables_mode.h"
#include "sys/nft/message.h"
#include "sys/nft/xtables.h"

static const int families[] = {AF_INET, AF_INET6};

/* a table of iptables-nft */
static struct fl_nft_table_name table_of(const struct fl_iptables_chain *chain, int family)
{
	return (struct fl_nft_table_name){.family = family == AF_INET6 ? "ip6" : "ip", .name = chain->table};
}

/* Is acceptance by a table of ours not enough: does this one drop the rest, and is traffic to be forwarded. 1, 0, negative */
static int needs_acceptance(const struct fl_node_scope *scope, unsigned int masquerade, struct fl_former *former,
			    const struct fl_iptables_chain *chain, int family, struct flannel_prefix *ret_network,
			    struct flannel_error **ret_error)
{
	const struct fl_nft_table_name filter = table_of(chain, family);
	const struct fl_nft_place place = {.family = filter.family, .table = filter.name};

	if (!(masquerade & FLANNEL_MASQUERADE_FORWARD) ||
	    flannel_netconf_get_network(scope->facts.netconf, family, ret_network) <= 0)
		return 0;
	return fl_nft_chain_drops(former->netfilter, &place, chain->hooked, ret_error);
}

/* the chain that accepts: set where it is needed, gone where not */
static int mark_forward(const struct fl_node_scope *scope, unsigned int masquerade, struct fl_former *former,
			int family, struct flannel_error **ret_error)
{
	const struct fl_iptables_chain chain = fl_iptables_forward(scope->instance);
	const struct fl_nft_table_name filter = table_of(&chain, family);
	struct flannel_prefix network = {0};
	int r = needs_acceptance(scope, masquerade, former, &chain, family, &network, ret_error);

	if (r == 0)
		return fl_former_take_marked(former, &filter, chain.name, chain.comment, ret_error);
	if (r > 0)
		r = fl_former_has_jump(former, &filter, chain.name, chain.comment, ret_error);
	if (r < 0)
		return r;
	former->n_set++;
	return fl_iptables_accept(former->commands, &chain, &network, r > 0) < 0 ? fl_error_oom(ret_error) : 0;
}

int fl_node_former_mark(const struct fl_node_scope *scope, unsigned int masquerade, struct fl_former *former,
			struct flannel_error **ret_error)
{
	const struct fl_iptables_chain chain = fl_iptables_masquerade();
	int r = 0;

	for (size_t i = 0; i < FL_N_ELEMENTS(families) && r >= 0; i++) {
		const struct fl_nft_table_name nat = table_of(&chain, families[i]);

		r = fl_former_take_marked(former, &nat, chain.name, chain.comment, ret_error);
		if (r >= 0)
			r = mark_forward(scope, masquerade, former, families[i], ret_error);
	}
	return r;
}

/* one chain in one family */
static void warn_of(const struct fl_node_scope *scope, const struct fl_iptables_chain *chain, int family)
{
	const char *program = family == AF_INET6 ? "ip6tables-legacy" : "iptables-legacy";
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_xtables_has_chain(scope->context->netns_fd, scope->context->single_threaded, family, chain->table,
				     chain->name, &error);

	if (r < 0)
		fl_log(&scope->context->log, FLANNEL_LOG_INFO, "nft", "rules of %s unknown: %s", program,
		       flannel_error_get_message(error));
	if (r > 0)
		fl_log(&scope->context->log, FLANNEL_LOG_WARNING, "nft",
		       "flannel's former rules are still in force beside the new ones, in iptables-legacy, which is "
		       "not touched; "
		       "remove them with: %s -t %s -D %s -m comment --comment \"%s\" -j %s; %s -t %s -F %s; %s -t %s "
		       "-X %s",
		       program, chain->table, chain->hooked, chain->comment, chain->name, program, chain->table,
		       chain->name, program, chain->table, chain->name);
}

void fl_node_former_warn(const struct fl_node_scope *scope)
{
	const struct fl_iptables_chain masquerade = fl_iptables_masquerade(), forward = fl_iptables_forward("");

	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		warn_of(scope, &masquerade, families[i]);
		warn_of(scope, &forward, families[i]);
	}
}
