/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TEST_STORE_NODE_H
#define TEST_STORE_NODE_H

/*
 * One user of a store under test, which writes down what the store tells. Who includes this defines before
 *
 *     NODE_STORE            the store's type
 *     NODE_CALL(verb)       its function of that name: dispatch, next, get_fd
 *     NODE_MUST(condition, what, more)   fails the test if the condition is false; node is at hand
 *     PATIENCE_MS           far more than anything takes
 */

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "store/queue.h"

/* log has a line for each message */
struct node {
	NODE_STORE *store;
	char log[65536];
	size_t len;
	unsigned int n_dispatched;
	int last_code;            /* of the last reply */
	char last_detail[512];    /* of the last error */
	int64_t last_expires_sec; /* of the last lease */
	char library_log[65536];  /* what the store logs, if that is kept */
};

/* appends to the log */
static __attribute__((format(printf, 2, 3))) void node_write(struct node *node, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	node->len += (size_t)vsnprintf(node->log + node->len, sizeof(node->log) - node->len, format, arguments);
	va_end(arguments);
	NODE_MUST(node->len < sizeof(node->log), "the log is full", "");
}

/* writes a message down: "done 7 -17", "lease 10.5.1.0-24 192.0.2.1" */
static void node_record(struct node *node, const struct flannel_store_message *message)
{
	static const char *const names[] = {"?",   "config",         "done", "begin", "lease", "removed",
					    "end", "config-changed", "lost", "back",  "self"};
	char key[2 * FLANNEL_PREFIX_STRLEN], address[FLANNEL_PREFIX_STRLEN] = "-";
	struct flannel_prefix public_ip;

	node_write(node, "%s", names[message->type]);
	if (message->request) {
		node_write(node, " %d %d", (int)message->request, message->code);
		node->last_code = message->code;
	}
	if (message->lease) {
		node->last_expires_sec = flannel_lease_get_expires_sec(message->lease);
		if (flannel_lease_get_public_ip(message->lease, AF_INET, &public_ip) == 1 ||
		    flannel_lease_get_public_ip(message->lease, AF_INET6, &public_ip) == 1)
			(void)flannel_prefix_format_address(&public_ip, address, sizeof(address));
		node_write(node, " %s %s", flannel_lease_format_key(message->lease, key, sizeof(key)), address);
	}
	if (message->config)
		node_write(node, " %s", message->config);
	if (message->error)
		(void)snprintf(node->last_detail, sizeof(node->last_detail), "%s",
			       flannel_error_get_message(message->error));
	node_write(node, "\n");
}

/* one dispatch and what it tells; 1 if there is more to do */
static int node_dispatch(struct node *node)
{
	struct flannel_store_message message = {.size = sizeof(message)};
	int r = NODE_CALL(dispatch)(node->store, NULL);

	NODE_MUST(r >= 0, "dispatch", strerror(-r));
	node->n_dispatched++;
	while (NODE_CALL(next)(node->store, &message) == 1) {
		node_record(node, &message);
		fl_store_message_clear(&message);
	}
	return r;
}

/* waits on the descriptor until the log contains text */
static void node_await(struct node *node, const char *text)
{
	struct pollfd fd = {.fd = NODE_CALL(get_fd)(node->store), .events = POLLIN};
	uint64_t end_ns = fl_loop_now() + PATIENCE_MS * FL_NSEC_PER_MSEC;

	while (!strstr(node->log, text)) {
		NODE_MUST(fl_loop_now() < end_ns, text, node->log);
		NODE_MUST(poll(&fd, 1, PATIENCE_MS) == 1, text, node->log);
		while (node_dispatch(node) > 0)
			;
	}
}

/* forgets what was told */
static void node_clear(struct node *node)
{
	node->len = 0;
	node->log[0] = '\0';
}

#endif
