/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_HEALTH_H
#define CLI_HEALTH_H

/* /healthz and /readyz, for probes over the network, with flannel's paths, statuses and texts. */

#include <stdint.h>

#include "http_server.h"
#include "status_json.h"

/* "flanneld is running": whoever can answer is alive */
void health_answer_healthz(const struct status_source *source, struct http_reply *reply);

/* may pods come: 200, or 503, with the reason if they might before */
void health_answer_readyz(const struct status_source *source, struct http_reply *reply);

/* an http_answer_fn for both, any method; userdata is a struct status_source */
void health_answer(const void *userdata, const char *path, const char *method, struct http_reply *reply);

/*
 * A listening TCP socket at an IPv4 or IPv6 address; 0.0.0.0 and :: both mean all addresses of both families, as in
 * flannel. 0, -EINVAL (no address, or port above 65535), or what the system says, naming --healthz-ip and --healthz-port.
 */
int health_listen(const char *ip, int64_t port, int *ret_fd, struct flannel_error **ret_error);

#endif
