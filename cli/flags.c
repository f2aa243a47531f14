/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "flags.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cleanup.h"
#include "verbosity.h"

/* formats a sentence for the caller; NULL without memory */
static PRINTF_LIKE(1, 2) char *sentence(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	return text;
}

static const char *const true_words[] = {"1", "t", "T", "TRUE", "true", "True"};
static const char *const false_words[] = {"0", "f", "F", "FALSE", "false", "False"};

/* how a value is shown in the usage */
static const char *const kind_names[] = {
	[FLAG_BOOL] = "",
	[FLAG_STRING] = " text",
	[FLAG_INT] = " number",
	[FLAG_LEVEL] = " number",
	[FLAG_LIST] = " text (may be repeated)",
	[FLAG_MODULES] = " pattern=N,...",
	[FLAG_TRACE] = " file:N",
};

int flag_parse_bool(const char *text, bool *ret_value)
{
	for (size_t i = 0; i < N_ELEMENTS(true_words); i++) {
		bool truth = strcmp(text, true_words[i]) == 0;

		if (!truth && strcmp(text, false_words[i]) != 0)
			continue;
		*ret_value = truth;
		return 0;
	}
	return -EINVAL;
}

/* value of a digit, 16 if it is none */
static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 16;
}

/* reads the base prefix and moves behind it; *ret_digit_before says whether "_" may follow at once */
static unsigned int take_base(const char **text, bool *ret_digit_before)
{
	const char *at = *text;
	int letter = at[0] == '0' ? at[1] | 0x20 : 0; /* in lower case */

	*ret_digit_before = false;
	if (at[0] != '0' || !at[1])
		return 10;
	*ret_digit_before = true;
	if ((letter == 'x' || letter == 'o' || letter == 'b') && at[2]) {
		*text = at + 2;
		return letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
	}
	*text = at + 1;
	return 8;
}

/* reads digits to the end of text, "_" only between two of them */
static int parse_digits(const char *at, unsigned int base, bool digit_before, uint64_t *ret_number)
{
	uint64_t number = 0;
	bool overflow = false;
	bool after_digit = digit_before;

	if (!*at)
		return -EINVAL;
	for (; *at; at++) {
		unsigned int digit = digit_value(*at);

		if (*at == '_' && after_digit) {
			after_digit = false;
			continue;
		}
		if (digit >= base)
			return -EINVAL;
		after_digit = true;
		if (__builtin_mul_overflow(number, (uint64_t)base, &number) ||
		    __builtin_add_overflow(number, (uint64_t)digit, &number))
			overflow = true;
	}
	if (!after_digit)
		return -EINVAL;
	if (overflow)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

/* gives a magnitude its sign, within the 64 bits */
static int apply_sign(uint64_t magnitude, bool negative, int64_t *ret_number)
{
	if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return -ERANGE;
	if (negative)
		*ret_number = magnitude > INT64_MAX ? INT64_MIN : -(int64_t)magnitude;
	else
		*ret_number = (int64_t)magnitude;
	return 0;
}

int flag_parse_int(const char *text, int64_t *ret_number)
{
	bool negative = *text == '-';
	uint64_t magnitude = 0;
	unsigned int base;
	bool digit_before;
	int r;

	if (*text == '-' || *text == '+')
		text++;
	base = take_base(&text, &digit_before);
	r = parse_digits(text, base, digit_before, &magnitude);
	if (r < 0)
		return r;
	return apply_sign(magnitude, negative, ret_number);
}

int flag_parse_level(const char *text, int64_t *ret_number)
{
	const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
	uint64_t magnitude = 0;
	int64_t number = 0;
	int r;

	if (strchr(digits, '_'))
		return -EINVAL;
	r = parse_digits(digits, 10, false, &magnitude);
	if (r == 0)
		r = apply_sign(magnitude, *text == '-', &number);
	if (r < 0)
		return r;
	if (number < INT32_MIN || number > INT32_MAX)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

/* appends a text to a list */
static int list_append(struct flag_list *list, const char *text)
{
	const char **items = reallocarray(list->items, list->n_items + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	items[list->n_items] = text;
	list->items = items;
	list->n_items++;
	return 0;
}

/* keeps a text that was checked; r is what the check said */
static int store_checked(int r, void *member, const char *text)
{
	if (r == 0)
		*(const char **)member = text;
	return r;
}

/* parses text into the member that a flag of that kind has */
static int store_value(const struct flag *flag, void *member, const char *text)
{
	switch (flag->kind) {
	case FLAG_BOOL:
		return flag_parse_bool(text, member);
	case FLAG_STRING:
		*(const char **)member = text;
		return 0;
	case FLAG_INT:
		return flag_parse_int(text, member);
	case FLAG_LEVEL:
		return flag_parse_level(text, member);
	case FLAG_LIST:
		return list_append(member, text);
	case FLAG_MODULES:
		return store_checked(verbosity_check_modules(text), member, text);
	case FLAG_TRACE:
		return store_checked(verbosity_check_trace(text), member, text);
	}
	return -EINVAL;
}

/* the member of the values that belongs to a flag */
static void *member_of(const struct flag_set *set, size_t index)
{
	return (char *)set->values + set->flags[index].offset;
}

/* what a flag's value must look like, for messages */
static const char *expectation(const struct flag *flag)
{
	switch (flag->kind) {
	case FLAG_BOOL:
		return "true or false";
	case FLAG_INT:
		return "a whole number";
	case FLAG_LEVEL:
		return "a decimal number";
	case FLAG_MODULES:
		return "a list like pattern=N,pattern=N";
	case FLAG_TRACE:
		return "a place like file.go:234";
	default:
		return "text";
	}
}

/* sets a flag; label is how the user called it */
static int set_value(struct flag_set *set, size_t index, const char *label, const char *text, enum flag_origin origin,
		     char **ret_message)
{
	const struct flag *flag = &set->flags[index];
	int r = store_value(flag, member_of(set, index), text);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		*ret_message = sentence("%s: \"%s\" is not %s%s", label, flag->properties & FLAG_SECRET ? "***" : text,
					expectation(flag), r == -ERANGE ? " of that size" : "");
		return *ret_message ? -EINVAL : -ENOMEM;
	}
	set->origins[index] = origin;
	return 0;
}

int flag_set_init(struct flag_set *set)
{
	for (size_t i = 0; i < set->n_flags; i++) {
		const struct flag *flag = &set->flags[i];

		set->origins[i] = FLAG_FROM_DEFAULT;
		if (flag->kind == FLAG_LIST)
			*(struct flag_list *)member_of(set, i) = (struct flag_list){0};
		else if (store_value(flag, member_of(set, i), flag->fallback) < 0)
			return -EINVAL;
	}
	return 0;
}

void flag_set_clear(struct flag_set *set)
{
	for (size_t i = 0; i < set->n_flags; i++) {
		struct flag_list *list = member_of(set, i);

		if (set->flags[i].kind != FLAG_LIST)
			continue;
		free(list->items);
		*list = (struct flag_list){0};
	}
}

/* index of the flag whose name is the first len bytes of name */
static size_t find(const struct flag_set *set, const char *name, size_t len)
{
	for (size_t i = 0; i < set->n_flags; i++)
		if (strlen(set->flags[i].name) == len && memcmp(set->flags[i].name, name, len) == 0)
			return i;
	return set->n_flags;
}

size_t flag_set_find(const struct flag_set *set, const char *name)
{
	return find(set, name, strlen(name));
}

enum flag_origin flag_set_origin(const struct flag_set *set, const char *name)
{
	size_t index = flag_set_find(set, name);

	return index < set->n_flags ? set->origins[index] : FLAG_FROM_DEFAULT;
}

/* gives back a sentence as -EINVAL */
static int refuse(char *message, char **ret_message)
{
	if (!message)
		return -ENOMEM;
	*ret_message = message;
	return -EINVAL;
}

/* reads one flag; name is behind the dashes, next is the following argument or NULL. Returns how many were used. */
static int parse_flag(struct flag_set *set, const char *name, const char *next, char **ret_message)
{
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	size_t index = find(set, name, len);
	CLEANUP_FREE char *label = NULL;
	int used = 1;
	int r;

	if (index == set->n_flags) {
		if ((len == 1 && *name == 'h') || (len == 4 && memcmp(name, "help", 4) == 0))
			return -ECANCELED;
		return refuse(sentence("unknown flag --%.*s", (int)len, name), ret_message);
	}
	if (!value && set->flags[index].kind == FLAG_BOOL)
		value = "true";
	if (!value) {
		value = next;
		used = 2;
	}
	if (!value)
		return refuse(sentence("flag --%s needs a value", set->flags[index].name), ret_message);
	label = sentence("flag --%s", set->flags[index].name);
	if (!label)
		return -ENOMEM;
	r = set_value(set, index, label, value, FLAG_FROM_COMMAND_LINE, ret_message);
	return r < 0 ? r : used;
}

int flag_set_parse(struct flag_set *set, int argc, char *const argv[], int *ret_first, char **ret_message)
{
	int at = 1;

	*ret_message = NULL;
	while (at < argc) {
		const char *name = argv[at];
		int r;

		if (name[0] != '-' || !name[1])
			break;
		name += name[1] == '-' ? 2 : 1;
		if (!*name) {
			at++;
			break;
		}
		if (*name == '-' || *name == '=')
			return refuse(sentence("\"%s\" is no flag: a name must follow the dashes", argv[at]),
				      ret_message);
		r = parse_flag(set, name, at + 1 < argc ? argv[at + 1] : NULL, ret_message);
		if (r == -ECANCELED)
			return FLAG_HELP;
		if (r < 0)
			return r;
		at += r;
	}
	*ret_first = at;
	return 0;
}

const char *flag_environment_name(const struct flag *flag, const char *prefix, char *buf, size_t size)
{
	int len = snprintf(buf, size, "%s", prefix);
	size_t at = len > 0 && (size_t)len < size ? (size_t)len : size - 1;

	for (const char *c = flag->name; *c && at + 1 < size; c++, at++) {
		if (*c >= 'a' && *c <= 'z')
			buf[at] = (char)(*c - 'a' + 'A');
		else
			buf[at] = (char)(*c == '-' || *c == '.' ? '_' : *c);
	}
	buf[at] = '\0';
	return buf;
}

int flag_set_environment(struct flag_set *set, const char *prefix, flag_warn_fn warn, void *userdata)
{
	for (size_t i = 0; i < set->n_flags; i++) {
		CLEANUP_FREE char *message = NULL;
		const char *text;
		char name[128];
		int r;

		if (set->origins[i] != FLAG_FROM_DEFAULT || set->flags[i].properties & FLAG_NO_ENVIRONMENT)
			continue;
		text = getenv(flag_environment_name(&set->flags[i], prefix, name, sizeof(name)));
		if (!text || !*text)
			continue;
		r = set_value(set, i, name, text, FLAG_FROM_ENVIRONMENT, &message);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			warn(userdata, message);
	}
	return 0;
}

bool flag_set_is_default(const struct flag_set *set, size_t index)
{
	const struct flag *flag = &set->flags[index];
	const void *member = member_of(set, index);
	int64_t number = 0;
	bool truth = false;

	switch (flag->kind) {
	case FLAG_BOOL:
		(void)flag_parse_bool(flag->fallback, &truth);
		return *(const bool *)member == truth;
	case FLAG_STRING:
	case FLAG_MODULES:
	case FLAG_TRACE:
		return strcmp(*(const char *const *)member, flag->fallback) == 0;
	case FLAG_INT:
	case FLAG_LEVEL:
		(void)flag_parse_int(flag->fallback, &number);
		return *(const int64_t *)member == number;
	case FLAG_LIST:
		return ((const struct flag_list *)member)->n_items == 0;
	}
	return true;
}

/* prints the items of a list with commas */
static void print_list(const struct flag_list *list, FILE *stream)
{
	for (size_t i = 0; i < list->n_items; i++)
		(void)fprintf(stream, "%s%s", i ? "," : "", list->items[i]);
}

/* must the value stay out of messages; a URL may carry a password before "@" */
static bool is_secret(const struct flag *flag, const void *member)
{
	if (flag->properties & FLAG_SECRET)
		return true;
	return flag->properties & FLAG_URL && strchr(*(const char *const *)member, '@');
}

void flag_set_print_value(const struct flag_set *set, size_t index, FILE *stream)
{
	const struct flag *flag = &set->flags[index];
	const void *member = member_of(set, index);

	(void)fprintf(stream, "--%s=", flag->name);
	if (is_secret(flag, member))
		(void)fputs("***", stream);
	else if (flag->kind == FLAG_BOOL)
		(void)fputs(*(const bool *)member ? "true" : "false", stream);
	else if (flag->kind == FLAG_STRING || flag->kind == FLAG_MODULES || flag->kind == FLAG_TRACE)
		(void)fputs(*(const char *const *)member, stream);
	else if (flag->kind == FLAG_LIST)
		print_list(member, stream);
	else
		(void)fprintf(stream, "%lld", (long long)*(const int64_t *)member);
}

void flag_set_usage(const struct flag_set *set, FILE *stream)
{
	for (size_t i = 0; i < set->n_flags; i++) {
		const struct flag *flag = &set->flags[i];

		(void)fprintf(stream, "  --%s%s\n\t%s", flag->name, kind_names[flag->kind], flag->help);
		if (flag->fallback && *flag->fallback && strcmp(flag->fallback, "false") != 0)
			(void)fprintf(stream, " (default %s)", flag->fallback);
		(void)fputc('\n', stream);
	}
}
