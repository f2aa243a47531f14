/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_embedded.h"

#include <libgen.h>

#include "store/embedded/place.h"

TestSuite(store_embedded_files, .init = setup, .fini = teardown);

/* writes a file as a whole */
static void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

/* kinds of things that are no lease database */
enum bad {
	BAD_TEXT,
	BAD_DIRECTORY,
	BAD_FIFO,
	BAD_FOREIGN,
	BAD_NEWER,
	BAD_PARENT,
	BAD_DANGLING,
	BAD_SLASH,
	BAD_TRUNCATED,
	BAD_EMPTY_NAME,
	N_BAD
};

/* puts one of them where the database should be; what to open is in path */
static void make_bad(enum bad bad, char *path, size_t size)
{
	char text[2048];
	sqlite3 *foreign;

	memset(text, 'x', sizeof(text));
	(void)snprintf(path, size, "%s", database);
	(void)mkdir(dirname(strdupa(database)), 0700);
	switch (bad) {
	case BAD_TEXT:
		write_file(database, text, sizeof(text));
		break;
	case BAD_DIRECTORY:
		cr_assert_eq(mkdir(database, 0700), 0);
		break;
	case BAD_FIFO:
		cr_assert_eq(mkfifo(database, 0600), 0);
		break;
	case BAD_FOREIGN:
		foreign = foreign_open();
		foreign_run(foreign, "CREATE TABLE t (x)");
		sqlite3_close(foreign);
		break;
	case BAD_NEWER:
		node_free(node_open(NULL));
		foreign = foreign_open();
		foreign_run(foreign, "PRAGMA user_version = 7");
		sqlite3_close(foreign);
		break;
	case BAD_PARENT:
		write_file(database, text, sizeof(text));
		(void)snprintf(path, size, "%s/leases.db", database);
		break;
	case BAD_DANGLING:
		cr_assert_eq(symlink("nowhere", database), 0);
		break;
	case BAD_SLASH:
		(void)snprintf(path, size, "%s/new/", directory);
		break;
	case BAD_TRUNCATED:
		node_free(node_open(NULL));
		cr_assert_eq(truncate(database, 4096 + 17), 0);
		break;
	default:
		path[0] = '\0';
		break;
	}
}

Test(store_embedded_files, bad_files)
{
	static const struct {
		int code;
		const char *text;
	} expected[N_BAD] = {
		[BAD_TEXT] = {-EBADMSG, "not a database"},
		[BAD_DIRECTORY] = {-EISDIR, "irectory"},
		[BAD_FIFO] = {-EBADMSG, "no regular file"},
		[BAD_FOREIGN] = {-EBADMSG, "another program's database"},
		[BAD_NEWER] = {-EBADMSG, "of version 7, this library knows version 1"},
		[BAD_PARENT] = {-ENOTDIR, ""},
		[BAD_DANGLING] = {-ENOENT, ""},
		[BAD_SLASH] = {-EISDIR, "name of a file"},
		[BAD_TRUNCATED] = {-EBADMSG, "malformed"},
		[BAD_EMPTY_NAME] = {-EINVAL, "empty"},
	};
	char path[256];

	for (int i = 0; i < N_BAD; i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_embedded *store = NULL;

		if (i > 0) {
			teardown();
			setup();
		}
		make_bad((enum bad)i, path, sizeof(path));
		cr_expect_eq(fl_embedded_open(path, NULL, NULL, &store, &error), expected[i].code, "%d: %s", i,
			     flannel_error_get_message(error));
		cr_expect(strstr(flannel_error_get_message(error), expected[i].text), "%d: %s", i,
			  flannel_error_get_message(error));
		cr_expect(strstr(flannel_error_get_message(error), path), "%d: %s", i,
			  flannel_error_get_message(error));
		cr_expect_null(store);
		if (i == BAD_FOREIGN) {
			sqlite3 *foreign = foreign_open();
			char wal[320];

			(void)snprintf(wal, sizeof(wal), "%s-wal", database);
			cr_expect_eq(access(wal, F_OK), -1, "another program's file is left alone");
			cr_expect_eq(foreign_int(foreign, "SELECT count(*) FROM sqlite_schema"), 1);
			sqlite3_close(foreign);
		}
	}
}

/* what is made is for the owner alone, whatever the umask lets through */
Test(store_embedded_files, permissions)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	struct stat facts;
	struct node *node;
	char path[320];

	umask(0);
	node = node_open(NULL);
	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", database, suffixes[i]);
		cr_assert_eq(stat(path, &facts), 0, "%s", path);
		cr_assert_eq(facts.st_mode & 07777, 0600, "%s: %o", path, facts.st_mode & 07777);
	}
	(void)snprintf(path, sizeof(path), "%s/db", directory);
	cr_assert_eq(stat(path, &facts), 0);
	cr_assert_eq(facts.st_mode & 07777, 0700);
	node_free(node);
}

/* a link to a database, and a path below the working directory, lead to the same store */
Test(store_embedded_files, other_names)
{
	struct node *a = node_open_watching(NULL), *b;
	char link[128];

	(void)snprintf(link, sizeof(link), "%s/link.db", directory);
	cr_assert_eq(symlink("db/leases.db", link), 0);
	(void)snprintf(database, sizeof(database), "%s", link);
	b = node_open_watching(NULL);
	cr_assert_eq(node_ask(b, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	node_await(a, "lease 10.5.1.0-24");
	node_free(b);

	cr_assert_eq(chdir(directory), 0);
	(void)snprintf(database, sizeof(database), "db/leases.db");
	b = node_open_watching(NULL);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(node_ask(b, CREATE, "10.5.2.0/24", "192.0.2.2", 60), 0);
	node_await(a, "lease 10.5.2.0-24");
	node_free(a);
	node_free(b);
}

/* file systems that other machines may write to are refused by number, local ones are not */
Test(store_embedded_files, file_systems)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} cases[] = {
		{0x6969, "nfs"},    {0xff534d42, "cifs"}, {0xfe534d42, "smb2"},
		{0x01021997, "9p"}, {0x65735546, "fuse"}, {0xffffffffff534d42UL, "cifs"},
		{0xef53, NULL},     {0x01021994, NULL},   {0x58465342, NULL},
		{0x9123683e, NULL}, {0x794c7630, NULL},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		const char *name = fl_place_refused_filesystem(cases[i].magic);

		if (cases[i].name)
			cr_expect_str_eq(name ? name : "", cases[i].name);
		else
			cr_expect_null(name, "%s", name);
	}
}

/* no descriptor of a store goes over to a program that the host starts */
Test(store_embedded_files, close_on_exec)
{
	struct node *node = node_open_watching(NULL);
	char path[64], target[256];

	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	for (int fd = 3; fd < 64; fd++) {
		ssize_t len;

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (strstr(target, directory) || strstr(target, "inotify") || strstr(target, "eventpoll") ||
		    strstr(target, "timerfd"))
			cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC, "%s", target);
	}
	node_free(node);
}
