/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/store_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <flannel/netconf.h>

#define AREA "store"

#define CONFIG_DEADLINE_MAX_MS 60000

/* what a waiting flannel_store_set_config_sync() is told */
struct config_reply {
	uint64_t request;
	bool has_come;
	int code;
	char *config;
	struct flannel_error *error;
};

/* keeps the one reply that is waited for, and why it does not come */
static void take_config_reply(void *userdata, const struct flannel_store_message *message)
{
	struct config_reply *reply = userdata;
	bool is_reply = message->type == FLANNEL_STORE_CONFIG && message->request == reply->request;

	if (!is_reply && message->type != FLANNEL_STORE_LOST)
		return;
	flannel_error_unref(reply->error);
	reply->error = flannel_error_ref(message->error);
	if (!is_reply)
		return;
	reply->has_come = true;
	reply->code = message->code;
	reply->config = message->config ? strdup(message->config) : NULL;
}

/* runs the context until the reply has come; events that come up meanwhile wait for the host */
static int wait_for_reply(struct flannel_store *store, struct config_reply *reply, unsigned int deadline_ms,
			  struct flannel_error **ret_error)
{
	uint64_t deadline_ns = fl_loop_now() + deadline_ms * FL_NSEC_PER_MSEC;
	int r = 1;

	store->fn = take_config_reply;
	store->userdata = reply;
	while (r > 0 && !reply->has_come && !store->has_ended)
		r = fl_loop_wait(store->context->loop, deadline_ns, ret_error);
	fl_store_release(store);
	if (r < 0 || reply->has_come)
		return r < 0 ? r : 0;
	return fl_error_set_retryable(ret_error, -ETIMEDOUT, AREA,
				      reply->error ? flannel_error_get_message(reply->error)
						   : "it did not answer in time",
				      "put the network configuration into the %s store", store->name);
}

/* the store had a configuration: does it mean the same */
static int compare_configs(const struct flannel_netconf *wanted, const char *stored_text,
			   struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_netconf *stored = NULL;
	int equal;

	if (flannel_netconf_parse(stored_text, strlen(stored_text), &stored, &error) < 0)
		return fl_error_set(ret_error, -EEXIST, AREA, flannel_error_get_message(error),
				    "put the network configuration into the store: it has an invalid one");
	equal = flannel_netconf_equal(wanted, stored);
	flannel_netconf_unref(stored);
	if (equal)
		return 0;
	return fl_error_set(ret_error, -EEXIST, AREA, "they differ; remove one of them",
			    "put the network configuration into the store: given is %s, the store has %s",
			    flannel_netconf_get_text(wanted), stored_text);
}

/* from the reply to the result of the call */
static int judge_reply(const struct config_reply *reply, const struct flannel_netconf *netconf,
		       struct flannel_error **ret_error)
{
	if (reply->code == 0)
		return 1;
	if (reply->code == -EEXIST && reply->config)
		return compare_configs(netconf, reply->config, ret_error);
	if (reply->error && ret_error)
		*ret_error = flannel_error_ref(reply->error);
	else if (!reply->error)
		return fl_error_set(ret_error, reply->code, AREA, NULL, "put the network configuration into the store");
	return reply->code;
}

int flannel_store_set_config_sync(struct flannel_store *store, const char *config, unsigned int deadline_ms,
				  struct flannel_error **ret_error)
{
	struct config_reply reply = {0};
	struct flannel_netconf *netconf = NULL;
	int r;

	if (!store || !config || deadline_ms < 1 || deadline_ms > CONFIG_DEADLINE_MAX_MS)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a store, a text and 1 to 60000 ms",
				    "put the network configuration into the store within %u ms", deadline_ms);
	if (store->fn)
		return fl_error_set(ret_error, -EBUSY, AREA, "a lease request or a node uses it already",
				    "use the %s store", store->name);
	r = flannel_netconf_parse(config, strlen(config), &netconf, ret_error);
	if (r < 0)
		return r;
	r = fl_store_check_alive(store, ret_error);
	if (r >= 0)
		r = store->ops.put_config(store->impl, ++store->last_request, config, ret_error);
	r = fl_store_requested(store, r, &reply.request, ret_error);
	if (r >= 0)
		r = wait_for_reply(store, &reply, deadline_ms, ret_error);
	if (r >= 0)
		r = judge_reply(&reply, netconf, ret_error);
	flannel_netconf_unref(netconf);
	flannel_error_unref(reply.error);
	free(reply.config);
	return r;
}
