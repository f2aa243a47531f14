/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/store/store_state.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "store/queue.h"

#define AREA "store"

/* At most this many messages a dispatch, so that a snapshot of thousands does not hold up everything else. */
#define MESSAGES_PER_DISPATCH 1024

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

void fl_store_tell(struct flannel_store *store, int type, struct flannel_error *error)
{
	struct flannel_store_message message = {.size = sizeof(message), .type = type, .error = error};

	if (store->fn)
		store->fn(store->userdata, &message);
}

/* a store that is not open: its user hears so, once */
static void tell_unopened(struct flannel_store *store)
{
	if (!store->fn || store->unopened->is_told)
		return;
	store->unopened->is_told = true;
	fl_store_tell(store, FLANNEL_STORE_LOST, store->unopened->error);
}

void fl_store_forget_unopened(struct flannel_store *store)
{
	struct fl_store_unopened *unopened = FL_TAKE(store->unopened);

	if (!unopened)
		return;
	fl_source_free(unopened->timer);
	flannel_error_unref(unopened->error);
	free(unopened->uri);
	free(unopened);
}

/* It cannot go on: said once. Listening to its descriptor would only spin. */
static void end(struct flannel_store *store, int code, struct flannel_error *cause)
{
	FL_CLEANUP_ERROR struct flannel_error *error = flannel_error_ref(cause);

	store->has_ended = true;
	(void)fl_source_set_events(store->readable, 0);
	if (!error)
		fl_error_set(&error, code, AREA, NULL, "use the %s store", store->name);
	fl_log(&store->context->log, FLANNEL_LOG_ERROR, AREA, "%s", flannel_error_get_message(error));
	fl_store_tell(store, FLANNEL_STORE_LOST, error);
}

void fl_store_on_ready(void *userdata, uint32_t events)
{
	struct flannel_store *store = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	bool more;
	int r;

	(void)events;
	if (store->unopened)
		tell_unopened(store);
	if (store->has_ended || !store->impl)
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
	fl_store_forget_unopened(store);
	fl_source_free(store->wake);
	fl_source_free(store->readable);
	if (store->impl)
		store->ops.free(store->impl);
	if (store->module)
		dlclose(store->module);
	flannel_context_unref(store->context);
	free(store->name);
	free(store->identity);
	free(store);
	return NULL;
}

const char *flannel_store_get_name(const struct flannel_store *store)
{
	return store ? store->name : "";
}

const char *fl_store_get_identity(const struct flannel_store *store)
{
	return store->identity;
}

int fl_store_claim(struct flannel_store *store, fl_store_fn fn, void *userdata, struct flannel_error **ret_error)
{
	if (store->fn)
		return fl_error_set(ret_error, -EBUSY, AREA, "a lease request or a node uses it already",
				    "use the %s store", store->name);
	store->fn = fn;
	store->userdata = userdata;
	if (store->unopened)
		fl_source_set_deadline(store->wake, 0);
	return 0;
}

bool fl_store_assigns(const struct flannel_store *store)
{
	return store->impl && store->ops.get_assigned;
}

/* what a store's function returned: a store of a host may leave the error out */
static int checked(const struct flannel_store *store, int r, struct flannel_error **ret_error)
{
	if (r >= 0)
		return 0;
	if (ret_error && !*ret_error)
		return fl_error_set(ret_error, r, AREA, NULL, "ask the %s store", store->name);
	return r;
}

int fl_store_get_assigned(const struct flannel_store *store, const struct flannel_prefix *public_ip,
			  const struct flannel_prefix *public_ip6, struct flannel_store_assignment *ret_assignment,
			  struct flannel_error **ret_error)
{
	int r;

	*ret_assignment = (struct flannel_store_assignment){.size = sizeof(*ret_assignment)};
	if (!fl_store_assigns(store) || store->has_ended)
		return 0;
	r = store->ops.get_assigned(store->impl, public_ip, public_ip6, ret_assignment, ret_error);
	return r < 0 ? checked(store, r, ret_error) : r > 0 && ret_assignment->lease;
}

int fl_store_check_alive(const struct flannel_store *store, struct flannel_error **ret_error)
{
	if (store->unopened)
		return fl_error_set_retryable(ret_error, -EAGAIN, AREA,
					      flannel_error_get_message(store->unopened->error),
					      "ask the %s store: it is not open yet", store->name);
	if (!store->has_ended)
		return 0;
	return fl_error_set(ret_error, -EIO, AREA, "it said that it cannot go on", "ask the %s store", store->name);
}

int fl_store_watch(struct flannel_store *store, struct flannel_error **ret_error)
{
	int r = fl_store_check_alive(store, ret_error);

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

int fl_store_requested(struct flannel_store *store, int r, uint64_t *ret_request, struct flannel_error **ret_error)
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
	int r;

	/* asked as soon as it is open */
	if (store->unopened) {
		*ret_request = store->unopened->asked = ++store->last_request;
		return 0;
	}
	r = fl_store_check_alive(store, ret_error);

	if (r >= 0)
		r = store->ops.get_config(store->impl, ++store->last_request, ret_error);
	return fl_store_requested(store, r, ret_request, ret_error);
}

int fl_store_create(struct flannel_store *store, struct flannel_lease *lease, uint32_t lease_sec, uint64_t *ret_request,
		    struct flannel_error **ret_error)
{
	int r = fl_store_check_alive(store, ret_error);

	if (r >= 0)
		r = store->ops.create(store->impl, ++store->last_request, lease, lease_sec, ret_error);
	return fl_store_requested(store, r, ret_request, ret_error);
}

int fl_store_update(struct flannel_store *store, struct flannel_lease *lease, uint32_t lease_sec, uint64_t *ret_request,
		    struct flannel_error **ret_error)
{
	int r = fl_store_check_alive(store, ret_error);

	if (r >= 0)
		r = store->ops.update(store->impl, ++store->last_request, lease, lease_sec, ret_error);
	return fl_store_requested(store, r, ret_request, ret_error);
}

int fl_store_remove(struct flannel_store *store, struct flannel_lease *lease, uint64_t *ret_request,
		    struct flannel_error **ret_error)
{
	int r = fl_store_check_alive(store, ret_error);

	if (r >= 0)
		r = store->ops.remove(store->impl, ++store->last_request, lease, ret_error);
	return fl_store_requested(store, r, ret_request, ret_error);
}

int fl_store_put_config(struct flannel_store *store, const char *config, uint64_t *ret_request,
			struct flannel_error **ret_error)
{
	int r = fl_store_check_alive(store, ret_error);

	if (r >= 0)
		r = store->ops.put_config(store->impl, ++store->last_request, config, ret_error);
	return fl_store_requested(store, r, ret_request, ret_error);
}

int fl_store_set_config(struct flannel_store *store, const char *config, const char *former, uint64_t *ret_request,
			struct flannel_error **ret_error)
{
	int r = fl_store_check_alive(store, ret_error);

	if (r >= 0 && !store->ops.set_config)
		return fl_error_set(ret_error, -EOPNOTSUPP, AREA, "it cannot replace one",
				    "replace the network configuration of the %s store", store->name);
	if (r >= 0)
		r = store->ops.set_config(store->impl, ++store->last_request, config, former, ret_error);
	return fl_store_requested(store, r, ret_request, ret_error);
}

int fl_store_wait(struct flannel_store *store, const bool *done, uint64_t deadline_ns, struct flannel_error **ret_error)
{
	int r = 1;

	while (r > 0 && !*done && !store->has_ended)
		r = fl_loop_wait(store->context->loop, deadline_ns, ret_error);
	return r < 0 ? r : *done;
}

bool fl_store_has_ready(const struct flannel_store *store)
{
	return store->ops.set_ready != NULL;
}

int fl_store_set_ready(struct flannel_store *store, bool is_ready, const char *why, struct flannel_error **ret_error)
{
	int r = fl_store_check_alive(store, ret_error);

	if (r >= 0)
		r = checked(store, store->ops.set_ready(store->impl, is_ready, why, ret_error), ret_error);
	if (r >= 0)
		fl_source_set_deadline(store->wake, 0);
	return r;
}
