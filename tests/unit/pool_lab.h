/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TEST_POOL_LAB_H
#define TEST_POOL_LAB_H

/* A directory for address pools, what others would do to it, and calls with texts instead of structs. */

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <flannel/address.h>

#include "base/cleanup.h"

/* the directory of the test that runs (each runs in a process of its own) */
static char directory[] = "/tmp/flannel-pool-XXXXXX";
static char pool_path[64];

/* Makes an empty directory; the pool's own is one level down and does not exist yet. Indexes go to a /run that only this
 * test sees. */
static inline void begin(void)
{
	cr_assert_eq(unshare(CLONE_NEWNS), 0, "needs root");
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("test-run", "/run", "tmpfs", 0, "mode=755"), 0);
	cr_assert(mkdtemp(directory));
	(void)snprintf(pool_path, sizeof(pool_path), "%s/net/n1", directory);
	(void)umask(022);
}

static inline int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static inline void end(void)
{
	(void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline struct flannel_prefix P(const char *text) {
	struct flannel_prefix prefix = {0};

	if (text)
		cr_assert_eq(flannel_prefix_parse(text, &prefix), 0, "%s", text);
	return prefix;
}

static inline struct flannel_address_pool *
open_pool(void)
{
	struct flannel_address_pool *pool = NULL;
	struct flannel_error *error = NULL;

	cr_assert_eq(flannel_address_pool_open(pool_path, &pool, &error), 0, "%s", flannel_error_get_message(error));
	return pool;
}

/* the content of a file of the pool; "-" if there is none */
static inline const char *content(const char *name)
{
	static char buf[200];
	char path[512];
	FILE *file;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", pool_path, name);
	file = fopen(path, "re");
	if (!file)
		return "-";
	n = fread(buf, 1, sizeof(buf) - 1, file);
	buf[n] = '\0';
	(void)fclose(file);
	return buf;
}

/* writes a file of the pool as others would */
static inline void write_file(const char *name, const char *text)
{
	char path[200];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", pool_path, name);
	file = fopen(path, "we");
	cr_assert(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

static inline mode_t mode_of(const char *name)
{
	struct stat status;
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/%s", pool_path, name);
	cr_assert_eq(stat(path, &status), 0, "%s", path);
	return status.st_mode & 07777;
}

/* subnets of one set each; NULL ends the list. start and end of the first, if given */
struct sets {
	const char *subnets[3];
	const char *start, *end;
};

static inline size_t make_ranges(const struct sets *sets, struct flannel_address_range *ranges)
{
	size_t n = 0;

	for (; n < 3 && sets->subnets[n]; n++) {
		ranges[n] = (struct flannel_address_range){
			.size = sizeof(ranges[n]), .subnet = P(sets->subnets[n]), .set = (uint32_t)n};
	}
	ranges[0].start = P(sets->start);
	ranges[0].end = P(sets->end);
	cr_assert_eq(flannel_address_ranges_check(ranges, n, NULL), 0);
	return n;
}

/* allocates; returns the first address as text, or the errno's name */
static inline const char *allocate(struct flannel_address_pool *pool, const struct sets *sets, const char *id,
				   const char *ifname, const char *wanted)
{
	static char text[FLANNEL_PREFIX_STRLEN];
	struct flannel_address_range ranges[3];
	struct flannel_address addresses[3];
	const struct flannel_prefix address = P(wanted);
	const struct flannel_address_request request = {
		.size = sizeof(request),
		.container_id = id,
		.ifname = ifname,
		.ranges = ranges,
		.n_ranges = make_ranges(sets, ranges),
		.wanted = wanted ? &address : NULL,
		.n_wanted = wanted ? 1 : 0,
	};
	struct flannel_error *error = NULL;
	int r = flannel_address_pool_allocate(pool, &request, addresses, &error);

	if (r < 0) {
		cr_expect_eq(flannel_error_get_code(error), r);
		cr_expect_neq(flannel_error_get_message(error)[0], '\0');
		flannel_error_unref(error);
		return strerrorname_np(-r);
	}
	cr_expect_eq((size_t)r, request.n_ranges);
	return flannel_prefix_format(&addresses[0].address, text, sizeof(text));
}

/* where indexes are */
#define INDEX_FOLDER "/run/flannel/host-local"

/* where the index of the pool is */
static inline const char *index_path(void)
{
	static char path[200];
	struct stat status;

	cr_assert_eq(stat(pool_path, &status), 0);
	(void)snprintf(path, sizeof(path), INDEX_FOLDER "/%llx-%llx", (unsigned long long)status.st_dev,
		       (unsigned long long)status.st_ino);
	return path;
}

/*
 * Plants a file that a look at all files would clear away, without that it shows in the directory's time: it tells later whether
 * there was such a look.
 */
static inline void plant(void)
{
	struct stat status;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};

	cr_assert_eq(stat(pool_path, &status), 0);
	write_file("192.0.2.1", "");
	times[1] = status.st_mtim;
	cr_assert_eq(utimensat(AT_FDCWD, pool_path, times, 0), 0);
}

/* has there been a look at all files since plant() */
static inline bool was_scanned(void)
{
	return strcmp(content("192.0.2.1"), "-") == 0;
}

#endif
