/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_ADDRESS_POOL_H
#define FL_STORE_ADDRESS_POOL_H

/* What the calls of <flannel/address.h> that work on a pool share. */

#include <flannel/address.h>

#include "store/address/directory.h"
#include "store/address/session.h"
#include "store/boot.h"

struct flannel_address_pool {
	struct fl_address_directory directory;
	struct fl_boot boot;
	struct fl_address_session session; /* of the call that runs */
};

/* flannel_address_pool_open() in a given boot */
int fl_address_pool_open(const char *directory, const struct fl_boot *boot, struct flannel_address_pool **ret_pool,
			 struct flannel_error **ret_error);

/* what every call of an owner needs; -EINVAL names the first thing that is wrong */
int fl_address_pool_check_owner(const struct flannel_address_pool *pool, const char *container_id, const char *ifname,
				const char *operation, struct flannel_error **ret_error);

/* were the ranges given to flannel_address_ranges_check(): 0, or -EINVAL */
int fl_address_pool_check_ranges(const struct flannel_address_range *ranges, size_t n_ranges, const char *operation,
				 struct flannel_error **ret_error);

#endif
