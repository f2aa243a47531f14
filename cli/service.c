/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "notify.h"

/* how long the manager may take, milliseconds: for what it must know, and for what it may; a mere line is not waited for */
#define READY_PATIENCE_MS 2000
#define STOPPING_PATIENCE_MS 100

/* sends a message: as notify_send(). A failure is logged, but for a line that nobody had time for */
static int send_message(const struct service *service, const char *message, unsigned int wait_ms)
{
	int r = notify_send(service->socket, message, wait_ms);

	if (r < 0 && (r != -EAGAIN || wait_ms))
		logger_write(service->logger, FLANNEL_LOG_WARNING, "flanneld", "NOTIFY_SOCKET: %s", strerror(-r));
	return r;
}

/* a line of the status; what came from elsewhere must not begin another one */
static void format_status(char *line, size_t size, const char *text)
{
	(void)snprintf(line, size, "%s", text);
	for (; *line; line++)
		if (*line == '\n')
			*line = ' ';
}

void service_tell(struct service *service, const struct status_source *source, bool ready)
{
	char status[SERVICE_STATUS_SIZE], text[SERVICE_STATUS_SIZE];
	char message[SERVICE_STATUS_SIZE + 32];

	if (!service->socket || !*service->socket)
		return;
	status_get_summary(source, text, sizeof(text));
	format_status(status, sizeof(status), text);
	ready = ready && !service->is_ready;
	if (!ready && strcmp(status, service->status) == 0)
		return;
	(void)snprintf(message, sizeof(message), "%sSTATUS=%s", ready ? "READY=1\n" : "", status);
	/* what was not taken is tried again with the next news; a manager that is gone is told of once */
	if (send_message(service, message, ready ? READY_PATIENCE_MS : 0) == -EAGAIN)
		return;
	service->is_ready = service->is_ready || ready;
	memcpy(service->status, status, sizeof(status));
}

void service_tell_stopping(struct service *service, const char *why)
{
	char message[SERVICE_STATUS_SIZE + 32];

	if (!service->socket || !*service->socket)
		return;
	(void)snprintf(message, sizeof(message), "STOPPING=1\nSTATUS=Stopping: %s", why);
	(void)send_message(service, message, STOPPING_PATIENCE_MS);
}
