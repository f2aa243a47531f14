/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_GRPC_H
#define FL_ETCD_GRPC_H

/*
 * gRPC over libcurl, on a loop: HTTP/2 with prior knowledge for http://, by ALPN for https://. A call is a path, messages that go
 * out, messages that come in, and a status. Each call that runs has a connection of its own, so that one which hangs does not hold up
 * another; connections of calls that ended well are used again, where libcurl can do so.
 *
 * Nothing waits: names are resolved in threads of libcurl, which block all signals. Neither proxies nor anything else is taken from the
 * environment or from files that were not named. A call may be freed at any time but from inside of libcurl, where none of ours runs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "store/etcd/status.h"

struct fl_grpc;
struct fl_grpc_call;

/* texts are copied; NULL for none */
struct fl_grpc_options {
	const char *cafile;
	const char *certfile;
	const char *keyfile;
	uint32_t connect_timeout_ms;
};

/* -ENOMEM, -ENOSYS (a libcurl without HTTP/2) */
int fl_grpc_new(struct fl_loop *loop, const struct fl_grpc_options *options, struct fl_grpc **ret_grpc,
		struct flannel_error **ret_error);

/* calls must be gone */
struct fl_grpc *fl_grpc_free(struct fl_grpc *grpc);

/* What a call tells. Each may free the call. */
struct fl_grpc_handler {
	/* one message; borrowed for the call */
	void (*message)(void *userdata, const uint8_t *bytes, size_t len);
	/* The end, and why; .code is FL_GRPC_NO_STATUS with an error of the transport in .message */
	void (*end)(void *userdata, const struct fl_grpc_status *status);
};

struct fl_grpc_request {
	const char *endpoint; /* "http://192.0.2.1:2379" */
	const char *path;     /* "/etcdserverpb.KV/Range" */
	const char *token;    /* NULL: without */
	bool is_stream;       /* more messages may follow, else the first is the only one */
	uint32_t silence_ms;  /* the call ends if nothing at all comes in for so long; 0: never */
};

/* Begins a call with one message (copied); it is on its way at the next dispatch. */
int fl_grpc_call_new(struct fl_grpc *grpc, const struct fl_grpc_request *request, const void *message, size_t len,
		     const struct fl_grpc_handler *handler, void *userdata, struct fl_grpc_call **ret_call,
		     struct flannel_error **ret_error);

/* one more message on a stream */
int fl_grpc_call_send(struct fl_grpc_call *call, const void *message, size_t len, struct flannel_error **ret_error);

/* ends it; its connection is closed unless the call had ended well */
struct fl_grpc_call *fl_grpc_call_free(struct fl_grpc_call *call);

FL_DEFINE_CLEANUP(struct fl_grpc *, fl_grpc_free)
FL_DEFINE_CLEANUP(struct fl_grpc_call *, fl_grpc_call_free)

#endif
