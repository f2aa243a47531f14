/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The vxlan backend's settings and what nodes tell each other. */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "domain/backend/vxlan.h"

/* a configuration with that Backend */
static struct flannel_netconf *configure(const char *backend)
{
	struct flannel_netconf *netconf = NULL;
	char text[512];

	snprintf(text, sizeof(text), "{\"Network\":\"10.244.0.0/16\",\"Backend\":%s}", backend);
	cr_assert_eq(flannel_netconf_parse(text, strlen(text), &netconf, NULL), 0, "%s", text);
	return netconf;
}

static const struct {
	const char *backend;
	struct fl_vxlan_settings settings;
} good[] = {
	{"{\"Type\":\"vxlan\"}", {.vni = 1}},
	{"{\"Type\":\"vxlan\",\"VNI\":null,\"Port\":null,\"GBP\":null}", {.vni = 1}},
	{"{\"Type\":\"vxlan\",\"VNI\":0,\"Port\":0,\"MTU\":0}", {.vni = 0}},
	{"{\"Type\":\"vxlan\",\"vni\":77,\"PORT\":4789,\"mtu\":1400}", {.vni = 77, .port = 4789, .mtu = 1400}},
	{"{\"Type\":\"vxlan\",\"VNI\":16777215,\"Port\":65535,\"MTU\":65585}",
	 {.vni = 16777215, .port = 65535, .mtu = 65585}},
	{"{\"Type\":\"vxlan\",\"MTU\":118}", {.vni = 1, .mtu = 118}},
	{"{\"Type\":\"vxlan\",\"GBP\":true,\"Learning\":true,\"DirectRouting\":true}",
	 {.vni = 1, .gbp = true, .learning = true, .direct_routing = true}},
	/* other systems' keys */
	{"{\"Type\":\"vxlan\",\"Name\":\"x\",\"MacPrefix\":\"0E-2A\"}", {.vni = 1}},
};

Test(vxlan, settings)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(good); i++) {
		struct flannel_netconf *netconf = configure(good[i].backend);
		const struct fl_vxlan_settings *want = &good[i].settings;
		struct fl_vxlan_settings got;

		cr_assert_eq(fl_vxlan_load(netconf, &got, NULL), 0, "%s", good[i].backend);
		cr_expect(got.vni == want->vni && got.port == want->port && got.mtu == want->mtu &&
				  got.gbp == want->gbp && got.learning == want->learning &&
				  got.direct_routing == want->direct_routing,
			  "%s", good[i].backend);
		flannel_netconf_unref(netconf);
	}
}

static const struct {
	const char *backend;
	const char *message;
} bad[] = {
	{"{\"VNI\":16777216}", "net-conf.json: Backend: VNI is 16777216, expected an integer from 0 to 16777215"},
	{"{\"VNI\":-1}", "net-conf.json: Backend: VNI is -1, expected an integer from 0 to 16777215"},
	{"{\"VNI\":\"1\"}", "net-conf.json: Backend: VNI is \"1\", expected an integer from 0 to 16777215"},
	{"{\"VNI\":1.5}", "net-conf.json: Backend: VNI is 1.5, expected an integer from 0 to 16777215"},
	{"{\"Port\":65536}", "net-conf.json: Backend: Port is 65536, expected an integer from 0 to 65535"},
	{"{\"MTU\":117}", "net-conf.json: Backend: MTU is 117: expected 0 for that of the interface, or 118 or more"},
	{"{\"MTU\":70000}", "net-conf.json: Backend: MTU is 70000, expected an integer from 0 to 65585"},
	{"{\"GBP\":1}", "net-conf.json: Backend: GBP is 1, expected true or false"},
	{"{\"Learning\":\"true\"}", "net-conf.json: Backend: Learning is \"true\", expected true or false"},
	{"{\"DirectRouting\":[]}", "net-conf.json: Backend: DirectRouting is an array, expected true or false"},
};

Test(vxlan, bad_settings)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(bad); i++) {
		struct flannel_netconf *netconf = configure(bad[i].backend);
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_vxlan_settings untouched = {.vni = 4711};

		cr_expect_eq(fl_vxlan_load(netconf, &untouched, &error), -EINVAL, "%s", bad[i].backend);
		cr_expect_str_eq(flannel_error_get_message(error), bad[i].message);
		cr_expect_str_eq(flannel_error_get_area(error), "config");
		cr_expect_eq(untouched.vni, 4711);
		flannel_netconf_unref(netconf);
	}
}

Test(vxlan, names)
{
	static const struct {
		uint32_t vni;
		const char *name, *name6; /* NULL: too long */
	} cases[] = {
		{1, "flannel.1", "flannel-v6.1"},          {0, "flannel.0", "flannel-v6.0"},
		{9999, "flannel.9999", "flannel-v6.9999"}, {10000, "flannel.10000", NULL},
		{9999999, "flannel.9999999", NULL},        {10000000, NULL, NULL},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		const struct fl_vxlan_settings settings = {.vni = cases[i].vni};
		char name[FLANNEL_IFNAME_SIZE];

		cr_assert_eq(fl_vxlan_format_name(&settings, AF_INET, name), cases[i].name != NULL, "%u", settings.vni);
		if (cases[i].name)
			cr_assert_str_eq(name, cases[i].name);
		cr_assert_eq(fl_vxlan_format_name(&settings, AF_INET6, name), cases[i].name6 != NULL, "%u",
			     settings.vni);
		if (cases[i].name6)
			cr_assert_str_eq(name, cases[i].name6);
	}
}

Test(vxlan, data_of_a_lease)
{
	const uint8_t mac[FL_MAC_LEN] = {0xc6, 0xd2, 0x32, 0x6f, 0x8f, 0x44};
	static const char *const texts[] = {
		"{\"VNI\":1,\"VtepMAC\":\"c6:d2:32:6f:8f:44\"}", /* as flannel writes it */
		"{\"VtepMAC\":\"c6:d2:32:6f:8f:44\"}",
		"{\"vtepmac\":\"C6-D2-32-6F-8F-44\",\"VNI\":4711,\"more\":[]}",
		"{\"VNI\":\"what\",\"VtepMAC\":\"c6:d2:32:6f:8f:44\"}",
	};
	static const char *const bad_texts[] = {
		NULL,
		"",
		"null",
		"[]",
		"\"c6:d2:32:6f:8f:44\"",
		"{}",
		"{\"VtepMAC\":null}",
		"{\"VtepMAC\":7}",
		"{\"VtepMAC\":\"\"}",
		"{\"VtepMAC\":\"c6:d2:32:6f:8f\"}",
		"{\"VtepMAC\":\"00:00:00:00:00:00\"}",
		"{\"VtepMAC\":\"01:00:5e:00:00:01\"}",
		"{\"VtepMAC\":\"ff:ff:ff:ff:ff:ff\"}",
		"{\"PublicKey\":\"AAAA=\",\"Port\":51820}",
	};
	char buf[FL_VXLAN_DATA_STRLEN];
	uint8_t got[FL_MAC_LEN];

	cr_expect_str_eq(fl_vxlan_format_data(1, mac, buf), texts[0]);
	cr_expect_eq(strlen(fl_vxlan_format_data(16777215, mac, buf)), strlen(texts[0]) + 7);
	for (size_t i = 0; i < FL_N_ELEMENTS(texts); i++) {
		memset(got, 0, sizeof(got));
		cr_expect_eq(fl_vxlan_parse_data(texts[i], got, NULL), 0, "%s", texts[i]);
		cr_expect_arr_eq(got, mac, sizeof(mac));
	}
	for (size_t i = 0; i < FL_N_ELEMENTS(bad_texts); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		cr_expect_eq(fl_vxlan_parse_data(bad_texts[i], got, &error), -EINVAL, "%s", bad_texts[i]);
		cr_expect_not_null(error);
		cr_expect_arr_eq(got, mac, sizeof(mac), "failure must not touch the result");
	}
}
