/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/address/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "base/cleanup.h"
#include "store/address/place.h"

/* where the parts are in the file; what lies between is a hole. Header and first blocks are read and written at once. */
#define HEADER_OFFSET FL_ADDRESS_PLACE_PATH_SIZE
#define BLOCKS_OFFSET (HEADER_OFFSET + FL_ADDRESS_HEADER_SIZE)
#define BUCKETS_OFFSET (BLOCKS_OFFSET + FL_ADDRESS_BLOCKS_MAX * FL_ADDRESS_BLOCK_SIZE)

/* buckets are made half full at most, so that one seldom overflows before all are */
#define BUCKET_LOAD (FL_ADDRESS_BUCKET_RECORDS / 2)
#define BUCKETS_MIN 4

void fl_address_index_open(struct fl_address_index *index, const struct fl_address_directory *directory,
			   const struct stat *status)
{
	index->fd = fl_address_place_open(directory, status);
}

/* forgets the pages that were read, changed or not */
static void drop_pages(struct fl_address_index *index)
{
	index->has_bucket = false;
	index->bucket_changed = false;
	for (uint32_t i = 0; i < FL_ADDRESS_SLOTS; i++)
		index->slots[i].has_block = false;
}

/* forgets all that was read or made */
static void drop_all(struct fl_address_index *index)
{
	free(index->buckets);
	free(index->blocks);
	index->buckets = NULL;
	index->blocks = NULL;
	index->is_broken = false;
	drop_pages(index);
}

void fl_address_index_close(struct fl_address_index *index)
{
	drop_all(index);
	fl_closep(&index->fd);
	index->fd = -1;
}

/* reads all of a part */
static bool read_part(const struct fl_address_index *index, void *part, size_t size, off_t offset)
{
	return index->fd >= 0 && pread(index->fd, part, size, offset) == (ssize_t)size;
}

/* writes all of a part; without success the index will not match the directory */
static void write_part(struct fl_address_index *index, const void *part, size_t size, off_t offset)
{
	if (index->fd < 0 || pwrite(index->fd, part, size, offset) != (ssize_t)size)
		index->is_broken = true;
}

/* where a bucket is in the file */
static off_t bucket_offset(uint32_t number)
{
	return BUCKETS_OFFSET + (off_t)number * FL_ADDRESS_BUCKET_SIZE;
}

/* where a block is in the file */
static off_t block_offset(uint32_t number)
{
	return BLOCKS_OFFSET + (off_t)number * FL_ADDRESS_BLOCK_SIZE;
}

/* Is it the directory that the index was written for, and as it was then? On file systems that keep whole seconds only it never is,
 * since two indexes of different places could not be told apart. */
static bool stamp_matches(const struct fl_address_header *header, const struct stat *directory)
{
	return header->directory_dev == directory->st_dev && header->directory_ino == directory->st_ino &&
	       header->stamp_sec == directory->st_mtim.tv_sec && header->stamp_nsec == directory->st_mtim.tv_nsec;
}

/* reads the header and, on the way, the first blocks */
static bool read_head(struct fl_address_index *index)
{
	struct iovec parts[1 + FL_ADDRESS_SLOTS] = {{&index->header, sizeof(index->header)}};
	ssize_t n;

	for (uint32_t i = 0; i < FL_ADDRESS_SLOTS; i++)
		parts[1 + i] = (struct iovec){&index->slots[i].block, sizeof(index->slots[i].block)};
	n = index->fd >= 0 ? preadv(index->fd, parts, 1 + FL_ADDRESS_SLOTS, HEADER_OFFSET) : -1;
	if (n < (ssize_t)sizeof(index->header) || !fl_address_header_is_sound(&index->header))
		return false;
	for (uint32_t i = 0; i < FL_ADDRESS_SLOTS; i++) {
		index->slots[i].number = i;
		index->slots[i].has_block = i < index->header.n_blocks && n >= block_offset(i + 1) - HEADER_OFFSET;
		index->slots[i].is_checked = false;
		index->slots[i].is_changed = false;
	}
	return true;
}

bool fl_address_index_load(struct fl_address_index *index, const struct stat *directory, const struct fl_boot *boot)
{
	drop_all(index);
	if (!read_head(index)) {
		memset(&index->header, 0, sizeof(index->header));
		return false;
	}
	/* where files in /run outlive the kernel: a crash may have kept one page and lost another */
	return memcmp(index->header.boot, boot->id, sizeof(boot->id)) == 0 && stamp_matches(&index->header, directory);
}

/* how many buckets hold so many records */
static uint32_t choose_buckets(size_t n_records)
{
	uint32_t n = BUCKETS_MIN;

	while (n < FL_ADDRESS_BUCKETS_MAX && (size_t)n * BUCKET_LOAD < n_records)
		n *= 2;
	return n;
}

int fl_address_index_reset(struct fl_address_index *index, size_t n_records)
{
	uint32_t n_buckets = choose_buckets(n_records);

	drop_all(index);
	fl_address_header_init(&index->header, n_buckets);
	index->buckets = calloc(n_buckets, sizeof(*index->buckets));
	return index->buckets ? 0 : -ENOMEM;
}

/* writes the bucket back, if it was changed */
static void flush_bucket(struct fl_address_index *index)
{
	if (!index->bucket_changed)
		return;
	fl_address_bucket_seal(&index->bucket, index->bucket_number);
	write_part(index, &index->bucket, sizeof(index->bucket), bucket_offset(index->bucket_number));
	index->bucket_changed = false;
}

/* writes a block back, if it was changed */
static void flush_slot(struct fl_address_index *index, struct fl_address_slot *slot)
{
	if (!slot->has_block || !slot->is_changed)
		return;
	index->header.block_checksums[slot->number] = fl_address_block_checksum(&slot->block);
	write_part(index, &slot->block, sizeof(slot->block), block_offset(slot->number));
	slot->is_changed = false;
}

/* writes back what was changed of the pages */
static void flush_pages(struct fl_address_index *index)
{
	flush_bucket(index);
	for (uint32_t i = 0; i < FL_ADDRESS_SLOTS; i++)
		flush_slot(index, &index->slots[i]);
}

/* a bucket, NULL if it is damaged */
static struct fl_address_bucket *get_bucket(struct fl_address_index *index, uint32_t number)
{
	if (index->buckets)
		return &index->buckets[number];
	if (index->has_bucket && index->bucket_number == number)
		return &index->bucket;
	flush_bucket(index);
	index->has_bucket = false;
	if (!read_part(index, &index->bucket, sizeof(index->bucket), bucket_offset(number)) ||
	    !fl_address_bucket_is_sound(&index->bucket, number))
		return NULL;
	index->has_bucket = true;
	index->bucket_number = number;
	return &index->bucket;
}

/* the bucket in which the search for an owner begins */
static uint32_t first_bucket(const struct fl_address_index *index, uint64_t owner)
{
	return (uint32_t)owner % index->header.n_buckets;
}

/* the bucket in which a search goes on; n_buckets if it ends here */
static uint32_t next_bucket(const struct fl_address_index *index, const struct fl_address_bucket *bucket,
			    uint32_t number, uint64_t owner)
{
	uint32_t n = index->header.n_buckets;
	uint32_t next = (number + 1) % n;

	return bucket->is_overflowing && next != first_bucket(index, owner) ? next : n;
}

/* the number of the block that an address lies in; n_blocks if there is none */
static uint32_t find_block(const struct fl_address_index *index, const struct fl_address_key *address)
{
	struct fl_address_key key = fl_address_block_key(address);
	uint32_t number = 0;

	while (number < index->header.n_blocks &&
	       memcmp(index->header.blocks[number].bytes, key.bytes, sizeof(key.bytes)) != 0)
		number++;
	return number;
}

/* the block of that number, NULL if it is damaged */
static struct fl_address_block *get_block(struct fl_address_index *index, uint32_t number)
{
	struct fl_address_slot *slot = &index->slots[number % FL_ADDRESS_SLOTS];

	if (index->blocks)
		return &index->blocks[number];
	if (!slot->has_block || slot->number != number) {
		flush_slot(index, slot);
		slot->number = number;
		slot->is_checked = false;
		slot->is_changed = false;
		slot->has_block = read_part(index, &slot->block, sizeof(slot->block), block_offset(number));
	}
	if (slot->has_block && !slot->is_checked)
		slot->has_block = fl_address_block_checksum(&slot->block) == index->header.block_checksums[number];
	slot->is_checked = slot->has_block;
	return slot->has_block ? &slot->block : NULL;
}

/* a new, empty block for an address, NULL if there is no room for one: its addresses then count as free */
static struct fl_address_block *add_block(struct fl_address_index *index, const struct fl_address_key *address)
{
	uint32_t number = index->header.n_blocks;
	struct fl_address_slot *slot;
	struct fl_address_block *larger;

	if (number == FL_ADDRESS_BLOCKS_MAX)
		return NULL;
	if (index->buckets) {
		larger = reallocarray(index->blocks, number + 1, sizeof(*larger));
		if (!larger)
			return NULL;
		index->blocks = larger;
		memset(&larger[number], 0, sizeof(*larger));
	} else {
		slot = &index->slots[number % FL_ADDRESS_SLOTS];
		flush_slot(index, slot);
		memset(slot, 0, sizeof(*slot));
		slot->has_block = true;
		slot->is_checked = true;
		slot->number = number;
	}
	index->header.blocks[number] = fl_address_block_key(address);
	index->header.n_blocks++;
	return get_block(index, number);
}

int fl_address_index_find(struct fl_address_index *index, uint64_t owner,
			  int (*function)(void *userdata, const struct fl_address_key *address), void *userdata)
{
	uint32_t number = first_bucket(index, owner);
	int r;

	while (number < index->header.n_buckets) {
		const struct fl_address_bucket *bucket = get_bucket(index, number);

		if (!bucket)
			return -EBADMSG;
		for (size_t i = 0; i < FL_ADDRESS_BUCKET_RECORDS; i++) {
			if (bucket->records[i].owner != owner)
				continue;
			r = function(userdata, &bucket->records[i].address);
			if (r < 0)
				return r;
		}
		number = next_bucket(index, bucket, number, owner);
	}
	return 0;
}

/* all buckets as they are in the file; damaged ones are counted and come empty */
static struct fl_address_bucket *read_buckets(const struct fl_address_index *index, uint32_t *ret_n_damaged)
{
	uint32_t n = index->header.n_buckets;
	struct fl_address_bucket *buckets = calloc((size_t)n + 1, sizeof(*buckets));
	uint32_t n_damaged = 0;

	if (!buckets)
		return NULL;
	(void)read_part(index, buckets, (size_t)n * FL_ADDRESS_BUCKET_SIZE, bucket_offset(0));
	for (uint32_t i = 0; i < n; i++) {
		if (fl_address_bucket_is_sound(&buckets[i], i))
			continue;
		memset(&buckets[i], 0, sizeof(buckets[i]));
		n_damaged++;
	}
	*ret_n_damaged = n_damaged;
	return buckets;
}

/* puts a record into the first bucket with a free place from its own on; false if all are full */
static bool place(struct fl_address_index *index, const struct fl_address_record *record)
{
	uint32_t number = first_bucket(index, record->owner);

	for (uint32_t i = 0; i < index->header.n_buckets; i++) {
		struct fl_address_bucket *bucket = get_bucket(index, number);

		if (!bucket)
			return false;
		if (fl_address_bucket_insert(bucket, record)) {
			index->bucket_changed = true;
			return true;
		}
		bucket->is_overflowing = 1;
		index->bucket_changed = true;
		number = (number + 1) % index->header.n_buckets;
	}
	return false;
}

/* has all tables in memory; false if that is not possible, and then nothing has changed */
static bool load_tables(struct fl_address_index *index)
{
	FL_CLEANUP(fl_freep) struct fl_address_bucket *buckets = NULL;
	FL_CLEANUP(fl_freep) struct fl_address_block *blocks = NULL;
	size_t n_blocks = index->header.n_blocks;
	uint32_t n_damaged = 0;

	if (index->buckets)
		return true;
	flush_pages(index);
	buckets = read_buckets(index, &n_damaged);
	blocks = calloc(n_blocks + 1, sizeof(*blocks));
	if (!buckets || !blocks || n_damaged > 0 ||
	    (n_blocks > 0 && !read_part(index, blocks, n_blocks * FL_ADDRESS_BLOCK_SIZE, block_offset(0))))
		return false;
	for (size_t i = 0; i < n_blocks; i++) {
		if (fl_address_block_checksum(&blocks[i]) != index->header.block_checksums[i])
			return false;
	}
	drop_pages(index);
	index->buckets = FL_TAKE(buckets);
	index->blocks = FL_TAKE(blocks);
	return true;
}

/* Has twice as many buckets, in memory. Without the memory for it searches just become longer. */
static void grow(struct fl_address_index *index)
{
	uint32_t n_old = index->header.n_buckets;
	FL_CLEANUP(fl_freep) struct fl_address_bucket *old = NULL;
	struct fl_address_bucket *larger;

	if (n_old >= FL_ADDRESS_BUCKETS_MAX || !load_tables(index))
		return;
	larger = calloc((size_t)n_old * 2, sizeof(*larger));
	if (!larger)
		return;
	old = index->buckets;
	index->buckets = larger;
	index->header.n_buckets = 2 * n_old;
	for (uint32_t i = 0; i < n_old; i++) {
		for (size_t j = 0; j < FL_ADDRESS_BUCKET_RECORDS; j++) {
			if (old[i].records[j].owner != 0)
				(void)place(index, &old[i].records[j]);
		}
	}
}

void fl_address_index_insert(struct fl_address_index *index, const struct fl_address_record *record)
{
	index->header.n_records++;
	if (index->header.n_records > (uint64_t)index->header.n_buckets * BUCKET_LOAD)
		grow(index);
	if (!place(index, record))
		index->is_broken = true;
}

void fl_address_index_remove(struct fl_address_index *index, uint64_t owner, const struct fl_address_key *address)
{
	uint32_t number = first_bucket(index, owner);

	while (number < index->header.n_buckets) {
		struct fl_address_bucket *bucket = get_bucket(index, number);

		if (!bucket) {
			index->is_broken = true;
			return;
		}
		if (fl_address_bucket_remove(bucket, owner, address)) {
			index->bucket_changed = true;
			index->header.n_records--;
			return;
		}
		number = next_bucket(index, bucket, number, owner);
	}
}

void fl_address_index_set_taken(struct fl_address_index *index, const struct fl_address_key *address, bool taken)
{
	uint32_t number = find_block(index, address);
	struct fl_address_block *block;

	if (number < index->header.n_blocks) {
		block = get_block(index, number);
		if (!block)
			index->is_broken = true;
	} else {
		block = taken ? add_block(index, address) : NULL;
	}
	if (!block)
		return;
	fl_address_block_set(block, address, taken);
	index->slots[number % FL_ADDRESS_SLOTS].is_changed = true;
}

int fl_address_index_run(struct fl_address_index *index, const struct fl_address_key *address)
{
	uint32_t number = find_block(index, address);
	const struct fl_address_block *block;

	if (number == index->header.n_blocks)
		return 0;
	block = get_block(index, number);
	return block ? (int)fl_address_block_run(block, address) : -EBADMSG;
}

/* writes the tables that are in memory */
static void write_tables(struct fl_address_index *index)
{
	uint32_t n = index->header.n_buckets;

	for (uint32_t i = 0; i < n; i++)
		fl_address_bucket_seal(&index->buckets[i], i);
	for (uint32_t i = 0; i < index->header.n_blocks; i++)
		index->header.block_checksums[i] = fl_address_block_checksum(&index->blocks[i]);
	if (index->fd < 0 || ftruncate(index->fd, HEADER_OFFSET) < 0)
		index->is_broken = true;
	if (index->header.n_blocks > 0)
		write_part(index, index->blocks, (size_t)index->header.n_blocks * FL_ADDRESS_BLOCK_SIZE,
			   block_offset(0));
	write_part(index, index->buckets, (size_t)n * FL_ADDRESS_BUCKET_SIZE, bucket_offset(0));
}

/*
 * The time that says that the index is complete: two seconds ago, so that whatever is changed from now on gets a later one, even
 * where the kernel's clock stands still for some milliseconds. The fraction is a matter of chance: an index of somebody who sees another
 * /run does not get the same stamp, whatever their clock.
 */
static struct timespec choose_stamp(void)
{
	const void *chance = (const void *)getauxval(AT_RANDOM);
	uint64_t parts[4] = {0};
	struct timespec stamp = {0};

	(void)clock_gettime(CLOCK_REALTIME, &stamp);
	parts[0] = (uint64_t)stamp.tv_sec;
	parts[1] = (uint64_t)stamp.tv_nsec;
	if (chance)
		memcpy(&parts[2], chance, 2 * sizeof(parts[2]));
	stamp.tv_sec -= 2;
	stamp.tv_nsec = (long)(1 + fl_address_hash(parts, sizeof(parts)) % 999999) * 1000;
	return stamp;
}

/* writes the header and, in the same go, those of the first blocks that have changed; the rest must have been written */
static void write_head(struct fl_address_index *index)
{
	struct iovec parts[1 + FL_ADDRESS_SLOTS] = {{&index->header, sizeof(index->header)}};
	size_t size = sizeof(index->header);
	int n = 1;

	for (uint32_t i = 0; i < FL_ADDRESS_SLOTS; i++) {
		struct fl_address_slot *slot = &index->slots[i];

		if (!slot->has_block || !slot->is_changed)
			continue;
		/* one that does not lie right behind what is written here */
		if (slot->number != (uint32_t)n - 1)
			flush_slot(index, slot);
		else
			index->header.block_checksums[slot->number] = fl_address_block_checksum(&slot->block);
		if (!slot->is_changed)
			continue;
		parts[n++] = (struct iovec){&slot->block, sizeof(slot->block)};
		size += sizeof(slot->block);
		slot->is_changed = false;
	}
	fl_address_header_seal(&index->header);
	if (!index->is_broken && pwritev(index->fd, parts, n, HEADER_OFFSET) != (ssize_t)size)
		index->is_broken = true;
}

void fl_address_index_commit(struct fl_address_index *index, int directory_fd, const struct stat *directory,
			     const struct fl_boot *boot)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, choose_stamp()};

	if (index->fd < 0)
		return;
	if (index->buckets)
		write_tables(index);
	else
		flush_bucket(index);
	if (index->is_broken)
		return;
	memcpy(index->header.boot, boot->id, sizeof(index->header.boot));
	index->header.directory_dev = directory->st_dev;
	index->header.directory_ino = directory->st_ino;
	index->header.stamp_sec = times[1].tv_sec;
	index->header.stamp_nsec = (uint32_t)times[1].tv_nsec;
	write_head(index);
	if (!index->is_broken)
		(void)futimens(directory_fd, times);
}
