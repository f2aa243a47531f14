/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "engine/node/nft_answer.h"
#include "engine/node/rules_state.h"
#include "sys/nft/message.h"

/* does the helper work for us */
static bool is_busy(const struct fl_node_rules *rules)
{
	return rules->helper || rules->takeover.helper;
}

/* what the agent waits for, if it does: the rules may be freed in the call */
static void tell(struct fl_node_rules *rules, enum fl_node_rules_report report, struct flannel_error *error)
{
	if (!rules->is_sending)
		return;
	rules->is_sending = false;
	rules->fn(rules->userdata, report, error);
}

static void on_answer(void *userdata, int code, struct flannel_error *error);

/* sends what is wanted; what was changed up to now is overwritten */
static int send_tables(struct fl_node_rules *rules, struct flannel_error **ret_error)
{
	struct flannel_context *context = rules->scope->context;
	int r;

	fl_rules_drain(rules);
	rules->uncertain = false;
	fl_source_set_deadline(rules->timer, UINT64_MAX);
	r = fl_nft_replace(context->nft, rules->tables, rules->n_tables, on_answer, rules, ret_error);
	if (r < 0)
		return r;
	rules->window = (struct fl_rules_window){0};
	return fl_node_await_nft(context, &rules->helper, ret_error);
}

/* a failure goes to the agent if it waits for the rules, and is ours to try again if not */
static void send_failed(struct fl_node_rules *rules, int code, struct flannel_error *cause)
{
	FL_CLEANUP_ERROR struct flannel_error *error = flannel_error_ref(cause);
	char text[FL_RULES_TABLES_STRLEN];

	if (rules->is_sending) {
		tell(rules, FL_NODE_RULES_FAILED, error); /* may free rules */
		return;
	}
	fl_error_wrap(&error, code, "restore %s",
		      fl_rules_name_tables(rules, rules->changed ? rules->changed : rules->wanted, text));
	fl_rules_fail(rules, error);
}

/* sends them, once more */
static void send_again(struct fl_node_rules *rules)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = send_tables(rules, &error);

	if (r < 0)
		send_failed(rules, r, error); /* may free rules */
}

/* it is time to do so */
static void on_timer(void *userdata, uint32_t events)
{
	struct fl_node_rules *rules = userdata;

	(void)events;
	if (!is_busy(rules))
		send_again(rules);
	else if (rules->takeover.helper)
		rules->again = true;
}

/* news of the rules of flannel's iptables mode */
static void on_takeover(void *userdata, enum fl_node_takeover_report report)
{
	struct fl_node_rules *rules = userdata;

	if (report == FL_NODE_TAKEOVER_DUE && is_busy(rules)) {
		fl_node_takeover_postpone(&rules->takeover);
	} else if (report == FL_NODE_TAKEOVER_DUE) {
		fl_node_takeover_begin(&rules->takeover);
	} else if (rules->again || rules->changed) {
		/* asked for in the meantime */
		rules->again = false;
		send_again(rules);
	} else {
		tell(rules, FL_NODE_RULES_SET, NULL);
	}
}

/* the helper's answer: the kernel told the monitor before it, so that the window can be closed */
static void on_answer(void *userdata, int code, struct flannel_error *error)
{
	struct fl_node_rules *rules = userdata;

	fl_rules_drain(rules);
	rules->helper = fl_source_free(rules->helper);
	if (rules->again) {
		rules->again = false;
		send_again(rules);
		return;
	}
	if (code < 0) {
		send_failed(rules, code, error);
		return;
	}
	fl_rules_note_set(rules);
	/* Each time: whether acceptance in our tables counts may have changed since. That former rules stay for now is no reason for the
	 * agent to wait. */
	if (!fl_node_takeover_begin(&rules->takeover))
		tell(rules, FL_NODE_RULES_SET, NULL);
}

FL_DEFINE_CLEANUP(struct fl_node_rules *, fl_node_rules_free)

int fl_node_rules_new(const struct fl_node_scope *scope, unsigned int masquerade, fl_node_rules_fn fn, void *userdata,
		      struct fl_node_rules **ret_rules, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_node_rules_freep) struct fl_node_rules *rules = calloc(1, sizeof(*rules));
	int r;

	if (!rules)
		return fl_error_oom(ret_error);
	rules->scope = scope;
	rules->masquerade = masquerade;
	rules->fn = fn;
	rules->userdata = userdata;
	rules->takeover = (struct fl_node_takeover){
		.scope = scope, .masquerade = masquerade, .fn = on_takeover, .userdata = rules};
	fl_masquerade_name_table(AF_INET, scope->instance, rules->names[0]);
	fl_masquerade_name_table(AF_INET6, scope->instance, rules->names[1]);
	r = fl_rules_watch(rules, ret_error);
	if (r >= 0)
		r = fl_loop_add_timer(scope->context->loop, on_timer, rules, &rules->timer, ret_error);
	if (r >= 0)
		r = fl_node_takeover_init(&rules->takeover, ret_error);
	if (r < 0)
		return r;
	*ret_rules = FL_TAKE(rules);
	return 0;
}

/* a family that is not in use: its table is from another configuration, or of flannel's, which makes both always; it goes, if it is there */
static void unwant_table(struct fl_node_rules *rules, int family, const char *name)
{
	struct fl_nft_table table;
	struct fl_nft_place place;
	struct fl_rtnl *netfilter;

	fl_masquerade_table_init(&table, family);
	table.name = name;
	place = (struct fl_nft_place){.family = table.family, .table = name};
	/* where nothing can be asked about the family there is nothing of it either */
	if (fl_context_get_netfilter(rules->scope->context, &netfilter, NULL) >= 0 &&
	    fl_nft_has_table(netfilter, &place, NULL) > 0)
		rules->tables[rules->n_tables++] = table;
}

/* one table for each family that is in use */
static void want_tables(struct fl_node_rules *rules, const struct fl_subnet_choice *subnets)
{
	const struct flannel_netconf *netconf = rules->scope->facts.netconf;
	const struct flannel_prefix *const own[] = {&subnets->subnet, &subnets->subnet6};
	const unsigned int touched[] = {FL_NFT_TOUCHED_IPV4, FL_NFT_TOUCHED_IPV6};
	const int families[] = {AF_INET, AF_INET6};

	rules->n_tables = 0;
	rules->wanted = 0;
	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		struct flannel_masquerade_options options = {.size = sizeof(options), .flags = rules->masquerade};

		if (flannel_netconf_get_network(netconf, families[i], &options.network) <= 0) {
			unwant_table(rules, families[i], rules->names[i]);
			continue;
		}
		options.subnet = *own[i];
		options.table = *rules->scope->instance ? rules->names[i] : NULL;
		fl_masquerade_want(&options, &rules->tables[rules->n_tables++]);
		rules->wanted |= touched[i];
	}
}

int fl_node_rules_send(struct fl_node_rules *rules, const struct fl_subnet_choice *subnets,
		       struct flannel_error **ret_error)
{
	int r = 0;

	want_tables(rules, subnets);
	rules->in_force = false;
	rules->again = is_busy(rules);
	if (!rules->again)
		r = send_tables(rules, ret_error);
	rules->is_sending = r >= 0;
	return r;
}

bool fl_node_rules_is_sending(const struct fl_node_rules *rules)
{
	return rules && rules->is_sending;
}

struct flannel_error *fl_node_rules_get_error(const struct fl_node_rules *rules)
{
	if (!rules)
		return NULL;
	return rules->state.error ? rules->state.error : rules->takeover.error;
}

struct fl_node_rules *fl_node_rules_free(struct fl_node_rules *rules)
{
	if (!rules)
		return NULL;
	if (rules->helper) {
		fl_source_free(rules->helper);
		fl_nft_cancel(rules->scope->context->nft);
	}
	fl_node_takeover_clear(&rules->takeover);
	fl_source_free(rules->timer);
	fl_source_free(rules->monitor_source);
	fl_nft_monitor_close(rules->monitor);
	flannel_error_unref(rules->state.error);
	free(rules);
	return NULL;
}
