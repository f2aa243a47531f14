/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What becomes of addresses when the machine starts again, and that nothing else takes one from a container. */

#include "pool_lab.h"

#include <sys/xattr.h>

#include "store/address/pool.h"

TestSuite(address_boot, .init = begin, .fini = end, .timeout = 120);

#define MARK "user.flannel.boot"

static const struct sets sets = {.subnets = {"10.0.0.0/16"}};
static const struct sets small = {.subnets = {"10.0.0.0/29"}};

static struct flannel_address_pool *open_in(uint8_t boot_id)
{
	const struct fl_boot boot = {.id = {boot_id}};
	struct flannel_address_pool *pool = NULL;

	cr_assert_eq(fl_address_pool_open(pool_path, &boot, &pool, NULL), 0);
	return pool;
}

/* what a reboot leaves of indexes */
static void empty_run(void)
{
	cr_assert_eq(nftw("/run/flannel", remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* the path of a file of the pool */
static const char *path_of(const char *name)
{
	static char path[200];

	(void)snprintf(path, sizeof(path), "%s/%s", pool_path, name);
	return path;
}

/* the first byte of a file's mark; -1: it has none */
static int mark_of(const char *name)
{
	uint8_t id[FL_BOOT_ID_SIZE];

	return getxattr(path_of(name), MARK, id, sizeof(id)) == sizeof(id) ? id[0] : -1;
}

/* with /run as it was, which somebody sees who is shown another boot id, and with an empty one */
Test(address_boot, leftovers_go)
{
	for (int i = 0; i < 2; i++) {
		struct flannel_address_pool *pool;

		(void)snprintf(pool_path, sizeof(pool_path), "%s/%d/n1", directory, i);
		pool = open_in(1);
		for (char id[] = "c0"; id[1] < '4'; id[1]++)
			cr_assert_eq(allocate(pool, &sets, id, "eth0", NULL)[0], '1');
		cr_expect_eq(mark_of("10.0.0.2"), 1);
		/* by another implementation: seen in this boot, not seen, taken from ours and given to somebody */
		write_file("10.0.1.1", "seen\r\neth0");
		cr_assert_eq(unlink(path_of("10.0.0.3")), 0);
		write_file("10.0.0.3", "other\r\neth0");
		cr_expect_eq(flannel_address_pool_count(pool, "seen", "eth0", NULL), 1);
		cr_expect_eq(mark_of("10.0.1.1"), 1);
		write_file("10.0.1.2", "unseen\r\neth0");
		flannel_address_pool_free(pool);

		if (i == 1)
			empty_run();
		pool = open_in(2);
		cr_expect_str_eq(allocate(pool, &sets, "new", "eth0", NULL), "10.0.0.6/16");
		cr_expect_str_eq(content("10.0.0.2"), "-");
		cr_expect_str_eq(content("10.0.0.3"), "-");
		cr_expect_str_eq(content("10.0.0.4"), "-");
		cr_expect_str_eq(content("10.0.1.1"), "-");
		/* perhaps it is from this boot */
		cr_expect_str_eq(content("10.0.1.2"), "unseen\r\neth0");
		cr_expect_eq(flannel_address_pool_count(pool, "c2", "eth0", NULL), 0);
		cr_expect_eq(flannel_address_pool_count(pool, "new", "eth0", NULL), 1);
		flannel_address_pool_free(pool);

		if (i == 1)
			empty_run();
		pool = open_in(3);
		cr_expect_eq(flannel_address_pool_count(pool, "nobody", "eth0", NULL), 0);
		cr_expect_str_eq(content("10.0.1.2"), "-");
		cr_expect_str_eq(content("10.0.0.6"), "-");
		flannel_address_pool_free(pool);
	}
}

Test(address_boot, a_full_range_is_free_again)
{
	struct flannel_address_pool *pool = open_in(1);

	for (char id[] = "c1"; id[1] < '6'; id[1]++)
		cr_assert_eq(allocate(pool, &small, id, "eth0", NULL)[0], '1');
	cr_expect_str_eq(allocate(pool, &small, "c6", "eth0", NULL), "ENOSPC");
	flannel_address_pool_free(pool);
	pool = open_in(2);
	for (char id[] = "d1"; id[1] < '6'; id[1]++)
		cr_expect_eq(allocate(pool, &small, id, "eth0", NULL)[0], '1', "%s", id);
	cr_expect_str_eq(allocate(pool, &small, "d6", "eth0", NULL), "ENOSPC");
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 0);
	flannel_address_pool_free(pool);
}

/* gives a file times of long ago; its change time is that of now */
static void make_old(const char *name)
{
	const struct timespec times[2] = {{0}, {0}};

	cr_assert_eq(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

/* Whatever happens to clocks and indexes within a boot: what containers have stays theirs. */
Test(address_boot, what_is_of_this_boot_stays)
{
	struct flannel_address_pool *pool = open_in(1);

	cr_assert_str_eq(allocate(pool, &small, "c1", "eth0", NULL), "10.0.0.2/29");
	write_file("10.0.0.3", "theirs\r\neth0");
	make_old("10.0.0.2");
	make_old("10.0.0.3");
	for (int i = 0; i < 4; i++) {
		if (i % 2 == 0)
			empty_run();
		flannel_address_pool_free(pool);
		pool = open_in(1);
		cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
		cr_expect_eq(flannel_address_pool_count(pool, "theirs", "eth0", NULL), 1);
		cr_expect_eq(allocate(pool, &small, "d1", "eth0", NULL)[0], '1');
		cr_expect_eq(flannel_address_pool_release(pool, "d1", "eth0", NULL), 1);
	}
	flannel_address_pool_free(pool);
}

/* the first call of a boot comes after another implementation has given out addresses in it */
Test(address_boot, another_implementation_was_first)
{
	struct flannel_address_pool *pool = open_in(1);

	cr_assert_str_eq(allocate(pool, &small, "c1", "eth0", NULL), "10.0.0.2/29");
	flannel_address_pool_free(pool);
	empty_run();
	write_file("10.0.0.3", "theirs\r\neth0");
	make_old("10.0.0.3");
	pool = open_in(2);
	cr_expect_str_eq(allocate(pool, &small, "d1", "eth0", "10.0.0.2"), "10.0.0.2/29");
	cr_expect_eq(flannel_address_pool_count(pool, "theirs", "eth0", NULL), 1);
	cr_expect_str_eq(allocate(pool, &small, "d2", "eth0", "10.0.0.3"), "EADDRINUSE");
	flannel_address_pool_free(pool);
}

Test(address_boot, an_unknown_boot_takes_nothing)
{
	struct flannel_address_pool *pool = open_in(1);

	cr_assert_str_eq(allocate(pool, &small, "c1", "eth0", NULL), "10.0.0.2/29");
	flannel_address_pool_free(pool);
	pool = open_in(0);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	cr_expect_str_eq(allocate(pool, &small, "c2", "eth0", NULL), "10.0.0.3/29");
	cr_expect_eq(mark_of("10.0.0.3"), -1);
	cr_expect_eq(flannel_address_pool_count(pool, "c2", "eth0", NULL), 1);
	plant();
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	cr_expect_not(was_scanned());
	flannel_address_pool_free(pool);
	/* what it made is of no known boot, so it stays once */
	pool = open_in(2);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 0);
	cr_expect_eq(flannel_address_pool_count(pool, "c2", "eth0", NULL), 1);
	cr_expect_eq(mark_of("10.0.0.3"), 2);
	flannel_address_pool_free(pool);
}

Test(address_boot, a_mark_that_is_none)
{
	struct flannel_address_pool *pool = open_in(1);

	cr_assert_str_eq(allocate(pool, &small, "c1", "eth0", NULL), "10.0.0.2/29");
	cr_assert_str_eq(allocate(pool, &small, "c2", "eth0", NULL), "10.0.0.3/29");
	cr_assert_eq(setxattr(path_of("10.0.0.2"), MARK, "short", 5, 0), 0);
	cr_assert_eq(setxattr(path_of("10.0.0.3"), MARK, "much longer than a boot id", 26, 0), 0);
	flannel_address_pool_free(pool);
	pool = open_in(2);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	cr_expect_eq(flannel_address_pool_count(pool, "c2", "eth0", NULL), 1);
	cr_expect_eq(mark_of("10.0.0.2"), 2);
	cr_expect_eq(mark_of("10.0.0.3"), 2);
	flannel_address_pool_free(pool);
}

/* A file that cannot be removed; its container's next run asks for it again, and from then on it is of this boot. */
Test(address_boot, who_asks_again_is_of_this_boot)
{
	struct flannel_address_pool *pool = open_in(1);
	char path[200];

	cr_assert_str_eq(allocate(pool, &small, "c1", "eth0", NULL), "10.0.0.2/29");
	cr_assert_str_eq(allocate(pool, &small, "c2", "eth0", NULL), "10.0.0.3/29");
	flannel_address_pool_free(pool);
	(void)snprintf(path, sizeof(path), "%s", path_of("10.0.0.2"));
	cr_assert_eq(mount(path, path, NULL, MS_BIND, NULL), 0);
	pool = open_in(2);
	cr_expect_str_eq(allocate(pool, &small, "d1", "eth0", "10.0.0.2"), "EADDRINUSE");
	cr_expect_eq(mark_of("10.0.0.2"), 1);
	cr_expect_str_eq(content("10.0.0.3"), "-");
	cr_expect_str_eq(allocate(pool, &small, "c1", "eth0", NULL), "10.0.0.2/29");
	cr_expect_eq(mark_of("10.0.0.2"), 2);
	cr_assert_eq(umount(path), 0);
	empty_run();
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	flannel_address_pool_free(pool);
}

/* the runtime says that it is in use, so it is */
Test(address_boot, collection_knows_better)
{
	const struct flannel_attachment_id valid = {.size = sizeof(valid), .container_id = "c1", .ifname = "eth0"};
	struct flannel_address_pool *pool = open_in(1);

	cr_assert_str_eq(allocate(pool, &small, "c1", "eth0", NULL), "10.0.0.2/29");
	cr_assert_str_eq(allocate(pool, &small, "c2", "eth0", NULL), "10.0.0.3/29");
	flannel_address_pool_free(pool);
	pool = open_in(2);
	cr_expect_eq(flannel_address_pool_gc(pool, &valid, 1, NULL), 1);
	cr_expect_eq(mark_of("10.0.0.2"), 2);
	empty_run();
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	flannel_address_pool_free(pool);
}

/* file systems that machines may share, and those without extended attributes: ramfs is neither known as local nor has any */
Test(address_boot, where_it_cannot_be_told)
{
	struct flannel_address_pool *pool;

	cr_assert_eq(mount("test-pools", directory, "ramfs", 0, NULL), 0);
	pool = open_in(1);
	cr_assert_str_eq(allocate(pool, &small, "c1", "eth0", NULL), "10.0.0.2/29");
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	flannel_address_pool_free(pool);
	pool = open_in(2);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 1);
	flannel_address_pool_free(pool);
	cr_assert_eq(umount(directory), 0);
}

Test(address_boot, this_boot)
{
	const struct fl_boot a = fl_boot_read();
	const struct fl_boot b = fl_boot_read();

	cr_expect(fl_boot_is_known(&a));
	cr_expect_arr_eq(a.id, b.id, sizeof(a.id));
}
