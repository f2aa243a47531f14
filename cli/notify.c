/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "cleanup.h"

int notify_send(const char *socket_name, const char *message, unsigned int wait_ms)
{
	const struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000)};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int flags = MSG_NOSIGNAL | (wait_ms ? 0 : MSG_DONTWAIT);
	CLEANUP_CLOSE int fd = -1;
	socklen_t address_len;
	size_t len;

	if (!socket_name || !*socket_name)
		return 0;
	if (*socket_name != '/' && *socket_name != '@')
		return -EAFNOSUPPORT;
	len = strlen(socket_name);
	if (len >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, socket_name, len);
	/* an abstract name starts with a zero and has exactly the length that it is given */
	if (*socket_name == '@')
		address.sun_path[0] = '\0';
	address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*socket_name == '@' ? 0 : 1));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
		return -errno;
	if (sendto(fd, message, strlen(message), flags, (struct sockaddr *)&address, address_len) < 0)
		return -errno;
	return 1;
}
