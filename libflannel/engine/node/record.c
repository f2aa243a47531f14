/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/record.h"

#include <stddef.h>

struct fl_node_record *fl_node_record_of(struct fl_owner *owner)
{
	return (struct fl_node_record *)((char *)owner - offsetof(struct fl_node_record, owner));
}

void fl_node_record_report(struct fl_owner *owner, enum fl_report report, const struct fl_object *object,
			   struct flannel_error *error)
{
	const struct fl_node_scope *scope = fl_node_record_of(owner)->scope;
	char text[FL_OBJECT_STRLEN];

	if (report == FL_REPORT_REPAIRED)
		fl_node_emit(scope, FLANNEL_EVENT_REPAIRED, NULL, NULL, "%s",
			     fl_object_format(object, text, sizeof(text)));
	else
		fl_node_emit(scope, FLANNEL_EVENT_OBJECT_FAILED, NULL, error, "%s", flannel_error_get_message(error));
}

/* is an object among those wanted now */
static bool is_among(const struct fl_object *objects, int n_objects, const struct fl_object *object)
{
	for (int i = 0; i < n_objects; i++) {
		if (fl_object_compare_key(&objects[i], object) == 0)
			return true;
	}
	return false;
}

int fl_node_record_drop_others(struct fl_node_record *record, const struct fl_object *objects, int n_objects,
			       struct flannel_error **ret_error)
{
	struct fl_reconciler *reconciler = record->scope->reconciler;
	const struct fl_entry *entry = fl_reconciler_entries_of(&record->owner);
	int n = 0;

	while (entry) {
		const struct fl_entry *next = entry->owner_next;
		struct fl_object object;
		int r = 0;

		fl_entry_get_object(entry, &object);
		if (!is_among(objects, n_objects, &object))
			r = fl_reconciler_unwant(reconciler, &object, &record->owner, ret_error);
		if (r < 0)
			return r;
		n += r;
		entry = next;
	}
	return n;
}
