/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_SYSCTL_H
#define FL_SYS_SYSCTL_H

/* Network settings below /proc/sys; they are those of the calling thread's namespace, see fl_netns_run(). */

#include <stddef.h>

#include "base/error.h"
#include "domain/object.h"

/* reads a value without its newline; -ENOENT if the kernel has no such setting */
int fl_sysctl_read(const char *name, char *buf, size_t size, struct flannel_error **ret_error);

/* 1 written, 0 it had that value already (white space aside), negative. "" empties a list. */
int fl_sysctl_set(const char *name, const char *value, struct flannel_error **ret_error);

/* the same for an object; 1 written, 0 it had that value already, negative (0 for a failure of an optional one) */
int fl_sysctl_write(const struct fl_sysctl *sysctl, struct flannel_error **ret_error);

#endif
