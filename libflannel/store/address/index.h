/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_ADDRESS_INDEX_H
#define FL_STORE_ADDRESS_INDEX_H

/*
 * The index of an address pool: whose addresses are where, and which are taken, so that no call looks through the directory.
 * It is one file elsewhere (store/address/place.h), since other implementations read every file in the directory. It only ever is
 * a hint: an address that it names is looked at, and an index that is missing, damaged or older than the
 * directory is made anew from one look at all files. Used with the pool's lock held.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "store/address/directory.h"
#include "store/address/page.h"
#include "store/boot.h"

/* how many blocks are held at once: those of the two families of a usual network */
#define FL_ADDRESS_SLOTS 2

/* a block that is held; the one with number n is in the slot n % FL_ADDRESS_SLOTS */
struct fl_address_slot {
	struct fl_address_block block;
	uint32_t number;
	bool has_block;
	bool is_checked; /* its checksum is right */
	bool is_changed;
};

struct fl_address_index {
	int fd; /* -1: there is no place for an index */
	struct fl_address_header header;
	/* the whole tables, if they were read or made; else pages are read as they are needed */
	struct fl_address_bucket *buckets;
	struct fl_address_block *blocks;
	/* pages of each kind */
	struct fl_address_bucket bucket;
	uint32_t bucket_number;
	bool has_bucket;
	bool bucket_changed;
	struct fl_address_slot slots[FL_ADDRESS_SLOTS];
	bool is_broken; /* a page could not be written: the directory does not get its stamp */
};

/* Opens the index of a directory, making it if need be. Without one all else works as well, but nothing is remembered. */
void fl_address_index_open(struct fl_address_index *index, const struct fl_address_directory *directory,
			   const struct stat *status);
void fl_address_index_close(struct fl_address_index *index);

/* Reads the header. True if the index is complete: of this boot, and nobody else has changed the directory since it was written.
 * Otherwise the header is zero if it is none, else what it is. */
bool fl_address_index_load(struct fl_address_index *index, const struct stat *directory, const struct fl_boot *boot);

/* Forgets what is in the file and starts with empty tables in memory, with room for n_records. */
int fl_address_index_reset(struct fl_address_index *index, size_t n_records);

/* Calls for each record of an owner. -EBADMSG: the index is damaged; else 0, or what the function returned, if negative. */
int fl_address_index_find(struct fl_address_index *index, uint64_t owner,
			  int (*function)(void *userdata, const struct fl_address_key *address), void *userdata);

/* These cannot fail: an index that cannot be kept is one that will not match the directory. */
void fl_address_index_insert(struct fl_address_index *index, const struct fl_address_record *record);
void fl_address_index_remove(struct fl_address_index *index, uint64_t owner, const struct fl_address_key *address);
void fl_address_index_set_taken(struct fl_address_index *index, const struct fl_address_key *address, bool taken);

/* How many addresses from this one on are known to be taken, without a gap; there may be more than that. -EBADMSG: the index is
 * damaged. */
int fl_address_index_run(struct fl_address_index *index, const struct fl_address_key *address);

/* Writes what has changed, and as the very last thing makes index and directory match. */
void fl_address_index_commit(struct fl_address_index *index, int directory_fd, const struct stat *directory,
			     const struct fl_boot *boot);

#endif
