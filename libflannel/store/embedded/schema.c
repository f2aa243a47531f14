/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/embedded/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "store/embedded/database.h"

#define STR_(x) #x
#define STR(x) STR_(x)

#define COLUMNS "id, revision, removed, key, value, lease_sec, expires_sec, boot_id, deadline_ns"

/* rest of a lifetime by the wall clock (?2, seconds), but not less than the grace and not more than the whole */
#define REST "max(min(expires_sec - ?2, lease_sec), min(lease_sec, " STR(FL_SCHEMA_GRACE_SEC) "))"

static const char *const texts[FL_SQL_N] = {
	[FL_SQL_BEGIN_READ] = "BEGIN DEFERRED",
	[FL_SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[FL_SQL_COMMIT] = "COMMIT",
	[FL_SQL_ROLLBACK] = "ROLLBACK",

	/* an answer means that it is on the disk */
	[FL_SQL_SYNCHRONOUS] = "PRAGMA synchronous = FULL",
	/* at most 128 KiB of memory for pages */
	[FL_SQL_CACHE_SIZE] = "PRAGMA cache_size = -128",
	[FL_SQL_TEMP_STORE] = "PRAGMA temp_store = MEMORY",
	/* the log stays near 1 MiB: little to read at a start, little shared memory for its index */
	[FL_SQL_CHECKPOINT_PAGES] = "PRAGMA wal_autocheckpoint = 256",
	[FL_SQL_JOURNAL_LIMIT] = "PRAGMA journal_size_limit = 1048576",
	[FL_SQL_WAL] = "PRAGMA journal_mode = WAL",
	[FL_SQL_GET_APPLICATION_ID] = "PRAGMA application_id",
	[FL_SQL_GET_VERSION] = "PRAGMA user_version",
	[FL_SQL_COUNT_TABLES] = "SELECT count(*) FROM sqlite_schema",
	[FL_SQL_SET_APPLICATION_ID] = "PRAGMA application_id = " STR(FL_SCHEMA_APPLICATION_ID),
	[FL_SQL_SET_VERSION] = "PRAGMA user_version = " STR(FL_SCHEMA_VERSION),

	[FL_SQL_CREATE_STATE] = "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), "
				"revision INTEGER NOT NULL, pruned_revision INTEGER NOT NULL, "
				"config_revision INTEGER NOT NULL, config TEXT, boot_id TEXT NOT NULL) STRICT",
	[FL_SQL_FILL_STATE] = "INSERT INTO state VALUES (1, 0, 0, 0, NULL, '')",
	[FL_SQL_CREATE_LEASE] = "CREATE TABLE lease (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL UNIQUE, "
				"removed INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, identity TEXT, "
				"first4 BLOB, last4 BLOB, first6 BLOB, last6 BLOB, lease_sec INTEGER NOT NULL, "
				"expires_sec INTEGER NOT NULL, boot_id TEXT, deadline_ns INTEGER) STRICT",
	/* the unique ones hold even if a rule above them should fail */
	[FL_SQL_INDEX_REMOVED] = "CREATE INDEX lease_removed ON lease (revision) WHERE removed = 1",
	[FL_SQL_INDEX_KEY4] = "CREATE UNIQUE INDEX lease_first4 ON lease (first4) WHERE removed = 0",
	[FL_SQL_INDEX_KEY6] = "CREATE UNIQUE INDEX lease_first6 ON lease (first6) WHERE removed = 0",
	[FL_SQL_INDEX_IDENTITY] = "CREATE UNIQUE INDEX lease_identity ON lease (identity) WHERE removed = 0",
	[FL_SQL_INDEX_DEADLINE] = "CREATE INDEX lease_deadline ON lease (deadline_ns) WHERE removed = 0",

	[FL_SQL_READ_STATE] = "SELECT revision, pruned_revision, config_revision FROM state WHERE id = 1",
	[FL_SQL_READ_BOOT] = "SELECT 1 FROM state WHERE id = 1 AND boot_id = ?1",
	[FL_SQL_WRITE_BOOT] = "UPDATE state SET boot_id = ?1 WHERE id = 1",
	[FL_SQL_ADOPT_LEASES] =
		"UPDATE lease SET boot_id = ?1, expires_sec = ?2 + " REST ", deadline_ns = ?3 + 1000000000 * " REST
		" WHERE removed = 0 AND lease_sec > 0 AND boot_id IS NOT ?1",
	[FL_SQL_READ_CONFIG] = "SELECT config, config_revision FROM state WHERE id = 1",
	[FL_SQL_WRITE_CONFIG] = "UPDATE state SET config = ?1, config_revision = ?2 WHERE id = 1",
	[FL_SQL_NEXT_REVISION] = "UPDATE state SET revision = revision + 1 WHERE id = 1 RETURNING revision",

	[FL_SQL_SNAPSHOT] = "SELECT " COLUMNS " FROM lease WHERE removed = 0 ORDER BY revision",
	[FL_SQL_CHANGES] = "SELECT " COLUMNS " FROM lease WHERE revision > ?1 ORDER BY revision LIMIT ?2",
	/* Living leases share no address, so that of those which begin at or before our end just the last can reach into
	 * our subnet. */
	[FL_SQL_FIND_SUBNET4] = "SELECT " COLUMNS ", first4, last4 FROM lease WHERE removed = 0 AND first4 <= ?1 "
				"ORDER BY first4 DESC LIMIT 1",
	[FL_SQL_FIND_SUBNET6] = "SELECT " COLUMNS ", first6, last6 FROM lease WHERE removed = 0 AND first6 <= ?1 "
				"ORDER BY first6 DESC LIMIT 1",
	[FL_SQL_FIND_IDENTITY] = "SELECT " COLUMNS " FROM lease WHERE removed = 0 AND identity = ?1",
	[FL_SQL_FIND_DUE] = "SELECT id FROM lease WHERE removed = 0 AND deadline_ns <= ?1 AND boot_id = ?2 "
			    "ORDER BY deadline_ns LIMIT 1",
	[FL_SQL_NEXT_DEADLINE] = "SELECT deadline_ns FROM lease WHERE removed = 0 AND deadline_ns > 0 "
				 "AND boot_id = ?1 ORDER BY deadline_ns LIMIT 1",
	[FL_SQL_INSERT_LEASE] = "INSERT INTO lease (revision, removed, key, value, identity, first4, last4, first6, "
				"last6, lease_sec, expires_sec, boot_id, deadline_ns) "
				"VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[FL_SQL_UPDATE_LEASE] = "UPDATE lease SET revision = ?2, value = ?3, identity = ?4, lease_sec = ?5, "
				"expires_sec = ?6, boot_id = ?7, deadline_ns = ?8 WHERE id = ?1",
	[FL_SQL_REMOVE_LEASE] = "UPDATE lease SET removed = 1, revision = ?2 WHERE id = ?1",
	[FL_SQL_FIND_OLD_REMOVED] = "SELECT revision FROM lease WHERE removed = 1 ORDER BY revision DESC "
				    "LIMIT 1 OFFSET ?1",
	[FL_SQL_FORGET_REMOVED] = "DELETE FROM lease WHERE removed = 1 AND revision <= ?1",
	[FL_SQL_WRITE_PRUNED] = "UPDATE state SET pruned_revision = ?1 WHERE id = 1",
};

const char *fl_sql_text(enum fl_sql sql)
{
	return texts[sql];
}

/* runs statements without values, one after the other */
static int run_all(struct fl_database *database, const enum fl_sql *statements, size_t n,
		   struct flannel_error **ret_error)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = fl_database_run(database, statements[i], FL_NO_VALUES, ret_error);
	return r;
}

/* switches to the write-ahead log, by which readers and the writer do not hinder each other; lasts in the file */
static int set_wal(struct fl_database *database, struct flannel_error **ret_error)
{
	FL_CLEANUP_QUERY struct fl_query query = {0};
	const char *mode = NULL;
	int r;

	r = fl_query_start(&query, database, FL_SQL_WAL, FL_NO_VALUES, ret_error);
	if (r < 0)
		return r;
	r = fl_query_step(&query, ret_error);
	if (r < 0)
		return r;
	if (r > 0)
		mode = (const char *)sqlite3_column_text(query.statement, 0);
	if (!mode || strcmp(mode, "wal") != 0)
		return fl_error_set(ret_error, -EOPNOTSUPP, "store",
				    "the file system has no shared memory for a write-ahead log",
				    "open lease database %s", database->path);
	return 0;
}

/* inside a transaction: 1: the file is a lease database of this version, 0: it is empty */
static int check_ours(struct fl_database *database, struct flannel_error **ret_error)
{
	int64_t id, version, n_tables;
	char detail[128];
	int r;

	r = fl_database_get_int(database, FL_SQL_GET_APPLICATION_ID, FL_NO_VALUES, &id, ret_error);
	if (r == 0)
		r = fl_database_get_int(database, FL_SQL_GET_VERSION, FL_NO_VALUES, &version, ret_error);
	if (r == 0)
		r = fl_database_get_int(database, FL_SQL_COUNT_TABLES, FL_NO_VALUES, &n_tables, ret_error);
	if (r < 0)
		return r;
	if (id == 0 && version == 0 && n_tables == 0)
		return 0;
	if (id != FL_SCHEMA_APPLICATION_ID)
		return fl_error_set(ret_error, -EBADMSG, "store", "it is another program's database",
				    "open lease database %s", database->path);
	if (version == FL_SCHEMA_VERSION)
		return 1;
	(void)snprintf(detail, sizeof(detail), "its tables are of version %lld, this library knows version %d",
		       (long long)version, FL_SCHEMA_VERSION);
	return fl_error_set(ret_error, -EBADMSG, "store", detail, "open lease database %s", database->path);
}

static const enum fl_sql creation[] = {
	FL_SQL_SET_APPLICATION_ID, FL_SQL_SET_VERSION,    FL_SQL_CREATE_STATE, FL_SQL_FILL_STATE,
	FL_SQL_CREATE_LEASE,       FL_SQL_INDEX_REMOVED,  FL_SQL_INDEX_KEY4,   FL_SQL_INDEX_KEY6,
	FL_SQL_INDEX_IDENTITY,     FL_SQL_INDEX_DEADLINE,
};

/* makes the tables; all of it or nothing is there afterwards */
static int create_tables(struct fl_database *database, struct flannel_error **ret_error)
{
	int r;

	r = fl_database_begin(database, true, ret_error);
	if (r < 0)
		return r;
	/* another process may have been faster */
	r = check_ours(database, ret_error);
	if (r == 0)
		r = run_all(database, creation, FL_N_ELEMENTS(creation), ret_error);
	if (r >= 0)
		r = fl_database_commit(database, ret_error);
	if (r < 0)
		fl_database_rollback(database);
	return r < 0 ? r : 0;
}

/* settings of the connection before and after the file is known to be ours */
static const enum fl_sql before[] = {FL_SQL_SYNCHRONOUS, FL_SQL_CACHE_SIZE, FL_SQL_TEMP_STORE};
static const enum fl_sql after[] = {FL_SQL_CHECKPOINT_PAGES, FL_SQL_JOURNAL_LIMIT};

int fl_schema_ensure(struct fl_database *database, struct flannel_error **ret_error)
{
	int r, ours;

	r = run_all(database, before, FL_N_ELEMENTS(before), ret_error);
	if (r < 0)
		return r;
	/* Nothing is written into a file before it is known to be ours. In one transaction, since another process may be
	 * making the tables. */
	r = fl_database_begin(database, false, ret_error);
	if (r < 0)
		return r;
	ours = check_ours(database, ret_error);
	fl_database_rollback(database);
	if (ours < 0)
		return ours;
	r = set_wal(database, ret_error);
	if (r == 0)
		r = run_all(database, after, FL_N_ELEMENTS(after), ret_error);
	if (r == 0 && !ours)
		r = create_tables(database, ret_error);
	return r;
}

/* has this boot's first opening been; 1 or 0 */
static int boot_is_known(struct fl_database *database, const struct fl_clock *clock, struct flannel_error **ret_error)
{
	int64_t found;
	int r;

	r = fl_database_get_int(database, FL_SQL_READ_BOOT, FL_VALUES(FL_TEXT(clock->boot_id)), &found, ret_error);
	return r < 0 ? r : found != INT64_MAX;
}

int fl_schema_adopt_boot(struct fl_database *database, const struct fl_clock *clock, struct flannel_error **ret_error)
{
	int r;

	r = boot_is_known(database, clock, ret_error);
	if (r != 0)
		return r < 0 ? r : 0;
	r = fl_database_begin(database, true, ret_error);
	if (r < 0)
		return r;
	r = boot_is_known(database, clock, ret_error);
	if (r == 0)
		r = fl_database_run(database, FL_SQL_ADOPT_LEASES,
				    FL_VALUES(FL_TEXT(clock->boot_id),
					      FL_INT(fl_clock_wall_ns(clock) / (int64_t)FL_NSEC_PER_SEC),
					      FL_INT(fl_clock_boottime_ns(clock))),
				    ret_error);
	if (r == 0)
		r = fl_database_run(database, FL_SQL_WRITE_BOOT, FL_VALUES(FL_TEXT(clock->boot_id)), ret_error);
	if (r >= 0)
		r = fl_database_commit(database, ret_error);
	if (r < 0)
		fl_database_rollback(database);
	return r < 0 ? r : 0;
}
