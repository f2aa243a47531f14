/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times many CNI calls by several workers at once: all containers attached, then all detached, as a node does that is filled and drained.
 *
 *     crowd ROUNDS PODS WORKERS PLUGIN CONFIG [PEER-PLUGIN PEER-CONFIG PEER-PATH]
 *
 * Runs in a network namespace made for it. Each round does so by PLUGIN, then by PEER-PLUGIN, in the same container namespaces, since to
 * remove those keeps the kernel busy for a while. CNI_PATH for PLUGIN comes from the environment.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "cni_call.h"

enum { PODS_MAX = 500 };

/* the containers of a round */
struct crowd {
	int fds[PODS_MAX];
	int n_pods;
	int n_workers;
	unsigned int first; /* number of the first container */
};

/* what one worker does: every n-th container. Ends the process. */
static void work(const struct bench_plugin *plugin, const char *command, const struct crowd *crowd, int worker)
{
	int failed = 0;

	for (int i = worker; i < crowd->n_pods; i += crowd->n_workers)
		failed |=
			bench_call(plugin, command, (int)getppid(), crowd->fds[i], crowd->first + (unsigned int)i) < 0;
	_exit(failed);
}

/* the call for all containers: milliseconds until the last worker is done, or -1 */
static double for_all(const struct bench_plugin *plugin, const char *command, const struct crowd *crowd)
{
	double begin = now_ms();
	int failed = 0, status = -1;

	for (int worker = 0; worker < crowd->n_workers; worker++) {
		pid_t pid = fork();

		if (pid == 0)
			work(plugin, command, crowd, worker);
		failed |= pid < 0;
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed ? -1 : now_ms() - begin;
}

/* fills and drains by one implementation */
static int round_of(const struct bench_plugin *plugin, struct crowd *crowd, int i)
{
	plugin->add[i] = for_all(plugin, "ADD", crowd);
	plugin->del[i] = for_all(plugin, "DEL", crowd);
	crowd->first += (unsigned int)crowd->n_pods;
	return plugin->add[i] < 0 || plugin->del[i] < 0 ? -1 : 0;
}

/* prints what one implementation does in a second */
static void tell(const char *who, const struct bench_plugin *plugin, int n_rounds, int n_pods, double ret_rates[2])
{
	ret_rates[0] = n_pods * 1e3 / median(plugin->add, n_rounds);
	ret_rates[1] = n_pods * 1e3 / median(plugin->del, n_rounds);
	printf("%s attached %.0f a second, detached %.0f", who, ret_rates[0], ret_rates[1]);
}

int main(int argc, char **argv)
{
	int n_rounds = argc > 5 ? atoi(argv[1]) : 0, n_plugins = argc > 8 ? 2 : 1;
	struct crowd crowd = {
		.n_pods = argc > 5 ? atoi(argv[2]) : 0, .n_workers = argc > 5 ? atoi(argv[3]) : 0, .first = 500000};
	int node_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	double *times = calloc((size_t)(n_rounds + 1) * 4, sizeof(double)), ours[2], peers[2];
	struct bench_plugin plugins[2] = {0};

	if (n_rounds < 1 || crowd.n_pods < 1 || crowd.n_pods > PODS_MAX || crowd.n_workers < 1 || !times) {
		fprintf(stderr, "usage: crowd ROUNDS PODS WORKERS PLUGIN CONFIG [PEER-PLUGIN PEER-CONFIG PEER-PATH]\n");
		return 2;
	}
	plugins[0] = (struct bench_plugin){argv[4], argv[5], getenv("CNI_PATH"), times, times + n_rounds};
	if (n_plugins == 2)
		plugins[1] =
			(struct bench_plugin){argv[6], argv[7], argv[8], times + 2 * n_rounds, times + 3 * n_rounds};
	for (int k = 0; k < crowd.n_pods; k++)
		crowd.fds[k] = bench_netns(node_fd);
	for (int i = 0; i < n_rounds; i++) {
		for (int j = 0; j < n_plugins; j++) {
			if (round_of(&plugins[j], &crowd, i) < 0)
				return 1;
		}
	}
	printf("%d pods, %d workers: ", crowd.n_pods, crowd.n_workers);
	tell("ours", &plugins[0], n_rounds, crowd.n_pods, ours);
	if (n_plugins == 2) {
		tell(" | peer", &plugins[1], n_rounds, crowd.n_pods, peers);
		printf(" | ours does %.1f x and %.1f x of it", ours[0] / peers[0], ours[1] / peers[1]);
	}
	printf(" (medians of %d)\n", n_rounds);
	return 0;
}
