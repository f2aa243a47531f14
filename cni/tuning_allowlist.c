/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tuning_allowlist.h"

#include <ctype.h>
#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "file.h"

/* the longest text that one byte of an expression becomes, "[^0-9]" for the two of \D */
#define GROWTH 3

/* what an escape outside of brackets means: a text in its place, itself, or (NULL) nothing that we know */
static const char *translate_escape(char letter)
{
	if (letter == 'd')
		return "[0-9]";
	if (letter == 'D')
		return "[^0-9]";
	if (strchr("wWsSbB", letter) || !isalnum((unsigned char)letter))
		return "";
	return NULL;
}

/* appends a text, which fits */
static char *append(char *at, const char *text, size_t len)
{
	memcpy(at, text, len);
	return at + len;
}

/* length of a list in brackets, the first of which is at text; 0 if it does not end */
static size_t bracket_length(const char *text)
{
	size_t i = text[1] == '^' ? 2 : 1;

	/* a closing one that comes first is one of the list */
	if (text[i] == ']')
		i++;
	while (text[i] != '\0' && text[i] != ']') {
		const char *end = text[i] == '[' && text[i + 1] == ':' ? strstr(text + i + 2, ":]") : NULL;

		i = end ? (size_t)(end - text) + 2 : i + 1;
	}
	return text[i] == ']' ? i + 1 : 0;
}

/* has a list in brackets an escape that would be taken as two bytes of the list */
static bool has_escape(const char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] == '\\' && (isalnum((unsigned char)text[i + 1]) || text[i + 1] == ']'))
			return true;
	}
	return false;
}

char *cni_tuning_expression(const char *line, const char **ret_reason)
{
	CNI_CLEANUP(cni_freep) char *expression = malloc(GROWTH * strlen(line) + 1);
	char *at = expression;
	bool is_repeated = false;

	*ret_reason = NULL;
	while (expression && line[0] != '\0') {
		size_t n = line[0] == '[' ? bracket_length(line) : 1;

		if (line[0] == '[' && (n == 0 || has_escape(line, n))) {
			*ret_reason = n == 0 ? "a bracket that does not end" : "an escape in brackets";
			return NULL;
		}
		/* "a+?" means "at least one" elsewhere, here it would mean none, too; and "a++++++++" takes the C library for ever */
		if (is_repeated && strchr("*+?{", line[0])) {
			*ret_reason = "a repetition of a repetition, or a lazy one";
			return NULL;
		}
		is_repeated = strchr("*+?}", line[0]) != NULL;
		if (line[0] == '\\' && line[1] != '\0') {
			const char *meaning = translate_escape(line[1]);

			n = 2;
			if (!meaning) {
				*ret_reason = "an escape that POSIX does not have";
				return NULL;
			}
			if (meaning[0] != '\0')
				at = append(at, meaning, strlen(meaning));
			else
				at = append(at, line, n);
		} else if (line[0] == '(' && line[1] == '?') {
			if (line[2] != ':') {
				*ret_reason = "a group that POSIX does not have";
				return NULL;
			}
			n = 3;
			*at++ = '(';
		} else {
			at = append(at, line, n);
		}
		line += n;
	}
	if (!expression)
		return NULL;
	*at = '\0';
	return CNI_TAKE(expression);
}

/* compiles one line; the caller frees it */
static int compile(const char *line, const char *path, size_t number, regex_t *ret_expression, struct cni_error *error)
{
	const char *reason;
	CNI_CLEANUP(cni_freep) char *text = cni_tuning_expression(line, &reason);
	char words[128];
	int r = 0;

	if (!text && !reason)
		return cni_fail_oom(error);
	if (text) {
		r = regcomp(ret_expression, text, REG_EXTENDED | REG_NOSUB);
		if (r == 0)
			return 0;
		(void)regerror(r, ret_expression, words, sizeof(words));
		reason = words;
	}
	return cni_fail(error, CNI_ERROR_INTERNAL, "%s: line %zu is \"%s\", expected a POSIX extended expression: %s",
			path, number, line, reason);
}

/* the text without white space around it */
static const char *trim(char *text)
{
	const char *const blanks = " \t\r\v\f";
	size_t len;

	text += strspn(text, blanks);
	len = strlen(text);
	while (len > 0 && strchr(blanks, text[len - 1]))
		len--;
	text[len] = '\0';
	return text;
}

/* marks the keys that one line allows */
static int apply_line(const char *line, const char *path, size_t number, const struct cni_tuning_config *config,
		      bool *allowed, struct cni_error *error)
{
	regex_t expression;

	if (line[0] == '\0')
		return 0;
	if (compile(line, path, number, &expression, error) < 0)
		return -1;
	for (size_t i = 0; i < config->n_sysctls; i++) {
		if (!allowed[i])
			allowed[i] = regexec(&expression, config->sysctls[i].key, 0, NULL, 0) == 0;
	}
	regfree(&expression);
	return 0;
}

int cni_tuning_allowlist_check(const struct cni_tuning_config *config, const char *path, struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) bool *allowed = calloc(config->n_sysctls + 1, sizeof(*allowed));
	CNI_CLEANUP(cni_freep) char *text = NULL;
	size_t number = 0;
	size_t len = 0;
	char *rest;
	int r = config->n_sysctls > 0 ? cni_file_read(path, "allow list", &text, &len, error) : 0;

	if (!allowed)
		return cni_fail_oom(error);
	if (r <= 0)
		return r;
	if (strlen(text) != len)
		return cni_fail(error, CNI_ERROR_INTERNAL, "allow list: %s has zero bytes, expected text", path);
	rest = text;
	while (rest) {
		if (apply_line(trim(strsep(&rest, "\n")), path, ++number, config, allowed, error) < 0)
			return -1;
	}
	for (size_t i = 0; i < config->n_sysctls; i++) {
		if (!allowed[i])
			return cni_fail(error, CNI_ERROR_INTERNAL, "sysctl %s is not allowed by %s",
					config->sysctls[i].key, path);
	}
	return 0;
}
