/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket and what it tells, with a node that the test makes up. */
#include <criterion/criterion.h>

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
static struct flannel_lease *make_lease(const char *key, const char *value, int64_t expires_sec)
{
	struct flannel_lease *lease = NULL;

	cr_assert_eq(flannel_lease_parse(key, value, strlen(value), expires_sec, 42, &lease, NULL), 0, "%s", value);
	return lease;
}

/* a ready node without peers */
static void fill_node(struct flannel_node *node)
{
	const char *config = "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"host-gw\"},\"Netwrok\":1}";

	node->state = FLANNEL_NODE_READY;
	node->lease = make_lease("10.244.1.0-24",
				 "{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}",
				 time(NULL) + 3600);
	cr_assert_eq(flannel_netconf_parse(config, strlen(config), &node->netconf, NULL), 0);
}

/* makes a directory with a subnet file, and a source that is well */
static void setup(struct fixture *fixture)
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
static void start_control(struct fixture *fixture)
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
static void teardown(struct fixture *fixture)
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
static struct flannel_error *make_error(int code, const char *detail)
{
	struct flannel_error *error = NULL;

	(void)flannel_error_new(&error, code, "rtnl", "add route 10.244.2.0/24", detail, 1);
	return error;
}

/* adds a peer: well, failed (detail) or ignored */
static void add_peer(struct flannel_node *node, const char *key, const char *detail, const char *ignored)
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
static pid_t start_curl(const char *const *arguments, const char *socket, int *ret_out)
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
static bool turn(struct http_server *control, int other)
{
	struct pollfd fds[] = {{.fd = http_server_get_fd(control), .events = POLLIN}, {.fd = other, .events = POLLIN}};
	int timeout_ms = http_server_get_timeout_ms(control);

	cr_assert_geq(poll(fds, 2, timeout_ms), 0);
	if (fds[0].revents || timeout_ms >= 0)
		http_server_dispatch(control);
	return fds[1].revents != 0;
}

/* reads fd to its end while the daemon's loop runs */
static void read_to_end(struct http_server *control, int fd, char *buf, size_t size)
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
static void curl(struct fixture *fixture, const char *const *arguments, char *buf, size_t size)
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
static struct json_object *at(struct json_object *object, const char *path)
{
	struct json_object *value = NULL;

	cr_assert_eq(json_pointer_get(object, path, &value), 0, "%s", path);
	return value;
}

/* compares a value as compact JSON */
static void expect_json(struct json_object *object, const char *path, const char *expected)
{
	const char *found = json_object_to_json_string_ext(at(object, path),
							   JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	cr_expect_str_eq(found, expected, "%s: %s", path, found);
}

/* the status as an object */
static struct json_object *get_status(const struct status_source *source)
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

Test(cli_control, status_of_a_node_that_is_well)
{
	struct fixture fixture;
	struct json_object *status;

	setup(&fixture);
	status = get_status(&fixture.source);
	expect_json(status, "/version", "\"" FLANNEL_VERSION "\"");
	cr_expect_eq(json_object_get_int(at(status, "/pid")), getpid());
	expect_json(status, "/state", "\"ready\"");
	expect_json(status, "/ready", "true");
	expect_json(status, "/health", "\"ok\"");
	expect_json(status, "/reason", "null");
	expect_json(status, "/store",
		    "{\"name\":\"embedded\",\"path\":\"/x/leases.db\",\"state\":\"ok\",\"error\":null}");
	expect_json(status, "/network/network", "\"10.244.0.0/16\"");
	expect_json(status, "/network/ipv6_network", "null");
	expect_json(status, "/network/subnet_len", "24");
	expect_json(status, "/network/ipv6_subnet_len", "null");
	expect_json(status, "/network/backend", "\"host-gw\"");
	cr_expect_eq(json_object_array_length(at(status, "/network/warnings")), 1);
	expect_json(status, "/lease/subnet", "\"10.244.1.0/24\"");
	expect_json(status, "/lease/public_ip", "\"192.0.2.1\"");
	cr_expect_geq(json_object_get_int(at(status, "/lease/expires_in_sec")), 3590);
	cr_expect_eq(strlen(json_object_get_string(at(status, "/lease/expires"))), strlen("2026-11-23T07:30:01Z"));
	expect_json(status, "/underlay/interface", "\"eth0\"");
	expect_json(status, "/underlay/reason", "\"default route\"");
	expect_json(status, "/underlay/address", "\"192.0.2.1\"");
	expect_json(status, "/underlay/mtu", "1500");
	expect_json(status, "/underlay/state", "\"ok\"");
	expect_json(status, "/underlay/error", "null");
	expect_json(status, "/pod_mtu", "1450");
	expect_json(status, "/repairs", "4");
	expect_json(status, "/error", "null");
	expect_json(status, "/last_failure", "null");
	expect_json(status, "/peers", "{\"total\":0,\"ok\":0,\"failed\":0,\"ignored\":0,\"list\":[]}");
	json_object_put(status);
	teardown(&fixture);
}

Test(cli_control, status_of_a_node_that_waits)
{
	struct fixture fixture;
	struct json_object *status;

	setup(&fixture);
	fixture.node.state = FLANNEL_NODE_CONFIG;
	fixture.node.lease = flannel_lease_unref(fixture.node.lease);
	fixture.node.netconf = flannel_netconf_unref(fixture.node.netconf);
	status = get_status(&fixture.source);
	expect_json(status, "/ready", "false");
	expect_json(status, "/health", "\"not-ready\"");
	expect_json(status, "/reason", "\"waits for the network configuration in the store\"");
	expect_json(status, "/network", "null");
	expect_json(status, "/lease", "null");
	expect_json(status, "/underlay", "null");
	expect_json(status, "/pod_mtu", "null");
	json_object_put(status);
	teardown(&fixture);
}

/* what is wrong with the interface comes before its consequences */
Test(cli_control, underlay_that_is_gone)
{
	struct fixture fixture;
	struct json_object *status;

	setup(&fixture);
	(void)flannel_error_new(&fixture.node.underlay_error, -ENODEV, "node", "underlay interface eth0", "it is gone",
				1);
	(void)flannel_error_new(&fixture.source.store_error, -EIO, "store", "read leases", "no answer", 1);
	add_peer(&fixture.node, "10.244.2.0-24", "Network is down", NULL);
	status = get_status(&fixture.source);
	expect_json(status, "/health", "\"degraded\"");
	expect_json(status, "/ready", "true");
	expect_json(status, "/reason", "\"underlay interface eth0: it is gone\"");
	expect_json(status, "/underlay/interface", "\"eth0\"");
	expect_json(status, "/underlay/state", "\"lost\"");
	expect_json(status, "/underlay/error/detail", "\"it is gone\"");
	expect_json(status, "/underlay/error/errno", "\"ENODEV\"");
	json_object_put(status);
	flannel_error_unref(fixture.node.underlay_error);
	flannel_error_unref(fixture.source.store_error);
	teardown(&fixture);
}

Test(cli_control, peers_in_numbers_and_with_reasons)
{
	struct fixture fixture;
	struct json_object *status;

	setup(&fixture);
	add_peer(&fixture.node, "10.244.2.0-24", "Nexthop has invalid gateway", NULL);
	add_peer(&fixture.node, "10.244.3.0-24", NULL, NULL);
	add_peer(&fixture.node, "10.244.4.0-24", NULL, "other backend");
	status = get_status(&fixture.source);
	expect_json(status, "/health", "\"degraded\"");
	expect_json(status, "/ready", "true");
	expect_json(status, "/reason", "\"1 of 3 peers are not in force\"");
	expect_json(status, "/peers/total", "3");
	expect_json(status, "/peers/ok", "1");
	expect_json(status, "/peers/failed", "1");
	expect_json(status, "/peers/ignored", "1");
	expect_json(status, "/peers/list/0/state", "\"failed\"");
	expect_json(status, "/peers/list/0/reason", "\"add route 10.244.2.0/24: Nexthop has invalid gateway\"");
	expect_json(status, "/peers/list/1/state", "\"ok\"");
	expect_json(status, "/peers/list/1/reason", "null");
	expect_json(status, "/peers/list/2/state", "\"ignored\"");
	expect_json(status, "/peers/list/2/reason", "\"other backend\"");
	json_object_put(status);
	teardown(&fixture);
}

/* what can be wrong with a node whose state is ready, or not */
enum trouble { NONE, NO_LEASE, EXPIRED, NO_SUBNET_FILE, STORE_LOST, ERROR, WAITS, FAILED };

/* brings the trouble about */
static void make_trouble(struct fixture *fixture, enum trouble trouble)
{
	if (trouble == NO_LEASE || trouble == EXPIRED)
		fixture->node.lease = flannel_lease_unref(fixture->node.lease);
	if (trouble == EXPIRED)
		fixture->node.lease = make_lease("10.244.1.0-24", "{\"PublicIP\":\"192.0.2.1\"}", time(NULL) - 10);
	if (trouble == NO_SUBNET_FILE)
		cr_assert_eq(unlink(fixture->subnet_file), 0);
	if (trouble == STORE_LOST)
		fixture->source.store_error = make_error(-EIO, "disk full");
	if (trouble == ERROR || trouble == FAILED)
		fixture->node.error = make_error(-ENODEV, "no such interface");
	if (trouble == WAITS)
		fixture->node.state = FLANNEL_NODE_LEASE;
	if (trouble == FAILED)
		fixture->node.state = FLANNEL_NODE_FAILED;
}

Test(cli_control, readiness_is_truthful)
{
	static const struct {
		enum trouble trouble;
		enum status_health health;
		const char *reason; /* a part of it */
	} cases[] = {
		{NONE, STATUS_OK, ""},
		{NO_LEASE, STATUS_NOT_READY, "the lease is lost"},
		{EXPIRED, STATUS_NOT_READY, "expired 1"},
		{NO_SUBNET_FILE, STATUS_NOT_READY, "No such file"},
		{STORE_LOST, STATUS_DEGRADED, "disk full"},
		{ERROR, STATUS_DEGRADED, "no such interface"},
		{WAITS, STATUS_NOT_READY, "waits for its lease"},
		{FAILED, STATUS_FAILED, "gave up: add route 10.244.2.0/24: no such interface"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct fixture fixture;
		char reason[256];

		setup(&fixture);
		make_trouble(&fixture, cases[i].trouble);
		cr_expect_eq(status_get_health(&fixture.source, reason, sizeof(reason)), cases[i].health, "case %zu",
			     i);
		cr_expect_not_null(strstr(reason, cases[i].reason), "case %zu: %s", i, reason);
		cr_expect_eq(*reason == '\0', cases[i].trouble == NONE);
		fixture.source.store_error = flannel_error_unref(fixture.source.store_error);
		teardown(&fixture);
	}
}

Test(cli_control, a_reason_that_is_too_long_is_cut)
{
	struct fixture fixture;
	char reason[16];

	setup(&fixture);
	make_trouble(&fixture, FAILED);
	(void)status_get_health(&fixture.source, reason, sizeof(reason));
	cr_expect_str_eq(reason, "gave up: add ro");
	teardown(&fixture);
}

Test(cli_control, leases_name_the_own_one_and_the_peers)
{
	struct fixture fixture;
	struct json_object *leases;
	size_t len = 0;
	char *text;

	setup(&fixture);
	add_peer(&fixture.node, "10.244.2.0-24", NULL, NULL);
	text = status_format_leases(&fixture.source, &len);
	leases = json_tokener_parse(text);
	cr_assert_not_null(leases);
	cr_expect_eq(json_object_array_length(at(leases, "/leases")), 2);
	expect_json(leases, "/leases/0/own", "true");
	expect_json(leases, "/leases/0/subnet", "\"10.244.1.0/24\"");
	expect_json(leases, "/leases/0/backend_data", "null");
	expect_json(leases, "/leases/0/revision", "42");
	expect_json(leases, "/leases/1/own", "false");
	expect_json(leases, "/leases/1/backend_data", "{\"VNI\":1}");
	expect_json(leases, "/leases/1/expires", "null");
	expect_json(leases, "/leases/1/expires_in_sec", "null");
	json_object_put(leases);
	free(text);
	teardown(&fixture);
}

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"

Test(cli_control, curl_gets_what_it_asks_for)
{
	static const struct {
		const char *arguments[5];
		const char *path;
		int state;
		const char *result; /* status and type */
		const char *body;   /* a part of it */
	} cases[] = {
		{{NULL}, "/v1/status", FLANNEL_NODE_READY, "200 " JSON, "{\"version\":"},
		{{NULL}, "/v1/status?x=1", FLANNEL_NODE_READY, "200 " JSON, "{\"version\":"},
		{{NULL}, "/v1/leases", FLANNEL_NODE_READY, "200 " JSON, "{\"leases\":[{"},
		{{NULL}, "/healthz", FLANNEL_NODE_READY, "200 " TEXT, "flanneld is running\n"},
		{{NULL}, "/healthz", FLANNEL_NODE_CONFIG, "200 " TEXT, "flanneld is running\n"},
		{{NULL}, "/readyz", FLANNEL_NODE_READY, "200 " TEXT, "flanneld is ready\n"},
		{{NULL}, "/readyz", FLANNEL_NODE_CONFIG, "503 " TEXT, "flanneld is not ready yet\n"},
		{{"-I"}, "/healthz", FLANNEL_NODE_READY, "200 " TEXT, "HTTP/1.1 200 OK"},
		{{"-0"}, "/healthz", FLANNEL_NODE_READY, "200 " TEXT, "flanneld is running"},
		{{NULL}, "/", FLANNEL_NODE_READY, "404 " JSON, "{\"error\":\"no such path"},
		{{NULL}, "/v1/status/", FLANNEL_NODE_READY, "404 " JSON, "{\"error\":"},
		{{NULL}, "/v1/../healthz", FLANNEL_NODE_READY, "404 " JSON, "{\"error\":"},
		{{"-X", "DELETE"}, "/nothing", FLANNEL_NODE_READY, "404 " JSON, "{\"error\":"},
		{{"-X", "DELETE"}, "/v1/leases", FLANNEL_NODE_READY, "405 " JSON, "only GET and HEAD"},
		{{"-X", "OPTIONS"}, "/v1/status", FLANNEL_NODE_READY, "405 " JSON, "{\"error\":"},
		{{"-i", "-X", "PUT"}, "/v1/status", FLANNEL_NODE_READY, "405 " JSON, "Allow: GET, HEAD"},
		{{"-d", "x=1"}, "/v1/status", FLANNEL_NODE_READY, "405 " JSON, "{\"error\":"},
		{{"-X", "GET", "-d", "body"}, "/healthz", FLANNEL_NODE_READY, "200 " TEXT, "flanneld is running"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const char *arguments[10] = {"--path-as-is", "-w", "\n%{http_code} %{content_type}"};
		struct fixture fixture;
		char buf[16384];
		char url[128];
		size_t n = 3;

		for (size_t k = 0; cases[i].arguments[k]; k++)
			arguments[n++] = cases[i].arguments[k];
		(void)snprintf(url, sizeof(url), "http://x%s", cases[i].path);
		arguments[n] = url;
		setup(&fixture);
		fixture.node.state = cases[i].state;
		start_control(&fixture);
		curl(&fixture, arguments, buf, sizeof(buf));
		cr_expect_not_null(strstr(buf, cases[i].body), "%s: %s", cases[i].path, buf);
		cr_expect_str_eq(strrchr(buf, '\n') + 1, cases[i].result, "%s: %s", cases[i].path, buf);
		teardown(&fixture);
	}
}

/* what probes over the network get: flannel's texts, and the reason once a node was ready and is not any more */
Test(cli_control, probes_get_texts_and_reasons)
{
	static const struct {
		const char *path;
		int state;
		bool was_ready;
		bool is_without_file;
		unsigned int status;
		const char *body;
	} cases[] = {
		{"/healthz", FLANNEL_NODE_CONFIG, false, false, 200, "flanneld is running"},
		{"/healthz", FLANNEL_NODE_FAILED, true, false, 200, "flanneld is running"},
		{"/readyz", FLANNEL_NODE_READY, true, false, 200, "flanneld is ready"},
		{"/readyz", FLANNEL_NODE_CONFIG, false, false, 503, "flanneld is not ready yet"},
		{"/readyz", FLANNEL_NODE_FAILED, false, false, 503, "flanneld is not ready yet"},
		{"/readyz", FLANNEL_NODE_FAILED, true, false, 503, "flanneld is not ready any more: gave up"},
		{"/readyz", FLANNEL_NODE_READY, true, true, 503, "flanneld is not ready any more: subnet file "},
		{"/", FLANNEL_NODE_READY, true, false, 404, "404 page not found\n"},
		{"/v1/status", FLANNEL_NODE_READY, true, false, 404, "404 page not found\n"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct http_reply reply = {0};
		struct fixture fixture;

		setup(&fixture);
		fixture.node.state = cases[i].state;
		fixture.source.was_ready = cases[i].was_ready;
		if (cases[i].is_without_file)
			cr_assert_eq(unlink(fixture.subnet_file), 0);
		health_answer(&fixture.source, cases[i].path, "GET", &reply);
		cr_expect_eq(reply.status, cases[i].status, "case %zu: %u", i, reply.status);
		cr_expect_str_eq(reply.type, TEXT, "case %zu", i);
		cr_expect_eq(reply.len, strlen(reply.body), "case %zu", i);
		cr_expect_eq(strncmp(reply.body, cases[i].body, strlen(cases[i].body)), 0, "case %zu: %s", i,
			     reply.body);
		free(reply.body);
		teardown(&fixture);
	}
}

/* the line for the service manager */
Test(cli_control, summary)
{
	static const struct {
		int state;
		const char *store_error;
		bool is_without_lease;
		const char *text;
	} cases[] = {
		{FLANNEL_NODE_READY, NULL, false, "Ready: 10.244.1.0/24 on eth0"},
		{FLANNEL_NODE_READY, "disk full", false, "Ready, but the store does not answer: "},
		{FLANNEL_NODE_READY, NULL, true, "Not ready: the lease is lost"},
		{FLANNEL_NODE_CONFIG, NULL, true, "Not ready: waits for the network configuration in the store"},
		{FLANNEL_NODE_FAILED, NULL, false, "Failed: gave up"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct fixture fixture;
		char text[64];

		setup(&fixture);
		fixture.node.state = cases[i].state;
		if (cases[i].is_without_lease)
			fixture.node.lease = flannel_lease_unref(fixture.node.lease);
		if (cases[i].store_error)
			fixture.source.store_error = make_error(-EIO, cases[i].store_error);
		status_get_summary(&fixture.source, text, sizeof(text));
		cr_expect_eq(strncmp(text, cases[i].text, strlen(cases[i].text)), 0, "case %zu: %s", i, text);
		fixture.source.store_error = flannel_error_unref(fixture.source.store_error);
		teardown(&fixture);
	}
}

/* connects to the control socket */
static int connect_raw(const struct fixture *fixture)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	strcpy(address.sun_path, fixture->socket);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* sends bytes, then reads the whole answer until the daemon closes */
static void exchange_raw(struct fixture *fixture, const char *request, size_t len, char *buf, size_t size)
{
	int fd = connect_raw(fixture);

	cr_assert_eq(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
	read_to_end(fixture->control, fd, buf, size);
	close(fd);
}

#define RAW(text) text, sizeof(text) - 1

Test(cli_control, malformed_requests_are_refused_and_harm_nothing)
{
	static const struct {
		const char *request;
		size_t len;
		const char *answer; /* how it begins; "" if the connection is just closed */
	} cases[] = {
		{RAW("GARBAGE\r\n\r\n"), ""},
		{RAW("GET /healthz HTTP/1.1\r\nbad header\r\n\r\n"), "HTTP/1.1 400"},
		{RAW("GET /healthz HTTP/1.1\r\n\r\n"), "HTTP/1.1 400"}, /* no Host */
		{RAW("GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n"), "HTTP/1.1 505"},
		{RAW("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"), "HTTP/1.1 400"},
		{RAW("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"),
		 "HTTP/1.1 4"},
		{RAW("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"), "HTTP/1.1 405"},
		{RAW("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 200"},
	};
	struct fixture fixture;
	char buf[4096];

	setup(&fixture);
	start_control(&fixture);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		exchange_raw(&fixture, cases[i].request, cases[i].len, buf, sizeof(buf));
		cr_expect_eq(strncmp(buf, cases[i].answer, strlen(cases[i].answer)), 0, "case %zu: %s", i, buf);
		cr_expect(*cases[i].answer || !*buf, "case %zu: %s", i, buf);
	}
	teardown(&fixture);
}

Test(cli_control, clients_that_leave_early_are_forgotten_at_once)
{
	static const char *const beginnings[] = {"",
						 "\r\n",
						 "\001\002\r\n\r\n",
						 "G",
						 "GET",
						 "GET /healthz HTTP/1.1\r\n",
						 "GET /healthz HTTP/1.1\r\nHost: x"};
	struct fixture fixture;

	setup(&fixture);
	start_control(&fixture);
	for (size_t i = 0; i < N_ELEMENTS(beginnings); i++) {
		int fd = connect_raw(&fixture);
		size_t len = strlen(beginnings[i]);
		time_t started;

		cr_assert_eq(send(fd, beginnings[i], len, MSG_NOSIGNAL), (ssize_t)len);
		(void)turn(fixture.control, -1);
		cr_expect_geq(http_server_get_timeout_ms(fixture.control), 0, "connected");
		close(fd);
		started = time(NULL);
		while (http_server_get_timeout_ms(fixture.control) >= 0)
			(void)turn(fixture.control, -1);
		cr_expect_lt(time(NULL) - started, 3, "case %zu waited for the idle time", i);
	}
	teardown(&fixture);
}

Test(cli_control, long_requests_are_refused)
{
	static const struct {
		const char *head;
		const char *answer;
	} cases[] = {
		{"GET /", "HTTP/1.1 414"},
		{"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ", "HTTP/1.1 431"},
	};
	const size_t len = (size_t)64 * 1024;
	struct fixture fixture;

	setup(&fixture);
	start_control(&fixture);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP_FREE char *request = malloc(len);
		char buf[4096];

		memset(request, 'x', len);
		memcpy(request, cases[i].head, strlen(cases[i].head));
		exchange_raw(&fixture, request, len, buf, sizeof(buf));
		cr_expect_eq(strncmp(buf, cases[i].answer, strlen(cases[i].answer)), 0, "case %zu: %s", i, buf);
	}
	teardown(&fixture);
}

Test(cli_control, nothing_wakes_the_loop_while_nobody_is_connected)
{
	static const char *const arguments[] = {"http://x/healthz", NULL};
	struct fixture fixture;
	char buf[256];

	setup(&fixture);
	start_control(&fixture);
	cr_expect_eq(http_server_get_timeout_ms(fixture.control), -1);
	curl(&fixture, arguments, buf, sizeof(buf));
	/* curl has gone; its connection goes at the latest with the next turns */
	for (int i = 0; i < 10 && http_server_get_timeout_ms(fixture.control) >= 0; i++)
		(void)turn(fixture.control, -1);
	cr_expect_eq(http_server_get_timeout_ms(fixture.control), -1);
	teardown(&fixture);
}

Test(cli_control, silent_clients_do_not_keep_others_out)
{
	static const char *const arguments[] = {"http://x/healthz", NULL};
	struct fixture fixture;
	char buf[256];
	int silent[4];

	setup(&fixture);
	start_control(&fixture);
	for (size_t i = 0; i < N_ELEMENTS(silent); i++)
		silent[i] = connect_raw(&fixture);
	curl(&fixture, arguments, buf, sizeof(buf));
	cr_expect_str_eq(buf, "flanneld is running");
	cr_expect_geq(http_server_get_timeout_ms(fixture.control), 0, "they are closed in time");
	for (size_t i = 0; i < N_ELEMENTS(silent); i++)
		close(silent[i]);
	teardown(&fixture);
}
