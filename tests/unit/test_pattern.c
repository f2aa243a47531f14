/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "domain/underlay/pattern.h"

/* what Go's regexp package says of the same text */
static const struct {
	const char *pattern;
	const char *matching[6];
	const char *other[6];
} cases[] = {
	{"eth", {"eth0", "veth1"}, {"en0", ""}},
	{"^eth", {"eth0"}, {"veth0"}},
	{"192\\.168", {"192.168.77.1", "10.192.168.1"}, {"192x168", "192.16.8.1"}},
	{"^10\\.0\\.*\\.*", {"10.0.1.2", "10.0"}, {"10.1.0.0"}},
	{"", {"", "anything"}, {NULL}},
	{"^(?:eth|ens)\\d+$", {"eth0", "ens33"}, {"ens", "ethd", "eth0x"}},
	{"^(?P<kind>en|eth)[0-9]$", {"en1", "eth1"}, {"e1"}},
	{"^(?<kind>en)$", {"en"}, {"eth"}},
	{"^[\\d.]+$", {"10.0.0.1"}, {"10.0.0.1a", "\\d", ""}},
	{"^[\\D]+$", {"eth"}, {"eth0"}},
	{"^[^\\d]+$", {"eth"}, {"eth0"}},
	{"^\\w+\\s\\S$", {"ab_1 x"}, {"ab-1 x", "a  "}},
	{"^\\W\\D\\d$", {"-a1"}, {"aa1", "-11"}},
	{"\\bth", {"x.th0"}, {"eth0"}},
	{"\\Bth", {"eth0"}, {"th0"}},
	{"\\Aeth\\z", {"eth"}, {"eth0", "veth"}},
	{"^a+?$", {"a", "aa"}, {""}},
	{"^a*?b??$", {"", "a", "ab"}, {"bb"}},
	{"^a{2}$", {"aa"}, {"a", "aaa"}},
	{"^a{1,2}?$", {"a", "aa"}, {"", "aaa"}},
	{"^a{2,}$", {"aa", "aaaa"}, {"a"}},
	{"^a{,2}$", {"a{,2}"}, {"a", "aa"}},
	{"^a{x}$", {"a{x}"}, {"ax"}},
	{"^}]$", {"}]"}, {"]"}},
	{"(?i)^ETH0$", {"eth0", "Eth0"}, {"eth1"}},
	{"^[]a]$", {"]", "a"}, {"b"}},
	{"^[^]a]$", {"b"}, {"]", "a"}},
	{"^[a-c^-]$", {"a", "b", "c", "^", "-"}, {"d"}},
	{"^[-^]$", {"-", "^"}, {"a"}},
	{"^[\\^]$", {"^"}, {"a", "\\"}},
	{"^[\\]\\[\\\\]$", {"]", "[", "\\"}, {"a"}},
	{"^[[.]$", {"[", "."}, {"a"}},
	{"^[[:digit:][:upper:]]$", {"1", "A"}, {"a", ":"}},
	{"^[^[:space:]]$", {"a"}, {" ", "\t"}},
	{"^[[:xdigit:]:]+$", {"fd00::1"}, {"fd00::g"}},
	{"^\\.\\*\\{\\\\\\/\\<\\-$", {".*{\\/<-"}, {"."}},
	{"^a|b$", {"ax", "xb"}, {"xa"}},
	{"^(a|)$", {"", "a"}, {"b"}},
	{"^(([0-9]{1,3}\\.){3}[0-9]{1,3})$", {"192.168.77.1"}, {"192.168.77", "1.2.3.4.5"}},
	{"^fe80::.*\\z", {"fe80::1"}, {"fd80::1"}},
	{"^en(p\\d+)?s\\d+(f\\d+)?(d\\d+)?$", {"enp0s31f6", "ens5"}, {"enx001122334455"}},
	{"a\\tb", {"a\tb"}, {"atb"}},
};

Test(pattern, matches_what_go_does)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_pattern pattern;

		cr_assert_eq(fl_pattern_compile(cases[i].pattern, &pattern, &error), 0, "%s: %s", cases[i].pattern,
			     flannel_error_get_message(error));
		for (size_t k = 0; k < 6 && cases[i].matching[k]; k++)
			cr_expect(fl_pattern_matches(&pattern, cases[i].matching[k]), "%s: %s", cases[i].pattern,
				  cases[i].matching[k]);
		for (size_t k = 0; k < 6 && cases[i].other[k]; k++)
			cr_expect_not(fl_pattern_matches(&pattern, cases[i].other[k]), "%s: %s", cases[i].pattern,
				      cases[i].other[k]);
		fl_pattern_clear(&pattern);
	}
}

/* what cannot be understood is refused, never matched as something else */
Test(pattern, refused)
{
	static const struct {
		const char *pattern;
		const char *part;
	} refused[] = {
		{"(", "\"(\" is no regular expression that is understood: it has a parenthesis without an end"},
		{"a)", "a closing parenthesis too many"},
		{"[a", "brackets without an end"},
		{"[]", "brackets without an end"},
		{"[b-a]", "ends before it begins"},
		{"[[:nosuch:]]", "unknown class"},
		{"[\\pL]", "escape in brackets"},
		{"[\\x41]", "escape in brackets"},
		{"[a-\\d]", "escape in brackets"},
		{"[\303\244]", "ASCII"},
		{"*", "a repetition"},
		{"*eth", "a repetition"},
		{"(*)", "a repetition"},
		{"a|+", "a repetition"},
		{"a**", "a repetition"},
		{"a*??", "a repetition"},
		{"^*", "a repetition"},
		{"\\b+", "a repetition"},
		{"a{1001}", "more than 1000"},
		{"((a{100}){100}){100}", "too many"},
		{"(((((((((((((((((((((((((((((((((a)))))))))))))))))))))))))))))))))", "32 deep"},
		{"\\", "backslash at its end"},
		{"(a)\\1", "an escape"},
		{"\\pL", "an escape"},
		{"\\x41", "an escape"},
		{"\\Qa.b\\E", "an escape"},
		{"(?=a)", "a kind of group"},
		{"(?!a)", "a kind of group"},
		{"(?i:a)", "a kind of group"},
		{"a(?i)b", "a kind of group"},
		{"(?", "a kind of group"},
		{"(?P<", "a kind of group"},
		{"(?P<a", "a group's name without an end"},
		{"(?P<a(b)", "a group's name without an end"},
	};
	char long_pattern[1100];

	for (size_t i = 0; i < FL_N_ELEMENTS(refused); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_pattern pattern;

		cr_assert_eq(fl_pattern_compile(refused[i].pattern, &pattern, &error), -EINVAL, "%s",
			     refused[i].pattern);
		cr_expect(strstr(flannel_error_get_message(error), refused[i].part), "%s: %s", refused[i].pattern,
			  flannel_error_get_message(error));
	}
	memset(long_pattern, 'a', sizeof(long_pattern));
	long_pattern[sizeof(long_pattern) - 1] = '\0';
	cr_expect_eq(fl_pattern_compile(long_pattern, &(struct fl_pattern){0}, NULL), -EINVAL);
}
