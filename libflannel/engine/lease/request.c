/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/lease/request_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/event.h"

#define AREA "store"
#define LEASE_SEC_MIN 60
#define LEASE_SEC_MAX 2592000

int fl_request_check_times(uint32_t *lease_sec, uint32_t *renew_margin_sec, struct flannel_error **ret_error)
{
	uint32_t lease = *lease_sec ? *lease_sec : FLANNEL_DEFAULT_LEASE_SEC;
	uint32_t margin = *renew_margin_sec ? *renew_margin_sec : FLANNEL_DEFAULT_RENEW_MARGIN_SEC;

	if (lease < LEASE_SEC_MIN || lease > LEASE_SEC_MAX)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected 60 to 2592000 seconds", "lease_sec is %u",
				    lease);
	if (!*renew_margin_sec && margin >= lease)
		margin = lease / 2;
	if (margin >= lease)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected less than the lifetime",
				    "renew_margin_sec is %u, lease_sec is %u", margin, lease);
	*lease_sec = lease;
	*renew_margin_sec = margin;
	return 0;
}

FL_DEFINE_CLEANUP(struct flannel_request *, flannel_request_free)

int fl_request_new(struct flannel_context *context, struct flannel_store *store,
		   const struct fl_request_options *options, fl_request_fn fn, void *userdata,
		   struct flannel_request **ret_request, struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_request_freep) struct flannel_request *request = calloc(1, sizeof(*request));
	int r;

	if (!request)
		return fl_error_oom(ret_error);
	request->context = flannel_context_ref(context);
	request->options = *options;
	request->fn = fn;
	request->userdata = userdata;
	r = fl_request_check_times(&request->options.lease_sec, &request->options.renew_margin_sec, ret_error);
	if (r >= 0)
		r = fl_loop_add_timer(context->loop, fl_request_on_timer, request, &request->timer, ret_error);
	if (r >= 0)
		r = fl_store_claim(store, fl_request_on_message, request, ret_error);
	if (r < 0)
		return r;
	request->store = flannel_store_ref(store);
	fl_source_set_deadline(request->timer, 0);
	*ret_request = FL_TAKE(request);
	return 0;
}

/* the addresses that peers are told; a lease that is held or being written is written again, over the former one */
static void set_addresses(struct flannel_request *request, const struct fl_identity *identity)
{
	if (flannel_prefix_compare(&request->public_ip, &identity->public_ip) == 0 &&
	    flannel_prefix_compare(&request->public_ip6, &identity->public_ip6) == 0)
		return;
	request->former[request->n_moves++ % FL_FORMER_MAX] =
		(struct fl_former_addresses){request->public_ip, request->public_ip6};
	request->public_ip = identity->public_ip;
	request->public_ip6 = identity->public_ip6;
	if (request->step == STEP_CONFIG || request->step == STEP_ENDED || request->step == STEP_RELEASING)
		return;
	request->is_outdated = true;
	request->displaces = request->had_lease;
	fl_request_sort_leases(request);
	if (fl_store_assigns(request->store))
		fl_request_note_assigned(request);
	if (!request->pending)
		fl_source_set_deadline(request->timer, 0);
}

int fl_request_set_identity(struct flannel_request *request, const struct fl_identity *identity,
			    struct flannel_error **ret_error)
{
	char *type = identity->backend_type ? strdup(identity->backend_type) : NULL;
	char *data = identity->backend_data ? strdup(identity->backend_data) : NULL;
	char *v6_data = identity->backend_v6_data ? strdup(identity->backend_v6_data) : NULL;

	if ((identity->backend_type && !type) || (identity->backend_data && !data) ||
	    (identity->backend_v6_data && !v6_data)) {
		free(type);
		free(data);
		free(v6_data);
		return fl_error_oom(ret_error);
	}
	free(request->backend_type);
	free(request->backend_data);
	free(request->backend_v6_data);
	request->backend_type = type;
	request->backend_data = data;
	request->backend_v6_data = v6_data;
	set_addresses(request, identity);
	return 0;
}

int fl_request_check_identity(const struct flannel_request *request, struct flannel_error **ret_error)
{
	struct flannel_prefix network;

	if (flannel_netconf_get_network(request->netconf, AF_INET, &network) > 0 && !request->public_ip.family)
		return fl_error_set(ret_error, -EINVAL, AREA,
				    "the network has IPv4, so the node needs a public IPv4 address",
				    "acquire a subnet");
	if (flannel_netconf_get_network(request->netconf, AF_INET6, &network) > 0 && !request->public_ip6.family)
		return fl_error_set(ret_error, -EINVAL, AREA,
				    "the network has IPv6, so the node needs a public IPv6 address",
				    "acquire a subnet");
	return 0;
}

struct flannel_context *fl_request_get_context(const struct flannel_request *request)
{
	return request->context;
}

struct flannel_netconf *fl_request_get_netconf(const struct flannel_request *request)
{
	return request->netconf;
}

const struct fl_peers *fl_request_get_peers(const struct flannel_request *request)
{
	return &request->peers;
}

struct flannel_lease *flannel_request_get_lease(const struct flannel_request *request)
{
	if (!request)
		return NULL;
	if (request->restored)
		return request->restored;
	return request->step == STEP_HELD || request->step == STEP_RENEWING ? request->lease : NULL;
}

int flannel_lease_release(struct flannel_request *request, struct flannel_error **ret_error)
{
	int r;

	if (!request)
		return fl_error_set(ret_error, -EINVAL, "argument", "request is NULL", "release a lease");
	if (!flannel_request_get_lease(request) || request->restored)
		return fl_error_set(ret_error, -ENOENT, AREA, "none is held", "release a lease");
	r = fl_request_send_release(request, ret_error);
	if (r < 0)
		return r;
	request->step = STEP_RELEASING;
	fl_source_set_deadline(request->timer, UINT64_MAX);
	return 0;
}

struct flannel_request *flannel_request_free(struct flannel_request *request)
{
	if (!request)
		return NULL;
	if (request->store) {
		fl_store_release(request->store);
		flannel_store_unref(request->store);
	}
	fl_source_free(request->timer);
	fl_event_drop(request->context, request);
	fl_peers_clear(&request->peers);
	fl_peers_clear(&request->own);
	flannel_netconf_unref(request->netconf);
	free(request->other_config);
	flannel_error_unref(request->config_error);
	flannel_lease_unref(request->lease);
	flannel_lease_unref(request->renewal);
	flannel_lease_unref(request->restored);
	flannel_lease_unref(request->removing);
	flannel_lease_unref(request->assigned.lease);
	flannel_error_unref(request->waits_for);
	free(request->backend_type);
	free(request->backend_data);
	free(request->backend_v6_data);
	flannel_context_unref(request->context);
	free(request);
	return NULL;
}
