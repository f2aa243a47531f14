/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "store/http/transport_state.h"

/* the connection alone, once the name is known: the kernel tries twice, at once and a second later */
#define TCP_TIMEOUT_MS 1250

/*
 * What the other end's kernel does not acknowledge for so long ends the connection; one without traffic is looked at before that. It is the kernel
 * that does it, on both ends, and it wakes nobody. What a server sends into a network that drops it comes again after twice the time
 * each try: after three seconds it is quicker to connect anew.
 */
#define UNANSWERED_MS 2800
#define KEEPALIVE_IDLE_SEC 2L
#define KEEPALIVE_INTERVAL_SEC 1L

#define RECEIVE_SIZE 65536L
#define SEND_SIZE 16384L

/* from now on silence is counted again */
static void arm(struct fl_http_transfer *transfer)
{
	if (transfer->silence)
		fl_source_set_deadline(transfer->silence, fl_loop_now() + transfer->silence_ns);
}

void fl_http_transfer_deliver(struct fl_http_transfer *transfer)
{
	struct fl_http *http = transfer->http;

	arm(transfer);
	http->delivering = transfer;
	transfer->events->news(transfer);
	if (http->delivering == transfer)
		http->delivering = NULL;
}

/* nothing has come in for too long */
static void on_silence(void *userdata, uint32_t events)
{
	struct fl_http_transfer *transfer = userdata;

	(void)events;
	(void)snprintf(transfer->error, sizeof(transfer->error), "nothing came for %.1f s",
		       (double)transfer->silence_ns / (double)FL_NSEC_PER_SEC);
	transfer->events->silent(transfer);
}

/* is there a connection by now, or not even an address to connect to */
static void on_connecting(void *userdata, uint32_t events)
{
	struct fl_http_transfer *transfer = userdata;
	curl_off_t resolved = 0, connected = 0, sending = 0;

	(void)events;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &connected);
	/* a connection that is used again was not made, but something is being sent on it */
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &sending);
	if (connected > 0 || sending > 0 || transfer->is_done)
		return;
	if (resolved == 0) {
		fl_source_set_deadline(transfer->connecting, fl_loop_now() + TCP_TIMEOUT_MS * FL_NSEC_PER_MSEC);
		return;
	}
	(void)snprintf(transfer->error, sizeof(transfer->error), "no connection within %.1f s", TCP_TIMEOUT_MS / 1e3);
	transfer->events->silent(transfer);
}

/* libcurl's function for a new socket */
static int on_open(void *userdata, curl_socket_t fd, curlsocktype purpose)
{
	unsigned int timeout_ms = UNANSWERED_MS;

	(void)userdata;
	(void)purpose;
	/* where the kernel cannot do it, there is its own limit */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
	return CURL_SOCKOPT_OK;
}

#define SET(option, value) FL_HTTP_SET(easy, r, option, value)

/* a text as libcurl takes it, copied */
static struct curl_blob blob_of(const char *text)
{
	return (struct curl_blob){.data = (void *)text, .len = strlen(text), .flags = CURL_BLOB_COPY};
}

/* whom to trust and who we are */
static CURLcode set_tls(CURL *easy, const struct fl_http_connection *connection)
{
	struct curl_blob ca, cert, key;
	CURLcode r = CURLE_OK;

	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* files are read for each connection, so that new ones count without a restart */
	SET(CURLOPT_CA_CACHE_TIMEOUT, 0L);
	if (connection->is_unverified) {
		SET(CURLOPT_SSL_VERIFYPEER, 0L);
		SET(CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (connection->ca_text) {
		ca = blob_of(connection->ca_text);
		SET(CURLOPT_CAINFO_BLOB, &ca);
	} else if (connection->cafile) {
		SET(CURLOPT_CAINFO, connection->cafile);
	}
	if (connection->cert_text) {
		cert = blob_of(connection->cert_text);
		SET(CURLOPT_SSLCERT_BLOB, &cert);
	} else if (connection->certfile) {
		SET(CURLOPT_SSLCERT, connection->certfile);
	}
	if (connection->key_text) {
		key = blob_of(connection->key_text);
		SET(CURLOPT_SSLKEY_BLOB, &key);
	} else if (connection->keyfile) {
		SET(CURLOPT_SSLKEY, connection->keyfile);
	}
	return r;
}

/* where to, and how the connection is made */
static CURLcode set_connection(struct fl_http_transfer *transfer, const char *url,
			       const struct fl_http_connection *connection)
{
	CURL *easy = transfer->easy;
	CURLcode r = CURLE_OK;

	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	/* none at all unless it was named, and then for every host */
	SET(CURLOPT_PROXY, connection->proxy ? connection->proxy : "");
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (transfer->connect_to)
		SET(CURLOPT_CONNECT_TO, transfer->connect_to);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connection->timeout_ms);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_SEC);
	SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SEC);
	SET(CURLOPT_SOCKOPTFUNCTION, on_open);
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_ERRORBUFFER, transfer->error);
	SET(CURLOPT_BUFFERSIZE, RECEIVE_SIZE);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, SEND_SIZE);
	return r == CURLE_OK ? set_tls(easy, connection) : r;
}

/* the error for an option that libcurl does not take */
static int fail(CURLcode code, struct flannel_error **ret_error)
{
	if (code == CURLE_OUT_OF_MEMORY)
		return fl_error_oom(ret_error);
	return fl_error_set(ret_error, -ENOSYS, "store", curl_easy_strerror(code), "set libcurl up");
}

int fl_http_transfer_init(struct fl_http_transfer *transfer, struct fl_http *http, const char *url,
			  const struct fl_http_connection *connection, uint32_t silence_ms,
			  const struct fl_http_events *events, struct flannel_error **ret_error)
{
	CURLcode code;
	int r = 0;

	*transfer = (struct fl_http_transfer){.http = http, .events = events};
	transfer->silence_ns = silence_ms * FL_NSEC_PER_MSEC;
	transfer->easy = curl_easy_init();
	if (!transfer->easy)
		return fl_error_oom(ret_error);
	if (silence_ms)
		r = fl_loop_add_timer(http->loop, on_silence, transfer, &transfer->silence, ret_error);
	if (r == 0)
		r = fl_loop_add_timer(http->loop, on_connecting, transfer, &transfer->connecting, ret_error);
	if (r < 0)
		return r;
	if (connection->connect_to) {
		transfer->connect_to = curl_slist_append(NULL, connection->connect_to);
		if (!transfer->connect_to)
			return fl_error_oom(ret_error);
	}
	code = set_connection(transfer, url, connection);
	return code == CURLE_OK ? 0 : fail(code, ret_error);
}

bool fl_http_transfer_add_header(struct fl_http_transfer *transfer, const char *line)
{
	struct curl_slist *headers = curl_slist_append(transfer->headers, line);

	if (!headers)
		return false;
	transfer->headers = headers;
	return true;
}

int fl_http_transfer_start(struct fl_http_transfer *transfer, CURLcode error, struct flannel_error **ret_error)
{
	struct fl_http *http = transfer->http;
	CURLcode r = error;

	FL_HTTP_SET(transfer->easy, r, CURLOPT_HTTPHEADER, transfer->headers);
	if (r != CURLE_OK)
		return fail(r, ret_error);
	if (curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK)
		return fl_error_oom(ret_error);
	transfer->next = http->transfers;
	http->transfers = transfer;
	arm(transfer);
	fl_source_set_deadline(transfer->connecting, fl_loop_now() + TCP_TIMEOUT_MS * FL_NSEC_PER_MSEC);
	return 0;
}

/* takes it off the list of its transport */
static void unlink_transfer(struct fl_http_transfer *transfer)
{
	for (struct fl_http_transfer **at = &transfer->http->transfers; *at; at = &(*at)->next) {
		if (*at == transfer) {
			*at = transfer->next;
			return;
		}
	}
}

/* frees the headers, which may hold a secret */
static void free_headers(struct curl_slist *headers)
{
	for (struct curl_slist *at = headers; at; at = at->next)
		explicit_bzero(at->data, strlen(at->data));
	curl_slist_free_all(headers);
}

void fl_http_transfer_stop(struct fl_http_transfer *transfer)
{
	if (!transfer->http)
		return;
	unlink_transfer(transfer);
	if (transfer->http->delivering == transfer)
		transfer->http->delivering = NULL;
	if (transfer->easy) {
		/* nobody knows whether a connection still works on which something is missing */
		if (!transfer->is_done || transfer->result != CURLE_OK)
			(void)curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
		(void)curl_multi_remove_handle(transfer->http->multi, transfer->easy);
		curl_easy_cleanup(transfer->easy);
	}
	free_headers(transfer->headers);
	curl_slist_free_all(transfer->connect_to);
	fl_source_free(transfer->silence);
	fl_source_free(transfer->connecting);
	*transfer = (struct fl_http_transfer){0};
}
