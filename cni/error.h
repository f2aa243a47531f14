/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_ERROR_H
#define CNI_ERROR_H

/*
 * The error object of the CNI protocol. Functions that can fail return 0 (or a documented positive value), or -1 with
 * *error filled in by whoever noticed; it is filled in at most once. Callers may put context before the message.
 */

#include <stdbool.h>
#include <stddef.h>

#include <flannel/error.h>

/* codes of the CNI specification; every ordinary failure is CNI_ERROR_INTERNAL */
enum cni_error_code {
	CNI_ERROR_UNKNOWN = 0, /* a program that we started failed without saying how */
	CNI_ERROR_VERSION = 1,
	CNI_ERROR_UNSUPPORTED_FIELD = 2,
	CNI_ERROR_ENVIRONMENT = 4,
	CNI_ERROR_IO = 5,
	CNI_ERROR_DECODING = 6,
	CNI_ERROR_CONFIG = 7,
	CNI_ERROR_NETNS = 8,
	CNI_ERROR_UNAVAILABLE = 50, /* STATUS: ADD would fail */
	CNI_ERROR_INTERNAL = 999
};

struct cni_error {
	unsigned int code;
	char *message; /* NULL: there was no memory for it */
	char *details; /* NULL for none */
};

#define CNI_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* these return -1 */
int cni_fail(struct cni_error *error, unsigned int code, const char *format, ...) CNI_PRINTF(3, 4);
int cni_fail_details(struct cni_error *error, unsigned int code, const char *details, const char *format, ...)
	CNI_PRINTF(4, 5);
int cni_fail_oom(struct cni_error *error);

/* the library's error as ours; context, which may be NULL, stands before it */
int cni_fail_flannel(struct cni_error *error, const struct flannel_error *cause, const char *context);

/* puts "context: " before the message; the code stays */
int cni_wrap(struct cni_error *error, const char *format, ...) CNI_PRINTF(2, 3);

/* puts text behind the message; the code stays */
int cni_append(struct cni_error *error, const char *format, ...) CNI_PRINTF(2, 3);

/* the error that another program printed (an object with code and msg); false if text is none */
bool cni_error_parse(const char *text, size_t len, struct cni_error *ret_error);

/* prints the object, and nothing else, as the protocol wants it: 0, or -1 if that was not possible */
int cni_error_print(const struct cni_error *error, const char *version, int fd);

void cni_error_clear(struct cni_error *error);

#endif
