/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

/* What the service manager is told: ready, how the node is in one line, and that it stops. See sd_notify(3). */

#include <stdbool.h>

#include "log.h"
#include "status_json.h"

#define SERVICE_STATUS_SIZE 256

struct service {
	const char *socket; /* value of NOTIFY_SOCKET; NULL: nobody listens */
	const struct logger *logger;
	bool is_ready;                    /* READY=1 was sent */
	char status[SERVICE_STATUS_SIZE]; /* what was sent last */
};

/* tells the state if it is another than was told last; ready: the subnet file is written */
void service_tell(struct service *service, const struct status_source *source, bool ready);

/* tells that the daemon stops, and why: "SIGTERM" */
void service_tell_stopping(struct service *service, const char *why);

#endif
