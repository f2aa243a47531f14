/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

/*
 * The control socket: HTTP/1.1 on a listening unix socket, in the caller's loop, without threads. GET (and HEAD) of
 * /v1/status, /v1/leases, /healthz and /readyz; other paths are 404, other methods 405.
 */

#include <flannel/error.h>

#include "status_json.h"

struct control;

/* starts to answer; takes over listen_fd, on failure too; source is borrowed until control_free() */
int control_new(int listen_fd, const struct status_source *source, struct control **ret_control,
		struct flannel_error **ret_error);

/* closes all connections and the socket; NULL is borne; always NULL */
struct control *control_free(struct control *control);

/* the descriptor to poll for reading; the control's for life */
int control_get_fd(const struct control *control);

/* how long poll(2) may wait, milliseconds; -1 (for ever) while nobody is connected */
int control_get_timeout_ms(const struct control *control);

/* reads and answers what is there, never waits */
void control_dispatch(struct control *control);

#endif
