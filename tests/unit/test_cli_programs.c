/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs from outside, as far as no network is needed: what they say, where, and how they end. */
#include <criterion/criterion.h>

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

#define MAX_WORDS 8

/* how a program ended */
struct outcome {
	int status;
	char out[8192];
	char err[16384];
};

/* a directory of the test's own; "@/" at the beginning of a word's value stands for it */
struct place {
	char directory[64];
	char words[MAX_WORDS][256];
};

/* makes the directory */
static void setup(struct place *place)
{
	strcpy(place->directory, "/tmp/flannel-programs-XXXXXX");
	cr_assert_not_null(mkdtemp(place->directory));
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

/* a word with the directory for its "@" */
static char *expand(struct place *place, size_t index, const char *word)
{
	const char *mark = strchr(word, '@');
	int before = mark ? (int)(mark - word) : (int)strlen(word);

	(void)snprintf(place->words[index], sizeof(place->words[index]), "%.*s%s%s", before, word,
		       mark ? place->directory : "", mark ? mark + 1 : "");
	return place->words[index];
}

/* reads a file from its beginning */
static void read_file(FILE *stream, char *buf, size_t size)
{
	ssize_t len = pread(fileno(stream), buf, size - 1, 0);

	cr_assert_geq(len, 0);
	buf[len] = '\0';
	(void)fclose(stream);
}

/* runs a program to its end; variable is "NAME=value" or NULL */
static void run(struct place *place, const char *program, const char *const *words, const char *variable,
		struct outcome *ret_outcome)
{
	char *argv[MAX_WORDS + 2] = {(char *)program};
	char *environment[] = {(char *)variable, NULL};
	FILE *out = tmpfile();
	FILE *err = tmpfile();
	int status;
	pid_t pid;

	for (size_t i = 0; i < MAX_WORDS && words[i]; i++)
		argv[i + 1] = expand(place, i, words[i]);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(fileno(out), STDOUT_FILENO);
		(void)dup2(fileno(err), STDERR_FILENO);
		(void)execve(program, argv, environment);
		_exit(127);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	ret_outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	read_file(out, ret_outcome->out, sizeof(ret_outcome->out));
	read_file(err, ret_outcome->err, sizeof(ret_outcome->err));
}

Test(cli_programs, flanneld_ends_as_documented)
{
	static const struct {
		const char *words[MAX_WORDS];
		const char *variable;
		int status;
		const char *err; /* a part of it */
	} cases[] = {
		{{"--no-such-flag"}, NULL, 2, "unknown flag --no-such-flag"},
		{{"--no-such-flag"}, NULL, 2, "--subnet-file"}, /* the usage */
		{{"-v=x"}, NULL, 2, "flag --v"},
		{{"--iptables-resync=abc"}, NULL, 2, "--iptables-resync"},
		{{"--version", "--no-such-flag"}, NULL, 2, "unknown flag"},
		{{"--version"}, NULL, 0, "v" FLANNEL_VERSION "\n"},
		{{"-version"}, NULL, 0, "v" FLANNEL_VERSION "\n"},
		{{"--help"}, NULL, 0, "Usage: flanneld"},
		{{"-h"}, NULL, 0, "Usage: flanneld"},
		{{"--subnet-lease-renew-margin=0"}, NULL, 1, "--subnet-lease-renew-margin"},
		{{"--subnet-lease-renew-margin=1440"}, NULL, 1, "--subnet-lease-renew-margin"},
		{{NULL}, "FLANNELD_SUBNET_LEASE_RENEW_MARGIN=0", 1, "--subnet-lease-renew-margin"},
		{{"--kube-subnet-mgr"}, "EVENT_QUEUE_DEPTH=x", 1, "EVENT_QUEUE_DEPTH"},
		{{NULL}, "FLANNELD_ETCD_ENDPOINTS=/x", 1, "flags: --etcd-endpoints=/x"},
		{{"--store=embedded", "--kube-subnet-mgr"}, NULL, 1, "--store and --kube-subnet-mgr"},
		{{"--etcd-password=geheim"}, NULL, 1, "--etcd-password=***"},
		{{"--iface-regex=("}, NULL, 1, "--iface-regex"},
		{{"--state-dir=/dev/null/x"}, NULL, 1, "/dev/null/x: Not a directory"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		/* before those of the case, which may name others; nothing is left where a daemon's files are by default */
		const char *words[MAX_WORDS] = {"--subnet-file=@/subnet.env", "--socket=@/sock", "--state-dir=@/state"};
		struct outcome outcome;
		struct place place;

		for (size_t k = 0; cases[i].words[k]; k++)
			words[3 + k] = cases[i].words[k];
		setup(&place);
		run(&place, FLANNELD_PROGRAM, words, cases[i].variable, &outcome);
		cr_expect_eq(outcome.status, cases[i].status, "case %zu: %d\n%s", i, outcome.status, outcome.err);
		cr_expect_not_null(strstr(outcome.err, cases[i].err), "case %zu: %s", i, outcome.err);
		cr_expect_null(strstr(outcome.err, "geheim"), "case %zu: %s", i, outcome.err);
		cr_expect_str_eq(outcome.out, "", "case %zu: nothing goes to standard output", i);
		teardown(&place);
	}
}

/* listens at @/s and answers one request with a body, in a process of its own */
static pid_t start_server(const struct place *place, const char *status, const char *body)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[1024];
	int fd;
	pid_t pid;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", place->directory);
	cr_assert_eq(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listen_fd, 1), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid > 0) {
		close(listen_fd);
		return pid;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = accept(listen_fd, NULL, NULL);
	if (read(fd, text, sizeof(text)) < 0)
		_exit(1);
	(void)snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
	_exit(send(fd, text, strlen(text), MSG_NOSIGNAL) < 0);
}

Test(cli_programs, flannelctl_ends_as_documented)
{
	static const struct {
		const char *words[MAX_WORDS];
		const char *http; /* status of the answer; NULL: no server */
		const char *body;
		int status;
		const char *out; /* a part of it */
		const char *err;
	} cases[] = {
		{{"help"}, NULL, NULL, 0, "Usage: flannelctl", ""},
		{{"--help"}, NULL, NULL, 0, "Usage: flannelctl", ""},
		{{"--version"}, NULL, NULL, 0, "flannelctl " FLANNEL_VERSION "\n", ""},
		{{NULL}, NULL, NULL, 2, "", "Usage: flannelctl"},
		{{"plan"}, NULL, NULL, 2, "", "unknown command: plan"},
		{{"status", "leases"}, NULL, NULL, 2, "", "one command"},
		{{"status", "-o", "yaml"}, NULL, NULL, 2, "", "yaml"},
		{{"status", "--socket="}, NULL, NULL, 2, "", "--socket"},
		{{"--no-such-option"}, NULL, NULL, 2, "", "no-such-option"},
		{{"status", "--socket", "@/s"},
		 NULL,
		 NULL,
		 3,
		 "",
		 "/s: No such file or directory\nIs flanneld running"},
		{{"--socket=@/s", "status"}, "200 OK", "{\"health\":\"ok\"}", 0, "flannel: OK\n", ""},
		{{"status", "--socket=@/s"}, "200 OK", "{\"health\":\"degraded\"}", 1, "flannel: DEGRADED", ""},
		{{"status", "--socket=@/s", "-ojson"}, "200 OK", "{\"health\":\"failed\"}", 1, "\"health\":", ""},
		{{"leases", "--socket=@/s", "-otable"}, "200 OK", "{\"leases\":[]}", 0, "SUBNET", ""},
		{{"leases", "--socket=@/s", "-o", "json"}, "200 OK", "{\"leases\":[]}", 0, "\"leases\":", ""},
		{{"status", "--socket=@/s"}, "500 Oops", "{}", 3, "", "HTTP status 500"},
		{{"status", "--socket=@/s"}, "200 OK", "[]", 3, "", "no JSON object"},
		{{"status", "--socket=@/s"}, "200 OK", "{} {}", 3, "", "no JSON object"},
		{{"status", "--socket=@/s"}, "200 OK", "{\"a\":", 3, "", "no JSON object"},
		{{"status", "--socket=@/s"}, "200 OK", "", 3, "", "no JSON object"},
		{{"status", "--socket=@/s"}, "2000 OK", "{}", 3, "", "no answer from"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct outcome outcome;
		struct place place;
		pid_t server = 0;

		setup(&place);
		if (cases[i].http)
			server = start_server(&place, cases[i].http, cases[i].body);
		run(&place, FLANNELCTL_PROGRAM, cases[i].words, NULL, &outcome);
		cr_expect_eq(outcome.status, cases[i].status, "case %zu: %d\n%s", i, outcome.status, outcome.err);
		cr_expect_not_null(strstr(outcome.out, cases[i].out), "case %zu: %s", i, outcome.out);
		cr_expect_not_null(strstr(outcome.err, cases[i].err), "case %zu: %s", i, outcome.err);
		cr_expect(*cases[i].err || !*outcome.err, "case %zu: %s", i, outcome.err);
		if (server)
			cr_expect_eq(waitpid(server, NULL, 0), server);
		teardown(&place);
	}
}
