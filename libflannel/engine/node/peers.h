/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_PEERS_H
#define FL_ENGINE_NODE_PEERS_H

/* What is wanted for each peer: the backend says it, and of two leases that name one object the newer one has it. */

#include "engine/lease/peers.h"
#include "engine/node/record.h"

struct fl_node_peers {
	const struct fl_node_scope *scope;
	const struct fl_peers *peers; /* the lease request's; each one's data is a struct fl_node_peer, or NULL */
	size_t n_giving_way;          /* of them, with .gives_way */
};

struct fl_node_peer {
	struct fl_node_record record;
	struct fl_node_peers *all;
	const struct fl_peer *peer;
	const char *ignored;         /* why it wants nothing, where that is no error */
	bool gives_way;              /* some objects are those of a newer lease */
	struct flannel_error *error; /* why nothing could be wanted for it */
};

/* a peer's lease is new or changed: what is wanted for it, from the next apply on */
void fl_node_peers_want(struct fl_node_peers *peers, struct fl_peer *peer);

/* peers' facts have changed: the same for each of them */
void fl_node_peers_want_all(struct fl_node_peers *peers);

/* a peer is gone; keep leaves its objects in the kernel */
void fl_node_peers_forget(struct fl_node_peers *peers, struct fl_peer *peer, bool keep);

/* all of them, whose objects stay in the kernel */
void fl_node_peers_leave(struct fl_node_peers *peers);

#endif
