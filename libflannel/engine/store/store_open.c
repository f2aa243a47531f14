/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/store/store_state.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "store/identity.h"
#include "store/module.h"
#include "store/static.h"

/* needs no library of its own */
#define BUILT_IN "static:"

/* a store that could not be opened is tried again after this time, doubling to five seconds */
#define OPEN_FIRST_NS (500 * FL_NSEC_PER_MSEC)
#define OPEN_LAST_NS (5 * FL_NSEC_PER_SEC)

/* are all functions there */
static bool ops_complete(const struct flannel_store_ops *ops)
{
	return ops->name && ops->free && ops->get_fd && ops->dispatch && ops->next && ops->watch && ops->get_config &&
	       ops->put_config && ops->create && ops->update && ops->remove;
}

/* a store with nothing in it; takes over identity, which may be NULL without memory */
static int make_empty(struct flannel_context *context, char *identity, struct flannel_store **ret_store,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_store_unrefp) struct flannel_store *store = identity ? calloc(1, sizeof(*store)) : NULL;
	int r;

	if (!store) {
		free(identity);
		return fl_error_oom(ret_error);
	}
	store->n_refs = 1;
	store->context = flannel_context_ref(context);
	store->identity = identity;
	store->name = strndup(identity, strcspn(identity, ":"));
	if (!store->name)
		return fl_error_oom(ret_error);
	r = fl_loop_add_timer(context->loop, fl_store_on_ready, store, &store->wake, ret_error);
	if (r < 0)
		return r;
	*ret_store = FL_TAKE(store);
	return 0;
}

/* puts what was opened into the store and the loop; the store owns impl and module then, on failure it is as before */
static int fill(struct flannel_store *store, const struct flannel_store_ops *ops, void *impl, void *module,
		struct flannel_error **ret_error)
{
	int r = fl_loop_add_fd(store->context->loop, ops->get_fd(impl), EPOLLIN, fl_store_on_ready, store,
			       &store->readable, ret_error);

	if (r < 0)
		return r;
	store->ops = *ops;
	store->impl = impl;
	store->module = module;
	return 0;
}

/* opens what the URI names */
static int open_uri(struct flannel_store *store, const char *uri, struct flannel_error **ret_error)
{
	const struct flannel_store_ops *ops;
	void *impl, *module = NULL;
	int r;

	if (strncmp(uri, BUILT_IN, strlen(BUILT_IN)) == 0 && uri[strlen(BUILT_IN)])
		r = fl_static_open(uri + strlen(BUILT_IN), &store->context->log, &ops, &impl, ret_error);
	else
		r = fl_store_module_open(store->context->module_dir, uri, &store->context->log, &ops, &impl, &module,
					 ret_error);
	if (r < 0)
		return r;
	r = fill(store, ops, impl, module, ret_error);
	if (r < 0)
		ops->free(impl);
	if (r < 0 && module)
		dlclose(module);
	return r;
}

int flannel_store_open(struct flannel_context *context, const char *uri, struct flannel_store **ret_store,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_store_unrefp) struct flannel_store *store = NULL;
	int r;

	if (!context || !uri || !ret_store)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "open a store");
	r = make_empty(context, fl_store_identity(uri), &store, ret_error);
	if (r >= 0)
		r = open_uri(store, uri, ret_error);
	if (r < 0)
		return r;
	*ret_store = FL_TAKE(store);
	return 0;
}

/* it is open: its user hears so, and what was asked meanwhile is asked */
static void come_back(struct flannel_store *store)
{
	struct flannel_store_message failed = {.size = sizeof(failed), .type = FLANNEL_STORE_CONFIG};
	bool is_told = store->unopened->is_told;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	failed.request = store->unopened->asked;
	fl_store_forget_unopened(store);
	fl_source_set_deadline(store->wake, 0);
	if (is_told)
		fl_store_tell(store, FLANNEL_STORE_BACK, NULL);
	if (!failed.request || !store->fn)
		return;
	failed.code = store->ops.get_config(store->impl, failed.request, &error);
	if (failed.code >= 0)
		return;
	failed.error = error;
	store->fn(store->userdata, &failed);
}

/* tries once more */
static void open_again(void *userdata, uint32_t events)
{
	struct flannel_store *store = userdata;
	struct fl_store_unopened *unopened = store->unopened;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	(void)events;
	if (open_uri(store, unopened->uri, &error) >= 0) {
		flannel_store_ref(store);
		come_back(store);
		flannel_store_unref(store);
		return;
	}
	flannel_error_unref(unopened->error);
	unopened->error = FL_TAKE(error);
	unopened->delay_ns = unopened->delay_ns * 2 < OPEN_LAST_NS ? unopened->delay_ns * 2 : OPEN_LAST_NS;
	fl_source_set_deadline(unopened->timer, fl_loop_now() + unopened->delay_ns);
}

/* an attempt to open it failed because of error: the next ones follow */
static int wait_for_open(struct flannel_store *store, const char *uri, struct flannel_error *error,
			 struct flannel_error **ret_error)
{
	struct fl_store_unopened *unopened = store->unopened = calloc(1, sizeof(*unopened));
	int r;

	if (!unopened)
		return fl_error_oom(ret_error);
	unopened->error = flannel_error_ref(error);
	unopened->uri = strdup(uri);
	if (!unopened->uri)
		return fl_error_oom(ret_error);
	r = fl_loop_add_timer(store->context->loop, open_again, store, &unopened->timer, ret_error);
	if (r < 0)
		return r;
	unopened->delay_ns = OPEN_FIRST_NS;
	fl_source_set_deadline(unopened->timer, fl_loop_now() + unopened->delay_ns);
	return 0;
}

/* what no waiting helps against */
static bool is_final(int code)
{
	return code == -EINVAL || code == -ENOPKG || code == -ENOSYS || code == -ENOMEM;
}

int flannel_store_open_later(struct flannel_context *context, const char *uri, struct flannel_store **ret_store,
			     struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_store_unrefp) struct flannel_store *store = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int opened, r;

	if (!context || !uri || !ret_store)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "open a store");
	r = make_empty(context, fl_store_identity(uri), &store, ret_error);
	if (r < 0)
		return r;
	opened = open_uri(store, uri, &error);
	if (opened < 0 && is_final(opened)) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return opened;
	}
	if (opened < 0)
		r = wait_for_open(store, uri, error, ret_error);
	if (r < 0)
		return r;
	*ret_store = FL_TAKE(store);
	return opened < 0;
}

int flannel_store_new(struct flannel_context *context, const struct flannel_store_ops *ops, void *impl,
		      struct flannel_store **ret_store, struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_store_unrefp) struct flannel_store *store = NULL;
	struct flannel_store_ops copy;
	int r;

	if (!context || !ops || !ret_store)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "make a store");
	/* the first release ended before get_assigned */
	r = fl_options_copy(&copy, sizeof(copy), offsetof(struct flannel_store_ops, get_assigned), ops,
			    "flannel_store_ops", ret_error);
	if (r < 0)
		return r;
	if (!ops_complete(&copy))
		return fl_error_set(ret_error, -EINVAL, "argument", "a function is missing", "make a store");
	r = make_empty(context, strdup(copy.name), &store, ret_error);
	if (r >= 0)
		r = fill(store, &copy, impl, NULL, ret_error);
	if (r < 0)
		return r;
	*ret_store = FL_TAKE(store);
	return 0;
}
