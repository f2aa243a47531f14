/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http_server.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <microhttpd.h>

#include "cleanup.h"

/* limits against mistakes, and on a network against those who would fill the daemon with connections */
#define MAX_CONNECTIONS 64u
#define MAX_CONNECTIONS_OF_ONE 16u /* client on a network */
#define CONNECTION_MEMORY ((size_t)16 * 1024)
#define IDLE_SEC 5u

struct http_server {
	struct MHD_Daemon *daemon;
	http_answer_fn answer;
	const void *userdata;
	int fd;
};

void http_reply_text(struct http_reply *reply, unsigned int status, const char *text)
{
	*reply = (struct http_reply){
		.status = status, .type = HTTP_TYPE_TEXT, .body = strdup(text), .len = strlen(text)};
}

/* hands a reply to libmicrohttpd, which takes over the body */
static enum MHD_Result send_reply(struct MHD_Connection *connection, struct http_reply *reply)
{
	struct MHD_Response *response;
	enum MHD_Result queued;

	if (!reply->body)
		return MHD_NO;
	response = MHD_create_response_from_buffer(reply->len, reply->body, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(reply->body);
		return MHD_NO;
	}
	queued = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
	if (queued == MHD_YES && reply->allow)
		queued = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
	if (queued == MHD_YES)
		queued = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return queued;
}

/*
 * libmicrohttpd's call for each request. The answer goes out at the first call, before any body is read, so that
 * nobody can make us swallow one.
 */
static enum MHD_Result handle(void *userdata, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *upload, size_t *upload_len, void **request)
{
	const struct http_server *server = userdata;
	struct http_reply reply = {0};

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)request;
	server->answer(server->userdata, url, method, &reply);
	return send_reply(connection, &reply);
}

/* starts libmicrohttpd on our socket, to be driven through its epoll descriptor */
static struct MHD_Daemon *start(struct http_server *server, int listen_fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, listen_fd,
				MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
				MAX_CONNECTIONS_OF_ONE, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SEC, MHD_OPTION_STRICT_FOR_CLIENT, 1,
				MHD_OPTION_END);
}

/* fails with "start the ...: detail" */
static int fail(struct flannel_error **ret_error, int code, const char *what, const char *detail)
{
	CLEANUP_FREE char *text = NULL;

	if (asprintf(&text, "start the %s", what) < 0)
		text = NULL;
	return flannel_error_new(ret_error, code, "http", text, detail, 0);
}

int http_server_new(int listen_fd, const char *what, http_answer_fn answer, const void *userdata,
		    struct http_server **ret_server, struct flannel_error **ret_error)
{
	CLEANUP_CLOSE int owned_fd = listen_fd;
	CLEANUP_FREE struct http_server *server = malloc(sizeof(*server));
	const union MHD_DaemonInfo *info;

	if (!server)
		return fail(ret_error, -ENOMEM, what, NULL);
	*server = (struct http_server){.answer = answer, .userdata = userdata};
	server->daemon = start(server, listen_fd);
	if (!server->daemon)
		return fail(ret_error, -EIO, what, "libmicrohttpd does not start");
	(void)take_fd(&owned_fd); /* libmicrohttpd closes it from here on */
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info) {
		MHD_stop_daemon(server->daemon);
		return fail(ret_error, -EIO, what, "libmicrohttpd was built without epoll");
	}
	server->fd = info->epoll_fd;
	*ret_server = TAKE(server);
	return 0;
}

struct http_server *http_server_free(struct http_server *server)
{
	if (!server)
		return NULL;
	MHD_stop_daemon(server->daemon);
	free(server);
	return NULL;
}

int http_server_get_fd(const struct http_server *server)
{
	return server ? server->fd : -1;
}

int http_server_get_timeout_ms(const struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms = 0;

	if (!server || MHD_get_timeout(server->daemon, &timeout_ms) != MHD_YES)
		return -1;
	return timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;
}

void http_server_dispatch(struct http_server *server)
{
	if (server)
		(void)MHD_run(server->daemon);
}
