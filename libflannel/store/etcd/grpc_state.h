/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_GRPC_STATE_H
#define FL_ETCD_GRPC_STATE_H

/* The inside of the transport, shared by grpc.c (what calls have in common) and grpc_call.c (one call). */

#include "store/etcd/frames.h"
#include "store/etcd/grpc.h"
#include "store/http/transport.h"

struct fl_grpc {
	struct fl_http *http;
	char *cafile, *certfile, *keyfile;
	uint32_t connect_timeout_ms;
	bool reuse_is_broken; /* libcurl fails on the second call of a connection without TLS */
};

struct fl_grpc_call {
	struct fl_grpc *grpc;
	struct fl_http_transfer transfer;
	const struct fl_grpc_handler *handler;
	void *userdata;
	bool is_stream;

	uint8_t *out; /* frames that wait to be sent; all of them if it is no stream */
	size_t n_out, out_sent;
	bool is_paused; /* libcurl was told that there is nothing to send */

	struct fl_frames in;
	struct fl_grpc_status status;
	bool is_grpc; /* the answer's content-type says so */
};

#endif
