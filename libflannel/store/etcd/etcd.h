/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_ETCD_H
#define FL_ETCD_ETCD_H

/*
 * The store in etcd (3.4 or newer), with flannel's keys and values.
 *
 * Order of messages: when the reply to a change comes, everything up to that change, itself included, has been told before (if the
 * store is watched); only while the store is lost do replies come first. A SNAPSHOT_BEGIN may come before the list begun by another
 * has ended: the new one counts.
 *
 * Nothing waits. A call that fails is repeated at once, at the next endpoint if there are several; when that came to nothing at all of
 * them the store is LOST, and tried again after pauses that grow to half a second. Requests stay in the queue meanwhile, in order. What etcd
 * understands and refuses (no permission, no space) is the reply to the request.
 */

#include <flannel/store.h>

#include "base/log.h"
#include "store/etcd/client.h"

struct fl_etcd;

/* zero means the default; for tests */
struct fl_etcd_options {
	struct fl_etcd_timeouts timeouts;
	uint32_t heartbeat_ms; /* silence on the watch after which a sign of life is asked for; twice that ends it */
};

/* address: see store/etcd/address.h. Connects to nobody yet. Errors as flannel_store_open() has them. */
int fl_etcd_open(const char *address, const struct fl_etcd_options *options, const struct fl_log *log,
		 struct fl_etcd **ret_store, struct flannel_error **ret_error);

struct fl_etcd *fl_etcd_free(struct fl_etcd *store);

FL_DEFINE_CLEANUP(struct fl_etcd *, fl_etcd_free)

/* the functions of struct flannel_store_ops, impl is a struct fl_etcd */
int fl_etcd_get_fd(void *impl);
int fl_etcd_dispatch(void *impl, struct flannel_error **ret_error);
int fl_etcd_next(void *impl, struct flannel_store_message *ret_message);
int fl_etcd_watch(void *impl, struct flannel_error **ret_error);
int fl_etcd_get_config(void *impl, uint64_t number, struct flannel_error **ret_error);
int fl_etcd_put_config(void *impl, uint64_t number, const char *config, struct flannel_error **ret_error);
int fl_etcd_set_config(void *impl, uint64_t number, const char *config, const char *former,
		       struct flannel_error **ret_error);
int fl_etcd_create(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		   struct flannel_error **ret_error);
int fl_etcd_update(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		   struct flannel_error **ret_error);
int fl_etcd_remove(void *impl, uint64_t number, struct flannel_lease *lease, struct flannel_error **ret_error);

#endif
