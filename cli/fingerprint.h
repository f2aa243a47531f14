/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_FINGERPRINT_H
#define CLI_FINGERPRINT_H

#include <stdint.h>

/* a number that stands for a text, the same at every start: FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv), 64 bits; no secret */
static inline uint64_t fingerprint(const char *text)
{
	uint64_t value = 0xcbf29ce484222325U;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 0x100000001b3U;
	return value;
}

#endif
