/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/embedded/leases.h"

#include <errno.h>
#include <string.h>

/* reads the configuration into a reply: .config NULL and code -ENOENT if there is none */
static int read_config(struct fl_leases *leases, struct flannel_store_message *reply, struct flannel_error **ret_error)
{
	FL_CLEANUP_QUERY struct fl_query query = {0};
	const char *config;
	int r;

	r = fl_query_start(&query, leases->database, FL_SQL_READ_CONFIG, FL_NO_VALUES, ret_error);
	if (r == 0)
		r = fl_query_step(&query, ret_error);
	if (r < 0)
		return r;
	if (r == 0)
		return fl_error_set(ret_error, -EBADMSG, "store", "its state is missing", "read lease database %s",
				    leases->database->path);
	reply->revision = (uint64_t)sqlite3_column_int64(query.statement, 1);
	if (sqlite3_column_type(query.statement, 0) == SQLITE_NULL) {
		reply->code = -ENOENT;
		return 0;
	}
	config = (const char *)sqlite3_column_text(query.statement, 0);
	reply->config = config ? strdup(config) : NULL;
	return reply->config ? 0 : fl_error_oom(ret_error);
}

int fl_leases_get_config(struct fl_leases *leases, struct flannel_store_message *reply,
			 struct flannel_error **ret_error)
{
	*reply = (struct flannel_store_message){.type = FLANNEL_STORE_CONFIG};
	return read_config(leases, reply, ret_error);
}

/* writes it, and fills the reply */
static int write_config(struct fl_leases *leases, const char *config, struct flannel_store_message *reply,
			struct flannel_error **ret_error)
{
	int64_t revision;
	int r;

	free(reply->config);
	reply->config = strdup(config);
	if (!reply->config)
		return fl_error_oom(ret_error);
	r = fl_leases_next_revision(leases, &revision, ret_error);
	if (r == 0)
		r = fl_database_run(leases->database, FL_SQL_WRITE_CONFIG, FL_VALUES(FL_TEXT(config), FL_INT(revision)),
				    ret_error);
	reply->revision = (uint64_t)revision;
	reply->code = 0;
	return r;
}

/* set_config, inside its transaction */
static int set_config_locked(struct fl_leases *leases, const char *config, const char *former, bool again,
			     struct flannel_store_message *reply, struct flannel_error **ret_error)
{
	int r = read_config(leases, reply, ret_error);

	if (r < 0 || reply->code != 0)
		return r;
	/* a try that failed may have written it */
	if (again && strcmp(reply->config, config) == 0)
		return 0;
	if (strcmp(reply->config, former) == 0)
		return write_config(leases, config, reply, ret_error);
	reply->code = -EEXIST;
	return 0;
}

int fl_leases_set_config(struct fl_leases *leases, const char *config, const char *former, bool again,
			 struct flannel_store_message *reply, struct flannel_error **ret_error)
{
	struct flannel_error *error = NULL;
	int r;

	*reply = (struct flannel_store_message){.type = FLANNEL_STORE_CONFIG};
	r = fl_database_begin(leases->database, true, &error);
	if (r == 0)
		r = set_config_locked(leases, config, former, again, reply, &error);
	return fl_leases_finish(leases, r, reply, error, ret_error);
}

/* put_config, inside its transaction */
static int put_config_locked(struct fl_leases *leases, const char *config, bool again,
			     struct flannel_store_message *reply, struct flannel_error **ret_error)
{
	int r = read_config(leases, reply, ret_error);

	if (r < 0)
		return r;
	if (reply->code == 0) {
		reply->code = again && strcmp(reply->config, config) == 0 ? 0 : -EEXIST;
		return 0;
	}
	return write_config(leases, config, reply, ret_error);
}

int fl_leases_put_config(struct fl_leases *leases, const char *config, bool again, struct flannel_store_message *reply,
			 struct flannel_error **ret_error)
{
	struct flannel_error *error = NULL;
	int r;

	*reply = (struct flannel_store_message){.type = FLANNEL_STORE_CONFIG};
	r = fl_database_begin(leases->database, true, &error);
	if (r == 0)
		r = put_config_locked(leases, config, again, reply, &error);
	return fl_leases_finish(leases, r, reply, error, ret_error);
}
