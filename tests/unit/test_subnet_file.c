/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"
#include "domain/lease/subnet_file.h"

/* a prefix from text, AF_UNSPEC from NULL */
static struct flannel_prefix prefix_of(const char *text)
{
	struct flannel_prefix prefix = {0};

	if (text)
		cr_assert_eq(flannel_prefix_parse(text, &prefix), 0, "%s", text);
	return prefix;
}

static const struct {
	const char *network, *subnet, *network6, *subnet6;
	uint32_t mtu;
	bool ipmasq;
	const char *text;
} formats[] = {
	{"10.244.0.0/16", "10.244.1.0/24", NULL, NULL, 1450, true,
	 "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"},
	{"10.244.0.0/16", "10.244.9.64/26", "fd00:10:244::/48", "fd00:10:244:1::/64", 1500, false,
	 "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.9.65/26\nFLANNEL_IPV6_NETWORK=fd00:10:244::/48\n"
	 "FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=false\n"},
	{NULL, NULL, "fd00:10:244::/48", "fd00:10:244:1::/64", 1500, false,
	 "FLANNEL_IPV6_NETWORK=fd00:10:244::/48\nFLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\nFLANNEL_MTU=1500\n"
	 "FLANNEL_IPMASQ=false\n"},
	/* the longest there can be */
	{"255.255.255.192/26", "255.255.255.252/30", "fd11:1111:1111:1111:1111:1111:1111:1100/121",
	 "fd11:1111:1111:1111:1111:1111:1111:1110/126", UINT32_MAX, false,
	 "FLANNEL_NETWORK=255.255.255.192/26\nFLANNEL_SUBNET=255.255.255.253/30\n"
	 "FLANNEL_IPV6_NETWORK=fd11:1111:1111:1111:1111:1111:1111:1100/121\n"
	 "FLANNEL_IPV6_SUBNET=fd11:1111:1111:1111:1111:1111:1111:1111/126\nFLANNEL_MTU=4294967295\n"
	 "FLANNEL_IPMASQ=false\n"},
};

Test(subnet_file, format_and_parse)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(formats); i++) {
		const struct fl_subnet_file file = {
			.network = prefix_of(formats[i].network),
			.subnet = prefix_of(formats[i].subnet),
			.network6 = prefix_of(formats[i].network6),
			.subnet6 = prefix_of(formats[i].subnet6),
			.mtu = formats[i].mtu,
			.ipmasq = formats[i].ipmasq,
		};
		struct fl_subnet_file back;
		char *text = NULL;

		cr_assert_eq(fl_subnet_file_format(&file, &text, NULL), 0);
		cr_expect_str_eq(text, formats[i].text, "%s", text);
		fl_subnet_file_parse(text, strlen(text), &back);
		cr_expect_eq(flannel_prefix_compare(&back.network, &file.network), 0);
		cr_expect_eq(flannel_prefix_compare(&back.subnet, &file.subnet), 0);
		cr_expect_eq(flannel_prefix_compare(&back.network6, &file.network6), 0);
		cr_expect_eq(flannel_prefix_compare(&back.subnet6, &file.subnet6), 0);
		cr_expect_eq(back.mtu, file.mtu);
		cr_expect_eq(back.ipmasq, file.ipmasq);
		free(text);
	}
}

Test(subnet_file, format_refuses_a_network_without_subnet)
{
	const struct fl_subnet_file files[] = {
		{.network = prefix_of("10.244.0.0/16")},
		{.network = prefix_of("10.244.0.0/16"), .subnet = prefix_of("fd00::/64")},
		{.network = prefix_of("10.244.0.0/16"), .subnet = prefix_of("10.244.1.1/32")},
		{.network6 = prefix_of("fd00::/48"), .subnet = prefix_of("10.244.1.0/24")},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(files); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		char *text = NULL;

		cr_expect_eq(fl_subnet_file_format(&files[i], &text, &error), -EINVAL);
		cr_expect_null(text);
		cr_expect(strstr(flannel_error_get_message(error), "expected a subnet"), "%s",
			  flannel_error_get_message(error));
	}
}

#define S "FLANNEL_SUBNET"

/* what FLANNEL_SUBNET reads as, "" if nothing */
static const struct {
	const char *text, *subnet;
} grammar[] = {
	{"", ""},
	{"\n \t\n", ""},
	{S "=10.5.72.1/24", "10.5.72.0/24"},
	{S "=10.5.72.1/24\n", "10.5.72.0/24"},
	{S "=10.5.72.1/24\r\n", "10.5.72.0/24"},
	{"  " S " =\t10.5.72.1/24  \n", "10.5.72.0/24"},
	{S ": 10.5.72.1/24\n", "10.5.72.0/24"},
	{S ":10.5.72.1/24\n", "10.5.72.0/24"},
	{"export " S "=10.5.72.1/24\n", "10.5.72.0/24"},
	{"export\t" S "=10.5.72.1/24\n", "10.5.72.0/24"},
	{"exported=1\nexport=2\n" S "=10.5.72.1/24\n", "10.5.72.0/24"},
	{"# comment\n  # another = '\n" S "=10.5.72.1/24\n# end", "10.5.72.0/24"},
	{S "=10.5.72.1/24 # inline\n", "10.5.72.0/24"},
	{S "=10.5.72.1/24# no comment\n", ""},
	{S "=\n", ""},
	{S "=", ""},
	{S "=# 10.5.72.1/24\n", ""},
	/* the last one wins */
	{S "=10.5.71.1/24\n" S "=10.5.72.1/24\n", "10.5.72.0/24"},
	{S "=10.5.72.1/24\n" S "=\n", ""},
	/* quotes */
	{S "=\"10.5.72.1/24\"\n", "10.5.72.0/24"},
	{S "='10.5.72.1/24' # inline\n", "10.5.72.0/24"},
	{"A=\"a\\\"b # no comment\nsecond line\" B='\\'' " S "=10.5.72.1/24", "10.5.72.0/24"},
	{S "=\"10.5.72.1\\/24\"\n", "10.5.72.0/24"},
	{S "=\"10.5.72.1/24\\n\"\n", ""},
	{S "=\"10.5.72.1/24\n", ""},
	{S "='10.5.72.1/24", ""},
	/* variables of earlier lines */
	{"A=10.5.72\n" S "=$A.1/24\n", "10.5.72.0/24"},
	{"A=10.5\nB=${A}.72\n" S "=\"${B}.1/24\"\n", "10.5.72.0/24"},
	{"A=10.5.72\n" S "='$A.1/24'\n", ""},
	{"A=10.5.72\n" S "=\\$A.1/24\n", ""},
	{"A=10.5.72\n" S "=\"\\$A.1/24\"\n", ""},
	{S "=10.5.72.1/24$NOTHING\n", "10.5.72.0/24"},
	{S "=$A.1/24\nA=10.5.72\n", ""},
	{S "=10.5.72.1/24$\n", ""},
	{"A=1\nA=10.5.72\n" S "=${A}.1/24", "10.5.72.0/24"},
	/* lists: just one may be good */
	{S "=10.5.72.1/24,10.5.73.1/24\n", ""},
	{S "=10.5.72.1/24,10.5.72.1/24\n", ""},
	{S "=10.5.72.1/24,nonsense,\n", "10.5.72.0/24"},
	{S "=10.5.72.1/24, 10.5.73.1/24\n", "10.5.72.0/24"},
	{S "=,,\n", ""},
	/* what is no prefix of the family */
	{S "=10.5.72.1\n", ""},
	{S "=10.5.72.1/33\n", ""},
	{S "=010.5.72.1/24\n", ""},
	{S "=fd00::1/64\n", ""},
	{S "=10.5.72.1/24x\n", ""},
	/* one error makes the file void */
	{S "=10.5.72.1/24\nnonsense\n", ""},
	{S "=10.5.72.1/24\nno way=1\n", ""},
	{S "=10.5.72.1/24\n=1\n", ""},
	{S "=10.5.72.1/24\nA='", ""},
	{S "=10.5.72.1/24\nA-B=1\n", ""},
	{"export\n" S "=10.5.72.1/24\n", ""},
};

Test(subnet_file, grammar)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(grammar); i++) {
		/* without a zero behind it, so that a read too far is seen */
		size_t len = strlen(grammar[i].text);
		char *text = malloc(len ? len : 1), subnet[FLANNEL_PREFIX_STRLEN];
		struct fl_subnet_file file;

		memcpy(text, grammar[i].text, len);
		fl_subnet_file_parse(text, len, &file);
		cr_expect_str_eq(flannel_prefix_format(&file.subnet, subnet, sizeof(subnet)), grammar[i].subnet,
				 "%s\n  %s", grammar[i].text, subnet);
		free(text);
	}
}

Test(subnet_file, other_values)
{
	const char text[] =
		"FLANNEL_IPV6_SUBNET=fd00:1::1/64\nFLANNEL_IPV6_NETWORK=10.0.0.0/8\nFLANNEL_NETWORK=10.0.0.0/8\n";
	const struct {
		const char *text;
		uint32_t mtu;
		bool ipmasq;
	} cases[] = {
		{"FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n", 1450, true},
		{"FLANNEL_MTU=\"1450\"\nFLANNEL_IPMASQ: 'true'\n", 1450, true},
		{"FLANNEL_MTU=-1\nFLANNEL_IPMASQ=false\n", 0, false},
		{"FLANNEL_MTU=4294967296\nFLANNEL_IPMASQ=TRUE\n", 0, false},
		{"FLANNEL_MTU=99999999999999999999999\nFLANNEL_IPMASQ=\n", 0, false},
		{"FLANNEL_MTU=1450x\n", 0, false},
	};
	struct fl_subnet_file file;
	char buf[FLANNEL_PREFIX_STRLEN];

	fl_subnet_file_parse(text, strlen(text), &file);
	cr_expect_str_eq(flannel_prefix_format(&file.network, buf, sizeof(buf)), "10.0.0.0/8");
	cr_expect_str_eq(flannel_prefix_format(&file.subnet6, buf, sizeof(buf)), "fd00:1::/64");
	cr_expect_eq(file.subnet.family, AF_UNSPEC);
	cr_expect_eq(file.network6.family, AF_UNSPEC);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		fl_subnet_file_parse(cases[i].text, strlen(cases[i].text), &file);
		cr_expect_eq(file.mtu, cases[i].mtu, "%s: %u", cases[i].text, file.mtu);
		cr_expect_eq(file.ipmasq, cases[i].ipmasq, "%s", cases[i].text);
	}
}

/* behind a good line: nothing may be believed, and it must not take long */
Test(subnet_file, hostile_files)
{
	const char good[] = S "=10.5.72.1/24\n";
	struct fl_subnet_file file;
	size_t len = 0, size = 1 << 18;
	char *text = malloc(size);

	fl_subnet_file_parse(NULL, 0, &file);
	cr_expect_eq(file.subnet.family, AF_UNSPEC);
	/* a value that doubles with each line */
	len = (size_t)snprintf(text, size, "%sA=xxxxxxxx\n", good);
	for (int i = 0; i < 60; i++)
		len += (size_t)snprintf(text + len, size - len, "A=$A$A\n");
	fl_subnet_file_parse(text, len, &file);
	cr_expect_eq(file.subnet.family, AF_UNSPEC);
	/* too many variables */
	len = (size_t)snprintf(text, size, "%s", good);
	for (int i = 0; i < 2000; i++)
		len += (size_t)snprintf(text + len, size - len, "A%d=1\n", i);
	fl_subnet_file_parse(text, len, &file);
	cr_expect_eq(file.subnet.family, AF_UNSPEC);
	/* too long */
	memset(text, '\n', size);
	memcpy(text, good, strlen(good));
	fl_subnet_file_parse(text, size, &file);
	cr_expect_eq(file.subnet.family, AF_UNSPEC);
	fl_subnet_file_parse(text, 1000, &file);
	cr_expect_eq(file.subnet.family, AF_INET);
	/* a zero byte does not hide what follows it */
	memcpy(text, S "=10.5.72.1/24\0x", 29);
	fl_subnet_file_parse(text, 29, &file);
	cr_expect_eq(file.subnet.family, AF_UNSPEC);
	free(text);
}

/* files that the original wrote come out of our writer byte for byte */
Test(subnet_file, recorded)
{
	const char *const names[] = {"hostgw-v4",   "hostgw-dual",     "subnet-file-grammar", "subnet-env-values",
				     "reservation", "dual-lease-keys", "backend-absent",      "vxlan-dual"};

	for (size_t i = 0; i < FL_N_ELEMENTS(names); i++) {
		char path[256], *text = NULL, *again = NULL;
		struct fl_subnet_file file;
		size_t len;

		snprintf(path, sizeof(path), TEST_DATA "/flanneld/%s/subnet.env", names[i]);
		cr_assert_eq(fl_file_read(path, 65536, &text, &len, NULL), 0, "%s", path);
		fl_subnet_file_parse(text, len, &file);
		cr_assert_eq(fl_subnet_file_format(&file, &again, NULL), 0);
		cr_expect_str_eq(again, text, "%s", path);
		free(again);
		free(text);
	}
}
