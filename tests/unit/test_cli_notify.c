/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "netconf_file.h"
#include "notify.h"

/* a datagram socket bound to name, a path or "@abstract" */
static int bind_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t len = strlen(name);

	cr_assert_geq(fd, 0);
	memcpy(address.sun_path, name, len);
	if (*name == '@')
		address.sun_path[0] = '\0';
	len += offsetof(struct sockaddr_un, sun_path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, (socklen_t)len), 0);
	return fd;
}

Test(cli_notify, sends_to_paths_and_abstract_names)
{
	char directory[] = "/tmp/flannel-notify-XXXXXX";
	char names[2][64];

	cr_assert_not_null(mkdtemp(directory));
	(void)snprintf(names[0], sizeof(names[0]), "%s/notify", directory);
	(void)snprintf(names[1], sizeof(names[1]), "@flannel-notify-%ld", (long)getpid());
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		char text[32] = "";
		int fd = bind_at(names[i]);

		cr_expect_eq(notify_send(names[i], "READY=1", 0), 1, "%s", names[i]);
		cr_expect_eq(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 7);
		cr_expect_str_eq(text, "READY=1");
		close(fd);
	}
	cr_expect_eq(unlink(names[0]), 0);
	cr_expect_eq(rmdir(directory), 0);
}

/* a receiver that does not read must not stop the daemon; one that reads late gets what matters */
Test(cli_notify, full_queue)
{
	char name[64];
	int fd, n = 0, r;

	(void)snprintf(name, sizeof(name), "@flannel-notify-%ld", (long)getpid());
	fd = bind_at(name);
	while ((r = notify_send(name, "STATUS=x", 0)) == 1)
		cr_assert_lt(++n, 100000);
	cr_expect_eq(r, -EAGAIN);
	cr_expect_eq(notify_send(name, "READY=1", 20), -EAGAIN);
	close(fd);
}

Test(cli_notify, nobody_asked_or_nobody_there)
{
	char name[200];

	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	cr_expect_eq(notify_send(NULL, "READY=1", 0), 0);
	cr_expect_eq(notify_send("", "READY=1", 0), 0);
	cr_expect_eq(notify_send("relative", "READY=1", 0), -EAFNOSUPPORT);
	cr_expect_eq(notify_send("/nonexistent/notify", "READY=1", 0), -ENOENT);
	cr_expect_eq(notify_send(name, "READY=1", 0), -ENAMETOOLONG);
}

Test(cli_notify, log_lines_have_the_form_that_users_parse)
{
	static const struct {
		enum flannel_log_level level;
		char severity;
		bool written;
	} cases[] = {
		{FLANNEL_LOG_ERROR, 'E', true},
		{FLANNEL_LOG_WARNING, 'W', true},
		{FLANNEL_LOG_INFO, 'I', true},
		{FLANNEL_LOG_DEBUG, 'I', false},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int pipe_fds[2];
		struct logger logger = {.level = FLANNEL_LOG_INFO};
		char line[256] = "";
		char expected[64];
		int month, day, hour, minute, second, micro, pid, at = 0;
		char severity = 0;

		cr_assert_eq(pipe2(pipe_fds, O_NONBLOCK), 0);
		logger.fd = pipe_fds[1];
		logger_write(&logger, cases[i].level, "node", "a\nb\033[31m%s", "c");
		if (!cases[i].written) {
			cr_expect_eq(read(pipe_fds[0], line, sizeof(line)), -1);
		} else {
			cr_assert_gt(read(pipe_fds[0], line, sizeof(line) - 1), 0);
			cr_expect_eq(sscanf(line, "%c%2d%2d %2d:%2d:%2d.%6d %7d node] %n", &severity, &month, &day,
					    &hour, &minute, &second, &micro, &pid, &at),
				     8, "%s", line);
			cr_expect_eq(severity, cases[i].severity, "%s", line);
			cr_expect_eq(pid, getpid());
			cr_expect_str_eq(line + at, "a b [31mc\n", "control characters are blanks: %s", line);
			(void)snprintf(expected, sizeof(expected), " %7d node] ", getpid());
			cr_expect_eq(strncmp(line + strlen("I1123 07:30:01.123456"), expected, strlen(expected)), 0,
				     "%s", line);
		}
		close(pipe_fds[0]);
		close(pipe_fds[1]);
	}
}

Test(cli_notify, log_lines_are_cut_not_split)
{
	CLEANUP_FREE char *text = malloc(20000);
	CLEANUP_FREE char *line = calloc(1, 20000);
	struct logger logger = {.level = FLANNEL_LOG_INFO};
	int pipe_fds[2];
	ssize_t len;

	cr_assert_eq(pipe2(pipe_fds, O_NONBLOCK), 0);
	memset(text, 'x', 19999);
	text[19999] = '\0';
	logger.fd = pipe_fds[1];
	logger_write(&logger, FLANNEL_LOG_INFO, "node", "%s", text);
	len = read(pipe_fds[0], line, 20000);
	cr_expect_eq(len, 4095);
	cr_expect_eq(strchr(line, '\n'), line + len - 1);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* a file of the test's own with n bytes of c */
static void write_file(const char *path, char c, size_t n)
{
	FILE *stream = fopen(path, "we");

	cr_assert_not_null(stream);
	while (n--)
		(void)fputc(c, stream);
	cr_assert_eq(fclose(stream), 0);
}

Test(cli_notify, net_config_files)
{
	static const struct {
		char byte;
		size_t n;
		int r;
	} cases[] = {{'x', 0, 0}, {'x', 10, 0}, {'x', 1 << 20, 0}, {'x', (1 << 20) + 1, -EFBIG}, {'\0', 3, -EINVAL}};
	char path[] = "/tmp/flannel-netconf-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP_ERROR struct flannel_error *error = NULL;
		CLEANUP_FREE char *text = NULL;

		write_file(path, cases[i].byte, cases[i].n);
		cr_expect_eq(netconf_file_read(path, &text, &error), cases[i].r, "case %zu", i);
		cr_expect_eq(text != NULL, cases[i].r == 0);
		if (text)
			cr_expect_eq(strlen(text), cases[i].n);
		else
			cr_expect_not_null(strstr(flannel_error_get_message(error), path));
	}
	cr_expect_eq(unlink(path), 0);
	cr_expect_eq(netconf_file_read(path, &(char *){NULL}, NULL), -ENOENT);
	cr_expect_eq(netconf_file_read("/tmp", &(char *){NULL}, NULL), -EISDIR);
}
