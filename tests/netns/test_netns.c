/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox.h"
#include "sys/netns.h"
#include "sys/sysctl.h"

/* what a visitor saw */
struct visit {
	int target;
	int same;
	pid_t thread;
	bool blocked;
	int result;
};

/* looks around in the namespace */
static int look(void *userdata, struct flannel_error **ret_error)
{
	struct visit *visit = userdata;
	sigset_t mask;

	visit->same = fl_netns_same(-1, visit->target);
	visit->thread = (pid_t)syscall(SYS_gettid);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	visit->blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGALRM);
	return visit->result < 0 ? fl_error_set(ret_error, visit->result, "netns", NULL, "look around") : visit->result;
}

Test(netns, check_tells_network_namespaces_from_other_files)
{
	const struct {
		const char *path;
		int result;
	} cases[] = {
		{"/proc/self/ns/net", 0},       {"/proc/self/ns/mnt", -EINVAL}, {"/proc/self/ns/pid", -EINVAL},
		{"/proc/self/status", -EINVAL}, {"/dev/null", -EINVAL},         {"/", -EINVAL},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		FL_CLEANUP(fl_closep) int fd = open(cases[i].path, O_RDONLY | O_CLOEXEC);

		cr_assert_geq(fd, 0);
		cr_expect_eq(fl_netns_check(fd, &error), cases[i].result, "%s", cases[i].path);
		cr_expect_eq(flannel_error_get_code(error), cases[i].result);
	}
	cr_expect_eq(fl_netns_check(-1, NULL), -EINVAL);
	cr_expect_eq(fl_netns_check(9999, NULL), -EINVAL);
}

Test(netns, same_compares_the_namespace_and_not_the_descriptor)
{
	FL_CLEANUP(fl_closep) int own = -1, own_again = -1, other = -1;

	sandbox_enter();
	own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	own_again = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	other = sandbox_new_netns();
	cr_expect_eq(fl_netns_same(own, own_again), 1);
	cr_expect_eq(fl_netns_same(-1, own), 1);
	cr_expect_eq(fl_netns_same(own, -1), 1);
	cr_expect_eq(fl_netns_same(-1, -1), 1);
	cr_expect_eq(fl_netns_same(own, other), 0);
	cr_expect_eq(fl_netns_same(-1, other), 0);
	cr_expect_eq(fl_netns_same(own, 9999), -EBADF);
}

Test(netns, run_visits_and_leaves_the_caller_where_it_was)
{
	const struct {
		bool single_threaded;
		int result;
	} cases[] = {{false, 0}, {false, 7}, {false, -ENOANO}, {true, 0}, {true, 7}, {true, -ENOANO}};
	FL_CLEANUP(fl_closep) int own = -1, other = -1;
	int n_fds;

	sandbox_enter();
	own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	other = sandbox_new_netns();
	n_fds = sandbox_count_fds();
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct visit visit = {.target = other, .result = cases[i].result};
		sigset_t before, after;

		pthread_sigmask(SIG_BLOCK, NULL, &before);
		cr_expect_eq(fl_netns_run(other, cases[i].single_threaded, look, &visit, &error), cases[i].result);
		pthread_sigmask(SIG_BLOCK, NULL, &after);
		cr_expect_eq(visit.same, 1);
		cr_expect_eq(visit.thread == getpid(), cases[i].single_threaded);
		cr_expect_eq(visit.blocked, !cases[i].single_threaded);
		cr_expect_eq(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
		cr_expect_eq(flannel_error_get_code(error), cases[i].result < 0 ? cases[i].result : 0);
		cr_expect_eq(fl_netns_same(-1, own), 1);
	}
	cr_expect_eq(sandbox_count_fds(), n_fds);
}

Test(netns, run_without_a_namespace_stays_on_this_thread)
{
	struct visit visit = {.target = -1, .result = 3};

	cr_expect_eq(fl_netns_run(-1, false, look, &visit, NULL), 3);
	cr_expect_eq(visit.thread, getpid());
	cr_expect_eq(visit.same, 1);
}

Test(netns, run_refuses_what_cannot_be_entered)
{
	FL_CLEANUP(fl_closep) int mount = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	struct visit visit = {.target = -1};

	for (int single = 0; single <= 1; single++) {
		struct flannel_error *error = NULL;

		cr_expect_eq(fl_netns_run(mount, single, look, &visit, &error), -EINVAL);
		sandbox_expect_error(&error, -EINVAL, "enter network namespace");
		cr_expect_eq(fl_netns_run(9999, single, look, &visit, &error), -EBADF);
		sandbox_expect_error(&error, -EBADF, "enter network namespace");
	}
	cr_expect_eq(visit.thread, 0, "the function ran all the same");
}

/* writes a sysctl; runs inside a namespace */
static int write_setting(void *userdata, struct flannel_error **ret_error)
{
	return fl_sysctl_write(FL_SYSCTL_ROOT, userdata, NULL, ret_error);
}

Test(sysctl, write_tells_whether_it_changed_anything)
{
	struct fl_sysctl forward = {.name = "net/ipv4/ip_forward", .value = "1"};
	char value[16];

	sandbox_enter();
	sandbox_run("echo 0 >/proc/sys/net/ipv4/ip_forward");
	cr_expect_eq(fl_sysctl_write(FL_SYSCTL_ROOT, &forward, NULL, NULL), 1);
	cr_expect_eq(fl_sysctl_write(FL_SYSCTL_ROOT, &forward, NULL, NULL), 0);
	sandbox_expect("1", "cat /proc/sys/net/ipv4/ip_forward");
	cr_expect_eq(fl_sysctl_read(FL_SYSCTL_ROOT, "net/ipv4/ip_forward", value, sizeof(value), NULL), 0);
	cr_expect_str_eq(value, "1");
}

Test(sysctl, a_write_only_setting_is_written)
{
	struct fl_sysctl flush = {.name = "net/ipv4/route/flush", .value = "1"};

	sandbox_enter();
	cr_expect_eq(fl_sysctl_write(FL_SYSCTL_ROOT, &flush, NULL, NULL), 1);
}

Test(sysctl, settings_are_those_of_the_namespace_visited)
{
	struct fl_sysctl forward = {.name = "net/ipv4/conf/lo/forwarding", .value = "1"};
	FL_CLEANUP(fl_closep) int other = -1;
	char in[64];

	sandbox_enter();
	other = sandbox_new_netns();
	sandbox_run("echo 0 >/proc/sys/net/ipv4/conf/lo/forwarding");
	for (int single = 0; single <= 1; single++) {
		sandbox_run("%s sh -c 'echo 0 >/proc/sys/net/ipv4/conf/lo/forwarding'", sandbox_in(other, in));
		cr_expect_eq(fl_netns_run(other, single, write_setting, &forward, NULL), 1);
		sandbox_expect("1", "%s cat /proc/sys/net/ipv4/conf/lo/forwarding", sandbox_in(other, in));
		sandbox_expect("0", "cat /proc/sys/net/ipv4/conf/lo/forwarding");
	}
}

Test(sysctl, failures_have_a_name_and_a_reason)
{
	const struct {
		struct fl_sysctl sysctl;
		int result;
		const char *part;
	} cases[] = {
		{{.name = "net/ipv4/no_such_thing", .value = "1"}, -ENOENT, "set net/ipv4/no_such_thing to 1: "},
		{{.name = "net/ipv4/ip_forward", .value = "maybe"}, -EINVAL, "set net/ipv4/ip_forward to maybe: "},
		{{.name = "net/ipv4", .value = "1"}, -EISDIR, "set net/ipv4 to 1"},
		{{.name = "../cmdline", .value = "1"}, -EINVAL, "set ../cmdline"},
		{{.name = "net/../../cmdline", .value = "1"}, -EINVAL, "cmdline"},
		{{.name = "/net/ipv4/ip_forward", .value = "1"}, -EINVAL, "set /net"},
		{{.name = "", .value = "1"}, -EINVAL, "set "},
		{{.name = "net/ipv4/no_such_thing", .value = "1", .optional = true}, 0, NULL},
		{{.name = "net/ipv4/ip_forward", .value = "maybe", .optional = true}, 0, NULL},
	};

	sandbox_enter();
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_error *error = NULL;

		cr_expect_eq(fl_sysctl_write(FL_SYSCTL_ROOT, &cases[i].sysctl, NULL, &error), cases[i].result,
			     "case %zu", i);
		if (cases[i].part)
			sandbox_expect_error(&error, cases[i].result, cases[i].part);
		cr_expect_null(error);
	}
}

Test(sysctl, read_refuses_what_does_not_fit_or_exist)
{
	struct flannel_error *error = NULL;
	char value[4] = "old";

	cr_expect_eq(fl_sysctl_read(FL_SYSCTL_ROOT, "kernel/ostype", value, sizeof(value), &error), -EFBIG);
	sandbox_expect_error(&error, -EFBIG, "read kernel/ostype");
	cr_expect_eq(fl_sysctl_read(FL_SYSCTL_ROOT, "net/no_such_thing", value, sizeof(value), &error), -ENOENT);
	sandbox_expect_error(&error, -ENOENT, "read net/no_such_thing");
}
