/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "store/kube/kube_state.h"

/* somebody who takes our annotations away again and again is not fought each time */
#define REPAIR_PAUSE_FIRST_NS FL_NSEC_PER_SEC
#define REPAIR_PAUSE_LONGEST_NS (60 * FL_NSEC_PER_SEC)

/* what was refused is tried again: the right to do it may be given meanwhile */
#define REFUSED_PAUSE_FIRST_NS FL_NSEC_PER_SEC
#define REFUSED_PAUSE_LONGEST_NS (60 * FL_NSEC_PER_SEC)

/* the next pause of a row that doubles */
static uint64_t longer(uint64_t pause, uint64_t first, uint64_t longest)
{
	if (!pause)
		return first;
	return 2 * pause < longest ? 2 * pause : longest;
}

/* are the annotations other ones than they should be */
static bool is_changed(const struct fl_kube *store)
{
	const struct fl_kube_own *own = &store->own;
	struct fl_kube_wanted wanted;

	if (!own->held || !own->node.name)
		return false;
	fl_kube_wanted_init(&wanted, &own->node, own->held);
	return fl_kube_wanted_differs(&wanted, &own->node);
}

/* has the annotations written again, at once or after a pause */
static void demand_repair(struct fl_kube *store)
{
	struct fl_kube_own *own = &store->own;
	uint64_t now = fl_loop_now();

	if (own->needs_repair)
		return;
	if (now - own->repaired_ns > REPAIR_PAUSE_LONGEST_NS)
		own->repair_pause_ns = 0;
	own->needs_repair = true;
	own->repair_ns = own->repair_pause_ns ? own->repaired_ns + own->repair_pause_ns : 0;
	fl_log(&store->log, FLANNEL_LOG_WARNING, "store",
	       "the annotations of Node %s are not those of its lease any more: they are written again",
	       own->node.name);
}

/* is what came older than what is known; a list from etcd never is, even if that was restored from a copy */
static bool is_old(const struct fl_kube *store, const struct fl_kube_node *node)
{
	const struct fl_kube_watcher *watcher = &store->watcher;
	const struct fl_kube_node *known = &store->own.node;

	if (watcher->state == FL_KUBE_WATCHER_LIST && watcher->list >= FL_KUBE_LIST_PAGES)
		return false;
	return known->name && node->revision && node->revision < known->revision;
}

/* is it another Node than the one before, of the same name */
static bool is_another(const struct fl_kube_own *own, const struct fl_kube_node *node)
{
	if (!own->node.name)
		return true;
	return own->node.uid && node->uid && strcmp(own->node.uid, node->uid) != 0;
}

void fl_kube_own_note(struct fl_kube *store, struct fl_kube_node *node)
{
	struct fl_kube_own *own = &store->own;

	if (!node) {
		if (own->node.name && own->held)
			fl_log(&store->log, FLANNEL_LOG_WARNING, "store",
			       "Node %s was deleted: waiting until it is there again", own->node.name);
		fl_kube_node_clear(&own->node);
		return;
	}
	if (is_old(store, node))
		return;
	if (own->has_condition && is_another(own, node))
		own->condition_is_due = true;
	fl_kube_node_clear(&own->node);
	own->node = *node;
	*node = (struct fl_kube_node){0};
	if (own->told)
		(void)fl_kube_own_tell(store, NULL);
	if (is_changed(store))
		demand_repair(store);
	else
		own->needs_repair = false;
	fl_kube_wake(store);
}

/* an address that an operator wants published; one that is none is passed over */
static void read_address(const struct fl_kube *store, enum fl_kube_annotation which, int family,
			 struct flannel_prefix *ret_address)
{
	const struct fl_kube_node *node = &store->own.node;

	if (fl_kube_node_get_address(node, which, family, ret_address) == -EINVAL)
		fl_log(&store->log, FLANNEL_LOG_WARNING, "store",
		       "Node %s: annotation %s is \"%.60s\", expected an %s "
		       "address: passed over",
		       node->name, store->keys.keys[which], node->annotations[which],
		       family == AF_INET ? "IPv4" : "IPv6");
}

/* has the receiver ask what the node is given */
static int tell_assigned(struct fl_kube *store)
{
	const struct flannel_store_message message = {.type = FLANNEL_STORE_ASSIGNED};

	return fl_store_queue_push(&store->queue, &message);
}

/* tells why there is no subnet, once for each reason */
static int tell_problem(struct fl_kube *store, struct flannel_error *error)
{
	const char *text = flannel_error_get_message(error);

	if (store->own.told_problem && strcmp(store->own.told_problem, text) == 0)
		return 0;
	free(store->own.told_problem);
	store->own.told_problem = strdup(text);
	fl_log(&store->log, FLANNEL_LOG_WARNING, "store", "%s", text);
	return tell_assigned(store);
}

/* what the node is given, if that is known */
static int get_self(const struct fl_kube *store, struct flannel_lease **ret_lease, struct flannel_error **ret_error)
{
	if (!store->own.node.name)
		return fl_error_set_retryable(ret_error, -EAGAIN, "store",
					      "there is no such Node (yet): is NODE_NAME its name?", "wait for Node %s",
					      store->address.node);
	return fl_kube_node_get_self(&store->own.node, ret_lease, ret_error);
}

int fl_kube_own_tell(struct fl_kube *store, struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_kube_own *own = &store->own;
	struct flannel_lease *lease;
	bool is_asked = ret_error != NULL;
	int r = get_self(store, &lease, &error);

	if (r < 0) {
		(void)tell_problem(store, error);
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	if (!is_asked && own->told && fl_kube_same_subnets(own->told, lease)) {
		flannel_lease_unref(lease);
		return 0;
	}
	free(own->told_problem);
	own->told_problem = NULL;
	flannel_lease_unref(own->told);
	own->told = lease;
	own->public_ip = own->public_ip6 = (struct flannel_prefix){0};
	read_address(store, FL_KUBE_NODE_PUBLIC_IP, AF_INET, &own->public_ip);
	read_address(store, FL_KUBE_NODE_PUBLIC_IPV6, AF_INET6, &own->public_ip6);
	/* who asks for the configuration asks for this by itself */
	return !is_asked && tell_assigned(store) < 0 ? fl_error_oom(ret_error) : 0;
}

int fl_kube_get_assigned(void *impl, const struct flannel_prefix *public_ip, const struct flannel_prefix *public_ip6,
			 struct flannel_store_assignment *ret_assignment, struct flannel_error **ret_error)
{
	const struct fl_kube *store = impl;
	int r = get_self(store, &ret_assignment->lease, ret_error);

	(void)public_ip;
	(void)public_ip6;
	if (r < 0)
		return r;
	ret_assignment->public_ip = store->own.public_ip;
	ret_assignment->public_ip6 = store->own.public_ip6;
	return 1;
}

int fl_kube_own_patch(struct fl_kube *store, const struct flannel_lease *lease, char **ret_body,
		      struct flannel_error **ret_error)
{
	const struct fl_kube_node *node = &store->own.node;
	struct fl_kube_wanted wanted = {0};

	if (lease) {
		fl_kube_wanted_init(&wanted, node, lease);
		if (wanted.has_bad_overwrite || wanted.has_bad_overwrite6)
			fl_log(&store->log, FLANNEL_LOG_WARNING, "store",
			       "Node %s: annotation %s is no address: passed over", node->name,
			       store->keys.keys[wanted.has_bad_overwrite ? FL_KUBE_OVERWRITE : FL_KUBE_OVERWRITE_V6]);
	}
	if (!fl_kube_wanted_differs(&wanted, node))
		return 0;
	if (fl_kube_patch_annotations(&store->keys, lease ? &wanted : NULL, node, ret_body) < 0)
		return fl_error_oom(ret_error);
	return 1;
}

void fl_kube_own_hold(struct fl_kube *store, struct flannel_lease *lease)
{
	struct flannel_lease *before = store->own.held;

	store->own.held = flannel_lease_ref(lease);
	flannel_lease_unref(before);
	store->own.needs_repair = false;
}

/* writes the annotations again */
static int repair(struct fl_kube *store, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *body = NULL;
	int r = fl_kube_own_patch(store, store->own.held, &body, ret_error);

	if (r == 0)
		store->own.needs_repair = false;
	return r <= 0 ? r : fl_kube_ask_patch(store, FL_KUBE_ASK_REPAIR, body, ret_error);
}

/* writes the condition */
static int write_condition(struct fl_kube *store, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *body = NULL;
	const char *why = store->own.why ? store->own.why : "";

	if (fl_kube_patch_condition(store->own.is_up, why, time(NULL), &body) < 0)
		return fl_error_oom(ret_error);
	store->own.condition_is_due = false;
	return fl_kube_ask_patch(store, FL_KUBE_ASK_CONDITION, body, ret_error);
}

int fl_kube_own_run(struct fl_kube *store, struct flannel_error **ret_error)
{
	const struct fl_kube_own *own = &store->own;
	uint64_t now = fl_loop_now();

	/* the watch tells when the Node is there */
	if (!own->node.name)
		return 0;
	if (own->needs_repair && own->held && own->repair_ns <= now)
		return repair(store, ret_error);
	if (own->condition_is_due && own->condition_ns <= now)
		return write_condition(store, ret_error);
	return 0;
}

uint64_t fl_kube_own_next_ns(const struct fl_kube *store)
{
	const struct fl_kube_own *own = &store->own;
	uint64_t next = UINT64_MAX;

	if (!own->node.name)
		return next;
	if (own->needs_repair && own->held)
		next = own->repair_ns;
	if (own->condition_is_due && own->condition_ns < next)
		next = own->condition_ns;
	return next;
}

void fl_kube_own_done(struct fl_kube *store, enum fl_kube_ask ask, const struct fl_kube_answer *answer)
{
	bool ok = answer->status >= 200 && answer->status < 300;
	struct fl_kube_own *own = &store->own;
	uint64_t now = fl_loop_now();

	if (ask == FL_KUBE_ASK_REPAIR) {
		own->repaired_ns = now;
		own->repair_pause_ns = longer(own->repair_pause_ns, REPAIR_PAUSE_FIRST_NS, REPAIR_PAUSE_LONGEST_NS);
		own->needs_repair = false;
		if (is_changed(store))
			demand_repair(store);
	} else if (ok) {
		own->condition_pause_ns = 0;
	} else {
		own->condition_is_due = true;
		own->condition_pause_ns =
			longer(own->condition_pause_ns, REFUSED_PAUSE_FIRST_NS, REFUSED_PAUSE_LONGEST_NS);
		own->condition_ns = now + own->condition_pause_ns;
	}
	if (!ok)
		fl_log(&store->log, FLANNEL_LOG_WARNING, "store", "%s Node %s: HTTP status %d: %s; trying again",
		       ask == FL_KUBE_ASK_REPAIR ? "annotate" : "write the condition of", store->address.node,
		       answer->status, answer->message);
}

int fl_kube_set_ready(void *impl, int is_ready, const char *why, struct flannel_error **ret_error)
{
	struct fl_kube *store = impl;
	struct fl_kube_own *own = &store->own;
	char *copy;

	if (store->address.no_condition)
		return 0;
	copy = strdup(why ? why : "");
	if (!copy)
		return fl_error_oom(ret_error);
	free(own->why);
	own->why = copy;
	own->has_condition = true;
	own->is_up = is_ready != 0;
	own->condition_is_due = true;
	own->condition_ns = 0;
	own->condition_pause_ns = 0;
	fl_kube_wake(store);
	return 0;
}

void fl_kube_own_dropped(struct fl_kube *store)
{
	if (store->ask == FL_KUBE_ASK_CONDITION)
		store->own.condition_is_due = true;
}

void fl_kube_own_clear(struct fl_kube_own *own)
{
	fl_kube_node_clear(&own->node);
	flannel_lease_unref(own->told);
	flannel_lease_unref(own->held);
	free(own->told_problem);
	free(own->why);
	*own = (struct fl_kube_own){0};
}
