/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/frames.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FRAMES_MIN 4096

void fl_frame_write_header(uint8_t header[FL_FRAME_HEADER_SIZE], uint32_t len)
{
	header[0] = 0;
	for (int i = 0; i < 4; i++)
		header[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

/* the length that a header says */
static uint32_t read_len(const uint8_t *header)
{
	return (uint32_t)header[1] << 24 | (uint32_t)header[2] << 16 | (uint32_t)header[3] << 8 | header[4];
}

/* what was taken is forgotten: the rest begins at the first byte again */
static void compact(struct fl_frames *frames)
{
	if (frames->first == 0)
		return;
	if (frames->n > 0)
		memmove(frames->bytes, frames->bytes + frames->first, frames->n);
	frames->first = 0;
}

int fl_frames_feed(struct fl_frames *frames, const void *bytes, size_t n)
{
	size_t n_allocated = frames->n_allocated ? frames->n_allocated : FRAMES_MIN;
	uint8_t *more;

	if (n == 0)
		return 0;
	if (n > SIZE_MAX / 4 - frames->n)
		return -ENOMEM;
	if (frames->first + frames->n + n > frames->n_allocated) {
		compact(frames);
		while (n_allocated < frames->n + n)
			n_allocated *= 2;
		if (n_allocated > frames->n_allocated) {
			more = realloc(frames->bytes, n_allocated);
			if (!more)
				return -ENOMEM;
			frames->bytes = more;
			frames->n_allocated = n_allocated;
		}
	}
	memcpy(frames->bytes + frames->first + frames->n, bytes, n);
	frames->n += n;
	return 0;
}

/* the error for a header that is none of ours */
static int refuse(const uint8_t *header, struct flannel_error **ret_error)
{
	char detail[120];

	if (header[0] != 0)
		(void)snprintf(detail, sizeof(detail), "the message is compressed (flag %u), which nobody asked for",
			       header[0]);
	else
		(void)snprintf(detail, sizeof(detail), "the message has %u bytes, expected at most %u",
			       read_len(header), FL_FRAME_SIZE_MAX);
	return fl_error_set_retryable(ret_error, -EBADMSG, "store", detail, "read etcd's answer");
}

int fl_frames_next(struct fl_frames *frames, const uint8_t **ret_message, size_t *ret_len,
		   struct flannel_error **ret_error)
{
	const uint8_t *header;
	uint32_t len;

	if (frames->n < FL_FRAME_HEADER_SIZE) {
		/* a long list comes once; its room is not kept */
		if (frames->n == 0)
			fl_frames_clear(frames);
		return 0;
	}
	header = frames->bytes + frames->first;
	len = read_len(header);
	if (header[0] != 0 || len > FL_FRAME_SIZE_MAX)
		return refuse(header, ret_error);
	if (frames->n - FL_FRAME_HEADER_SIZE < len)
		return 0;
	*ret_message = header + FL_FRAME_HEADER_SIZE;
	*ret_len = len;
	frames->first += FL_FRAME_HEADER_SIZE + len;
	frames->n -= FL_FRAME_HEADER_SIZE + len;
	return 1;
}

int fl_frames_is_partial(const struct fl_frames *frames)
{
	return frames->n > 0;
}

void fl_frames_clear(struct fl_frames *frames)
{
	free(frames->bytes);
	*frames = (struct fl_frames){0};
}
