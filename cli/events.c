/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "events.h"

#include <string.h>
#include <time.h>

/* less is a clock that is kept right */
#define CLOCK_SET_SEC 10

/*
 * How urgent an event is. The peers that exist already at the start are no news: their sum is told once the node is
 * ready.
 */
static enum flannel_log_level level_of(const struct events *events, int type)
{
	switch (type) {
	case FLANNEL_EVENT_NODE_FAILED:
		return FLANNEL_LOG_ERROR;
	case FLANNEL_EVENT_CONFIG_CHANGED:
	case FLANNEL_EVENT_LEASE_LOST:
	case FLANNEL_EVENT_LEASE_FAILED:
	case FLANNEL_EVENT_STORE_LOST:
	case FLANNEL_EVENT_OBJECT_FAILED:
	case FLANNEL_EVENT_REPAIRED:
	case FLANNEL_EVENT_UNDERLAY_CHANGED:
	case FLANNEL_EVENT_UNDERLAY_LOST:
	case FLANNEL_EVENT_NODE_RESTORED:
		return FLANNEL_LOG_WARNING;
	case FLANNEL_EVENT_PEER_ADDED:
		return events->ready ? FLANNEL_LOG_INFO : FLANNEL_LOG_DEBUG;
	default:
		return FLANNEL_LOG_INFO;
	}
}

/* may one more line be written in this second; the node's own fate always may */
static bool admit(struct events *events, int type)
{
	struct timespec now = {0};

	if (type == FLANNEL_EVENT_NODE_READY || type == FLANNEL_EVENT_NODE_FAILED ||
	    type == FLANNEL_EVENT_NODE_RESTORED)
		return true;
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	if ((uint64_t)now.tv_sec != events->window_sec) {
		events->window_sec = (uint64_t)now.tv_sec;
		events->n_lines = 0;
	}
	if (events->n_lines >= EVENTS_MAX_LINES) {
		events->n_suppressed++;
		return false;
	}
	events->n_lines++;
	return true;
}

/* writes an event's line, after the number of those that were left out */
static void log_event(struct events *events, const struct flannel_event *event)
{
	int type = flannel_event_get_type(event);
	enum flannel_log_level level = level_of(events, type);

	if (!logger_is_written(events->logger, level, flannel_event_get_type_name(event)) || !admit(events, type))
		return;
	if (events->n_suppressed)
		logger_write(events->logger, FLANNEL_LOG_WARNING, "flanneld", "%llu events were not logged",
			     (unsigned long long)events->n_suppressed);
	events->n_suppressed = 0;
	logger_write(events->logger, level, flannel_event_get_type_name(event), "%s", flannel_event_get_text(event));
}

/* keeps the text of a failure for the status; without memory the former one stays */
static void remember_failure(struct status_source *source, const struct flannel_event *event)
{
	char *text = strdup(flannel_event_get_text(event));

	if (!text)
		return;
	free(source->last_failure);
	source->last_failure = text;
	source->last_failure_sec = time(NULL);
}

/* keeps, or with NULL forgets, why the store is lost */
static void set_store_error(struct status_source *source, struct flannel_error *error)
{
	(void)flannel_error_unref(source->store_error);
	source->store_error = flannel_error_ref(error);
}

/* keeps what there is to say of another configuration; without an error there is none any more */
static void note_config(struct status_source *source, const struct flannel_event *event)
{
	free(source->config_note);
	source->config_note = flannel_event_get_error(event) ? strdup(flannel_event_get_text(event)) : NULL;
}

enum events_result events_handle(struct events *events, const struct flannel_event *event)
{
	log_event(events, event);
	switch (flannel_event_get_type(event)) {
	case FLANNEL_EVENT_STORE_LOST:
		set_store_error(events->source, flannel_event_get_error(event));
		remember_failure(events->source, event);
		return EVENTS_GO_ON;
	case FLANNEL_EVENT_CONFIG_CHANGED:
		note_config(events->source, event);
		return EVENTS_GO_ON;
	case FLANNEL_EVENT_STORE_BACK:
		set_store_error(events->source, NULL);
		return EVENTS_GO_ON;
	case FLANNEL_EVENT_LEASE_ACQUIRED:
	case FLANNEL_EVENT_LEASE_RENEWED:
		events->source->lease_clock_sec = status_clock_sec();
		return EVENTS_GO_ON;
	case FLANNEL_EVENT_LEASE_LOST:
	case FLANNEL_EVENT_LEASE_FAILED:
	case FLANNEL_EVENT_OBJECT_FAILED:
	case FLANNEL_EVENT_UNDERLAY_LOST:
		remember_failure(events->source, event);
		return EVENTS_GO_ON;
	case FLANNEL_EVENT_NODE_READY:
		events->ready = true;
		events->source->was_ready = true;
		return EVENTS_NODE_READY;
	case FLANNEL_EVENT_NODE_FAILED:
		remember_failure(events->source, event);
		return EVENTS_NODE_FAILED;
	default:
		return EVENTS_GO_ON;
	}
}

void events_note_clock(struct events *events)
{
	int64_t now_sec = status_clock_sec(), set_sec = now_sec - events->clock_sec;

	if (events->clock_sec && set_sec < CLOCK_SET_SEC && set_sec > -CLOCK_SET_SEC)
		return;
	if (events->clock_sec)
		logger_write(events->logger, FLANNEL_LOG_INFO, "flanneld",
			     "the wall clock was set %s by %lld s: leases live on by the clock since boot",
			     set_sec > 0 ? "ahead" : "back", (long long)(set_sec > 0 ? set_sec : -set_sec));
	events->clock_sec = now_sec;
}

void events_clear(struct events *events)
{
	set_store_error(events->source, NULL);
	free(events->source->last_failure);
	events->source->last_failure = NULL;
	free(events->source->config_note);
	events->source->config_note = NULL;
}
