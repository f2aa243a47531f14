/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "messages.pb-c.h"

/* a lease that was granted is gone again: so often is worth a try */
#define GRANTS_MAX 3

#define NAME_SIZE (2 * FLANNEL_PREFIX_STRLEN)

/* what a request does, for messages */
static const char *verb_of(const struct fl_etcd_request *request)
{
	switch (request->type) {
	case FL_ETCD_CREATE:
		return "create";
	case FL_ETCD_UPDATE:
		return "update";
	case FL_ETCD_REMOVE:
		return "remove";
	default:
		return "use";
	}
}

/* are bytes a text */
static bool bytes_equal(const ProtobufCBinaryData *bytes, const char *text)
{
	return bytes->len == strlen(text) && memcmp(bytes->data, text, bytes->len) == 0;
}

/* it is answered: whoever asked tells it when the time has come */
static void finish(struct fl_etcd_request *request)
{
	request->step = FL_ETCD_STEP_ANSWERED;
	request->fn(request->userdata, request, NULL);
}

/* the reply says no, and why; takes the error over */
static void set_refusal(struct fl_etcd_request *request, struct flannel_error *error)
{
	request->reply.code = flannel_error_get_code(error);
	request->reply.error = error;
}

/* the reply says no */
static FL_PRINTF(3, 4) void refuse(struct fl_etcd_request *request, int code, const char *format, ...)
{
	struct flannel_error *error = NULL;
	char name[NAME_SIZE], detail[256];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(detail, sizeof(detail), format, arguments);
	va_end(arguments);
	(void)fl_error_set(&error, code, "store", detail, "%s lease %s", verb_of(request),
			   flannel_lease_format_key(request->lease, name, sizeof(name)));
	set_refusal(request, error);
}

/* the reply has the lease as it is stored now; false without memory, and then it is run again */
static bool set_lease(struct fl_etcd_request *request, int64_t revision)
{
	const char *value = flannel_lease_get_value(request->lease);
	int64_t expires_sec = request->lease_id ? time(NULL) + request->lease_sec : 0;
	char name[NAME_SIZE];

	request->reply.revision = request->after_revision = (uint64_t)revision;
	return flannel_lease_parse(flannel_lease_format_key(request->lease, name, sizeof(name)), value, strlen(value),
				   expires_sec, (uint64_t)revision, &request->reply.lease, NULL) == 0;
}

/* a number for an etcd lease that nobody else draws */
static int64_t draw_lease_id(void)
{
	uint64_t number = 0;

	(void)!getrandom(&number, sizeof(number), 0);
	number &= INT64_MAX;
	return number ? (int64_t)number : 1;
}

/* goes on with another step; a failure to do so counts as one of the request */
static void go_on(struct fl_etcd_request *request, enum fl_etcd_request_step step)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	request->step = step;
	if (fl_etcd_request_run(request, &error) < 0)
		request->fn(request->userdata, request, error);
}

/* something is missing to go on just now */
static void fail_oom(struct fl_etcd_request *request)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	(void)fl_error_oom(&error);
	request->is_again = true;
	request->fn(request->userdata, request, error);
}

/* what was granted or written for nothing is taken back, then the reply is told */
static void finish_undone(struct fl_etcd_request *request)
{
	if (request->is_granted || request->written_revision)
		go_on(request, FL_ETCD_STEP_UNDO);
	else
		finish(request);
}

/* the configuration as it was read: the reply to get_config, or to a put_config that found one */
static void take_config(struct fl_etcd_request *request, const Etcd__RangeResponse *range)
{
	request->reply.revision = range->header ? (uint64_t)range->header->revision : 0;
	if (range->n_kvs == 0) {
		request->reply.code = -ENOENT;
		finish(request);
		return;
	}
	request->reply.config =
		strndup(range->kvs[0]->value.len ? (char *)range->kvs[0]->value.data : "", range->kvs[0]->value.len);
	if (!request->reply.config) {
		fail_oom(request);
		return;
	}
	if (request->type != FL_ETCD_GET_CONFIG &&
	    (!request->is_again || strcmp(request->reply.config, request->config) != 0))
		request->reply.code = -EEXIST;
	finish(request);
}

/* the configuration that is to be replaced has been read: is it the one that the caller knows */
static void take_former(struct fl_etcd_request *request, const Etcd__RangeResponse *range)
{
	const Etcd__KeyValue *kv = range->n_kvs ? range->kvs[0] : NULL;

	if (!kv || !bytes_equal(&kv->value, request->former)) {
		/* none, another one, or what a try has written whose answer got lost */
		take_config(request, range);
		return;
	}
	request->seen_revision = kv->mod_revision;
	go_on(request, FL_ETCD_STEP_WRITE);
}

/* is what was read this node's, or what it was asked to write over */
static bool may_write(const struct fl_etcd_request *request, const Etcd__KeyValue *kv)
{
	FL_CLEANUP_LEASE struct flannel_lease *found = NULL;
	uint64_t revision = flannel_lease_get_revision(request->lease);

	if (request->is_granted && kv->lease == request->lease_id)
		return true;
	if (request->type == FL_ETCD_UPDATE && revision && (uint64_t)kv->mod_revision == revision)
		return true;
	return fl_etcd_keys_parse(request->keys, kv->key.data, kv->key.len, kv->value.data, kv->value.len, 0, 0, &found,
				  NULL) == 0 &&
	       fl_etcd_leases_same_holder(found, request->lease);
}

/* the key of an update or a removal has been read */
static void on_read(struct fl_etcd_request *request, const Etcd__RangeResponse *range)
{
	const Etcd__KeyValue *kv = range->n_kvs ? range->kvs[0] : NULL;

	if (request->type == FL_ETCD_GET_CONFIG) {
		take_config(request, range);
		return;
	}
	if (request->type == FL_ETCD_SET_CONFIG) {
		take_former(request, range);
		return;
	}
	if (!kv || !may_write(request, kv)) {
		refuse(request, -ENOENT, kv ? "another node has it" : "it is not there (any more)");
		finish_undone(request);
		return;
	}
	request->seen_revision = kv->mod_revision;
	if (request->type == FL_ETCD_REMOVE) {
		go_on(request, FL_ETCD_STEP_WRITE);
		return;
	}
	/* a lost answer has done it already */
	if (request->is_granted && kv->lease == request->lease_id &&
	    bytes_equal(&kv->value, flannel_lease_get_value(request->lease))) {
		if (set_lease(request, kv->mod_revision))
			finish(request);
		else
			fail_oom(request);
		return;
	}
	/* what has no end keeps none, unless it is to get one: a reservation */
	if (kv->lease == 0 && flannel_lease_get_expires_sec(request->lease) == 0)
		request->lease_id = 0;
	else if (!request->lease_id && request->lease_sec)
		request->lease_id = draw_lease_id();
	go_on(request, request->lease_id && !request->is_granted ? FL_ETCD_STEP_GRANT : FL_ETCD_STEP_WRITE);
}

/* the lease is written: is there another one that it overlaps with, which was there before */
static const Etcd__KeyValue *find_overlap(const struct fl_etcd_request *request, const Etcd__RangeResponse *range)
{
	for (size_t i = 0; i < range->n_kvs; i++) {
		FL_CLEANUP_LEASE struct flannel_lease *other = NULL;
		const Etcd__KeyValue *kv = range->kvs[i];

		if (bytes_equal(&kv->key, request->key) ||
		    fl_etcd_keys_parse_bare(request->keys, kv->key.data, kv->key.len, 0, &other, NULL) < 0)
			continue;
		if (fl_etcd_leases_overlap(other, request->lease))
			return kv;
	}
	return NULL;
}

/* the list that a transaction carries at a place; NULL if it does not */
static const Etcd__RangeResponse *range_of(const Etcd__TxnResponse *txn, size_t at)
{
	if (at >= txn->n_responses || txn->responses[at]->response_case != ETCD__RESPONSE_OP__RESPONSE_RANGE)
		return NULL;
	return txn->responses[at]->range;
}

/* the reply says that a key is in the way */
static void refuse_for(struct fl_etcd_request *request, const Etcd__KeyValue *kv)
{
	size_t len = strlen(request->keys->subnets);
	bool is_below = kv->key.len > len;

	refuse(request, -EEXIST, "its addresses belong to %.*s", (int)(is_below ? kv->key.len - len : kv->key.len),
	       (const char *)kv->key.data + (is_below ? len : 0));
	request->after_revision = (uint64_t)kv->mod_revision;
}

/* a create went through */
static void on_created(struct fl_etcd_request *request, const Etcd__TxnResponse *txn)
{
	const Etcd__RangeResponse *range = range_of(txn, 1);
	const Etcd__KeyValue *other = range ? find_overlap(request, range) : NULL;
	int64_t revision = txn->header ? txn->header->revision : 0;

	if (other) {
		refuse_for(request, other);
		request->written_revision = revision;
		finish_undone(request);
	} else if (set_lease(request, revision)) {
		finish(request);
	} else {
		fail_oom(request);
	}
}

/* a create found something in its way: it may be what it has written itself, and nobody told */
static void on_not_created(struct fl_etcd_request *request, const Etcd__TxnResponse *txn)
{
	const Etcd__RangeResponse *range = range_of(txn, 0);

	for (size_t i = 0; range && request->is_again && i < range->n_kvs; i++) {
		const Etcd__KeyValue *kv = range->kvs[i];

		if (!bytes_equal(&kv->key, request->key) || kv->lease != request->lease_id ||
		    !bytes_equal(&kv->value, flannel_lease_get_value(request->lease)))
			continue;
		if (set_lease(request, kv->mod_revision))
			finish(request);
		else
			fail_oom(request);
		return;
	}
	if (range && range->n_kvs)
		refuse_for(request, range->kvs[0]);
	else
		refuse(request, -EEXIST, "its addresses belong to somebody else");
	finish_undone(request);
}

/* a transaction came to an end */
static void on_written(struct fl_etcd_request *request, const Etcd__TxnResponse *txn)
{
	int64_t revision = txn->header ? txn->header->revision : 0;

	if (request->type == FL_ETCD_PUT_CONFIG && !txn->succeeded && range_of(txn, 0)) {
		take_config(request, range_of(txn, 0));
	} else if (request->type == FL_ETCD_PUT_CONFIG || (request->type == FL_ETCD_SET_CONFIG && txn->succeeded)) {
		request->reply.config = strdup(request->config);
		request->reply.revision = (uint64_t)revision;
		if (request->reply.config)
			finish(request);
		else
			fail_oom(request);
	} else if (request->type == FL_ETCD_CREATE && txn->succeeded) {
		on_created(request, txn);
	} else if (request->type == FL_ETCD_CREATE) {
		on_not_created(request, txn);
	} else if (!txn->succeeded) {
		/* somebody was quicker: look again */
		go_on(request, FL_ETCD_STEP_READ);
	} else if (set_lease(request, revision)) {
		finish(request);
	} else {
		fail_oom(request);
	}
}

/* the server has refused a step: true if it is taken care of */
static bool take_refusal(struct fl_etcd_request *request, const struct fl_grpc_status *status)
{
	if (request->step == FL_ETCD_STEP_UNDO) {
		finish(request); /* it was gone already, or goes by itself in its time */
		return true;
	}
	/* the answer of an earlier try was lost */
	if (request->step == FL_ETCD_STEP_GRANT &&
	    (status->code == FL_GRPC_FAILED_PRECONDITION || status->code == FL_GRPC_ALREADY_EXISTS)) {
		request->is_granted = true;
		go_on(request, FL_ETCD_STEP_WRITE);
		return true;
	}
	if (request->step == FL_ETCD_STEP_WRITE && status->code == FL_GRPC_NOT_FOUND && request->is_granted &&
	    request->n_grants < GRANTS_MAX) {
		request->n_grants++;
		request->is_granted = false;
		request->lease_id = draw_lease_id();
		go_on(request, FL_ETCD_STEP_GRANT);
		return true;
	}
	return false;
}

void fl_etcd_request_take(void *userdata, const struct fl_grpc_status *status, const ProtobufCMessage *reply,
			  struct flannel_error *error)
{
	struct fl_etcd_request *request = userdata;
	enum fl_etcd_request_step step = request->step;

	request->ask = fl_etcd_ask_free(request->ask);
	if (fl_grpc_is_failure(status->code)) {
		request->is_again = true;
		/* what was read may be another by the time that this goes on */
		if (request->type == FL_ETCD_UPDATE || request->type == FL_ETCD_REMOVE ||
		    request->type == FL_ETCD_SET_CONFIG)
			request->step = step == FL_ETCD_STEP_UNDO ? step : FL_ETCD_STEP_READ;
		request->fn(request->userdata, request, error);
	} else if (error) {
		if (take_refusal(request, status))
			return;
		set_refusal(request, flannel_error_ref(error));
		finish_undone(request);
	} else if (step == FL_ETCD_STEP_READ) {
		on_read(request, (const Etcd__RangeResponse *)reply);
	} else if (step == FL_ETCD_STEP_GRANT) {
		request->is_granted = true;
		go_on(request, FL_ETCD_STEP_WRITE);
	} else if (step == FL_ETCD_STEP_WRITE) {
		on_written(request, (const Etcd__TxnResponse *)reply);
	} else {
		finish(request);
	}
}

int fl_etcd_request_new(enum fl_etcd_request_type type, uint64_t number, struct flannel_lease *lease,
			uint32_t lease_sec, const char *config, struct fl_etcd_request **ret_request,
			struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_etcd_request_freep) struct fl_etcd_request *request = calloc(1, sizeof(*request));
	bool is_config = type == FL_ETCD_GET_CONFIG || type == FL_ETCD_PUT_CONFIG || type == FL_ETCD_SET_CONFIG;

	if (!request)
		return fl_error_oom(ret_error);
	request->type = type;
	request->number = number;
	request->lease = flannel_lease_ref(lease);
	request->lease_sec = lease_sec;
	request->reply = (struct flannel_store_message){
		.type = is_config ? FLANNEL_STORE_CONFIG : FLANNEL_STORE_DONE,
		.request = number,
	};
	request->step = FL_ETCD_STEP_READ;
	if (type == FL_ETCD_PUT_CONFIG)
		request->step = FL_ETCD_STEP_WRITE;
	if (type == FL_ETCD_CREATE) {
		request->lease_id = lease_sec ? draw_lease_id() : 0;
		request->step = lease_sec ? FL_ETCD_STEP_GRANT : FL_ETCD_STEP_WRITE;
	}
	if (config) {
		request->config = strdup(config);
		if (!request->config)
			return fl_error_oom(ret_error);
	}
	*ret_request = FL_TAKE(request);
	return 0;
}

struct fl_etcd_request *fl_etcd_request_free(struct fl_etcd_request *request)
{
	if (!request)
		return NULL;
	fl_etcd_ask_free(request->ask);
	flannel_lease_unref(request->lease);
	fl_store_message_clear(&request->reply);
	free(request->config);
	free(request->former);
	free(request->key);
	free(request->first);
	free(request->end);
	free(request);
	return NULL;
}
