/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_ADDRESS_PAGE_H
#define FL_STORE_ADDRESS_PAGE_H

/*
 * The pages of an address pool's index, as they are in its file: a header, blocks with a bit for each address that is taken, and
 * buckets of a hash table with a record for each address that has an owner. No system call, no memory of its own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/prefix.h>

/* an address as 16 bytes: IPv4 in its IPv6 form */
struct fl_address_key {
	uint8_t bytes[16];
};

struct fl_address_key fl_address_key(const struct flannel_prefix *address);

/* back again, with the length of a single address */
struct flannel_prefix fl_address_from_key(const struct fl_address_key *key);

uint64_t fl_address_hash(const void *bytes, size_t len);

/* An owner as a number, never 0: of the whole text of its files, of which the first id_len bytes are the container id. All owners
 * of one container have the same lower half, which chooses the bucket. */
uint64_t fl_address_owner_key(const char *text, size_t len, size_t id_len);

/* an address of an owner */
struct fl_address_record {
	uint64_t owner; /* fl_address_owner_key(); 0: the record is free */
	struct fl_address_key address;
};

#define FL_ADDRESS_BUCKET_SIZE 1024
#define FL_ADDRESS_BUCKET_RECORDS 41

/* The records of all owners whose keys' lower halves are equal modulo the number of buckets. What does not fit in is in the next
 * one, and so on. */
struct fl_address_bucket {
	uint64_t checksum;
	uint64_t is_overflowing; /* it was full once: the search goes on in the next bucket */
	uint64_t reserved[3];
	struct fl_address_record records[FL_ADDRESS_BUCKET_RECORDS];
};

_Static_assert(sizeof(struct fl_address_bucket) == FL_ADDRESS_BUCKET_SIZE, "buckets have a fixed place");

/* number tells the buckets apart, so that none can stand in another's place */
void fl_address_bucket_seal(struct fl_address_bucket *bucket, uint32_t number);
bool fl_address_bucket_is_sound(const struct fl_address_bucket *bucket, uint32_t number);

/* false if the bucket is full */
bool fl_address_bucket_insert(struct fl_address_bucket *bucket, const struct fl_address_record *record);

/* true if there was such a record */
bool fl_address_bucket_remove(struct fl_address_bucket *bucket, uint64_t owner, const struct fl_address_key *address);

#define FL_ADDRESS_BLOCK_BITS 15
#define FL_ADDRESS_BLOCK_SIZE 4096

/* which of 32768 addresses, which differ in their last 15 bits only, are taken */
struct fl_address_block {
	uint64_t words[FL_ADDRESS_BLOCK_SIZE / 8];
};

/* the first address of the block that an address lies in */
struct fl_address_key fl_address_block_key(const struct fl_address_key *address);
void fl_address_block_set(struct fl_address_block *block, const struct fl_address_key *address, bool taken);

uint64_t fl_address_block_checksum(const struct fl_address_block *block);

/* how many addresses in a row, from this one on and within the block, are taken */
uint32_t fl_address_block_run(const struct fl_address_block *block, const struct fl_address_key *address);

#define FL_ADDRESS_HEADER_SIZE 1024
#define FL_ADDRESS_BLOCKS_MAX 39

/*
 * The tables are complete as long as the directory's modification time is the stamp: whoever changed the index last has
 * set that time, to one that no change sets. An index that has been written half has no such directory.
 */
struct fl_address_header {
	char magic[8];
	uint64_t checksum;
	uint8_t boot[16]; /* in which the index was written last; zero: unknown */
	int64_t stamp_sec;
	uint32_t stamp_nsec;
	uint32_t n_buckets;
	uint64_t directory_dev;
	uint64_t directory_ino;
	uint32_t n_records;
	uint32_t n_old; /* files with an earlier boot's mark that were there when the directory was looked through */
	uint32_t n_blocks;
	uint32_t reserved[3];
	uint64_t block_checksums[FL_ADDRESS_BLOCKS_MAX];
	struct fl_address_key
		blocks[FL_ADDRESS_BLOCKS_MAX]; /* which block lies where; what has no block counts as free */
};

_Static_assert(sizeof(struct fl_address_header) == FL_ADDRESS_HEADER_SIZE, "the header has a fixed size");

void fl_address_header_init(struct fl_address_header *header, uint32_t n_buckets);
void fl_address_header_seal(struct fl_address_header *header);

/* is it a header, and whole */
bool fl_address_header_is_sound(const struct fl_address_header *header);

#define FL_ADDRESS_BUCKETS_MAX (UINT32_C(1) << 20)

#endif
