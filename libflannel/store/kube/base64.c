/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/base64.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int fl_kube_base64_decode(const char *text, char **ret_decoded)
{
	FL_CLEANUP(fl_freep) char *decoded = malloc(strlen(text) / 4 * 3 + 4);
	size_t n = 0, n_digits = 0, n_padding = 0;
	uint32_t bits = 0;

	if (!decoded)
		return -ENOMEM;
	for (; *text; text++) {
		const char *digit = strchr(alphabet, *text);

		if (*text == '\n' || *text == '\r' || *text == ' ')
			continue;
		if (*text == '=' && n_digits % 4 + n_padding >= 2 && n_padding < 2) {
			n_padding++;
			continue;
		}
		if (!digit || n_padding)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		n_digits++;
		if (n_digits % 4 == 1)
			continue;
		/* six bits more than bytes need are left after the second digit, four after the third, none after the fourth */
		decoded[n++] = (char)(bits >> (n_digits % 4 == 2 ? 4 : n_digits % 4 == 3 ? 2 : 0));
	}
	if ((n_digits + n_padding) % 4 != 0 || memchr(decoded, '\0', n))
		return -EINVAL;
	decoded[n] = '\0';
	*ret_decoded = FL_TAKE(decoded);
	return 0;
}
