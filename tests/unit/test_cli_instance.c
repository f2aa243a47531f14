/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "instance.h"

/* a directory of the test's own with the paths of one daemon */
struct place {
	char directory[64];
	char state[128];
	char subnet_file[128];
	char socket[128];
	struct instance_paths paths;
};

/* makes the directory and names the paths below it */
static void setup(struct place *place)
{
	(void)snprintf(place->directory, sizeof(place->directory), "/tmp/flannel-instance-XXXXXX");
	cr_assert_not_null(mkdtemp(place->directory));
	(void)snprintf(place->state, sizeof(place->state), "%s/lib/flannel", place->directory);
	(void)snprintf(place->subnet_file, sizeof(place->subnet_file), "%s/run/subnet.env", place->directory);
	(void)snprintf(place->socket, sizeof(place->socket), "%s/run/s.sock", place->directory);
	place->paths = (struct instance_paths){
		.state_dir = place->state, .subnet_file = place->subnet_file, .socket = place->socket};
}

/* removes one entry; for nftw(3) */
static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	(void)info;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* removes the directory and all in it */
static void teardown(struct place *place)
{
	cr_expect_eq(nftw(place->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* starts a process that claims the paths and stays; returns its pid once it has them */
static pid_t start_holder(const struct instance_paths *paths)
{
	int ready[2];
	char answer = 0;
	pid_t pid;

	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct instance instance = INSTANCE_NONE;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		answer = instance_claim(paths, &instance, NULL) == 0 ? 'y' : 'n';
		if (write(ready[1], &answer, 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &answer, 1), 1);
	close(ready[0]);
	cr_assert_eq(answer, 'y');
	return pid;
}

/* ends a holder as kill -9 does */
static void kill_holder(pid_t pid)
{
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(cli_instance, makes_what_it_needs_with_the_right_modes)
{
	struct instance instance = INSTANCE_NONE;
	struct place place;
	struct stat status;

	setup(&place);
	cr_assert_eq(instance_claim(&place.paths, &instance, NULL), 0);
	cr_assert_eq(stat(place.state, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0700);
	cr_assert_eq(stat(place.socket, &status), 0);
	cr_expect(S_ISSOCK(status.st_mode));
	cr_expect_eq(status.st_mode & 0777, 0600);
	cr_expect(fcntl(instance.listen_fd, F_GETFD) & FD_CLOEXEC);
	cr_expect(fcntl(instance.state_lock, F_GETFD) & FD_CLOEXEC);
	cr_expect(fcntl(instance.subnet_lock, F_GETFD) & FD_CLOEXEC);
	instance_release(&instance);
	cr_expect_eq(access(place.socket, F_OK), -1, "the socket goes with the daemon");
	instance_release(&instance);
	teardown(&place);
}

Test(cli_instance, a_second_daemon_is_told_the_pid_of_the_first)
{
	static const struct {
		const char *flag;
		bool state, subnet_file, socket; /* which paths both share */
	} cases[] = {
		{"--state-dir", true, true, true},     {"--state-dir", true, false, false},
		{"--subnet-file", false, true, false}, {"--socket", false, false, true},
		{NULL, false, false, false},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP_ERROR struct flannel_error *error = NULL;
		struct instance instance = INSTANCE_NONE;
		struct place place;
		struct place other;
		char pid[32];
		pid_t holder;
		int r;

		setup(&place);
		setup(&other);
		holder = start_holder(&place.paths);
		(void)snprintf(pid, sizeof(pid), "(pid %ld)", (long)holder);
		if (cases[i].state)
			other.paths.state_dir = place.state;
		if (cases[i].subnet_file)
			other.paths.subnet_file = place.subnet_file;
		if (cases[i].socket)
			other.paths.socket = place.socket;
		r = instance_claim(&other.paths, &instance, &error);
		cr_expect_eq(r, cases[i].flag ? -EBUSY : 0, "case %zu: %d", i, r);
		if (cases[i].flag) {
			cr_expect_not_null(strstr(flannel_error_get_message(error), pid), "%s",
					   flannel_error_get_message(error));
			cr_expect_not_null(strstr(flannel_error_get_message(error), cases[i].flag), "%s",
					   flannel_error_get_message(error));
			cr_expect_eq(instance.listen_fd, -1, "nothing is handed out on failure");
			cr_expect_eq(access(place.socket, F_OK), 0, "the first one keeps its socket");
		}
		instance_release(&instance);
		kill_holder(holder);
		teardown(&place);
		teardown(&other);
	}
}

Test(cli_instance, kill_9_leaves_no_obstacle)
{
	struct instance instance = INSTANCE_NONE;
	struct place place;
	pid_t holder;

	setup(&place);
	holder = start_holder(&place.paths);
	kill_holder(holder);
	cr_assert_eq(access(place.socket, F_OK), 0, "the socket's file is left over");
	cr_expect_eq(instance_claim(&place.paths, &instance, NULL), 0);
	cr_expect_geq(instance.listen_fd, 0);
	instance_release(&instance);
	teardown(&place);
}

Test(cli_instance, a_refused_daemon_holds_nothing)
{
	struct instance instance = INSTANCE_NONE;
	struct place first;
	struct place second;
	pid_t holder;

	setup(&first);
	setup(&second);
	holder = start_holder(&first.paths);
	/* the socket comes last: state directory and subnet file are locked by then */
	second.paths.socket = first.socket;
	cr_assert_eq(instance_claim(&second.paths, &instance, NULL), -EBUSY);
	second.paths.socket = second.socket;
	cr_expect_eq(instance_claim(&second.paths, &instance, NULL), 0);
	instance_release(&instance);
	kill_holder(holder);
	teardown(&first);
	teardown(&second);
}

/* listens on a path as a program would that knows nothing of our locks */
static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	strcpy(address.sun_path, path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

Test(cli_instance, a_stranger_on_the_socket_is_respected)
{
	CLEANUP_ERROR struct flannel_error *error = NULL;
	struct instance instance = INSTANCE_NONE;
	struct place place;
	char pid[32];
	int fd;

	setup(&place);
	(void)snprintf(place.socket, sizeof(place.socket), "%s/s.sock", place.directory);
	(void)snprintf(pid, sizeof(pid), "(pid %ld)", (long)getpid());
	fd = listen_at(place.socket);
	cr_expect_eq(instance_claim(&place.paths, &instance, &error), -EBUSY);
	cr_expect_not_null(strstr(flannel_error_get_message(error), pid), "%s", flannel_error_get_message(error));
	cr_expect_eq(access(place.socket, F_OK), 0);
	close(fd);
	teardown(&place);
}

Test(cli_instance, bad_paths_are_named)
{
	static const struct {
		const char *state;
		const char *subnet_file;
		const char *socket;
		int r;
		const char *message;
	} cases[] = {
		{"%s/plain", "%s/a/s.env", "", -ENOTDIR, "/plain"},
		{"%s/state", "%s/plain/s.env", "", -ENOTDIR, "/plain"},
		{"%s/state", "%s/a/", "", -EISDIR, "/a/"},
		{"%s/state", "%s/a/s.env", "%s/plain", -EEXIST, "no socket"},
		{"%s/state", "%s/a/s.env", "%s/plain/s.sock", -ENOTDIR, "/plain"},
		{"%s/state", "%s/a/s.env",
		 "%s/"
		 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
		 -ENAMETOOLONG, "--socket"},
		{"%s/state", "%s/a/s.env", "", 0, ""},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP_ERROR struct flannel_error *error = NULL;
		struct instance instance = INSTANCE_NONE;
		struct place place;
		char plain[128];
		char socket[256];
		int fd;
		int r;

		setup(&place);
		(void)snprintf(plain, sizeof(plain), "%s/plain", place.directory);
		fd = open(plain, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		cr_assert_geq(fd, 0);
		close(fd);
		(void)snprintf(place.state, sizeof(place.state), cases[i].state, place.directory);
		(void)snprintf(place.subnet_file, sizeof(place.subnet_file), cases[i].subnet_file, place.directory);
		(void)snprintf(socket, sizeof(socket), cases[i].socket, place.directory);
		place.paths.socket = socket;
		r = instance_claim(&place.paths, &instance, &error);
		cr_expect_eq(r, cases[i].r, "case %zu: %d %s", i, r, flannel_error_get_message(error));
		cr_expect_not_null(strstr(flannel_error_get_message(error), cases[i].message), "case %zu: %s", i,
				   flannel_error_get_message(error));
		instance_release(&instance);
		teardown(&place);
	}
}
