/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_TESTS_FUZZ_CNI_TEXT_H
#define FL_TESTS_FUZZ_CNI_TEXT_H

/* Input as text, as JSON, and as a file, for targets of the plugins. */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "decode.h"
#include "require.h"
#include "unique_keys.h"

/* the bytes with a final zero; a zero among them ends the text, as it does in the environment */
static inline char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* an error is told if and only if something failed */
static inline bool told(int r, struct cni_error *error)
{
	require(r < 0 ? error->message && *error->message : !error->message);
	cni_error_clear(error);
	*error = (struct cni_error){0};
	return r >= 0;
}

/* parses an object; NULL if it is none */
static inline struct json_object *object_of(const uint8_t *data, size_t size)
{
	struct json_object *object = NULL;
	struct cni_error error = {0};

	if (told(cni_json_parse((const char *)data, size, &object, &error), &error) &&
	    json_object_is_type(object, json_type_object) &&
	    told(cni_unique_keys_restore((const char *)data, size, object, &error), &error))
		return object;
	json_object_put(object);
	return NULL;
}

/* a file in memory with these bytes; path has 64 bytes. Its descriptor is the caller's. */
static inline int file_of(const uint8_t *data, size_t size, char *path)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

#endif
