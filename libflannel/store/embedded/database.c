/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/embedded/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* the errno for what SQLite says; what the kernel said to SQLite is more precise where there is no better word */
static int code_of(struct fl_database *database, int rc)
{
	int system = database->sqlite ? sqlite3_system_errno(database->sqlite) : 0;

	switch (rc) {
	case SQLITE_IOERR_LOCK:
	case SQLITE_IOERR_RDLOCK:
	case SQLITE_IOERR_SHMLOCK:
	case SQLITE_IOERR_SHMMAP:
	case SQLITE_NOLFS:
		return system == ENOSPC || system == EROFS || system == EMFILE ? -system : -EOPNOTSUPP;
	default:
		break;
	}
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return -EAGAIN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return system == EACCES || system == EPERM ? -EACCES : -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
	case SQLITE_SCHEMA:
		return -EBADMSG;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_CANTOPEN:
		return system > 0 ? -system : -EIO;
	default:
		return system == ENOSPC || system == EROFS || system == EDQUOT ? -system : -EIO;
	}
}

int fl_database_fail(struct fl_database *database, int rc, const char *operation, struct flannel_error **ret_error)
{
	int code = code_of(database, rc);
	const char *detail = database->sqlite ? sqlite3_errmsg(database->sqlite) : sqlite3_errstr(rc);

	switch (code) {
	case -ENOMEM:
		return fl_error_oom(ret_error);
	case -EAGAIN:
	case -ENOSPC:
	case -EDQUOT:
	case -EIO:
	case -EMFILE:
	case -ENFILE:
		return fl_error_set_retryable(ret_error, code, "store", detail, "%s lease database %s", operation,
					      database->path);
	default:
		return fl_error_set(ret_error, code, "store", detail, "%s lease database %s", operation,
				    database->path);
	}
}

/* the statement, prepared at its first use */
static int get_statement(struct fl_database *database, enum fl_sql sql, sqlite3_stmt **ret_statement,
			 struct flannel_error **ret_error)
{
	sqlite3_stmt **statement = &database->statements[sql];
	int rc = SQLITE_OK;

	if (!*statement)
		rc = sqlite3_prepare_v3(database->sqlite, fl_sql_text(sql), -1, SQLITE_PREPARE_PERSISTENT, statement,
					NULL);
	if (rc != SQLITE_OK)
		return fl_database_fail(database, rc, "prepare a query of", ret_error);
	*ret_statement = *statement;
	return 0;
}

/* puts one value in its place */
static int bind_value(sqlite3_stmt *statement, int index, const struct fl_value *value)
{
	switch (value->type) {
	case FL_VALUE_INT:
		return sqlite3_bind_int64(statement, index, value->number);
	case FL_VALUE_TEXT:
		return sqlite3_bind_text(statement, index, value->data, -1, SQLITE_STATIC);
	case FL_VALUE_BLOB:
		return sqlite3_bind_blob64(statement, index, value->data, value->len, SQLITE_STATIC);
	case FL_VALUE_NULL:
		break;
	}
	return sqlite3_bind_null(statement, index);
}

int fl_query_start(struct fl_query *query, struct fl_database *database, enum fl_sql sql, const struct fl_value *values,
		   size_t n_values, struct flannel_error **ret_error)
{
	sqlite3_stmt *statement = NULL;
	int r, rc = SQLITE_OK;

	r = get_statement(database, sql, &statement, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_values && rc == SQLITE_OK; i++)
		rc = bind_value(statement, (int)i + 1, &values[i]);
	if (rc != SQLITE_OK) {
		sqlite3_clear_bindings(statement);
		return fl_database_fail(database, rc, "fill a query of", ret_error);
	}
	*query = (struct fl_query){.database = database, .statement = statement};
	return 0;
}

int fl_query_step(struct fl_query *query, struct flannel_error **ret_error)
{
	int rc = sqlite3_step(query->statement);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return fl_database_fail(query->database, rc, sqlite3_stmt_readonly(query->statement) ? "read" : "write",
				ret_error);
}

void fl_query_end(struct fl_query *query)
{
	if (!query->statement)
		return;
	/* repeats the failure of the last step, which was reported then */
	(void)sqlite3_reset(query->statement);
	sqlite3_clear_bindings(query->statement);
	*query = (struct fl_query){0};
}

int fl_database_run(struct fl_database *database, enum fl_sql sql, const struct fl_value *values, size_t n_values,
		    struct flannel_error **ret_error)
{
	FL_CLEANUP_QUERY struct fl_query query = {0};
	int r;

	r = fl_query_start(&query, database, sql, values, n_values, ret_error);
	if (r < 0)
		return r;
	do {
		r = fl_query_step(&query, ret_error);
	} while (r > 0);
	return r;
}

int fl_database_get_int(struct fl_database *database, enum fl_sql sql, const struct fl_value *values, size_t n_values,
			int64_t *ret_number, struct flannel_error **ret_error)
{
	FL_CLEANUP_QUERY struct fl_query query = {0};
	int r;

	r = fl_query_start(&query, database, sql, values, n_values, ret_error);
	if (r < 0)
		return r;
	r = fl_query_step(&query, ret_error);
	if (r < 0)
		return r;
	if (r == 0 || sqlite3_column_type(query.statement, 0) == SQLITE_NULL)
		*ret_number = INT64_MAX;
	else
		*ret_number = sqlite3_column_int64(query.statement, 0);
	return 0;
}

int fl_database_begin(struct fl_database *database, bool write, struct flannel_error **ret_error)
{
	return fl_database_run(database, write ? FL_SQL_BEGIN_WRITE : FL_SQL_BEGIN_READ, FL_NO_VALUES, ret_error);
}

int fl_database_commit(struct fl_database *database, struct flannel_error **ret_error)
{
	return fl_database_run(database, FL_SQL_COMMIT, FL_NO_VALUES, ret_error);
}

void fl_database_rollback(struct fl_database *database)
{
	/* some failures end the transaction by themselves */
	if (database->sqlite && !sqlite3_get_autocommit(database->sqlite))
		(void)fl_database_run(database, FL_SQL_ROLLBACK, FL_NO_VALUES, NULL);
}

int fl_database_check_moved(struct fl_database *database, struct flannel_error **ret_error)
{
	int moved = 0;

	if (sqlite3_file_control(database->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved)
		return 0;
	return fl_error_set_retryable(ret_error, -ESTALE, "store", "the file was removed or replaced",
				      "use lease database %s", database->path);
}

/*
 * Settings of the connection only; the process may use SQLite for itself with its own. What a database file could
 * bring along (triggers, views, functions in its schema) stays without effect.
 */
static const struct {
	int option;
	int value;
} options[] = {
	{SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
	{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
	{SQLITE_DBCONFIG_ENABLE_VIEW, 0},    {SQLITE_DBCONFIG_DQS_DML, 0},
	{SQLITE_DBCONFIG_DQS_DDL, 0},
};

/* sets the connection up */
static int harden(struct fl_database *database, struct flannel_error **ret_error)
{
	int rc;

	for (size_t i = 0; i < FL_N_ELEMENTS(options); i++) {
		rc = sqlite3_db_config(database->sqlite, options[i].option, options[i].value, NULL);
		if (rc != SQLITE_OK)
			return fl_database_fail(database, rc, "set up", ret_error);
	}
	/* queries here are few and small: no memory set aside for their parts */
	rc = sqlite3_db_config(database->sqlite, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
	if (rc != SQLITE_OK)
		return fl_database_fail(database, rc, "set up", ret_error);
	(void)sqlite3_busy_timeout(database->sqlite, 0);
	return 0;
}

/* opens for writing, or not at all */
static int connect_file(struct fl_database *database, struct flannel_error **ret_error)
{
	/* one thread at a time: no mutexes. The path holds no symbolic link; one that appears is not followed. */
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE |
		    SQLITE_OPEN_NOFOLLOW;
	int rc = sqlite3_open_v2(database->path, &database->sqlite, flags, "unix");

	if (rc != SQLITE_OK)
		return fl_database_fail(database, rc, "open", ret_error);
	/* SQLite is content with reading if it must not write */
	if (sqlite3_db_readonly(database->sqlite, "main") != 0) {
		int code = faccessat(AT_FDCWD, database->path, W_OK, AT_EACCESS) < 0 ? -errno : -EROFS;

		return fl_error_set(ret_error, code, "store", NULL, "write lease database %s", database->path);
	}
	return harden(database, ret_error);
}

int fl_database_open(const char *path, struct fl_database *ret_database, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_database_close) struct fl_database database = {.path = path};
	int r;

	r = connect_file(&database, ret_error);
	if (r < 0)
		return r;
	r = fl_schema_ensure(&database, ret_error);
	if (r < 0)
		return r;
	*ret_database = database;
	database = (struct fl_database){0};
	return 0;
}

void fl_database_close(struct fl_database *database)
{
	for (size_t i = 0; i < FL_SQL_N; i++)
		sqlite3_finalize(database->statements[i]);
	/* a transaction that is open rolls back */
	(void)sqlite3_close(database->sqlite);
	*database = (struct fl_database){.path = database->path};
}
