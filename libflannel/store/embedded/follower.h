/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_EMBEDDED_FOLLOWER_H
#define FL_EMBEDDED_FOLLOWER_H

/*
 * Tells of changes: a snapshot first, then every row with a higher revision than the last one told.
 *
 * Who changes something touches the database file after its commit; who dies between the two closes the file.
 * inotify tells both (IN_ATTRIB, IN_CLOSE_WRITE), so a change is never overlooked and nothing is polled. The write to the
 * log (-wal) would be told too early: a commit can be seen only some time after it, and nothing tells when.
 */

#include <stdbool.h>

#include "base/log.h"
#include "base/loop.h"
#include "store/embedded/leases.h"
#include "store/queue.h"

/* rows read in one step */
#define FL_FOLLOWER_ROWS_MAX 256

struct fl_follower {
	struct fl_leases *leases;
	struct fl_store_queue *queue;
	const struct fl_log *log;
	int inotify_fd; /* -1: not started */
	int file_wd, directory_wd;
	struct fl_source *source;
	enum { FL_FOLLOWER_OFF, FL_FOLLOWER_BEGIN, FL_FOLLOWER_SNAPSHOT, FL_FOLLOWER_FOLLOW } state;
	bool dirty;  /* something may have changed since the last look */
	bool kicked; /* inotify told of something; for the owner to clear */
	uint64_t revision;
	struct fl_query snapshot; /* while it runs: it holds a read transaction */
	bool config_known;
	uint64_t config_revision;  /* of the configuration that the receiver knows */
	uint64_t next_deadline_ns; /* end of the next lifetime on the boot clock, as of the last look */
};

void fl_follower_init(struct fl_follower *follower, struct fl_leases *leases, struct fl_store_queue *queue,
		      const struct fl_log *log);
void fl_follower_deinit(struct fl_follower *follower);

/* from now on there is something to tell, beginning with a snapshot: 0, -EBUSY (it is on), -EMFILE, -ENFILE, -ENOMEM */
int fl_follower_start(struct fl_follower *follower, struct fl_loop *loop, struct flannel_error **ret_error);

/* watches directory and file; to be called at each opening of the database. Does nothing if not started. */
int fl_follower_attach(struct fl_follower *follower, struct flannel_error **ret_error);

/* forgets what was told: a new snapshot comes. Must be called before the database is closed. */
void fl_follower_restart(struct fl_follower *follower);

/* takes what inotify has to tell */
void fl_follower_drain(struct fl_follower *follower);

/* tells a bounded number of things: 1: there is more, 0: all is told, negative: the database failed */
int fl_follower_step(struct fl_follower *follower, struct flannel_error **ret_error);

/* Must the step be called? */
bool fl_follower_is_due(const struct fl_follower *follower);

/* the receiver got this configuration by a reply */
void fl_follower_config_told(struct fl_follower *follower, uint64_t revision);

/* makes those who follow look, other processes too; after each commit */
void fl_follower_ring(const char *path);

#endif
