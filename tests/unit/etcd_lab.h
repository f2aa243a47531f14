/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TEST_ETCD_LAB_H
#define TEST_ETCD_LAB_H

/*
 * A real etcd for tests of the store: started on an address of its own on the loopback, with its data in a directory of the test, ended
 * with the test. What others write is written with etcdctl.
 */

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "store/etcd/etcd.h"
#include "store/queue.h"

/* far more than anything here takes; who gets there has failed */
#define PATIENCE_MS 30000

#define ARGUMENTS_MAX 40

/* one member */
struct etcd {
	char directory[64];
	char endpoint[64]; /* http://127.x.y.z:2379 */
	char peer[64];
	pid_t pid;            /* 0: not running */
	const char *more[12]; /* arguments of its own, ending in NULL */
};

/* a URL on a loopback address that is this process's own, so that tests at the same time do not meet; ports need no search then */
static void own_url(char url[64], int port)
{
	unsigned int pid = (unsigned int)getpid();

	snprintf(url, 64, "http://127.%u.%u.%u:%d", pid >> 16 & 255, pid >> 8 & 255, pid & 255, port);
}

/* starts a program in a directory, its output in a file there; it ends with this process */
static pid_t start_program(const char *directory, const char *log, const char *notify, const char *const *argv)
{
	pid_t parent = getpid(), pid = fork();

	cr_assert(pid >= 0);
	if (pid > 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || chdir(directory) < 0)
		_exit(126);
	if (notify)
		(void)setenv("NOTIFY_SOCKET", notify, 1);
	(void)setenv("ETCDCTL_API", "3", 1);
	(void)dup2(open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), STDOUT_FILENO); /* NOLINT: for the program */
	(void)dup2(STDOUT_FILENO, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* a datagram socket in the member's directory, on which it says that it is ready */
static int listen_ready(const struct etcd *etcd, char path[96])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(path, 96, "%s/notify", etcd->directory);
	(void)unlink(path);
	strcpy(address.sun_path, path);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

/* starts the member without waiting; gives back where it says that it is ready */
static int etcd_begin(struct etcd *etcd)
{
	const char *argv[ARGUMENTS_MAX] = {"etcd",         "--data-dir",
					   "data",         "--listen-client-urls",
					   etcd->endpoint, "--advertise-client-urls",
					   etcd->endpoint, "--listen-peer-urls",
					   etcd->peer,     "--heartbeat-interval",
					   "20",           "--election-timeout",
					   "200",          "--logger",
					   "zap",          "--log-outputs",
					   "stderr",       "--log-level",
					   "warn"};
	char path[96];
	int n = 19, fd = listen_ready(etcd, path);

	for (const char *const *more = etcd->more; *more; more++)
		argv[n++] = *more;
	etcd->pid = start_program(etcd->directory, "log", path, argv);
	return fd;
}

/* waits until a member has said that it is ready */
static void etcd_await(struct etcd *etcd, int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char text[512];

	cr_assert_eq(poll(&ready, 1, PATIENCE_MS), 1, "etcd in %s is not ready", etcd->directory);
	(void)!read(fd, text, sizeof(text));
	close(fd);
}

static void etcd_start(struct etcd *etcd)
{
	etcd_await(etcd, etcd_begin(etcd));
}

/* makes directory and ports, and starts it */
static void etcd_make(struct etcd *etcd)
{
	snprintf(etcd->directory, sizeof(etcd->directory), "/tmp/fl-etcd-XXXXXX");
	cr_assert(mkdtemp(etcd->directory));
	own_url(etcd->endpoint, 2379);
	own_url(etcd->peer, 2380);
}

/* ends it at once */
static void etcd_kill(struct etcd *etcd)
{
	if (!etcd->pid)
		return;
	kill(etcd->pid, SIGKILL);
	waitpid(etcd->pid, NULL, 0);
	etcd->pid = 0;
}

/* removes one entry for nftw() */
static int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *walk)
{
	(void)facts;
	(void)type;
	(void)walk;
	return remove(path);
}

static void etcd_remove(struct etcd *etcd)
{
	etcd_kill(etcd);
	if (etcd->directory[0])
		cr_assert_eq(nftw(etcd->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT), 0);
}

/* runs etcdctl, which must succeed: its output in the member's directory as "out" */
static void etcdctl(const struct etcd *etcd, const char *arguments, ...)
{
	const char *argv[ARGUMENTS_MAX] = {"etcdctl", "--endpoints", etcd->endpoint};
	va_list list;
	char path[96];
	int n = 3, status;

	snprintf(path, sizeof(path), "%s/out", etcd->directory);
	(void)unlink(path);
	va_start(list, arguments);
	for (const char *argument = arguments; argument; argument = va_arg(list, const char *))
		argv[n++] = argument;
	va_end(list);
	waitpid(start_program(etcd->directory, "out", NULL, argv), &status, 0);
	cr_assert_eq(status, 0, "etcdctl %s failed, see %s", arguments, path);
}

/* what the last etcdctl printed; in a buffer of the caller */
static const char *etcdctl_output(const struct etcd *etcd, char *buf, size_t size)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/out", etcd->directory);
	file = fopen(path, "re");
	cr_assert(file);
	buf[fread(buf, 1, size - 1, file)] = '\0';
	fclose(file);
	return buf;
}

#define NODE_STORE struct fl_etcd
#define NODE_CALL(verb) fl_etcd_##verb
#define NODE_MUST(condition, what, more) cr_assert(condition, "%s:\n%s\nlibrary:\n%s", what, more, node->library_log)

#include "store_node.h"

/* keeps the library's own messages */
static void node_hear(void *userdata, enum flannel_log_level level, const char *area, const char *message)
{
	struct node *node = userdata;
	size_t len = strlen(node->library_log);

	(void)snprintf(node->library_log + len, sizeof(node->library_log) - len, "%d %s: %s\n", (int)level, area,
		       message);
}

/* opens the store at an address; options may be NULL */
static struct node *node_open(const char *address, const struct fl_etcd_options *options)
{
	struct flannel_error *error = NULL;
	struct node *node = calloc(1, sizeof(*node));
	const struct fl_log log = {.fn = node_hear, .userdata = node, .level = FLANNEL_LOG_DEBUG};
	int r;

	cr_assert(node);
	r = fl_etcd_open(address, options, &log, &node->store, &error);
	cr_assert_eq(r, 0, "open: %s", flannel_error_get_message(error));
	return node;
}

/* the same, and watches: the first snapshot has been told */
static struct node *node_open_watching(const char *address, const struct fl_etcd_options *options)
{
	struct node *node = node_open(address, options);

	cr_assert_eq(fl_etcd_watch(node->store, NULL), 0);
	node_await(node, "end\n");
	return node;
}

static struct node *node_free(struct node *node)
{
	fl_etcd_free(node->store);
	free(node);
	return NULL;
}

enum verb { CREATE, UPDATE, REMOVE };

/* sends a request about a lease: its key, its value */
static void node_request(struct node *node, enum verb verb, uint64_t number, const char *key, const char *value,
			 uint64_t revision, uint32_t lease_sec)
{
	struct flannel_error *error = NULL;
	struct flannel_lease *lease = NULL;
	int r = flannel_lease_parse(key, value, strlen(value), 0, revision, &lease, &error);

	cr_assert_eq(r, 0, "%s", flannel_error_get_message(error));
	if (verb == CREATE)
		r = fl_etcd_create(node->store, number, lease, lease_sec, NULL);
	else if (verb == UPDATE)
		r = fl_etcd_update(node->store, number, lease, lease_sec, NULL);
	else
		r = fl_etcd_remove(node->store, number, lease, NULL);
	cr_assert_eq(r, 0);
	flannel_lease_unref(lease);
}

/* sends it and waits for the reply; its code */
static int node_ask(struct node *node, enum verb verb, const char *key, const char *value, uint32_t lease_sec)
{
	node_clear(node);
	node_request(node, verb, 99, key, value, 0, lease_sec);
	node_await(node, "done 99 ");
	return node->last_code;
}

#endif
