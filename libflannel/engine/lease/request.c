/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/lease/request_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/event.h"

#define AREA "store"
#define LEASE_SEC_MIN 60
#define LEASE_SEC_MAX 2592000

/* the store is asked for a configuration that it does not have each second, as flannel does */
#define CONFIG_RETRY_NS FL_NSEC_PER_SEC

static void on_timer(void *userdata, uint32_t events)
{
	(void)events;
	fl_request_proceed(userdata);
}

/* asks for the configuration; the answer or the timer leads on */
void fl_request_ask_config(struct flannel_request *request)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (fl_store_get_config(request->store, &request->pending, &error) < 0)
		fl_request_fail(request, error);
}

/* another configuration than before, or the first */
static int take_config(struct flannel_request *request, struct flannel_netconf *netconf,
		       struct flannel_error **ret_error)
{
	struct flannel_netconf *former = request->netconf;
	int r;

	if (fl_request_confirms_config(request, netconf)) {
		flannel_netconf_unref(netconf);
		return 0;
	}
	fl_request_end_restored(request, NULL);
	request->netconf = netconf;
	r = fl_request_begin_assigned(request, ret_error);
	if (r >= 0)
		r = fl_request_report(request, FL_REQUEST_CONFIG, NULL, NULL, NULL, ret_error);
	/* what was made of it is gone by now */
	flannel_netconf_unref(former);
	return r;
}

/* There is none that could be used. The store's watch may tell of one at once; the timer is for stores that cannot. */
static void wait_for_config(struct flannel_request *request)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (!request->is_watching) {
		if (fl_store_watch(request->store, &error) < 0) {
			fl_request_fail(request, error);
			return;
		}
		request->is_watching = true;
	}
	request->n_failures = 0;
	fl_source_set_deadline(request->timer, fl_loop_now() + CONFIG_RETRY_NS);
}

/* The store has none yet. */
static void miss_config(struct flannel_request *request)
{
	if (!request->is_watching)
		fl_log(&request->context->log, FLANNEL_LOG_INFO, AREA,
		       "the store has no network configuration yet: waiting for one");
	request->config_error = flannel_error_unref(request->config_error);
	wait_for_config(request);
}

/* The one in the store is invalid: somebody will mend it, there. Told once for each new reason. */
static void reject_config(struct flannel_request *request, const struct flannel_error *cause)
{
	const char *message = flannel_error_get_message(cause);
	const char *before = flannel_error_get_detail(request->config_error);

	if (!request->config_error || strcmp(before, message) != 0) {
		request->config_error = flannel_error_unref(request->config_error);
		fl_error_set_retryable(&request->config_error, -EINVAL, "config", message,
				       "the network configuration in the store is invalid, waiting for another one");
		(void)fl_request_report(request, FL_REQUEST_FAILED, NULL, NULL, request->config_error, NULL);
	}
	wait_for_config(request);
}

/* a configuration came: check it and go on to the leases */
static void use_config(struct flannel_request *request, const char *text)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_netconf *netconf;
	int r = flannel_netconf_parse(text, strlen(text), &netconf, &error);

	if (r < 0 && r != -ENOMEM) {
		reject_config(request, error);
		return;
	}
	request->config_error = flannel_error_unref(request->config_error);
	if (r >= 0)
		r = take_config(request, netconf, &error);
	/* only now is it known which of the leases is this node's own */
	if (r >= 0)
		r = fl_store_watch(request->store, &error);
	if (r < 0) {
		fl_request_fail(request, error);
		return;
	}
	request->step = STEP_SNAPSHOT;
	request->is_listening = false;
	request->n_failures = 0;
	fl_source_set_deadline(request->timer, UINT64_MAX);
}

/* what the operator should know of another configuration: NULL if it means the same as the one in use */
static struct flannel_error *describe_other(const struct flannel_request *request, const char *text)
{
	FL_CLEANUP_ERROR struct flannel_error *wrong = NULL;
	struct flannel_error *error = NULL;
	struct flannel_netconf *other = NULL;
	char keys[256] = "";
	const char *key;
	size_t len = 0;

	if (flannel_netconf_parse(text, strlen(text), &other, &wrong) < 0) {
		(void)fl_error_set(
			&error, -EINVAL, "config", flannel_error_get_message(wrong),
			"the network configuration in the store was replaced by one with which no node starts");
		return error;
	}
	for (unsigned int i = 0; (key = flannel_netconf_get_difference(request->netconf, other, i)); i++)
		len += (size_t)snprintf(keys + len, sizeof(keys) - len, "%s%s", i ? ", " : "", key);
	flannel_netconf_unref(other);
	if (len)
		(void)fl_error_set(&error, -ESTALE, "config", "it counts from the next start on: restart to use it",
				   "the network configuration in the store was changed (%s)", keys);
	return error;
}

/* the configuration of a running request stays, as flannel has it; the host is told of another one, once */
static void note_other_config(struct flannel_request *request, const struct flannel_store_message *message)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const char *former = request->other_config ? request->other_config : flannel_netconf_get_text(request->netconf);
	bool was_other = request->other_config != NULL;

	if (message->type != FLANNEL_STORE_CONFIG_CHANGED || !message->config || strcmp(message->config, former) == 0)
		return;
	error = describe_other(request, message->config);
	free(request->other_config);
	request->other_config = error ? strdup(message->config) : NULL;
	if (error || was_other)
		(void)fl_request_report(request, FL_REQUEST_CONFIG_CHANGED, NULL, NULL, error, NULL);
}

/* the answer to the question for the configuration, or news of one */
static void on_config(struct flannel_request *request, const struct flannel_store_message *message)
{
	FL_CLEANUP_ERROR struct flannel_error *error = flannel_error_ref(message->error);

	if (request->step != STEP_CONFIG) {
		note_other_config(request, message);
		return;
	}
	if (message->type == FLANNEL_STORE_CONFIG && message->request != request->pending)
		return;
	request->pending = 0;
	if (message->code == 0 && message->config) {
		use_config(request, message->config);
	} else if (message->code == 0 || message->code == -ENOENT) {
		miss_config(request);
	} else {
		if (!error)
			fl_error_set_retryable(&error, message->code, AREA, NULL, "read the network configuration");
		fl_request_fail(request, error);
	}
}

/* Leases of a list that was begun for somebody else, or while there was no configuration: they are listed again. */
static bool is_stale(struct flannel_request *request, const struct flannel_store_message *message)
{
	if (message->type < FLANNEL_STORE_SNAPSHOT_BEGIN || message->type > FLANNEL_STORE_SNAPSHOT_END)
		return false;
	if (request->step == STEP_CONFIG)
		return true;
	if (message->type == FLANNEL_STORE_SNAPSHOT_BEGIN)
		request->is_listening = true;
	return !request->is_listening;
}

/* everything that the store tells */
static void on_message(void *userdata, const struct flannel_store_message *message)
{
	struct flannel_request *request = userdata;

	if (request->step == STEP_ENDED || is_stale(request, message))
		return;
	switch (message->type) {
	case FLANNEL_STORE_CONFIG:
	case FLANNEL_STORE_CONFIG_CHANGED:
		on_config(request, message);
		break;
	case FLANNEL_STORE_ASSIGNED:
		fl_request_note_assigned(request);
		break;
	case FLANNEL_STORE_DONE:
		fl_request_take_reply(request, message);
		break;
	case FLANNEL_STORE_SNAPSHOT_BEGIN:
		request->generation++;
		break;
	case FLANNEL_STORE_LEASE:
		fl_request_note_lease(request, message->lease);
		break;
	case FLANNEL_STORE_REMOVED:
		fl_request_note_removed(request, message->lease);
		break;
	case FLANNEL_STORE_SNAPSHOT_END:
		fl_request_end_snapshot(request);
		break;
	case FLANNEL_STORE_LOST:
		(void)fl_request_report(request, FL_REQUEST_STORE_LOST, NULL, NULL, message->error, NULL);
		break;
	case FLANNEL_STORE_BACK:
		(void)fl_request_report(request, FL_REQUEST_STORE_BACK, NULL, NULL, NULL, NULL);
		/* what failed while it did not answer need not wait for its next try */
		if (request->n_failures > 0 && fl_source_get_deadline(request->timer) != UINT64_MAX)
			fl_source_set_deadline(request->timer, 0);
		break;
	default:
		break; /* a newer store's news */
	}
}

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
		r = fl_loop_add_timer(context->loop, on_timer, request, &request->timer, ret_error);
	if (r >= 0)
		r = fl_store_claim(store, on_message, request, ret_error);
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
