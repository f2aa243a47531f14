/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_DEVICE_H
#define FL_SYS_DEVICE_H

/* Links of our own as objects: read, made, changed, made again, deleted. */

#include "sys/rtnl/link.h"

/* What there is under a name, complete enough to be compared with what is wanted: 1, 0 if there is nothing. An alternative name does
 * not count. */
int fl_device_read(struct fl_rtnl *rtnl, const char *name, struct fl_link *ret_link, uint32_t *ret_ifindex,
		   struct flannel_error **ret_error);

/* makes it, in the kernel's own way for virtual devices without a queue of their own; see fl_link_create() */
int fl_device_create(struct fl_rtnl *rtnl, const struct fl_link *link, uint32_t *ret_ifindex,
		     struct flannel_error **ret_error);

/* Makes the device with that index, which was found so, as it is wanted, by changing no more than what differs. -EOPNOTSUPP if it
 * must be remade (fl_link_must_be_remade()): that is for the caller, by fl_link_delete() and fl_device_create(). */
int fl_device_change(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *found, const struct fl_link *wanted,
		     struct flannel_error **ret_error);

#endif
