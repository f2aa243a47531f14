/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "domain/masquerade.h"
#include "engine/event.h"
#include "engine/node/former.h"
#include "engine/reconcile/reconcile_state.h"
#include "sys/nft_message.h"
#include "sys/nft_monitor.h"

#define AREA "nft"

/* dispatches of the monitor in a row, some thousand transactions, before others get their turn */
#define DRAIN_MAX 16

#define TABLES_STRLEN (2 * FL_MASQUERADE_NAME_SIZE + 32)

/* former rules that could not be removed */
#define FORMER_RETRY_NS (10 * FL_NSEC_PER_SEC)

/* what the monitor told while a request ran: one of the transactions, if it succeeded, is our own */
struct window {
	unsigned int n_transactions;
	unsigned int touched; /* by those that are not known to be the helper's */
	uint32_t pid;         /* of the last one */
	char program[16];     /* of the last one that is not known to be the helper's */
};

struct fl_node_rules {
	struct flannel_node *node;
	char names[2][FL_MASQUERADE_NAME_SIZE];
	struct fl_nft_table tables[2]; /* as last wanted */
	size_t n_tables;
	unsigned int wanted; /* the same as enum fl_nft_touched */

	struct fl_nft_monitor *monitor;
	struct fl_source *monitor_source;
	struct fl_source *nft_source;       /* set while the helper works */
	struct fl_source *timer;            /* send them again */
	bool is_programming;                /* the node waits for the answer */
	bool is_removing;                   /* what the helper works at are former rules */
	bool has_warned;                    /* of rules that are out of reach */
	struct fl_source *former;           /* look for former rules again */
	struct flannel_error *former_error; /* why they are still there */
	bool again;                         /* others are wanted than those on their way */
	bool uncertain;                     /* the monitor may have missed something */
	struct window window;
	uint32_t helper_pid; /* as the monitor saw it last; 0 if not known */

	struct fl_entry state; /* result, back-off and count of repairs, as for any object; it is in no set */
	bool in_force;         /* the kernel had them: changes are to be repaired */
	unsigned int changed;  /* tables that somebody has changed since, to be repaired */
	char program[16];      /* who did, the last one */
};

/* names tables in words */
static const char *name_tables(const struct fl_node_rules *rules, unsigned int touched, char text[TABLES_STRLEN])
{
	if (touched == (FL_NFT_TOUCHED_IPV4 | FL_NFT_TOUCHED_IPV6))
		snprintf(text, TABLES_STRLEN, "tables ip %s and ip6 %s", rules->names[0], rules->names[1]);
	else if (touched == FL_NFT_TOUCHED_IPV6)
		snprintf(text, TABLES_STRLEN, "table ip6 %s", rules->names[1]);
	else
		snprintf(text, TABLES_STRLEN, "table ip %s", rules->names[0]);
	return text;
}

/* the program to blame, or a word for it */
static const char *culprit(const struct fl_node_rules *rules)
{
	return rules->program[0] ? rules->program : "another program";
}

/* they could not be restored, or not yet: told once for each new reason, and tried again later */
static void fail(struct fl_node_rules *rules, struct flannel_error *error)
{
	struct flannel_node *node = rules->node;
	const char *message = flannel_error_get_message(error);
	bool is_new = !rules->state.error || strcmp(flannel_error_get_message(rules->state.error), message) != 0;

	fl_entry_set_result(&rules->state, error, fl_loop_now());
	fl_node_note_health(node);
	fl_source_set_deadline(rules->timer, rules->state.retry_ns);
	if (is_new)
		fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_OBJECT_FAILED, NULL, error, "%s",
			      message);
}

/* Somebody changed tables that were in force: they are restored at the next dispatch; if this goes on and on, later. */
static void note_change(struct fl_node_rules *rules, unsigned int touched, const char *program)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	bool is_due = rules->changed != 0;
	char text[TABLES_STRLEN], detail[64];

	rules->changed |= touched;
	memcpy(rules->program, program, sizeof(rules->program));
	if (is_due)
		return;
	if (fl_loop_now() - rules->state.in_force_ns >= FL_FIGHT_NS)
		rules->state.n_repairs = 0;
	if (rules->state.n_repairs < FL_FIGHT_ROUNDS) {
		fl_source_set_deadline(rules->timer, 0);
		return;
	}
	rules->state.n_failures = rules->state.n_repairs - FL_FIGHT_ROUNDS;
	snprintf(detail, sizeof(detail), "%s keeps changing it", culprit(rules));
	fl_error_set_retryable(&error, -EBUSY, AREA, detail, "keep %s", name_tables(rules, touched, text));
	fail(rules, error);
}

/* The monitor may have missed a change: sent again to be sure, which is one small transaction, though not all the time. */
static void check_later(struct fl_node_rules *rules)
{
	uint64_t deadline_ns = rules->state.in_force_ns + FL_FIGHT_NS;

	rules->uncertain = false;
	if (rules->in_force && deadline_ns < fl_source_get_deadline(rules->timer))
		fl_source_set_deadline(rules->timer, deadline_ns);
}

/* a transaction of anybody touched flannel's tables, or an overrun */
static void on_change(void *userdata, const struct fl_nft_change *change)
{
	struct fl_node_rules *rules = userdata;
	unsigned int touched = change->touched & rules->wanted;

	if (!change->touched) {
		fl_log(&rules->node->context->log, FLANNEL_LOG_INFO, AREA,
		       "notifications were lost: setting the rules again");
		rules->uncertain = true;
	} else if (!touched) {
		return;
	} else if (!rules->nft_source || rules->is_removing) {
		if (rules->in_force)
			note_change(rules, touched, change->program);
	} else {
		rules->window.n_transactions++;
		rules->window.pid = change->pid;
		if (change->pid == rules->helper_pid)
			return;
		rules->window.touched |= touched;
		memcpy(rules->window.program, change->program, sizeof(change->program));
	}
}

/* reads what the monitor has, up to a limit; what is left then makes the descriptor readable again */
static void drain(struct fl_node_rules *rules)
{
	int r = 1;

	for (int i = 0; i < DRAIN_MAX && r > 0; i++)
		r = fl_nft_monitor_dispatch(rules->monitor);
	if (r != 0)
		rules->uncertain = true;
}

/* somebody committed something */
static void on_monitor_readable(void *userdata, uint32_t events)
{
	struct fl_node_rules *rules = userdata;

	(void)events;
	if (fl_nft_monitor_dispatch(rules->monitor) < 0)
		rules->uncertain = true;
	/* while the helper works, its answer comes first */
	if (rules->uncertain && (!rules->nft_source || rules->is_removing))
		check_later(rules);
}

/* the helper has something to say */
static void on_nft_readable(void *userdata, uint32_t events)
{
	struct fl_node_rules *rules = userdata;

	(void)events;
	fl_nft_dispatch(rules->node->context->nft);
}

static void on_answer(void *userdata, int code, struct flannel_error *error);
static void on_removed(void *userdata, int code, struct flannel_error *error);

/* the helper has been asked: its answer is waited for */
static int await_helper(struct fl_node_rules *rules, struct flannel_error **ret_error)
{
	struct flannel_context *context = rules->node->context;
	int r = fl_loop_add_fd(context->loop, fl_nft_get_fd(context->nft), EPOLLIN, on_nft_readable, rules,
			       &rules->nft_source, ret_error);

	if (r < 0)
		fl_nft_cancel(context->nft);
	return r;
}

/* sends what is wanted; what was changed up to now is overwritten */
static int send_tables(struct fl_node_rules *rules, struct flannel_error **ret_error)
{
	struct flannel_context *context = rules->node->context;
	int r;

	drain(rules);
	rules->uncertain = false;
	fl_source_set_deadline(rules->timer, UINT64_MAX);
	r = fl_nft_replace(context->nft, rules->tables, rules->n_tables, on_answer, rules, ret_error);
	if (r < 0)
		return r;
	rules->window = (struct window){0};
	return await_helper(rules, ret_error);
}

/* a failure goes to the node if it waits for the rules, and is ours to try again if not */
static void send_failed(struct fl_node_rules *rules, int code, struct flannel_error *cause)
{
	FL_CLEANUP_ERROR struct flannel_error *error = flannel_error_ref(cause);
	char text[TABLES_STRLEN];

	if (rules->is_programming) {
		rules->is_programming = false;
		fl_node_take_rules(rules->node, code, error); /* may free rules */
		return;
	}
	fl_error_wrap(&error, code, "restore %s",
		      name_tables(rules, rules->changed ? rules->changed : rules->wanted, text));
	fail(rules, error);
}

/* sends them again */
static void on_timer(void *userdata, uint32_t events)
{
	struct fl_node_rules *rules = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	(void)events;
	if (rules->nft_source) {
		rules->again |= rules->is_removing;
		return;
	}
	r = send_tables(rules, &error);
	if (r < 0)
		send_failed(rules, r, error);
}

/* tells what was repaired, each table by itself */
static void tell_repairs(struct fl_node_rules *rules)
{
	const unsigned int tables[] = {FL_NFT_TOUCHED_IPV4, FL_NFT_TOUCHED_IPV6};
	struct flannel_node *node = rules->node;
	char text[TABLES_STRLEN];

	if (rules->changed)
		rules->state.n_repairs++;
	for (size_t i = 0; i < FL_N_ELEMENTS(tables); i++) {
		if (!(rules->changed & tables[i]))
			continue;
		node->n_rule_repairs++;
		fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_REPAIRED, NULL, NULL,
			      "%s was changed by %s", name_tables(rules, tables[i], text), culprit(rules));
	}
	rules->changed = 0;
}

/* the node may go on, if it waits */
static void tell_node(struct fl_node_rules *rules)
{
	if (!rules->is_programming)
		return;
	rules->is_programming = false;
	fl_node_take_rules(rules->node, 0, NULL); /* may free rules */
}

/* Former rules stay for now: that is no reason for the node to wait. Told once for each new reason. */
static void keep_former(struct fl_node_rules *rules, struct flannel_error *error)
{
	const char *message = flannel_error_get_message(error);

	if (!rules->former_error || strcmp(flannel_error_get_message(rules->former_error), message) != 0)
		fl_log(&rules->node->context->log, FLANNEL_LOG_WARNING, AREA,
		       "flannel's former rules are still in force beside the new ones: %s: trying again", message);
	flannel_error_unref(rules->former_error);
	rules->former_error = flannel_error_ref(error);
	fl_source_set_deadline(rules->former, fl_loop_now() + FORMER_RETRY_NS);
}

/* looks for what flannel's iptables mode left, now that our rules are in force; true: it is being removed */
static bool remove_former(struct fl_node_rules *rules)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_former former;
	int r = fl_former_begin(&former, rules->node->context, &error);

	if (!rules->has_warned)
		fl_node_former_warn(rules->node);
	rules->has_warned = true;
	fl_source_set_deadline(rules->former, UINT64_MAX);
	if (r >= 0)
		r = fl_node_former_mark(rules->node, &former, &error);
	if (r >= 0 && former.n + former.n_set > 0) {
		r = fl_former_send(&former, on_removed, rules, &error);
		if (r >= 0)
			r = await_helper(rules, &error);
		rules->is_removing = r >= 0;
	} else if (r >= 0) {
		rules->former_error = flannel_error_unref(rules->former_error);
	}
	if (r >= 0 && former.n > 0)
		fl_log(&rules->node->context->log, FLANNEL_LOG_INFO, AREA,
		       "taking over from rules of flannel in iptables-nft: %d rules and chains go", former.n);
	if (r < 0)
		keep_former(rules, error);
	fl_former_end(&former);
	return rules->is_removing;
}

/* time to look for them again; while the helper works, a little later */
static void on_former(void *userdata, uint32_t events)
{
	struct fl_node_rules *rules = userdata;

	(void)events;
	if (rules->nft_source)
		fl_source_set_deadline(rules->former, fl_loop_now() + FORMER_RETRY_NS);
	else
		remove_former(rules);
}

/* the helper's answer about former rules; what was asked for in the meantime comes now */
static void on_removed(void *userdata, int code, struct flannel_error *error)
{
	struct fl_node_rules *rules = userdata;
	FL_CLEANUP_ERROR struct flannel_error *again_error = NULL;
	int r;

	rules->nft_source = fl_source_free(rules->nft_source);
	rules->is_removing = false;
	if (code < 0)
		keep_former(rules, error);
	else
		rules->former_error = flannel_error_unref(rules->former_error);
	if (!rules->again && !rules->changed) {
		tell_node(rules); /* may free rules */
		return;
	}
	rules->again = false;
	r = send_tables(rules, &again_error);
	if (r < 0)
		send_failed(rules, r, again_error);
}

/*
 * The kernel has them. One of the transactions in the window was ours; if there were others, they may have come after it. Then
 * the rules are sent once more than needed in the worst case.
 */
static void succeed(struct fl_node_rules *rules)
{
	const struct window *window = &rules->window;

	tell_repairs(rules);
	fl_entry_set_result(&rules->state, NULL, fl_loop_now());
	rules->in_force = true;
	if (window->n_transactions == 1 && !rules->uncertain)
		rules->helper_pid = window->pid;
	else if (window->n_transactions > 1 && window->touched)
		note_change(rules, window->touched, window->program);
	if (rules->uncertain)
		check_later(rules);
	if (!rules->is_programming || !remove_former(rules))
		tell_node(rules); /* may free rules */
}

/* the helper's answer: the kernel told the monitor before it, so that the window can be closed */
static void on_answer(void *userdata, int code, struct flannel_error *error)
{
	struct fl_node_rules *rules = userdata;
	FL_CLEANUP_ERROR struct flannel_error *again_error = NULL;

	drain(rules);
	rules->nft_source = fl_source_free(rules->nft_source);
	if (rules->again) {
		rules->again = false;
		code = send_tables(rules, &again_error);
		if (code < 0)
			send_failed(rules, code, again_error);
	} else if (code < 0) {
		send_failed(rules, code, error);
	} else {
		succeed(rules);
	}
}

FL_DEFINE_CLEANUP(struct fl_node_rules *, fl_node_rules_free)

/* makes the node's rules and begins to watch, so that nothing goes by unseen from the first request on */
static int watch(struct flannel_node *node, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_node_rules_freep) struct fl_node_rules *rules = calloc(1, sizeof(*rules));
	struct flannel_context *context = node->context;
	int r;

	if (!rules)
		return fl_error_oom(ret_error);
	rules->node = node;
	fl_masquerade_name_table(AF_INET, node->instance, rules->names[0]);
	fl_masquerade_name_table(AF_INET6, node->instance, rules->names[1]);
	r = fl_nft_monitor_open(context->netns_fd, context->single_threaded, node->instance, on_change, rules,
				&rules->monitor, ret_error);
	if (r >= 0)
		r = fl_loop_add_fd(context->loop, fl_nft_monitor_get_fd(rules->monitor), EPOLLIN, on_monitor_readable,
				   rules, &rules->monitor_source, ret_error);
	if (r >= 0)
		r = fl_loop_add_timer(context->loop, on_timer, rules, &rules->timer, ret_error);
	if (r >= 0)
		r = fl_loop_add_timer(context->loop, on_former, rules, &rules->former, ret_error);
	if (r < 0)
		return r;
	node->rules = FL_TAKE(rules);
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
	if (fl_context_get_netfilter(rules->node->context, &netfilter, NULL) >= 0 &&
	    fl_nft_has_table(netfilter, &place, NULL) > 0)
		rules->tables[rules->n_tables++] = table;
}

/* one table for each family that is in use */
static void want_tables(struct fl_node_rules *rules, const struct fl_subnet_choice *subnets)
{
	const struct flannel_netconf *netconf = fl_request_get_netconf(rules->node->request);
	const struct flannel_prefix *const own[] = {&subnets->subnet, &subnets->subnet6};
	const unsigned int touched[] = {FL_NFT_TOUCHED_IPV4, FL_NFT_TOUCHED_IPV6};
	const int families[] = {AF_INET, AF_INET6};

	rules->n_tables = 0;
	rules->wanted = 0;
	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		struct flannel_masquerade_options options = {.size = sizeof(options), .flags = rules->node->masquerade};

		if (flannel_netconf_get_network(netconf, families[i], &options.network) <= 0) {
			unwant_table(rules, families[i], rules->names[i]);
			continue;
		}
		options.subnet = *own[i];
		options.table = *rules->node->instance ? rules->names[i] : NULL;
		fl_masquerade_want(&options, &rules->tables[rules->n_tables++]);
		rules->wanted |= touched[i];
	}
}

int fl_node_rules_send(struct flannel_node *node, const struct fl_subnet_choice *subnets,
		       struct flannel_error **ret_error)
{
	struct fl_node_rules *rules;
	int r = node->rules ? 0 : watch(node, ret_error);

	if (r < 0)
		return r;
	rules = node->rules;
	want_tables(rules, subnets);
	rules->in_force = false;
	rules->again = rules->nft_source != NULL;
	if (!rules->again)
		r = send_tables(rules, ret_error);
	rules->is_programming = r >= 0;
	return r;
}

bool fl_node_rules_is_sending(const struct fl_node_rules *rules)
{
	return rules && rules->is_programming;
}

struct flannel_error *fl_node_rules_get_error(const struct fl_node_rules *rules)
{
	if (!rules)
		return NULL;
	return rules->state.error ? rules->state.error : rules->former_error;
}

struct fl_node_rules *fl_node_rules_free(struct fl_node_rules *rules)
{
	if (!rules)
		return NULL;
	if (rules->nft_source) {
		fl_source_free(rules->nft_source);
		fl_nft_cancel(rules->node->context->nft);
	}
	fl_source_free(rules->timer);
	fl_source_free(rules->former);
	flannel_error_unref(rules->former_error);
	fl_source_free(rules->monitor_source);
	fl_nft_monitor_close(rules->monitor);
	flannel_error_unref(rules->state.error);
	free(rules);
	return NULL;
}
