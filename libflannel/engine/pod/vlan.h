/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_VLAN_H
#define FL_ENGINE_VLAN_H

/* VLANs of an attachment: those of the container's port, and the interface that is the gateway in one. */

#include "domain/pod/vlan.h"
#include "engine/pod/transaction.h"

/* Puts a new port into its VLANs. Not noted for undo: they go with the port. */
int fl_vlan_set_port(struct fl_transaction *transaction, const struct fl_vlan_want *want,
		     const struct fl_link_info *bridge, const struct fl_link_info *port,
		     struct flannel_error **ret_error);

/*
 * The interface "BRIDGE.VLAN", which is up: one end of a veth pair, the other end of which is a port of the bridge, in that VLAN
 * only (and in that of new ports, if want->keep). One that is there is completed, which is what an attachment that was killed
 * halfway needs. -EEXIST if the name is another link's.
 */
int fl_vlan_open_gateway(struct fl_transaction *transaction, const struct fl_vlan_want *want,
			 const struct fl_link_info *bridge, struct fl_link_info *ret_info,
			 struct flannel_error **ret_error);

#endif
