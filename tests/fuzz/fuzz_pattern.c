/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any text as a regular expression, and behind a zero byte what it is tried on. What is understood must be an
 * expression for the C library as well, and of a size that it can bear.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "domain/underlay/pattern.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *text = calloc(1, size + 2);
	struct fl_pattern pattern;
	int r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	r = fl_pattern_compile(text, &pattern, &error);
	require(r == 0 || r == -EINVAL || r == -ENOMEM);
	if (r < 0) {
		/* the C library has nothing to complain about but what was refused before */
		require(strstr(flannel_error_get_message(error), "is no regular expression:") == NULL);
		return 0;
	}
	(void)fl_pattern_matches(&pattern, text + strlen(text) + 1);
	fl_pattern_clear(&pattern);
	return 0;
}
