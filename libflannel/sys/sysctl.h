/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_SYSCTL_H
#define FL_SYS_SYSCTL_H

/*
 * Network settings below /proc/sys; they are those of the calling thread's namespace, see fl_netns_run().
 *
 * Every walk from /proc/sys below net/ searches a hash chain that has an entry for each namespace that somebody looked into: a
 * millisecond and more where there are a thousand. Who sets several opens their directory once, or brings a place of its own.
 */

#include <stddef.h>

#include "base/error.h"
#include "domain/plan/object.h"

/* instead of a directory: names are below /proc/sys */
#define FL_SYSCTL_ROOT (-1)

/*
 * Mounts a proc file system that nobody else sees, and opens its sys/: names are the same there as below FL_SYSCTL_ROOT, in whatever
 * namespace the caller is, and walks take the same time however many namespaces there are. Costs 0.07 ms, and CAP_SYS_ADMIN (Linux 5.8).
 * FL_SYSCTL_ROOT where it cannot be had; else a descriptor, the caller's to close.
 */
int fl_sysctl_open_private(void);

/* Opens a directory below another, or below /proc/sys, such as "net", for the calls below. It stays that of the namespace it was opened
 * in. */
int fl_sysctl_open(int directory, const char *name, int *ret_directory, struct flannel_error **ret_error);

/* reads a value without its newline; -ENOENT if the kernel has no such setting */
int fl_sysctl_read(int directory, const char *name, char *buf, size_t size, struct flannel_error **ret_error);

/* 1 written, 0 it had that value already (white space aside), negative. "" empties a list. */
int fl_sysctl_set(const char *name, const char *value, struct flannel_error **ret_error);

/* the same for an object; 0 for a failure of an optional one, too. ret_before: NULL, or gets the value that it had, "" if that cannot be
 * read or is too long to be kept. */
int fl_sysctl_write(int directory, const struct fl_sysctl *sysctl, char ret_before[FL_SYSCTL_VALUE_SIZE],
		    struct flannel_error **ret_error);

#endif
