/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "namespace_lock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"

/* Is the holder somebody who may stop us: root or ourselves. Others may take any such name, and that is to have no effect. */
static bool is_trusted(const struct sockaddr_un *address, socklen_t len, char *ret_holder)
{
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer = {0};
	socklen_t peer_len = sizeof(peer);

	/* a full queue (EAGAIN) has a listener behind it, whom we cannot ask */
	if (fd < 0 || connect(fd, (const struct sockaddr *)address, len) < 0)
		return fd < 0 || errno == EAGAIN;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len) < 0)
		return true;
	(void)snprintf(ret_holder, NAMESPACE_LOCK_HOLDER_SIZE, "pid %ld", (long)peer.pid);
	return peer.uid == 0 || peer.uid == geteuid();
}

int namespace_lock_take(const char *kind, const char *name, int *ret_fd, char *ret_holder)
{
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "flannel/%s/%s", kind, name);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);

	(void)snprintf(ret_holder, NAMESPACE_LOCK_HOLDER_SIZE, "pid unknown");
	if (fd < 0)
		return -errno;
	if (n < 0 || (size_t)n >= sizeof(address.sun_path) - 1)
		return -ENAMETOOLONG;
	if (bind(fd, (const struct sockaddr *)&address, len) < 0) {
		if (errno != EADDRINUSE)
			return -errno;
		if (is_trusted(&address, len, ret_holder))
			return -EBUSY;
	} else if (listen(fd, SOMAXCONN) < 0) { /* nobody takes off the queue those who asked */
		return -errno;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}
