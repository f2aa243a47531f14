/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"

/* First buffer for a file that does not tell its size, such as those in /proc. */
#define READ_START 4096

/* reads until the end or until buf is full; returns the number of bytes or a negative errno */
static ssize_t read_full(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			len += (size_t)n;
	}
	return (ssize_t)len;
}

/* reads all of fd into a buffer that grows from size to max + 1 bytes */
static int read_growing(int fd, size_t size, size_t max, char **ret_text, size_t *ret_len)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	size_t len = 0;

	for (;;) {
		char *larger;
		ssize_t n;

		if (size > max + 1)
			size = max + 1;
		larger = realloc(text, size + 1);
		if (!larger)
			return -ENOMEM;
		text = larger;
		n = read_full(fd, text + len, size - len);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
		if (len < size)
			break;
		size *= 2;
	}
	text[len] = '\0';
	*ret_text = FL_TAKE(text);
	*ret_len = len;
	return 0;
}

int fl_file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_closep) int fd = -1;
	size_t size = READ_START;
	struct stat info;
	char detail[64];
	int r;

	/* NONBLOCK: opening a FIFO must not wait for a writer */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &info) < 0)
		return fl_error_set(ret_error, -errno, "file", NULL, "read %s", path);
	if (S_ISDIR(info.st_mode))
		return fl_error_set(ret_error, -EISDIR, "file", NULL, "read %s", path);
	if (!S_ISREG(info.st_mode))
		return fl_error_set(ret_error, -EINVAL, "file", "not a regular file", "read %s", path);
	if (max > SSIZE_MAX - 2)
		max = SSIZE_MAX - 2;
	/* one byte more than there should be shows the end without another round */
	if (info.st_size > 0 && (uintmax_t)info.st_size <= max)
		size = (size_t)info.st_size + 1;
	r = read_growing(fd, size, max, ret_text, ret_len);
	if (r == -ENOMEM)
		return fl_error_oom(ret_error);
	(void)snprintf(detail, sizeof(detail), "larger than %zu bytes", max);
	if (r < 0)
		return fl_error_set(ret_error, r, "file", r == -EFBIG ? detail : NULL, "read %s", path);
	return 0;
}

/* writes all of text */
static int write_full(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/*
 * Opens a new file ".name.new" in the directory, so far without permissions for others; returns its descriptor. Always the
 * same name: what a writer that was killed left behind is replaced by the next one, and does not pile up.
 */
static int open_temporary(int directory_fd, const char *name, char *temporary, size_t size)
{
	int fd;

	/* a name of the full 255 bytes is cut to leave room for the rest */
	(void)snprintf(temporary, size, ".%.200s.new", name);
	(void)unlinkat(directory_fd, temporary, 0); /* what stays nevertheless is in the way of the next call */
	fd = openat(directory_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* writes text to the temporary file and makes it name; the caller removes temporary if this fails */
static int fill_and_rename(int directory_fd, int fd, const char *temporary, const char *name, mode_t mode,
			   fl_file_write_fn write, void *userdata)
{
	int r = write(userdata, fd);

	if (r < 0)
		return r;
	/* open(2) counts the umask in, which is not ours to change */
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0 || renameat(directory_fd, temporary, directory_fd, name) < 0)
		return -errno;
	/* The file is in its place whatever comes of this; it only makes that survive a power cut. */
	(void)fsync(directory_fd);
	return 0;
}

/* opens the directory of path, sets the name within it */
static int open_directory(const char *path, const char **ret_name)
{
	FL_CLEANUP(fl_freep) char *directory = NULL;
	const char *slash = strrchr(path, '/');
	int fd;

	*ret_name = slash ? slash + 1 : path;
	if (!slash)
		directory = strdup(".");
	else
		directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* the work of fl_file_replace() */
static int replace(const char *path, mode_t mode, fl_file_write_fn write, void *userdata)
{
	FL_CLEANUP(fl_closep) int directory_fd = -1;
	FL_CLEANUP(fl_closep) int fd = -1;
	char temporary[256];
	const char *name;
	struct stat info;
	int r;

	directory_fd = open_directory(path, &name);
	if (directory_fd < 0)
		return directory_fd;
	/* a path that ends in a slash means a directory, be it there or not */
	if (!*name)
		return *path ? -EISDIR : -ENOENT;
	if (fstatat(directory_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(info.st_mode))
			return -EISDIR;
		if (S_ISREG(info.st_mode))
			mode = info.st_mode & 0777;
	}
	fd = open_temporary(directory_fd, name, temporary, sizeof(temporary));
	if (fd < 0)
		return fd;
	r = fill_and_rename(directory_fd, fd, temporary, name, mode, write, userdata);
	if (r < 0)
		(void)unlinkat(directory_fd, temporary, 0);
	return r;
}

int fl_file_replace(const char *path, mode_t mode, fl_file_write_fn write, void *userdata,
		    struct flannel_error **ret_error)
{
	int r = replace(path, mode, write, userdata);

	if (r == -ENOMEM)
		return fl_error_oom(ret_error);
	if (r == -EISDIR)
		return fl_error_set(ret_error, r, "file", "it is a directory, expected a file or nothing there",
				    "write %s", path);
	if (r < 0)
		return fl_error_set(ret_error, r, "file", NULL, "write %s", path);
	return 0;
}

/* what is in memory as a whole */
struct whole {
	const char *text;
	size_t len;
};

static int write_whole(void *userdata, int fd)
{
	const struct whole *whole = userdata;

	return write_full(fd, whole->text, whole->len);
}

int fl_file_write_atomic(const char *path, const char *text, size_t len, mode_t mode, struct flannel_error **ret_error)
{
	struct whole whole = {.text = text, .len = len};

	return fl_file_replace(path, mode, write_whole, &whole, ret_error);
}

int fl_file_check_writable(const char *path, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_closep) int directory_fd = -1;
	const char *name;
	struct stat info;

	directory_fd = open_directory(path, &name);
	if (directory_fd < 0)
		return fl_error_set(ret_error, directory_fd, "file", NULL, "write %s", path);
	if (!*name || (fstatat(directory_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode)))
		return fl_error_set(ret_error, -EISDIR, "file", NULL, "write %s", path);
	if (faccessat(directory_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return fl_error_set(ret_error, -errno, "file", NULL, "write %s", path);
	return 0;
}

/* makes one directory unless it is there; its parent has to be */
static int make_directory(const char *path, mode_t mode)
{
	struct stat info;
	int r;

	if (mkdir(path, mode) == 0)
		return 0;
	r = -errno;
	/* looked at whatever the error was: a read-only file system says so before it says "exists" */
	if (stat(path, &info) < 0)
		return r;
	return S_ISDIR(info.st_mode) ? 0 : -ENOTDIR;
}

/* makes all directories on the way down the path; cuts it at each slash for a moment */
static int make_directories(char *path, mode_t mode)
{
	for (char *p = path; *p; p++) {
		int r;

		if (*p != '/' || p == path || p[-1] == '/')
			continue;
		*p = '\0';
		r = make_directory(path, mode);
		*p = '/';
		if (r < 0)
			return r;
	}
	return make_directory(path, mode);
}

/* makes the directory of the first len bytes of path */
static int make_part(const char *path, size_t len, mode_t mode, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *copy = strndup(path, len);
	int r;

	if (!copy)
		return fl_error_oom(ret_error);
	r = make_directories(copy, mode);
	if (r < 0)
		return fl_error_set(ret_error, r, "file", NULL, "make directory %s", copy);
	return 0;
}

int fl_file_make_directories(const char *path, mode_t mode, struct flannel_error **ret_error)
{
	return make_part(path, strlen(path), mode, ret_error);
}

int fl_file_make_parents(const char *path, mode_t mode, struct flannel_error **ret_error)
{
	const char *slash = strrchr(path, '/');

	/* in the working directory or in the root: both are there */
	if (!slash || slash == path)
		return 0;
	return make_part(path, (size_t)(slash - path), mode, ret_error);
}
