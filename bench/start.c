/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times a daemon from its exec to the appearance of a file, over and over.
 *
 *     start RUNS FILE EMPTY PROGRAM [ARGUMENT]...
 *
 * Each round starts EMPTY (a process that ends at once) and PROGRAM, in turn: the time of EMPTY is from spawn to its end, that of
 * PROGRAM from spawn to the rename that makes FILE. FILE is deleted before each round and PROGRAM is ended by SIGTERM after it.
 * Prints median, minimum and 90th percentile in milliseconds, and the largest VmRSS and RssAnon seen at that moment in KiB.
 */
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

extern char **environ;

static void print_times(const char *what, double *times, int n)
{
	double middle = median(times, n);

	printf("%-8s median %6.2f ms   min %6.2f   p90 %6.2f   (%d runs)\n", what, middle, times[0], times[n * 9 / 10],
	       n);
}

/* a field of /proc/PID/status in KiB, 0 if it is not there */
static long read_status(pid_t pid, const char *field)
{
	char path[64], line[256];
	long value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, field, strlen(field)) == 0)
			value = strtol(line + strlen(field) + 1, NULL, 10);
	}
	if (file)
		fclose(file);
	return value;
}

/* waits for the rename that makes name; 0, or -1 if the process ended or ten seconds passed */
static int wait_for_file(int inotify_fd, const char *name)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	for (;;) {
		struct pollfd fd = {.fd = inotify_fd, .events = POLLIN};
		ssize_t n;

		if (poll(&fd, 1, 10000) <= 0)
			return -1;
		n = read(inotify_fd, buffer, sizeof(buffer));
		for (char *at = buffer; n > 0 && at < buffer + n;) {
			struct inotify_event *event = (struct inotify_event *)at;

			if (event->len && strcmp(event->name, name) == 0)
				return 0;
			at += sizeof(*event) + event->len;
		}
	}
}

int main(int argc, char **argv)
{
	int runs = argc > 4 ? atoi(argv[1]) : 0, inotify_fd = inotify_init1(IN_CLOEXEC);
	double *empty = calloc((size_t)runs + 1, sizeof(double)), *full = calloc((size_t)runs + 1, sizeof(double));
	char *directory = argc > 4 ? strdup(argv[2]) : NULL, *name = argc > 4 ? strdup(argv[2]) : NULL;
	long rss = 0, anon = 0;

	if (runs < 1 || !empty || !full || !directory || !name || inotify_fd < 0) {
		fprintf(stderr, "usage: start RUNS FILE EMPTY PROGRAM [ARGUMENT]...\n");
		return 2;
	}
	inotify_add_watch(inotify_fd, dirname(directory), IN_MOVED_TO);
	for (int i = -1; i < runs; i++) { /* the first round warms up and does not count */
		char *empty_argv[] = {argv[3], NULL};
		double begin;
		pid_t pid;

		begin = now_ms();
		if (posix_spawn(&pid, argv[3], NULL, NULL, empty_argv, environ) != 0)
			return 1;
		waitpid(pid, NULL, 0);
		if (i >= 0)
			empty[i] = now_ms() - begin;
		unlink(argv[2]);
		begin = now_ms();
		if (posix_spawn(&pid, argv[4], NULL, NULL, argv + 4, environ) != 0)
			return 1;
		if (wait_for_file(inotify_fd, basename(name)) < 0) {
			fprintf(stderr, "start: %s did not appear\n", argv[2]);
			kill(pid, SIGKILL);
			return 1;
		}
		if (i >= 0)
			full[i] = now_ms() - begin;
		poll(NULL, 0, 50); /* let it come to rest before looking at its memory */
		if (read_status(pid, "VmRSS:") > rss)
			rss = read_status(pid, "VmRSS:");
		if (read_status(pid, "RssAnon:") > anon)
			anon = read_status(pid, "RssAnon:");
		kill(pid, SIGTERM);
		waitpid(pid, NULL, 0);
	}
	print_times("empty", empty, runs);
	print_times("program", full, runs);
	printf("memory   VmRSS %ld KiB, RssAnon %ld KiB (largest of the runs)\n", rss, anon);
	return 0;
}
