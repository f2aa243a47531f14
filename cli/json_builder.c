/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json_builder.h"

#include <string.h>
#include <time.h>

#include "cleanup.h"

struct json_object *json_builder_object(struct json_builder *builder)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		builder->failed = true;
	return object;
}

struct json_object *json_builder_array(struct json_builder *builder)
{
	struct json_object *array = json_object_new_array();

	if (!array)
		builder->failed = true;
	return array;
}

void json_builder_put(struct json_builder *builder, struct json_object *object, const char *key,
		      struct json_object *value)
{
	if (object && json_object_object_add(object, key, value) == 0)
		return;
	builder->failed = true;
	json_object_put(value);
}

void json_builder_append(struct json_builder *builder, struct json_object *array, struct json_object *value)
{
	if (array && value && json_object_array_add(array, value) == 0)
		return;
	builder->failed = true;
	json_object_put(value);
}

/* puts a value that must not be null */
static void put_value(struct json_builder *builder, struct json_object *object, const char *key,
		      struct json_object *value)
{
	if (!value)
		builder->failed = true;
	json_builder_put(builder, object, key, value);
}

void json_builder_text(struct json_builder *builder, struct json_object *object, const char *key, const char *text)
{
	if (!text || !*text)
		json_builder_put(builder, object, key, NULL);
	else
		put_value(builder, object, key, json_object_new_string(text));
}

void json_builder_int(struct json_builder *builder, struct json_object *object, const char *key, int64_t number)
{
	put_value(builder, object, key, json_object_new_int64(number));
}

void json_builder_bool(struct json_builder *builder, struct json_object *object, const char *key, bool value)
{
	put_value(builder, object, key, json_object_new_boolean(value));
}

void json_builder_prefix(struct json_builder *builder, struct json_object *object, const char *key,
			 const struct flannel_prefix *prefix)
{
	char text[FLANNEL_PREFIX_STRLEN];

	json_builder_text(builder, object, key, flannel_prefix_format(prefix, text, sizeof(text)));
}

void json_builder_address(struct json_builder *builder, struct json_object *object, const char *key,
			  const struct flannel_prefix *prefix)
{
	char text[FLANNEL_PREFIX_STRLEN];

	json_builder_text(builder, object, key, flannel_prefix_format_address(prefix, text, sizeof(text)));
}

void json_builder_time(struct json_builder *builder, struct json_object *object, const char *key, int64_t sec)
{
	time_t when = (time_t)sec;
	struct tm utc;
	char text[40] = "";

	if (sec && gmtime_r(&when, &utc))
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	json_builder_text(builder, object, key, text);
}

char *json_builder_finish(struct json_builder *builder, struct json_object *object, size_t *ret_len)
{
	const char *borrowed = NULL;
	char *text = NULL;
	size_t len = 0;

	if (object && !builder->failed)
		borrowed = json_object_to_json_string_length(
			object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	if (borrowed)
		text = malloc(len + 2);
	if (text) {
		memcpy(text, borrowed, len);
		memcpy(text + len, "\n", 2);
		*ret_len = len + 1;
	}
	json_object_put(object);
	return text;
}
