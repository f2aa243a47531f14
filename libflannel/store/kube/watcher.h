/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_WATCHER_H
#define FL_KUBE_WATCHER_H

/*
 * Tells of the Nodes: first a list, then each change by a watch of all of them. A watch that ends, as it does every few minutes, is opened
 * again where it stopped. Where that is gone (410), all are listed again.
 *
 * Where nothing happens a server says nothing, no bookmark either. So a watch is asked to end after ten seconds, and the next one goes on over the
 * same connection: nothing within fifteen means that nobody is there any more, or not at the other end of something that holds the
 * connection. Where much happens, silence says the same, and a watch lasts for minutes.
 *
 * The first list takes what the server has in memory (resourceVersion=0): five thousand nodes that start at once would otherwise read
 * everything from etcd five thousand times. Later lists ask for nothing older than what is known (resourceVersion=N), since another server might have
 * an older picture; where there is no such thing, such as after etcd was restored from a copy, etcd is read, in pages. A watch would just be
 * silent there. So where the server was away, a list of one Node tells first how far it is.
 */

#include <flannel/store.h>

#include "base/log.h"
#include "store/kube/client.h"
#include "store/kube/node.h"
#include "store/kube/records.h"
#include "store/kube/scanner.h"
#include "store/queue.h"

enum fl_kube_watcher_state {
	FL_KUBE_WATCHER_OFF,
	FL_KUBE_WATCHER_LIST,   /* the list is due, or on its way */
	FL_KUBE_WATCHER_OPEN,   /* the watch is due, or on its way */
	FL_KUBE_WATCHER_FOLLOW, /* changes come */
};

enum fl_kube_watcher_news {
	FL_KUBE_WATCHER_SELF, /* node: how the own one is now, to be taken over; NULL: it is gone. May run inside of libcurl */
	FL_KUBE_WATCHER_LIST_ENDS, /* the last moment to tell more that belongs to the list. May run inside of libcurl */
	FL_KUBE_WATCHER_ADVANCED,  /* a list has come, or the watch stands */
	FL_KUBE_WATCHER_WAITS,     /* until fl_kube_watcher_next_ns() */
	FL_KUBE_WATCHER_FAILED,    /* error, answer: to be run again */
};

struct fl_kube_watcher_report {
	enum fl_kube_watcher_news news;
	struct fl_kube_node *node;
	struct flannel_error *error;
	uint32_t retry_after_ms;
};

typedef void (*fl_kube_watcher_fn)(void *userdata, const struct fl_kube_watcher_report *report);

/* how a list is asked for */
enum fl_kube_list {
	FL_KUBE_LIST_ANY,       /* whatever the server has */
	FL_KUBE_LIST_NOT_OLDER, /* than .version */
	FL_KUBE_LIST_PAGES,     /* from etcd */
	FL_KUBE_LIST_WHOLE,     /* from etcd in one piece */
};

struct fl_kube_watcher {
	struct fl_kube_client *client;
	const struct fl_kube_keys *keys;
	struct fl_store_queue *queue;
	const struct fl_log *log;
	fl_kube_watcher_fn fn;
	void *userdata;
	const char *self; /* name of the own Node, whose lease is not told from here */

	enum fl_kube_watcher_state state;
	struct fl_kube_call *call;
	struct fl_kube_scanner scanner;
	struct fl_kube_records records;
	enum fl_kube_list list;
	uint32_t generation;
	bool has_begun;                /* the list was begun to be told */
	bool saw_self;                 /* the list had the own Node */
	char *version;                 /* up to which all was told; NULL: nothing yet */
	char *next_page;               /* token of the list's next page */
	struct fl_kube_answer stopped; /* why the watch says that it ends; .status 0: it does not */
	size_t n_stopped;              /* watches in a row that said so for another reason than that it is gone */
	bool is_doubtful;              /* the server was away: it may have gone back meanwhile */
	bool is_useful;                /* the watch has told something */
	size_t n_changes;              /* that the watch has told */
	bool is_busy;                  /* watches tell so much that silence on one is no good sign */
	uint64_t told_ns;              /* when the last list, change or bookmark came */
	uint64_t opened_ns;
	bool is_moved;    /* connections that there are may be dead: the next one is a new one */
	size_t n_useless; /* watches in a row that ended at once */
	uint64_t open_ns; /* the next one not before */
};

void fl_kube_watcher_deinit(struct fl_kube_watcher *watcher);

/* begins with a list */
void fl_kube_watcher_restart(struct fl_kube_watcher *watcher);

/* the connection may be dead: whatever is on its way begins anew, the watch where it is */
void fl_kube_watcher_reopen(struct fl_kube_watcher *watcher);

/* when the next watch may be opened; UINT64_MAX: it is not waited for */
uint64_t fl_kube_watcher_next_ns(const struct fl_kube_watcher *watcher);

/* does what is due: 0, or negative if that could not even be begun */
int fl_kube_watcher_run(struct fl_kube_watcher *watcher, struct flannel_error **ret_error);

#endif
