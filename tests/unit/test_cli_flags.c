/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "flags.h"
#include "options.h"

#define MAX_WORDS 8

/* a log that goes to a file of the test's own */
struct log_file {
	FILE *stream;
	struct logger logger;
	char text[8192];
};

/* opens the log */
static void log_open(struct log_file *log)
{
	log->stream = tmpfile();
	cr_assert_not_null(log->stream);
	log->logger = (struct logger){.fd = fileno(log->stream), .level = FLANNEL_LOG_DEBUG};
}

/* reads what was logged, and closes the log */
static const char *log_read(struct log_file *log)
{
	ssize_t len = pread(fileno(log->stream), log->text, sizeof(log->text) - 1, 0);

	cr_assert_geq(len, 0);
	log->text[len] = '\0';
	(void)fclose(log->stream);
	return log->text;
}

/* number of words up to the first NULL */
static int count_words(const char *const *words)
{
	int n = 0;

	while (n < MAX_WORDS && words[n])
		n++;
	return n;
}

/* parses "flanneld words..." with the daemon's table; text of the refusal is malloc()ed or NULL */
static int parse(struct options *options, const char *const *words, char **ret_message)
{
	const char *argv[MAX_WORDS + 2] = {"flanneld"};
	int n = count_words(words);

	cr_assert_eq(options_init(options), 0);
	memcpy(argv + 1, words, (size_t)n * sizeof(*words));
	return options_parse(options, n + 1, (char *const *)argv, ret_message);
}

/* removes every FLANNELD_ variable that the test's surroundings may have */
static void clear_environment(void)
{
	cr_assert_eq(clearenv(), 0);
}

Test(cli_flags, integers_as_go_reads_them)
{
	static const struct {
		const char *text;
		int r;
		int64_t number;
	} cases[] = {
		{"0", 0, 0},
		{"5", 0, 5},
		{"+5", 0, 5},
		{"-5", 0, -5},
		{"010", 0, 8},
		{"0o10", 0, 8},
		{"0O17", 0, 15},
		{"0x1f", 0, 31},
		{"0X1F", 0, 31},
		{"-0x10", 0, -16},
		{"0b101", 0, 5},
		{"0B11", 0, 3},
		{"00", 0, 0},
		{"1_000", 0, 1000},
		{"0x_1F", 0, 31},
		{"0_7", 0, 7},
		{"9223372036854775807", 0, INT64_MAX},
		{"-9223372036854775808", 0, INT64_MIN},
		{"0x7fffffffffffffff", 0, INT64_MAX},
		{"9223372036854775808", -ERANGE, 0},
		{"-9223372036854775809", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"-", -EINVAL, 0},
		{"+-5", -EINVAL, 0},
		{" 5", -EINVAL, 0},
		{"5 ", -EINVAL, 0},
		{"5m", -EINVAL, 0},
		{"1.5", -EINVAL, 0},
		{"abc", -EINVAL, 0},
		{"08", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"0xg", -EINVAL, 0},
		{"0b2", -EINVAL, 0},
		{"_1", -EINVAL, 0},
		{"1_", -EINVAL, 0},
		{"1__0", -EINVAL, 0},
		{"0_", -EINVAL, 0},
		{"0x_", -EINVAL, 0},
		{"0x1_", -EINVAL, 0},
		{"-_5", -EINVAL, 0},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int64_t number = 4711;
		int r = flag_parse_int(cases[i].text, &number);

		cr_expect_eq(r, cases[i].r, "\"%s\": %d", cases[i].text, r);
		cr_expect_eq(number, r == 0 ? cases[i].number : 4711, "\"%s\": %lld", cases[i].text, (long long)number);
	}
}

Test(cli_flags, booleans_as_go_reads_them)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
	static const char *const neither[] = {"", "yes", "no", "on", "tRUE", "2", " true", "true "};
	bool value;

	for (size_t i = 0; i < N_ELEMENTS(yes); i++) {
		value = false;
		cr_expect_eq(flag_parse_bool(yes[i], &value), 0);
		cr_expect(value, "%s", yes[i]);
		value = true;
		cr_expect_eq(flag_parse_bool(no[i], &value), 0);
		cr_expect_not(value, "%s", no[i]);
	}
	for (size_t i = 0; i < N_ELEMENTS(neither); i++)
		cr_expect_eq(flag_parse_bool(neither[i], &value), -EINVAL, "\"%s\"", neither[i]);
}

Test(cli_flags, every_flag_of_flannel_is_known_with_its_default)
{
	static const struct {
		const char *name;
		const char *fallback;
	} cases[] = {
		{"etcd-endpoints", "http://127.0.0.1:4001,http://127.0.0.1:2379"},
		{"etcd-prefix", "/coreos.com/network"},
		{"etcd-keyfile", ""},
		{"etcd-certfile", ""},
		{"etcd-cafile", ""},
		{"etcd-username", ""},
		{"etcd-password", ""},
		{"iface", NULL},
		{"iface-regex", NULL},
		{"iface-can-reach", ""},
		{"subnet-file", "/run/flannel/subnet.env"},
		{"public-ip", ""},
		{"public-ipv6", ""},
		{"subnet-lease-renew-margin", "60"},
		{"ip-masq", "false"},
		{"ip-masq-fully-random-disable", "false"},
		{"kube-subnet-mgr", "false"},
		{"kube-api-url", ""},
		{"kube-annotation-prefix", "flannel.alpha.coreos.com"},
		{"kubeconfig-file", ""},
		{"version", "false"},
		{"healthz-ip", "0.0.0.0"},
		{"healthz-port", "0"},
		{"iptables-resync", "5"},
		{"iptables-forward-rules", "true"},
		{"ip-blackhole-route", "false"},
		{"net-config-path", "/etc/kube-flannel/net-conf.json"},
		{"set-node-network-unavailable", "true"},
		{"v", "0"},
		{"vmodule", ""},
		{"log_backtrace_at", ""},
	};
	CLEANUP(options_clear) struct options options;

	cr_assert_eq(options_init(&options), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		size_t index = flag_set_find(&options.flags, cases[i].name);

		cr_assert_lt(index, options.flags.n_flags, "%s", cases[i].name);
		cr_expect(flag_set_is_default(&options.flags, index), "%s", cases[i].name);
		if (cases[i].fallback)
			cr_expect_str_eq(options.flags.flags[index].fallback, cases[i].fallback, "%s", cases[i].name);
	}
	cr_expect_str_eq(options.subnet_file, "/run/flannel/subnet.env");
	cr_expect_eq(options.subnet_lease_renew_margin, 60);
	cr_expect(options.iptables_forward_rules);
	cr_expect_eq(options.route_protocol, 241);
}

Test(cli_flags, command_lines_that_go_accepts)
{
	static const struct {
		const char *words[MAX_WORDS];
		bool ip_masq;
		int64_t resync;
		const char *public_ip;
		size_t n_iface;
	} cases[] = {
		{{NULL}, false, 5, "", 0},
		{{"-ip-masq"}, true, 5, "", 0},
		{{"--ip-masq"}, true, 5, "", 0},
		{{"--ip-masq=false"}, false, 5, "", 0},
		{{"--ip-masq=T"}, true, 5, "", 0},
		{{"--ip-masq", "--ip-masq=0"}, false, 5, "", 0},
		/* a boolean takes no word of its own: "false" ends the flags */
		{{"--ip-masq", "false", "--iptables-resync=9"}, true, 5, "", 0},
		{{"-iptables-resync", "7"}, false, 7, "", 0},
		{{"--iptables-resync=0x10"}, false, 16, "", 0},
		{{"--iptables-resync", "-1"}, false, -1, "", 0},
		{{"--iptables-resync=1", "--iptables-resync=2"}, false, 2, "", 0},
		{{"--public-ip", "192.0.2.1"}, false, 5, "192.0.2.1", 0},
		{{"--public-ip=a=b"}, false, 5, "a=b", 0},
		{{"--public-ip="}, false, 5, "", 0},
		/* whatever follows is the value, even a flag */
		{{"--public-ip", "--ip-masq"}, false, 5, "--ip-masq", 0},
		{{"--iface=eth0", "-iface", "eth1"}, false, 5, "", 2},
		{{"--iface=eth0,eth1"}, false, 5, "", 1},
		{{"word", "--ip-masq"}, false, 5, "", 0},
		{{"-", "--ip-masq"}, false, 5, "", 0},
		{{"--", "--ip-masq"}, false, 5, "", 0},
		{{"--ip-masq", "--", "--no-such-flag"}, true, 5, "", 0},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(options_clear) struct options options;
		CLEANUP_FREE char *message = NULL;
		int r = parse(&options, cases[i].words, &message);

		cr_assert_eq(r, 0, "case %zu: %s", i, message);
		cr_expect_eq(options.ip_masq, cases[i].ip_masq, "case %zu", i);
		cr_expect_eq(options.iptables_resync, cases[i].resync, "case %zu", i);
		cr_expect_str_eq(options.public_ip, cases[i].public_ip, "case %zu", i);
		cr_expect_eq(options.iface.n_items, cases[i].n_iface, "case %zu", i);
	}
}

Test(cli_flags, lists_keep_their_order)
{
	static const char *const words[MAX_WORDS] = {"--iface=eth0", "-iface", "10.0.0.1", "--iface=eth2"};
	CLEANUP(options_clear) struct options options;
	CLEANUP_FREE char *message = NULL;

	cr_assert_eq(parse(&options, words, &message), 0);
	cr_assert_eq(options.iface.n_items, 3);
	cr_expect_str_eq(options.iface.items[0], "eth0");
	cr_expect_str_eq(options.iface.items[1], "10.0.0.1");
	cr_expect_str_eq(options.iface.items[2], "eth2");
}

Test(cli_flags, command_lines_that_are_refused)
{
	static const struct {
		const char *words[MAX_WORDS];
		const char *message; /* a part of it */
	} cases[] = {
		{{"--no-such-flag"}, "unknown flag --no-such-flag"},
		{{"-no-such-flag=1"}, "unknown flag --no-such-flag"},
		{{"--ip-masq", "--no-such-flag"}, "--no-such-flag"},
		{{"--ip-masq=yes"}, "flag --ip-masq: \"yes\" is not true or false"},
		{{"--ip-masq="}, "flag --ip-masq: \"\""},
		{{"--iptables-resync=abc"}, "flag --iptables-resync: \"abc\" is not a whole number"},
		{{"--iptables-resync="}, "flag --iptables-resync"},
		{{"--iptables-resync"}, "flag --iptables-resync needs a value"},
		{{"--healthz-port=99999999999999999999"}, "of that size"},
		{{"-v=x"}, "flag --v: \"x\""},
		{{"-v=0x1"}, "flag --v"},
		{{"-v=1_0"}, "flag --v"},
		{{"-v=3000000000"}, "of that size"},
		{{"--iface"}, "flag --iface needs a value"},
		{{"---ip-masq"}, "---ip-masq"},
		{{"-=1"}, "-=1"},
		{{"--=1"}, "--=1"},
		{{"--IP-MASQ"}, "unknown flag --IP-MASQ"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(options_clear) struct options options;
		CLEANUP_FREE char *message = NULL;
		int r = parse(&options, cases[i].words, &message);

		cr_expect_eq(r, -EINVAL, "%s: %d", cases[i].words[0], r);
		cr_assert_not_null(message, "%s", cases[i].words[0]);
		cr_expect_not_null(strstr(message, cases[i].message), "%s: %s", cases[i].words[0], message);
	}
}

Test(cli_flags, help_is_no_error)
{
	static const char *const lines[][MAX_WORDS] = {
		{"-h"}, {"--help"}, {"-help"}, {"--h"}, {"--help=1"}, {"--ip-masq", "--help", "--no-such-flag"},
	};

	for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
		CLEANUP(options_clear) struct options options;
		CLEANUP_FREE char *message = NULL;

		cr_expect_eq(parse(&options, lines[i], &message), FLAG_HELP, "case %zu", i);
		cr_expect_null(message);
	}
}

Test(cli_flags, environment_beats_default_and_command_line_beats_it)
{
	static const char *const words[MAX_WORDS] = {"--public-ip=192.0.2.1"};
	CLEANUP(options_clear) struct options options;
	CLEANUP_FREE char *message = NULL;
	struct log_file log;

	clear_environment();
	setenv("FLANNELD_PUBLIC_IP", "192.0.2.9", 1);
	setenv("FLANNELD_PUBLIC_IPV6", "2001:db8::1", 1);
	setenv("FLANNELD_IP_MASQ", "true", 1);
	setenv("FLANNELD_IPTABLES_RESYNC", "never", 1);
	setenv("FLANNELD_HEALTHZ_PORT", "", 1);
	setenv("FLANNELD_IFACE", "eth0,eth1", 1);
	setenv("FLANNELD_VERSION", "true", 1);
	setenv("FLANNELD_LOG_BACKTRACE_AT", "a.go:1", 1);
	log_open(&log);
	cr_assert_eq(parse(&options, words, &message), 0);
	cr_assert_eq(options_apply_environment(&options, &log.logger), 0);
	cr_expect_str_eq(options.public_ip, "192.0.2.1");
	cr_expect_str_eq(options.public_ipv6, "2001:db8::1");
	cr_expect(options.ip_masq);
	cr_expect_eq(options.iptables_resync, 5, "a bad value is passed over");
	cr_expect_eq(options.healthz_port, 0);
	cr_assert_eq(options.iface.n_items, 1, "one value only");
	cr_expect_str_eq(options.iface.items[0], "eth0,eth1");
	cr_expect_not(options.version, "--version has no variable");
	cr_expect_str_eq(options.log_backtrace_at, "a.go:1");
	cr_expect_eq(flag_set_origin(&options.flags, "ip-masq"), FLAG_FROM_ENVIRONMENT);
	cr_expect_eq(flag_set_origin(&options.flags, "public-ip"), FLAG_FROM_COMMAND_LINE);
	cr_expect_eq(flag_set_origin(&options.flags, "iptables-resync"), FLAG_FROM_DEFAULT);
	cr_expect_not_null(strstr(log_read(&log), "FLANNELD_IPTABLES_RESYNC: \"never\""), "%s", log.text);
}

Test(cli_flags, the_store_follows_from_flags_and_environment)
{
	static const struct {
		const char *words[MAX_WORDS];
		const char *variable; /* set to "x" */
		int r;
		enum options_store store;
		const char *names[2]; /* both in the message */
	} cases[] = {
		{{NULL}, NULL, 0, OPTIONS_STORE_EMBEDDED, {NULL}},
		{{"--store=auto"}, NULL, 0, OPTIONS_STORE_EMBEDDED, {NULL}},
		{{"--store=embedded"}, NULL, 0, OPTIONS_STORE_EMBEDDED, {NULL}},
		{{"--store=etcd"}, NULL, 0, OPTIONS_STORE_ETCD, {NULL}},
		{{"--store=kube"}, NULL, 0, OPTIONS_STORE_KUBE, {NULL}},
		{{"--store-path=/x"}, NULL, 0, OPTIONS_STORE_EMBEDDED, {NULL}},
		{{"--store=static", "--store-path=/x"}, NULL, 0, OPTIONS_STORE_STATIC, {NULL}},
		{{"--store=static"}, NULL, -EINVAL, 0, {"--store=static", "--store-path"}},
		{{"--kube-subnet-mgr"}, NULL, 0, OPTIONS_STORE_KUBE, {NULL}},
		{{"--kube-subnet-mgr=false"}, NULL, 0, OPTIONS_STORE_EMBEDDED, {NULL}},
		{{"--kube-subnet-mgr", "--store=kube"}, NULL, 0, OPTIONS_STORE_KUBE, {NULL}},
		{{"--kube-subnet-mgr", "--etcd-prefix=/x"}, NULL, 0, OPTIONS_STORE_KUBE, {NULL}},
		{{"--kube-subnet-mgr=false", "--etcd-prefix=/x"}, NULL, 0, OPTIONS_STORE_ETCD, {NULL}},
		{{"--etcd-endpoints=http://[::1]:2379"}, NULL, 0, OPTIONS_STORE_ETCD, {NULL}},
		{{"--etcd-prefix=/coreos.com/network"}, NULL, 0, OPTIONS_STORE_ETCD, {NULL}},
		{{"--etcd-password=x"}, NULL, 0, OPTIONS_STORE_ETCD, {NULL}},
		{{NULL}, "FLANNELD_ETCD_CAFILE", 0, OPTIONS_STORE_ETCD, {NULL}},
		{{"--store=embedded"}, "FLANNELD_ETCD_CAFILE", -EINVAL, 0, {"--store and", "FLANNELD_ETCD_CAFILE"}},
		{{"--store=embedded", "--etcd-prefix=/x"}, NULL, -EINVAL, 0, {"--store and", "--etcd-prefix"}},
		{{"--store=kube", "--etcd-prefix=/x"}, NULL, -EINVAL, 0, {"--store and", "--etcd-prefix"}},
		{{"--store=embedded", "--kube-subnet-mgr"}, NULL, -EINVAL, 0, {"--store and", "--kube-subnet-mgr"}},
		{{"--store=etcd", "--kube-subnet-mgr"}, NULL, -EINVAL, 0, {"--store and", "--kube-subnet-mgr"}},
		{{"--store=kube", "--kube-subnet-mgr=false"}, NULL, -EINVAL, 0, {"--store and", "--kube-subnet-mgr"}},
		{{"--store=etcd", "--store-path=/x"}, NULL, -EINVAL, 0, {"--store and", "--store-path"}},
		{{"--etcd-prefix=/x", "--store-path=/x"}, NULL, -EINVAL, 0, {"--etcd-prefix", "--store-path"}},
		{{"--kube-subnet-mgr"},
		 "FLANNELD_STORE_PATH",
		 -EINVAL,
		 0,
		 {"--kube-subnet-mgr", "FLANNELD_STORE_PATH"}},
		{{"--store=sqlite"}, NULL, -EINVAL, 0, {"--store", "\"sqlite\""}},
		{{"--store="}, NULL, -EINVAL, 0, {"--store", "\"\""}},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(options_clear) struct options options;
		CLEANUP_ERROR struct flannel_error *error = NULL;
		CLEANUP_FREE char *message = NULL;
		const struct logger logger = {.fd = -1};
		enum options_store store = OPTIONS_STORE_EMBEDDED;
		int r;

		clear_environment();
		if (cases[i].variable)
			setenv(cases[i].variable, "x", 1);
		cr_assert_eq(parse(&options, cases[i].words, &message), 0);
		cr_assert_eq(options_apply_environment(&options, &logger), 0);
		r = options_select_store(&options, &store, &error);
		cr_expect_eq(r, cases[i].r, "case %zu: %d %s", i, r, flannel_error_get_message(error));
		if (cases[i].r == 0)
			cr_expect_eq(store, cases[i].store, "case %zu", i);
		for (size_t n = 0; n < 2 && cases[i].names[n]; n++)
			cr_expect_not_null(strstr(flannel_error_get_message(error), cases[i].names[n]), "case %zu: %s",
					   i, flannel_error_get_message(error));
	}
}

Test(cli_flags, checks_name_the_flag)
{
	static const struct {
		const char *words[MAX_WORDS];
		int r;
		const char *message;
	} cases[] = {
		{{NULL}, 0, ""},
		{{"--subnet-lease-renew-margin=1"}, 0, ""},
		{{"--subnet-lease-renew-margin=1439"}, 0, ""},
		{{"--subnet-lease-renew-margin=0"}, -EINVAL, "--subnet-lease-renew-margin"},
		{{"--subnet-lease-renew-margin=1440"}, -EINVAL, "--subnet-lease-renew-margin"},
		{{"--subnet-lease-renew-margin=-1"}, -EINVAL, "--subnet-lease-renew-margin"},
		{{"--kube-subnet-mgr", "--subnet-lease-renew-margin=0"}, -EINVAL, "--subnet-lease-renew-margin"},
		{{"--route-protocol=5"}, 0, ""},
		{{"--route-protocol=255"}, 0, ""},
		{{"--route-protocol=4"}, -EINVAL, "--route-protocol"},
		{{"--route-protocol=256"}, -EINVAL, "--route-protocol"},
		{{"--subnet-file="}, -EINVAL, "--subnet-file"},
		{{"--state-dir="}, -EINVAL, "--state-dir"},
		{{"--store-path="}, -EINVAL, "--store-path"},
		{{"--socket="}, 0, ""},
		{{"--iface-regex=eth"}, 0, ""},
		{{"--iface-can-reach=192.0.2.1"}, 0, ""},
		{{"--kube-subnet-mgr"}, 0, ""},
		{{"--kube-subnet-mgr", "--net-config-path="}, -EINVAL, "--net-config-path"},
		{{"--etcd-prefix=/x"}, 0, ""},
		{{"--store=etcd"}, 0, ""},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(options_clear) struct options options;
		CLEANUP_ERROR struct flannel_error *error = NULL;
		CLEANUP_FREE char *message = NULL;
		int r;

		cr_assert_eq(parse(&options, cases[i].words, &message), 0);
		r = options_check(&options, &error);
		cr_expect_eq(r, cases[i].r, "case %zu: %d", i, r);
		cr_expect_not_null(strstr(flannel_error_get_message(error), cases[i].message), "case %zu: %s", i,
				   flannel_error_get_message(error));
	}
}

Test(cli_flags, the_log_shows_what_was_set_but_no_secret)
{
	static const char *const words[MAX_WORDS] = {"--etcd-password=geheim",
						     "--iface=eth0",
						     "--ip-masq",
						     "--etcd-endpoints=http://u:geheim@[::1]:2379",
						     "--kube-api-url=https://u:geheim@k",
						     "--log_backtrace_at=a.go:1"};
	CLEANUP(options_clear) struct options options;
	CLEANUP_FREE char *message = NULL;
	struct log_file log;

	log_open(&log);
	cr_assert_eq(parse(&options, words, &message), 0);
	options_log(&options, &log.logger);
	options_log_ineffective(&options, &log.logger);
	(void)log_read(&log);
	cr_expect_null(strstr(log.text, "geheim"), "%s", log.text);
	cr_expect_not_null(strstr(log.text, "--etcd-password=***"), "%s", log.text);
	cr_expect_not_null(strstr(log.text, "--iface=eth0"), "%s", log.text);
	cr_expect_not_null(strstr(log.text, "--ip-masq=true"), "%s", log.text);
	cr_expect_null(strstr(log.text, "--subnet-file"), "%s", log.text);
	cr_expect_not_null(strstr(log.text, "--log_backtrace_at has no effect"), "%s", log.text);
}

Test(cli_flags, net_config_is_read_only_when_named)
{
	static const struct {
		const char *words[MAX_WORDS];
		bool named;
	} cases[] = {
		{{NULL}, false},
		{{"--net-config-path=/etc/kube-flannel/net-conf.json"}, true},
		{{"--net-config-path=/x"}, true},
		{{"--net-config-path="}, false},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(options_clear) struct options options;
		CLEANUP_FREE char *message = NULL;

		cr_assert_eq(parse(&options, cases[i].words, &message), 0);
		cr_expect_eq(options_has_net_config(&options), cases[i].named, "case %zu", i);
	}
}

Test(cli_flags, usage_names_every_flag)
{
	CLEANUP(options_clear) struct options options;
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);
	char line[80];

	cr_assert_not_null(stream);
	cr_assert_eq(options_init(&options), 0);
	options_usage(&options, stream);
	cr_assert_eq(fclose(stream), 0);
	for (size_t i = 0; i < options.flags.n_flags; i++) {
		(void)snprintf(line, sizeof(line), "  --%s", options.flags.flags[i].name);
		cr_expect_not_null(strstr(text, line), "%s", line);
	}
}
