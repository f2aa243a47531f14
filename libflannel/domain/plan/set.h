/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_PLAN_SET_H
#define FL_DOMAIN_PLAN_SET_H

/*
 * Wanted objects, found again by key and by owner. An owner is whoever wants the object, such as one peer's lease: when a
 * lease changes, just its objects are looked at, however many others there are. Each entry carries what is
 * known of the object in the kernel.
 *
 * There are three entries for each of thousands of peers, and hardly ever is anything wrong with one. So an entry keeps its object packed, and
 * what there is to say of failures apart.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "domain/plan/object.h"

struct fl_set;
struct fl_entry;

/* embedded in whoever wants objects; all zero to begin with. It may go once it has no entries. */
struct fl_set_owner {
	struct fl_entry *first; /* its entries, linked by owner_next */
};

enum fl_entry_state {
	FL_ENTRY_PENDING, /* not compared with the kernel since it was added or changed */
	FL_ENTRY_IN_FORCE,
	FL_ENTRY_FAILED /* its trouble's error says why; tried again at retry_ns */
};

/* is what the kernel has as it is wanted */
enum fl_entry_found {
	FL_ENTRY_NOT_FOUND, /* or found, but not so */
	FL_ENTRY_FOUND,
	FL_ENTRY_FOUND_OURS
};

/* what went wrong with something that is wanted */
struct fl_trouble {
	struct flannel_error *error; /* NULL: it is in force */
	uint64_t retry_ns;
	uint32_t n_failures;  /* in a row */
	uint32_t n_repairs;   /* in quick succession: somebody keeps changing it */
	uint64_t in_force_ns; /* since when it is in force */
};

struct fl_entry {
	struct fl_set_owner *owner;
	struct fl_entry *owner_next; /* other entries of the same owner */
	struct fl_entry *next;       /* of the set */
	struct fl_trouble *trouble;  /* NULL as long as there is none, and without memory for it */
	uint32_t hash;
	uint8_t state;           /* enum fl_entry_state */
	uint8_t type;            /* enum fl_object_type */
	bool in_kernel : 1;      /* the kernel has an object of ours under this key */
	bool repairing : 1;      /* was in force until somebody else changed it */
	unsigned char found : 2; /* enum fl_entry_found, during a full compare */
	uint8_t packed[];        /* see fl_entry_get_object() */
};

int fl_set_new(struct fl_set **ret_set, struct flannel_error **ret_error);
struct fl_set *fl_set_free(struct fl_set *set);

/* 1 if it is new or other attributes are wanted now (state PENDING), 0 if it was wanted so, -EEXIST if another owner has
 * the key, -ENOMEM. The entry lives until it is removed, or put with other attributes. */
int fl_set_put(struct fl_set *set, const struct fl_object *object, struct fl_set_owner *owner,
	       struct fl_entry **ret_entry, struct flannel_error **ret_error);

/* by key; NULL if not wanted */
struct fl_entry *fl_set_find(const struct fl_set *set, const struct fl_object *object);

/* forgets an entry and frees it */
void fl_set_remove(struct fl_set *set, struct fl_entry *entry);

size_t fl_set_count(const struct fl_set *set);

/* calls fn for each entry, in no order, until it returns non-zero; fn must not change the set */
int fl_set_each(const struct fl_set *set, int (*fn)(void *userdata, struct fl_entry *entry), void *userdata);

/* the object that is wanted */
void fl_entry_get_object(const struct fl_entry *entry, struct fl_object *ret_object);

/* why it failed the last time; NULL if it did not */
struct flannel_error *fl_entry_get_error(const struct fl_entry *entry);

/* repairs in quick succession */
uint32_t fl_entry_get_repairs(const struct fl_entry *entry);

/* when one that failed is to be tried again */
uint64_t fl_entry_get_retry_ns(const struct fl_entry *entry, uint64_t now_ns);

/* its trouble, made for the purpose if there was none; NULL without memory */
struct fl_trouble *fl_entry_get_trouble(struct fl_entry *entry);

/* writes down that the kernel has it (error NULL), or why not; takes a reference of error */
void fl_entry_set_result(struct fl_entry *entry, struct flannel_error *error, uint64_t now_ns);

/* the same for what is in no set */
void fl_trouble_set_result(struct fl_trouble *trouble, struct flannel_error *error, uint64_t now_ns);

FL_DEFINE_CLEANUP(struct fl_set *, fl_set_free)

#endif
