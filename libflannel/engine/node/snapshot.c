/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"

/* changes come in flocks: the first is written after a second with those that follow it, and then one flock every ten */
#define WRITE_AFTER_NS FL_NSEC_PER_SEC
#define WRITE_EVERY_NS (10 * FL_NSEC_PER_SEC)
#define WRITE_AGAIN_NS (60 * FL_NSEC_PER_SEC)

/* peers in one dispatch, a millisecond or two */
#define READ_AT_ONCE 64
#define WRITE_AT_ONCE 256

/* a store that has told nothing at all for so long is taken for one that does not answer */
#define PATIENCE_NS (3 * FL_NSEC_PER_SEC)
#define RESTORE_AGAIN_NS FL_NSEC_PER_SEC

/* an error that is no reason to stop */
static void warn(const struct fl_node_snapshot *snapshot, const char *what, const struct flannel_error *error)
{
	fl_log(&snapshot->scope->context->log, FLANNEL_LOG_WARNING, "snapshot", "%s: %s", what,
	       flannel_error_get_message(error));
}

/* what is to be kept, NULL without memory, or without a lease, which leaves what was written last */
static struct fl_snapshot *take_snapshot(const struct fl_node_snapshot *of)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	const struct fl_peers *peers = fl_request_get_peers(of->request);

	if (!snapshot)
		return NULL;
	snapshot->store = strdup(fl_store_get_identity(of->store));
	snapshot->config = strdup(flannel_netconf_get_text(fl_request_get_netconf(of->request)));
	snapshot->own = flannel_lease_ref(flannel_request_get_lease(of->request));
	snapshot->written_sec = time(NULL);
	snapshot->peers = calloc(peers->n_peers + 1, sizeof(struct flannel_lease *));
	if (!snapshot->store || !snapshot->config || !snapshot->peers || (!snapshot->own && !of->is_observer))
		return NULL;
	for (; snapshot->n_peers < peers->n_peers; snapshot->n_peers++)
		snapshot->peers[snapshot->n_peers] = flannel_lease_ref(peers->peers[snapshot->n_peers]->lease);
	return FL_TAKE(snapshot);
}

/* no snapshot is being written any more */
static void end_writing(struct fl_node_snapshot *snapshot)
{
	snapshot->writer = fl_snapshot_writer_free(snapshot->writer);
	snapshot->now = fl_snapshot_free(snapshot->now);
}

/* begins to write what is known now, if there is anything */
static void begin_writing(struct fl_node_snapshot *snapshot)
{
	end_writing(snapshot);
	snapshot->now = take_snapshot(snapshot);
	if (snapshot->now && fl_snapshot_writer_new(snapshot->now, &snapshot->writer, NULL) < 0)
		end_writing(snapshot);
}

/* what was to be written is, or could not be: r with error */
static void finish_writing(struct fl_node_snapshot *snapshot, int r, const struct flannel_error *error)
{
	bool has_failed = snapshot->has_failed;

	end_writing(snapshot);
	snapshot->written_ns = fl_loop_now();
	snapshot->has_failed = r < 0;
	snapshot->is_dirty |= r < 0;
	if (r < 0 && !has_failed)
		warn(snapshot, "a restart without the store will not know the peers of now", error);
	if (snapshot->is_dirty)
		fl_source_set_deadline(snapshot->timer,
				       snapshot->written_ns + (r < 0 ? WRITE_AGAIN_NS : WRITE_EVERY_NS));
}

/* goes on with it, for at most so many peers */
static void go_on_writing(struct fl_node_snapshot *snapshot, size_t n_max)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_snapshot_writer_step(snapshot->writer, n_max, &error);

	if (r > 0) {
		fl_source_set_deadline(snapshot->timer, 0);
		return;
	}
	if (r == 0)
		r = fl_file_make_directories(snapshot->state_dir, 0700, &error);
	if (r >= 0)
		r = fl_snapshot_writer_save(snapshot->writer, snapshot->path, &error);
	finish_writing(snapshot, r, error);
}

void fl_node_snapshot_drop(struct fl_node_snapshot *snapshot, const struct flannel_error *error)
{
	warn(snapshot, "the snapshot is not used", error);
	snapshot->past = fl_snapshot_free(snapshot->past);
}

/* a snapshot that was read: is it of the same leases */
static void check_past(struct fl_node_snapshot *snapshot)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct fl_snapshot *past = snapshot->past;
	const char *store = fl_store_get_identity(snapshot->store);
	bool is_of_store = strcmp(past->store, store) == 0;

	if (is_of_store && !past->own == snapshot->is_observer)
		return;
	fl_error_set(&error, -ESTALE, "snapshot",
		     !is_of_store ? "it is of another store"
		     : past->own  ? "it is of a node with a lease"
				  : "it is of an observer",
		     "%s of %s, while the store is %s", snapshot->path, past->store, store);
	fl_node_snapshot_drop(snapshot, error);
}

/* reads it, now that it is needed: with thousands of peers that takes a while, and most starts need it not. True: it is read, if there is one */
static bool read_past(struct fl_node_snapshot *snapshot)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = 0;

	if (snapshot->is_read)
		return true;
	if (!snapshot->reader)
		r = fl_snapshot_reader_open(snapshot->path, &snapshot->reader, &error);
	if (r >= 0)
		r = fl_snapshot_reader_step(snapshot->reader, READ_AT_ONCE, &snapshot->past, &error);
	if (r > 0) {
		fl_source_set_deadline(snapshot->timer, 0);
		return false;
	}
	snapshot->is_read = true;
	snapshot->reader = fl_snapshot_reader_free(snapshot->reader);
	if (r >= 0)
		check_past(snapshot);
	else if (r != -ENOENT)
		fl_node_snapshot_drop(snapshot, error);
	return true;
}

int fl_node_snapshot_restore(struct fl_node_snapshot *snapshot, struct flannel_error **ret_error)
{
	const struct fl_snapshot *past;
	struct fl_request_past known;

	if (!read_past(snapshot) || !snapshot->past)
		return 0;
	past = snapshot->past;
	known = (struct fl_request_past){.config = past->config, .own = past->own};
	known.peers = past->peers;
	known.n_peers = past->n_peers;
	return fl_request_restore(snapshot->request, &known, ret_error);
}

void fl_node_snapshot_postpone(struct fl_node_snapshot *snapshot, const struct flannel_error *error)
{
	warn(snapshot, "the snapshot cannot be used yet", error);
	fl_source_set_deadline(snapshot->timer, fl_loop_now() + RESTORE_AGAIN_NS);
}

/* something is due */
static void on_timer(void *userdata, uint32_t events)
{
	struct fl_node_snapshot *snapshot = userdata;

	(void)events;
	/* without a lease nothing is written; getting one is a change */
	if (snapshot->is_current && !snapshot->writer && snapshot->is_dirty) {
		snapshot->is_dirty = false;
		begin_writing(snapshot);
	}
	if (snapshot->writer)
		go_on_writing(snapshot, WRITE_AT_ONCE);
	else if (!snapshot->is_current && !snapshot->is_in_use)
		snapshot->restore(snapshot->userdata);
}

int fl_node_snapshot_open(struct fl_node_snapshot *snapshot, struct flannel_error **ret_error)
{
	int r;

	if (!snapshot->state_dir || snapshot->path)
		return 0;
	if (asprintf(&snapshot->path, "%s/snapshot.json", snapshot->state_dir) < 0) {
		snapshot->path = NULL;
		return fl_error_oom(ret_error);
	}
	r = fl_loop_add_timer(snapshot->scope->context->loop, on_timer, snapshot, &snapshot->timer, ret_error);
	if (r < 0)
		return r;
	fl_source_set_deadline(snapshot->timer, fl_loop_now() + PATIENCE_NS);
	return 0;
}

void fl_node_snapshot_consider(struct fl_node_snapshot *snapshot)
{
	if (snapshot->timer && !snapshot->is_current && !snapshot->is_in_use)
		fl_source_set_deadline(snapshot->timer, 0);
}

void fl_node_snapshot_use(struct fl_node_snapshot *snapshot, struct flannel_error *store_error)
{
	const struct fl_snapshot *past = snapshot->past;
	char text[32] = "";
	struct tm when;

	snapshot->is_in_use = true;
	if (gmtime_r(&past->written_sec, &when))
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &when);
	fl_node_emit(snapshot->scope, FLANNEL_EVENT_NODE_RESTORED, past->own, store_error,
		     "the store does not answer: going by the snapshot of %s, with %zu peers", text, past->n_peers);
}

bool fl_node_snapshot_leave(struct fl_node_snapshot *snapshot)
{
	bool was_in_use = snapshot->is_in_use;

	snapshot->is_in_use = false;
	snapshot->is_current = true;
	snapshot->past = fl_snapshot_free(snapshot->past);
	snapshot->reader = fl_snapshot_reader_free(snapshot->reader);
	snapshot->is_read = true;
	fl_node_snapshot_note_change(snapshot);
	return was_in_use;
}

void fl_node_snapshot_note_change(struct fl_node_snapshot *snapshot)
{
	uint64_t deadline_ns = fl_loop_now() + WRITE_AFTER_NS, next_ns = snapshot->written_ns + WRITE_EVERY_NS;

	if (!snapshot->path || !snapshot->is_current || snapshot->is_dirty)
		return;
	snapshot->is_dirty = true;
	/* its end sees to it */
	if (snapshot->writer)
		return;
	if (snapshot->written_ns && next_ns > deadline_ns)
		deadline_ns = next_ns;
	fl_source_set_deadline(snapshot->timer, deadline_ns);
}

void fl_node_snapshot_close(struct fl_node_snapshot *snapshot)
{
	if (snapshot->path && snapshot->is_current && snapshot->is_dirty && snapshot->request)
		begin_writing(snapshot);
	if (snapshot->writer)
		go_on_writing(snapshot, SIZE_MAX);
	snapshot->reader = fl_snapshot_reader_free(snapshot->reader);
	snapshot->timer = fl_source_free(snapshot->timer);
	snapshot->past = fl_snapshot_free(snapshot->past);
	snapshot->is_in_use = false;
	snapshot->is_current = false;
	free(snapshot->path);
	snapshot->path = NULL;
}
