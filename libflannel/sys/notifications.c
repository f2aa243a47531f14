/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/notifications.h"

#include <errno.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* room while the host is busy with something else */
	RECEIVE_BUFFER = 8 << 20,
	DATAGRAMS_PER_DISPATCH = 256,
};

int fl_notifications_init(struct fl_notifications *notifications, size_t size,
			  const struct fl_notifications_handler *handler, void *userdata,
			  struct flannel_error **ret_error)
{
	*notifications = (struct fl_notifications){.fd = -1, .handler = handler, .userdata = userdata, .size = size};
	notifications->buffer = malloc(size);
	return notifications->buffer ? 0 : fl_error_oom(ret_error);
}

void fl_notifications_clear(struct fl_notifications *notifications)
{
	if (notifications->fd >= 0)
		close(notifications->fd);
	notifications->fd = -1;
	free(notifications->buffer);
	notifications->buffer = NULL;
}

int fl_notifications_join(struct fl_notifications *notifications, uint32_t groups, const char *area, const char *what,
			  struct flannel_error **ret_error)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
	const int size = RECEIVE_BUFFER;

	/* a smaller queue only overruns more often */
	if (setsockopt(notifications->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(notifications->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(notifications->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return fl_error_set(ret_error, -errno, area, NULL, "subscribe to %s", what);
	return 0;
}

/* Receives one datagram: its length, 0 if it was another process's, or negative errno. */
static ssize_t receive(struct fl_notifications *notifications)
{
	struct sockaddr_nl sender = {0};
	struct iovec iov = {.iov_base = notifications->buffer, .iov_len = notifications->size};
	struct msghdr datagram = {.msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	do
		n = recvmsg(notifications->fd, &datagram, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (sender.nl_pid != 0)
		return 0;
	/* a notification that does not fit is one that was lost */
	return datagram.msg_flags & MSG_TRUNC ? -ENOBUFS : n;
}

/*
 * After the first loss the kernel goes on dropping, in silence, until the queue has been read empty. So the rest of the queue
 * is thrown away, since everything will be listed again anyway, and the owner is told only then.
 */
int fl_notifications_dispatch(struct fl_notifications *notifications)
{
	for (int i = 0; i < DATAGRAMS_PER_DISPATCH; i++) {
		struct nlmsghdr *header = (struct nlmsghdr *)notifications->buffer;
		ssize_t n = receive(notifications);
		int left = (int)n;

		if (n == -EAGAIN) {
			if (notifications->is_overrun) {
				notifications->is_overrun = false;
				notifications->handler->overrun(notifications->userdata);
			}
			return 0;
		}
		if (n == -ENOBUFS)
			notifications->is_overrun = true;
		else if (n < 0)
			return (int)n;
		if (notifications->is_overrun)
			continue;
		for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left))
			notifications->handler->message(notifications->userdata, header);
	}
	return 1;
}
