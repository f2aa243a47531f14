/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/link_removal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys/rtnl/link.h"

/* how long to wait between two looks at the link: the kernel answers when the child's request is through, so one is mostly enough */
#define FIRST_WAIT_NSEC 100000
#define LONGEST_WAIT_NSEC 2000000

/* what a child that failed tells */
struct report {
	int code;
	char text[200]; /* the kernel's, "" for none */
};

/* closes all descriptors but two: the runtime waits for the end of our output, and locks and files are none of the child's */
static void close_others(int a, int b)
{
	unsigned int low = (unsigned int)(a < b ? a : b), high = (unsigned int)(a < b ? b : a);

	if (low > 0)
		(void)syscall(SYS_close_range, 0U, low - 1, 0U);
	if (high > low + 1)
		(void)syscall(SYS_close_range, low + 1, high - 1, 0U);
	if (syscall(SYS_close_range, high + 1, UINT_MAX, 0U) == 0)
		return;
	/* before Linux 5.9: at least what others wait for; the rest goes when the child ends */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fd != a && fd != b)
			close(fd);
	}
}

/* the child: sends the request, waits for its end, tells a failure. The socket is its own, else answers would get mixed up. */
static void __attribute__((noreturn)) run_child(struct fl_rtnl *rtnl, uint32_t ifindex, const char *name, int report_fd)
{
	struct flannel_error *error = NULL;
	struct report report = {0};

	close_others(fl_rtnl_get_fd(rtnl), report_fd);
	report.code = fl_link_delete(rtnl, ifindex, name, &error);
	if (report.code <= 0) {
		const char *detail = flannel_error_get_detail(error);
		size_t len = detail ? strnlen(detail, sizeof(report.text) - 1) : 0;

		if (len > 0)
			memcpy(report.text, detail, len);
		/* a caller that has seen enough reads no report */
		(void)send(report_fd, &report, sizeof(report), MSG_NOSIGNAL);
	}
	_exit(0);
}

/* Waits for word from the child, for so long: 1 with its report, 0 for none yet, -ECHILD if it ended without. */
static int await_report(int report_fd, long wait_nsec, struct report *ret_report)
{
	const struct timespec wait = {.tv_nsec = wait_nsec};
	struct pollfd poll_fd = {.fd = report_fd, .events = POLLIN};

	if (ppoll(&poll_fd, 1, &wait, NULL) <= 0)
		return 0;
	if (read(report_fd, ret_report, sizeof(*ret_report)) != (ssize_t)sizeof(*ret_report))
		return -ECHILD;
	ret_report->text[sizeof(ret_report->text) - 1] = '\0';
	return 1;
}

/* looks until the link is gone, or the child has something to say */
static int watch(struct fl_rtnl *rtnl, uint32_t ifindex, const char *name, int report_fd,
		 struct flannel_error **ret_error)
{
	long wait_nsec = FIRST_WAIT_NSEC;
	struct fl_link_info info;
	struct report report;
	bool ended = false;
	int r;

	for (;;) {
		r = fl_link_get_by_index(rtnl, ifindex, &info, ret_error);
		if (r <= 0)
			return r < 0 ? r : 1;
		if (ended) /* before it could send anything */
			return fl_link_delete(rtnl, ifindex, name, ret_error);
		r = await_report(report_fd, wait_nsec, &report);
		if (r > 0 && report.code == 0)
			return 0;
		if (r > 0)
			return fl_error_set(ret_error, report.code, "rtnl", report.text[0] ? report.text : NULL,
					    "delete link %s", name);
		ended = r < 0;
		wait_nsec = 2 * wait_nsec < LONGEST_WAIT_NSEC ? 2 * wait_nsec : LONGEST_WAIT_NSEC;
	}
}

int fl_link_delete_early(struct fl_rtnl *rtnl, int netns_fd, uint32_t ifindex, const char *name,
			 struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *child_rtnl = NULL;
	FL_CLEANUP(fl_closep) int own_fd = -1;
	int fds[2];
	pid_t pid;
	int r = fl_rtnl_open(netns_fd, true, &child_rtnl, ret_error);

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return fl_error_set_retryable(ret_error, -errno, "rtnl", "make a pair of sockets", "delete link %s",
					      name);
	own_fd = fds[0];
	pid = fork();
	if (pid == 0)
		run_child(child_rtnl, ifindex, name, fds[1]);
	close(fds[1]);
	/* without a process to spare it just takes longer */
	return pid < 0 ? fl_link_delete(rtnl, ifindex, name, ret_error) : watch(rtnl, ifindex, name, own_fd, ret_error);
}
