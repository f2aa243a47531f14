/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "base/cleanup.h"
#include "domain/pod/sysctl.h"

Test(sysctl, names)
{
	static const struct {
		const char *name;
		bool valid, public;
	} cases[] = {
		{"net/ipv4/ip_forward", true, true},
		{"net/ipv4/conf/eth0.100/rp_filter", true, true},
		{"net/x", true, true},
		{"kernel/hostname", true, false},
		{"net", true, false},
		{"netx/y", true, false},
		{"Net/x", true, false},
		{"", false, false},
		{"/", false, false},
		{"net/", false, false},
		{"/net/x", false, false},
		{"net//x", false, false},
		{"net/x/", false, false},
		{"net/.", false, false},
		{"net/./x", false, false},
		{"net/..", false, false},
		{"net/../kernel/hostname", false, false},
		{"net/ipv4/../../kernel/hostname", false, false},
		{"net/...", true, true},
		{"net/..x", true, true},
		{"net/a\nb", true, false},
		{"net/a\x7f", true, false},
	};
	char name[FLANNEL_SYSCTL_NAME_MAX + 2];

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		cr_expect_eq(fl_sysctl_name_is_valid(cases[i].name), cases[i].valid, "%s", cases[i].name);
		cr_expect_eq(fl_sysctl_name_is_public(cases[i].name), cases[i].public, "%s", cases[i].name);
	}
	memset(name, 'x', sizeof(name));
	memcpy(name, "net/", 4);
	name[FLANNEL_SYSCTL_NAME_MAX] = '\0';
	cr_expect(fl_sysctl_name_is_public(name));
	name[FLANNEL_SYSCTL_NAME_MAX] = 'x';
	name[FLANNEL_SYSCTL_NAME_MAX + 1] = '\0';
	cr_expect(!fl_sysctl_name_is_public(name));
}

Test(sysctl, values)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"", "", true},
		{"", "\n", true},
		{"1", "1", true},
		{"1", "1\n", true},
		{"4096 131072 6291456", "4096\t131072\t6291456", true},
		{" 0  7 ", "0\t7", true},
		{"1", "", false},
		{"1", "11", false},
		{"1 1", "11", false},
		{"1 1", "1", false},
		{"1", "1 1", false},
		{"cubic", "reno", false},
		{"A", "a", false},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		cr_expect_eq(fl_sysctl_values_equal(cases[i].a, cases[i].b), cases[i].equal, "case %zu", i);
		cr_expect_eq(flannel_sysctl_equal(cases[i].b, cases[i].a), cases[i].equal, "case %zu", i);
	}
	cr_expect_eq(flannel_sysctl_equal(NULL, ""), 0);
	cr_expect_eq(flannel_sysctl_equal("", NULL), 0);
}
