/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as what etcd sends on a stream, in two pieces. Messages come out one after the other and whole, whatever
 * the pieces; nothing that is no frame gets by.
 */
#include <errno.h>
#include <string.h>

#include "require.h"
#include "store/etcd/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_frames frames = {0};
	const uint8_t *message;
	size_t len, at = 0, cut = size ? data[0] % (size + 1) : 0;
	int r = 0;

	for (int piece = 0; piece < 2 && r == 0; piece++) {
		if (size)
			require(fl_frames_feed(&frames, data + (piece ? cut : 0), piece ? size - cut : cut) == 0);
		while ((r = fl_frames_next(&frames, &message, &len, &error)) == 1) {
			require(at + FL_FRAME_HEADER_SIZE + len <= size);
			require(data[at] == 0);
			require(len == 0 || memcmp(message, data + at + FL_FRAME_HEADER_SIZE, len) == 0);
			at += FL_FRAME_HEADER_SIZE + len;
		}
	}
	require(r == 0 || (r == -EBADMSG && *flannel_error_get_message(error)));
	require(r < 0 || (at == size) == !fl_frames_is_partial(&frames));
	fl_frames_clear(&frames);
	return 0;
}
