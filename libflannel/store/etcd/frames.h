/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_FRAMES_H
#define FL_ETCD_FRAMES_H

/*
 * Messages on a gRPC stream: a byte that says whether it is compressed, four bytes of length, the message. No system call; bytes come
 * in as the network has them, messages come out whole.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define FL_FRAME_HEADER_SIZE 5

/* longer answers are refused: a page of leases is far smaller */
#define FL_FRAME_SIZE_MAX (64U << 20)

/* writes the header of a message */
void fl_frame_write_header(uint8_t header[FL_FRAME_HEADER_SIZE], uint32_t len);

/* what has come in and was not taken yet */
struct fl_frames {
	uint8_t *bytes;
	size_t first;
	size_t n;
	size_t n_allocated;
};

/* appends; -ENOMEM */
int fl_frames_feed(struct fl_frames *frames, const void *bytes, size_t n);

/*
 * The next whole message: 1 (borrowed until the next call), 0 if it has not come completely, -EBADMSG if what came is no
 * frame of ours (compressed, or too long).
 */
int fl_frames_next(struct fl_frames *frames, const uint8_t **ret_message, size_t *ret_len,
		   struct flannel_error **ret_error);

/* is a message begun and not complete */
int fl_frames_is_partial(const struct fl_frames *frames);

void fl_frames_clear(struct fl_frames *frames);

#endif
