/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_GRPC_STATE_H
#define FL_ETCD_GRPC_STATE_H

/* The inside of the transport, shared by grpc.c (libcurl on a loop) and grpc_call.c (one call). */

#include <curl/curl.h>

#include "store/etcd/frames.h"
#include "store/etcd/grpc.h"

struct fl_grpc {
	struct fl_loop *loop;
	CURLM *multi;
	struct fl_source *timer;
	struct fl_grpc_call *calls;
	struct fl_grpc_call *delivering; /* whose handler runs; NULL if it has been freed by it */
	char *cafile, *certfile, *keyfile;
	uint32_t connect_timeout_ms;
	bool reuse_is_broken; /* libcurl fails on the second call of a connection without TLS */
};

struct fl_grpc_call {
	struct fl_grpc_call *next;
	struct fl_grpc *grpc;
	CURL *easy;
	struct curl_slist *headers;
	struct fl_source *silence;
	uint64_t silence_ns;
	const struct fl_grpc_handler *handler;
	void *userdata;
	bool is_stream;

	uint8_t *out; /* frames that wait to be sent; all of them if it is no stream */
	size_t n_out, out_sent;
	bool is_paused; /* libcurl was told that there is nothing to send */

	struct fl_frames in;
	struct fl_grpc_status status;
	bool is_grpc;  /* the answer's content-type says so */
	bool is_dirty; /* something came in, or it ended */
	bool is_done;
	CURLcode result;
	char error[CURL_ERROR_SIZE];
};

/* hands over what has come in, and the end */
void fl_grpc_call_deliver(struct fl_grpc_call *call);

/* libcurl is done with it */
void fl_grpc_call_done(struct fl_grpc_call *call, CURLcode result);

#endif
