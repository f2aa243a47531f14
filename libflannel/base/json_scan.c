/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json_scan.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

/* the byte at the position, 0 at the end; a zero byte in the text is no legal byte either */
static char current(const struct fl_json_scanner *scanner)
{
	if (scanner->position >= scanner->len)
		return '\0';
	return scanner->text[scanner->position];
}

/* notes what is wrong at the position */
static bool fail(struct fl_json_scanner *scanner, const char *problem)
{
	scanner->problem = problem;
	return false;
}

/* skips a text from one double quote to the other; escapes are looked at by json-c, but for \u0000 */
static bool scan_string(struct fl_json_scanner *scanner)
{
	for (scanner->position++; scanner->position < scanner->len; scanner->position++) {
		char c = current(scanner);

		if (c == '"') {
			scanner->position++;
			return true;
		}
		if ((unsigned char)c < 0x20)
			return fail(scanner, "control character in a string, write it as an escape");
		if (c != '\\')
			continue;
		/* strings are handed on as C strings, which it would cut */
		if (scanner->len - scanner->position >= 6 && !memcmp(scanner->text + scanner->position, "\\u0000", 6))
			return fail(scanner, "\\u0000 in a string");
		scanner->position++;
	}
	return fail(scanner, "string without an end");
}

/* skips digits, at least one; *value is their number, *fits false if it has more than 64 bits */
static bool scan_digits(struct fl_json_scanner *scanner, uint64_t *value, bool *fits)
{
	size_t start = scanner->position;

	*value = 0;
	*fits = true;
	for (; current(scanner) >= '0' && current(scanner) <= '9'; scanner->position++) {
		uint64_t digit = (uint64_t)(current(scanner) - '0');

		if (__builtin_mul_overflow(*value, 10U, value) || __builtin_add_overflow(*value, digit, value))
			*fits = false;
	}
	return scanner->position > start || fail(scanner, "digit expected");
}

/* skips a number; one without fraction and exponent must be an int64_t or a uint64_t */
static bool scan_number(struct fl_json_scanner *scanner)
{
	size_t start = scanner->position;
	bool negative = current(scanner) == '-', fits, unused_fits;
	uint64_t value, unused;
	size_t first;

	scanner->position += negative;
	first = scanner->position;
	if (!scan_digits(scanner, &value, &fits))
		return false;
	if (scanner->text[first] == '0' && scanner->position > first + 1) {
		scanner->position = start;
		return fail(scanner, "number with a leading zero");
	}
	if (current(scanner) != '.' && (current(scanner) | 0x20) != 'e') {
		if (fits && (!negative || value <= (uint64_t)INT64_MAX + 1))
			return true;
		scanner->position = start;
		return fail(scanner, "integer that does not fit 64 bits");
	}
	if (current(scanner) == '.') {
		scanner->position++;
		if (!scan_digits(scanner, &unused, &unused_fits))
			return false;
	}
	if ((current(scanner) | 0x20) == 'e') {
		scanner->position++;
		scanner->position += current(scanner) == '+' || current(scanner) == '-';
		return scan_digits(scanner, &unused, &unused_fits);
	}
	return true;
}

/* skips true, false or null */
static bool scan_word(struct fl_json_scanner *scanner)
{
	const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < FL_N_ELEMENTS(words); i++) {
		size_t len = strlen(words[i]);

		if (scanner->len - scanner->position >= len &&
		    !memcmp(scanner->text + scanner->position, words[i], len)) {
			scanner->position += len;
			return true;
		}
	}
	if (current(scanner) == '\'')
		return fail(scanner, "single quote, strings need double quotes");
	if (current(scanner) == '/' || current(scanner) == '#')
		return fail(scanner, "unexpected character, JSON has no comments");
	return fail(scanner, "unexpected character");
}

bool fl_json_scan(struct fl_json_scanner *scanner)
{
	int depth = 0;

	while (scanner->position < scanner->len) {
		char c = current(scanner);
		bool ok = true;

		if (c == '"')
			ok = scan_string(scanner);
		else if (c == '-' || (c >= '0' && c <= '9'))
			ok = scan_number(scanner);
		else if (!c || !strchr(" \t\r\n[]{}:,", c))
			ok = scan_word(scanner);
		else
			scanner->position++;
		if (!ok)
			return false;
		depth += c == '[' || c == '{';
		depth -= c == ']' || c == '}';
		if (depth > FL_JSON_DEPTH_MAX) {
			scanner->position--;
			return fail(scanner, "nested too deeply");
		}
	}
	return true;
}
