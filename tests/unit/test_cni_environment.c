/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CNI_ variables: which verb needs which, and what is allowed in them. */
#include "environment.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "plugin.h"

/* a call: the variables that are set besides the verb's, and what comes of them */
struct call {
	const char *command;
	const char *container_id;
	const char *netns;
	const char *ifname;
	const char *path;
	const char *message; /* NULL: it is accepted */
};

/* sets or removes a variable */
static void set(const char *name, const char *value)
{
	cr_assert_eq(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

/* reads what a call has in the environment */
static int read_call(const struct call *call, struct cni_request *request, struct cni_error *error)
{
	const char *unknown = NULL;

	set("CNI_CONTAINERID", call->container_id);
	set("CNI_NETNS", call->netns);
	set("CNI_IFNAME", call->ifname);
	set("CNI_PATH", call->path);
	return cni_environment_read(call->command, request, &unknown, error);
}

Test(cni_environment, which_verb_needs_which)
{
	static const struct call calls[] = {
		{"ADD", "c", "/n", "e", "/p", NULL},
		{"DEL", "c", NULL, "e", "/p", NULL},
		{"DEL", "c", "", "e", "/p", NULL},
		{"CHECK", "c", "/n", "e", "/p", NULL},
		{"STATUS", NULL, NULL, NULL, "/p", NULL},
		{"GC", NULL, NULL, NULL, "/p", NULL},
		{"GC", "", "", "", "/p", NULL},
		/* rules count for the verbs that need the variable */
		{"GC", "not valid", NULL, "also/not", "/p", NULL},
		{"STATUS", "not valid", NULL, "also/not", "/p", NULL},
		{"ADD", NULL, NULL, NULL, NULL,
		 "required environment variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] are missing"},
		{"ADD", "", "", "", "",
		 "required environment variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] are missing"},
		{"CHECK", "c", NULL, "e", NULL, "required environment variables [CNI_NETNS,CNI_PATH] are missing"},
		{"DEL", NULL, NULL, NULL, NULL,
		 "required environment variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] are missing"},
		{"STATUS", "c", "/n", "e", NULL, "required environment variables [CNI_PATH] are missing"},
		{"GC", "c", "/n", "e", NULL, "required environment variables [CNI_PATH] are missing"},
		/* a wrong one is told before those that are missing */
		{"ADD", "-", NULL, NULL, NULL,
		 "CNI_CONTAINERID is \"-\", expected letters, digits, and after the first \"_\", \".\", \"-\""},
		{"ADD", NULL, NULL, "a/b", NULL,
		 "CNI_IFNAME is \"a/b\", expected a name without \"/\", \":\" and white space"},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(calls); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request;
		int r = read_call(&calls[i], &request, &error);

		cr_expect_eq(r, calls[i].message ? -1 : 1, "case %zu: %s", i, error.message);
		if (!calls[i].message)
			continue;
		cr_expect_str_eq(error.message ? error.message : "", calls[i].message, "case %zu", i);
		cr_expect_eq(error.code, CNI_ERROR_ENVIRONMENT, "case %zu", i);
	}
}

Test(cni_environment, container_ids_and_network_names)
{
	static const struct {
		const char *name;
		bool valid;
	} cases[] = {
		{"a", true},
		{"9", true},
		{"Z", true},
		{"a-b_c.d", true},
		{"0123456789abcdef0123456789abcdef", true},
		{"a.", true},
		{"a..b", true},
		{"", false},
		{"-a", false},
		{"_a", false},
		{".a", false},
		{"a b", false},
		{"a/b", false},
		{"a:b", false},
		{"a\n", false},
		{"\xc3\xa4", false},
		{"a\xc3\xa4", false},
		{"a*", false},
		{"a@", false},
		{"a[", false},
		{"a`", false},
		{"a{", false},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++)
		cr_expect_eq(cni_name_is_valid(cases[i].name), cases[i].valid, "\"%s\"", cases[i].name);
}

Test(cni_environment, interface_names)
{
	static const struct {
		const char *name;
		const char *expected; /* NULL: it is valid */
	} cases[] = {
		{"e", NULL},
		{"123456789012345", NULL},
		{"a.b", NULL},
		{"...", NULL},
		{"\xc3\xa4", NULL},
		{"\xe2\x80\x8b", NULL}, /* U+200B is no white space */
		{"\x1f", NULL},
		{"1234567890123456", "1 to 15 bytes"},
		{".", "another name than . or .."},
		{"..", "another name than . or .."},
		{"a/b", "a name without \"/\", \":\" and white space"},
		{"a:b", "a name without \"/\", \":\" and white space"},
		{"a b", "a name without \"/\", \":\" and white space"},
		{"a\t", "a name without \"/\", \":\" and white space"},
		{"a\n", "a name without \"/\", \":\" and white space"},
		{"a\v", "a name without \"/\", \":\" and white space"},
		{"a\f", "a name without \"/\", \":\" and white space"},
		{"a\r", "a name without \"/\", \":\" and white space"},
		{"a\xc2\x85", "a name without \"/\", \":\" and white space"},
		{"a\xc2\xa0", "a name without \"/\", \":\" and white space"},
		{"a\xe1\x9a\x80", "a name without \"/\", \":\" and white space"},
		{"a\xe2\x80\x80", "a name without \"/\", \":\" and white space"},
		{"a\xe2\x80\x8a", "a name without \"/\", \":\" and white space"},
		{"a\xe2\x80\xa8", "a name without \"/\", \":\" and white space"},
		{"a\xe2\x80\xa9", "a name without \"/\", \":\" and white space"},
		{"a\xe2\x80\xaf", "a name without \"/\", \":\" and white space"},
		{"a\xe2\x81\x9f", "a name without \"/\", \":\" and white space"},
		{"a\xe3\x80\x80", "a name without \"/\", \":\" and white space"},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		const struct call call = {"ADD", "c", "/n", cases[i].name, "/p", NULL};
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		CNI_CLEANUP(cni_freep) char *message = NULL;
		struct cni_request request;
		int r = read_call(&call, &request, &error);

		cr_expect_eq(r, cases[i].expected ? -1 : 1, "\"%s\"", cases[i].name);
		if (!cases[i].expected)
			continue;
		cr_assert_geq(asprintf(&message, "CNI_IFNAME is \"%s\", expected %s", cases[i].name, cases[i].expected),
			      0);
		cr_expect_str_eq(error.message ? error.message : "", message);
		cr_expect_eq(error.code, CNI_ERROR_ENVIRONMENT);
	}
}

Test(cni_environment, verbs_are_upper_case)
{
	static const char *const commands[] = {"add", "Add", "UPDATE", "ADD ", "VERSION"};

	for (size_t i = 0; i < CNI_N_ELEMENTS(commands); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request;
		const char *unknown = NULL;

		cr_expect_eq(cni_environment_read(commands[i], &request, &unknown, &error), 0, "%s", commands[i]);
		cr_expect_eq(unknown, commands[i]);
		cr_expect_str_eq(request.container_id, "");
	}
}

Test(cni_environment, override)
{
	static const struct {
		const char *value;
		bool is_on;
	} cases[] = {{NULL, false}, {"", false},    {"0", false},   {"yes", false},
		     {"1", true},   {"true", true}, {"TRUE", true}, {"True", true}};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		const struct call call = {"ADD", "c", "/n", "e", "/p", NULL};
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request;

		set("CNI_NETNS_OVERRIDE", cases[i].value);
		cr_assert_eq(read_call(&call, &request, &error), 1);
		cr_expect_eq(request.netns_override, cases[i].is_on, "%s", cases[i].value ? cases[i].value : "(unset)");
	}
}
