/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_YAML_H
#define FL_KUBE_YAML_H

/*
 * A YAML text as a JSON value, so that the getters of base/json.h can read it: the first document; mappings with keys that are texts.
 * Scalars are texts, but for the plain words true, false and null. No system call.
 */

#include <stddef.h>

#include "base/error.h"

struct json_object;

/* origin names it in messages; -EINVAL says where and why, -ENOMEM. An empty text gives NULL. */
int fl_kube_yaml_parse(const char *text, size_t len, const char *origin, struct json_object **ret_value,
		       struct flannel_error **ret_error);

#endif
