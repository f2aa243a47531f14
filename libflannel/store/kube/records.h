/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_RECORDS_H
#define FL_KUBE_RECORDS_H

/* What was told of which Node, since what is told next depends on it: a Node names its lease, but a lease does not name its Node. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/lease.h>

struct fl_kube_record {
	struct flannel_lease *lease; /* NULL: none was told */
	uint32_t generation;         /* of the list that named it last */
	bool was_warned;             /* that it cannot be read */
	char name[];
};

/* in the order of the names; the records lie where they are made until they are removed */
struct fl_kube_records {
	struct fl_kube_record **records;
	size_t n, n_allocated;
};

/* NULL if there is none */
struct fl_kube_record *fl_kube_records_find(const struct fl_kube_records *records, const char *name);

/* makes one if there is none; NULL without memory */
struct fl_kube_record *fl_kube_records_get(struct fl_kube_records *records, const char *name);

void fl_kube_records_remove(struct fl_kube_records *records, struct fl_kube_record *record);

/* removes those that the list with this number did not name */
void fl_kube_records_remove_others(struct fl_kube_records *records, uint32_t generation);

/* another one whose lease has these subnets; NULL if there is none */
const struct fl_kube_record *fl_kube_records_find_subnets(const struct fl_kube_records *records,
							  const struct flannel_lease *lease);

void fl_kube_records_clear(struct fl_kube_records *records);

#endif
