/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Peak resident memory of a program, in KiB.
 *
 *     peak PROGRAM INPUT [PROGRAM INPUT]...
 *
 * Runs each PROGRAM with the file INPUT as its standard input, one after the other, prints a line for each, and leaves output and
 * environment as they are. It is linked statically and small because the kernel counts the pages of whoever started a program,
 * too, up to the exec: what it would report of an empty program is the floor.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* runs a program to its end: its peak, or -1 if it failed */
static long run(const char *program, const char *input)
{
	struct rusage usage;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		int in = open(input, O_RDONLY);
		int out = open("/dev/null", O_WRONLY);

		if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0)
			_exit(127);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0 || status != 0)
		return -1;
	return usage.ru_maxrss;
}

int main(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		long kib = run(argv[i], argv[i + 1]);

		if (kib < 0) {
			(void)fprintf(stderr, "peak: %s failed\n", argv[i]);
			return 1;
		}
		printf("%ld\n", kib);
	}
	return 0;
}
