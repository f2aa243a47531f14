/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_SNAPSHOT_H
#define FL_STORE_SNAPSHOT_H

/*
 * What a node last knew: the network configuration, its own lease, the peers. Kept as a file, so that a node that starts while the
 * store does not answer has something to go by. The file is JSON, and its first key is a checksum of all bytes that
 * follow: a part of one, or one with a bit turned over, is refused.
 */

#include <stdint.h>

#include <flannel/lease.h>

#include "base/error.h"

struct fl_snapshot {
	char *store;                  /* of which store, see store/identity.h */
	char *config;                 /* the network configuration's text */
	struct flannel_lease *own;    /* NULL: the node has none of its own */
	struct flannel_lease **peers; /* n_peers */
	size_t n_peers;
	int64_t written_sec; /* since the epoch */
};

/* the text of a snapshot; malloc()ed. 0 or -ENOMEM */
int fl_snapshot_format(const struct fl_snapshot *snapshot, char **ret_text, size_t *ret_len,
		       struct flannel_error **ret_error);

/* origin names the text in messages. 0, -EBADMSG or -EINVAL (no snapshot, a part of one, a newer one), -ENOMEM */
int fl_snapshot_parse(const char *text, size_t len, const char *origin, struct fl_snapshot **ret_snapshot,
		      struct flannel_error **ret_error);

/* the same from a file; -ENOENT if there is none, and what the system says */
int fl_snapshot_read(const char *path, struct fl_snapshot **ret_snapshot, struct flannel_error **ret_error);

/* replaces the file as a whole, mode 0600: a network configuration may hold keys */
int fl_snapshot_write(const struct fl_snapshot *snapshot, const char *path, struct flannel_error **ret_error);

/*
 * The last two in steps, since with thousands of peers each takes tens of milliseconds. A step takes at most n_max peers; the caller
 * takes steps until one returns 0 or fails.
 */
struct fl_snapshot_reader;
int fl_snapshot_reader_open(const char *path, struct fl_snapshot_reader **ret_reader, struct flannel_error **ret_error);
int fl_snapshot_reader_step(struct fl_snapshot_reader *reader, size_t n_max, struct fl_snapshot **ret_snapshot,
			    struct flannel_error **ret_error);
struct fl_snapshot_reader *fl_snapshot_reader_free(struct fl_snapshot_reader *reader);

/* snapshot is borrowed until the writer is freed; save() comes after the last step */
struct fl_snapshot_writer;
int fl_snapshot_writer_new(const struct fl_snapshot *snapshot, struct fl_snapshot_writer **ret_writer,
			   struct flannel_error **ret_error);
int fl_snapshot_writer_step(struct fl_snapshot_writer *writer, size_t n_max, struct flannel_error **ret_error);
int fl_snapshot_writer_save(const struct fl_snapshot_writer *writer, const char *path,
			    struct flannel_error **ret_error);
struct fl_snapshot_writer *fl_snapshot_writer_free(struct fl_snapshot_writer *writer);

struct fl_snapshot *fl_snapshot_free(struct fl_snapshot *snapshot);

FL_DEFINE_CLEANUP(struct fl_snapshot *, fl_snapshot_free)

#endif
