/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "base/error.h"
#include "base/json_scan.h"

/* Characters of a wrong value that a message shows. */
#define SHOWN_MAX 40

/* writes the error for the byte at position */
static int syntax_error(const struct fl_json_scanner *scanner, const char *origin, struct flannel_error **ret_error)
{
	char detail[128];
	size_t line = 1;

	for (size_t i = 0; i < scanner->position && i < scanner->len; i++)
		line += scanner->text[i] == '\n';
	(void)snprintf(detail, sizeof(detail), "byte %zu (line %zu): %s", scanner->position, line, scanner->problem);
	return fl_error_set(ret_error, -EINVAL, "config", detail, "%s", origin);
}

/* is the text, whose words are right, just null */
static bool is_null(const struct fl_json_scanner *scanner)
{
	size_t i = 0;

	while (i < scanner->len && strchr(" \t\r\n", scanner->text[i]))
		i++;
	return i < scanner->len && scanner->text[i] == 'n';
}

/* runs json-c; on failure the scanner tells where and why, or has no problem if there was no memory */
static bool build(struct json_tokener *tokener, struct fl_json_scanner *scanner, struct json_object **ret_value)
{
	struct json_object *value = json_tokener_parse_ex(tokener, scanner->text, (int)scanner->len);
	enum json_tokener_error error = json_tokener_get_error(tokener);

	scanner->position = json_tokener_get_parse_end(tokener);
	/* a number or word at the very end might go on, as far as json-c knows */
	if (error == json_tokener_continue) {
		value = json_tokener_parse_ex(tokener, "\n", 1);
		error = json_tokener_get_error(tokener);
		scanner->position = scanner->len;
	}
	/* where it has no memory json-c reports success without a value, which is right for a plain null only */
	scanner->problem = NULL;
	if (error == json_tokener_success && !value && !is_null(scanner))
		return false;
	if (error == json_tokener_success) {
		*ret_value = value;
		return true;
	}
	json_object_put(value);
	scanner->problem = error == json_tokener_continue ? "the text ends too early" : json_tokener_error_desc(error);
	return false;
}

int fl_json_parse(const char *text, size_t len, const char *origin, struct json_object **ret_value,
		  struct flannel_error **ret_error)
{
	struct fl_json_scanner scanner = {.text = text ? text : "", .len = text ? len : 0};
	struct json_tokener *tokener;
	bool ok;

	if (len > INT_MAX)
		return fl_error_set(ret_error, -EINVAL, "config", "too large", "%s", origin);
	if (!fl_json_scan(&scanner))
		return syntax_error(&scanner, origin, ret_error);
	/* its own way to count would stop a scalar in the innermost array; the scanner has counted already */
	tokener = json_tokener_new_ex(FL_JSON_DEPTH_MAX + 2);
	if (!tokener)
		return fl_error_oom(ret_error);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	ok = build(tokener, &scanner, ret_value);
	json_tokener_free(tokener);
	if (!ok && !scanner.problem)
		return fl_error_oom(ret_error);
	return ok ? 0 : syntax_error(&scanner, origin, ret_error);
}

struct json_object *fl_json_unref(struct json_object *value)
{
	(void)json_object_put(value);
	return NULL;
}

/* lower case of ASCII letters; tolower() depends on the locale */
static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* does text begin with prefix, without regard to case */
static bool begins_with(const char *text, const char *prefix)
{
	for (; *prefix; text++, prefix++) {
		if (lower(*text) != lower(*prefix))
			return false;
	}
	return true;
}

/* are two keys the same, without regard to case */
static bool same_key(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && begins_with(a, b);
}

/* Does the name say that the value must not be shown to anybody? */
static bool is_secret(const char *key)
{
	const char *const words[] = {"psk", "secret", "token", "password", "private"};

	for (; *key; key++) {
		for (size_t i = 0; i < FL_N_ELEMENTS(words); i++) {
			if (begins_with(key, words[i]))
				return true;
		}
	}
	return false;
}

/* describes a value for a message: itself if it is short, else its beginning; objects and secrets by type only */
static void describe(struct json_object *value, const char *key, char *buf, size_t size)
{
	enum json_type type = json_object_get_type(value);
	const char *text;
	size_t len;

	if (type == json_type_object || type == json_type_array || is_secret(key)) {
		(void)snprintf(buf, size, "%s %s", strchr("aeiou", *json_type_to_name(type)) ? "an" : "a",
			       json_type_to_name(type));
		return;
	}
	text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text)
		text = "?";
	len = strlen(text);
	if (len <= SHOWN_MAX) {
		(void)snprintf(buf, size, "%s", text);
		return;
	}
	for (len = SHOWN_MAX; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--; /* not in the middle of a UTF-8 character */
	(void)snprintf(buf, size, "%.*s...", (int)len, text);
}

/* writes the error about a value that is not what was expected */
static int value_error(const char *path, const char *key, struct json_object *value, const char *expected,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *detail = NULL;
	char shown[SHOWN_MAX + 8];

	describe(value, key, shown, sizeof(shown));
	if (asprintf(&detail, "%s is %s, expected %s", key, shown, expected) < 0) {
		detail = NULL;
		return fl_error_oom(ret_error);
	}
	return fl_error_set(ret_error, -EINVAL, "config", detail, "%s", path);
}

int fl_json_get_any(struct json_object *object, const char *key, struct json_object **ret)
{
	struct json_object *last = NULL;
	int found = 0;

	if (!fl_json_is_object(object))
		return 0;
	json_object_object_foreach(object, name, value)
	{
		if (!same_key(name, key))
			continue;
		last = value;
		found = 1;
	}
	if (found)
		*ret = last;
	return found;
}

/* what the typed getters share: 1 and the value if it is there and of the type */
static int get_typed(struct json_object *object, const char *path, const char *key, enum json_type type,
		     const char *expected, struct json_object **ret, struct flannel_error **ret_error)
{
	struct json_object *value = NULL;

	if (!fl_json_get_any(object, key, &value) || !value)
		return 0;
	if (!json_object_is_type(value, type))
		return value_error(path, key, value, expected, ret_error);
	*ret = value;
	return 1;
}

int fl_json_get_object(struct json_object *object, const char *path, const char *key, struct json_object **ret,
		       struct flannel_error **ret_error)
{
	return get_typed(object, path, key, json_type_object, "an object", ret, ret_error);
}

int fl_json_get_array(struct json_object *object, const char *path, const char *key, struct json_object **ret,
		      struct flannel_error **ret_error)
{
	return get_typed(object, path, key, json_type_array, "an array", ret, ret_error);
}

int fl_json_get_string(struct json_object *object, const char *path, const char *key, const char **ret,
		       struct flannel_error **ret_error)
{
	struct json_object *value = NULL;
	int r = get_typed(object, path, key, json_type_string, "a string", &value, ret_error);

	if (r > 0)
		*ret = json_object_get_string(value);
	return r;
}

int fl_json_get_bool(struct json_object *object, const char *path, const char *key, bool *ret,
		     struct flannel_error **ret_error)
{
	struct json_object *value = NULL;
	int r = get_typed(object, path, key, json_type_boolean, "true or false", &value, ret_error);

	if (r > 0)
		*ret = json_object_get_boolean(value);
	return r;
}

int fl_json_get_uint(struct json_object *object, const char *path, const char *key, uint64_t max, uint64_t *ret,
		     struct flannel_error **ret_error)
{
	struct json_object *value = NULL;
	char expected[64];
	int r;

	(void)snprintf(expected, sizeof(expected), "an integer from 0 to %" PRIu64, max);
	r = get_typed(object, path, key, json_type_int, expected, &value, ret_error);
	if (r <= 0)
		return r;
	/* asked for as unsigned, a negative number would read as 0 */
	if (json_object_get_int64(value) < 0 || json_object_get_uint64(value) > max)
		return value_error(path, key, value, expected, ret_error);
	*ret = json_object_get_uint64(value);
	return 1;
}

int fl_json_each_key(struct json_object *object, int (*fn)(void *userdata, const char *key), void *userdata)
{
	int r = 0;

	if (!fl_json_is_object(object))
		return 0;
	json_object_object_foreach(object, name, value)
	{
		(void)value;
		r = fn(userdata, name);
		if (r)
			break;
	}
	return r;
}

size_t fl_json_array_length(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

struct json_object *fl_json_array_get(struct json_object *array, size_t index)
{
	return index < fl_json_array_length(array) ? json_object_array_get_idx(array, index) : NULL;
}

const char *fl_json_as_string(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

bool fl_json_is_object(struct json_object *value)
{
	return json_object_is_type(value, json_type_object);
}

bool fl_json_equal(struct json_object *a, struct json_object *b)
{
	return json_object_equal(a, b);
}

char *fl_json_format(struct json_object *value)
{
	const char *text =
		json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	return text ? strdup(text) : NULL;
}

struct json_object *fl_json_object(void)
{
	return json_object_new_object();
}

struct json_object *fl_json_array(void)
{
	return json_object_new_array();
}

struct json_object *fl_json_string(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

struct json_object *fl_json_int(int64_t number)
{
	return json_object_new_int64(number);
}

struct json_object *fl_json_bool(bool value)
{
	return json_object_new_boolean(value);
}

int fl_json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (value && fl_json_is_object(object) && json_object_object_add(object, key, value) == 0)
		return 0;
	(void)json_object_put(value);
	return -ENOMEM;
}

int fl_json_add_null(struct json_object *object, const char *key)
{
	if (fl_json_is_object(object) && json_object_object_add(object, key, NULL) == 0)
		return 0;
	return -ENOMEM;
}

int fl_json_append(struct json_object *array, struct json_object *value)
{
	if (value && json_object_is_type(array, json_type_array) && json_object_array_add(array, value) == 0)
		return 0;
	(void)json_object_put(value);
	return -ENOMEM;
}
