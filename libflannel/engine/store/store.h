/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_STORE_H
#define FL_ENGINE_STORE_H

/* A store inside the context's loop: requests go out, messages come to the one who uses the store. */

#include <stdbool.h>

#include <flannel/store.h>

#include "engine/context.h"

/* gets each message; what it points to is borrowed for the call */
typedef void (*fl_store_fn)(void *userdata, const struct flannel_store_message *message);

/* becomes the store's only user: -EBUSY if it has one */
int fl_store_claim(struct flannel_store *store, fl_store_fn fn, void *userdata, struct flannel_error **ret_error);

/* from now on a snapshot and then each change is told; called again, it begins with a new snapshot */
int fl_store_watch(struct flannel_store *store, struct flannel_error **ret_error);

/* which leases it leads to, without secrets; see store/identity.h. A host's store has its name only. Owned by store. */
const char *fl_store_get_identity(const struct flannel_store *store);

/* does somebody else say which node has which subnet */
bool fl_store_assigns(const struct flannel_store *store);

/* what such a store gives to a node, see get_assigned in struct flannel_store_ops: 1, 0, negative */
int fl_store_get_assigned(const struct flannel_store *store, const struct flannel_prefix *public_ip,
			  const struct flannel_prefix *public_ip6, struct flannel_store_assignment *ret_assignment,
			  struct flannel_error **ret_error);

/* ends the use: no message is delivered any more */
void fl_store_release(struct flannel_store *store);

/* Requests; *ret_request is the number that the reply will carry. */
int fl_store_get_config(struct flannel_store *store, uint64_t *ret_request, struct flannel_error **ret_error);
int fl_store_put_config(struct flannel_store *store, const char *config, uint64_t *ret_request,
			struct flannel_error **ret_error);
int fl_store_set_config(struct flannel_store *store, const char *config, const char *former, uint64_t *ret_request,
			struct flannel_error **ret_error);
int fl_store_create(struct flannel_store *store, struct flannel_lease *lease, uint32_t lease_sec, uint64_t *ret_request,
		    struct flannel_error **ret_error);
int fl_store_update(struct flannel_store *store, struct flannel_lease *lease, uint32_t lease_sec, uint64_t *ret_request,
		    struct flannel_error **ret_error);
int fl_store_remove(struct flannel_store *store, struct flannel_lease *lease, uint64_t *ret_request,
		    struct flannel_error **ret_error);

/* runs the context until *done: 1, 0 if the deadline came or the store ended before, or negative */
int fl_store_wait(struct flannel_store *store, const bool *done, uint64_t deadline_ns,
		  struct flannel_error **ret_error);

/* does the store want to know whether the node is ready */
bool fl_store_has_ready(const struct flannel_store *store);

/* tells it; why is for people */
int fl_store_set_ready(struct flannel_store *store, bool is_ready, const char *why, struct flannel_error **ret_error);

FL_DEFINE_CLEANUP(struct flannel_store *, flannel_store_unref)

#endif
