/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_BLOCK_H
#define FL_KUBE_BLOCK_H

/*
 * Sixty-four bytes of JSON at once: where the few bytes are that strings and nesting depend on. Bit n is byte n. Here, not in a file of
 * its own, because the loop around it takes hardly longer than a call.
 */

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define FL_KUBE_BLOCK_SIZE 64

struct fl_kube_block {
	uint64_t quotes;
	uint64_t backslashes;
	uint64_t opens;  /* "{" and "[" */
	uint64_t closes; /* "}" and "]" */
};

/* is one of eight bytes zero: not 0; the bits do not say which */
static inline uint64_t fl_kube_has_zero(uint64_t word)
{
	return (word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080);
}

/* which of eight bytes, the first one lowest, are zero: their bits */
static inline uint64_t fl_kube_zeros(uint64_t word)
{
	const uint64_t lows = UINT64_C(0x7f7f7f7f7f7f7f7f);
	uint64_t found = ~(((word & lows) + lows) | word | lows) >> 7;

	/* each bit is carried to the highest byte, to a place of its own */
	return (found * UINT64_C(0x0102040810204080)) >> 56;
}

/* for any machine, eight bytes at a time */
static inline struct fl_kube_block fl_kube_block_read_plain(const char *bytes)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), lower = ones * 0x20;
	struct fl_kube_block block = {0};

	for (unsigned int n = 0; n < FL_KUBE_BLOCK_SIZE; n += sizeof(uint64_t)) {
		uint64_t word, quotes, backslashes, opens, closes;

		memcpy(&word, bytes + n, sizeof(word));
		word = le64toh(word);
		quotes = word ^ (ones * '"');
		backslashes = word ^ (ones * '\\');
		/* "[" and "{" differ in the bit that makes a letter a small one, and so do "]" and "}" */
		opens = (word | lower) ^ (ones * '{');
		closes = (word | lower) ^ (ones * '}');
		if (!(fl_kube_has_zero(quotes) | fl_kube_has_zero(backslashes) | fl_kube_has_zero(opens) |
		      fl_kube_has_zero(closes)))
			continue;
		block.quotes |= fl_kube_zeros(quotes) << n;
		block.backslashes |= fl_kube_zeros(backslashes) << n;
		block.opens |= fl_kube_zeros(opens) << n;
		block.closes |= fl_kube_zeros(closes) << n;
	}
	return block;
}

#ifdef __SSE2__
static inline struct fl_kube_block fl_kube_block_read(const char *bytes)
{
	const __m128i lower = _mm_set1_epi8(0x20), quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
	const __m128i open = _mm_set1_epi8('{'), close = _mm_set1_epi8('}');
	struct fl_kube_block block = {0};

	for (unsigned int n = 0; n < FL_KUBE_BLOCK_SIZE; n += sizeof(__m128i)) {
		__m128i some = _mm_loadu_si128((const __m128i *)(const void *)(bytes + n)), small;

		small = _mm_or_si128(some, lower);
		block.quotes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(some, quote)) << n;
		block.backslashes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(some, backslash)) << n;
		block.opens |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(small, open)) << n;
		block.closes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(small, close)) << n;
	}
	return block;
}
#else
static inline struct fl_kube_block fl_kube_block_read(const char *bytes)
{
	return fl_kube_block_read_plain(bytes);
}
#endif

/* the bytes that a backslash before them takes its meaning from; *escaped: whether the first one is such, and then whether the one behind is */
static inline uint64_t fl_kube_block_escapes(uint64_t backslashes, uint64_t *escaped)
{
	const uint64_t even = UINT64_C(0x5555555555555555);
	uint64_t follows, odd_starts, sum, carry;

	if (!backslashes) {
		follows = *escaped;
		*escaped = 0;
		return follows;
	}
	/* of a row of backslashes every other one counts: adding the row to its first bit tells behind which bit it ends */
	backslashes &= ~*escaped;
	follows = backslashes << 1 | *escaped;
	odd_starts = backslashes & ~even & ~follows;
	carry = __builtin_add_overflow(odd_starts, backslashes, &sum);
	*escaped = carry;
	return (even ^ (sum << 1)) & follows;
}

/* bit n: is the number of bits up to n, itself included, odd */
static inline uint64_t fl_kube_block_parity(uint64_t bits)
{
	for (unsigned int n = 1; n < FL_KUBE_BLOCK_SIZE; n *= 2)
		bits ^= bits << n;
	return bits;
}

#endif
