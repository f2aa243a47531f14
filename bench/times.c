/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times whole processes, from spawn to end, in turn with one that ends at once.
 *
 *     times RUNS EMPTY PROGRAM [ARGUMENT]...
 */
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "clock.h"

extern char **environ;

/* runs a program, which must succeed: how long it took in milliseconds */
static double run(char **argv)
{
	double begin = now_ms();
	int status = -1;
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
		fprintf(stderr, "times: %s failed\n", argv[0]);
		exit(1);
	}
	return now_ms() - begin;
}

int main(int argc, char **argv)
{
	int runs = argc > 3 ? atoi(argv[1]) : 0;
	double *empty = calloc((size_t)runs + 1, sizeof(double)), *full = calloc((size_t)runs + 1, sizeof(double));
	char *empty_argv[] = {argc > 3 ? argv[2] : NULL, NULL};
	double middle;

	if (runs < 1 || !empty || !full) {
		fprintf(stderr, "usage: times RUNS EMPTY PROGRAM [ARGUMENT]...\n");
		return 2;
	}
	for (int i = -1; i < runs; i++) { /* the first round warms up and does not count */
		double of_empty = run(empty_argv), of_program = run(argv + 3);

		if (i < 0)
			continue;
		empty[i] = of_empty;
		full[i] = of_program;
	}
	middle = median(full, runs);
	printf("empty    median %6.2f ms\n", median(empty, runs));
	printf("program  median %6.2f ms   min %6.2f   p90 %6.2f   (%d runs)\n", middle, full[0], full[runs * 9 / 10],
	       runs);
	return 0;
}
