/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_BASE_FILE_H
#define FL_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include <flannel/error.h>

/* reads a whole regular file, at most max bytes (more is -EFBIG); *ret_text is malloc()ed and ends in zero */
int fl_file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct flannel_error **ret_error);

/*
 * Replaces path as a whole: a temporary file in the same directory, written, synced, renamed. Readers see the old or
 * the new content, never a part. mode counts for a new file only; an existing regular file keeps its permissions.
 * The temporary file, ".NAME.new", is gone on failure; one that a killed writer left is replaced. A file has one writer at a
 * time: whoever calls sees to that, as flanneld's lock beside the subnet file does.
 */
int fl_file_write_atomic(const char *path, const char *text, size_t len, mode_t mode, struct flannel_error **ret_error);

/* the same for what is not in memory as a whole: write() puts it into the file, which it does not close; 0 or negative errno */
typedef int (*fl_file_write_fn)(void *userdata, int fd);
int fl_file_replace(const char *path, mode_t mode, fl_file_write_fn write, void *userdata,
		    struct flannel_error **ret_error);

/* Could fl_file_write_atomic() replace path now? 0, or -EISDIR, -ENOENT, -ENOTDIR, -EACCES, -EROFS ... Changes nothing. */
int fl_file_check_writable(const char *path, struct flannel_error **ret_error);

/* makes the directory and its parents with mode (umask applies); an existing directory is left as it is */
int fl_file_make_directories(const char *path, mode_t mode, struct flannel_error **ret_error);

/* the same for the directory that path is in */
int fl_file_make_parents(const char *path, mode_t mode, struct flannel_error **ret_error);

#endif
