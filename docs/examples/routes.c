/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keeps routes true: puts them back within milliseconds when someone deletes them, and deletes them at the end.
 *
 *     routes LINK DESTINATION GATEWAY [DESTINATION GATEWAY]...
 *
 * Ends when standard input is closed. Needs CAP_NET_ADMIN.
 */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <flannel/flannel.h>

static int fail(const char *what)
{
	fprintf(stderr, "routes: %s\n", what); /* the process ends, and all it holds with it */
	return 1;
}

int main(int argc, char **argv)
{
	struct flannel_context *context = NULL;
	struct flannel_route_set *set = NULL;
	struct flannel_error *error = NULL;
	struct flannel_event *event;
	char byte;

	if (flannel_context_new(&context, NULL, &error) < 0 || flannel_route_set_new(context, NULL, &set, &error) < 0)
		return fail(flannel_error_get_message(error));
	for (int i = 2; i + 1 < argc; i += 2) {
		struct flannel_route route = {.size = sizeof(route), .link = argv[1]};

		if (flannel_prefix_parse(argv[i], &route.dst) < 0 || flannel_prefix_parse(argv[i + 1], &route.via) < 0)
			return fail("expected DESTINATION GATEWAY, such as 10.244.2.0/24 192.0.2.2");
		if (flannel_route_set_add(set, &route, &error) < 0)
			return fail(flannel_error_get_message(error));
	}
	if (flannel_route_set_apply(set, &error) < 0)
		return fail(flannel_error_get_message(error));
	for (;;) {
		struct pollfd fds[] = {{.fd = flannel_context_get_fd(context), .events = POLLIN},
				       {.fd = STDIN_FILENO, .events = POLLIN}};

		while (flannel_context_next_event(context, &event) > 0) {
			printf("%s %s\n", flannel_event_get_type_name(event), flannel_event_get_text(event));
			fflush(stdout);
			flannel_event_free(event);
		}
		poll(fds, 2, -1);
		if (fds[1].revents && read(STDIN_FILENO, &byte, 1) <= 0)
			break;
		while (flannel_context_dispatch(context, NULL) > 0)
			;
	}
	flannel_route_set_free(set);
	flannel_context_unref(context);
	return 0;
}
