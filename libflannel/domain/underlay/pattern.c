/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/underlay/pattern.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* nobody writes a longer one, and what the C library makes of it must stay bounded: it copies what is repeated */
#define PATTERN_MAX 1024
#define REPEAT_MAX 1000
#define COPIES_MAX 10000
#define DEPTH_MAX 32

#define OPERATION "read the regular expression"

/* characters that stand for an operator outside of brackets */
#define SPECIAL ".[]\\()*+?{}|^$"

/* a rewriting under way */
struct translation {
	const char *at;
	FILE *out;
	bool may_repeat;                     /* a quantifier may follow */
	size_t depth;                        /* of groups */
	unsigned long copies[DEPTH_MAX + 1]; /* pieces in each open group, as often as they are repeated */
	unsigned long last;                  /* in the latest piece */
	const char *problem;
};

/* a set of ASCII characters, those that brackets name */
struct char_set {
	bool has[128];
};

/* notes the first thing that is wrong */
static bool refuse(struct translation *translation, const char *problem)
{
	if (!translation->problem)
		translation->problem = problem;
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* of a class that a letter stands for: d, s, w */
static bool is_in_class(char class, char c)
{
	if (class == 'd')
		return is_digit(c);
	if (class == 's')
		return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
	return is_digit(c) || is_letter(c) || c == '_';
}

/* adds a class, or for a capital letter its complement */
static void set_add_class(struct char_set *set, char letter)
{
	char class = (char)(letter | 0x20);

	for (int c = 1; c < 128; c++)
		if (is_in_class(class, (char)c) == (class == letter))
			set->has[c] = true;
}

/* escapes of one character, and what they mean */
static const char letters[] = "tnrfva", meant[] = "\t\n\r\f\v\a";

/* the character that an escape such as \t means; 0 if it means none */
static char escaped_char(char letter)
{
	const char *found = letter ? strchr(letters, letter) : NULL;

	if (found)
		return meant[found - letters];
	return is_letter(letter) || is_digit(letter) || letter <= ' ' || letter >= 127 ? '\0' : letter;
}

/* writes one character that stands for itself */
static void put_literal(FILE *out, char c)
{
	if (strchr(SPECIAL, c))
		(void)fputc('\\', out);
	(void)fputc(c, out);
}

/* writes brackets in POSIX's order: "]" first, "[", "^" and "-" last, so that each stands for itself */
static bool put_set(struct translation *translation, const struct char_set *set, bool negated)
{
	FILE *out = translation->out;
	int n = 0, last = 0;

	for (int c = 1; c < 128; c++) {
		n += set->has[c];
		last = set->has[c] ? c : last;
	}
	if (n == 0)
		return refuse(translation, "brackets that match nothing");
	if (n == 1 && !negated) {
		put_literal(out, (char)last);
		return true;
	}
	(void)fputs(negated ? "[^" : "[", out);
	if (set->has[']'])
		(void)fputc(']', out);
	for (int c = 1; c < 128; c++)
		if (set->has[c] && !strchr("][^-", c))
			(void)fputc(c, out);
	if (set->has['['])
		(void)fputc('[', out);
	/* alone with "-" it would negate */
	if (set->has['^'] && !negated && n == 2 && set->has['-'])
		(void)fputs("-^", out);
	else
		(void)fprintf(out, "%s%s", set->has['^'] ? "^" : "", set->has['-'] ? "-" : "");
	(void)fputc(']', out);
	return true;
}

/* what [:name:] stands for */
static const struct {
	const char *name;
	const char *ranges; /* pairs */
} classes[] = {
	{"alnum", "09AZaz"}, {"alpha", "AZaz"}, {"ascii", "\1\177"},  {"blank", "\t\t  "},  {"cntrl", "\1\37\177\177"},
	{"digit", "09"},     {"graph", "!~"},   {"lower", "az"},      {"print", " ~"},      {"punct", "!/:@[`{~"},
	{"space", "\t\r  "}, {"upper", "AZ"},   {"word", "09AZaz__"}, {"xdigit", "09AFaf"},
};

/* [:name:], with a set for what it names; false if at is not at one */
static bool take_named_class(struct translation *translation, struct char_set *set)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		size_t len = strlen(classes[i].name);

		if (strncmp(translation->at + 2, classes[i].name, len) != 0 ||
		    strncmp(translation->at + 2 + len, ":]", 2) != 0)
			continue;
		for (const char *pair = classes[i].ranges; *pair; pair += 2)
			for (int c = pair[0]; c <= pair[1]; c++)
				set->has[c] = true;
		translation->at += len + 4;
		return true;
	}
	return refuse(translation, "an unknown class in brackets ([:alpha:] and the like are known)");
}

/* one character of brackets, perhaps escaped; 0 if it is none */
static char take_bracket_char(struct translation *translation)
{
	char c = *translation->at;

	if (c != '\\') {
		translation->at += c != '\0';
		if ((unsigned char)c >= 128)
			(void)refuse(translation, "brackets may only name ASCII characters");
		return (unsigned char)c < 128 ? c : '\0';
	}
	c = escaped_char(translation->at[1]);
	if (!c)
		(void)refuse(translation, "an escape in brackets that is not understood");
	else
		translation->at += 2;
	return c;
}

/* one item of brackets: a class, a character or a range */
static bool take_bracket_item(struct translation *translation, struct char_set *set)
{
	const char *at = translation->at;
	char first, last;

	if (at[0] == '[' && at[1] == ':')
		return take_named_class(translation, set);
	if (at[0] == '\\' && at[1] && strchr("dDsSwW", at[1])) {
		set_add_class(set, at[1]);
		translation->at += 2;
		return true;
	}
	first = last = take_bracket_char(translation);
	if (first && translation->at[0] == '-' && translation->at[1] && translation->at[1] != ']') {
		translation->at++;
		last = take_bracket_char(translation);
	}
	if (translation->problem)
		return false;
	if (!first || !last)
		return refuse(translation, "brackets without an end");
	if (last < first)
		return refuse(translation, "a range in brackets that ends before it begins");
	for (int c = first; c <= last; c++)
		set->has[c] = true;
	return true;
}

/* brackets, at behind the opening one */
static bool take_brackets(struct translation *translation)
{
	struct char_set set = {{false}};
	bool negated = *translation->at == '^';
	bool is_first = true;

	translation->at += negated;
	for (; *translation->at != ']' || is_first; is_first = false)
		if (!take_bracket_item(translation, &set))
			return false;
	translation->at++;
	return put_set(translation, &set, negated);
}

/* an escape, at on the backslash */
static bool take_escape(struct translation *translation)
{
	char letter = translation->at[1];
	char c = escaped_char(letter);
	struct char_set set = {{false}};

	if (!letter)
		return refuse(translation, "a backslash at its end");
	translation->at += 2;
	if (c) {
		put_literal(translation->out, c);
		return true;
	}
	if (strchr("AzbB", letter))
		translation->may_repeat = false;
	if (letter == 'A' || letter == 'z') {
		(void)fputc(letter == 'A' ? '^' : '$', translation->out);
		return true;
	}
	if (letter == 'b' || letter == 'B') {
		(void)fprintf(translation->out, "\\%c", letter);
		return true;
	}
	if (!strchr("dDsSwW", letter))
		return refuse(translation, "an escape that is not understood (\\d, \\s, \\w, \\b and their like are)");
	set_add_class(&set, (char)(letter | 0x20));
	return put_set(translation, &set, !(letter & 0x20));
}

/* a group's beginning, at on "(" */
static bool take_group(struct translation *translation)
{
	const char *at = translation->at + 1;

	if (*at == '?') {
		at++;
		if (*at == 'P' && at[1] == '<')
			at++;
		if (*at == ':') {
			at++;
		} else if (*at == '<' && (is_letter(at[1]) || at[1] == '_')) {
			at += 1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
			if (*at++ != '>')
				return refuse(translation, "a group's name without an end");
		} else {
			return refuse(translation, "a kind of group that is not understood ((?:...) is, and (?i) at "
						   "the very beginning)");
		}
	}
	if (translation->depth == DEPTH_MAX)
		return refuse(translation, "groups more than 32 deep");
	translation->copies[++translation->depth] = 0;
	(void)fputc('(', translation->out);
	translation->at = at;
	return true;
}

/* a group's end */
static bool end_group(struct translation *translation)
{
	if (translation->depth == 0)
		return refuse(translation, "a closing parenthesis too many");
	translation->last = translation->copies[translation->depth--];
	translation->copies[translation->depth] += translation->last;
	translation->at++;
	(void)fputc(')', translation->out);
	return true;
}

/* the length of "{n}", "{n,}" or "{n,m}" and the greatest number; 0 if this is none, and the brace stands for itself */
static size_t repeat_len(const char *at, unsigned long *ret_times)
{
	unsigned long min, max;
	char *end;

	if (!is_digit(at[1]))
		return 0;
	min = max = strtoul(at + 1, &end, 10);
	if (*end == ',' && is_digit(end[1]))
		max = strtoul(end + 1, &end, 10);
	else if (*end == ',')
		end++;
	*ret_times = min > max ? min : max;
	return *end == '}' ? (size_t)(end + 1 - at) : 0;
}

/* a quantifier of len bytes; a lazy one matches where the greedy one does */
static bool take_quantifier(struct translation *translation, size_t len, unsigned long times)
{
	unsigned long *copies = &translation->copies[translation->depth];

	if (!translation->may_repeat)
		return refuse(translation, "a repetition (*, +, ?, {n}) of nothing, or of a repetition");
	if (times > REPEAT_MAX)
		return refuse(translation, "a repetition of more than 1000 times");
	*copies += translation->last * times;
	if (*copies > COPIES_MAX)
		return refuse(translation, "repetitions of repetitions that come to too many");
	(void)fwrite(translation->at, 1, len, translation->out);
	translation->at += len;
	translation->at += *translation->at == '?';
	translation->may_repeat = false;
	return true;
}

/* something that stands for a character or a place; false if it is refused */
static bool take_atom(struct translation *translation)
{
	char c = *translation->at;

	translation->may_repeat = c != '^' && c != '$' && c != '|';
	translation->last = 1;
	translation->copies[translation->depth]++;
	if (c == '\\')
		return take_escape(translation);
	translation->at++;
	if (c == '[')
		return take_brackets(translation);
	/* braces and a closing bracket that close nothing stand for themselves */
	if (strchr("{}]", c))
		put_literal(translation->out, c);
	else
		(void)fputc(c, translation->out);
	return true;
}

/* the next piece; false if it is refused */
static bool take_piece(struct translation *translation)
{
	char c = *translation->at;
	unsigned long times = 1;
	size_t len = c == '{' ? repeat_len(translation->at, &times) : c == '*' || c == '+' || c == '?';

	if (len)
		return take_quantifier(translation, len, times);
	if (c == '(' || c == ')') {
		translation->may_repeat = c == ')';
		return c == '(' ? take_group(translation) : end_group(translation);
	}
	return take_atom(translation);
}

/* rewrites an expression for the C library; NULL with what is wrong, or NULL alone without memory */
static char *translate(const char *text, const char **ret_problem)
{
	struct translation translation = {.at = text};
	FL_CLEANUP(fl_freep) char *result = NULL;
	size_t len = 0;

	translation.out = open_memstream(&result, &len);
	if (!translation.out)
		return NULL;
	while (*translation.at && take_piece(&translation))
		;
	if (translation.depth)
		(void)refuse(&translation, "a parenthesis without an end");
	if (fclose(translation.out) != 0)
		return NULL;
	*ret_problem = translation.problem;
	return translation.problem ? NULL : FL_TAKE(result);
}

/* an error that names the expression and what is wrong with it */
static int complain(const char *text, const char *problem, struct flannel_error **ret_error)
{
	char detail[256];

	(void)snprintf(detail, sizeof(detail), "\"%.64s\" is no regular expression that is understood: it has %s", text,
		       problem);
	return fl_error_set(ret_error, -EINVAL, "argument", detail, OPERATION);
}

int fl_pattern_compile(const char *text, struct fl_pattern *ret_pattern, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *posix = NULL;
	const char *problem = NULL;
	char detail[256], words[96];
	int flags = REG_EXTENDED | REG_NOSUB;
	const char *rest = text;
	int code;

	if (strlen(text) > PATTERN_MAX)
		return complain(text, "more than 1024 characters", ret_error);
	if (strncmp(text, "(?i)", 4) == 0) {
		flags |= REG_ICASE;
		rest += 4;
	}
	posix = translate(rest, &problem);
	if (!posix)
		return problem ? complain(text, problem, ret_error) : fl_error_oom(ret_error);
	code = regcomp(&ret_pattern->regex, posix, flags);
	if (code == 0)
		return 0;
	if (code == REG_ESPACE)
		return fl_error_oom(ret_error);
	(void)regerror(code, NULL, words, sizeof(words));
	(void)snprintf(detail, sizeof(detail), "\"%.64s\" is no regular expression: %s", text, words);
	return fl_error_set(ret_error, -EINVAL, "argument", detail, OPERATION);
}

void fl_pattern_clear(struct fl_pattern *pattern)
{
	regfree(&pattern->regex);
}

bool fl_pattern_matches(const struct fl_pattern *pattern, const char *text)
{
	return regexec(&pattern->regex, text, 0, NULL, 0) == 0;
}
