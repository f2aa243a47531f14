/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/address_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/file.h"

#define AREA "address"

/* longest content that can be an owner's: container ids have no limit of their own, but are file names elsewhere */
#define CONTENT_MAX 4096

/* white space that readers have always cut off */
#define BLANKS " \t\r\n\v\f"

/* closedir() for FL_CLEANUP */
static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

int fl_address_directory_open(const char *path, struct fl_address_directory *ret_directory,
			      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *copy = strdup(path);
	int fd;
	int r;

	if (!copy)
		return fl_error_oom(ret_error);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		r = fl_file_make_directories(path, 0755, ret_error);
		if (r < 0)
			return r;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return fl_error_set(ret_error, -errno, AREA, NULL, "open address directory %s", path);
	ret_directory->fd = fd;
	ret_directory->path = FL_TAKE(copy);
	return 0;
}

void fl_address_directory_close(struct fl_address_directory *directory)
{
	fl_closep(&directory->fd);
	directory->fd = -1;
	free(directory->path);
	directory->path = NULL;
}

int fl_address_directory_lock(const struct fl_address_directory *directory, int *ret_fd,
			      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_closep) int fd = openat(directory->fd, "lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0750);
	int r;

	if (fd < 0)
		return fl_error_set(ret_error, -errno, AREA, NULL, "open %s/lock", directory->path);
	do {
		r = flock(fd, LOCK_EX);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return fl_error_set(ret_error, -errno, AREA, NULL, "lock %s/lock", directory->path);
	*ret_fd = fl_take_fd(&fd);
	return 0;
}

/* writes all of a short text; a short write can only mean a full disk */
static int write_text(int fd, const char *text, size_t len)
{
	ssize_t written;

	do {
		written = write(fd, text, len);
	} while (written < 0 && errno == EINTR);
	if (written < 0)
		return -errno;
	return (size_t)written == len ? 0 : -ENOSPC;
}

/* the part of text without white space around it */
static const char *trim(const char *text, size_t *len)
{
	size_t start = strspn(text, BLANKS);

	*len = strlen(text + start);
	while (*len > 0 && strchr(BLANKS, text[start + *len - 1]))
		(*len)--;
	return text + start;
}

/*
 * Makes the file of an address. An empty one is what a writer left that was killed between making and filling it: files
 * are filled with the lock held, and we hold it. It is made anew, since nobody would ever give that address back.
 */
static int create_file(const struct fl_address_directory *directory, const char *name)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	int fd = openat(directory->fd, name, flags, 0600);
	struct stat status;

	if (fd >= 0 || errno != EEXIST)
		return fd < 0 ? -errno : fd;
	if (fstatat(directory->fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode) ||
	    status.st_size > 0 || unlinkat(directory->fd, name, 0) < 0)
		return -EEXIST;
	fd = openat(directory->fd, name, flags, 0600);
	return fd < 0 ? -errno : fd;
}

int fl_address_directory_create(const struct fl_address_directory *directory, const struct flannel_prefix *address,
				const struct fl_address_owner *owner, struct flannel_error **ret_error)
{
	char name[FLANNEL_PREFIX_STRLEN];
	FL_CLEANUP(fl_freep) char *content = NULL;
	FL_CLEANUP(fl_closep) int fd = -1;
	size_t id_len;
	const char *id = trim(owner->container_id, &id_len);
	int len = asprintf(&content, "%.*s\r\n%s", (int)id_len, id, owner->ifname);
	int r;

	if (len < 0) {
		content = NULL;
		return fl_error_oom(ret_error);
	}
	(void)flannel_prefix_format_address(address, name, sizeof(name));
	fd = create_file(directory, name);
	if (fd == -EEXIST)
		return -EEXIST;
	if (fd < 0)
		return fl_error_set(ret_error, fd, AREA, NULL, "create %s/%s", directory->path, name);
	r = write_text(fd, content, (size_t)len);
	if (r < 0) {
		(void)unlinkat(directory->fd, name, 0);
		return fl_error_set(ret_error, r, AREA, NULL, "write %s/%s", directory->path, name);
	}
	return 0;
}

int fl_address_directory_remove(const struct fl_address_directory *directory, const struct flannel_prefix *address,
				struct flannel_error **ret_error)
{
	char name[FLANNEL_PREFIX_STRLEN];

	(void)flannel_prefix_format_address(address, name, sizeof(name));
	if (unlinkat(directory->fd, name, 0) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	return fl_error_set(ret_error, -errno, AREA, NULL, "remove %s/%s", directory->path, name);
}

/* the length of a small file's text in buf, which ends in zero; negative if it cannot be read or does not fit */
static ssize_t read_text(const struct fl_address_directory *directory, const char *name, char *buf, size_t size)
{
	FL_CLEANUP(fl_closep) int fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, buf, size);
	if (len < 0)
		return -errno;
	if ((size_t)len == size)
		return -EFBIG;
	buf[len] = '\0';
	return len;
}

/* appends an address */
static int list_add(struct fl_address_list *list, const struct flannel_prefix *address)
{
	struct flannel_prefix *larger;
	size_t n_allocated = list->n_allocated > 0 ? 2 * list->n_allocated : 4;

	if (list->n == list->n_allocated) {
		larger = reallocarray(list->addresses, n_allocated, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		list->addresses = larger;
		list->n_allocated = n_allocated;
	}
	list->addresses[list->n++] = *address;
	return 0;
}

void fl_address_list_clear(struct fl_address_list *list)
{
	free(list->addresses);
	memset(list, 0, sizeof(*list));
}

/* looks at one file: 1 if the owner's, 2 if it names just the container, 0 if neither */
static int match_owner(const struct fl_address_directory *directory, const char *name,
		       const struct fl_address_owner *owner)
{
	char buf[CONTENT_MAX];
	size_t len;
	size_t id_len;
	const char *id = trim(owner->container_id, &id_len);
	const char *content;

	if (read_text(directory, name, buf, sizeof(buf)) < 0)
		return 0;
	content = trim(buf, &len);
	if (len < id_len || memcmp(content, id, id_len) != 0)
		return 0;
	if (len == id_len)
		return 2;
	content += id_len;
	len -= id_len;
	if (len != 2 + strlen(owner->ifname) || memcmp(content, "\r\n", 2) != 0)
		return 0;
	return memcmp(content + 2, owner->ifname, len - 2) == 0 ? 1 : 0;
}

/* a second descriptor for reading the directory from its start, since readdir() moves the position */
static DIR *open_entries(const struct fl_address_directory *directory)
{
	int fd = openat(directory->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;

	if (!entries)
		fl_closep(&fd);
	return entries;
}

int fl_address_directory_scan(const struct fl_address_directory *directory, const struct fl_address_owner *owner,
			      struct fl_address_list *ret_owned, struct fl_address_list *ret_legacy,
			      struct flannel_error **ret_error)
{
	FL_CLEANUP(close_directory) DIR *entries = open_entries(directory);
	FL_CLEANUP(fl_address_list_clear) struct fl_address_list owned = {0};
	FL_CLEANUP(fl_address_list_clear) struct fl_address_list legacy = {0};
	struct flannel_prefix address;
	struct dirent *entry;
	int match;

	if (!entries)
		return fl_error_set(ret_error, -errno, AREA, NULL, "read directory %s", directory->path);
	while ((errno = 0, entry = readdir(entries))) {
		if (strchr(entry->d_name, '/') || flannel_prefix_parse(entry->d_name, &address) < 0)
			continue;
		match = match_owner(directory, entry->d_name, owner);
		if (match > 0 && list_add(match == 1 ? &owned : &legacy, &address) < 0)
			return fl_error_oom(ret_error);
	}
	if (errno != 0)
		return fl_error_set(ret_error, -errno, AREA, NULL, "read directory %s", directory->path);
	*ret_owned = owned;
	*ret_legacy = legacy;
	memset(&owned, 0, sizeof(owned));
	memset(&legacy, 0, sizeof(legacy));
	return 0;
}

/* last_reserved_ip.N */
static void format_last_name(uint32_t set, char *buf, size_t size)
{
	(void)snprintf(buf, size, "last_reserved_ip.%u", set);
}

struct flannel_prefix fl_address_directory_get_last(const struct fl_address_directory *directory, uint32_t set)
{
	struct flannel_prefix last = {0};
	char name[32];
	char buf[2 * FLANNEL_PREFIX_STRLEN];
	char *text;
	size_t len;

	format_last_name(set, name, sizeof(name));
	if (read_text(directory, name, buf, sizeof(buf)) < 0)
		return last;
	text = buf + (trim(buf, &len) - buf);
	text[len] = '\0';
	if (strchr(text, '/') || flannel_prefix_parse(text, &last) < 0)
		memset(&last, 0, sizeof(last));
	return last;
}

int fl_address_directory_set_last(const struct fl_address_directory *directory, uint32_t set,
				  const struct flannel_prefix *address, struct flannel_error **ret_error)
{
	char name[32];
	char text[FLANNEL_PREFIX_STRLEN];
	FL_CLEANUP(fl_closep) int fd = -1;
	int r;

	format_last_name(set, name, sizeof(name));
	(void)flannel_prefix_format_address(address, text, sizeof(text));
	fd = openat(directory->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : write_text(fd, text, strlen(text));
	if (r < 0)
		return fl_error_set(ret_error, r, AREA, NULL, "write %s/%s", directory->path, name);
	return 0;
}
