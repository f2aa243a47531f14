/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

/*
 * Tells the service manager, as sd_notify(3) does: one datagram with message to the socket, a path or, with a leading
 * "@", an abstract name. NULL or "" means nobody asked. It waits at most wait_ms for a receiver whose queue is full.
 * 1 if sent, 0 if nobody asked, or negative errno: -EAGAIN if the queue stayed full.
 */
int notify_send(const char *socket_name, const char *message, unsigned int wait_ms);

#endif
