/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_DECODE_H
#define CNI_DECODE_H

/*
 * Reads JSON as the decoder of the Go programs does, since configurations in the field rely on it: keys match without
 * regard to case and the last match wins, null counts as absent, unknown keys are passed over, a wrong type is
 * an error, integers have neither fraction nor exponent. Free-form maps (a delegate, for one) are looked into with
 * json-c's own calls: their keys are exact.
 */

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/prefix.h>

#include "error.h"

/* what a configuration or a reply may measure, bytes */
#define CNI_TEXT_MAX 16777216

/* Parses one JSON value; *ret_value is NULL for null. What json-c takes beyond RFC 8259 is refused. CNI_ERROR_DECODING. */
int cni_json_parse(const char *text, size_t len, struct json_object **ret_value, struct cni_error *error);

/* Are all numbers in a value such that they can be printed? One beyond a double (1e999) is read, as it may stand where nobody looks, but
 * is an infinity then, for which JSON has no text. */
bool cni_json_is_finite(struct json_object *value);

/*
 * Getters: path is where object stands in the configuration, for messages ("" for the top, "ipam"). They return 1 and set
 * *ret if the key is there, 0 and leave *ret if it is absent or null, -1 if it has a wrong type. What they hand out is
 * borrowed from object.
 */
int cni_get_string(struct json_object *object, const char *path, const char *key, const char **ret,
		   struct cni_error *error);
int cni_get_bool(struct json_object *object, const char *path, const char *key, bool *ret, struct cni_error *error);
int cni_get_int(struct json_object *object, const char *path, const char *key, int64_t min, int64_t max, int64_t *ret,
		struct cni_error *error);
int cni_get_object(struct json_object *object, const char *path, const char *key, struct json_object **ret,
		   struct cni_error *error);
int cni_get_array(struct json_object *object, const char *path, const char *key, struct json_object **ret,
		  struct cni_error *error);

/* an array whose elements are all strings */
int cni_get_strings(struct json_object *object, const char *path, const char *key, struct json_object **ret,
		    struct cni_error *error);

/* An element of an array as an object or string; -1 if it is something else. null gives NULL. */
int cni_element_object(struct json_object *array, const char *path, size_t index, struct json_object **ret,
		       struct cni_error *error);

/* "path.key" and "path.index" for messages, cut short if need be; both return buf, which has CNI_PATH_SIZE bytes */
#define CNI_PATH_SIZE 128
const char *cni_path_join(char *buf, const char *path, const char *key);
const char *cni_path_index(char *buf, const char *path, size_t index);

/* texts as addresses: IPv4 in IPv6 form counts as IPv4; an empty text leaves AF_UNSPEC where that is allowed */
int cni_parse_address(const char *text, const char *path, struct flannel_prefix *ret, struct cni_error *error);
int cni_parse_cidr(const char *text, const char *path, struct flannel_prefix *ret, struct cni_error *error);

#endif
