/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_HASH_H
#define FL_DOMAIN_HASH_H

/*
 * FNV-1a, 64 bits: short names for long ones, where nobody gains from two that are alike. Names made of it are found
 * again by later versions, so it stays as it is.
 */

#include <stddef.h>
#include <stdint.h>

#define FL_HASH_INIT UINT64_C(0xcbf29ce484222325)

/* continues a hash */
static inline uint64_t fl_hash(uint64_t hash, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
