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

int fl_request_ask_assigned(struct flannel_request *request, const struct flannel_prefix *public_ip,
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
	int r = fl_request_ask_assigned(request, &request->public_ip, &request->public_ip6, ret_error);

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
	r = fl_request_ask_assigned(request, public_ip, public_ip6, &error);
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
