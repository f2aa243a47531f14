/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Leases a subnet and hears of the other nodes, inside the program's own poll loop.
 *
 *     lease FILE PUBLIC-IP
 *
 * Ends when standard input is closed. Needs a network configuration in the store: see flannel_store_set_config_sync().
 */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <flannel/flannel.h>

#define NETWORK "{\"Network\": \"10.244.0.0/16\", \"Backend\": {\"Type\": \"host-gw\"}}"

static int fail(struct flannel_error *error)
{
	fprintf(stderr, "lease: %s\n", flannel_error_get_message(error));
	flannel_error_unref(error);
	return 1;
}

int main(int argc, char **argv)
{
	struct flannel_lease_options options = {.size = sizeof(options), .public_ip = argc == 3 ? argv[2] : ""};
	struct flannel_context *context = NULL;
	struct flannel_request *request = NULL;
	struct flannel_store *store = NULL;
	struct flannel_error *error = NULL;
	struct flannel_event *event;
	char uri[256], byte;

	snprintf(uri, sizeof(uri), "embedded:%s", argc == 3 ? argv[1] : "");
	if (flannel_context_new(&context, NULL, &error) < 0 || flannel_store_open(context, uri, &store, &error) < 0 ||
	    flannel_store_set_config_sync(store, NETWORK, 5000, &error) < 0 ||
	    flannel_lease_acquire(context, store, &options, &request, &error) < 0)
		return fail(error);
	for (;;) {
		struct pollfd fds[] = {{.fd = flannel_context_get_fd(context), .events = POLLIN},
				       {.fd = STDIN_FILENO, .events = POLLIN}};

		poll(fds, 2, -1);
		if (fds[1].revents && read(STDIN_FILENO, &byte, 1) <= 0)
			break;
		while (flannel_context_dispatch(context, NULL) > 0)
			;
		while (flannel_context_next_event(context, &event) > 0) {
			printf("%s %s\n", flannel_event_get_type_name(event), flannel_event_get_text(event));
			fflush(stdout);
			flannel_event_free(event);
		}
	}
	flannel_request_free(request);
	flannel_store_unref(store);
	flannel_context_unref(context);
	return 0;
}
