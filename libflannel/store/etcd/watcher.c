/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/watcher.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "messages.pb-c.h"

/* leases of one page of a list */
#define PAGE_SIZE 1000

/* the answer to the question for a sign of life has so much of the time that passes before it is asked */
#define ANSWER_PART(heartbeat_ms) ((heartbeat_ms)*3 / 5)

/* the numbers of the two watches on the stream */
#define WATCH_SUBNETS 1
#define WATCH_CONFIG 2

/* bytes of a message, borrowed */
static ProtobufCBinaryData bytes_of(const char *text)
{
	return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}

/* appends a message; takes over what it points to */
static int tell(struct fl_etcd_watcher *watcher, int type, int64_t revision, struct flannel_lease *lease)
{
	struct flannel_store_message message = {.type = type, .revision = (uint64_t)revision, .lease = lease};

	return fl_store_queue_push(watcher->queue, &message);
}

/*
 * The end of a lease. etcd tells how long an etcd lease has left only one by one; for the leases of others the longest that it can be has
 * to do.
 */
static int64_t expires_sec(const Etcd__KeyValue *kv)
{
	return kv->lease ? time(NULL) + FLANNEL_DEFAULT_LEASE_SEC : 0;
}

/* is a key one of those that have a lease */
static bool is_below(const struct fl_etcd_watcher *watcher, const ProtobufCBinaryData *key)
{
	size_t len = strlen(watcher->keys->subnets);

	return key->len > len && memcmp(key->data, watcher->keys->subnets, len) == 0;
}

/* tells of a lease; one that cannot be read is left out */
static int tell_lease(struct fl_etcd_watcher *watcher, const Etcd__KeyValue *kv)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_lease *lease = NULL;
	int r;

	r = fl_etcd_keys_parse(watcher->keys, kv->key.data, kv->key.len, kv->value.data, kv->value.len, expires_sec(kv),
			       (uint64_t)kv->mod_revision, &lease, &error);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		fl_log(watcher->log, FLANNEL_LOG_WARNING, "store", "%s: passed over", flannel_error_get_message(error));
		return 0;
	}
	return tell(watcher, FLANNEL_STORE_LEASE, kv->mod_revision, lease);
}

/* tells that a lease is gone; what it was is in the previous value, if that can be read */
static int tell_removed(struct fl_etcd_watcher *watcher, const Etcd__Event *event)
{
	const Etcd__KeyValue *kv = event->kv, *before = event->prev_kv;
	struct flannel_lease *lease = NULL;
	int r = -EINVAL;

	if (before)
		r = fl_etcd_keys_parse(watcher->keys, kv->key.data, kv->key.len, before->value.data, before->value.len,
				       expires_sec(before), (uint64_t)kv->mod_revision, &lease, NULL);
	if (r == -EINVAL)
		r = fl_etcd_keys_parse_bare(watcher->keys, kv->key.data, kv->key.len, (uint64_t)kv->mod_revision,
					    &lease, NULL);
	/* a key that was never one of ours */
	if (r == -EINVAL)
		return 0;
	return r < 0 ? r : tell(watcher, FLANNEL_STORE_REMOVED, kv->mod_revision, lease);
}

/* tells of a configuration */
static int tell_config(struct fl_etcd_watcher *watcher, const Etcd__Event *event)
{
	const Etcd__KeyValue *kv = event->kv;
	struct flannel_store_message message = {.type = FLANNEL_STORE_CONFIG_CHANGED};

	if (event->type != ETCD__EVENT__TYPE__PUT)
		return 0;
	message.revision = (uint64_t)kv->mod_revision;
	message.config = strndup(kv->value.len ? (char *)kv->value.data : "", kv->value.len);
	return message.config ? fl_store_queue_push(watcher->queue, &message) : -ENOMEM;
}

/* drops what is on its way */
static void stop(struct fl_etcd_watcher *watcher)
{
	watcher->ask = fl_etcd_ask_free(watcher->ask);
	watcher->stream = fl_grpc_call_free(watcher->stream);
	fl_source_set_deadline(watcher->heartbeat, UINT64_MAX);
}

/* forgets how far a list was told */
static void rewind_list(struct fl_etcd_watcher *watcher)
{
	watcher->list_revision = 0;
	free(watcher->page_key);
	watcher->page_key = NULL;
	watcher->page_key_len = 0;
}

/* something failed: what is due is run again later, a list from its beginning */
static void fail(struct fl_etcd_watcher *watcher, struct flannel_error *error)
{
	stop(watcher);
	rewind_list(watcher);
	if (watcher->state == FL_ETCD_WATCHER_FOLLOW)
		watcher->state = FL_ETCD_WATCHER_OPEN;
	watcher->fn(watcher->userdata, FL_ETCD_WATCHER_FAILED, error);
}

/* the same, without memory: what was told may have a hole */
static void fail_oom(struct fl_etcd_watcher *watcher)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	(void)fl_error_oom(&error);
	watcher->state = FL_ETCD_WATCHER_LIST;
	fail(watcher, error);
}

/* does what is due now; a failure to do so is one like any other */
static void go_on(struct fl_etcd_watcher *watcher)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (fl_etcd_watcher_run(watcher, &error) < 0)
		fail(watcher, error);
}

/* notes where the next page begins: right behind the last key */
static int set_page_key(struct fl_etcd_watcher *watcher, const ProtobufCBinaryData *last)
{
	uint8_t *key = malloc(last->len + 1);

	if (!key)
		return -ENOMEM;
	memcpy(key, last->data, last->len);
	key[last->len] = 0;
	free(watcher->page_key);
	watcher->page_key = key;
	watcher->page_key_len = last->len + 1;
	return 0;
}

/* tells a page */
static int tell_page(struct fl_etcd_watcher *watcher, const Etcd__RangeResponse *page)
{
	int r = 0;

	if (!watcher->list_revision) {
		watcher->cluster = page->header->cluster_id;
		watcher->list_revision = page->header->revision;
		watcher->fn(watcher->userdata, FL_ETCD_WATCHER_LISTED, NULL);
		r = tell(watcher, FLANNEL_STORE_SNAPSHOT_BEGIN, 0, NULL);
	}
	for (size_t i = 0; i < page->n_kvs && r == 0; i++)
		r = tell_lease(watcher, page->kvs[i]);
	if (r < 0)
		return r;
	if (page->more && page->n_kvs)
		return set_page_key(watcher, &page->kvs[page->n_kvs - 1]->key);
	watcher->revision = watcher->list_revision;
	rewind_list(watcher);
	watcher->state = FL_ETCD_WATCHER_OPEN;
	return tell(watcher, FLANNEL_STORE_SNAPSHOT_END, watcher->revision, NULL);
}

/* a page of the list has come */
static void on_page(void *userdata, const struct fl_grpc_status *status, const ProtobufCMessage *reply,
		    struct flannel_error *error)
{
	struct fl_etcd_watcher *watcher = userdata;
	FL_CLEANUP_ERROR struct flannel_error *unread = NULL;
	const Etcd__RangeResponse *page = (const Etcd__RangeResponse *)reply;

	(void)status;
	watcher->ask = fl_etcd_ask_free(watcher->ask);
	if (!error && !page->header)
		(void)fl_error_set_retryable(&unread, -EBADMSG, "store", "the answer has no header",
					     "list leases of etcd");
	if (error || unread)
		fail(watcher, error ? error : unread);
	else if (tell_page(watcher, page) < 0)
		fail_oom(watcher);
	else
		go_on(watcher);
}

/* asks for the first or the next page */
static int list(struct fl_etcd_watcher *watcher, struct flannel_error **ret_error)
{
	Etcd__RangeRequest range = ETCD__RANGE_REQUEST__INIT;

	range.key = bytes_of(watcher->keys->subnets);
	if (watcher->page_key)
		range.key = (ProtobufCBinaryData){.len = watcher->page_key_len, .data = watcher->page_key};
	range.range_end = bytes_of(watcher->keys->subnets_end);
	range.limit = PAGE_SIZE;
	range.revision = watcher->list_revision;
	return fl_etcd_ask_new(watcher->client, &fl_etcd_range, &range.base, on_page, watcher, &watcher->ask,
			       ret_error);
}

/* the second watch, of the configuration; the first one stands */
static int watch_config(struct fl_etcd_watcher *watcher, struct flannel_error **ret_error)
{
	Etcd__WatchCreateRequest create = ETCD__WATCH_CREATE_REQUEST__INIT;
	Etcd__WatchRequest message = ETCD__WATCH_REQUEST__INIT;
	int64_t since = watcher->revision;

	/* it was read before the leases were listed, if at all; later the stream told of it */
	if (watcher->config_revision && (int64_t)watcher->config_revision < since)
		since = (int64_t)watcher->config_revision;
	create.key = bytes_of(watcher->keys->config);
	create.start_revision = since + 1;
	create.watch_id = WATCH_CONFIG;
	message.request_case = ETCD__WATCH_REQUEST__REQUEST_CREATE;
	message.create = &create;
	return fl_etcd_send(watcher->stream, &message.base, ret_error);
}

/* the answer to one of the two: 1 if the stream can go on, 0 if the list has to be told again, negative */
static int on_created(struct fl_etcd_watcher *watcher, const Etcd__WatchResponse *response,
		      struct flannel_error **ret_error)
{
	if (++watcher->n_created > 1) {
		watcher->config_revision = 0;
		return 1;
	}
	if (!response->header || response->header->cluster_id != watcher->cluster ||
	    response->header->revision < watcher->revision) {
		fl_log(watcher->log, FLANNEL_LOG_WARNING, "store",
		       "etcd is at revision %lld, was at %lld: another cluster, or restored from a copy",
		       response->header ? (long long)response->header->revision : 0, (long long)watcher->revision);
		return 0;
	}
	watcher->state = FL_ETCD_WATCHER_FOLLOW;
	return watch_config(watcher, ret_error) < 0 ? -ENOMEM : 1;
}

/* a watch was ended by the server: as on_created() */
static int on_canceled(struct fl_etcd_watcher *watcher, const Etcd__WatchResponse *response,
		       struct flannel_error **ret_error)
{
	struct fl_grpc_status status = {.code = FL_GRPC_UNAVAILABLE};

	/* without news of the configuration one can live */
	if (watcher->state == FL_ETCD_WATCHER_FOLLOW && response->watch_id != WATCH_SUBNETS) {
		watcher->config_revision = 0;
		fl_log(watcher->log, FLANNEL_LOG_DEBUG, "store", "the configuration is not watched: %s",
		       response->cancel_reason);
		return 1;
	}
	if (response->compact_revision) {
		fl_log(watcher->log, FLANNEL_LOG_DEBUG, "store",
		       "etcd has forgotten what came before revision %lld: the leases are listed again",
		       (long long)response->compact_revision);
		return 0;
	}
	(void)strncpy(status.message, response->cancel_reason, sizeof(status.message) - 1);
	return fl_etcd_client_stream_ended(watcher->client, watcher->endpoint, &status, "watch leases of", ret_error);
}

/* tells of changes; all of one revision come together */
static int tell_events(struct fl_etcd_watcher *watcher, const Etcd__WatchResponse *response)
{
	int r = 0;

	for (size_t i = 0; i < response->n_events && r == 0; i++) {
		const Etcd__Event *event = response->events[i];

		if (!event->kv)
			continue;
		if (!is_below(watcher, &event->kv->key))
			r = tell_config(watcher, event);
		else if (event->type == ETCD__EVENT__TYPE__PUT)
			r = tell_lease(watcher, event->kv);
		else
			r = tell_removed(watcher, event);
		if (response->watch_id == WATCH_SUBNETS && event->kv->mod_revision > watcher->revision)
			watcher->revision = event->kv->mod_revision;
	}
	return r;
}

/* does what a message on the stream says: as on_created() */
static int take_response(struct fl_etcd_watcher *watcher, const Etcd__WatchResponse *response,
			 struct flannel_error **ret_error)
{
	if (response->canceled)
		return on_canceled(watcher, response, ret_error);
	if (response->created)
		return on_created(watcher, response, ret_error);
	if (tell_events(watcher, response) < 0) {
		watcher->state = FL_ETCD_WATCHER_LIST;
		return fl_error_oom(ret_error);
	}
	/*
	 * What the server says of its own accord counts: everything up to that revision was told. The sign of life that was asked for
	 * has no such meaning (etcd before 3.4.25 sends it ahead of changes), nor has it the watch's number.
	 */
	if (response->n_events == 0 && response->watch_id == WATCH_SUBNETS && response->header &&
	    response->header->revision > watcher->revision)
		watcher->revision = response->header->revision;
	return 1;
}

/* a message on the stream */
static void on_message(void *userdata, const uint8_t *bytes, size_t len)
{
	struct fl_etcd_watcher *watcher = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	Etcd__WatchResponse *response = etcd__watch_response__unpack(NULL, len, bytes);
	int r = -EBADMSG;

	fl_source_set_deadline(watcher->heartbeat, fl_loop_now() + watcher->heartbeat_ms * FL_NSEC_PER_MSEC);
	if (response)
		r = take_response(watcher, response, &error);
	else
		(void)fl_error_set_retryable(&error, r, "store", "a message cannot be read", "watch leases of etcd");
	if (response)
		etcd__watch_response__free_unpacked(response, NULL);
	if (r < 0) {
		fail(watcher, error);
	} else if (r == 0) {
		fl_etcd_watcher_restart(watcher);
		go_on(watcher);
	} else if (watcher->state == FL_ETCD_WATCHER_FOLLOW) {
		watcher->fn(watcher->userdata, FL_ETCD_WATCHER_ADVANCED, NULL);
	}
}

/* the stream has ended, which it should not */
static void on_end(void *userdata, const struct fl_grpc_status *status)
{
	struct fl_etcd_watcher *watcher = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	(void)fl_etcd_client_stream_ended(watcher->client, watcher->endpoint, status, "watch leases of", &error);
	fail(watcher, error);
}

static const struct fl_grpc_handler stream_handler = {.message = on_message, .end = on_end};

/* opens the stream where the last one, or the list, ended */
static int open_stream(struct fl_etcd_watcher *watcher, struct flannel_error **ret_error)
{
	Etcd__WatchCreateRequest create = ETCD__WATCH_CREATE_REQUEST__INIT;
	Etcd__WatchRequest message = ETCD__WATCH_REQUEST__INIT;

	create.key = bytes_of(watcher->keys->subnets);
	create.range_end = bytes_of(watcher->keys->subnets_end);
	create.start_revision = watcher->revision + 1;
	create.progress_notify = true;
	create.prev_kv = true;
	create.watch_id = WATCH_SUBNETS;
	message.request_case = ETCD__WATCH_REQUEST__REQUEST_CREATE;
	message.create = &create;
	watcher->n_created = 0;
	return fl_etcd_client_stream(watcher->client, "/etcdserverpb.Watch/Watch", &message.base,
				     watcher->heartbeat_ms + ANSWER_PART(watcher->heartbeat_ms), &stream_handler,
				     watcher, &watcher->stream, &watcher->endpoint, ret_error);
}

/* nothing has come for a while: does the stream still live */
static void on_heartbeat(void *userdata, uint32_t events)
{
	struct fl_etcd_watcher *watcher = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	Etcd__WatchProgressRequest progress = ETCD__WATCH_PROGRESS_REQUEST__INIT;
	Etcd__WatchRequest message = ETCD__WATCH_REQUEST__INIT;

	(void)events;
	message.request_case = ETCD__WATCH_REQUEST__REQUEST_PROGRESS;
	message.progress = &progress;
	/* an answer, or the silence that the stream does not bear, goes on */
	if (watcher->stream && fl_etcd_send(watcher->stream, &message.base, &error) < 0)
		fail(watcher, error);
}

int fl_etcd_watcher_init(struct fl_etcd_watcher *watcher, struct fl_loop *loop, struct flannel_error **ret_error)
{
	return fl_loop_add_timer(loop, on_heartbeat, watcher, &watcher->heartbeat, ret_error);
}

void fl_etcd_watcher_deinit(struct fl_etcd_watcher *watcher)
{
	if (watcher->heartbeat)
		stop(watcher);
	watcher->heartbeat = fl_source_free(watcher->heartbeat);
	rewind_list(watcher);
	watcher->state = FL_ETCD_WATCHER_OFF;
}

void fl_etcd_watcher_restart(struct fl_etcd_watcher *watcher)
{
	stop(watcher);
	rewind_list(watcher);
	watcher->state = FL_ETCD_WATCHER_LIST;
}

int fl_etcd_watcher_run(struct fl_etcd_watcher *watcher, struct flannel_error **ret_error)
{
	if (watcher->state == FL_ETCD_WATCHER_LIST && !watcher->ask)
		return list(watcher, ret_error);
	if (watcher->state == FL_ETCD_WATCHER_OPEN && !watcher->stream)
		return open_stream(watcher, ret_error);
	return 0;
}

bool fl_etcd_watcher_has_told(const struct fl_etcd_watcher *watcher, uint64_t revision)
{
	return watcher->state == FL_ETCD_WATCHER_OFF ||
	       (watcher->state != FL_ETCD_WATCHER_LIST && (uint64_t)watcher->revision >= revision);
}
