/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_EMBEDDED_LEASES_H
#define FL_EMBEDDED_LEASES_H

/*
 * What is done to leases and configuration: one short transaction each, with a number of its own (the revision) for every
 * row that changes.
 *
 * A lease belongs to its identity: the public IPv4 address, or the IPv6 one if it has no IPv4 address. An identity
 * has one lease at most.
 */

#include <stdbool.h>

#include <flannel/store.h>

#include "store/embedded/clock.h"
#include "store/embedded/database.h"

struct fl_leases {
	struct fl_database *database;
	const struct fl_clock *clock;
	unsigned int n_kept; /* removed leases that are remembered for those who watch */
};

/*
 * The requests of a store. On 0 the reply is filled (type, code, revision and what belongs to them; the request's number is
 * the caller's) and what it says is on the disk. Negative: the database failed, nothing was changed and the
 * request may be repeated; then again is true, since a failed commit may be on the disk all the same: what looks exactly
 * like the outcome of the first try counts as that.
 */
int fl_leases_create(struct fl_leases *leases, struct flannel_lease *lease, uint32_t lease_sec, bool again,
		     struct flannel_store_message *reply, struct flannel_error **ret_error);
int fl_leases_update(struct fl_leases *leases, struct flannel_lease *lease, uint32_t lease_sec,
		     struct flannel_store_message *reply, struct flannel_error **ret_error);
int fl_leases_remove(struct fl_leases *leases, struct flannel_lease *lease, struct flannel_store_message *reply,
		     struct flannel_error **ret_error);
int fl_leases_put_config(struct fl_leases *leases, const char *config, bool again, struct flannel_store_message *reply,
			 struct flannel_error **ret_error);
/* former: the text that must be there now */
int fl_leases_set_config(struct fl_leases *leases, const char *config, const char *former, bool again,
			 struct flannel_store_message *reply, struct flannel_error **ret_error);
int fl_leases_get_config(struct fl_leases *leases, struct flannel_store_message *reply,
			 struct flannel_error **ret_error);

/* For the steps inside a transaction. What they return besides 0 and negative errno: the request is refused, the error says why */
#define FL_LEASES_REFUSED 1

/* the number of the change that is being made */
int fl_leases_next_revision(struct fl_leases *leases, int64_t *ret_revision, struct flannel_error **ret_error);

/*
 * Ends the transaction of a request whose steps returned r and, unless that is 0, error, which is taken over: commits what
 * went well, rolls back the rest. What concerns just this request becomes its reply, what concerns the database is returned.
 */
int fl_leases_finish(struct fl_leases *leases, int r, struct flannel_store_message *reply, struct flannel_error *error,
		     struct flannel_error **ret_error);

/* removes at most max leases whose time is over; returns how many */
int fl_leases_expire(struct fl_leases *leases, unsigned int max, struct flannel_error **ret_error);

/* when the next lease ends, on the boot clock; UINT64_MAX if none does */
int fl_leases_next_deadline(struct fl_leases *leases, uint64_t *ret_deadline_ns, struct flannel_error **ret_error);

/* the lease in the row that a query stands on: 0, -EBADMSG if the row says no lease, -ENOMEM */
int fl_leases_read_row(struct fl_leases *leases, struct fl_query *query, struct flannel_lease **ret_lease,
		       struct flannel_error **ret_error);

#endif
