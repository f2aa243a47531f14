/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/watcher_tell.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

/* tells one thing; takes the lease over */
static int tell(struct fl_kube_watcher *watcher, int type, uint64_t revision, struct flannel_lease *lease)
{
	struct flannel_store_message message = {.type = type, .revision = revision, .lease = lease};

	return fl_store_queue_push(watcher->queue, &message);
}

/* what was told of a node is true no longer; another one may have the same subnets, and then they are its */
static int tell_removed(struct fl_kube_watcher *watcher, struct fl_kube_record *record)
{
	struct flannel_lease *lease = FL_TAKE(record->lease);
	const struct fl_kube_record *other = fl_kube_records_find_subnets(&watcher->records, lease);
	int r = other ? tell(watcher, FLANNEL_STORE_LEASE, 0, flannel_lease_ref(other->lease))
		      : tell(watcher, FLANNEL_STORE_REMOVED, 0, flannel_lease_ref(lease));

	flannel_lease_unref(lease);
	return r;
}

/* says once that a node cannot be read */
static void warn(const struct fl_kube_watcher *watcher, struct fl_kube_record *record,
		 const struct flannel_error *error)
{
	if (record->was_warned)
		return;
	record->was_warned = true;
	fl_log(watcher->log, FLANNEL_LOG_WARNING, "store", "%s: passed over", flannel_error_get_message(error));
}

/* takes the lease over: told if it is another one, or if a list is told */
static int note_lease(struct fl_kube_watcher *watcher, struct fl_kube_record *record, struct flannel_lease *lease)
{
	bool is_listing = watcher->state == FL_KUBE_WATCHER_LIST;
	int r = 0;

	record->was_warned = false;
	if (record->lease && !is_listing && flannel_lease_equal(record->lease, lease)) {
		flannel_lease_unref(lease);
		return 0;
	}
	if (record->lease && !fl_kube_same_subnets(record->lease, lease))
		r = tell_removed(watcher, record);
	flannel_lease_unref(record->lease);
	record->lease = lease;
	if (r < 0)
		return r;
	return tell(watcher, FLANNEL_STORE_LEASE, flannel_lease_get_revision(lease), flannel_lease_ref(lease));
}

/* the own node is as it is, or gone (NULL) */
static void report_self(struct fl_kube_watcher *watcher, struct fl_kube_node *node)
{
	const struct fl_kube_watcher_report report = {.news = FL_KUBE_WATCHER_SELF, .node = node};

	watcher->fn(watcher->userdata, &report);
}

/* is it the own node */
static bool is_self(const struct fl_kube_watcher *watcher, const struct fl_kube_node *node)
{
	return watcher->self && strcmp(node->name, watcher->self) == 0;
}

/* a node exists or has changed; what is in it may be taken over */
static int note_node(struct fl_kube_watcher *watcher, struct fl_kube_node *node)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_kube_record *record;
	struct flannel_lease *lease;
	int r;

	if (is_self(watcher, node)) {
		watcher->saw_self = true;
		report_self(watcher, node);
		return 0;
	}
	r = fl_kube_node_get_lease(node, &lease, &error);
	if (r == -ENOMEM)
		return r;
	/* of most nodes of a cluster that runs something else there is nothing to remember */
	record = r == 0 ? fl_kube_records_find(&watcher->records, node->name)
			: fl_kube_records_get(&watcher->records, node->name);
	if (!record) {
		if (r > 0)
			flannel_lease_unref(lease);
		return r == 0 ? 0 : -ENOMEM;
	}
	record->generation = watcher->generation;
	if (r > 0)
		return note_lease(watcher, record, lease);
	if (r < 0)
		warn(watcher, record, error);
	r = record->lease ? tell_removed(watcher, record) : 0;
	return r;
}

/* a node is gone */
static int note_deleted(struct fl_kube_watcher *watcher, const struct fl_kube_node *node)
{
	struct fl_kube_record *record;
	int r;

	if (is_self(watcher, node)) {
		report_self(watcher, NULL);
		return 0;
	}
	record = fl_kube_records_find(&watcher->records, node->name);
	if (!record)
		return 0;
	r = record->lease ? tell_removed(watcher, record) : 0;
	fl_kube_records_remove(&watcher->records, record);
	return r;
}

/* up to here all was told */
static int set_version(struct fl_kube_watcher *watcher, const char *version)
{
	char *copy = strdup(version);

	if (!copy)
		return -ENOMEM;
	free(watcher->version);
	watcher->version = copy;
	watcher->n_stopped = 0;
	watcher->told_ns = fl_loop_now();
	return 0;
}

/* something that cannot be read; nothing follows from it */
static void pass_over(const struct fl_kube_watcher *watcher, const char *what, const struct flannel_error *error)
{
	fl_log(watcher->log, FLANNEL_LOG_WARNING, "store", "%s of the Kubernetes API cannot be read: %s: passed over",
	       what, error ? flannel_error_get_message(error) : "it is too large");
}

int fl_kube_watcher_begin_list(struct fl_kube_watcher *watcher)
{
	if (watcher->has_begun)
		return 0;
	watcher->has_begun = true;
	watcher->saw_self = false;
	watcher->generation++;
	return tell(watcher, FLANNEL_STORE_SNAPSHOT_BEGIN, 0, NULL);
}

int fl_kube_watcher_end_list(struct fl_kube_watcher *watcher, const char *version)
{
	const struct fl_kube_watcher_report report = {.news = FL_KUBE_WATCHER_LIST_ENDS};
	int r = fl_kube_watcher_begin_list(watcher);

	if (r == 0)
		r = set_version(watcher, version);
	if (r < 0)
		return r;
	watcher->has_begun = false;
	fl_kube_records_remove_others(&watcher->records, watcher->generation);
	if (!watcher->saw_self)
		report_self(watcher, NULL);
	watcher->fn(watcher->userdata, &report);
	return tell(watcher, FLANNEL_STORE_SNAPSHOT_END, 0, NULL);
}

int fl_kube_watcher_take_item(void *userdata, const char *text, size_t len)
{
	struct fl_kube_watcher *watcher = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_kube_node_clear) struct fl_kube_node node = {0};
	int r = fl_kube_watcher_begin_list(watcher);

	if (r < 0)
		return r;
	r = text ? fl_kube_node_parse(watcher->keys, text, len, &node, &error) : -EFBIG;
	if (r == 0)
		return note_node(watcher, &node);
	if (r == -ENOMEM)
		return r;
	pass_over(watcher, "an item of a list", error);
	return 0;
}

/* the watch says that it ends, and why */
static int take_error(struct fl_kube_watcher *watcher, struct json_object *object)
{
	watcher->stopped = (struct fl_kube_answer){0};
	fl_kube_answer_read_object(&watcher->stopped, object);
	if (!watcher->stopped.status)
		watcher->stopped.status = 500;
	return -ECANCELED;
}

/* a bookmark: all up to its version was told */
static int take_bookmark(struct fl_kube_watcher *watcher, struct json_object *object)
{
	struct json_object *metadata = NULL;
	const char *version = NULL;

	if (fl_json_get_object(object, "object", "metadata", &metadata, NULL) > 0 &&
	    fl_json_get_string(metadata, "metadata", "resourceVersion", &version, NULL) > 0 && *version)
		return set_version(watcher, version);
	return 0;
}

/* an event about a node */
static int take_change(struct fl_kube_watcher *watcher, const char *type, struct json_object *object)
{
	FL_CLEANUP(fl_kube_node_clear) struct fl_kube_node node = {0};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_kube_node_read(watcher->keys, object, &node, &error);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		pass_over(watcher, "an event", error);
		return 0;
	}
	watcher->n_changes++;
	if (node.version && *node.version)
		r = set_version(watcher, node.version);
	if (r < 0)
		return r;
	if (strcmp(type, "DELETED") == 0)
		return note_deleted(watcher, &node);
	return note_node(watcher, &node);
}

int fl_kube_watcher_take_event(void *userdata, const char *text, size_t len)
{
	struct fl_kube_watcher *watcher = userdata;
	FL_CLEANUP(fl_json_unrefp) struct json_object *event = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct json_object *object = NULL;
	const char *type = NULL;
	int r = text ? fl_json_parse(text, len, "event", &event, &error) : -EFBIG;

	watcher->is_useful = true;
	if (r == 0)
		r = fl_json_get_string(event, "event", "type", &type, &error);
	if (r > 0)
		r = fl_json_get_object(event, "event", "object", &object, &error);
	if (r == -ENOMEM)
		return r;
	if (r <= 0) {
		pass_over(watcher, "an event", error);
		return 0;
	}
	if (strcmp(type, "ERROR") == 0)
		return take_error(watcher, object);
	if (strcmp(type, "BOOKMARK") == 0)
		return take_bookmark(watcher, object);
	/* what a newer server may tell besides */
	if (strcmp(type, "ADDED") != 0 && strcmp(type, "MODIFIED") != 0 && strcmp(type, "DELETED") != 0)
		return 0;
	return take_change(watcher, type, object);
}
