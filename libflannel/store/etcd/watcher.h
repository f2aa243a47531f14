/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_WATCHER_H
#define FL_ETCD_WATCHER_H

/*
 * Tells of the leases: first the list, in pages of one revision, then each change from the next revision on. A stream that breaks is
 * opened again where it stopped; where that is gone (compacted), or the cluster is another one or an older one, the list is told
 * again. What cannot be read is left out with a warning, and nothing follows from it.
 *
 * A stream on which nothing happens is asked for a sign of life every few seconds.
 */

#include "store/etcd/client.h"
#include "store/etcd/keys.h"
#include "store/queue.h"

enum fl_etcd_watcher_state {
	FL_ETCD_WATCHER_OFF,
	FL_ETCD_WATCHER_LIST,   /* the list is due, or on its way */
	FL_ETCD_WATCHER_OPEN,   /* the stream is due, or on its way */
	FL_ETCD_WATCHER_FOLLOW, /* changes come */
};

enum fl_etcd_watcher_news {
	FL_ETCD_WATCHER_LISTED,   /* a list has come: it is told next */
	FL_ETCD_WATCHER_ADVANCED, /* .revision has grown, or the stream stands */
	FL_ETCD_WATCHER_FAILED,   /* error: to be run again */
};

typedef void (*fl_etcd_watcher_fn)(void *userdata, enum fl_etcd_watcher_news news, struct flannel_error *error);

struct fl_etcd_watcher {
	struct fl_etcd_client *client;
	const struct fl_etcd_keys *keys;
	struct fl_store_queue *queue;
	const struct fl_log *log;
	uint32_t heartbeat_ms;
	fl_etcd_watcher_fn fn;
	void *userdata;

	enum fl_etcd_watcher_state state;
	uint64_t cluster;
	int64_t revision;         /* everything up to it has been told */
	int64_t list_revision;    /* of the list that is being told; 0: it has not begun */
	uint64_t config_revision; /* as of which the configuration was told; 0: up to .revision, or never */
	uint8_t *page_key;        /* where the next page begins; NULL: at the first */
	size_t page_key_len;
	struct fl_etcd_ask *ask;
	struct fl_grpc_call *stream;
	size_t endpoint; /* of the stream */
	unsigned int n_created;
	struct fl_source *heartbeat;
};

/* what is borrowed must stay; heartbeat_ms: silence after which a sign of life is asked for */
int fl_etcd_watcher_init(struct fl_etcd_watcher *watcher, struct fl_loop *loop, struct flannel_error **ret_error);
void fl_etcd_watcher_deinit(struct fl_etcd_watcher *watcher);

/* begins, or begins anew, with the list */
void fl_etcd_watcher_restart(struct fl_etcd_watcher *watcher);

/* does what is due */
int fl_etcd_watcher_run(struct fl_etcd_watcher *watcher, struct flannel_error **ret_error);

/* has everything been told up to a revision, or will nothing ever be */
bool fl_etcd_watcher_has_told(const struct fl_etcd_watcher *watcher, uint64_t revision);

#endif
