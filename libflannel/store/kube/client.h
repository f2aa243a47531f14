/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_CLIENT_H
#define FL_KUBE_CLIENT_H

/*
 * Requests to the Kubernetes API over HTTP/1.1: one connection is enough for a watch, one for everything else. Who we are is told only where
 * there is TLS.
 */

#include "base/loop.h"
#include "store/kube/access.h"
#include "store/kube/answer.h"

struct fl_kube_client;
struct fl_kube_call;

/* zero means the default; for tests */
struct fl_kube_timeouts {
	uint32_t connect_ms; /* name, connection and TLS together */
	uint32_t answer_ms;  /* silence before and during an answer */
	uint32_t watch_ms;   /* silence on a watch: where little happens, it ends sooner */
};

/* access is borrowed */
int fl_kube_client_new(struct fl_loop *loop, const struct fl_kube_access *access,
		       const struct fl_kube_timeouts *timeouts, struct fl_kube_client **ret_client,
		       struct flannel_error **ret_error);

/* calls must be gone */
struct fl_kube_client *fl_kube_client_free(struct fl_kube_client *client);

const char *fl_kube_client_get_server(const struct fl_kube_client *client);

struct fl_kube_handler {
	/* Bytes of an answer that is one of success. It runs inside of libcurl, so no call may be made or freed. Negative ends the call. */
	int (*bytes)(void *userdata, const char *bytes, size_t len);
	/* an answer of success has begun, or more of it came; may free the call. NULL: not wanted */
	void (*news)(void *userdata);
	/* the end; may free the call. Success is a status of 200 to 299: then all of it has come */
	void (*end)(void *userdata, const struct fl_kube_answer *answer);
};

struct fl_kube_request {
	const char *method;
	const char *path;         /* "/api/v1/nodes?limit=500" */
	const char *content_type; /* NULL: no body */
	const char *body;
	bool is_watch;
	bool is_fresh; /* those connections that there are may be dead */
};

/* begins a call; everything is copied */
int fl_kube_call_new(struct fl_kube_client *client, const struct fl_kube_request *request,
		     const struct fl_kube_handler *handler, void *userdata, struct fl_kube_call **ret_call,
		     struct flannel_error **ret_error);
struct fl_kube_call *fl_kube_call_free(struct fl_kube_call *call);

FL_DEFINE_CLEANUP(struct fl_kube_client *, fl_kube_client_free)
FL_DEFINE_CLEANUP(struct fl_kube_call *, fl_kube_call_free)

#endif
