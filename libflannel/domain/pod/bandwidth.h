/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_POD_BANDWIDTH_H
#define FL_DOMAIN_POD_BANDWIDTH_H

/* Token buckets as the kernel has them, worked out from limits. Pure. */

#include <stdbool.h>

#include <flannel/bandwidth.h>

#include "base/error.h"

/* how many ticks of the kernel's packet scheduler are how many microseconds, see /proc/net/psched */
struct fl_ticks {
	uint32_t n_ticks;
	uint32_t n_usec;
};

/* see tc-tbf(8) */
struct fl_tbf {
	uint64_t rate;   /* bytes per second */
	uint32_t limit;  /* bytes that may wait */
	uint32_t buffer; /* the burst, as the ticks in which the rate fills it */
};

/* the text of /proc/net/psched: four hexadecimal numbers; -EBADMSG if it is something else */
int fl_ticks_parse(const char *text, struct fl_ticks *ret_ticks);

/* is it a limit at all */
bool fl_bandwidth_is_limit(const struct flannel_bandwidth_limit *limit);

/* names, limits and tag: -EINVAL with the option's name and value */
int fl_bandwidth_check(const struct flannel_bandwidth_options *options, struct flannel_error **ret_error);

/* a limit, which is one, as a token bucket; -EINVAL if the burst takes longer than a bucket can say. what names it. */
int fl_bandwidth_want(const struct flannel_bandwidth_limit *limit, const struct fl_ticks *ticks, const char *what,
		      struct fl_tbf *ret_tbf, struct flannel_error **ret_error);

/* are two buckets the same */
bool fl_tbf_equal(const struct fl_tbf *a, const struct fl_tbf *b);

#endif
