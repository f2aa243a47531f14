/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_TESTS_CLI_NODE_H
#define FL_TESTS_CLI_NODE_H

/*
 * A node that the test makes up, as far as status and health ask the library for it, with its control socket; and curl as its client.
 * Include after <criterion/criterion.h>, in one file of a program.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include <flannel/flannel.h>

#include "cleanup.h"
#include "control.h"
#include "health.h"

#define MAX_PEERS 3

/* the library's node, as far as the status asks it */
struct flannel_node {
	int state;
	struct flannel_error *error;
	struct flannel_error *underlay_error;
	struct flannel_lease *lease;
	struct flannel_netconf *netconf;
	struct flannel_node_peer peers[MAX_PEERS];
	size_t n_peers;
};

int flannel_node_get_state(const struct flannel_node *node)
{
	return node->state;
}

const char *flannel_node_get_state_name(const struct flannel_node *node)
{
	return node->state == FLANNEL_NODE_READY ? "ready" : "config";
}

struct flannel_error *flannel_node_get_error(const struct flannel_node *node)
{
	return node->error;
}

struct flannel_lease *flannel_node_get_lease(const struct flannel_node *node)
{
	return node->lease;
}

int flannel_node_is_synced(const struct flannel_node *node)
{
	return node->state == FLANNEL_NODE_READY;
}

int64_t flannel_node_get_snapshot_sec(const struct flannel_node *node)
{
	(void)node;
	return 0;
}

struct flannel_netconf *flannel_node_get_netconf(const struct flannel_node *node)
{
	return node->netconf;
}

int flannel_node_get_underlay(const struct flannel_node *node, struct flannel_node_underlay *ret_underlay)
{
	if (node->state != FLANNEL_NODE_READY)
		return 0;
	cr_assert_eq(ret_underlay->size, sizeof(*ret_underlay));
	cr_assert_eq(ret_underlay->link.size, sizeof(ret_underlay->link));
	strcpy(ret_underlay->link.name, "eth0");
	ret_underlay->link.ifindex = 7;
	ret_underlay->link.mtu = 1500;
	ret_underlay->mtu = 1450;
	ret_underlay->reason = "default route";
	ret_underlay->error = node->underlay_error;
	cr_assert_eq(flannel_prefix_parse("192.0.2.1", &ret_underlay->address), 0);
	return 1;
}

int flannel_node_get_peer(const struct flannel_node *node, size_t index, struct flannel_node_peer *ret_peer)
{
	cr_assert_eq(ret_peer->size, sizeof(*ret_peer));
	if (index >= node->n_peers)
		return 0;
	*ret_peer = node->peers[index];
	return 1;
}

const char *flannel_node_get_conflict(const struct flannel_node *node, size_t index)
{
	(void)node;
	(void)index;
	return NULL;
}

uint64_t flannel_node_get_repairs(const struct flannel_node *node)
{
	(void)node;
	return 4;
}

/* a node with a subnet file, and its control socket */
struct fixture {
	char directory[64];
	char socket[128];
	char subnet_file[128];
	struct flannel_node node;
	struct status_source source;
	struct http_server *control;
};

/* a lease of flannel's key and value */
static inline struct flannel_lease *make_lease(const char *key, const char *value, int64_t expires_sec)
{
	struct flannel_lease *lease = NULL;

	cr_assert_eq(flannel_lease_parse(key, value, strlen(value), expires_sec, 42, &lease, NULL), 0, "%s", value);
	return lease;
}

/* a ready node without peers */
static inline void fill_node(struct flannel_node *node)
{
	const char *config = "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"host-gw\"},\"Netwrok\":1}";

	node->state = FLANNEL_NODE_READY;
	node->lease = make_lease("10.244.1.0-24",
				 "{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}",
				 time(NULL) + 3600);
	cr_assert_eq(flannel_netconf_parse(config, strlen(config), &node->netconf, NULL), 0);
}

/* makes a directory with a subnet file, and a source that is well */
static inline void setup(struct fixture *fixture)
{
	*fixture = (struct fixture){0};
	strcpy(fixture->directory, "/tmp/flannel-control-XXXXXX");
	cr_assert_not_null(mkdtemp(fixture->directory));
	(void)snprintf(fixture->socket, sizeof(fixture->socket), "%s/s", fixture->directory);
	(void)snprintf(fixture->subnet_file, sizeof(fixture->subnet_file), "%s/subnet.env", fixture->directory);
	close(open(fixture->subnet_file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	fill_node(&fixture->node);
	fixture->source = (struct status_source){
		.node = &fixture->node,
		.store_name = "embedded",
		.store_path = "/x/leases.db",
		.subnet_file = fixture->subnet_file,
	};
}

/* starts to answer */
static inline void start_control(struct fixture *fixture)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, fixture->socket);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 4), 0);
	cr_assert_eq(http_server_new(fd, "control socket", control_answer, &fixture->source, &fixture->control, NULL),
		     0);
}

/* removes all traces */
static inline void teardown(struct fixture *fixture)
{
	fixture->control = http_server_free(fixture->control);
	(void)flannel_lease_unref(fixture->node.lease);
	(void)flannel_netconf_unref(fixture->node.netconf);
	(void)flannel_error_unref(fixture->node.error);
	for (size_t i = 0; i < fixture->node.n_peers; i++) {
		(void)flannel_lease_unref(fixture->node.peers[i].lease);
		(void)flannel_error_unref(fixture->node.peers[i].error);
	}
	(void)unlink(fixture->socket);
	(void)unlink(fixture->subnet_file);
	cr_expect_eq(rmdir(fixture->directory), 0);
}

/* an error with text as its detail */
static inline struct flannel_error *make_error(int code, const char *detail)
{
	struct flannel_error *error = NULL;

	(void)flannel_error_new(&error, code, "rtnl", "add route 10.244.2.0/24", detail, 1);
	return error;
}

/* adds a peer: well, failed (detail) or ignored */
static inline void add_peer(struct flannel_node *node, const char *key, const char *detail, const char *ignored)
{
	node->peers[node->n_peers++] = (struct flannel_node_peer){
		.size = sizeof(struct flannel_node_peer),
		.lease = make_lease(
			key, "{\"PublicIP\":\"192.0.2.2\",\"BackendType\":\"vxlan\",\"BackendData\":{\"VNI\":1}}", 0),
		.n_objects = 1,
		.n_failed = detail ? 1 : 0,
		.error = detail ? make_error(-ENETUNREACH, detail) : NULL,
		.ignored = ignored,
	};
}

/* starts curl with these arguments, its output in a pipe; returns its pid */
static inline pid_t start_curl(const char *const *arguments, const char *socket, int *ret_out)
{
	const char *argv[16] = {"curl", "-s", "-S", "--max-time", "10", "--unix-socket", socket};
	int out[2];
	pid_t pid;

	for (size_t i = 0; arguments[i]; i++)
		argv[7 + i] = arguments[i];
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		(void)dup2(out[1], STDOUT_FILENO);
		(void)execvp("curl", (char *const *)argv);
		_exit(127);
	}
	close(out[1]);
	*ret_out = out[0];
	return pid;
}

/* one turn of the daemon's loop; true if the other descriptor is readable */
static inline bool turn(struct http_server *control, int other)
{
	struct pollfd fds[] = {{.fd = http_server_get_fd(control), .events = POLLIN}, {.fd = other, .events = POLLIN}};
	int timeout_ms = http_server_get_timeout_ms(control);

	cr_assert_geq(poll(fds, 2, timeout_ms), 0);
	if (fds[0].revents || timeout_ms >= 0)
		http_server_dispatch(control);
	return fds[1].revents != 0;
}

/* reads fd to its end while the daemon's loop runs */
static inline void read_to_end(struct http_server *control, int fd, char *buf, size_t size)
{
	size_t len = 0;

	for (;;) {
		ssize_t n;

		if (!turn(control, fd))
			continue;
		n = read(fd, buf + len, size - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
}

/* what curl prints; asserts that it went well */
static inline void curl(struct fixture *fixture, const char *const *arguments, char *buf, size_t size)
{
	int status;
	int out;
	pid_t pid = start_curl(arguments, fixture->socket, &out);

	read_to_end(fixture->control, out, buf, size);
	close(out);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "curl ended with %d: %s", status, buf);
}

/* the value at a path of keys, NULL for null; fails if a key is missing */
static inline struct json_object *at(struct json_object *object, const char *path)
{
	struct json_object *value = NULL;

	cr_assert_eq(json_pointer_get(object, path, &value), 0, "%s", path);
	return value;
}

/* compares a value as compact JSON */
static inline void expect_json(struct json_object *object, const char *path, const char *expected)
{
	const char *found = json_object_to_json_string_ext(at(object, path),
							   JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	cr_expect_str_eq(found, expected, "%s: %s", path, found);
}

/* the status as an object */
static inline struct json_object *get_status(const struct status_source *source)
{
	struct json_object *object;
	size_t len = 0;
	char *text = status_format(source, &len);

	cr_assert_not_null(text);
	cr_assert_eq(strlen(text), len);
	cr_assert_eq(text[len - 1], '\n');
	object = json_tokener_parse(text);
	cr_assert_not_null(object, "%s", text);
	free(text);
	return object;
}

#endif
