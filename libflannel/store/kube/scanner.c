/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/scanner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/kube/block.h"

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
		      (scanner->depth == first + 1 &&
		       (is_last_key(scanner, "managedFields") || is_last_key(scanner, "labels")));
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
	if (c == '\\')
		return -EBADMSG;
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
 * What opens and closes in a block: 0, or -EBADMSG. *ret_end: the byte behind the end of the value that is left out, or 0 if that is still to
 * come.
 */
static int skip_brackets(struct fl_kube_scanner *scanner, const char *bytes, uint64_t brackets, size_t *ret_end)
{
	for (; brackets; brackets &= brackets - 1) {
		unsigned int at = (unsigned int)__builtin_ctzll(brackets);
		bool is_object = bytes[at] == '{' || bytes[at] == '}';
		uint64_t bit;

		if (bytes[at] == '{' || bytes[at] == '[') {
			if (scanner->depth == FL_KUBE_DEPTH_MAX)
				return -EBADMSG;
			bit = UINT64_C(1) << scanner->depth++;
			scanner->objects = is_object ? scanner->objects | bit : scanner->objects & ~bit;
			continue;
		}
		if (is_in_object(scanner) != is_object)
			return -EBADMSG;
		if (--scanner->depth == scanner->skip_depth) {
			*ret_end = at + 1;
			return 0;
		}
	}
	*ret_end = 0;
	return 0;
}

/* passes over n bytes of a block inside of a value that is left out, or to its end: how many, or -EBADMSG */
static int skip_block(struct fl_kube_scanner *scanner, const char *bytes, unsigned int n)
{
	struct fl_kube_block block = fl_kube_block_read(bytes);
	uint64_t escaped = scanner->is_escaped, escapes = fl_kube_block_escapes(block.backslashes, &escaped);
	uint64_t strings = fl_kube_block_parity(block.quotes & ~escapes) ^ (scanner->is_in_string ? UINT64_MAX : 0);
	size_t end;
	int r;

	/* no JSON; nor would it be clear what is a string behind it */
	if (block.backslashes & ~strings)
		return -EBADMSG;
	r = skip_brackets(scanner, bytes, (block.opens | block.closes) & ~strings, &end);
	if (r < 0)
		return r;
	if (end) {
		scanner->is_in_string = false;
		scanner->is_escaped = false;
		scanner->is_key_next = false;
		return (int)end;
	}
	scanner->is_in_string = (strings >> (n - 1)) & 1;
	scanner->is_escaped = n < FL_KUBE_BLOCK_SIZE ? (escapes >> n) & 1 : escaped != 0;
	return (int)n;
}

/*
 * Passes over what is inside of a value that is left out; most of what comes is there. Just strings and brackets count: nothing else tells where
 * the value ends.
 */
static int skip(struct fl_kube_scanner *scanner, const char *bytes, size_t len, size_t *at)
{
	char last[FL_KUBE_BLOCK_SIZE];

	while (*at < len && scanner->skip_depth && scanner->depth > scanner->skip_depth) {
		size_t n = len - *at;
		int r;

		if (n >= FL_KUBE_BLOCK_SIZE) {
			r = skip_block(scanner, bytes + *at, FL_KUBE_BLOCK_SIZE);
		} else {
			memset(last, ' ', sizeof(last));
			memcpy(last, bytes + *at, n);
			r = skip_block(scanner, last, (unsigned int)n);
		}
		if (r < 0)
			return r;
		*at += (size_t)r;
	}
	return 0;
}

int fl_kube_scanner_feed(struct fl_kube_scanner *scanner, const char *bytes, size_t len)
{
	size_t at = 0;
	int r = 0;

	while (at < len && r >= 0) {
		r = skip(scanner, bytes, len, &at);
		if (r < 0 || at == len)
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
