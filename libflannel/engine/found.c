/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/found.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "sys/rtnl_route.h"

/* A listing that was changed under our hands (NLM_F_DUMP_INTR) is read again, at most so often. */
#define LIST_ATTEMPTS 8

static int compare_objects(const void *a, const void *b)
{
	return fl_object_compare_key(a, b);
}

/* one family's routes; interrupted listings start over */
static int list_routes(struct fl_rtnl *rtnl, int family, struct fl_route **ret_routes, size_t *ret_n,
		       struct flannel_error **ret_error)
{
	struct fl_route_filter filter = {.family = family};
	int r = -EAGAIN;

	for (int i = 0; i < LIST_ATTEMPTS && r == -EAGAIN; i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		r = fl_route_list(rtnl, &filter, ret_routes, ret_n, &error);
		if (r < 0 && (r != -EAGAIN || i == LIST_ATTEMPTS - 1) && ret_error)
			*ret_error = FL_TAKE(error);
	}
	return r;
}

/* appends one family */
static int read_family(struct fl_found *found, struct fl_rtnl *rtnl, int family, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_route *routes = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_object *objects;
	size_t n = 0;
	int r = list_routes(rtnl, family, &routes, &n, &error);

	if (family == AF_INET6 && (r == -EAFNOSUPPORT || r == -EOPNOTSUPP))
		return 0;
	if (r < 0) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	objects = reallocarray(found->objects, found->n_objects + n + 1, sizeof(*objects));
	if (!objects)
		return fl_error_oom(ret_error);
	found->objects = objects;
	for (size_t i = 0; i < n; i++) {
		struct fl_object *object = &objects[found->n_objects++];

		*object = (struct fl_object){.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE};
		object->route = routes[i];
	}
	return 0;
}

int fl_found_read(struct fl_found *found, struct fl_rtnl *rtnl, struct flannel_error **ret_error)
{
	int r = read_family(found, rtnl, AF_INET, ret_error);

	if (r >= 0)
		r = read_family(found, rtnl, AF_INET6, ret_error);
	if (r >= 0)
		qsort(found->objects, found->n_objects, sizeof(*found->objects), compare_objects);
	return r;
}

size_t fl_found_all(const struct fl_found *found, const struct fl_object *key, const struct fl_object **ret_first)
{
	const struct fl_object *end = found->objects + found->n_objects, *first = NULL, *last;

	if (found->n_objects)
		first = bsearch(key, found->objects, found->n_objects, sizeof(*first), compare_objects);
	if (!first)
		return 0;
	while (first > found->objects && compare_objects(first - 1, key) == 0)
		first--;
	for (last = first + 1; last < end && compare_objects(last, key) == 0; last++)
		;
	*ret_first = first;
	return (size_t)(last - first);
}

const struct fl_object *fl_found_best(const struct fl_found *found, const struct fl_object *wanted)
{
	const struct fl_object *first = NULL;
	size_t n = fl_found_all(found, wanted, &first);

	for (size_t i = 0; i < n; i++) {
		if (fl_object_satisfies(&first[i], wanted))
			return &first[i];
	}
	return first;
}

void fl_found_clear(struct fl_found *found)
{
	free(found->objects);
	*found = (struct fl_found){0};
}
