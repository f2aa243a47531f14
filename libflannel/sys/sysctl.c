/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "domain/pod/sysctl.h"
#include "sys/sysctl.h"

/* room for "/proc/sys/" and the longest name */
#define PATH_SIZE (FLANNEL_SYSCTL_NAME_MAX + 16)

/* opens something below a directory, or below /proc/sys; the result is a descriptor */
static int open_below(int directory, const char *name, int flags)
{
	char path[PATH_SIZE];
	int n, fd;

	n = snprintf(path, sizeof(path), "%s%s", directory < 0 ? "/proc/sys/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(path) || !fl_sysctl_name_is_valid(name))
		return -EINVAL;
	fd = openat(directory < 0 ? AT_FDCWD : directory, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int fl_sysctl_open_private(void)
{
	FL_CLEANUP(fl_closep) int fs = fsopen("proc", FSOPEN_CLOEXEC);
	FL_CLEANUP(fl_closep) int tree = -1;
	int fd = -1;

	if (fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		tree = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (tree >= 0)
		fd = openat(tree, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? FL_SYSCTL_ROOT : fd;
}

int fl_sysctl_open(int directory, const char *name, int *ret_directory, struct flannel_error **ret_error)
{
	int fd = open_below(directory, name, O_PATH | O_DIRECTORY);

	if (fd < 0)
		return fl_error_set(ret_error, fd, "sysctl", NULL, "open %s", name);
	*ret_directory = fd;
	return 0;
}

/* reads the value that fd has, without its newline */
static int read_value(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size, 0);

	if (n < 0)
		return -errno;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	if ((size_t)n >= size)
		return -EFBIG;
	buf[n] = '\0';
	return 0;
}

int fl_sysctl_read(int directory, const char *name, char *buf, size_t size, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_closep) int fd = open_below(directory, name, O_RDONLY);
	int r = fd;

	if (fd >= 0)
		r = read_value(fd, buf, size);
	if (r < 0)
		return fl_error_set(ret_error, r, "sysctl", NULL, "read %s", name);
	return 0;
}

/*
 * One descriptor serves both: reading costs a microsecond, whereas writing some settings (forwarding) takes the lock
 * that all network configuration of the machine waits for. before: as it was, "" if that cannot be read.
 */
static int write_if_different(int directory, const char *name, const char *value,
			      char before[FLANNEL_SYSCTL_VALUE_SIZE])
{
	FL_CLEANUP(fl_closep) int fd = open_below(directory, name, O_RDWR);
	const char *written = value[0] != '\0' ? value : "\n"; /* writing nothing would change nothing */
	ssize_t n;

	before[0] = '\0';
	if (fd == -EACCES)
		fd = open_below(directory, name, O_WRONLY); /* there are some that have no value to read */
	if (fd < 0)
		return fd;
	if (read_value(fd, before, FLANNEL_SYSCTL_VALUE_SIZE) < 0)
		before[0] = '\0';
	else if (fl_sysctl_values_equal(before, value))
		return 0;
	n = pwrite(fd, written, strlen(written), 0);
	if (n < 0)
		return -errno;
	return (size_t)n == strlen(written) ? 1 : -EIO;
}

int fl_sysctl_set(const char *name, const char *value, struct flannel_error **ret_error)
{
	char before[FLANNEL_SYSCTL_VALUE_SIZE];
	int r = write_if_different(FL_SYSCTL_ROOT, name, value, before);

	return r < 0 ? fl_error_set(ret_error, r, "sysctl", NULL, "set %s to %s", name, value) : r;
}

int fl_sysctl_write(int directory, const struct fl_sysctl *sysctl, char ret_before[FL_SYSCTL_VALUE_SIZE],
		    struct flannel_error **ret_error)
{
	char before[FLANNEL_SYSCTL_VALUE_SIZE];
	int r = write_if_different(directory, sysctl->name, sysctl->value, before);

	if (r >= 0 && ret_before) {
		ret_before[0] = '\0';
		if (strlen(before) < FL_SYSCTL_VALUE_SIZE)
			memcpy(ret_before, before, strlen(before) + 1);
	}
	if (r >= 0 || sysctl->optional)
		return r < 0 ? 0 : r;
	return fl_error_set(ret_error, r, "sysctl", NULL, "set %s to %s", sysctl->name, sysctl->value);
}
