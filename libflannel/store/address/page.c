/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/address/page.h"

#include <string.h>
#include <sys/socket.h>

/* names the format and its version; another byte order shows in n_buckets */
#define MAGIC "FLADDR2\n"

#define BLOCK_ADDRESSES (UINT32_C(1) << FL_ADDRESS_BLOCK_BITS)

static const uint8_t ipv4_form[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct fl_address_key fl_address_key(const struct flannel_prefix *address)
{
	struct fl_address_key key = {{0}};

	if (address->family == AF_INET) {
		memcpy(key.bytes, ipv4_form, sizeof(ipv4_form));
		memcpy(key.bytes + sizeof(ipv4_form), address->addr, 4);
	} else {
		memcpy(key.bytes, address->addr, sizeof(key.bytes));
	}
	return key;
}

struct flannel_prefix fl_address_from_key(const struct fl_address_key *key)
{
	struct flannel_prefix address = {.family = AF_INET6, .plen = 128};

	if (memcmp(key->bytes, ipv4_form, sizeof(ipv4_form)) == 0) {
		address.family = AF_INET;
		address.plen = 32;
		memcpy(address.addr, key->bytes + sizeof(ipv4_form), 4);
	} else {
		memcpy(address.addr, key->bytes, sizeof(key->bytes));
	}
	return address;
}

/* spreads a number's bits over all bits */
static uint64_t mix(uint64_t number)
{
	number ^= number >> 32;
	number *= UINT64_C(0xd6e8feb86659fd93);
	number ^= number >> 32;
	number *= UINT64_C(0xd6e8feb86659fd93);
	return number ^ number >> 32;
}

uint64_t fl_address_hash(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t hash = UINT64_C(0xcbf29ce484222325) + len;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return mix(hash);
}

uint64_t fl_address_owner_key(const char *text, size_t len, size_t id_len)
{
	uint64_t key = fl_address_hash(text, len) >> 32 << 32 | (uint32_t)fl_address_hash(text, id_len);

	return key != 0 ? key : 1;
}

/* of a page whose own checksum, the 64 bits at skip, does not count */
static uint64_t checksum(const void *page, size_t size, size_t skip, uint64_t seed)
{
	const uint8_t *bytes = page;
	uint64_t sum = mix(seed + 1);

	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t word;

		if (i == skip)
			continue;
		memcpy(&word, bytes + i, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 29;
	}
	return mix(sum);
}

/* what a bucket's checksum should be */
static uint64_t bucket_checksum(const struct fl_address_bucket *bucket, uint32_t number)
{
	return checksum(bucket, sizeof(*bucket), offsetof(struct fl_address_bucket, checksum), number);
}

void fl_address_bucket_seal(struct fl_address_bucket *bucket, uint32_t number)
{
	bucket->checksum = bucket_checksum(bucket, number);
}

bool fl_address_bucket_is_sound(const struct fl_address_bucket *bucket, uint32_t number)
{
	return bucket->checksum == bucket_checksum(bucket, number);
}

bool fl_address_bucket_insert(struct fl_address_bucket *bucket, const struct fl_address_record *record)
{
	for (size_t i = 0; i < FL_ADDRESS_BUCKET_RECORDS; i++) {
		if (bucket->records[i].owner != 0)
			continue;
		bucket->records[i] = *record;
		return true;
	}
	return false;
}

bool fl_address_bucket_remove(struct fl_address_bucket *bucket, uint64_t owner, const struct fl_address_key *address)
{
	for (size_t i = 0; i < FL_ADDRESS_BUCKET_RECORDS; i++) {
		struct fl_address_record *record = &bucket->records[i];

		if (record->owner != owner ||
		    memcmp(record->address.bytes, address->bytes, sizeof(address->bytes)) != 0)
			continue;
		memset(record, 0, sizeof(*record));
		return true;
	}
	return false;
}

/* the place of an address in its block */
static uint32_t block_index(const struct fl_address_key *address)
{
	return ((uint32_t)address->bytes[14] << 8 | address->bytes[15]) & (BLOCK_ADDRESSES - 1);
}

struct fl_address_key fl_address_block_key(const struct fl_address_key *address)
{
	struct fl_address_key key = *address;

	key.bytes[14] &= (uint8_t) ~((BLOCK_ADDRESSES - 1) >> 8);
	key.bytes[15] = 0;
	return key;
}

void fl_address_block_set(struct fl_address_block *block, const struct fl_address_key *address, bool taken)
{
	uint32_t index = block_index(address);
	uint64_t bit = UINT64_C(1) << (index % 64);

	if (taken)
		block->words[index / 64] |= bit;
	else
		block->words[index / 64] &= ~bit;
}

uint64_t fl_address_block_checksum(const struct fl_address_block *block)
{
	return checksum(block, sizeof(*block), sizeof(*block), 0);
}

uint32_t fl_address_block_run(const struct fl_address_block *block, const struct fl_address_key *address)
{
	uint32_t start = block_index(address);
	uint32_t at = start;

	while (at < BLOCK_ADDRESSES) {
		uint64_t is_free = ~(block->words[at / 64] >> (at % 64));
		uint32_t n_left = 64 - at % 64;
		uint32_t n_taken = is_free != 0 ? (uint32_t)__builtin_ctzll(is_free) : 64;

		if (n_taken < n_left)
			return at + n_taken - start;
		at += n_left;
	}
	return at - start;
}

void fl_address_header_init(struct fl_address_header *header, uint32_t n_buckets)
{
	memset(header, 0, sizeof(*header));
	memcpy(header->magic, MAGIC, sizeof(header->magic));
	header->n_buckets = n_buckets;
}

/* what a header's checksum should be */
static uint64_t header_checksum(const struct fl_address_header *header)
{
	return checksum(header, sizeof(*header), offsetof(struct fl_address_header, checksum), 0);
}

void fl_address_header_seal(struct fl_address_header *header)
{
	header->checksum = header_checksum(header);
}

bool fl_address_header_is_sound(const struct fl_address_header *header)
{
	return memcmp(header->magic, MAGIC, sizeof(header->magic)) == 0 &&
	       header->checksum == header_checksum(header) && header->n_buckets > 0 &&
	       header->n_buckets <= FL_ADDRESS_BUCKETS_MAX && header->n_blocks <= FL_ADDRESS_BLOCKS_MAX;
}
