/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The index of an address pool as its calls show it: nothing is looked through that need not be, and no lie of it is believed. */

#include "pool_lab.h"

#include <sys/file.h>

#include "store/address/index.h"
#include "store/address/pool.h"

TestSuite(address_index, .init = begin, .fini = end, .timeout = 120);

static const struct sets sets = {.subnets = {"10.0.0.0/16"}};

/* allocates for containers prefix0, prefix1 ... */
static void allocate_many(struct flannel_address_pool *pool, const char *prefix, unsigned int n)
{
	char id[40];

	for (unsigned int i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "%s%u", prefix, i);
		cr_assert_eq(allocate(pool, &sets, id, "eth0", NULL)[0], '1', "%s", id);
	}
}

/* Exact answers about c1, which has 10.0.0.2, and others; twice, and the second time without a look at all files. */
static void expect_right(struct flannel_address_pool *pool, const char *what)
{
	for (int i = 0; i < 2; i++) {
		if (i == 1)
			plant();
		cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1, "%s", what);
		cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth1", NULL), 0, "%s", what);
		cr_expect_eq(flannel_address_pool_count(pool, "nobody", "eth0", NULL), 0, "%s", what);
		cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.2/16", "%s", what);
		cr_expect_eq(flannel_address_pool_release(pool, "nobody", "eth0", NULL), 0, "%s", what);
		cr_expect_str_eq(allocate(pool, &sets, "c9", "eth0", NULL), i == 0 ? "10.0.0.5/16" : "10.0.0.6/16",
				 "%s", what);
		cr_expect_eq(flannel_address_pool_release(pool, "c9", "eth0", NULL), 1, "%s", what);
	}
	cr_expect_not(was_scanned(), "%s", what);
}

/* things that happen to an index */
static void nothing(void)
{
}

static void index_removed(void)
{
	cr_assert_eq(unlink(index_path()), 0);
}

/* all of them, as after a reboot */
static void folder_removed(void)
{
	cr_assert_eq(nftw("/run/flannel", remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void index_emptied(void)
{
	cr_assert_eq(truncate(index_path(), 0), 0);
}

static void index_cut(void)
{
	cr_assert_eq(truncate(index_path(), 5000), 0);
}

/* writes bytes of one kind over a part of the index */
static void overwrite(off_t from, size_t len, int byte)
{
	int fd = open(index_path(), O_WRONLY | O_CLOEXEC);
	char *bytes = malloc(len);

	cr_assert(fd >= 0 && bytes);
	memset(bytes, byte, len);
	cr_assert_eq(pwrite(fd, bytes, len, from), (ssize_t)len);
	free(bytes);
	(void)close(fd);
}

static void header_overwritten(void)
{
	overwrite(3072, 1024, 'x');
}

static void tables_zeroed(void)
{
	struct stat status;

	cr_assert_eq(stat(index_path(), &status), 0);
	overwrite(4096, (size_t)status.st_size - 4096, 0);
}

static void tables_overwritten(void)
{
	struct stat status;

	cr_assert_eq(stat(index_path(), &status), 0);
	overwrite(4096, (size_t)status.st_size - 4096, 'x');
}

/* all addresses seem to be taken */
static void blocks_filled(void)
{
	overwrite(4096, 4096, 0xff);
}

static void index_is_a_directory(void)
{
	index_removed();
	cr_assert_eq(mkdir(index_path(), 0700), 0);
	cr_assert_eq(rmdir(index_path()), 0);
}

static void others_write(void)
{
	write_file("10.0.9.9", "stranger\r\neth0");
}

static void others_remove(void)
{
	char path[200];

	write_file("10.0.9.9", "stranger\r\neth0");
	(void)snprintf(path, sizeof(path), "%s/10.0.9.9", pool_path);
	cr_assert_eq(unlink(path), 0);
}

Test(address_index, damage_is_mended)
{
	const struct {
		const char *name;
		void (*happens)(void);
		bool is_scanned;
	} cases[] = {
		{"nothing", nothing, false},
		{"index removed", index_removed, true},
		{"folder removed", folder_removed, true},
		{"index emptied", index_emptied, true},
		{"index cut", index_cut, true},
		{"header overwritten", header_overwritten, true},
		{"tables zeroed", tables_zeroed, true},
		{"tables overwritten", tables_overwritten, true},
		{"blocks filled", blocks_filled, true},
		{"index made anew", index_is_a_directory, true},
		{"others write", others_write, true},
		{"others remove", others_remove, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flannel_address_pool *pool;

		(void)snprintf(pool_path, sizeof(pool_path), "%s/%zu/n1", directory, i);
		pool = open_pool();
		allocate_many(pool, "c", 3);
		cr_assert_eq(flannel_address_pool_release(pool, "c0", "eth0", NULL), 1);
		cr_assert_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 1);
		cr_assert_str_eq(allocate(pool, &sets, "c1", "eth0", "10.0.0.2"), "10.0.0.2/16");
		write_file("last_reserved_ip.0", "10.0.0.4");
		plant();
		cases[i].happens();
		cr_expect_eq(flannel_address_pool_release(pool, "nobody", "eth0", NULL), 0);
		cr_expect_str_eq(allocate(pool, &sets, "c2", "eth0", NULL), "10.0.0.4/16", "%s", cases[i].name);
		cr_expect_str_eq(allocate(pool, &sets, "c2", "eth1", NULL), "10.0.0.5/16", "%s", cases[i].name);
		cr_expect_eq(was_scanned(), cases[i].is_scanned, "%s", cases[i].name);
		cr_expect_eq(flannel_address_pool_release(pool, "c2", "eth1", NULL), 1);
		write_file("last_reserved_ip.0", "10.0.0.4");
		expect_right(pool, cases[i].name);
		flannel_address_pool_free(pool);
	}
}

Test(address_index, an_older_index_is_not_believed)
{
	struct flannel_address_pool *pool = open_pool();
	const char *copy = "/run/copy";
	char command[300];

	allocate_many(pool, "c", 3);
	(void)snprintf(command, sizeof(command), "cp -a %s %s", index_path(), copy);
	cr_assert_eq(system(command), 0);
	allocate_many(pool, "d", 3);
	cr_assert_eq(rename(copy, index_path()), 0);
	cr_expect_eq(flannel_address_pool_count(pool, "d1", "eth0", NULL), 1);
	cr_expect_eq(flannel_address_pool_release(pool, "d2", "eth0", NULL), 1);
	flannel_address_pool_free(pool);
}

Test(address_index, another_directory_of_that_name)
{
	struct flannel_address_pool *pool = open_pool();
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
	struct stat status;
	char other[200], index[200];

	allocate_many(pool, "c", 3);
	flannel_address_pool_free(pool);
	cr_assert_eq(stat(pool_path, &status), 0);
	(void)snprintf(index, sizeof(index), "%s", index_path());
	(void)snprintf(other, sizeof(other), "%s/other", directory);
	cr_assert_eq(rename(pool_path, other), 0);
	cr_assert_eq(mkdir(pool_path, 0755), 0);
	write_file("10.0.0.3", "d1\r\neth0");
	/* even with the same time, and with the index of the former */
	times[1] = status.st_mtim;
	cr_assert_eq(utimensat(AT_FDCWD, pool_path, times, 0), 0);
	cr_assert_eq(rename(index, index_path()), 0);
	pool = open_pool();
	cr_expect_eq(flannel_address_pool_count(pool, "d1", "eth0", NULL), 1);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 0);
	flannel_address_pool_free(pool);
}

/* runs a change of the directory so that its time does not show it */
static void in_secret(void (*change)(void))
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
	struct stat status;

	cr_assert_eq(stat(pool_path, &status), 0);
	change();
	times[1] = status.st_mtim;
	cr_assert_eq(utimensat(AT_FDCWD, pool_path, times, 0), 0);
}

static void give_away(void)
{
	write_file("10.0.0.3", "stranger\r\neth0");
}

static void remove_file(void)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/10.0.0.3", pool_path);
	cr_assert_eq(unlink(path), 0);
}

static void move_file(void)
{
	remove_file();
	write_file("10.0.0.77", "c1\r\neth0");
}

static void take_next_one(void)
{
	write_file("10.0.0.5", "stranger\r\neth0");
}

Test(address_index, what_it_says_is_compared_with_the_files)
{
	const struct {
		void (*change)(void);
		const char *again; /* what c1, which has 10.0.0.3, gets */
		int n_released;    /* if it is released instead */
	} cases[] = {
		{give_away, "10.0.0.5/16", 0},
		{remove_file, "10.0.0.5/16", 0},
		{move_file, "10.0.0.77/16", 1},
		{take_next_one, "10.0.0.3/16", 1},
	};
	struct flannel_address_pool *pool;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(pool_path, sizeof(pool_path), "%s/%zu/n1", directory, i);
		pool = open_pool();
		allocate_many(pool, "c", 3);
		in_secret(cases[i].change);
		cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), cases[i].again, "case %zu", i);
		flannel_address_pool_free(pool);

		(void)snprintf(pool_path, sizeof(pool_path), "%s/%zu/n2", directory, i);
		pool = open_pool();
		allocate_many(pool, "c", 3);
		in_secret(cases[i].change);
		cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), cases[i].n_released, "case %zu",
			     i);
		flannel_address_pool_free(pool);
	}
	/* what a stranger has is not given to anybody else */
	pool = open_pool();
	cr_expect_str_eq(content("10.0.0.5"), "stranger\r\neth0");
	cr_expect_str_eq(allocate(pool, &sets, "d1", "eth0", NULL), "10.0.0.6/16");
	cr_expect_eq(flannel_address_pool_count(pool, "stranger", "eth0", NULL), 1);
	flannel_address_pool_free(pool);
}

/* the lock of the pool, as another implementation takes it */
static int lock_pool(void)
{
	char path[200];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/lock", pool_path);
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0750);
	cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
	return fd;
}

Test(address_index, others_are_noticed_within_one_tick_of_the_clock)
{
	struct flannel_address_pool *pool = open_pool();
	char id[40], address[40], path[200];

	for (unsigned int i = 0; i < 300; i++) {
		int lock;

		(void)snprintf(id, sizeof(id), "ours%u", i);
		cr_assert_eq(allocate(pool, &sets, id, "eth0", NULL)[0], '1');
		/* at once, and then we again */
		lock = lock_pool();
		(void)snprintf(address, sizeof(address), "10.0.200.%u", i % 250);
		(void)snprintf(path, sizeof(path), "theirs%u\r\neth0", i);
		write_file(address, path);
		(void)close(lock);
		(void)snprintf(id, sizeof(id), "theirs%u", i);
		cr_expect_eq(flannel_address_pool_count(pool, id, "eth0", NULL), 1, "%s", id);
		lock = lock_pool();
		(void)snprintf(path, sizeof(path), "%s/%s", pool_path, address);
		cr_assert_eq(unlink(path), 0);
		(void)close(lock);
		cr_expect_eq(flannel_address_pool_count(pool, id, "eth0", NULL), 0, "%s", id);
		(void)snprintf(id, sizeof(id), "ours%u", i);
		cr_assert_eq(flannel_address_pool_release(pool, id, "eth0", NULL), 1);
	}
	flannel_address_pool_free(pool);
}

Test(address_index, grows_and_finds_without_looking_through)
{
	enum { N = 1500 };
	struct flannel_address_pool *pool = open_pool();
	char id[40];

	allocate_many(pool, "c", 1);
	plant();
	allocate_many(pool, "c", N);
	for (unsigned int i = 0; i < N; i += 3) {
		(void)snprintf(id, sizeof(id), "c%u", i);
		cr_expect_eq(flannel_address_pool_release(pool, id, "eth0", NULL), 1, "%s", id);
		cr_expect_eq(flannel_address_pool_release(pool, id, "eth0", NULL), 0, "%s", id);
	}
	for (unsigned int i = 0; i < N; i++) {
		(void)snprintf(id, sizeof(id), "c%u", i);
		cr_expect_eq(flannel_address_pool_count(pool, id, "eth0", NULL), i % 3 == 0 ? 0 : 1, "%s", id);
	}
	cr_expect_not(was_scanned());
	flannel_address_pool_free(pool);
}

Test(address_index, many_interfaces_of_one_container)
{
	enum { N = 200 };
	struct flannel_address_pool *pool = open_pool();
	char ifname[16];

	allocate_many(pool, "c", 20);
	plant();
	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < N; i++) {
			(void)snprintf(ifname, sizeof(ifname), "eth%u", i);
			cr_assert_eq(allocate(pool, &sets, "many", ifname, NULL)[0], '1', "%s", ifname);
		}
	}
	for (unsigned int i = 0; i < N; i += 2) {
		(void)snprintf(ifname, sizeof(ifname), "eth%u", i);
		cr_expect_eq(flannel_address_pool_release(pool, "many", ifname, NULL), 1, "%s", ifname);
	}
	for (unsigned int i = 0; i < N; i++) {
		(void)snprintf(ifname, sizeof(ifname), "eth%u", i);
		cr_expect_eq(flannel_address_pool_count(pool, "many", ifname, NULL), (int)(i % 2), "%s", ifname);
	}
	cr_expect_eq(flannel_address_pool_count(pool, "c7", "eth0", NULL), 1);
	cr_expect_not(was_scanned());
	flannel_address_pool_free(pool);
}

Test(address_index, a_range_that_is_nearly_full)
{
	const struct sets small = {.subnets = {"10.0.0.0/20", "fd00::/64"}};
	struct flannel_address_pool *pool = open_pool();
	char id[40], name[40], text[40];

	/* 10.0.0.2 to 10.0.15.160, by others */
	for (unsigned int i = 2; i <= 4000; i++) {
		(void)snprintf(name, sizeof(name), "10.0.%u.%u", i >> 8, i & 255);
		(void)snprintf(text, sizeof(text), "c%u\r\neth0", i);
		write_file(name, text);
	}
	write_file("last_reserved_ip.0", "10.0.15.254");
	cr_expect_str_eq(allocate(pool, &small, "d0", "eth0", NULL), "10.0.15.161/20");
	plant();
	for (unsigned int i = 1; i < 94; i++) {
		write_file("last_reserved_ip.0", "10.0.15.254");
		(void)snprintf(id, sizeof(id), "d%u", i);
		(void)snprintf(text, sizeof(text), "10.0.15.%u/20", 161 + i);
		cr_expect_str_eq(allocate(pool, &small, id, "eth0", NULL), text);
	}
	cr_expect_not(was_scanned());
	/* the last one, then one that comes free in the middle, and nothing more */
	cr_expect_eq(flannel_address_pool_release(pool, "c2000", "eth0", NULL), 1);
	cr_expect_str_eq(allocate(pool, &small, "e1", "eth0", NULL), "10.0.7.208/20");
	cr_expect_not(was_scanned());
	cr_expect_str_eq(allocate(pool, &small, "e2", "eth0", NULL), "ENOSPC");
	cr_expect_eq(flannel_address_pool_count(pool, "e2", "eth0", NULL), 0);
	flannel_address_pool_free(pool);
}

Test(address_index, addresses_all_over_the_place)
{
	const struct sets wide = {.subnets = {"10.0.0.0/8", "fd00::/32"}};
	struct flannel_address_pool *pool = open_pool();
	char id[40], wanted[40];

	/* more blocks than the index keeps */
	for (unsigned int i = 0; i < 200; i++) {
		(void)snprintf(id, sizeof(id), "c%u", i);
		(void)snprintf(wanted, sizeof(wanted), "10.%u.0.9", i);
		cr_expect_eq(allocate(pool, &wide, id, "eth0", wanted)[0], '1', "%s", id);
		(void)snprintf(wanted, sizeof(wanted), "10.%u.0.8", i);
		write_file("last_reserved_ip.0", wanted);
		(void)snprintf(id, sizeof(id), "d%u", i);
		(void)snprintf(wanted, sizeof(wanted), "10.%u.0.10/8", i);
		cr_expect_str_eq(allocate(pool, &wide, id, "eth0", NULL), wanted, "%s", id);
	}
	for (unsigned int i = 0; i < 200; i++) {
		(void)snprintf(id, sizeof(id), "d%u", i);
		cr_expect_eq(flannel_address_pool_release(pool, id, "eth0", NULL), 2, "%s", id);
	}
	flannel_address_pool_free(pool);
}

Test(address_index, a_failed_call_keeps_the_index)
{
	const struct sets half = {.subnets = {"10.0.0.0/24", "10.1.0.0/30"}};
	struct flannel_address_pool *pool = open_pool();
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/last_reserved_ip.1", pool_path);
	allocate_many(pool, "c", 3);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	plant();
	cr_expect_str_eq(allocate(pool, &half, "d1", "eth0", NULL), "EISDIR");
	cr_expect_eq(flannel_address_pool_count(pool, "d1", "eth0", NULL), 0);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	cr_expect_not(was_scanned());
	flannel_address_pool_free(pool);
}
