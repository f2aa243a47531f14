/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_DEVICES_H
#define FL_ENGINE_NODE_DEVICES_H

/* What is wanted for the node itself, whatever peers there are: the backend's devices, their addresses, a blackhole route. */

#include "engine/node/record.h"

struct fl_node_devices {
	struct fl_node_record record;
	const char *state_dir; /* where MAC addresses outlive a reboot; NULL: nowhere */
	bool blackhole_route;
	fl_node_health_fn note_health; /* one of the objects was repaired, or failed */
	void *userdata;
};

/* before anything else; the other members are the caller's */
void fl_node_devices_init(struct fl_node_devices *devices, const struct fl_node_scope *scope);

/*
 * Makes the backend's devices, with the MAC addresses that peers know, or the devices have, had, or get now: they come into facts (the
 * scope's), and from there into the store. known: the lease that peers are told of this node, or NULL. The devices' own addresses
 * follow when the lease is held.
 */
int fl_node_devices_register(struct fl_node_devices *devices, struct fl_backend_facts *facts,
			     const struct flannel_lease *known, struct flannel_error **ret_error);

/* what is wanted, as the facts are now */
int fl_node_devices_want(struct fl_node_devices *devices, struct flannel_error **ret_error);

/* are all objects as wanted; negative says what is not, and is always worth a retry */
int fl_node_devices_check(const struct fl_node_devices *devices, struct flannel_error **ret_error);

/* the reason of the first one that failed, or NULL; borrowed */
struct flannel_error *fl_node_devices_get_error(const struct fl_node_devices *devices);

/* nothing of it is wanted any more; it stays in the kernel */
void fl_node_devices_leave(struct fl_node_devices *devices);

#endif
