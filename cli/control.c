/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control.h"

#include <string.h>

#include "cleanup.h"
#include "health.h"
#include "status_json.h"

/* GET /v1/status */
static void get_status(const struct status_source *source, struct http_reply *reply)
{
	reply->body = status_format(source, &reply->len);
}

/* GET /v1/leases */
static void get_leases(const struct status_source *source, struct http_reply *reply)
{
	reply->body = status_format_leases(source, &reply->len);
}

static const struct {
	const char *path;
	void (*get)(const struct status_source *source, struct http_reply *reply);
} routes[] = {
	{"/v1/status", get_status},
	{"/v1/leases", get_leases},
	{"/healthz", health_answer_healthz},
	{"/readyz", health_answer_readyz},
};

void control_answer(const void *userdata, const char *path, const char *method, struct http_reply *reply)
{
	*reply = (struct http_reply){.status = 200, .type = HTTP_TYPE_JSON};
	for (size_t i = 0; i < N_ELEMENTS(routes); i++) {
		if (strcmp(path, routes[i].path) != 0)
			continue;
		if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
			routes[i].get(userdata, reply);
			return;
		}
		reply->status = 405;
		reply->allow = "GET, HEAD";
		reply->body = status_format_error("only GET and HEAD are understood", &reply->len);
		return;
	}
	reply->status = 404;
	reply->body = status_format_error("no such path; there are /v1/status, /v1/leases, /healthz and /readyz",
					  &reply->len);
}
