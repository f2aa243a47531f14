/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_BASE_JSON_H
#define FL_BASE_JSON_H

/*
 * JSON (RFC 8259) over json-c, stricter than it: single quotes, trailing bytes, integers that do not fit 64 bits and
 * \u0000 are errors. Getters know the path of the value they read and name it, the value and what was expected when it
 * is wrong; of objects, arrays and keys that look like secrets they name the type only.
 * Keys match as Go's decoder does: without regard to case (of ASCII letters), the last match wins; null counts as
 * absent. A key that occurs twice in the same spelling keeps the place of the first and the value of the last.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/error.h>
#include <flannel/prefix.h>

#include "base/cleanup.h"

struct json_object;

/*
 * text need not end in zero; origin names it in messages ("net-conf.json: byte 17 (line 2): ..."); depth is limited to
 * 32. A text that is just null gives a NULL value.
 */
int fl_json_parse(const char *text, size_t len, const char *origin, struct json_object **ret_value,
		  struct flannel_error **ret_error);

struct json_object *fl_json_unref(struct json_object *value);

/*
 * Getters: path is that of object ("net-conf.json: Backend"), key is looked up in it. They return 1 and set *ret if it
 * is there, 0 and leave *ret if it is absent or null, -EINVAL with area "config" if it has another type or range.
 * Texts and objects handed out are borrowed from object.
 */
int fl_json_get_object(struct json_object *object, const char *path, const char *key, struct json_object **ret,
		       struct flannel_error **ret_error);
int fl_json_get_array(struct json_object *object, const char *path, const char *key, struct json_object **ret,
		      struct flannel_error **ret_error);
int fl_json_get_string(struct json_object *object, const char *path, const char *key, const char **ret,
		       struct flannel_error **ret_error);
int fl_json_get_bool(struct json_object *object, const char *path, const char *key, bool *ret,
		     struct flannel_error **ret_error);
int fl_json_get_uint(struct json_object *object, const char *path, const char *key, uint64_t max, uint64_t *ret,
		     struct flannel_error **ret_error);

/* whatever it is, null as NULL: 1 if the key is there, else 0 */
int fl_json_get_any(struct json_object *object, const char *key, struct json_object **ret);

/* calls fn for each key in order, until it returns non-zero, which is then the result */
int fl_json_each_key(struct json_object *object, int (*fn)(void *userdata, const char *key), void *userdata);

/* arrays */
size_t fl_json_array_length(struct json_object *array);
struct json_object *fl_json_array_get(struct json_object *array, size_t index);

/* value of a string element, NULL if it is none */
const char *fl_json_as_string(struct json_object *value);

bool fl_json_is_object(struct json_object *value);
bool fl_json_equal(struct json_object *a, struct json_object *b);

/* compact text without "\/" escapes, malloc()ed; NULL without memory */
char *fl_json_format(struct json_object *value);

/*
 * Building. Adders take over value, also on failure; a NULL value (no memory) makes them fail, so that calls can be nested:
 * r = fl_json_add(object, "family", fl_json_string("ip")); All return 0 or -ENOMEM.
 */
struct json_object *fl_json_object(void);
struct json_object *fl_json_array(void);
struct json_object *fl_json_string(const char *text);
struct json_object *fl_json_int(int64_t number);
struct json_object *fl_json_bool(bool value);
int fl_json_add(struct json_object *object, const char *key, struct json_object *value);
int fl_json_add_null(struct json_object *object, const char *key);
int fl_json_append(struct json_object *array, struct json_object *value);

FL_DEFINE_CLEANUP(struct json_object *, fl_json_unref)

#endif
