/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/records.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "store/kube/node.h"

#define ALLOCATED_MIN 64

/* where a name is, or would be; *ret_found says which */
static size_t position_of(const struct fl_kube_records *records, const char *name, bool *ret_found)
{
	size_t low = 0, high = records->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(records->records[middle]->name, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	return low;
}

struct fl_kube_record *fl_kube_records_find(const struct fl_kube_records *records, const char *name)
{
	bool found;
	size_t at = position_of(records, name, &found);

	return found ? records->records[at] : NULL;
}

/* drops one that is in no list any more */
static void record_free(struct fl_kube_record *record)
{
	flannel_lease_unref(record->lease);
	free(record);
}

/* room for one more; false without memory */
static bool reserve(struct fl_kube_records *records)
{
	size_t n_allocated = records->n_allocated ? 2 * records->n_allocated : ALLOCATED_MIN;
	struct fl_kube_record **grown;

	if (records->n < records->n_allocated)
		return true;
	grown = reallocarray(records->records, n_allocated, sizeof(*grown));
	if (!grown)
		return false;
	records->records = grown;
	records->n_allocated = n_allocated;
	return true;
}

struct fl_kube_record *fl_kube_records_get(struct fl_kube_records *records, const char *name)
{
	struct fl_kube_record *record;
	bool found;
	size_t at = position_of(records, name, &found);

	if (found)
		return records->records[at];
	if (!reserve(records))
		return NULL;
	record = calloc(1, offsetof(struct fl_kube_record, name) + strlen(name) + 1);
	if (!record)
		return NULL;
	memcpy(record->name, name, strlen(name) + 1);
	memmove(records->records + at + 1, records->records + at, (records->n - at) * sizeof(*records->records));
	records->records[at] = record;
	records->n++;
	return record;
}

void fl_kube_records_remove(struct fl_kube_records *records, struct fl_kube_record *record)
{
	bool found;
	size_t at = position_of(records, record->name, &found);

	if (!found)
		return;
	records->n--;
	memmove(records->records + at, records->records + at + 1, (records->n - at) * sizeof(*records->records));
	record_free(record);
}

void fl_kube_records_remove_others(struct fl_kube_records *records, uint32_t generation)
{
	size_t n = 0;

	for (size_t i = 0; i < records->n; i++) {
		if (records->records[i]->generation == generation)
			records->records[n++] = records->records[i];
		else
			record_free(records->records[i]);
	}
	records->n = n;
}

const struct fl_kube_record *fl_kube_records_find_subnets(const struct fl_kube_records *records,
							  const struct flannel_lease *lease)
{
	for (size_t i = 0; i < records->n; i++) {
		if (records->records[i]->lease && fl_kube_same_subnets(records->records[i]->lease, lease))
			return records->records[i];
	}
	return NULL;
}

void fl_kube_records_clear(struct fl_kube_records *records)
{
	for (size_t i = 0; i < records->n; i++)
		record_free(records->records[i]);
	free(records->records);
	*records = (struct fl_kube_records){0};
}
