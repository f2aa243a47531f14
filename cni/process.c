/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "decode.h"

extern char **environ;

/* A program that is being replaced just now cannot be executed (ETXTBSY): how often, and after how long, it is tried again. */
#define BUSY_TRIES 6
#define BUSY_WAIT_SEC 1

/* variables of a request that may differ from those of the environment */
#define N_CHANGES 4

/* room for each read */
#define CHUNK_SIZE 65536

/* the three pipes of a child, and how far they got; a descriptor of -1 is done with */
struct pipes {
	int in;
	int out;
	int err;
	int child_in;
	int child_out;
	int child_err;
	const char *input;
	size_t input_len;
};

/* closes a descriptor and marks it so */
static void finish(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* for CNI_CLEANUP */
static void close_pipes(struct pipes *pipes)
{
	finish(&pipes->in);
	finish(&pipes->out);
	finish(&pipes->err);
	finish(&pipes->child_in);
	finish(&pipes->child_out);
	finish(&pipes->child_err);
}

/* one pipe, close-on-exec at both ends */
static int open_pipe(int *ret_read, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

/* all three; ours do not block */
static int open_pipes(struct pipes *pipes)
{
	if (open_pipe(&pipes->child_in, &pipes->in) < 0 || open_pipe(&pipes->out, &pipes->child_out) < 0 ||
	    open_pipe(&pipes->err, &pipes->child_err) < 0)
		return -1;
	return fcntl(pipes->in, F_SETFL, O_NONBLOCK);
}

/* variables that stand in place of those in the environment */
struct changes {
	char *variables[N_CHANGES];
	size_t n;
};

/* for CNI_CLEANUP */
static void free_changes(struct changes *changes)
{
	for (size_t i = 0; i < changes->n; i++)
		free(changes->variables[i]);
}

/* adds a variable unless the environment has it so; one that is not set is as good as an empty one */
static int change(struct changes *changes, const char *name, const char *value)
{
	const char *present = getenv(name);

	if (strcmp(present ? present : "", value) == 0)
		return 0;
	if (asprintf(&changes->variables[changes->n], "%s=%s", name, value) < 0)
		return -1;
	changes->n++;
	return 0;
}

/* what a request changes */
static int make_changes(const struct cni_request *request, struct changes *changes)
{
	if (change(changes, "CNI_COMMAND", cni_verb_name(request->verb)) < 0 ||
	    change(changes, "CNI_CONTAINERID", request->container_id) < 0 ||
	    change(changes, "CNI_NETNS", request->netns) < 0)
		return -1;
	return change(changes, "CNI_IFNAME", request->ifname);
}

/* do two variables have the same name */
static bool is_same_variable(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return strcspn(b, "=") == len && memcmp(a, b, len) == 0;
}

/* our environment with changes; free() the array alone */
static char **make_environment(const struct changes *changes)
{
	size_t n = 0;
	size_t kept = 0;
	char **result;

	while (environ[n])
		n++;
	result = calloc(n + changes->n + 1, sizeof(*result));
	for (size_t i = 0; result && i < n; i++) {
		bool is_changed = false;

		for (size_t k = 0; k < changes->n; k++)
			is_changed |= is_same_variable(environ[i], changes->variables[k]);
		if (!is_changed)
			result[kept++] = environ[i];
	}
	for (size_t k = 0; result && k < changes->n; k++)
		result[kept++] = changes->variables[k];
	return result;
}

/* starts the child; this process ignores SIGPIPE, a child must not: 0 or an errno */
static int spawn(const char *path, char **environment, const struct pipes *pipes, pid_t *ret_pid)
{
	char *arguments[] = {NULL, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t reset;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	memcpy(&arguments[0], &path, sizeof(path)); /* which nobody writes to */
	sigemptyset(&reset);
	sigaddset(&reset, SIGPIPE);
	r = posix_spawnattr_setsigdefault(&attributes, &reset);
	r = r != 0 ? r : posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	r = r != 0 ? r : posix_spawn_file_actions_adddup2(&actions, pipes->child_in, STDIN_FILENO);
	r = r != 0 ? r : posix_spawn_file_actions_adddup2(&actions, pipes->child_out, STDOUT_FILENO);
	r = r != 0 ? r : posix_spawn_file_actions_adddup2(&actions, pipes->child_err, STDERR_FILENO);
	r = r != 0 ? r : posix_spawn(ret_pid, path, &actions, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* the same, again while the file is being written */
static int spawn_patiently(const char *path, char **environment, const struct pipes *pipes, pid_t *ret_pid)
{
	const struct timespec pause = {.tv_sec = BUSY_WAIT_SEC};
	int r = ETXTBSY;

	for (int i = 0; i < BUSY_TRIES && r == ETXTBSY; i++) {
		if (i > 0)
			(void)nanosleep(&pause, NULL);
		r = spawn(path, environment, pipes, ret_pid);
	}
	return r;
}

/* gives the child what it takes of its input; one that wants no more is left alone */
static void feed(struct pipes *pipes)
{
	ssize_t n = write(pipes->in, pipes->input, pipes->input_len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		pipes->input += n;
		pipes->input_len -= (size_t)n;
	}
	if (n < 0 || pipes->input_len == 0)
		finish(&pipes->in);
}

/* takes what there is to read and appends it to *text, which always ends in zero; -1 without memory or beyond the limit */
static int drain(int *fd, char **text, size_t *len)
{
	char *larger;
	ssize_t n;

	if (*len > CNI_TEXT_MAX)
		return -1;
	larger = realloc(*text, *len + CHUNK_SIZE + 1);
	if (!larger)
		return -1;
	*text = larger;
	n = read(*fd, *text + *len, CHUNK_SIZE);
	if (n < 0 && errno == EINTR)
		n = 0;
	else if (n <= 0)
		finish(fd);
	if (n > 0)
		*len += (size_t)n;
	(*text)[*len] = '\0';
	return 0;
}

/* moves data until the child has closed its ends */
static int talk(struct pipes *pipes, struct cni_answer *answer)
{
	while (pipes->out >= 0 || pipes->err >= 0) {
		struct pollfd fds[] = {{.fd = pipes->in, .events = POLLOUT},
				       {.fd = pipes->out, .events = POLLIN},
				       {.fd = pipes->err, .events = POLLIN}};

		if (poll(fds, CNI_N_ELEMENTS(fds), -1) < 0 && errno != EINTR)
			return -1;
		if (fds[0].revents)
			feed(pipes);
		if (fds[1].revents && drain(&pipes->out, &answer->out, &answer->out_len) < 0)
			return -1;
		if (fds[2].revents && drain(&pipes->err, &answer->err, &answer->err_len) < 0)
			return -1;
	}
	return 0;
}

/* waits for the end of the child */
static void reap(pid_t pid, int *ret_status)
{
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
}

int cni_process_run(const char *path, const struct cni_request *request, struct cni_answer *ret_answer,
		    struct cni_error *error)
{
	CNI_CLEANUP(close_pipes)
	struct pipes pipes = {-1, -1, -1, -1, -1, -1, request->text, request->text_len};
	CNI_CLEANUP(cni_answer_clear) struct cni_answer answer = {.out = strdup(""), .err = strdup("")};
	CNI_CLEANUP(free_changes) struct changes changes = {0};
	CNI_CLEANUP(cni_freep) char **environment = NULL;
	pid_t pid;
	int r;

	if (make_changes(request, &changes) == 0)
		environment = make_environment(&changes);
	if (!environment || !answer.out || !answer.err)
		return cni_fail_oom(error);
	if (open_pipes(&pipes) < 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "make pipes for %s: %s", path, strerror(errno));
	r = spawn_patiently(path, environment, &pipes, &pid);
	if (r != 0)
		return cni_fail(error, CNI_ERROR_UNKNOWN, "execute %s: %s", path, strerror(r));
	finish(&pipes.child_in);
	finish(&pipes.child_out);
	finish(&pipes.child_err);
	r = talk(&pipes, &answer);
	if (r < 0)
		(void)kill(pid, SIGKILL);
	reap(pid, &answer.status);
	if (r < 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "read the answer of %s: it is larger than %d bytes", path,
				CNI_TEXT_MAX);
	*ret_answer = answer;
	memset(&answer, 0, sizeof(answer));
	return 0;
}

void cni_answer_clear(struct cni_answer *answer)
{
	free(answer->out);
	free(answer->err);
	memset(answer, 0, sizeof(*answer));
}
