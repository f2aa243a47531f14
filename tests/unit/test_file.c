/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

/* a directory of the test's own, and a path below it */
struct place {
	char directory[64];
	char path[512];
};

/* makes the directory */
static void setup(struct place *place)
{
	(void)snprintf(place->directory, sizeof(place->directory), "/tmp/flannel-file-XXXXXX");
	cr_assert_not_null(mkdtemp(place->directory));
}

/* the path of a name in the directory, valid until the next call */
static const char *at(struct place *place, const char *name)
{
	(void)snprintf(place->path, sizeof(place->path), "%s/%s", place->directory, name);
	return place->path;
}

/* removes one entry; for nftw(3) */
static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	(void)info;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* removes the directory and all in it */
static void teardown(struct place *place)
{
	cr_expect_eq(nftw(place->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* number of entries of the directory, temporary files included */
static int count_entries(const struct place *place)
{
	DIR *directory = opendir(place->directory);
	int n = -2;

	cr_assert_not_null(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* expects a file with this content and these permissions */
static void expect_file(const char *path, const char *want, mode_t mode)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	struct stat info;
	size_t len;

	cr_assert_eq(fl_file_read(path, 1000000, &text, &len, NULL), 0, "%s", path);
	cr_expect_str_eq(text, want, "%s", path);
	cr_expect_eq(len, strlen(want), "%s", path);
	cr_assert_eq(stat(path, &info), 0);
	cr_expect_eq(info.st_mode & 07777, mode, "%s: %o", path, info.st_mode & 07777);
}

/* writes what must be written, with plain calls */
static void put(const char *path, const char *text, size_t len, mode_t mode)
{
	FL_CLEANUP(fl_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	cr_assert_eq(fchmod(fd, mode), 0);
}

Test(file, read_counts_to_the_limit)
{
	const size_t lengths[] = {0, 1, 4095, 4096, 4097, 8192, 100000};
	struct place place;
	char *content = calloc(1, 100001);

	setup(&place);
	memset(content, 'x', 100000);
	for (size_t i = 0; i < FL_N_ELEMENTS(lengths); i++) {
		FL_CLEANUP(fl_freep) char *text = NULL;
		char *none = NULL;
		size_t len = 77, n = lengths[i];

		put(at(&place, "a"), content, n, 0600);
		cr_assert_eq(fl_file_read(place.path, n, &text, &len, NULL), 0, "%zu", n);
		cr_expect_eq(len, n);
		cr_expect_eq(text[n], '\0');
		cr_expect_eq(memcmp(text, content, n), 0);
		len = 77;
		cr_expect_eq(fl_file_read(place.path, n ? n - 1 : 0, &none, &len, NULL), n ? -EFBIG : 0);
		cr_expect_eq(len, n ? 77U : 0U);
		free(none);
	}
	free(content);
	teardown(&place);
}

Test(file, read_keeps_zero_bytes)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	struct place place;
	size_t len;

	setup(&place);
	put(at(&place, "a"), "a\0b", 3, 0600);
	cr_assert_eq(fl_file_read(place.path, SIZE_MAX, &text, &len, NULL), 0);
	cr_expect_eq(len, 3U);
	cr_expect_eq(memcmp(text, "a\0b", 4), 0);
	teardown(&place);
}

Test(file, read_files_without_a_size)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	char *none = NULL;
	size_t len;

	cr_assert_eq(fl_file_read("/proc/self/status", 1000000, &text, &len, NULL), 0);
	cr_expect_gt(len, 100U);
	cr_expect_eq(strlen(text), len);
	cr_expect_eq(fl_file_read("/proc/self/status", 10, &none, &len, NULL), -EFBIG);
}

Test(file, read_refuses)
{
	struct place place;
	const struct {
		const char *name;
		int want;
		const char *detail;
	} cases[] = {
		{"none", -ENOENT, "No such file or directory"},
		{"fifo", -EINVAL, "not a regular file"},
		{".", -EISDIR, "Is a directory"},
		{"file/x", -ENOTDIR, "Not a directory"},
		{"file", -EFBIG, "larger than 2 bytes"},
		{"loop", -ELOOP, "Too many levels of symbolic links"},
	};

	setup(&place);
	put(at(&place, "file"), "abc", 3, 0600);
	cr_assert_eq(mkfifo(at(&place, "fifo"), 0600), 0);
	cr_assert_eq(symlink("loop", at(&place, "loop")), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		char *text = (char *)&place, want[600];
		int r = fl_file_read(at(&place, cases[i].name), 2, &text, &(size_t){0}, &error);

		cr_expect_eq(r, cases[i].want, "%s: %d", cases[i].name, r);
		(void)snprintf(want, sizeof(want), "read %s: %s", place.path, cases[i].detail);
		cr_expect_str_eq(flannel_error_get_message(error), want);
		cr_expect_str_eq(flannel_error_get_area(error), "file");
		cr_expect_eq(text, (char *)&place, "%s", cases[i].name);
	}
	teardown(&place);
}

Test(file, write_makes_and_replaces)
{
	struct place place;
	mode_t old_mask = umask(0077);

	setup(&place);
	cr_assert_eq(fl_file_write_atomic(at(&place, "a"), "one", 3, 0644, NULL), 0);
	expect_file(place.path, "one", 0644);
	cr_assert_eq(fl_file_write_atomic(place.path, "", 0, 0600, NULL), 0);
	expect_file(place.path, "", 0644);
	cr_assert_eq(chmod(place.path, 0751), 0);
	cr_assert_eq(fl_file_write_atomic(place.path, "three", 5, 0600, NULL), 0);
	expect_file(place.path, "three", 0751);
	cr_expect_eq(count_entries(&place), 1, "nothing temporary stays");
	cr_expect_eq(umask(old_mask), 0077U);
	teardown(&place);
}

Test(file, write_does_not_touch_the_old_file)
{
	struct place place;
	char text[8] = {0};
	int fd;

	setup(&place);
	put(at(&place, "a"), "old", 3, 0600);
	fd = open(place.path, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(fl_file_write_atomic(place.path, "new!", 4, 0600, NULL), 0);
	cr_expect_eq(read(fd, text, sizeof(text)), 3);
	cr_expect_str_eq(text, "old", "a reader keeps what it opened");
	expect_file(place.path, "new!", 0600);
	close(fd);
	teardown(&place);
}

Test(file, write_large_and_long)
{
	struct place place;
	char name[256], *content = calloc(1, 3000001);
	FL_CLEANUP(fl_freep) char *text = NULL;
	size_t len;

	setup(&place);
	memset(content, 'y', 3000000);
	memset(name, 'n', 255);
	name[255] = '\0';
	cr_assert_eq(fl_file_write_atomic(at(&place, name), content, 3000000, 0600, NULL), 0);
	cr_assert_eq(fl_file_read(place.path, 3000000, &text, &len, NULL), 0);
	cr_expect_str_eq(text, content);
	free(content);
	teardown(&place);
}

Test(file, write_relative_paths)
{
	struct place place;

	setup(&place);
	cr_assert_eq(chdir(place.directory), 0);
	cr_expect_eq(fl_file_write_atomic("a", "1", 1, 0600, NULL), 0);
	expect_file(at(&place, "a"), "1", 0600);
	cr_assert_eq(chdir("/"), 0);
	teardown(&place);
}

Test(file, write_replaces_links_themselves)
{
	struct place place;
	struct stat info;

	setup(&place);
	put(at(&place, "target"), "keep", 4, 0666);
	cr_assert_eq(symlink("target", at(&place, "link")), 0);
	cr_assert_eq(fl_file_write_atomic(place.path, "new", 3, 0640, NULL), 0);
	cr_assert_eq(lstat(place.path, &info), 0);
	cr_expect(S_ISREG(info.st_mode));
	expect_file(place.path, "new", 0640);
	expect_file(at(&place, "target"), "keep", 0666);
	teardown(&place);
}

/* a writer that was killed left its file, or somebody laid a trap there: neither stays, and neither is written to */
Test(file, write_replaces_what_a_killed_writer_left)
{
	struct place place;

	setup(&place);
	put(at(&place, ".a.new"), "half", 4, 0666);
	cr_assert_eq(fl_file_write_atomic(at(&place, "a"), "one", 3, 0640, NULL), 0);
	expect_file(place.path, "one", 0640);
	cr_expect_eq(count_entries(&place), 1);
	put(at(&place, "target"), "keep", 4, 0666);
	cr_assert_eq(symlink("target", at(&place, ".a.new")), 0);
	cr_assert_eq(fl_file_write_atomic(at(&place, "a"), "two", 3, 0640, NULL), 0);
	expect_file(place.path, "two", 0640);
	expect_file(at(&place, "target"), "keep", 0666);
	cr_expect_eq(count_entries(&place), 2);
	cr_assert_eq(mkdir(at(&place, ".a.new"), 0700), 0);
	cr_expect_eq(fl_file_write_atomic(at(&place, "a"), "three", 5, 0640, NULL), -EEXIST);
	expect_file(place.path, "two", 0640);
	teardown(&place);
}

Test(file, write_refuses)
{
	struct place place;
	const struct {
		const char *name;
		int want;
	} cases[] = {
		{"directory", -EISDIR}, {"directory/", -EISDIR}, {"none/", -ENOENT},
		{"none/a", -ENOENT},    {"file/a", -ENOTDIR},    {"file/", -ENOTDIR},
	};

	setup(&place);
	put(at(&place, "file"), "abc", 3, 0600);
	cr_assert_eq(mkdir(at(&place, "directory"), 0700), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		int r = fl_file_write_atomic(at(&place, cases[i].name), "x", 1, 0600, &error);

		cr_expect_eq(r, cases[i].want, "%s: %d", cases[i].name, r);
		cr_expect_eq(flannel_error_get_code(error), r);
		cr_expect_not_null(strstr(flannel_error_get_message(error), place.path));
	}
	cr_expect_eq(fl_file_write_atomic("", "x", 1, 0600, NULL), -ENOENT);
	cr_expect_eq(fl_file_write_atomic("/", "x", 1, 0600, NULL), -EISDIR);
	expect_file(at(&place, "file"), "abc", 0600);
	cr_expect_eq(count_entries(&place), 2, "nothing temporary stays");
	teardown(&place);
}

Test(file, write_that_fails_leaves_nothing)
{
	struct place place;
	char *content = calloc(1, 1 << 20);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	setup(&place);
	/* /dev/full cannot be renamed onto; a file system of 64 KiB in a mount namespace of our own can be full */
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("none", place.directory, "tmpfs", 0, "size=64k"), 0);
	cr_assert_eq(fl_file_write_atomic(at(&place, "a"), "old", 3, 0600, NULL), 0);
	cr_expect_eq(fl_file_write_atomic(place.path, content, 1 << 20, 0600, &error), -ENOSPC);
	cr_expect_not_null(strstr(flannel_error_get_message(error), "No space left on device"));
	expect_file(place.path, "old", 0600);
	cr_expect_eq(count_entries(&place), 1);
	cr_assert_eq(umount(place.directory), 0);
	free(content);
	teardown(&place);
}

Test(file, make_directories)
{
	struct place place;
	struct stat info;
	char path[600];
	mode_t old_mask = umask(0022);

	setup(&place);
	cr_expect_eq(fl_file_make_directories(at(&place, "a/b//c/"), 0755, NULL), 0);
	cr_assert_eq(stat(at(&place, "a/b/c"), &info), 0);
	cr_expect_eq(info.st_mode & 07777, 0755U);
	cr_assert_eq(chmod(place.path, 0700), 0);
	cr_expect_eq(fl_file_make_directories(place.path, 0755, NULL), 0);
	cr_assert_eq(stat(place.path, &info), 0);
	cr_expect_eq(info.st_mode & 07777, 0700U, "left as it is");

	/* a link to a directory is one */
	cr_assert_eq(symlink("a", at(&place, "link")), 0);
	cr_expect_eq(fl_file_make_directories(at(&place, "link/d"), 0755, NULL), 0);
	cr_expect_eq(access(at(&place, "a/d"), F_OK), 0);

	(void)snprintf(path, sizeof(path), "%s/p/q/file", place.directory);
	cr_expect_eq(fl_file_make_parents(path, 0755, NULL), 0);
	cr_expect_eq(access(at(&place, "p/q"), F_OK), 0);
	cr_expect_neq(access(path, F_OK), 0);
	cr_expect_eq(fl_file_make_parents("file", 0755, NULL), 0);
	cr_expect_eq(fl_file_make_parents("/file", 0755, NULL), 0);
	cr_expect_eq(fl_file_make_directories("/", 0755, NULL), 0);
	(void)umask(old_mask);
	teardown(&place);
}

Test(file, make_directories_refuses)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct place place;

	setup(&place);
	put(at(&place, "file"), "abc", 3, 0600);
	cr_assert_eq(symlink("nowhere", at(&place, "dangling")), 0);
	cr_expect_eq(fl_file_make_directories(at(&place, "file"), 0755, NULL), -ENOTDIR);
	cr_expect_eq(fl_file_make_directories(at(&place, "file/x"), 0755, &error), -ENOTDIR);
	cr_expect_not_null(strstr(flannel_error_get_message(error), "make directory /tmp/"));
	cr_expect_eq(fl_file_make_directories(at(&place, "dangling"), 0755, NULL), -EEXIST);
	cr_expect_eq(fl_file_make_directories("", 0755, NULL), -ENOENT);
	teardown(&place);
}
