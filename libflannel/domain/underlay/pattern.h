/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_UNDERLAY_PATTERN_H
#define FL_DOMAIN_UNDERLAY_PATTERN_H

/*
 * Regular expressions as flannel's users write them, in the syntax of Go (RE2), matched by the C library's POSIX ones. What
 * both have means the same; what POSIX lacks is rewritten where it can be, and refused where it cannot: it must never
 * match something else.
 */

#include <regex.h>
#include <stdbool.h>

#include "base/error.h"

struct fl_pattern {
	regex_t regex;
};

/*
 * Understood: . * + ? {n,m} | ( ) ^ $, (?: and named groups, *? and the like (a lazy match is a match), [...] with ranges, [:name:]
 * and escapes, \d \D \s \S \w \W \b \B \A \z, \ before punctuation, \t \n \r \f \v \a, and (?i) at the very beginning. Refused:
 * other (?...), \x, \p, \Q, octal escapes, back references, non-ASCII in [...].
 *
 * Return: 0, -EINVAL (the detail names what is wrong), or -ENOMEM.
 */
int fl_pattern_compile(const char *text, struct fl_pattern *ret_pattern, struct flannel_error **ret_error);

/* frees what compile made */
void fl_pattern_clear(struct fl_pattern *pattern);

/* does it match anywhere in the text */
bool fl_pattern_matches(const struct fl_pattern *pattern, const char *text);

#endif
