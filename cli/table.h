/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

/* Aligned columns of text. Cells may come from other machines: what could drive a terminal is replaced by "?". */

#include <stddef.h>
#include <stdio.h>

struct table;

/* headers NULL: a table without a first line. NULL without memory */
struct table *table_new(size_t n_columns, const char *const *headers);

/* NULL is borne; always NULL */
struct table *table_free(struct table *table);

/* the same as a cleanup */
static inline void table_freep(struct table **table)
{
	*table = table_free(*table);
}

/* n_columns cells, copied; NULL or "" shows as "-". 0 or -ENOMEM */
int table_add(struct table *table, const char *const *cells);

/* columns two blanks apart, each line after indent; the last column is not padded */
void table_print(const struct table *table, const char *indent, FILE *stream);

/* text with all that is not printable replaced: control characters, bytes that are no UTF-8; malloc()ed or NULL */
char *table_clean(const char *text);

#endif
