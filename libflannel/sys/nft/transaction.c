/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which defines the same again otherwise */
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "sys/nft/message.h"
#include "sys/rtnl/exchange.h"

/* what the kernel says of the messages of a transaction, in their order */
struct verdict {
	uint32_t begin; /* sequence number of the message that begins it; the others follow */
	size_t n;
	bool done;
	int result;
	size_t failed;
	const char *text; /* in the receive buffer */
};

/* the message that begins or ends a transaction */
static struct nl_msg *bracket(uint16_t type)
{
	const struct nfgenmsg header = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};

	return fl_rtnl_message_sized(NLMSG_LENGTH(sizeof(header)), type, 0, &header, sizeof(header));
}

/*
 * Takes an acknowledgement. The last message always has one; those before it only if they were refused, and what is refused
 * as a whole is acknowledged in the name of the first.
 */
static void take_acknowledgement(struct verdict *verdict, const struct nlmsghdr *header, size_t available,
				 struct flannel_error **ret_error, const char *area, const char *operation)
{
	size_t index = header->nlmsg_seq - verdict->begin; /* unsigned: earlier numbers are too large as well */
	int result;
	const char *text = NULL;

	if (header->nlmsg_type != NLMSG_ERROR || index > verdict->n ||
	    fl_rtnl_read_acknowledgement(header, available, &result, &text) < 0)
		return;
	verdict->done = index == 0 || index == verdict->n;
	if (result >= 0 || verdict->result < 0)
		return;
	verdict->result = fl_rtnl_fail(area, ret_error, result, text, operation);
	verdict->failed = index == 0 ? verdict->n : index - 1;
}

/* reads until the last message has its answer */
static int receive_verdict(struct fl_rtnl *netfilter, struct verdict *verdict, struct flannel_error **ret_error,
			   const char *operation)
{
	while (!verdict->done) {
		const struct nlmsghdr *header = netfilter->buffer;
		ssize_t n = recv(netfilter->fd, netfilter->buffer, netfilter->buffer_size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n >= sizeof(*header))
			take_acknowledgement(verdict, header, (size_t)n, ret_error, netfilter->area, operation);
	}
	return 0;
}

int fl_nft_transact(struct fl_rtnl *netfilter, struct nl_msg *const *messages, size_t n_messages, size_t *ret_failed,
		    struct flannel_error **ret_error, const char *operation)
{
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *begin = bracket(NFNL_MSG_BATCH_BEGIN);
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *end = bracket(NFNL_MSG_BATCH_END);
	struct iovec iov[FL_NFT_TRANSACTION_MAX + 2];
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct verdict verdict = {.n = n_messages};
	int r;

	assert(n_messages > 0 && n_messages <= FL_NFT_TRANSACTION_MAX);
	if (!begin || !end)
		return fl_error_oom(ret_error);
	iov[0] = fl_rtnl_seal(netfilter, begin, 0);
	verdict.begin = netfilter->sequence;
	for (size_t i = 0; i < n_messages; i++)
		iov[i + 1] = fl_rtnl_seal(netfilter, messages[i], i == n_messages - 1 ? NLM_F_ACK : 0);
	iov[n_messages + 1] = fl_rtnl_seal(netfilter, end, 0);
	r = fl_rtnl_send(netfilter, iov, n_messages + 2);
	if (r == 0)
		r = receive_verdict(netfilter, &verdict, &error, operation);
	if (r < 0) {
		*ret_failed = n_messages;
		return fl_rtnl_fail(netfilter->area, ret_error, r, NULL, operation);
	}
	if (verdict.result < 0) {
		*ret_failed = verdict.failed;
		if (ret_error)
			*ret_error = FL_TAKE(error);
	}
	return verdict.result;
}
