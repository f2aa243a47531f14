/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_RECONCILE_STATE_H
#define FL_ENGINE_RECONCILE_STATE_H

/* The inside of the reconciler, shared by its files: reconcile.c (life, wanting), reconcile_watch.c (notifications),
 * reconcile_links.c (links), reconcile_apply.c (plan and carry out what changed), reconcile_full.c (compare everything). */

#include "engine/reconcile/reconcile.h"
#include "sys/monitor.h"

/* a link that wanted objects use: its changes make the kernel drop routes without a word */
struct fl_used_link {
	char name[FLANNEL_IFNAME_SIZE];
	uint32_t ifindex;
};

struct fl_reconciler {
	struct flannel_context *context; /* owns the reconciler */
	struct fl_set *set;
	struct fl_rtnl *rtnl;
	struct fl_monitor *monitor;
	struct fl_source *monitor_source;
	struct fl_source *timer;
	fl_monitor_fn listener;
	void *listener_userdata;
	fl_judge_fn judge;
	void *judge_userdata;
	struct fl_ownership_rules rules;
	struct fl_plan queue;  /* keys of entries to be compared */
	struct fl_plan doomed; /* deletions of what is wanted no longer */
	struct fl_used_link *links;
	size_t n_links;
	uint32_t watched[FL_DEVICES_MAX]; /* indices of the devices whose entries are told of */
	bool is_new[FL_DEVICES_MAX];      /* made in this round: what was on it went with its predecessor */
	bool full;                        /* compare everything at the next apply */
	bool purge;                       /* and delete what is ours and nobody wants */
	bool has_failures;
	uint64_t n_repairs;
};

/* how one apply goes on */
struct fl_progress {
	bool last;  /* no further round: what is in the way now has failed */
	bool again; /* some place was taken, so what is there must be read */
	int n_done;
	int n_refused;                 /* for lack of privilege */
	struct flannel_error *refusal; /* the first of them */
};

/* who wants the object of an entry */
struct fl_owner *fl_reconciler_get_owner(const struct fl_entry *entry);

/* plans what one entry lacks, given what was found under its key; 1, 0, or negative */
int fl_reconciler_plan_entry(struct fl_reconciler *reconciler, struct fl_plan *plan, struct fl_entry *entry,
			     const struct fl_object *found, struct flannel_error **ret_error);

/* the kernel has an entry's object as it is wanted; is_ours: and as ours */
void fl_reconciler_confirm_entry(struct fl_reconciler *reconciler, struct fl_entry *entry, bool is_ours);

/* carries a plan out; deletions of links are its last operations */
int fl_reconciler_execute(struct fl_reconciler *reconciler, const struct fl_plan *plan, struct fl_progress *progress,
			  struct flannel_error **ret_error);

/* everything that is wanted against everything there is; links have been seen to */
int fl_reconciler_compare_all(struct fl_reconciler *reconciler, struct fl_progress *progress,
			      struct flannel_error **ret_error);

/* what the kernel said to one operation */
void fl_reconciler_take_result(struct fl_reconciler *reconciler, const struct fl_operation *operation, int result,
			       struct flannel_error *error, struct fl_progress *progress);

/*
 * The first part of an apply: the wanted links that are not known to be as they should are looked at, made or changed. Where one was
 * made anew everything is compared afterwards. Negative only if the kernel cannot be asked.
 */
int fl_reconciler_apply_links(struct fl_reconciler *reconciler, struct fl_progress *progress,
			      struct flannel_error **ret_error);

/* deletes a link that is wanted no longer, if it is there and ours */
int fl_reconciler_delete_link(struct fl_reconciler *reconciler, const struct fl_link *link,
			      struct flannel_error **ret_error);

/* Does an entry lack its link, so that it need not be tried? What was set on a link that was made anew is pending again. */
bool fl_reconciler_lacks_link(struct fl_reconciler *reconciler, struct fl_entry *entry);

/* compares an entry at the next apply; it is PENDING from now on */
void fl_reconciler_enqueue(struct fl_reconciler *reconciler, struct fl_entry *entry);

/* is that noted already */
bool fl_reconciler_uses_link(const struct fl_reconciler *reconciler, const char *name);

/* notes that a link matters, with its index for address changes; a link that is missing gets index 0 */
int fl_reconciler_use_link(struct fl_reconciler *reconciler, const char *name, struct flannel_error **ret_error);

/*
 * Somebody took away or changed what was in force. False if this goes on and on: then it failed, and waits its turn. Just
 * repairs that were made count, since a notification may be of our own doing and late.
 */
bool fl_reconciler_may_repair(struct fl_reconciler *reconciler, struct fl_entry *entry);

/* an entry could not be set; its owner hears of it once for each new reason */
void fl_reconciler_fail(struct fl_reconciler *reconciler, struct fl_entry *entry, struct flannel_error *error);

/* a notification of the kernel; userdata is the reconciler */
void fl_reconciler_take_change(void *userdata, const struct fl_change *change);

#endif
