/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TEST_STORE_EMBEDDED_H
#define TEST_STORE_EMBEDDED_H

/* What the tests of the embedded store have in common: a directory, a node that writes down what its store tells, clocks. */

#include <criterion/criterion.h>
#include <criterion/logging.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/loop.h"
#include "store/embedded/embedded.h"
#include "store/queue.h"

/* far more than anything here takes; who gets there has failed */
#define PATIENCE_MS 20000

static char directory[64];
static char database[256];
static pid_t test_pid;

/* cr_assert() for what runs in child processes, too: those Criterion does not know, they say it themselves and end */
static void must(bool condition, const char *what, const char *more)
{
	if (condition)
		return;
	if (getpid() == test_pid)
		cr_assert(false, "%s: %s", what, more);
	(void)fprintf(stderr, "process %d: %s: %s\n", (int)getpid(), what, more);
	_exit(3);
}

/* a fresh directory for each test */
static void setup(void)
{
	test_pid = getpid();
	(void)snprintf(directory, sizeof(directory), "/tmp/fl-store-XXXXXX");
	cr_assert(mkdtemp(directory));
	(void)snprintf(database, sizeof(database), "%s/db/leases.db", directory);
}

/* removes one entry for nftw() */
static int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *walk)
{
	(void)facts;
	(void)type;
	(void)walk;
	return remove(path);
}

/* nothing stays behind */
static void teardown(void)
{
	cr_assert_eq(nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT), 0);
}

/* clocks that tests move */
struct test_time {
	int64_t boot_offset_ns;
	int64_t wall_offset_ns;
};

static uint64_t test_boottime_ns(void *userdata)
{
	const struct test_time *time = userdata;

	return fl_loop_now() + (uint64_t)time->boot_offset_ns;
}

static int64_t test_wall_ns(void *userdata)
{
	const struct test_time *time = userdata;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec + time->wall_offset_ns;
}

__attribute__((unused)) static struct fl_clock test_clock(struct test_time *time, const char *boot_id)
{
	struct fl_clock clock = {.boottime_ns = test_boottime_ns, .wall_ns = test_wall_ns, .userdata = time};

	(void)snprintf(clock.boot_id, sizeof(clock.boot_id), "%s", boot_id);
	return clock;
}

#define NODE_STORE struct fl_embedded
#define NODE_CALL(verb) fl_embedded_##verb
#define NODE_MUST(condition, what, more) must(condition, what, more)

#include "store_node.h"

/* does what can be done without waiting, and hands out what was told since the last call */
__attribute__((unused)) static const char *node_drain(struct node *node)
{
	struct pollfd fd = {.fd = fl_embedded_get_fd(node->store), .events = POLLIN};

	while (poll(&fd, 1, 0) == 1)
		(void)node_dispatch(node);
	return node->log;
}

/* opens the test's database */
static struct node *node_open(const struct fl_embedded_options *options)
{
	struct flannel_error *error = NULL;
	struct node *node = calloc(1, sizeof(*node));
	int r;

	must(node != NULL, "no memory", "");
	r = fl_embedded_open(database, options, NULL, &node->store, &error);
	must(r == 0, "open", flannel_error_get_message(error));
	return node;
}

/* the same, and watches: the first snapshot has been told */
__attribute__((unused)) static struct node *node_open_watching(const struct fl_embedded_options *options)
{
	struct node *node = node_open(options);

	must(fl_embedded_watch(node->store, NULL) == 0, "watch", database);
	node_await(node, "end\n");
	return node;
}

static void node_free(struct node *node)
{
	fl_embedded_free(node->store);
	free(node);
}

/* "10.5.1.0/24" or "10.5.1.0/24 fd00:1::/64", and addresses likewise */
static struct flannel_lease *make_lease(const char *subnets, const char *addresses, const char *type)
{
	struct flannel_lease_fields fields = {.size = sizeof(fields), .backend_type = type};
	struct flannel_lease *lease = NULL;
	struct flannel_error *error = NULL;
	const char *const lists[] = {subnets, addresses};
	struct flannel_prefix prefix;
	char text[256], *save, *word;

	for (int i = 0; i < 2; i++) {
		(void)snprintf(text, sizeof(text), "%s", lists[i]);
		for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
			must(flannel_prefix_parse(word, &prefix) == 0, "prefix", word);
			if (prefix.family == AF_INET && i == 0)
				fields.subnet = prefix;
			else if (i == 0)
				fields.subnet6 = prefix;
			else if (prefix.family == AF_INET)
				fields.public_ip = prefix;
			else
				fields.public_ip6 = prefix;
		}
	}
	must(flannel_lease_new(&fields, &lease, &error) == 0, "lease", flannel_error_get_message(error));
	return lease;
}

enum verb { CREATE, UPDATE, REMOVE };

/* sends a request about a lease */
static void node_request(struct node *node, enum verb verb, uint64_t number, const char *subnets, const char *addresses,
			 uint32_t lease_sec)
{
	struct flannel_lease *lease = make_lease(subnets, addresses, "host-gw");
	int r = -1;

	if (verb == CREATE)
		r = fl_embedded_create(node->store, number, lease, lease_sec, NULL);
	else if (verb == UPDATE)
		r = fl_embedded_update(node->store, number, lease, lease_sec, NULL);
	else
		r = fl_embedded_remove(node->store, number, lease, NULL);
	must(r == 0, "request", subnets);
	flannel_lease_unref(lease);
}

/* sends it and waits for the reply; its code */
__attribute__((unused)) static int node_ask(struct node *node, enum verb verb, const char *subnets,
					    const char *addresses, uint32_t lease_sec)
{
	node_request(node, verb, 99, subnets, addresses, lease_sec);
	node_clear(node);
	node_await(node, "done 99 ");
	return node->last_code;
}

/* a connection of somebody else, to look into the database and to stand in the way */
__attribute__((unused)) static sqlite3 *foreign_open(void)
{
	sqlite3 *sqlite;

	must(sqlite3_open(database, &sqlite) == SQLITE_OK, "open", database);
	(void)sqlite3_busy_timeout(sqlite, PATIENCE_MS);
	return sqlite;
}

__attribute__((unused)) static void foreign_run(sqlite3 *sqlite, const char *sql)
{
	must(sqlite3_exec(sqlite, sql, NULL, NULL, NULL) == SQLITE_OK, sql, sqlite3_errmsg(sqlite));
}

/* the only number that a query gives */
__attribute__((unused)) static int64_t foreign_int(sqlite3 *sqlite, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t number;

	cr_assert_eq(sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL), SQLITE_OK, "%s", sqlite3_errmsg(sqlite));
	cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
	number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return number;
}

#endif
