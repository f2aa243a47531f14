/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/reconcile/reconcile_state.h"

#include <errno.h>
#include <string.h>

#define AREA "rtnl"

bool fl_reconciler_may_repair(struct fl_reconciler *reconciler, struct fl_entry *entry)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_trouble *trouble = entry->trouble;
	char text[FL_OBJECT_STRLEN];
	struct fl_object object;

	if (trouble && fl_loop_now() - trouble->in_force_ns >= FL_FIGHT_NS)
		trouble->n_repairs = 0;
	entry->repairing = true;
	if (!trouble || trouble->n_repairs < FL_FIGHT_ROUNDS)
		return true;
	trouble->n_failures = trouble->n_repairs - FL_FIGHT_ROUNDS;
	fl_entry_get_object(entry, &object);
	fl_error_set_retryable(&error, -EBUSY, AREA, "another program keeps removing it", "keep %s",
			       fl_object_format(&object, text, sizeof(text)));
	fl_reconciler_fail(reconciler, entry, error);
	fl_reconciler_schedule(reconciler);
	return false;
}

/* is it a route that could not be had, and that nobody fights over */
static bool is_failed_route(const struct fl_entry *entry)
{
	return entry->type == FL_OBJECT_ROUTE && entry->state == FL_ENTRY_FAILED &&
	       fl_entry_get_repairs(entry) < FL_FIGHT_ROUNDS;
}

/* which failed entries may be had now */
struct chance {
	struct fl_reconciler *reconciler;
	const struct flannel_prefix *on_link; /* gateways in it have become neighbours */
};

/* an entry whose gateway was no neighbour, and may be one now */
static int queue_reachable(void *userdata, struct fl_entry *entry)
{
	const struct chance *chance = userdata;
	struct fl_object object;

	if (!is_failed_route(entry))
		return 0;
	fl_entry_get_object(entry, &object);
	if (object.route.via.family == chance->on_link->family &&
	    flannel_prefix_contains(chance->on_link, &object.route.via))
		fl_reconciler_enqueue(chance->reconciler, entry);
	return 0;
}

/* is that what is wanted */
static bool is_satisfied(const struct fl_entry *entry, const struct fl_object *found)
{
	struct fl_object wanted;

	fl_entry_get_object(entry, &wanted);
	return fl_object_satisfies(found, &wanted);
}

/* a route came or went somewhere in the namespace */
static void on_route(struct fl_reconciler *reconciler, const struct fl_route *route, bool removed)
{
	struct fl_object object = {.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE, .route = *route};
	struct fl_entry *entry = fl_set_find(reconciler->set, &object);
	bool same = entry && is_satisfied(entry, &object);
	struct chance chance = {.reconciler = reconciler, .on_link = &route->dst};

	if (!removed && !route->via.family && route->link[0] && reconciler->has_failures && !reconciler->full)
		fl_set_each(reconciler->set, queue_reachable, &chance);
	if (!entry)
		return;
	if (same && !removed) {
		/* the link that the kernel found; if it is gone already, so is the route, without a word */
		if (!route->link[0] || fl_reconciler_use_link(reconciler, route->link, NULL) < 0)
			reconciler->full = true;
	} else if (removed && entry->state == FL_ENTRY_IN_FORCE && same) {
		entry->in_kernel = false;
		if (fl_reconciler_may_repair(reconciler, entry))
			fl_reconciler_enqueue(reconciler, entry);
	} else if (removed && entry->state == FL_ENTRY_FAILED && !same) {
		fl_reconciler_enqueue(reconciler, entry); /* what was in the way may be gone */
	} else if (!removed && entry->state == FL_ENTRY_IN_FORCE) {
		reconciler->full = true; /* replaced, or a second one beside ours: look */
	}
}

/* an entry that names no link may have waited for just this address */
static int queue_linkless(void *userdata, struct fl_entry *entry)
{
	struct fl_object object;

	if (!is_failed_route(entry))
		return 0;
	fl_entry_get_object(entry, &object);
	if (!object.route.link[0])
		fl_reconciler_enqueue(userdata, entry);
	return 0;
}

/* a link that we use went up, down, away or came back: the kernel drops and keeps routes without telling */
static void on_link(struct fl_reconciler *reconciler, const struct fl_link_info *link, bool removed)
{
	for (size_t i = 0; i < reconciler->n_links; i++) {
		struct fl_used_link *used = &reconciler->links[i];

		if (strcmp(used->name, link->name) != 0 && used->ifindex != link->ifindex)
			continue;
		if (strcmp(used->name, link->name) == 0)
			used->ifindex = removed ? 0 : link->ifindex;
		reconciler->full = true;
	}
}

/* addresses come and go with the routes that need them */
static void on_address(struct fl_reconciler *reconciler, uint32_t ifindex, bool removed)
{
	for (size_t i = 0; i < reconciler->n_links; i++) {
		if (reconciler->links[i].ifindex == ifindex)
			reconciler->full = true;
	}
	if (!removed && !reconciler->full && reconciler->has_failures)
		fl_set_each(reconciler->set, queue_linkless, reconciler);
}

/* a neighbour or an FDB entry came, changed or went; to set it again does no harm, should the notification be late */
static void on_entry(struct fl_reconciler *reconciler, const struct fl_object *object, bool removed)
{
	struct fl_entry *entry = fl_set_find(reconciler->set, object);

	if (!entry || entry->state != FL_ENTRY_IN_FORCE || (!removed && is_satisfied(entry, object)))
		return;
	if (fl_reconciler_may_repair(reconciler, entry))
		fl_reconciler_enqueue(reconciler, entry);
}

void fl_reconciler_take_change(void *userdata, const struct fl_change *change)
{
	struct fl_reconciler *reconciler = userdata;

	if (reconciler->listener)
		reconciler->listener(reconciler->listener_userdata, change);
	switch (change->type) {
	case FL_CHANGE_ROUTE:
		on_route(reconciler, &change->route, change->removed);
		break;
	case FL_CHANGE_LINK:
		on_link(reconciler, &change->link, change->removed);
		break;
	case FL_CHANGE_ADDRESS:
		on_address(reconciler, change->address.ifindex, change->removed);
		break;
	case FL_CHANGE_ENTRY:
		on_entry(reconciler, &change->entry, change->removed);
		break;
	case FL_CHANGE_OVERRUN:
		fl_log(&reconciler->context->log, FLANNEL_LOG_INFO, AREA,
		       "notifications were lost: comparing everything");
		reconciler->full = true;
		break;
	}
}
