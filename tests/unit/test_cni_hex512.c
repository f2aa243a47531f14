/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "hex512.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

Test(cni_hex512, known_answers)
{
	/* the first two are of FIPS 180's examples, the others names that the reference plugins made */
	const struct {
		const char *texts[2];
		size_t n_digits;
		const char *digits;
	} cases[] = {
		{{"abc", ""},
		 128,
		 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn",
		  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"},
		 128,
		 "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
		 "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"},
		{{"", ""},
		 128,
		 "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
		 "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
		{{"n1", "cid1"}, 24, "ca7a875c2b85fc44a855128b"},
		{{"n1", "cid1"}, 12, "ca7a875c2b85"},
		{{"n1", "cid1"}, 0, ""},
		{{"n1", ""}, 16, "43d91f8451058a70"},
		{{"eth0:", "cid1"}, 16, "0b65a318f52e521b"},
		{{"test", "1234"}, 17, "2bbe0c48b91a7d1b8"},
	};
	char digits[CNI_HEX512_DIGITS + 1];

	for (size_t i = 0; i < N(cases); i++) {
		cr_expect_eq(cni_hex512(cases[i].texts, 2, cases[i].n_digits, digits), digits);
		cr_expect_str_eq(digits, cases[i].digits, "%s%s: %s", cases[i].texts[0], cases[i].texts[1], digits);
	}
}

/* lengths around the end of a block, where the length of the message moves into one more: texts cut anywhere hash the same */
Test(cni_hex512, lengths_around_a_block)
{
	const struct {
		size_t len;
		const char *digits;
	} cases[] = {
		{110, "c825949632e509824543f7eaf159fb60"}, {111, "fa9121c7b32b9e01733d034cfc78cbf6"},
		{112, "c01d080efd492776a1c43bd23dd99d0a"}, {113, "55ddd8ac210a6e18ba1ee055af84c966"},
		{119, "130396a75cb483f2eee8c56d8a668bb3"}, {120, "f241de612b01aa2fa3cf01531d2a8e5e"},
		{127, "828613968b501dc00a97e08c73b118aa"}, {128, "b73d1929aa615934e61a871596b3f3b3"},
		{129, "4f681e0bd53cda4b5a2041cc8a06f2ea"}, {239, "52c853cb8d907f3d4d6b889beb027985"},
		{240, "4c296d90c61052a62ffb1dd196f1b7b0"}, {256, "6a9169eb662f136d87374070e8828b3e"},
	};
	char text[257], whole[CNI_HEX512_DIGITS + 1], cut[CNI_HEX512_DIGITS + 1], head[257];

	for (size_t i = 0; i < N(cases); i++) {
		size_t len = cases[i].len;
		const char *texts[] = {text};

		memset(text, 'a', len);
		text[len] = '\0';
		cr_expect_str_eq(cni_hex512(texts, 1, 32, whole), cases[i].digits, "%zu bytes: %s", len, whole);
		for (size_t at = 0; at <= len; at += 37) {
			const char *parts[] = {head, text + at};

			memcpy(head, text, at);
			head[at] = '\0';
			cr_expect_str_eq(cni_hex512(parts, 2, 32, cut), whole, "%zu bytes cut at %zu", len, at);
		}
	}
}
