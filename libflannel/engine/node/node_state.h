/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_STATE_H
#define FL_ENGINE_NODE_STATE_H

/*
 * The agent: a state machine that drives parts, each with a header of its own. Calls go down, and scripts/check-includes sees to it:
 *
 *   node.c            life; what the lease request, the parts and the host say
 *   node_configure.c  steps from the configuration to the question for a lease
 *   node_program.c    steps from the lease to a ready node
 *   node_status.c     getters
 *   parts             underlay, devices, peers, leftovers, rules, snapshot, health, options: none includes this header
 */

#include "engine/lease/request.h"
#include "engine/node/devices.h"
#include "engine/node/health.h"
#include "engine/node/leftovers.h"
#include "engine/node/options.h"
#include "engine/node/peers.h"
#include "engine/node/rules.h"
#include "engine/node/scope.h"
#include "engine/node/snapshot.h"
#include "engine/node/underlay.h"

struct flannel_node {
	struct fl_node_scope scope;
	struct fl_node_options options;
	struct flannel_store *store;
	struct flannel_request *request; /* from the start on */

	enum flannel_node_state state;
	struct flannel_error *error;       /* why it failed, or what is being retried */
	struct flannel_error *store_error; /* the store does not answer */
	struct flannel_netconf *logged;    /* the configuration of which the operator has heard */

	struct fl_node_underlay underlay;
	struct fl_node_devices devices;
	struct fl_node_peers peers;
	struct fl_node_leftovers leftovers;
	struct fl_node_snapshot snapshot;
	struct fl_node_health health;
	struct fl_node_rules *rules; /* once they were sent */
	uint64_t n_rule_repairs;
	uint32_t mtu; /* of pods */

	struct fl_subnet_choice programmed; /* what rules and subnet file speak of */
	uint32_t programmed_mtu;            /* what the subnet file says */
	struct fl_subnet_choice sent;       /* what the rules on their way speak of */
	bool is_programming;                /* rules are on their way, or a step is to be tried again */
	struct fl_source *retry;
	uint32_t n_failures;
};

/*
 * node_configure.c
 */

/* the configuration is known: interface, backend, identity; from here on the lease is asked for */
int fl_node_configure(struct flannel_node *node, struct flannel_error **ret_error);

/* the interface between nodes is another: the lease, the peers' routes and the subnet file follow */
void fl_node_follow_underlay(struct flannel_node *node);

/*
 * node_program.c
 */

/* the lease is known: peers' routes, rules, subnet file, ready; goes on by itself until READY or FAILED */
void fl_node_program(struct flannel_node *node);

/* stops what that has running, and the watch over the rules */
void fl_node_stop_programming(struct flannel_node *node);

/* the MTU of a node that is ready has changed: the subnet file says so */
void fl_node_rewrite_subnet_file(struct flannel_node *node);

/* does it keep objects of peers in the kernel, or begin to */
bool fl_node_wants_peers(const struct flannel_node *node);

/* what is wanted for each peer, all of them again */
void fl_node_want_peers_again(struct flannel_node *node);

/* follows neither the interface nor the kernel any more */
void fl_node_forget_underlay(struct flannel_node *node);

/* something may be wrong with the node, or well again */
void fl_node_note_health(struct flannel_node *node);

/* why something failed that is tried again, or NULL; referenced */
void fl_node_set_error(struct flannel_node *node, struct flannel_error *error);

/* state and event of a failure that ends the agent */
void fl_node_fail(struct flannel_node *node, struct flannel_error *error);

#endif
