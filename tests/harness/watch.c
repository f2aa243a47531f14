/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Linked into every Criterion program, for what neither Criterion nor a sanitizer counts as a failure: a test that leaves a
 * descriptor open, and a test that is skipped. Reports are files beside those of the sanitizers, in the directory that
 * FLANNEL_TEST_REPORTS names.
 *
 * Criterion calls criterion_internal_test_setup() and _teardown() around each test, in the process of that test; ours stand
 * before its own.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/hooks.h>

#define FD_MAX 1024

/* what was open before the test; the process runs no other test and has no other use for it */
static bool open_before[FD_MAX];

/* the function of that name that ours hides */
static void *hidden(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function) {
		fprintf(stderr, "watch: Criterion has no %s any more\n", name);
		abort();
	}
	return function;
}

/* calls fn for each open descriptor but the one that lists them */
static void each_descriptor(void (*fn)(void *userdata, int fd), void *userdata)
{
	DIR *directory = opendir("/proc/self/fd");

	if (!directory)
		return;
	for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(directory) && fd < FD_MAX)
			fn(userdata, fd);
	}
	closedir(directory);
}

/* notes a descriptor as open before the test */
static void note(void *userdata, int fd)
{
	(void)userdata;
	open_before[fd] = true;
}

/* writes a line to the reports, and where the test's output goes */
static void __attribute__((format(printf, 1, 2))) report(const char *format, ...)
{
	const char *directory = getenv("FLANNEL_TEST_REPORTS");
	char path[PATH_MAX], line[2 * PATH_MAX];
	va_list arguments;
	FILE *file;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	fprintf(stderr, "%s\n", line);
	if (!directory)
		return;
	snprintf(path, sizeof(path), "%s/watch.%d", directory, (int)getpid());
	file = fopen(path, "ae");
	if (!file)
		return;
	fprintf(file, "%s\n", line);
	fclose(file);
}

/* reports a descriptor that is open after the test only */
static void report_left(void *userdata, int fd)
{
	char link[64], target[PATH_MAX];
	ssize_t len;

	(void)userdata;
	if (open_before[fd])
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	target[len < 0 ? 0 : len] = '\0';
	report("%s/%s left descriptor %d open: %s", criterion_current_test->category, criterion_current_test->name, fd,
	       target);
}

/* before a test and its .init */
void criterion_internal_test_setup(void)
{
	void (*setup)(void) = hidden("criterion_internal_test_setup");

	each_descriptor(note, NULL);
	setup();
}

/* after a test and its .fini */
void criterion_internal_test_teardown(void)
{
	void (*teardown)(void) = hidden("criterion_internal_test_teardown");

	teardown();
	each_descriptor(report_left, NULL);
}

/* in the process that runs the tests, after each of them */
ReportHook(POST_TEST)(struct criterion_test_stats *stats)
{
	if (stats->test_status == CR_STATUS_SKIPPED)
		report("%s/%s was skipped", stats->test->category, stats->test->name);
}
