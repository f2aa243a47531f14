/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_RTNL_H
#define FL_SYS_RTNL_RTNL_H

/*
 * The one request path to route netlink (rtnetlink(7)), and to netfilter's: every message that the library sends to the kernel
 * goes through fl_rtnl_request(), fl_rtnl_dump() or fl_rtnl_batch(), or fl_nft_transact(). They keep the kernel's errno and its explanation
 * (NETLINK_EXT_ACK), which libnl's own calls lose. A socket belongs to the namespace in which it was opened, for good.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <linux/netlink.h>

#include "base/error.h"

struct nl_msg;
struct fl_rtnl;

/* netns_fd: namespace to open the socket in; -1 is the caller's. single_threaded: see FLANNEL_CONTEXT_SINGLE_THREADED. */
int fl_rtnl_open(int netns_fd, bool single_threaded, struct fl_rtnl **ret_rtnl, struct flannel_error **ret_error);

/* the same for netfilter's netlink protocol (nftables, connection tracking); errors are of area "nft" */
int fl_rtnl_open_netfilter(int netns_fd, bool single_threaded, struct fl_rtnl **ret_rtnl,
			   struct flannel_error **ret_error);
struct fl_rtnl *fl_rtnl_close(struct fl_rtnl *rtnl);

/* the socket, for questions that ioctl(2) answers (netdevice(7)); never to be read from or written to */
int fl_rtnl_get_fd(const struct fl_rtnl *rtnl);

/* a bare route netlink socket in a namespace, close-on-exec; flags: SOCK_NONBLOCK or 0. The descriptor is the caller's. */
int fl_rtnl_socket(int netns_fd, bool single_threaded, int flags, int *ret_fd, struct flannel_error **ret_error);

/*
 * A message with its family header in place; the caller appends attributes with nla_put(), which fails beyond about 1,000
 * bytes in all. NULL without memory.
 */
struct nl_msg *fl_rtnl_message(uint16_t type, uint16_t flags, const void *header, size_t header_size);

/* the same with room for size bytes, header included */
struct nl_msg *fl_rtnl_message_sized(size_t size, uint16_t type, uint16_t flags, const void *header,
				     size_t header_size);
void fl_rtnl_message_free(struct nl_msg *message);
static inline void fl_rtnl_message_freep(struct nl_msg **message)
{
	fl_rtnl_message_free(*message);
}

/* bytes of an address, 0 if the family is none of ours */
static inline int fl_rtnl_address_len(unsigned int family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

/*
 * Gets each answer; a non-zero result is that of the request or dump, and there are no more calls. A negative one becomes an
 * error, unless the kernel itself has one to tell.
 */
typedef int (*fl_rtnl_fn)(void *userdata, const struct nlmsghdr *header);

/*
 * Sends one message and waits for its acknowledgement, answers before it going to fn (may be NULL). Return: 0, or negative
 * errno of the kernel with the error set from its explanation; the operation text says what was tried.
 */
int fl_rtnl_request(struct fl_rtnl *rtnl, struct nl_msg *message, fl_rtnl_fn fn, void *userdata,
		    struct flannel_error **ret_error, const char *operation, ...) __attribute__((format(printf, 6, 7)));

/* A dump with strict checking (filters in the message are honoured); one that the kernel marks as interrupted
 * (NLM_F_DUMP_INTR) returns -EAGAIN, retryable, after fn saw a part: callers collect and start over. */
int fl_rtnl_dump(struct fl_rtnl *rtnl, struct nl_msg *message, fl_rtnl_fn fn, void *userdata,
		 struct flannel_error **ret_error, const char *operation, ...) __attribute__((format(printf, 6, 7)));

/*
 * A dump as an array: parse is called for each message with room for one item, zeroed; it returns 1 to keep the item, 0 to
 * leave it out, negative to end. Starts over when the kernel marks the dump as interrupted, eight times at most.
 * *ret_items is malloc()ed, NULL if there are none.
 */
typedef int (*fl_rtnl_parse_fn)(void *userdata, const struct nlmsghdr *header, void *ret_item);
int fl_rtnl_list(struct fl_rtnl *rtnl, struct nl_msg *message, size_t item_size, fl_rtnl_parse_fn parse, void *userdata,
		 void **ret_items, size_t *ret_n, struct flannel_error **ret_error, const char *operation);

/*
 * Sends many messages in few system calls; each gets its own result: results[i] is 0 or negative errno, and
 * errors[i] (array may be NULL; elements NULL before) its explanation, where the area is "rtnl", the detail the
 * kernel's text and the operation empty, for the caller to wrap. Return: 0 if all were answered, whatever they say; negative if
 * the socket failed, and -EIO in results[i] of those without an answer.
 */
int fl_rtnl_batch(struct fl_rtnl *rtnl, struct nl_msg *const *messages, size_t n_messages, int *results,
		  struct flannel_error **errors, struct flannel_error **ret_error);

FL_DEFINE_CLEANUP(struct fl_rtnl *, fl_rtnl_close)

#endif
