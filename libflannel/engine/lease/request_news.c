/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the store tells a lease request, and what follows from it. */

#include <errno.h>

#include "engine/lease/request_state.h"

#define AREA "store"

/* does whatever is next, unless an answer is waited for */
static void proceed(struct flannel_request *request)
{
	if (request->pending)
		return;
	switch (request->step) {
	case STEP_CONFIG:
		fl_request_ask_config(request);
		break;
	case STEP_SNAPSHOT:
	case STEP_ACQUIRING:
		if (request->has_snapshot)
			fl_request_acquire(request);
		break;
	case STEP_HELD:
	case STEP_RENEWING:
		fl_request_renew(request);
		break;
	case STEP_RELEASING:
		fl_request_release_again(request);
		break;
	case STEP_OBSERVING:
	case STEP_ENDED:
		break;
	}
}

void fl_request_on_timer(void *userdata, uint32_t events)
{
	(void)events;
	proceed(userdata);
}

/* this node has a lease no longer: if it is the one that is held, that one is lost */
static void lose_own(struct flannel_request *request, struct flannel_lease *lease)
{
	FL_CLEANUP(flannel_lease_unrefp) struct flannel_lease *gone = flannel_lease_ref(lease);
	bool held = fl_request_is_held(request, gone);

	fl_request_forget_own(request, gone);
	if (held)
		fl_request_lose(request);
}

/* the peers are known, and more is not wanted */
static void observe(struct flannel_request *request)
{
	request->step = STEP_OBSERVING;
	request->n_failures = 0;
	fl_request_end_restored(request, NULL);
	(void)fl_request_report(request, FL_REQUEST_LISTED, NULL, NULL, NULL, NULL);
}

/* a lease exists or changed; it may have changed hands, too */
static void note_lease(struct flannel_request *request, struct flannel_lease *lease)
{
	struct fl_peer *peer;

	if (!fl_request_is_own(request, lease)) {
		lose_own(request, lease);
		fl_request_note_taken(request, lease);
		fl_request_note_peer(request, lease);
		return;
	}
	peer = fl_peers_find(&request->peers, lease);
	if (peer)
		fl_request_forget_peer(request, peer);
	fl_request_note_own(request, lease);
}

/* a lease is gone: no subnets are both a peer's and this node's */
static void note_removed(struct flannel_request *request, struct flannel_lease *lease)
{
	struct fl_peer *peer = fl_peers_find(&request->peers, lease);

	if (peer)
		fl_request_forget_peer(request, peer);
	else if (!fl_request_is_bygone(request, lease))
		lose_own(request, lease);
}

/* a full list ended: what it did not name is gone */
static void end_snapshot(struct flannel_request *request)
{
	for (size_t i = request->peers.n_peers; i-- > 0;) {
		if (request->peers.peers[i]->generation != request->generation)
			fl_request_forget_peer(request, request->peers.peers[i]);
	}
	for (size_t i = request->own.n_peers; i-- > 0;) {
		if (request->own.peers[i]->generation != request->generation)
			lose_own(request, request->own.peers[i]->lease);
	}
	request->has_snapshot = true;
	if (request->step != STEP_SNAPSHOT)
		return;
	if (request->options.observes)
		observe(request);
	else
		proceed(request);
}

/* the given subnets are others: a lease that is held moves */
static void follow(struct flannel_request *request)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_subnet_choice choice, held;

	if (!request->netconf || !request->lease || (request->step != STEP_HELD && request->step != STEP_RENEWING))
		return;
	held = fl_request_subnets_of(request->lease);
	if (fl_request_use_assigned(request, &choice, &error) < 0) {
		fl_log(&request->context->log, FLANNEL_LOG_ERROR, AREA, "%s: the node keeps its former subnet",
		       flannel_error_get_message(error));
		return;
	}
	if (flannel_prefix_compare(&choice.subnet, &held.subnet) == 0 &&
	    flannel_prefix_compare(&choice.subnet6, &held.subnet6) == 0)
		return;
	fl_log(&request->context->log, FLANNEL_LOG_WARNING, AREA, "this node is given another subnet");
	fl_request_lose(request);
}

void fl_request_note_assigned(struct flannel_request *request)
{
	bool waits = request->step == STEP_CONFIG || request->step == STEP_ACQUIRING;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_request_ask_assigned(request, &request->public_ip, &request->public_ip6, &error);

	/* what is held stays until something else is given */
	if (r < 0 && request->step == STEP_CONFIG && flannel_error_is_retryable(error))
		(void)fl_request_report(request, FL_REQUEST_FAILED, NULL, NULL, error, NULL);
	else if (r >= 0 && waits && !request->pending)
		fl_source_set_deadline(request->timer, 0);
	if (r > 0)
		follow(request);
}

/* Leases of a list that was begun for somebody else, or while there was no configuration: they are listed again. */
static bool is_stale(struct flannel_request *request, const struct flannel_store_message *message)
{
	if (message->type < FLANNEL_STORE_SNAPSHOT_BEGIN || message->type > FLANNEL_STORE_SNAPSHOT_END)
		return false;
	if (request->step == STEP_CONFIG)
		return true;
	if (message->type == FLANNEL_STORE_SNAPSHOT_BEGIN)
		request->is_listening = true;
	return !request->is_listening;
}

void fl_request_on_message(void *userdata, const struct flannel_store_message *message)
{
	struct flannel_request *request = userdata;

	if (request->step == STEP_ENDED || is_stale(request, message))
		return;
	switch (message->type) {
	case FLANNEL_STORE_CONFIG:
	case FLANNEL_STORE_CONFIG_CHANGED:
		fl_request_take_config(request, message);
		break;
	case FLANNEL_STORE_ASSIGNED:
		fl_request_note_assigned(request);
		break;
	case FLANNEL_STORE_DONE:
		fl_request_take_reply(request, message);
		break;
	case FLANNEL_STORE_SNAPSHOT_BEGIN:
		request->generation++;
		break;
	case FLANNEL_STORE_LEASE:
		note_lease(request, message->lease);
		break;
	case FLANNEL_STORE_REMOVED:
		note_removed(request, message->lease);
		break;
	case FLANNEL_STORE_SNAPSHOT_END:
		end_snapshot(request);
		break;
	case FLANNEL_STORE_LOST:
		(void)fl_request_report(request, FL_REQUEST_STORE_LOST, NULL, NULL, message->error, NULL);
		break;
	case FLANNEL_STORE_BACK:
		(void)fl_request_report(request, FL_REQUEST_STORE_BACK, NULL, NULL, NULL, NULL);
		/* what failed while it did not answer need not wait for its next try */
		if (request->n_failures > 0 && fl_source_get_deadline(request->timer) != UINT64_MAX)
			fl_source_set_deadline(request->timer, 0);
		break;
	default:
		break; /* a newer store's news */
	}
}
