/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/embedded/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/loop.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

/* CLOCK_BOOTTIME, the one that the loop's timers use */
static uint64_t system_boottime_ns(void *userdata)
{
	(void)userdata;
	return fl_loop_now();
}

/* CLOCK_REALTIME */
static int64_t system_wall_ns(void *userdata)
{
	struct timespec now = {0};

	(void)userdata;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * (int64_t)FL_NSEC_PER_SEC + now.tv_nsec;
}

int fl_clock_init(struct fl_clock *ret_clock, struct flannel_error **ret_error)
{
	struct fl_clock clock = {.boottime_ns = system_boottime_ns, .wall_ns = system_wall_ns};
	FL_CLEANUP(fl_closep) int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return fl_error_set(ret_error, -errno, "store", NULL, "open %s", BOOT_ID_PATH);
	n = read(fd, clock.boot_id, sizeof(clock.boot_id) - 1);
	if (n < 0)
		return fl_error_set(ret_error, -errno, "store", NULL, "read %s", BOOT_ID_PATH);
	clock.boot_id[strcspn(clock.boot_id, "\n")] = '\0';
	if (clock.boot_id[0] == '\0')
		return fl_error_set(ret_error, -EIO, "store", "it is empty", "read %s", BOOT_ID_PATH);
	*ret_clock = clock;
	return 0;
}
