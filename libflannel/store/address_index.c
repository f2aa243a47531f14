/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/address_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

#define FOLDER ".flannel"

/* where the parts are in the file; what lies between is a hole */
#define BLOCKS_OFFSET 4096
#define BUCKETS_OFFSET (BLOCKS_OFFSET + FL_ADDRESS_BLOCKS_MAX * FL_ADDRESS_BLOCK_SIZE)

/* buckets are made half full at most, so that one seldom overflows before all are */
#define BUCKET_LOAD (FL_ADDRESS_BUCKET_RECORDS / 2)
#define BUCKETS_MIN 16

/* <parent>/.flannel and <parent>/.flannel/<name>; false if the directory's name cannot be told */
static bool format_paths(const char *directory, char **ret_folder, char **ret_file)
{
	size_t len = strlen(directory);
	size_t name;

	while (len > 0 && directory[len - 1] == '/')
		len--;
	name = len;
	while (name > 0 && directory[name - 1] != '/')
		name--;
	if (len == name ||
	    (directory[name] == '.' && (len == name + 1 || (len == name + 2 && directory[name + 1] == '.'))))
		return false;
	if (asprintf(ret_folder, "%.*s" FOLDER, (int)name, directory) < 0) {
		*ret_folder = NULL;
		return false;
	}
	if (asprintf(ret_file, "%s/%.*s", *ret_folder, (int)(len - name), directory + name) < 0) {
		*ret_file = NULL;
		return false;
	}
	return true;
}

void fl_address_index_open(struct fl_address_index *index, const char *directory)
{
	const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	FL_CLEANUP(fl_freep) char *folder = NULL;
	FL_CLEANUP(fl_freep) char *file = NULL;

	index->fd = -1;
	if (!format_paths(directory, &folder, &file))
		return;
	index->fd = open(file, flags, 0600);
	if (index->fd < 0 && errno == ENOENT && mkdir(folder, 0700) == 0)
		index->fd = open(file, flags, 0600);
}

/* forgets the pages, changed or not */
static void drop_pages(struct fl_address_index *index)
{
	free(index->buckets);
	free(index->blocks);
	index->buckets = NULL;
	index->blocks = NULL;
	index->has_bucket = false;
	index->has_block = false;
	index->bucket_changed = false;
	index->block_changed = false;
	index->is_broken = false;
}

void fl_address_index_close(struct fl_address_index *index)
{
	drop_pages(index);
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

/* file systems that keep whole seconds only cut the stamp */
static bool stamp_matches(const struct fl_address_header *header, const struct stat *directory)
{
	return header->directory_ino == directory->st_ino && header->stamp_sec == directory->st_mtim.tv_sec &&
	       (directory->st_mtim.tv_nsec == header->stamp_nsec || directory->st_mtim.tv_nsec == 0);
}

bool fl_address_index_load(struct fl_address_index *index, const struct stat *directory, const struct fl_boot *boot)
{
	drop_pages(index);
	if (!read_part(index, &index->header, sizeof(index->header), 0) ||
	    !fl_address_header_is_sound(&index->header)) {
		memset(&index->header, 0, sizeof(index->header));
		return false;
	}
	/* a crash of the machine may have kept one page of the file and lost another */
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

	drop_pages(index);
	fl_address_header_init(&index->header, n_buckets);
	index->buckets = calloc(n_buckets, sizeof(*index->buckets));
	return index->buckets ? 0 : -ENOMEM;
}

/* writes the one page of each kind back, if it was changed */
static void flush_pages(struct fl_address_index *index)
{
	if (index->bucket_changed) {
		fl_address_bucket_seal(&index->bucket, index->bucket_number);
		write_part(index, &index->bucket, sizeof(index->bucket), bucket_offset(index->bucket_number));
	}
	if (index->block_changed) {
		index->header.block_checksums[index->block_number] = fl_address_block_checksum(&index->block);
		write_part(index, &index->block, sizeof(index->block), block_offset(index->block_number));
	}
	index->bucket_changed = false;
	index->block_changed = false;
}

/* a bucket, NULL if it is damaged */
static struct fl_address_bucket *get_bucket(struct fl_address_index *index, uint32_t number)
{
	if (index->buckets)
		return &index->buckets[number];
	if (index->has_bucket && index->bucket_number == number)
		return &index->bucket;
	flush_pages(index);
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
	if (index->blocks)
		return &index->blocks[number];
	if (index->has_block && index->block_number == number)
		return &index->block;
	flush_pages(index);
	index->has_block = read_part(index, &index->block, sizeof(index->block), block_offset(number)) &&
			   fl_address_block_checksum(&index->block) == index->header.block_checksums[number];
	index->block_number = number;
	return index->has_block ? &index->block : NULL;
}

/* a new, empty block for an address, NULL if there is no room for one: its addresses then count as free */
static struct fl_address_block *add_block(struct fl_address_index *index, const struct fl_address_key *address)
{
	uint32_t number = index->header.n_blocks;
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
		flush_pages(index);
		memset(&index->block, 0, sizeof(index->block));
		index->has_block = true;
		index->block_number = number;
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

int fl_address_index_list(struct fl_address_index *index, struct fl_address_record **ret_records, size_t *ret_n)
{
	uint32_t n_damaged;
	FL_CLEANUP(fl_freep) struct fl_address_bucket *buckets = read_buckets(index, &n_damaged);
	uint32_t n_buckets = index->header.n_buckets;
	struct fl_address_record *records;
	size_t n = 0;

	records = buckets ? calloc((size_t)n_buckets * FL_ADDRESS_BUCKET_RECORDS + 1, sizeof(*records)) : NULL;
	if (!records)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_buckets; i++) {
		for (size_t j = 0; j < FL_ADDRESS_BUCKET_RECORDS; j++) {
			if (buckets[i].records[j].owner != 0)
				records[n++] = buckets[i].records[j];
		}
	}
	*ret_records = records;
	*ret_n = n;
	return 0;
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
	index->block_changed = true;
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
	if (index->fd < 0 || ftruncate(index->fd, 0) < 0)
		index->is_broken = true;
	if (index->header.n_blocks > 0)
		write_part(index, index->blocks, (size_t)index->header.n_blocks * FL_ADDRESS_BLOCK_SIZE,
			   block_offset(0));
	write_part(index, index->buckets, (size_t)n * FL_ADDRESS_BUCKET_SIZE, bucket_offset(0));
}

/*
 * The time that says that the index is complete: a second ago. Whatever is changed from now on gets a later one, even where
 * the kernel's clock stands still for some milliseconds or the file system counts in seconds.
 */
static struct timespec choose_stamp(void)
{
	struct timespec stamp = {0};

	(void)clock_gettime(CLOCK_REALTIME, &stamp);
	stamp.tv_sec--;
	stamp.tv_nsec -= stamp.tv_nsec % 1000;
	return stamp;
}

void fl_address_index_commit(struct fl_address_index *index, int directory_fd, const struct stat *directory,
			     const struct fl_boot *boot)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, choose_stamp()};

	if (index->buckets)
		write_tables(index);
	else
		flush_pages(index);
	if (index->is_broken)
		return;
	memcpy(index->header.boot, boot->id, sizeof(index->header.boot));
	index->header.directory_ino = directory->st_ino;
	index->header.stamp_sec = times[1].tv_sec;
	index->header.stamp_nsec = (uint32_t)times[1].tv_nsec;
	fl_address_header_seal(&index->header);
	write_part(index, &index->header, sizeof(index->header), 0);
	if (!index->is_broken)
		(void)futimens(directory_fd, times);
}
