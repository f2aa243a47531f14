/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Stores that say which node has which subnets, instead of letting nodes choose. */

#include <errno.h>
#include <sys/socket.h>

#include "engine/lease/request_state.h"

#define AREA "store"

/* the given subnet of one family, if the network has the family: 0, or -ERANGE if it lies elsewhere */
static int use_family(const struct flannel_request *request, int family, struct flannel_prefix *ret_subnet,
		      struct flannel_error **ret_error)
{
	char given[FLANNEL_PREFIX_STRLEN], wanted[FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix network, subnet;

	if (flannel_netconf_get_network(request->netconf, family, &network) <= 0 ||
	    flannel_lease_get_subnet(request->assigned.lease, family, &subnet) <= 0)
		return 0;
	if (!flannel_prefix_contains(&network, &subnet))
		return fl_error_set(ret_error, -ERANGE, "config",
				    "the network configuration and that of the cluster do not agree",
				    "this node is given the subnet %s, which is not in %s %s",
				    flannel_prefix_format(&subnet, given, sizeof(given)),
				    family == AF_INET ? "Network" : "IPv6Network",
				    flannel_prefix_format(&network, wanted, sizeof(wanted)));
	*ret_subnet = subnet;
	return 0;
}

int fl_request_use_assigned(const struct flannel_request *request, struct fl_subnet_choice *ret_choice,
			    struct flannel_error **ret_error)
{
	struct fl_subnet_choice choice = {0};
	int r;

	if (!request->assigned.lease)
		return 0;
	r = use_family(request, AF_INET, &choice.subnet, ret_error);
	if (r >= 0)
		r = use_family(request, AF_INET6, &choice.subnet6, ret_error);
	if (r < 0)
		return r;
	if (!choice.subnet.family && !choice.subnet6.family)
		return fl_error_set(ret_error, -ERANGE, "config", "expected one of each family that is enabled",
				    "this node is given no subnet of the network's families");
	*ret_choice = choice;
	return 1;
}

/* the given subnets are others: a lease that is held moves */
static void follow(struct flannel_request *request)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_subnet_choice choice, held;

	if (!request->netconf || !request->lease || (request->step != STEP_HELD && request->step != STEP_RENEWING))
		return;
	held = fl_request_subnets_of(request->lease);
	if (fl_request_use_assigned(request, &choice, &error) < 0) {
		fl_log(&request->context->log, FLANNEL_LOG_ERROR, AREA, "%s: the node keeps its former subnet",
		       flannel_error_get_message(error));
		return;
	}
	if (flannel_prefix_compare(&choice.subnet, &held.subnet) == 0 &&
	    flannel_prefix_compare(&choice.subnet6, &held.subnet6) == 0)
		return;
	fl_log(&request->context->log, FLANNEL_LOG_WARNING, AREA, "this node is given another subnet");
	fl_request_lose(request);
}

/* asks the store what a node with these addresses is given, and keeps the answer, unless there is none for now: 1, 0, negative */
static int ask(struct flannel_request *request, const struct flannel_prefix *public_ip,
	       const struct flannel_prefix *public_ip6, struct flannel_error **ret_error)
{
	struct flannel_store_assignment assignment;
	int r = fl_store_get_assigned(request->store, public_ip, public_ip6, &assignment, ret_error);

	if (r < 0)
		return r;
	flannel_lease_unref(request->assigned.lease);
	request->assigned = assignment;
	return r;
}

int fl_request_begin_assigned(struct flannel_request *request, struct flannel_error **ret_error)
{
	struct fl_subnet_choice choice;
	int r = ask(request, &request->public_ip, &request->public_ip6, ret_error);

	return r <= 0 ? r : fl_request_use_assigned(request, &choice, ret_error);
}

int fl_request_find_assigned(struct flannel_request *request, const struct flannel_prefix *public_ip,
			     const struct flannel_prefix *public_ip6, struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	char text[FLANNEL_PREFIX_STRLEN];
	int r;

	if (request->options.observes || !fl_store_assigns(request->store))
		return 0;
	r = ask(request, public_ip, public_ip6, &error);
	if (r > 0)
		return 1;
	/* what was held goes on until the store tells better */
	if (request->is_restoring)
		return 0;
	/* what was given last counts until the store says something else */
	if (r < 0 && request->assigned.lease)
		return 1;
	if (r < 0) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	if (!public_ip->family)
		public_ip = public_ip6;
	return fl_error_set_retryable(ret_error, -ENODATA, AREA, "waiting for it", "no lease for the address %s in %s",
				      flannel_prefix_format_address(public_ip, text, sizeof(text)),
				      fl_store_get_identity(request->store));
}

void fl_request_note_assigned(struct flannel_request *request)
{
	bool waits = request->step == STEP_CONFIG || request->step == STEP_ACQUIRING;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = ask(request, &request->public_ip, &request->public_ip6, &error);

	/* what is held stays until something else is given */
	if (r < 0 && request->step == STEP_CONFIG && flannel_error_is_retryable(error))
		(void)fl_request_report(request, FL_REQUEST_FAILED, NULL, NULL, error, NULL);
	else if (r >= 0 && waits && !request->pending)
		fl_source_set_deadline(request->timer, 0);
	if (r > 0)
		follow(request);
}

const struct flannel_lease *fl_request_get_assigned(const struct flannel_request *request)
{
	return request->assigned.lease;
}

const struct flannel_prefix *fl_request_get_assigned_ip(const struct flannel_request *request, int family)
{
	const struct flannel_prefix *address =
		family == AF_INET ? &request->assigned.public_ip : &request->assigned.public_ip6;

	return address->family ? address : NULL;
}
