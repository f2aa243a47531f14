/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "hex512.h"

#include <stdint.h>
#include <string.h>

#define BLOCK_SIZE 128
#define N_ROUNDS 80
#define N_WORDS 8

/* a hash on its way; names as in FIPS 180-4 where that has one */
struct hash {
	uint64_t h[N_WORDS];
	uint8_t block[BLOCK_SIZE];
	size_t used; /* bytes of block that are filled */
	uint64_t len;
};

/* section 5.3.5: the fractional parts of the square roots of the first eight primes */
static const uint64_t initial[N_WORDS] = {
	UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x3c6ef372fe94f82b),
	UINT64_C(0xa54ff53a5f1d36f1), UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
	UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179),
};

/* section 4.2.3: the fractional parts of the cube roots of the first eighty primes */
static const uint64_t constants[N_ROUNDS] = {
	UINT64_C(0x428a2f98d728ae22), UINT64_C(0x7137449123ef65cd), UINT64_C(0xb5c0fbcfec4d3b2f),
	UINT64_C(0xe9b5dba58189dbbc), UINT64_C(0x3956c25bf348b538), UINT64_C(0x59f111f1b605d019),
	UINT64_C(0x923f82a4af194f9b), UINT64_C(0xab1c5ed5da6d8118), UINT64_C(0xd807aa98a3030242),
	UINT64_C(0x12835b0145706fbe), UINT64_C(0x243185be4ee4b28c), UINT64_C(0x550c7dc3d5ffb4e2),
	UINT64_C(0x72be5d74f27b896f), UINT64_C(0x80deb1fe3b1696b1), UINT64_C(0x9bdc06a725c71235),
	UINT64_C(0xc19bf174cf692694), UINT64_C(0xe49b69c19ef14ad2), UINT64_C(0xefbe4786384f25e3),
	UINT64_C(0x0fc19dc68b8cd5b5), UINT64_C(0x240ca1cc77ac9c65), UINT64_C(0x2de92c6f592b0275),
	UINT64_C(0x4a7484aa6ea6e483), UINT64_C(0x5cb0a9dcbd41fbd4), UINT64_C(0x76f988da831153b5),
	UINT64_C(0x983e5152ee66dfab), UINT64_C(0xa831c66d2db43210), UINT64_C(0xb00327c898fb213f),
	UINT64_C(0xbf597fc7beef0ee4), UINT64_C(0xc6e00bf33da88fc2), UINT64_C(0xd5a79147930aa725),
	UINT64_C(0x06ca6351e003826f), UINT64_C(0x142929670a0e6e70), UINT64_C(0x27b70a8546d22ffc),
	UINT64_C(0x2e1b21385c26c926), UINT64_C(0x4d2c6dfc5ac42aed), UINT64_C(0x53380d139d95b3df),
	UINT64_C(0x650a73548baf63de), UINT64_C(0x766a0abb3c77b2a8), UINT64_C(0x81c2c92e47edaee6),
	UINT64_C(0x92722c851482353b), UINT64_C(0xa2bfe8a14cf10364), UINT64_C(0xa81a664bbc423001),
	UINT64_C(0xc24b8b70d0f89791), UINT64_C(0xc76c51a30654be30), UINT64_C(0xd192e819d6ef5218),
	UINT64_C(0xd69906245565a910), UINT64_C(0xf40e35855771202a), UINT64_C(0x106aa07032bbd1b8),
	UINT64_C(0x19a4c116b8d2d0c8), UINT64_C(0x1e376c085141ab53), UINT64_C(0x2748774cdf8eeb99),
	UINT64_C(0x34b0bcb5e19b48a8), UINT64_C(0x391c0cb3c5c95a63), UINT64_C(0x4ed8aa4ae3418acb),
	UINT64_C(0x5b9cca4f7763e373), UINT64_C(0x682e6ff3d6b2b8a3), UINT64_C(0x748f82ee5defb2fc),
	UINT64_C(0x78a5636f43172f60), UINT64_C(0x84c87814a1f0ab72), UINT64_C(0x8cc702081a6439ec),
	UINT64_C(0x90befffa23631e28), UINT64_C(0xa4506cebde82bde9), UINT64_C(0xbef9a3f7b2c67915),
	UINT64_C(0xc67178f2e372532b), UINT64_C(0xca273eceea26619c), UINT64_C(0xd186b8c721c0c207),
	UINT64_C(0xeada7dd6cde0eb1e), UINT64_C(0xf57d4f7fee6ed178), UINT64_C(0x06f067aa72176fba),
	UINT64_C(0x0a637dc5a2c898a6), UINT64_C(0x113f9804bef90dae), UINT64_C(0x1b710b35131c471b),
	UINT64_C(0x28db77f523047d84), UINT64_C(0x32caab7b40c72493), UINT64_C(0x3c9ebe0a15c9bebc),
	UINT64_C(0x431d67c49c100d4c), UINT64_C(0x4cc5d4becb3e42b6), UINT64_C(0x597f299cfc657e2a),
	UINT64_C(0x5fcb6fab3ad6faec), UINT64_C(0x6c44198c4a475817),
};

/* section 3.2: a word turned to the right */
static uint64_t rotate(uint64_t word, unsigned int by)
{
	return word >> by | word << (64 - by);
}

/* the message schedule of a block, section 6.4.2 step 1 */
static void schedule(const uint8_t block[BLOCK_SIZE], uint64_t w[N_ROUNDS])
{
	for (size_t t = 0; t < 16; t++) {
		w[t] = 0;
		for (size_t i = 0; i < 8; i++)
			w[t] = w[t] << 8 | block[8 * t + i];
	}
	for (size_t t = 16; t < N_ROUNDS; t++) {
		uint64_t s0 = rotate(w[t - 15], 1) ^ rotate(w[t - 15], 8) ^ w[t - 15] >> 7;
		uint64_t s1 = rotate(w[t - 2], 19) ^ rotate(w[t - 2], 61) ^ w[t - 2] >> 6;

		w[t] = s1 + w[t - 7] + s0 + w[t - 16];
	}
}

/* works one block into the hash, section 6.4.2 steps 2 to 4 */
static void compress(struct hash *hash)
{
	uint64_t w[N_ROUNDS];
	uint64_t v[N_WORDS]; /* a to h */

	schedule(hash->block, w);
	memcpy(v, hash->h, sizeof(v));
	for (size_t t = 0; t < N_ROUNDS; t++) {
		uint64_t s1 = rotate(v[4], 14) ^ rotate(v[4], 18) ^ rotate(v[4], 41);
		uint64_t s0 = rotate(v[0], 28) ^ rotate(v[0], 34) ^ rotate(v[0], 39);
		uint64_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint64_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
		uint64_t t1 = v[7] + s1 + choice + constants[t] + w[t];

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1; /* what was d */
		v[0] = t1 + s0 + majority;
	}
	for (size_t i = 0; i < N_WORDS; i++)
		hash->h[i] += v[i];
	hash->used = 0;
}

/* takes one more byte in */
static void put_byte(struct hash *hash, uint8_t byte)
{
	hash->block[hash->used++] = byte;
	if (hash->used == BLOCK_SIZE)
		compress(hash);
}

/* the end of the message: a one bit, zeros, and the length in bits as 128 of them, section 5.1.2 */
static void finish(struct hash *hash)
{
	uint64_t n_bits = hash->len * 8;

	put_byte(hash, 0x80);
	while (hash->used != BLOCK_SIZE - 2 * sizeof(n_bits))
		put_byte(hash, 0);
	for (size_t i = 0; i < sizeof(n_bits); i++)
		put_byte(hash, 0);
	for (unsigned int shift = 64; shift > 0; shift -= 8)
		put_byte(hash, (uint8_t)(n_bits >> (shift - 8)));
}

const char *cni_hex512(const char *const *texts, size_t n_texts, size_t n_digits, char *ret_digits)
{
	const char digits[] = "0123456789abcdef";
	struct hash hash = {0};

	memcpy(hash.h, initial, sizeof(hash.h));
	for (size_t i = 0; i < n_texts; i++) {
		size_t len = strlen(texts[i]);

		for (size_t k = 0; k < len; k++)
			put_byte(&hash, (uint8_t)texts[i][k]);
		hash.len += len;
	}
	finish(&hash);
	for (size_t i = 0; i < n_digits; i++)
		ret_digits[i] = digits[hash.h[i / 16] >> (60 - 4 * (i % 16)) & 0xf];
	ret_digits[n_digits] = '\0';
	return ret_digits;
}
