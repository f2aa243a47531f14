/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_BASE_CLEANUP_H
#define FL_BASE_CLEANUP_H

/*
 * Locals that clean up after themselves: FL_CLEANUP(fl_freep) char *text = NULL;
 * A success path hands its result out with FL_TAKE(text), which leaves NULL behind.
 */

#include <stdlib.h>
#include <unistd.h>

#define FL_CLEANUP(function) __attribute__((cleanup(function)))

#define FL_TAKE(pointer)                                                                                               \
	__extension__({                                                                                                \
		__typeof__(pointer) _t = (pointer);                                                                    \
		(pointer) = NULL;                                                                                      \
		_t;                                                                                                    \
	})

/* Defines name##p(), to be used with FL_CLEANUP, for a destructor that takes NULL. */
#define FL_DEFINE_CLEANUP(type, name)                                                                                  \
	static inline void name##p(type *pointer)                                                                      \
	{                                                                                                              \
		if (*pointer)                                                                                          \
			(void)name(*pointer);                                                                          \
	}

#define FL_N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* free() for FL_CLEANUP on any pointer */
static inline void fl_freep(void *pointer)
{
	free(*(void **)pointer);
}

/* close() for FL_CLEANUP on a descriptor; negative means none */
static inline void fl_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* hands a descriptor out and leaves -1 behind */
static inline int fl_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
