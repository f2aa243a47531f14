/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>

#include "cleanup.h"
#include "log.h"
#include "verbosity.h"

/* what klog takes and refuses */
Test(cli_verbosity, modules_are_checked)
{
	static const char *const good[] = {"",     "node=2", "node=2,rtnl=0", "no*=10", "n?de=1,",
					   ",a=1", "a=+1",   "[ab]=1",        "a/b=2",  "a=2147483647"};
	static const char *const bad[] = {"node",
					  "node=",
					  "=2",
					  "node=x",
					  "node=-1",
					  "a=1,b",
					  "a=1=2",
					  "a=0x1",
					  "a= 1",
					  "a=2147483648",
					  "a=00000000000000000000000000000000001"};

	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		cr_expect_eq(verbosity_check_modules(good[i]), 0, "%s", good[i]);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		cr_expect_eq(verbosity_check_modules(bad[i]), -EINVAL, "%s", bad[i]);
}

Test(cli_verbosity, traces_are_checked)
{
	static const char *const good[] = {"", "file.go:234", "a.c:1"};
	static const char *const bad[] = {"file.go",    "file:1",    "file.go:", "file.go:0",
					  "file.go:-1", "file.go:x", ":1",       "x:a.b"};

	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		cr_expect_eq(verbosity_check_trace(good[i]), 0, "%s", good[i]);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		cr_expect_eq(verbosity_check_trace(bad[i]), -EINVAL, "%s", bad[i]);
}

Test(cli_verbosity, what_is_written)
{
	static const struct {
		int64_t v;
		const char *modules;
		const char *area;
		bool is_debug_written;
		enum flannel_log_level max;
	} cases[] = {
		{0, "", "node", false, FLANNEL_LOG_INFO},
		{-1, "", "node", false, FLANNEL_LOG_INFO},
		{1, "", "node", true, FLANNEL_LOG_DEBUG},
		{10, "", "node", true, FLANNEL_LOG_DEBUG},
		{0, "node=1", "node", true, FLANNEL_LOG_DEBUG},
		{0, "node=1", "rtnl", false, FLANNEL_LOG_DEBUG},
		{0, "node*=4", "node-ready", true, FLANNEL_LOG_DEBUG},
		{0, "nod=1", "node", false, FLANNEL_LOG_DEBUG},
		{0, "rtnl=3,n?de=2", "node", true, FLANNEL_LOG_DEBUG},
		{0, "*=1", "anything", true, FLANNEL_LOG_DEBUG},
		/* 0 says nothing, as in klog */
		{1, "node=0", "node", true, FLANNEL_LOG_DEBUG},
		{0, "node=0", "node", false, FLANNEL_LOG_INFO},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct logger logger = {.fd = -1, .level = FLANNEL_LOG_ERROR};

		logger_set_verbosity(&logger, cases[i].v, cases[i].modules);
		cr_expect_eq(logger_is_written(&logger, FLANNEL_LOG_DEBUG, cases[i].area), cases[i].is_debug_written,
			     "case %zu", i);
		cr_expect(logger_is_written(&logger, FLANNEL_LOG_INFO, cases[i].area), "case %zu", i);
		cr_expect_eq(logger_get_max_level(&logger), cases[i].max, "case %zu", i);
	}
}
