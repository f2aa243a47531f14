/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_KEPT_WORD_H
#define CLI_KEPT_WORD_H

#include <stddef.h>

#include <flannel/error.h>

/*
 * A word that a state directory keeps from one run of its daemon to the next, in a file of its own: one line.
 */

/* reads DIRECTORY/FILE, below parent_fd or AT_FDCWD: the word, or "" if there is none, or none that fits */
void kept_word_read(int parent_fd, const char *directory, const char *file, char *ret_word, size_t size);

/* keeps it: a new file takes the place of the old one; what the system says on failure */
int kept_word_write(const char *directory, const char *file, const char *word, struct flannel_error **ret_error);

#endif
