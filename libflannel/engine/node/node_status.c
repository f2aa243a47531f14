/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node_state.h"

#include <errno.h>
#include <string.h>

/* words for people, in the order of the enum */
static const char *const state_names[] = {
	"stopped", "waiting for the network configuration", "waiting for a lease", "programming", "ready", "failed",
};

int flannel_node_get_state(const struct flannel_node *node)
{
	return node ? (int)node->state : FLANNEL_NODE_STOPPED;
}

const char *flannel_node_get_state_name(const struct flannel_node *node)
{
	return state_names[flannel_node_get_state(node)];
}

struct flannel_error *flannel_node_get_error(const struct flannel_node *node)
{
	if (!node)
		return NULL;
	if (node->underlay.error && node->state != FLANNEL_NODE_FAILED)
		return node->underlay.error; /* much else may fail because of it */
	if (node->error)
		return node->error;
	if (fl_node_devices_get_error(&node->devices))
		return fl_node_devices_get_error(&node->devices);
	return fl_node_rules_get_error(node->rules) ? fl_node_rules_get_error(node->rules) : node->store_error;
}

struct flannel_lease *flannel_node_get_lease(const struct flannel_node *node)
{
	return node ? flannel_request_get_lease(node->request) : NULL;
}

int flannel_node_is_synced(const struct flannel_node *node)
{
	return node && node->snapshot.is_current && !node->snapshot.is_in_use && !node->store_error &&
	       node->state != FLANNEL_NODE_FAILED &&
	       (node->options.is_observer || flannel_request_get_lease(node->request));
}

int64_t flannel_node_get_snapshot_sec(const struct flannel_node *node)
{
	if (!node || !node->snapshot.is_in_use)
		return 0;
	return node->snapshot.past->written_sec > 0 ? node->snapshot.past->written_sec : 1;
}

struct flannel_netconf *flannel_node_get_netconf(const struct flannel_node *node)
{
	return node && node->request ? fl_request_get_netconf(node->request) : NULL;
}

int flannel_node_get_underlay(const struct flannel_node *node, struct flannel_node_underlay *ret_underlay)
{
	const struct fl_underlay *underlay;

	if (!node || !ret_underlay || ret_underlay->size != sizeof(*ret_underlay) ||
	    ret_underlay->link.size != sizeof(ret_underlay->link))
		return -EINVAL;
	if (!node->underlay.is_known)
		return 0;
	underlay = &node->underlay.current;
	ret_underlay->link.ifindex = underlay->ifindex;
	ret_underlay->link.mtu = underlay->mtu;
	memcpy(ret_underlay->link.name, underlay->name, sizeof(ret_underlay->link.name));
	fl_mac_format(underlay->mac, ret_underlay->link.mac, sizeof(ret_underlay->link.mac));
	ret_underlay->address = underlay->address;
	ret_underlay->address6 = underlay->address6;
	ret_underlay->mtu = node->mtu;
	ret_underlay->reason = underlay->reason;
	ret_underlay->error = node->underlay.error;
	return 1;
}

/* how a peer's objects are */
static void count_objects(const struct fl_node_peer *kept, struct flannel_node_peer *peer)
{
	const struct fl_entry *entry = fl_reconciler_entries_of(&kept->record.owner);

	peer->n_objects = kept->record.n_objects;
	peer->ignored = kept->ignored;
	peer->error = kept->error;
	for (; entry; entry = entry->owner_next) {
		peer->n_failed += entry->state != FL_ENTRY_IN_FORCE;
		if (!peer->error)
			peer->error = fl_entry_get_error(entry);
	}
	if (kept->error && peer->n_failed == 0)
		peer->n_failed = 1;
}

int flannel_node_get_peer(const struct flannel_node *node, size_t index, struct flannel_node_peer *ret_peer)
{
	const struct fl_peers *peers;
	struct fl_peer *peer;

	if (!node || !ret_peer || ret_peer->size != sizeof(*ret_peer))
		return -EINVAL;
	if (!node->request)
		return 0;
	peers = fl_request_get_peers(node->request);
	if (index >= peers->n_peers)
		return 0;
	peer = peers->peers[index];
	*ret_peer = (struct flannel_node_peer){.size = sizeof(*ret_peer), .lease = peer->lease};
	if (peer->data)
		count_objects(peer->data, ret_peer);
	return 1;
}

uint64_t flannel_node_get_repairs(const struct flannel_node *node)
{
	if (!node)
		return 0;
	return node->n_rule_repairs + (node->scope.reconciler ? fl_reconciler_get_repairs(node->scope.reconciler) : 0);
}

const char *flannel_node_get_conflict(const struct flannel_node *node, size_t index)
{
	return node ? fl_node_leftovers_get_conflict(&node->leftovers, index) : NULL;
}
