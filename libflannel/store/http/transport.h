/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_HTTP_TRANSPORT_H
#define FL_HTTP_TRANSPORT_H

/*
 * libcurl on a loop, for the stores that are asked over HTTP; compiled into the module of each. What a transfer carries is its
 * user's: here is how connections are made, when a transfer is heard of, and how it ends.
 *
 * Nothing waits: names are resolved in threads of libcurl, which block all signals. Neither proxies nor anything else is taken from the
 * environment or from files that were not named. Redirections are not followed. A transfer may be stopped at any time but from inside
 * of libcurl (its read, write and header functions), where nothing else of ours runs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/error.h"
#include "base/loop.h"

struct fl_http;
struct fl_http_transfer;

/* -ENOMEM, -ENOSYS (a libcurl that refuses a setting) */
int fl_http_new(struct fl_loop *loop, struct fl_http **ret_http, struct flannel_error **ret_error);

/* transfers must be stopped */
struct fl_http *fl_http_free(struct fl_http *http);

/* How connections are made; borrowed while a transfer is being set up. Texts may be NULL, "text" ones are PEM, others name files. */
struct fl_http_connection {
	const char *cafile, *certfile, *keyfile;
	const char *ca_text, *cert_text, *key_text; /* take the place of the files */
	bool is_unverified;                         /* whoever answers is taken for the server */
	const char
		*proxy; /* URL of one to go through: http, https, socks5h. NULL: none, whatever the environment has */
	const char *connect_to; /* "::HOST:": where to connect to, whatever host the URL has. NULL: to that */
	uint32_t timeout_ms;    /* for name, connection and TLS together */
};

/* What a transfer tells; outside of libcurl. Each may stop and free the transfer. */
struct fl_http_events {
	/* something came in, or it has ended (.is_done) */
	void (*news)(struct fl_http_transfer *transfer);
	/* nothing came in for .silence_ns, or no connection in time (.error says so) */
	void (*silent)(struct fl_http_transfer *transfer);
};

/* One transfer, a member of its user's struct. */
struct fl_http_transfer {
	struct fl_http_transfer *next;
	struct fl_http *http;
	const struct fl_http_events *events;
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	struct fl_source *silence;
	uint64_t silence_ns;
	struct fl_source *connecting;
	bool is_dirty; /* to be set by the user when something came in */
	bool is_done;
	CURLcode result;
	char error[CURL_ERROR_SIZE];
};

/*
 * Sets a transfer up, but for what is the user's own: method, version of HTTP, body, functions that get what comes in. On failure, too, it is
 * to be stopped. silence_ms: 0 is for ever.
 */
int fl_http_transfer_init(struct fl_http_transfer *transfer, struct fl_http *http, const char *url,
			  const struct fl_http_connection *connection, uint32_t silence_ms,
			  const struct fl_http_events *events, struct flannel_error **ret_error);

/* appends a header, "name: value", or "name:" to keep libcurl from sending its own; true unless memory is missing */
bool fl_http_transfer_add_header(struct fl_http_transfer *transfer, const char *line);

/* lets libcurl begin with it at the next dispatch; error: an option's failure before, CURLE_OK if all went well */
int fl_http_transfer_start(struct fl_http_transfer *transfer, CURLcode error, struct flannel_error **ret_error);

/* Ends it; its connection is closed unless it had ended well. Does nothing where nothing was set up. */
void fl_http_transfer_stop(struct fl_http_transfer *transfer);

/* is it the transfer whose news() runs; false if that has stopped it */
bool fl_http_transfer_is_current(const struct fl_http *http, const struct fl_http_transfer *transfer);

/* one option, r: CURLE_OK or what went wrong before */
#define FL_HTTP_SET(easy, r, option, value)                                                                            \
	((r) == CURLE_OK ? ((r) = curl_easy_setopt((easy), (option), (value))) : (r))

FL_DEFINE_CLEANUP(struct fl_http *, fl_http_free)

#endif
