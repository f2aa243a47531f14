/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_EMBEDDED_CLOCK_H
#define FL_EMBEDDED_CLOCK_H

/*
 * The clocks that lifetimes are counted on. Within one boot of the machine the boot clock decides, which runs on while the
 * machine is suspended and does not follow the wall clock when that is set; the wall clock is for what comes
 * from an earlier boot, and for telling people.
 */

#include <stdint.h>

#include "base/error.h"

#define FL_BOOT_ID_SIZE 40

struct fl_clock {
	uint64_t (*boottime_ns)(void *userdata); /* CLOCK_BOOTTIME */
	int64_t (*wall_ns)(void *userdata);      /* CLOCK_REALTIME, since the epoch */
	void *userdata;
	char boot_id[FL_BOOT_ID_SIZE]; /* differs after each start of the machine */
};

/* the machine's own clocks and its boot id */
int fl_clock_init(struct fl_clock *ret_clock, struct flannel_error **ret_error);

static inline uint64_t fl_clock_boottime_ns(const struct fl_clock *clock)
{
	return clock->boottime_ns(clock->userdata);
}

static inline int64_t fl_clock_wall_ns(const struct fl_clock *clock)
{
	return clock->wall_ns(clock->userdata);
}

#endif
