/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_TRANSACTION_H
#define FL_ENGINE_TRANSACTION_H

/*
 * Kernel work that is taken back as a whole if a later part fails: each step that the kernel acknowledged is noted, with
 * what was there before, and undone in reverse. Links are undone by index, never by name.
 */

#include "domain/plan/object.h"
#include "engine/context.h"
#include "sys/rtnl/link.h"

struct fl_undo {
	struct fl_operation operation; /* object as it was made; before for REPLACE and DELETE */
	uint32_t ifindex;              /* the link itself, or the one that the address is on */
};

struct fl_transaction {
	struct flannel_context *context;
	struct fl_rtnl *node;    /* borrowed */
	uint32_t bridge_ifindex; /* the bridge that is worked on; once others use it, nothing of it is undone */
	/* without a bridge: addresses of the node's ends; once others have one, too, settings of the node are not undone */
	const struct flannel_prefix *point_addresses;
	size_t n_point_addresses;
	/* the interface of a VLAN that is worked on, and its port; once others use the VLAN, nothing of it is undone */
	uint16_t vlan;
	uint32_t vlan_ifindex;
	uint32_t vlan_port_ifindex;
	struct fl_undo *undo;
	size_t n_undo;
	size_t n_allocated;
};

/* opens the node's socket if need be */
int fl_transaction_begin(struct fl_transaction *transaction, struct flannel_context *context,
			 struct flannel_error **ret_error);

/* makes a link; see fl_link_create() */
int fl_transaction_create_link(struct fl_transaction *transaction, const struct fl_link *link, int peer_netns_fd,
			       struct fl_link_info *ret_info, struct flannel_error **ret_error);

/*
 * After a failed creation that may have happened all the same, because it was the kernel's answer that got lost: deletes a link
 * of that name and kind. mac: that of the link that was to be made; NULL where nobody else can have chosen that name.
 */
void fl_transaction_disown_link(struct fl_transaction *transaction, const struct fl_link *link, const uint8_t *mac);

/* changes a link; before: the same attributes as they were */
int fl_transaction_change_link(struct fl_transaction *transaction, uint32_t ifindex, const struct fl_link *link,
			       const struct fl_link *before, struct flannel_error **ret_error);

/* Nothing is changed now: undo sees to it that the link has its MAC address again, should what comes next change it. */
int fl_transaction_guard_mac(struct fl_transaction *transaction, const struct fl_link_info *info,
			     struct flannel_error **ret_error);

/* adds or deletes an address of a link: 1, or 0 if it was (not) there already */
int fl_transaction_add_address(struct fl_transaction *transaction, uint32_t ifindex, const struct fl_address *address,
			       struct flannel_error **ret_error);
int fl_transaction_delete_address(struct fl_transaction *transaction, uint32_t ifindex,
				  const struct fl_address *address, struct flannel_error **ret_error);

/* writes a setting of the node's namespace: 1, or 0 if it had the value */
int fl_transaction_write_sysctl(struct fl_transaction *transaction, const char *name, const char *value, bool optional,
				struct flannel_error **ret_error);

/* everything succeeded: nothing will be undone */
void fl_transaction_commit(struct fl_transaction *transaction);

/*
 * Everything succeeded so far, but what the caller does next may make it worthless: hands over the notes, which leaves the
 * transaction as after a commit. The holder takes everything back, in the namespace of a context, or discards them.
 */
void fl_transaction_hand_over(struct fl_transaction *transaction, struct fl_transaction *ret_held);
int fl_transaction_take_back(struct fl_transaction *held, struct flannel_context *context,
			     struct flannel_error **ret_error);
void fl_transaction_discard(struct fl_transaction *held);

/* undoes what was done and not committed; failures are logged */
void fl_transaction_end(struct fl_transaction *transaction);

#define FL_CLEANUP_TRANSACTION FL_CLEANUP(fl_transaction_end)

#endif
