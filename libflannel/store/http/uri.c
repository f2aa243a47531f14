/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/http/uri.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

/* undoes percent-encoding; malloc()ed. -EINVAL for what is none, and for control characters */
static int decode(const char *text, size_t len, char **ret_text)
{
	FL_CLEANUP(fl_freep) char *decoded = malloc(len + 1);
	size_t n = 0;

	if (!decoded)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		decoded[n] = text[i];
		if (text[i] == '%') {
			int byte = i + 2 < len ? fl_hex_byte(text + i + 1) : -1;

			if (byte < 0)
				return -EINVAL;
			decoded[n] = (char)byte;
			i += 2;
		}
		if ((unsigned char)decoded[n++] < ' ')
			return -EINVAL;
	}
	decoded[n] = '\0';
	*ret_text = FL_TAKE(decoded);
	return 0;
}

/* the field of a key; NULL for an unknown one */
static const struct fl_uri_field *find_field(const struct fl_uri_field *fields, size_t n_fields, const char *key,
					     size_t len)
{
	for (size_t i = 0; i < n_fields; i++) {
		if (strlen(fields[i].key) == len && memcmp(fields[i].key, key, len) == 0)
			return &fields[i];
	}
	return NULL;
}

/* "prefix, cafile or password" */
static void list_keys(const struct fl_uri_field *fields, size_t n_fields, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n_fields && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s",
				       i == 0              ? ""
				       : i == n_fields - 1 ? " or "
							   : ", ",
				       fields[i].key);
}

/* one "key=value" */
static int parse_field(const char *text, size_t len, const char *operation, const struct fl_uri_field *fields,
		       size_t n_fields, struct flannel_error **ret_error)
{
	const char *equals = memchr(text, '=', len);
	size_t key_len = equals ? (size_t)(equals - text) : len;
	const struct fl_uri_field *field = find_field(fields, n_fields, text, key_len);
	char detail[256], keys[160];
	int r;

	if (!equals || !field) {
		list_keys(fields, n_fields, keys, sizeof(keys));
		(void)snprintf(detail, sizeof(detail), "\"%.*s\", expected %s and \"=\"",
			       (int)(key_len < 40 ? key_len : 40), text, keys);
		return fl_error_set(ret_error, -EINVAL, "argument", detail, "%s", operation);
	}
	if (*field->value) {
		(void)snprintf(detail, sizeof(detail), "%s is given twice", field->key);
		return fl_error_set(ret_error, -EINVAL, "argument", detail, "%s", operation);
	}
	r = decode(equals + 1, len - key_len - 1, field->value);
	if (r == -ENOMEM)
		return fl_error_oom(ret_error);
	if (r < 0) {
		(void)snprintf(detail, sizeof(detail),
			       "the value of %s has a %% that is no encoding, or a control character", field->key);
		return fl_error_set(ret_error, r, "argument", detail, "%s", operation);
	}
	return 0;
}

int fl_uri_parse_fields(const char *text, const char *operation, const struct fl_uri_field *fields, size_t n_fields,
			struct flannel_error **ret_error)
{
	while (*text) {
		size_t len = strcspn(text, "&");
		int r = len ? parse_field(text, len, operation, fields, n_fields, ret_error) : 0;

		if (r < 0)
			return r;
		text += len + (text[len] == '&');
	}
	return 0;
}

void fl_uri_drop_empty(char **value)
{
	if (!*value || **value)
		return;
	free(*value);
	*value = NULL;
}
