/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_ARGS_H
#define CNI_ARGS_H

/* The variable CNI_ARGS: "KEY=VALUE;KEY=VALUE". */

#include <stddef.h>

#include "error.h"

/* Finds the value of the one key that a plugin knows; *ret_value is malloc()ed, NULL if the key is not there. Any other key is an
 * error unless IgnoreUnknown is true. */
int cni_args_get(const char *args, const char *key, char **ret_value, struct cni_error *error);

/* The same for a plugin that knows n_keys: ret_values has as many elements. */
int cni_args_get_all(const char *args, const char *const *keys, size_t n_keys, char **ret_values,
		     struct cni_error *error);

#endif
