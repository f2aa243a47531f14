/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_BRIDGE_VLAN_H
#define FL_SYS_RTNL_BRIDGE_VLAN_H

/* VLANs of a bridge's ports. A port that its bridge has just taken in belongs to the bridge's default VLAN. */

#include <flannel/attachment.h>

#include "sys/rtnl/rtnl.h"

/* how a port belongs to VLANs */
enum fl_bridge_vlan_mode {
	FL_BRIDGE_VLAN_TAGGED,
	FL_BRIDGE_VLAN_UNTAGGED, /* both ways: what comes in untagged belongs to it, too. One VLAN of a port. */
};

/*
 * The port belongs to these VLANs, too. Those to which it does already change their mode. Many spans take several requests, and a
 * failure may leave some of them. -EOPNOTSUPP from a kernel whose bridges know no VLANs.
 */
int fl_bridge_vlan_add(struct fl_rtnl *rtnl, uint32_t ifindex, const char *name, const struct flannel_vlan_span *spans,
		       size_t n_spans, enum fl_bridge_vlan_mode mode, struct flannel_error **ret_error);

/* the port leaves a VLAN: 0, also if it did not belong to it */
int fl_bridge_vlan_delete(struct fl_rtnl *rtnl, uint32_t ifindex, const char *name, uint16_t vlan,
			  struct flannel_error **ret_error);

/* Does the port belong to a VLAN: 1, 0, negative. Asks about this port only (Linux 5.6). */
int fl_bridge_vlan_has(struct fl_rtnl *rtnl, uint32_t ifindex, uint16_t vlan, struct flannel_error **ret_error);

#endif
