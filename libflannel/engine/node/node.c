/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node_state.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "domain/lease/subnet_file.h"
#include "sys/nft/nft.h"

#define SUBNET_FILE_MAX 65536

FL_DEFINE_CLEANUP(struct flannel_node *, flannel_node_free)

/* A peer came, changed or went: routes change at the next dispatch, all of them together. Before the own lease nothing is wanted. */
static void note_peer(struct flannel_node *node, const struct fl_request_news *news)
{
	if (!fl_node_wants_peers(node))
		return;
	if (news->report == FL_REQUEST_PEER_REMOVED)
		fl_node_peers_forget(&node->peers, news->peer, false);
	else
		fl_node_peers_want(&node->peers, news->peer);
	fl_reconciler_schedule(node->scope.reconciler);
}

/* the store stopped or began to answer */
static void note_store(struct flannel_node *node, struct flannel_error *error)
{
	flannel_error_ref(error);
	flannel_error_unref(node->store_error);
	node->store_error = error;
	if (error)
		fl_node_snapshot_consider(&node->snapshot);
}

/* the store has told what there is: what nobody wants now goes; the snapshot alone could not tell */
static void leave_snapshot(struct flannel_node *node)
{
	if (!fl_node_snapshot_leave(&node->snapshot))
		return;
	fl_reconciler_demand_full(node->scope.reconciler, true);
	fl_reconciler_schedule(node->scope.reconciler);
}

/* news that change neither state nor error by themselves */
static void act_on_news(struct flannel_node *node, const struct fl_request_news *news)
{
	switch (news->report) {
	case FL_REQUEST_RESTORED:
		fl_node_snapshot_use(&node->snapshot, node->store_error);
		fl_node_program(node);
		break;
	case FL_REQUEST_LISTED:
	case FL_REQUEST_ACQUIRED:
		leave_snapshot(node);
		fl_node_program(node);
		break;
	case FL_REQUEST_RENEWED:
		fl_node_snapshot_note_change(&node->snapshot);
		break;
	case FL_REQUEST_LOST:
		fl_node_note_health(node);
		break;
	case FL_REQUEST_PEER_ADDED:
	case FL_REQUEST_PEER_CHANGED:
	case FL_REQUEST_PEER_REMOVED:
		note_peer(node, news);
		fl_node_snapshot_note_change(&node->snapshot);
		break;
	case FL_REQUEST_STORE_LOST:
		note_store(node, news->error);
		break;
	case FL_REQUEST_STORE_BACK:
		note_store(node, NULL);
		fl_node_note_health(node);
		break;
	default:
		break;
	}
}

/* news of the request about the configuration, the lease and the peers */
static int on_news(void *userdata, struct flannel_request *request, const struct fl_request_news *news,
		   struct flannel_error **ret_error)
{
	struct flannel_node *node = userdata;

	(void)request;
	if (node->state == FLANNEL_NODE_FAILED) {
		/* the peer is freed after this call, so what is kept for it must go even now */
		if (news->report == FL_REQUEST_PEER_REMOVED)
			note_peer(node, news);
		return 0;
	}
	if (news->report == FL_REQUEST_CONFIG)
		return fl_node_configure(node, ret_error);
	if (news->report == FL_REQUEST_FAILED && !flannel_error_is_retryable(news->error)) {
		fl_node_fail(node, news->error);
		return 0;
	}
	/* why there is no configuration that can be used, or no lease, yet; it is tried again */
	if (news->report == FL_REQUEST_FAILED &&
	    (node->state == FLANNEL_NODE_CONFIG || node->state == FLANNEL_NODE_LEASE))
		fl_node_set_error(node, news->error);
	fl_request_emit(node->scope.context, node, node->scope.userdata, news);
	act_on_news(node, news);
	return 0;
}

/* what the interface between nodes reports */
static void on_underlay(void *userdata, enum fl_node_underlay_report report)
{
	switch (report) {
	case FL_NODE_UNDERLAY_CHANGED:
		fl_node_follow_underlay(userdata);
		break;
	case FL_NODE_UNDERLAY_ON_LINK:
		fl_node_want_peers_again(userdata);
		break;
	case FL_NODE_UNDERLAY_HEALTH:
		fl_node_note_health(userdata);
		break;
	}
}

/* the node's own objects were repaired, or failed */
static void on_devices(void *userdata)
{
	fl_node_note_health(userdata);
}

/* the store tells nothing: goes by the snapshot, if the store has told nothing better */
static void on_restore(void *userdata)
{
	struct flannel_node *node = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	/* it has told its configuration, and is not lost since */
	if (node->state != FLANNEL_NODE_CONFIG && !node->store_error)
		return;
	r = fl_node_snapshot_restore(&node->snapshot, &error);
	if (r >= 0 || node->state == FLANNEL_NODE_FAILED)
		return;
	if (r == -ESTALE || node->state != FLANNEL_NODE_CONFIG)
		fl_node_snapshot_drop(&node->snapshot, error);
	else if (flannel_error_is_retryable(error))
		fl_node_snapshot_postpone(&node->snapshot, error);
	else
		fl_node_fail(node, error); /* as if the store had told it */
}

/* what keeps pods from their network */
static const char *find_trouble(void *userdata, struct flannel_error **ret_error)
{
	struct flannel_node *node = userdata;
	struct flannel_error *error = node->underlay.error;

	if (!error)
		error = node->error;
	if (!error)
		error = fl_node_rules_get_error(node->rules);
	if (error)
		return flannel_error_get_message(error);
	if (node->state != FLANNEL_NODE_READY)
		return flannel_node_get_state_name(node);
	if (!flannel_node_get_lease(node))
		return "the node has lost its subnet";
	return fl_node_devices_check(&node->devices, ret_error) < 0 ? flannel_error_get_message(*ret_error) : NULL;
}

/* a step is due again */
static void on_retry(void *userdata, uint32_t events)
{
	struct flannel_node *node = userdata;

	(void)events;
	if (node->options.is_observer || flannel_request_get_lease(node->request))
		fl_node_program(node);
	else
		node->is_programming = false;
}

/* ties the parts to the node */
static void init_parts(struct flannel_node *node)
{
	struct fl_node_scope *scope = &node->scope;

	scope->source = node;
	scope->instance = node->options.instance;
	node->underlay = (struct fl_node_underlay){
		.scope = scope, .options = &node->options, .fn = on_underlay, .userdata = node};
	node->devices = (struct fl_node_devices){.state_dir = node->options.state_dir,
						 .blackhole_route = node->options.blackhole_route,
						 .note_health = on_devices,
						 .userdata = node};
	fl_node_devices_init(&node->devices, scope);
	node->peers.scope = scope;
	node->leftovers.scope = scope;
	node->snapshot = (struct fl_node_snapshot){.scope = scope,
						   .store = node->store,
						   .state_dir = node->options.state_dir,
						   .is_observer = node->options.is_observer,
						   .restore = on_restore,
						   .userdata = node};
	node->health = (struct fl_node_health){
		.scope = scope, .store = node->store, .find_trouble = find_trouble, .userdata = node};
}

int flannel_node_new(struct flannel_context *context, struct flannel_store *store,
		     const struct flannel_node_options *options, struct flannel_node **ret_node,
		     struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_node_freep) struct flannel_node *node = NULL;
	struct flannel_node_options copy;
	int r;

	if (!context || !store || !ret_node)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "make a node");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), options, "flannel_node_options", ret_error);
	if (r < 0)
		return r;
	node = calloc(1, sizeof(*node));
	if (!node)
		return fl_error_oom(ret_error);
	node->scope.context = flannel_context_ref(context);
	node->scope.userdata = copy.userdata;
	node->store = flannel_store_ref(store);
	r = fl_node_options_copy(&copy, &node->options, ret_error);
	init_parts(node);
	if (r >= 0)
		r = fl_loop_add_timer(context->loop, on_retry, node, &node->retry, ret_error);
	if (r < 0)
		return r;
	*ret_node = FL_TAKE(node);
	return 0;
}

/*
 * Looks at the subnet file before anything is touched: what it says is the subnet asked for first, and if it cannot be written
 * later, that is better known now.
 */
static int read_subnet_file(struct flannel_node *node, struct fl_subnet_choice *ret_previous,
			    struct flannel_error **ret_error)
{
	const char *path = node->options.subnet_file;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *text = NULL;
	struct fl_subnet_file file = {0};
	size_t len;
	int r = fl_file_make_parents(path, 0755, ret_error);

	if (r < 0)
		return r;
	r = fl_file_check_writable(path, ret_error);
	if (r < 0)
		return r;
	r = fl_file_read(path, SUBNET_FILE_MAX, &text, &len, &error);
	if (r >= 0)
		fl_subnet_file_parse(text, len, &file);
	else if (r != -ENOENT)
		fl_log(&node->scope.context->log, FLANNEL_LOG_WARNING, "node", "former subnet unknown: %s",
		       flannel_error_get_message(error));
	*ret_previous = (struct fl_subnet_choice){.subnet = file.subnet, .subnet6 = file.subnet6};
	return 0;
}

/* begins to ask the store */
static int start_request(struct flannel_node *node, const struct fl_request_options *options,
			 struct flannel_error **ret_error)
{
	int r = fl_request_new(node->scope.context, node->store, options, on_news, node, &node->request, ret_error);

	if (r < 0)
		return r;
	node->peers.peers = fl_request_get_peers(node->request);
	node->leftovers.request = node->request;
	node->snapshot.request = node->request;
	return 0;
}

int flannel_node_start(struct flannel_node *node, struct flannel_error **ret_error)
{
	struct fl_request_options options = {0};
	struct fl_nft *nft;
	int r = 0;

	if (!node)
		return fl_error_set(ret_error, -EINVAL, "argument", "node is NULL", "start a node");
	if (node->state != FLANNEL_NODE_STOPPED)
		return fl_error_set(ret_error, -EALREADY, "node", "it was started before", "start the node");
	if (node->scope.context->has_node)
		return fl_error_set(ret_error, -EBUSY, "node", "another node runs in its context", "start the node");
	if (!node->options.is_observer)
		r = read_subnet_file(node, &options.previous, ret_error);
	if (r < 0)
		return r;
	options.observes = node->options.is_observer;
	options.lease_sec = node->options.lease_sec;
	options.renew_margin_sec = node->options.renew_margin_sec;
	r = fl_node_snapshot_open(&node->snapshot, ret_error);
	if (r >= 0)
		r = start_request(node, &options, ret_error);
	if (r < 0)
		return r;
	node->scope.context->has_node = true;
	node->state = FLANNEL_NODE_CONFIG;
	/* it loads while the store is asked; what is wrong with it is told once rules are to be set */
	if (node->options.masquerade && fl_context_get_nft(node->scope.context, &nft, NULL) >= 0)
		fl_nft_prepare(nft);
	return 0;
}

struct flannel_node *flannel_node_free(struct flannel_node *node)
{
	if (!node)
		return NULL;
	fl_node_forget_underlay(node);
	fl_node_leftovers_clear(&node->leftovers);
	fl_node_stop_programming(node);
	fl_node_snapshot_close(&node->snapshot);
	fl_node_peers_leave(&node->peers);
	flannel_request_free(node->request);
	fl_node_devices_leave(&node->devices);
	fl_event_drop(node->scope.context, node);
	fl_source_free(node->retry);
	fl_node_health_clear(&node->health);
	fl_node_underlay_clear(&node->underlay);
	flannel_error_unref(node->error);
	flannel_error_unref(node->store_error);
	flannel_netconf_unref(node->logged);
	fl_node_options_clear(&node->options);
	flannel_store_unref(node->store);
	flannel_context_unref(node->scope.context);
	free(node);
	return NULL;
}
