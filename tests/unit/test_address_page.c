/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <string.h>
#include <sys/socket.h>

#include "store/address/page.h"

static struct fl_address_key key(const char *text)
{
	struct flannel_prefix address;

	cr_assert_eq(flannel_prefix_parse(text, &address), 0);
	return fl_address_key(&address);
}

Test(address_page, keys)
{
	const char *const texts[] = {
		"0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "fd00:1::2", "2001:db8::ffff:1"};
	char buf[FLANNEL_PREFIX_STRLEN];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct fl_address_key address = key(texts[i]);
		const struct flannel_prefix back = fl_address_from_key(&address);

		cr_expect_str_eq(flannel_prefix_format_address(&back, buf, sizeof(buf)), texts[i]);
	}
}

Test(address_page, owners)
{
	uint64_t eth0 = fl_address_owner_key("c1\r\neth0", 8, 2);
	uint64_t eth1 = fl_address_owner_key("c1\r\neth1", 8, 2);
	uint64_t alone = fl_address_owner_key("c1", 2, 2);
	uint64_t other = fl_address_owner_key("c2\r\neth0", 8, 2);

	/* those of a container are found in the same place */
	cr_expect_eq((uint32_t)eth0, (uint32_t)eth1);
	cr_expect_eq((uint32_t)eth0, (uint32_t)alone);
	cr_expect_neq((uint32_t)eth0, (uint32_t)other);
	cr_expect_neq(eth0, eth1);
	cr_expect_neq(eth0, alone);
	cr_expect_neq(eth1, alone);
}

Test(address_page, buckets)
{
	struct fl_address_bucket bucket = {0};
	struct fl_address_record record = {.owner = 7, .address = key("10.0.0.1")};
	struct fl_address_key other = key("10.0.0.2");

	for (size_t i = 0; i < FL_ADDRESS_BUCKET_RECORDS; i++) {
		record.owner = 7 + i;
		cr_expect(fl_address_bucket_insert(&bucket, &record));
	}
	record.owner = 100;
	cr_expect_not(fl_address_bucket_insert(&bucket, &record));
	cr_expect_not(fl_address_bucket_remove(&bucket, 100, &record.address));
	cr_expect_not(fl_address_bucket_remove(&bucket, 8, &other));
	cr_expect(fl_address_bucket_remove(&bucket, 8, &record.address));
	cr_expect_not(fl_address_bucket_remove(&bucket, 8, &record.address));
	cr_expect(fl_address_bucket_insert(&bucket, &record));
}

Test(address_page, damage_shows)
{
	struct fl_address_bucket bucket = {0};
	struct fl_address_header header;
	uint8_t *bytes = (uint8_t *)&bucket;

	cr_expect_not(fl_address_bucket_is_sound(&bucket, 0), "zeros are no bucket");
	fl_address_bucket_seal(&bucket, 3);
	cr_expect(fl_address_bucket_is_sound(&bucket, 3));
	cr_expect_not(fl_address_bucket_is_sound(&bucket, 4), "it is another one's");
	for (size_t i = 0; i < sizeof(bucket); i++) {
		bytes[i] ^= 0x10;
		cr_expect_not(fl_address_bucket_is_sound(&bucket, 3), "byte %zu", i);
		bytes[i] ^= 0x10;
	}

	memset(&header, 0, sizeof(header));
	cr_expect_not(fl_address_header_is_sound(&header));
	fl_address_header_init(&header, 16);
	cr_expect_not(fl_address_header_is_sound(&header), "not sealed");
	fl_address_header_seal(&header);
	cr_expect(fl_address_header_is_sound(&header));
	bytes = (uint8_t *)&header;
	for (size_t i = 0; i < sizeof(header); i++) {
		bytes[i] ^= 0x10;
		cr_expect_not(fl_address_header_is_sound(&header), "byte %zu", i);
		bytes[i] ^= 0x10;
	}
	/* whole, but not possible */
	header.n_buckets = 0;
	fl_address_header_seal(&header);
	cr_expect_not(fl_address_header_is_sound(&header));
	header.n_buckets = 16;
	header.n_blocks = FL_ADDRESS_BLOCKS_MAX + 1;
	fl_address_header_seal(&header);
	cr_expect_not(fl_address_header_is_sound(&header));
}

/* a block with the addresses from..to of 10.0.0.0 taken */
static void take(struct fl_address_block *block, uint32_t from, uint32_t to, bool taken)
{
	struct fl_address_key address = key("10.0.0.0");

	for (uint32_t i = from; i <= to; i++) {
		address.bytes[14] = (uint8_t)(i >> 8);
		address.bytes[15] = (uint8_t)i;
		fl_address_block_set(block, &address, taken);
	}
}

Test(address_page, runs)
{
	const struct {
		uint32_t from, to; /* taken */
		const char *at;
		uint32_t run;
	} cases[] = {
		{5, 5, "10.0.0.4", 0},
		{5, 5, "10.0.0.5", 1},
		{5, 5, "10.0.0.6", 0},
		{0, 62, "10.0.0.0", 63},
		{0, 63, "10.0.0.0", 64},
		{0, 64, "10.0.0.0", 65},
		{60, 200, "10.0.0.63", 138},
		{60, 200, "10.0.0.64", 137},
		{2, 4001, "10.0.0.2", 4000},
		{0, 32767, "10.0.0.0", 32768},
		{0, 32767, "10.0.127.255", 1},
		{32767, 32767, "10.0.127.255", 1},
		{32767, 32767, "10.0.127.254", 0},
		{64, 127, "10.0.0.100", 28},
	};
	struct fl_address_block block;
	struct fl_address_key at;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&block, 0, sizeof(block));
		take(&block, cases[i].from, cases[i].to, true);
		at = key(cases[i].at);
		cr_expect_eq(fl_address_block_run(&block, &at), cases[i].run, "case %zu", i);
		take(&block, cases[i].from, cases[i].to, false);
		cr_expect_eq(fl_address_block_run(&block, &at), 0, "case %zu", i);
	}
}

Test(address_page, blocks)
{
	const struct {
		const char *address, *block;
	} cases[] = {
		{"10.0.0.1", "10.0.0.0"},     {"10.0.127.255", "10.0.0.0"}, {"10.0.128.0", "10.0.128.0"},
		{"10.1.200.7", "10.1.128.0"}, {"fd00::1:2", "fd00::1:0"},   {"fd00::ffff", "fd00::8000"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct fl_address_key address = key(cases[i].address);
		const struct fl_address_key block = key(cases[i].block);
		const struct fl_address_key found = fl_address_block_key(&address);

		cr_expect_arr_eq(found.bytes, block.bytes, sizeof(block.bytes), "%s", cases[i].address);
	}
}
