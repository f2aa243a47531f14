/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What flannelctl is made of: the HTTP client, the table, and the rendering of the daemon's JSON. */
#include <criterion/criterion.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cleanup.h"
#include "http_client.h"
#include "render.h"
#include "table.h"

Test(cli_flannelctl, heads_are_read_strictly)
{
	static const struct {
		const char *text;
		int r;
		int status;
		size_t content_len;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 1, 200, 5},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1, 200, 5},
		{"HTTP/1.0 404 Not Found\r\ncontent-length:0\r\n\r\n", 1, 404, 0},
		{"HTTP/1.1 200\r\nContent-Length: \t 7 \t\r\nX: y\r\n\r\n", 1, 200, 7},
		{"", 0, 0, 0},
		{"HTT", 0, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", 0, 0, 0},
		{"HTTP/1.1 200 OK\r\n\r\n", -EOPNOTSUPP, 0, 0},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", -EOPNOTSUPP, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\ntransfer-encoding: gzip\r\n\r\n", -EOPNOTSUPP, 0, 0},
		{"SSH-2.0-x\r\n", -EBADMSG, 0, 0},
		{"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 20x OK\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 600 OK\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5,5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 5\r\n\r\n", -EBADMSG, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", -EMSGSIZE, 0, 0},
		{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n", -EMSGSIZE, 0, 0},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct http_head head = {0};
		/* exactly as long as it says, so that reading beyond is noticed */
		size_t len = strlen(cases[i].text);
		CLEANUP_FREE char *text = memcpy(malloc(len ? len : 1), cases[i].text, len);
		int r = http_parse_head(text, len, &head);

		cr_expect_eq(r, cases[i].r, "case %zu: %d", i, r);
		cr_expect_eq(head.status, cases[i].status, "case %zu", i);
		cr_expect_eq(head.content_len, cases[i].content_len, "case %zu", i);
	}
}

Test(cli_flannelctl, heads_have_a_limit)
{
	static const char with_zero[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\0: x\r\n\r\n";
	const size_t size = HTTP_MAX_HEAD + 100;
	CLEANUP_FREE char *text = malloc(size);
	struct http_head head;

	memset(text, 'x', size);
	memcpy(text, "HTTP/1.1 200 OK\r\nX: ", 20);
	cr_expect_eq(http_parse_head(text, HTTP_MAX_HEAD - 1, &head), 0);
	cr_expect_eq(http_parse_head(text, HTTP_MAX_HEAD, &head), -EMSGSIZE);
	memcpy(text + size - 4, "\r\n\r\n", 4);
	cr_expect_eq(http_parse_head(text, size, &head), -EMSGSIZE);
	cr_expect_eq(http_parse_head(with_zero, sizeof(with_zero) - 1, &head), -EBADMSG);
}

/* a socket in a directory of the test's own */
struct place {
	char directory[64];
	char socket[128];
};

/* makes the directory */
static void setup(struct place *place)
{
	strcpy(place->directory, "/tmp/flannel-ctl-XXXXXX");
	cr_assert_not_null(mkdtemp(place->directory));
	(void)snprintf(place->socket, sizeof(place->socket), "%s/s", place->directory);
}

/* removes all traces */
static void teardown(struct place *place)
{
	(void)unlink(place->socket);
	cr_expect_eq(rmdir(place->directory), 0);
}

/* listens on the socket */
static int listen_at(const struct place *place)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, place->socket);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

/* in a process of its own: reads a request and answers it with these bytes, one by one, then closes or stays */
static pid_t start_server(int listen_fd, const char *answer, bool stay)
{
	pid_t pid = fork();
	char request[512] = "";
	int fd;

	cr_assert_geq(pid, 0);
	if (pid > 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = accept(listen_fd, NULL, NULL);
	if (read(fd, request, sizeof(request) - 1) < 0)
		_exit(1);
	if (strcmp(request, "GET /x HTTP/1.1\r\nHost: flanneld\r\nConnection: close\r\n\r\n") != 0)
		_exit(2);
	for (; *answer; answer++)
		if (send(fd, answer, 1, MSG_NOSIGNAL) != 1)
			_exit(0);
	while (stay)
		(void)pause();
	_exit(0);
}

Test(cli_flannelctl, answers_are_read_whole_or_refused)
{
	static const struct {
		const char *answer;
		bool stay;
		unsigned int deadline_ms;
		int r;
		const char *body;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 5000, 0, "hello"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, 5000, 0, "hello"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 5000, 0, ""},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", false, 5000, 0, "he"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", false, 5000, -EBADMSG, NULL},
		{"HTTP/1.1 200 OK\r\nContent-Len", false, 5000, -EBADMSG, NULL},
		{"", false, 5000, -EBADMSG, NULL},
		{"hello", false, 5000, -EBADMSG, NULL},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", true, 100, -ETIMEDOUT, NULL},
		{"HTTP/1.1 200 OK\r\n", true, 100, -ETIMEDOUT, NULL},
		{"", true, 100, -ETIMEDOUT, NULL},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct http_response response = {0};
		enum http_stage stage;
		struct place place;
		int listen_fd;
		int status;
		pid_t server;
		int r;

		setup(&place);
		listen_fd = listen_at(&place);
		server = start_server(listen_fd, cases[i].answer, cases[i].stay);
		r = http_get(place.socket, "/x", cases[i].deadline_ms, &response, &stage);
		cr_expect_eq(r, cases[i].r, "case %zu: %d", i, r);
		cr_expect_eq(stage, HTTP_ANSWER);
		if (cases[i].body) {
			cr_expect_eq(response.status, 200);
			cr_expect_eq(response.len, strlen(cases[i].body));
			cr_expect_str_eq(response.body, cases[i].body, "case %zu", i);
		}
		free(response.body);
		if (cases[i].stay)
			(void)kill(server, SIGKILL);
		cr_assert_eq(waitpid(server, &status, 0), server);
		cr_expect(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "case %zu: server %d", i, status);
		close(listen_fd);
		teardown(&place);
	}
}

Test(cli_flannelctl, no_daemon_is_told_from_a_bad_one)
{
	struct http_response response = {0};
	enum http_stage stage = HTTP_ANSWER;
	struct place place;
	char name[200];

	setup(&place);
	cr_expect_eq(http_get(place.socket, "/x", 1000, &response, &stage), -ENOENT);
	cr_expect_eq(stage, HTTP_CONNECT);
	close(listen_at(&place));
	cr_expect_eq(http_get(place.socket, "/x", 1000, &response, &stage), -ECONNREFUSED);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	cr_expect_eq(http_get(name, "/x", 1000, &response, &stage), -ENAMETOOLONG);
	cr_expect_null(response.body);
	teardown(&place);
}

/* what a table looks like; malloc()ed */
static char *print_table(const struct table *table, const char *indent)
{
	char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	table_print(table, indent, stream);
	cr_assert_eq(fclose(stream), 0);
	return text;
}

Test(cli_flannelctl, tables_are_aligned)
{
	struct table *table = table_new(3, (const char *[]){"A", "LONGER", "C"});
	char *text;

	cr_assert_not_null(table);
	cr_expect_eq(table_add(table, (const char *[]){"first", "x", "end"}), 0);
	cr_expect_eq(table_add(table, (const char *[]){"\xc3\xa4\xc3\xb6", NULL, ""}), 0);
	text = print_table(table, "> ");
	cr_expect_str_eq(text, "> A      LONGER  C\n"
			       "> first  x       end\n"
			       "> \xc3\xa4\xc3\xb6     -       -\n");
	free(text);
	cr_expect_null(table_free(table));
	cr_expect_null(table_free(NULL));
}

Test(cli_flannelctl, text_from_elsewhere_cannot_drive_the_terminal)
{
	static const struct {
		const char *text;
		const char *clean;
	} cases[] = {
		{"plain", "plain"},
		{"", ""},
		{"a\033[31mb", "a?[31mb"},
		{"a\nb\tc\rd", "a?b?c?d"},
		{"del\177", "del?"},
		{"csi\xc2\x9b"
		 "31m",
		 "csi??31m"},
		{"\xc3\xa4", "\xc3\xa4"},
		{"\xe2\x82\xac", "\xe2\x82\xac"},
		{"cut\xe2\x82", "cut??"},
		{"\xff\xc0\x80", "???"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP_FREE char *clean = table_clean(cases[i].text);

		cr_expect_str_eq(clean, cases[i].clean, "case %zu: %s", i, clean);
	}
}

Test(cli_flannelctl, durations)
{
	static const struct {
		int64_t sec;
		const char *text;
	} cases[] = {
		{0, "0s"},         {59, "59s"},     {60, "1m 0s"},
		{3599, "59m 59s"}, {3600, "1h 0m"}, {86399, "23h 59m"},
		{86400, "1d 0h"},  {-1, "-"},       {INT64_MAX, "106751991167300d 15h"},
	};
	char buf[32];

	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		cr_expect_str_eq(render_duration(cases[i].sec, buf, sizeof(buf)), cases[i].text);
}

static const char well[] =
	"{\"version\":\"0.1.0\",\"pid\":1234,\"uptime_sec\":3700,\"state\":\"ready\",\"ready\":true,\"health\":\"ok\","
	"\"reason\":null,\"store\":{\"name\":\"embedded\",\"path\":\"/l.db\",\"state\":\"ok\",\"error\":null},"
	"\"network\":{\"network\":\"10.244.0.0/16\",\"ipv6_network\":null,\"subnet_len\":24,\"backend\":\"host-gw\","
	"\"warnings\":[]},\"lease\":{\"subnet\":\"10.244.1.0/24\",\"ipv6_subnet\":null,\"public_ip\":\"192.0.2.1\","
	"\"public_ipv6\":null,\"expires\":\"2026-11-24T07:30:01Z\",\"expires_in_sec\":83520},"
	"\"underlay\":{\"interface\":\"eth0\",\"reason\":\"default route\",\"address\":\"192.0.2.1\",\"mtu\":1500},"
	"\"pod_mtu\":1450,\"subnet_file\":\"/run/flannel/subnet.env\",\"repairs\":2,\"last_failure\":null,"
	"\"peers\":{\"total\":3,\"ok\":1,\"failed\":1,\"ignored\":1,\"list\":["
	"{\"subnet\":\"10.244.2.0/"
	"24\",\"public_ip\":\"192.0.2.2\",\"backend\":\"host-gw\",\"state\":\"ok\",\"reason\":null},"
	"{\"subnet\":\"10.244.3.0/24\",\"public_ip\":\"192.0.2.3\",\"backend\":\"vxlan\",\"state\":\"ignored\","
	"\"reason\":\"other backend\"},"
	"{\"subnet\":\"10.244.4.0/24\",\"public_ip\":\"192.0.2.4\",\"backend\":\"host-gw\",\"state\":\"failed\","
	"\"reason\":\"add route: Nexthop has invalid gateway\"}]}}";

/* the status as people see it; malloc()ed */
static char *render(const char *json, bool colour, int *ret_result)
{
	struct json_object *object = json_tokener_parse(json);
	char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	cr_assert_not_null(object, "%s", json);
	*ret_result = render_status(object, colour, stream);
	cr_assert_eq(fclose(stream), 0);
	json_object_put(object);
	return text;
}

Test(cli_flannelctl, status_for_people)
{
	int result = -1;
	CLEANUP_FREE char *text = render(well, false, &result);

	cr_expect_eq(result, 0);
	cr_expect_str_eq(text,
			 "flannel: OK\n"
			 "\n"
			 "  daemon       version 0.1.0, pid 1234, up 1h 1m\n"
			 "  network      10.244.0.0/16\n"
			 "  backend      host-gw\n"
			 "  lease        10.244.1.0/24 as 192.0.2.1\n"
			 "  lease ends   in 23h 12m (2026-11-24T07:30:01Z)\n"
			 "  underlay     eth0 (192.0.2.1), chosen by: default route\n"
			 "  MTU          1450 for pods, 1500 on the underlay\n"
			 "  subnet file  /run/flannel/subnet.env\n"
			 "  store        embedded /l.db: answers\n"
			 "  repairs      2\n"
			 "  peers        3: 1 ok, 1 failed, 1 ignored\n"
			 "\n"
			 "PEER           PUBLIC IP  BACKEND  STATE    REASON\n"
			 "10.244.4.0/24  192.0.2.4  host-gw  failed   add route: Nexthop has invalid gateway\n"
			 "10.244.3.0/24  192.0.2.3  vxlan    ignored  other backend\n"
			 "10.244.2.0/24  192.0.2.2  host-gw  ok       -\n",
			 "%s", text);
}

/* what is wrong with the interface stands beside it, in words */
Test(cli_flannelctl, underlay_that_does_not_work)
{
	static const struct {
		const char *underlay, *line;
	} cases[] = {
		{"{\"interface\":\"eth0\",\"reason\":\"default "
		 "route\",\"address\":\"192.0.2.1\",\"state\":\"ok\",\"error\":null}",
		 "  underlay     eth0 (192.0.2.1), chosen by: default route\n"},
		{"{\"interface\":\"eth0\",\"reason\":\"--iface eth0\",\"address\":\"192.0.2.1\",\"state\":\"lost\","
		 "\"error\":{\"message\":\"underlay interface eth0: it is gone\",\"detail\":\"it is gone\"}}",
		 "  underlay     eth0 (192.0.2.1), chosen by: --iface eth0: DOES NOT WORK: it is gone\n"},
		{"{\"interface\":\"eth0\",\"reason\":\"x\",\"address\":\"192.0.2.1\",\"state\":\"lost\"}",
		 "  underlay     eth0 (192.0.2.1), chosen by: x: DOES NOT WORK\n"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP_FREE char *json = NULL, *text = NULL;
		int result = -1;

		cr_assert_geq(asprintf(&json, "{\"health\":\"degraded\",\"underlay\":%s}", cases[i].underlay), 0);
		text = render(json, false, &result);
		cr_expect(strstr(text, cases[i].line), "case %zu: %s", i, text);
	}
}

Test(cli_flannelctl, the_verdict_comes_first)
{
	static const struct {
		const char *json;
		bool colour;
		int result;
		const char *line;
	} cases[] = {
		{"{\"health\":\"ok\",\"reason\":null}", false, 0, "flannel: OK\n"},
		{"{\"health\":\"ok\"}", true, 0, "flannel: \033[32mOK\033[0m\n"},
		{"{\"health\":\"degraded\",\"reason\":\"the store\"}", false, 1, "flannel: DEGRADED: the store\n"},
		{"{\"health\":\"not-ready\",\"reason\":\"waits\"}", false, 1, "flannel: NOT READY: waits\n"},
		{"{\"health\":\"failed\",\"reason\":\"a\\u001bb\"}", false, 1, "flannel: FAILED: a?b\n"},
		{"{\"health\":\"failed\"}", true, 1, "flannel: \033[31mFAILED\033[0m\n"},
		{"{\"health\":\"splendid\"}", false, 1, "flannel: UNKNOWN\n"},
		{"{\"health\":7,\"reason\":[]}", false, 1, "flannel: UNKNOWN\n"},
		{"{}", false, 1, "flannel: UNKNOWN\n"},
		{"{\"health\":\"ok\",\"peers\":[],\"network\":3,\"lease\":\"x\",\"underlay\":[1],\"store\":null}",
		 false, 0, "flannel: OK\n"},
		{"{\"health\":\"ok\",\"peers\":{\"list\":[1,null,\"x\",{}]},\"network\":{\"warnings\":[1]}}", false, 0,
		 "flannel: OK\n"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int result = -1;
		CLEANUP_FREE char *text = render(cases[i].json, cases[i].colour, &result);

		cr_expect_eq(result, cases[i].result, "case %zu", i);
		cr_expect_eq(strncmp(text, cases[i].line, strlen(cases[i].line)), 0, "case %zu: %s", i, text);
	}
}

Test(cli_flannelctl, leases_for_people)
{
	struct json_object *object = json_tokener_parse(
		"{\"leases\":[{\"subnet\":\"10.244.1.0/24\",\"ipv6_subnet\":\"fd00:1::/"
		"64\",\"public_ip\":\"192.0.2.1\","
		"\"backend\":\"host-gw\",\"own\":true,\"expires\":\"2026-11-24T07:30:01Z\",\"expires_in_sec\":60},"
		"{\"subnet\":\"10.244.2.0/"
		"24\",\"public_ip\":\"192.0.2.2\",\"backend\":null,\"own\":false,\"expires\":null},"
		"{\"subnet\":\"10.244.3.0/24\",\"public_ip\":\"192.0.2.3\",\"own\":false,"
		"\"expires\":\"2026-11-22T07:30:01Z\",\"expires_in_sec\":-5}]}");
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	cr_assert_not_null(object);
	cr_expect_eq(render_leases(object, stream), 0);
	cr_assert_eq(fclose(stream), 0);
	json_object_put(object);
	cr_expect_str_eq(
		text,
		"SUBNET                      PUBLIC IP  BACKEND  OWNER      ENDS\n"
		"10.244.1.0/24, fd00:1::/64  192.0.2.1  host-gw  this node  in 1m 0s (2026-11-24T07:30:01Z)\n"
		"10.244.2.0/24               192.0.2.2  -        peer       never (reservation)\n"
		"10.244.3.0/24               192.0.2.3  -        peer       EXPIRED 5s ago (2026-11-22T07:30:01Z)\n",
		"%s", text);
}
