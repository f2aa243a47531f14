/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cni_call.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

int bench_netns(int node_fd)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	fd = open("/proc/self/ns/net", O_RDONLY); /* inherited on purpose: programs find it under /proc/PID/fd */
	if (setns(node_fd, CLONE_NEWNET) < 0)
		return -1;
	return fd;
}

double bench_run(const char *program, const char *config, char **environment)
{
	posix_spawn_file_actions_t actions;
	char *argv[] = {(char *)program, NULL};
	double begin = now_ms();
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, config, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, program, &actions, NULL, argv, environment) == 0)
		waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&actions);
	return status == 0 ? now_ms() - begin : -1;
}

double bench_call(const struct bench_plugin *plugin, const char *command, int pid, int netns_fd, unsigned int number)
{
	char command_text[32], id[48], netns[64], path[512], ifname[] = "CNI_IFNAME=eth0";
	char programs[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"; /* Go plugins run iptables */
	char *environment[] = {command_text, id, netns, path, ifname, programs, NULL};
	double ms;

	snprintf(command_text, sizeof(command_text), "CNI_COMMAND=%s", command);
	snprintf(id, sizeof(id), "CNI_CONTAINERID=bench%u", number);
	snprintf(netns, sizeof(netns), "CNI_NETNS=/proc/%d/fd/%d", pid, netns_fd);
	snprintf(path, sizeof(path), "CNI_PATH=%s", plugin->path);
	ms = bench_run(plugin->program, plugin->config, environment);
	if (ms < 0)
		fprintf(stderr, "bench: %s by %s failed\n", command, plugin->program);
	return ms;
}
