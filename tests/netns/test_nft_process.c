/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helper as a process: how it starts, dies, hangs, what it inherits, and that its host notices nothing of it. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "nft_client.h"
#include "nft_listing.h"

/* how often SIGCHLD came */
static atomic_int n_sigchld;

static void on_sigchld(int number)
{
	(void)number;
	atomic_fetch_add(&n_sigchld, 1);
}

/* a namespace of the test's own */
static void own_namespace(void)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root");
}

TestSuite(nft_process, .init = own_namespace);

/* a pidfd of the one helper of this process, owned by the caller; also its pid */
static int find_helper(pid_t *ret_pid)
{
	DIR *fds = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	cr_assert_not_null(fds);
	while ((entry = readdir(fds))) {
		char path[300], line[100];
		FILE *info;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
		info = fopen(path, "re");
		while (info && fgets(line, sizeof(line), info)) {
			int pid;

			if (sscanf(line, "Pid: %d", &pid) != 1 || pid <= 0)
				continue;
			cr_assert_eq(found, -1, "more than one helper");
			found = fcntl(atoi(entry->d_name), F_DUPFD_CLOEXEC, 0);
			*ret_pid = pid;
		}
		if (info)
			fclose(info);
	}
	closedir(fds);
	cr_assert_geq(found, 0, "no helper");
	return found;
}

/* waits until the process is dead and closes its pidfd */
static void await_death(int pid_fd)
{
	struct pollfd dead = {.fd = pid_fd, .events = POLLIN};

	cr_assert_eq(poll(&dead, 1, ANSWER_MS), 1, "the helper lives on");
	close(pid_fd);
}

/* how many descriptors are open */
static int count_fds(void)
{
	DIR *fds = opendir("/proc/self/fd");
	int n = 0;

	cr_assert_not_null(fds);
	while (readdir(fds))
		n++;
	closedir(fds);
	return n;
}

/* a helper that died while idle is replaced without a word */
Test(nft_process, killed_between_requests)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	struct fl_nft_table table = ipv4_table();
	pid_t first, second;
	int pid_fd;

	must_replace(nft, &table);
	pid_fd = find_helper(&first);
	kill(first, SIGKILL);
	await_death(pid_fd);
	must_replace(nft, &table);
	close(find_helper(&second));
	cr_expect_neq(first, second);

	/* the same, noticed by the loop */
	pid_fd = find_helper(&first);
	kill(first, SIGKILL);
	await_death(pid_fd);
	fl_nft_dispatch(nft);
	cr_expect_eq(fl_nft_get_fd(nft), -1);
	must_replace(nft, &table);
}

/* what a callback was told */
struct told {
	int n_calls, code, retryable;
};

static void on_answer(void *userdata, int code, struct flannel_error *error)
{
	struct told *told = userdata;

	told->n_calls++;
	told->code = code;
	told->retryable = flannel_error_is_retryable(error);
	cr_expect_eq(flannel_error_get_code(error), code);
}

/* dispatches until the request has ended */
static void await_answer(struct fl_nft *nft, const struct told *told)
{
	while (!told->n_calls) {
		struct pollfd helper = {.fd = fl_nft_get_fd(nft), .events = POLLIN};

		cr_assert_eq(poll(&helper, 1, ANSWER_MS), 1);
		fl_nft_dispatch(nft);
	}
}

Test(nft_process, killed_during_request)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	struct fl_nft_table table = ipv4_table();
	struct told told = {0};
	int pid_fd, before;
	pid_t pid;

	must_replace(nft, &table);
	pid_fd = find_helper(&pid);
	before = count_fds();
	kill(pid, SIGSTOP);
	cr_assert_eq(fl_nft_replace(nft, &table, 1, on_answer, &told, NULL), 0);
	fl_nft_dispatch(nft);
	cr_assert_eq(told.n_calls, 0);
	kill(pid, SIGKILL);
	await_answer(nft, &told);
	cr_expect_eq(told.code, -EPIPE);
	cr_expect(told.retryable);
	cr_expect_eq(fl_nft_get_fd(nft), -1);
	await_death(pid_fd);
	cr_expect_eq(count_fds(), before - 3, "socket and pidfd of the dead one stay open");

	told = (struct told){0};
	cr_assert_eq(fl_nft_replace(nft, &table, 1, on_answer, &told, NULL), 0);
	await_answer(nft, &told);
	cr_expect_eq(told.code, 0);
	cr_expect_eq(told.n_calls, 1);
}

Test(nft_process, hangs)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_nft_table table = ipv4_table();
	int pid_fd;
	pid_t pid;

	must_replace(nft, &table);
	pid_fd = find_helper(&pid);
	kill(pid, SIGSTOP);
	cr_expect_eq(fl_nft_replace_sync(nft, &table, 1, 20, &error), -ETIMEDOUT);
	cr_expect(flannel_error_is_retryable(error));
	await_death(pid_fd);
	must_replace(nft, &table);
}

Test(nft_process, busy_and_cancel)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_nft_table table = ipv4_table();
	struct told told = {0};
	int pid_fd;
	pid_t pid;

	fl_nft_cancel(nft);
	cr_assert_eq(fl_nft_replace(nft, &table, 1, on_answer, &told, NULL), 0);
	cr_expect_eq(fl_nft_replace(nft, &table, 1, on_answer, &told, &error), -EBUSY);
	cr_expect_eq(fl_nft_replace_sync(nft, &table, 1, ANSWER_MS, NULL), -EBUSY);
	cr_expect_eq(told.n_calls, 0);
	pid_fd = find_helper(&pid);
	fl_nft_cancel(nft);
	await_death(pid_fd);
	cr_expect_eq(fl_nft_get_fd(nft), -1);
	cr_expect_eq(told.n_calls, 0);
	must_replace(nft, &table);

	/* freed while a request runs */
	cr_assert_eq(fl_nft_replace(nft, &table, 1, on_answer, &told, NULL), 0);
	nft = fl_nft_free(nft);
	cr_expect_eq(told.n_calls, 0);
}

/* frees the client from inside its callback */
static void free_in_callback(void *userdata, int code, struct flannel_error *error)
{
	struct fl_nft **nft = userdata;

	(void)error;
	cr_expect_eq(code, 0);
	*nft = fl_nft_free(*nft);
}

Test(nft_process, freed_by_callback)
{
	struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	struct fl_nft_table table = ipv4_table();

	cr_assert_eq(fl_nft_replace(nft, &table, 1, free_in_callback, &nft, NULL), 0);
	while (nft) {
		struct pollfd helper = {.fd = fl_nft_get_fd(nft), .events = POLLIN};

		cr_assert_eq(poll(&helper, 1, ANSWER_MS), 1);
		fl_nft_dispatch(nft);
	}
}

struct start_case {
	const char *helper;
	int code, retryable;
};

static const struct start_case start_cases[] = {
	{"/nonexistent/flannel/nft", -ENOENT, 0},
	{"/etc/passwd", -EACCES, 0}, /* not executable */
	{"/", -EACCES, 0},
	{"/bin/false", -EPIPE, 1}, /* ends at once */
};

Test(nft_process, no_helper)
{
	struct fl_nft_table table = ipv4_table();
	int before;

	for (size_t i = 0; i < FL_N_ELEMENTS(start_cases); i++) {
		const struct start_case *c = &start_cases[i];
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_nft *nft = new_client(c->helper, -1);
		int r;

		before = count_fds();
		r = fl_nft_replace_sync(nft, &table, 1, ANSWER_MS, &error);
		cr_expect_eq(r, c->code, "%s: %d", c->helper, r);
		cr_expect_eq(flannel_error_is_retryable(error), c->retryable, "%s", c->helper);
		cr_expect_not_null(strstr(flannel_error_get_message(error), c->helper));
		cr_expect_eq(fl_nft_replace_sync(nft, &table, 1, ANSWER_MS, NULL), c->code);
		fl_nft_prepare(nft);
		nft = fl_nft_free(nft);
		cr_expect_eq(count_fds(), before, "%s", c->helper);
	}
	cr_expect_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	cr_expect_eq(errno, ECHILD);
}

/* the host of the library notices nothing of the helper's life and death */
Test(nft_process, unnoticed)
{
	struct sigaction action = {.sa_handler = on_sigchld};
	struct fl_nft_table table = ipv4_table();
	sigset_t mask;
	int before = 0, pid_fd;
	pid_t pid;

	sigaction(SIGCHLD, &action, NULL);
	for (int n = 0; n < 4; n++) {
		struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);

		if (n == 0)
			before = count_fds();
		if (n % 2)
			fl_nft_prepare(nft);
		must_replace(nft, &table);
		pid_fd = find_helper(&pid);
		if (n == 3)
			kill(pid, SIGKILL);
		fl_nft_free(nft);
		await_death(pid_fd);
		cr_expect_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
		cr_expect_eq(errno, ECHILD);
	}
	/* a client itself has no descriptor without a helper */
	cr_expect_eq(count_fds(), before);
	cr_expect_eq(atomic_load(&n_sigchld), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	cr_expect_not(sigismember(&mask, SIGTERM));

	/* the counter does count */
	pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	cr_expect_eq(atomic_load(&n_sigchld), 1);
}

/* a host to which orphans come back is left no zombie */
Test(nft_process, subreaper)
{
	struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	struct fl_nft_table table = ipv4_table();
	struct told told = {0};
	pid_t pid;

	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	must_replace(nft, &table);
	close(find_helper(&pid));
	kill(pid, SIGSTOP);
	cr_assert_eq(fl_nft_replace(nft, &table, 1, on_answer, &told, NULL), 0);
	kill(pid, SIGKILL);
	await_answer(nft, &told);
	cr_expect_eq(told.code, -EPIPE);
	cr_expect_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	must_replace(nft, &table);
	fl_nft_free(nft);
	cr_expect_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	cr_expect_eq(errno, ECHILD);
}

/* the helper ends when its host does, however that dies */
Test(nft_process, host_killed)
{
	struct fl_nft_table table = ipv4_table();
	int pipe_fds[2], pid_fd;
	pid_t host, helper = 0;

	cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	host = fork();
	if (host == 0) {
		struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);

		must_replace(nft, &table);
		close(find_helper(&helper));
		if (write(pipe_fds[1], &helper, sizeof(helper)) < 0)
			_exit(1);
		pause();
	}
	close(pipe_fds[1]);
	cr_assert_eq(read(pipe_fds[0], &helper, sizeof(helper)), sizeof(helper));
	pid_fd = (int)syscall(SYS_pidfd_open, helper, 0);
	cr_assert_geq(pid_fd, 0);
	kill(host, SIGKILL);
	waitpid(host, NULL, 0);
	await_death(pid_fd);
	close(pipe_fds[0]);
}

/* one line of the helper's /proc/PID/status */
static void expect_status(pid_t pid, const char *expected)
{
	char command[100];
	FL_CLEANUP(fl_freep) char *text = NULL;

	snprintf(command, sizeof(command), "cat /proc/%d/status", (int)pid);
	text = output_of(command);
	cr_expect_not_null(strstr(text, expected), "no %s in:\n%s", expected, text);
}

/* what the host has open, blocks and ignores does not pass on to the helper */
Test(nft_process, clean_helper)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = NULL;
	struct fl_nft_table table = ipv4_table();
	char path[100];
	struct stat stat_buf;
	sigset_t blocked;
	int secret;
	pid_t pid;

	/* the lowest numbers are the ones that the helper uses itself */
	close(STDIN_FILENO);
	secret = open("/etc/passwd", O_RDONLY);
	cr_assert_eq(secret, STDIN_FILENO);
	cr_assert_eq(fcntl(secret, F_DUPFD, 100), 100);
	sigfillset(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	nft = new_client(TEST_NFT_HELPER, -1);
	must_replace(nft, &table);
	close(find_helper(&pid));

	expect_status(pid, "SigBlk:\t0000000000000000");
	snprintf(path, sizeof(path), "/proc/%d/fd/100", (int)pid);
	cr_expect_eq(lstat(path, &stat_buf), -1);
	snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)pid);
	cr_assert_eq(stat(path, &stat_buf), 0);
	cr_expect(S_ISSOCK(stat_buf.st_mode));
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	secret = open(path, O_RDONLY);
	cr_expect_eq(read(secret, path, sizeof(path)), 0, "it has an environment");
	close(secret);
	close(100);
	cr_expect_neq(getsid(pid), getsid(0));
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	cr_expect(sigismember(&blocked, SIGTERM));
}

/* descriptors 0 to 2 may be free in the host, so that the connection gets one of them */
Test(nft_process, closed_standard_descriptors)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = NULL;
	struct fl_nft_table table = ipv4_table();
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100), r;

	close(0);
	close(1);
	close(2);
	nft = new_client(TEST_NFT_HELPER, -1);
	r = fl_nft_replace_sync(nft, &table, 1, ANSWER_MS, NULL);
	nft = fl_nft_free(nft);
	cr_assert_eq(dup2(saved, 0), 0);
	dup2(saved, 1);
	dup2(saved, 2);
	close(saved);
	cr_expect_eq(r, 0);
	cr_expect_eq(fl_nft_table_exists(-1, true, AF_INET, "flannel-ipv4", NULL), 1);
}

/* starts a client of its own, uses it, frees it */
static void *use_client(void *userdata)
{
	struct fl_nft_table table = table_of("10.244.0.0/16", "10.244.1.0/24", 5);
	int *n_failures = userdata;

	for (int n = 0; n < 10; n++) {
		struct fl_nft *nft = NULL;

		if (fl_nft_new(TEST_NFT_HELPER, -1, NULL, &nft, NULL) < 0 ||
		    fl_nft_replace_sync(nft, &table, 1, ANSWER_MS, NULL) < 0)
			++*n_failures;
		fl_nft_free(nft);
	}
	return NULL;
}

Test(nft_process, threads)
{
	int n_failures[4] = {0};
	pthread_t threads[4];

	for (size_t i = 0; i < FL_N_ELEMENTS(threads); i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, use_client, &n_failures[i]), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(threads); i++) {
		pthread_join(threads[i], NULL);
		cr_expect_eq(n_failures[i], 0);
	}
	cr_expect_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
}

/* talks to the helper without a client: what it answers, malloc()ed */
static char *ask(int fd, const char *request, size_t len)
{
	struct pollfd helper = {.fd = fd, .events = POLLIN};
	char *answer = calloc(1, 5000);

	cr_assert_eq(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
	cr_assert_eq(poll(&helper, 1, ANSWER_MS), 1);
	cr_assert_gt(recv(fd, answer, 4999, 0), 0, "the helper ended");
	return answer;
}

static const char *const not_json[] = {
	"add table ip evil",
	"{ add table ip evil; }",
	"{\"nftables\":[]} add table ip evil",
	"{\"nftables\":[]}\nadd table ip evil",
	"{\"nftables\":[]",
	"{'nftables':[{'add':{'table':{'family':'ip','name':'evil'}}}]}",
	"[{\"add\":{\"table\":{\"family\":\"ip\",\"name\":\"evil\"}}}]",
	"{\"nftables\":\"add table ip evil\"}",
	"{\"tables\":[]}",
	"\"add table ip evil\"",
	"include \"/etc/passwd\"",
	" \n",
	"null",
};

/* nft's own language does not get through, and bad requests do no harm to later ones */
Test(nft_process, only_json)
{
	static const char control[] =
		"{\"nftables\":[{\"add\":{\"table\":{\"family\":\"ip\",\"name\":\"a\\u0000\"}}}]}";
	static const char good[] = "{\"nftables\":[{\"add\":{\"table\":{\"family\":\"ip\",\"name\":\"good\"}}}]}";
	FL_CLEANUP(fl_freep) char *large = calloc(1, 70000);
	FL_CLEANUP(fl_freep) char *left = NULL;
	posix_spawn_file_actions_t actions;
	char *arguments[] = {(char *)TEST_NFT_HELPER, NULL}, *answer;
	int fds[2], room = 1 << 20, status;
	pid_t pid;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDIN_FILENO);
	cr_assert_eq(posix_spawn(&pid, TEST_NFT_HELPER, &actions, NULL, arguments, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);

	for (size_t i = 0; i < FL_N_ELEMENTS(not_json); i++) {
		answer = ask(fds[0], not_json[i], strlen(not_json[i]));
		cr_expect_not_null(strstr(answer, "\"errno\":22"), "%s: %s", not_json[i], answer);
		free(answer);
	}
	memset(large, ' ', 69999);
	memcpy(large, good, strlen(good));
	answer = ask(fds[0], large, 69999);
	cr_expect_not_null(strstr(answer, "\"errno\":22"), "%s", answer);
	free(answer);
	/* parsed, but refused by libnftables' own reader */
	answer = ask(fds[0], control, strlen(control));
	cr_expect_null(strstr(answer, "\"errno\":0"), "%s", answer);
	free(answer);
	left = output_of("nft list tables");
	cr_expect_str_eq(left, "", "%s", left);

	answer = ask(fds[0], good, strlen(good));
	cr_expect_str_eq(answer, "{\"errno\":0}");
	free(answer);
	cr_expect_eq(fl_nft_table_exists(-1, true, AF_INET, "good", NULL), 1);
	close(fds[0]);
	/* the exit status tells of leaks, too, in a build with sanitizers */
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}
