/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

/* Times and medians, shared by the benchmarks. */

#include <stdlib.h>
#include <time.h>

/* monotonic time in milliseconds */
static inline double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static inline int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* sorts the times and returns the one in the middle */
static inline double median(double *times, int n)
{
	qsort(times, (size_t)n, sizeof(*times), compare_doubles);
	return times[n / 2];
}

#endif
