/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_QUEUE_H
#define FL_STORE_QUEUE_H

/* The messages that a store has not handed over yet, oldest first; for the next() of every store. */

#include <flannel/store.h>

#include "base/error.h"

struct fl_store_queue {
	struct flannel_store_message *messages;
	size_t first;
	size_t n;
	size_t n_allocated;
};

/* makes room for n more messages, so that pushing them cannot fail: 0 or -ENOMEM */
int fl_store_queue_reserve(struct fl_store_queue *queue, size_t n);

/* appends; takes over lease, config and error of the message, also when it fails with -ENOMEM */
int fl_store_queue_push(struct fl_store_queue *queue, const struct flannel_store_message *message);

/*
 * 1 with a message, 0 without. The receiver's .size says how much of the struct it knows: no more is written, and what
 * it does not know is dropped.
 */
int fl_store_queue_pop(struct fl_store_queue *queue, struct flannel_store_message *ret_message);

/* drops lease, config and error */
void fl_store_message_clear(struct flannel_store_message *message);
void fl_store_queue_clear(struct fl_store_queue *queue);

#endif
