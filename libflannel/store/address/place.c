/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/address/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/cleanup.h"

#define PARENT "/run/flannel"
#define FOLDER PARENT "/host-local"

/* <device>-<inode> in hexadecimal digits */
#define NAME_SIZE 40

/* An index that was written since is nobody's to sweep: perhaps its directory just cannot be seen from here. */
#define QUIET_SEC 3600

/* writes the name of a directory's index */
static void format_name(const struct stat *status, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%llx-%llx", (unsigned long long)status->st_dev, (unsigned long long)status->st_ino);
}

/* opens an absolute path step by step, so that no symbolic link is followed */
static int open_stepwise(const char *path, int flags)
{
	FL_CLEANUP(fl_closep) int parent = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *slash;

	for (path++; parent >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
		char name[NAME_SIZE];
		int fd;

		(void)snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		fl_closep(&parent);
		parent = fd;
	}
	return parent < 0 ? -1 : openat(parent, path, flags | O_CLOEXEC, 0600);
}

/* opens a path, no part of which may be a symbolic link */
static int open_strictly(const char *path, int flags)
{
	const struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
		.mode = (flags & O_CREAT) != 0 ? 0600 : 0,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	/* a kernel before 5.6, or a filter that is as old */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open_stepwise(path, (int)how.flags);
	return fd;
}

/* Does an index belong to a directory that is where the index says, and is still that one? Or is it too early to tell? Without a path
 * it has no use. */
static bool is_in_use(int folder_fd, const char *name)
{
	FL_CLEANUP(fl_closep) int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char path[FL_ADDRESS_PLACE_PATH_SIZE];
	char expected[NAME_SIZE];
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || time(NULL) - status.st_mtim.tv_sec < QUIET_SEC)
		return true;
	if (read(fd, path, sizeof(path)) != (ssize_t)sizeof(path) || path[0] != '/' || path[sizeof(path) - 1] != '\0')
		return false;
	if (stat(path, &status) < 0)
		return errno != ENOENT && errno != ENOTDIR;
	format_name(&status, expected, sizeof(expected));
	return strcmp(expected, name) == 0;
}

void fl_address_place_sweep(void)
{
	int fd = open_strictly(FOLDER, O_RDONLY | O_DIRECTORY);
	DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!entries) {
		fl_closep(&fd);
		return;
	}
	while ((entry = readdir(entries))) {
		if (entry->d_name[0] != '.' && !is_in_use(fd, entry->d_name))
			(void)unlinkat(fd, entry->d_name, 0);
	}
	closedir(entries);
}

/* removes <parent>/.flannel/<name>, and the folder with the last one */
static void remove_earlier(const char *directory)
{
	FL_CLEANUP(fl_freep) char *path = NULL;
	size_t len = strlen(directory);
	size_t name;

	while (len > 0 && directory[len - 1] == '/')
		len--;
	name = len;
	while (name > 0 && directory[name - 1] != '/')
		name--;
	if (name == len ||
	    asprintf(&path, "%.*s.flannel/%.*s", (int)name, directory, (int)(len - name), directory + name) < 0) {
		path = NULL;
		return;
	}
	if (unlink(path) < 0)
		return;
	*strrchr(path, '/') = '\0';
	(void)rmdir(path);
}

/* writes into a new index which directory it is for */
static void write_path(int fd, const struct fl_address_directory *directory)
{
	char path[FL_ADDRESS_PLACE_PATH_SIZE] = {0};
	char link[40];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", directory->fd);
	if (readlink(link, path, sizeof(path) - 1) > 0)
		(void)!pwrite(fd, path, sizeof(path), 0);
}

/* makes an index; -1 if that is not possible */
static int make(const char *path, const struct fl_address_directory *directory)
{
	int fd = open_strictly(path, O_RDWR | O_CREAT);

	if (fd < 0 && errno == ENOENT) {
		(void)mkdir(PARENT, 0755);
		(void)mkdir(FOLDER, 0700);
		fd = open_strictly(path, O_RDWR | O_CREAT);
	}
	if (fd < 0)
		return -1;
	write_path(fd, directory);
	fl_address_place_sweep();
	remove_earlier(directory->path);
	return fd;
}

int fl_address_place_open(const struct fl_address_directory *directory, const struct stat *status)
{
	char path[sizeof(FOLDER) + 1 + NAME_SIZE] = FOLDER "/";
	int fd;

	format_name(status, path + sizeof(FOLDER), sizeof(path) - sizeof(FOLDER));
	fd = open_strictly(path, O_RDWR);
	return fd < 0 && errno == ENOENT ? make(path, directory) : fd;
}
