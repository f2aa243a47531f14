/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/reconcile/found.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/rtnl/address.h"
#include "sys/rtnl/link.h"
#include "sys/rtnl/neighbour.h"
#include "sys/rtnl/route.h"

/* A listing that was changed under our hands (NLM_F_DUMP_INTR) is read again, at most so often. */
#define LIST_ATTEMPTS 8

static int compare_objects(const void *a, const void *b)
{
	return fl_object_compare_key(a, b);
}

/* a route as an object */
static struct fl_object object_of(const struct fl_route *route)
{
	return (struct fl_object){.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE, .route = *route};
}

/* is a route to be in the list */
static bool wants_route(void *userdata, const struct fl_route *route)
{
	const struct fl_found *found = userdata;
	struct fl_object object;

	if (!found->wants)
		return true;
	object = object_of(route);
	return found->wants(found->userdata, &object);
}

/* one family's routes; interrupted listings start over */
static int list_routes(struct fl_found *found, struct fl_rtnl *rtnl, int family, struct fl_route **ret_routes,
		       size_t *ret_n, struct flannel_error **ret_error)
{
	struct fl_route_filter filter = {.family = family, .wants = wants_route, .userdata = found};
	int r = -EAGAIN;

	for (int i = 0; i < LIST_ATTEMPTS && r == -EAGAIN; i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		r = fl_route_list(rtnl, &filter, ret_routes, ret_n, &error);
		if (r < 0 && (r != -EAGAIN || i == LIST_ATTEMPTS - 1) && ret_error)
			*ret_error = FL_TAKE(error);
	}
	return r;
}

/* room for more objects; NULL without memory */
static struct fl_object *reserve(struct fl_found *found, size_t n, struct flannel_error **ret_error)
{
	struct fl_object *objects = reallocarray(found->objects, found->n_objects + n + 1, sizeof(*objects));

	if (!objects) {
		fl_error_oom(ret_error);
		return NULL;
	}
	found->objects = objects;
	return objects + found->n_objects;
}

/* a listing that failed: 0, as if it were empty, where that is how a kernel says that it has no IPv6; else the failure */
static int settle_failure(int family, int r, struct flannel_error **error, struct flannel_error **ret_error)
{
	if (family == AF_INET6 && (r == -EAFNOSUPPORT || r == -EOPNOTSUPP))
		return 0;
	if (ret_error)
		*ret_error = FL_TAKE(*error);
	return r;
}

/* appends one family's routes */
static int read_family(struct fl_found *found, struct fl_rtnl *rtnl, int family, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_route *routes = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_object *objects;
	size_t n = 0;
	int r = list_routes(found, rtnl, family, &routes, &n, &error);

	if (r < 0)
		return settle_failure(family, r, &error, ret_error);
	objects = reserve(found, n, ret_error);
	if (!objects)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		objects[i] = object_of(&routes[i]);
	found->n_objects += n;
	return 0;
}

/* appends the addresses of a device, without those that the kernel gives every link */
static int read_addresses(struct fl_found *found, struct fl_rtnl *rtnl, uint32_t ifindex, const char *device,
			  struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_interface_address *addresses = NULL;
	struct fl_object *objects;
	size_t n = 0;
	int r = fl_address_list(rtnl, ifindex, AF_UNSPEC, &addresses, &n, ret_error);

	if (r < 0)
		return r;
	objects = reserve(found, n, ret_error);
	if (!objects)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (addresses[i].scope != FL_ROUTE_SCOPE_UNIVERSE)
			continue;
		*objects = (struct fl_object){.type = FL_OBJECT_ADDRESS, .role = FL_ROLE_NODE};
		objects->address.address = addresses[i].address;
		memcpy(objects->address.link, device, strlen(device) + 1);
		objects++;
		found->n_objects++;
	}
	return 0;
}

/* appends neighbours of a family, or (AF_BRIDGE) FDB entries */
static int read_entries(struct fl_found *found, struct fl_rtnl *rtnl, int family, uint32_t ifindex, const char *device,
			struct flannel_error **ret_error)
{
	const struct fl_neighbour_filter filter = {.wants = found->wants, .userdata = found->userdata};
	FL_CLEANUP(fl_freep) struct fl_object *entries = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_object *objects;
	size_t n = 0;
	int r = fl_neighbour_list(rtnl, family, ifindex, device, found->wants ? &filter : NULL, &entries, &n, &error);

	if (r < 0)
		return settle_failure(family, r, &error, ret_error);
	/* the first list, which is mostly the only one, is taken as it is */
	if (found->n_objects == 0) {
		free(found->objects);
		found->objects = FL_TAKE(entries);
		found->n_objects = n;
		return 0;
	}
	objects = reserve(found, n, ret_error);
	if (!objects)
		return -ENOMEM;
	if (n)
		memcpy(objects, entries, n * sizeof(*objects));
	found->n_objects += n;
	return 0;
}

/* appends what is on a device of a type; it may vanish at any moment, and then nothing is */
static int read_device(struct fl_found *found, struct fl_rtnl *rtnl, enum fl_object_type type, const char *device,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	size_t n_before = found->n_objects;
	uint32_t ifindex;
	int r = fl_link_find_index(rtnl, device, &ifindex);

	if (r == 0 && type == FL_OBJECT_ADDRESS)
		r = read_addresses(found, rtnl, ifindex, device, &error);
	if (r == 0 && type == FL_OBJECT_NEIGHBOUR)
		r = read_entries(found, rtnl, AF_INET, ifindex, device, &error);
	if (r == 0 && type == FL_OBJECT_NEIGHBOUR)
		r = read_entries(found, rtnl, AF_INET6, ifindex, device, &error);
	if (r == 0 && type == FL_OBJECT_FDB)
		r = read_entries(found, rtnl, AF_BRIDGE, ifindex, device, &error);
	if (r == -ENODEV) {
		found->n_objects = n_before;
		return 0;
	}
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

int fl_found_read(struct fl_found *found, struct fl_rtnl *rtnl, enum fl_object_type type,
		  const char devices[FL_DEVICES_MAX][FLANNEL_IFNAME_SIZE], struct flannel_error **ret_error)
{
	int r = 0;

	if (type == FL_OBJECT_ROUTE)
		r = read_family(found, rtnl, AF_INET, ret_error);
	if (r >= 0 && type == FL_OBJECT_ROUTE)
		r = read_family(found, rtnl, AF_INET6, ret_error);
	for (size_t i = 0; i < FL_DEVICES_MAX && r >= 0; i++) {
		if (devices[i][0])
			r = read_device(found, rtnl, type, devices[i], ret_error);
	}
	if (r >= 0 && found->n_objects > 1)
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
	found->objects = NULL;
	found->n_objects = 0;
}
