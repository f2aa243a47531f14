/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_EVENTS_H
#define CLI_EVENTS_H

/* What the daemon makes of the library's events: log lines, what the status remembers, and when to stop. */

#include <stdbool.h>
#include <stdint.h>

#include <flannel/event.h>

#include "log.h"
#include "status_json.h"

struct events {
	const struct logger *logger;
	struct status_source *source;
	bool ready;            /* the node became ready once */
	uint64_t window_sec;   /* the second that n_lines counts, CLOCK_BOOTTIME */
	unsigned int n_lines;  /* lines written in it */
	uint64_t n_suppressed; /* lines not written since the last one that was */
	int64_t clock_sec;     /* status_clock_sec() as it was looked at first, or told; 0: not yet */
};

/* lines a second that events may make; more are counted and told of once */
#define EVENTS_MAX_LINES 200

enum events_result { EVENTS_GO_ON, EVENTS_NODE_READY, EVENTS_NODE_FAILED };

/* takes in one event, which stays the caller's */
enum events_result events_handle(struct events *events, const struct flannel_event *event);

/* says that somebody has set the wall clock, once each time: the times in the log jump, and nothing else does */
void events_note_clock(struct events *events);

/* drops what the status source remembers */
void events_clear(struct events *events);

#endif
