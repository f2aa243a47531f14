/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "decode.h"

int cni_file_make_directories(const char *path, mode_t mode, const char *key, struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *partial = strdup(path);

	if (!partial)
		return cni_fail_oom(error);
	if (mkdir(path, mode) == 0)
		return 1;
	for (char *slash = strchr(partial + 1, '/'); errno == ENOENT && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(partial, mode) == 0 || errno == EEXIST)
			errno = ENOENT;
		*slash = '/';
	}
	if (errno == ENOENT && mkdir(path, mode) == 0)
		return 1;
	if (errno == EEXIST)
		return 0;
	return cni_fail(error, CNI_ERROR_INTERNAL, "%s: make %s: %s", key, path, strerror(errno));
}

int cni_file_read(const char *path, const char *key, char **ret_text, size_t *ret_len, struct cni_error *error)
{
	/* a path may be anything: opening must not wait for the other end of a pipe */
	CNI_CLEANUP(cni_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CNI_CLEANUP(cni_freep) char *text = NULL;
	struct stat status;
	ssize_t n;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &status) < 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s: open %s: %s", key, path, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size > CNI_TEXT_MAX)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s: %s: expected a file of at most %d bytes", key, path,
				CNI_TEXT_MAX);
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return cni_fail_oom(error);
	n = read(fd, text, (size_t)status.st_size);
	if (n < 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s: read %s: %s", key, path, strerror(errno));
	text[n] = '\0';
	*ret_text = CNI_TAKE(text);
	*ret_len = (size_t)n;
	return 1;
}
