/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nft/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/nft/encode.h"

/* of each of the two short-lived children; they call nothing that needs more */
#define CHILD_STACK_SIZE 32768
#define REAP_TIMEOUT_MS 1000

/*
 * The children run in the caller's memory, on stacks that AddressSanitizer does not know and that are never unwound:
 * what it noted about them would outlive them.
 */
#define CHILD_CODE __attribute__((no_sanitize("address", "undefined")))

/* What the caller and both children share. */
struct start {
	const char *helper;
	int netns_fd;
	int socket_fd;      /* the helper's end */
	char *helper_stack; /* its upper end */
	int pid_fd;
	/* set by a child that fails */
	const char *step;
	int error;
};

/* notes which step failed, for the caller to report; the result is the child's exit status */
CHILD_CODE static int child_failed(struct start *start, const char *step)
{
	start->step = step;
	start->error = errno;
	return 1;
}

/* makes the socket standard input and /dev/null the other two; every other descriptor closes with execve(): 0 or -1 */
CHILD_CODE static int place_descriptors(int socket_fd)
{
	int null_fd;

	/* dup2() onto itself would leave close-on-exec set */
	if (socket_fd == STDIN_FILENO ? fcntl(socket_fd, F_SETFD, 0) < 0 : dup2(socket_fd, STDIN_FILENO) < 0)
		return -1;
	null_fd = open("/dev/null", O_RDWR);
	if (null_fd < 0 || dup2(null_fd, STDOUT_FILENO) < 0 || dup2(null_fd, STDERR_FILENO) < 0)
		return -1;
	/* may fail before Linux 5.11; the helper closes what it does not know anyway */
	(void)syscall(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
	return 0;
}

/* the second child: becomes the helper; only async-signal-safe calls */
CHILD_CODE static int become_helper(void *userdata)
{
	struct start *start = userdata;
	char *arguments[] = {(char *)start->helper, NULL};
	char *environment[] = {NULL};

	if (start->netns_fd >= 0 && setns(start->netns_fd, CLONE_NEWNET) < 0)
		return child_failed(start, "enter the network namespace of");
	if (place_descriptors(start->socket_fd) < 0)
		return child_failed(start, "open /dev/null for");
	/* the terminal's signals are meant for the host */
	(void)setsid();
	execve(start->helper, arguments, environment);
	return child_failed(start, "start");
}

/*
 * The first child: starts the second and ends. It shares the caller's descriptors, so that the pidfd which the kernel
 * makes here is the caller's.
 */
CHILD_CODE static int start_helper(void *userdata)
{
	struct start *start = userdata;
	pid_t pid;

	pid = clone(become_helper, start->helper_stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD, start, &start->pid_fd);
	if (pid < 0)
		return child_failed(start, "make a process for");
	/* what failed before execve() still has no exit signal; nobody else should find its remains */
	if (start->error)
		(void)waitpid(pid, NULL, __WALL);
	return 0;
}

/*
 * Runs the first child to its end: 0, or -1 if there is none. Meanwhile no signal handler may run, since one in a child
 * would change the caller's memory, and no thread cancellation, which the child would take for its own.
 */
static int run_children(struct start *start, char *stack)
{
	sigset_t all, former;
	int cancel_state;
	pid_t pid;

	sigfillset(&all);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	pthread_sigmask(SIG_BLOCK, &all, &former);
	pid = clone(start_helper, stack, CLONE_VM | CLONE_VFORK | CLONE_FILES, start);
	if (pid < 0)
		(void)child_failed(start, "make a process for");
	/* __WALL, since its exit signal is none; ECHILD if a host reaped it that waits for everything */
	while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	pthread_setcancelstate(cancel_state, NULL);
	return start->error ? -1 : 0;
}

/* fills the error of a failed start; some causes pass by themselves */
static int start_failed(const char *step, const char *helper, int error, struct flannel_error **ret_error)
{
	if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE)
		return fl_error_set_retryable(ret_error, -error, "nft", NULL, "%s nft helper %s", step, helper);
	return fl_error_set(ret_error, -error, "nft", NULL, "%s nft helper %s", step, helper);
}

/* the connection: close-on-exec, with room for the longest request */
static int open_connection(int ret_fds[2])
{
	int room = 2 * FL_NFT_REQUEST_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0)
		return -errno;
	(void)setsockopt(ret_fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	return 0;
}

int fl_nft_process_start(const char *helper, int netns_fd, struct fl_nft_process *ret_process,
			 struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_closep) int our_fd = -1;
	FL_CLEANUP(fl_closep) int helper_fd = -1;
	struct start start = {.helper = helper, .netns_fd = netns_fd, .pid_fd = -1};
	int fds[2];
	char *stacks;
	int r;

	r = open_connection(fds);
	if (r < 0)
		return start_failed("open a connection for", helper, -r, ret_error);
	our_fd = fds[0];
	helper_fd = fds[1];

	stacks = mmap(NULL, 2 * (size_t)CHILD_STACK_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stacks == MAP_FAILED)
		return fl_error_oom(ret_error);
	start.socket_fd = helper_fd;
	start.helper_stack = stacks + CHILD_STACK_SIZE;
	r = run_children(&start, stacks + 2 * (size_t)CHILD_STACK_SIZE);
	(void)munmap(stacks, 2 * (size_t)CHILD_STACK_SIZE);
	if (r < 0) {
		fl_closep(&start.pid_fd);
		return start_failed(start.step, helper, start.error, ret_error);
	}
	*ret_process = (struct fl_nft_process){.socket_fd = fl_take_fd(&our_fd), .pid_fd = start.pid_fd};
	return 0;
}

/* takes the helper's remains if they are ours to take, see process.h */
static void reap(int pid_fd)
{
	struct pollfd ended = {.fd = pid_fd, .events = POLLIN};
	siginfo_t info;

	/* ECHILD: init does it, which is the rule */
	if (waitid(P_PIDFD, (id_t)pid_fd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return;
	if (poll(&ended, 1, REAP_TIMEOUT_MS) > 0)
		(void)waitid(P_PIDFD, (id_t)pid_fd, &info, WEXITED | WNOHANG | __WALL);
}

void fl_nft_process_stop(struct fl_nft_process *process, bool kill)
{
	if (process->socket_fd >= 0)
		close(process->socket_fd);
	if (process->pid_fd >= 0) {
		if (kill)
			(void)syscall(SYS_pidfd_send_signal, process->pid_fd, SIGKILL, NULL, 0);
		reap(process->pid_fd);
		close(process->pid_fd);
	}
	*process = (struct fl_nft_process){.socket_fd = -1, .pid_fd = -1};
}
