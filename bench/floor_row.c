/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The floor of an attachment (floor.h) by itself: so many containers in a row, one after the other without a pause, that all stay.
 *
 *     floor-row CONTAINERS BRIDGE
 *
 * What the kernel does of its own accord for a new container (link-local address, groups, routers) runs into the next ones. In the
 * other benchmarks it does not, and the floor is lower.
 */
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>

#include "clock.h"
#include "cni_call.h"
#include "floor.h"

int main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[1]) : 0, node_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	unsigned int bridge = argc == 3 ? if_nametoindex(argv[2]) : 0;
	double *times = calloc((size_t)n + 1, sizeof(*times));
	int *netns_fds = calloc((size_t)n + 1, sizeof(*netns_fds));

	if (n < 1 || bridge == 0 || node_fd < 0 || !times || !netns_fds) {
		fprintf(stderr, "usage: floor-row CONTAINERS BRIDGE\n");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		netns_fds[i] = bench_netns(node_fd);
		if (netns_fds[i] < 0) {
			fprintf(stderr, "floor-row: no network namespace\n");
			return 1;
		}
	}
	for (int i = 0; i < n; i++) {
		double begin = now_ms();

		if (floor_attach(netns_fds[i], node_fd, bridge, (unsigned int)i) < 0) {
			fprintf(stderr, "floor-row: container %d failed\n", i);
			return 1;
		}
		times[i] = now_ms() - begin;
	}
	printf("floor of %d containers in a row %.2f ms", n, median(times, n));
	printf(" (median), %.2f ms (least)\n", times[0]);
	free(times);
	free(netns_fds);
	return 0;
}
