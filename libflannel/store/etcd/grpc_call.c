/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "store/etcd/grpc_state.h"

/* how long a connection without traffic goes unchecked by the kernel, and how often it looks then */
#define KEEPALIVE_IDLE_SEC 30L
#define KEEPALIVE_INTERVAL_SEC 10L

#define RECEIVE_SIZE 65536L
#define SEND_SIZE 16384L

/* libcurl's write callback: bytes of messages */
static size_t on_bytes(char *bytes, size_t size, size_t n, void *userdata)
{
	struct fl_grpc_call *call = userdata;

	call->is_dirty = true;
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

	call->is_dirty = true;
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

/* nothing has come in for too long */
static void on_silence(void *userdata, uint32_t events)
{
	struct fl_grpc_call *call = userdata;
	struct fl_grpc_status status = {.code = FL_GRPC_NO_STATUS};

	(void)events;
	(void)snprintf(status.message, sizeof(status.message), "nothing came for %.1f s",
		       (double)call->silence_ns / (double)FL_NSEC_PER_SEC);
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

/* appends a header; true unless memory is missing */
static bool add_header(struct fl_grpc_call *call, const char *line)
{
	struct curl_slist *headers = curl_slist_append(call->headers, line);

	if (!headers)
		return false;
	call->headers = headers;
	return true;
}

/* gRPC's headers; those without a value keep libcurl from sending its own */
static bool set_headers(struct fl_grpc_call *call, const char *token)
{
	FL_CLEANUP(fl_freep) char *line = NULL;

	if (!add_header(call, "content-type: application/grpc") || !add_header(call, "te: trailers") ||
	    !add_header(call, "Expect:") || !add_header(call, "Accept:") ||
	    /* a member that was cut off from the others says so instead of being silent */
	    !add_header(call, "hasleader: true"))
		return false;
	if (!token)
		return true;
	if (asprintf(&line, "token: %s", token) < 0) {
		line = NULL;
		return false;
	}
	return add_header(call, line);
}

/* one option; CURLE_OK or what went wrong before */
#define SET(option, value) (r == CURLE_OK ? (r = curl_easy_setopt(easy, option, value)) : r)

/* where to, and how the connection is made */
static CURLcode set_connection(struct fl_grpc_call *call, const char *url)
{
	const struct fl_grpc *grpc = call->grpc;
	bool is_tls = strncmp(url, "https:", 6) == 0;
	CURL *easy = call->easy;
	CURLcode r = CURLE_OK;

	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	if (!is_tls && grpc->reuse_is_broken)
		SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)grpc->connect_timeout_ms);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_SEC);
	SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SEC);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* files are read for each connection, so that new ones count without a restart */
	SET(CURLOPT_CA_CACHE_TIMEOUT, 0L);
	if (grpc->cafile)
		SET(CURLOPT_CAINFO, grpc->cafile);
	if (grpc->certfile)
		SET(CURLOPT_SSLCERT, grpc->certfile);
	if (grpc->keyfile)
		SET(CURLOPT_SSLKEY, grpc->keyfile);
	return r;
}

/* what goes out and where what comes in goes */
static CURLcode set_transfer(struct fl_grpc_call *call)
{
	CURL *easy = call->easy;
	CURLcode r = CURLE_OK;

	SET(CURLOPT_PRIVATE, call);
	SET(CURLOPT_ERRORBUFFER, call->error);
	SET(CURLOPT_USERAGENT, "libflannel/" FLANNEL_VERSION);
	SET(CURLOPT_HTTPHEADER, call->headers);
	SET(CURLOPT_BUFFERSIZE, RECEIVE_SIZE);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, SEND_SIZE);
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

/* sets the handle up and lets libcurl begin with it at the next dispatch */
static int begin(struct fl_grpc_call *call, const struct fl_grpc_request *request, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *url = NULL;
	CURLcode r;

	if (asprintf(&url, "%s%s", request->endpoint, request->path) < 0) {
		url = NULL;
		return fl_error_oom(ret_error);
	}
	call->easy = curl_easy_init();
	if (!call->easy || !set_headers(call, request->token))
		return fl_error_oom(ret_error);
	r = set_connection(call, url);
	if (r == CURLE_OK)
		r = set_transfer(call);
	if (r != CURLE_OK)
		return fl_error_set(ret_error, r == CURLE_OUT_OF_MEMORY ? -ENOMEM : -ENOSYS, "store",
				    curl_easy_strerror(r), "set libcurl up for %s", request->endpoint);
	if (curl_multi_add_handle(call->grpc->multi, call->easy) != CURLM_OK)
		return fl_error_oom(ret_error);
	call->next = call->grpc->calls;
	call->grpc->calls = call;
	return 0;
}

/* from now on silence is counted again */
static void arm(struct fl_grpc_call *call)
{
	if (call->silence)
		fl_source_set_deadline(call->silence, fl_loop_now() + call->silence_ns);
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
	call->silence_ns = request->silence_ms * FL_NSEC_PER_MSEC;
	r = queue_message(call, message, len, ret_error);
	if (r == 0 && request->silence_ms)
		r = fl_loop_add_timer(grpc->loop, on_silence, call, &call->silence, ret_error);
	if (r == 0)
		r = begin(call, request, ret_error);
	if (r < 0)
		return r;
	arm(call);
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
		(void)curl_easy_pause(call->easy, CURLPAUSE_CONT);
	}
	return 0;
}

void fl_grpc_call_done(struct fl_grpc_call *call, CURLcode result)
{
	call->is_done = true;
	call->is_dirty = true;
	call->result = result;
}

/* what came was no answer of a gRPC server that ended well: why */
static void explain(const struct fl_grpc_call *call, struct fl_grpc_status *status)
{
	long http = 0;

	status->code = FL_GRPC_NO_STATUS;
	(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http);
	if (call->result != CURLE_OK)
		(void)snprintf(status->message, sizeof(status->message), "%.190s",
			       call->error[0] ? call->error : curl_easy_strerror(call->result));
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
	    (status.code == FL_GRPC_OK && (call->result != CURLE_OK || fl_frames_is_partial(&call->in))))
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

void fl_grpc_call_deliver(struct fl_grpc_call *call)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_grpc *grpc = call->grpc;
	const uint8_t *message;
	size_t len;
	int r;

	arm(call);
	grpc->delivering = call;
	for (;;) {
		r = fl_frames_next(&call->in, &message, &len, &error);
		if (r <= 0)
			break;
		call->handler->message(call->userdata, message, len);
		if (grpc->delivering != call)
			return;
	}
	if (r < 0)
		deliver_bad(call, error);
	else if (call->is_done)
		deliver_end(call);
	if (grpc->delivering == call)
		grpc->delivering = NULL;
}

/* takes it off the list of its transport */
static void unlink_call(struct fl_grpc_call *call)
{
	for (struct fl_grpc_call **at = &call->grpc->calls; *at; at = &(*at)->next) {
		if (*at == call) {
			*at = call->next;
			return;
		}
	}
}

struct fl_grpc_call *fl_grpc_call_free(struct fl_grpc_call *call)
{
	if (!call)
		return NULL;
	unlink_call(call);
	if (call->grpc->delivering == call)
		call->grpc->delivering = NULL;
	if (call->easy) {
		/* nobody knows whether a connection still works on which something is missing */
		if (!call->is_done || call->result != CURLE_OK)
			(void)curl_easy_setopt(call->easy, CURLOPT_FORBID_REUSE, 1L);
		(void)curl_multi_remove_handle(call->grpc->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	curl_slist_free_all(call->headers);
	fl_source_free(call->silence);
	fl_frames_clear(&call->in);
	if (call->out)
		explicit_bzero(call->out, call->n_out); /* it may have been a login */
	free(call->out);
	free(call);
	return NULL;
}
