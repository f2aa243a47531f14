/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/embedded/leases.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "store/queue.h"
#include "store/embedded/record.h"

static const enum fl_sql find_subnet[2] = {FL_SQL_FIND_SUBNET4, FL_SQL_FIND_SUBNET6};

/* a wall-clock end for the row that a query stands on: by the boot clock as long as that counts */
static int64_t row_expires_sec(const struct fl_clock *clock, sqlite3_stmt *row)
{
	const char *boot_id = (const char *)sqlite3_column_text(row, FL_COLUMN_BOOT_ID);
	int64_t deadline_ns = sqlite3_column_int64(row, FL_COLUMN_DEADLINE_NS);
	int64_t wall_ns = fl_clock_wall_ns(clock), second = (int64_t)FL_NSEC_PER_SEC;

	if (sqlite3_column_int64(row, FL_COLUMN_LEASE_SEC) == 0)
		return 0;
	if (sqlite3_column_int(row, FL_COLUMN_REMOVED) || !boot_id || strcmp(boot_id, clock->boot_id) != 0)
		return sqlite3_column_int64(row, FL_COLUMN_EXPIRES_SEC);
	/* to the nearest second; 1 at least, since 0 means never */
	wall_ns += deadline_ns - (int64_t)fl_clock_boottime_ns(clock) + second / 2;
	return wall_ns >= second ? wall_ns / second : 1;
}

/* is the lifetime of the row over */
static bool row_is_due(const struct fl_clock *clock, sqlite3_stmt *row)
{
	const char *boot_id = (const char *)sqlite3_column_text(row, FL_COLUMN_BOOT_ID);

	return sqlite3_column_int64(row, FL_COLUMN_LEASE_SEC) > 0 && boot_id && strcmp(boot_id, clock->boot_id) == 0 &&
	       sqlite3_column_int64(row, FL_COLUMN_DEADLINE_NS) <= (int64_t)fl_clock_boottime_ns(clock);
}

int fl_leases_read_row(struct fl_leases *leases, struct fl_query *query, struct flannel_lease **ret_lease,
		       struct flannel_error **ret_error)
{
	sqlite3_stmt *row = query->statement;
	const char *key = (const char *)sqlite3_column_text(row, FL_COLUMN_KEY);
	const char *value = (const char *)sqlite3_column_text(row, FL_COLUMN_VALUE);
	int r;

	if (!key || !value)
		return fl_error_oom(ret_error);
	r = flannel_lease_parse(key, value, (size_t)sqlite3_column_bytes(row, FL_COLUMN_VALUE),
				row_expires_sec(leases->clock, row),
				(uint64_t)sqlite3_column_int64(row, FL_COLUMN_REVISION), ret_lease, ret_error);
	if (r == -EINVAL)
		r = -EBADMSG;
	return r < 0 ? fl_error_wrap(ret_error, r, "read lease %s", key) : 0;
}

int fl_leases_next_revision(struct fl_leases *leases, int64_t *ret_revision, struct flannel_error **ret_error)
{
	int r = fl_database_get_int(leases->database, FL_SQL_NEXT_REVISION, FL_NO_VALUES, ret_revision, ret_error);

	if (r == 0 && *ret_revision == INT64_MAX)
		r = fl_error_set(ret_error, -EBADMSG, "store", "its state is missing", "write lease database %s",
				 leases->database->path);
	return r;
}

/* forgets the oldest of the removed leases; who has not heard of them by now gets a new list */
static int prune(struct fl_leases *leases, struct flannel_error **ret_error)
{
	int64_t revision;
	int r;

	r = fl_database_get_int(leases->database, FL_SQL_FIND_OLD_REMOVED, FL_VALUES(FL_INT(leases->n_kept)), &revision,
				ret_error);
	if (r < 0 || revision == INT64_MAX)
		return r;
	r = fl_database_run(leases->database, FL_SQL_FORGET_REMOVED, FL_VALUES(FL_INT(revision)), ret_error);
	if (r == 0)
		r = fl_database_run(leases->database, FL_SQL_WRITE_PRUNED, FL_VALUES(FL_INT(revision)), ret_error);
	return r;
}

/* marks a row as removed */
static int remove_row(struct fl_leases *leases, int64_t id, int64_t *ret_revision, struct flannel_error **ret_error)
{
	int r;

	r = fl_leases_next_revision(leases, ret_revision, ret_error);
	if (r == 0)
		r = fl_database_run(leases->database, FL_SQL_REMOVE_LEASE, FL_VALUES(FL_INT(id), FL_INT(*ret_revision)),
				    ret_error);
	return r == 0 ? prune(leases, ret_error) : r;
}

/* A row that may stand in the way. */
struct found {
	int64_t id;
	int64_t lease_sec;
	bool is_due;
	char key[2 * FLANNEL_PREFIX_STRLEN];
	struct flannel_lease *lease; /* NULL if the row says no lease */
};

/* drops what was found */
static void found_clear(struct found *found)
{
	found->lease = flannel_lease_unref(found->lease);
}

#define CLEANUP_FOUND FL_CLEANUP(found_clear)

/* does the row's subnet, which begins at or before our end, reach our beginning */
static bool row_overlaps(sqlite3_stmt *row, const struct fl_record_range *range)
{
	const void *last = sqlite3_column_blob(row, FL_COLUMN_LAST);

	return last && (size_t)sqlite3_column_bytes(row, FL_COLUMN_LAST) == range->len &&
	       memcmp(last, range->first, range->len) >= 0;
}

/* takes over what a row says; a row that says no lease still takes up its subnet */
static int found_read(struct fl_leases *leases, struct fl_query *query, struct found *found,
		      struct flannel_error **ret_error)
{
	const char *key = (const char *)sqlite3_column_text(query->statement, FL_COLUMN_KEY);
	int r;

	*found = (struct found){
		.id = sqlite3_column_int64(query->statement, FL_COLUMN_ID),
		.lease_sec = sqlite3_column_int64(query->statement, FL_COLUMN_LEASE_SEC),
		.is_due = row_is_due(leases->clock, query->statement),
	};
	(void)snprintf(found->key, sizeof(found->key), "%s", key ? key : "");
	r = fl_leases_read_row(leases, query, &found->lease, NULL);
	return r == -ENOMEM ? fl_error_oom(ret_error) : 0;
}

/* the living lease that a subnet overlaps with: 1, 0 if there is none */
static int find_overlap(struct fl_leases *leases, enum fl_sql sql, const struct fl_record_range *range,
			struct found *ret_found, struct flannel_error **ret_error)
{
	FL_CLEANUP_QUERY struct fl_query query = {0};
	int r;

	if (range->len == 0)
		return 0;
	r = fl_query_start(&query, leases->database, sql, FL_VALUES(FL_BLOB(range->last, range->len)), ret_error);
	if (r == 0)
		r = fl_query_step(&query, ret_error);
	if (r <= 0)
		return r;
	if (!row_overlaps(query.statement, range))
		return 0;
	r = found_read(leases, &query, ret_found, ret_error);
	return r < 0 ? r : 1;
}

/* the living lease of a public address: 1, 0 if there is none */
static int find_identity(struct fl_leases *leases, const char *identity, struct found *ret_found,
			 struct flannel_error **ret_error)
{
	FL_CLEANUP_QUERY struct fl_query query = {0};
	int r;

	if (identity[0] == '\0')
		return 0;
	r = fl_query_start(&query, leases->database, FL_SQL_FIND_IDENTITY, FL_VALUES(FL_TEXT(identity)), ret_error);
	if (r == 0)
		r = fl_query_step(&query, ret_error);
	if (r <= 0)
		return r;
	r = found_read(leases, &query, ret_found, ret_error);
	return r < 0 ? r : 1;
}

/* FL_LEASES_REFUSED, with an error that says which lease is in the way */
static int refuse_for(const struct fl_record *record, const char *why, const struct found *found,
		      struct flannel_error **ret_error)
{
	char detail[FL_RECORD_NAMELEN + 64], name[FL_RECORD_NAMELEN];

	(void)snprintf(detail, sizeof(detail), "%s %s", why,
		       found->lease ? fl_record_name(found->lease, name, sizeof(name)) : found->key);
	(void)fl_error_set(ret_error, -EEXIST, "store", detail, "create lease %s of %s", record->key,
			   record->identity[0] ? record->identity : "no public address");
	return FL_LEASES_REFUSED;
}

/*
 * Looks for a lease in the way of a new one and removes those whose time is over. Return: 0 if the way is free, 1 with the
 * one that is in the way and why.
 */
static int clear_way(struct fl_leases *leases, const struct fl_record *record, struct found *ret_found,
		     const char **ret_why, struct flannel_error **ret_error)
{
	int64_t revision;
	int r;

	for (;;) {
		CLEANUP_FOUND struct found found = {0};

		*ret_why = "its addresses belong to";
		r = 0;
		for (size_t i = 0; i < 2 && r == 0; i++)
			r = find_overlap(leases, find_subnet[i], &record->ranges[i], &found, ret_error);
		if (r == 0) {
			*ret_why = "the public address has a lease already:";
			r = find_identity(leases, record->identity, &found, ret_error);
		}
		if (r <= 0)
			return r;
		if (!found.is_due) {
			*ret_found = found;
			found.lease = NULL;
			return 1;
		}
		r = remove_row(leases, found.id, &revision, ret_error);
		if (r < 0)
			return r;
	}
}

/* the lease as it is stored now, for the reply */
static int fill_reply(struct flannel_store_message *reply, const struct fl_record *record, int64_t expires_sec,
		      int64_t revision, struct flannel_error **ret_error)
{
	int r;

	r = flannel_lease_parse(record->key, record->value, strlen(record->value), expires_sec, (uint64_t)revision,
				&reply->lease, ret_error);
	if (r < 0)
		return r;
	reply->code = 0;
	reply->revision = (uint64_t)revision;
	return 0;
}

/* writes a new row */
static int insert_row(struct fl_leases *leases, const struct fl_record *record, const struct fl_record_life *life,
		      int64_t revision, struct flannel_error **ret_error)
{
	const struct fl_record_range *range4 = &record->ranges[0], *range6 = &record->ranges[1];
	bool ends = life->lease_sec > 0;

	return fl_database_run(leases->database, FL_SQL_INSERT_LEASE,
			       FL_VALUES(FL_INT(revision), FL_TEXT(record->key), FL_TEXT(record->value),
					 FL_TEXT(record->identity[0] ? record->identity : NULL),
					 FL_BLOB(range4->first, range4->len), FL_BLOB(range4->last, range4->len),
					 FL_BLOB(range6->first, range6->len), FL_BLOB(range6->last, range6->len),
					 FL_INT(life->lease_sec), FL_INT(life->expires_sec),
					 FL_TEXT(ends ? leases->clock->boot_id : NULL),
					 ends ? FL_INT(life->deadline_ns) : (struct fl_value){0}),
			       ret_error);
}

/* create, inside its transaction */
static int create_locked(struct fl_leases *leases, const struct fl_record *record, const struct flannel_lease *lease,
			 uint32_t lease_sec, bool again, struct flannel_store_message *reply,
			 struct flannel_error **ret_error)
{
	struct fl_record_life life = fl_record_life_begin(leases->clock, lease_sec);
	CLEANUP_FOUND struct found found = {0};
	const char *why;
	int64_t revision;
	int r;

	r = clear_way(leases, record, &found, &why, ret_error);
	if (r < 0)
		return r;
	if (r > 0 && again && found.lease && flannel_lease_equal(found.lease, lease)) {
		reply->revision = flannel_lease_get_revision(found.lease);
		reply->lease = FL_TAKE(found.lease);
		return 0;
	}
	if (r > 0)
		return refuse_for(record, why, &found, ret_error);
	r = fl_leases_next_revision(leases, &revision, ret_error);
	if (r == 0)
		r = insert_row(leases, record, &life, revision, ret_error);
	return r == 0 ? fill_reply(reply, record, life.expires_sec, revision, ret_error) : r;
}

/*
 * The stored lease with the subnets of a record and a holder in common with lease, or of that revision (0: none), as
 * its holder wrote it last: 0, or FL_LEASES_REFUSED if there is none.
 */
static int find_own(struct fl_leases *leases, const struct fl_record *record, const struct flannel_lease *lease,
		    uint64_t revision, const char *what, struct found *ret_found, struct flannel_error **ret_error)
{
	size_t family = record->ranges[0].len ? 0 : 1;
	CLEANUP_FOUND struct found found = {0};
	char name[FL_RECORD_NAMELEN];
	int r;

	r = find_overlap(leases, find_subnet[family], &record->ranges[family], &found, ret_error);
	if (r < 0)
		return r;
	if (r > 0 && found.lease && strcmp(found.key, record->key) == 0 &&
	    (fl_record_same_holder(found.lease, lease) ||
	     (revision && flannel_lease_get_revision(found.lease) == revision))) {
		*ret_found = found;
		found.lease = NULL;
		return 0;
	}
	(void)fl_error_set(ret_error, -ENOENT, "store",
			   r > 0 ? "another lease has its addresses" : "it is not there (any more)", "%s lease %s",
			   what, fl_record_name(lease, name, sizeof(name)));
	return FL_LEASES_REFUSED;
}

/* is the public address that the lease is to have another lease's: FL_LEASES_REFUSED */
static int check_identity(struct fl_leases *leases, const struct fl_record *record, int64_t id,
			  struct flannel_error **ret_error)
{
	CLEANUP_FOUND struct found found = {0};
	int r;

	r = find_identity(leases, record->identity, &found, ret_error);
	if (r <= 0 || found.id == id)
		return r < 0 ? r : 0;
	return refuse_for(record, "the public address has a lease already:", &found, ret_error);
}

/* update, inside its transaction; one whose time is over can still be renewed, as long as nobody removed it */
static int update_locked(struct fl_leases *leases, const struct fl_record *record, const struct flannel_lease *lease,
			 uint32_t lease_sec, struct flannel_store_message *reply, struct flannel_error **ret_error)
{
	CLEANUP_FOUND struct found found = {0};
	struct fl_record_life life;
	bool is_reserved;
	int64_t revision;
	int r;

	r = find_own(leases, record, lease, flannel_lease_get_revision(lease), "update", &found, ret_error);
	if (r == 0)
		r = check_identity(leases, record, found.id, ret_error);
	if (r == 0)
		r = fl_leases_next_revision(leases, &revision, ret_error);
	if (r != 0)
		return r;
	is_reserved = found.lease_sec == 0 && flannel_lease_get_expires_sec(lease) == 0;
	life = fl_record_life_begin(leases->clock, is_reserved ? 0 : lease_sec);
	r = fl_database_run(leases->database, FL_SQL_UPDATE_LEASE,
			    FL_VALUES(FL_INT(found.id), FL_INT(revision), FL_TEXT(record->value),
				      FL_TEXT(record->identity[0] ? record->identity : NULL), FL_INT(life.lease_sec),
				      FL_INT(life.expires_sec), FL_TEXT(life.lease_sec ? leases->clock->boot_id : NULL),
				      life.lease_sec ? FL_INT(life.deadline_ns) : (struct fl_value){0}),
			    ret_error);
	return r == 0 ? fill_reply(reply, record, life.expires_sec, revision, ret_error) : r;
}

/* remove, inside its transaction */
static int remove_locked(struct fl_leases *leases, const struct fl_record *record, const struct flannel_lease *lease,
			 struct flannel_store_message *reply, struct flannel_error **ret_error)
{
	CLEANUP_FOUND struct found found = {0};
	int64_t revision;
	int r;

	r = find_own(leases, record, lease, 0, "remove", &found, ret_error);
	if (r == 0)
		r = remove_row(leases, found.id, &revision, ret_error);
	if (r == 0)
		r = fill_reply(reply, record, flannel_lease_get_expires_sec(found.lease), revision, ret_error);
	return r;
}

int fl_leases_finish(struct fl_leases *leases, int r, struct flannel_store_message *reply, struct flannel_error *error,
		     struct flannel_error **ret_error)
{
	if (r == 0)
		r = fl_database_commit(leases->database, &error);
	if (r == 0)
		return 0;
	fl_database_rollback(leases->database);
	fl_store_message_clear(reply);
	reply->revision = 0;
	if (r == FL_LEASES_REFUSED || r == -EEXIST || r == -E2BIG || r == -EINVAL) {
		reply->code = flannel_error_get_code(error);
		reply->error = error;
		return 0;
	}
	if (ret_error)
		*ret_error = error;
	else
		flannel_error_unref(error);
	return r;
}

/* begins a request about a lease: its columns, then the lock */
static int start(struct fl_leases *leases, const struct flannel_lease *lease, struct fl_record *ret_record,
		 struct flannel_store_message *reply, struct flannel_error **ret_error)
{
	int r;

	*reply = (struct flannel_store_message){.type = FLANNEL_STORE_DONE};
	r = fl_record_init(ret_record, lease, ret_error);
	return r == 0 ? fl_database_begin(leases->database, true, ret_error) : r;
}

int fl_leases_create(struct fl_leases *leases, struct flannel_lease *lease, uint32_t lease_sec, bool again,
		     struct flannel_store_message *reply, struct flannel_error **ret_error)
{
	struct flannel_error *error = NULL;
	struct fl_record record;
	int r;

	r = start(leases, lease, &record, reply, &error);
	if (r == 0)
		r = create_locked(leases, &record, lease, lease_sec, again, reply, &error);
	return fl_leases_finish(leases, r, reply, error, ret_error);
}

int fl_leases_update(struct fl_leases *leases, struct flannel_lease *lease, uint32_t lease_sec,
		     struct flannel_store_message *reply, struct flannel_error **ret_error)
{
	struct flannel_error *error = NULL;
	struct fl_record record;
	int r;

	r = start(leases, lease, &record, reply, &error);
	if (r == 0)
		r = update_locked(leases, &record, lease, lease_sec, reply, &error);
	return fl_leases_finish(leases, r, reply, error, ret_error);
}

int fl_leases_remove(struct fl_leases *leases, struct flannel_lease *lease, struct flannel_store_message *reply,
		     struct flannel_error **ret_error)
{
	struct flannel_error *error = NULL;
	struct fl_record record;
	int r;

	r = start(leases, lease, &record, reply, &error);
	if (r == 0)
		r = remove_locked(leases, &record, lease, reply, &error);
	return fl_leases_finish(leases, r, reply, error, ret_error);
}

int fl_leases_expire(struct fl_leases *leases, unsigned int max, struct flannel_error **ret_error)
{
	int64_t id, revision, now_ns = (int64_t)fl_clock_boottime_ns(leases->clock);
	unsigned int n;
	int r;

	r = fl_database_begin(leases->database, true, ret_error);
	if (r < 0)
		return r;
	for (n = 0; n < max && r == 0; n++) {
		r = fl_database_get_int(leases->database, FL_SQL_FIND_DUE,
					FL_VALUES(FL_INT(now_ns), FL_TEXT(leases->clock->boot_id)), &id, ret_error);
		if (r < 0 || id == INT64_MAX)
			break;
		r = remove_row(leases, id, &revision, ret_error);
	}
	if (r == 0)
		r = fl_database_commit(leases->database, ret_error);
	if (r < 0)
		fl_database_rollback(leases->database);
	return r < 0 ? r : (int)n;
}

int fl_leases_next_deadline(struct fl_leases *leases, uint64_t *ret_deadline_ns, struct flannel_error **ret_error)
{
	int64_t deadline_ns;
	int r;

	r = fl_database_get_int(leases->database, FL_SQL_NEXT_DEADLINE, FL_VALUES(FL_TEXT(leases->clock->boot_id)),
				&deadline_ns, ret_error);
	if (r == 0)
		*ret_deadline_ns = deadline_ns == INT64_MAX ? UINT64_MAX : (uint64_t)deadline_ns;
	return r;
}
