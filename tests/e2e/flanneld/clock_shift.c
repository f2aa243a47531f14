/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Another wall clock for one program: preloaded, it adds as many seconds to CLOCK_REALTIME as the file says that CLOCK_SHIFT names, eight
 * bytes in the order of the machine, which a test changes while the program runs. Clocks since boot stay: a time namespace has those.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_sec;

/* finds the file; without one the clock is the system's */
__attribute__((constructor)) static void map_shift(void)
{
	const char *path = getenv("CLOCK_SHIFT");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(*shift_sec), PROT_READ, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		shift_sec = at;
	close(fd);
}

/* the shift as it is now */
static int64_t shift(void)
{
	return shift_sec ? *shift_sec : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int r = (int)syscall(SYS_clock_gettime, clock, now);

	if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += shift();
	return r;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise = {0};

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &precise);
	*now = (struct timeval){.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *ret_now)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (ret_now)
		*ret_now = now.tv_sec;
	return now.tv_sec;
}
