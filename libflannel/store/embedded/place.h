/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_EMBEDDED_PLACE_H
#define FL_EMBEDDED_PLACE_H

/* Where a database file lies: is the place fit for one, and is the file there. Never opens a file that may be a database:
 * closing it would drop the POSIX locks that another store of the same process holds on it. */

#include <stdbool.h>

#include "base/error.h"

/*
 * Makes the directory (0700) and an empty file (0600) where they are missing. *ret_path: absolute, without symbolic
 * links, malloc()ed. Return: 0, or -EOPNOTSUPP (no local file system), -EISDIR, -EBADMSG (no regular file), or what the
 * file system says.
 */
int fl_place_prepare(const char *path, char **ret_path, struct flannel_error **ret_error);

/* -EOPNOTSUPP, naming path and file system, where locks and shared memory do not reach every user of the file */
int fl_place_check_filesystem(const char *path, struct flannel_error **ret_error);

/* the same, for a number as statfs(2) gives it: its name if such a file system is refused, else NULL */
const char *fl_place_refused_filesystem(unsigned long magic);

#endif
