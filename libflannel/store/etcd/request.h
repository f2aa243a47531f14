/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_REQUEST_H
#define FL_ETCD_REQUEST_H

/*
 * What the library asks of the store, as steps that etcd knows. A step whose answer got lost is repeated without harm: the etcd
 * lease has a number that was drawn for this request, so what the lost one has done is known again by it.
 *
 * A lease is created in one transaction, if nothing has its key. What a transaction cannot compare (IPv6 parts, subnets of
 * other lengths) it lists: of two that overlap the one that came later gives way.
 */

#include "store/etcd/client.h"
#include "store/etcd/keys.h"
#include "store/queue.h"

enum fl_etcd_request_type {
	FL_ETCD_GET_CONFIG,
	FL_ETCD_PUT_CONFIG,
	FL_ETCD_SET_CONFIG,
	FL_ETCD_CREATE,
	FL_ETCD_UPDATE,
	FL_ETCD_REMOVE
};

enum fl_etcd_request_step {
	FL_ETCD_STEP_READ,  /* what there is now */
	FL_ETCD_STEP_GRANT, /* an etcd lease, by which the key disappears in its time */
	FL_ETCD_STEP_WRITE,
	FL_ETCD_STEP_UNDO, /* what was written or granted for nothing */
	FL_ETCD_STEP_ANSWERED
};

struct fl_etcd_request;

/* It is answered (.reply), or failed with an error and can be run again. */
typedef void (*fl_etcd_request_fn)(void *userdata, struct fl_etcd_request *request, struct flannel_error *error);

struct fl_etcd_request {
	struct fl_etcd_request *next;
	enum fl_etcd_request_type type;
	uint64_t number;
	struct flannel_lease *lease;
	uint32_t lease_sec;
	char *config;
	char *former; /* what a SET_CONFIG replaces */

	struct fl_etcd_client *client;
	const struct fl_etcd_keys *keys;
	fl_etcd_request_fn fn;
	void *userdata;

	enum fl_etcd_request_step step;
	struct fl_etcd_ask *ask;  /* NULL: nothing is on its way */
	char *key;                /* of the lease, or of the configuration that is replaced */
	char *first, *end;        /* keys that would be in the way of a new one */
	int64_t lease_id;         /* of etcd; 0: for ever */
	bool is_granted;          /* there is such a lease */
	bool is_again;            /* a write may have happened that nobody told of */
	unsigned int n_grants;    /* how often a granted lease was gone before it was used */
	int64_t seen_revision;    /* of the key, when it was read */
	int64_t written_revision; /* of what is to be taken back */
	struct flannel_store_message reply;
	uint64_t after_revision; /* the reply is told after everything up to this one */
};

/* takes a reference of lease and a copy of config; both may be NULL where the type needs none */
int fl_etcd_request_new(enum fl_etcd_request_type type, uint64_t number, struct flannel_lease *lease,
			uint32_t lease_sec, const char *config, struct fl_etcd_request **ret_request,
			struct flannel_error **ret_error);
struct fl_etcd_request *fl_etcd_request_free(struct fl_etcd_request *request);

/* begins with it, or goes on after a failure */
int fl_etcd_request_run(struct fl_etcd_request *request, struct flannel_error **ret_error);

/* the answer to a step: what request_send.c asks with */
void fl_etcd_request_take(void *userdata, const struct fl_grpc_status *status, const ProtobufCMessage *reply,
			  struct flannel_error *error);

FL_DEFINE_CLEANUP(struct fl_etcd_request *, fl_etcd_request_free)

#endif
