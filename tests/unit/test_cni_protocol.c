/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is refused before a plugin gets to see it: texts that are no JSON, names, versions, CNI_ARGS. */
#include "cni_call.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "args.h"
#include "version.h"

/* does nothing; for plugins of which only the versions count */
static int succeed(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	(void)request;
	(void)ret_result;
	(void)error;
	return 0;
}

static const struct cni_plugin any = {
	.name = "any",
	.about = "any",
	.run = {[CNI_VERB_ADD] = succeed, [CNI_VERB_DEL] = succeed, [CNI_VERB_CHECK] = succeed}};
static const struct cni_plugin late = {
	.name = "late", .about = "late", .oldest = "0.3.0", .run = {[CNI_VERB_ADD] = succeed}};

Test(cni_protocol, texts_that_are_no_json)
{
	static const struct {
		const char *text;
		size_t len; /* 0: of the whole text */
		const char *message;
	} cases[] = {
		{"", 0, "this is not JSON: it is empty"},
		{" \n\t\r", 0, "this is not JSON: it is empty"},
		{"\xef\xbb\xbf{}", 0, "this is not JSON: invalid text at byte 0"},
		{"{'a': 1}", 0, "this is not JSON: invalid text at byte 1"},
		{"{\"a\": 01}", 0, "this is not JSON: invalid text at byte 6"},
		{"{\"a\": +1}", 0, "this is not JSON: invalid text at byte 6"},
		{"{\"a\": .5}", 0, "this is not JSON: invalid text at byte 6"},
		{"{\"a\": 1.}", 0, "this is not JSON: invalid text at byte 6"},
		{"{\"a\": 1e}", 0, "this is not JSON: invalid text at byte 6"},
		{"{\"a\": 0x10}", 0, "this is not JSON: invalid text at byte 7"},
		{"{\"a\": NaN}", 0, "this is not JSON: invalid text at byte 6"},
		{"{\"a\": Infinity}", 0, "this is not JSON: invalid text at byte 6"},
		{"{\"a\": True}", 0, "this is not JSON: invalid text at byte 6"},
		{"{\"a\": \"\n\"}", 0, "this is not JSON: invalid text at byte 6"},
		{"{\"a\": \"", 0, "this is not JSON: invalid text at byte 6"},
		{"{\"a\": 1} // c", 0, "this is not JSON: invalid text at byte 9"},
		{"{\"a\": 1}\0", 9, "this is not JSON: invalid text at byte 8"},
		{"{", 0, "this is not JSON: unexpected end of data at byte 1"},
		{"{\"a\"", 0, "this is not JSON: unexpected end of data at byte 4"},
		{"[1,", 0, "this is not JSON: unexpected end of data at byte 3"},
		{"{} {}", 0, "this is not JSON: unexpected character at byte 3"},
		{"null {}", 0, "this is not JSON: unexpected character at byte 5"},
		{"1 2", 0, "this is not JSON: unexpected character at byte 2"},
		{"{}x", 0, "this is not JSON: invalid text at byte 2"},
		{"{\"a\" 1}", 0, "this is not JSON: object property name separator ':' expected at byte 5"},
		{"{\"a\": 1,}", 0, "this is not JSON: unexpected character at byte 8"},
		{"[1 2]", 0, "this is not JSON: array value separator ',' expected at byte 3"},
		{"{1: 2}", 0, "this is not JSON: quoted object property name expected at byte 1"},
		{"\"\\x\"", 0, "this is not JSON: invalid string sequence at byte 2"},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct json_object *value = (void *)0x1;
		size_t len = cases[i].len > 0 ? cases[i].len : strlen(cases[i].text);

		cr_expect_eq(cni_json_parse(cases[i].text, len, &value, &error), -1, "%s", cases[i].text);
		cr_expect_str_eq(error.message ? error.message : "", cases[i].message, "%s: %s", cases[i].text,
				 error.message);
		cr_expect_eq(error.code, CNI_ERROR_DECODING);
		cr_expect_eq(value, (void *)0x1);
	}
}

Test(cni_protocol, texts_that_are_json)
{
	static const char *const texts[] = {"{}",
					    " {} \n",
					    "null",
					    "1",
					    "-0.5e+7",
					    "\"x\"",
					    "true",
					    "[]",
					    "{\"\xff\": \"\xff\"}",
					    "{\"a\": \"\\u00e4\"}"};

	for (size_t i = 0; i < CNI_N_ELEMENTS(texts); i++) {
		CNI_CLEANUP(cni_json_putp) struct json_object *value = NULL;
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};

		cr_expect_eq(cni_json_parse(texts[i], strlen(texts[i]), &value, &error), 0, "%s: %s", texts[i],
			     error.message);
	}
}

Test(cni_protocol, names)
{
	static const struct cni_case cases[] = {
		{"{}", CNI_ERROR_CONFIG, "name is missing, expected the name of the network", NULL},
		{"{\"name\": \"\"}", CNI_ERROR_CONFIG, "name is missing, expected the name of the network", NULL},
		{"{\"name\": null}", CNI_ERROR_CONFIG, "name is missing, expected the name of the network", NULL},
		{"{\"name\": \"a b\"}", CNI_ERROR_CONFIG,
		 "name is \"a b\", expected letters, digits, and after the first \"_\", \".\", \"-\"", NULL},
		{"{\"name\": \"a\\n\"}", CNI_ERROR_CONFIG, "name is \"a\n\", expected letters...", NULL},
		{"{\"name\": 5}", CNI_ERROR_DECODING, "name is 5, expected a string", NULL},
		{"{\"name\": {\"a\": 1}}", CNI_ERROR_DECODING, "name is {\"a\":1}, expected a string", NULL},
		{"{\"name\": \"n\", \"cniVersion\": 1}", CNI_ERROR_DECODING, "cniVersion is 1, expected a string",
		 NULL},
		{"{\"NAME\": \"n\", \"CNIVERSION\": []}", CNI_ERROR_DECODING, "cniVersion is [], expected a string",
		 NULL},
	};

	cni_cases_expect(&any, CNI_VERB_ADD, cases, CNI_N_ELEMENTS(cases));
}

Test(cni_protocol, versions)
{
	static const struct {
		enum cni_verb verb;
		const char *version;
		unsigned int code; /* 0: it is served */
		const char *message;
	} cases[] = {
		{CNI_VERB_ADD, "0.1.0", 0, NULL},
		{CNI_VERB_ADD, "0.2.0", 0, NULL},
		{CNI_VERB_ADD, "0.3.0", 0, NULL},
		{CNI_VERB_ADD, "0.3.1", 0, NULL},
		{CNI_VERB_ADD, "0.4.0", 0, NULL},
		{CNI_VERB_ADD, "1.0.0", 0, NULL},
		{CNI_VERB_ADD, "1.1.0", 0, NULL},
		{CNI_VERB_ADD, "", 0, NULL},
		{CNI_VERB_DEL, "0.1.0", 0, NULL},
		{CNI_VERB_CHECK, "0.4.0", 0, NULL},
		{CNI_VERB_STATUS, "1.1.0", 0, NULL},
		{CNI_VERB_GC, "1.1.0", 0, NULL},
		{CNI_VERB_ADD, "x", CNI_ERROR_VERSION, "cniVersion is \"x\", which this plugin does not support"},
		{CNI_VERB_DEL, "1.2.0", CNI_ERROR_VERSION,
		 "cniVersion is \"1.2.0\", which this plugin does not support"},
		{CNI_VERB_ADD, "1.0", CNI_ERROR_VERSION, "cniVersion is \"1.0\", which this plugin does not support"},
		{CNI_VERB_ADD, "0.3.2", CNI_ERROR_VERSION,
		 "cniVersion is \"0.3.2\", which this plugin does not support"},
		{CNI_VERB_CHECK, "0.3.1", CNI_ERROR_VERSION,
		 "cniVersion is \"0.3.1\", expected at least 0.4.0 for CHECK"},
		{CNI_VERB_CHECK, "", CNI_ERROR_VERSION, "cniVersion is \"0.1.0\", expected at least 0.4.0 for CHECK"},
		{CNI_VERB_STATUS, "1.0.0", CNI_ERROR_VERSION,
		 "cniVersion is \"1.0.0\", expected at least 1.1.0 for STATUS"},
		{CNI_VERB_GC, "0.4.0", CNI_ERROR_VERSION, "cniVersion is \"0.4.0\", expected at least 1.1.0 for GC"},
		{CNI_VERB_GC, "1.1", CNI_ERROR_VERSION, "cniVersion is \"1.1\", which this plugin does not support"},
		{CNI_VERB_CHECK, "2.0.0", CNI_ERROR_VERSION,
		 "cniVersion is \"2.0.0\", which this plugin does not support"},
		{CNI_VERB_CHECK, "x", CNI_ERROR_DECODING, "cniVersion is \"x\", expected numbers such as 1.1.0"},
		{CNI_VERB_GC, "1.1.0.0", CNI_ERROR_DECODING,
		 "cniVersion is \"1.1.0.0\", expected numbers such as 1.1.0"},
		{CNI_VERB_STATUS, "1..0", CNI_ERROR_DECODING, "cniVersion is \"1..0\", expected numbers such as 1.1.0"},
		{CNI_VERB_STATUS, "1.1.", CNI_ERROR_DECODING, "cniVersion is \"1.1.\", expected numbers such as 1.1.0"},
		{CNI_VERB_STATUS, "99999999999999999999", CNI_ERROR_DECODING,
		 "cniVersion is \"99999999999999999999\", expected numbers such as 1.1.0"},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		CNI_CLEANUP(cni_freep) char *config = NULL;
		struct cni_case call = {.args = NULL};

		cr_assert_geq(asprintf(&config, "{\"name\": \"n\", \"cniVersion\": \"%s\"}", cases[i].version), 0);
		call.config = config;
		cr_expect_eq(cni_case_run(&any, cases[i].verb, &call, &error), cases[i].code ? -1 : 0, "%s %s",
			     cni_verb_name(cases[i].verb), cases[i].version);
		cr_expect_eq(error.code, cases[i].code, "%s %s", cni_verb_name(cases[i].verb), cases[i].version);
		if (cases[i].message)
			cr_expect_str_eq(error.message ? error.message : "", cases[i].message);
	}
}

Test(cni_protocol, plugins_that_came_later)
{
	static const struct cni_case cases[] = {
		{"{\"name\": \"n\", \"cniVersion\": \"0.2.0\"}", CNI_ERROR_VERSION,
		 "cniVersion is \"0.2.0\", which this plugin does not support", NULL},
		{"{\"name\": \"n\"}", CNI_ERROR_VERSION, "cniVersion is \"0.1.0\", which this plugin does not support",
		 NULL},
	};
	static const struct cni_case served = {"{\"name\": \"n\", \"cniVersion\": \"0.3.0\"}", 0, NULL, NULL};
	CNI_CLEANUP(cni_json_putp) struct json_object *list = cni_version_list("0.3.0");
	CNI_CLEANUP(cni_json_putp) struct json_object *everything = cni_version_list(NULL);
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};

	cni_cases_expect(&late, CNI_VERB_ADD, cases, CNI_N_ELEMENTS(cases));
	cr_expect_eq(cni_case_run(&late, CNI_VERB_ADD, &served, &error), 0);
	cr_expect_str_eq(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN),
			 "[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]");
	cr_expect_eq(json_object_array_length(everything), 7);
	cr_expect(cni_version_is_served("1.1.0", "0.4.0"));
	cr_expect_not(cni_version_is_served("9.0.0", NULL));
}

Test(cni_protocol, arguments)
{
	static const struct {
		const char *args;
		const char *value;   /* of the key MAC; NULL: it is not there */
		const char *message; /* NULL: they are accepted */
	} cases[] = {
		{"", NULL, NULL},
		{"MAC=x", "x", NULL},
		{"MAC=", "", NULL},
		{"MAC=x;MAC=y", "y", NULL},
		{"IgnoreUnknown=1;IP=10.0.0.1;MAC=x", "x", NULL},
		{"K8S_POD_NAME=a;IgnoreUnknown=TRUE", NULL, NULL},
		{"IgnoreUnknown=false;MAC=x", "x", NULL},
		{"IgnoreUnknown=0", NULL, NULL},
		{"IP=10.0.0.1", NULL, "CNI_ARGS has the key IP, which is unknown; IgnoreUnknown=1 would allow it"},
		{"mac=x", NULL, "CNI_ARGS has the key mac, which is unknown; IgnoreUnknown=1 would allow it"},
		{"a=1;IgnoreUnknown=1;IgnoreUnknown=0", NULL,
		 "CNI_ARGS has the key a, which is unknown; IgnoreUnknown=1 would allow it"},
		{"MAC=x;", NULL, "CNI_ARGS has \"\", expected KEY=VALUE, separated by single semicolons"},
		{";MAC=x", NULL, "CNI_ARGS has \"\", expected KEY=VALUE, separated by single semicolons"},
		{"MAC=x=y", NULL, "CNI_ARGS has \"MAC=x=y\", expected KEY=VALUE, separated by single semicolons"},
		{"MAC", NULL, "CNI_ARGS has \"MAC\", expected KEY=VALUE, separated by single semicolons"},
		{"IgnoreUnknown=2", NULL, "CNI_ARGS: IgnoreUnknown is \"2\", expected true or false"},
		{"IgnoreUnknown=", NULL, "CNI_ARGS: IgnoreUnknown is \"\", expected true or false"},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		CNI_CLEANUP(cni_freep) char *value = NULL;
		int r = cni_args_get(cases[i].args, "MAC", &value, &error);

		cr_expect_eq(r, cases[i].message ? -1 : 0, "%s: %s", cases[i].args, error.message);
		if (cases[i].message) {
			cr_expect_str_eq(error.message ? error.message : "", cases[i].message);
			cr_expect_eq(error.code, CNI_ERROR_INTERNAL);
		} else {
			cr_expect_str_eq(value ? value : "(none)", cases[i].value ? cases[i].value : "(none)", "%s",
					 cases[i].args);
		}
	}
}

/* prints an error into a pipe and reads it back; free() it */
static char *print_error(const struct cni_error *error)
{
	char text[1024];
	ssize_t len;
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(cni_error_print(error, "1.0.0", fds[1]), 0);
	len = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	close(fds[1]);
	cr_assert_gt(len, 0);
	return strndup(text, (size_t)len);
}

Test(cni_protocol, error_objects)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
	CNI_CLEANUP(cni_freep) char *plain = NULL;
	CNI_CLEANUP(cni_freep) char *detailed = NULL;
	CNI_CLEANUP(cni_freep) char *no_memory = NULL;

	(void)cni_fail(&error, 11, "a %d \"<\"", 5);
	plain = print_error(&error);
	cr_expect_str_eq(
		plain, "{\n    \"cniVersion\": \"1.0.0\",\n    \"code\": 11,\n    \"msg\": \"a 5 \\\"\\u003c\\\"\"\n}");
	(void)cni_fail_details(&error, 1, "more", "b");
	(void)cni_wrap(&error, "x%d", 1);
	(void)cni_append(&error, "; y");
	detailed = print_error(&error);
	cr_expect_str_eq(detailed, "{\n    \"cniVersion\": \"1.0.0\",\n    \"code\": 1,\n    \"msg\": \"x1: b; y\",\n"
				   "    \"details\": \"more\"\n}");
	(void)cni_fail_oom(&error);
	no_memory = print_error(&error);
	cr_expect_str_eq(no_memory, "{\n    \"code\": 999,\n    \"msg\": \"not enough memory\"\n}");
}

Test(cni_protocol, errors_of_other_programs)
{
	static const struct {
		const char *text;
		bool is_error;
		unsigned int code;
		const char *message;
	} cases[] = {
		{"{\"code\": 7, \"msg\": \"m\", \"details\": \"d\"}", true, 7, "m"},
		{"{\"Code\": 100, \"MSG\": \"m\"} \n", true, 100, "m"},
		{"{}", true, 0, ""},
		{"null", false, 0, NULL},
		{"[]", false, 0, NULL},
		{"{\"code\": -1}", false, 0, NULL},
		{"{\"code\": 1.0}", false, 0, NULL},
		{"{\"code\": \"1\"}", false, 0, NULL},
		{"{\"msg\": 1}", false, 0, NULL},
		{"{\"code\": 1}{}", false, 0, NULL},
		{"oops", false, 0, NULL},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};

		cr_expect_eq(cni_error_parse(cases[i].text, strlen(cases[i].text), &error), cases[i].is_error, "%s",
			     cases[i].text);
		if (!cases[i].is_error)
			continue;
		cr_expect_eq(error.code, cases[i].code);
		cr_expect_str_eq(error.message, cases[i].message);
	}
}
