/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <flannel/address.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "domain/range.h"
#include "store/address_directory.h"

#define AREA "address"

struct flannel_address_pool {
	struct fl_address_directory directory;
};

FL_DEFINE_CLEANUP(struct flannel_address_pool *, flannel_address_pool_free)

/* One allocation as it goes: what it is for, and what it has taken so far. */
struct allocation {
	const struct fl_address_directory *directory;
	const struct flannel_address_request *request;
	struct fl_address_owner owner;
	struct fl_address_list owned; /* before this call, those of the container alone included */
	bool *used;                   /* which of request->wanted were taken */
	struct flannel_address *addresses;
	size_t n_addresses;
};

int flannel_address_pool_open(const char *directory, struct flannel_address_pool **ret_pool,
			      struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_address_pool_freep) struct flannel_address_pool *pool = NULL;
	int r;

	if (!directory || directory[0] == '\0' || !ret_pool)
		return fl_error_set(ret_error, -EINVAL, "argument", NULL, "open address pool");
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return fl_error_oom(ret_error);
	pool->directory.fd = -1;
	r = fl_address_directory_open(directory, &pool->directory, ret_error);
	if (r < 0)
		return r;
	*ret_pool = FL_TAKE(pool);
	return 0;
}

struct flannel_address_pool *flannel_address_pool_free(struct flannel_address_pool *pool)
{
	if (pool)
		fl_address_directory_close(&pool->directory);
	free(pool);
	return NULL;
}

/* what every call needs; names the first thing that is missing */
static int check_owner(const struct flannel_address_pool *pool, const char *container_id, const char *ifname,
		       const char *operation, struct flannel_error **ret_error)
{
	const char *detail = NULL;

	if (!pool)
		detail = "there is no pool";
	else if (!container_id || container_id[strspn(container_id, " \t\r\n\v\f")] == '\0')
		detail = "there is no container id";
	else if (!ifname || ifname[0] == '\0')
		detail = "there is no interface name";
	if (detail)
		return fl_error_set(ret_error, -EINVAL, "argument", detail, "%s", operation);
	return 0;
}

/* writes the file and then the place where the next search goes on; on failure both are as before, except that
 * last_reserved_ip.N may be empty, which just starts the next search from the front. -EEXIST: taken, no error object */
static int take(struct allocation *allocation, uint32_t set, const struct flannel_prefix *address,
		const struct flannel_prefix *gateway, struct flannel_error **ret_error)
{
	struct flannel_address *taken = &allocation->addresses[allocation->n_addresses];
	int r;

	r = fl_address_directory_create(allocation->directory, address, &allocation->owner, ret_error);
	if (r < 0)
		return r;
	r = fl_address_directory_set_last(allocation->directory, set, address, ret_error);
	if (r < 0) {
		(void)fl_address_directory_remove(allocation->directory, address, NULL);
		return r;
	}
	*taken = (struct flannel_address){.size = sizeof(*taken), .address = *address, .gateway = *gateway};
	allocation->n_addresses++;
	return 0;
}

/* takes the wanted address, which lies in ranges[index] */
static int take_wanted(struct allocation *allocation, size_t wanted, size_t index, struct flannel_error **ret_error)
{
	const struct flannel_address_range *range = &allocation->request->ranges[index];
	struct flannel_prefix address = allocation->request->wanted[wanted];
	char text[FLANNEL_PREFIX_STRLEN];
	int r;

	address.plen = range->subnet.plen;
	(void)flannel_prefix_format_address(&address, text, sizeof(text));
	if (fl_range_same_address(&address, &range->gateway))
		return fl_error_set(ret_error, -EINVAL, AREA, "it is the gateway of its range", "allocate %s", text);
	r = take(allocation, range->set, &address, &range->gateway, ret_error);
	if (r == -EEXIST)
		return fl_error_set(ret_error, -EADDRINUSE, AREA, "it is taken", "allocate %s", text);
	if (r == 0)
		allocation->used[wanted] = true;
	return r;
}

/* an owner has at most one address of a set, unless more are asked for by value */
static int refuse_second(const struct allocation *allocation, uint32_t set, struct flannel_error **ret_error)
{
	const struct flannel_address_request *request = allocation->request;
	char text[FLANNEL_PREFIX_STRLEN];

	for (size_t i = 0; i < allocation->owned.n; i++) {
		const struct flannel_prefix *address = &allocation->owned.addresses[i];

		if (fl_range_find(request->ranges, request->n_ranges, set, address) < 0)
			continue;
		(void)flannel_prefix_format_address(address, text, sizeof(text));
		return fl_error_set(ret_error, -EEXIST, AREA, "another address is not given",
				    "allocate from range set %u for container %s: it has %s already", set,
				    allocation->owner.container_id, text);
	}
	return 0;
}

/* takes the next free address of a set, in turn */
static int take_next(struct allocation *allocation, uint32_t set, struct flannel_error **ret_error)
{
	const struct flannel_address_request *request = allocation->request;
	struct flannel_prefix last = fl_address_directory_get_last(allocation->directory, set);
	struct flannel_prefix address;
	struct flannel_prefix gateway;
	struct fl_range_walk walk;
	char spans[200];
	int r;

	r = refuse_second(allocation, set, ret_error);
	if (r < 0)
		return r;
	fl_range_walk_init(&walk, request->ranges, request->n_ranges, set, &last);
	while (fl_range_walk_next(&walk, &address, &gateway) > 0) {
		r = take(allocation, set, &address, &gateway, ret_error);
		if (r != -EEXIST)
			return r;
	}
	return fl_error_set_retryable(ret_error, -ENOSPC, AREA, "no address is free", "allocate from range set %u (%s)",
				      set,
				      fl_range_describe(request->ranges, request->n_ranges, set, spans, sizeof(spans)));
}

/* takes one address of a set: the first wanted one that lies in it, else the next free one */
static int take_from_set(struct allocation *allocation, uint32_t set, struct flannel_error **ret_error)
{
	const struct flannel_address_request *request = allocation->request;

	for (size_t i = 0; i < request->n_wanted; i++) {
		int index = allocation->used[i]
				    ? -1
				    : fl_range_find(request->ranges, request->n_ranges, set, &request->wanted[i]);

		if (index >= 0)
			return take_wanted(allocation, i, (size_t)index, ret_error);
	}
	return take_next(allocation, set, ret_error);
}

/* one address from each set; then every wanted address must have been used */
static int take_all(struct allocation *allocation, struct flannel_error **ret_error)
{
	const struct flannel_address_request *request = allocation->request;
	size_t n_sets = fl_range_count_sets(request->ranges, request->n_ranges);
	char text[FLANNEL_PREFIX_STRLEN];
	int r;

	for (size_t set = 0; set < n_sets; set++) {
		r = take_from_set(allocation, (uint32_t)set, ret_error);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < request->n_wanted; i++) {
		if (allocation->used[i])
			continue;
		(void)flannel_prefix_format_address(&request->wanted[i], text, sizeof(text));
		return fl_error_set(ret_error, -EINVAL, AREA,
				    "it lies in no range, or another wanted address of its range set was taken",
				    "allocate %s", text);
	}
	return 0;
}

/* scans for what the owner has, takes the addresses, and takes all back if one fails; the lock is held */
static int allocate_locked(struct allocation *allocation, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_address_list_clear) struct fl_address_list legacy = {0};
	struct flannel_prefix *joined;
	int r;

	r = fl_address_directory_scan(allocation->directory, &allocation->owner, &allocation->owned, &legacy,
				      ret_error);
	if (r < 0)
		return r;
	if (legacy.n > 0) {
		joined = reallocarray(allocation->owned.addresses, allocation->owned.n + legacy.n, sizeof(*joined));
		if (!joined)
			return fl_error_oom(ret_error);
		memcpy(joined + allocation->owned.n, legacy.addresses, legacy.n * sizeof(*joined));
		allocation->owned.addresses = joined;
		allocation->owned.n += legacy.n;
		allocation->owned.n_allocated = allocation->owned.n;
	}
	r = take_all(allocation, ret_error);
	if (r < 0) {
		for (size_t i = 0; i < allocation->n_addresses; i++)
			(void)fl_address_directory_remove(allocation->directory, &allocation->addresses[i].address,
							  NULL);
	}
	return r;
}

/* the parameters of an allocation */
static int check_request(const struct flannel_address_pool *pool, const struct flannel_address_request *request,
			 struct flannel_address_request *ret_request, struct flannel_error **ret_error)
{
	int r;

	if (!request)
		return fl_error_set(ret_error, -EINVAL, "argument", "there is no request", "allocate addresses");
	r = fl_options_copy(ret_request, sizeof(*ret_request), sizeof(*ret_request), request,
			    "struct flannel_address_request", ret_error);
	if (r < 0)
		return r;
	r = check_owner(pool, ret_request->container_id, ret_request->ifname, "allocate addresses", ret_error);
	if (r < 0)
		return r;
	if (!ret_request->ranges || ret_request->n_ranges == 0 || (!ret_request->wanted && ret_request->n_wanted > 0))
		return fl_error_set(ret_error, -EINVAL, "argument", "there are no ranges, or no wanted addresses",
				    "allocate addresses");
	for (size_t i = 0; i < ret_request->n_ranges; i++) {
		if (ret_request->ranges[i].start.family == AF_UNSPEC || ret_request->ranges[i].end.family == AF_UNSPEC)
			return fl_error_set(ret_error, -EINVAL, "argument", "the ranges were not checked",
					    "allocate addresses");
	}
	return 0;
}

int flannel_address_pool_allocate(struct flannel_address_pool *pool, const struct flannel_address_request *request,
				  struct flannel_address *ret_addresses, struct flannel_error **ret_error)
{
	struct flannel_address_request checked;
	FL_CLEANUP(fl_freep) struct flannel_address *addresses = NULL;
	FL_CLEANUP(fl_freep) bool *used = NULL;
	FL_CLEANUP(fl_closep) int lock = -1;
	struct allocation allocation;
	int r;

	r = check_request(pool, request, &checked, ret_error);
	if (r < 0)
		return r;
	if (!ret_addresses)
		return fl_error_set(ret_error, -EINVAL, "argument", "there is no room for addresses",
				    "allocate addresses");
	addresses = calloc(fl_range_count_sets(checked.ranges, checked.n_ranges), sizeof(*addresses));
	used = calloc(checked.n_wanted + 1, sizeof(*used));
	if (!addresses || !used)
		return fl_error_oom(ret_error);
	r = fl_address_directory_lock(&pool->directory, &lock, ret_error);
	if (r < 0)
		return r;

	allocation = (struct allocation){.directory = &pool->directory,
					 .request = &checked,
					 .owner = {checked.container_id, checked.ifname},
					 .used = used,
					 .addresses = addresses};
	r = allocate_locked(&allocation, ret_error);
	fl_address_list_clear(&allocation.owned);
	if (r < 0)
		return r;
	memcpy(ret_addresses, addresses, allocation.n_addresses * sizeof(*addresses));
	return (int)allocation.n_addresses;
}

int flannel_address_pool_release(struct flannel_address_pool *pool, const char *container_id, const char *ifname,
				 struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_address_list_clear) struct fl_address_list owned = {0};
	FL_CLEANUP(fl_address_list_clear) struct fl_address_list legacy = {0};
	FL_CLEANUP(fl_closep) int lock = -1;
	const struct fl_address_owner owner = {container_id, ifname};
	const struct fl_address_list *found;
	int n_released = 0;
	int r;

	r = check_owner(pool, container_id, ifname, "release addresses", ret_error);
	if (r == 0)
		r = fl_address_directory_lock(&pool->directory, &lock, ret_error);
	if (r == 0)
		r = fl_address_directory_scan(&pool->directory, &owner, &owned, &legacy, ret_error);
	if (r < 0)
		return r;

	found = owned.n > 0 ? &owned : &legacy;
	for (size_t i = 0; i < found->n; i++) {
		r = fl_address_directory_remove(&pool->directory, &found->addresses[i], ret_error);
		if (r < 0)
			return r;
		n_released += r;
	}
	return n_released;
}

int flannel_address_pool_count(struct flannel_address_pool *pool, const char *container_id, const char *ifname,
			       struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_address_list_clear) struct fl_address_list owned = {0};
	FL_CLEANUP(fl_address_list_clear) struct fl_address_list legacy = {0};
	FL_CLEANUP(fl_closep) int lock = -1;
	const struct fl_address_owner owner = {container_id, ifname};
	int r;

	r = check_owner(pool, container_id, ifname, "count addresses", ret_error);
	if (r == 0)
		r = fl_address_directory_lock(&pool->directory, &lock, ret_error);
	if (r == 0)
		r = fl_address_directory_scan(&pool->directory, &owner, &owned, &legacy, ret_error);
	return r < 0 ? r : (int)(owned.n + legacy.n);
}
