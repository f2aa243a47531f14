/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_TUNING_ALLOWLIST_H
#define CNI_TUNING_ALLOWLIST_H

/* Which kernel settings the plugin tuning may set: a file of the node's owner, one regular expression in each line. */

#include "tuning_config.h"

/*
 * Every key, as the configuration spells it, must match one line of the file somewhere in the key. No file allows
 * everything, an empty one nothing; empty lines count for nothing. A line that is no expression is an error.
 */
int cni_tuning_allowlist_check(const struct cni_tuning_config *config, const char *path, struct cni_error *error);

/*
 * The expression as POSIX has it (extended): \d, \D and (?: are written out; other escapes of letters and digits than
 * those that the C library knows (\w \W \s \S \b \B) are refused, since it would take them as the letter, and so are
 * repetitions of repetitions, the lazy ones among them, since they mean something else here. malloc()ed;
 * NULL with *ret_reason, or without memory with *ret_reason NULL.
 */
char *cni_tuning_expression(const char *line, const char **ret_reason);

#endif
