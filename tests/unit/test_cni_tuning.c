/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cni_request.h"
#include "tuning_allowlist.h"
#include "tuning_backup.h"
#include "tuning_config.h"
#include "unique_keys.h"

/* what a configuration comes to, in one line */
static void describe(const struct cni_tuning_config *config, char *buf, size_t size)
{
	const struct flannel_link_settings *settings = &config->settings;
	size_t n = (size_t)snprintf(buf, size, "%x %s %d %u %d %u %s", settings->which, settings->mac,
				    settings->promiscuous, settings->mtu, settings->all_multicast,
				    settings->queue_length, config->data_dir);

	for (size_t i = 0; i < config->n_sysctls; i++)
		n += (size_t)snprintf(buf + n, size - n, " %s=%s", config->sysctls[i].name, config->sysctls[i].value);
}

Test(cni_tuning, configurations)
{
	const struct {
		const char *args, *text, *expected;
	} cases[] = {
		{"", "{}", "0  0 0 0 0 /run/cni/tuning"},
		{"", "{\"dataDir\":\"\"}", "0  0 0 0 0 /run/cni/tuning"},
		{"", "{\"dataDir\":\"/d\",\"mtu\":1400,\"promisc\":true,\"allmulti\":false,\"txQLen\":0}",
		 "1e  1 1400 0 0 /d"},
		/* off and 0 ask for nothing where the reference cannot tell them from absent */
		{"", "{\"promisc\":false,\"mtu\":0,\"mac\":\"\"}", "0  0 0 0 0 /run/cni/tuning"},
		{"", "{\"mtu\":null,\"MTU\":1300}", "4  0 1300 0 0 /run/cni/tuning"},
		{"", "{\"mtu\":1400,\"promisc\":true,\"args\":{\"cni\":{\"mtu\":0,\"promisc\":false,\"txQLen\":7}}}",
		 "10  0 0 0 7 /run/cni/tuning"},
		{"", "{\"args\":{\"cni\":null},\"runtimeConfig\":null}", "0  0 0 0 0 /run/cni/tuning"},
		/* MAC addresses: args.cni, runtimeConfig, CNI_ARGS, mac */
		{"", "{\"mac\":\"02-00-00-00-00-A1\"}", "1 02:00:00:00:00:a1 0 0 0 0 /run/cni/tuning"},
		{"MAC=02:00:00:00:00:a2", "{\"mac\":\"02:00:00:00:00:a1\"}",
		 "1 02:00:00:00:00:a2 0 0 0 0 /run/cni/tuning"},
		{"MAC=02:00:00:00:00:a2", "{\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:a3\"}}",
		 "1 02:00:00:00:00:a3 0 0 0 0 /run/cni/tuning"},
		{"X=1;IgnoreUnknown=true",
		 "{\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:a3\"},\"args\":{\"cni\":{\"mac\":\"02:00:00:00:00:a4\"}}"
		 "}",
		 "1 02:00:00:00:00:a4 0 0 0 0 /run/cni/tuning"},
		{"", "{\"mac\":\"02:00:00:00:00:a1\",\"args\":{\"cni\":{\"mac\":\"\"}}}",
		 "1 02:00:00:00:00:a1 0 0 0 0 /run/cni/tuning"},
		/* kernel settings */
		{"", "{\"sysctl\":{\"net.ipv4.conf.IFNAME.arp_notify\":\"1\",\"net/core/somaxconn\":\"9\"}}",
		 "0  0 0 0 0 /run/cni/tuning net/ipv4/conf/eth0/arp_notify=1 net/core/somaxconn=9"},
		{"", "{\"sysctl\":{\"//net..ipv4/x//\":\"\"}}", "0  0 0 0 0 /run/cni/tuning net/ipv4/x="},
		{"", "{\"sysctl\":{\"net/../kernel/hostname\":\"x\"}}",
		 "0  0 0 0 0 /run/cni/tuning net/kernel/hostname=x"},
		{"", "{\"sysctl\":{\"net.IFNAME.IFNAME\":\"x\"}}", "0  0 0 0 0 /run/cni/tuning net/eth0/IFNAME=x"},
		{"", "{\"args\":{\"cni\":{\"sysctl\":{\"net.a\":\"1\"}}}}", "0  0 0 0 0 /run/cni/tuning net/a=1"},
		{"",
		 "{\"sysctl\":{\"net.a\":\"1\",\"net.b\":\"2\"},\"args\":{\"cni\":{\"sysctl\":{\"net/"
		 "b\":\"3\",\"net.c\":\"4\"}}}}",
		 "0  0 0 0 0 /run/cni/tuning net/a=1 net/b=3 net/c=4"},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		CNI_CLEANUP(cni_tuning_config_clear) struct cni_tuning_config config = {0};
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request = cni_request_new(CNI_VERB_ADD, cases[i].text);
		char text[512];

		request.args = cases[i].args;
		cr_expect_eq(cni_tuning_config_read(&request, &config, &error), 0, "%s: %s", cases[i].text,
			     error.message);
		describe(&config, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].expected, "%s: %s", cases[i].text, text);
		json_object_put(request.config);
	}
}

/* the dots of an interface's name are no slashes */
Test(cni_tuning, interface_with_a_dot)
{
	CNI_CLEANUP(cni_tuning_config_clear) struct cni_tuning_config config = {0};
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
	struct cni_request request = cni_request_new(CNI_VERB_ADD, "{\"sysctl\":{\"net.ipv4.conf.IFNAME.x\":\"1\"}}");

	request.ifname = "eth0.100";
	cr_expect_eq(cni_tuning_config_read(&request, &config, &error), 0);
	cr_expect_str_eq(config.sysctls[0].name, "net/ipv4/conf/eth0.100/x");
	json_object_put(request.config);
}

Test(cni_tuning, messages)
{
	const struct {
		const char *args, *text, *expected;
	} cases[] = {
		{"", "{\"mtu\":\"1400\"}", "mtu is \"1400\", expected an integer"},
		{"", "{\"mtu\":1400.0}", "mtu is 1400.0, expected an integer"},
		{"", "{\"mtu\":-1}", "mtu is -1, expected 0 to 2147483647"},
		{"", "{\"mtu\":2147483648}", "mtu is 2147483648, expected 0 to 2147483647"},
		{"", "{\"txQLen\":-1}", "txQLen is -1, expected 0 to 2147483647"},
		{"", "{\"txQLen\":true}", "txQLen is true, expected an integer"},
		{"", "{\"promisc\":1}", "promisc is 1, expected true or false"},
		{"", "{\"allmulti\":\"on\"}", "allmulti is \"on\", expected true or false"},
		{"", "{\"dataDir\":5}", "dataDir is 5, expected a string"},
		{"", "{\"mac\":5}", "mac is 5, expected a string"},
		{"", "{\"mac\":\"02:00\"}", "mac is \"02:00\", expected a MAC address such as 02:00:00:00:00:01"},
		{"", "{\"args\":5}", "args is 5, expected an object"},
		{"", "{\"args\":{\"cni\":5}}", "args.cni is 5, expected an object"},
		{"", "{\"args\":{\"cni\":{\"mtu\":{}}}}", "args.cni.mtu is {}, expected an integer"},
		{"", "{\"args\":{\"cni\":{\"mac\":\"x\"}}}",
		 "args.cni.mac is \"x\", expected a MAC address such as 02:00:00:00:00:01"},
		{"", "{\"runtimeConfig\":{\"mac\":\"x\"}}",
		 "runtimeConfig.mac is \"x\", expected a MAC address such as 02:00:00:00:00:01"},
		{"MAC=x", "{}", "CNI_ARGS MAC is \"x\", expected a MAC address such as 02:00:00:00:00:01"},
		{"MAC=x", "{\"args\":{\"cni\":{\"mac\":\"02:00:00:00:00:01\"}}}",
		 "CNI_ARGS MAC is \"x\", expected a MAC address such as 02:00:00:00:00:01"},
		{"IP=1", "{}", "CNI_ARGS has the key IP, which is unknown; IgnoreUnknown=1 would allow it"},
		{"", "{\"sysctl\":[]}", "sysctl is [], expected an object"},
		{"", "{\"sysctl\":{\"net.a\":1}}", "sysctl: net.a is 1, expected a string"},
		{"", "{\"sysctl\":{\"net.a\":null}}", "sysctl: net.a is null, expected a string"},
		{"", "{\"args\":{\"cni\":{\"sysctl\":{\"net.a\":\"1\\u0000\"}}}}",
		 "args.cni.sysctl: net.a is \"1\\u0000\", expected a string"},
		{"", "{\"sysctl\":{\"kernel.hostname\":\"x\"}}",
		 "sysctl names kernel/hostname, expected a setting below net., such as "
		 "net.ipv4.conf.IFNAME.arp_notify"},
		{"", "{\"sysctl\":{\"net\":\"x\"}}",
		 "sysctl names net, expected a setting below net., such as net.ipv4.conf.IFNAME.arp_notify"},
		{"", "{\"args\":{\"cni\":{\"sysctl\":{\"\":\"x\"}}}}",
		 "args.cni.sysctl names , expected a setting below net., such as net.ipv4.conf.IFNAME.arp_notify"},
		{"", "{\"sysctl\":{\"net.a\":\"1\",\"net.b\":\"2\",\"net.a\":\"1\"}}",
		 "sysctl has net.a twice, expected each key once"},
		{"", "{\"sysctl\":{\"net.a\":\"1\",\"net/a\":\"2\"}}",
		 "sysctl names net/a twice, as net.a and net/a, expected it once"},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		CNI_CLEANUP(cni_tuning_config_clear) struct cni_tuning_config config = {0};
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request = cni_request_new(CNI_VERB_ADD, cases[i].text);

		request.args = cases[i].args;
		cr_assert_eq(cni_tuning_config_read(&request, &config, &error), -1, "%s", cases[i].text);
		cr_expect_eq(error.code, CNI_ERROR_INTERNAL);
		cr_expect_str_eq(error.message, cases[i].expected);
		json_object_put(request.config);
	}
}

Test(cni_tuning, prev_result_is_needed_but_not_for_del)
{
	const enum cni_verb verbs[] = {CNI_VERB_ADD, CNI_VERB_CHECK};
	struct json_object *result = NULL;

	for (size_t i = 0; i < N_CASES(verbs); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request = cni_request_new(verbs[i], "{\"mtu\":1400}");

		cr_expect_eq(cni_plugin_tuning.run[verbs[i]](&request, &result, &error), -1);
		cr_expect_str_eq(error.message,
				 "prevResult is missing, expected the result of the plugins before this one");
		json_object_put(request.config);
	}
}

/* whatever else is wrong with a configuration, a container can be taken apart */
Test(cni_tuning, del_needs_no_more_than_the_directory)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
	struct cni_request request = cni_request_new(CNI_VERB_DEL, "{\"mtu\":\"x\",\"sysctl\":5}");
	struct json_object *result = NULL;

	request.args = "rubbish";
	cr_expect_eq(cni_plugin_tuning.run[CNI_VERB_DEL](&request, &result, &error), 0);
	request.netns = "";
	cr_expect_eq(cni_plugin_tuning.run[CNI_VERB_DEL](&request, &result, &error), 0);
	cr_expect_null(result);
	json_object_put(request.config);
	request = cni_request_new(CNI_VERB_DEL, "{\"dataDir\":5}");
	cr_expect_eq(cni_plugin_tuning.run[CNI_VERB_DEL](&request, &result, &error), -1);
	cr_expect_str_eq(error.message, "dataDir is 5, expected a string");
	json_object_put(request.config);
}

Test(cni_tuning, unique_keys)
{
	const struct {
		const char *text;
		const char *message; /* NULL: all is well */
	} cases[] = {
		{"{}", NULL},
		{"[]", NULL},
		{"{\"sysctl\":{}}", NULL},
		{"{\"sysctl\":{\"a\":\"1\",\"b\":\"a\"},\"x\":\"sysctl\"}", NULL},
		{"{\"sysctl\" : {\"a\" : \"1\" , \"a\"\n: \"2\"}}", "sysctl has a twice, expected each key once"},
		{"{\"SysCtl\":{\"a\":1,\"a\":1}}", "sysctl has a twice, expected each key once"},
		{"{\"sysctl\":{\"a\":1,\"\\u0061\":1}}", "sysctl has a twice, expected each key once"},
		{"{\"sysctl\":{\"\\\"\\\\\":1,\"b\":2,\"\\\"\\\\\":3}}",
		 "sysctl has \"\\ twice, expected each key once"},
		/* elsewhere it is not our affair */
		{"{\"sysctl\":{\"a\":{\"b\":1,\"b\":2}}}", NULL},
		{"{\"other\":{\"a\":1,\"a\":2}}", NULL},
		{"{\"x\":{\"sysctl\":{\"a\":1,\"a\":2}}}", NULL},
		{"{\"sysctl\":{\"a\":1},\"other\":{\"a\":1,\"a\":2}}", NULL},
		{"{\"sysctl\":{\"a\":1},\"sysctl\":{\"a\":2}}", NULL},
		{"{\"sysctl\":[{\"a\":1},{\"a\":2}]}", NULL},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		int r = cni_unique_keys_check(cases[i].text, strlen(cases[i].text), "sysctl", &error);

		cr_expect_eq(r, cases[i].message ? -1 : 0, "%s", cases[i].text);
		cr_expect_str_eq(error.message ? error.message : "", cases[i].message ? cases[i].message : "");
	}
}

Test(cni_tuning, keys_that_null_hides)
{
	const struct {
		const char *text, *restored;
	} cases[] = {
		{"{}", "{}"},
		{"{\"a\":null}", "{\"a\":null}"},
		{"{\"a\":true,\"a\":null}", "{\"a\":true}"},
		{"{ \"a\" : \"x\\\"y\" , \"b\" : 1 , \"a\" : null }", "{\"a\":\"x\\\"y\",\"b\":1}"},
		{"{\"a\":1,\"a\":-2.5e1,\"a\":null,\"\\u0061\":null}", "{\"a\":-2.5e1}"},
		{"{\"a\":null,\"a\":\"n\",\"c\":null}", "{\"a\":\"n\",\"c\":null}"},
		/* a later value counts, other cases of the key are other keys here, and lists and objects are emptied */
		{"{\"a\":1,\"a\":null,\"a\":2}", "{\"a\":2}"},
		{"{\"A\":1,\"a\":null}", "{\"A\":1,\"a\":null}"},
		{"{\"a\":[1],\"a\":null,\"b\":{\"c\":1},\"b\":null}", "{\"a\":null,\"b\":null}"},
		{"{\"a\":{\"b\":1,\"b\":null},\"b\":null}", "{\"a\":{\"b\":null},\"b\":null}"},
		{"{\"x\":\"a\",\"y\":\":\",\"a\":null}", "{\"x\":\"a\",\"y\":\":\",\"a\":null}"},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		CNI_CLEANUP(cni_json_putp) struct json_object *object = NULL;

		cr_assert_eq(cni_json_parse(cases[i].text, strlen(cases[i].text), &object, &error), 0);
		cr_expect_eq(cni_unique_keys_restore(cases[i].text, strlen(cases[i].text), object, &error), 0);
		cr_expect_str_eq(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), cases[i].restored,
				 "%s", cases[i].text);
	}
}

Test(cni_tuning, expressions)
{
	const struct {
		const char *line, *expression, *reason;
	} cases[] = {
		{"", "", NULL},
		{"^net\\.ipv4\\..*$", "^net\\.ipv4\\..*$", NULL},
		{"a\\d+\\D\\w", "a[0-9]+[^0-9]\\w", NULL},
		{"(?:a|b)(c)", "(a|b)(c)", NULL},
		{"[]\\.]", "[]\\.]", NULL},
		{"[a\\d]", NULL, "an escape in brackets"},
		{"[a\\]", NULL, "an escape in brackets"},
		{"[]a]", "[]a]", NULL},
		{"[^]a]b", "[^]a]b", NULL},
		{"[[:alnum:]_]", "[[:alnum:]_]", NULL},
		{"[\\.]", "[\\.]", NULL},
		{"[a", NULL, "a bracket that does not end"},
		{"\\[a", "\\[a", NULL},
		{"\\x41", NULL, "an escape that POSIX does not have"},
		{"\\pL", NULL, "an escape that POSIX does not have"},
		{"(?i)a", NULL, "a group that POSIX does not have"},
		{"(?P<x>a)", NULL, "a group that POSIX does not have"},
		{"a\\", "a\\", NULL},
		{"a+?", NULL, "a repetition of a repetition, or a lazy one"},
		{"a**", NULL, "a repetition of a repetition, or a lazy one"},
		{"a{2}+", NULL, "a repetition of a repetition, or a lazy one"},
		{"a\\*+[*]+(b+)*", "a\\*+[*]+(b+)*", NULL},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		const char *reason = NULL;
		CNI_CLEANUP(cni_freep) char *expression = cni_tuning_expression(cases[i].line, &reason);

		cr_expect_str_eq(expression ? expression : "(none)",
				 cases[i].expression ? cases[i].expression : "(none)", "%s", cases[i].line);
		cr_expect_str_eq(reason ? reason : "", cases[i].reason ? cases[i].reason : "", "%s", cases[i].line);
	}
}

/* a file with this text, to be unlinked and freed; path has room for it */
static void write_file(char *path, const char *text)
{
	int fd;

	strcpy(path, "/tmp/test-cni-tuning.XXXXXX");
	fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

Test(cni_tuning, allow_lists)
{
	const struct {
		const char *list, *text, *message; /* %s in it is the list's path */
	} cases[] = {
		{"", "{\"sysctl\":{\"net.a\":\"1\"}}", "sysctl net.a is not allowed by %s"},
		{"\n \t\n", "{\"sysctl\":{\"net.a\":\"1\"}}", "sysctl net.a is not allowed by %s"},
		{"(", "{}", NULL},
		{"net", "{\"sysctl\":{\"net.a\":\"1\"}}", NULL},
		{"^net.core.somaxconn$\n", "{\"sysctl\":{\"net/core/somaxconn\":\"1\"}}", NULL},
		{"^net.core.somaxconn$\n", "{\"sysctl\":{\"net.core.somaxconn2\":\"1\"}}",
		 "sysctl net.core.somaxconn2 is not allowed by %s"},
		{"^net.a$\n^net.b$", "{\"sysctl\":{\"net.b\":\"1\",\"net.a\":\"1\"}}", NULL},
		{"^net.a$\n^net.b$", "{\"sysctl\":{\"net.b\":\"1\"},\"args\":{\"cni\":{\"sysctl\":{\"net.c\":\"1\"}}}}",
		 "sysctl net.c is not allowed by %s"},
		/* what is matched is what the configuration says */
		{"\\.eth0\\.", "{\"sysctl\":{\"net.IFNAME.x\":\"1\"}}", "sysctl net.IFNAME.x is not allowed by %s"},
		{"IFNAME", "{\"sysctl\":{\"net.IFNAME.x\":\"1\"}}", NULL},
		{"net\n\n(", "{\"sysctl\":{\"net.a\":\"1\"}}",
		 "%s: line 3 is \"(\", expected a POSIX extended expression: Unmatched ( or \\("},
		{"net.\\x41", "{\"sysctl\":{\"net.a\":\"1\"}}",
		 "%s: line 1 is \"net.\\x41\", expected a POSIX extended expression: an escape that POSIX does not "
		 "have"},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		CNI_CLEANUP(cni_tuning_config_clear) struct cni_tuning_config config = {0};
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request = cni_request_new(CNI_VERB_ADD, cases[i].text);
		char path[64], expected[256] = "";

		write_file(path, cases[i].list);
		cr_assert_eq(cni_tuning_config_read(&request, &config, &error), 0);
		cr_expect_eq(cni_tuning_allowlist_check(&config, path, &error), cases[i].message ? -1 : 0, "%s",
			     cases[i].list);
		if (cases[i].message)
			snprintf(expected, sizeof(expected), cases[i].message, path);
		cr_expect_str_eq(error.message ? error.message : "", expected);
		unlink(path);
		cr_expect_eq(cni_tuning_allowlist_check(&config, path, &error), 0, "no list allows everything");
		cr_expect_eq(cni_tuning_allowlist_check(&config, "/tmp", &error), config.n_sysctls > 0 ? -1 : 0,
			     "what cannot be read allows nothing");
		json_object_put(request.config);
	}
}

/* reads a whole small file */
static const char *slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	cr_assert_geq(n, 0, "%s", path);
	buf[n] = '\0';
	close(fd);
	return buf;
}

Test(cni_tuning, backups)
{
	const struct flannel_link_settings first = {.which = 31,
						    .mac = "02:00:00:00:00:03",
						    .mtu = 1500,
						    .all_multicast = 1,
						    .queue_length = 1000},
					   second = {.which = FLANNEL_LINK_SETTING_MTU, .mtu = 1400};
	char directory[] = "/tmp/test-cni-tuning.XXXXXX", inner[64], buf[256];
	struct cni_request request = cni_request_new(CNI_VERB_ADD, "{}");
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
	struct cni_tuning_backup backup, again;
	struct stat status;

	cr_assert_not_null(mkdtemp(directory));
	snprintf(inner, sizeof(inner), "%s/tuning", directory);
	umask(022);
	cr_expect_eq(cni_tuning_backup_load(&request, inner, &backup, &error), 0);
	cr_expect_eq(cni_tuning_backup_save(&backup, inner, &second, &error), 0);
	cr_expect_str_eq(slurp(backup.path, buf, sizeof(buf)), "{\n \"mtu\": 1400\n}");
	cr_expect(stat(inner, &status) == 0 && (status.st_mode & 07777) == 0600);
	cr_expect(stat(backup.path, &status) == 0 && (status.st_mode & 07777) == 0600);

	/* what is older stays */
	cr_expect_eq(cni_tuning_backup_load(&request, inner, &again, &error), 1);
	cr_expect_eq(cni_tuning_backup_save(&again, inner, &first, &error), 0);
	cr_expect_str_eq(
		slurp(backup.path, buf, sizeof(buf)),
		"{\n \"mac\": \"02:00:00:00:00:03\",\n \"promisc\": false,\n \"mtu\": 1400,\n \"allmulti\": true,\n "
		"\"txQLen\": 1000\n}");
	cni_tuning_backup_undo(&again, inner);
	cr_expect_str_eq(slurp(backup.path, buf, sizeof(buf)), "{\n \"mtu\": 1400\n}");
	cni_tuning_backup_undo(&backup, inner);
	cr_expect_eq(access(inner, F_OK), -1);
	cni_tuning_backup_clear(&again);
	cni_tuning_backup_clear(&backup);
	cr_expect_eq(rmdir(directory), 0);
	json_object_put(request.config);
}

Test(cni_tuning, backups_that_make_no_sense)
{
	const char *const texts[] = {"",
				     "{",
				     "[]",
				     "5",
				     "{\"mtu\":\"x\"}",
				     "{\"mac\":\"x\"}",
				     "{\"promisc\":1}",
				     "{\"mtu\":-1}",
				     "{\"txQLen\":4294967296}",
				     "{} x"};
	struct cni_request request = cni_request_new(CNI_VERB_DEL, "{}");
	char directory[] = "/tmp/test-cni-tuning.XXXXXX", path[64];

	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/c1_eth0.json", directory);
	for (size_t i = 0; i < N_CASES(texts); i++) {
		CNI_CLEANUP(cni_tuning_backup_clear) struct cni_tuning_backup backup = {0};
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		FILE *file = fopen(path, "w");

		cr_assert_not_null(file);
		fputs(texts[i], file);
		fclose(file);
		cr_expect_eq(cni_tuning_backup_load(&request, directory, &backup, &error), -1, "%s", texts[i]);
		cr_expect(strstr(error.message, path), "%s", error.message);
		cr_expect_eq(backup.settings.which, 0);
	}
	unlink(path);
	rmdir(directory);
	json_object_put(request.config);
}
