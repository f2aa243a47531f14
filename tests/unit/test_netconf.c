/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <flannel/netconf.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

/* parses text that must be good */
static struct flannel_netconf *parse(const char *text)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_netconf *netconf = NULL;

	cr_assert_eq(flannel_netconf_parse(text, strlen(text), &netconf, &error), 0, "%s: %s", text,
		     flannel_error_get_message(error));
	return netconf;
}

/* "network first last" of a family, "" if it is not enabled */
static const char *describe(const struct flannel_netconf *netconf, int family, char *buf, size_t size)
{
	char network[FLANNEL_PREFIX_STRLEN], first[FLANNEL_PREFIX_STRLEN], last[FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix prefix, low, high;

	if (flannel_netconf_get_network(netconf, family, &prefix) == 0) {
		cr_assert_eq(flannel_netconf_get_subnet_range(netconf, family, &low, &high), 0);
		return "";
	}
	cr_assert_eq(flannel_netconf_get_subnet_range(netconf, family, &low, &high), 1);
	snprintf(buf, size, "%s %s %s", flannel_prefix_format(&prefix, network, sizeof(network)),
		 flannel_prefix_format(&low, first, sizeof(first)), flannel_prefix_format(&high, last, sizeof(last)));
	return buf;
}

static const struct {
	const char *text, *v4, *v6;
} good[] = {
	/* length that is chosen: 24 where there is room for four, else two more */
	{"{\"Network\":\"10.3.0.0/16\"}", "10.3.0.0/16 10.3.1.0/24 10.3.255.0/24", ""},
	{"{\"Network\":\"10.0.0.0/8\"}", "10.0.0.0/8 10.0.1.0/24 10.255.255.0/24", ""},
	{"{\"Network\":\"10.3.0.0/22\"}", "10.3.0.0/22 10.3.1.0/24 10.3.3.0/24", ""},
	{"{\"Network\":\"10.3.0.0/23\"}", "10.3.0.0/23 10.3.0.128/25 10.3.1.128/25", ""},
	{"{\"Network\":\"10.3.0.0/28\"}", "10.3.0.0/28 10.3.0.4/30 10.3.0.12/30", ""},
	/* length that is given, 0 is none */
	{"{\"Network\":\"10.3.0.0/16\",\"SubnetLen\":0}", "10.3.0.0/16 10.3.1.0/24 10.3.255.0/24", ""},
	{"{\"Network\":\"10.3.0.0/16\",\"SubnetLen\":18}", "10.3.0.0/16 10.3.64.0/18 10.3.192.0/18", ""},
	{"{\"Network\":\"10.3.0.0/16\",\"SubnetLen\":30}", "10.3.0.0/16 10.3.0.4/30 10.3.255.252/30", ""},
	{"{\"Network\":\"255.0.0.0/8\",\"SubnetLen\":24}", "255.0.0.0/8 255.0.1.0/24 255.255.255.0/24", ""},
	{"{\"Network\":\"128.0.0.0/1\",\"SubnetLen\":3}", "128.0.0.0/1 160.0.0.0/3 224.0.0.0/3", ""},
	/* bounds; zero addresses count as absent; the first subnet may be asked for */
	{"{\"Network\":\"10.3.0.0/16\",\"SubnetMin\":\"10.3.0.0\"}", "10.3.0.0/16 10.3.0.0/24 10.3.255.0/24", ""},
	{"{\"Network\":\"10.3.0.0/16\",\"SubnetMin\":\"10.3.9.0\",\"SubnetMax\":\"10.3.9.0\"}",
	 "10.3.0.0/16 10.3.9.0/24 10.3.9.0/24", ""},
	{"{\"Network\":\"10.3.0.0/16\",\"SubnetMin\":\"0.0.0.0\",\"SubnetMax\":\"0.0.0.0\"}",
	 "10.3.0.0/16 10.3.1.0/24 10.3.255.0/24", ""},
	/* host bits are masked off */
	{"{\"Network\":\"10.244.3.7/16\"}", "10.244.0.0/16 10.244.1.0/24 10.244.255.0/24", ""},
	/* keys in any case, the last of several wins, null is absent */
	{"{\"network\":\"10.1.0.0/16\",\"SUBNETLEN\":20,\"NETWORK\":\"10.3.0.0/16\"}",
	 "10.3.0.0/16 10.3.16.0/20 10.3.240.0/20", ""},
	{"{\"Network\":\"10.3.0.0/16\",\"EnableIPv4\":null,\"SubnetLen\":null,\"SubnetMin\":null,\"SubnetMax\":null,"
	 "\"EnableIPv6\":null,\"IPv6Network\":null,\"IPv6SubnetMin\":null,\"EnableNFTables\":null}",
	 "10.3.0.0/16 10.3.1.0/24 10.3.255.0/24", ""},
	/* IPv6 */
	{"{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fc00::/48\"}", "",
	 "fc00::/48 fc00:0:0:1::/64 fc00:0:0:ffff::/64"},
	{"{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fc00::/62\"}", "",
	 "fc00::/62 fc00:0:0:1::/64 fc00:0:0:3::/64"},
	{"{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fc00::/63\"}", "",
	 "fc00::/63 fc00::8000:0:0:0/65 fc00:0:0:1:8000::/65"},
	{"{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fc00::/124\"}", "",
	 "fc00::/124 fc00::4/126 fc00::c/126"},
	{"{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fc00::/16\",\"IPv6SubnetLen\":126}", "",
	 "fc00::/16 fc00::4/126 fc00:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126"},
	{"{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fc00::1/48\",\"IPv6SubnetMin\":\"fc00:0:0:5::\","
	 "\"IPv6SubnetMax\":\"fc00:0:0:7::\"}",
	 "", "fc00::/48 fc00:0:0:5::/64 fc00:0:0:7::/64"},
	{"{\"EnableIPv6\":true,\"Network\":\"10.3.0.0/16\",\"IPv6Network\":\"fc00::/48\",\"IPv6SubnetMin\":\"::\"}",
	 "10.3.0.0/16 10.3.1.0/24 10.3.255.0/24", "fc00::/48 fc00:0:0:1::/64 fc00:0:0:ffff::/64"},
};

Test(netconf, completes_what_is_left_out)
{
	char v4[160], v6[160];

	for (size_t i = 0; i < FL_N_ELEMENTS(good); i++) {
		struct flannel_netconf *netconf = parse(good[i].text);

		cr_expect_str_eq(describe(netconf, AF_INET, v4, sizeof(v4)), good[i].v4, "%s: %s", good[i].text, v4);
		cr_expect_str_eq(describe(netconf, AF_INET6, v6, sizeof(v6)), good[i].v6, "%s: %s", good[i].text, v6);
		flannel_netconf_unref(netconf);
	}
}

#define V4_ONLY(rest) "{\"Network\":\"10.3.0.0/16\"," rest "}"
#define V6_ONLY(rest) "{\"EnableIPv4\":false,\"EnableIPv6\":true," rest "}"

/* the whole message: it names the key, the value and what was expected */
static const struct {
	const char *text, *message;
} bad[] = {
	{"[]", "net-conf.json: expected a JSON object"},
	{"null", "net-conf.json: expected a JSON object"},
	{"{}", "net-conf.json: Network is missing, expected a network such as \"10.244.0.0/16\", since EnableIPv4 is "
	       "true"},
	{"{\"Network\":null}", "net-conf.json: Network is null, expected a network such as \"10.244.0.0/16\""},
	{"{\"Network\":\"\"}", "net-conf.json: Network is \"\", expected a network such as \"10.244.0.0/16\""},
	{"{\"Network\":7}", "net-conf.json: Network is 7, expected a string"},
	{"{\"Network\":\"10.3.0.0\"}",
	 "net-conf.json: Network is \"10.3.0.0\", expected a network such as \"10.244.0.0/16\""},
	{"{\"Network\":\"10.03.0.0/16\"}",
	 "net-conf.json: Network is \"10.03.0.0/16\", expected a network such as \"10.244.0.0/16\""},
	{"{\"Network\":\"fc00::/48\"}",
	 "net-conf.json: Network is \"fc00::/48\", expected a network such as \"10.244.0.0/16\""},
	{"{\"Network\":\"0.0.0.0/0\"}",
	 "net-conf.json: Network is 0.0.0.0/0, expected a part of the address space, such as \"10.244.0.0/16\""},
	{"{\"Network\":\"10.3.0.0/29\"}",
	 "net-conf.json: Network is 10.3.0.0/29, expected a length of at most 28, to have room for four subnets"},
	{V4_ONLY("\"SubnetLen\":31"),
	 "net-conf.json: SubnetLen is 31, expected 18 to 30, to have four subnets or more in 10.3.0.0/16"},
	{V4_ONLY("\"SubnetLen\":17"),
	 "net-conf.json: SubnetLen is 17, expected 18 to 30, to have four subnets or more in 10.3.0.0/16"},
	{V4_ONLY("\"SubnetLen\":-1"), "net-conf.json: SubnetLen is -1, expected an integer from 0 to 4294967295"},
	{V4_ONLY("\"SubnetLen\":24.5"), "net-conf.json: SubnetLen is 24.5, expected an integer from 0 to 4294967295"},
	{V4_ONLY("\"SubnetLen\":\"24\""),
	 "net-conf.json: SubnetLen is \"24\", expected an integer from 0 to 4294967295"},
	{V4_ONLY("\"EnableIPv4\":1"), "net-conf.json: EnableIPv4 is 1, expected true or false"},
	{V4_ONLY("\"EnableNFTables\":\"yes\""), "net-conf.json: EnableNFTables is \"yes\", expected true or false"},
	{V4_ONLY("\"EnableIPv4\":false"),
	 "net-conf.json: EnableIPv4 is false, EnableIPv6 is false, expected one of them to be true"},
	{V4_ONLY("\"SubnetMin\":\"x\""), "net-conf.json: SubnetMin is \"x\", expected an IPv4 address"},
	{V4_ONLY("\"SubnetMin\":\"10.3.1.0/24\""),
	 "net-conf.json: SubnetMin is \"10.3.1.0/24\", expected an IPv4 address"},
	{V4_ONLY("\"SubnetMax\":\"fc00::\""), "net-conf.json: SubnetMax is \"fc00::\", expected an IPv4 address"},
	{V4_ONLY("\"SubnetMin\":\"10.4.1.0\""),
	 "net-conf.json: SubnetMin is 10.4.1.0, expected an address in Network 10.3.0.0/16"},
	{V4_ONLY("\"SubnetMax\":\"10.4.0.0\""),
	 "net-conf.json: SubnetMax is 10.4.0.0, expected an address in Network 10.3.0.0/16"},
	{V4_ONLY("\"SubnetMin\":\"10.3.7.5\""),
	 "net-conf.json: SubnetMin is 10.3.7.5, expected the first address of a subnet of length 24, such as "
	 "10.3.7.0"},
	{V4_ONLY("\"SubnetMax\":\"10.3.7.5\""),
	 "net-conf.json: SubnetMax is 10.3.7.5, expected the first address of a subnet of length 24, such as "
	 "10.3.7.0"},
	{V4_ONLY("\"SubnetMin\":\"10.3.6.0\",\"SubnetMax\":\"10.3.5.0\""),
	 "net-conf.json: SubnetMin is 10.3.6.0, expected at most SubnetMax 10.3.5.0"},
	{V4_ONLY("\"SubnetMax\":\"10.3.0.0\""),
	 "net-conf.json: SubnetMax is 10.3.0.0, expected 10.3.1.0 or later, or SubnetMin as well"},
	{V4_ONLY("\"Backend\":\"vxlan\""), "net-conf.json: Backend is \"vxlan\", expected an object"},
	{V4_ONLY("\"Backend\":{\"Type\":5}"), "net-conf.json: Backend: Type is 5, expected a string"},
	/* nonsense is refused for a family that is not enabled, too */
	{V4_ONLY("\"IPv6Network\":\"x\""), "net-conf.json: IPv6Network is \"x\", expected a network such as "
					   "\"fd00:10:244::/48\""},
	{V4_ONLY("\"EnableIPv6\":true"),
	 "net-conf.json: IPv6Network is missing, expected a network such as \"fd00:10:244::/48\", since EnableIPv6 is "
	 "true"},
	{V6_ONLY("\"IPv6Network\":\"10.3.0.0/16\""),
	 "net-conf.json: IPv6Network is \"10.3.0.0/16\", expected a network such as \"fd00:10:244::/48\""},
	{V6_ONLY("\"IPv6Network\":\"::ffff:10.3.0.0/112\""),
	 "net-conf.json: IPv6Network is \"::ffff:10.3.0.0/112\", expected a network such as \"fd00:10:244::/48\""},
	{V6_ONLY("\"IPv6Network\":\"::/0\""),
	 "net-conf.json: IPv6Network is ::/0, expected a part of the address space, such as \"fd00:10:244::/48\""},
	{V6_ONLY("\"IPv6Network\":\"fc00::/125\""),
	 "net-conf.json: IPv6Network is fc00::/125, expected a length of at most 124, to have room for four subnets"},
	{V6_ONLY("\"IPv6Network\":\"fc00::/48\",\"IPv6SubnetLen\":127"),
	 "net-conf.json: IPv6SubnetLen is 127, expected 50 to 126, to have four subnets or more in fc00::/48"},
	{V6_ONLY("\"IPv6Network\":\"fc00::/48\",\"IPv6SubnetLen\":49"),
	 "net-conf.json: IPv6SubnetLen is 49, expected 50 to 126, to have four subnets or more in fc00::/48"},
	{V6_ONLY("\"IPv6Network\":\"fc00::/48\",\"IPv6SubnetMin\":\"fc01::\""),
	 "net-conf.json: IPv6SubnetMin is fc01::, expected an address in IPv6Network fc00::/48"},
	{V6_ONLY("\"IPv6Network\":\"fc00::/48\",\"IPv6SubnetMax\":\"fc00::1\""),
	 "net-conf.json: IPv6SubnetMax is fc00::1, expected the first address of a subnet of length 64, such as "
	 "fc00::"},
	{V6_ONLY("\"IPv6Network\":\"fc00::/48\",\"IPv6SubnetMin\":\"10.3.0.0\""),
	 "net-conf.json: IPv6SubnetMin is \"10.3.0.0\", expected an IPv6 address"},
	{V6_ONLY("\"IPv6Network\":\"fc00::/48\",\"IPv6SubnetMin\":\"fc00:0:0:6::\",\"IPv6SubnetMax\":\"fc00:0:0:5::\""),
	 "net-conf.json: IPv6SubnetMin is fc00:0:0:6::, expected at most IPv6SubnetMax fc00:0:0:5::"},
};

Test(netconf, names_key_value_and_expectation)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(bad); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct flannel_netconf *netconf = NULL;
		int r = flannel_netconf_parse(bad[i].text, strlen(bad[i].text), &netconf, &error);

		cr_expect_eq(r, -EINVAL, "%s", bad[i].text);
		cr_expect_null(netconf);
		cr_expect_str_eq(flannel_error_get_area(error), "config");
		cr_expect_str_eq(flannel_error_get_message(error), bad[i].message, "%s\n  got  %s\n  want %s",
				 bad[i].text, flannel_error_get_message(error), bad[i].message);
		cr_expect_eq(flannel_netconf_parse(bad[i].text, strlen(bad[i].text), &netconf, NULL), -EINVAL);
	}
}

Test(netconf, refuses_what_is_no_json)
{
	const char *const texts[] = {"",
				     "not json",
				     "{\"Network\":\"10.3.0.0/16\"",
				     "{'a':1}",
				     "{\"Network\":\"10.3.0.0/16\"} x",
				     "{\"SubnetLen\":99999999999999999999}"};

	for (size_t i = 0; i < FL_N_ELEMENTS(texts); i++) {
		struct flannel_netconf *netconf = NULL;

		cr_expect_eq(flannel_netconf_parse(texts[i], strlen(texts[i]), &netconf, NULL), -EINVAL, "%s",
			     texts[i]);
		cr_expect_null(netconf);
	}
}

static const struct {
	const char *backend, *type, *text;
} backends[] = {
	{"", "udp", "{}"},
	{",\"Backend\":null", "", "{}"},
	{",\"Backend\":{}", "", "{}"},
	{",\"Backend\":{\"Type\":null}", "", "{\"Type\":null}"},
	{",\"Backend\":{\"Type\":\"HOST-GW\"}", "host-gw", "{\"Type\":\"HOST-GW\"}"},
	{",\"backend\":{\"type\": \"vxlan\", \"VNI\": 7}", "vxlan", "{\"type\":\"vxlan\",\"VNI\":7}"},
};

Test(netconf, backend)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(backends); i++) {
		struct flannel_netconf *netconf;
		char text[160];

		snprintf(text, sizeof(text), "{\"Network\":\"10.3.0.0/16\"%s}", backends[i].backend);
		netconf = parse(text);
		cr_expect_str_eq(flannel_netconf_get_backend_type(netconf), backends[i].type, "%s", text);
		cr_expect_str_eq(flannel_netconf_get_backend_text(netconf), backends[i].text, "%s", text);
		cr_expect_null(flannel_netconf_get_warning(netconf, 0));
		flannel_netconf_unref(netconf);
	}
}

static const struct {
	const char *text, *warnings[4];
} warned[] = {
	{V4_ONLY("\"Netwrok\":1,\"x\":null"), {"unknown key \"Netwrok\"", "unknown key \"x\""}},
	{V4_ONLY("\"IPv6Network\":\"fc00::/48\""), {"key \"IPv6Network\" has no effect, since EnableIPv6 is not true"}},
	{V4_ONLY("\"ipv6subnetlen\":999,\"IPv6SubnetMin\":\"fc00::\",\"IPv6SubnetMax\":null"),
	 {"key \"IPv6SubnetLen\" has no effect, since EnableIPv6 is not true",
	  "key \"IPv6SubnetMin\" has no effect, since EnableIPv6 is not true"}},
	{V6_ONLY("\"IPv6Network\":\"fc00::/48\",\"Network\":\"10.3.0.0/16\",\"SubnetLen\":3,\"SubnetMax\":\"1.2.3.4\""),
	 {"key \"Network\" has no effect, since EnableIPv4 is not true",
	  "key \"SubnetLen\" has no effect, since EnableIPv4 is not true",
	  "key \"SubnetMax\" has no effect, since EnableIPv4 is not true"}},
	{V4_ONLY("\"enablenftables\":true,\"BACKEND\":{\"Type\":\"alloc\",\"Whatever\":1}"), {NULL}},
};

Test(netconf, warns_of_what_has_no_effect)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(warned); i++) {
		struct flannel_netconf *netconf = parse(warned[i].text);
		unsigned int n = 0;

		for (; warned[i].warnings[n]; n++) {
			const char *got = flannel_netconf_get_warning(netconf, n);

			cr_assert_not_null(got, "%s", warned[i].text);
			cr_expect_str_eq(got, warned[i].warnings[n], "%s", got);
		}
		cr_expect_null(flannel_netconf_get_warning(netconf, n), "%s", warned[i].text);
		flannel_netconf_unref(netconf);
	}
}

#define HOST_GW "\"Backend\":{\"Type\":\"host-gw\"}"

static const struct {
	const char *a, *b;
	int equal;
} pairs[] = {
	{V4_ONLY(HOST_GW), "{ \"backend\": {\"type\":\"Host-GW\"}, \"network\" : \"10.3.9.9/16\", \"SubnetLen\":24}",
	 1},
	{V4_ONLY("\"SubnetMin\":\"10.3.1.0\""), V4_ONLY("\"SubnetMax\":\"10.3.255.0\""), 1},
	{V4_ONLY("\"x\":1"), V4_ONLY("\"Backend\":{\"Type\":\"udp\"}"), 1},
	{V4_ONLY("\"IPv6Network\":\"fc00::/48\""), V4_ONLY("\"EnableIPv6\":false"), 1},
	{V4_ONLY("\"Backend\":{\"Type\":\"vxlan\",\"VNI\":1,\"Port\":2}"),
	 V4_ONLY("\"Backend\":{\"port\":2,\"vni\":1,\"Type\":\"vxlan\",\"GBP\":null}"), 1},
	{V4_ONLY("\"Backend\":{\"Type\":\"vxlan\",\"VNI\":1}"), V4_ONLY("\"Backend\":{\"Type\":\"vxlan\",\"VNI\":2}"),
	 0},
	{V4_ONLY(HOST_GW), V4_ONLY("\"Backend\":{\"Type\":\"vxlan\"}"), 0},
	{V4_ONLY(HOST_GW), "{\"Network\":\"10.4.0.0/16\"," HOST_GW "}", 0},
	{V4_ONLY(HOST_GW), V4_ONLY("\"SubnetLen\":25," HOST_GW), 0},
	{V4_ONLY(HOST_GW), V4_ONLY("\"SubnetMin\":\"10.3.2.0\"," HOST_GW), 0},
	{V4_ONLY(HOST_GW), V4_ONLY("\"SubnetMax\":\"10.3.2.0\"," HOST_GW), 0},
	{V4_ONLY(HOST_GW), V4_ONLY("\"EnableNFTables\":true," HOST_GW), 0},
	{V4_ONLY(HOST_GW), V4_ONLY("\"EnableIPv6\":true,\"IPv6Network\":\"fc00::/48\"," HOST_GW), 0},
};

Test(netconf, equal_compares_meaning)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(pairs); i++) {
		struct flannel_netconf *a = parse(pairs[i].a), *b = parse(pairs[i].b);

		cr_expect_eq(flannel_netconf_equal(a, b), pairs[i].equal, "%s %s", pairs[i].a, pairs[i].b);
		cr_expect_eq(flannel_netconf_equal(b, a), pairs[i].equal);
		cr_expect_eq(flannel_netconf_equal(a, a), 1);
		flannel_netconf_unref(a);
		flannel_netconf_unref(b);
	}
}

Test(netconf, text_is_kept_byte_for_byte)
{
	const char text[] = " {\"Network\" :\t\"10.3.0.0/16\", \"x\":\"\\u0041\"}\r\n trailing";
	size_t len = strlen(text) - strlen(" trailing");
	struct flannel_netconf *netconf = NULL;

	/* the bytes behind the length must not be read */
	cr_assert_eq(flannel_netconf_parse(text, len, &netconf, NULL), 0);
	cr_expect_eq(strlen(flannel_netconf_get_text(netconf)), len);
	cr_expect_eq(memcmp(flannel_netconf_get_text(netconf), text, len), 0);
	flannel_netconf_unref(netconf);
}

Test(netconf, nftables)
{
	struct flannel_netconf *on = parse(V4_ONLY("\"EnableNFTables\":true")), *off = parse(V4_ONLY("\"x\":1"));

	cr_expect_eq(flannel_netconf_get_nftables(on), 1);
	cr_expect_eq(flannel_netconf_get_nftables(off), 0);
	flannel_netconf_unref(on);
	flannel_netconf_unref(off);
}

Test(netconf, bad_parameters)
{
	struct flannel_netconf *netconf = parse(V4_ONLY("\"x\":1"));
	struct flannel_prefix prefix, last;

	cr_expect_eq(flannel_netconf_parse(NULL, 0, &netconf, NULL), -EINVAL);
	cr_expect_eq(flannel_netconf_parse("{}", 2, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_netconf_get_network(NULL, AF_INET, &prefix), -EINVAL);
	cr_expect_eq(flannel_netconf_get_network(netconf, AF_UNSPEC, &prefix), -EINVAL);
	cr_expect_eq(flannel_netconf_get_network(netconf, AF_INET, NULL), -EINVAL);
	cr_expect_eq(flannel_netconf_get_subnet_range(NULL, AF_INET, &prefix, &last), -EINVAL);
	cr_expect_eq(flannel_netconf_get_subnet_range(netconf, 99, &prefix, &last), -EINVAL);
	cr_expect_eq(flannel_netconf_get_subnet_range(netconf, AF_INET, NULL, &last), -EINVAL);
	cr_expect_eq(flannel_netconf_get_subnet_range(netconf, AF_INET, &prefix, NULL), -EINVAL);
	cr_expect_str_eq(flannel_netconf_get_text(NULL), "");
	cr_expect_str_eq(flannel_netconf_get_backend_type(NULL), "");
	cr_expect_str_eq(flannel_netconf_get_backend_text(NULL), "{}");
	cr_expect_eq(flannel_netconf_get_nftables(NULL), 0);
	cr_expect_null(flannel_netconf_get_warning(NULL, 0));
	cr_expect_eq(flannel_netconf_equal(NULL, NULL), 0);
	cr_expect_eq(flannel_netconf_equal(netconf, NULL), 0);
	cr_expect_null(flannel_netconf_ref(NULL));
	cr_expect_null(flannel_netconf_unref(NULL));
	cr_expect_eq(flannel_netconf_ref(netconf), netconf);
	cr_expect_null(flannel_netconf_unref(netconf));
	cr_expect_str_eq(flannel_netconf_get_backend_type(netconf), "udp", "a reference is left");
	cr_expect_null(flannel_netconf_unref(netconf));
}

/*
 * What the original did with a configuration: it either came up (keys or a running backend) or not. Ours must take
 * what it took; what it refused only when it used the value is our business to refuse at once.
 */
Test(netconf, takes_what_the_original_took)
{
	struct json_object *rows = NULL;
	char *text = NULL;
	size_t len, n_taken = 0, n_refused = 0;

	cr_assert_eq(fl_file_read(TEST_DATA "/flanneld/exits/exits.json", 1 << 20, &text, &len, NULL), 0);
	cr_assert_eq(fl_json_parse(text, len, "exits.json", &rows, NULL), 0);
	for (size_t i = 0; i < fl_json_array_length(rows); i++) {
		struct json_object *row = fl_json_array_get(rows, i), *keys = NULL;
		struct flannel_netconf *netconf = NULL;
		const char *config = NULL;

		cr_assert_eq(fl_json_get_string(row, "row", "config", &config, NULL), 1);
		cr_assert_eq(fl_json_get_array(row, "row", "keys", &keys, NULL), 1);
		if (flannel_netconf_parse(config, strlen(config), &netconf, NULL) == 0) {
			n_taken++;
		} else {
			cr_expect_eq(fl_json_array_length(keys), 0, "refused: %s", config);
			n_refused++;
		}
		flannel_netconf_unref(netconf);
	}
	/* no Network, length 31, 17, SubnetMin in the middle, no JSON, /29, IPv4 off, Min > Max, no IPv6Network */
	cr_expect_eq(n_refused, 9);
	cr_expect_gt(n_taken, 40);
	fl_json_unref(rows);
	free(text);
}

/* the keys that differ, as an operator would name them */
Test(netconf, differences)
{
	static const struct {
		const char *a, *b;
		const char *keys;
	} twos[] = {
		{"{\"Network\":\"10.5.0.0/16\"}", "{\"network\":\"10.5.0.0/16\",\"SubnetLen\":24}", ""},
		{"{\"Network\":\"10.5.0.0/16\"}", "{\"Network\":\"10.6.0.0/16\"}", "Network"},
		{"{\"Network\":\"10.5.0.0/16\"}", "{\"Network\":\"10.5.0.0/16\",\"SubnetLen\":25}",
		 "SubnetLen SubnetMin SubnetMax"},
		{"{\"Network\":\"10.5.0.0/16\"}", "{\"Network\":\"10.5.0.0/16\",\"SubnetMin\":\"10.5.9.0\"}",
		 "SubnetMin"},
		{"{\"Network\":\"10.5.0.0/16\",\"Backend\":{\"Type\":\"vxlan\"}}",
		 "{\"Network\":\"10.5.0.0/16\",\"Backend\":{\"Type\":\"vxlan\",\"VNI\":2}}", "Backend"},
		{"{\"Network\":\"10.5.0.0/16\"}",
		 "{\"Network\":\"10.5.0.0/16\",\"EnableIPv6\":true,\"IPv6Network\":\"fd00::/"
		 "48\",\"EnableNFTables\":true}",
		 "EnableIPv6 EnableNFTables"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(twos); i++) {
		struct flannel_netconf *a = NULL, *b = NULL;
		char text[256] = "";
		const char *key;

		cr_assert_eq(flannel_netconf_parse(twos[i].a, strlen(twos[i].a), &a, NULL), 0);
		cr_assert_eq(flannel_netconf_parse(twos[i].b, strlen(twos[i].b), &b, NULL), 0);
		for (unsigned int k = 0; (key = flannel_netconf_get_difference(a, b, k)); k++)
			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", k ? " " : "", key);
		cr_expect_str_eq(text, twos[i].keys, "case %zu: %s", i, text);
		cr_expect_eq(flannel_netconf_equal(a, b), !*text);
		cr_expect_null(flannel_netconf_get_difference(a, NULL, 0));
		cr_expect_null(flannel_netconf_get_difference(NULL, b, 0));
		flannel_netconf_unref(a);
		flannel_netconf_unref(b);
	}
}
