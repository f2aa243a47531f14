/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_ERROR_H
#define FLANNEL_ERROR_H

#include <flannel/export.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: error.h - what went wrong, in a form a person and a program can use
 *
 * Every call that can fail takes `struct flannel_error **ret_error` as its last parameter. It may be
 * NULL; else it must point at a NULL pointer. On failure the call returns a negative errno and stores
 * one error there, which the caller then owns. On success it is left alone.
 *
 * An error is immutable and reference counted. Its references may be taken and dropped in any thread.
 */
struct flannel_error;

/**
 * flannel_error_new() - make an error, for hosts that bring their own store
 * @ret_error:  NULL, or points at NULL; set to the new error, then owned by the caller.
 * @code:       negative errno. 0 and positive values become -EINVAL.
 * @area:       the part at fault, one lower-case word such as "store"; NULL means "host". Copied.
 * @operation:  what was tried, with its subject: "read /etc/x.json"; NULL means none. Copied.
 * @detail:     what went wrong, in the words of whoever refused; NULL means the text of @code. Copied.
 * @retryable:  non-zero if doing the same again later can succeed.
 *
 * Without memory a shared error with code -ENOMEM is stored instead, so *@ret_error is always set.
 *
 * Return: @code as stored, so that a caller can write `return flannel_error_new(...)`.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_error_new(struct flannel_error **ret_error, int code, const char *area,
				     const char *operation, const char *detail, int retryable);

/**
 * flannel_error_ref() - take one more reference
 * @error: an error or NULL.
 *
 * Return: @error. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_error *flannel_error_ref(struct flannel_error *error);

/**
 * flannel_error_unref() - drop a reference; the last one frees the error
 * @error: an error or NULL.
 *
 * Return: always NULL, so that `err = flannel_error_unref(err);` leaves no stale pointer. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_error *flannel_error_unref(struct flannel_error *error);

/**
 * flannel_error_get_code() - the negative errno
 * @error: an error; NULL gives 0.
 *
 * Return: negative errno, never 0 for an error. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_error_get_code(const struct flannel_error *error);

/**
 * flannel_error_get_area() - which part of the system is at fault
 * @error: an error; NULL gives "".
 *
 * Areas of this library: "argument", "config", "file", "memory", "netns", "nft", "node", "process",
 * "rtnl", "source_route", "store", "sysctl", "address", "attachment".
 *
 * Return: text owned by @error, valid as long as it is. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_error_get_area(const struct flannel_error *error);

/**
 * flannel_error_get_operation() - what was tried, outermost first
 * @error: an error; NULL gives "".
 *
 * Return: text such as "attach container c1: create veth eth0", owned by @error. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_error_get_operation(const struct flannel_error *error);

/**
 * flannel_error_get_detail() - why it was refused
 * @error: an error; NULL gives "".
 *
 * The kernel's own words (netlink extended acknowledgement) where it gave any.
 *
 * Return: text owned by @error. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_error_get_detail(const struct flannel_error *error);

/**
 * flannel_error_get_message() - operation and detail as one line for people
 * @error: an error; NULL gives "".
 *
 * Return: "operation: detail" without a final newline, owned by @error. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_error_get_message(const struct flannel_error *error);

/**
 * flannel_error_is_retryable() - can the same call succeed later
 * @error: an error; NULL gives 0.
 *
 * Return: 1 if the cause may pass by itself (busy, unreachable, helper died), else 0. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_error_is_retryable(const struct flannel_error *error);

FLANNEL_END_DECLS

#endif
