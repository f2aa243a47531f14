/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <flannel/address.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/ipam/range.h"
#include "store/address/pool.h"

#define AREA "address"

/* One allocation as it goes: what it is for, and what it has got so far. */
struct allocation {
	struct fl_address_session *session;
	const struct flannel_address_request *request;
	struct fl_address_owner owner;
	struct fl_address_list owned; /* before this call */
	struct fl_address_list legacy;
	bool *used; /* which of request->wanted were taken */
	struct flannel_address *taken;
	size_t n_taken;
};

/* notes an address of the result */
static void note(struct allocation *allocation, const struct flannel_prefix *address,
		 const struct flannel_prefix *gateway, bool is_new)
{
	allocation->taken[allocation->n_taken++] = (struct flannel_address){
		.size = sizeof(struct flannel_address), .address = *address, .gateway = *gateway, .is_new = is_new};
}

/* writes the file and then the place where the next search goes on; on failure there is no file. -EEXIST: taken, no error object */
static int take(struct allocation *allocation, uint32_t set, struct fl_address_position *position,
		const struct flannel_prefix *address, const struct flannel_prefix *gateway,
		struct flannel_error **ret_error)
{
	struct fl_address_session *session = allocation->session;
	int r = fl_address_session_create(session, address, &allocation->owner, ret_error);

	if (r < 0)
		return r;
	r = fl_address_position_set(position, session->directory, set, address, ret_error);
	if (r < 0) {
		(void)fl_address_session_remove(session, address, &allocation->owner, FL_ADDRESS_OWNED, NULL);
		return r;
	}
	note(allocation, address, gateway, true);
	return 0;
}

/* takes the wanted address, which lies in ranges[index] */
static int take_wanted(struct allocation *allocation, size_t wanted, size_t index, struct flannel_error **ret_error)
{
	const struct flannel_address_range *range = &allocation->request->ranges[index];
	struct flannel_prefix address = allocation->request->wanted[wanted];
	struct fl_address_position position;
	char text[FLANNEL_PREFIX_STRLEN];
	int r;

	address.plen = range->subnet.plen;
	(void)flannel_prefix_format_address(&address, text, sizeof(text));
	if (fl_range_same_address(&address, &range->gateway))
		return fl_error_set(ret_error, -EINVAL, AREA, "it is the gateway of its range", "allocate %s", text);
	fl_address_position_open(allocation->session->directory, range->set, &position);
	r = take(allocation, range->set, &position, &address, &range->gateway, ret_error);
	fl_address_position_close(&position);
	if (r == -EEXIST)
		return fl_error_set(ret_error, -EADDRINUSE, AREA, "it is taken", "allocate %s", text);
	if (r == 0)
		allocation->used[wanted] = true;
	return r;
}

/* the first address of a list that lies in the set; *ret_index is its range */
static const struct flannel_prefix *find_in_set(const struct allocation *allocation, const struct fl_address_list *list,
						uint32_t set, int *ret_index)
{
	const struct flannel_address_request *request = allocation->request;

	for (size_t i = 0; i < list->n; i++) {
		*ret_index = fl_range_find(request->ranges, request->n_ranges, set, &list->addresses[i]);
		if (*ret_index >= 0)
			return &list->addresses[i];
	}
	return NULL;
}

/*
 * Gives the owner what it has of a set: 1, or 0 if it has nothing. An address of the container alone becomes that of this interface, so
 * that no other one gets it, too. Where files of an earlier boot are about, this one is written again, lest it be taken for one.
 */
static int take_owned(struct allocation *allocation, uint32_t set, struct flannel_error **ret_error)
{
	enum fl_address_match match = FL_ADDRESS_OWNED;
	struct flannel_prefix address;
	const struct flannel_address_range *range;
	const struct flannel_prefix *found;
	int index;
	int r;

	found = find_in_set(allocation, &allocation->owned, set, &index);
	if (!found) {
		match = FL_ADDRESS_LEGACY;
		found = find_in_set(allocation, &allocation->legacy, set, &index);
	}
	if (!found)
		return 0;
	if (match == FL_ADDRESS_LEGACY || fl_address_session_has_old(allocation->session)) {
		r = fl_address_session_rewrite(allocation->session, found, &allocation->owner, match, ret_error);
		if (r < 0)
			return r;
	}
	range = &allocation->request->ranges[index];
	address = *found;
	address.plen = range->subnet.plen;
	note(allocation, &address, &range->gateway, false);
	return 1;
}

/* Takes the first free address after the position: 1, or 0 if there seems to be none. */
static int take_free(struct allocation *allocation, uint32_t set, struct fl_address_position *position,
		     struct flannel_error **ret_error)
{
	const struct flannel_address_request *request = allocation->request;
	struct fl_address_session *session = allocation->session;
	struct flannel_prefix address;
	struct flannel_prefix gateway;
	struct fl_range_walk walk;
	int r;

	fl_range_walk_init(&walk, request->ranges, request->n_ranges, set, &position->last);
	while (fl_address_session_next_free(session, &walk, &address, &gateway) > 0) {
		r = take(allocation, set, position, &address, &gateway, ret_error);
		if (r != -EEXIST)
			return r < 0 ? r : 1;
		/* the index did not know that; without a look at all files it cannot be trusted further */
		if (!session->is_fresh)
			return 0;
		fl_address_session_set_taken(session, &address);
	}
	return 0;
}

/* takes the next free address of a set, in turn */
static int take_next(struct allocation *allocation, uint32_t set, struct flannel_error **ret_error)
{
	const struct flannel_address_request *request = allocation->request;
	struct fl_address_session *session = allocation->session;
	struct fl_address_position position;
	bool was_fresh;
	char spans[200];
	int r;

	fl_address_position_open(session->directory, set, &position);
	do {
		was_fresh = session->is_fresh;
		r = take_free(allocation, set, &position, ret_error);
		if (r == 0 && !was_fresh)
			r = fl_address_session_scan(session, NULL, NULL, ret_error);
	} while (r == 0 && !was_fresh);
	fl_address_position_close(&position);
	if (r != 0)
		return r < 0 ? r : 0;
	return fl_error_set_retryable(ret_error, -ENOSPC, AREA, "no address is free", "allocate from range set %u (%s)",
				      set,
				      fl_range_describe(request->ranges, request->n_ranges, set, spans, sizeof(spans)));
}

/* an address of a set: the first wanted one that lies in it, else what the owner has, else the next free one */
static int take_from_set(struct allocation *allocation, uint32_t set, struct flannel_error **ret_error)
{
	const struct flannel_address_request *request = allocation->request;
	int r;

	for (size_t i = 0; i < request->n_wanted; i++) {
		int index = allocation->used[i]
				    ? -1
				    : fl_range_find(request->ranges, request->n_ranges, set, &request->wanted[i]);

		if (index >= 0)
			return take_wanted(allocation, i, (size_t)index, ret_error);
	}
	r = take_owned(allocation, set, ret_error);
	if (r != 0)
		return r < 0 ? r : 0;
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

/* finds what the owner has, takes the rest, and takes that back if something fails; the lock is held */
static int allocate_locked(struct allocation *allocation, struct flannel_error **ret_error)
{
	struct fl_address_session *session = allocation->session;
	int r;

	r = fl_address_session_find(session, &allocation->owner, FL_ADDRESS_OWNED, &allocation->owned, ret_error);
	if (r == 0)
		r = fl_address_session_find(session, &allocation->owner, FL_ADDRESS_LEGACY, &allocation->legacy,
					    ret_error);
	if (r == 0)
		r = take_all(allocation, ret_error);
	for (size_t i = allocation->n_taken; r < 0 && i-- > 0;) {
		if (allocation->taken[i].is_new)
			(void)fl_address_session_remove(session, &allocation->taken[i].address, &allocation->owner,
							FL_ADDRESS_OWNED, NULL);
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
	r = fl_address_pool_check_owner(pool, ret_request->container_id, ret_request->ifname, "allocate addresses",
					ret_error);
	if (r < 0)
		return r;
	if (!ret_request->ranges || ret_request->n_ranges == 0 || (!ret_request->wanted && ret_request->n_wanted > 0))
		return fl_error_set(ret_error, -EINVAL, "argument", "there are no ranges, or no wanted addresses",
				    "allocate addresses");
	return fl_address_pool_check_ranges(ret_request->ranges, ret_request->n_ranges, "allocate addresses",
					    ret_error);
}

int flannel_address_pool_allocate(struct flannel_address_pool *pool, const struct flannel_address_request *request,
				  struct flannel_address *ret_addresses, struct flannel_error **ret_error)
{
	struct flannel_address_request checked;
	FL_CLEANUP(fl_freep) struct flannel_address *taken = NULL;
	FL_CLEANUP(fl_freep) bool *used = NULL;
	struct allocation allocation;
	int r;

	if (!ret_addresses)
		return fl_error_set(ret_error, -EINVAL, "argument", NULL, "allocate addresses");
	r = check_request(pool, request, &checked, ret_error);
	if (r < 0)
		return r;
	taken = calloc(fl_range_count_sets(checked.ranges, checked.n_ranges), sizeof(*taken));
	used = calloc(checked.n_wanted + 1, sizeof(*used));
	allocation = (struct allocation){.session = &pool->session, .request = &checked, .used = used, .taken = taken};
	if (!taken || !used || fl_address_owner_init(&allocation.owner, checked.container_id, checked.ifname) < 0)
		return fl_error_oom(ret_error);

	r = fl_address_session_begin(&pool->session, &pool->directory, &pool->boot, ret_error);
	if (r >= 0)
		r = allocate_locked(&allocation, ret_error);
	fl_address_session_end(&pool->session);
	fl_address_list_clear(&allocation.owned);
	fl_address_list_clear(&allocation.legacy);
	fl_address_owner_clear(&allocation.owner);
	if (r < 0)
		return r;
	memcpy(ret_addresses, taken, allocation.n_taken * sizeof(*taken));
	return (int)allocation.n_taken;
}
