/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_embedded.h"

#include <sched.h>
#include <sys/mount.h>

TestSuite(store_embedded_trouble, .init = setup, .fini = teardown);

/* A mount namespace of the test's own, with a small file system where its directory is. Only this process sees it. */
static void mount_tmpfs(const char *options)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/db", directory);
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(mount("tmpfs", path, "tmpfs", 0, options), 0);
}

/* takes it away again, so that the directory can go */
static void unmount_tmpfs(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/db", directory);
	cr_assert_eq(umount2(path, MNT_DETACH), 0);
}

/*
 * Another connection has the lock, which ends only when this thread lets go of it: no dispatch can have waited for it. The request
 * goes through afterwards, nobody was told of trouble.
 */
Test(store_embedded_trouble, held_for_moments)
{
	struct node *node = node_open_watching(NULL);
	struct pollfd fd = {.fd = fl_embedded_get_fd(node->store), .events = POLLIN};
	sqlite3 *foreign = foreign_open();

	foreign_run(foreign, "BEGIN IMMEDIATE");
	node_clear(node);
	node->n_dispatched = 0;
	node_request(node, CREATE, 1, "10.5.1.0/24", "192.0.2.1", 60);
	cr_assert_eq(fl_embedded_get_config(node->store, 2, NULL), 0);
	while (node->n_dispatched < 8) {
		cr_assert_eq(poll(&fd, 1, PATIENCE_MS), 1, "it tries again by itself");
		cr_assert_eq(node_dispatch(node), 0, "but with pauses");
	}
	cr_assert_str_eq(node->log, "");
	foreign_run(foreign, "COMMIT");
	node_await(node, "config 2 ");
	cr_assert_str_eq(node->log, "lease 10.5.1.0-24 192.0.2.1\ndone 1 0 10.5.1.0-24 192.0.2.1\nconfig 2 -2\n");
	sqlite3_close(foreign);
	node_free(node);
}

/* who only reads does not mind that another one has the lock */
Test(store_embedded_trouble, reading_while_held)
{
	struct node *a = node_open(NULL), *b;
	sqlite3 *foreign;

	cr_assert_eq(node_ask(a, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	foreign = foreign_open();
	foreign_run(foreign, "BEGIN IMMEDIATE");
	b = node_open_watching(NULL);
	cr_assert_str_eq(node_drain(b), "begin\nlease 10.5.1.0-24 192.0.2.1\nend\n");
	foreign_run(foreign, "ROLLBACK");
	sqlite3_close(foreign);
	node_free(a);
	node_free(b);
}

/* held for long: lost, once; then back, and everything anew */
Test(store_embedded_trouble, held_for_long)
{
	struct node *node = node_open_watching(&(struct fl_embedded_options){.lost_after_ns = 60 * FL_NSEC_PER_MSEC});
	sqlite3 *foreign = foreign_open();
	uint64_t begin_ns = fl_loop_now();

	foreign_run(foreign, "BEGIN IMMEDIATE");
	node_clear(node);
	node_request(node, CREATE, 1, "10.5.1.0/24", "192.0.2.1", 60);
	node_await(node, "lost\n");
	cr_assert_geq(fl_loop_now() - begin_ns, 60 * FL_NSEC_PER_MSEC);
	cr_assert(strstr(node->last_detail, database), "%s", node->last_detail);
	node->n_dispatched = 0;
	while (node->n_dispatched < 3) {
		struct pollfd fd = {.fd = fl_embedded_get_fd(node->store), .events = POLLIN};

		cr_assert_eq(poll(&fd, 1, PATIENCE_MS), 1);
		(void)node_dispatch(node);
	}
	foreign_run(foreign, "ROLLBACK");
	node_await(node, "done 1 ");
	cr_assert_str_eq(node_drain(node), "lost\nback\nbegin\nlease 10.5.1.0-24 192.0.2.1\nend\n"
					   "done 1 0 10.5.1.0-24 192.0.2.1\n");
	sqlite3_close(foreign);
	node_free(node);
}

/* the file is held while it is opened: the store opens later */
Test(store_embedded_trouble, held_at_open)
{
	struct node *node;
	sqlite3 *foreign;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/db", directory);
	cr_assert_eq(mkdir(path, 0700), 0);
	foreign = foreign_open();
	foreign_run(foreign, "BEGIN EXCLUSIVE");
	node = node_open(NULL);
	cr_assert_eq(fl_embedded_watch(node->store, NULL), 0);
	node_request(node, CREATE, 1, "10.5.1.0/24", "192.0.2.1", 60);
	for (int i = 0; i < 4; i++) {
		struct pollfd fd = {.fd = fl_embedded_get_fd(node->store), .events = POLLIN};

		cr_assert_eq(poll(&fd, 1, PATIENCE_MS), 1);
		(void)node_dispatch(node);
	}
	cr_assert_str_eq(node->log, "");
	foreign_run(foreign, "ROLLBACK");
	sqlite3_close(foreign);
	node_await(node, "done 1 ");
	cr_assert_str_eq(node->log, "begin\nend\nlease 10.5.1.0-24 192.0.2.1\ndone 1 0 10.5.1.0-24 192.0.2.1\n");
	node_free(node);
}

/* a full disk: lost, what was confirmed stays, what waits is done when there is room again */
Test(store_embedded_trouble, disk_full)
{
	struct node *node, *reader;
	char filler[320], zeros[4096] = {0}, subnet[32], address[32];
	int fd, n = 0;

	mount_tmpfs("size=768k");
	node = node_open_watching(NULL);
	(void)snprintf(filler, sizeof(filler), "%s/db/filler", directory);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	cr_assert_eq(errno, ENOSPC);
	node_clear(node);
	while (!strstr(node->log, "lost\n")) {
		n++;
		(void)snprintf(subnet, sizeof(subnet), "10.5.%d.0/24", n);
		(void)snprintf(address, sizeof(address), "192.0.2.%d", n);
		node_request(node, CREATE, (uint64_t)n, subnet, address, 60);
		while (node_dispatch(node) > 0)
			;
		cr_assert_lt(n, 250);
	}
	cr_assert(strstr(node->last_detail, "full"), "%s", node->last_detail);
	node_request(node, CREATE, 251, "10.6.0.0/24", "192.0.2.251", 60);
	cr_assert_eq(ftruncate(fd, 0), 0);
	node_await(node, "done 251 0 ");
	cr_assert(strstr(node->log, "back\n"));
	cr_assert_null(strstr(strstr(node->log, "lost\n") + 1, "lost\n"), "told once");
	reader = node_open_watching(NULL);
	for (int i = 1; i <= n; i++) {
		char line[64];

		(void)snprintf(line, sizeof(line), "lease 10.5.%d.0-24 192.0.2.%d\n", i, i);
		cr_assert(strstr(reader->log, line), "%s", line);
		(void)snprintf(line, sizeof(line), "done %d 0 10.5.%d.0-24", i, i);
		cr_assert(strstr(node->log, line), "%s", line);
	}
	close(fd);
	node_free(reader);
	node_free(node);
	unmount_tmpfs();
}

/* no room for a database at all */
Test(store_embedded_trouble, disk_full_at_open)
{
	struct flannel_error *error = NULL;
	struct fl_embedded *store = NULL;

	mount_tmpfs("size=8k");
	cr_assert_eq(fl_embedded_open(database, NULL, NULL, &store, &error), -ENOSPC, "%s",
		     flannel_error_get_message(error));
	cr_assert(flannel_error_is_retryable(error));
	flannel_error_unref(error);
	unmount_tmpfs();
}

/* what may only be read */
Test(store_embedded_trouble, read_only)
{
	struct flannel_error *error = NULL;
	struct fl_embedded *store = NULL;
	char path[128], other[320];

	mount_tmpfs("size=1m");
	node_free(node_open(NULL));
	(void)snprintf(path, sizeof(path), "%s/db", directory);
	(void)snprintf(other, sizeof(other), "%s/db/other.db", directory);
	cr_assert_eq(mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, "size=1m"), 0);
	cr_assert_eq(fl_embedded_open(database, NULL, NULL, &store, &error), -EROFS, "%s",
		     flannel_error_get_message(error));
	error = flannel_error_unref(error);
	cr_assert_eq(fl_embedded_open(other, NULL, NULL, &store, &error), -EROFS, "%s",
		     flannel_error_get_message(error));
	error = flannel_error_unref(error);
	unmount_tmpfs();

	/* without the right to write */
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(chmod(directory, 0755), 0);
	cr_assert_eq(seteuid(65534), 0);
	cr_expect_eq(fl_embedded_open(database, NULL, NULL, &store, &error), -EACCES, "%s",
		     flannel_error_get_message(error));
	error = flannel_error_unref(error);
	cr_assert_eq(seteuid(0), 0);
	node_free(node_open(NULL));
	cr_assert_eq(chmod(path, 0755), 0);
	cr_assert_eq(chmod(database, 0644), 0);
	cr_assert_eq(seteuid(65534), 0);
	cr_expect_eq(fl_embedded_open(database, NULL, NULL, &store, &error), -EACCES, "%s",
		     flannel_error_get_message(error));
	error = flannel_error_unref(error);
	cr_assert_eq(seteuid(0), 0);
	cr_assert_null(store);
}

/* writes over a part of the database as a failing disk would, in a process of its own: closing the file here would
 * drop the locks of the store */
static void damage(const void *data, size_t len, off_t at)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int fd = open(database, O_WRONLY | O_CLOEXEC);

		_exit(fd < 0 || pwrite(fd, data, len, at) != (ssize_t)len);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

/* the file is damaged while it is in use, and mended later */
Test(store_embedded_trouble, damaged)
{
	struct node *node = node_open_watching(NULL);
	char before[8 * 4096], garbage[8 * 4096];
	sqlite3 *foreign;
	int fd;

	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	foreign = foreign_open();
	foreign_run(foreign, "UPDATE state SET revision = revision + 1");
	foreign_run(foreign, "PRAGMA wal_checkpoint(TRUNCATE)");
	sqlite3_close(foreign);
	fd = open(database, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(pread(fd, before, sizeof(before), 4096), (ssize_t)sizeof(before));
	/* stays open, see above */
	memset(garbage, 0x5a, sizeof(garbage));
	damage(garbage, sizeof(garbage), 4096);
	node_clear(node);
	node_request(node, CREATE, 1, "10.5.2.0/24", "192.0.2.2", 60);
	node_await(node, "lost\n");
	cr_assert_str_eq(node->log, "lost\n");
	cr_assert(strstr(node->last_detail, "malformed"), "%s", node->last_detail);
	damage(before, sizeof(before), 4096);
	node_await(node, "done 1 ");
	cr_assert_str_eq(node->log, "lost\nback\nbegin\nlease 10.5.1.0-24 192.0.2.1\nlease 10.5.2.0-24 192.0.2.2\n"
				    "end\ndone 1 0 10.5.2.0-24 192.0.2.2\n");
	node_free(node);
	close(fd);
}

/* The file disappears: noticed at once, not made anew, taken up again when it is back. */
Test(store_embedded_trouble, removed_while_open)
{
	struct node *node = node_open_watching(NULL);
	char away[320];

	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	(void)node_drain(node);
	node_clear(node);
	(void)snprintf(away, sizeof(away), "%s/leases.db", directory);
	cr_assert_eq(rename(database, away), 0);
	node_await(node, "lost\n");
	node_request(node, CREATE, 1, "10.5.2.0/24", "192.0.2.2", 60);
	node->n_dispatched = 0;
	while (node->n_dispatched < 3) {
		struct pollfd fd = {.fd = fl_embedded_get_fd(node->store), .events = POLLIN};

		cr_assert_eq(poll(&fd, 1, PATIENCE_MS), 1);
		(void)node_dispatch(node);
	}
	cr_assert_eq(access(database, F_OK), -1);
	cr_assert_str_eq(node->log, "lost\n");
	cr_assert_eq(rename(away, database), 0);
	node_await(node, "done 1 ");
	cr_assert_str_eq(node->log, "lost\nback\nbegin\nlease 10.5.1.0-24 192.0.2.1\nlease 10.5.2.0-24 192.0.2.2\n"
				    "end\ndone 1 0 10.5.2.0-24 192.0.2.2\n");
	node_free(node);
}

/* the same without watching: it is noticed before anything is written into the lost file */
Test(store_embedded_trouble, removed_unwatched)
{
	struct node *node = node_open(NULL);

	cr_assert_eq(unlink(database), 0);
	node_request(node, CREATE, 1, "10.5.2.0/24", "192.0.2.2", 60);
	node_await(node, "lost\n");
	cr_assert_str_eq(node->log, "lost\n");
	node_free(node);
	cr_assert_eq(access(database, F_OK), -1);
}

/* a row that makes no sense is left out; it still keeps its place */
Test(store_embedded_trouble, bad_row)
{
	struct node *node = node_open(NULL);
	sqlite3 *foreign;

	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", 0), 0);
	cr_assert_eq(node_ask(node, CREATE, "10.5.2.0/24", "192.0.2.2", 0), 0);
	foreign = foreign_open();
	foreign_run(foreign, "UPDATE lease SET value = '{\"PublicIP\":7}' WHERE key = '10.5.1.0-24'");
	cr_assert_eq(fl_embedded_watch(node->store, NULL), 0);
	node_clear(node);
	node_await(node, "end\n");
	cr_assert_str_eq(node->log, "begin\nlease 10.5.2.0-24 192.0.2.2\nend\n");
	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.3", 0), -EEXIST);
	cr_assert(strstr(node->last_detail, "10.5.1.0-24"), "%s", node->last_detail);
	sqlite3_close(foreign);
	node_free(node);
}
