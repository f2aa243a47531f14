/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_EMBEDDED_EMBEDDED_H
#define FL_EMBEDDED_EMBEDDED_H

/*
 * The embedded store: leases in a SQLite file, shared by the nodes of one machine.
 *
 * Order of messages: when a reply comes, everything that happened up to it, the change that it confirms included, has been
 * told before (if the store is watched); only while the store is lost do replies come first. A SNAPSHOT_BEGIN
 * may come before the list begun by another has ended: the new one counts. The reply to a refused request names
 * the reason in .error.
 *
 * As with SQLite itself, a child of fork(2) must leave the stores of its parent alone; it may open its own, if the parent
 * had none open at the fork.
 *
 * Nothing waits. What another process holds is tried again after a few milliseconds, for other failures (full disk, read-only,
 * damaged or missing file) the pauses grow to seconds; meanwhile requests stay in the queue, in order. LOST is told at
 * once for such failures, and for a database that stays held after a few seconds. A file that disappears is not made anew
 * while the store runs: it may be that a file system was unmounted, and a second list of leases would be worse than none. It is taken
 * up again when it is back.
 */

#include <flannel/store.h>

#include "base/log.h"
#include "store/embedded/clock.h"

struct fl_embedded;

/* zero means the default */
struct fl_embedded_options {
	const struct fl_clock *clock; /* copied; NULL: the machine's */
	unsigned int n_kept;          /* removed leases to remember; 0: 512 */
	uint64_t lost_after_ns;       /* a database held for so long by others is LOST; 0: 3 s */
};

/* options may be NULL. Errors as flannel_store_open() has them, but that a database which is held just now opens later. */
int fl_embedded_open(const char *path, const struct fl_embedded_options *options, const struct fl_log *log,
		     struct fl_embedded **ret_store, struct flannel_error **ret_error);

struct fl_embedded *fl_embedded_free(struct fl_embedded *store);

FL_DEFINE_CLEANUP(struct fl_embedded *, fl_embedded_free)

/* the functions of struct flannel_store_ops, impl is a struct fl_embedded */
int fl_embedded_get_fd(void *impl);
int fl_embedded_dispatch(void *impl, struct flannel_error **ret_error);
int fl_embedded_next(void *impl, struct flannel_store_message *ret_message);
int fl_embedded_watch(void *impl, struct flannel_error **ret_error);
int fl_embedded_get_config(void *impl, uint64_t number, struct flannel_error **ret_error);
int fl_embedded_put_config(void *impl, uint64_t number, const char *config, struct flannel_error **ret_error);
int fl_embedded_set_config(void *impl, uint64_t number, const char *config, const char *former,
			   struct flannel_error **ret_error);
int fl_embedded_create(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		       struct flannel_error **ret_error);
int fl_embedded_update(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		       struct flannel_error **ret_error);
int fl_embedded_remove(void *impl, uint64_t number, struct flannel_lease *lease, struct flannel_error **ret_error);

#endif
