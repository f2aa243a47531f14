/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_CLEANUP_H
#define CNI_CLEANUP_H

/* Locals that clean up after themselves: CNI_CLEANUP(cni_freep) char *text = NULL; */

#include <json-c/json_object.h>
#include <json-c/linkhash.h>
#include <stdlib.h>
#include <unistd.h>

#include <flannel/flannel.h>

#define CNI_CLEANUP(function) __attribute__((cleanup(function)))

/* hands a pointer out and leaves NULL behind */
#define CNI_TAKE(pointer)                                                                                              \
	__extension__({                                                                                                \
		__typeof__(pointer) _t = (pointer);                                                                    \
		(pointer) = NULL;                                                                                      \
		_t;                                                                                                    \
	})

#define CNI_N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* free() for CNI_CLEANUP on any pointer */
static inline void cni_freep(void *pointer)
{
	free(*(void **)pointer);
}

/* close() for CNI_CLEANUP on a descriptor; negative means none */
static inline void cni_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* hands a descriptor out and leaves -1 behind */
static inline int cni_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* drops a JSON value */
static inline void cni_json_putp(struct json_object **value)
{
	json_object_put(*value);
}

/* drops an error of the library */
static inline void cni_flannel_errorp(struct flannel_error **error)
{
	(void)flannel_error_unref(*error);
}

#endif
