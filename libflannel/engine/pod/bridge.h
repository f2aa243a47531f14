/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_BRIDGE_H
#define FL_ENGINE_BRIDGE_H

/* A bridge as it should be, for flannel_bridge_ensure() and for attachments. */

#include "domain/pod/attachment.h"
#include "engine/pod/transaction.h"

struct fl_bridge_want {
	const char *name;
	uint32_t mtu; /* of a new bridge; 0: the kernel's choice */
	bool promiscuous;
	bool force_address;
	bool vlan_filter; /* never switched off */
	const struct flannel_prefix *addresses;
	size_t n_addresses;
};

/*
 * Everything but the addresses: gets or makes the bridge, and sets it up. Addresses that are in the way are refused here
 * already, unless they may be removed. If some are missing, the bridge's MAC is pinned, before a port can change it.
 * ret_info: the bridge as it was when the call began, or as it was made. ret_n_missing: addresses to be added. 1 if
 * anything was changed, else 0.
 */
int fl_bridge_open(struct fl_transaction *transaction, const struct fl_bridge_want *want, struct fl_link_info *ret_info,
		   size_t *ret_n_missing, struct flannel_error **ret_error);

/*
 * Adds the addresses, and removes those in the way: 1 if anything was changed, else 0. Apart, since a removal takes routes
 * along that cannot be brought back: whatever else may fail should come before.
 */
int fl_bridge_set_addresses(struct fl_transaction *transaction, const struct fl_bridge_want *want,
			    const struct fl_link_info *info, struct flannel_error **ret_error);

/* a link for the public API; .size was checked */
void fl_link_describe(const struct fl_link_info *info, struct flannel_link *ret_link);

#endif
