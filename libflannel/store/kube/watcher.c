/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/watcher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/json.h"
#include "store/kube/watcher_tell.h"

#define NODES "/api/v1/nodes"
#define PAGE_SIZE 500

/* A watch ends by itself after a time between these, so that not all nodes come back at once; where little happens, after the first. */
#define WATCH_QUIET_SEC 10
#define WATCH_MIN_SEC 300
#define WATCH_MAX_SEC 600

/* so many changes in ten seconds are enough for a watch that lasts: a longer silence is most unlikely then */
#define BUSY_CHANGES 5

/*
 * After such a time without anything told, all are listed. A watch that begins at a version which is still to come is silent, too: etcd may have been
 * restored from a copy.
 */
#define TOLD_MAX_NS (600 * FL_NSEC_PER_SEC)

/* After a watch that ended sooner, without having told anything, the next one waits: it would be opened again and again. */
#define USELESS_NS FL_NSEC_PER_SEC
#define USELESS_PAUSE_FIRST_NS (50 * FL_NSEC_PER_MSEC)
#define USELESS_PAUSE_LONGEST_NS (1200 * FL_NSEC_PER_MSEC)

/* so many watches in a row that end in an error are tried again where they are: it may be something at this place that cannot be told */
#define STOPPED_MAX 2

/* drops what is on its way */
static void stop(struct fl_kube_watcher *watcher)
{
	watcher->call = fl_kube_call_free(watcher->call);
	fl_kube_scanner_clear(&watcher->scanner);
}

/* forgets how far a list was told */
static void rewind_list(struct fl_kube_watcher *watcher)
{
	watcher->has_begun = false;
	free(watcher->next_page);
	watcher->next_page = NULL;
}

/* tells that something failed; what is due is run again later, a list from its beginning */
static void fail(struct fl_kube_watcher *watcher, struct flannel_error *error, uint32_t retry_after_ms)
{
	const struct fl_kube_watcher_report report = {
		.news = FL_KUBE_WATCHER_FAILED, .error = error, .retry_after_ms = retry_after_ms};

	watcher->is_doubtful = true;
	fl_kube_watcher_reopen(watcher);
	watcher->fn(watcher->userdata, &report);
}

/* the same for an answer */
static void fail_answer(struct fl_kube_watcher *watcher, const struct fl_kube_answer *answer, const char *operation)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	(void)fl_kube_answer_fail(answer, operation, fl_kube_client_get_server(watcher->client), &error);
	fail(watcher, error, answer->retry_after_ms);
}

/* does what is due now; a failure to do so is one like any other */
static void go_on(struct fl_kube_watcher *watcher)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (fl_kube_watcher_run(watcher, &error) < 0)
		fail(watcher, error, 0);
}

/* tells that all is well */
static void advance(struct fl_kube_watcher *watcher)
{
	const struct fl_kube_watcher_report report = {.news = FL_KUBE_WATCHER_ADVANCED};

	watcher->fn(watcher->userdata, &report);
}

/* what came in of a list or a watch */
static int on_bytes(void *userdata, const char *bytes, size_t len)
{
	struct fl_kube_watcher *watcher = userdata;

	return fl_kube_scanner_feed(&watcher->scanner, bytes, len);
}

/* what a list says besides its items: version, and the token of the next page, if there is one */
static int read_rest(struct fl_kube_watcher *watcher, char **ret_version, struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct fl_kube_text *rest = &watcher->scanner.rest;
	FL_CLEANUP(fl_json_unrefp) struct json_object *list = NULL;
	struct json_object *metadata = NULL;
	const char *version = NULL, *next = NULL, *kind = NULL;
	int r = -EBADMSG;

	if (fl_kube_scanner_is_complete(&watcher->scanner))
		r = fl_json_parse(rest->bytes, rest->len, "NodeList", &list, &error);
	if (r == 0)
		r = fl_json_get_string(list, "NodeList", "kind", &kind, &error);
	if (r > 0 && strcmp(kind, "NodeList") != 0)
		r = -EBADMSG;
	if (r > 0)
		r = fl_json_get_object(list, "NodeList", "metadata", &metadata, &error);
	if (r > 0)
		r = fl_json_get_string(metadata, "metadata", "resourceVersion", &version, &error);
	if (r > 0)
		r = fl_json_get_string(metadata, "metadata", "continue", &next, &error);
	if (r == -ENOMEM)
		return fl_error_oom(ret_error);
	if (r < 0 || !version || !*version)
		return fl_error_set_retryable(ret_error, -EBADMSG, "store",
					      error ? flannel_error_get_message(error)
						    : "the answer is no complete NodeList",
					      "list Nodes at %s", fl_kube_client_get_server(watcher->client));
	*ret_version = strdup(version);
	free(watcher->next_page);
	watcher->next_page = next && *next ? strdup(next) : NULL;
	if (!*ret_version || (next && *next && !watcher->next_page)) {
		free(*ret_version);
		*ret_version = NULL;
		return fl_error_oom(ret_error);
	}
	return 0;
}

/* a list, or a page of it, has come */
static void finish_list(struct fl_kube_watcher *watcher)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *version = NULL;
	int r = read_rest(watcher, &version, &error);

	stop(watcher);
	if (r == 0)
		r = fl_kube_watcher_begin_list(watcher) < 0 ? fl_error_oom(&error) : 0;
	if (r == 0 && !watcher->next_page) {
		r = fl_kube_watcher_end_list(watcher, version) < 0 ? fl_error_oom(&error) : 0;
		if (r == 0)
			watcher->state = FL_KUBE_WATCHER_OPEN;
		watcher->list = FL_KUBE_LIST_NOT_OLDER;
		watcher->is_doubtful = false;
	}
	if (r < 0) {
		fail(watcher, error, 0);
		return;
	}
	advance(watcher);
	/* the user may have changed its mind */
	if (!watcher->call)
		go_on(watcher);
}

/*
 * A list was refused for what it asked for: 410 for a version or a page that is gone, 504 for a version that is not there yet, 400 for what
 * a server does not know. Another way to ask is tried at once; false if there is none.
 */
static bool ask_otherwise(struct fl_kube_watcher *watcher, int status)
{
	bool is_gone = status == FL_KUBE_STATUS_GONE || status == 400;

	if (watcher->list == FL_KUBE_LIST_NOT_OLDER && (is_gone || status == 504))
		watcher->list = FL_KUBE_LIST_PAGES;
	else if (watcher->list == FL_KUBE_LIST_ANY && is_gone)
		watcher->list = FL_KUBE_LIST_PAGES;
	else if (watcher->next_page && is_gone)
		watcher->list = FL_KUBE_LIST_WHOLE;
	else
		return false;
	return true;
}

/* the end of a list */
static void on_list_end(void *userdata, const struct fl_kube_answer *answer)
{
	struct fl_kube_watcher *watcher = userdata;

	if (answer->status >= 200 && answer->status < 300) {
		finish_list(watcher);
	} else if (ask_otherwise(watcher, answer->status)) {
		fl_log(watcher->log, FLANNEL_LOG_DEBUG, "store", "Nodes are listed in another way: %s",
		       answer->message);
		fl_kube_watcher_reopen(watcher);
		go_on(watcher);
	} else {
		fail_answer(watcher, answer, "list Nodes");
	}
}

static const struct fl_kube_handler list_handler = {.bytes = on_bytes, .end = on_list_end};

/* appends a value to a path, percent-encoded; false if there is no room */
static bool put_value(char *path, size_t size, const char *value)
{
	const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	size_t at = strlen(path);

	for (; *value; value++) {
		if (size - at < 4)
			return false;
		at += (size_t)snprintf(path + at, size - at, strchr(plain, *value) ? "%c" : "%%%02X",
				       (unsigned int)(unsigned char)*value);
	}
	return true;
}

/* the path of the first or the next page */
static bool list_path(const struct fl_kube_watcher *watcher, char *path, size_t size)
{
	(void)snprintf(path, size, NODES "?limit=%d", PAGE_SIZE);
	if (watcher->next_page) {
		(void)strncat(path, "&continue=", size - strlen(path) - 1);
		return put_value(path, size, watcher->next_page);
	}
	if (watcher->list == FL_KUBE_LIST_ANY)
		(void)strncat(path, "&resourceVersion=0", size - strlen(path) - 1);
	if (watcher->list == FL_KUBE_LIST_NOT_OLDER) {
		(void)snprintf(path, size, NODES "?resourceVersion=");
		return put_value(path, size, watcher->version);
	}
	if (watcher->list == FL_KUBE_LIST_WHOLE)
		(void)snprintf(path, size, NODES);
	return true;
}

/* asks for the list, or its next page */
static int list(struct fl_kube_watcher *watcher, struct flannel_error **ret_error)
{
	const struct fl_kube_request request = {
		.method = "GET", .path = (char[4096]){0}, .is_fresh = watcher->is_moved};

	if (watcher->list == FL_KUBE_LIST_NOT_OLDER && !watcher->version)
		watcher->list = FL_KUBE_LIST_ANY;
	if (!list_path(watcher, (char *)request.path, 4096))
		return fl_error_set_retryable(ret_error, -EBADMSG, "store", "the token of the next page is too long",
					      "list Nodes");
	watcher->is_moved = false;
	fl_kube_scanner_init(&watcher->scanner, FL_KUBE_SCAN_LIST, fl_kube_watcher_take_item, watcher);
	return fl_kube_call_new(watcher->client, &request, &list_handler, watcher, &watcher->call, ret_error);
}

/* is a version an earlier one: numbers, of which a server gives no other account, compared as the texts that they are */
static bool is_earlier(const char *version, const char *than)
{
	size_t len = strlen(version), than_len = strlen(than);

	return len != than_len ? len < than_len : strcmp(version, than) < 0;
}

/* the server has told how far it is */
static void on_check_end(void *userdata, const struct fl_kube_answer *answer)
{
	struct fl_kube_watcher *watcher = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *version = NULL;

	if (answer->status < 200 || answer->status >= 300) {
		fail_answer(watcher, answer, "list Nodes");
		return;
	}
	if (read_rest(watcher, &version, &error) < 0) {
		fail(watcher, error, 0);
		return;
	}
	watcher->is_doubtful = false;
	if (is_earlier(version, watcher->version)) {
		fl_log(watcher->log, FLANNEL_LOG_WARNING, "store",
		       "the Kubernetes API is at version %s, was at %s: restored from a copy", version,
		       watcher->version);
		fl_kube_watcher_restart(watcher);
		watcher->list = FL_KUBE_LIST_PAGES;
	} else {
		fl_kube_watcher_reopen(watcher);
	}
	go_on(watcher);
}

/* the one Node is not what is asked for */
static int pass_item(void *userdata, const char *text, size_t len)
{
	(void)userdata;
	(void)text;
	(void)len;
	return 0;
}

static const struct fl_kube_handler check_handler = {.bytes = on_bytes, .end = on_check_end};

/* asks how far the server is; the answer comes from etcd */
static int check(struct fl_kube_watcher *watcher, struct flannel_error **ret_error)
{
	const struct fl_kube_request request = {
		.method = "GET", .path = NODES "?limit=1", .is_fresh = watcher->is_moved};

	watcher->is_moved = false;
	fl_kube_scanner_init(&watcher->scanner, FL_KUBE_SCAN_LIST, pass_item, NULL);
	return fl_kube_call_new(watcher->client, &request, &check_handler, watcher, &watcher->call, ret_error);
}

/* the watch stands, or more of it came */
static void on_watch_news(void *userdata)
{
	struct fl_kube_watcher *watcher = userdata;

	if (watcher->state != FL_KUBE_WATCHER_OPEN)
		return;
	watcher->state = FL_KUBE_WATCHER_FOLLOW;
	advance(watcher);
}

/* the version at which the watch stopped is gone: all are listed again */
static void relist(struct fl_kube_watcher *watcher, const char *why)
{
	fl_log(watcher->log, FLANNEL_LOG_DEBUG, "store", "Nodes are listed again: %s", why);
	fl_kube_watcher_restart(watcher);
	go_on(watcher);
}

/* a watch on which nothing came for too long: opened again over another connection */
static void end_silence(struct fl_kube_watcher *watcher, const struct fl_kube_answer *answer)
{
	watcher->is_busy = false;
	fl_log(watcher->log, FLANNEL_LOG_DEBUG, "store", "the watch of Nodes is opened again: %s", answer->message);
	fl_kube_watcher_reopen(watcher);
	go_on(watcher);
}

/* a watch ended, as it should some time: the next one is opened */
static void open_next(struct fl_kube_watcher *watcher)
{
	const struct fl_kube_watcher_report report = {.news = FL_KUBE_WATCHER_WAITS};
	uint64_t now = fl_loop_now(), pause = USELESS_PAUSE_FIRST_NS;

	if (now - watcher->told_ns > TOLD_MAX_NS) {
		relist(watcher, "nothing has happened for long");
		return;
	}
	if (now - watcher->opened_ns < (WATCH_QUIET_SEC + 1) * FL_NSEC_PER_SEC)
		watcher->is_busy = watcher->n_changes >= BUSY_CHANGES;
	fl_kube_watcher_reopen(watcher);
	if (watcher->is_useful || now - watcher->opened_ns >= USELESS_NS) {
		watcher->n_useless = 0;
		go_on(watcher);
		return;
	}
	for (size_t i = 0; i < watcher->n_useless && pause < USELESS_PAUSE_LONGEST_NS; i++)
		pause *= 2;
	watcher->n_useless++;
	watcher->open_ns = now + (pause < USELESS_PAUSE_LONGEST_NS ? pause : USELESS_PAUSE_LONGEST_NS);
	watcher->fn(watcher->userdata, &report);
}

/* the end of a watch */
static void on_watch_end(void *userdata, const struct fl_kube_answer *answer)
{
	struct fl_kube_watcher *watcher = userdata;
	struct fl_kube_answer stopped = watcher->stopped;

	if (answer->status == FL_KUBE_STATUS_GONE || stopped.status == FL_KUBE_STATUS_GONE) {
		relist(watcher, stopped.status ? stopped.message : answer->message);
	} else if (stopped.status) {
		if (++watcher->n_stopped > STOPPED_MAX)
			fl_kube_watcher_restart(watcher);
		fail_answer(watcher, &stopped, "watch Nodes");
	} else if (answer->is_silence) {
		end_silence(watcher, answer);
	} else if (answer->status == 200) {
		open_next(watcher);
	} else {
		/* it would be the same again, or something is missing in what was told */
		if (answer->is_unreadable)
			fl_kube_watcher_restart(watcher);
		fail_answer(watcher, answer, "watch Nodes");
	}
}

static const struct fl_kube_handler watch_handler = {.bytes = on_bytes, .news = on_watch_news, .end = on_watch_end};

/* opens the watch where the last one, or the list, ended */
static int open_watch(struct fl_kube_watcher *watcher, struct flannel_error **ret_error)
{
	const struct fl_kube_request request = {
		.method = "GET", .path = (char[512]){0}, .is_watch = true, .is_fresh = watcher->is_moved};
	char *path = (char *)request.path;
	uint32_t random = 0, seconds = WATCH_QUIET_SEC;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	if (watcher->is_busy)
		seconds = WATCH_MIN_SEC + random % (WATCH_MAX_SEC - WATCH_MIN_SEC + 1);
	(void)snprintf(path, 512,
		       NODES "?allowWatchBookmarks=true&watch=true&timeoutSeconds=%u&resourceVersion=", seconds);
	if (!put_value(path, 512, watcher->version))
		return fl_error_set_retryable(ret_error, -EBADMSG, "store", "the version is too long", "watch Nodes");
	watcher->stopped = (struct fl_kube_answer){0};
	watcher->is_useful = false;
	watcher->n_changes = 0;
	watcher->is_moved = false;
	watcher->opened_ns = fl_loop_now();
	fl_kube_scanner_init(&watcher->scanner, FL_KUBE_SCAN_WATCH, fl_kube_watcher_take_event, watcher);
	return fl_kube_call_new(watcher->client, &request, &watch_handler, watcher, &watcher->call, ret_error);
}

void fl_kube_watcher_deinit(struct fl_kube_watcher *watcher)
{
	stop(watcher);
	rewind_list(watcher);
	fl_kube_records_clear(&watcher->records);
	free(watcher->version);
	watcher->version = NULL;
	watcher->state = FL_KUBE_WATCHER_OFF;
}

void fl_kube_watcher_restart(struct fl_kube_watcher *watcher)
{
	stop(watcher);
	rewind_list(watcher);
	watcher->n_stopped = 0;
	watcher->state = FL_KUBE_WATCHER_LIST;
}

void fl_kube_watcher_reopen(struct fl_kube_watcher *watcher)
{
	stop(watcher);
	rewind_list(watcher);
	if (watcher->state == FL_KUBE_WATCHER_FOLLOW)
		watcher->state = FL_KUBE_WATCHER_OPEN;
}

int fl_kube_watcher_run(struct fl_kube_watcher *watcher, struct flannel_error **ret_error)
{
	if (watcher->call)
		return 0;
	if (watcher->state == FL_KUBE_WATCHER_LIST)
		return list(watcher, ret_error);
	if (watcher->state == FL_KUBE_WATCHER_OPEN && fl_loop_now() >= watcher->open_ns)
		return watcher->is_doubtful ? check(watcher, ret_error) : open_watch(watcher, ret_error);
	return 0;
}

uint64_t fl_kube_watcher_next_ns(const struct fl_kube_watcher *watcher)
{
	return watcher->state == FL_KUBE_WATCHER_OPEN && !watcher->call ? watcher->open_ns : UINT64_MAX;
}
