/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "engine/node/rules_state.h"

/* dispatches of the monitor in a row, some thousand transactions, before others get their turn */
#define DRAIN_MAX 16

const char *fl_rules_name_tables(const struct fl_node_rules *rules, unsigned int touched,
				 char text[FL_RULES_TABLES_STRLEN])
{
	if (touched == (FL_NFT_TOUCHED_IPV4 | FL_NFT_TOUCHED_IPV6))
		snprintf(text, FL_RULES_TABLES_STRLEN, "tables ip %s and ip6 %s", rules->names[0], rules->names[1]);
	else if (touched == FL_NFT_TOUCHED_IPV6)
		snprintf(text, FL_RULES_TABLES_STRLEN, "table ip6 %s", rules->names[1]);
	else
		snprintf(text, FL_RULES_TABLES_STRLEN, "table ip %s", rules->names[0]);
	return text;
}

/* the program to blame, or a word for it */
static const char *culprit(const struct fl_node_rules *rules)
{
	return rules->program[0] ? rules->program : "another program";
}

void fl_rules_fail(struct fl_node_rules *rules, struct flannel_error *error)
{
	const char *message = flannel_error_get_message(error);
	bool is_new = !rules->state.error || strcmp(flannel_error_get_message(rules->state.error), message) != 0;

	fl_trouble_set_result(&rules->state, error, fl_loop_now());
	rules->fn(rules->userdata, FL_NODE_RULES_HEALTH, NULL);
	fl_source_set_deadline(rules->timer, rules->state.retry_ns);
	if (is_new)
		fl_node_emit(rules->scope, FLANNEL_EVENT_OBJECT_FAILED, NULL, error, "%s", message);
}

/* Somebody changed tables that were in force: they are restored at the next dispatch; if this goes on and on, later. */
static void note_change(struct fl_node_rules *rules, unsigned int touched, const char *program)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	bool is_due = rules->changed != 0;
	char text[FL_RULES_TABLES_STRLEN], detail[64];

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
	fl_error_set_retryable(&error, -EBUSY, FL_RULES_AREA, detail, "keep %s",
			       fl_rules_name_tables(rules, touched, text));
	fl_rules_fail(rules, error);
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
		fl_log(&rules->scope->context->log, FLANNEL_LOG_INFO, FL_RULES_AREA,
		       "notifications were lost: setting the rules again");
		rules->uncertain = true;
	} else if (!touched) {
		return;
	} else if (!rules->helper) {
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

void fl_rules_drain(struct fl_node_rules *rules)
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
	if (rules->uncertain && !rules->helper)
		check_later(rules);
}

/* tells what was repaired, each table by itself */
static void tell_repairs(struct fl_node_rules *rules)
{
	const unsigned int tables[] = {FL_NFT_TOUCHED_IPV4, FL_NFT_TOUCHED_IPV6};
	char text[FL_RULES_TABLES_STRLEN];

	if (rules->changed)
		rules->state.n_repairs++;
	for (size_t i = 0; i < FL_N_ELEMENTS(tables); i++) {
		if (!(rules->changed & tables[i]))
			continue;
		rules->fn(rules->userdata, FL_NODE_RULES_REPAIRED, NULL);
		fl_node_emit(rules->scope, FLANNEL_EVENT_REPAIRED, NULL, NULL, "%s was changed by %s",
			     fl_rules_name_tables(rules, tables[i], text), culprit(rules));
	}
	rules->changed = 0;
}

/* One of the transactions in the window was ours; if there were others, they may have come after it. Then the rules are sent once more
 * than needed in the worst case. */
void fl_rules_note_set(struct fl_node_rules *rules)
{
	const struct fl_rules_window *window = &rules->window;

	tell_repairs(rules);
	fl_trouble_set_result(&rules->state, NULL, fl_loop_now());
	rules->in_force = true;
	if (window->n_transactions == 1 && !rules->uncertain)
		rules->helper_pid = window->pid;
	else if (window->n_transactions > 1 && window->touched)
		note_change(rules, window->touched, window->program);
	if (rules->uncertain)
		check_later(rules);
}

int fl_rules_watch(struct fl_node_rules *rules, struct flannel_error **ret_error)
{
	struct flannel_context *context = rules->scope->context;
	int r = fl_nft_monitor_open(context->netns_fd, context->single_threaded, rules->scope->instance, on_change,
				    rules, &rules->monitor, ret_error);

	if (r < 0)
		return r;
	return fl_loop_add_fd(context->loop, fl_nft_monitor_get_fd(rules->monitor), EPOLLIN, on_monitor_readable, rules,
			      &rules->monitor_source, ret_error);
}
