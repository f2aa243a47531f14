/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_VERBOSITY_H
#define CLI_VERBOSITY_H

/* How much is logged: klog's --v and --vmodule, whose patterns are matched with the areas of our log lines. */

#include <stdbool.h>
#include <stdint.h>

/* "pattern=N,pattern=N": 0 or -EINVAL */
int verbosity_check_modules(const char *text);

/* "file.go:N" or "": 0 or -EINVAL */
int verbosity_check_trace(const char *text);

/* the level of the first pattern in checked text that an area matches: true and the level, false if none does */
bool verbosity_find(const char *modules, const char *area, int64_t *ret_level);

/* the highest level in checked text; 0 if there is none */
int64_t verbosity_max(const char *modules);

#endif
