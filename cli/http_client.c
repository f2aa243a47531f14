/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http_client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "cleanup.h"

/* what has arrived; text has room for one more byte than size says */
struct buffer {
	char *text;
	size_t len;
	size_t size;
};

/* is it one of 0 to 9, whatever the locale */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK": the three digits */
static int parse_status_line(const char *line, size_t len, int *ret_status)
{
	const size_t at = strlen("HTTP/1.1 ");
	int status;

	if (len < at + 3 || (memcmp(line, "HTTP/1.1 ", at) != 0 && memcmp(line, "HTTP/1.0 ", at) != 0))
		return -EBADMSG;
	if (!is_digit(line[at]) || !is_digit(line[at + 1]) || !is_digit(line[at + 2]))
		return -EBADMSG;
	if (len > at + 3 && line[at + 3] != ' ')
		return -EBADMSG;
	status = (line[at] - '0') * 100 + (line[at + 1] - '0') * 10 + (line[at + 2] - '0');
	if (status < 100 || status > 599)
		return -EBADMSG;
	*ret_status = status;
	return 0;
}

/* a decimal number and nothing else */
static int parse_length(const char *text, size_t len, size_t *ret_number)
{
	size_t number = 0;

	if (len == 0)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return -EBADMSG;
		number = number * 10 + (size_t)(text[i] - '0');
		if (number > HTTP_MAX_BODY)
			return -EMSGSIZE;
	}
	*ret_number = number;
	return 0;
}

/* one "Name: value" line; *length_seen and head->content_len are for Content-Length, which may be there once */
static int parse_header(const char *line, size_t len, struct http_head *head, bool *length_seen)
{
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : 0;
	const char *value;
	size_t value_len;

	if (name_len == 0 || memchr(line, ' ', name_len) || memchr(line, '\t', name_len))
		return -EBADMSG;
	value = colon + 1;
	value_len = len - name_len - 1;
	while (value_len && (*value == ' ' || *value == '\t')) {
		value++;
		value_len--;
	}
	while (value_len && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
		value_len--;
	if (name_len == strlen("Transfer-Encoding") && strncasecmp(line, "Transfer-Encoding", name_len) == 0)
		return -EOPNOTSUPP;
	if (name_len != strlen("Content-Length") || strncasecmp(line, "Content-Length", name_len) != 0)
		return 0;
	if (*length_seen)
		return -EBADMSG;
	*length_seen = true;
	return parse_length(value, value_len, &head->content_len);
}

/* the lines of a complete head */
static int parse_lines(const char *text, struct http_head *head)
{
	const char *end = text + head->len - 2; /* the empty line */
	const char *line = text;
	bool length_seen = false;
	int r;

	if (memchr(text, '\0', head->len))
		return -EBADMSG;
	while (line < end) {
		const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);

		if (!next || memchr(line, '\n', (size_t)(next - line)))
			return -EBADMSG;
		if (line == text)
			r = parse_status_line(line, (size_t)(next - line), &head->status);
		else
			r = parse_header(line, (size_t)(next - line), head, &length_seen);
		if (r < 0)
			return r;
		line = next + 2;
	}
	return length_seen ? 0 : -EOPNOTSUPP;
}

int http_parse_head(const char *text, size_t len, struct http_head *ret_head)
{
	struct http_head head = {0};
	const char *end = memmem(text, len, "\r\n\r\n", 4);
	int r;

	if (!end) {
		if (memcmp(text, "HTTP/1.", len < 7 ? len : 7) != 0)
			return -EBADMSG;
		return len >= HTTP_MAX_HEAD ? -EMSGSIZE : 0;
	}
	head.len = (size_t)(end - text) + 4;
	if (head.len > HTTP_MAX_HEAD)
		return -EMSGSIZE;
	r = parse_lines(text, &head);
	if (r < 0)
		return r;
	*ret_head = head;
	return 1;
}

/* CLOCK_MONOTONIC in milliseconds */
static uint64_t now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* waits until the socket is ready or the time is over */
static int wait_for(int fd, short events, uint64_t deadline)
{
	struct pollfd polled = {.fd = fd, .events = events};

	for (;;) {
		uint64_t now = now_ms();
		int n = now >= deadline ? 0 : poll(&polled, 1, (int)(deadline - now));

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* connects; a listener whose queue is full is waited for, too */
static int open_socket(const char *path, unsigned int deadline_ms, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = deadline_ms / 1000, .tv_usec = (suseconds_t)(deadline_ms % 1000) * 1000};
	CLEANUP_CLOSE int fd = -1;
	size_t len = strlen(path);

	if (len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* sends everything */
static int send_all(int fd, const char *text, size_t len, uint64_t deadline)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(fd, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

/* makes room for want bytes and a final zero */
static int buffer_reserve(struct buffer *buffer, size_t want)
{
	char *text;

	if (buffer->size >= want)
		return 0;
	text = realloc(buffer->text, want + 1);
	if (!text)
		return -ENOMEM;
	buffer->text = text;
	buffer->size = want;
	return 0;
}

/* receives once into the room that is left: bytes, 0 at the end, or negative errno */
static ssize_t buffer_receive(struct buffer *buffer, int fd, uint64_t deadline)
{
	for (;;) {
		ssize_t n = recv(fd, buffer->text + buffer->len, buffer->size - buffer->len, MSG_DONTWAIT);
		int r;

		if (n >= 0) {
			buffer->len += (size_t)n;
			return n;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(fd, POLLIN, deadline);
		if (r < 0)
			return r;
	}
}

/* receives up to the end of the head, which it parses */
static int receive_head(struct buffer *buffer, int fd, uint64_t deadline, struct http_head *ret_head)
{
	int r = buffer_reserve(buffer, HTTP_MAX_HEAD);
	ssize_t n;

	while (r == 0) {
		n = buffer_receive(buffer, fd, deadline);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EBADMSG;
		r = http_parse_head(buffer->text, buffer->len, ret_head);
	}
	return r < 0 ? r : 0;
}

/* receives as many bytes as the head announced */
static int receive_body(struct buffer *buffer, int fd, uint64_t deadline, const struct http_head *head)
{
	int r = buffer_reserve(buffer, head->len + head->content_len);

	if (r < 0)
		return r;
	while (buffer->len < head->len + head->content_len) {
		ssize_t n = buffer_receive(buffer, fd, deadline);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EBADMSG;
	}
	return 0;
}

/* sends the request and receives the response into buffer */
static int exchange(int fd, const char *path, uint64_t deadline, struct buffer *buffer, struct http_head *ret_head)
{
	CLEANUP_FREE char *request = NULL;
	int len = asprintf(&request, "GET %s HTTP/1.1\r\nHost: flanneld\r\nConnection: close\r\n\r\n", path);
	int r;

	if (len < 0) {
		request = NULL;
		return -ENOMEM;
	}
	r = send_all(fd, request, (size_t)len, deadline);
	if (r == 0)
		r = receive_head(buffer, fd, deadline, ret_head);
	if (r == 0)
		r = receive_body(buffer, fd, deadline, ret_head);
	return r;
}

int http_get(const char *socket_path, const char *path, unsigned int deadline_ms, struct http_response *ret_response,
	     enum http_stage *ret_stage)
{
	uint64_t deadline = now_ms() + deadline_ms;
	CLEANUP_CLOSE int fd = -1;
	struct http_head head = {0};
	struct buffer buffer = {0};
	int r = open_socket(socket_path, deadline_ms, &fd);

	*ret_stage = HTTP_CONNECT;
	if (r < 0)
		return r;
	*ret_stage = HTTP_ANSWER;
	r = exchange(fd, path, deadline, &buffer, &head);
	if (r < 0) {
		free(buffer.text);
		return r;
	}
	memmove(buffer.text, buffer.text + head.len, head.content_len);
	buffer.text[head.content_len] = '\0';
	*ret_response = (struct http_response){.status = head.status, .body = buffer.text, .len = head.content_len};
	return 0;
}
