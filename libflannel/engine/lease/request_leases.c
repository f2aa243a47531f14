/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/lease/request_state.h"

#include <sys/socket.h>

/* has a lease one of two public addresses */
static bool has_address(const struct flannel_lease *lease, const struct flannel_prefix *ip,
			const struct flannel_prefix *ip6)
{
	const struct flannel_prefix *mine[] = {ip, ip6};
	const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < FL_N_ELEMENTS(mine); i++) {
		struct flannel_prefix theirs;

		if (mine[i]->family && flannel_lease_get_public_ip(lease, families[i], &theirs) > 0 &&
		    flannel_prefix_compare(mine[i], &theirs) == 0)
			return true;
	}
	return false;
}

/* has a lease the subnets of the one that this node writes or holds */
static bool has_our_subnets(const struct flannel_request *request, const struct flannel_lease *lease)
{
	struct fl_subnet_choice subnets, ours;

	if (!request->lease)
		return false;
	subnets = fl_request_subnets_of(lease);
	ours = fl_request_subnets_of(request->lease);
	return flannel_prefix_compare(&subnets.subnet, &ours.subnet) == 0 &&
	       flannel_prefix_compare(&subnets.subnet6, &ours.subnet6) == 0;
}

bool fl_request_is_bygone(const struct flannel_request *request, const struct flannel_lease *lease)
{
	uint64_t revision = flannel_lease_get_revision(lease), ours = flannel_lease_get_revision(request->lease);

	if (has_address(lease, &request->public_ip, &request->public_ip6) || !has_our_subnets(request, lease))
		return false;
	/* somebody wrote it after us */
	if (ours && revision > ours)
		return false;
	for (size_t i = 0; i < FL_FORMER_MAX; i++) {
		if (has_address(lease, &request->former[i].public_ip, &request->former[i].public_ip6))
			return true;
	}
	return false;
}

bool fl_request_is_own(const struct flannel_request *request, const struct flannel_lease *lease)
{
	return has_address(lease, &request->public_ip, &request->public_ip6) || fl_request_is_bygone(request, lease);
}

void fl_request_note_own(struct flannel_request *request, struct flannel_lease *lease)
{
	struct fl_peer *peer = fl_peers_find(&request->own, lease);

	/* what could not be had may be had now */
	if (!peer && request->step == STEP_ACQUIRING && !request->pending && request->n_failures > 0)
		fl_source_set_deadline(request->timer, 0);
	if (!peer && fl_peers_add(&request->own, lease, &peer, NULL) < 0)
		return;
	peer->generation = request->generation;
	flannel_lease_ref(lease);
	flannel_lease_unref(peer->lease);
	peer->lease = lease;
	/* a reservation that is none any more ends, if it is not renewed */
	if (request->step == STEP_HELD && !request->pending && fl_source_get_deadline(request->timer) == UINT64_MAX &&
	    flannel_lease_get_expires_sec(lease) != 0 && has_our_subnets(request, lease))
		fl_source_set_deadline(request->timer, 0);
}

void fl_request_forget_peer(struct flannel_request *request, struct fl_peer *peer)
{
	(void)fl_request_report(request, FL_REQUEST_PEER_REMOVED, peer->lease, peer, NULL, NULL);
	fl_peers_remove(&request->peers, peer);
}

bool fl_request_is_held(const struct flannel_request *request, const struct flannel_lease *lease)
{
	/* while a renewal is on its way, its answer tells; while it waits for its next try, nothing else would */
	if (!request->lease || (request->step != STEP_HELD && (request->step != STEP_RENEWING || request->pending)))
		return false;
	return has_our_subnets(request, lease);
}

void fl_request_forget_own(struct flannel_request *request, const struct flannel_lease *lease)
{
	struct fl_peer *own = fl_peers_find(&request->own, lease);

	if (own)
		fl_peers_remove(&request->own, own);
}

void fl_request_note_peer(struct flannel_request *request, struct flannel_lease *lease)
{
	struct fl_peer *peer = fl_peers_find(&request->peers, lease);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_lease *old;

	if (!peer) {
		if (fl_peers_add(&request->peers, lease, &peer, &error) < 0) {
			fl_request_fail(request, error);
			return;
		}
		peer->generation = request->generation;
		(void)fl_request_report(request, FL_REQUEST_PEER_ADDED, lease, peer, NULL, NULL);
		return;
	}
	peer->generation = request->generation;
	old = peer->lease;
	peer->lease = flannel_lease_ref(lease);
	if (!flannel_lease_equal(old, lease))
		(void)fl_request_report(request, FL_REQUEST_PEER_CHANGED, old, peer, NULL, NULL);
	flannel_lease_unref(old);
}

void fl_request_sort_leases(struct flannel_request *request)
{
	for (size_t i = request->peers.n_peers; i-- > 0;) {
		struct fl_peer *peer = request->peers.peers[i];
		FL_CLEANUP(flannel_lease_unrefp) struct flannel_lease *lease = flannel_lease_ref(peer->lease);

		if (!fl_request_is_own(request, lease))
			continue;
		fl_request_forget_peer(request, peer);
		fl_request_note_own(request, lease);
	}
	for (size_t i = request->own.n_peers; i-- > 0;) {
		FL_CLEANUP(flannel_lease_unrefp)
		struct flannel_lease *lease = flannel_lease_ref(request->own.peers[i]->lease);

		if (fl_request_is_own(request, lease))
			continue;
		fl_request_forget_own(request, lease);
		fl_request_note_peer(request, lease);
	}
}
