/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_UNIQUE_KEYS_H
#define CNI_UNIQUE_KEYS_H

/* Keys that stand twice in one object, which a parsed object does not show any more. */

#include <json-c/json_object.h>
#include <stddef.h>

#include "error.h"

/*
 * Looks at the objects that stand under key (in any case) at the top of a text, which is JSON: cni_json_parse() took it. -1 if
 * one of them has a key twice.
 */
int cni_unique_keys_check(const char *text, size_t len, const char *key, struct cni_error *error);

/*
 * Gives the members at the top of a text's object, which object was made from, the value back that a later null under the same key
 * has hidden: to the decoder of the Go programs that null is nothing. Words, numbers and texts only; lists and objects are
 * emptied by it there, too.
 */
int cni_unique_keys_restore(const char *text, size_t len, struct json_object *object, struct cni_error *error);

#endif
