/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/http/transport.h"

#define CONNECT_MS 10000
#define ANSWER_MS 10000
#define WATCH_MS 15000

/* an error's body may repeat what was sent; more of it is not read */
#define BODY_MAX ((size_t)64 * 1024)

#define RETRY_AFTER_MAX_SEC 60

/* what has waited longer may have been forgotten by something on the way */
#define IDLE_MAX_SEC 30L

struct fl_kube_client {
	struct fl_http *http;
	const struct fl_kube_access *access;
	struct fl_kube_timeouts timeouts;
	bool is_tls;
	/* where the server's certificate has another name than its URL: the URL with that name, and what the real one is good for */
	char *named_url, *connect_to, *host;
};

struct fl_kube_call {
	struct fl_http_transfer transfer;
	const struct fl_kube_handler *handler;
	void *userdata;
	bool is_refused; /* bytes() wants no more */
	char *body;      /* of an answer that is none of success */
	size_t body_len;
};

/* the call whose transfer it is */
static struct fl_kube_call *call_of(struct fl_http_transfer *transfer)
{
	return (struct fl_kube_call *)((char *)transfer - offsetof(struct fl_kube_call, transfer));
}

/* the status of HTTP; 0 if there is none yet */
static int status_of(const struct fl_kube_call *call)
{
	long status = 0;

	(void)curl_easy_getinfo(call->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* is a status one of success */
static bool is_success(int status)
{
	return status >= 200 && status < 300;
}

/* keeps the beginning of an error's body */
static size_t keep_body(struct fl_kube_call *call, const char *bytes, size_t len)
{
	size_t n = len < BODY_MAX - call->body_len ? len : BODY_MAX - call->body_len;

	if (!call->body)
		call->body = malloc(BODY_MAX);
	if (!call->body)
		return 0;
	memcpy(call->body + call->body_len, bytes, n);
	call->body_len += n;
	return len;
}

/* libcurl's write callback */
static size_t on_bytes(char *bytes, size_t size, size_t n, void *userdata)
{
	struct fl_kube_call *call = userdata;
	size_t len = size * n;

	call->transfer.is_dirty = true;
	if (!is_success(status_of(call)))
		return keep_body(call, bytes, len);
	if (call->handler->bytes(call->userdata, bytes, len) >= 0)
		return len;
	call->is_refused = true;
	return 0;
}

/* libcurl's header callback: that something came is all that matters */
static size_t on_header(char *bytes, size_t size, size_t n, void *userdata)
{
	struct fl_kube_call *call = userdata;

	(void)bytes;
	call->transfer.is_dirty = true;
	return size * n;
}

/* when to come again, as the server has it */
static uint32_t retry_after_ms(const struct fl_kube_call *call)
{
	curl_off_t seconds = 0;

	if (curl_easy_getinfo(call->transfer.easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
		return 0;
	return (uint32_t)(seconds < RETRY_AFTER_MAX_SEC ? seconds : RETRY_AFTER_MAX_SEC) * 1000;
}

/* tells the end */
static void deliver_end(struct fl_kube_call *call)
{
	const struct fl_http_transfer *transfer = &call->transfer;
	struct fl_kube_answer answer = {.status = status_of(call)};

	if (transfer->result != CURLE_OK && (is_success(answer.status) || answer.status == 0)) {
		answer.status = 0;
		answer.is_unreadable = call->is_refused;
		(void)snprintf(answer.message, sizeof(answer.message), "%.250s",
			       call->is_refused     ? "what came cannot be read"
			       : transfer->error[0] ? transfer->error
						    : curl_easy_strerror(transfer->result));
	} else if (!is_success(answer.status)) {
		answer.retry_after_ms = retry_after_ms(call);
		fl_kube_answer_read(&answer, call->body ? call->body : "", call->body_len);
	}
	call->handler->end(call->userdata, &answer);
}

/* something came in, or it has ended */
static void deliver(struct fl_http_transfer *transfer)
{
	struct fl_kube_call *call = call_of(transfer);
	struct fl_http *http = transfer->http;

	if (call->handler->news && is_success(status_of(call)) && !call->is_refused)
		call->handler->news(call->userdata);
	if (fl_http_transfer_is_current(http, transfer) && transfer->is_done)
		deliver_end(call);
}

/* nothing came for too long */
static void on_silence(struct fl_http_transfer *transfer)
{
	struct fl_kube_call *call = call_of(transfer);
	struct fl_kube_answer answer = {.is_silence = is_success(status_of(call))};

	(void)snprintf(answer.message, sizeof(answer.message), "%.250s", transfer->error);
	call->handler->end(call->userdata, &answer);
}

static const struct fl_http_events transfer_events = {.news = deliver, .silent = on_silence};

/* adds who we are; true unless memory is missing */
static bool add_token(struct fl_kube_call *call, const char *token)
{
	FL_CLEANUP(fl_freep) char *line = NULL;
	bool ok;

	if (!*token)
		return true;
	if (asprintf(&line, "Authorization: Bearer %s", token) < 0) {
		line = NULL;
		return false;
	}
	ok = fl_http_transfer_add_header(&call->transfer, line);
	explicit_bzero(line, strlen(line));
	return ok;
}

/* the headers; those without a value keep libcurl from sending its own */
static int set_headers(const struct fl_kube_client *client, struct fl_kube_call *call,
		       const struct fl_kube_request *request, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *type = NULL;
	char *token = NULL;
	bool ok;
	int r;

	if (!fl_http_transfer_add_header(&call->transfer, "Accept: application/json") ||
	    !fl_http_transfer_add_header(&call->transfer, "Expect:"))
		return fl_error_oom(ret_error);
	if (client->host && !fl_http_transfer_add_header(&call->transfer, client->host))
		return fl_error_oom(ret_error);
	if (request->content_type) {
		if (asprintf(&type, "Content-Type: %s", request->content_type) < 0) {
			type = NULL;
			return fl_error_oom(ret_error);
		}
		if (!fl_http_transfer_add_header(&call->transfer, type))
			return fl_error_oom(ret_error);
	}
	if (!client->is_tls)
		return 0;
	r = fl_kube_access_get_token(client->access, &token, ret_error);
	if (r < 0)
		return r;
	ok = add_token(call, token);
	explicit_bzero(token, strlen(token));
	free(token);
	return ok ? 0 : fl_error_oom(ret_error);
}

#define SET(option, value) FL_HTTP_SET(easy, r, option, value)

/* what is asked, and where the answer goes */
static CURLcode set_transfer(struct fl_kube_call *call, const struct fl_kube_request *request)
{
	CURL *easy = call->transfer.easy;
	CURLcode r = CURLE_OK;

	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	/* a server lays its answers out for people where the name begins with "curl" */
	SET(CURLOPT_USERAGENT, "libflannel/" FLANNEL_VERSION);
	SET(CURLOPT_WRITEFUNCTION, on_bytes);
	SET(CURLOPT_WRITEDATA, call);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, call);
	SET(CURLOPT_CUSTOMREQUEST, request->method);
	/* Nothing is asked for packed: a server takes longer to pack a list, and this end to unpack it, than a network to carry it. */
	if (request->is_fresh)
		SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_MAXAGE_CONN, IDLE_MAX_SEC);
	if (request->content_type) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(request->body));
		SET(CURLOPT_COPYPOSTFIELDS, request->body);
	}
	return r;
}

int fl_kube_call_new(struct fl_kube_client *client, const struct fl_kube_request *request,
		     const struct fl_kube_handler *handler, void *userdata, struct fl_kube_call **ret_call,
		     struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_kube_call_freep) struct fl_kube_call *call = calloc(1, sizeof(*call));
	const struct fl_kube_access *access = client->access;
	const struct fl_http_connection connection = {
		.cafile = access->cafile,
		.certfile = access->certfile,
		.keyfile = access->keyfile,
		.ca_text = access->ca_text,
		.cert_text = access->cert_text,
		.key_text = access->key_text,
		.is_unverified = access->is_unverified,
		.proxy = access->proxy,
		.connect_to = client->connect_to,
		.timeout_ms = client->timeouts.connect_ms,
	};
	uint32_t silence_ms = request->is_watch ? client->timeouts.watch_ms : client->timeouts.answer_ms;
	FL_CLEANUP(fl_freep) char *url = NULL;
	int r;

	if (!call)
		return fl_error_oom(ret_error);
	call->handler = handler;
	call->userdata = userdata;
	if (asprintf(&url, "%s%s", client->named_url ? client->named_url : access->server, request->path) < 0) {
		url = NULL;
		return fl_error_oom(ret_error);
	}
	r = fl_http_transfer_init(&call->transfer, client->http, url, &connection, silence_ms, &transfer_events,
				  ret_error);
	if (r == 0)
		r = set_headers(client, call, request, ret_error);
	if (r == 0)
		r = fl_http_transfer_start(&call->transfer, set_transfer(call, request), ret_error);
	if (r < 0)
		return r;
	*ret_call = FL_TAKE(call);
	return 0;
}

struct fl_kube_call *fl_kube_call_free(struct fl_kube_call *call)
{
	if (!call)
		return NULL;
	fl_http_transfer_stop(&call->transfer);
	free(call->body);
	free(call);
	return NULL;
}

/* a default where nothing was given */
static void set_default(uint32_t *value, uint32_t fallback)
{
	if (!*value)
		*value = fallback;
}

/* puts the name that the certificate has in the place of the host; -ENOMEM */
static int set_name(struct fl_kube_client *client)
{
	const char *name = client->access->server_name, *authority = client->access->server + strlen("https://");
	size_t len = strcspn(authority, "/"), host_len = len;

	while (host_len && authority[host_len - 1] >= '0' && authority[host_len - 1] <= '9')
		host_len--;
	/* what ends in digits may be an address without a port */
	host_len = host_len && authority[host_len - 1] == ':' ? host_len - 1 : len;
	if (asprintf(&client->named_url, "https://%s%s", name, authority + host_len) < 0)
		client->named_url = NULL;
	if (asprintf(&client->connect_to, "::%.*s:", (int)host_len, authority) < 0)
		client->connect_to = NULL;
	if (asprintf(&client->host, "Host: %.*s", (int)len, authority) < 0)
		client->host = NULL;
	return client->named_url && client->connect_to && client->host ? 0 : -ENOMEM;
}

int fl_kube_client_new(struct fl_loop *loop, const struct fl_kube_access *access,
		       const struct fl_kube_timeouts *timeouts, struct fl_kube_client **ret_client,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_kube_client_freep) struct fl_kube_client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return fl_error_oom(ret_error);
	client->access = access;
	client->is_tls = strncmp(access->server, "https:", 6) == 0;
	client->timeouts = *timeouts;
	set_default(&client->timeouts.connect_ms, CONNECT_MS);
	set_default(&client->timeouts.answer_ms, ANSWER_MS);
	set_default(&client->timeouts.watch_ms, WATCH_MS);
	if (client->is_tls && access->server_name && set_name(client) < 0)
		return fl_error_oom(ret_error);
	r = fl_http_new(loop, &client->http, ret_error);
	if (r < 0)
		return r;
	*ret_client = FL_TAKE(client);
	return 0;
}

struct fl_kube_client *fl_kube_client_free(struct fl_kube_client *client)
{
	if (!client)
		return NULL;
	fl_http_free(client->http);
	free(client->named_url);
	free(client->connect_to);
	free(client->host);
	free(client);
	return NULL;
}

const char *fl_kube_client_get_server(const struct fl_kube_client *client)
{
	return client->access->server;
}
