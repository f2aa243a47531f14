/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "domain/pod/bandwidth.h"

Test(bandwidth, ticks)
{
	static const struct {
		const char *text;
		int result;
		struct fl_ticks ticks;
	} cases[] = {
		{"000003e8 00000040 000f4240 3b9aca00\n", 0, {1000, 64}},
		{"3e8 40 f4240", 0, {1000, 64}},
		{"00000001 00000001 000f4240 3b9aca00", 0, {1, 1}},
		{"00000002 00000001 0007a120 3b9aca00", 0, {1, 1}},
		{"", -EBADMSG, {0}},
		{"000003e8 00000040", -EBADMSG, {0}},
		{"x y z", -EBADMSG, {0}},
		{"00000000 00000040 000f4240 0", -EBADMSG, {0}},
		{"000003e8 00000000 000f4240 0", -EBADMSG, {0}},
		{"000003e8 00000040 00000000 0", -EBADMSG, {0}},
		{"00000001 00000001 00000001 0", -EBADMSG, {0}},
		{"ffffffff 00000001 ffffffff 0", -EBADMSG, {0}},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct fl_ticks ticks = {0};

		cr_expect_eq(fl_ticks_parse(cases[i].text, &ticks), cases[i].result, "%s", cases[i].text);
		cr_expect(ticks.n_ticks == cases[i].ticks.n_ticks && ticks.n_usec == cases[i].ticks.n_usec, "%s",
			  cases[i].text);
	}
}

Test(bandwidth, limits_as_token_buckets)
{
	static const struct fl_ticks ticks = {1000, 64};
	static const struct {
		struct flannel_bandwidth_limit limit;
		struct fl_tbf tbf;
		const char *message; /* NULL: none */
	} cases[] = {
		/* the numbers that the reference plugin sets */
		{{1000000, 10000}, {1000000, 35000, 156250}, NULL},
		{{125000, 250000}, {125000, 253125, 31250000}, NULL},
		{{375000, 500000}, {375000, 509375, 20833328}, NULL},
		{{1, 1}, {1, 1, 15625000}, NULL},
		/* whole microseconds first */
		{{3, 1}, {3, 1, 5208328}, NULL},
		{{UINT64_C(5000000000), 4000000000}, {UINT64_C(5000000000), 4125000000, 12500000}, NULL},
		{{UINT64_C(5000000001), 4294967295}, {UINT64_C(5000000001), 4294967295, 13421765}, NULL},
		{{UINT64_C(400000000000000), 4294967295}, {UINT64_C(400000000000000), 4294967295, 156}, NULL},
		{{1, 274}, {1, 274, 4281250000}, NULL},
		{{1, 275},
		 {0},
		 "sent is 1 bytes per second with a burst of 275 bytes: the burst is more than the rate yields in 274 "
		 "s"},
		{{1, 4294967295},
		 {0},
		 "sent is 1 bytes per second with a burst of 4294967295 bytes: the burst is more than the rate yields "
		 "in 274 s"},
		{{2000000, 1},
		 {0},
		 "sent is 2000000 bytes per second with a burst of 1 bytes: the burst is less than the rate yields in "
		 "a "
		 "microsecond"},
		{{UINT64_MAX, 4294967295},
		 {0},
		 "sent is 18446744073709551615 bytes per second with a burst of 4294967295 bytes: the burst is less "
		 "than the "
		 "rate yields in a microsecond"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_tbf tbf = {0};
		int r = fl_bandwidth_want(&cases[i].limit, &ticks, "sent", &tbf, &error);

		cr_expect_eq(r, cases[i].message ? -EINVAL : 0, "case %zu", i);
		cr_expect_str_eq(flannel_error_get_message(error), cases[i].message ? cases[i].message : "");
		cr_expect(fl_tbf_equal(&tbf, &cases[i].tbf), "case %zu: %llu %u %u", i, (unsigned long long)tbf.rate,
			  tbf.limit, tbf.buffer);
	}
}

Test(bandwidth, buckets_differ_by_each_number)
{
	const struct fl_tbf a = {1, 2, 3};

	cr_expect(fl_tbf_equal(&a, &(struct fl_tbf){1, 2, 3}));
	cr_expect(!fl_tbf_equal(&a, &(struct fl_tbf){2, 2, 3}));
	cr_expect(!fl_tbf_equal(&a, &(struct fl_tbf){1, 1, 3}));
	cr_expect(!fl_tbf_equal(&a, &(struct fl_tbf){1, 2, 2}));
}

Test(bandwidth, options)
{
	char long_tag[FLANNEL_BANDWIDTH_TAG_SIZE + 1];
	const struct {
		struct flannel_bandwidth_options options;
		const char *message; /* NULL: none */
	} cases[] = {
		{{.link = "v0", .sent = {1, 1}}, NULL},
		{{.link = "v0", .received = {1, 1}, .receive_device = "ifb0", .tag = "x"}, NULL},
		{{.link = "v0", .sent = {1, 1}, .receive_device = "a/b"}, NULL},
		{{.sent = {1, 1}}, "link is \"\": expected an interface name of 1 to 15 bytes"},
		{{.link = "a/b", .sent = {1, 1}}, "link is \"a/b\": expected an interface name of 1 to 15 bytes"},
		{{.link = "v0"}, "sent and received are 0: expected at least one limit"},
		{{.link = "v0", .sent = {1, 0}},
		 "sent is 1 bytes per second with a burst of 0 bytes: expected both a rate and a burst, or neither"},
		{{.link = "v0", .received = {0, 7}, .receive_device = "ifb0"},
		 "received is 0 bytes per second with a burst of 7 bytes: expected both a rate and a burst, or "
		 "neither"},
		{{.link = "v0", .received = {1, 1}},
		 "receive_device is \"\": expected an interface name of 1 to 15 bytes"},
		{{.link = "v0", .received = {1, 1}, .receive_device = "1234567890123456"},
		 "receive_device is \"1234567890123456\": expected an interface name of 1 to 15 bytes"},
		{{.link = "v0", .received = {1, 1}, .receive_device = "v0"},
		 "receive_device is \"v0\": expected another name than the link's"},
		{{.link = "v0", .sent = {1, 1}, .tag = ""}, "tag is \"\": expected 1 to 63 bytes"},
		{{.link = "v0", .sent = {1, 1}, .tag = long_tag},
		 "tag is \"tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt\": expected 1 to 63 bytes"},
	};

	memset(long_tag, 't', sizeof(long_tag));
	long_tag[FLANNEL_BANDWIDTH_TAG_SIZE] = '\0';
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		cr_expect_eq(fl_bandwidth_check(&cases[i].options, &error), cases[i].message ? -EINVAL : 0, "case %zu",
			     i);
		cr_expect_str_eq(flannel_error_get_message(error), cases[i].message ? cases[i].message : "");
	}
}
