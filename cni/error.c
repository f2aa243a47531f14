/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "decode.h"
#include "print.h"

/* formats into new memory; NULL without */
static char *format_text(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
static char *format_text(const char *format, va_list arguments)
{
	char *text = NULL;

	return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

int cni_fail(struct cni_error *error, unsigned int code, const char *format, ...)
{
	va_list arguments;

	cni_error_clear(error);
	va_start(arguments, format);
	error->code = code;
	error->message = format_text(format, arguments);
	va_end(arguments);
	return -1;
}

int cni_fail_details(struct cni_error *error, unsigned int code, const char *details, const char *format, ...)
{
	va_list arguments;

	cni_error_clear(error);
	va_start(arguments, format);
	error->code = code;
	error->message = format_text(format, arguments);
	error->details = strdup(details);
	va_end(arguments);
	return -1;
}

int cni_fail_oom(struct cni_error *error)
{
	cni_error_clear(error);
	error->code = CNI_ERROR_INTERNAL;
	return -1;
}

int cni_fail_flannel(struct cni_error *error, const struct flannel_error *cause, const char *context)
{
	return cni_fail(error, CNI_ERROR_INTERNAL, "%s%s%s", context ? context : "", context ? ": " : "",
			flannel_error_get_message(cause));
}

int cni_wrap(struct cni_error *error, const char *format, ...)
{
	CNI_CLEANUP(cni_freep) char *context = NULL;
	char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	context = format_text(format, arguments);
	va_end(arguments);
	if (!context || !error->message || asprintf(&message, "%s: %s", context, error->message) < 0)
		return -1;
	free(error->message);
	error->message = message;
	return -1;
}

int cni_append(struct cni_error *error, const char *format, ...)
{
	CNI_CLEANUP(cni_freep) char *addition = NULL;
	char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	addition = format_text(format, arguments);
	va_end(arguments);
	if (!addition || !error->message || asprintf(&message, "%s%s", error->message, addition) < 0)
		return -1;
	free(error->message);
	error->message = message;
	return -1;
}

bool cni_error_parse(const char *text, size_t len, struct cni_error *ret_error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *object = NULL;
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	const char *message = "";
	const char *details = NULL;
	int64_t code = 0;

	if (cni_json_parse(text, len, &object, &ignored) < 0 || !json_object_is_type(object, json_type_object) ||
	    cni_get_int(object, "", "code", 0, UINT32_MAX, &code, &ignored) < 0 ||
	    cni_get_string(object, "", "msg", &message, &ignored) < 0 ||
	    cni_get_string(object, "", "details", &details, &ignored) < 0)
		return false;
	cni_error_clear(ret_error);
	ret_error->code = (unsigned int)code;
	ret_error->message = strdup(message);
	ret_error->details = details && details[0] != '\0' ? strdup(details) : NULL;
	return true;
}

int cni_error_print(const struct cni_error *error, const char *version, int fd)
{
	/* the text is the one answer that must come even without memory */
	const char no_memory[] = "{\n    \"code\": 999,\n    \"msg\": \"not enough memory\"\n}";
	CNI_CLEANUP(cni_json_putp) struct json_object *object = json_object_new_object();

	if (!object || !error->message ||
	    json_object_object_add(object, "cniVersion", json_object_new_string(version)) < 0 ||
	    json_object_object_add(object, "code", json_object_new_int64(error->code)) < 0 ||
	    json_object_object_add(object, "msg", json_object_new_string(error->message)) < 0 ||
	    (error->details && json_object_object_add(object, "details", json_object_new_string(error->details)) < 0))
		return cni_write(fd, no_memory, sizeof(no_memory) - 1);
	return cni_print(object, fd);
}

void cni_error_clear(struct cni_error *error)
{
	free(error->message);
	free(error->details);
	memset(error, 0, sizeof(*error));
}
