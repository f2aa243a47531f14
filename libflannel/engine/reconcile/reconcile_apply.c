/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/reconcile/reconcile_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/execute.h"

#define AREA "rtnl"

/* so many changes are noted one by one; more are a full compare */
#define CHANGES_MAX 256

/* when the request socket itself fails, everything is tried again after this time */
#define SOCKET_RETRY_NS (100 * FL_NSEC_PER_MSEC)

void fl_reconciler_enqueue(struct fl_reconciler *reconciler, struct fl_entry *entry)
{
	struct fl_object object;

	entry->state = FL_ENTRY_PENDING;
	if (reconciler->full)
		return;
	fl_entry_get_object(entry, &object);
	/* where there are many, or no memory for one, all are compared */
	if (reconciler->queue.n_operations >= CHANGES_MAX ||
	    fl_plan_add(&reconciler->queue, FL_VERB_CREATE, &object, NULL, NULL) < 0)
		reconciler->full = true;
}

/* the owner hears of a failure once for each new reason */
void fl_reconciler_fail(struct fl_reconciler *reconciler, struct fl_entry *entry, struct flannel_error *error)
{
	struct fl_owner *owner = fl_reconciler_get_owner(entry);
	const struct flannel_error *before = fl_entry_get_error(entry);
	bool is_new = !before || strcmp(flannel_error_get_message(before), flannel_error_get_message(error)) != 0;
	struct fl_object object;

	fl_entry_set_result(entry, error, fl_loop_now());
	reconciler->has_failures = true;
	if (!is_new)
		return;
	fl_entry_get_object(entry, &object);
	owner->report(owner, FL_REPORT_FAILED, &object, error);
}

/* the kernel has it now; if it had been taken away, the owner hears of the repair */
static void succeed(struct fl_reconciler *reconciler, struct fl_entry *entry, bool by_us)
{
	struct fl_owner *owner = fl_reconciler_get_owner(entry);
	bool repaired = entry->repairing && by_us;
	struct fl_trouble *trouble;
	struct fl_object object;

	entry->repairing = false;
	if (entry->state != FL_ENTRY_IN_FORCE)
		fl_entry_set_result(entry, NULL, fl_loop_now());
	if (!repaired)
		return;
	trouble = fl_entry_get_trouble(entry);
	if (trouble) {
		trouble->in_force_ns = fl_loop_now();
		trouble->n_repairs++;
	}
	reconciler->n_repairs++;
	fl_entry_get_object(entry, &object);
	owner->report(owner, FL_REPORT_REPAIRED, &object, NULL);
}

/*
 * Was ours replaced under its key by an untagged route, as ip(8) makes them? That is a change of ours, to be put back; a
 * route that another daemon tagged as its own is a conflict.
 */
static bool is_changed(const struct fl_entry *entry, const struct fl_object *wanted, const struct fl_object *found)
{
	return entry->in_kernel && found && found->type == FL_OBJECT_ROUTE &&
	       found->route.protocol == FL_ROUTE_PROTOCOL_BOOT && found->route.type == FL_ROUTE_TYPE_UNICAST &&
	       !fl_object_satisfies(found, wanted);
}

/* a fight is not won by a full compare either: it waits for its turn */
static bool waits_for_its_turn(const struct fl_entry *entry)
{
	return entry->state == FL_ENTRY_FAILED && fl_entry_get_repairs(entry) >= FL_FIGHT_ROUNDS &&
	       fl_entry_get_retry_ns(entry, 0) > fl_loop_now();
}

void fl_reconciler_confirm_entry(struct fl_reconciler *reconciler, struct fl_entry *entry, bool is_ours)
{
	if (waits_for_its_turn(entry))
		return;
	entry->in_kernel = is_ours;
	succeed(reconciler, entry, false);
}

int fl_reconciler_plan_entry(struct fl_reconciler *reconciler, struct fl_plan *plan, struct fl_entry *entry,
			     const struct fl_object *found, struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_object wanted;
	bool changed;
	int r;

	fl_entry_get_object(entry, &wanted);
	changed = is_changed(entry, &wanted, found);

	if (waits_for_its_turn(entry))
		return 0;
	if (entry->state == FL_ENTRY_IN_FORCE && (!found || !fl_object_satisfies(found, &wanted))) {
		if (!fl_reconciler_may_repair(reconciler, entry))
			return 0;
		entry->state = FL_ENTRY_PENDING;
	}
	entry->in_kernel = changed || (found && fl_ownership_of(found, &reconciler->rules) == FL_OURS);
	if (changed)
		r = fl_plan_add(plan, FL_VERB_REPLACE, &wanted, found, &error);
	else
		r = fl_plan_compare(plan, &wanted, found, &reconciler->rules, &error);
	if (r == 0 && found && !changed)
		(void)fl_reconciler_use_link(reconciler, fl_object_get_link(found), NULL);
	if (r == 0 && !changed)
		succeed(reconciler, entry, false);
	else if (r == -EEXIST)
		fl_reconciler_fail(reconciler, entry, error);
	else if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r == -EEXIST ? 0 : r;
}

/* queues the failed entries whose time has come */
static int queue_due(void *userdata, struct fl_entry *entry)
{
	struct fl_reconciler *reconciler = userdata;

	if (entry->state == FL_ENTRY_FAILED && fl_entry_get_retry_ns(entry, 0) <= fl_loop_now())
		fl_reconciler_enqueue(reconciler, entry);
	return 0;
}

/* what changed since the last apply; the kernel's answer tells if it was different from what we believe */
static int plan_queue(struct fl_reconciler *reconciler, struct fl_plan *plan, struct flannel_error **ret_error)
{
	int r = 0;

	for (size_t i = 0; i < reconciler->queue.n_operations && r >= 0; i++) {
		struct fl_entry *entry = fl_set_find(reconciler->set, &reconciler->queue.operations[i].object);
		struct fl_object object;
		enum fl_verb verb;

		if (!entry || entry->state == FL_ENTRY_IN_FORCE || entry->type == FL_OBJECT_LINK ||
		    fl_reconciler_lacks_link(reconciler, entry))
			continue;
		verb = entry->in_kernel ? FL_VERB_REPLACE : FL_VERB_CREATE;
		fl_entry_get_object(entry, &object);
		r = fl_plan_add(plan, verb, &object, &object, ret_error);
	}
	for (size_t i = 0; i < reconciler->doomed.n_operations && r >= 0; i++) {
		struct fl_object *object = &reconciler->doomed.operations[i].object;

		/* wanted again in the meantime, perhaps by another owner: then it was or will be replaced */
		if (!fl_set_find(reconciler->set, object))
			r = fl_plan_add(plan, FL_VERB_DELETE, object, object, ret_error);
	}
	return r;
}

void fl_reconciler_take_result(struct fl_reconciler *reconciler, const struct fl_operation *operation, int result,
			       struct flannel_error *error, struct fl_progress *progress)
{
	struct fl_entry *entry = fl_set_find(reconciler->set, &operation->object);

	progress->n_done += result == 0;
	if (result == -EPERM && progress->n_refused++ == 0)
		progress->refusal = flannel_error_ref(error);
	if (operation->verb == FL_VERB_DELETE) {
		if (result < 0)
			fl_log(&reconciler->context->log, FLANNEL_LOG_WARNING, AREA, "%s",
			       flannel_error_get_message(error));
		return;
	}
	if (!entry)
		return;
	if (result == 0)
		succeed(reconciler, entry, true);
	else if (result == -EEXIST && operation->verb == FL_VERB_CREATE && !progress->last)
		progress->again = true;
	else
		fl_reconciler_fail(reconciler, entry, error);
}

/* deletes the links of a plan, which are its last operations */
static void delete_links(struct fl_reconciler *reconciler, const struct fl_operation *operations, size_t n,
			 struct fl_progress *progress)
{
	for (size_t i = 0; i < n; i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		int r = fl_reconciler_delete_link(reconciler, &operations[i].object.link, &error);

		fl_reconciler_take_result(reconciler, &operations[i], r, error, progress);
	}
}

int fl_reconciler_execute(struct fl_reconciler *reconciler, const struct fl_plan *plan, struct fl_progress *progress,
			  struct flannel_error **ret_error)
{
	size_t n = plan->n_operations, n_links = 0;
	FL_CLEANUP(fl_freep) int *results = calloc(n + 1, sizeof(*results));
	FL_CLEANUP(fl_freep) struct flannel_error **errors = calloc(n + 1, sizeof(struct flannel_error *));
	int r;

	if (!results || !errors)
		return fl_error_oom(ret_error);
	while (n > 0 && plan->operations[n - 1].object.type == FL_OBJECT_LINK) {
		n--;
		n_links++;
	}
	r = fl_execute(reconciler->rtnl, plan->operations, n, results, errors, ret_error);
	for (size_t i = 0; i < n; i++) {
		if (r >= 0)
			fl_reconciler_take_result(reconciler, &plan->operations[i], results[i], errors[i], progress);
		flannel_error_unref(errors[i]);
	}
	if (r >= 0)
		delete_links(reconciler, plan->operations + n, n_links, progress);
	return r;
}

/* a list whose operations were carried out */
static void empty(struct fl_plan *plan)
{
	if (plan->n_allocated > CHANGES_MAX)
		fl_plan_clear(plan);
	plan->n_operations = 0;
}

/* what changed since the last round */
static int apply_queue(struct fl_reconciler *reconciler, struct fl_progress *progress, struct flannel_error **ret_error)
{
	FL_CLEANUP_PLAN struct fl_plan plan = {0};
	int r = plan_queue(reconciler, &plan, ret_error);

	if (r >= 0)
		r = fl_plan_sort(&plan, ret_error);
	return r < 0 ? r : fl_reconciler_execute(reconciler, &plan, progress, ret_error);
}

/* one round of compare, plan, carry out */
static int apply_once(struct fl_reconciler *reconciler, struct fl_progress *progress, struct flannel_error **ret_error)
{
	int r = fl_reconciler_apply_links(reconciler, progress, ret_error);

	if (r >= 0)
		r = reconciler->full ? fl_reconciler_compare_all(reconciler, progress, ret_error)
				     : apply_queue(reconciler, progress, ret_error);
	if (r >= 0) {
		empty(&reconciler->queue);
		empty(&reconciler->doomed);
	}
	return r;
}

/* the earliest retry of the failed entries */
static int earliest_retry(void *userdata, struct fl_entry *entry)
{
	uint64_t *deadline_ns = userdata, retry_ns;

	if (entry->state != FL_ENTRY_FAILED)
		return 0;
	retry_ns = fl_entry_get_retry_ns(entry, fl_loop_now());
	if (retry_ns < *deadline_ns)
		*deadline_ns = retry_ns;
	return 0;
}

/* arms the timer for the failed entries, if there are any */
static void arm(struct fl_reconciler *reconciler)
{
	uint64_t deadline_ns = UINT64_MAX;

	if (reconciler->has_failures)
		fl_set_each(reconciler->set, earliest_retry, &deadline_ns);
	reconciler->has_failures = deadline_ns != UINT64_MAX;
	fl_source_set_deadline(reconciler->timer, deadline_ns);
}

int fl_reconciler_apply(struct fl_reconciler *reconciler, struct flannel_error **ret_error)
{
	struct fl_progress progress = {0};
	FL_CLEANUP_ERROR struct flannel_error *refusal = NULL;
	int r;

	if (reconciler->has_failures)
		fl_set_each(reconciler->set, queue_due, reconciler);
	r = apply_once(reconciler, &progress, ret_error);
	if (r >= 0 && progress.again) {
		reconciler->full = true;
		progress.last = true;
		r = apply_once(reconciler, &progress, ret_error);
	}
	refusal = progress.refusal;
	if (r < 0) {
		reconciler->full = true;
		fl_source_set_deadline(reconciler->timer, fl_loop_now() + SOCKET_RETRY_NS);
		return r;
	}
	arm(reconciler);
	/* all that was tried was refused: the caller lacks the privilege */
	if (refusal && progress.n_done == 0) {
		if (ret_error)
			*ret_error = FL_TAKE(refusal);
		return -EPERM;
	}
	return progress.n_done;
}
