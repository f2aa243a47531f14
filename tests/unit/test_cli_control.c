/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket: what curl and probes get, and clients that do not behave. */
#include <criterion/criterion.h>

#include "cli_node.h"

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
