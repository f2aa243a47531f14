/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/lease/request_state.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define AREA "snapshot"

bool fl_request_is_restored(const struct flannel_request *request)
{
	return request && request->is_restored;
}

bool fl_request_confirms_config(const struct flannel_request *request, const struct flannel_netconf *netconf)
{
	return request->is_restored && flannel_netconf_equal(request->netconf, netconf);
}

/* have two leases the same subnets */
static bool has_same_subnets(const struct flannel_lease *a, const struct flannel_lease *b)
{
	struct fl_subnet_choice x = fl_request_subnets_of(a), y = fl_request_subnets_of(b);

	return flannel_prefix_compare(&x.subnet, &y.subnet) == 0 && flannel_prefix_compare(&x.subnet6, &y.subnet6) == 0;
}

void fl_request_end_restored(struct flannel_request *request, const struct flannel_lease *by_now)
{
	FL_CLEANUP(flannel_lease_unrefp) struct flannel_lease *lease = FL_TAKE(request->restored);

	request->is_restored = false;
	if (lease && (!by_now || !has_same_subnets(lease, by_now)))
		(void)fl_request_report(request, FL_REQUEST_LOST, lease, NULL, NULL, NULL);
}

void fl_request_note_taken(struct flannel_request *request, const struct flannel_lease *lease)
{
	if (request->restored && has_same_subnets(request->restored, lease))
		fl_request_end_restored(request, NULL);
}

/* May a lease of the past be used in the network: one that never ends may have been given by the store, whatever nodes choose from. */
static bool fits(const struct flannel_netconf *netconf, const struct flannel_lease *lease)
{
	const int families[] = {AF_INET, AF_INET6};

	if (fl_subnet_lease_fits(netconf, lease))
		return true;
	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		struct flannel_prefix network, subnet;

		if (flannel_lease_get_subnet(lease, families[i], &subnet) > 0 &&
		    (flannel_netconf_get_network(netconf, families[i], &network) <= 0 ||
		     !flannel_prefix_contains(&network, &subnet)))
			return false;
	}
	return flannel_lease_get_expires_sec(lease) == 0;
}

/* the configuration, from the past or from the store, if that has told one; and the past must suit it */
static int restore_config(struct flannel_request *request, const struct fl_request_past *past,
			  struct flannel_error **ret_error)
{
	struct flannel_netconf *netconf = NULL;
	bool differs;
	int r = flannel_netconf_parse(past->config, strlen(past->config), &netconf, ret_error);

	if (r < 0)
		return r == -EINVAL ? fl_error_wrap(ret_error, -ESTALE, "use the snapshot") : r;
	if (past->own && !fits(netconf, past->own)) {
		flannel_netconf_unref(netconf);
		return fl_error_set(ret_error, -ESTALE, AREA, "the subnet does not fit the network",
				    "use the lease of the snapshot");
	}
	if (request->step == STEP_CONFIG) {
		struct flannel_netconf *former = request->netconf;

		request->netconf = netconf;
		request->is_restoring = true;
		r = fl_request_report(request, FL_REQUEST_CONFIG, NULL, NULL, NULL, ret_error);
		request->is_restoring = false;
		flannel_netconf_unref(former);
		return r;
	}
	differs = !flannel_netconf_equal(netconf, request->netconf);
	flannel_netconf_unref(netconf);
	if (!differs)
		return 0;
	return fl_error_set(ret_error, -ESTALE, AREA, "the store has another network configuration",
			    "use the snapshot");
}

/* a peer of the past, unless a list that has begun names it already; the end of the next list that does not name it ends it */
static void restore_peer(struct flannel_request *request, struct flannel_lease *lease)
{
	struct fl_peer *peer;

	if (fl_request_is_own(request, lease) || fl_peers_find(&request->peers, lease))
		return;
	fl_request_note_peer(request, lease);
	peer = fl_peers_find(&request->peers, lease);
	if (peer)
		peer->generation = request->generation - 1;
}

int fl_request_restore(struct flannel_request *request, const struct fl_request_past *past,
		       struct flannel_error **ret_error)
{
	int r;

	/* a store without a configuration has said so; one that is told to wait has the lease already, or ends */
	if (request->is_restored || request->is_watching || request->step > STEP_ACQUIRING || request->had_lease)
		return 0;
	r = restore_config(request, past, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < past->n_peers && !request->has_snapshot; i++)
		restore_peer(request, past->peers[i]);
	request->is_restored = true;
	request->restored = flannel_lease_ref(past->own);
	if (past->own)
		request->options.previous = fl_request_subnets_of(past->own);
	(void)fl_request_report(request, FL_REQUEST_RESTORED, past->own, NULL, NULL, NULL);
	return 1;
}
