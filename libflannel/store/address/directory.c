/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/address/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/file.h"

#define AREA "address"

/* of a file: the id of the boot that it is from */
#define MARK "user.flannel.boot"

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

int fl_address_owner_init(struct fl_address_owner *owner, const char *container_id, const char *ifname)
{
	size_t id_len;
	const char *id = trim(container_id, &id_len);
	size_t len;
	int r = asprintf(&owner->text, "%.*s\r\n%s", (int)id_len, id, ifname);

	if (r < 0) {
		owner->text = NULL;
		return -ENOMEM;
	}
	(void)trim(owner->text, &len);
	owner->len = len;
	owner->id_len = id_len;
	return 0;
}

void fl_address_owner_clear(struct fl_address_owner *owner)
{
	free(owner->text);
	owner->text = NULL;
}

enum fl_address_match fl_address_file_match(const struct fl_address_file *file, const struct fl_address_owner *owner)
{
	if (!file->is_readable)
		return FL_ADDRESS_NO_MATCH;
	if (file->len == owner->len && memcmp(file->text, owner->text, owner->len) == 0)
		return FL_ADDRESS_OWNED;
	if (file->len == owner->id_len && memcmp(file->text, owner->text, owner->id_len) == 0)
		return FL_ADDRESS_LEGACY;
	return FL_ADDRESS_NO_MATCH;
}

/* Marks an open file. Where that is not possible, it stays one of which nobody knows when it is from. */
static void set_mark(int fd, const struct fl_boot *boot)
{
	if (fl_boot_is_known(boot))
		(void)fsetxattr(fd, MARK, boot->id, sizeof(boot->id), 0);
}

/* Does an open file bear another boot's mark? One without any gets this one's. */
static bool look_at_mark(int fd, const struct fl_boot *boot)
{
	uint8_t id[sizeof(boot->id)];
	ssize_t n;

	if (!fl_boot_is_known(boot))
		return false;
	n = fgetxattr(fd, MARK, id, sizeof(id));
	if (n == sizeof(id))
		return memcmp(id, boot->id, sizeof(id)) != 0;
	if (n >= 0 || errno == ENODATA || errno == ERANGE)
		set_mark(fd, boot);
	return false;
}

int fl_address_directory_create(const struct fl_address_directory *directory, const struct flannel_prefix *address,
				const struct fl_address_owner *owner, const struct fl_boot *boot,
				struct flannel_error **ret_error)
{
	char name[FLANNEL_PREFIX_STRLEN];
	FL_CLEANUP(fl_closep) int fd = -1;
	int r;

	(void)flannel_prefix_format_address(address, name, sizeof(name));
	fd = openat(directory->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return -EEXIST;
	if (fd < 0)
		return fl_error_set(ret_error, -errno, AREA, NULL, "create %s/%s", directory->path, name);
	r = write_text(fd, owner->text, owner->len);
	if (r < 0) {
		(void)unlinkat(directory->fd, name, 0);
		return fl_error_set(ret_error, r, AREA, NULL, "write %s/%s", directory->path, name);
	}
	set_mark(fd, boot);
	return 0;
}

int fl_address_directory_rewrite(const struct fl_address_directory *directory, const struct flannel_prefix *address,
				 const struct fl_address_owner *owner, const struct fl_boot *boot,
				 struct flannel_error **ret_error)
{
	char name[FLANNEL_PREFIX_STRLEN];
	FL_CLEANUP(fl_closep) int fd = -1;

	(void)flannel_prefix_format_address(address, name, sizeof(name));
	fd = openat(directory->fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	/* written over, not anew: at no time is it a file without an owner */
	if (fd < 0 || pwrite(fd, owner->text, owner->len, 0) != (ssize_t)owner->len ||
	    ftruncate(fd, (off_t)owner->len) < 0)
		return fl_error_set(ret_error, errno != 0 ? -errno : -ENOSPC, AREA, NULL, "write %s/%s",
				    directory->path, name);
	set_mark(fd, boot);
	return 0;
}

void fl_address_directory_mark(const struct fl_address_directory *directory, const struct flannel_prefix *address,
			       const struct fl_boot *boot)
{
	char name[FLANNEL_PREFIX_STRLEN];
	FL_CLEANUP(fl_closep) int fd = -1;

	(void)flannel_prefix_format_address(address, name, sizeof(name));
	fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0)
		set_mark(fd, boot);
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

/* reads what is open as the file of an address */
static void read_file(int fd, struct fl_address_file *file)
{
	struct stat status;
	const char *text;
	ssize_t n;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return;
	n = read(fd, file->text, sizeof(file->text));
	if (n < 0 || (size_t)n == sizeof(file->text))
		return;
	file->text[n] = '\0';
	text = trim(file->text, &file->len);
	memmove(file->text, text, file->len);
	text = memmem(file->text, file->len, "\r\n", 2);
	file->id_len = text ? (size_t)(text - file->text) : file->len;
	file->is_readable = true;
}

/* the same for a name, with a look at its mark if boot is not NULL; false if it cannot be opened */
static bool read_name(const struct fl_address_directory *directory, const char *name, const struct fl_boot *boot,
		      struct fl_address_file *file)
{
	FL_CLEANUP(fl_closep) int fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	file->is_readable = false;
	file->is_old = false;
	if (fd >= 0)
		read_file(fd, file);
	if (file->is_readable && boot)
		file->is_old = look_at_mark(fd, boot);
	return fd >= 0;
}

bool fl_address_directory_read(const struct fl_address_directory *directory, const struct flannel_prefix *address,
			       struct fl_address_file *ret_file)
{
	char name[FLANNEL_PREFIX_STRLEN];

	(void)flannel_prefix_format_address(address, name, sizeof(name));
	ret_file->address = *address;
	return read_name(directory, name, NULL, ret_file);
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

/* is it the name that an address has as a file, and the only one: not 010.0.0.1, not FD00::1 */
static bool parse_name(const char *name, struct flannel_prefix *ret_address)
{
	char canonical[FLANNEL_PREFIX_STRLEN];

	return !strchr(name, '/') && flannel_prefix_parse(name, ret_address) == 0 &&
	       strcmp(flannel_prefix_format_address(ret_address, canonical, sizeof(canonical)), name) == 0;
}

int fl_address_directory_scan(const struct fl_address_directory *directory, const struct fl_boot *boot,
			      int (*function)(void *userdata, const struct fl_address_file *file), void *userdata,
			      struct flannel_error **ret_error)
{
	FL_CLEANUP(close_directory) DIR *entries = open_entries(directory);
	FL_CLEANUP(fl_freep) struct fl_address_file *file = malloc(sizeof(*file));
	struct dirent *entry;
	int r;

	if (!file)
		return fl_error_oom(ret_error);
	if (!entries)
		return fl_error_set(ret_error, -errno, AREA, NULL, "read directory %s", directory->path);
	while ((errno = 0, entry = readdir(entries))) {
		if (!parse_name(entry->d_name, &file->address))
			continue;
		(void)read_name(directory, entry->d_name, boot, file);
		r = function(userdata, file);
		if (r < 0)
			return fl_error_set(ret_error, r, AREA, NULL, "read directory %s", directory->path);
	}
	if (errno != 0)
		return fl_error_set(ret_error, -errno, AREA, NULL, "read directory %s", directory->path);
	return 0;
}

/* last_reserved_ip.N */
static void format_position_name(uint32_t set, char *buf, size_t size)
{
	(void)snprintf(buf, size, "last_reserved_ip.%u", set);
}

void fl_address_position_open(const struct fl_address_directory *directory, uint32_t set,
			      struct fl_address_position *ret_position)
{
	char name[32];
	char buf[2 * FLANNEL_PREFIX_STRLEN];
	ssize_t n;

	memset(ret_position, 0, sizeof(*ret_position));
	format_position_name(set, name, sizeof(name));
	ret_position->fd = openat(directory->fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	n = ret_position->fd >= 0 ? read(ret_position->fd, buf, sizeof(buf) - 1) : -1;
	if (n < 0)
		return;
	ret_position->len = (size_t)n;
	buf[n] = '\0';
	/* white space is no part of an address: others who read the file would begin anew, too */
	if (strlen(buf) != (size_t)n || strchr(buf, '/') || flannel_prefix_parse(buf, &ret_position->last) < 0)
		memset(&ret_position->last, 0, sizeof(ret_position->last));
}

void fl_address_position_close(struct fl_address_position *position)
{
	fl_closep(&position->fd);
	position->fd = -1;
}

int fl_address_position_set(struct fl_address_position *position, const struct fl_address_directory *directory,
			    uint32_t set, const struct flannel_prefix *address, struct flannel_error **ret_error)
{
	char name[32];
	char text[FLANNEL_PREFIX_STRLEN];
	size_t len;
	ssize_t n;

	format_position_name(set, name, sizeof(name));
	len = strlen(flannel_prefix_format_address(address, text, sizeof(text)));
	if (position->fd < 0)
		position->fd = openat(directory->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	n = position->fd >= 0 ? pwrite(position->fd, text, len, 0) : -1;
	if (n == (ssize_t)len && (position->len <= len || ftruncate(position->fd, (off_t)len) == 0)) {
		position->len = len;
		position->last = *address;
		return 0;
	}
	return fl_error_set(ret_error, n < 0 ? -errno : -ENOSPC, AREA, NULL, "write %s/%s", directory->path, name);
}
