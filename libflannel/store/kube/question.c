/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "store/kube/kube_state.h"

/* is it one of success */
static bool is_success(const struct fl_kube_answer *answer)
{
	return answer->status >= 200 && answer->status < 300;
}

/* what is asked, for messages */
static void describe(const struct fl_kube *store, char *buf, size_t size)
{
	const char *name = store->address.node ? store->address.node : "";

	switch (store->ask) {
	case FL_KUBE_ASK_POD:
		(void)snprintf(buf, size, "read Pod %.100s/%.100s", store->address.pod_namespace, store->address.pod);
		return;
	case FL_KUBE_ASK_NODE:
		(void)snprintf(buf, size, "read Node %.200s", name);
		return;
	case FL_KUBE_ASK_CONDITION:
		(void)snprintf(buf, size, "write the condition of Node %.200s", name);
		return;
	default:
		(void)snprintf(buf, size, "annotate Node %.200s", name);
	}
}

/* the error for an answer that is none of success */
static void make_error(const struct fl_kube *store, const struct fl_kube_answer *answer,
		       struct flannel_error **ret_error)
{
	char operation[256];

	describe(store, operation, sizeof(operation));
	(void)fl_kube_answer_fail(answer, operation, fl_kube_client_get_server(store->client), ret_error);
}

/* keeps the object of an answer; runs inside of libcurl */
static int keep_object(void *userdata, const char *text, size_t len)
{
	struct fl_kube *store = userdata;

	if (!text)
		return -EFBIG;
	store->answer.bytes = strndup(text, len);
	store->answer.len = len;
	return store->answer.bytes ? 0 : -ENOMEM;
}

/* what came in of an answer */
static int on_bytes(void *userdata, const char *bytes, size_t len)
{
	struct fl_kube *store = userdata;

	return fl_kube_scanner_feed(&store->scanner, bytes, len);
}

void fl_kube_ask_end(struct fl_kube *store)
{
	store->call = fl_kube_call_free(store->call);
	fl_kube_scanner_clear(&store->scanner);
	free(store->answer.bytes);
	store->answer = (struct fl_kube_text){0};
	store->ask = FL_KUBE_ASK_NOTHING;
}

/* the pod tells its node's name */
static void take_pod(struct fl_kube *store, struct fl_kube_text *text)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *pod = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct json_object *spec = NULL;
	const char *name = NULL;
	int r = fl_json_parse(text->bytes ? text->bytes : "", text->len, "Pod", &pod, &error);

	if (r == 0)
		r = fl_json_get_object(pod, "Pod", "spec", &spec, &error);
	if (r > 0)
		r = fl_json_get_string(spec, "spec", "nodeName", &name, &error);
	if (r >= 0 && name && *name) {
		store->address.node = strdup(name);
		store->watcher.self = store->address.node;
		if (store->address.node)
			return;
		r = fl_error_oom(&error);
	}
	if (r >= 0)
		r = fl_error_set(&error, -EINVAL, "store", "it has no spec.nodeName", "read Pod %s/%s",
				 store->address.pod_namespace, store->address.pod);
	if (store->first)
		fl_kube_reply(store, r, error);
}

/* the own node, read or written */
static void take_node(struct fl_kube *store, const struct fl_kube_text *text)
{
	FL_CLEANUP(fl_kube_node_clear) struct fl_kube_node node = {0};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (fl_kube_node_parse(&store->keys, text->bytes ? text->bytes : "", text->len, &node, &error) < 0) {
		fl_log(&store->log, FLANNEL_LOG_WARNING, "store", "%s", flannel_error_get_message(error));
		store->poll_ns = fl_loop_now() + FL_KUBE_POLL_NS;
		return;
	}
	fl_kube_own_note(store, &node);
	store->own.is_current = true;
}

/* a request to write was refused */
static void refuse_request(struct fl_kube *store, const struct fl_kube_answer *answer)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	make_error(store, answer, &error);
	/* it is written once the Node is there */
	if (answer->status == 404) {
		fl_log(&store->log, FLANNEL_LOG_WARNING, "store", "%s: waiting for it",
		       flannel_error_get_message(error));
		fl_kube_own_note(store, NULL);
		store->own.is_current = false;
		store->poll_ns = fl_loop_now() + FL_KUBE_POLL_NS;
		return;
	}
	if (store->first)
		fl_kube_reply(store, flannel_error_get_code(error), error);
}

/* a request was carried out */
static void finish_request(struct fl_kube *store)
{
	struct fl_kube_queued *request = store->first;

	if (!request)
		return;
	if (request->type != FL_KUBE_REMOVE)
		fl_kube_own_hold(store, request->lease);
	fl_kube_reply(store, 0, NULL);
}

/* a question about who we are was refused */
static void refuse_read(struct fl_kube *store, enum fl_kube_ask ask, const struct fl_kube_answer *answer)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP_ERROR struct flannel_error *final = NULL;

	make_error(store, answer, &error);
	if (ask == FL_KUBE_ASK_NODE && answer->status == 404) {
		fl_kube_own_note(store, NULL);
		store->own.is_current = true;
		store->n_ask_failures = 0;
		fl_kube_note_good(store);
	} else if (ask == FL_KUBE_ASK_POD && answer->status == 404 && store->first) {
		(void)fl_error_set(&final, -ENXIO, "store", flannel_error_get_detail(error), "%s",
				   flannel_error_get_operation(error));
		fl_kube_reply(store, -ENXIO, final);
	} else {
		fl_kube_note_ask_failure(store, error, answer);
	}
}

/* an answer that is no failure: what it was for goes on, or was refused */
static void take_answer(struct fl_kube *store, enum fl_kube_ask ask, const struct fl_kube_answer *answer,
			struct fl_kube_text *text)
{
	bool ok = is_success(answer);

	if (!ok && (ask == FL_KUBE_ASK_POD || ask == FL_KUBE_ASK_NODE)) {
		store->ask = ask;
		refuse_read(store, ask, answer);
		store->ask = FL_KUBE_ASK_NOTHING;
		return;
	}
	store->n_ask_failures = 0;
	fl_kube_note_good(store);
	if (ok && ask == FL_KUBE_ASK_POD)
		take_pod(store, text);
	/* who holds which lease must be known when the node is looked at */
	if (ok && ask == FL_KUBE_ASK_ANNOTATE)
		finish_request(store);
	if (ok && ask != FL_KUBE_ASK_POD)
		take_node(store, text);
	if (!ok && ask == FL_KUBE_ASK_ANNOTATE) {
		store->ask = ask;
		refuse_request(store, answer);
		store->ask = FL_KUBE_ASK_NOTHING;
	}
	if (ask == FL_KUBE_ASK_REPAIR || ask == FL_KUBE_ASK_CONDITION)
		fl_kube_own_done(store, ask, answer);
}

/* the end of a question */
static void on_end(void *userdata, const struct fl_kube_answer *answer)
{
	struct fl_kube *store = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_kube_text text = store->answer;
	enum fl_kube_ask ask = store->ask;

	if (fl_kube_answer_is_failure(answer)) {
		make_error(store, answer, &error);
		fl_kube_own_dropped(store);
	}
	store->answer = (struct fl_kube_text){0};
	fl_kube_ask_end(store);
	if (error)
		fl_kube_note_ask_failure(store, error, answer);
	else
		take_answer(store, ask, answer, &text);
	free(text.bytes);
	fl_kube_wake(store);
}

static const struct fl_kube_handler handler = {.bytes = on_bytes, .end = on_end};

/* begins a question */
static int ask(struct fl_kube *store, enum fl_kube_ask what, struct fl_kube_request *request,
	       struct flannel_error **ret_error)
{
	int r;

	fl_kube_scanner_init(&store->scanner, FL_KUBE_SCAN_OBJECT, keep_object, store);
	request->is_fresh = store->is_moved;
	store->is_moved = false;
	r = fl_kube_call_new(store->client, request, &handler, store, &store->call, ret_error);
	if (r == 0)
		store->ask = what;
	return r;
}

int fl_kube_ask_pod(struct fl_kube *store, struct flannel_error **ret_error)
{
	struct fl_kube_request request = {.method = "GET"};
	char path[600];

	(void)snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s", store->address.pod_namespace,
		       store->address.pod);
	request.path = path;
	return ask(store, FL_KUBE_ASK_POD, &request, ret_error);
}

int fl_kube_ask_node(struct fl_kube *store, struct flannel_error **ret_error)
{
	struct fl_kube_request request = {.method = "GET"};
	char path[300];

	(void)snprintf(path, sizeof(path), "/api/v1/nodes/%s", store->address.node);
	request.path = path;
	return ask(store, FL_KUBE_ASK_NODE, &request, ret_error);
}

int fl_kube_ask_patch(struct fl_kube *store, enum fl_kube_ask what, const char *body, struct flannel_error **ret_error)
{
	struct fl_kube_request request = {.method = "PATCH", .content_type = FL_KUBE_PATCH_TYPE, .body = body};
	char path[300];

	(void)snprintf(path, sizeof(path), "/api/v1/nodes/%s/status", store->address.node);
	request.path = path;
	return ask(store, what, &request, ret_error);
}
