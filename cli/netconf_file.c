/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "netconf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cleanup.h"

#define MAX_SIZE ((size_t)1024 * 1024)

/* fails with "read path: detail" */
static int fail(struct flannel_error **ret_error, int code, const char *path, const char *detail)
{
	CLEANUP_FREE char *operation = NULL;

	if (asprintf(&operation, "read the network configuration %s", path) < 0)
		operation = NULL;
	return flannel_error_new(ret_error, code, "config", operation, detail, 0);
}

/* reads fd to its end into buf; bytes read, or negative errno, -EFBIG if size does not suffice */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return (ssize_t)len;
		len += (size_t)n;
	}
	return -EFBIG;
}

int netconf_file_read(const char *path, char **ret_text, struct flannel_error **ret_error)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP_FREE char *text = NULL;
	ssize_t len;

	if (fd < 0)
		return fail(ret_error, -errno, path, NULL);
	text = malloc(MAX_SIZE + 1);
	if (!text)
		return fail(ret_error, -ENOMEM, path, NULL);
	len = read_all(fd, text, MAX_SIZE + 1);
	if (len < 0)
		return fail(ret_error, (int)len, path, len == -EFBIG ? "larger than 1 MiB" : NULL);
	text[len] = '\0';
	if (strlen(text) != (size_t)len)
		return fail(ret_error, -EINVAL, path, "contains a zero byte");
	*ret_text = TAKE(text);
	return 0;
}
