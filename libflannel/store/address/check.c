/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <flannel/address.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "domain/ipam/range.h"
#include "store/address/pool.h"

#define AREA "address"

FL_DEFINE_CLEANUP(struct flannel_address_pool *, flannel_address_pool_free)

/* may files be made in there: 0, or negative errno */
static int check_room(const char *directory)
{
	struct statvfs status;

	if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) < 0 || statvfs(directory, &status) < 0)
		return -errno;
	if ((status.f_blocks > 0 && status.f_bfree == 0) || (status.f_files > 0 && status.f_ffree == 0))
		return -ENOSPC;
	return 0;
}

/* cuts off the last part of a path; false if there is none left */
static bool cut_last(char *path)
{
	char *slash;

	while (strlen(path) > 1 && path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	slash[slash == path ? 1 : 0] = '\0';
	return true;
}

/* Looks at the directory, or if it is missing, at the one that it would be made in. 1: it is there, 0: it is not. */
static int check_directory(const char *directory, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *path = strdup(directory);
	const char *existing = path;
	struct stat status;
	int r;

	if (!path)
		return fl_error_oom(ret_error);
	while (stat(existing, &status) < 0) {
		if (errno != ENOENT || strcmp(existing, "/") == 0 || strcmp(existing, ".") == 0)
			return fl_error_set(ret_error, -errno, AREA, NULL, "look at address directory %s", directory);
		if (!cut_last(path))
			existing = ".";
	}
	r = S_ISDIR(status.st_mode) ? check_room(existing) : -ENOTDIR;
	if (r < 0)
		return fl_error_set(ret_error, r, AREA, r == -ENOSPC ? "the file system is full" : NULL,
				    "write into %s", existing);
	return strcmp(existing, directory) == 0 ? 1 : 0;
}

/* has every set an address left; the lock is held */
static int check_sets(struct fl_address_session *session, const struct flannel_address_range *ranges, size_t n_ranges,
		      struct flannel_error **ret_error)
{
	size_t n_sets = fl_range_count_sets(ranges, n_ranges);
	char spans[200];
	int r;

	for (size_t set = 0; set < n_sets; set++) {
		r = fl_address_session_has_free(session, ranges, n_ranges, (uint32_t)set, ret_error);
		if (r < 0)
			return r;
		if (r == 0)
			return fl_error_set_retryable(
				ret_error, -ENOSPC, AREA, "no address is free", "allocate from range set %zu (%s)", set,
				fl_range_describe(ranges, n_ranges, (uint32_t)set, spans, sizeof(spans)));
	}
	return 0;
}

int flannel_address_pool_check(const char *directory, const struct flannel_address_range *ranges, size_t n_ranges,
			       struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_address_pool_freep) struct flannel_address_pool *pool = NULL;
	int r;

	if (!directory || directory[0] == '\0' || (!ranges && n_ranges > 0))
		return fl_error_set(ret_error, -EINVAL, "argument", NULL, "check address pool");
	r = fl_address_pool_check_ranges(ranges, n_ranges, "check address pool", ret_error);
	if (r == 0)
		r = check_directory(directory, ret_error);
	if (r <= 0)
		return r;
	r = flannel_address_pool_open(directory, &pool, ret_error);
	if (r < 0)
		return r;
	r = fl_address_session_begin(&pool->session, &pool->directory, &pool->boot, ret_error);
	if (r >= 0)
		r = check_sets(&pool->session, ranges, n_ranges, ret_error);
	fl_address_session_end(&pool->session);
	return r;
}
