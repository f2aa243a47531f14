/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_UNDERLAY_H
#define FL_ENGINE_UNDERLAY_H

/* Asks the kernel for the facts about the interface between nodes; domain/underlay/interface decides. */

#include "domain/underlay/interface.h"
#include "sys/monitor.h"
#include "sys/rtnl/rtnl.h"

/* chooses the interface, see fl_interface_select() */
int fl_underlay_find(struct fl_rtnl *rtnl, const struct fl_interface_request *request, struct fl_underlay *ret_underlay,
		     struct flannel_error **ret_error);

/*
 * What became of it, see fl_interface_follow(). One link is asked for and not all, unless addresses name the interface.
 * ret_ifindex: of the link with its name, whether it can be used or not; 0 if there is none. Set on failure, too.
 */
int fl_underlay_find_again(struct fl_rtnl *rtnl, const struct fl_interface_request *request,
			   const struct fl_underlay *before, struct fl_underlay *ret_underlay, uint32_t *ret_ifindex,
			   struct flannel_error **ret_error);

/*
 * May a notification have changed what is known of the interface? ifindex: as fl_underlay_find_again() said. in_trouble: any
 * news of the link counts, since what is known is what it was like before.
 */
bool fl_underlay_is_touched(const struct fl_underlay *underlay, uint32_t ifindex, bool in_trouble,
			    const struct fl_change *change);

#endif
