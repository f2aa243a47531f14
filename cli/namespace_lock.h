/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_NAMESPACE_LOCK_H
#define CLI_NAMESPACE_LOCK_H

/*
 * Locks that count within a network namespace, whatever files its daemons see: names of abstract sockets, see unix(7). The kernel drops
 * them with the process.
 */

/* room for "pid 12" or "pid unknown" */
#define NAMESPACE_LOCK_HOLDER_SIZE 32

/* takes "flannel/KIND/NAME" as far as it may be taken: 0 and the lock in *ret_fd; -EBUSY with the holder's pid in ret_holder; negative */
int namespace_lock_take(const char *kind, const char *name, int *ret_fd, char *ret_holder);

#endif
