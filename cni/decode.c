/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "decode.h"

#include <ctype.h>
#include <math.h>
#include <json-c/json_tokener.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "cleanup.h"

/* json-c's limit of nesting; its own default of 32 is less than others take */
#define DEPTH_MAX 128

/* how much of a wrong value a message shows */
#define SHOWN_MAX 60

/* length of a number at text as RFC 8259 has it, 0 if there is none */
static size_t number_length(const char *text, size_t len)
{
	size_t i = len > 0 && text[0] == '-' ? 1 : 0;
	size_t start = i;

	while (i < len && isdigit((unsigned char)text[i]))
		i++;
	if (i == start || (text[start] == '0' && i > start + 1))
		return 0;
	if (i < len && text[i] == '.') {
		start = ++i;
		while (i < len && isdigit((unsigned char)text[i]))
			i++;
		if (i == start)
			return 0;
	}
	if (i < len && (text[i] == 'e' || text[i] == 'E')) {
		i++;
		if (i < len && (text[i] == '+' || text[i] == '-'))
			i++;
		start = i;
		while (i < len && isdigit((unsigned char)text[i]))
			i++;
		if (i == start)
			return 0;
	}
	return i;
}

/* length of the string token at text, which begins with a quote; 0 if it does not end */
static size_t string_length(const char *text, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if (text[i] == '"')
			return i + 1;
		if ((unsigned char)text[i] < 0x20)
			return 0;
		if (text[i] == '\\')
			i++;
	}
	return 0;
}

/* length of one token of RFC 8259, white space included; 0 if json-c alone would take it (single quotes, NaN, 01) */
static size_t token_length(const char *text, size_t len)
{
	const char *const words[] = {"true", "false", "null"};

	if (strchr("{}[]:, \t\r\n", text[0]) && text[0] != '\0')
		return 1;
	if (text[0] == '"')
		return string_length(text, len);
	for (size_t i = 0; i < CNI_N_ELEMENTS(words); i++) {
		size_t n = strlen(words[i]);

		if (len >= n && memcmp(text, words[i], n) == 0)
			return n;
	}
	return number_length(text, len);
}

/* finds what is no token of JSON; the grammar itself is json-c's affair */
static int check_tokens(const char *text, size_t len, struct cni_error *error)
{
	size_t at = 0;

	while (at < len) {
		size_t n = token_length(text + at, len - at);

		if (n == 0)
			return cni_fail(error, CNI_ERROR_DECODING, "this is not JSON: invalid text at byte %zu", at);
		at += n;
	}
	return 0;
}

int cni_json_parse(const char *text, size_t len, struct json_object **ret_value, struct cni_error *error)
{
	struct json_tokener *tokener;
	CNI_CLEANUP(cni_json_putp) struct json_object *value = NULL;
	enum json_tokener_error result;
	size_t end;

	while (len > 0 && strchr(" \t\r\n", text[len - 1]) && text[len - 1] != '\0')
		len--;
	if (len == 0)
		return cni_fail(error, CNI_ERROR_DECODING, "this is not JSON: it is empty");
	if (len > CNI_TEXT_MAX)
		return cni_fail(error, CNI_ERROR_DECODING, "it is larger than %d bytes", CNI_TEXT_MAX);
	if (check_tokens(text, len, error) < 0)
		return -1;
	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!tokener)
		return cni_fail_oom(error);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	value = json_tokener_parse_ex(tokener, text, (int)len);
	result = json_tokener_get_error(tokener);
	if (result == json_tokener_continue) {
		/* a bare number or word ends only where the text does */
		value = json_tokener_parse_ex(tokener, "", 1);
		result = json_tokener_get_error(tokener);
		end = len;
	} else {
		end = json_tokener_get_parse_end(tokener);
	}
	json_tokener_free(tokener);
	if (result == json_tokener_continue)
		return cni_fail(error, CNI_ERROR_DECODING, "this is not JSON: it ends too early");
	if (result != json_tokener_success)
		return cni_fail(error, CNI_ERROR_DECODING, "this is not JSON: %s at byte %zu",
				json_tokener_error_desc(result), end);
	if (end < len)
		return cni_fail(error, CNI_ERROR_DECODING, "there is more after the JSON value, at byte %zu", end);
	*ret_value = CNI_TAKE(value);
	return 0;
}

bool cni_json_is_finite(struct json_object *value)
{
	size_t n = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;

	if (json_object_is_type(value, json_type_double))
		return isfinite(json_object_get_double(value));
	for (size_t i = 0; i < n; i++) {
		if (!cni_json_is_finite(json_object_array_get_idx(value, i)))
			return false;
	}
	if (!json_object_is_type(value, json_type_object))
		return true;
	json_object_object_foreach(value, key, member)
	{
		(void)key;
		if (!cni_json_is_finite(member))
			return false;
	}
	return true;
}

/* the value that counts for a key: the last one that is not null, whatever the case of its key */
static struct json_object *find(struct json_object *object, const char *key)
{
	struct json_object *found = NULL;

	json_object_object_foreach(object, name, value)
	{
		if (value && strcasecmp(name, key) == 0)
			found = value;
	}
	return found;
}

const char *cni_path_join(char *buf, const char *path, const char *key)
{
	size_t len = strnlen(path, CNI_PATH_SIZE - 2);
	size_t key_len = strlen(key);

	memcpy(buf, path, len);
	if (len > 0)
		buf[len++] = '.';
	if (key_len > CNI_PATH_SIZE - 1 - len)
		key_len = CNI_PATH_SIZE - 1 - len;
	memcpy(buf + len, key, key_len);
	buf[len + key_len] = '\0';
	return buf;
}

const char *cni_path_index(char *buf, const char *path, size_t index)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%zu", index);
	return cni_path_join(buf, path, text);
}

/* "ipam.subnet is 5, expected a string" */
static int fail_type(struct json_object *value, const char *path, const char *key, const char *expected,
		     struct cni_error *error)
{
	const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE);

	return cni_fail(error, CNI_ERROR_INTERNAL, "%s%s%s is %.*s%s, expected %s", path, path[0] != '\0' ? "." : "",
			key, SHOWN_MAX, text ? text : "?", text && strlen(text) > SHOWN_MAX ? "..." : "", expected);
}

/* the value of a key if it has the type: 1, 0, -1 */
static int get(struct json_object *object, const char *path, const char *key, enum json_type type, const char *expected,
	       struct json_object **ret, struct cni_error *error)
{
	struct json_object *value = find(object, key);

	if (!value)
		return 0;
	if (!json_object_is_type(value, type))
		return fail_type(value, path, key, expected, error);
	*ret = value;
	return 1;
}

/* a C string of a JSON string; NULL if there is a zero byte in it */
static const char *as_text(struct json_object *value)
{
	const char *text = json_object_get_string(value);

	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

int cni_get_string(struct json_object *object, const char *path, const char *key, const char **ret,
		   struct cni_error *error)
{
	struct json_object *value = NULL;
	const char *text;
	int r = get(object, path, key, json_type_string, "a string", &value, error);

	if (r <= 0)
		return r;
	text = as_text(value);
	if (!text)
		return fail_type(value, path, key, "a string without zero bytes", error);
	*ret = text;
	return 1;
}

int cni_get_bool(struct json_object *object, const char *path, const char *key, bool *ret, struct cni_error *error)
{
	struct json_object *value = NULL;
	int r = get(object, path, key, json_type_boolean, "true or false", &value, error);

	if (r > 0)
		*ret = json_object_get_boolean(value);
	return r;
}

int cni_get_int(struct json_object *object, const char *path, const char *key, int64_t min, int64_t max, int64_t *ret,
		struct cni_error *error)
{
	struct json_object *value = NULL;
	char expected[80];
	int r = get(object, path, key, json_type_int, "an integer", &value, error);

	if (r <= 0)
		return r;
	/* json-c clamps what does not fit, and the bounds here are well inside */
	if (json_object_get_int64(value) < min || json_object_get_int64(value) > max) {
		(void)snprintf(expected, sizeof(expected), "%lld to %lld", (long long)min, (long long)max);
		return fail_type(value, path, key, expected, error);
	}
	*ret = json_object_get_int64(value);
	return 1;
}

int cni_get_object(struct json_object *object, const char *path, const char *key, struct json_object **ret,
		   struct cni_error *error)
{
	return get(object, path, key, json_type_object, "an object", ret, error);
}

int cni_get_array(struct json_object *object, const char *path, const char *key, struct json_object **ret,
		  struct cni_error *error)
{
	return get(object, path, key, json_type_array, "a list", ret, error);
}

int cni_get_strings(struct json_object *object, const char *path, const char *key, struct json_object **ret,
		    struct cni_error *error)
{
	struct json_object *array = NULL;
	int r = cni_get_array(object, path, key, &array, error);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *element = json_object_array_get_idx(array, i);

		if (!json_object_is_type(element, json_type_string) || !as_text(element))
			return fail_type(array, path, key, "a list of strings", error);
	}
	*ret = array;
	return 1;
}

int cni_element_object(struct json_object *array, const char *path, size_t index, struct json_object **ret,
		       struct cni_error *error)
{
	struct json_object *value = json_object_array_get_idx(array, index);
	char key[32];

	if (value && !json_object_is_type(value, json_type_object)) {
		(void)snprintf(key, sizeof(key), "%zu", index);
		return fail_type(value, path, key, "an object", error);
	}
	*ret = value;
	return 0;
}

/* IPv4 in IPv6 form (::ffff:0:0/96) becomes IPv4 */
static void unmap(struct flannel_prefix *prefix)
{
	const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	if (prefix->family != AF_INET6 || prefix->plen < 96 || memcmp(prefix->addr, mapped, sizeof(mapped)) != 0)
		return;
	prefix->family = AF_INET;
	prefix->plen = (uint8_t)(prefix->plen - 96);
	memmove(prefix->addr, prefix->addr + 12, 4);
	memset(prefix->addr + 4, 0, 12);
}

int cni_parse_address(const char *text, const char *path, struct flannel_prefix *ret, struct cni_error *error)
{
	struct flannel_prefix prefix;

	if (strchr(text, '/') || flannel_prefix_parse(text, &prefix) < 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is \"%s\", expected an IP address", path, text);
	unmap(&prefix);
	*ret = prefix;
	return 0;
}

int cni_parse_cidr(const char *text, const char *path, struct flannel_prefix *ret, struct cni_error *error)
{
	struct flannel_prefix prefix;

	if (!strchr(text, '/') || flannel_prefix_parse(text, &prefix) < 0)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"%s is \"%s\", expected an IP address with a length, such as 10.1.0.0/16", path, text);
	unmap(&prefix);
	*ret = prefix;
	return 0;
}
