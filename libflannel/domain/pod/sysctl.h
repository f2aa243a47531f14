/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_POD_SYSCTL_H
#define FL_DOMAIN_POD_SYSCTL_H

/* Names and values of the kernel's settings. Pure. */

#include <stdbool.h>

#include <flannel/sysctl.h>

/* does a name stay below /proc/sys: at least one part, none of them empty, "." or ".." */
bool fl_sysctl_name_is_valid(const char *name);

/* the same for what hosts may name: below net/, of a length that is allowed, in printable bytes */
bool fl_sysctl_name_is_public(const char *name);

/* are two values the same but for white space around and between their parts */
bool fl_sysctl_values_equal(const char *a, const char *b);

#endif
