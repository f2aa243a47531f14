/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The network configuration of a lease request: asked for, waited for, checked, and watched for another one. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lease/request_state.h"

#define AREA "store"

/* the store is asked for a configuration that it does not have each second, as flannel does */
#define CONFIG_RETRY_NS FL_NSEC_PER_SEC

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

void fl_request_take_config(struct flannel_request *request, const struct flannel_store_message *message)
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
