/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BENCH_CNI_CALL_H
#define BENCH_CNI_CALL_H

/* CNI calls as whole processes, shared by the benchmarks. */

/* an implementation, and the times of its calls */
struct bench_plugin {
	const char *program;
	const char *config;
	const char *path; /* CNI_PATH */
	double *add;
	double *del;
};

/* a new network namespace, kept by its descriptor; the caller stays in that of node_fd */
int bench_netns(int node_fd);

/* runs a program to its end: milliseconds, or -1 if it failed */
double bench_run(const char *program, const char *config, char **environment);

/*
 * One CNI call for a container that has a number: milliseconds, or -1. The namespace is that of a descriptor of a process (pid), which the
 * program finds under /proc.
 */
double bench_call(const struct bench_plugin *plugin, const char *command, int pid, int netns_fd, unsigned int number);

#endif
