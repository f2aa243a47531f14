/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_UNDERLAY_H
#define FL_ENGINE_UNDERLAY_H

/* Chooses the interface between nodes: asks the kernel for the facts, domain/interface decides. */

#include "domain/interface.h"
#include "sys/rtnl.h"

int fl_underlay_find(struct fl_rtnl *rtnl, const struct fl_interface_request *request, struct fl_underlay *ret_underlay,
		     struct flannel_error **ret_error);

#endif
