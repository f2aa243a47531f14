/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_CLEANUP_H
#define CLI_CLEANUP_H

/*
 * Locals that clean up after themselves, for programs that see the library only through <flannel/...>:
 * CLEANUP_FREE char *text = NULL; a success path hands its result out with TAKE(text).
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <flannel/error.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

#define TAKE(pointer)                                                                                                  \
	__extension__({                                                                                                \
		__typeof__(pointer) _t = (pointer);                                                                    \
		(pointer) = NULL;                                                                                      \
		_t;                                                                                                    \
	})

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* free() for a pointer of any type */
static inline void free_p(void *pointer)
{
	free(*(void **)pointer);
}

/* close() for a descriptor; negative means none */
static inline void close_p(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* fclose() for a stream; NULL means none */
static inline void fclose_p(FILE **stream)
{
	if (*stream)
		(void)fclose(*stream);
}

/* drops an error */
static inline void error_p(struct flannel_error **error)
{
	(void)flannel_error_unref(*error);
}

/* hands a descriptor out and leaves -1 behind */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define CLEANUP_FREE CLEANUP(free_p)
#define CLEANUP_CLOSE CLEANUP(close_p)
#define CLEANUP_STREAM CLEANUP(fclose_p)
#define CLEANUP_ERROR CLEANUP(error_p)

#endif
