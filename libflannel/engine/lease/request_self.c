/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Stores that give each node its subnets, instead of letting it choose. */

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
	    flannel_lease_get_subnet(request->self, family, &subnet) <= 0)
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

int fl_request_use_self(const struct flannel_request *request, struct fl_subnet_choice *ret_choice,
			struct flannel_error **ret_error)
{
	struct fl_subnet_choice choice = {0};
	int r;

	if (!request->self)
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
	if (fl_request_use_self(request, &choice, &error) < 0) {
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

void fl_request_note_self(struct flannel_request *request, const struct flannel_store_message *message)
{
	if (!message->lease) {
		/* what is held stays until something else is given */
		if (message->error && request->step == STEP_CONFIG && flannel_error_is_retryable(message->error))
			(void)fl_request_report(request, FL_REQUEST_FAILED, NULL, NULL, message->error, NULL);
		return;
	}
	flannel_lease_unref(request->self);
	request->self = flannel_lease_ref(message->lease);
	request->self_ip = message->public_ip;
	request->self_ip6 = message->public_ip6;
	follow(request);
}

const struct flannel_lease *fl_request_get_self(const struct flannel_request *request)
{
	return request->self;
}

const struct flannel_prefix *fl_request_get_self_ip(const struct flannel_request *request, int family)
{
	const struct flannel_prefix *address = family == AF_INET ? &request->self_ip : &request->self_ip6;

	return address->family ? address : NULL;
}
