/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Larger than any option struct will ever be: such a size is memory that nobody initialised. */
#define OPTIONS_SIZE_MAX 4096

/* One allocation; the texts point into @text, or at literals. The detail is the end of the message. */
struct flannel_error {
	atomic_uint n_refs;
	int code;
	bool retryable;
	/* A field and not an address to compare with: store modules have a copy of this file each. */
	bool immortal;
	const char *area;
	const char *operation;
	const char *detail;
	const char *message;
	char text[];
};

/* Serves whoever has no memory for an error of his own. Never written to, so one is enough for all threads. */
static const struct flannel_error error_oom = {
	.n_refs = 1,
	.code = -ENOMEM,
	.retryable = true,
	.immortal = true,
	.area = "memory",
	.operation = "",
	.detail = "Cannot allocate memory",
	.message = "Cannot allocate memory",
};

/* the text of a negative errno, from buf if it is unknown; safe in threads, unlike glibc's strerror() */
static const char *code_text(int code, char *buf, size_t size)
{
	const char *text = NULL;

	if (code < 0 && code > -4096) {
#ifdef __GLIBC__
		text = strerrordesc_np(-code);
#else
		text = strerror(-code);
#endif
	}
	if (text)
		return text;
	(void)snprintf(buf, size, "error %d", code);
	return buf;
}

/* appends text to *position and makes one line of it: no control characters, they would break a log apart */
static void append(char **position, const char *text)
{
	for (; *text; text++) {
		char c = *text;

		if ((unsigned char)c < 0x20 || c == 0x7f)
			c = ' ';
		*(*position)++ = c;
	}
}

/* ends the text that began at start, without blanks at its end; the next one begins behind it */
static char *finish(char **position, char *start)
{
	while (*position > start && (*position)[-1] == ' ')
		(*position)--;
	*(*position)++ = '\0';
	return start;
}

/* makes an error; context goes before the operation, "" means none. The shared one if there is no memory. */
static struct flannel_error *error_make(int code, const char *area, const char *context, const char *operation,
					const char *detail, bool retryable)
{
	size_t n_operation = strlen(context) + strlen(operation) + sizeof(": ");
	struct flannel_error *error;
	char *position, *start;

	error = malloc(sizeof(*error) + strlen(area) + 1 + 2 * n_operation + strlen(detail) + sizeof(": "));
	if (!error)
		return (struct flannel_error *)&error_oom;
	atomic_init(&error->n_refs, 1);
	error->code = code;
	error->retryable = retryable;
	error->immortal = false;
	position = start = error->text;
	append(&position, area);
	error->area = finish(&position, start);

	start = position;
	append(&position, context);
	append(&position, *context && *operation ? ": " : "");
	append(&position, operation);
	error->operation = finish(&position, start);

	start = position;
	append(&position, error->operation);
	append(&position, *error->operation && *detail ? ": " : "");
	error->detail = position;
	append(&position, detail);
	error->message = finish(&position, start);
	/* a detail of blanks only: its beginning was cut off with them */
	if (error->detail >= position)
		error->detail = position - 1;
	return error;
}

int flannel_error_new(struct flannel_error **ret_error, int code, const char *area, const char *operation,
		      const char *detail, int retryable)
{
	char buf[32];

	if (code >= 0)
		code = -EINVAL;
	if (!ret_error)
		return code;
	if (!detail)
		detail = code_text(code, buf, sizeof(buf));
	*ret_error = error_make(code, area ? area : "host", "", operation ? operation : "", detail, retryable != 0);
	return (*ret_error)->code;
}

struct flannel_error *flannel_error_ref(struct flannel_error *error)
{
	if (error && !error->immortal)
		atomic_fetch_add_explicit(&error->n_refs, 1, memory_order_relaxed);
	return error;
}

struct flannel_error *flannel_error_unref(struct flannel_error *error)
{
	if (error && !error->immortal && atomic_fetch_sub_explicit(&error->n_refs, 1, memory_order_acq_rel) == 1)
		free(error);
	return NULL;
}

int flannel_error_get_code(const struct flannel_error *error)
{
	return error ? error->code : 0;
}

const char *flannel_error_get_area(const struct flannel_error *error)
{
	return error ? error->area : "";
}

const char *flannel_error_get_operation(const struct flannel_error *error)
{
	return error ? error->operation : "";
}

const char *flannel_error_get_detail(const struct flannel_error *error)
{
	return error ? error->detail : "";
}

const char *flannel_error_get_message(const struct flannel_error *error)
{
	return error ? error->message : "";
}

int flannel_error_is_retryable(const struct flannel_error *error)
{
	return error && error->retryable;
}

/* formats the operation and stores the error; keeps code even where only the shared error could be stored */
static int error_setv(struct flannel_error **ret_error, int code, const char *area, const char *detail, bool retryable,
		      const char *format, va_list arguments)
{
	FL_CLEANUP(fl_freep) char *operation = NULL;

	if (code >= 0)
		code = -EINVAL;
	if (!ret_error)
		return code;
	if (vasprintf(&operation, format, arguments) < 0) {
		operation = NULL; /* undefined after a failure */
		(void)fl_error_oom(ret_error);
		return code;
	}
	(void)flannel_error_new(ret_error, code, area, operation, detail, retryable);
	return code;
}

int fl_error_set(struct flannel_error **ret_error, int code, const char *area, const char *detail,
		 const char *operation, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, operation);
	r = error_setv(ret_error, code, area, detail, false, operation, arguments);
	va_end(arguments);
	return r;
}

int fl_error_set_retryable(struct flannel_error **ret_error, int code, const char *area, const char *detail,
			   const char *operation, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, operation);
	r = error_setv(ret_error, code, area, detail, true, operation, arguments);
	va_end(arguments);
	return r;
}

int fl_error_wrap(struct flannel_error **error, int code, const char *context, ...)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	struct flannel_error *inner, *outer;
	va_list arguments;
	int n;

	if (!error || !*error || (*error)->immortal)
		return code;
	va_start(arguments, context);
	n = vasprintf(&text, context, arguments);
	va_end(arguments);
	if (n < 0) {
		text = NULL; /* undefined after a failure */
		return code; /* the cause without its context is worth more than "no memory" */
	}
	inner = *error;
	outer = error_make(code < 0 ? code : inner->code, inner->area, text, inner->operation, inner->detail,
			   inner->retryable);
	if (outer->immortal)
		return code;
	*error = outer;
	flannel_error_unref(inner);
	return code;
}

int fl_error_oom(struct flannel_error **ret_error)
{
	if (ret_error)
		*ret_error = (struct flannel_error *)&error_oom;
	return -ENOMEM;
}

int fl_options_copy(void *to, size_t to_size, size_t min_size, const void *from, const char *what,
		    struct flannel_error **ret_error)
{
	const uint8_t *bytes = from;
	size_t size = to_size;
	char detail[96];

	if (from)
		memcpy(&size, from, sizeof(size));
	if (size < min_size) {
		(void)snprintf(detail, sizeof(detail), ".size is %zu, expected sizeof of the struct, at least %zu",
			       size, min_size);
		return fl_error_set(ret_error, -EINVAL, "argument", detail, "check %s", what);
	}
	if (size > OPTIONS_SIZE_MAX) {
		(void)snprintf(detail, sizeof(detail), ".size is %zu, no such struct is that large", size);
		return fl_error_set(ret_error, -E2BIG, "argument", detail, "check %s", what);
	}
	for (size_t i = to_size; from && i < size; i++) {
		if (bytes[i])
			return fl_error_set(ret_error, -E2BIG, "argument",
					    "uses a field that this version of the library does not know", "check %s",
					    what);
	}
	memset(to, 0, to_size);
	if (from)
		memcpy(to, from, size < to_size ? size : to_size);
	memcpy(to, &to_size, sizeof(to_size));
	return 0;
}
