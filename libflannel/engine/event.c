/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/event.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <flannel/lease.h>

struct flannel_event {
	struct flannel_event *next;
	enum flannel_event_type type;
	const void *source;
	void *userdata;
	struct flannel_lease *lease;
	struct flannel_error *error;
	char *text;
};

/* words for logs, in the order of the enum */
static const char *const type_names[] = {
	"",
	"lease-acquired",
	"lease-renewed",
	"lease-lost",
	"lease-failed",
	"peer-added",
	"peer-changed",
	"peer-removed",
	"store-lost",
	"store-back",
	"repaired",
	"object-failed",
	"node-ready",
	"node-failed",
	"underlay-changed",
	"underlay-lost",
	"underlay-back",
	"node-restored",
	"config-changed",
};

/* appends to the context's queue and makes its descriptor readable */
static void enqueue(struct flannel_context *context, struct flannel_event *event)
{
	*context->last_event = event;
	context->last_event = &event->next;
	fl_source_set_deadline(context->wake, 0);
}

void fl_event_emit(struct flannel_context *context, const void *source, void *userdata, enum flannel_event_type type,
		   struct flannel_lease *lease, struct flannel_error *error, const char *text, ...)
{
	struct flannel_event *event = calloc(1, sizeof(*event));
	va_list arguments;
	int r;

	if (!event) {
		context->event_lost = true;
		fl_source_set_deadline(context->wake, 0);
		return;
	}
	va_start(arguments, text);
	r = vasprintf(&event->text, text, arguments);
	va_end(arguments);
	if (r < 0)
		event->text = NULL;
	event->type = type;
	event->source = source;
	event->userdata = userdata;
	event->lease = flannel_lease_ref(lease);
	event->error = flannel_error_ref(error);
	enqueue(context, event);
}

void fl_event_drop(struct flannel_context *context, const void *source)
{
	struct flannel_event **at = &context->first_event;

	while (*at) {
		struct flannel_event *event = *at;

		if (event->source == source) {
			*at = event->next;
			flannel_event_free(event);
		} else {
			at = &event->next;
		}
	}
	context->last_event = at;
}

struct flannel_event *fl_event_take(struct flannel_context *context)
{
	struct flannel_event *event = context->first_event;

	if (!event)
		return NULL;
	context->first_event = event->next;
	if (!context->first_event)
		context->last_event = &context->first_event;
	event->next = NULL;
	return event;
}

struct flannel_event *flannel_event_free(struct flannel_event *event)
{
	if (!event)
		return NULL;
	flannel_lease_unref(event->lease);
	flannel_error_unref(event->error);
	free(event->text);
	free(event);
	return NULL;
}

int flannel_event_get_type(const struct flannel_event *event)
{
	return event ? (int)event->type : -EINVAL;
}

const char *flannel_event_get_type_name(const struct flannel_event *event)
{
	if (!event || (size_t)event->type >= FL_N_ELEMENTS(type_names))
		return "";
	return type_names[event->type];
}

void *flannel_event_get_userdata(const struct flannel_event *event)
{
	return event ? event->userdata : NULL;
}

struct flannel_lease *flannel_event_get_lease(const struct flannel_event *event)
{
	return event ? event->lease : NULL;
}

struct flannel_error *flannel_event_get_error(const struct flannel_event *event)
{
	return event ? event->error : NULL;
}

const char *flannel_event_get_text(const struct flannel_event *event)
{
	return event && event->text ? event->text : "";
}
