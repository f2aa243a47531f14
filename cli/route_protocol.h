/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_ROUTE_PROTOCOL_H
#define CLI_ROUTE_PROTOCOL_H

#include <stdint.h>

#include <flannel/error.h>

/* the tag of the instance without a name, and of those with one, that nobody else is known to use */
#define ROUTE_PROTOCOL_DEFAULT 241
#define ROUTE_PROTOCOL_FIRST 242
#define ROUTE_PROTOCOL_LAST 253

/*
 * The tag of this daemon's routes, for as long as it runs its own in the network namespace. wanted: what the operator said; 0: 241 without
 * a name; with one the number that the instance had before, which the file "route-protocol" in its state directory keeps, or else the first that
 * no instance has whose state directory is beside this one, nor any that runs here. -EBUSY names who has it; *ret_fd is the lock.
 */
int route_protocol_choose(const char *state_dir, const char *instance, uint8_t wanted, uint8_t *ret_protocol,
			  int *ret_fd, struct flannel_error **ret_error);

#endif
