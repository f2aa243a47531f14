/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <netlink/msg.h>

#include "sys/rtnl/rtnl.h"
#include "sys/rtnl/exchange.h"

enum {
	/*
	 * A batch is cut so that all its acknowledgements fit into the receive buffer at once: the kernel queues them while
	 * it works through the one send, and drops what does not fit. One takes less than 1 KiB of that buffer.
	 */
	BATCH_RECEIVE_BUFFER = 1 << 20,
	BATCH_ACK_COST = 2048,
	BATCH_MESSAGES = 512,
	BATCH_BYTES = 64 << 10,

	/* acknowledgements fetched in one system call, and room for each */
	ACK_WINDOW = 32,
	ACK_SIZE = FL_RTNL_RECEIVE_SIZE / ACK_WINDOW,
};

/* makes the receive buffer as large as a batch likes it, or a batch as small as the receive buffer needs it */
static size_t batch_limit(struct fl_rtnl *rtnl)
{
	const int wanted = BATCH_RECEIVE_BUFFER;
	socklen_t size = sizeof(int);
	int actual = 0;

	if (rtnl->batch_limit > 0)
		return rtnl->batch_limit;
	if (setsockopt(rtnl->fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) < 0)
		(void)setsockopt(rtnl->fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
	(void)getsockopt(rtnl->fd, SOL_SOCKET, SO_RCVBUF, &actual, &size);
	rtnl->batch_limit = (size_t)actual / BATCH_ACK_COST;
	if (rtnl->batch_limit > BATCH_MESSAGES)
		rtnl->batch_limit = BATCH_MESSAGES;
	if (rtnl->batch_limit == 0)
		rtnl->batch_limit = 1;
	return rtnl->batch_limit;
}

/* sends as many messages as make one batch; returns how many */
static int send_batch(struct fl_rtnl *rtnl, struct nl_msg *const *messages, size_t n_messages)
{
	size_t limit = batch_limit(rtnl), n_bytes = 0, n = 0;
	struct iovec iov[BATCH_MESSAGES];
	int r;

	for (; n < n_messages && n < limit && n_bytes < BATCH_BYTES; n++) {
		iov[n] = fl_rtnl_seal(rtnl, messages[n], NLM_F_ACK);
		n_bytes += iov[n].iov_len;
	}
	r = fl_rtnl_send(rtnl, iov, n);
	return r < 0 ? r : (int)n;
}

/* Where the acknowledgements of one batch go. */
struct batch {
	uint32_t first_sequence;
	size_t n;
	size_t n_answered;
	int *results;
	struct flannel_error **errors;
};

/* notes one acknowledgement */
static void take_acknowledgement(struct batch *batch, const struct nlmsghdr *header, size_t available)
{
	const char *text = NULL;
	size_t index;
	int result;

	if (available < sizeof(*header) || header->nlmsg_type != NLMSG_ERROR)
		return;
	index = header->nlmsg_seq - batch->first_sequence; /* unsigned: earlier numbers are too large as well */
	if (index >= batch->n || fl_rtnl_read_acknowledgement(header, available, &result, &text) < 0)
		return;
	batch->n_answered++;
	batch->results[index] = result;
	if (result < 0 && batch->errors)
		(void)fl_rtnl_fail("rtnl", &batch->errors[index], result, text, "");
}

/* Reads until each message of the batch has its answer. If some were lost it reads the others, until the queue is empty. */
static int receive_batch(struct fl_rtnl *rtnl, struct batch *batch)
{
	struct mmsghdr datagrams[ACK_WINDOW] = {0};
	struct iovec iov[ACK_WINDOW];
	char *buffer = rtnl->buffer;
	bool lost = false;

	for (size_t i = 0; i < ACK_WINDOW; i++) {
		iov[i] = (struct iovec){.iov_base = buffer + i * ACK_SIZE, .iov_len = ACK_SIZE};
		datagrams[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	while (batch->n_answered < batch->n || lost) {
		int n = recvmmsg(rtnl->fd, datagrams, ACK_WINDOW, lost ? MSG_DONTWAIT : MSG_WAITFORONE, NULL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && lost)
			return -ENOBUFS;
		if (n < 0 && errno != ENOBUFS)
			return -errno;
		lost = lost || n < 0;
		for (int i = 0; i < n; i++)
			take_acknowledgement(batch, iov[i].iov_base, datagrams[i].msg_len);
	}
	return 0;
}

int fl_rtnl_batch(struct fl_rtnl *rtnl, struct nl_msg *const *messages, size_t n_messages, int *results,
		  struct flannel_error **errors, struct flannel_error **ret_error)
{
	for (size_t i = 0; i < n_messages; i++)
		results[i] = -EIO;
	for (size_t done = 0; done < n_messages;) {
		struct batch batch = {.first_sequence = rtnl->sequence + 1, .results = results + done};
		int r = send_batch(rtnl, messages + done, n_messages - done);

		if (r < 0)
			return fl_rtnl_fail("rtnl", ret_error, r, NULL, "send batch");
		batch.n = (size_t)r;
		batch.errors = errors ? errors + done : NULL;
		r = receive_batch(rtnl, &batch);
		if (r < 0)
			return fl_rtnl_fail("rtnl", ret_error, r, NULL, "receive results of a batch");
		done += batch.n;
	}
	return 0;
}
