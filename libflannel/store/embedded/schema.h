/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_EMBEDDED_SCHEMA_H
#define FL_EMBEDDED_SCHEMA_H

/*
 * The tables, and every statement there is. Statements are constant texts; values go in by question marks.
 *
 * state: one row. revision is that of the last change; each change takes the next number. pruned_revision is the highest
 * of the removals that were forgotten: who has seen less must begin anew. boot_id is the boot in which all deadlines
 * were last made to count.
 *
 * lease: a row each, the removed ones included (removed = 1) until they are forgotten, so that those who watch
 * hear of them. key and value are flannel's texts of a lease; identity is the public address it belongs to; first and
 * last are the ends of its subnets, as bytes. A lifetime ends at deadline_ns of the boot clock in the boot boot_id;
 * expires_sec says the same on the wall clock of that moment. lease_sec is the lifetime asked for, 0 for ever.
 */

#include "base/error.h"
#include "store/embedded/clock.h"

struct fl_database;

/* "flan" as a number: what PRAGMA application_id says of our files */
#define FL_SCHEMA_APPLICATION_ID 0x666c616e
#define FL_SCHEMA_VERSION 1

/* After another boot, a lease lives at least so long from the first opening on (or its whole lifetime, if that is
 * shorter), however late the wall clock says it is: its holder gets a chance to renew. */
#define FL_SCHEMA_GRACE_SEC 3600

enum fl_sql {
	FL_SQL_BEGIN_READ,
	FL_SQL_BEGIN_WRITE,
	FL_SQL_COMMIT,
	FL_SQL_ROLLBACK,
	FL_SQL_SYNCHRONOUS,
	FL_SQL_CACHE_SIZE,
	FL_SQL_TEMP_STORE,
	FL_SQL_CHECKPOINT_PAGES,
	FL_SQL_JOURNAL_LIMIT,
	FL_SQL_WAL,
	FL_SQL_GET_APPLICATION_ID,
	FL_SQL_GET_VERSION,
	FL_SQL_COUNT_TABLES,
	FL_SQL_SET_APPLICATION_ID,
	FL_SQL_SET_VERSION,
	FL_SQL_CREATE_STATE,
	FL_SQL_FILL_STATE,
	FL_SQL_CREATE_LEASE,
	FL_SQL_INDEX_REMOVED,
	FL_SQL_INDEX_KEY4,
	FL_SQL_INDEX_KEY6,
	FL_SQL_INDEX_IDENTITY,
	FL_SQL_INDEX_DEADLINE,
	FL_SQL_READ_STATE,
	FL_SQL_READ_BOOT,
	FL_SQL_WRITE_BOOT,
	FL_SQL_ADOPT_LEASES,
	FL_SQL_READ_CONFIG,
	FL_SQL_WRITE_CONFIG,
	FL_SQL_NEXT_REVISION,
	FL_SQL_SNAPSHOT,
	FL_SQL_CHANGES,
	FL_SQL_FIND_SUBNET4,
	FL_SQL_FIND_SUBNET6,
	FL_SQL_FIND_IDENTITY,
	FL_SQL_FIND_DUE,
	FL_SQL_NEXT_DEADLINE,
	FL_SQL_INSERT_LEASE,
	FL_SQL_UPDATE_LEASE,
	FL_SQL_REMOVE_LEASE,
	FL_SQL_FIND_OLD_REMOVED,
	FL_SQL_FORGET_REMOVED,
	FL_SQL_WRITE_PRUNED,
	FL_SQL_N
};

const char *fl_sql_text(enum fl_sql sql);

/* columns of every statement that reads leases */
enum fl_column {
	FL_COLUMN_ID,
	FL_COLUMN_REVISION,
	FL_COLUMN_REMOVED,
	FL_COLUMN_KEY,
	FL_COLUMN_VALUE,
	FL_COLUMN_LEASE_SEC,
	FL_COLUMN_EXPIRES_SEC,
	FL_COLUMN_BOOT_ID,
	FL_COLUMN_DEADLINE_NS,
	FL_COLUMN_FIRST,
	FL_COLUMN_LAST
};

/* Sets the connection up, checks that the file is ours and of this version, makes the tables in an empty one. */
int fl_schema_ensure(struct fl_database *database, struct flannel_error **ret_error);

/* Makes the lifetimes of an earlier boot count in this one; does nothing if that has been done. */
int fl_schema_adopt_boot(struct fl_database *database, const struct fl_clock *clock, struct flannel_error **ret_error);

#endif
