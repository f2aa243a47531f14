/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_KUBE_STATE_H
#define FL_KUBE_KUBE_STATE_H

/*
 * The inside of the store, shared by kube.c (life, pace, requests), question.c (what is asked of the API, one thing at a time) and own.c (what
 * is known of the own Node, and what it is to be).
 */

#include "store/kube/kube.h"
#include "store/kube/patch.h"
#include "store/kube/scanner.h"
#include "store/kube/watcher.h"

enum fl_kube_request_type {
	FL_KUBE_GET_CONFIG,
	FL_KUBE_PUT_CONFIG,
	FL_KUBE_CREATE,
	FL_KUBE_UPDATE,
	FL_KUBE_REMOVE,
};

struct fl_kube_queued {
	struct fl_kube_queued *next;
	enum fl_kube_request_type type;
	uint64_t number;
	struct flannel_lease *lease;
};

/* a question to the API that is on its way */
enum fl_kube_ask {
	FL_KUBE_ASK_NOTHING,
	FL_KUBE_ASK_POD,
	FL_KUBE_ASK_NODE,
	FL_KUBE_ASK_ANNOTATE, /* for the first request */
	FL_KUBE_ASK_REPAIR,   /* of our own accord */
	FL_KUBE_ASK_CONDITION,
};

/* the own Node, and what is to become of it */
struct fl_kube_own {
	struct fl_kube_node node;                    /* as it was told last; .name NULL: it is not known to exist */
	bool is_current;                             /* known as well as it can be for a request that has to know */
	struct flannel_lease *told;                  /* what the node is given, as its user was told last */
	char *told_problem;                          /* why that was nothing */
	struct flannel_prefix public_ip, public_ip6; /* what an operator wants published, when it was told */
	struct flannel_lease *held;                  /* what was written, and is to stay */

	bool needs_repair;
	uint64_t repair_ns;       /* not before */
	uint64_t repaired_ns;     /* the last time */
	uint64_t repair_pause_ns; /* between two */

	bool has_condition; /* set_ready() was called */
	bool is_up;
	char *why;
	bool condition_is_due;
	uint64_t condition_ns; /* not before */
	uint64_t condition_pause_ns;
};

struct fl_kube {
	struct fl_log log;
	struct fl_kube_address address;
	struct fl_kube_access access;
	struct fl_kube_keys keys;
	char *config;
	struct fl_loop *loop;
	struct fl_source *timer;
	struct fl_kube_client *client;
	struct fl_kube_watcher watcher;
	struct fl_store_queue queue;
	struct fl_kube_queued *first, **last_next;

	enum fl_kube_ask ask;
	struct fl_kube_call *call;
	struct fl_kube_scanner scanner; /* of the answer */
	struct fl_kube_text answer;     /* the object in it */
	bool is_moved;                  /* this node has another address: connections from the former one are dead */
	size_t n_ask_failures;          /* of questions, in a row, whatever the watch does meanwhile */
	uint64_t ask_ns;                /* the next one not before */
	uint64_t poll_ns;               /* the own Node is looked at again, not before */
	struct fl_kube_own own;

	bool is_lost;
	size_t n_failures; /* in a row */
	uint64_t retry_ns; /* not before; 0: at once */
};

/* how often the own Node is looked at that is not there, or has no subnet yet */
#define FL_KUBE_POLL_NS (2 * FL_NSEC_PER_SEC)

/* kube.c */

/* something answered as it should: what is due next need not wait */
void fl_kube_note_good(struct fl_kube *store);

/* something failed; what it was for is tried again */
void fl_kube_note_failure(struct fl_kube *store, struct flannel_error *error, uint32_t retry_after_ms);

/* A question failed. As long as the watch stands, the API is there all the same, and the question alone waits. */
void fl_kube_note_ask_failure(struct fl_kube *store, struct flannel_error *error, const struct fl_kube_answer *answer);

/* tells the reply to the first request and is done with it; takes nothing over. error NULL: code as it is */
void fl_kube_reply(struct fl_kube *store, int code, struct flannel_error *error);

/* works at the next dispatch, or when the pause ends */
void fl_kube_wake(struct fl_kube *store);

/* question.c: begins to ask; the answer goes on. Negative if that could not be begun. */
int fl_kube_ask_pod(struct fl_kube *store, struct flannel_error **ret_error);
int fl_kube_ask_node(struct fl_kube *store, struct flannel_error **ret_error);
int fl_kube_ask_patch(struct fl_kube *store, enum fl_kube_ask ask, const char *body, struct flannel_error **ret_error);
void fl_kube_ask_end(struct fl_kube *store);

/* own.c */

/* how the own Node is now, taken over; NULL: it does not exist. May run inside of libcurl. */
void fl_kube_own_note(struct fl_kube *store, struct fl_kube_node *node);

/* tells what the node is given: 0; or why not, which is told once: -EAGAIN (wait), -EINVAL, -ENOMEM */
int fl_kube_own_tell(struct fl_kube *store, struct flannel_error **ret_error);

/* The body that writes the lease (NULL: takes ours back) onto the Node as it is: 1 with, 0 if nothing is to be changed, negative. */
int fl_kube_own_patch(struct fl_kube *store, const struct flannel_lease *lease, char **ret_body,
		      struct flannel_error **ret_error);

/* holds another lease, or none */
void fl_kube_own_hold(struct fl_kube *store, struct flannel_lease *lease);

/* what is due of our own accord: 0, or negative if it could not be begun */
int fl_kube_own_run(struct fl_kube *store, struct flannel_error **ret_error);

/* when that is to be looked at again; UINT64_MAX: nothing waits */
uint64_t fl_kube_own_next_ns(const struct fl_kube *store);

/* the end of a question of our own accord that did not fail: what was refused is tried again later */
void fl_kube_own_done(struct fl_kube *store, enum fl_kube_ask ask, const struct fl_kube_answer *answer);

/* a question of our own accord was given up: it is asked again */
void fl_kube_own_dropped(struct fl_kube *store);

void fl_kube_own_clear(struct fl_kube_own *own);

#endif
