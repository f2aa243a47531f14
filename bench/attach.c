/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times CNI ADD and DEL as whole processes, beside the floor and, if given, beside another implementation, in turn.
 *
 *     attach RUNS PODS BRIDGE EMPTY PLUGIN CONFIG [PEER-PLUGIN PEER-CONFIG PEER-PATH]
 *
 * Runs in a network namespace made for it, where BRIDGE exists (the floor attaches to it). PODS containers are attached by PLUGIN
 * before anything is timed. Each round then does, each in a fresh container namespace: the floor (floor.h), EMPTY (a
 * process that ends at once), ADD by PLUGIN, ADD by PEER-PLUGIN; and at last the floor of DEL and DEL by each. CNI_PATH for PLUGIN comes from the
 * environment. BRIDGE "-": there is no floor beside EMPTY.
 */
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cni_call.h"
#include "floor.h"

/* in the place of the index of the bridge to attach to */
#define NO_FLOOR UINT_MAX
#define SETTLE_USEC 50000

/* everything of one round; number tells the containers of all rounds apart */
static int round_of(const struct bench_plugin *plugins, int n_plugins, const char *empty, unsigned int bridge,
		    int node_fd, int i, double *empty_ms, double *floor_ms, double *gone_ms)
{
	unsigned int number = (unsigned int)i * 4 + 100000;
	int netns_fds[3] = {-1, -1, -1};
	double begin;

	for (int j = 0; j <= n_plugins; j++)
		netns_fds[j] = bench_netns(node_fd);
	begin = now_ms();
	if (bridge != NO_FLOOR && floor_attach(netns_fds[0], node_fd, bridge, (unsigned int)i) < 0) {
		fprintf(stderr, "attach: the floor failed\n");
		return -1;
	}
	floor_ms[i] = bridge != NO_FLOOR ? now_ms() - begin : 0;
	/* with a thousand neighbours, what a new container sends of its own accord keeps the machine busy for a while */
	usleep(SETTLE_USEC);
	empty_ms[i] = bench_run(empty, "/dev/null", (char *[]){NULL});
	for (int j = 0; j < n_plugins; j++)
		plugins[j].add[i] =
			bench_call(&plugins[j], "ADD", (int)getpid(), netns_fds[j + 1], number + (unsigned int)j);
	begin = now_ms();
	if (bridge != NO_FLOOR && floor_detach(floor_link((unsigned int)i)) < 0) {
		fprintf(stderr, "attach: the floor of DEL failed\n");
		return -1;
	}
	gone_ms[i] = bridge != NO_FLOOR ? now_ms() - begin : 0;
	usleep(SETTLE_USEC);
	for (int j = 0; j < n_plugins; j++)
		plugins[j].del[i] =
			bench_call(&plugins[j], "DEL", (int)getpid(), netns_fds[j + 1], number + (unsigned int)j);
	for (int j = 0; j <= n_plugins; j++)
		close(netns_fds[j]);
	/* the kernel takes the namespaces apart in a process of its own, and holds up others meanwhile: not into the next round */
	usleep(SETTLE_USEC);
	for (int j = 0; j < n_plugins; j++) {
		if (plugins[j].add[i] < 0 || plugins[j].del[i] < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int runs = argc > 6 ? atoi(argv[1]) : 0, pods = argc > 6 ? atoi(argv[2]) : 0, n_plugins = argc > 9 ? 2 : 1;
	int node_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	double *times = calloc((size_t)(runs + 1) * 7, sizeof(double)), *empty_ms = times, *floor_ms = times + runs,
	       *gone_ms = times + 6 * runs;
	double base, ours;
	unsigned int bridge;
	struct bench_plugin plugins[2] = {0};

	if (runs < 1 || !times) {
		fprintf(stderr,
			"usage: attach RUNS PODS BRIDGE EMPTY PLUGIN CONFIG [PEER-PLUGIN PEER-CONFIG PEER-PATH]\n");
		return 2;
	}
	plugins[0] = (struct bench_plugin){argv[5], argv[6], getenv("CNI_PATH"), times + 2 * runs, times + 3 * runs};
	if (n_plugins == 2)
		plugins[1] = (struct bench_plugin){argv[7], argv[8], argv[9], times + 4 * runs, times + 5 * runs};
	for (int i = 0; i < pods; i++) {
		if (bench_call(&plugins[0], "ADD", (int)getpid(), bench_netns(node_fd), (unsigned int)i) < 0)
			return 1;
	}
	/* may be the bridge that the plugin has just made */
	bridge = strcmp(argv[3], "-") == 0 ? NO_FLOOR : if_nametoindex(argv[3]);
	if (bridge == 0) {
		fprintf(stderr, "attach: there is no bridge %s\n", argv[3]);
		return 1;
	}
	/*
	 * A new container reports its groups three times within a second or two, and may ask for routers, and all that goes to all others:
	 * with a thousand that keeps the machine busy for a while, but says nothing about what one more costs.
	 */
	if (pods >= 100)
		sleep(15);
	for (int i = 0; i < runs; i++) {
		if (round_of(plugins, n_plugins, argv[4], bridge, node_fd, i, empty_ms, floor_ms, gone_ms) < 0)
			return 1;
	}
	base = median(empty_ms, runs) + median(floor_ms, runs);
	ours = median(plugins[0].add, runs);
	printf("pods %-5d floor %.2f + empty static process %.2f = %.2f ms | ADD %.2f ms = %.2f x | DEL", pods,
	       median(floor_ms, runs), median(empty_ms, runs), base, ours, ours / base);
	if (bridge != NO_FLOOR)
		printf(" floor %.2f + %.2f = %.2f ms,", median(gone_ms, runs), median(empty_ms, runs),
		       median(gone_ms, runs) + median(empty_ms, runs));
	printf(" %.2f ms", median(plugins[0].del, runs));
	if (bridge != NO_FLOOR)
		printf(" = %.2f x", median(plugins[0].del, runs) / (median(gone_ms, runs) + median(empty_ms, runs)));
	if (n_plugins == 2)
		printf(" | peer ADD %.2f ms = %.1f x ours, DEL %.2f ms = %.1f x ours", median(plugins[1].add, runs),
		       median(plugins[1].add, runs) / ours, median(plugins[1].del, runs),
		       median(plugins[1].del, runs) / median(plugins[0].del, runs));
	printf(" (medians of %d)\n", runs);
	return 0;
}
