/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_CLIENT_H
#define FL_ETCD_CLIENT_H

/*
 * Who of the cluster is asked, and as whom: calls go to one endpoint as long as it answers, then to the next one; where there is a
 * user, a login precedes them and is renewed when its token has had its time. Trying again is up to whoever asks.
 */

#include <protobuf-c/protobuf-c.h>

#include "base/log.h"
#include "store/etcd/address.h"
#include "store/etcd/grpc.h"

struct fl_etcd_client;
struct fl_etcd_ask;

/* zero means the default */
struct fl_etcd_timeouts {
	uint32_t connect_ms; /* until a connection stands, name lookup and TLS included */
	uint32_t call_ms;    /* until something comes in for a question */
};

/* a call of etcd's with one answer */
struct fl_etcd_method {
	const char *path;
	const char *what; /* for messages: "read from" */
	const ProtobufCMessageDescriptor *reply;
};

extern const struct fl_etcd_method fl_etcd_range;
extern const struct fl_etcd_method fl_etcd_txn;
extern const struct fl_etcd_method fl_etcd_lease_grant;
extern const struct fl_etcd_method fl_etcd_lease_revoke;

/* The answer: the message (borrowed), or NULL and an error. May free the question. */
typedef void (*fl_etcd_ask_fn)(void *userdata, const struct fl_grpc_status *status, const ProtobufCMessage *reply,
			       struct flannel_error *error);

/* address and log are borrowed */
int fl_etcd_client_new(struct fl_loop *loop, const struct fl_etcd_address *address,
		       const struct fl_etcd_timeouts *timeouts, const struct fl_log *log,
		       struct fl_etcd_client **ret_client, struct flannel_error **ret_error);

/* questions and streams must be gone */
struct fl_etcd_client *fl_etcd_client_free(struct fl_etcd_client *client);

/* asks; the question must be freed, before or after its answer */
int fl_etcd_ask_new(struct fl_etcd_client *client, const struct fl_etcd_method *method, const ProtobufCMessage *message,
		    fl_etcd_ask_fn fn, void *userdata, struct fl_etcd_ask **ret_ask, struct flannel_error **ret_error);
struct fl_etcd_ask *fl_etcd_ask_free(struct fl_etcd_ask *ask);

/*
 * Opens a stream at the endpoint that is asked now, with the login that there is. Whoever has it tells how it ended. silence_ms: as in
 * struct fl_grpc_request.
 */
int fl_etcd_client_stream(struct fl_etcd_client *client, const char *path, const ProtobufCMessage *first,
			  uint32_t silence_ms, const struct fl_grpc_handler *handler, void *userdata,
			  struct fl_grpc_call **ret_call, size_t *ret_endpoint, struct flannel_error **ret_error);

/* a stream of that endpoint ended, which it should not: the error that says so */
int fl_etcd_client_stream_ended(struct fl_etcd_client *client, size_t endpoint, const struct fl_grpc_status *status,
				const char *what, struct flannel_error **ret_error);

/* one more message on a stream */
int fl_etcd_send(struct fl_grpc_call *call, const ProtobufCMessage *message, struct flannel_error **ret_error);

size_t fl_etcd_client_n_endpoints(const struct fl_etcd_client *client);

FL_DEFINE_CLEANUP(struct fl_etcd_client *, fl_etcd_client_free)
FL_DEFINE_CLEANUP(struct fl_etcd_ask *, fl_etcd_ask_free)

#endif
