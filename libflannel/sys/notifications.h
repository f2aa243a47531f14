/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NOTIFICATIONS_H
#define FL_SYS_NOTIFICATIONS_H

/*
 * What the kernel tells the members of a netlink multicast group, whatever it is about: whose message it is, and when some were lost.
 */

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* neither may close the socket */
struct fl_notifications_handler {
	/* one message of the kernel's, not yet looked at */
	void (*message)(void *userdata, struct nlmsghdr *header);
	/* Some were lost. The queue is empty, and the kernel fills it again: what is listed from now on is complete. */
	void (*overrun)(void *userdata);
};

struct fl_notifications {
	int fd; /* non-blocking, close-on-exec; -1: none */
	const struct fl_notifications_handler *handler;
	void *userdata;
	bool is_overrun;  /* something was lost; told when the queue is empty */
	size_t size;      /* of the buffer that is used: of the largest datagram */
	uint32_t *buffer; /* malloc()ed */
};

/* .fd is the caller's to set, and then this struct's to close. size: of the largest datagram, bytes. -ENOMEM */
int fl_notifications_init(struct fl_notifications *notifications, size_t size,
			  const struct fl_notifications_handler *handler, void *userdata,
			  struct flannel_error **ret_error);
void fl_notifications_clear(struct fl_notifications *notifications);

/* makes room for some 10,000 messages, as far as allowed, and joins groups (a mask, as nl_groups has it) */
int fl_notifications_join(struct fl_notifications *notifications, uint32_t groups, const char *area, const char *what,
			  struct flannel_error **ret_error);

/* reads what is there, at most 256 datagrams: 1 if there may be more, 0 if not, negative errno */
int fl_notifications_dispatch(struct fl_notifications *notifications);

#endif
