/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_TESTS_NETNS_SANDBOX_H
#define FL_TESTS_NETNS_SANDBOX_H

/*
 * What tests in namespaces share: a test's process moves into a network namespace of its own, which ends with it, and looks at
 * the kernel with other programs' eyes (ip, bridge, jq). Include after <criterion/criterion.h>.
 */

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <flannel/prefix.h>

#include "base/error.h"

/* runs a shell command, which must succeed if it has to; returns what it printed, without the final newline, to be freed */
static inline char *sandbox_shell(bool must_succeed, const char *command)
{
	char *text = calloc(1, 65536);
	FILE *pipe;
	size_t n;
	int status;

	cr_assert_not_null(text);
	pipe = popen(command, "re");
	cr_assert_not_null(pipe, "popen: %s", command);
	n = fread(text, 1, 65535, pipe);
	status = pclose(pipe);
	cr_assert(!must_succeed || status == 0, "command failed (%d): %s", status, command);
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	return text;
}

/* runs a command that must succeed */
static inline void __attribute__((format(printf, 1, 2))) sandbox_run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	free(sandbox_shell(true, command));
}

/* compares what a command prints */
static inline void __attribute__((format(printf, 2, 3))) sandbox_expect(const char *expected, const char *format, ...)
{
	char command[1024], *text;
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	text = sandbox_shell(false, command);
	cr_expect_str_eq(text, expected, "%s\n  gave     %s\n  expected %s", command, text, expected);
	free(text);
}

/* moves this process into a namespace of its own, with lo up */
static inline void sandbox_enter(void)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "this test needs root");
	sandbox_run("ip link set lo up");
}

/* one more namespace, as a descriptor; this process stays where it is. Programs reach it by sandbox_in(). */
static inline int sandbox_new_netns(void)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	cr_assert_geq(own, 0);
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(setns(own, CLONE_NEWNET), 0);
	close(own);
	return fd;
}

/* what to put before a command that shall run in that namespace; buf has 64 bytes */
static inline const char *sandbox_in(int netns_fd, char *buf)
{
	snprintf(buf, 64, "nsenter --net=/proc/%d/fd/%d", (int)getpid(), netns_fd);
	return buf;
}

/* open descriptors of this process */
static inline int sandbox_count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int n = 0;

	cr_assert_not_null(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* compares an error's code and a part of its message, and drops it */
static inline void sandbox_expect_error(struct flannel_error **error, int code, const char *part)
{
	cr_assert_not_null(*error, "no error where \"%s\" was expected", part);
	cr_expect_eq(flannel_error_get_code(*error), code, "code %d, expected %d", flannel_error_get_code(*error),
		     code);
	cr_expect_not_null(strstr(flannel_error_get_message(*error), part), "\"%s\" lacks \"%s\"",
			   flannel_error_get_message(*error), part);
	*error = flannel_error_unref(*error);
}

/* fails with the error's own words */
#define sandbox_assert_ok(r, error) cr_assert((r) >= 0, "%d: %s", (int)(r), flannel_error_get_message(error))

/* a prefix from text */
static inline struct flannel_prefix sandbox_prefix(const char *text)
{
	struct flannel_prefix prefix;

	cr_assert_eq(flannel_prefix_parse(text, &prefix), 0, "not a prefix: %s", text);
	return prefix;
}

#endif
