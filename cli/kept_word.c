/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kept_word.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

void kept_word_read(int parent_fd, const char *directory, const char *file, char *ret_word, size_t size)
{
	CLEANUP_FREE char *path = NULL;
	CLEANUP_CLOSE int fd = -1;
	ssize_t len;

	ret_word[0] = '\0';
	if (asprintf(&path, "%s/%s", directory, file) < 0) {
		path = NULL;
		return;
	}
	fd = openat(parent_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	len = fd < 0 ? -1 : read(fd, ret_word, size);
	ret_word[len > 0 && (size_t)len < size ? (size_t)len : 0] = '\0';
	ret_word[strcspn(ret_word, "\n")] = '\0';
}

int kept_word_write(const char *directory, const char *file, const char *word, struct flannel_error **ret_error)
{
	CLEANUP_FREE char *path = NULL;
	CLEANUP_FREE char *new_path = NULL;
	CLEANUP_STREAM FILE *stream = NULL;
	int r = 0;

	if (asprintf(&path, "%s/%s", directory, file) < 0)
		path = NULL;
	if (asprintf(&new_path, "%s/.%s.new", directory, file) < 0)
		new_path = NULL;
	if (!path || !new_path)
		return flannel_error_new(ret_error, -ENOMEM, "instance", "keep a word", NULL, 0);
	stream = fopen(new_path, "we");
	if (!stream || fprintf(stream, "%s\n", word) < 0 || fflush(stream) != 0 || rename(new_path, path) < 0)
		r = errno ? -errno : -EIO;
	return r < 0 ? flannel_error_new(ret_error, r, "instance", path, "cannot be written", 0) : 0;
}
