/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_FOUND_H
#define FL_ENGINE_FOUND_H

/*
 * What the kernel has of one type, in one list ordered by key: the other half of a full compare. Where thousands are as they should, whoever
 * compares does not need them, and they are in no list.
 */

#include "base/error.h"
#include "domain/plan/plan.h"
#include "sys/rtnl/rtnl.h"

/* is a found object to be in the list; NULL: all are. It must ask the kernel nothing, and may be asked twice. */
typedef bool (*fl_found_fn)(void *userdata, const struct fl_object *object);

struct fl_found {
	fl_found_fn wants;
	void *userdata;
	struct fl_object *objects;
	size_t n_objects;
};

/*
 * Reads the objects of a type, into a list that is empty but for who chooses: the routes of table main, both families; a kernel without IPv6 has none of it. Of the
 * devices (names, "" for none) the global addresses, or the permanent neighbours or FDB entries; of one that is not there nothing.
 */
int fl_found_read(struct fl_found *found, struct fl_rtnl *rtnl, enum fl_object_type type,
		  const char devices[FL_DEVICES_MAX][FLANNEL_IFNAME_SIZE], struct flannel_error **ret_error);

/* of the objects under the wanted one's key: one that satisfies it, else the first, else NULL */
const struct fl_object *fl_found_best(const struct fl_found *found, const struct fl_object *wanted);

/* the objects under a key, from the first one on: how many */
size_t fl_found_all(const struct fl_found *found, const struct fl_object *key, const struct fl_object **ret_first);

/* empty again */
void fl_found_clear(struct fl_found *found);

#endif
