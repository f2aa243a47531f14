/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_SET_H
#define FL_DOMAIN_SET_H

/*
 * Wanted objects, found again by key and by owner. An owner is whoever wants the object, such as one peer's lease: when a
 * lease changes, just its objects are looked at, however many others there are. Each entry carries what is
 * known of the object in the kernel.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "domain/object.h"

struct fl_set;

enum fl_entry_state {
	FL_ENTRY_PENDING, /* not compared with the kernel since it was added or changed */
	FL_ENTRY_IN_FORCE,
	FL_ENTRY_FAILED /* error says why; tried again at retry_ns */
};

struct fl_entry {
	const void *owner;
	enum fl_entry_state state;
	struct flannel_error *error;
	uint64_t retry_ns;
	uint32_t n_failures;
	struct fl_entry *owner_next; /* other entries of the same owner */
	bool in_kernel;              /* the kernel has an object of ours under this key */
	bool repairing;              /* was in force until somebody else changed it */
	uint32_t n_repairs;          /* in quick succession: somebody keeps changing it */
	uint64_t in_force_ns;        /* since when it is in force */
	struct fl_object
		object; /* the last: just as much as fl_object_size() says, so copied with fl_object_copy() only */
};

int fl_set_new(struct fl_set **ret_set, struct flannel_error **ret_error);
struct fl_set *fl_set_free(struct fl_set *set);

/* 1 if it is new or other attributes are wanted now (state PENDING), 0 if it was wanted so, -EEXIST if another owner has
 * the key, -ENOMEM. The entry lives until it is removed. */
int fl_set_put(struct fl_set *set, const struct fl_object *object, const void *owner, struct fl_entry **ret_entry,
	       struct flannel_error **ret_error);

/* by key; NULL if not wanted */
struct fl_entry *fl_set_find(const struct fl_set *set, const struct fl_object *object);

/* the entries of an owner, linked by owner_next; NULL if none */
struct fl_entry *fl_set_first_of(const struct fl_set *set, const void *owner);

/* forgets an entry and frees it */
void fl_set_remove(struct fl_set *set, struct fl_entry *entry);

size_t fl_set_count(const struct fl_set *set);

/* calls fn for each entry in the order of keys until it returns non-zero; fn must not change the set */
int fl_set_each(const struct fl_set *set, int (*fn)(void *userdata, struct fl_entry *entry), void *userdata);

/* writes down that the kernel has it (error NULL), or why not; takes a reference of error */
void fl_entry_set_result(struct fl_entry *entry, struct flannel_error *error, uint64_t now_ns);

FL_DEFINE_CLEANUP(struct fl_set *, fl_set_free)

#endif
