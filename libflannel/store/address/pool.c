/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/address/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "store/address/place.h"

#define AREA "address"

FL_DEFINE_CLEANUP(struct flannel_address_pool *, flannel_address_pool_free)

int fl_address_pool_open(const char *directory, const struct fl_boot *boot, struct flannel_address_pool **ret_pool,
			 struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_address_pool_freep) struct flannel_address_pool *pool = NULL;
	int r;

	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return fl_error_oom(ret_error);
	pool->directory.fd = -1;
	pool->boot = *boot;
	r = fl_address_directory_open(directory, &pool->directory, ret_error);
	if (r < 0)
		return r;
	*ret_pool = FL_TAKE(pool);
	return 0;
}

int flannel_address_pool_open(const char *directory, struct flannel_address_pool **ret_pool,
			      struct flannel_error **ret_error)
{
	struct fl_boot boot;

	if (!directory || directory[0] == '\0' || !ret_pool)
		return fl_error_set(ret_error, -EINVAL, "argument", NULL, "open address pool");
	boot = fl_boot_read();
	return fl_address_pool_open(directory, &boot, ret_pool, ret_error);
}

struct flannel_address_pool *flannel_address_pool_free(struct flannel_address_pool *pool)
{
	if (pool)
		fl_address_directory_close(&pool->directory);
	free(pool);
	return NULL;
}

/* what is wrong with the names of an owner, NULL if nothing */
static const char *find_fault(const char *container_id, const char *ifname)
{
	size_t blanks = container_id ? strspn(container_id, " \t\r\n\v\f") : 0;
	size_t len;

	if (!container_id || container_id[blanks] == '\0')
		return "there is no container id";
	len = strcspn(container_id + blanks, "\r\n");
	if (container_id[blanks + len + strspn(container_id + blanks + len, " \t\r\n\v\f")] != '\0')
		return "the container id has a line break";
	if (!ifname || ifname[0] == '\0')
		return "there is no interface name";
	if (ifname[strcspn(ifname, " \t\r\n\v\f")] != '\0')
		return "the interface name has a blank";
	if (len + strlen(ifname) + 2 >= FL_ADDRESS_TEXT_MAX)
		return "container id and interface name have more than 4000 bytes";
	return NULL;
}

int fl_address_pool_check_owner(const struct flannel_address_pool *pool, const char *container_id, const char *ifname,
				const char *operation, struct flannel_error **ret_error)
{
	const char *fault = pool ? find_fault(container_id, ifname) : "there is no pool";

	return fault ? fl_error_set(ret_error, -EINVAL, "argument", fault, "%s", operation) : 0;
}

int fl_address_pool_check_ranges(const struct flannel_address_range *ranges, size_t n_ranges, const char *operation,
				 struct flannel_error **ret_error)
{
	for (size_t i = 0; i < n_ranges; i++) {
		if (ranges[i].start.family == AF_UNSPEC || ranges[i].end.family == AF_UNSPEC)
			return fl_error_set(ret_error, -EINVAL, "argument", "the ranges were not checked", "%s",
					    operation);
	}
	return 0;
}

/* removes an owner's addresses; those that name the container only if there are no others. How many; the lock is held */
static int release_locked(struct fl_address_session *session, const struct fl_address_owner *owner,
			  struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_address_list_clear) struct fl_address_list found = {0};
	enum fl_address_match match = FL_ADDRESS_OWNED;
	int n_released = 0;
	int r;

	r = fl_address_session_find(session, owner, match, &found, ret_error);
	if (r == 0 && found.n == 0) {
		match = FL_ADDRESS_LEGACY;
		r = fl_address_session_find(session, owner, match, &found, ret_error);
	}
	for (size_t i = 0; r >= 0 && i < found.n; i++) {
		r = fl_address_session_remove(session, &found.addresses[i], owner, match, ret_error);
		n_released += r > 0;
	}
	return r < 0 ? r : n_released;
}

/* how many addresses an owner has, of whatever kind; the lock is held */
static int count_locked(struct fl_address_session *session, const struct fl_address_owner *owner,
			struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_address_list_clear) struct fl_address_list owned = {0};
	FL_CLEANUP(fl_address_list_clear) struct fl_address_list legacy = {0};
	int r = fl_address_session_find(session, owner, FL_ADDRESS_OWNED, &owned, ret_error);

	if (r == 0)
		r = fl_address_session_find(session, owner, FL_ADDRESS_LEGACY, &legacy, ret_error);
	return r < 0 ? r : (int)(owned.n + legacy.n);
}

/* asks or does something for an owner, with the lock held: what locked() returns */
static int for_owner(struct flannel_address_pool *pool, const char *container_id, const char *ifname,
		     const char *operation,
		     int (*locked)(struct fl_address_session *session, const struct fl_address_owner *owner,
				   struct flannel_error **ret_error),
		     struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_address_owner_clear) struct fl_address_owner owner = {0};
	int r;

	r = fl_address_pool_check_owner(pool, container_id, ifname, operation, ret_error);
	if (r < 0)
		return r;
	if (fl_address_owner_init(&owner, container_id, ifname) < 0)
		return fl_error_oom(ret_error);
	r = fl_address_session_begin(&pool->session, &pool->directory, &pool->boot, ret_error);
	if (r >= 0)
		r = locked(&pool->session, &owner, ret_error);
	fl_address_session_end(&pool->session);
	return r;
}

int flannel_address_pool_release(struct flannel_address_pool *pool, const char *container_id, const char *ifname,
				 struct flannel_error **ret_error)
{
	return for_owner(pool, container_id, ifname, "release addresses", release_locked, ret_error);
}

int flannel_address_pool_count(struct flannel_address_pool *pool, const char *container_id, const char *ifname,
			       struct flannel_error **ret_error)
{
	return for_owner(pool, container_id, ifname, "count addresses", count_locked, ret_error);
}

/* a text somewhere */
struct span {
	const char *text;
	size_t len;
};

/* whose addresses stay */
struct valid {
	struct fl_address_owner *owners;
	size_t n;
	struct span *texts; /* of their files; sorted */
	struct span *ids;   /* container ids; sorted */
};

/* orders texts, for qsort() and bsearch() */
static int compare_spans(const void *a, const void *b)
{
	const struct span *left = a;
	const struct span *right = b;
	size_t len = left->len < right->len ? left->len : right->len;
	int order = memcmp(left->text, right->text, len);

	return order != 0 ? order : (left->len > right->len) - (left->len < right->len);
}

/* for FL_CLEANUP */
static void clear_valid(struct valid *valid)
{
	for (size_t i = 0; i < valid->n; i++)
		fl_address_owner_clear(&valid->owners[i]);
	free(valid->owners);
	free(valid->texts);
	free(valid->ids);
}

/* an attachment as an owner of addresses */
static int add_valid(struct valid *valid, const struct flannel_address_pool *pool,
		     const struct flannel_attachment_id *id, struct flannel_error **ret_error)
{
	struct fl_address_owner *owner = &valid->owners[valid->n];
	int r;

	if (id->size != sizeof(*id))
		return fl_error_set(ret_error, id->size < sizeof(*id) ? -EINVAL : -E2BIG, "argument",
				    "size of struct flannel_attachment_id", "collect addresses");
	r = fl_address_pool_check_owner(pool, id->container_id, id->ifname, "collect addresses", ret_error);
	if (r < 0)
		return r;
	if (fl_address_owner_init(owner, id->container_id, id->ifname) < 0)
		return fl_error_oom(ret_error);
	valid->texts[valid->n] = (struct span){owner->text, owner->len};
	valid->ids[valid->n] = (struct span){owner->text, owner->id_len};
	valid->n++;
	return 0;
}

/* makes a list of attachments one that can be searched */
static int make_valid(struct valid *valid, const struct flannel_address_pool *pool,
		      const struct flannel_attachment_id *ids, size_t n_ids, struct flannel_error **ret_error)
{
	int r = 0;

	valid->owners = calloc(n_ids + 1, sizeof(*valid->owners));
	valid->texts = calloc(n_ids + 1, sizeof(*valid->texts));
	valid->ids = calloc(n_ids + 1, sizeof(*valid->ids));
	if (!valid->owners || !valid->texts || !valid->ids)
		return fl_error_oom(ret_error);
	for (size_t i = 0; r == 0 && i < n_ids; i++)
		r = add_valid(valid, pool, &ids[i], ret_error);
	qsort(valid->texts, valid->n, sizeof(*valid->texts), compare_spans);
	qsort(valid->ids, valid->n, sizeof(*valid->ids), compare_spans);
	return r;
}

/* does the owner of a file still exist; for fl_address_session_scan() */
static bool is_valid(const void *userdata, const struct fl_address_file *file)
{
	const struct valid *valid = userdata;
	const struct span text = {file->text, file->len};
	const struct span *list = file->id_len == file->len ? valid->ids : valid->texts;

	return bsearch(&text, list, valid->n, sizeof(*list), compare_spans) != NULL;
}

int flannel_address_pool_gc(struct flannel_address_pool *pool, const struct flannel_attachment_id *valid,
			    size_t n_valid, struct flannel_error **ret_error)
{
	FL_CLEANUP(clear_valid) struct valid kept = {0};
	int r;

	if (!pool || (!valid && n_valid > 0))
		return fl_error_set(ret_error, -EINVAL, "argument", NULL, "collect addresses");
	r = make_valid(&kept, pool, valid, n_valid, ret_error);
	if (r < 0)
		return r;
	r = fl_address_session_begin_blind(&pool->session, &pool->directory, &pool->boot, ret_error);
	if (r >= 0)
		r = fl_address_session_scan(&pool->session, is_valid, &kept, ret_error);
	fl_address_session_end(&pool->session);
	fl_address_place_sweep();
	return r;
}
