/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/plan/set.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A failed object is tried again after 100 ms, doubling to a minute. */
#define RETRY_FIRST_NS 100000000ULL
#define RETRY_LAST_NS 60000000000ULL

#define BUCKETS_MIN ((size_t)64)

struct fl_set {
	struct fl_entry **buckets;
	size_t n_buckets; /* a power of two */
	size_t n_entries;
};

int fl_set_new(struct fl_set **ret_set, struct flannel_error **ret_error)
{
	struct fl_set *set = calloc(1, sizeof(*set));

	if (!set)
		return fl_error_oom(ret_error);
	set->n_buckets = BUCKETS_MIN;
	set->buckets = calloc(set->n_buckets, sizeof(struct fl_entry *));
	if (!set->buckets) {
		free(set);
		return fl_error_oom(ret_error);
	}
	*ret_set = set;
	return 0;
}

/* frees an entry that is in no list any more */
static void entry_free(struct fl_entry *entry)
{
	if (entry->trouble)
		flannel_error_unref(entry->trouble->error);
	free(entry->trouble);
	free(entry);
}

struct fl_set *fl_set_free(struct fl_set *set)
{
	if (!set)
		return NULL;
	for (size_t i = 0; i < set->n_buckets; i++) {
		struct fl_entry *next;

		for (struct fl_entry *entry = set->buckets[i]; entry; entry = next) {
			next = entry->next;
			entry_free(entry);
		}
	}
	free(set->buckets);
	free(set);
	return NULL;
}

void fl_entry_get_object(const struct fl_entry *entry, struct fl_object *ret_object)
{
	fl_object_unpack(entry->type, entry->packed, ret_object);
}

/* where entries with a hash begin */
static struct fl_entry **bucket_of(const struct fl_set *set, uint32_t hash)
{
	return &set->buckets[hash & (set->n_buckets - 1)];
}

struct fl_entry *fl_set_find(const struct fl_set *set, const struct fl_object *object)
{
	uint32_t hash = fl_object_hash_key(object);

	for (struct fl_entry *entry = *bucket_of(set, hash); entry; entry = entry->next) {
		struct fl_object other;

		if (entry->hash != hash || entry->type != object->type)
			continue;
		fl_entry_get_object(entry, &other);
		if (fl_object_compare_key(&other, object) == 0)
			return entry;
	}
	return NULL;
}

/* at least one place for two entries; without memory the ways just become longer */
static void grow(struct fl_set *set)
{
	struct fl_set grown = {.n_buckets = set->n_buckets * 2};

	if (set->n_entries < 2 * set->n_buckets)
		return;
	grown.buckets = calloc(grown.n_buckets, sizeof(struct fl_entry *));
	if (!grown.buckets)
		return;
	for (size_t i = 0; i < set->n_buckets; i++) {
		while (set->buckets[i]) {
			struct fl_entry *entry = set->buckets[i], **to = bucket_of(&grown, entry->hash);

			set->buckets[i] = entry->next;
			entry->next = *to;
			*to = entry;
		}
	}
	free(set->buckets);
	set->buckets = grown.buckets;
	set->n_buckets = grown.n_buckets;
}

/* an entry of an object, in no list yet; NULL without memory */
static struct fl_entry *make_entry(const struct fl_object *object)
{
	uint8_t packed[FL_OBJECT_PACKED_MAX];
	size_t len = fl_object_pack(object, packed);
	struct fl_entry *entry = calloc(1, offsetof(struct fl_entry, packed) + len);

	if (!entry)
		return NULL;
	memcpy(entry->packed, packed, len);
	entry->hash = fl_object_hash_key(object);
	entry->type = (uint8_t)object->type;
	return entry;
}

/* puts an entry into both of its lists */
static void insert(struct fl_set *set, struct fl_entry *entry, struct fl_set_owner *owner)
{
	struct fl_entry **bucket = bucket_of(set, entry->hash);

	entry->owner = owner;
	entry->owner_next = owner->first;
	owner->first = entry;
	entry->next = *bucket;
	*bucket = entry;
	set->n_entries++;
}

/* takes an entry out of both of its lists */
static void take_out(struct fl_set *set, struct fl_entry *entry)
{
	struct fl_entry **at = &entry->owner->first;

	while (*at != entry)
		at = &(*at)->owner_next;
	*at = entry->owner_next;
	at = bucket_of(set, entry->hash);
	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	set->n_entries--;
}

/* other attributes for a key that is there, in a new entry, since they may need more room */
static int update(struct fl_set *set, struct fl_entry **entry, const struct fl_object *object)
{
	struct fl_entry *former = *entry, *made;
	struct fl_object before;

	fl_entry_get_object(former, &before);
	if (fl_object_satisfies(&before, object) && fl_object_satisfies(object, &before))
		return 0;
	made = make_entry(object);
	if (!made)
		return -ENOMEM;
	made->in_kernel = former->in_kernel;
	made->repairing = former->repairing;
	made->trouble = FL_TAKE(former->trouble);
	if (made->trouble) {
		made->trouble->n_failures = 0;
		made->trouble->error = flannel_error_unref(made->trouble->error);
	}
	take_out(set, former);
	insert(set, made, former->owner);
	entry_free(former);
	*entry = made;
	return 1;
}

int fl_set_put(struct fl_set *set, const struct fl_object *object, struct fl_set_owner *owner,
	       struct fl_entry **ret_entry, struct flannel_error **ret_error)
{
	struct fl_entry *entry = fl_set_find(set, object);
	char text[FL_OBJECT_STRLEN];
	int r = 1;

	if (entry && entry->owner != owner)
		return fl_error_set(ret_error, -EEXIST, "node", "it is wanted twice", "want %s",
				    fl_object_format(object, text, sizeof(text)));
	if (entry) {
		r = update(set, &entry, object);
		if (r < 0)
			return fl_error_oom(ret_error);
	} else {
		entry = make_entry(object);
		if (!entry)
			return fl_error_oom(ret_error);
		grow(set);
		insert(set, entry, owner);
	}
	if (ret_entry)
		*ret_entry = entry;
	return r;
}

void fl_set_remove(struct fl_set *set, struct fl_entry *entry)
{
	take_out(set, entry);
	entry_free(entry);
}

size_t fl_set_count(const struct fl_set *set)
{
	return set->n_entries;
}

int fl_set_each(const struct fl_set *set, int (*fn)(void *userdata, struct fl_entry *entry), void *userdata)
{
	for (size_t i = 0; i < set->n_buckets; i++) {
		for (struct fl_entry *entry = set->buckets[i]; entry; entry = entry->next) {
			int r = fn(userdata, entry);

			if (r)
				return r;
		}
	}
	return 0;
}

struct flannel_error *fl_entry_get_error(const struct fl_entry *entry)
{
	return entry->trouble ? entry->trouble->error : NULL;
}

uint32_t fl_entry_get_repairs(const struct fl_entry *entry)
{
	return entry->trouble ? entry->trouble->n_repairs : 0;
}

uint64_t fl_entry_get_retry_ns(const struct fl_entry *entry, uint64_t now_ns)
{
	return entry->trouble ? entry->trouble->retry_ns : now_ns + RETRY_FIRST_NS;
}

struct fl_trouble *fl_entry_get_trouble(struct fl_entry *entry)
{
	if (!entry->trouble)
		entry->trouble = calloc(1, sizeof(*entry->trouble));
	return entry->trouble;
}

void fl_trouble_set_result(struct fl_trouble *trouble, struct flannel_error *error, uint64_t now_ns)
{
	uint64_t delay_ns = RETRY_FIRST_NS;

	flannel_error_ref(error);
	flannel_error_unref(trouble->error);
	trouble->error = error;
	if (!error) {
		trouble->n_failures = 0;
		trouble->in_force_ns = now_ns;
		return;
	}
	for (uint32_t i = 0; i < trouble->n_failures && delay_ns < RETRY_LAST_NS; i++)
		delay_ns *= 2;
	if (delay_ns > RETRY_LAST_NS)
		delay_ns = RETRY_LAST_NS;
	trouble->n_failures++;
	trouble->retry_ns = now_ns + delay_ns;
}

void fl_entry_set_result(struct fl_entry *entry, struct flannel_error *error, uint64_t now_ns)
{
	struct fl_trouble *trouble = error ? fl_entry_get_trouble(entry) : entry->trouble;

	entry->state = error ? FL_ENTRY_FAILED : FL_ENTRY_IN_FORCE;
	entry->in_kernel |= !error;
	if (!trouble)
		return;
	fl_trouble_set_result(trouble, error, now_ns);
	if (error || trouble->n_repairs)
		return;
	/* all is well again */
	free(trouble);
	entry->trouble = NULL;
}
