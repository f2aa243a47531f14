/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/store.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <flannel/netconf.h>

#include "store/module.h"
#include "store/queue.h"

#define AREA "store"

/* At most this many messages a dispatch, so that a snapshot of thousands does not hold up everything else. */
#define MESSAGES_PER_DISPATCH 1024

#define CONFIG_DEADLINE_MAX_MS 60000

struct flannel_store {
	unsigned int n_refs; /* atomic */
	struct flannel_context *context;
	struct flannel_store_ops ops;
	void *impl;
	void *module; /* dlopen handle, NULL for a host's store */
	struct fl_source *readable;
	struct fl_source *wake;
	fl_store_fn fn;
	void *userdata;
	uint64_t last_request;
	bool has_ended; /* it said that it cannot go on */
};

/* hands messages to the user until none is left or enough is done: true if more may be there */
static bool deliver(struct flannel_store *store)
{
	for (int i = 0; i < MESSAGES_PER_DISPATCH; i++) {
		struct flannel_store_message message = {.size = sizeof(message)};

		if (store->ops.next(store->impl, &message) <= 0)
			return false;
		if (store->fn)
			store->fn(store->userdata, &message);
		fl_store_message_clear(&message);
	}
	return true;
}

/* It cannot go on: said once. Listening to its descriptor would only spin. */
static void end(struct flannel_store *store, int code, struct flannel_error *cause)
{
	struct flannel_store_message lost = {.size = sizeof(lost), .type = FLANNEL_STORE_LOST};
	FL_CLEANUP_ERROR struct flannel_error *error = flannel_error_ref(cause);

	store->has_ended = true;
	(void)fl_source_set_events(store->readable, 0);
	if (!error)
		fl_error_set(&error, code, AREA, NULL, "use the %s store", store->ops.name);
	fl_log(&store->context->log, FLANNEL_LOG_ERROR, AREA, "%s", flannel_error_get_message(error));
	lost.error = error;
	if (store->fn)
		store->fn(store->userdata, &lost);
}

/* the store's descriptor is readable, or messages may wait after a request */
static void on_ready(void *userdata, uint32_t events)
{
	struct flannel_store *store = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	bool more;
	int r;

	(void)events;
	if (store->has_ended)
		return;
	r = store->ops.dispatch(store->impl, &error);
	if (r < 0) {
		end(store, r, error);
		return;
	}
	flannel_store_ref(store);
	more = deliver(store);
	if (r > 0 || more)
		fl_source_set_deadline(store->wake, 0);
	flannel_store_unref(store);
}

/* puts a store into the context's loop; takes over nothing on failure */
static int attach(struct flannel_store *store, struct flannel_error **ret_error)
{
	struct fl_loop *loop = store->context->loop;
	int r = fl_loop_add_fd(loop, store->ops.get_fd(store->impl), EPOLLIN, on_ready, store, &store->readable,
			       ret_error);

	if (r < 0)
		return r;
	return fl_loop_add_timer(loop, on_ready, store, &store->wake, ret_error);
}

/* are all functions there */
static bool ops_complete(const struct flannel_store_ops *ops)
{
	return ops->name && ops->free && ops->get_fd && ops->dispatch && ops->next && ops->watch && ops->get_config &&
	       ops->put_config && ops->create && ops->update && ops->remove;
}

/* the common part of open and new: on success the store owns impl and module */
static int make(struct flannel_context *context, const struct flannel_store_ops *ops, void *impl, void *module,
		struct flannel_store **ret_store, struct flannel_error **ret_error)
{
	struct flannel_store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return fl_error_oom(ret_error);
	store->n_refs = 1;
	store->context = context;
	store->ops = *ops;
	store->impl = impl;
	r = attach(store, ret_error);
	if (r < 0) {
		fl_source_free(store->readable);
		free(store);
		return r;
	}
	store->module = module;
	flannel_context_ref(context);
	*ret_store = store;
	return 0;
}

int flannel_store_open(struct flannel_context *context, const char *uri, struct flannel_store **ret_store,
		       struct flannel_error **ret_error)
{
	const struct flannel_store_ops *ops;
	void *impl, *module;
	int r;

	if (!context || !uri || !ret_store)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "open a store");
	r = fl_store_module_open(context->module_dir, uri, &context->log, &ops, &impl, &module, ret_error);
	if (r < 0)
		return r;
	r = make(context, ops, impl, module, ret_store, ret_error);
	if (r < 0) {
		ops->free(impl);
		dlclose(module);
	}
	return r;
}

int flannel_store_new(struct flannel_context *context, const struct flannel_store_ops *ops, void *impl,
		      struct flannel_store **ret_store, struct flannel_error **ret_error)
{
	struct flannel_store_ops copy;
	int r;

	if (!context || !ops || !ret_store)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "make a store");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), ops, "flannel_store_ops", ret_error);
	if (r < 0)
		return r;
	if (!ops_complete(&copy))
		return fl_error_set(ret_error, -EINVAL, "argument", "a function is missing", "make a store");
	return make(context, &copy, impl, NULL, ret_store, ret_error);
}

struct flannel_store *flannel_store_ref(struct flannel_store *store)
{
	if (store)
		__atomic_add_fetch(&store->n_refs, 1, __ATOMIC_RELAXED);
	return store;
}

struct flannel_store *flannel_store_unref(struct flannel_store *store)
{
	if (!store || __atomic_sub_fetch(&store->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	fl_source_free(store->wake);
	fl_source_free(store->readable);
	store->ops.free(store->impl);
	if (store->module)
		dlclose(store->module);
	flannel_context_unref(store->context);
	free(store);
	return NULL;
}

const char *flannel_store_get_name(const struct flannel_store *store)
{
	return store ? store->ops.name : "";
}

int fl_store_claim(struct flannel_store *store, fl_store_fn fn, void *userdata, struct flannel_error **ret_error)
{
	if (store->fn)
		return fl_error_set(ret_error, -EBUSY, AREA, "a lease request or a node uses it already",
				    "use the %s store", store->ops.name);
	store->fn = fn;
	store->userdata = userdata;
	return 0;
}

/* what a store's function returned: a store of a host may leave the error out */
static int checked(const struct flannel_store *store, int r, struct flannel_error **ret_error)
{
	if (r >= 0)
		return 0;
	if (ret_error && !*ret_error)
		return fl_error_set(ret_error, r, AREA, NULL, "ask the %s store", store->ops.name);
	return r;
}

/* nothing is asked of a store that cannot go on */
static int check_alive(const struct flannel_store *store, struct flannel_error **ret_error)
{
	if (!store->has_ended)
		return 0;
	return fl_error_set(ret_error, -EIO, AREA, "it said that it cannot go on", "ask the %s store", store->ops.name);
}

int fl_store_watch(struct flannel_store *store, struct flannel_error **ret_error)
{
	int r = check_alive(store, ret_error);

	if (r >= 0)
		r = checked(store, store->ops.watch(store->impl, ret_error), ret_error);
	if (r >= 0)
		fl_source_set_deadline(store->wake, 0);
	return r;
}

void fl_store_release(struct flannel_store *store)
{
	store->fn = NULL;
	store->userdata = NULL;
}

/* after a request: messages may wait without the descriptor being readable */
static int requested(struct flannel_store *store, int r, uint64_t *ret_request, struct flannel_error **ret_error)
{
	r = checked(store, r, ret_error);
	if (r < 0)
		return r;
	*ret_request = store->last_request;
	fl_source_set_deadline(store->wake, 0);
	return 0;
}

int fl_store_get_config(struct flannel_store *store, uint64_t *ret_request, struct flannel_error **ret_error)
{
	int r = check_alive(store, ret_error);

	if (r >= 0)
		r = store->ops.get_config(store->impl, ++store->last_request, ret_error);
	return requested(store, r, ret_request, ret_error);
}

int fl_store_create(struct flannel_store *store, struct flannel_lease *lease, uint32_t lease_sec, uint64_t *ret_request,
		    struct flannel_error **ret_error)
{
	int r = check_alive(store, ret_error);

	if (r >= 0)
		r = store->ops.create(store->impl, ++store->last_request, lease, lease_sec, ret_error);
	return requested(store, r, ret_request, ret_error);
}

int fl_store_update(struct flannel_store *store, struct flannel_lease *lease, uint32_t lease_sec, uint64_t *ret_request,
		    struct flannel_error **ret_error)
{
	int r = check_alive(store, ret_error);

	if (r >= 0)
		r = store->ops.update(store->impl, ++store->last_request, lease, lease_sec, ret_error);
	return requested(store, r, ret_request, ret_error);
}

int fl_store_remove(struct flannel_store *store, struct flannel_lease *lease, uint64_t *ret_request,
		    struct flannel_error **ret_error)
{
	int r = check_alive(store, ret_error);

	if (r >= 0)
		r = store->ops.remove(store->impl, ++store->last_request, lease, ret_error);
	return requested(store, r, ret_request, ret_error);
}

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
				      "put the network configuration into the %s store", store->ops.name);
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
				    "use the %s store", store->ops.name);
	r = flannel_netconf_parse(config, strlen(config), &netconf, ret_error);
	if (r < 0)
		return r;
	r = check_alive(store, ret_error);
	if (r >= 0)
		r = store->ops.put_config(store->impl, ++store->last_request, config, ret_error);
	r = requested(store, r, &reply.request, ret_error);
	if (r >= 0)
		r = wait_for_reply(store, &reply, deadline_ms, ret_error);
	if (r >= 0)
		r = judge_reply(&reply, netconf, ret_error);
	flannel_netconf_unref(netconf);
	flannel_error_unref(reply.error);
	free(reply.config);
	return r;
}
