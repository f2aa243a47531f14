/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_RECONCILE_H
#define FL_ENGINE_RECONCILE_H

/*
 * Keeps wanted objects true in the context's namespace. Whatever happens - an object is wanted, a notification, a timer, an
 * overrun - leads to the same step: compare, plan, carry out. One for all route sets and the node of a context,
 * since they share the route protocol that says what is ours.
 */

#include "domain/plan/plan.h"
#include "domain/plan/set.h"
#include "engine/context.h"
#include "sys/monitor.h"

struct fl_reconciler;

/* An object that is changed again within this time after a repair counts as fought over ... */
#define FL_FIGHT_NS FL_NSEC_PER_SEC
/* ... and after this many repairs in a row it is put back with the growing delay of failed objects only. */
#define FL_FIGHT_ROUNDS 5

enum fl_report {
	FL_REPORT_REPAIRED, /* was in force, someone changed it, is in force again */
	FL_REPORT_FAILED    /* could not be set; error. Once for each new reason. */
};

/* Who wants objects; embedded in a route set or a node's peer. report may be called from any reconciler call. */
struct fl_owner {
	struct fl_set_owner entries; /* all zero to begin with */
	void (*report)(struct fl_owner *owner, enum fl_report report, const struct fl_object *object,
		       struct flannel_error *error);
};

/* the context's reconciler, made and listening from the first call on; borrowed */
int fl_reconciler_get(struct flannel_context *context, struct fl_reconciler **ret_reconciler,
		      struct flannel_error **ret_error);
struct fl_reconciler *fl_reconciler_free(struct fl_reconciler *reconciler);

/* One more who hears what the kernel tells, before it is acted on; NULL: nobody. FL_CHANGE_OVERRUN: anything may have changed. */
void fl_reconciler_listen(struct fl_reconciler *reconciler, fl_monitor_fn fn, void *userdata);

/* by which name our links are known again; "": none */
void fl_reconciler_set_instance(struct fl_reconciler *reconciler, const char *instance);

/* destinations whose untagged routes with protocol boot are flannel's own from another time, see fl_ownership_of() */
void fl_reconciler_set_networks(struct fl_reconciler *reconciler, const struct flannel_prefix *network,
				const struct flannel_prefix *network6);

/*
 * One of the backend's own links (index below FL_DEVICES_MAX), which are made before all that is on them; what is on them is ours, see fl_ownership_of(). Their
 * neighbours and FDB entries are followed, too.
 */
void fl_reconciler_set_device(struct fl_reconciler *reconciler, size_t index, const char *name);

/* wants an object; 1 changed, 0 was wanted so, -EEXIST another owner wants it, -ENOMEM. The kernel changes at apply. */
int fl_reconciler_want(struct fl_reconciler *reconciler, const struct fl_object *object, struct fl_owner *owner,
		       struct flannel_error **ret_error);

/* wants an object no longer: 1, 0 if the owner did not want it. Deleted from the kernel at apply. */
int fl_reconciler_unwant(struct fl_reconciler *reconciler, const struct fl_object *object, struct fl_owner *owner,
			 struct flannel_error **ret_error);

/* all of an owner: deleted at apply, or (keep) left in the kernel */
int fl_reconciler_unwant_all(struct fl_reconciler *reconciler, struct fl_owner *owner, bool keep,
			     struct flannel_error **ret_error);

/*
 * Who knows whether an adoptable object that nobody wants is flannel's own, left for a peer that is no more: true has it deleted. Asked when
 * what is superfluous is purged; NULL: they all stay.
 */
typedef bool (*fl_judge_fn)(void *userdata, const struct fl_object *object);
void fl_reconciler_set_judge(struct fl_reconciler *reconciler, fl_judge_fn fn, void *userdata);

/* compares everything at the next apply, not just what changed */
void fl_reconciler_demand_full(struct fl_reconciler *reconciler, bool purge);

/* Makes the kernel agree now: number of operations that succeeded, or negative if nothing could be tried. What
 * single objects say goes to their owners' reports. */
int fl_reconciler_apply(struct fl_reconciler *reconciler, struct flannel_error **ret_error);

/* the same, at the next dispatch, so that many changes become one batch */
void fl_reconciler_schedule(struct fl_reconciler *reconciler);

/* the first entry of an owner, for status; others follow by owner_next */
const struct fl_entry *fl_reconciler_entries_of(const struct fl_owner *owner);

/* who wants an object of that key; NULL if nobody does */
struct fl_owner *fl_reconciler_owner_of(const struct fl_reconciler *reconciler, const struct fl_object *object);

/* number of repairs since the start */
uint64_t fl_reconciler_get_repairs(const struct fl_reconciler *reconciler);

#endif
