/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <microhttpd.h>

#include "cleanup.h"

/* who may connect is root, by the socket's mode; these limits are against mistakes */
#define MAX_CONNECTIONS 32u
#define CONNECTION_MEMORY ((size_t)16 * 1024)
#define IDLE_SEC 5u

#define TYPE_JSON "application/json"
#define TYPE_TEXT "text/plain; charset=utf-8"

struct control {
	struct MHD_Daemon *daemon;
	const struct status_source *source;
	int fd;
};

/* an answer; body is malloc()ed, NULL if there was no memory for it */
struct reply {
	unsigned int status;
	const char *type;
	char *body;
	size_t len;
};

/* puts fixed text into a reply */
static void reply_text(struct reply *reply, unsigned int status, const char *text)
{
	*reply = (struct reply){.status = status, .type = TYPE_TEXT, .body = strdup(text), .len = strlen(text)};
}

/* GET /v1/status */
static void get_status(const struct status_source *source, struct reply *reply)
{
	reply->body = status_format(source, &reply->len);
}

/* GET /v1/leases */
static void get_leases(const struct status_source *source, struct reply *reply)
{
	reply->body = status_format_leases(source, &reply->len);
}

/* GET /healthz: whoever can answer is alive */
static void get_healthz(const struct status_source *source, struct reply *reply)
{
	(void)source;
	reply_text(reply, MHD_HTTP_OK, "flanneld is running");
}

/* GET /readyz: may pods come */
static void get_readyz(const struct status_source *source, struct reply *reply)
{
	char reason[256];

	if (status_get_health(source, reason, sizeof(reason)) <= STATUS_DEGRADED)
		reply_text(reply, MHD_HTTP_OK, "flanneld is ready");
	else
		reply_text(reply, MHD_HTTP_SERVICE_UNAVAILABLE, "flanneld is not ready yet");
}

static const struct {
	const char *path;
	void (*get)(const struct status_source *source, struct reply *reply);
} routes[] = {
	{"/v1/status", get_status},
	{"/v1/leases", get_leases},
	{"/healthz", get_healthz},
	{"/readyz", get_readyz},
};

/* works out the answer to a request */
static void answer(const struct status_source *source, const char *path, const char *method, struct reply *reply)
{
	*reply = (struct reply){.status = MHD_HTTP_OK, .type = TYPE_JSON};
	for (size_t i = 0; i < N_ELEMENTS(routes); i++) {
		if (strcmp(path, routes[i].path) != 0)
			continue;
		if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0) {
			routes[i].get(source, reply);
			return;
		}
		reply->status = MHD_HTTP_METHOD_NOT_ALLOWED;
		reply->body = status_format_error("only GET and HEAD are understood", &reply->len);
		return;
	}
	reply->status = MHD_HTTP_NOT_FOUND;
	reply->body = status_format_error("no such path; there are /v1/status, /v1/leases, /healthz and /readyz",
					  &reply->len);
}

/* hands a reply to libmicrohttpd, which takes over the body */
static enum MHD_Result send_reply(struct MHD_Connection *connection, struct reply *reply)
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
	if (queued == MHD_YES && reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		queued = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
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
	const struct control *control = userdata;
	struct reply reply;

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)request;
	answer(control->source, url, method, &reply);
	return send_reply(connection, &reply);
}

/* starts libmicrohttpd on our socket, to be driven through its epoll descriptor */
static struct MHD_Daemon *start(struct control *control, int listen_fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, control, MHD_OPTION_LISTEN_SOCKET, listen_fd,
				MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SEC,
				MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

int control_new(int listen_fd, const struct status_source *source, struct control **ret_control,
		struct flannel_error **ret_error)
{
	CLEANUP_CLOSE int owned_fd = listen_fd;
	CLEANUP_FREE struct control *control = malloc(sizeof(*control));
	const union MHD_DaemonInfo *info;

	if (!control)
		return flannel_error_new(ret_error, -ENOMEM, "control", "start the control socket", NULL, 0);
	*control = (struct control){.source = source};
	control->daemon = start(control, listen_fd);
	if (!control->daemon)
		return flannel_error_new(ret_error, -EIO, "control", "start the control socket",
					 "libmicrohttpd does not start", 0);
	(void)take_fd(&owned_fd); /* libmicrohttpd closes it from here on */
	info = MHD_get_daemon_info(control->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info) {
		MHD_stop_daemon(control->daemon);
		return flannel_error_new(ret_error, -EIO, "control", "start the control socket",
					 "libmicrohttpd was built without epoll", 0);
	}
	control->fd = info->epoll_fd;
	*ret_control = TAKE(control);
	return 0;
}

struct control *control_free(struct control *control)
{
	if (!control)
		return NULL;
	MHD_stop_daemon(control->daemon);
	free(control);
	return NULL;
}

int control_get_fd(const struct control *control)
{
	return control->fd;
}

int control_get_timeout_ms(const struct control *control)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms = 0;

	if (MHD_get_timeout(control->daemon, &timeout_ms) != MHD_YES)
		return -1;
	return timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;
}

void control_dispatch(struct control *control)
{
	(void)MHD_run(control->daemon);
}
