/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"

Test(error, new_keeps_what_it_is_given)
{
	const struct {
		int code;
		const char *area, *operation, *detail;
		int want_code;
		const char *want_area, *want_operation, *want_detail, *want_message;
	} cases[] = {
		{-ENOENT, "store", "read a.json", "it is gone", -ENOENT, "store", "read a.json", "it is gone",
		 "read a.json: it is gone"},
		{-ENOENT, "store", "read a.json", NULL, -ENOENT, "store", "read a.json", "No such file or directory",
		 "read a.json: No such file or directory"},
		{-ENOENT, NULL, NULL, NULL, -ENOENT, "host", "", "No such file or directory",
		 "No such file or directory"},
		{-ENOENT, "", "", "", -ENOENT, "", "", "", ""},
		{-ENOENT, "file", "open", "", -ENOENT, "file", "open", "", "open"},
		{0, "file", "open", "x", -EINVAL, "file", "open", "x", "open: x"},
		{5, "file", "open", "x", -EINVAL, "file", "open", "x", "open: x"},
		{-3999, "file", "open", NULL, -3999, "file", "open", "error -3999", "open: error -3999"},
		{INT_MIN, "file", "open", NULL, INT_MIN, "file", "open", "error -2147483648",
		 "open: error -2147483648"},
		{-EIO, "nft", "apply", "line 1\nline 2\t\r\n", -EIO, "nft", "apply", "line 1 line 2",
		 "apply: line 1 line 2"},
		{-EIO, "nft", "apply", "\n", -EIO, "nft", "apply", "", "apply:"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		int r = flannel_error_new(&error, cases[i].code, cases[i].area, cases[i].operation, cases[i].detail, 0);

		cr_expect_eq(r, cases[i].want_code, "case %zu", i);
		cr_expect_eq(flannel_error_get_code(error), cases[i].want_code, "case %zu", i);
		cr_expect_str_eq(flannel_error_get_area(error), cases[i].want_area, "case %zu", i);
		cr_expect_str_eq(flannel_error_get_operation(error), cases[i].want_operation, "case %zu", i);
		cr_expect_str_eq(flannel_error_get_detail(error), cases[i].want_detail, "case %zu", i);
		cr_expect_str_eq(flannel_error_get_message(error), cases[i].want_message, "case %zu", i);
		cr_expect_eq(flannel_error_is_retryable(error), 0, "case %zu", i);
	}
}

Test(error, null_is_harmless)
{
	cr_expect_eq(flannel_error_new(NULL, -EPERM, NULL, NULL, NULL, 0), -EPERM);
	cr_expect_eq(flannel_error_new(NULL, 0, NULL, NULL, NULL, 0), -EINVAL);
	cr_expect_null(flannel_error_ref(NULL));
	cr_expect_null(flannel_error_unref(NULL));
	cr_expect_eq(flannel_error_get_code(NULL), 0);
	cr_expect_str_empty(flannel_error_get_area(NULL));
	cr_expect_str_empty(flannel_error_get_operation(NULL));
	cr_expect_str_empty(flannel_error_get_detail(NULL));
	cr_expect_str_empty(flannel_error_get_message(NULL));
	cr_expect_eq(flannel_error_is_retryable(NULL), 0);
	cr_expect_eq(fl_error_set(NULL, -EPERM, "file", NULL, "x"), -EPERM);
	cr_expect_eq(fl_error_wrap(NULL, -EPERM, "x"), -EPERM);
	cr_expect_eq(fl_error_oom(NULL), -ENOMEM);
}

Test(error, references_keep_it)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	cr_expect_eq(flannel_error_new(&error, -EBUSY, "rtnl", "add", NULL, 7), -EBUSY);
	cr_expect_eq(flannel_error_is_retryable(error), 1);
	cr_expect_eq(flannel_error_ref(error), error);
	cr_expect_null(flannel_error_unref(error));
	cr_expect_str_eq(flannel_error_get_operation(error), "add");
}

Test(error, set_formats_the_operation)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL, *retryable = NULL;

	cr_expect_eq(fl_error_set(&error, -EEXIST, "rtnl", "by kernel", "add route %s/%d", "10.0.0.0", 8), -EEXIST);
	cr_expect_str_eq(flannel_error_get_message(error), "add route 10.0.0.0/8: by kernel");
	cr_expect_eq(flannel_error_is_retryable(error), 0);
	cr_expect_eq(fl_error_set_retryable(&retryable, -EAGAIN, "store", NULL, "ask"), -EAGAIN);
	cr_expect_eq(flannel_error_is_retryable(retryable), 1);
	cr_expect_str_eq(flannel_error_get_detail(retryable), "Resource temporarily unavailable");
}

Test(error, wrap_puts_context_in_front)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL, *first = NULL, *none = NULL;

	(void)fl_error_set_retryable(&error, -EEXIST, "rtnl", "File exists", "create veth %s", "eth0");
	first = flannel_error_ref(error);
	cr_expect_eq(fl_error_wrap(&error, -EEXIST, "attach container %s", "c1"), -EEXIST);
	cr_expect_str_eq(flannel_error_get_operation(error), "attach container c1: create veth eth0");
	cr_expect_str_eq(flannel_error_get_message(error), "attach container c1: create veth eth0: File exists");
	cr_expect_str_eq(flannel_error_get_detail(error), "File exists");
	cr_expect_str_eq(flannel_error_get_area(error), "rtnl");
	cr_expect_eq(flannel_error_is_retryable(error), 1);
	/* the other holder's error has not changed */
	cr_expect_str_eq(flannel_error_get_operation(first), "create veth eth0");

	/* another code translates, so that result and error agree */
	cr_expect_eq(fl_error_wrap(&error, -EIO, "add"), -EIO);
	cr_expect_eq(flannel_error_get_code(error), -EIO);

	cr_expect_eq(fl_error_wrap(&none, -EIO, "add"), -EIO);
	cr_expect_null(none);
}

Test(error, wrap_without_operation)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	(void)flannel_error_new(&error, -EIO, NULL, NULL, "why", 0);
	(void)fl_error_wrap(&error, -EIO, "read");
	cr_expect_str_eq(flannel_error_get_message(error), "read: why");
}

Test(error, no_memory_error_is_immortal)
{
	struct flannel_error *error = NULL, *same = NULL;

	cr_expect_eq(fl_error_oom(&error), -ENOMEM);
	cr_assert_not_null(error);
	(void)fl_error_oom(&same);
	cr_expect_eq(error, same);
	for (int i = 0; i < 3; i++)
		cr_expect_null(flannel_error_unref(error));
	cr_expect_eq(flannel_error_ref(error), error);
	cr_expect_eq(fl_error_wrap(&error, -ENOMEM, "attach"), -ENOMEM);
	cr_expect_eq(error, same);
	cr_expect_eq(flannel_error_get_code(error), -ENOMEM);
	cr_expect_str_eq(flannel_error_get_area(error), "memory");
	cr_expect_str_eq(flannel_error_get_message(error), "Cannot allocate memory");
}

/* takes and drops references as fast as it can */
static void *churn(void *error)
{
	for (int i = 0; i < 100000; i++) {
		flannel_error_ref(error);
		flannel_error_unref(error);
	}
	return NULL;
}

Test(error, references_in_threads)
{
	struct flannel_error *error = NULL;
	pthread_t threads[4];

	(void)flannel_error_new(&error, -EIO, NULL, NULL, NULL, 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(threads); i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, churn, error), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(threads); i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	/* a count that went wrong is a leak or a use after free here */
	cr_expect_eq(flannel_error_get_code(error), -EIO);
	flannel_error_unref(error);
}

struct options {
	size_t size;
	int first;
	int second;
	char *third;
};

Test(options, null_is_all_default)
{
	struct options to = {1, 2, 3, (char *)"x"};

	cr_expect_eq(fl_options_copy(&to, sizeof(to), sizeof(to), NULL, "options", NULL), 0);
	cr_expect_eq(to.size, sizeof(to));
	cr_expect_eq(to.first, 0);
	cr_expect_eq(to.second, 0);
	cr_expect_null(to.third);
}

Test(options, sizes)
{
	struct {
		struct options known;
		char later[8];
	} from;
	const size_t first_release = offsetof(struct options, second);
	const struct {
		size_t size;
		char tail;
		int want, want_second;
	} cases[] = {
		{0, 0, -EINVAL, 0},       {first_release - 1, 0, -EINVAL, 0},
		{first_release, 0, 0, 0}, {sizeof(struct options), 1, 0, 22},
		{sizeof(from), 0, 0, 22}, {sizeof(from), 1, -E2BIG, 0},
		{SIZE_MAX, 0, -E2BIG, 0}, {4097, 0, -E2BIG, 0},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct options to = {.first = 5, .second = 5};
		int r;

		memset(&from, 0, sizeof(from));
		from.known = (struct options){.size = cases[i].size, .first = 11, .second = 22};
		from.later[7] = cases[i].tail;
		r = fl_options_copy(&to, sizeof(to), first_release, &from, "flannel_x_options", &error);
		cr_expect_eq(r, cases[i].want, "case %zu: %d", i, r);
		cr_expect_eq(flannel_error_get_code(error), cases[i].want, "case %zu", i);
		if (r < 0) {
			cr_expect_str_eq(flannel_error_get_area(error), "argument", "case %zu", i);
			cr_expect_not_null(strstr(flannel_error_get_message(error), "flannel_x_options"), "case %zu",
					   i);
			cr_expect_eq(to.first, 5, "case %zu: changed on failure", i);
			continue;
		}
		cr_expect_eq(to.size, sizeof(to), "case %zu", i);
		cr_expect_eq(to.first, 11, "case %zu", i);
		cr_expect_eq(to.second, cases[i].want_second, "case %zu", i);
	}
}

struct capture {
	int n;
	enum flannel_log_level level;
	char area[16];
	char message[2048];
};

/* a log function that remembers the last message, and spoils errno as a bad one might */
static void capture(void *userdata, enum flannel_log_level level, const char *area, const char *message)
{
	struct capture *captured = userdata;

	captured->n++;
	captured->level = level;
	(void)snprintf(captured->area, sizeof(captured->area), "%s", area);
	(void)snprintf(captured->message, sizeof(captured->message), "%s", message);
	errno = EDOM;
}

Test(log, filters_and_keeps_errno)
{
	struct capture captured = {0};
	struct fl_log log = {.fn = capture, .userdata = &captured, .level = FLANNEL_LOG_INFO};
	struct fl_log silent = {.fn = NULL, .level = FLANNEL_LOG_DEBUG};

	errno = ENOENT;
	fl_log(NULL, FLANNEL_LOG_ERROR, "rtnl", "x");
	fl_log(&silent, FLANNEL_LOG_ERROR, "rtnl", "x");
	fl_log(&log, FLANNEL_LOG_DEBUG, "rtnl", "x");
	cr_expect_eq(captured.n, 0);
	fl_log(&log, FLANNEL_LOG_INFO, "rtnl", "route %d", 5);
	cr_expect_eq(captured.n, 1);
	cr_expect_eq(captured.level, FLANNEL_LOG_INFO);
	cr_expect_str_eq(captured.area, "rtnl");
	cr_expect_str_eq(captured.message, "route 5");
	cr_expect_eq(errno, ENOENT);
}

Test(log, long_messages_are_whole)
{
	const int lengths[] = {0, 510, 511, 512, 513, 1500};
	struct capture captured = {0};
	struct fl_log log = {.fn = capture, .userdata = &captured, .level = FLANNEL_LOG_INFO};

	for (size_t i = 0; i < FL_N_ELEMENTS(lengths); i++) {
		fl_log(&log, FLANNEL_LOG_ERROR, "nft", "%*s", lengths[i], "");
		cr_expect_eq(strlen(captured.message), (size_t)lengths[i]);
	}
}
