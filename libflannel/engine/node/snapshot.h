/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_SNAPSHOT_H
#define FL_ENGINE_NODE_SNAPSHOT_H

/*
 * What the node last knew, in a file, so that a start finds it while the store does not answer. First it is of the past: there to be used
 * until the store tells better. From then on it is of now: written some time after each change.
 */

#include "engine/lease/request.h"
#include "engine/node/scope.h"
#include "store/snapshot.h"

struct fl_node_snapshot {
	const struct fl_node_scope *scope;
	struct flannel_store *store;
	struct flannel_request *request; /* from the start on */
	const char *state_dir;
	bool is_observer;
	void (*restore)(void *userdata); /* the store tells nothing: is there need of the past */
	void *userdata;

	char *path;               /* NULL: nothing is kept */
	struct fl_snapshot *past; /* of an earlier run, from when it is needed until the store has told better */
	struct fl_snapshot_reader *reader; /* while that is being read */
	bool is_read;                      /* past was read, if there was one */
	struct fl_snapshot *now;           /* what is being written */
	struct fl_snapshot_writer *writer;
	struct fl_source *timer; /* goes by the past, or writes */
	bool is_in_use;          /* the node goes by the past */
	bool is_current;         /* the lease is the store's: what changes from here on is kept */
	bool is_dirty;           /* something has changed since it was written, or begun to be */
	bool has_failed;         /* it could not be written the last time */
	uint64_t written_ns;
};

/* from here on the snapshot of an earlier run is there to be used; what is wrong with it is told once it is needed */
int fl_node_snapshot_open(struct fl_node_snapshot *snapshot, struct flannel_error **ret_error);

/* the store does not answer: .restore is called at the next dispatch, if nothing better is known */
void fl_node_snapshot_consider(struct fl_node_snapshot *snapshot);

/* goes by the past, if there is one: see fl_request_restore(). 0 also if there is none, or it is still being read: .restore is called again. */
int fl_node_snapshot_restore(struct fl_node_snapshot *snapshot, struct flannel_error **ret_error);

/* the past cannot be used, and will not be able to later */
void fl_node_snapshot_drop(struct fl_node_snapshot *snapshot, const struct flannel_error *error);

/* the past cannot be used yet: .restore is called again */
void fl_node_snapshot_postpone(struct fl_node_snapshot *snapshot, const struct flannel_error *error);

/* the request goes by it; store_error: why the store does not answer, or NULL */
void fl_node_snapshot_use(struct fl_node_snapshot *snapshot, struct flannel_error *store_error);

/* the store has told better: from here on each change is kept. True: the node went by the past. */
bool fl_node_snapshot_leave(struct fl_node_snapshot *snapshot);

/* a lease, the own one or a peer's, has changed: written soon, together with what else changes until then */
void fl_node_snapshot_note_change(struct fl_node_snapshot *snapshot);

/* writes what is not written yet, and ends */
void fl_node_snapshot_close(struct fl_node_snapshot *snapshot);

#endif
