/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the steps of a request say to etcd; request.c makes of the answers what they mean. */
#include "store/etcd/request.h"

#include <string.h>

#include "messages.pb-c.h"

/* bytes of a message, borrowed */
static ProtobufCBinaryData bytes_of(const char *text)
{
	return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}

/* asks for the key that it is about */
static int read_key(struct fl_etcd_request *request, struct flannel_error **ret_error)
{
	Etcd__RangeRequest range = ETCD__RANGE_REQUEST__INIT;

	range.key = bytes_of(request->type == FL_ETCD_GET_CONFIG ? request->keys->config : request->key);
	return fl_etcd_ask_new(request->client, &fl_etcd_range, &range.base, fl_etcd_request_take, request,
			       &request->ask, ret_error);
}

/* asks for an etcd lease */
static int grant(struct fl_etcd_request *request, struct flannel_error **ret_error)
{
	Etcd__LeaseGrantRequest message = ETCD__LEASE_GRANT_REQUEST__INIT;

	message.id = request->lease_id;
	message.ttl = request->lease_sec;
	return fl_etcd_ask_new(request->client, &fl_etcd_lease_grant, &message.base, fl_etcd_request_take, request,
			       &request->ask, ret_error);
}

/* sends "if compare then success else failure"; any operation may be missing at the end */
static int send_txn(struct fl_etcd_request *request, Etcd__Compare *compare, Etcd__RequestOp **success,
		    size_t n_success, Etcd__RequestOp *failure, struct flannel_error **ret_error)
{
	Etcd__TxnRequest txn = ETCD__TXN_REQUEST__INIT;

	txn.compare = &compare;
	txn.n_compare = 1;
	txn.success = success;
	txn.n_success = n_success;
	txn.failure = &failure;
	txn.n_failure = failure ? 1 : 0;
	return fl_etcd_ask_new(request->client, &fl_etcd_txn, &txn.base, fl_etcd_request_take, request, &request->ask,
			       ret_error);
}

/* a configuration if there is none, a lease if nothing is in its way */
static int create(struct fl_etcd_request *request, struct flannel_error **ret_error)
{
	bool is_config = request->type == FL_ETCD_PUT_CONFIG;
	Etcd__Compare compare = ETCD__COMPARE__INIT;
	Etcd__PutRequest put = ETCD__PUT_REQUEST__INIT;
	Etcd__RangeRequest all = ETCD__RANGE_REQUEST__INIT, found = ETCD__RANGE_REQUEST__INIT;
	Etcd__RequestOp put_op = ETCD__REQUEST_OP__INIT, all_op = ETCD__REQUEST_OP__INIT,
			found_op = ETCD__REQUEST_OP__INIT, *success[] = {&put_op, &all_op};

	compare.target = ETCD__COMPARE__TARGET__VERSION;
	compare.value_case = ETCD__COMPARE__VALUE_VERSION;
	compare.key = bytes_of(is_config ? request->keys->config : request->first);
	if (!is_config && request->end)
		compare.range_end = bytes_of(request->end);
	put.key = bytes_of(is_config ? request->keys->config : request->key);
	put.value = bytes_of(is_config ? request->config : flannel_lease_get_value(request->lease));
	if (!put.value.len)
		return fl_error_oom(ret_error);
	put.lease = request->lease_id;
	put_op.request_case = ETCD__REQUEST_OP__REQUEST_PUT;
	put_op.put = &put;
	all.key = bytes_of(request->keys->subnets);
	all.range_end = bytes_of(request->keys->subnets_end);
	all.keys_only = true;
	all_op.request_case = ETCD__REQUEST_OP__REQUEST_RANGE;
	all_op.range = &all;
	found.key = compare.key;
	found.range_end = compare.range_end;
	found_op.request_case = ETCD__REQUEST_OP__REQUEST_RANGE;
	found_op.range = &found;
	return send_txn(request, &compare, success, is_config ? 1 : 2, &found_op, ret_error);
}

/* writes over, or deletes, a key that is as it was read or written */
static int change(struct fl_etcd_request *request, int64_t revision, bool is_deletion, struct flannel_error **ret_error)
{
	Etcd__Compare compare = ETCD__COMPARE__INIT;
	Etcd__PutRequest put = ETCD__PUT_REQUEST__INIT;
	Etcd__DeleteRangeRequest deletion = ETCD__DELETE_RANGE_REQUEST__INIT;
	Etcd__RequestOp op = ETCD__REQUEST_OP__INIT, *success = &op;

	compare.target = ETCD__COMPARE__TARGET__MOD;
	compare.value_case = ETCD__COMPARE__VALUE_MOD_REVISION;
	compare.mod_revision = revision;
	compare.key = bytes_of(request->key);
	if (is_deletion) {
		deletion.key = compare.key;
		op.request_case = ETCD__REQUEST_OP__REQUEST_DELETE_RANGE;
		op.delete_range = &deletion;
	} else {
		put.key = compare.key;
		put.value = bytes_of(request->config ? request->config : flannel_lease_get_value(request->lease));
		if (!put.value.len)
			return fl_error_oom(ret_error);
		put.lease = request->lease_id;
		op.request_case = ETCD__REQUEST_OP__REQUEST_PUT;
		op.put = &put;
	}
	return send_txn(request, &compare, &success, 1, NULL, ret_error);
}

/* gives the etcd lease back, with which its key goes; without one, just the key */
static int undo(struct fl_etcd_request *request, struct flannel_error **ret_error)
{
	Etcd__LeaseRevokeRequest message = ETCD__LEASE_REVOKE_REQUEST__INIT;

	if (!request->is_granted)
		return change(request, request->written_revision, true, ret_error);
	message.id = request->lease_id;
	return fl_etcd_ask_new(request->client, &fl_etcd_lease_revoke, &message.base, fl_etcd_request_take, request,
			       &request->ask, ret_error);
}

int fl_etcd_request_run(struct fl_etcd_request *request, struct flannel_error **ret_error)
{
	if (request->ask || request->step == FL_ETCD_STEP_ANSWERED)
		return 0;
	if (request->lease && !request->key) {
		request->key = fl_etcd_keys_of_lease(request->keys, request->lease);
		if (!request->key ||
		    fl_etcd_keys_conflicts(request->keys, request->lease, &request->first, &request->end) < 0)
			return fl_error_oom(ret_error);
	}
	if (request->type == FL_ETCD_SET_CONFIG && !request->key) {
		request->key = strdup(request->keys->config);
		if (!request->key)
			return fl_error_oom(ret_error);
	}
	switch (request->step) {
	case FL_ETCD_STEP_READ:
		return read_key(request, ret_error);
	case FL_ETCD_STEP_GRANT:
		return grant(request, ret_error);
	case FL_ETCD_STEP_WRITE:
		if (request->type == FL_ETCD_CREATE || request->type == FL_ETCD_PUT_CONFIG)
			return create(request, ret_error);
		return change(request, request->seen_revision, request->type == FL_ETCD_REMOVE, ret_error);
	case FL_ETCD_STEP_UNDO:
		return undo(request, ret_error);
	case FL_ETCD_STEP_ANSWERED:
		break;
	}
	return 0;
}
