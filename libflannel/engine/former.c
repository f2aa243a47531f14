/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/former.h"

#include <errno.h>
#include <string.h>

#include "sys/nft.h"
#include "sys/nft_rule.h"

#define HELPER_TIMEOUT_MS 5000

int fl_former_begin(struct fl_former *former, struct flannel_context *context, struct flannel_error **ret_error)
{
	*former = (struct fl_former){.context = context};
	former->commands = fl_json_array();
	return fl_context_get_netfilter(context, &former->netfilter, ret_error);
}

/* appends a command */
static int add_command(struct fl_former *former, struct json_object *command, struct flannel_error **ret_error)
{
	return fl_json_append(former->commands, command) < 0 ? fl_error_oom(ret_error) : 0;
}

/* the rules of a table, or of one chain of it; none without it */
static int list_rules(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
		      struct fl_nft_found_rule **ret_rules, size_t *ret_n, struct flannel_error **ret_error)
{
	const struct fl_nft_place place = {.family = table->family, .table = table->name};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_nft_rule_list(former->netfilter, &place, chain, ret_rules, ret_n, &error);

	if (r == -ENOENT)
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

int fl_former_take_rules(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
			 const char *prefix, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
	size_t n = 0;
	int r = list_rules(former, table, chain, &rules, &n, ret_error);

	for (size_t i = 0; i < n && r >= 0; i++) {
		if (strncmp(rules[i].comment, prefix, strlen(prefix)) != 0)
			continue;
		r = add_command(former, fl_nft_delete_rule(table, rules[i].chain, rules[i].handle), ret_error);
		former->n++;
	}
	return r < 0 ? r : 0;
}

/* marks the rules of a table that jump to a chain */
static int take_jumps(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
	size_t n = 0;
	int r = list_rules(former, table, NULL, &rules, &n, ret_error);

	for (size_t i = 0; i < n && r >= 0; i++) {
		if (strcmp(rules[i].target, chain) != 0)
			continue;
		r = add_command(former, fl_nft_delete_rule(table, rules[i].chain, rules[i].handle), ret_error);
		former->n++;
	}
	return r < 0 ? r : 0;
}

int fl_former_take_chain(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
			 struct flannel_error **ret_error)
{
	const struct fl_nft_place place = {.family = table->family, .table = table->name};
	int r = fl_nft_has_chain(former->netfilter, &place, chain, ret_error);

	if (r <= 0)
		return r;
	r = take_jumps(former, table, chain, ret_error);
	if (r >= 0)
		r = add_command(former, fl_nft_flush_chain(table, chain), ret_error);
	if (r >= 0)
		r = add_command(former, fl_nft_delete_chain(table, chain), ret_error);
	former->n++;
	return r;
}

int fl_former_remove(struct fl_former *former, struct flannel_error **ret_error)
{
	struct fl_nft *nft;
	int r;

	if (former->n == 0)
		return 0;
	r = fl_context_get_nft(former->context, &nft, ret_error);
	if (r >= 0)
		r = fl_nft_run_sync(nft, FL_TAKE(former->commands), HELPER_TIMEOUT_MS, ret_error);
	return r < 0 ? r : former->n;
}

void fl_former_end(struct fl_former *former)
{
	fl_json_unref(former->commands);
	former->commands = NULL;
}
