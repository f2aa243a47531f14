/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct table {
	size_t n_columns;
	size_t n_cells;
	char **cells;
	size_t *widths; /* of the columns, in characters */
};

/* how many bytes a character of UTF-8 has that begins here; 0 if it is none or a control character */
static size_t character_len(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	size_t len = *c < 0x80                 ? 1
		     : *c >= 0xc2 && *c < 0xe0 ? 2
		     : *c >= 0xe0 && *c < 0xf0 ? 3
		     : *c >= 0xf0 && *c < 0xf5 ? 4
					       : 0;

	for (size_t i = 1; i < len; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	if (len == 1 && (*c < ' ' || *c == 0x7f))
		return 0;
	if (len == 2 && *c == 0xc2 && c[1] < 0xa0)
		return 0; /* the controls of U+0080 to U+009F */
	return len;
}

char *table_clean(const char *text)
{
	char *clean = strdup(text);

	if (!clean)
		return NULL;
	for (char *at = clean; *at;) {
		size_t len = character_len(at);

		if (len == 0)
			*at = '?';
		at += len ? len : 1;
	}
	return clean;
}

/* characters of clean text, each taken as one column wide */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

struct table *table_new(size_t n_columns, const char *const *headers)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->n_columns = n_columns;
	table->widths = calloc(n_columns, sizeof(*table->widths));
	if (!table->widths || (headers && table_add(table, headers) < 0))
		return table_free(table);
	return table;
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->widths);
	free(table);
	return NULL;
}

int table_add(struct table *table, const char *const *cells)
{
	size_t n = table->n_cells;
	char **grown = reallocarray(table->cells, n + table->n_columns, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	table->cells = grown;
	for (size_t i = 0; i < table->n_columns; i++) {
		char *cell = table_clean(cells[i] && *cells[i] ? cells[i] : "-");
		size_t width = cell ? text_width(cell) : 0;

		if (!cell) {
			while (i > 0)
				free(grown[n + --i]);
			return -ENOMEM;
		}
		grown[n + i] = cell;
		if (width > table->widths[i])
			table->widths[i] = width;
	}
	table->n_cells = n + table->n_columns;
	return 0;
}

void table_print(const struct table *table, const char *indent, FILE *stream)
{
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t column = i % table->n_columns;
		size_t padding = table->widths[column] - text_width(table->cells[i]) + 2;

		if (column == 0)
			(void)fputs(indent, stream);
		(void)fputs(table->cells[i], stream);
		if (column + 1 == table->n_columns)
			(void)fputc('\n', stream);
		else
			(void)fprintf(stream, "%*s", (int)padding, "");
	}
}
