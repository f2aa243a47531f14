/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unique_keys.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"
#include "decode.h"

/* what was seen on the way through the text */
struct scan {
	const char *key;
	int depth;                /* how many objects and lists are open */
	bool is_wanted;           /* what stands under the last key of the outermost object is looked at */
	struct json_object *seen; /* its keys so far */
};

/* length of the string token at text, which begins with a quote and ends */
static size_t string_length(const char *text)
{
	size_t i = 1;

	while (text[i] != '"')
		i += text[i] == '\\' ? 2 : 1;
	return i + 1;
}

/* a key of the object that is looked at */
static int take_inner_key(struct scan *scan, const char *name, struct cni_error *error)
{
	if (json_object_object_get_ex(scan->seen, name, NULL))
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s has %s twice, expected each key once", scan->key, name);
	return json_object_object_add(scan->seen, name, NULL) < 0 ? cni_fail_oom(error) : 0;
}

/* a key at depth 1 or 2, as it stands in the text */
static int take_key(struct scan *scan, const char *text, size_t len, struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *name = NULL;

	if (cni_json_parse(text, len, &name, error) < 0)
		return -1;
	if (scan->depth == 2)
		return take_inner_key(scan, json_object_get_string(name), error);
	scan->is_wanted = strcasecmp(json_object_get_string(name), scan->key) == 0;
	if (!scan->is_wanted)
		return 0;
	json_object_put(scan->seen);
	scan->seen = json_object_new_object();
	return scan->seen ? 0 : cni_fail_oom(error);
}

/* is the string that ends before at a key: no other is followed by a colon */
static bool is_key(const char *text, size_t len, size_t at)
{
	while (at < len && memchr(" \t\r\n", text[at], 4))
		at++;
	return at < len && text[at] == ':';
}

int cni_unique_keys_check(const char *text, size_t len, const char *key, struct cni_error *error)
{
	struct scan scan = {.key = key};
	size_t n;
	int r = 0;

	for (size_t at = 0; at < len && r == 0; at += n) {
		n = text[at] == '"' ? string_length(text + at) : 1;
		if (text[at] == '{' || text[at] == '[')
			scan.depth++;
		else if (text[at] == '}' || text[at] == ']')
			scan.depth--;
		else if (n > 1 && (scan.depth == 1 || (scan.depth == 2 && scan.is_wanted)) && is_key(text, len, at + n))
			r = take_key(&scan, text + at, n, error);
	}
	json_object_put(scan.seen);
	return r;
}

/* the first byte from at on that is no white space; len at the end */
static size_t skip_blanks(const char *text, size_t len, size_t at)
{
	while (at < len && memchr(" \t\r\n", text[at], 4))
		at++;
	return at;
}

/* length of the scalar that begins at at; 0 for null, a list or an object */
static size_t scalar_length(const char *text, size_t len, size_t at)
{
	size_t end = at;

	if (at >= len || memchr("{[n", text[at], 3))
		return 0;
	if (text[at] == '"')
		return string_length(text + at);
	while (end < len && !memchr(",}] \t\r\n", text[end], 7))
		end++;
	return end - at;
}

/* The key at at, n bytes long: if it is null in the object now, it gets the value that stands here. */
static int restore_one(const char *text, size_t len, size_t at, size_t n, struct json_object *nulls,
		       struct json_object *object, struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *name = NULL;
	CNI_CLEANUP(cni_json_putp) struct json_object *value = NULL;
	size_t start = skip_blanks(text, len, skip_blanks(text, len, at + n) + 1);
	size_t value_len = scalar_length(text, len, start);

	if (value_len == 0)
		return 0;
	if (cni_json_parse(text + at, n, &name, error) < 0)
		return -1;
	if (!json_object_object_get_ex(nulls, json_object_get_string(name), NULL))
		return 0;
	if (cni_json_parse(text + start, value_len, &value, error) < 0)
		return -1;
	if (json_object_object_add(object, json_object_get_string(name), value) < 0)
		return cni_fail_oom(error);
	value = NULL;
	return 0;
}

/* the members that are null, as the keys of an object, which stays NULL without any */
static int find_nulls(struct json_object *object, struct json_object **nulls, struct cni_error *error)
{
	json_object_object_foreach(object, key, value)
	{
		if (value)
			continue;
		if (!*nulls)
			*nulls = json_object_new_object();
		if (!*nulls || json_object_object_add(*nulls, key, NULL) < 0)
			return cni_fail_oom(error);
	}
	return 0;
}

int cni_unique_keys_restore(const char *text, size_t len, struct json_object *object, struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *nulls = NULL;
	int depth = 0;
	size_t n;
	int r = find_nulls(object, &nulls, error);

	for (size_t at = 0; nulls && at < len && r == 0; at += n) {
		n = text[at] == '"' ? string_length(text + at) : 1;
		if (text[at] == '{' || text[at] == '[')
			depth++;
		else if (text[at] == '}' || text[at] == ']')
			depth--;
		else if (n > 1 && depth == 1 && is_key(text, len, at + n))
			r = restore_one(text, len, at, n, nulls, object, error);
	}
	return r;
}
