/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include "store/queue.h"

/* a message with one of everything that is owned */
static struct flannel_store_message message_full(uint64_t number)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_DONE, .request = number};

	cr_assert_eq(
		flannel_lease_parse("10.5.1.0-24", "{\"PublicIP\":\"192.0.2.1\"}", 24, 0, number, &message.lease, NULL),
		0);
	message.config = strdup("{}");
	(void)flannel_error_new(&message.error, -EIO, "store", "test", NULL, 0);
	return message;
}

Test(store_queue, empty)
{
	struct flannel_store_message message = {.size = sizeof(message)};
	struct fl_store_queue queue = {0};

	cr_assert_eq(fl_store_queue_pop(&queue, &message), 0);
	fl_store_queue_clear(&queue);
	fl_store_message_clear(&message);
}

/* oldest first, whatever the mixture of pushing and popping */
Test(store_queue, order)
{
	struct flannel_store_message message = {.size = sizeof(message)};
	struct fl_store_queue queue = {0};
	uint64_t pushed = 0, popped = 0;

	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < round % 37; i++) {
			message = (struct flannel_store_message){.request = ++pushed};
			cr_assert_eq(fl_store_queue_push(&queue, &message), 0);
		}
		message.size = sizeof(message);
		for (int i = 0; i < round % 29 && fl_store_queue_pop(&queue, &message); i++)
			cr_assert_eq(message.request, ++popped);
		cr_assert_eq(queue.n, pushed - popped);
	}
	while (fl_store_queue_pop(&queue, &message))
		cr_assert_eq(message.request, ++popped);
	cr_assert_eq(pushed, popped);
	cr_assert_null(queue.messages, "an empty queue keeps no memory");
}

/* room that was reserved is there, also behind messages that were taken */
Test(store_queue, reserve)
{
	struct flannel_store_message message = {.size = sizeof(message)};
	struct fl_store_queue queue = {0};

	for (int i = 0; i < 100; i++)
		cr_assert_eq(fl_store_queue_push(&queue, &message), 0);
	for (int i = 0; i < 99; i++)
		cr_assert_eq(fl_store_queue_pop(&queue, &message), 1);
	for (size_t n = 1; n < 1000; n *= 3) {
		cr_assert_eq(fl_store_queue_reserve(&queue, n), 0);
		cr_assert_geq(queue.n_allocated, queue.first + queue.n + n);
	}
	cr_assert_eq(fl_store_queue_reserve(&queue, SIZE_MAX), -ENOMEM);
	cr_assert_eq(fl_store_queue_reserve(&queue, SIZE_MAX / sizeof(message)), -ENOMEM);
	fl_store_queue_clear(&queue);
}

/* the receiver owns what it takes, the queue the rest; the leak detector counts */
Test(store_queue, ownership)
{
	struct flannel_store_message message = {.size = sizeof(message)};
	struct fl_store_queue queue = {0};

	for (uint64_t i = 1; i <= 3; i++) {
		struct flannel_store_message full = message_full(i);

		cr_assert_eq(fl_store_queue_push(&queue, &full), 0);
	}
	cr_assert_eq(fl_store_queue_pop(&queue, &message), 1);
	cr_assert_eq(message.size, sizeof(message));
	cr_assert_eq(flannel_lease_get_revision(message.lease), 1);
	cr_assert_str_eq(message.config, "{}");
	cr_assert_eq(flannel_error_get_code(message.error), -EIO);
	fl_store_message_clear(&message);
	cr_assert_null(message.lease);
	cr_assert_null(message.config);
	cr_assert_null(message.error);
	fl_store_queue_clear(&queue);
	cr_assert_eq(queue.n, 0);
}

/* receivers built with other headers: no byte behind their struct is written, what they do not know is dropped */
Test(store_queue, other_sizes)
{
	struct {
		struct flannel_store_message message;
		unsigned char more[16];
	} large;
	struct fl_store_queue queue = {0};
	struct flannel_store_message full = message_full(1);

	cr_assert_eq(fl_store_queue_push(&queue, &full), 0);
	full = message_full(2);
	cr_assert_eq(fl_store_queue_push(&queue, &full), 0);

	memset(&large, 0xaa, sizeof(large));
	large.message.size = offsetof(struct flannel_store_message, error);
	cr_assert_eq(fl_store_queue_pop(&queue, &large.message), 1);
	cr_assert_eq(large.message.request, 1);
	cr_assert_eq(large.message.size, offsetof(struct flannel_store_message, error));
	cr_assert_eq(*(unsigned char *)&large.message.error, 0xaa);
	large.message.error = NULL;
	fl_store_message_clear(&large.message);

	memset(&large, 0xaa, sizeof(large));
	large.message.size = sizeof(large);
	cr_assert_eq(fl_store_queue_pop(&queue, &large.message), 1);
	cr_assert_eq(large.message.request, 2);
	cr_assert_eq(large.more[0], 0, "what the queue does not know is zero");
	cr_assert_eq(large.more[15], 0);
	fl_store_message_clear(&large.message);
}
