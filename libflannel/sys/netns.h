/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NETNS_H
#define FL_SYS_NETNS_H

/* Network namespaces by descriptor, see network_namespaces(7). The calling thread stays where it is. */

#include <stdbool.h>

#include "base/error.h"

/* is fd a network namespace: 0, or -EINVAL */
int fl_netns_check(int fd, struct flannel_error **ret_error);

/* 1 if both are the same namespace (-1: the caller's own), 0 if not, negative errno */
int fl_netns_same(int a, int b);

/*
 * Runs fn inside the namespace and returns its result. fd -1: right here. single_threaded: this thread goes there and back
 * (abort() if it cannot come back); else a thread made for it, with all signals blocked, joined before return.
 */
int fl_netns_run(int fd, bool single_threaded, int (*fn)(void *userdata, struct flannel_error **ret_error),
		 void *userdata, struct flannel_error **ret_error);

#endif
