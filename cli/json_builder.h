/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_JSON_BUILDER_H
#define CLI_JSON_BUILDER_H

/*
 * Objects made with json-c, where running out of memory is remembered instead of looking like a null: after building,
 * look at builder->failed once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include <flannel/prefix.h>

struct json_builder {
	bool failed;
};

/* a new object or array; NULL if there is no memory, which the functions below bear */
struct json_object *json_builder_object(struct json_builder *builder);
struct json_object *json_builder_array(struct json_builder *builder);

/* these take over value; a NULL value of json_builder_put() is a null */
void json_builder_put(struct json_builder *builder, struct json_object *object, const char *key,
		      struct json_object *value);
void json_builder_append(struct json_builder *builder, struct json_object *array, struct json_object *value);

/* NULL or "" gives null */
void json_builder_text(struct json_builder *builder, struct json_object *object, const char *key, const char *text);
void json_builder_int(struct json_builder *builder, struct json_object *object, const char *key, int64_t number);
void json_builder_bool(struct json_builder *builder, struct json_object *object, const char *key, bool value);

/* with its length, or the bare address; AF_UNSPEC gives null */
void json_builder_prefix(struct json_builder *builder, struct json_object *object, const char *key,
			 const struct flannel_prefix *prefix);
void json_builder_address(struct json_builder *builder, struct json_object *object, const char *key,
			  const struct flannel_prefix *prefix);

/* seconds since the epoch as RFC 3339 in UTC; 0 gives null */
void json_builder_time(struct json_builder *builder, struct json_object *object, const char *key, int64_t sec);

/* drops object and returns its malloc()ed text, NULL without memory */
char *json_builder_finish(struct json_builder *builder, struct json_object *object, size_t *ret_len);

#endif
