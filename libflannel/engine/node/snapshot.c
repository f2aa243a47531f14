/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "engine/event.h"

/* changes come in flocks: the first is written after a second with those that follow it, and then one flock every ten */
#define WRITE_AFTER_NS FL_NSEC_PER_SEC
#define WRITE_EVERY_NS (10 * FL_NSEC_PER_SEC)
#define WRITE_AGAIN_NS (60 * FL_NSEC_PER_SEC)

/* a store that has told nothing at all for so long is taken for one that does not answer */
#define PATIENCE_NS (3 * FL_NSEC_PER_SEC)
#define RESTORE_AGAIN_NS FL_NSEC_PER_SEC

/* an error that is no reason to stop */
static void warn(const struct flannel_node *node, const char *what, const struct flannel_error *error)
{
	fl_log(&node->context->log, FLANNEL_LOG_WARNING, "snapshot", "%s: %s", what, flannel_error_get_message(error));
}

/* what is to be kept, NULL without memory, or without a lease, which leaves what was written last */
static struct fl_snapshot *take_snapshot(const struct flannel_node *node)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	const struct fl_peers *peers = fl_request_get_peers(node->request);

	if (!snapshot)
		return NULL;
	snapshot->store = strdup(fl_store_get_identity(node->store));
	snapshot->config = strdup(flannel_netconf_get_text(fl_request_get_netconf(node->request)));
	snapshot->own = flannel_lease_ref(flannel_request_get_lease(node->request));
	snapshot->written_sec = time(NULL);
	snapshot->peers = calloc(peers->n_peers + 1, sizeof(struct flannel_lease *));
	if (!snapshot->store || !snapshot->config || !snapshot->peers || (!snapshot->own && !node->is_observer))
		return NULL;
	for (; snapshot->n_peers < peers->n_peers; snapshot->n_peers++)
		snapshot->peers[snapshot->n_peers] = flannel_lease_ref(peers->peers[snapshot->n_peers]->lease);
	return FL_TAKE(snapshot);
}

/* writes what is known now */
static void write_snapshot(struct flannel_node *node)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *snapshot = take_snapshot(node);
	struct fl_node_snapshot *kept = &node->snapshot;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	bool has_failed = kept->has_failed;
	int r;

	if (!snapshot)
		return;
	r = fl_file_make_directories(node->state_dir, 0700, &error);
	if (r >= 0)
		r = fl_snapshot_write(snapshot, kept->path, &error);
	kept->written_ns = fl_loop_now();
	kept->has_failed = r < 0;
	if (r >= 0) {
		kept->is_dirty = false;
		return;
	}
	if (!has_failed)
		warn(node, "a restart without the store will not know the peers of now", error);
	fl_source_set_deadline(kept->timer, kept->written_ns + WRITE_AGAIN_NS);
}

/* the past cannot be used, and will not be able to later */
static void drop(struct flannel_node *node, const struct flannel_error *error)
{
	warn(node, "the snapshot is not used", error);
	node->snapshot.past = fl_snapshot_free(node->snapshot.past);
}

/* a snapshot that was read: is it of the same leases */
static void check_past(struct flannel_node *node)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct fl_snapshot *past = node->snapshot.past;
	bool is_of_store = strcmp(past->store, fl_store_get_identity(node->store)) == 0;

	if (is_of_store && !past->own == node->is_observer)
		return;
	fl_error_set(&error, -ESTALE, "snapshot",
		     !is_of_store ? "it is of another store"
		     : past->own  ? "it is of a node with a lease"
				  : "it is of an observer",
		     "%s of %s, while the store is %s", node->snapshot.path, past->store,
		     fl_store_get_identity(node->store));
	drop(node, error);
}

/* reads it, now that it is needed: with thousands of peers that takes a while, and most starts need it not */
static void read_past(struct flannel_node *node)
{
	struct fl_node_snapshot *kept = &node->snapshot;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (kept->is_read)
		return;
	kept->is_read = true;
	r = fl_snapshot_read(kept->path, &kept->past, &error);
	if (r >= 0)
		check_past(node);
	else if (r != -ENOENT)
		drop(node, error);
}

/* goes by the past, if the store has told nothing better */
static void restore(struct flannel_node *node)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct fl_snapshot *past;
	struct fl_request_past known;
	int r;

	/* it has told its configuration, and is not lost since */
	if (node->state != FLANNEL_NODE_CONFIG && !node->store_error)
		return;
	read_past(node);
	past = node->snapshot.past;
	if (!past)
		return;
	known = (struct fl_request_past){.config = past->config, .own = past->own};
	known.peers = past->peers;
	known.n_peers = past->n_peers;
	r = fl_request_restore(node->request, &known, &error);
	if (r >= 0 || node->state == FLANNEL_NODE_FAILED)
		return;
	if (r == -ESTALE || node->state != FLANNEL_NODE_CONFIG) {
		drop(node, error);
	} else if (flannel_error_is_retryable(error)) {
		warn(node, "the snapshot cannot be used yet", error);
		fl_source_set_deadline(node->snapshot.timer, fl_loop_now() + RESTORE_AGAIN_NS);
	} else {
		/* as if the store had told it */
		fl_node_fail(node, error);
	}
}

/* something is due */
static void on_timer(void *userdata, uint32_t events)
{
	struct flannel_node *node = userdata;

	(void)events;
	if (node->snapshot.is_current && node->snapshot.is_dirty)
		write_snapshot(node);
	else if (!node->snapshot.is_current && !node->snapshot.is_in_use)
		restore(node);
}

int fl_node_open_snapshot(struct flannel_node *node, struct flannel_error **ret_error)
{
	struct fl_node_snapshot *kept = &node->snapshot;
	int r;

	if (!node->state_dir || kept->path)
		return 0;
	if (asprintf(&kept->path, "%s/snapshot.json", node->state_dir) < 0) {
		kept->path = NULL;
		return fl_error_oom(ret_error);
	}
	r = fl_loop_add_timer(node->context->loop, on_timer, node, &kept->timer, ret_error);
	if (r < 0)
		return r;
	fl_source_set_deadline(kept->timer, fl_loop_now() + PATIENCE_NS);
	return 0;
}

void fl_node_consider_snapshot(struct flannel_node *node)
{
	if (node->snapshot.timer && !node->snapshot.is_current && !node->snapshot.is_in_use)
		fl_source_set_deadline(node->snapshot.timer, 0);
}

void fl_node_use_snapshot(struct flannel_node *node)
{
	const struct fl_snapshot *past = node->snapshot.past;
	char text[32] = "";
	struct tm when;

	node->snapshot.is_in_use = true;
	if (gmtime_r(&past->written_sec, &when))
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &when);
	fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_NODE_RESTORED, past->own, node->store_error,
		      "the store does not answer: going by the snapshot of %s, with %zu peers", text, past->n_peers);
}

void fl_node_leave_snapshot(struct flannel_node *node)
{
	/* what nobody wants now goes; the snapshot alone could not tell */
	if (node->snapshot.is_in_use) {
		fl_reconciler_demand_full(node->reconciler, true);
		fl_reconciler_schedule(node->reconciler);
	}
	node->snapshot.is_in_use = false;
	node->snapshot.is_current = true;
	node->snapshot.past = fl_snapshot_free(node->snapshot.past);
	fl_node_note_change(node);
}

void fl_node_note_change(struct flannel_node *node)
{
	struct fl_node_snapshot *kept = &node->snapshot;
	uint64_t deadline_ns = fl_loop_now() + WRITE_AFTER_NS, next_ns = kept->written_ns + WRITE_EVERY_NS;

	if (!kept->path || !kept->is_current || kept->is_dirty)
		return;
	kept->is_dirty = true;
	if (kept->written_ns && next_ns > deadline_ns)
		deadline_ns = next_ns;
	fl_source_set_deadline(kept->timer, deadline_ns);
}

void fl_node_close_snapshot(struct flannel_node *node)
{
	struct fl_node_snapshot *kept = &node->snapshot;

	if (kept->path && kept->is_current && kept->is_dirty && node->request)
		write_snapshot(node);
	kept->timer = fl_source_free(kept->timer);
	kept->past = fl_snapshot_free(kept->past);
	kept->is_in_use = false;
	kept->is_current = false;
	free(kept->path);
	kept->path = NULL;
}
