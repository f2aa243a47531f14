/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/address/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#define AREA "address"

/* what a scan gathers */
struct scan {
	struct fl_address_session *session;
	bool (*keep)(const void *userdata, const struct fl_address_file *file);
	const void *userdata;
	bool is_place_known;
	bool is_local; /* if that is known: no other machine has the directory, too */
	/* what there is */
	struct fl_address_record *records; /* owner 0: taken, but nobody's */
	size_t n_records;
	size_t n_allocated;
	uint32_t n_old;
	int n_removed;
};

void fl_address_list_clear(struct fl_address_list *list)
{
	free(list->addresses);
	memset(list, 0, sizeof(*list));
}

/* appends an address */
static int list_add(struct fl_address_list *list, const struct flannel_prefix *address)
{
	struct flannel_prefix *larger;
	size_t n_allocated = list->n_allocated > 0 ? 2 * list->n_allocated : 4;

	if (list->n == list->n_allocated) {
		larger = reallocarray(list->addresses, n_allocated, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		list->addresses = larger;
		list->n_allocated = n_allocated;
	}
	list->addresses[list->n++] = *address;
	return 0;
}

/* orders addresses, for qsort() */
static int compare_addresses(const void *a, const void *b)
{
	return flannel_prefix_compare(a, b);
}

/*
 * Is the directory on a file system that one machine has for itself? Elsewhere another boot may be another machine's. The
 * numbers are those of statfs(2): ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS, bcachefs, ZFS.
 */
static bool is_local(int fd)
{
	const unsigned int local[] = {0xef53,     0x58465342, 0x9123683e, 0x01021994,
				      0x794c7630, 0xf2f52010, 0xca451a4e, 0x2fc12fc1};
	struct statfs status;

	if (fstatfs(fd, &status) < 0)
		return false;
	for (size_t i = 0; i < FL_N_ELEMENTS(local); i++) {
		if ((unsigned int)status.f_type == local[i])
			return true;
	}
	return false;
}

/*
 * Has a file been left over by an earlier boot, together with its container? The mark says so, and nothing else is asked: clocks are
 * set, inodes come again, an index is lost. On a file system that machines share the mark may be another machine's.
 */
static bool is_left_over(struct scan *scan, const struct fl_address_file *file)
{
	if (!file->is_old)
		return false;
	if (!scan->is_place_known)
		scan->is_local = is_local(scan->session->directory->fd);
	scan->is_place_known = true;
	return scan->is_local;
}

/* appends what a file says */
static int add_record(struct scan *scan, const struct fl_address_record *record)
{
	struct fl_address_record *larger;
	size_t n_allocated = scan->n_allocated > 0 ? 2 * scan->n_allocated : 64;

	if (scan->n_records == scan->n_allocated) {
		larger = reallocarray(scan->records, n_allocated, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		scan->records = larger;
		scan->n_allocated = n_allocated;
	}
	scan->records[scan->n_records++] = *record;
	return 0;
}

/* one file of the scan: removed or noted. For fl_address_directory_scan(). */
static int scan_file(void *userdata, const struct fl_address_file *file)
{
	struct scan *scan = userdata;
	const struct fl_address_directory *directory = scan->session->directory;
	struct fl_address_record record = {.address = fl_address_key(&file->address)};
	bool is_kept = true;

	/* IPv4 in IPv6 form is no address of ours */
	if (fl_address_from_key(&record.address).family != file->address.family)
		return 0;
	if (!file->is_readable)
		return add_record(scan, &record);
	record.owner = fl_address_owner_key(file->text, file->len, file->id_len);
	if (scan->keep)
		is_kept = scan->keep(scan->userdata, file);
	/* whoever says that it is in use knows better */
	if (scan->keep && is_kept && file->is_old)
		fl_address_directory_mark(directory, &file->address, &scan->session->boot);
	/* files are filled with the lock held, and we hold it: an empty one has no writer any more */
	if (is_kept && file->len > 0 && (scan->keep || !is_left_over(scan, file))) {
		scan->n_old += !scan->keep && file->is_old;
		return add_record(scan, &record);
	}
	if (fl_address_directory_remove(directory, &file->address, NULL) < 0) {
		scan->n_old += file->is_old;
		return add_record(scan, &record);
	}
	scan->n_removed += !is_kept && file->len > 0;
	return 0;
}

/* puts what the scan found into new tables */
static int fill_index(struct scan *scan, struct flannel_error **ret_error)
{
	struct fl_address_index *index = &scan->session->index;

	if (fl_address_index_reset(index, scan->n_records) < 0)
		return fl_error_oom(ret_error);
	for (size_t i = 0; i < scan->n_records; i++) {
		fl_address_index_set_taken(index, &scan->records[i].address, true);
		if (scan->records[i].owner != 0)
			fl_address_index_insert(index, &scan->records[i]);
	}
	index->header.n_old = scan->n_old;
	return index->is_broken ? fl_error_oom(ret_error) : 0;
}

int fl_address_session_scan(struct fl_address_session *session,
			    bool (*keep)(const void *userdata, const struct fl_address_file *file),
			    const void *userdata, struct flannel_error **ret_error)
{
	struct scan scan = {.session = session, .keep = keep, .userdata = userdata};
	int r;

	if (session->is_fresh && !keep)
		return 0;
	r = fl_address_directory_scan(session->directory, &session->boot, scan_file, &scan, ret_error);
	if (r == 0)
		r = fill_index(&scan, ret_error);
	free(scan.records);
	if (r < 0) {
		session->index.is_broken = true;
		return r;
	}
	session->is_fresh = true;
	session->is_changed = true;
	return scan.n_removed;
}

/* takes the lock and looks whether there is an index to work with: 1, or 0 */
static int begin(struct fl_address_session *session, const struct fl_address_directory *directory,
		 const struct fl_boot *boot, struct flannel_error **ret_error)
{
	int r;

	session->directory = directory;
	session->boot = *boot;
	session->is_fresh = false;
	session->is_changed = false;
	session->index.fd = -1;
	session->lock = -1;
	r = fl_address_directory_lock(directory, &session->lock, ret_error);
	if (r < 0)
		return r;
	if (fstat(directory->fd, &session->status) < 0)
		return fl_error_set(ret_error, -errno, AREA, NULL, "look at %s", directory->path);
	fl_address_index_open(&session->index, directory, &session->status);
	return fl_address_index_load(&session->index, &session->status, boot) ? 1 : 0;
}

int fl_address_session_begin(struct fl_address_session *session, const struct fl_address_directory *directory,
			     const struct fl_boot *boot, struct flannel_error **ret_error)
{
	int r = begin(session, directory, boot, ret_error);

	if (r < 0)
		return r;
	return r > 0 ? 0 : fl_address_session_scan(session, NULL, NULL, ret_error);
}

int fl_address_session_begin_blind(struct fl_address_session *session, const struct fl_address_directory *directory,
				   const struct fl_boot *boot, struct flannel_error **ret_error)
{
	int r = begin(session, directory, boot, ret_error);

	return r < 0 ? r : 0;
}

void fl_address_session_end(struct fl_address_session *session)
{
	if (session->is_changed)
		fl_address_index_commit(&session->index, session->directory->fd, &session->status, &session->boot);
	fl_address_index_close(&session->index);
	fl_closep(&session->lock);
	session->lock = -1;
}

/* a search, and what was found so far */
struct search {
	struct fl_address_session *session;
	const struct fl_address_owner *owner;
	enum fl_address_match match;
	struct fl_address_list list;
};

/* An address that the index names: its file must say the same. Where all files were looked at just now, it can only be that two
 * owners have one key. For fl_address_index_find(). */
static int check_found(void *userdata, const struct fl_address_key *key)
{
	struct search *search = userdata;
	struct fl_address_session *session = search->session;
	const struct flannel_prefix address = fl_address_from_key(key);

	if (!fl_address_directory_read(session->directory, &address, &session->file) ||
	    fl_address_file_match(&session->file, search->owner) != search->match)
		return session->is_fresh ? 0 : -EBADMSG;
	return list_add(&search->list, &address);
}

/* the key of an owner's files of a kind */
static uint64_t key_of(const struct fl_address_owner *owner, enum fl_address_match match)
{
	return fl_address_owner_key(owner->text, match == FL_ADDRESS_OWNED ? owner->len : owner->id_len, owner->id_len);
}

int fl_address_session_find(struct fl_address_session *session, const struct fl_address_owner *owner,
			    enum fl_address_match match, struct fl_address_list *ret_list,
			    struct flannel_error **ret_error)
{
	struct search search = {.session = session, .owner = owner, .match = match};
	int r = fl_address_index_find(&session->index, key_of(owner, match), check_found, &search);

	if (r == -EBADMSG && !session->is_fresh) {
		fl_address_list_clear(&search.list);
		r = fl_address_session_scan(session, NULL, NULL, ret_error);
		if (r < 0)
			return r;
		r = fl_address_index_find(&session->index, key_of(owner, match), check_found, &search);
	}
	if (r < 0) {
		fl_address_list_clear(&search.list);
		return fl_error_oom(ret_error);
	}
	if (search.list.n > 1)
		qsort(search.list.addresses, search.list.n, sizeof(*search.list.addresses), compare_addresses);
	*ret_list = search.list;
	return 0;
}

/* tells the index of a file that was written */
static void note_file(struct fl_address_session *session, const struct flannel_prefix *address,
		      const struct fl_address_owner *owner)
{
	const struct fl_address_record record = {
		.owner = key_of(owner, FL_ADDRESS_OWNED),
		.address = fl_address_key(address),
	};

	fl_address_index_insert(&session->index, &record);
	session->is_changed = true;
}

int fl_address_session_create(struct fl_address_session *session, const struct flannel_prefix *address,
			      const struct fl_address_owner *owner, struct flannel_error **ret_error)
{
	int r = fl_address_directory_create(session->directory, address, owner, &session->boot, ret_error);

	if (r < 0)
		return r;
	note_file(session, address, owner);
	fl_address_session_set_taken(session, address);
	return 0;
}

bool fl_address_session_has_old(const struct fl_address_session *session)
{
	return session->index.header.n_old > 0;
}

int fl_address_session_rewrite(struct fl_address_session *session, const struct flannel_prefix *address,
			       const struct fl_address_owner *owner, enum fl_address_match match,
			       struct flannel_error **ret_error)
{
	const struct fl_address_key key = fl_address_key(address);
	int r = fl_address_directory_rewrite(session->directory, address, owner, &session->boot, ret_error);

	if (r < 0)
		return r;
	fl_address_index_remove(&session->index, key_of(owner, match), &key);
	note_file(session, address, owner);
	return 0;
}

int fl_address_session_remove(struct fl_address_session *session, const struct flannel_prefix *address,
			      const struct fl_address_owner *owner, enum fl_address_match match,
			      struct flannel_error **ret_error)
{
	const struct fl_address_key key = fl_address_key(address);
	int r = fl_address_directory_remove(session->directory, address, ret_error);

	if (r < 0)
		return r;
	fl_address_index_remove(&session->index, key_of(owner, match), &key);
	fl_address_index_set_taken(&session->index, &key, false);
	session->is_changed = true;
	return r;
}

int fl_address_session_next_free(struct fl_address_session *session, struct fl_range_walk *walk,
				 struct flannel_prefix *ret_address, struct flannel_prefix *ret_gateway)
{
	struct fl_address_key key;
	int n_taken;

	while (fl_range_walk_next(walk, ret_address, ret_gateway) > 0) {
		key = fl_address_key(ret_address);
		n_taken = fl_address_index_run(&session->index, &key);
		if (n_taken == 0)
			return 1;
		/* damaged: as good as the end, where the files are asked */
		if (n_taken < 0 && !session->is_fresh)
			return 0;
		if (n_taken > 1)
			fl_range_walk_skip(walk, (uint32_t)n_taken - 1);
	}
	return 0;
}

int fl_address_session_has_free(struct fl_address_session *session, const struct flannel_address_range *ranges,
				size_t n_ranges, uint32_t set, struct flannel_error **ret_error)
{
	const struct flannel_prefix from_start = {0};
	struct flannel_prefix address;
	struct flannel_prefix gateway;
	struct fl_range_walk walk;
	int r;

	fl_range_walk_init(&walk, ranges, n_ranges, set, &from_start);
	r = fl_address_session_next_free(session, &walk, &address, &gateway);
	if (r > 0 || session->is_fresh)
		return r;
	/* what keeps the addresses may be gone, or be of an earlier boot */
	r = fl_address_session_scan(session, NULL, NULL, ret_error);
	return r < 0 ? r : fl_address_session_has_free(session, ranges, n_ranges, set, ret_error);
}

void fl_address_session_set_taken(struct fl_address_session *session, const struct flannel_prefix *address)
{
	const struct fl_address_key key = fl_address_key(address);

	fl_address_index_set_taken(&session->index, &key, true);
	session->is_changed = true;
}
