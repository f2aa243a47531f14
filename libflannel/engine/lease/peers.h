/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_PEERS_H
#define FL_ENGINE_PEERS_H

/* The leases of all nodes as the store last told, ordered by subnet; with what their user keeps for each. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/lease.h>

#include "base/error.h"

struct fl_peer {
	struct flannel_lease *lease;
	void *data;          /* the user's */
	uint32_t generation; /* the snapshot that named it last */
};

struct fl_peers {
	struct fl_peer **peers;
	size_t n_peers;
	size_t n_allocated;
};

/* the peer with the subnets of a lease, NULL if there is none */
struct fl_peer *fl_peers_find(const struct fl_peers *peers, const struct flannel_lease *lease);

/* adds a peer for a lease that has none; takes a reference */
int fl_peers_add(struct fl_peers *peers, struct flannel_lease *lease, struct fl_peer **ret_peer,
		 struct flannel_error **ret_error);

/* removes and frees a peer; its data is the user's business */
void fl_peers_remove(struct fl_peers *peers, struct fl_peer *peer);

void fl_peers_clear(struct fl_peers *peers);

#endif
