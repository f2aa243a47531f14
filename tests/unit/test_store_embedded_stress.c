/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_embedded.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

TestSuite(store_embedded_stress, .init = setup, .fini = teardown);

#define N_PROCESSES 16
#define N_ROUNDS 30
#define N_SUBNETS 24 /* fewer than the processes together want */

/* What the processes know of each other besides the store: who uses which /24 at this moment. */
struct shared {
	atomic_int users[N_SUBNETS + 2];
	atomic_int n_collisions;
	atomic_int n_created;
	atomic_int n_refused;
	atomic_int n_failed;
};

static struct shared *shared_new(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(shared, MAP_FAILED);
	return shared;
}

/* marks the /24s of a lease as used (by 1) or free again (by -1) */
static void use(struct shared *shared, unsigned int first, unsigned int n, int by)
{
	for (unsigned int i = first; i < first + n; i++) {
		int before = atomic_fetch_add(&shared->users[i], by);

		if (by > 0 && before != 0)
			atomic_fetch_add(&shared->n_collisions, 1);
	}
}

/* counts a failure and says what it was */
static void failed(struct shared *shared, const struct node *node, const char *what)
{
	/* not by Criterion, which knows this process not */
	(void)fprintf(stderr, "%s: %d %s\n%s", what, node->last_code, node->last_detail, node->log);
	atomic_fetch_add(&shared->n_failed, 1);
}

/* one process: takes subnets of two sizes at random, and gives them back */
static void contend(struct shared *shared, unsigned int seed)
{
	/* a slow disk is no failure here */
	struct node *node = node_open(&(struct fl_embedded_options){.lost_after_ns = PATIENCE_MS * FL_NSEC_PER_MSEC});
	char subnet[32], address[32];

	if (seed % 2)
		must(fl_embedded_watch(node->store, NULL) == 0, "watch", database);
	(void)snprintf(address, sizeof(address), "192.0.2.%u", seed + 1);
	for (int i = 0; i < N_ROUNDS; i++) {
		unsigned int wide = (unsigned int)rand_r(&seed) % 4 == 0;
		unsigned int first = (unsigned int)rand_r(&seed) % N_SUBNETS;
		int r;

		if (wide)
			first &= ~1U;
		(void)snprintf(subnet, sizeof(subnet), "10.5.%u.0/%d", first, wide ? 23 : 24);
		r = node_ask(node, CREATE, subnet, address, 600);
		if (r == -EEXIST) {
			atomic_fetch_add(&shared->n_refused, 1);
			continue;
		}
		if (r != 0 || strstr(node->log, "lost"))
			failed(shared, node, "create");
		atomic_fetch_add(&shared->n_created, 1);
		use(shared, first, 1 + wide, 1);
		if (node_ask(node, UPDATE, subnet, address, 600) != 0)
			failed(shared, node, "update");
		use(shared, first, 1 + wide, -1);
		/* the last one keeps what it has */
		if (i < N_ROUNDS - 1 && node_ask(node, REMOVE, subnet, address, 0) != 0)
			failed(shared, node, "remove");
	}
	node_free(node);
}

/* starts a process that runs contend() */
static pid_t start_contender(struct shared *shared, unsigned int seed)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		contend(shared, seed);
		_exit(0);
	}
	return pid;
}

/* what a node knows from its log: the keys of the leases that it was told of and that were not removed, sorted */
static void known_leases(const char *log, char *buf, size_t size)
{
	bool known[256][2] = {{false}};
	char copy[65536], *save, *line;
	int third, len;
	size_t at = 0;

	(void)snprintf(copy, sizeof(copy), "%s", log);
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "begin", 5) == 0)
			memset(known, 0, sizeof(known));
		if (sscanf(line, "lease 10.5.%d.0-%d", &third, &len) == 2)
			known[third][len - 23] = true;
		if (sscanf(line, "removed 10.5.%d.0-%d", &third, &len) == 2)
			known[third][len - 23] = false;
	}
	buf[0] = '\0';
	for (third = 0; third < 256; third++)
		for (len = 0; len < 2; len++)
			if (known[third][len])
				at += (size_t)snprintf(buf + at, size - at, "%d/%d ", third, len + 23);
}

/* sixteen processes on a file that is not there yet: no address is ever leased twice, nobody is told of trouble */
Test(store_embedded_stress, no_collision, .timeout = 120)
{
	struct shared *shared = shared_new();
	char known[4096], listed[4096];
	pid_t pids[N_PROCESSES];
	struct node *watcher, *late;
	sqlite3 *foreign;
	int status;

	for (unsigned int i = 0; i < N_PROCESSES; i++)
		pids[i] = start_contender(shared, i);
	/* from the middle of it on */
	watcher = node_open_watching(NULL);
	for (unsigned int i = 0; i < N_PROCESSES; i++) {
		while (waitpid(pids[i], &status, WNOHANG) == 0) {
			struct pollfd fd = {.fd = fl_embedded_get_fd(watcher->store), .events = POLLIN};

			if (poll(&fd, 1, 20) == 1)
				(void)node_dispatch(watcher);
		}
		cr_expect_eq(status, 0);
	}
	cr_expect_eq(shared->n_collisions, 0);
	cr_expect_eq(shared->n_failed, 0);
	cr_expect_eq(shared->n_created + shared->n_refused, N_PROCESSES * N_ROUNDS);
	cr_expect_gt(shared->n_created, N_ROUNDS);
	cr_expect_gt(shared->n_refused, 0, "there was no contention");

	/* who followed the changes knows the same as who asks for the list */
	late = node_open_watching(NULL);
	known_leases(node_drain(watcher), known, sizeof(known));
	known_leases(node_drain(late), listed, sizeof(listed));
	cr_expect_str_eq(known, listed);
	cr_expect_gt(strlen(listed), 0);
	node_free(watcher);
	node_free(late);
	foreign = foreign_open();
	cr_expect_eq(foreign_int(foreign, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
		     1);
	sqlite3_close(foreign);
	munmap(shared, sizeof(*shared));
}

/*
 * A process that waits for its turn. It is started before the test opens anything: SQLite does not bear that a connection is
 * carried over into a child, since the locks stay behind.
 */
struct worker {
	pid_t pid;
	int go_fd;     /* write end: let it begin */
	int report_fd; /* read end: what it tells */
};

/* starts one; fn gets the write end for reports */
static struct worker worker_start(void (*fn)(int report_fd, int argument), int argument)
{
	int go[2], report[2];
	struct worker worker;
	char byte;

	cr_assert_eq(pipe2(go, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(report, O_CLOEXEC), 0);
	worker.pid = fork();
	cr_assert_geq(worker.pid, 0);
	if (worker.pid == 0) {
		close(go[1]);
		close(report[0]);
		if (read(go[0], &byte, 1) == 1)
			fn(report[1], argument);
		_exit(0);
	}
	close(go[0]);
	close(report[1]);
	worker.go_fd = go[1];
	worker.report_fd = report[0];
	return worker;
}

static void worker_go(const struct worker *worker)
{
	cr_assert_eq(write(worker->go_fd, "", 1), 1);
}

/* waits for its end: the status as of waitpid(2) */
static int worker_end(struct worker *worker)
{
	int status;

	close(worker->go_fd);
	cr_assert_eq(waitpid(worker->pid, &status, 0), worker->pid);
	close(worker->report_fd);
	return status;
}

/* the other process of two_processes */
static void other_process(int report_fd, int argument)
{
	struct node *other = node_open_watching(NULL);

	(void)report_fd;
	(void)argument;
	if (node_ask(other, CREATE, "10.5.2.0/24", "192.0.2.2", 60) != 0)
		_exit(1);
	node_await(other, "lease 10.5.1.0-24 192.0.2.1\n");
	if (node_ask(other, REMOVE, "10.5.2.0/24", "192.0.2.2", 0) != 0)
		_exit(2);
	/* stays until it has seen that the first one heard of it */
	node_await(other, "removed 10.5.1.0-24 192.0.2.1\n");
	node_free(other);
}

/* another process's change wakes the one that sleeps in poll(), in both directions, while both live */
Test(store_embedded_stress, two_processes)
{
	struct worker worker = worker_start(other_process, 0);
	struct node *node = node_open_watching(NULL);

	worker_go(&worker);
	node_await(node, "lease 10.5.2.0-24 192.0.2.2\n");
	node_request(node, CREATE, 1, "10.5.1.0/24", "192.0.2.1", 60);
	node_await(node, "removed 10.5.2.0-24 192.0.2.2\n");
	node_request(node, REMOVE, 2, "10.5.1.0/24", "192.0.2.1", 0);
	node_await(node, "done 2 0");
	cr_assert_eq(worker_end(&worker), 0);
	node_free(node);
}

/* changes something as the store does, but dies before it can tell of it */
static void change_and_die(int report_fd, int argument)
{
	sqlite3 *foreign = foreign_open();

	(void)report_fd;
	(void)argument;
	foreign_run(foreign, "BEGIN IMMEDIATE; UPDATE state SET revision = revision + 1; UPDATE lease SET "
			     "removed = 1, revision = (SELECT revision FROM state); COMMIT");
	(void)raise(SIGKILL);
}

/* who dies between its commit and telling of it: the end of the process tells */
Test(store_embedded_stress, killed_before_telling)
{
	struct worker worker = worker_start(change_and_die, 0);
	struct node *node = node_open_watching(NULL);

	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", 600), 0);
	(void)node_drain(node);
	node_clear(node);
	worker_go(&worker);
	node_await(node, "removed 10.5.1.0-24 192.0.2.1\n");
	cr_assert(WIFSIGNALED(worker_end(&worker)));
	node_free(node);
}

/* makes leases for ever and tells of each one that the store confirmed */
static void make_leases(int report_fd, int round)
{
	struct node *node = node_open(NULL);

	for (int i = 0; i < 256; i++) {
		char subnet[32], address[32];
		unsigned char number = (unsigned char)i;

		(void)snprintf(subnet, sizeof(subnet), "10.%d.%d.0/24", round, i);
		(void)snprintf(address, sizeof(address), "198.51.%d.%d", round, i);
		if (node_ask(node, CREATE, subnet, address, 600) != 0 || write(report_fd, &number, 1) != 1)
			_exit(1);
	}
	for (;;)
		pause();
}

/* lets a worker make some leases and kills it somewhere within the next one: the number of the last confirmed, or -1 */
static int kill_in_the_middle(struct worker *worker, unsigned int *seed)
{
	int last = -1, wanted = rand_r(seed) % 40;
	unsigned char number;

	worker_go(worker);
	while (last < wanted && read(worker->report_fd, &number, 1) == 1)
		last = number;
	for (int i = rand_r(seed) % 200000; i > 0; i--)
		atomic_signal_fence(memory_order_seq_cst);
	cr_assert_eq(kill(worker->pid, SIGKILL), 0);
	while (read(worker->report_fd, &number, 1) == 1)
		last = number;
	cr_assert(WIFSIGNALED(worker_end(worker)), "it failed by itself");
	return last;
}

#define N_KILLS 20

/* kill -9 at any moment: whatever was confirmed is there afterwards, and who watches hears of it */
Test(store_embedded_stress, killed_while_writing, .timeout = 120)
{
	struct worker workers[N_KILLS];
	unsigned int seed = (unsigned int)getpid();
	struct node *watcher, *late;
	sqlite3 *foreign;
	char line[64];

	for (int i = 0; i < N_KILLS; i++)
		workers[i] = worker_start(make_leases, i);
	watcher = node_open_watching(NULL);
	for (int round = 0; round < N_KILLS; round++) {
		int last;

		node_clear(watcher);
		last = kill_in_the_middle(&workers[round], &seed);
		late = node_open_watching(NULL);
		for (int i = 0; i <= last; i++) {
			(void)snprintf(line, sizeof(line), "lease 10.%d.%d.0-24 198.51.%d.%d\n", round, i, round, i);
			cr_assert(strstr(late->log, line), "confirmed, but lost: %s", line);
		}
		if (last >= 0)
			node_await(watcher, line);
		node_free(late);
	}
	foreign = foreign_open();
	cr_assert_eq(foreign_int(foreign, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
		     1);
	sqlite3_close(foreign);
	node_free(watcher);
}
