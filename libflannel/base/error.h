/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_BASE_ERROR_H
#define FL_BASE_ERROR_H

#include <flannel/error.h>

#include "base/cleanup.h"

#define FL_PRINTF(text, first) __attribute__((format(printf, text, first)))

/*
 * The function that fails writes the error, its callers wrap it:
 *
 *     return fl_error_set(ret_error, -ENOENT, "netns", NULL, "open namespace %s", path);
 *     ...
 *     return fl_error_wrap(ret_error, r, "attach container %s", id);
 *
 * All return @code, so that they can stand in a return statement. ret_error may be NULL everywhere.
 */

/*
 * area and detail are copied; detail NULL means the text of code; the rest is the operation, with its subject.
 * Control characters in them become blanks, since a message is one line.
 */
int fl_error_set(struct flannel_error **ret_error, int code, const char *area, const char *detail,
		 const char *operation, ...) FL_PRINTF(5, 6);

/* the same for failures that may pass by themselves */
int fl_error_set_retryable(struct flannel_error **ret_error, int code, const char *area, const char *detail,
			   const char *operation, ...) FL_PRINTF(5, 6);

/*
 * Puts "context: " before the operation of the error that is there already and gives it the code; returns code.
 * Errors are immutable: *error is a new one then. Without memory, or if it is the shared -ENOMEM one, it stays.
 */
int fl_error_wrap(struct flannel_error **error, int code, const char *context, ...) FL_PRINTF(3, 4);

/* -ENOMEM; never fails itself */
int fl_error_oom(struct flannel_error **ret_error);

/*
 * Checks an option struct that begins with its size: the known part is copied to @to (to_size bytes, the rest
 * zeroed), a non-zero unknown tail is -E2BIG, a size below @min_size (the struct of the first release) is -EINVAL.
 */
int fl_options_copy(void *to, size_t to_size, size_t min_size, const void *from, const char *what,
		    struct flannel_error **ret_error);

FL_DEFINE_CLEANUP(struct flannel_error *, flannel_error_unref)

#define FL_CLEANUP_ERROR FL_CLEANUP(flannel_error_unrefp)

#endif
