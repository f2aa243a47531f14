/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_EVENT_H
#define FL_ENGINE_EVENT_H

#include <flannel/event.h>

#include "engine/context.h"

/*
 * Queues an event for the host. source: whose it is, for fl_event_drop(). lease and error: referenced if not NULL.
 * Without memory the event is lost, which the next dispatch tells.
 */
void fl_event_emit(struct flannel_context *context, const void *source, void *userdata, enum flannel_event_type type,
		   struct flannel_lease *lease, struct flannel_error *error, const char *text, ...) FL_PRINTF(7, 8);

/* forgets the events of a source that the host has not taken */
void fl_event_drop(struct flannel_context *context, const void *source);

/* takes the oldest event, NULL if there is none */
struct flannel_event *fl_event_take(struct flannel_context *context);

#endif
