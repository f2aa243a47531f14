/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/file.h"
#include "domain/lease/subnet_file.h"

/* steps that may pass by themselves are tried again after 100 ms, doubling to ten seconds */
#define RETRY_FIRST_NS (100 * FL_NSEC_PER_MSEC)
#define RETRY_LAST_NS (10 * FL_NSEC_PER_SEC)

void fl_node_set_error(struct flannel_node *node, struct flannel_error *error)
{
	flannel_error_ref(error);
	flannel_error_unref(node->error);
	node->error = error;
}

void fl_node_fail(struct flannel_node *node, struct flannel_error *error)
{
	fl_node_set_error(node, error);
	node->state = FLANNEL_NODE_FAILED;
	fl_node_forget_underlay(node);
	fl_node_stop_programming(node);
	fl_node_snapshot_close(&node->snapshot);
	fl_node_emit(&node->scope, FLANNEL_EVENT_NODE_FAILED, NULL, error, "%s", flannel_error_get_message(error));
}

void fl_node_note_health(struct flannel_node *node)
{
	if (node->state == FLANNEL_NODE_READY || (node->health.has_told && node->state != FLANNEL_NODE_FAILED))
		fl_node_health_note(&node->health);
}

bool fl_node_wants_peers(const struct flannel_node *node)
{
	return node->state == FLANNEL_NODE_PROGRAM || node->state == FLANNEL_NODE_READY;
}

void fl_node_forget_underlay(struct flannel_node *node)
{
	if (node->underlay.timer)
		fl_reconciler_listen(node->scope.reconciler, NULL, NULL);
	fl_node_underlay_forget(&node->underlay);
}

/* a step failed: again later if that may help, or if the node was ready before it, else the end */
static void retry_or_fail(struct flannel_node *node, struct flannel_error *error)
{
	uint64_t delay_ns = RETRY_FIRST_NS;

	if (!flannel_error_is_retryable(error) && node->state != FLANNEL_NODE_READY) {
		fl_node_fail(node, error);
		return;
	}
	fl_node_set_error(node, error);
	for (uint32_t i = 0; i < node->n_failures && delay_ns < RETRY_LAST_NS; i++)
		delay_ns *= 2;
	node->n_failures++;
	fl_log(&node->scope.context->log, FLANNEL_LOG_WARNING, "node", "%s: trying again",
	       flannel_error_get_message(error));
	fl_source_set_deadline(node->retry, fl_loop_now() + (delay_ns < RETRY_LAST_NS ? delay_ns : RETRY_LAST_NS));
	fl_node_note_health(node);
}

/* the subnets of the held lease */
static struct fl_subnet_choice held_subnets(const struct flannel_node *node)
{
	const struct flannel_lease *lease = flannel_request_get_lease(node->request);
	struct fl_subnet_choice subnets = {0};

	flannel_lease_get_subnet(lease, AF_INET, &subnets.subnet);
	flannel_lease_get_subnet(lease, AF_INET6, &subnets.subnet6);
	return subnets;
}

/*
 * A lease that ended before the node started, and that the store has not confirmed: its subnet may be another node's by now. What runs
 * goes on, but nothing new is told to use it. True: it is such a lease.
 */
static bool is_overdue(struct flannel_node *node)
{
	int64_t expires_sec = flannel_lease_get_expires_sec(flannel_request_get_lease(node->request));
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (!fl_request_is_restored(node->request) || !expires_sec || expires_sec > time(NULL))
		return false;
	fl_error_set_retryable(&error, -ETIME, "snapshot",
			       "the lease of the snapshot has ended; the store has to confirm the subnet first",
			       "write %s", node->options.subnet_file);
	node->is_programming = false;
	fl_node_set_error(node, error);
	return true;
}

/* what was programmed is in force */
static void become_ready(struct flannel_node *node, const struct fl_subnet_choice *subnets, uint32_t mtu)
{
	node->is_programming = false;
	node->programmed = *subnets;
	node->programmed_mtu = mtu;
	node->n_failures = 0;
	fl_node_set_error(node, NULL);
	node->state = FLANNEL_NODE_READY;
}

/* the same for a node without pods */
static void finish_observer(struct flannel_node *node)
{
	const struct fl_subnet_choice none = {0};

	become_ready(node, &none, node->mtu);
	fl_node_emit(&node->scope, FLANNEL_EVENT_NODE_READY, NULL, NULL, "observing: routes to %zu peers",
		     fl_request_get_peers(node->request)->n_peers);
}

/* the last step: the file tells the CNI plugin that pods may come */
static void write_subnet_file(struct flannel_node *node)
{
	const struct flannel_netconf *netconf = fl_request_get_netconf(node->request);
	struct fl_subnet_choice subnets = held_subnets(node);
	struct fl_subnet_file file = {.mtu = node->mtu, .ipmasq = node->options.ipmasq_value};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *text = NULL;
	int r;

	if (is_overdue(node))
		return;
	flannel_netconf_get_network(netconf, AF_INET, &file.network);
	flannel_netconf_get_network(netconf, AF_INET6, &file.network6);
	file.subnet = subnets.subnet;
	file.subnet6 = subnets.subnet6;
	r = fl_subnet_file_format(&file, &text, &error);
	if (r >= 0)
		r = fl_file_write_atomic(node->options.subnet_file, text, strlen(text), 0644, &error);
	if (r < 0) {
		retry_or_fail(node, error);
		return;
	}
	become_ready(node, &subnets, file.mtu);
	fl_node_emit(&node->scope, FLANNEL_EVENT_NODE_READY, flannel_request_get_lease(node->request), NULL, "wrote %s",
		     node->options.subnet_file);
	fl_node_note_health(node);
}

void fl_node_rewrite_subnet_file(struct flannel_node *node)
{
	/* otherwise it is going to be written anyway */
	if (node->state == FLANNEL_NODE_READY && node->mtu != node->programmed_mtu &&
	    flannel_request_get_lease(node->request))
		write_subnet_file(node);
}

/* the rules that were sent are in force */
static void take_rules(struct flannel_node *node)
{
	struct fl_subnet_choice subnets = held_subnets(node);

	if (!flannel_request_get_lease(node->request))
		node->is_programming = false; /* the lease was lost meanwhile: its return starts anew */
	else if (memcmp(&subnets, &node->sent, sizeof(subnets)) != 0)
		fl_node_program(node); /* it was lost, and another subnet has taken its place */
	else
		write_subnet_file(node);
}

/* what the rules report */
static void on_rules(void *userdata, enum fl_node_rules_report report, struct flannel_error *error)
{
	struct flannel_node *node = userdata;

	switch (report) {
	case FL_NODE_RULES_SET:
		take_rules(node);
		break;
	case FL_NODE_RULES_FAILED:
		retry_or_fail(node, error);
		break;
	case FL_NODE_RULES_REPAIRED:
		node->n_rule_repairs++;
		break;
	case FL_NODE_RULES_HEALTH:
		fl_node_note_health(node);
		break;
	}
}

/* sends the rules; the answer goes on */
static int send_rules(struct flannel_node *node, struct flannel_error **ret_error)
{
	int r = 0;

	if (!node->rules)
		r = fl_node_rules_new(&node->scope, node->options.masquerade, on_rules, node, &node->rules, ret_error);
	if (r < 0)
		return r;
	node->sent = held_subnets(node);
	return fl_node_rules_send(node->rules, &node->sent, ret_error);
}

/* from here on the peers are wanted, those that are known and those to come */
static void begin_programming(struct flannel_node *node)
{
	node->state = FLANNEL_NODE_PROGRAM;
	fl_node_leftovers_judge(&node->leftovers);
	/* First, so that none needs to be noted by itself. A snapshot is no proof that a peer is gone: it may have come since. */
	fl_reconciler_demand_full(node->scope.reconciler, !fl_request_is_restored(node->request));
	fl_node_peers_want_all(&node->peers);
}

void fl_node_program(struct flannel_node *node)
{
	struct fl_subnet_choice subnets = held_subnets(node);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (node->is_programming && fl_node_rules_is_sending(node->rules))
		return;
	if (node->state == FLANNEL_NODE_READY && memcmp(&subnets, &node->programmed, sizeof(subnets)) == 0) {
		fl_node_rewrite_subnet_file(node);
		return;
	}
	node->is_programming = true;
	if (node->state == FLANNEL_NODE_LEASE)
		begin_programming(node);
	node->state = FLANNEL_NODE_PROGRAM;
	node->scope.facts.own = subnets;
	r = fl_node_devices_want(&node->devices, &error);
	if (r >= 0)
		r = fl_reconciler_apply(node->scope.reconciler, &error);
	if (r >= 0)
		r = fl_node_devices_check(&node->devices, &error);
	if (r >= 0 && node->options.masquerade)
		r = send_rules(node, &error);
	if (r < 0)
		retry_or_fail(node, error);
	else if (node->options.is_observer)
		finish_observer(node);
	else if (!node->options.masquerade)
		write_subnet_file(node);
}

void fl_node_want_peers_again(struct flannel_node *node)
{
	if (!fl_node_wants_peers(node))
		return;
	fl_node_peers_want_all(&node->peers);
	fl_reconciler_schedule(node->scope.reconciler);
}

void fl_node_stop_programming(struct flannel_node *node)
{
	node->rules = fl_node_rules_free(node->rules);
	node->is_programming = false;
	if (node->retry)
		fl_source_set_deadline(node->retry, UINT64_MAX);
}
