/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The text of a static store: what is taken, what is filled in, and how what is wrong is named. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/lease/static_leases.h"
#include "domain/backend/vxlan.h"

#define HOST_GW "{\"Network\": \"10.244.0.0/16\", \"Backend\": {\"Type\": \"host-gw\"}}"
#define VXLAN "{\"Network\": \"10.244.0.0/16\", \"Backend\": {\"Type\": \"vxlan\", \"VNI\": 258}}"
#define DUAL                                                                                                           \
	"{\"Network\": \"10.244.0.0/16\", \"EnableIPv6\": true, \"IPv6Network\": \"fd00:10:244::/48\", "               \
	"\"Backend\": {\"Type\": \"vxlan\"}}"
#define FILE_OF(config, leases) "{\n\"config\": " config ",\n\"leases\": [\n" leases "\n]}\n"
#define A "{\"Subnet\": \"10.244.1.0/24\", \"PublicIP\": \"192.0.2.1\"}"
#define B "{\"Subnet\": \"10.244.2.0/24\", \"PublicIP\": \"192.0.2.2\"}"

Test(static_leases, what_is_refused)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"", "peers.json"},
		{"[]", "expected an object with config and leases"},
		{"{\"leases\": []}", "config: it is missing"},
		{"{\"config\": " HOST_GW "}", "leases: it is missing"},
		{"{\"config\": {}, \"leases\": []}", "config"},
		{"{\"config\": " HOST_GW ", \"leases\": {}}", "leases"},
		{"{\"config\": " HOST_GW ", \"leases\": [], \"peers\": []}", "\"peers\": unknown key"},
		{FILE_OF(HOST_GW, A ","), "line 5"},
		{FILE_OF(HOST_GW, A ",\n3"), "leases[1]: expected an object"},
		{FILE_OF(HOST_GW, A ",\n{}"), "line 5: leases[1]: Subnet: it is missing"},
		{FILE_OF(HOST_GW, A ",\n{\"Subnet\": \"10.244.2.0/24\"}"),
		 "line 5: leases[1]: PublicIP: it is missing"},
		{FILE_OF(HOST_GW, A ",\n{\"Subnet\": 7}"), "line 5: leases[1]: Subnet"},
		{FILE_OF(HOST_GW, "{\"Subnet\": \"10.244.2.1/24\", \"PublicIP\": \"192.0.2.2\"}"),
		 "line 4: leases[0]: Subnet is \"10.244.2.1/24\": expected an IPv4 subnet"},
		{FILE_OF(HOST_GW, "{\"Subnet\": \"10.244.2.0\", \"PublicIP\": \"192.0.2.2\"}"),
		 "expected an IPv4 subnet"},
		{FILE_OF(HOST_GW, "{\"Subnet\": \"fd00::/64\", \"PublicIP\": \"192.0.2.2\"}"),
		 "expected an IPv4 subnet"},
		{FILE_OF(HOST_GW, "{\"Subnet\": \"10.244.2.0/24\", \"PublicIP\": \"192.0.2.2/24\"}"),
		 "PublicIP is \"192.0.2.2/24\": expected an IPv4 address"},
		{FILE_OF(HOST_GW, "{\"Subnet\": \"10.244.2.0/24\", \"PublicIP\": \"node-2\"}"),
		 "PublicIP is \"node-2\": expected an IPv4 address"},
		{FILE_OF(HOST_GW, "{\"Subnet\": \"10.244.2.0/25\", \"PublicIP\": \"192.0.2.2\"}"),
		 "Subnet is \"10.244.2.0/25\": expected one from 10.244."},
		{FILE_OF(HOST_GW, "{\"Subnet\": \"10.99.2.0/24\", \"PublicIP\": \"192.0.2.2\"}"),
		 "Subnet is \"10.99.2.0/24\": expected one from 10.244."},
		{FILE_OF(HOST_GW,
			 "{\"Subnet\": \"10.244.2.0/24\", \"PublicIP\": \"192.0.2.2\", \"IPv6Subnet\": \"fd00::/64\"}"),
		 "IPv6Subnet: the network does not have this family"},
		{FILE_OF(HOST_GW, "{\"Subnet\": \"10.244.2.0/24\", \"PublicIP\": \"192.0.2.2\", \"Public\": \"x\"}"),
		 "leases[0]: \"Public\": unknown key"},
		{FILE_OF(HOST_GW,
			 "{\"Subnet\": \"10.244.2.0/24\", \"PublicIP\": \"192.0.2.2\", \"BackendType\": \"vxlan\"}"),
		 "BackendType is \"vxlan\": expected \"host-gw\""},
		{FILE_OF(HOST_GW, A ",\n" B ",\n{\"Subnet\": \"10.244.1.0/24\", \"PublicIP\": \"192.0.2.3\"}"),
		 "line 6: leases[2]: Subnet is \"10.244.1.0/24\": leases[0] on line 4 has 10.244.1.0/24"},
		{FILE_OF(HOST_GW, A ",\n\n{\"Subnet\": \"10.244.3.0/24\",\n\"PublicIP\": \"192.0.2.1\"}"),
		 "line 6: leases[1]: PublicIP is \"192.0.2.1\": leases[0] on line 4 has 192.0.2.1"},
		{FILE_OF(VXLAN, A ",\n{\"Subnet\": \"10.244.3.0/24\", \"PublicIP\": \"192.0.2.3\", \"BackendData\": "
				  "{\"VtepMAC\": "
				  "\"0e:02:c0:00:02:01\"}}"),
		 "line 5: leases[1]: BackendData.VtepMAC is \"0e:02:c0:00:02:01\": leases[0] on line 4 has"},
		{FILE_OF(VXLAN,
			 "{\"Subnet\": \"10.244.3.0/24\", \"PublicIP\": \"192.0.2.3\", \"BackendData\": {\"VNI\": 1}}"),
		 "line 4: leases[0]: BackendData"},
		{FILE_OF(VXLAN,
			 "{\"Subnet\": \"10.244.3.0/24\", \"PublicIP\": \"192.0.2.3\", \"BackendData\": {\"VtepMAC\": "
			 "\"01:00:00:00:00:01\"}}"),
		 "VtepMAC is \"01:00:00:00:00:01\""},
		{FILE_OF(DUAL, A), "leases[0]: IPv6Subnet: it is missing"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_static_leases leases = {0};

		cr_expect_eq(
			fl_static_leases_parse(cases[i].text, strlen(cases[i].text), "peers.json", &leases, &error),
			-EINVAL, "case %zu", i);
		cr_expect(strstr(flannel_error_get_message(error), cases[i].message),
			  "case %zu: \"%s\", expected \"%s\"", i, flannel_error_get_message(error), cases[i].message);
		cr_expect(strstr(flannel_error_get_message(error), "peers.json"), "case %zu: %s", i,
			  flannel_error_get_message(error));
		cr_expect_null(leases.leases);
	}
}

/* the leases of a text, as keys and values */
static void expect(const char *text, const char *const *keys, const char *const *values, size_t n)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_static_leases leases = {0};
	char key[2 * FLANNEL_PREFIX_STRLEN];

	cr_assert_eq(fl_static_leases_parse(text, strlen(text), "peers.json", &leases, &error), 0, "%s",
		     flannel_error_get_message(error));
	cr_assert_eq(leases.n_leases, n);
	for (size_t i = 0; i < n; i++) {
		cr_expect_str_eq(flannel_lease_format_key(leases.leases[i], key, sizeof(key)), keys[i]);
		cr_expect_str_eq(flannel_lease_get_value(leases.leases[i]), values[i]);
		cr_expect_eq(flannel_lease_get_expires_sec(leases.leases[i]), 0, "it never ends");
	}
	fl_static_leases_clear(&leases);
}

Test(static_leases, what_is_taken)
{
	const char *const keys[] = {"10.244.1.0-24", "10.244.2.0-24"};
	const char *const host_gw[] = {
		"{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}",
		"{\"PublicIP\":\"192.0.2.2\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}",
	};
	const char *const vxlan[] = {
		"{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":null,\"BackendType\":\"vxlan\",\"BackendData\":{\"VNI\":"
		"258,"
		"\"VtepMAC\":\"0e:02:c0:00:02:01\"}}",
		"{\"PublicIP\":\"192.0.2.2\",\"PublicIPv6\":null,\"BackendType\":\"vxlan\",\"BackendData\":{"
		"\"VtepMAC\":"
		"\"02:00:00:00:00:07\"}}",
	};
	const char *const dual_key[] = {"10.244.1.0-24&fd00:10:244:1::-64"};
	const char *const dual[] = {
		"{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":\"2001:db8::1\",\"BackendType\":\"vxlan\",\"BackendData\":{"
		"\"VNI\":1,"
		"\"VtepMAC\":\"0e:01:c0:00:02:01\"},\"BackendV6Data\":{\"VNI\":1,\"VtepMAC\":\"1e:82:69:f8:bc:25\"}}",
	};

	expect(FILE_OF(HOST_GW, ""), NULL, NULL, 0);
	expect(FILE_OF(HOST_GW, A ",\n" B), keys, host_gw, 2);
	/* names of keys as flannel's decoder takes them, a name for people, an address that nobody asked for */
	expect("{\"LEASES\": [{\"name\": \"one\", \"subnet\": \"10.244.1.0/24\", \"publicip\": \"192.0.2.1\", "
	       "\"PublicIPv6\": "
	       "\"2001:db8::1\", \"BackendType\": \"host-gw\"}," B "], \"Config\": " HOST_GW "}",
	       keys, host_gw, 2);
	expect(FILE_OF(VXLAN, A
		       ",\n{\"Subnet\": \"10.244.2.0/24\", \"PublicIP\": \"192.0.2.2\", \"BackendData\": {\"VtepMAC\": "
		       "\"02:00:00:00:00:07\"}}"),
	       keys, vxlan, 2);
	expect(FILE_OF(DUAL, "{\"Subnet\": \"10.244.1.0/24\", \"IPv6Subnet\": \"fd00:10:244:1::/64\", \"PublicIP\": "
			     "\"192.0.2.1\", "
			     "\"PublicIPv6\": \"2001:db8::1\"}"),
	       dual_key, dual, 1);
}

Test(static_leases, whose_lease)
{
	const char *text = FILE_OF(HOST_GW, A ",\n" B);
	struct flannel_prefix ip, none = {0};
	struct fl_static_leases leases = {0};

	cr_assert_eq(fl_static_leases_parse(text, strlen(text), "peers.json", &leases, NULL), 0);
	cr_assert_eq(flannel_prefix_parse("192.0.2.2", &ip), 0);
	cr_expect_eq(fl_static_leases_find(&leases, &ip, &none), leases.leases[1]);
	cr_expect_null(fl_static_leases_find(&leases, &none, &none));
	cr_assert_eq(flannel_prefix_parse("192.0.2.3", &ip), 0);
	cr_expect_null(fl_static_leases_find(&leases, &ip, &none));
	fl_static_leases_clear(&leases);
}

/* these are in files and in the kernels of running nodes: they stay as they are */
Test(static_leases, mac_addresses_that_follow)
{
	static const struct {
		uint32_t vni;
		const char *address, *mac;
	} cases[] = {
		{1, "192.0.2.1", "0e:01:c0:00:02:01"},
		{1, "255.255.255.255", "0e:01:ff:ff:ff:ff"},
		{0x123456, "10.0.0.7", "0e:56:0a:00:00:07"},
		{1, "2001:db8::1", "1e:82:69:f8:bc:25"},
		{2, "2001:db8::1", ""},
	};
	char text[FLANNEL_MAC_STRLEN], last[FLANNEL_MAC_STRLEN] = "";

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_prefix address;
		uint8_t mac[FL_MAC_LEN];

		cr_assert_eq(flannel_prefix_parse(cases[i].address, &address), 0);
		fl_vxlan_derive_mac(cases[i].vni, &address, mac);
		fl_mac_format(mac, text, sizeof(text));
		cr_expect((mac[0] & 3) == 2, "%s is a local address of one device", text);
		if (*cases[i].mac)
			cr_expect_str_eq(text, cases[i].mac, "case %zu", i);
		cr_expect_str_neq(text, last);
		memcpy(last, text, sizeof(last));
	}
}
