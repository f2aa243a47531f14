/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "domain/sysctl.h"
#include "sys/sysctl.h"

/* room for "/proc/sys/" and the longest name */
#define PATH_SIZE (FLANNEL_SYSCTL_NAME_MAX + 16)

/* opens the file of a setting; the result is a descriptor */
static int open_setting(const char *name, int flags)
{
	char path[PATH_SIZE];
	int n, fd;

	n = snprintf(path, sizeof(path), "/proc/sys/%s", name);
	if (n < 0 || (size_t)n >= sizeof(path) || !fl_sysctl_name_is_valid(name))
		return -EINVAL;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
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

int fl_sysctl_read(const char *name, char *buf, size_t size, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_closep) int fd = open_setting(name, O_RDONLY);
	int r = fd;

	if (fd >= 0)
		r = read_value(fd, buf, size);
	if (r < 0)
		return fl_error_set(ret_error, r, "sysctl", NULL, "read %s", name);
	return 0;
}

/*
 * One descriptor serves both: reading costs a microsecond, whereas writing some settings (forwarding) takes the lock
 * that all network configuration of the machine waits for.
 */
static int write_if_different(const char *name, const char *value)
{
	FL_CLEANUP(fl_closep) int fd = open_setting(name, O_RDWR);
	char current[FLANNEL_SYSCTL_VALUE_SIZE];
	const char *written = value[0] != '\0' ? value : "\n"; /* writing nothing would change nothing */
	ssize_t n;

	if (fd == -EACCES)
		fd = open_setting(name, O_WRONLY); /* there are some that have no value to read */
	if (fd < 0)
		return fd;
	if (read_value(fd, current, sizeof(current)) == 0 && fl_sysctl_values_equal(current, value))
		return 0;
	n = pwrite(fd, written, strlen(written), 0);
	if (n < 0)
		return -errno;
	return (size_t)n == strlen(written) ? 1 : -EIO;
}

int fl_sysctl_set(const char *name, const char *value, struct flannel_error **ret_error)
{
	int r = write_if_different(name, value);

	return r < 0 ? fl_error_set(ret_error, r, "sysctl", NULL, "set %s to %s", name, value) : r;
}

int fl_sysctl_write(const struct fl_sysctl *sysctl, struct flannel_error **ret_error)
{
	int r = write_if_different(sysctl->name, sysctl->value);

	if (r >= 0 || sysctl->optional)
		return r < 0 ? 0 : r;
	return fl_error_set(ret_error, r, "sysctl", NULL, "set %s to %s", sysctl->name, sysctl->value);
}
