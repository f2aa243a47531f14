/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_SYSCTL_H
#define FL_SYS_SYSCTL_H

/*
 * Network settings below /proc/sys; they are those of the calling thread's namespace, see fl_netns_run().
 *
 * Every walk from /proc/sys to net/ searches a hash chain that has an entry for each namespace that somebody looked into: 0.1 ms
 * and more where there are a thousand. Who sets several opens their directory once.
 */

#include <stddef.h>

#include "base/error.h"
#include "domain/object.h"

/* instead of a directory: names are below /proc/sys */
#define FL_SYSCTL_ROOT (-1)

/* opens a directory below /proc/sys, such as "net", for the calls below; it stays that of the namespace it was opened in */
int fl_sysctl_open(const char *name, int *ret_directory, struct flannel_error **ret_error);

/* reads a value without its newline; -ENOENT if the kernel has no such setting */
int fl_sysctl_read(int directory, const char *name, char *buf, size_t size, struct flannel_error **ret_error);

/* 1 written, 0 it had that value already (white space aside), negative. "" empties a list. */
int fl_sysctl_set(const char *name, const char *value, struct flannel_error **ret_error);

/* the same for an object; 0 for a failure of an optional one, too. ret_before: NULL, or gets the value that it had, "" if that cannot be
 * read or is too long to be kept. */
int fl_sysctl_write(int directory, const struct fl_sysctl *sysctl, char ret_before[FL_SYSCTL_VALUE_SIZE],
		    struct flannel_error **ret_error);

#endif
