/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_EXCHANGE_H
#define FL_SYS_RTNL_EXCHANGE_H

/* The inside of the request path, for rtnl.c, batch.c and nft/transaction.c only. */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "sys/rtnl/rtnl.h"

/* the kernel packs at most this much of a dump into one datagram, unless a single message is larger */
#define FL_RTNL_RECEIVE_SIZE (32 << 10)

struct fl_rtnl {
	int fd;
	const char *area;   /* of errors: "rtnl", "nft" */
	uint32_t sequence;  /* of the last message sent */
	size_t batch_limit; /* messages in one send; 0 as long as the receive buffer has its first size */
	size_t buffer_size; /* at least FL_RTNL_RECEIVE_SIZE */
	void *buffer;
};

/* stores an error, retryable if it may pass; detail is the kernel's explanation or NULL; returns code */
int fl_rtnl_fail(const char *area, struct flannel_error **ret_error, int code, const char *detail,
		 const char *operation);

/* numbers a message and completes its flags */
struct iovec fl_rtnl_seal(struct fl_rtnl *rtnl, struct nl_msg *message, uint16_t flags);

/* sends what iov holds as one datagram */
int fl_rtnl_send(struct fl_rtnl *rtnl, struct iovec *iov, size_t n_iov);

/*
 * Reads result and explanation (NULL if there is none; in the receive buffer) from an NLMSG_ERROR, which is also what an
 * acknowledgement is. available: how much of it was received.
 */
int fl_rtnl_read_acknowledgement(const struct nlmsghdr *header, size_t available, int *ret_result,
				 const char **ret_text);

#endif
