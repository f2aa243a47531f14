/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_STATIC_H
#define FL_STORE_STATIC_H

/*
 * The static store: network configuration and leases in a file that people write, and this store only reads. It says who has which
 * subnet; nodes confirm what it says and change nothing. Every change of the file is told as a new list. A file that is not right as
 * a whole is refused: the store counts as lost, with the reason, and what the last good one said stays in force.
 */

#include <flannel/store.h>

#include "base/log.h"

/*
 * Opens a file that is there and right. *ret_ops is static. Errors: -EBADMSG (the message names line, key and value), -ENOENT and what else
 * the system says, -EFBIG, -ENOMEM.
 */
int fl_static_open(const char *path, const struct fl_log *log, const struct flannel_store_ops **ret_ops,
		   void **ret_impl, struct flannel_error **ret_error);

#endif
