/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_TESTS_FUZZ_REQUIRE_H
#define FL_TESTS_FUZZ_REQUIRE_H

/* What fuzz targets share: the entry point, and a check that ends the run, so that the input is kept. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* a promise of the code under test; the expression is named if it is broken */
#define require(condition) ((condition) ? (void)0 : broken(#condition, __FILE__, __LINE__))

static inline void broken(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, condition);
	abort();
}

#endif
