/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_FILE_H
#define CNI_FILE_H

/* Files that plugins keep and read. key is what in the configuration names the file, for messages. */

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/* Makes a directory with its parents, all with mode (umask applies): 1, 0 if it is there and left as it is, -1. */
int cni_file_make_directories(const char *path, mode_t mode, const char *key, struct cni_error *error);

/* Reads a regular file of at most CNI_TEXT_MAX bytes: 1, 0 if there is none, -1. *ret_text is malloc()ed and ends in zero. */
int cni_file_read(const char *path, const char *key, char **ret_text, size_t *ret_len, struct cni_error *error);

#endif
