/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "print.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

/* how a text is laid out, and where it goes */
struct printer {
	FILE *out;
	int indent; /* blanks for each level; 0: all on one line */
	int sorted;
	int *failed; /* set where there is no memory */
};

static void print_value(const struct printer *printer, struct json_object *value, int level);

int cni_write(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, text, len);

		if (written < 0 && errno != EINTR)
			return -1;
		if (written > 0) {
			text += written;
			len -= (size_t)written;
		}
	}
	return 0;
}

/* length of the UTF-8 sequence at text, 0 if it is none (RFC 3629) */
static size_t utf8_length(const unsigned char *text, size_t len)
{
	size_t n = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;

	if (n == 1)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	/* overlong forms, surrogates, and what lies above U+10FFFF */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return n;
}

/* one character of a string; returns how many bytes it was */
static size_t print_character(FILE *out, const unsigned char *text, size_t len)
{
	size_t n = utf8_length(text, len);

	if (n == 0) {
		(void)fputs("\\ufffd", out);
		return 1;
	}
	if (n == 3 && text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9))
		(void)fprintf(out, "\\u20%02x", text[2] - 0x80U); /* line and paragraph separator */
	else if (n > 1)
		(void)fwrite(text, 1, n, out);
	else if (text[0] == '"' || text[0] == '\\')
		(void)fprintf(out, "\\%c", text[0]);
	else if (text[0] == '\n')
		(void)fputs("\\n", out);
	else if (text[0] == '\r')
		(void)fputs("\\r", out);
	else if (text[0] == '\t')
		(void)fputs("\\t", out);
	else if (text[0] < 0x20 || text[0] == '<' || text[0] == '>' || text[0] == '&')
		(void)fprintf(out, "\\u%04x", text[0]);
	else
		(void)fputc(text[0], out);
	return n;
}

/* a string in quotes */
static void print_string(FILE *out, const char *text, size_t len)
{
	(void)fputc('"', out);
	for (size_t at = 0; at < len;)
		at += print_character(out, (const unsigned char *)text + at, len - at);
	(void)fputc('"', out);
}

/* a number with a fraction or exponent: the shortest text that reads back the same */
static void print_double(FILE *out, double number)
{
	char text[40];

	if (fabs(number) < 1e21 && number == trunc(number)) {
		(void)fprintf(out, "%.0f", number);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	(void)fputs(text, out);
}

/* a new line for an element, where lines are wanted */
static void print_break(const struct printer *printer, int level)
{
	if (printer->indent > 0)
		(void)fprintf(printer->out, "\n%*s", printer->indent * level, "");
}

/* a list */
static void print_array(const struct printer *printer, struct json_object *array, int level)
{
	size_t n = json_object_array_length(array);

	(void)fputc('[', printer->out);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			(void)fputc(',', printer->out);
		print_break(printer, level + 1);
		print_value(printer, json_object_array_get_idx(array, i), level + 1);
	}
	if (n > 0)
		print_break(printer, level);
	(void)fputc(']', printer->out);
}

/* order of two keys, for qsort(3) */
static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* the keys of an object in the order they are printed in; free() the array, not the keys. NULL without memory or keys. */
static const char **list_keys(const struct printer *printer, struct json_object *object)
{
	size_t n = (size_t)json_object_object_length(object);
	const char **keys = n > 0 ? calloc(n, sizeof(*keys)) : NULL;
	size_t i = 0;

	if (!keys)
		return NULL;
	json_object_object_foreach(object, key, value)
	{
		(void)value;
		keys[i++] = key;
	}
	if (printer->sorted)
		qsort(keys, n, sizeof(*keys), compare_keys);
	return keys;
}

/* an object */
static void print_object(const struct printer *printer, struct json_object *object, int level)
{
	size_t n = (size_t)json_object_object_length(object);
	CNI_CLEANUP(cni_freep) const char **keys = list_keys(printer, object);

	if (n > 0 && !keys) {
		*printer->failed = 1;
		return;
	}
	(void)fputc('{', printer->out);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			(void)fputc(',', printer->out);
		print_break(printer, level + 1);
		print_string(printer->out, keys[i], strlen(keys[i]));
		(void)fputs(printer->indent > 0 ? ": " : ":", printer->out);
		print_value(printer, json_object_object_get(object, keys[i]), level + 1);
	}
	if (n > 0)
		print_break(printer, level);
	(void)fputc('}', printer->out);
}

/* any value; the parser has limited how deep they are nested */
static void print_value(const struct printer *printer, struct json_object *value, int level)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		(void)fputs("null", printer->out);
		break;
	case json_type_boolean:
		(void)fputs(json_object_get_boolean(value) ? "true" : "false", printer->out);
		break;
	case json_type_double:
		print_double(printer->out, json_object_get_double(value));
		break;
	case json_type_int:
		(void)fputs(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), printer->out);
		break;
	case json_type_object:
		print_object(printer, value, level);
		break;
	case json_type_array:
		print_array(printer, value, level);
		break;
	case json_type_string:
		print_string(printer->out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
		break;
	}
}

/* the text of a value, NULL without memory */
static char *format(struct json_object *value, int indent, int sorted, size_t *ret_len)
{
	CNI_CLEANUP(cni_freep) char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);
	int failed = 0;
	const struct printer printer = {out, indent, sorted, &failed};

	if (!out)
		return NULL;
	print_value(&printer, value, 0);
	failed |= ferror(out);
	if (fclose(out) != 0 || failed)
		return NULL;
	return CNI_TAKE(text);
}

int cni_print(struct json_object *value, int fd)
{
	size_t len = 0;
	CNI_CLEANUP(cni_freep) char *text = format(value, 4, 0, &len);

	if (!text) {
		errno = ENOMEM;
		return -1;
	}
	return cni_write(fd, text, len);
}

char *cni_format_compact(struct json_object *value, int sorted)
{
	size_t len = 0;

	return format(value, 0, sorted, &len);
}

char *cni_format_indented(struct json_object *value, int indent)
{
	size_t len = 0;

	return format(value, indent, 0, &len);
}
