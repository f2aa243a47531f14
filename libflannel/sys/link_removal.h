/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_LINK_REMOVAL_H
#define FL_SYS_LINK_REMOVAL_H

/*
 * Deleting a link without the kernel's wait. By far the longest part of a deletion is a wait (rcu_barrier) that comes when the link
 * is out of every list, and every other request is served again: nobody can see it any more. Here a child process sends
 * the request and waits, while the caller goes on as soon as the link cannot be found. The child ends by itself.
 */

#include "sys/rtnl/rtnl.h"

/*
 * Deletes a link of the namespace that rtnl belongs to; netns_fd is that namespace (-1: the calling thread's). For processes with one
 * thread that end soon: the child is theirs until then, and is not waited for. Return: 1 gone, 0 was gone already, or negative with
 * the kernel's words. A child that is killed before it could do anything leaves the work to the caller.
 */
int fl_link_delete_early(struct fl_rtnl *rtnl, int netns_fd, uint32_t ifindex, const char *name,
			 struct flannel_error **ret_error);

#endif
