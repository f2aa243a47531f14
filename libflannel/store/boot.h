/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_BOOT_H
#define FL_STORE_BOOT_H

/* Which run of the kernel this is. Containers do not outlive it, but files do. */

#include <stdbool.h>
#include <stdint.h>

#define FL_BOOT_ID_SIZE 16

struct fl_boot {
	uint8_t id[FL_BOOT_ID_SIZE]; /* all zero if it cannot be told */
};

/* what the kernel says; never fails */
struct fl_boot fl_boot_read(void);

/* can it be told */
bool fl_boot_is_known(const struct fl_boot *boot);

#endif
