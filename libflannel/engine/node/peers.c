/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/event.h"
#include "sys/rtnl_route.h"

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
	if (peer == &node->own)
		fl_node_note_health(node);
}

void fl_node_record_init(struct flannel_node *node, struct fl_node_peer *record)
{
	record->owner.report = on_report;
	record->node = node;
}

/* the node's record of a peer, made at the first call; NULL without memory */
static struct fl_node_peer *get_record(struct flannel_node *node, struct fl_peer *peer)
{
	struct fl_node_peer *record = peer->data;

	if (!record) {
		record = calloc(1, sizeof(*record));
		if (!record)
			return NULL;
		fl_node_record_init(node, record);
		peer->data = record;
	}
	record->peer = peer;
	return record;
}

/* notes why nothing could be wanted for a peer; told once for each new reason */
static void set_error(struct fl_node_peer *record, struct flannel_error *error)
{
	struct flannel_node *node = record->node;
	const char *message = flannel_error_get_message(error);
	bool is_new = error && strcmp(flannel_error_get_message(record->error), message) != 0;

	flannel_error_ref(error);
	flannel_error_unref(record->error);
	record->error = error;
	if (is_new)
		fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_OBJECT_FAILED, NULL, error, "%s",
			      message);
}

/* finds out whether a peer is on-link, if the backend asks for that; a peer without a route is not */
static void ask_for_on_link(struct flannel_node *node, const struct flannel_lease *lease)
{
	const int families[] = {AF_INET, AF_INET6};
	struct fl_rtnl *rtnl;

	if (!node->backend->asks_for_on_link || !node->backend->asks_for_on_link(&node->facts) ||
	    fl_context_get_rtnl(node->context, &rtnl, NULL) < 0)
		return;
	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		bool *on_link = families[i] == AF_INET ? &node->facts.on_link : &node->facts.on_link6;
		struct fl_route_lookup lookup;
		struct flannel_prefix address;

		*on_link = flannel_lease_get_public_ip(lease, families[i], &address) > 0 &&
			   fl_route_get(rtnl, &address, &lookup, NULL) == 0 && !lookup.via.family;
	}
}

/* asks the backend; a peer that it cannot serve wants nothing and says why, as an error or as .ignored */
static int want_objects(struct fl_node_peer *record, struct fl_object objects[FL_PEER_OBJECTS_MAX],
			struct flannel_error **ret_error)
{
	struct flannel_node *node = record->node;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int n;

	record->ignored = NULL;
	if (strcmp(flannel_lease_get_backend_type(record->peer->lease), node->backend->name) != 0) {
		record->ignored = "other backend";
		return 0;
	}
	ask_for_on_link(node, record->peer->lease);
	n = node->backend->want_peer(&node->facts, record->peer->lease, objects, &error);
	/* most likely a lease of this node from when it had another address: it ends by itself */
	if (n == -EEXIST) {
		fl_log(&node->context->log, FLANNEL_LOG_WARNING, "node", "%s", flannel_error_get_message(error));
		record->ignored = "its device is this node's own";
		return 0;
	}
	if (n < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return n;
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

int fl_node_drop_others(struct fl_node_peer *record, const struct fl_object *objects, int n_objects,
			struct flannel_error **ret_error)
{
	struct fl_reconciler *reconciler = record->node->reconciler;
	const struct fl_entry *entry = fl_reconciler_entries_of(reconciler, &record->owner);
	int n = 0;

	while (entry) {
		const struct fl_entry *next = entry->owner_next;
		int r = 0;

		if (!is_among(objects, n_objects, &entry->object)) {
			struct fl_object object;

			fl_object_copy(&object, &entry->object);
			r = fl_reconciler_unwant(reconciler, &object, &record->owner, ret_error);
		}
		if (r < 0)
			return r;
		n += r;
		entry = next;
	}
	return n;
}

/* notes that a peer's lease is not the newest one that names an object */
static void give_way(struct fl_node_peer *record, const struct fl_object *object, const struct fl_node_peer *winner)
{
	char text[FL_OBJECT_STRLEN], loser[2 * FLANNEL_PREFIX_STRLEN], newer[2 * FLANNEL_PREFIX_STRLEN];

	fl_log(&record->node->context->log, FLANNEL_LOG_WARNING, "node",
	       "lease %s: %s belongs to the newer lease %s (a node that got another subnet, or a copy of one)",
	       flannel_lease_format_key(record->peer->lease, loser, sizeof(loser)),
	       fl_object_format(object, text, sizeof(text)),
	       flannel_lease_format_key(winner->peer->lease, newer, sizeof(newer)));
	record->node->n_giving_way += !record->gives_way;
	record->gives_way = true;
	record->ignored = "a newer lease has its device";
}

/*
 * Two leases name one object, such as the device of a node that got another subnet while its old lease has not ended: the lease that
 * was written last is right. Whichever goes, the other gets what it wants then.
 */
static int settle(struct fl_node_peer *record, const struct fl_object *object, struct flannel_error **ret_error)
{
	struct fl_reconciler *reconciler = record->node->reconciler;
	struct fl_owner *owner = fl_reconciler_owner_of(reconciler, object);
	struct fl_node_peer *other;
	int r;

	if (!owner || owner->report != on_report || owner == &record->node->own.owner)
		return fl_reconciler_want(reconciler, object, &record->owner, ret_error);
	other = (struct fl_node_peer *)((char *)owner - offsetof(struct fl_node_peer, owner));
	if (flannel_lease_get_revision(record->peer->lease) < flannel_lease_get_revision(other->peer->lease)) {
		give_way(record, object, other);
		return 0;
	}
	r = fl_reconciler_unwant(reconciler, object, owner, ret_error);
	if (r >= 0)
		give_way(other, object, record);
	return r < 0 ? r : fl_reconciler_want(reconciler, object, &record->owner, ret_error);
}

/* wants what a peer's lease needs, and nothing else on its behalf: how much it wants no longer, or negative */
static int want(struct fl_node_peer *record, struct flannel_error **ret_error)
{
	struct fl_reconciler *reconciler = record->node->reconciler;
	struct fl_object objects[FL_PEER_OBJECTS_MAX];
	int n = want_objects(record, objects, ret_error), n_dropped, r;

	record->node->n_giving_way -= record->gives_way;
	record->gives_way = false;
	record->n_objects = n > 0 ? (uint32_t)n : 0;
	n_dropped = fl_node_drop_others(record, objects, n > 0 ? n : 0, n < 0 ? NULL : ret_error);
	if (n < 0 || n_dropped < 0)
		return n < 0 ? n : n_dropped;
	for (int i = 0; i < n; i++) {
		struct fl_owner *owner = fl_reconciler_owner_of(reconciler, &objects[i]);

		if (owner && owner != &record->owner)
			r = settle(record, &objects[i], ret_error);
		else
			r = fl_reconciler_want(reconciler, &objects[i], &record->owner, ret_error);
		if (r < 0)
			return r;
	}
	return n_dropped;
}

/* peers whose objects another lease had: they may have them now */
static void want_given(struct flannel_node *node)
{
	const struct fl_peers *peers = fl_request_get_peers(node->request);

	for (size_t i = 0; i < peers->n_peers && node->n_giving_way > 0; i++) {
		struct fl_node_peer *record = peers->peers[i]->data;
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		if (!record || !record->gives_way)
			continue;
		(void)want(record, &error);
		set_error(record, error);
	}
}

void fl_node_want_peer(struct flannel_node *node, struct fl_peer *peer)
{
	struct fl_node_peer *record = get_record(node, peer);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (!record) {
		node->context->event_lost = true;
		return;
	}
	r = want(record, &error);
	set_error(record, error);
	if (r != 0 && node->n_giving_way > 0)
		want_given(node);
}

void fl_node_want_all_peers(struct flannel_node *node)
{
	const struct fl_peers *peers = fl_request_get_peers(node->request);

	if (node->state != FLANNEL_NODE_PROGRAM && node->state != FLANNEL_NODE_READY)
		return;
	for (size_t i = 0; i < peers->n_peers; i++)
		fl_node_want_peer(node, peers->peers[i]);
	fl_reconciler_schedule(node->reconciler);
}

void fl_node_forget_peer(struct flannel_node *node, struct fl_peer *peer, bool keep)
{
	struct fl_node_peer *record = peer->data;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (!record)
		return;
	if (fl_reconciler_unwant_all(node->reconciler, &record->owner, keep, &error) < 0)
		fl_log(&node->context->log, FLANNEL_LOG_ERROR, "node", "%s", flannel_error_get_message(error));
	node->n_giving_way -= record->gives_way;
	flannel_error_unref(record->error);
	free(record);
	peer->data = NULL;
	if (!keep && node->n_giving_way > 0)
		want_given(node);
}
