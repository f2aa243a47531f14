/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_H
#define FL_ENGINE_NODE_H

/* The node agent's inside, shared by its files: node.c (life), program.c (steps to ready), rules.c (rules and their repair), former.c
 * (rules of flannel's iptables mode), leftover.c (routes that it left), device.c (the backend's links), peers.c (what is wanted for
 * each peer), underlay.c (the interface between nodes), snapshot.c (what outlives a restart), ready.c (what the store is told of all
 * that), status.c (getters). */

#include <flannel/node.h>

#include "domain/backend.h"
#include "domain/subnet.h"
#include "engine/context.h"
#include "engine/reconcile/reconcile.h"
#include "engine/lease/request.h"
#include "store/snapshot.h"

/* whose objects: a peer's (kept in fl_peer.data), or the node's own */
struct fl_node_peer {
	struct fl_owner owner;
	struct flannel_node *node;
	const struct fl_peer *peer; /* NULL: the node's own */
	uint32_t n_objects;
	const char *ignored;
	bool gives_way;              /* some objects are those of a newer lease */
	struct flannel_error *error; /* why nothing could be wanted for it */
};

/* what the node last knew, in a file, so that a start finds it while the store does not answer */
struct fl_node_snapshot {
	char *path;               /* NULL: nothing is kept */
	struct fl_snapshot *past; /* of an earlier run, from when it is needed until the store has told better */
	bool is_read;             /* past was read, if there was one */
	struct fl_source *timer;  /* goes by the past, or writes */
	bool is_in_use;           /* the node goes by the past */
	bool is_current;          /* the lease is the store's: what changes from here on is kept */
	bool is_dirty;            /* something has changed since it was written */
	bool has_failed;          /* it could not be written the last time */
	uint64_t written_ns;
};

struct flannel_node {
	struct flannel_context *context;
	struct flannel_store *store;
	void *userdata;

	/* options, copied */
	char **interfaces;
	size_t n_interfaces;
	char **interface_regexes;
	size_t n_interface_regexes;
	char *interface_can_reach;
	char *public_ip;
	char *public_ip6;
	char *subnet_file;
	char *state_dir;
	char instance[FL_INSTANCE_MAX + 1]; /* "": it has no name */
	unsigned int masquerade;
	bool ipmasq_value;
	bool is_observer; /* has no lease, rules, subnet file: peers' routes only */
	bool blackhole_route;
	uint32_t lease_sec;
	uint32_t renew_margin_sec;

	enum flannel_node_state state;
	struct flannel_error *error;       /* why it failed, or what is being retried */
	struct flannel_error *store_error; /* the store does not answer */
	struct flannel_request *request;
	struct fl_underlay underlay; /* as it was when it could be used last */
	bool has_underlay;
	uint32_t underlay_ifindex;            /* of the link with its name now; 0: none */
	struct flannel_error *underlay_error; /* why it carries no traffic now */
	struct fl_source *underlay_timer;     /* look at it again */
	struct fl_source *on_link_timer;      /* ask again which peers are on-link */
	const struct fl_backend *backend;
	struct fl_backend_facts facts; /* what the backend is told; underlay is the one above */
	uint32_t mtu;
	struct fl_reconciler *reconciler;
	struct fl_node_peer own; /* what is wanted whatever peers there are */
	size_t n_giving_way;     /* peers with .gives_way */

	struct fl_node_conflict *conflicts; /* routes that flannel may have left */
	size_t n_conflicts;

	struct fl_subnet_choice programmed; /* what rules and subnet file speak of */
	uint32_t programmed_mtu;            /* what the subnet file says */
	struct fl_subnet_choice sent;       /* what the rules on their way speak of */
	bool is_programming;                /* rules are on their way */
	struct fl_node_rules *rules;        /* once they were sent */
	uint64_t n_rule_repairs;
	struct fl_source *retry;
	uint32_t n_failures;
	struct fl_node_snapshot snapshot;

	struct fl_source
		*ready_timer; /* look at whether it is in order, for the store; made when that is needed first */
	uint64_t unready_ns;  /* since when it is not; 0: it is */
	bool has_told_ready;
	bool told_ready; /* what the store was told last */
};

/* state and event of a failure that ends the agent */
void fl_node_fail(struct flannel_node *node, struct flannel_error *error);

/* the configuration is known: interface, backend, identity */
int fl_node_configure(struct flannel_node *node, struct flannel_error **ret_error);

/* chooses the interface between nodes and follows it from now on: when it changes, all that depends on it does */
int fl_node_choose_underlay(struct flannel_node *node, const struct flannel_netconf *netconf,
			    struct flannel_error **ret_error);

/* peers' facts have changed: what is wanted for each of them */
void fl_node_want_all_peers(struct flannel_node *node);

/* follows it no longer */
void fl_node_forget_underlay(struct flannel_node *node);

/* Makes the backend's devices, with the MAC addresses that they have, had, or get now: what the store is told of this node. Their
 * addresses follow when the lease is known. */
int fl_node_register_devices(struct flannel_node *node, struct flannel_error **ret_error);

/* what is wanted for the node itself, as the facts are now */
int fl_node_want_devices(struct flannel_node *node, struct flannel_error **ret_error);

/* are the devices and their addresses as wanted; negative says what is not, and is always worth a retry */
int fl_node_check_devices(const struct flannel_node *node, struct flannel_error **ret_error);

/* what the store is told of this node */
int fl_node_set_identity(struct flannel_node *node, struct flannel_error **ret_error);

/* the MTU of a node that is ready has changed: the subnet file says so */
void fl_node_rewrite_subnet_file(struct flannel_node *node);

/* something may be wrong with the node, or well again */
void fl_node_note_health(struct flannel_node *node);

/* the lease is known: peers' routes, rules, subnet file, ready; goes on by itself until READY or FAILED */
void fl_node_program(struct flannel_node *node);

/* the answer to fl_node_rules_send(): 0, or negative with error */
void fl_node_take_rules(struct flannel_node *node, int code, struct flannel_error *error);

/* stops what fl_node_program() has running, and the watch over the rules */
void fl_node_stop_programming(struct flannel_node *node);

/* from now on routes that flannel left for peers that are no more go when the node takes over; what may be somebody else's is a conflict */
void fl_node_judge_leftovers(struct flannel_node *node);

/* a route changed: if it was a conflict, it is none any more */
void fl_node_note_route(struct flannel_node *node, const struct fl_change *change);

void fl_node_forget_leftovers(struct flannel_node *node);

/* from here on the snapshot of an earlier run is there to be used; what is wrong with it is told once it is needed */
int fl_node_open_snapshot(struct flannel_node *node, struct flannel_error **ret_error);

/* the store does not answer: goes by the snapshot at the next dispatch, if nothing better is known */
void fl_node_consider_snapshot(struct flannel_node *node);

/* the request goes by it */
void fl_node_use_snapshot(struct flannel_node *node);

/* the store has told better: from here on each change is kept */
void fl_node_leave_snapshot(struct flannel_node *node);

/* a lease, the own one or a peer's, has changed: written soon, together with what else changes until then */
void fl_node_note_change(struct flannel_node *node);

/* writes what is not written yet, and ends */
void fl_node_close_snapshot(struct flannel_node *node);

/* prepares a record of what is wanted on whose behalf */
void fl_node_record_init(struct flannel_node *node, struct fl_node_peer *record);

/* what the record wanted before and is not among these objects is wanted no longer: how many, or negative */
int fl_node_drop_others(struct fl_node_peer *record, const struct fl_object *objects, int n_objects,
			struct flannel_error **ret_error);

/* a peer's lease is new or changed: what is wanted for it */
void fl_node_want_peer(struct flannel_node *node, struct fl_peer *peer);

/* a peer is gone; keep leaves its objects in the kernel */
void fl_node_forget_peer(struct flannel_node *node, struct fl_peer *peer, bool keep);

#endif
