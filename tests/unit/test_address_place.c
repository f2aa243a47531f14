/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where the index of an address pool lies, who makes and removes it, and that nobody depends on it. */

#include "pool_lab.h"

#include <time.h>

TestSuite(address_place, .init = begin, .fini = end, .timeout = 120);

static const struct sets sets = {.subnets = {"10.0.0.0/24"}};

/* allocates for containers c0 to c2, releases one, and expects what must be so with an index and without */
static void expect_service(const char *what)
{
	struct flannel_address_pool *pool = open_pool();

	cr_expect_str_eq(allocate(pool, &sets, "c0", "eth0", NULL), "10.0.0.2/24", "%s", what);
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.3/24", "%s", what);
	cr_expect_str_eq(allocate(pool, &sets, "c2", "eth0", NULL), "10.0.0.4/24", "%s", what);
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.3/24", "%s", what);
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 1, "%s", what);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 0, "%s", what);
	cr_expect_eq(flannel_address_pool_count(pool, "c2", "eth0", NULL), 1, "%s", what);
	cr_expect_eq(flannel_address_pool_gc(pool, NULL, 0, NULL), 2, "%s", what);
	flannel_address_pool_free(pool);
}

/* how many entries a directory has; -1 if there is none */
static int count_entries(const char *path)
{
	DIR *entries = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (!entries)
		return -1;
	while ((entry = readdir(entries)))
		n += entry->d_name[0] != '.';
	closedir(entries);
	return n;
}

/* mode and type of what is at a path */
static mode_t mode_at(const char *path)
{
	struct stat status;

	cr_assert_eq(lstat(path, &status), 0, "%s", path);
	return status.st_mode;
}

Test(address_place, nothing_but_the_pool_is_beside_the_pool)
{
	char path[200];

	expect_service("as usual");
	(void)snprintf(path, sizeof(path), "%s/net", directory);
	cr_expect_eq(count_entries(path), 1);
	/* the lock and the place where the search goes on */
	cr_expect_eq(count_entries(pool_path), 2);
	cr_expect_eq(mode_at("/run/flannel"), S_IFDIR | 0755);
	cr_expect_eq(mode_at(INDEX_FOLDER), S_IFDIR | 0700);
	cr_expect_eq(mode_at(index_path()), S_IFREG | 0600);
	cr_expect_eq(count_entries(INDEX_FOLDER), 1);
}

Test(address_place, small)
{
	struct stat status;

	expect_service("as usual");
	cr_assert_eq(stat(index_path(), &status), 0);
	cr_expect_leq(status.st_blocks * 512, 16384);
}

/* things that stand in the way of an index */
static void no_run(void)
{
	cr_assert_eq(umount("/run"), 0);
	cr_assert_eq(mount("/nonexistent", "/run", "tmpfs", MS_RDONLY, NULL), 0);
}

static void read_only_run(void)
{
	cr_assert_eq(mount(NULL, "/run", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
}

static void file_for_a_folder(void)
{
	cr_assert_eq(mkdir("/run/flannel", 0755), 0);
	cr_assert_eq(mknod(INDEX_FOLDER, S_IFREG | 0600, 0), 0);
}

static void link_for_a_folder(void)
{
	cr_assert_eq(mkdir("/run/flannel", 0755), 0);
	cr_assert_eq(symlink(directory, INDEX_FOLDER), 0);
}

static void link_for_the_parent(void)
{
	cr_assert_eq(symlink(directory, "/run/flannel"), 0);
}

static void link_for_the_index(void)
{
	char target[200];

	cr_assert_eq(mkdir("/run/flannel", 0755), 0);
	cr_assert_eq(mkdir(INDEX_FOLDER, 0700), 0);
	flannel_address_pool_free(open_pool());
	(void)snprintf(target, sizeof(target), "%s/target", directory);
	cr_assert_eq(symlink(target, index_path()), 0);
}

static void directory_for_the_index(void)
{
	cr_assert_eq(mkdir("/run/flannel", 0755), 0);
	cr_assert_eq(mkdir(INDEX_FOLDER, 0700), 0);
	flannel_address_pool_free(open_pool());
	cr_assert_eq(mkdir(index_path(), 0700), 0);
}

static void full_run(void)
{
	cr_assert_eq(mount(NULL, "/run", NULL, MS_REMOUNT, "size=4096"), 0);
}

Test(address_place, without_an_index_all_is_the_same)
{
	const struct {
		const char *name;
		void (*happens)(void);
	} cases[] = {
		{"nothing can be made in /run", no_run},
		{"a /run that cannot be written to", read_only_run},
		{"a file instead of the folder", file_for_a_folder},
		{"a link instead of the folder", link_for_a_folder},
		{"a link instead of the folder's parent", link_for_the_parent},
		{"a link instead of the index", link_for_the_index},
		{"a directory instead of the index", directory_for_the_index},
		{"a full /run", full_run},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(mount("test-run", "/run", "tmpfs", 0, "mode=755"), 0);
		(void)snprintf(pool_path, sizeof(pool_path), "%s/%zu/n1", directory, i);
		cases[i].happens();
		expect_service(cases[i].name);
		/* links are not followed: beside the pools there is nothing */
		cr_expect_eq(count_entries(directory), (int)i + 1, "%s", cases[i].name);
		cr_assert_eq(umount("/run"), 0);
	}
}

/* gives the next pool a path */
static void choose_pool(const char *name)
{
	(void)snprintf(pool_path, sizeof(pool_path), "%s/net/%s", directory, name);
}

/* removes a pool by its name, as an administrator would */
static void remove_pool(const char *name)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/net/%s", directory, name);
	cr_assert_eq(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* lets so many seconds go by for a file */
static void make_older(const char *path, time_t seconds)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - seconds}};

	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0, "%s", path);
}

Test(address_place, indexes_of_pools_that_are_gone_go)
{
	struct flannel_address_pool *pool;

	for (char name[] = "n1"; name[1] < '4'; name[1]++) {
		choose_pool(name);
		expect_service(name);
		make_older(index_path(), name[1] == '3' ? 3500 : 3700);
	}
	cr_assert_eq(mknod(INDEX_FOLDER "/7-7", S_IFREG | 0600, 0), 0);
	make_older(INDEX_FOLDER "/7-7", 3700);
	cr_expect_eq(count_entries(INDEX_FOLDER), 4);
	/* one that is made takes those along that have no pool, and what is no index; but not one that may be in use elsewhere */
	remove_pool("n1");
	remove_pool("n3");
	choose_pool("n4");
	expect_service("n4");
	cr_expect_eq(count_entries(INDEX_FOLDER), 3);
	choose_pool("n2");
	cr_expect_eq(access(index_path(), F_OK), 0);
	/* and so does GC */
	remove_pool("n2");
	choose_pool("n4");
	pool = open_pool();
	cr_expect_eq(flannel_address_pool_gc(pool, NULL, 0, NULL), 0);
	flannel_address_pool_free(pool);
	cr_expect_eq(count_entries(INDEX_FOLDER), 2);
	cr_expect_eq(access(index_path(), F_OK), 0);
}

Test(address_place, a_pool_that_was_made_again)
{
	struct flannel_address_pool *pool;

	for (int i = 0; i < 20; i++) {
		pool = open_pool();
		cr_expect_str_eq(allocate(pool, &sets, "c0", "eth0", NULL), "10.0.0.2/24");
		cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.3/24");
		flannel_address_pool_free(pool);
		/* often with the same inode */
		remove_pool("n1");
		pool = open_pool();
		cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 0);
		flannel_address_pool_free(pool);
	}
}

Test(address_place, one_index_whatever_the_path)
{
	struct flannel_address_pool *pool = open_pool();
	char other[200];

	cr_expect_str_eq(allocate(pool, &sets, "c0", "eth0", NULL), "10.0.0.2/24");
	plant();
	flannel_address_pool_free(pool);
	/* another mount, a link, slashes and dots */
	(void)snprintf(other, sizeof(other), "%s/mount", directory);
	cr_assert_eq(mkdir(other, 0755), 0);
	cr_assert_eq(mount(pool_path, other, NULL, MS_BIND, NULL), 0);
	for (int i = 0; i < 3; i++) {
		static const char *const forms[] = {"%s/mount", "%s/net/./n1//", "%s/net/n1/../n1/."};

		(void)snprintf(pool_path, sizeof(pool_path), forms[i], directory);
		pool = open_pool();
		cr_expect_eq(flannel_address_pool_count(pool, "c0", "eth0", NULL), 1, "%s", pool_path);
		cr_expect_not(was_scanned(), "%s", pool_path);
		flannel_address_pool_free(pool);
	}
	cr_expect_eq(count_entries(INDEX_FOLDER), 1);
	cr_assert_eq(umount(other), 0);
}

/* the index of an earlier version */
static void write_earlier(const char *name)
{
	char path[300];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/net/.flannel", directory);
	cr_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
	(void)snprintf(path, sizeof(path), "%s/net/.flannel/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0);
	(void)close(fd);
}

Test(address_place, what_earlier_versions_left_goes)
{
	char folder[200];

	(void)snprintf(folder, sizeof(folder), "%s/net/.flannel", directory);
	flannel_address_pool_free(open_pool());
	write_earlier("n1");
	write_earlier("n2");
	expect_service("n1");
	cr_expect_eq(count_entries(folder), 1);
	(void)snprintf(pool_path, sizeof(pool_path), "%s/net/n2//", directory);
	expect_service("n2");
	cr_expect_eq(count_entries(folder), -1);
}

/* two whose calls alternate, each with indexes of its own */
Test(address_place, two_that_see_another_run)
{
	struct flannel_address_pool *pool = open_pool();
	char id[40];

	cr_assert_eq(mkdir("/run/flannel", 0755), 0);
	cr_assert_eq(mkdir("/run/other", 0755), 0);
	for (unsigned int i = 0; i < 200; i++) {
		(void)snprintf(id, sizeof(id), "c%u", i);
		cr_assert_eq(allocate(pool, &sets, id, "eth0", NULL)[0], '1', "%s", id);
		cr_assert_eq(renameat2(AT_FDCWD, "/run/flannel", AT_FDCWD, "/run/other", RENAME_EXCHANGE), 0);
		cr_expect_eq(flannel_address_pool_count(pool, id, "eth0", NULL), 1, "%s", id);
		if (i < 3)
			continue;
		(void)snprintf(id, sizeof(id), "c%u", i - 3);
		cr_expect_eq(flannel_address_pool_release(pool, id, "eth0", NULL), 1, "%s", id);
	}
	flannel_address_pool_free(pool);
}
