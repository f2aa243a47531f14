/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>

#include "sys/netns.h"

/* the calling thread's own namespace; /proc/self would be that of the main thread */
static const char own_netns[] = "/proc/thread-self/ns/net";

/*
 * Opens the calling thread's own namespace: negative errno, or the descriptor. A socket knows where it was made (Linux 4.10), and to
 * ask it is quicker than to have the kernel make up the files of a process. It takes CAP_NET_ADMIN.
 */
static int open_own(void)
{
	FL_CLEANUP(fl_closep) int any = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd = any >= 0 ? ioctl(any, SIOCGSKNS) : -1;

	if (fd < 0)
		fd = open(own_netns, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int fl_netns_check(int fd, struct flannel_error **ret_error)
{
	struct statfs fs;

	/* the ioctl number may mean something else to other files, hence the file system first */
	if (fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET)
		return 0;
	return fl_error_set(ret_error, -EINVAL, "netns", "not a network namespace", "check descriptor %d", fd);
}

/* what tells one namespace from another: device and inode of its file */
static int identify(int fd, struct stat *ret_stat)
{
	FL_CLEANUP(fl_closep) int own = fd < 0 ? open_own() : -1;

	if (fd < 0 && own < 0)
		return own;
	return fstat(fd < 0 ? own : fd, ret_stat) < 0 ? -errno : 0;
}

int fl_netns_same(int a, int b)
{
	struct stat stat_a, stat_b;
	int r;

	r = identify(a, &stat_a);
	if (r == 0)
		r = identify(b, &stat_b);
	if (r < 0)
		return r;
	return stat_a.st_dev == stat_b.st_dev && stat_a.st_ino == stat_b.st_ino;
}

/* one call of fl_netns_run() */
struct visit {
	int fd;
	int (*fn)(void *userdata, struct flannel_error **ret_error);
	void *userdata;
	struct flannel_error **ret_error;
	int result;
};

/* moves the calling thread */
static int enter(int fd, struct flannel_error **ret_error)
{
	if (setns(fd, CLONE_NEWNET) < 0)
		return fl_error_set(ret_error, -errno, "netns", NULL, "enter network namespace");
	return 0;
}

/* body of the thread: goes there and never comes back */
static void *visit_for_good(void *userdata)
{
	struct visit *visit = userdata;

	visit->result = enter(visit->fd, visit->ret_error);
	if (visit->result == 0)
		visit->result = visit->fn(visit->userdata, visit->ret_error);
	return NULL;
}

/*
 * The thread inherits the mask of its maker, so the maker blocks everything for as long as it takes to start it: no
 * handler of the host may run in a thread that is elsewhere.
 */
static int run_in_thread(struct visit *visit)
{
	sigset_t all, before;
	pthread_t thread;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, visit_for_good, visit);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return fl_error_set_retryable(visit->ret_error, -r, "netns", NULL,
					      "start thread for a network namespace");
	pthread_join(thread, NULL);
	return visit->result;
}

/* there and back with the only thread that there is */
static int run_here(const struct visit *visit)
{
	FL_CLEANUP(fl_closep) int own = open_own();
	int r;

	if (own < 0)
		return fl_error_set(visit->ret_error, own, "netns", NULL, "open %s", own_netns);
	r = enter(visit->fd, visit->ret_error);
	if (r < 0)
		return r;
	r = visit->fn(visit->userdata, visit->ret_error);
	/* to go on in a container's namespace would be worse than to end */
	if (setns(own, CLONE_NEWNET) < 0)
		abort();
	return r;
}

int fl_netns_run(int fd, bool single_threaded, int (*fn)(void *userdata, struct flannel_error **ret_error),
		 void *userdata, struct flannel_error **ret_error)
{
	struct visit visit = {.fd = fd, .fn = fn, .userdata = userdata, .ret_error = ret_error};

	if (fd < 0)
		return fn(userdata, ret_error);
	return single_threaded ? run_here(&visit) : run_in_thread(&visit);
}
