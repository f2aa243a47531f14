/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/firewall/former.h"

#include <errno.h>
#include <string.h>

#include "sys/nft/nft.h"
#include "sys/nft/rule.h"

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

/* what a rule must have to be marked: one of these, the others are NULL */
struct mark {
	const char *prefix;  /* its comment begins with that */
	const char *comment; /* its comment is that */
	const char *target;  /* it jumps to that chain */
};

/* is a rule meant */
static bool is_meant(const struct fl_nft_found_rule *rule, const struct mark *mark)
{
	if (mark->prefix)
		return strncmp(rule->comment, mark->prefix, strlen(mark->prefix)) == 0;
	if (mark->comment)
		return strcmp(rule->comment, mark->comment) == 0;
	return strcmp(rule->target, mark->target) == 0;
}

/* marks rules of a table, or of one chain of it, for deletion */
static int take_rules(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
		      const struct mark *mark, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
	size_t n = 0;
	int r = list_rules(former, table, chain, &rules, &n, ret_error);

	for (size_t i = 0; i < n && r >= 0; i++) {
		if (!is_meant(&rules[i], mark))
			continue;
		r = add_command(former, fl_nft_delete_rule(table, rules[i].chain, rules[i].handle), ret_error);
		former->n++;
	}
	return r < 0 ? r : 0;
}

int fl_former_take_rules(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
			 const char *prefix, struct flannel_error **ret_error)
{
	return take_rules(former, table, chain, &(struct mark){.prefix = prefix}, ret_error);
}

int fl_former_take_rules_of(struct fl_former *former, const struct fl_nft_table_name *table, const char *comment,
			    struct flannel_error **ret_error)
{
	return take_rules(former, table, NULL, &(struct mark){.comment = comment}, ret_error);
}

int fl_former_take_chain(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
			 struct flannel_error **ret_error)
{
	const struct fl_nft_place place = {.family = table->family, .table = table->name};
	int r = fl_nft_has_chain(former->netfilter, &place, chain, ret_error);

	if (r <= 0)
		return r;
	r = take_rules(former, table, NULL, &(struct mark){.target = chain}, ret_error);
	if (r >= 0)
		r = add_command(former, fl_nft_flush_chain(table, chain), ret_error);
	if (r >= 0)
		r = add_command(former, fl_nft_delete_chain(table, chain), ret_error);
	former->n++;
	return r;
}

/* a chain, and the comment of its rules and of the jumps to it */
struct family_name {
	const char *chain;
	const char *comment;
};

/* has a rule to do with it; an fl_nft_rule_filter */
static bool is_kin(const void *userdata, const struct fl_nft_found_rule *rule)
{
	const struct family_name *name = userdata;

	return strcmp(rule->chain, name->chain) == 0 || strcmp(rule->target, name->chain) == 0 ||
	       strcmp(rule->comment, name->comment) == 0;
}

/* the rules of a table that have to do with a chain; none without the table */
static int list_kin(struct fl_former *former, const struct fl_nft_table_name *table, const struct family_name *name,
		    struct fl_nft_found_rule **ret_rules, size_t *ret_n, struct flannel_error **ret_error)
{
	const struct fl_nft_place place = {.family = table->family, .table = table->name};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_nft_rule_find(former->netfilter, &place, is_kin, name, ret_rules, ret_n, &error);

	if (r == -ENOENT)
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

/* how they have to do with it */
struct kinship {
	size_t n_inside;        /* in the chain */
	size_t n_foreign_jumps; /* to it, with another comment */
	size_t n_own_jumps;
};

/* counts them */
static struct kinship count_kin(const struct fl_nft_found_rule *rules, size_t n, const struct family_name *name)
{
	struct kinship kin = {.n_inside = 0};

	for (size_t i = 0; i < n; i++) {
		bool jumps = strcmp(rules[i].target, name->chain) == 0;
		bool marked = strcmp(rules[i].comment, name->comment) == 0;

		kin.n_inside += strcmp(rules[i].chain, name->chain) == 0;
		kin.n_own_jumps += jumps && marked;
		kin.n_foreign_jumps += jumps && !marked;
	}
	return kin;
}

int fl_former_has_jump(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
		       const char *comment, struct flannel_error **ret_error)
{
	const struct family_name name = {.chain = chain, .comment = comment};
	FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
	size_t n = 0;
	int r = list_kin(former, table, &name, &rules, &n, ret_error);

	return r < 0 ? r : count_kin(rules, n, &name).n_own_jumps > 0;
}

/* empties a chain, and deletes it where it may go */
static int take_emptied(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
			const struct kinship *kin, struct flannel_error **ret_error)
{
	int r;

	if (kin->n_inside == 0 && kin->n_foreign_jumps > 0)
		return 0;
	former->n++;
	r = add_command(former, fl_nft_flush_chain(table, chain), ret_error);
	if (r >= 0 && kin->n_foreign_jumps == 0)
		r = add_command(former, fl_nft_delete_chain(table, chain), ret_error);
	return r;
}

int fl_former_take_marked(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
			  const char *comment, struct flannel_error **ret_error)
{
	const struct fl_nft_place place = {.family = table->family, .table = table->name};
	const struct family_name name = {.chain = chain, .comment = comment};
	FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
	struct kinship kin;
	size_t n = 0;
	int r = list_kin(former, table, &name, &rules, &n, ret_error);

	kin = count_kin(rules, n, &name);
	for (size_t i = 0; i < n && r >= 0; i++) {
		if (strcmp(rules[i].comment, comment) != 0 || strcmp(rules[i].chain, chain) == 0)
			continue;
		former->n++;
		r = add_command(former, fl_nft_delete_rule(table, rules[i].chain, rules[i].handle), ret_error);
	}
	if (r >= 0)
		r = fl_nft_has_chain(former->netfilter, &place, chain, ret_error);
	return r > 0 ? take_emptied(former, table, chain, &kin, ret_error) : r;
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

int fl_former_send(struct fl_former *former, fl_nft_fn fn, void *userdata, struct flannel_error **ret_error)
{
	struct fl_nft *nft;
	int r = fl_context_get_nft(former->context, &nft, ret_error);

	return r < 0 ? r : fl_nft_run(nft, FL_TAKE(former->commands), fn, userdata, ret_error);
}

void fl_former_end(struct fl_former *former)
{
	fl_json_unref(former->commands);
	former->commands = NULL;
}
