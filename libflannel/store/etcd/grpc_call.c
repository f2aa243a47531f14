/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "store/etcd/grpc_state.h"

/* libcurl's write callback: bytes of messages */
static size_t on_bytes(char *bytes, size_t size, size_t n, void *userdata)
{
	struct fl_grpc_call *call = userdata;

	call->transfer.is_dirty = true;
	return fl_frames_feed(&call->in, bytes, size * n) < 0 ? 0 : size * n;
}

/* is it the content-type of gRPC, with or without "+proto" */
static bool is_grpc_type(const char *line, size_t len)
{
	const char name[] = "content-type:", type[] = "application/grpc";
	size_t at = sizeof(name) - 1;

	if (len < at || strncasecmp(line, name, at) != 0)
		return false;
	while (at < len && line[at] == ' ')
		at++;
	return len - at >= sizeof(type) - 1 && strncasecmp(line + at, type, sizeof(type) - 1) == 0;
}

/* libcurl's header callback: a line of headers or trailers */
static size_t on_header(char *bytes, size_t size, size_t n, void *userdata)
{
	struct fl_grpc_call *call = userdata;

	call->transfer.is_dirty = true;
	if (is_grpc_type(bytes, size * n))
		call->is_grpc = true;
	fl_grpc_status_read(&call->status, bytes, size * n);
	return size * n;
}

/* libcurl's read callback: the next bytes of a stream, or a pause until there are more */
static size_t on_send(char *bytes, size_t size, size_t n, void *userdata)
{
	struct fl_grpc_call *call = userdata;
	size_t n_left = call->n_out - call->out_sent, n_now = n_left < size * n ? n_left : size * n;

	if (n_now == 0) {
		call->is_paused = true;
		return CURL_READFUNC_PAUSE;
	}
	memcpy(bytes, call->out + call->out_sent, n_now);
	call->out_sent += n_now;
	return n_now;
}

/* the call whose transfer it is */
static struct fl_grpc_call *call_of(struct fl_http_transfer *transfer)
{
	return (struct fl_grpc_call *)((char *)transfer - offsetof(struct fl_grpc_call, transfer));
}

/* nothing has come in for too long */
static void on_silence(struct fl_http_transfer *transfer)
{
	struct fl_grpc_call *call = call_of(transfer);
	struct fl_grpc_status status = {.code = FL_GRPC_NO_STATUS};

	(void)snprintf(status.message, sizeof(status.message), "%.190s", transfer->error);
	call->handler->end(call->userdata, &status);
}

/* appends a message with its header to what goes out */
static int queue_message(struct fl_grpc_call *call, const void *message, size_t len, struct flannel_error **ret_error)
{
	uint8_t *out;

	if (call->out_sent == call->n_out)
		call->out_sent = call->n_out = 0;
	if (len > FL_FRAME_SIZE_MAX)
		return fl_error_set(ret_error, -E2BIG, "store", NULL, "send a message to etcd");
	out = realloc(call->out, call->n_out + FL_FRAME_HEADER_SIZE + len);
	if (!out)
		return fl_error_oom(ret_error);
	call->out = out;
	fl_frame_write_header(out + call->n_out, (uint32_t)len);
	if (len)
		memcpy(out + call->n_out + FL_FRAME_HEADER_SIZE, message, len);
	call->n_out += FL_FRAME_HEADER_SIZE + len;
	return 0;
}

/* gRPC's headers; those without a value keep libcurl from sending its own */
static bool set_headers(struct fl_grpc_call *call, const char *token)
{
	FL_CLEANUP(fl_freep) char *line = NULL;

	if (!fl_http_transfer_add_header(&call->transfer, "content-type: application/grpc") ||
	    !fl_http_transfer_add_header(&call->transfer, "te: trailers") ||
	    !fl_http_transfer_add_header(&call->transfer, "Expect:") ||
	    !fl_http_transfer_add_header(&call->transfer, "Accept:") ||
	    /* a member that was cut off from the others says so instead of being silent */
	    !fl_http_transfer_add_header(&call->transfer, "hasleader: true"))
		return false;
	if (!token)
		return true;
	if (asprintf(&line, "token: %s", token) < 0) {
		line = NULL;
		return false;
	}
	return fl_http_transfer_add_header(&call->transfer, line);
}

#define SET(option, value) FL_HTTP_SET(easy, r, option, value)

/* what goes out and where what comes in goes */
static CURLcode set_transfer(struct fl_grpc_call *call, bool is_tls)
{
	CURL *easy = call->transfer.easy;
	CURLcode r = CURLE_OK;

	SET(CURLOPT_HTTP_VERSION, is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	if (!is_tls && call->grpc->reuse_is_broken)
		SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_USERAGENT, "libflannel/" FLANNEL_VERSION);
	SET(CURLOPT_WRITEFUNCTION, on_bytes);
	SET(CURLOPT_WRITEDATA, call);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, call);
	if (call->is_stream) {
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_CUSTOMREQUEST, "POST");
		SET(CURLOPT_POSTFIELDSIZE, -1L);
		SET(CURLOPT_READFUNCTION, on_send);
		SET(CURLOPT_READDATA, call);
		SET(CURLOPT_FRESH_CONNECT, 1L);
		SET(CURLOPT_FORBID_REUSE, 1L);
	} else {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->n_out);
		SET(CURLOPT_POSTFIELDS, (char *)call->out);
	}
	return r;
}

static void deliver(struct fl_http_transfer *transfer);

static const struct fl_http_events transfer_events = {.news = deliver, .silent = on_silence};

/* sets the transfer up and lets it begin at the next dispatch */
static int begin(struct fl_grpc_call *call, const struct fl_grpc_request *request, struct flannel_error **ret_error)
{
	const struct fl_http_connection connection = {
		.cafile = call->grpc->cafile,
		.certfile = call->grpc->certfile,
		.keyfile = call->grpc->keyfile,
		.timeout_ms = call->grpc->connect_timeout_ms,
	};
	FL_CLEANUP(fl_freep) char *url = NULL;
	int r;

	if (asprintf(&url, "%s%s", request->endpoint, request->path) < 0) {
		url = NULL;
		return fl_error_oom(ret_error);
	}
	r = fl_http_transfer_init(&call->transfer, call->grpc->http, url, &connection, request->silence_ms,
				  &transfer_events, ret_error);
	if (r < 0)
		return r;
	if (!set_headers(call, request->token))
		return fl_error_oom(ret_error);
	return fl_http_transfer_start(&call->transfer, set_transfer(call, strncmp(url, "https:", 6) == 0), ret_error);
}

int fl_grpc_call_new(struct fl_grpc *grpc, const struct fl_grpc_request *request, const void *message, size_t len,
		     const struct fl_grpc_handler *handler, void *userdata, struct fl_grpc_call **ret_call,
		     struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_grpc_call_freep) struct fl_grpc_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return fl_error_oom(ret_error);
	call->grpc = grpc;
	call->handler = handler;
	call->userdata = userdata;
	call->is_stream = request->is_stream;
	call->status.code = FL_GRPC_NO_STATUS;
	r = queue_message(call, message, len, ret_error);
	if (r == 0)
		r = begin(call, request, ret_error);
	if (r < 0)
		return r;
	*ret_call = FL_TAKE(call);
	return 0;
}

int fl_grpc_call_send(struct fl_grpc_call *call, const void *message, size_t len, struct flannel_error **ret_error)
{
	int r = queue_message(call, message, len, ret_error);

	if (r < 0)
		return r;
	if (call->is_paused) {
		call->is_paused = false;
		(void)curl_easy_pause(call->transfer.easy, CURLPAUSE_CONT);
	}
	return 0;
}

/* what came was no answer of a gRPC server that ended well: why */
static void explain(const struct fl_grpc_call *call, struct fl_grpc_status *status)
{
	long http = 0;

	status->code = FL_GRPC_NO_STATUS;
	(void)curl_easy_getinfo(call->transfer.easy, CURLINFO_RESPONSE_CODE, &http);
	if (call->transfer.result != CURLE_OK)
		(void)snprintf(status->message, sizeof(status->message), "%.190s",
			       call->transfer.error[0] ? call->transfer.error
						       : curl_easy_strerror(call->transfer.result));
	else if (!call->is_grpc)
		(void)snprintf(status->message, sizeof(status->message),
			       "what answers is no gRPC server (HTTP status %ld)", http);
	else
		(void)snprintf(status->message, sizeof(status->message), "the answer was cut off");
}

/* tells the end */
static void deliver_end(struct fl_grpc_call *call)
{
	struct fl_grpc_status status = call->status;

	/* a server that has said all may end the stream without waiting for our end */
	if (status.code == FL_GRPC_NO_STATUS || !call->is_grpc ||
	    (status.code == FL_GRPC_OK && (call->transfer.result != CURLE_OK || fl_frames_is_partial(&call->in))))
		explain(call, &status);
	call->handler->end(call->userdata, &status);
}

/* tells that what comes in cannot be read */
static void deliver_bad(struct fl_grpc_call *call, const struct flannel_error *error)
{
	struct fl_grpc_status status = {.code = FL_GRPC_NO_STATUS};

	(void)snprintf(status.message, sizeof(status.message), "%s", flannel_error_get_detail(error));
	call->handler->end(call->userdata, &status);
}

/* hands over what has come in, and the end */
static void deliver(struct fl_http_transfer *transfer)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_grpc_call *call = call_of(transfer);
	struct fl_http *http = transfer->http;
	const uint8_t *message;
	size_t len;
	int r;

	for (;;) {
		r = fl_frames_next(&call->in, &message, &len, &error);
		if (r <= 0)
			break;
		call->handler->message(call->userdata, message, len);
		if (!fl_http_transfer_is_current(http, transfer))
			return;
	}
	if (r < 0)
		deliver_bad(call, error);
	else if (transfer->is_done)
		deliver_end(call);
}

struct fl_grpc_call *fl_grpc_call_free(struct fl_grpc_call *call)
{
	if (!call)
		return NULL;
	fl_http_transfer_stop(&call->transfer);
	fl_frames_clear(&call->in);
	if (call->out)
		explicit_bzero(call->out, call->n_out); /* it may have been a login */
	free(call->out);
	free(call);
	return NULL;
}
