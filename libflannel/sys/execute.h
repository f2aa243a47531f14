/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_EXECUTE_H
#define FL_SYS_EXECUTE_H

/* Carries out a plan: many operations in few system calls. Links are not for it (sys/device.h): others need their index. */

#include "domain/plan/object.h"
#include "sys/rtnl/rtnl.h"

/*
 * Carries out operations on addresses, neighbours, FDB entries and routes: results[i] and errors[i] (complete, with the operation;
 * the array may be NULL, elements NULL before) for each; the order is kept. As with fl_route_execute() and fl_neighbour_execute():
 * what should be deleted and is not there is no failure. Return: 0, or negative if the socket failed (then results[i] is -EIO for
 * what has no answer; it was not tried, or its answer got lost).
 */
int fl_execute(struct fl_rtnl *rtnl, const struct fl_operation *operations, size_t n_operations, int *results,
	       struct flannel_error **errors, struct flannel_error **ret_error);

#endif
