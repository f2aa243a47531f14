/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_COMMON_KEYS_H
#define CNI_COMMON_KEYS_H

/* Keys that a configuration may have whatever its plugin. */

#include <json-c/json_object.h>

#include "error.h"

/* Checks the types of type, capabilities, args, dns, prevResult and runtimeConfig: a mistake in one should show here, not in
 * another plugin. */
int cni_config_check_common(struct json_object *config, struct cni_error *error);

/* an object two levels down, such as args.cni: 1, 0, -1 */
int cni_config_get_nested(struct json_object *config, const char *outer, const char *inner, struct json_object **ret,
			  struct cni_error *error);

#endif
