/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

/*
 * What the control socket answers: GET (and HEAD) of /v1/status, /v1/leases, /healthz and /readyz; other paths are 404, other
 * methods 405. Who may connect is root, by the socket's mode.
 */

#include "http_server.h"

/* an http_answer_fn; userdata is a struct status_source */
void control_answer(const void *userdata, const char *path, const char *method, struct http_reply *reply);

#endif
