/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as messages of etcd, as lines of its headers, and as keys and values. What is taken for a lease has a key that
 * is read again as the same one.
 */
#include <string.h>

#include "messages.pb-c.h"
#include "require.h"
#include "store/etcd/keys.h"
#include "store/etcd/status.h"

/* a key and a value, as a list or a change would bring them */
static void look_at(const struct fl_etcd_keys *keys, const Etcd__KeyValue *kv)
{
	FL_CLEANUP_LEASE struct flannel_lease *lease = NULL, *again = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *key = NULL;

	if (!kv)
		return;
	if (fl_etcd_keys_parse(keys, kv->key.data, kv->key.len, kv->value.data, kv->value.len, 0, 1, &lease, &error) <
	    0) {
		require(!lease && *flannel_error_get_message(error));
		return;
	}
	key = fl_etcd_keys_of_lease(keys, lease);
	require(key && fl_etcd_keys_parse_bare(keys, key, strlen(key), 1, &again, NULL) == 0);
	require(fl_etcd_leases_overlap(lease, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Etcd__RangeResponse *range = etcd__range_response__unpack(NULL, size, data);
	Etcd__WatchResponse *watch = etcd__watch_response__unpack(NULL, size, data);
	Etcd__TxnResponse *txn = etcd__txn_response__unpack(NULL, size, data);
	struct fl_grpc_status status = {.code = FL_GRPC_NO_STATUS};
	struct fl_etcd_keys keys;

	require(fl_etcd_keys_init(&keys, "p", NULL) == 0);
	for (size_t i = 0; range && i < range->n_kvs; i++)
		look_at(&keys, range->kvs[i]);
	for (size_t i = 0; watch && i < watch->n_events; i++) {
		look_at(&keys, watch->events[i]->kv);
		look_at(&keys, watch->events[i]->prev_kv);
	}
	fl_grpc_status_read(&status, (const char *)data, size);
	require(status.code >= FL_GRPC_NO_STATUS && strlen(status.message) < FL_GRPC_MESSAGE_SIZE);
	(void)fl_grpc_wants_login(&status);
	if (range)
		etcd__range_response__free_unpacked(range, NULL);
	if (watch)
		etcd__watch_response__free_unpacked(watch, NULL);
	if (txn)
		etcd__txn_response__free_unpacked(txn, NULL);
	fl_etcd_keys_clear(&keys);
	return 0;
}
