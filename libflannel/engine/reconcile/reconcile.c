/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/reconcile/reconcile_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "sys/rtnl/link.h"

#define AREA "rtnl"

/* notifications are there: take them all, then repair what they touched */
static void on_readable(void *userdata, uint32_t events)
{
	const struct fl_change lost = {.type = FL_CHANGE_OVERRUN};
	struct fl_reconciler *reconciler = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_monitor_dispatch(reconciler->monitor);

	(void)events;
	if (r < 0)
		fl_reconciler_take_change(reconciler, &lost);
	if (r <= 0 && (reconciler->full || reconciler->queue.n_operations) &&
	    fl_reconciler_apply(reconciler, &error) < 0)
		fl_log(&reconciler->context->log, FLANNEL_LOG_WARNING, AREA, "%s", flannel_error_get_message(error));
}

/* failed objects are due, or a schedule */
static void on_timer(void *userdata, uint32_t events)
{
	struct fl_reconciler *reconciler = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	(void)events;
	if (fl_reconciler_apply(reconciler, &error) < 0)
		fl_log(&reconciler->context->log, FLANNEL_LOG_WARNING, AREA, "%s", flannel_error_get_message(error));
}

FL_DEFINE_CLEANUP(struct fl_reconciler *, fl_reconciler_free)

int fl_reconciler_get(struct flannel_context *context, struct fl_reconciler **ret_reconciler,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_reconciler_freep) struct fl_reconciler *reconciler = NULL;
	int r;

	if (context->reconciler) {
		*ret_reconciler = context->reconciler;
		return 0;
	}
	reconciler = calloc(1, sizeof(*reconciler));
	if (!reconciler)
		return fl_error_oom(ret_error);
	reconciler->context = context;
	reconciler->rules.route_protocol = context->route_protocol;
	reconciler->full = true;
	r = fl_context_get_rtnl(context, &reconciler->rtnl, ret_error);
	if (r >= 0)
		r = fl_set_new(&reconciler->set, ret_error);
	if (r >= 0)
		r = fl_monitor_open(context->netns_fd, context->single_threaded, reconciler->rtnl,
				    fl_reconciler_take_change, reconciler, &reconciler->monitor, ret_error);
	if (r >= 0)
		r = fl_loop_add_fd(context->loop, fl_monitor_get_fd(reconciler->monitor), EPOLLIN, on_readable,
				   reconciler, &reconciler->monitor_source, ret_error);
	if (r >= 0)
		r = fl_loop_add_timer(context->loop, on_timer, reconciler, &reconciler->timer, ret_error);
	if (r < 0)
		return r;
	context->free_reconciler = fl_reconciler_free;
	*ret_reconciler = context->reconciler = FL_TAKE(reconciler);
	return 0;
}

struct fl_reconciler *fl_reconciler_free(struct fl_reconciler *reconciler)
{
	if (!reconciler)
		return NULL;
	fl_source_free(reconciler->timer);
	fl_source_free(reconciler->monitor_source);
	fl_monitor_close(reconciler->monitor);
	fl_set_free(reconciler->set);
	fl_plan_clear(&reconciler->queue);
	fl_plan_clear(&reconciler->doomed);
	free(reconciler->links);
	free(reconciler);
	return NULL;
}

void fl_reconciler_listen(struct fl_reconciler *reconciler, fl_monitor_fn fn, void *userdata)
{
	reconciler->listener = fn;
	reconciler->listener_userdata = userdata;
}

void fl_reconciler_set_judge(struct fl_reconciler *reconciler, fl_judge_fn fn, void *userdata)
{
	reconciler->judge = fn;
	reconciler->judge_userdata = userdata;
}

void fl_reconciler_set_instance(struct fl_reconciler *reconciler, const char *instance)
{
	snprintf(reconciler->rules.instance, sizeof(reconciler->rules.instance), "%s", instance);
}

void fl_reconciler_set_networks(struct fl_reconciler *reconciler, const struct flannel_prefix *network,
				const struct flannel_prefix *network6)
{
	reconciler->rules.network = *network;
	reconciler->rules.network6 = *network6;
}

void fl_reconciler_set_device(struct fl_reconciler *reconciler, size_t index, const char *name)
{
	char *to = reconciler->rules.devices[index];

	if (strcmp(to, name) == 0)
		return;
	snprintf(to, FLANNEL_IFNAME_SIZE, "%s", name);
	reconciler->full = true;
}

bool fl_reconciler_uses_link(const struct fl_reconciler *reconciler, const char *name)
{
	size_t i = 0;

	while (i < reconciler->n_links && strcmp(reconciler->links[i].name, name) != 0)
		i++;
	/* without a name the kernel finds one: known when it tells of the route */
	return !name[0] || i < reconciler->n_links;
}

int fl_reconciler_use_link(struct fl_reconciler *reconciler, const char *name, struct flannel_error **ret_error)
{
	struct fl_used_link *links;
	struct fl_link_info info;

	if (fl_reconciler_uses_link(reconciler, name))
		return 0;
	links = reallocarray(reconciler->links, reconciler->n_links + 1, sizeof(*links));
	if (!links)
		return fl_error_oom(ret_error);
	reconciler->links = links;
	links += reconciler->n_links++;
	*links = (struct fl_used_link){0};
	memcpy(links->name, name, strnlen(name, sizeof(links->name) - 1));
	if (fl_link_get(reconciler->rtnl, name, &info, NULL) > 0)
		links->ifindex = info.ifindex;
	return 0;
}

int fl_reconciler_want(struct fl_reconciler *reconciler, const struct fl_object *object, struct fl_owner *owner,
		       struct flannel_error **ret_error)
{
	const struct fl_entry *before = fl_set_find(reconciler->set, object);
	bool queued = before && before->state == FL_ENTRY_PENDING;
	struct fl_entry *entry;
	int r = fl_reconciler_use_link(reconciler, fl_object_get_link(object), ret_error);

	/* a link is told of by itself, and goes with the one below */
	if (r >= 0 && object->type == FL_OBJECT_LINK)
		r = fl_reconciler_use_link(reconciler, object->link.name, ret_error);
	if (r >= 0 && object->type == FL_OBJECT_LINK)
		r = fl_reconciler_use_link(reconciler, object->link.vxlan.lower, ret_error);
	if (r >= 0)
		r = fl_set_put(reconciler->set, object, &owner->entries, &entry, ret_error);
	if (r > 0 && !queued)
		fl_reconciler_enqueue(reconciler, entry);
	return r;
}

/*
 * Forgets an entry; what the kernel has of it is deleted at the next apply, unless it is to be kept. Without memory to note
 * that, the entry is forgotten all the same, since its owner may be about to end.
 */
static int unwant(struct fl_reconciler *reconciler, struct fl_entry *entry, bool keep, struct flannel_error **ret_error)
{
	struct fl_object object;
	int r = 1;

	if (entry->in_kernel && !keep) {
		fl_entry_get_object(entry, &object);
		if (fl_plan_add(&reconciler->doomed, FL_VERB_DELETE, &object, &object, ret_error) < 0)
			r = -ENOMEM;
		/* wanted otherwise in the meantime: what the kernel has is to be looked up */
		if (entry->state != FL_ENTRY_IN_FORCE)
			reconciler->full = true;
	}
	fl_set_remove(reconciler->set, entry);
	return r;
}

int fl_reconciler_unwant(struct fl_reconciler *reconciler, const struct fl_object *object, struct fl_owner *owner,
			 struct flannel_error **ret_error)
{
	struct fl_entry *entry = fl_set_find(reconciler->set, object);

	if (!entry || fl_reconciler_get_owner(entry) != owner)
		return 0;
	return unwant(reconciler, entry, false, ret_error);
}

int fl_reconciler_unwant_all(struct fl_reconciler *reconciler, struct fl_owner *owner, bool keep,
			     struct flannel_error **ret_error)
{
	struct fl_entry *entry;
	int r = 0;

	while ((entry = owner->entries.first)) {
		if (unwant(reconciler, entry, keep, r == 0 ? ret_error : NULL) < 0)
			r = -ENOMEM;
	}
	return r;
}

void fl_reconciler_demand_full(struct fl_reconciler *reconciler, bool purge)
{
	reconciler->full = true;
	reconciler->purge |= purge;
}

void fl_reconciler_schedule(struct fl_reconciler *reconciler)
{
	fl_source_set_deadline(reconciler->timer, 0);
}

struct fl_owner *fl_reconciler_get_owner(const struct fl_entry *entry)
{
	return (struct fl_owner *)((char *)entry->owner - offsetof(struct fl_owner, entries));
}

struct fl_owner *fl_reconciler_owner_of(const struct fl_reconciler *reconciler, const struct fl_object *object)
{
	const struct fl_entry *entry = fl_set_find(reconciler->set, object);

	return entry ? fl_reconciler_get_owner(entry) : NULL;
}

const struct fl_entry *fl_reconciler_entries_of(const struct fl_owner *owner)
{
	return owner->entries.first;
}

uint64_t fl_reconciler_get_repairs(const struct fl_reconciler *reconciler)
{
	return reconciler->n_repairs;
}
