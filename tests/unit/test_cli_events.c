/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon makes of events, which the test makes up. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flannel/event.h>

#include "cleanup.h"
#include "events.h"

/* the library's event, as far as the daemon asks it */
struct flannel_event {
	int type;
	const char *text;
	struct flannel_error *error;
};

int flannel_event_get_type(const struct flannel_event *event)
{
	return event->type;
}

const char *flannel_event_get_type_name(const struct flannel_event *event)
{
	(void)event;
	return "event";
}

const char *flannel_event_get_text(const struct flannel_event *event)
{
	return event->text;
}

struct flannel_error *flannel_event_get_error(const struct flannel_event *event)
{
	return event->error;
}

/* an error with text as its detail */
static struct flannel_error *make_error(const char *detail)
{
	struct flannel_error *error = NULL;

	(void)flannel_error_new(&error, -EIO, "store", "read leases", detail, 1);
	return error;
}

Test(cli_events, events_are_remembered_and_tell_when_to_stop)
{
	static const struct {
		int type;
		enum events_result result;
		bool remembered;
	} cases[] = {
		{FLANNEL_EVENT_LEASE_ACQUIRED, EVENTS_GO_ON, false},
		{FLANNEL_EVENT_LEASE_RENEWED, EVENTS_GO_ON, false},
		{FLANNEL_EVENT_LEASE_LOST, EVENTS_GO_ON, true},
		{FLANNEL_EVENT_LEASE_FAILED, EVENTS_GO_ON, true},
		{FLANNEL_EVENT_PEER_ADDED, EVENTS_GO_ON, false},
		{FLANNEL_EVENT_REPAIRED, EVENTS_GO_ON, false},
		{FLANNEL_EVENT_OBJECT_FAILED, EVENTS_GO_ON, true},
		{FLANNEL_EVENT_STORE_LOST, EVENTS_GO_ON, true},
		{FLANNEL_EVENT_STORE_BACK, EVENTS_GO_ON, false},
		{FLANNEL_EVENT_NODE_READY, EVENTS_NODE_READY, false},
		{FLANNEL_EVENT_NODE_FAILED, EVENTS_NODE_FAILED, true},
		{FLANNEL_EVENT_UNDERLAY_CHANGED, EVENTS_GO_ON, false},
		{FLANNEL_EVENT_UNDERLAY_LOST, EVENTS_GO_ON, true},
		{FLANNEL_EVENT_UNDERLAY_BACK, EVENTS_GO_ON, false},
		{99, EVENTS_GO_ON, false},
	};
	const struct logger logger = {.fd = -1, .level = FLANNEL_LOG_ERROR};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct status_source source = {0};
		struct events events = {.logger = &logger, .source = &source};
		struct flannel_event event = {.type = cases[i].type, .text = "what happened"};

		cr_expect_eq(events_handle(&events, &event), cases[i].result, "type %d", cases[i].type);
		cr_expect_eq(source.last_failure != NULL, cases[i].remembered, "type %d", cases[i].type);
		if (source.last_failure)
			cr_expect_str_eq(source.last_failure, "what happened");
		events_clear(&events);
		cr_expect_null(source.last_failure);
	}
}

Test(cli_events, a_lost_store_is_known_until_it_is_back)
{
	const struct logger logger = {.fd = -1, .level = FLANNEL_LOG_ERROR};
	struct status_source source = {0};
	struct events events = {.logger = &logger, .source = &source};
	struct flannel_event lost = {.type = FLANNEL_EVENT_STORE_LOST, .text = "lost"};
	struct flannel_event back = {.type = FLANNEL_EVENT_STORE_BACK, .text = "back"};

	lost.error = make_error("disk full");
	(void)events_handle(&events, &lost);
	lost.error = flannel_error_unref(lost.error);
	cr_expect_not_null(strstr(flannel_error_get_message(source.store_error), "disk full"));
	(void)events_handle(&events, &back);
	cr_expect_null(source.store_error);
	events_clear(&events);
}

/* how many lines a file has */
static size_t count_lines(FILE *stream, const char *word, bool *ret_has_word)
{
	char *line = NULL;
	size_t size = 0;
	size_t n = 0;

	rewind(stream);
	while (getline(&line, &size, stream) > 0) {
		n++;
		*ret_has_word = *ret_has_word || strstr(line, word);
	}
	free(line);
	return n;
}

Test(cli_events, a_flood_of_events_does_not_flood_the_log)
{
	FILE *stream = tmpfile();
	const struct logger logger = {.fd = fileno(stream), .level = FLANNEL_LOG_INFO};
	struct status_source source = {0};
	struct events events = {.logger = &logger, .source = &source};
	struct flannel_event event = {.type = FLANNEL_EVENT_REPAIRED, .text = "put back"};
	bool told = false;
	size_t n;

	for (int i = 0; i < 5000; i++)
		(void)events_handle(&events, &event);
	event.type = FLANNEL_EVENT_NODE_FAILED;
	(void)events_handle(&events, &event);
	n = count_lines(stream, "events were not logged", &told);
	cr_expect_geq(n, EVENTS_MAX_LINES);
	cr_expect_leq(n, 10 * EVENTS_MAX_LINES, "%zu", n);
	cr_expect(told);
	events_clear(&events);
	(void)fclose(stream);
}

Test(cli_events, peers_that_exist_at_the_start_are_no_news)
{
	FILE *stream = tmpfile();
	const struct logger logger = {.fd = fileno(stream), .level = FLANNEL_LOG_INFO};
	struct status_source source = {0};
	struct events events = {.logger = &logger, .source = &source};
	struct flannel_event peer = {.type = FLANNEL_EVENT_PEER_ADDED, .text = "peer"};
	struct flannel_event ready = {.type = FLANNEL_EVENT_NODE_READY, .text = "ready"};
	bool told = false;

	(void)events_handle(&events, &peer);
	(void)events_handle(&events, &ready);
	cr_expect_eq(count_lines(stream, "peer]", &told), 1);
	(void)events_handle(&events, &peer);
	cr_expect_eq(count_lines(stream, "peer]", &told), 2);
	events_clear(&events);
	(void)fclose(stream);
}
