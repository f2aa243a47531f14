/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/queue.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define QUEUE_MIN 16

/* the messages are one piece again, beginning at the first slot */
static void queue_compact(struct fl_store_queue *queue)
{
	if (queue->first == 0)
		return;
	if (queue->n > 0)
		memmove(queue->messages, queue->messages + queue->first, queue->n * sizeof(*queue->messages));
	queue->first = 0;
}

int fl_store_queue_reserve(struct fl_store_queue *queue, size_t n)
{
	struct flannel_store_message *messages;
	size_t wanted, n_allocated = queue->n_allocated ? queue->n_allocated : QUEUE_MIN;

	if (n > SIZE_MAX / 2 / sizeof(*messages) - queue->n)
		return -ENOMEM;
	wanted = queue->n + n;
	if (wanted <= queue->n_allocated - queue->first)
		return 0;
	/* moving costs as much as there is: only where at least half of the room is to be won */
	if (wanted <= queue->n_allocated && queue->first >= queue->n_allocated / 2) {
		queue_compact(queue);
		return 0;
	}
	while (n_allocated < wanted)
		n_allocated *= 2;
	if (n_allocated == queue->n_allocated)
		n_allocated *= 2;
	messages = reallocarray(queue->messages, n_allocated, sizeof(*messages));
	if (!messages)
		return -ENOMEM;
	queue->messages = messages;
	queue->n_allocated = n_allocated;
	queue_compact(queue);
	return 0;
}

int fl_store_queue_push(struct fl_store_queue *queue, const struct flannel_store_message *message)
{
	struct flannel_store_message taken = *message;
	int r;

	taken.size = sizeof(taken);
	r = fl_store_queue_reserve(queue, 1);
	if (r < 0) {
		fl_store_message_clear(&taken);
		return r;
	}
	queue->messages[queue->first + queue->n] = taken;
	queue->n++;
	return 0;
}

/* hands over what a receiver of an older or newer header can take */
static void message_hand_over(struct flannel_store_message *message, struct flannel_store_message *ret_message)
{
	size_t size = ret_message->size;

	if (size >= sizeof(*message)) {
		memset((char *)ret_message + sizeof(*message), 0, size - sizeof(*message));
		memcpy(ret_message, message, sizeof(*message));
	} else {
		if (size < offsetof(struct flannel_store_message, error) + sizeof(message->error))
			message->error = flannel_error_unref(message->error);
		memcpy(ret_message, message, size);
	}
	ret_message->size = size;
}

int fl_store_queue_pop(struct fl_store_queue *queue, struct flannel_store_message *ret_message)
{
	if (queue->n == 0)
		return 0;
	message_hand_over(&queue->messages[queue->first], ret_message);
	queue->first++;
	queue->n--;
	/* a long list of leases comes once; its room is not kept */
	if (queue->n == 0)
		fl_store_queue_clear(queue);
	return 1;
}

void fl_store_message_clear(struct flannel_store_message *message)
{
	message->lease = flannel_lease_unref(message->lease);
	message->error = flannel_error_unref(message->error);
	free(message->config);
	message->config = NULL;
}

void fl_store_queue_clear(struct fl_store_queue *queue)
{
	for (size_t i = 0; i < queue->n; i++)
		fl_store_message_clear(&queue->messages[queue->first + i]);
	free(queue->messages);
	*queue = (struct fl_store_queue){0};
}
