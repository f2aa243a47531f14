/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/embedded/follower.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "domain/lease/lease.h"

/* reads of inotify at one go; what is left wakes us again */
#define DRAIN_MAX 16

#define FILE_EVENTS (IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVE_SELF)
#define DIRECTORY_EVENTS                                                                                               \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* the file's name within its directory */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void fl_follower_ring(const char *path)
{
	/* a failure (the file was just removed) is noticed by whoever uses it next */
	(void)utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

void fl_follower_init(struct fl_follower *follower, struct fl_leases *leases, struct fl_store_queue *queue,
		      const struct fl_log *log)
{
	*follower = (struct fl_follower){
		.leases = leases,
		.queue = queue,
		.log = log,
		.inotify_fd = -1,
		.file_wd = -1,
		.directory_wd = -1,
		.next_deadline_ns = UINT64_MAX,
	};
}

void fl_follower_deinit(struct fl_follower *follower)
{
	fl_query_end(&follower->snapshot);
	follower->source = fl_source_free(follower->source);
	fl_closep(&follower->inotify_fd);
	follower->inotify_fd = -1;
	follower->state = FL_FOLLOWER_OFF;
}

/* does an event concern the database */
static bool event_matters(struct fl_follower *follower, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	if (event->mask & IN_IGNORED) {
		if (event->wd == follower->file_wd)
			follower->file_wd = -1;
		if (event->wd == follower->directory_wd)
			follower->directory_wd = -1;
	}
	/* others may keep files beside it */
	if (event->wd == follower->directory_wd && event->len > 0)
		return strcmp(event->name, name_of(follower->leases->database->path)) == 0;
	return event->wd == follower->file_wd || event->wd == follower->directory_wd;
}

void fl_follower_drain(struct fl_follower *follower)
{
	_Alignas(struct inotify_event) char buf[4096];
	const struct inotify_event *event;
	ssize_t n;

	if (follower->inotify_fd < 0)
		return;
	for (int i = 0; i < DRAIN_MAX; i++) {
		n = read(follower->inotify_fd, buf, sizeof(buf));
		if (n <= 0)
			return;
		for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const struct inotify_event *)(buf + at);
			if (event_matters(follower, event))
				follower->dirty = follower->kicked = true;
		}
	}
}

/* inotify has something; what is made of it is the owner's dispatch's work */
static void on_inotify(void *userdata, uint32_t events)
{
	(void)events;
	fl_follower_drain(userdata);
}

int fl_follower_start(struct fl_follower *follower, struct fl_loop *loop, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_closep) int fd = -1;
	int r;

	if (follower->state != FL_FOLLOWER_OFF)
		return fl_error_set(ret_error, -EBUSY, "store", "it is watched already", "watch lease database %s",
				    follower->leases->database->path);
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0)
		return fl_error_set(ret_error, -errno, "store", NULL, "open inotify for lease database %s",
				    follower->leases->database->path);
	r = fl_loop_add_fd(loop, fd, EPOLLIN, on_inotify, follower, &follower->source, ret_error);
	if (r < 0)
		return r;
	follower->inotify_fd = fl_take_fd(&fd);
	follower->state = FL_FOLLOWER_BEGIN;
	follower->dirty = true;
	return 0;
}

/* watches path in place of what *wd watched */
static int watch_path(struct fl_follower *follower, const char *path, uint32_t events, int *wd,
		      struct flannel_error **ret_error)
{
	int new_wd = inotify_add_watch(follower->inotify_fd, path, events);

	if (new_wd < 0)
		return fl_error_set_retryable(ret_error, -errno, "store", NULL, "watch %s", path);
	if (*wd >= 0 && *wd != new_wd)
		(void)inotify_rm_watch(follower->inotify_fd, *wd);
	*wd = new_wd;
	return 0;
}

int fl_follower_attach(struct fl_follower *follower, struct flannel_error **ret_error)
{
	const char *path = follower->leases->database->path;
	char directory[PATH_MAX];
	size_t len = (size_t)(name_of(path) - path);
	int r;

	if (follower->state == FL_FOLLOWER_OFF)
		return 0;
	if (len >= sizeof(directory))
		return fl_error_set(ret_error, -ENAMETOOLONG, "store", NULL, "watch %s", path);
	memcpy(directory, path, len);
	directory[len] = '\0';
	r = watch_path(follower, directory, DIRECTORY_EVENTS, &follower->directory_wd, ret_error);
	if (r == 0)
		r = watch_path(follower, path, FILE_EVENTS, &follower->file_wd, ret_error);
	return r;
}

void fl_follower_restart(struct fl_follower *follower)
{
	fl_query_end(&follower->snapshot);
	if (follower->state == FL_FOLLOWER_OFF)
		return;
	follower->state = FL_FOLLOWER_BEGIN;
	follower->dirty = true;
}

bool fl_follower_is_due(const struct fl_follower *follower)
{
	switch (follower->state) {
	case FL_FOLLOWER_OFF:
		return false;
	case FL_FOLLOWER_FOLLOW:
		return follower->dirty;
	default:
		return true;
	}
}

void fl_follower_config_told(struct fl_follower *follower, uint64_t revision)
{
	follower->config_known = true;
	follower->config_revision = revision;
}

/* what the state row says */
struct state {
	uint64_t revision;
	uint64_t pruned_revision;
	uint64_t config_revision;
};

/* reads the state row */
static int read_state(struct fl_follower *follower, struct state *ret_state, struct flannel_error **ret_error)
{
	struct fl_database *database = follower->leases->database;
	FL_CLEANUP_QUERY struct fl_query query = {0};
	int r;

	r = fl_query_start(&query, database, FL_SQL_READ_STATE, FL_NO_VALUES, ret_error);
	if (r == 0)
		r = fl_query_step(&query, ret_error);
	if (r < 0)
		return r;
	if (r == 0)
		return fl_error_set(ret_error, -EBADMSG, "store", "its state is missing", "read lease database %s",
				    database->path);
	*ret_state = (struct state){
		.revision = (uint64_t)sqlite3_column_int64(query.statement, 0),
		.pruned_revision = (uint64_t)sqlite3_column_int64(query.statement, 1),
		.config_revision = (uint64_t)sqlite3_column_int64(query.statement, 2),
	};
	return 0;
}

/* appends a message without a lease */
static int tell(struct fl_follower *follower, int type, uint64_t revision, char *config,
		struct flannel_error **ret_error)
{
	struct flannel_store_message message = {.type = type, .revision = revision, .config = config};

	return fl_store_queue_push(follower->queue, &message) < 0 ? fl_error_oom(ret_error) : 0;
}

/* tells of the lease in the row that a query stands on; one that cannot be read is left out */
static int tell_row(struct fl_follower *follower, struct fl_query *query, struct flannel_error **ret_error)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_LEASE};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	message.revision = (uint64_t)sqlite3_column_int64(query->statement, FL_COLUMN_REVISION);
	if (sqlite3_column_int(query->statement, FL_COLUMN_REMOVED))
		message.type = FLANNEL_STORE_REMOVED;
	r = fl_leases_read_row(follower->leases, query, &message.lease, &error);
	if (r == -ENOMEM)
		return fl_error_oom(ret_error);
	if (r < 0) {
		fl_log(follower->log, FLANNEL_LOG_INFO, "store", "left out: %s", flannel_error_get_message(error));
		return 0;
	}
	return fl_store_queue_push(follower->queue, &message) < 0 ? fl_error_oom(ret_error) : 0;
}

/* tells of another configuration, unless the receiver knows it */
static int tell_config(struct fl_follower *follower, const struct state *state, struct flannel_error **ret_error)
{
	struct flannel_store_message reply;
	int r;

	if (follower->config_known && follower->config_revision != state->config_revision) {
		r = fl_leases_get_config(follower->leases, &reply, ret_error);
		if (r == 0 && reply.config)
			r = tell(follower, FLANNEL_STORE_CONFIG_CHANGED, state->config_revision, reply.config,
				 ret_error);
		if (r < 0)
			return r;
	}
	fl_follower_config_told(follower, state->config_revision);
	return 0;
}

/* begins a full list: of one revision, however long it takes to hand it over */
static int snapshot_begin(struct fl_follower *follower, struct flannel_error **ret_error)
{
	struct fl_database *database = follower->leases->database;
	struct state state;
	int r;

	r = fl_database_begin(database, false, ret_error);
	if (r < 0)
		return r;
	r = read_state(follower, &state, ret_error);
	if (r == 0)
		r = tell_config(follower, &state, ret_error);
	if (r == 0)
		r = fl_query_start(&follower->snapshot, database, FL_SQL_SNAPSHOT, FL_NO_VALUES, ret_error);
	if (r == 0)
		r = tell(follower, FLANNEL_STORE_SNAPSHOT_BEGIN, 0, NULL, ret_error);
	if (r < 0) {
		fl_query_end(&follower->snapshot);
		fl_database_rollback(database);
		return r;
	}
	follower->revision = state.revision;
	follower->state = FL_FOLLOWER_SNAPSHOT;
	return 0;
}

/* the next part of the full list */
static int snapshot_step(struct fl_follower *follower, struct flannel_error **ret_error)
{
	int r = 1;

	for (int i = 0; i < FL_FOLLOWER_ROWS_MAX && r > 0; i++) {
		r = fl_query_step(&follower->snapshot, ret_error);
		if (r > 0 && tell_row(follower, &follower->snapshot, ret_error) < 0)
			r = -ENOMEM;
	}
	if (r == 0)
		r = tell(follower, FLANNEL_STORE_SNAPSHOT_END, follower->revision, NULL, ret_error);
	else if (r > 0)
		return 1;
	fl_query_end(&follower->snapshot);
	fl_database_rollback(follower->leases->database);
	if (r < 0) {
		fl_follower_restart(follower);
		return r;
	}
	follower->state = FL_FOLLOWER_FOLLOW;
	follower->dirty = true;
	return 1;
}

/* tells of the rows behind the last one told: their number */
static int tell_changes(struct fl_follower *follower, struct flannel_error **ret_error)
{
	FL_CLEANUP_QUERY struct fl_query query = {0};
	uint64_t revision;
	int r, n = 0;

	r = fl_query_start(&query, follower->leases->database, FL_SQL_CHANGES,
			   FL_VALUES(FL_INT(follower->revision), FL_INT(FL_FOLLOWER_ROWS_MAX)), ret_error);
	if (r < 0)
		return r;
	while ((r = fl_query_step(&query, ret_error)) > 0) {
		revision = (uint64_t)sqlite3_column_int64(query.statement, FL_COLUMN_REVISION);
		r = tell_row(follower, &query, ret_error);
		if (r < 0)
			return r;
		follower->revision = revision;
		n++;
	}
	return r < 0 ? r : n;
}

/* one look at the database, inside a read transaction */
static int follow_locked(struct fl_follower *follower, struct flannel_error **ret_error)
{
	struct state state;
	int r, n = 0;

	r = read_state(follower, &state, ret_error);
	if (r < 0)
		return r;
	/* removals were forgotten that we have not seen, or an older state was put back */
	if (state.pruned_revision > follower->revision || state.revision < follower->revision) {
		fl_follower_restart(follower);
		return 1;
	}
	if (state.revision > follower->revision)
		n = tell_changes(follower, ret_error);
	if (n < 0)
		return n;
	if (n < FL_FOLLOWER_ROWS_MAX)
		r = tell_config(follower, &state, ret_error);
	if (r == 0)
		r = fl_leases_next_deadline(follower->leases, &follower->next_deadline_ns, ret_error);
	return r < 0 ? r : n == FL_FOLLOWER_ROWS_MAX;
}

/* one look at the database */
static int follow_step(struct fl_follower *follower, struct flannel_error **ret_error)
{
	int r;

	if (!follower->dirty)
		return 0;
	r = fl_database_begin(follower->leases->database, false, ret_error);
	if (r < 0)
		return r;
	r = follow_locked(follower, ret_error);
	fl_database_rollback(follower->leases->database);
	if (r == 0)
		follower->dirty = false;
	return r;
}

int fl_follower_step(struct fl_follower *follower, struct flannel_error **ret_error)
{
	int r;

	switch (follower->state) {
	case FL_FOLLOWER_BEGIN:
		r = snapshot_begin(follower, ret_error);
		return r < 0 ? r : snapshot_step(follower, ret_error);
	case FL_FOLLOWER_SNAPSHOT:
		return snapshot_step(follower, ret_error);
	case FL_FOLLOWER_FOLLOW:
		return follow_step(follower, ret_error);
	case FL_FOLLOWER_OFF:
		break;
	}
	return 0;
}
