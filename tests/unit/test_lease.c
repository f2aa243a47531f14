/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <flannel/lease.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

/* a prefix from text, AF_UNSPEC from NULL */
static struct flannel_prefix prefix_of(const char *text)
{
	struct flannel_prefix prefix = {0};

	if (text)
		cr_assert_eq(flannel_prefix_parse(text, &prefix), 0, "%s", text);
	return prefix;
}

/* the lease of a key and a value that must be good */
static struct flannel_lease *parse(const char *key, const char *value)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_lease *lease = NULL;

	cr_assert_eq(flannel_lease_parse(key, value, strlen(value), 7, 9, &lease, &error), 0, "%s %s: %s", key, value,
		     flannel_error_get_message(error));
	return lease;
}

/* does a getter give the prefix, or none if want is NULL */
static void expect_prefix(int r, const struct flannel_prefix *got, const char *want)
{
	char text[FLANNEL_PREFIX_STRLEN];

	cr_expect_eq(r, want ? 1 : 0);
	if (r == 1 && want)
		cr_expect_str_eq(flannel_prefix_format(got, text, sizeof(text)), want);
}

#define MINIMAL "{\"PublicIP\":\"1.2.3.4\",\"PublicIPv6\":null}"

/* key as read, key as written, subnets */
static const struct {
	const char *key, *canonical, *v4, *v6;
} keys[] = {
	{"10.5.34.0-24", "10.5.34.0-24", "10.5.34.0/24", NULL},
	{"/coreos.com/network/subnets/10.5.34.0-24", "10.5.34.0-24", "10.5.34.0/24", NULL},
	{"10.12.13.0-24&fd00:12:13::-56", "10.12.13.0-24&fd00:12:13::-56", "10.12.13.0/24", "fd00:12:13::/56"},
	{"a/10.244.23.0-24&fd00:10:244:23:0:0:0:0-64", "10.244.23.0-24&fd00:10:244:23::-64", "10.244.23.0/24",
	 "fd00:10:244:23::/64"},
	{"0.0.0.0-0&fd00:5::-64", "0.0.0.0-0&fd00:5::-64", NULL, "fd00:5::/64"},
	{"128.0.0.0-1", "128.0.0.0-1", "128.0.0.0/1", NULL},
	{"10.5.34.2-31", "10.5.34.2-31", "10.5.34.2/31", NULL},
	{"10.5.34.0-024", "10.5.34.0-24", "10.5.34.0/24", NULL},
	{"10.5.34.0-24&8000::-1", "10.5.34.0-24&8000::-1", "10.5.34.0/24", "8000::/1"},
	{"10.5.34.0-24&fd00::2-127", "10.5.34.0-24&fd00::2-127", "10.5.34.0/24", "fd00::2/127"},
	/* four significant bytes are still IPv6 */
	{"10.5.34.0-24&::102:0-112", "10.5.34.0-24&::102:0-112", "10.5.34.0/24", "::102:0/112"},
};

Test(lease, keys_read_and_written)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(keys); i++) {
		struct flannel_lease *lease = parse(keys[i].key, MINIMAL);
		char buf[2 * FLANNEL_PREFIX_STRLEN];
		struct flannel_prefix prefix;
		int r;

		cr_expect_str_eq(flannel_lease_format_key(lease, buf, sizeof(buf)), keys[i].canonical, "%s: %s",
				 keys[i].key, buf);
		r = flannel_lease_get_subnet(lease, AF_INET, &prefix);
		expect_prefix(r, &prefix, keys[i].v4);
		r = flannel_lease_get_subnet(lease, AF_INET6, &prefix);
		expect_prefix(r, &prefix, keys[i].v6);
		flannel_lease_unref(lease);
	}
}

static const char *const bad_keys[] = {
	"",
	"config",
	"garbage",
	"subnets/",
	"10.5.34.0",
	"10.5.34.0-",
	"10.5.34.0-32",
	"10.5.34.0-999999999999999999999",
	"10.5.34.0-24x",
	"10.5.34.0--24",
	"10.5.34.0/24",
	"x10.5.34.0-24",
	" 10.5.34.0-24",
	"10.5.34-24",
	"10.5.256.0-24",
	"10.05.34.0-24",
	"10x5y34.0-24",
	"10.5.34.0-24&",
	"10.5.34.0-24&fd00:5::",
	"10.5.34.0-24&fd00:5::-128",
	"10.5.34.0-24&FD00:5::-64",
	"10.5.34.0-24&fd00:5::%1-64",
	"10.5.34.0-24&fd00:::-64",
	"10.5.34.0-24&fd00:5::-64&fd00:6::-64",
	"10.5.34.0-24&10.5.35.0-24",
	"10.5.34.0-24&::ffff:1.2.3.0-120",
	"fd00:5::-64",
	"&fd00:5::-64",
	/* no subnet, or one that is not aligned */
	"0.0.0.0-0",
	"10.0.0.0-0",
	"10.5.34.7-24",
	"10.5.34.0-24&fd00::1-64",
	"10.5.34.0-24&::-0",
	"0.0.0.0-0&::-0",
	"10.5.34.0-24&::ffff:102:300-120",
};

Test(lease, bad_keys_are_named)
{
	char long_key[4096];

	for (size_t i = 0; i < FL_N_ELEMENTS(bad_keys); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct flannel_lease *lease = NULL;
		const char *slash = strrchr(bad_keys[i], '/');
		int r = flannel_lease_parse(bad_keys[i], MINIMAL, strlen(MINIMAL), 0, 0, &lease, &error);

		cr_expect_eq(r, -EINVAL, "%s", bad_keys[i]);
		cr_expect_null(lease);
		cr_expect_str_eq(flannel_error_get_area(error), "store");
		cr_expect(strstr(flannel_error_get_message(error), slash ? slash + 1 : bad_keys[i]), "%s",
			  flannel_error_get_message(error));
		cr_expect(strstr(flannel_error_get_message(error), "expected"), "%s", flannel_error_get_message(error));
	}
	memset(long_key, '1', sizeof(long_key));
	long_key[sizeof(long_key) - 1] = '\0';
	struct flannel_lease *lease = NULL;
	cr_expect_eq(flannel_lease_parse(long_key, MINIMAL, strlen(MINIMAL), 0, 0, &lease, NULL), -EINVAL);
	cr_expect_null(lease);
}

#define V4 "10.5.34.0-24"
#define V6 "0.0.0.0-0&fd00:5::-64"

/* value as read and as written */
static const struct {
	const char *key, *value, *written;
} values[] = {
	{V4, MINIMAL, MINIMAL},
	{V4, "{}", "{\"PublicIP\":\"0.0.0.0\",\"PublicIPv6\":null}"},
	{V4, "{\"PublicIP\":\"0.0.0.0\"}", "{\"PublicIP\":\"0.0.0.0\",\"PublicIPv6\":null}"},
	/* order of flannel, white space gone, unknown keys dropped, case of keys does not matter, empties left out */
	{V4,
	 " { \"x\" : [ 1 ] , \"BackendV6Data\" : { \"b\" : 1 , \"a\" : [ ] }, \"backendtype\":\"vxlan\",\n"
	 "\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"c6:d2:32:6f:8f:44\"},\"publicipv6\":\"FD77:0::1\",\"PUBLICIP\":"
	 "\"1.2.3.4\"}",
	 "{\"PublicIP\":\"1.2.3.4\",\"PublicIPv6\":\"fd77::1\",\"BackendType\":\"vxlan\",\"BackendData\":{\"VNI\":1,"
	 "\"VtepMAC\":\"c6:d2:32:6f:8f:44\"},\"BackendV6Data\":{\"b\":1,\"a\":[]}}"},
	{V4, "{\"PublicIP\":\"1.2.3.4\",\"BackendType\":\"\",\"BackendData\":null}", MINIMAL},
	{V4, "{\"PublicIP\":\"1.2.3.4\",\"PublicIPv6\":\"::\"}", MINIMAL},
	/* data of any type; numbers and slashes stay as they are */
	{V4, "{\"PublicIP\":\"1.2.3.4\",\"BackendData\":\"text\"}",
	 "{\"PublicIP\":\"1.2.3.4\",\"PublicIPv6\":null,\"BackendData\":\"text\"}"},
	{V4, "{\"PublicIP\":\"1.2.3.4\",\"BackendData\":[1.50,1e3,\"a\\/b+c=\",false]}",
	 "{\"PublicIP\":\"1.2.3.4\",\"PublicIPv6\":null,\"BackendData\":[1.50,1e3,\"a/b+c=\",false]}"},
	/* the characters that flannel's encoder escapes */
	{V4, "{\"PublicIP\":\"1.2.3.4\",\"BackendType\":\"<&>\",\"BackendData\":\"\\u003c \xe2\x80\xa8 \xe2\x80\xa9\"}",
	 "{\"PublicIP\":\"1.2.3.4\",\"PublicIPv6\":null,\"BackendType\":\"\\u003c\\u0026\\u003e\",\"BackendData\":"
	 "\"\\u003c \\u2028 \\u2029\"}"},
	/* without an IPv4 subnet the IPv4 address may be anything */
	{V6, "{\"PublicIP\":null,\"PublicIPv6\":\"fd77::1\"}", "{\"PublicIP\":\"0.0.0.0\",\"PublicIPv6\":\"fd77::1\"}"},
	{V6, "{\"PublicIP\":\"\",\"PublicIPv6\":\"fd77::1\"}", "{\"PublicIP\":\"0.0.0.0\",\"PublicIPv6\":\"fd77::1\"}"},
	{V6, "{\"PublicIP\":\"fd77::1\",\"PublicIPv6\":\"fd77::1\"}",
	 "{\"PublicIP\":\"0.0.0.0\",\"PublicIPv6\":\"fd77::1\"}"},
	{V6, "{\"PublicIP\":\"1.2.3.4\",\"PublicIPv6\":\"fd77::1\"}",
	 "{\"PublicIP\":\"1.2.3.4\",\"PublicIPv6\":\"fd77::1\"}"},
};

Test(lease, values_read_and_written)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(values); i++) {
		struct flannel_lease *lease = parse(values[i].key, values[i].value), *again;

		cr_expect_str_eq(flannel_lease_get_value(lease), values[i].written, "%s\n  %s", values[i].value,
				 flannel_lease_get_value(lease));
		again = parse(values[i].key, values[i].written);
		cr_expect(flannel_lease_equal(lease, again), "%s", values[i].value);
		cr_expect_str_eq(flannel_lease_get_value(again), values[i].written);
		flannel_lease_unref(lease);
		flannel_lease_unref(again);
	}
}

static const struct {
	const char *key, *value, *message;
} bad_values[] = {
	{V4, "{\"PublicIP\":null}", "lease \"10.5.34.0-24\": value: PublicIP is null, expected an IPv4 address"},
	{V4, "{\"PublicIP\":\"fd77::1\"}",
	 "lease \"10.5.34.0-24\": value: PublicIP is \"fd77::1\", expected an IPv4 address"},
	{V4, "{\"PublicIP\":\"\"}", "lease \"10.5.34.0-24\": value: PublicIP is \"\", expected an IPv4 address"},
	{V4, "{\"PublicIP\":\"1.2.3.4/24\"}",
	 "lease \"10.5.34.0-24\": value: PublicIP is \"1.2.3.4/24\", expected an IPv4 address"},
	{V4, "{\"PublicIP\":1}", "lease \"10.5.34.0-24\": value: PublicIP is 1, expected a string"},
	{V6, "{\"PublicIP\":1}", "lease \"0.0.0.0-0&fd00:5::-64\": value: PublicIP is 1, expected a string"},
	{V4, "{\"PublicIP\":\"1.2.3.4\",\"PublicIPv6\":\"1.2.3.4\"}",
	 "lease \"10.5.34.0-24\": value: PublicIPv6 is \"1.2.3.4\", expected an IPv6 address or null"},
	{V4, "{\"PublicIP\":\"1.2.3.4\",\"BackendType\":{}}",
	 "lease \"10.5.34.0-24\": value: BackendType is an object, expected a string"},
	{V4, "[]", "lease \"10.5.34.0-24\": value: expected a JSON object"},
	{V4, "null", "lease \"10.5.34.0-24\": value: expected a JSON object"},
	{"10.5.34.7-24", MINIMAL,
	 "lease \"10.5.34.7-24\": make lease: subnet is 10.5.34.7/24, expected host bits to be "
	 "zero"},
};

Test(lease, bad_values_are_named)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(bad_values); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct flannel_lease *lease = NULL;
		const char *value = bad_values[i].value;

		cr_expect_eq(flannel_lease_parse(bad_values[i].key, value, strlen(value), 0, 0, &lease, &error),
			     -EINVAL, "%s", value);
		cr_expect_null(lease);
		cr_expect_str_eq(flannel_error_get_area(error), "store");
		cr_expect_str_eq(flannel_error_get_message(error), bad_values[i].message, "%s\n  %s", value,
				 flannel_error_get_message(error));
	}
	struct flannel_lease *lease = NULL;
	cr_expect_eq(flannel_lease_parse(V4, "not json", 8, 0, 0, &lease, NULL), -EINVAL);
	cr_expect_eq(flannel_lease_parse(V4, MINIMAL, strlen(MINIMAL) - 1, 0, 0, &lease, NULL), -EINVAL);
	cr_expect_eq(flannel_lease_parse(V4, MINIMAL, strlen(MINIMAL), -1, 0, &lease, NULL), -EINVAL);
	cr_expect_null(lease);
}

/* fields as text; NULL is none */
struct fields_case {
	const char *subnet, *subnet6, *public_ip, *public_ip6, *type, *data, *data6, *expected;
};

static const struct fields_case fields_cases[] = {
	{"10.5.34.0/24", NULL, "1.2.3.4", NULL, NULL, NULL, NULL, NULL},
	{NULL, "fd00::/64", NULL, "fd77::1", "", NULL, NULL, NULL},
	{"10.5.34.0/24", "fd00::/64", "1.2.3.4", "fd77::1", "vxlan", "{}", "[1]", NULL},
	{NULL, NULL, "1.2.3.4", NULL, NULL, NULL, NULL, "subnet, subnet6 is missing, expected one of them or both"},
	{"10.5.34.1/24", NULL, NULL, NULL, NULL, NULL, NULL, "subnet is 10.5.34.1/24, expected host bits to be zero"},
	{"10.5.34.1/32", NULL, NULL, NULL, NULL, NULL, NULL, "subnet is 10.5.34.1/32, expected a length of 1 to 31"},
	{"0.0.0.0/0", NULL, NULL, NULL, NULL, NULL, NULL, "subnet is 0.0.0.0/0, expected a length of 1 to 31"},
	{"fd00::/64", NULL, NULL, NULL, NULL, NULL, NULL, "subnet is fd00::/64, expected IPv4"},
	{NULL, "10.5.34.0/24", NULL, NULL, NULL, NULL, NULL, "subnet6 is 10.5.34.0/24, expected IPv6"},
	{NULL, "fd00::/128", NULL, NULL, NULL, NULL, NULL, "subnet6 is fd00::/128, expected a length of 1 to 127"},
	{NULL, "fd00::1/64", NULL, NULL, NULL, NULL, NULL, "subnet6 is fd00::1/64, expected host bits to be zero"},
	{"10.5.34.0/24", NULL, "fd77::1", NULL, NULL, NULL, NULL,
	 "public_ip is fd77::1/128, expected an IPv4 address (length 32)"},
	{"10.5.34.0/24", NULL, "1.2.3.4/24", NULL, NULL, NULL, NULL,
	 "public_ip is 1.2.3.4/24, expected an IPv4 address (length 32)"},
	{"10.5.34.0/24", NULL, NULL, "fd77::1/64", NULL, NULL, NULL,
	 "public_ip6 is fd77::1/64, expected an IPv6 address (length 128)"},
	{"10.5.34.0/24", NULL, NULL, NULL, NULL, "{", NULL, "backend_data"},
	{"10.5.34.0/24", NULL, NULL, NULL, NULL, "", NULL, "backend_data"},
	{"10.5.34.0/24", NULL, NULL, NULL, NULL, NULL, "nonsense", "backend_v6_data"},
	/* fine by itself, too deep inside of a lease: nobody could read it back */
	{"10.5.34.0/24", NULL, NULL, NULL, NULL, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	 NULL, "backend data"},
};

/* the fields of a case */
static struct flannel_lease_fields fields_of(const struct fields_case *c)
{
	return (struct flannel_lease_fields){
		.size = sizeof(struct flannel_lease_fields),
		.subnet = prefix_of(c->subnet),
		.subnet6 = prefix_of(c->subnet6),
		.public_ip = prefix_of(c->public_ip),
		.public_ip6 = prefix_of(c->public_ip6),
		.backend_type = c->type,
		.backend_data = c->data,
		.backend_v6_data = c->data6,
		.expires_sec = 5,
		.revision = 6,
	};
}

Test(lease, fields_are_checked)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(fields_cases); i++) {
		const struct fields_case *c = &fields_cases[i];
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct flannel_lease_fields fields = fields_of(c);
		struct flannel_lease *lease = NULL;
		int r = flannel_lease_new(&fields, &lease, &error);

		cr_expect_eq(r, c->expected ? -EINVAL : 0, "case %zu: %s", i, flannel_error_get_message(error));
		cr_expect_eq(lease == NULL, c->expected != NULL);
		if (c->expected)
			cr_expect(strstr(flannel_error_get_message(error), c->expected), "case %zu: %s", i,
				  flannel_error_get_message(error));
		flannel_lease_unref(lease);
	}
}

Test(lease, getters)
{
	const struct fields_case full = {"10.5.34.0/24", "fd00::/64",          "1.2.3.4", "fd77::1",
					 "vxlan",        "{\"VNI\": \"a/b\"}", "null",    NULL};
	struct flannel_lease_fields fields = fields_of(&full);
	struct flannel_lease *lease = NULL;
	struct flannel_prefix prefix;

	cr_assert_eq(flannel_lease_new(&fields, &lease, NULL), 0);
	expect_prefix(flannel_lease_get_subnet(lease, AF_INET, &prefix), &prefix, "10.5.34.0/24");
	expect_prefix(flannel_lease_get_subnet(lease, AF_INET6, &prefix), &prefix, "fd00::/64");
	expect_prefix(flannel_lease_get_public_ip(lease, AF_INET, &prefix), &prefix, "1.2.3.4/32");
	expect_prefix(flannel_lease_get_public_ip(lease, AF_INET6, &prefix), &prefix, "fd77::1/128");
	cr_expect_str_eq(flannel_lease_get_backend_type(lease), "vxlan");
	cr_expect_str_eq(flannel_lease_get_backend_data(lease, AF_INET), "{\"VNI\":\"a/b\"}");
	cr_expect_null(flannel_lease_get_backend_data(lease, AF_INET6));
	cr_expect_null(flannel_lease_get_backend_data(lease, AF_UNSPEC));
	cr_expect_eq(flannel_lease_get_expires_sec(lease), 5);
	cr_expect_eq(flannel_lease_get_revision(lease), 6);
	flannel_lease_unref(lease);
}

#define LEASE(type, data) "{\"PublicIP\":\"1.2.3.4\",\"BackendType\":\"" type "\",\"BackendData\":" data "}"

static const struct {
	const char *a_key, *a, *b_key, *b;
	int equal;
} pairs[] = {
	{V4, LEASE("vxlan", "{\"a\":1,\"b\":2}"), V4, LEASE("vxlan", "{ \"b\":2, \"a\":1}"), 1},
	{V4, LEASE("vxlan", "{\"a\":1}"), V4, LEASE("vxlan", "{\"a\":2}"), 0},
	{V4, LEASE("vxlan", "{}"), V4, LEASE("host-gw", "{}"), 0},
	{V4, LEASE("vxlan", "{}"), V4, LEASE("vxlan", "null"), 0},
	{V4, MINIMAL, V4, "{\"PublicIP\":\"1.2.3.5\"}", 0},
	{V4, MINIMAL, V4, "{\"PublicIP\":\"1.2.3.4\",\"PublicIPv6\":\"fd77::1\"}", 0},
	{V4, MINIMAL, V4 "&fd00:5::-64", MINIMAL, 0},
	{V4, MINIMAL, "10.5.34.0-25", MINIMAL, 0},
	{V4, MINIMAL, V4, "{\"PublicIP\":\"1.2.3.4\",\"BackendV6Data\":1}", 0},
};

Test(lease, equal_compares_meaning)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(pairs); i++) {
		struct flannel_lease *a = parse(pairs[i].a_key, pairs[i].a), *b = NULL;

		/* expiry and revision do not count */
		cr_assert_eq(flannel_lease_parse(pairs[i].b_key, pairs[i].b, strlen(pairs[i].b), 1, 2, &b, NULL), 0);
		cr_expect_eq(flannel_lease_equal(a, b), pairs[i].equal, "case %zu", i);
		cr_expect_eq(flannel_lease_equal(b, a), pairs[i].equal, "case %zu", i);
		cr_expect_eq(flannel_lease_equal(a, a), 1);
		flannel_lease_unref(a);
		flannel_lease_unref(b);
	}
}

Test(lease, bad_parameters)
{
	struct flannel_lease_fields fields = {.size = sizeof(fields), .subnet = prefix_of("10.5.34.0/24")};
	struct {
		struct flannel_lease_fields fields;
		char tail;
	} newer = {.fields = {.size = sizeof(newer), .subnet = fields.subnet}, .tail = 1};
	struct flannel_lease *lease = NULL, *other = parse(V4, MINIMAL);
	char buf[2 * FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix prefix;

	cr_expect_eq(flannel_lease_new(NULL, &lease, NULL), -EINVAL);
	cr_expect_eq(flannel_lease_new(&fields, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_lease_new(&newer.fields, &lease, NULL), -E2BIG);
	fields.size = 1;
	cr_expect_eq(flannel_lease_new(&fields, &lease, NULL), -EINVAL);
	cr_expect_eq(flannel_lease_parse(NULL, MINIMAL, 1, 0, 0, &lease, NULL), -EINVAL);
	cr_expect_eq(flannel_lease_parse(V4, NULL, 0, 0, 0, &lease, NULL), -EINVAL);
	cr_expect_eq(flannel_lease_parse(V4, MINIMAL, strlen(MINIMAL), 0, 0, NULL, NULL), -EINVAL);
	cr_expect_null(lease);
	cr_expect_eq(flannel_lease_get_subnet(NULL, AF_INET, &prefix), -EINVAL);
	cr_expect_eq(flannel_lease_get_subnet(other, AF_UNSPEC, &prefix), -EINVAL);
	cr_expect_eq(flannel_lease_get_subnet(other, AF_INET, NULL), -EINVAL);
	cr_expect_eq(flannel_lease_get_public_ip(NULL, AF_INET, &prefix), -EINVAL);
	cr_expect_eq(flannel_lease_get_public_ip(other, 99, &prefix), -EINVAL);
	cr_expect_str_eq(flannel_lease_format_key(NULL, buf, sizeof(buf)), "");
	cr_expect_str_eq(flannel_lease_format_key(other, NULL, 0), "");
	cr_expect_str_eq(flannel_lease_format_key(other, buf, strlen(V4)), "");
	cr_expect_str_eq(flannel_lease_format_key(other, buf, strlen(V4) + 1), V4);
	cr_expect_str_eq(flannel_lease_get_value(NULL), "");
	cr_expect_str_eq(flannel_lease_get_backend_type(NULL), "");
	cr_expect_null(flannel_lease_get_backend_data(NULL, AF_INET));
	cr_expect_eq(flannel_lease_get_expires_sec(NULL), 0);
	cr_expect_eq(flannel_lease_get_revision(NULL), 0);
	cr_expect_eq(flannel_lease_equal(NULL, NULL), 1);
	cr_expect_eq(flannel_lease_equal(other, NULL), 0);
	cr_expect_eq(flannel_lease_equal(NULL, other), 0);
	cr_expect_null(flannel_lease_ref(NULL));
	cr_expect_null(flannel_lease_unref(NULL));
	cr_expect_eq(flannel_lease_ref(other), other);
	flannel_lease_unref(other);
	cr_expect_str_eq(flannel_lease_get_value(other), MINIMAL, "a reference is left");
	flannel_lease_unref(other);
}

/* what is recorded in a real store */
static const struct {
	const char *name;
	size_t n_good, n_bad;
} recorded[] = {
	{"hostgw-v4", 5, 1},
	{"hostgw-dual", 5, 1},
	{"vxlan-dual", 5, 1},
	{"wireguard-v4", 5, 1},
	{"extension", 5, 1},
	{"backend-absent", 4, 1},
	{"existing-own-lease", 5, 1},
	{"previous-subnet-taken", 8, 1},
	{"reservation", 6, 1},
	/* the network configuration, and a key in upper case */
	{"dual-lease-keys", 7, 2},
};

Test(lease, recorded_leases_come_out_as_they_went_in)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(recorded); i++) {
		char path[256], *text = NULL, buf[2 * FLANNEL_PREFIX_STRLEN];
		size_t len, n_good = 0, n_bad = 0;
		struct json_object *rows = NULL;

		snprintf(path, sizeof(path), TEST_DATA "/flanneld/%s/etcd.json", recorded[i].name);
		cr_assert_eq(fl_file_read(path, 1 << 20, &text, &len, NULL), 0, "%s", path);
		cr_assert_eq(fl_json_parse(text, len, path, &rows, NULL), 0);
		for (size_t k = 0; k < fl_json_array_length(rows); k++) {
			struct flannel_lease *lease = NULL;
			const char *key, *value;

			cr_assert_eq(fl_json_get_string(fl_json_array_get(rows, k), "row", "key", &key, NULL), 1);
			cr_assert_eq(fl_json_get_string(fl_json_array_get(rows, k), "row", "value", &value, NULL), 1);
			if (flannel_lease_parse(key, value, strlen(value), 0, 0, &lease, NULL) < 0) {
				n_bad++;
				continue;
			}
			n_good++;
			cr_expect_str_eq(flannel_lease_get_value(lease), value);
			if (!strstr(key, ":0:0:0:0"))
				cr_expect_str_eq(flannel_lease_format_key(lease, buf, sizeof(buf)),
						 strrchr(key, '/') + 1);
			flannel_lease_unref(lease);
		}
		cr_expect_eq(n_good, recorded[i].n_good, "%s: %zu", path, n_good);
		cr_expect_eq(n_bad, recorded[i].n_bad, "%s: %zu", path, n_bad);
		fl_json_unref(rows);
		free(text);
	}
}
