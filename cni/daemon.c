/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "decode.h"

#define SOCKET_NAME "flanneld.sock"

/* how long flanneld is listened to, and how much it may say, bytes */
#define WAIT_MSEC 1000
#define ANSWER_MAX 1048576

/* the socket beside the subnet file, which is where flanneld has it by default; -1 if the path is too long */
static int make_address(const char *subnet_file, struct sockaddr_un *ret_address)
{
	const char *slash = strrchr(subnet_file, '/');
	int len = slash ? (int)(slash - subnet_file + 1) : 0;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%.*s%s", len, subnet_file, SOCKET_NAME);

	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -1;
	*ret_address = address;
	return 0;
}

/* milliseconds of CLOCK_MONOTONIC */
static int64_t now_msec(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* asks for the status, and reads until flanneld closes: the length of the answer, 0 if none came in time */
static size_t ask(int fd, char *answer)
{
	const char question[] = "GET /v1/status HTTP/1.1\r\nHost: flanneld\r\nConnection: close\r\n\r\n";
	const int64_t deadline = now_msec() + WAIT_MSEC;
	size_t len = 0;
	ssize_t n = send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n != (ssize_t)sizeof(question) - 1)
		return 0;
	while (len < ANSWER_MAX) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - now_msec();

		if (left <= 0 || poll(&readable, 1, (int)left) <= 0)
			return 0;
		n = recv(fd, answer + len, ANSWER_MAX - len, MSG_DONTWAIT);
		if (n == 0)
			return len;
		if (n < 0)
			return 0;
		len += (size_t)n;
	}
	return 0;
}

/* the reason in an answer, malloc()ed; NULL if there is none */
static char *find_reason(const char *answer, size_t len)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *status = NULL;
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	const char *body = memmem(answer, len, "\r\n\r\n", 4);
	const char *reason = "";

	if (!body)
		return NULL;
	body += 4;
	if (cni_json_parse(body, len - (size_t)(body - answer), &status, &ignored) < 0 ||
	    !json_object_is_type(status, json_type_object) ||
	    cni_get_string(status, "", "reason", &reason, &ignored) < 0 || reason[0] == '\0')
		return NULL;
	return strdup(reason);
}

int cni_daemon_explain(const char *subnet_file, struct cni_error *error)
{
	CNI_CLEANUP(cni_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CNI_CLEANUP(cni_freep) char *answer = malloc(ANSWER_MAX);
	CNI_CLEANUP(cni_freep) char *reason = NULL;
	struct sockaddr_un address;

	if (fd < 0 || !answer || make_address(subnet_file, &address) < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return cni_append(error, "; nobody answers at %s: %s", address.sun_path, strerror(errno));
	reason = find_reason(answer, ask(fd, answer));
	return cni_append(error, "; flanneld runs%s%s", reason ? ": " : ", but does not say why", reason ? reason : "");
}
