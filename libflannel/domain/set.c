/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/set.h"

#include <errno.h>
#include <search.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A failed object is tried again after 100 ms, doubling to a minute. */
#define RETRY_FIRST_NS 100000000ULL
#define RETRY_LAST_NS 60000000000ULL

struct owner_list {
	const void *owner;
	struct fl_entry *first;
};

struct fl_set {
	void *by_key;   /* tsearch tree of the objects of struct fl_entry */
	void *by_owner; /* tsearch tree of struct owner_list */
	size_t n_entries;
};

static int compare_objects(const void *a, const void *b)
{
	return fl_object_compare_key(a, b);
}

/* the entry that an object in the tree is part of */
static struct fl_entry *entry_of(const void *object)
{
	return (struct fl_entry *)((uintptr_t)object - offsetof(struct fl_entry, object));
}

static int compare_owners(const void *a, const void *b)
{
	const struct owner_list *x = a, *y = b;

	return (x->owner > y->owner) - (x->owner < y->owner);
}

int fl_set_new(struct fl_set **ret_set, struct flannel_error **ret_error)
{
	struct fl_set *set = calloc(1, sizeof(*set));

	if (!set)
		return fl_error_oom(ret_error);
	*ret_set = set;
	return 0;
}

/* frees the entry of an object that no tree holds any more */
static void entry_free(void *pointer)
{
	struct fl_entry *entry = entry_of(pointer);

	flannel_error_unref(entry->error);
	free(entry);
}

struct fl_set *fl_set_free(struct fl_set *set)
{
	if (!set)
		return NULL;
	tdestroy(set->by_owner, free);
	tdestroy(set->by_key, entry_free);
	free(set);
	return NULL;
}

struct fl_entry *fl_set_find(const struct fl_set *set, const struct fl_object *object)
{
	void **node = tfind(object, &set->by_key, compare_objects);

	return node ? entry_of(*node) : NULL;
}

/* the list of an owner, NULL if it owns nothing */
static struct owner_list *find_owner(const struct fl_set *set, const void *owner)
{
	struct owner_list key = {.owner = owner};
	struct owner_list **node = tfind(&key, &set->by_owner, compare_owners);

	return node ? *node : NULL;
}

/* links a new entry into both trees; nothing is changed on failure */
static int insert(struct fl_set *set, struct fl_entry *entry)
{
	struct owner_list *list = find_owner(set, entry->owner);

	if (!list) {
		list = calloc(1, sizeof(*list));
		if (!list)
			return -ENOMEM;
		list->owner = entry->owner;
		if (!tsearch(list, &set->by_owner, compare_owners)) {
			free(list);
			return -ENOMEM;
		}
	}
	if (!tsearch(&entry->object, &set->by_key, compare_objects)) {
		if (!list->first) {
			tdelete(list, &set->by_owner, compare_owners);
			free(list);
		}
		return -ENOMEM;
	}
	entry->owner_next = list->first;
	list->first = entry;
	set->n_entries++;
	return 0;
}

/* other attributes for a key that is there */
static int update(struct fl_entry *entry, const struct fl_object *object)
{
	if (fl_object_satisfies(&entry->object, object) && fl_object_satisfies(object, &entry->object))
		return 0;
	memcpy(&entry->object, object, fl_object_size(object->type));
	entry->state = FL_ENTRY_PENDING;
	entry->n_failures = 0;
	entry->error = flannel_error_unref(entry->error);
	return 1;
}

int fl_set_put(struct fl_set *set, const struct fl_object *object, const void *owner, struct fl_entry **ret_entry,
	       struct flannel_error **ret_error)
{
	struct fl_entry *entry = fl_set_find(set, object);
	char text[FL_OBJECT_STRLEN];
	int r = 1;

	if (entry && entry->owner != owner)
		return fl_error_set(ret_error, -EEXIST, "node", "it is wanted twice", "want %s",
				    fl_object_format(object, text, sizeof(text)));
	if (entry) {
		r = update(entry, object);
	} else {
		entry = calloc(1, offsetof(struct fl_entry, object) + fl_object_size(object->type));
		if (!entry)
			return fl_error_oom(ret_error);
		memcpy(&entry->object, object, fl_object_size(object->type));
		entry->owner = owner;
		if (insert(set, entry) < 0) {
			free(entry);
			return fl_error_oom(ret_error);
		}
	}
	if (ret_entry)
		*ret_entry = entry;
	return r;
}

struct fl_entry *fl_set_first_of(const struct fl_set *set, const void *owner)
{
	struct owner_list *list = find_owner(set, owner);

	return list ? list->first : NULL;
}

void fl_set_remove(struct fl_set *set, struct fl_entry *entry)
{
	struct owner_list *list = find_owner(set, entry->owner);

	for (struct fl_entry **at = &list->first; *at; at = &(*at)->owner_next) {
		if (*at == entry) {
			*at = entry->owner_next;
			break;
		}
	}
	if (!list->first) {
		tdelete(list, &set->by_owner, compare_owners);
		free(list);
	}
	tdelete(&entry->object, &set->by_key, compare_objects);
	set->n_entries--;
	entry_free(&entry->object);
}

size_t fl_set_count(const struct fl_set *set)
{
	return set->n_entries;
}

struct each_closure {
	int (*fn)(void *userdata, struct fl_entry *entry);
	void *userdata;
	int result;
};

/* twalk_r() cannot be stopped: once there is a result the rest is passed over */
static void each_visit(const void *node, VISIT which, void *closure)
{
	struct each_closure *each = closure;

	if (each->result || (which != postorder && which != leaf))
		return;
	each->result = each->fn(each->userdata, entry_of(*(void *const *)node));
}

int fl_set_each(const struct fl_set *set, int (*fn)(void *userdata, struct fl_entry *entry), void *userdata)
{
	struct each_closure each = {.fn = fn, .userdata = userdata};

	twalk_r(set->by_key, each_visit, &each);
	return each.result;
}

void fl_entry_set_result(struct fl_entry *entry, struct flannel_error *error, uint64_t now_ns)
{
	uint64_t delay_ns = RETRY_FIRST_NS;

	flannel_error_ref(error);
	flannel_error_unref(entry->error);
	entry->error = error;
	if (!error) {
		entry->state = FL_ENTRY_IN_FORCE;
		entry->n_failures = 0;
		entry->in_kernel = true;
		entry->in_force_ns = now_ns;
		return;
	}
	entry->state = FL_ENTRY_FAILED;
	for (uint32_t i = 0; i < entry->n_failures && delay_ns < RETRY_LAST_NS; i++)
		delay_ns *= 2;
	if (delay_ns > RETRY_LAST_NS)
		delay_ns = RETRY_LAST_NS;
	entry->n_failures++;
	entry->retry_ns = now_ns + delay_ns;
}
