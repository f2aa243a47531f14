/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_POD_VLAN_H
#define FL_DOMAIN_POD_VLAN_H

/* Which VLANs a container's port belongs to, worked out from the options of an attachment. Pure. */

#include <stdbool.h>

#include <flannel/attachment.h>

#include "base/error.h"

#define FL_VLAN_MAX 4094

struct fl_vlan_want {
	bool filter;                     /* the bridge must filter VLANs */
	bool port;                       /* the port's VLANs are other than a new port's */
	bool keep;                       /* the VLAN of new ports stays */
	uint16_t untagged;               /* port: VLAN of untagged frames */
	struct flannel_vlan_span *trunk; /* port: tagged ones, in order, apart, without untagged */
	size_t n_trunk;
};

/* checks numbers and spans of the options: -EINVAL with the option's name and value */
int fl_vlan_check(const struct flannel_attachment_options *options, struct flannel_error **ret_error);

/* options were checked */
int fl_vlan_want(const struct flannel_attachment_options *options, struct fl_vlan_want *ret_want,
		 struct flannel_error **ret_error);

void fl_vlan_want_clear(struct fl_vlan_want *want);

/* VLAN that a new port has to leave, given the one into which its bridge puts new ports (0: none); 0 if it leaves none */
uint16_t fl_vlan_to_leave(const struct fl_vlan_want *want, uint16_t default_vlan);

/* "BRIDGE.VLAN", the interface that is the gateway in a VLAN: 0, or -ENAMETOOLONG */
int fl_vlan_gateway_name(const char *bridge, uint32_t vlan, char ret_name[FLANNEL_IFNAME_SIZE]);

#endif
