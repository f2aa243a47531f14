/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_HTTP_CLIENT_H
#define CLI_HTTP_CLIENT_H

/* One GET over a unix socket (HTTP/1.1, RFC 9112), read strictly and within limits. */

#include <stddef.h>

/* what comes before the body, and the body */
#define HTTP_MAX_HEAD ((size_t)16 * 1024)
#define HTTP_MAX_BODY ((size_t)256 * 1024 * 1024)

struct http_head {
	int status;         /* 100 to 599 */
	size_t len;         /* bytes of the head with its empty line */
	size_t content_len; /* bytes of the body */
};

struct http_response {
	int status;
	char *body; /* malloc()ed, ends in zero */
	size_t len;
};

/*
 * Reads a response's head from the first len bytes that arrived: 1 if it is complete, 0 if more is needed, -EBADMSG if
 * it is none, -EOPNOTSUPP without a Content-Length, -EMSGSIZE if it or the body is too large.
 */
int http_parse_head(const char *text, size_t len, struct http_head *ret_head);

/* where a request failed */
enum http_stage { HTTP_CONNECT, HTTP_ANSWER };

/*
 * Asks for path, waiting deadline_ms altogether: 0, or negative errno with the stage at which it failed: HTTP_CONNECT, what
 * connect(2) says; HTTP_ANSWER, -ETIMEDOUT, -EBADMSG (cut, or no HTTP), what http_parse_head() says.
 */
int http_get(const char *socket_path, const char *path, unsigned int deadline_ms, struct http_response *ret_response,
	     enum http_stage *ret_stage);

#endif
