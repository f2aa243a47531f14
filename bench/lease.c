/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times how long another node's lease takes from the store into the kernel, over and over.
 *
 *     lease RUNS MODULE_DIRECTORY URI ADDRESS
 *
 * Run where flanneld runs, on the same store. Each round creates a lease of a node with that ADDRESS, which must be reachable without
 * a gateway, waits until the kernel tells of its route, and removes it again. Prints the times to the route from the moment the
 * write was sent and from the moment the store had confirmed it to the writer, and for comparison what the write itself took.
 */
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "../tests/harness/store_client.h"
#include "clock.h"

static void print_times(const char *what, double *times, int n)
{
	double middle = median(times, n);

	printf("%-34s median %6.2f ms   min %6.2f   p90 %6.2f   (%d runs)\n", what, middle, times[0], times[n * 9 / 10],
	       n);
}

/* a socket on which the kernel tells of IPv4 routes */
static int listen_routes(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_ROUTE};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		store_client_die("listen to routes", NULL);
	return fd;
}

/* reads what has come: has there been a message of that type, at all */
static int has_told(int fd, int type)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct nlmsghdr))));
	int found = 0;
	ssize_t n;

	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		unsigned int left = (unsigned int)n;

		for (struct nlmsghdr *at = (struct nlmsghdr *)buffer; NLMSG_OK(at, left); at = NLMSG_NEXT(at, left))
			found |= at->nlmsg_type == type;
	}
	return found;
}

/* one request, until the store has confirmed it and the kernel told of the route: both moments */
static void run(struct store_client *client, int routes, int r, int type, double *ret_confirmed, double *ret_route)
{
	double confirmed = 0, route = 0;

	while (r == 0 && (confirmed == 0 || route == 0)) {
		struct pollfd fds[] = {{.fd = client->ops->get_fd(client->impl), .events = POLLIN},
				       {.fd = routes, .events = POLLIN}};
		struct flannel_store_message message = {.size = sizeof(message)};

		if (poll(fds, 2, STORE_CLIENT_PATIENCE_MS) <= 0)
			store_client_die("no answer or no route", NULL);
		if (fds[1].revents && has_told(routes, type))
			route = now_ms();
		if (fds[0].revents)
			(void)client->ops->dispatch(client->impl, NULL);
		while (client->ops->next(client->impl, &message) > 0) {
			if (message.request == client->number && message.code == 0)
				confirmed = now_ms();
			else if (message.request == client->number)
				store_client_die("the store refuses", message.error);
			fl_store_message_clear(&message);
		}
	}
	*ret_confirmed = confirmed;
	*ret_route = route;
}

int main(int argc, char **argv)
{
	int runs = argc == 5 ? atoi(argv[1]) : 0, routes;
	double *sent = calloc((size_t)runs + 1, sizeof(double)), *confirmed = calloc((size_t)runs + 1, sizeof(double)),
	       *written = calloc((size_t)runs + 1, sizeof(double));
	struct store_client client = {0};
	struct flannel_error *error = NULL;

	if (runs < 1 || !sent || !confirmed || !written) {
		fprintf(stderr, "usage: lease RUNS MODULE_DIRECTORY URI ADDRESS\n");
		return 2;
	}
	if (fl_store_module_open(argv[2], argv[3], NULL, &client.ops, &client.impl, &client.handle, &error) < 0)
		store_client_die(argv[3], error);
	routes = listen_routes();
	for (int i = -1; i < runs; i++) { /* the first round warms up and does not count */
		char value[128];
		struct flannel_lease *lease;
		double begin, at_store, at_kernel;

		snprintf(value, sizeof(value), "{\"PublicIP\":\"%s\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}",
			 argv[4]);
		lease = store_client_lease("10.244.250.0-24", value);
		begin = now_ms();
		run(&client, routes, client.ops->create(client.impl, ++client.number, lease, 0, NULL), RTM_NEWROUTE,
		    &at_store, &at_kernel);
		if (i >= 0) {
			sent[i] = at_kernel - begin;
			written[i] = at_store - begin;
			confirmed[i] = at_kernel > at_store ? at_kernel - at_store : 0;
		}
		run(&client, routes, client.ops->remove(client.impl, ++client.number, lease, NULL), RTM_DELROUTE,
		    &at_store, &at_kernel);
		flannel_lease_unref(lease);
	}
	print_times("lease sent to route", sent, runs);
	print_times("lease confirmed to route", confirmed, runs);
	print_times("lease sent to confirmed", written, runs);
	store_client_close(&client);
	return 0;
}
