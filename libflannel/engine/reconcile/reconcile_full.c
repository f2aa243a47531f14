/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/reconcile/reconcile_state.h"

#include <string.h>

#include "engine/reconcile/found.h"

/* So many operations are planned and carried out at a time: they are large, and thousands of peers have thrice as many. */
#define BATCH 64

/*
 * A full compare goes type by type, in the order in which objects need each other, so that only what the kernel has of one type is in memory at
 * a time, and of that just what is not as it should be: the entries of the others are marked while the list comes in. What is superfluous is
 * collected, and goes at the end.
 */
struct full_compare {
	struct fl_reconciler *reconciler;
	struct fl_progress *progress;
	enum fl_object_type type;
	bool has_via; /* routes through a gateway, which come after the others */
	struct fl_found found;
	struct fl_plan plan; /* the next batch */
	struct fl_plan deletions;
	struct flannel_error **ret_error;
};

/* carries out what was planned */
static int flush(struct full_compare *compare)
{
	int r = fl_reconciler_execute(compare->reconciler, &compare->plan, compare->progress, compare->ret_error);

	compare->plan.n_operations = 0;
	return r;
}

/* nothing was found yet */
static int forget_found(void *userdata, struct fl_entry *entry)
{
	(void)userdata;
	entry->found = FL_ENTRY_NOT_FOUND;
	return 0;
}

/* marks the entry of a found object that is as wanted; others are kept, if anything may have to be done about them */
static bool notice(void *userdata, const struct fl_object *object)
{
	struct full_compare *compare = userdata;
	struct fl_reconciler *reconciler = compare->reconciler;
	struct fl_entry *entry = fl_set_find(reconciler->set, object);
	enum fl_ownership ownership = fl_ownership_of(object, &reconciler->rules);
	struct fl_object wanted;

	if (!entry)
		return ownership != FL_FOREIGN && (reconciler->purge || reconciler->doomed.n_operations > 0);
	fl_entry_get_object(entry, &wanted);
	if (!fl_object_satisfies(object, &wanted) || !fl_reconciler_uses_link(reconciler, fl_object_get_link(object)))
		return true;
	entry->found = ownership == FL_OURS ? FL_ENTRY_FOUND_OURS : FL_ENTRY_FOUND;
	return false;
}

/* one wanted entry of a full compare */
static int compare_entry(void *userdata, struct fl_entry *entry)
{
	struct full_compare *compare = userdata;
	struct fl_object object;
	int r;

	if (entry->type != compare->type)
		return 0;
	fl_entry_get_object(entry, &object);
	if ((object.type == FL_OBJECT_ROUTE && (object.route.via.family != 0) != compare->has_via) ||
	    fl_reconciler_lacks_link(compare->reconciler, entry))
		return 0;
	if (entry->found) {
		fl_reconciler_confirm_entry(compare->reconciler, entry, entry->found == FL_ENTRY_FOUND_OURS);
		return 0;
	}
	r = fl_reconciler_plan_entry(compare->reconciler, &compare->plan, entry,
				     fl_found_best(&compare->found, &object), compare->ret_error);
	if (r >= 0 && compare->plan.n_operations >= BATCH)
		r = flush(compare);
	return r < 0 ? r : 0;
}

/* is an object that nobody wants flannel's, though it does not say so */
static bool is_leftover(const struct fl_reconciler *reconciler, const struct fl_object *object)
{
	return reconciler->judge && fl_ownership_of(object, &reconciler->rules) == FL_ADOPTABLE &&
	       reconciler->judge(reconciler->judge_userdata, object);
}

/* ours in the kernel, but wanted by nobody: left behind by an earlier run, or by flannel */
static int plan_purge(struct fl_reconciler *reconciler, struct fl_plan *plan, const struct fl_found *found,
		      struct flannel_error **ret_error)
{
	for (size_t i = 0; i < found->n_objects; i++) {
		const struct fl_object *object = &found->objects[i];
		int r = 0;

		if (fl_set_find(reconciler->set, object))
			continue;
		if (is_leftover(reconciler, object))
			r = fl_plan_add(plan, FL_VERB_DELETE, object, object, ret_error);
		else
			r = fl_plan_compare(plan, NULL, object, &reconciler->rules, ret_error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* what is wanted no longer, as the kernel has it: that may differ from what was wanted last */
static int plan_doomed_found(struct fl_reconciler *reconciler, struct fl_plan *plan, const struct fl_found *found,
			     struct flannel_error **ret_error)
{
	int r = 0;

	for (size_t i = 0; i < reconciler->doomed.n_operations && r >= 0; i++) {
		const struct fl_object *object = &reconciler->doomed.operations[i].object, *first = NULL;
		size_t n = fl_set_find(reconciler->set, object) ? 0 : fl_found_all(found, object, &first);

		for (size_t j = 0; j < n && r >= 0; j++)
			r = fl_plan_compare(plan, NULL, &first[j], &reconciler->rules, ret_error);
	}
	return r;
}

/* all wanted objects of a type, and what there is of it */
static int compare_type(struct full_compare *compare, enum fl_object_type type)
{
	struct fl_reconciler *reconciler = compare->reconciler;
	int r;

	compare->type = type;
	compare->has_via = false;
	(void)fl_set_each(reconciler->set, forget_found, NULL);
	r = fl_found_read(&compare->found, reconciler->rtnl, type, reconciler->rules.devices, compare->ret_error);
	if (r >= 0)
		r = fl_set_each(reconciler->set, compare_entry, compare);
	if (r >= 0)
		r = flush(compare);
	if (r >= 0 && type == FL_OBJECT_ROUTE) {
		compare->has_via = true;
		r = fl_set_each(reconciler->set, compare_entry, compare);
		if (r >= 0)
			r = flush(compare);
	}
	if (r >= 0 && reconciler->purge)
		r = plan_purge(reconciler, &compare->deletions, &compare->found, compare->ret_error);
	else if (r >= 0)
		r = plan_doomed_found(reconciler, &compare->deletions, &compare->found, compare->ret_error);
	fl_found_clear(&compare->found);
	return r;
}

int fl_reconciler_compare_all(struct fl_reconciler *reconciler, struct fl_progress *progress,
			      struct flannel_error **ret_error)
{
	const enum fl_object_type types[] = {FL_OBJECT_ADDRESS, FL_OBJECT_NEIGHBOUR, FL_OBJECT_FDB, FL_OBJECT_ROUTE};
	struct full_compare compare = {
		.reconciler = reconciler, .progress = progress, .found = {.wants = notice}, .ret_error = ret_error};
	int r = 0;

	compare.found.userdata = &compare;
	reconciler->full = false;
	for (size_t i = 0; i < FL_N_ELEMENTS(types) && r >= 0; i++)
		r = compare_type(&compare, types[i]);
	/* links that are wanted no longer are not found but doomed */
	for (size_t i = 0; i < reconciler->doomed.n_operations && r >= 0; i++) {
		const struct fl_operation *operation = &reconciler->doomed.operations[i];

		if (operation->object.type == FL_OBJECT_LINK && !fl_set_find(reconciler->set, &operation->object))
			r = fl_plan_add(&compare.deletions, FL_VERB_DELETE, &operation->object, &operation->object,
					ret_error);
	}
	if (r >= 0)
		r = fl_plan_sort(&compare.deletions, ret_error);
	if (r >= 0)
		r = fl_reconciler_execute(reconciler, &compare.deletions, progress, ret_error);
	if (r >= 0)
		reconciler->purge = false;
	fl_plan_clear(&compare.plan);
	fl_plan_clear(&compare.deletions);
	return r;
}
