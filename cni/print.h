/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_PRINT_H
#define CNI_PRINT_H

/* Writes JSON as the encoder of the Go programs does, so that files and results look the same whoever wrote them. */

#include <json-c/json_object.h>
#include <stddef.h>

/* writes all of text to fd, a pipe or file: 0, or -1 with errno */
int cni_write(int fd, const char *text, size_t len);

/* prints with an indentation of four blanks, no final newline: 0, or -1 with errno */
int cni_print(struct json_object *value, int fd);

/* compact text, malloc()ed; sorted: the keys of all objects in byte order. NULL without memory. */
char *cni_format_compact(struct json_object *value, int sorted);

/* a key or element in each line, with that many blanks for each level; malloc()ed, NULL without memory */
char *cni_format_indented(struct json_object *value, int indent);

#endif
