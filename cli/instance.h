/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_INSTANCE_H
#define CLI_INSTANCE_H

#include <stdint.h>
#include <sys/types.h>

#include <flannel/error.h>

#include "cleanup.h"
#include "instance_name.h"

/*
 * One daemon per set of files: whatever flanneld writes hangs off these paths, and a second daemon that names one of
 * them is refused. The kernel drops the locks with the process, so nothing stale stands in the way after kill -9.
 * The store is not among them: many daemons may share it, but within a network namespace only one. There names and the tags of routes are taken, too.
 */
struct instance_paths {
	const char *state_dir; /* made with mode 0700; locked by the file "lock" in it */
	const char
		*subnet_file; /* NULL: none; its directory is made with mode 0755; locked by ".NAME.lock" beside it */
	const char *socket;   /* likewise, and bound with mode 0600; "" for none */
	const char *name;     /* see instance_name_choose(); NULL: nothing is taken in the network namespace */
	const char *network;  /* with a name or "": see instance_network_take() */
	const char *network_flag; /* the same */
	uint8_t route_protocol;   /* with a name or "": see route_protocol_choose() */
};

struct instance {
	int state_lock;
	int subnet_lock;
	int socket_lock;
	int network_lock;
	struct instance_name name;
	int protocol_lock;
	uint8_t route_protocol; /* the one to use */
	int listen_fd;          /* bound and listening, non-blocking; -1 for none */
	char *socket;
	dev_t socket_device;
	ino_t socket_inode;
};

#define INSTANCE_NONE                                                                                                  \
	{                                                                                                              \
		.state_lock = -1, .subnet_lock = -1, .socket_lock = -1, .network_lock = -1, .name = {.lock = -1},      \
		.protocol_lock = -1, .listen_fd = -1                                                                   \
	}

/* takes all locks and the socket, or none: 0; -EBUSY with the other's pid in the message; what the system says */
int instance_claim(const struct instance_paths *paths, struct instance *ret_instance, struct flannel_error **ret_error);

/* removes the socket, if it is still ours, and drops the locks */
void instance_release(struct instance *instance);

#endif
