/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/firewall/nft_element.h"

#include <assert.h>
#include <string.h>

struct fl_nft_value fl_nft_value_of(const void *bytes, size_t len)
{
	struct fl_nft_value value = {.len = (uint8_t)len};

	assert(len <= FL_NFT_VALUE_MAX);
	memcpy(value.bytes, bytes, len);
	return value;
}

void fl_nft_value_append(struct fl_nft_value *value, const void *bytes, size_t len)
{
	size_t padded = (len + 3) / 4 * 4;

	assert(value->len % 4 == 0 && value->len + padded <= FL_NFT_VALUE_MAX);
	memcpy(value->bytes + value->len, bytes, len);
	memset(value->bytes + value->len + len, 0, padded - len);
	value->len = (uint8_t)(value->len + padded);
}
