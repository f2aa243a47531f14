/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"

/* what happens to a peer's objects becomes an event of the node */
static void on_report(struct fl_owner *owner, enum fl_report report, const struct fl_object *object,
		      struct flannel_error *error)
{
	struct fl_node_peer *peer = (struct fl_node_peer *)((char *)owner - offsetof(struct fl_node_peer, owner));
	struct flannel_node *node = peer->node;
	char text[FL_OBJECT_STRLEN];

	if (report == FL_REPORT_REPAIRED)
		fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_REPAIRED, NULL, NULL, "%s",
			      fl_object_format(object, text, sizeof(text)));
	else
		fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_OBJECT_FAILED, NULL, error, "%s",
			      flannel_error_get_message(error));
}

/* the node's record of a peer, made at the first call; NULL without memory */
static struct fl_node_peer *get_record(struct flannel_node *node, struct fl_peer *peer)
{
	struct fl_node_peer *record = peer->data;

	if (!record) {
		record = calloc(1, sizeof(*record));
		if (!record)
			return NULL;
		record->owner.report = on_report;
		record->node = node;
		peer->data = record;
	}
	return record;
}

/* asks the backend; a peer that it cannot serve wants nothing and says why */
static int want_objects(struct flannel_node *node, struct fl_node_peer *record, struct flannel_lease *lease,
			struct fl_object objects[FL_PEER_OBJECTS_MAX])
{
	int n;

	record->error = flannel_error_unref(record->error);
	record->ignored = NULL;
	if (strcmp(flannel_lease_get_backend_type(lease), node->backend->name) != 0) {
		record->ignored = "other backend";
		return 0;
	}
	n = node->backend->want_peer(&node->facts, lease, objects, &record->error);
	if (n >= 0)
		return n;
	fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_OBJECT_FAILED, NULL, record->error, "%s",
		      flannel_error_get_message(record->error));
	return 0;
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

/* what the peer wanted before and wants no longer */
static int drop_others(struct flannel_node *node, struct fl_node_peer *record, const struct fl_object *objects,
		       int n_objects, struct flannel_error **ret_error)
{
	const struct fl_entry *entry = fl_reconciler_entries_of(node->reconciler, &record->owner);

	while (entry) {
		const struct fl_entry *next = entry->owner_next;
		int r = 0;

		if (!is_among(objects, n_objects, &entry->object)) {
			struct fl_object object = entry->object;

			r = fl_reconciler_unwant(node->reconciler, &object, &record->owner, ret_error);
		}
		if (r < 0)
			return r;
		entry = next;
	}
	return 0;
}

void fl_node_want_peer(struct flannel_node *node, struct fl_peer *peer)
{
	struct fl_node_peer *record = get_record(node, peer);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_object objects[FL_PEER_OBJECTS_MAX];
	int n, r;

	if (!record) {
		node->context->event_lost = true;
		return;
	}
	n = want_objects(node, record, peer->lease, objects);
	r = drop_others(node, record, objects, n, &error);
	for (int i = 0; i < n && r >= 0; i++)
		r = fl_reconciler_want(node->reconciler, &objects[i], &record->owner, &error);
	record->n_objects = (uint32_t)n;
	if (r < 0) {
		flannel_error_unref(record->error);
		record->error = flannel_error_ref(error);
		fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_OBJECT_FAILED, NULL, error, "%s",
			      flannel_error_get_message(error));
	}
}

void fl_node_forget_peer(struct flannel_node *node, struct fl_peer *peer, bool keep)
{
	struct fl_node_peer *record = peer->data;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (!record)
		return;
	if (fl_reconciler_unwant_all(node->reconciler, &record->owner, keep, &error) < 0)
		fl_log(&node->context->log, FLANNEL_LOG_ERROR, "node", "%s", flannel_error_get_message(error));
	flannel_error_unref(record->error);
	free(record);
	peer->data = NULL;
}
