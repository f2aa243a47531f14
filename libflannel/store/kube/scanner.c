/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/scanner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MIN ((size_t)4096)

/* an object that was larger does not leave its room behind */
#define TEXT_KEPT ((size_t)65536)

void fl_kube_scanner_init(struct fl_kube_scanner *scanner, enum fl_kube_scan scan, fl_kube_object_fn fn, void *userdata)
{
	*scanner = (struct fl_kube_scanner){.scan = scan, .fn = fn, .userdata = userdata};
}

/* drops a text */
static void text_clear(struct fl_kube_text *text)
{
	free(text->bytes);
	*text = (struct fl_kube_text){0};
}

void fl_kube_scanner_clear(struct fl_kube_scanner *scanner)
{
	text_clear(&scanner->object);
	text_clear(&scanner->rest);
}

/* appends, and a zero behind it that does not count */
static int text_append(struct fl_kube_text *text, const char *bytes, size_t len)
{
	size_t wanted = text->len + len + 1, n_allocated = text->n_allocated ? text->n_allocated : TEXT_MIN;
	char *grown;

	if (wanted > text->n_allocated) {
		while (n_allocated < wanted)
			n_allocated *= 2;
		grown = realloc(text->bytes, n_allocated);
		if (!grown)
			return -ENOMEM;
		text->bytes = grown;
		text->n_allocated = n_allocated;
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
	return 0;
}

/* keeps bytes where they belong: with the object that comes, or the rest; not if they are left out */
static int keep(struct fl_kube_scanner *scanner, const char *bytes, size_t len)
{
	if (scanner->skip_depth || scanner->is_too_large)
		return 0;
	if (!scanner->base) {
		if (scanner->scan != FL_KUBE_SCAN_LIST)
			return 0;
		return scanner->rest.len + len > FL_KUBE_REST_MAX ? -EBADMSG : text_append(&scanner->rest, bytes, len);
	}
	if (scanner->object.len + len > FL_KUBE_OBJECT_MAX) {
		scanner->is_too_large = true;
		text_clear(&scanner->object);
		return 0;
	}
	return text_append(&scanner->object, bytes, len);
}

/* hands over the object that has come */
static int tell(struct fl_kube_scanner *scanner)
{
	int r;

	scanner->base = 0;
	if (scanner->is_too_large) {
		scanner->is_too_large = false;
		return scanner->fn(scanner->userdata, NULL, 0);
	}
	r = scanner->fn(scanner->userdata, scanner->object.bytes, scanner->object.len);
	if (scanner->object.n_allocated > TEXT_KEPT)
		text_clear(&scanner->object);
	scanner->object.len = 0;
	return r;
}

/* is what is open now an object */
static bool is_in_object(const struct fl_kube_scanner *scanner)
{
	return scanner->depth && (scanner->objects >> (scanner->depth - 1) & 1);
}

/* was the last key this one; escapes in it make it another */
static bool is_last_key(const struct fl_kube_scanner *scanner, const char *key)
{
	return scanner->key_len == strlen(key) && memcmp(scanner->key, key, scanner->key_len) == 0;
}

/* "{" or "[" */
static int open_value(struct fl_kube_scanner *scanner, char c)
{
	bool is_object = c == '{';
	uint64_t bit;

	if (scanner->depth == FL_KUBE_DEPTH_MAX || (scanner->depth == 0 && (!is_object || scanner->has_ended)))
		return -EBADMSG;
	if (scanner->scan != FL_KUBE_SCAN_LIST) {
		if (scanner->depth == 0)
			scanner->base = 1;
	} else if (scanner->is_in_items && scanner->depth == 2) {
		if (!is_object)
			return -EBADMSG;
		scanner->base = 3;
	} else if (scanner->depth == 1 && !is_object && is_last_key(scanner, "items")) {
		scanner->is_in_items = true;
	}
	bit = UINT64_C(1) << scanner->depth++;
	scanner->objects = is_object ? scanner->objects | bit : scanner->objects & ~bit;
	scanner->is_key_next = is_object;
	return keep(scanner, &c, 1);
}

/* "}" or "]" */
static int close_value(struct fl_kube_scanner *scanner, char c)
{
	int r;

	if (scanner->depth == 0 || is_in_object(scanner) != (c == '}'))
		return -EBADMSG;
	if (scanner->skip_depth == scanner->depth)
		scanner->skip_depth = 0;
	r = keep(scanner, &c, 1);
	if (r < 0)
		return r;
	scanner->depth--;
	scanner->is_key_next = false;
	if (scanner->depth == 1)
		scanner->is_in_items = false;
	if (scanner->depth == 0 && scanner->scan != FL_KUBE_SCAN_WATCH)
		scanner->has_ended = true;
	return scanner->base > scanner->depth ? tell(scanner) : 0;
}

/* ":", behind a key: its value may be one that nobody needs */
static int begin_value(struct fl_kube_scanner *scanner)
{
	unsigned int first = scanner->base + (scanner->scan == FL_KUBE_SCAN_WATCH);
	bool is_unneeded;
	int r = keep(scanner, ":", 1);

	scanner->is_key_next = false;
	if (r < 0 || !scanner->base || scanner->skip_depth)
		return r;
	is_unneeded = (scanner->depth == first && is_last_key(scanner, "status")) ||
		      (scanner->depth == first + 1 && is_last_key(scanner, "managedFields"));
	if (!is_unneeded)
		return 0;
	r = keep(scanner, "null", 4);
	scanner->skip_depth = scanner->depth;
	return r;
}

/* "," */
static int next_value(struct fl_kube_scanner *scanner)
{
	if (scanner->skip_depth == scanner->depth)
		scanner->skip_depth = 0;
	scanner->is_key_next = is_in_object(scanner);
	/* the rest has no items */
	if (scanner->is_in_items && scanner->depth == 2)
		return 0;
	return keep(scanner, ",", 1);
}

/* a byte that is in no string */
static int feed_byte(struct fl_kube_scanner *scanner, char c)
{
	bool is_blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';

	if (c == '{' || c == '[')
		return open_value(scanner, c);
	if (scanner->depth == 0)
		return is_blank ? 0 : -EBADMSG;
	if (c == '}' || c == ']')
		return close_value(scanner, c);
	if (c == ':')
		return begin_value(scanner);
	if (c == ',')
		return next_value(scanner);
	if (c == '"') {
		scanner->is_in_string = true;
		scanner->is_key = scanner->is_key_next;
		if (scanner->is_key)
			scanner->key_len = 0;
	}
	return keep(scanner, &c, 1);
}

/* notes the bytes of a key */
static void note_key(struct fl_kube_scanner *scanner, const char *bytes, size_t len)
{
	if (!scanner->is_key || scanner->key_len > sizeof(scanner->key))
		return;
	if (len > sizeof(scanner->key) - scanner->key_len) {
		scanner->key_len = sizeof(scanner->key) + 1;
		return;
	}
	memcpy(scanner->key + scanner->key_len, bytes, len);
	scanner->key_len += len;
}

/* how many bytes there are before the next quote or backslash, eight at a time as far as there are so many */
static size_t plain_len(const char *bytes, size_t len)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	size_t n = 0;

	for (; len - n >= sizeof(uint64_t); n += sizeof(uint64_t)) {
		uint64_t word, quotes, backslashes;

		memcpy(&word, bytes + n, sizeof(word));
		quotes = word ^ (ones * '"');
		backslashes = word ^ (ones * '\\');
		/* a byte that is zero sets its highest bit; one that does so wrongly comes behind such a byte */
		if ((((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes)) & highs)
			break;
	}
	while (n < len && bytes[n] != '"' && bytes[n] != '\\')
		n++;
	return n;
}

/* where the string that is being read ends, which is noted, or what came: the byte behind it */
static size_t pass_string(struct fl_kube_scanner *scanner, const char *bytes, size_t len, size_t at)
{
	while (at < len && scanner->is_in_string) {
		char c;

		if (!scanner->is_escaped)
			at += plain_len(bytes + at, len - at);
		if (at == len)
			break;
		c = bytes[at++];
		if (scanner->is_escaped)
			scanner->is_escaped = false;
		else if (c == '\\')
			scanner->is_escaped = true;
		else
			scanner->is_in_string = false;
	}
	return at;
}

/* the bytes of a string up to its end, or to the end of what came; *at moves behind them */
static int feed_string(struct fl_kube_scanner *scanner, const char *bytes, size_t len, size_t *at)
{
	size_t start = *at;

	*at = pass_string(scanner, bytes, len, start);
	note_key(scanner, bytes + start, *at - start - !scanner->is_in_string);
	return keep(scanner, bytes + start, *at - start);
}

/*
 * Passes over what is inside of a value that is left out, up to where something opens or closes: nothing else there tells where the value
 * ends. Most of what comes is there, so it is done in one go.
 */
static void skip(struct fl_kube_scanner *scanner, const char *bytes, size_t len, size_t *at)
{
	if (!scanner->skip_depth || scanner->depth <= scanner->skip_depth || scanner->is_in_string)
		return;
	while (*at < len && bytes[*at] != '{' && bytes[*at] != '}' && bytes[*at] != '[' && bytes[*at] != ']') {
		if (bytes[(*at)++] != '"')
			continue;
		scanner->is_in_string = true;
		scanner->is_key = false;
		*at = pass_string(scanner, bytes, len, *at);
	}
}

int fl_kube_scanner_feed(struct fl_kube_scanner *scanner, const char *bytes, size_t len)
{
	int r = 0;

	for (size_t at = 0; at < len && r >= 0;) {
		skip(scanner, bytes, len, &at);
		if (at == len)
			break;
		if (scanner->is_in_string)
			r = feed_string(scanner, bytes, len, &at);
		else
			r = feed_byte(scanner, bytes[at++]);
	}
	return r < 0 ? r : 0;
}

bool fl_kube_scanner_is_complete(const struct fl_kube_scanner *scanner)
{
	return scanner->depth == 0 && (scanner->scan == FL_KUBE_SCAN_WATCH || scanner->has_ended);
}
