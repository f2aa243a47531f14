/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_HTTP_SERVER_H
#define CLI_HTTP_SERVER_H

/*
 * HTTP/1.1 on a listening socket, in the caller's loop, without threads. Requests have no body that counts: the answer goes
 * out before one is read.
 */

#include <stddef.h>

#include <flannel/error.h>

#define HTTP_TYPE_JSON "application/json"
#define HTTP_TYPE_TEXT "text/plain; charset=utf-8"

/* an answer; body is malloc()ed, NULL if there was no memory for it */
struct http_reply {
	unsigned int status;
	const char *type;
	const char *allow; /* what a 405 names, or NULL */
	char *body;
	size_t len;
};

/* works out the answer to a request; the reply is empty at first */
typedef void (*http_answer_fn)(const void *userdata, const char *path, const char *method, struct http_reply *reply);

struct http_server;

/* starts to answer; takes over listen_fd, on failure too; userdata is borrowed; what names the server in errors */
int http_server_new(int listen_fd, const char *what, http_answer_fn answer, const void *userdata,
		    struct http_server **ret_server, struct flannel_error **ret_error);

/* closes all connections and the socket; NULL is borne; always NULL */
struct http_server *http_server_free(struct http_server *server);

/* the descriptor to poll for reading, the server's for life; -1 for NULL */
int http_server_get_fd(const struct http_server *server);

/* how long poll(2) may wait, milliseconds; -1 (for ever) for NULL, and while nobody is connected */
int http_server_get_timeout_ms(const struct http_server *server);

/* reads and answers what is there, never waits; NULL is borne */
void http_server_dispatch(struct http_server *server);

/* puts fixed text into a reply */
void http_reply_text(struct http_reply *reply, unsigned int status, const char *text);

#endif
