/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_EMBEDDED_DATABASE_H
#define FL_EMBEDDED_DATABASE_H

/*
 * One connection to a SQLite file, and its prepared statements. Nothing here waits: what another process holds gives
 * -EAGAIN. The only files that include sqlite3.h are those that include this header.
 *
 * Errors, all of area "store": -EAGAIN (held by another process), -ENOSPC, -EROFS, -EACCES, -EIO, -EBADMSG (damaged, or no
 * database), -EOPNOTSUPP (no locks or no shared memory), -EEXIST (a unique column), -E2BIG, -ENOMEM, -ESTALE (the file at the path is
 * another one by now).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"
#include "store/embedded/schema.h"

struct fl_database {
	sqlite3 *sqlite;  /* NULL: closed */
	const char *path; /* borrowed */
	sqlite3_stmt *statements[FL_SQL_N];
};

/* Opens a file that is there, empty or a lease database, and makes the tables in an empty one. */
int fl_database_open(const char *path, struct fl_database *ret_database, struct flannel_error **ret_error);

/* takes a closed one, too */
void fl_database_close(struct fl_database *database);

/* -ESTALE if the file was removed or replaced since it was opened */
int fl_database_check_moved(struct fl_database *database, struct flannel_error **ret_error);

/* a transaction: write takes the lock at once. Rollback takes one that never began, too. */
int fl_database_begin(struct fl_database *database, bool write, struct flannel_error **ret_error);
int fl_database_commit(struct fl_database *database, struct flannel_error **ret_error);
void fl_database_rollback(struct fl_database *database);

/* the errno of a SQLite result, with an error in SQLite's words about operation */
int fl_database_fail(struct fl_database *database, int rc, const char *operation, struct flannel_error **ret_error);

/* What is put into a statement, in order of its question marks. Texts and blobs are borrowed until the query ends. */
struct fl_value {
	enum { FL_VALUE_NULL, FL_VALUE_INT, FL_VALUE_TEXT, FL_VALUE_BLOB } type;
	int64_t number;
	const void *data;
	size_t len;
};

#define FL_INT(x) ((struct fl_value){.type = FL_VALUE_INT, .number = (int64_t)(x)})
#define FL_TEXT(x) ((struct fl_value){.type = (x) ? FL_VALUE_TEXT : FL_VALUE_NULL, .data = (x)})
#define FL_BLOB(x, n) ((struct fl_value){.type = (n) ? FL_VALUE_BLOB : FL_VALUE_NULL, .data = (x), .len = (n)})
#define FL_VALUES(...)                                                                                                 \
	(const struct fl_value[]){__VA_ARGS__}, sizeof((const struct fl_value[]){__VA_ARGS__}) / sizeof(struct fl_value)
#define FL_NO_VALUES NULL, 0

/* A statement that runs; ends (is reset, for its next use) by FL_CLEANUP_QUERY. Zeroes are one that never began. */
struct fl_query {
	struct fl_database *database;
	sqlite3_stmt *statement;
};

int fl_query_start(struct fl_query *query, struct fl_database *database, enum fl_sql sql, const struct fl_value *values,
		   size_t n_values, struct flannel_error **ret_error);

/* 1: the next row is there for sqlite3_column_*(), 0: there is none */
int fl_query_step(struct fl_query *query, struct flannel_error **ret_error);
void fl_query_end(struct fl_query *query);

/* the whole of it for statements without rows */
int fl_database_run(struct fl_database *database, enum fl_sql sql, const struct fl_value *values, size_t n_values,
		    struct flannel_error **ret_error);

/* the first column of the only row; INT64_MAX if that is NULL or there is no row */
int fl_database_get_int(struct fl_database *database, enum fl_sql sql, const struct fl_value *values, size_t n_values,
			int64_t *ret_number, struct flannel_error **ret_error);

#define FL_CLEANUP_QUERY FL_CLEANUP(fl_query_end)

#endif
