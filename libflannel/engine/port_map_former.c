/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes back what the CNI project's portmap plugin left: it knows neither our table nor we its state but by names. */

#include <errno.h>
#include <flannel/port_map.h>
#include <stdlib.h>
#include <string.h>

#include "domain/nft_command.h"
#include "engine/context.h"
#include "sys/nft_rule.h"

#define HELPER_TIMEOUT_MS 5000

/* the table of its nftables backend, and that of iptables-nft, in both families */
#define OWN_TABLE "cni_hostport"
#define NAT_TABLE "nat"

/* what is to be done, collected */
struct work {
	struct fl_rtnl *netfilter;
	struct json_object *commands; /* NULL without memory */
	int n;                        /* rules and chains that go */
};

/* appends a command: 0 or -ENOMEM */
static int add_command(struct work *work, struct json_object *command, struct flannel_error **ret_error)
{
	return fl_json_append(work->commands, command) < 0 ? fl_error_oom(ret_error) : 0;
}

/* marks the rules of a table for deletion that have the comment, or jump to the chain; one of the two is NULL */
static int take_rules(struct work *work, const struct fl_nft_table_name *table, const char *comment, const char *chain,
		      struct flannel_error **ret_error)
{
	const struct fl_nft_place place = {.family = table->family, .table = table->name};
	FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
	size_t n = 0;
	int r;

	r = fl_nft_rule_list(work->netfilter, &place, NULL, &rules, &n, ret_error);
	for (size_t i = 0; i < n && r >= 0; i++) {
		if (comment ? strcmp(rules[i].comment, comment) != 0 : strcmp(rules[i].target, chain) != 0)
			continue;
		r = add_command(work, fl_nft_delete_rule(table, rules[i].chain, rules[i].handle), ret_error);
		work->n++;
	}
	return r < 0 ? r : 0;
}

/* marks a chain for deletion if it is there */
static int take_chain(struct work *work, const struct fl_nft_table_name *table, const char *chain,
		      struct flannel_error **ret_error)
{
	const struct fl_nft_place place = {.family = table->family, .table = table->name};
	int r = fl_nft_has_chain(work->netfilter, &place, chain, ret_error);

	if (r <= 0)
		return r;
	r = take_rules(work, table, NULL, chain, ret_error);
	if (r >= 0)
		r = add_command(work, fl_nft_flush_chain(table, chain), ret_error);
	if (r >= 0)
		r = add_command(work, fl_nft_delete_chain(table, chain), ret_error);
	work->n++;
	return r;
}

/* collects what there is to do in one family */
static int take_family(struct work *work, const char *family, const char *comment, const char *const *chains,
		       size_t n_chains, struct flannel_error **ret_error)
{
	const struct fl_nft_table_name own = {.family = family, .name = OWN_TABLE};
	const struct fl_nft_table_name nat = {.family = family, .name = NAT_TABLE};
	const struct fl_nft_place place = {.family = family, .table = OWN_TABLE};
	int r;

	r = fl_nft_has_table(work->netfilter, &place, ret_error);
	if (r > 0)
		r = take_rules(work, &own, comment, NULL, ret_error);
	for (size_t i = 0; i < n_chains && r >= 0; i++)
		r = take_chain(work, &nat, chains[i], ret_error);
	return r;
}

/* has the helper do what was collected, in one transaction */
static int carry_out(struct flannel_context *context, struct work *work, struct flannel_error **ret_error)
{
	struct fl_nft *nft;
	int r;

	if (work->n == 0)
		return 0;
	r = fl_context_get_nft(context, &nft, ret_error);
	if (r >= 0)
		r = fl_nft_run_sync(nft, FL_TAKE(work->commands), HELPER_TIMEOUT_MS, ret_error);
	return r;
}

int flannel_port_map_remove_former(struct flannel_context *context, const char *comment, const char *const *chains,
				   size_t n_chains, struct flannel_error **ret_error)
{
	const char *const families[] = {"ip", "ip6"};
	struct work work = {.n = 0};
	int r;

	if (!context || !comment || comment[0] == '\0' || (!chains && n_chains > 0))
		return fl_error_set(ret_error, -EINVAL, "argument", "a context, a comment and names are needed",
				    "remove former port mappings");
	r = fl_context_get_netfilter(context, &work.netfilter, ret_error);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "remove former port mappings");
	work.commands = fl_json_array();
	for (size_t i = 0; i < FL_N_ELEMENTS(families) && r >= 0; i++)
		r = take_family(&work, families[i], comment, chains, n_chains, ret_error);
	if (r >= 0)
		r = carry_out(context, &work, ret_error);
	fl_json_unref(work.commands);
	return r < 0 ? fl_error_wrap(ret_error, r, "remove former port mappings of %s", comment) : work.n;
}
