/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: any bytes as the answer of the nft helper. It is success, or a failure in words. */
#include "require.h"
#include "sys/nft/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_nft_decode((const char *)data, size, &error);

	require(r <= 0 && (r < 0) == (error != NULL));
	require(!error || (*flannel_error_get_message(error) && flannel_error_get_code(error) == r));
	return 0;
}
