/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "mac.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

Test(cni_mac, accepts_four_forms)
{
	const char *const texts[] = {"02:00:5e:10:00:Ab", "02-00-5E-10-00-ab", "0200.5e10.00AB", "02005e1000AB"};
	struct cni_error error = {0};
	char mac[FLANNEL_MAC_STRLEN];

	for (size_t i = 0; i < N(texts); i++) {
		memset(mac, 'x', sizeof(mac));
		cr_expect_eq(cni_mac_parse(texts[i], "mac", mac, &error), 0, "%s", texts[i]);
		cr_expect_str_eq(mac, "02:00:5e:10:00:ab");
	}
}

Test(cni_mac, refuses)
{
	const char *const texts[] = {"",
				     "0",
				     "02",
				     "02:00:00:00:00",
				     "02:00:00:00:00:01:02",
				     "02:00:00:00:00:1",
				     "02:00:00:00-00:01",
				     "02:00:00:00:00:0g",
				     "2:0:0:0:0:1",
				     "02000000001",
				     "0200000000001",
				     "02000000:001",
				     "0200.0000.001",
				     "0200:0000:0001",
				     "02:00:00:00:00:01 ",
				     " 02:00:00:00:00:01",
				     "00:00:5e:00:53:00:00:01"};
	char mac[FLANNEL_MAC_STRLEN] = "untouched", expected[160];

	for (size_t i = 0; i < N(texts); i++) {
		struct cni_error error = {0};

		cr_expect_eq(cni_mac_parse(texts[i], "args.cni.mac", mac, &error), -1, "%s", texts[i]);
		cr_expect_str_eq(mac, "untouched");
		snprintf(expected, sizeof(expected),
			 "args.cni.mac is \"%s\", expected a MAC address such as 02:00:00:00:00:01", texts[i]);
		cr_expect_str_eq(error.message, expected);
		cni_error_clear(&error);
	}
}
