/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_KUBE_H
#define FL_KUBE_KUBE_H

/*
 * The store in Kubernetes: a Node is a lease. Its subnets are the pod CIDRs that the cluster gave it, so nobody chooses; what else a lease says is
 * in annotations, flannel's, so that nodes of both kinds share one cluster. They are written to the Node's status, where flannel has the right to.
 * The network configuration is a file.
 *
 * The own lease is told as it was written, as long as it is held, whatever the Node says meanwhile: if the Node loses the annotations, or is made anew, they are
 * written again.
 *
 * Nothing waits. What fails is repeated at once, then after pauses that grow to a second, or when the server says; when the second try came
 * to nothing, too, the store is LOST. Requests stay in the queue meanwhile, in order.
 */

#include <flannel/store.h>

#include "base/log.h"
#include "store/kube/client.h"

struct fl_kube;

/* zero means the default; for tests */
struct fl_kube_options {
	struct fl_kube_timeouts timeouts;
};

/* address: see store/kube/address.h. Connects to nobody yet. Errors as flannel_store_open() has them. */
int fl_kube_open(const char *address, const struct fl_kube_options *options, const struct fl_log *log,
		 struct fl_kube **ret_store, struct flannel_error **ret_error);

struct fl_kube *fl_kube_free(struct fl_kube *store);

FL_DEFINE_CLEANUP(struct fl_kube *, fl_kube_free)

/* the functions of struct flannel_store_ops, impl is a struct fl_kube */
int fl_kube_get_fd(void *impl);
int fl_kube_dispatch(void *impl, struct flannel_error **ret_error);
int fl_kube_next(void *impl, struct flannel_store_message *ret_message);
int fl_kube_watch(void *impl, struct flannel_error **ret_error);
int fl_kube_get_config(void *impl, uint64_t number, struct flannel_error **ret_error);
int fl_kube_put_config(void *impl, uint64_t number, const char *config, struct flannel_error **ret_error);
int fl_kube_create(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		   struct flannel_error **ret_error);
int fl_kube_update(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		   struct flannel_error **ret_error);
int fl_kube_remove(void *impl, uint64_t number, struct flannel_lease *lease, struct flannel_error **ret_error);
int fl_kube_get_assigned(void *impl, const struct flannel_prefix *public_ip, const struct flannel_prefix *public_ip6,
			 struct flannel_store_assignment *ret_assignment, struct flannel_error **ret_error);
int fl_kube_set_ready(void *impl, int is_ready, const char *why, struct flannel_error **ret_error);

#endif
