/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a Node is read as a lease, and what is written to the own one. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/lease/lease.h"
#include "store/kube/answer.h"
#include "store/kube/patch.h"

#define P FL_KUBE_DEFAULT_PREFIX "/"

Test(store_kube_keys, follow_from_the_prefix)
{
	static const struct {
		const char *prefix;
		const char *key; /* NULL: refused */
	} cases[] = {
		{"flannel.alpha.coreos.com", "flannel.alpha.coreos.com/backend-type"},
		{"flannel.alpha.coreos.com/", "flannel.alpha.coreos.com/backend-type"},
		{"flannel.alpha.coreos.com/prefix", "flannel.alpha.coreos.com/prefix-backend-type"},
		{"flannel.alpha.coreos.com/prefix-", "flannel.alpha.coreos.com/prefix-backend-type"},
		{"a_b.c-d", "a_b.c-d/backend-type"},
		{"org", NULL},
		{"org/", NULL},
		{"org/prefix", NULL},
		{"org.COM", NULL},
		{"org.com/PREFIX", NULL},
		{"", NULL},
		{"/", NULL},
		{"x y.org.com", NULL}, /* flannel looks at the end only */
		{".org.com", NULL},
		{"org..com", NULL},
		{"org.com.", NULL},
		{"org.com/a/b", NULL},
		{"org.com//", NULL},
		{"org.com/-", NULL},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_kube_keys keys = {0};
		int r = fl_kube_keys_init(&keys, cases[i].prefix, &error);

		cr_assert_eq(r, cases[i].key ? 0 : -EINVAL, "%s", cases[i].prefix);
		if (cases[i].key)
			cr_expect_str_eq(keys.keys[FL_KUBE_BACKEND_TYPE], cases[i].key);
		else
			cr_expect(strstr(flannel_error_get_message(error), cases[i].prefix));
		fl_kube_keys_clear(&keys);
	}
}

/* reads a Node with the default prefix; what its annotations are is given without that */
static int read_node(const char *spec, const char *annotations, struct fl_kube_node *node, struct flannel_error **error)
{
	struct fl_kube_keys keys;
	char text[2048], *at = text + sprintf(text, "{\"metadata\":{\"name\":\"n1\",\"uid\":\"u\",\"resourceVersion\":"
						    "\"42\",\"annotations\":{\"a/b\":\"c\"");
	int r;

	for (const char *c = annotations; *c; c++) {
		/* '@' stands for the prefix */
		if (*c == '@')
			at += sprintf(at, P);
		else
			*at++ = *c;
	}
	(void)sprintf(at, "}},\"spec\":%s,\"status\":null}", spec);
	cr_assert_eq(fl_kube_keys_init(&keys, FL_KUBE_DEFAULT_PREFIX, NULL), 0);
	r = fl_kube_node_parse(&keys, text, strlen(text), node, error);
	fl_kube_keys_clear(&keys);
	return r;
}

#define DUAL "{\"podCIDR\":\"10.244.1.0/24\",\"podCIDRs\":[\"10.244.1.0/24\",\"fd00:1::/64\"]}"
#define MANAGED ",\"@kube-subnet-manager\":\"true\""

Test(store_kube_node, is_read_as_a_lease)
{
	static const struct {
		const char *spec;
		const char *annotations;
		const char *lease; /* key and value; NULL: none; else what the error says, after "!" */
	} cases[] = {
		{"{\"podCIDR\":\"10.244.1.0/24\"}",
		 MANAGED ",\"@public-ip\":\"192.0.2.1\",\"@backend-type\":\"host-gw\",\"@backend-data\":\"null\"",
		 "10.244.1.0-24 {\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}"},
		{DUAL,
		 MANAGED ",\"@public-ip\":\"192.0.2.1\",\"@public-ipv6\":\"fd::1\",\"@backend-type\":\"vxlan\",\"@"
			 "backend-data\":\"{\\\"VNI\\\":1}\","
			 "\"@backend-v6-data\":\"{\\\"VNI\\\":2}\"",
		 "10.244.1.0-24&fd00:1::-64 "
		 "{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":\"fd::1\",\"BackendType\":\"vxlan\",\"BackendData\":{"
		 "\"VNI\":1},"
		 "\"BackendV6Data\":{\"VNI\":2}}"},
		/* one family alone works: whatever it is that the other one lacks */
		{DUAL, MANAGED ",\"@public-ip\":\"192.0.2.1\"",
		 "10.244.1.0-24 {\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":null}"},
		{DUAL, MANAGED ",\"@public-ip\":\"0.0.0.0\",\"@public-ipv6\":\"fd::1\"",
		 "0.0.0.0-0&fd00:1::-64 {\"PublicIP\":\"0.0.0.0\",\"PublicIPv6\":\"fd::1\"}"},
		{DUAL, MANAGED ",\"@public-ip\":\"nonsense\",\"@public-ipv6\":\"fd::1\"",
		 "0.0.0.0-0&fd00:1::-64 {\"PublicIP\":\"0.0.0.0\",\"PublicIPv6\":\"fd::1\"}"},
		{"{\"podCIDRs\":[\"fd00:1::/64\"]}", MANAGED ",\"@public-ip\":\"192.0.2.1\",\"@public-ipv6\":\"fd::1\"",
		 "0.0.0.0-0&fd00:1::-64 {\"PublicIP\":\"0.0.0.0\",\"PublicIPv6\":\"fd::1\"}"},
		/* not flannel's */
		{DUAL, "", NULL},
		{DUAL, ",\"@public-ip\":\"192.0.2.1\"", NULL},
		{DUAL, ",\"@kube-subnet-manager\":\"false\",\"@public-ip\":\"192.0.2.1\"", NULL},
		/* flannel's, but of no use */
		{DUAL, MANAGED, "!expected an address in public-ip or public-ipv6"},
		{DUAL, MANAGED ",\"@public-ip\":\"fd::1\"", "!expected an address"},
		{"{}", MANAGED ",\"@public-ip\":\"192.0.2.1\"", "!it has no spec.podCIDR"},
		{"{\"podCIDR\":\"\"}", MANAGED ",\"@public-ip\":\"192.0.2.1\"", "!it has no spec.podCIDR"},
		{"{\"podCIDR\":\"10.244.1.1/24\"}", MANAGED ",\"@public-ip\":\"192.0.2.1\"", "!host bits"},
		{DUAL, MANAGED ",\"@public-ip\":\"192.0.2.1\",\"@backend-data\":\"{\"", "!backend_data"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		FL_CLEANUP_LEASE struct flannel_lease *lease = NULL;
		struct fl_kube_node node = {0};
		char key[2 * FLANNEL_PREFIX_STRLEN], text[512];
		int r;

		cr_assert_eq(read_node(cases[i].spec, cases[i].annotations, &node, &error), 0, "case %zu: %s", i,
			     flannel_error_get_message(error));
		r = fl_kube_node_get_lease(&node, &lease, &error);
		fl_kube_node_clear(&node);
		if (!cases[i].lease) {
			cr_expect_eq(r, 0, "case %zu", i);
		} else if (*cases[i].lease == '!') {
			cr_expect_eq(r, -EINVAL, "case %zu", i);
			cr_expect(strstr(flannel_error_get_message(error), cases[i].lease + 1), "case %zu: %s", i,
				  flannel_error_get_message(error));
			cr_expect(strstr(flannel_error_get_message(error), "n1"));
		} else {
			cr_assert_eq(r, 1, "case %zu: %s", i, flannel_error_get_message(error));
			(void)snprintf(text, sizeof(text), "%s %s", flannel_lease_format_key(lease, key, sizeof(key)),
				       flannel_lease_get_value(lease));
			cr_expect_str_eq(text, cases[i].lease, "case %zu: %s", i, text);
			cr_expect_eq(flannel_lease_get_revision(lease), 42);
		}
	}
}

Test(store_kube_node, nonsense_is_refused)
{
	static const struct {
		const char *text;
		const char *detail;
	} cases[] = {
		{"", "Node"},
		{"[]", "no object"},
		{"{}", "no object with metadata"},
		{"{\"metadata\":{}}", "it has no name"},
		{"{\"metadata\":{\"name\":7}}", "name"},
		{"{\"metadata\":{\"name\":\"x\",\"annotations\":{\"" P "public-ip\":7}}}", "public-ip"},
		{"{\"metadata\":{\"name\":\"x\"},\"spec\":{\"podCIDRs\":[\"10.0.0.0\"]}}",
		 "spec.podCIDRs: \"10.0.0.0\""},
		{"{\"metadata\":{\"name\":\"x\"},\"spec\":{\"podCIDRs\":[7]}}", "spec.podCIDRs"},
		{"{\"metadata\":{\"name\":\"x\"},\"spec\":7}", "spec"},
	};
	struct fl_kube_keys keys;

	cr_assert_eq(fl_kube_keys_init(&keys, FL_KUBE_DEFAULT_PREFIX, NULL), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_kube_node node = {0};

		cr_expect_eq(fl_kube_node_parse(&keys, cases[i].text, strlen(cases[i].text), &node, &error), -EINVAL);
		cr_expect(strstr(flannel_error_get_message(error), cases[i].detail), "%s: %s", cases[i].text,
			  flannel_error_get_message(error));
	}
	fl_kube_keys_clear(&keys);
}

Test(store_kube_node, tells_what_the_node_is_given)
{
	static const struct {
		const char *spec;
		const char *annotations;
		int r;
		const char *text; /* key and backend data, or what the error says */
	} cases[] = {
		{DUAL, ",\"@backend-type\":\"vxlan\",\"@backend-data\":\"{\\\"VtepMAC\\\":1}\"", 0,
		 "10.244.1.0-24&fd00:1::-64 vxlan {\"VtepMAC\":1}"},
		{DUAL, ",\"@backend-type\":\"vxlan\",\"@backend-data\":\"{{\"", 0, "10.244.1.0-24&fd00:1::-64 vxlan -"},
		{DUAL, "", 0, "10.244.1.0-24&fd00:1::-64  -"},
		{"{}", "", -EAGAIN, "--allocate-node-cidrs"},
		{"null", "", -EAGAIN, "no spec.podCIDR yet"},
		{"{\"podCIDRs\":[\"10.1.0.0/16\",\"10.2.0.0/16\"]}", "", -EINVAL, "spec.podCIDRs has 2 networks"},
		{"{\"podCIDR\":\"10.1.0.0/0\"}", "", -EINVAL, "subnet is 10.1.0.0/0"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		FL_CLEANUP_LEASE struct flannel_lease *lease = NULL;
		struct fl_kube_node node = {0};
		char key[2 * FLANNEL_PREFIX_STRLEN], text[256];

		cr_assert_eq(read_node(cases[i].spec, cases[i].annotations, &node, NULL), 0, "case %zu", i);
		cr_assert_eq(fl_kube_node_get_self(&node, &lease, &error), cases[i].r, "case %zu", i);
		fl_kube_node_clear(&node);
		if (cases[i].r < 0) {
			cr_expect(strstr(flannel_error_get_message(error), cases[i].text), "case %zu: %s", i,
				  flannel_error_get_message(error));
			cr_expect_eq(flannel_error_is_retryable(error), cases[i].r == -EAGAIN);
			continue;
		}
		(void)snprintf(text, sizeof(text), "%s %s %s", flannel_lease_format_key(lease, key, sizeof(key)),
			       flannel_lease_get_backend_type(lease),
			       flannel_lease_get_backend_data(lease, AF_INET)
				       ? flannel_lease_get_backend_data(lease, AF_INET)
				       : "-");
		cr_expect_str_eq(text, cases[i].text);
	}
}

/* the patch that writes a lease, given by key and value, to a node with annotations; "" for none */
static const char *make_patch(const char *key, const char *value, const char *annotations, char buf[2048])
{
	FL_CLEANUP_LEASE struct flannel_lease *lease = NULL;
	FL_CLEANUP(fl_freep) char *body = NULL;
	struct fl_kube_node node = {0};
	struct fl_kube_wanted wanted;
	struct fl_kube_keys keys;

	cr_assert_eq(read_node(DUAL, annotations, &node, NULL), 0);
	cr_assert_eq(fl_kube_keys_init(&keys, FL_KUBE_DEFAULT_PREFIX, NULL), 0);
	if (value) {
		cr_assert_eq(flannel_lease_parse(key, value, strlen(value), 0, 0, &lease, NULL), 0);
		fl_kube_wanted_init(&wanted, &node, lease);
	}
	buf[0] = '\0';
	if (!value || fl_kube_wanted_differs(&wanted, &node)) {
		cr_assert_eq(fl_kube_patch_annotations(&keys, value ? &wanted : NULL, &node, &body), 0);
		(void)snprintf(buf, 2048, "%s", body);
	}
	fl_kube_keys_clear(&keys);
	fl_kube_node_clear(&node);
	return buf;
}

#define V4 "10.244.1.0-24"
#define V46 "10.244.1.0-24&fd00:1::-64"
#define V6 "0.0.0.0-0&fd00:1::-64"
#define PATCH(members) "{\"metadata\":{\"annotations\":{" members "}}}"

Test(store_kube_patch, has_what_flannel_writes_and_no_more)
{
	static const struct {
		const char *key, *value, *annotations, *patch;
	} cases[] = {
		/* as recorded of flannel 0.28.9 */
		{V4, "{\"PublicIP\":\"10.99.0.11\",\"BackendType\":\"host-gw\"}", "",
		 PATCH("\"" P "kube-subnet-manager\":\"true\",\"" P "backend-type\":\"host-gw\",\"" P
		       "backend-data\":\"null\",\"" P "public-ip\":\"10.99.0.11\"")},
		{V46,
		 "{\"PublicIP\":\"10.99.0.11\",\"PublicIPv6\":\"fd00:99::b\",\"BackendType\":\"vxlan\",\"BackendData\":"
		 "{\"VNI\":1,\"VtepMAC\":\"26:ec:57:60:02:4f\"},"
		 "\"BackendV6Data\":{\"VNI\":1,\"VtepMAC\":\"26:ec:57:60:02:50\"}}",
		 "",
		 PATCH("\"" P "kube-subnet-manager\":\"true\",\"" P "backend-type\":\"vxlan\",\"" P
		       "backend-data\":\"{\\\"VNI\\\":1,\\\"VtepMAC\\\":\\\"26:ec:57:60:02:4f\\\"}\",\"" P
		       "backend-v6-data\":\"{\\\"VNI\\\":1,\\\"VtepMAC\\\":\\\"26:ec:57:60:02:50\\\"}\",\"" P
		       "public-ip\":\"10.99.0.11\",\"" P "public-ipv6\":\"fd00:99::b\"")},
		{V46, "{\"PublicIP\":\"10.99.0.11\",\"PublicIPv6\":\"fd00:99::b\",\"BackendType\":\"host-gw\"}",
		 MANAGED ",\"@backend-type\":\"host-gw\",\"@backend-data\":\"null\",\"@public-ip\":\"10.99.0.11\"",
		 PATCH("\"" P "backend-v6-data\":\"null\",\"" P "public-ipv6\":\"fd00:99::b\"")},
		/* IPv6 alone */
		{V6, "{\"PublicIPv6\":\"fd00:99::b\",\"BackendType\":\"host-gw\"}",
		 MANAGED ",\"@backend-type\":\"host-gw\"",
		 PATCH("\"" P "backend-data\":\"null\",\"" P "backend-v6-data\":\"null\",\"" P
		       "public-ip\":\"0.0.0.0\",\"" P "public-ipv6\":\"fd00:99::b\"")},
		{V6, "{\"PublicIPv6\":\"fd00:99::b\",\"BackendType\":\"vxlan\",\"BackendV6Data\":{\"VNI\":1}}",
		 MANAGED ",\"@backend-type\":\"vxlan\"",
		 PATCH("\"" P "backend-v6-data\":\"{\\\"VNI\\\":1}\",\"" P "public-ipv6\":\"fd00:99::b\"")},
		/* nothing to do; annotations of others are none of our business */
		{V4, "{\"PublicIP\":\"10.99.0.11\",\"BackendType\":\"host-gw\"}",
		 MANAGED ",\"@backend-type\":\"host-gw\",\"@backend-data\":\"null\",\"@public-ip\":\"10.99.0.11\"", ""},
		/* a family that the network has no longer is taken back */
		{V4, "{\"PublicIP\":\"10.99.0.11\",\"BackendType\":\"host-gw\"}",
		 MANAGED ",\"@backend-type\":\"host-gw\",\"@backend-data\":\"null\",\"@public-ip\":\"10.99.0.11\",\"@"
			 "backend-v6-data\":\"null\",\"@public-ipv6\":\"fd::1\"",
		 PATCH("\"" P "backend-v6-data\":null,\"" P "public-ipv6\":null")},
		/* what people say comes first, unless it is nonsense */
		{V46, "{\"PublicIP\":\"10.99.0.11\",\"PublicIPv6\":\"fd00:99::b\",\"BackendType\":\"host-gw\"}",
		 MANAGED ",\"@backend-type\":\"host-gw\",\"@backend-data\":\"null\",\"@backend-v6-data\":\"null\",\"@"
			 "public-ip-overwrite\":\"203.0.113.7\","
			 "\"@public-ipv6-overwrite\":\"2001:db8::7\"",
		 PATCH("\"" P "public-ip\":\"203.0.113.7\",\"" P "public-ipv6\":\"2001:db8::7\"")},
		{V4, "{\"PublicIP\":\"10.99.0.11\",\"BackendType\":\"host-gw\"}",
		 MANAGED
		 ",\"@backend-type\":\"host-gw\",\"@backend-data\":\"null\",\"@public-ip-overwrite\":\"nowhere\"",
		 PATCH("\"" P "public-ip\":\"10.99.0.11\"")},
		/* all of ours goes, and what people wrote stays */
		{NULL, NULL, MANAGED ",\"@public-ip\":\"10.99.0.11\",\"@public-ip-overwrite\":\"203.0.113.7\"",
		 PATCH("\"" P "kube-subnet-manager\":null,\"" P "public-ip\":null")},
	};
	char buf[2048];

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++)
		cr_expect_str_eq(make_patch(cases[i].key, cases[i].value, cases[i].annotations, buf), cases[i].patch,
				 "case %zu: %s", i, buf);
}

Test(store_kube_patch, of_the_condition)
{
	FL_CLEANUP(fl_freep) char *up = NULL;
	FL_CLEANUP(fl_freep) char *down = NULL;

	cr_assert_eq(fl_kube_patch_condition(true, "", 1795397425, &up), 0);
	cr_expect_str_eq(
		up, "{\"status\":{\"conditions\":[{\"type\":\"NetworkUnavailable\",\"status\":\"False\","
		    "\"lastHeartbeatTime\":\"2026-11-23T01:30:25Z\",\"lastTransitionTime\":\"2026-11-23T01:30:25Z\","
		    "\"reason\":\"FlannelIsUp\",\"message\":\"Flannel is running on this node\"}]}}");
	cr_assert_eq(fl_kube_patch_condition(false, "eth0 is \"gone\"", 0, &down), 0);
	cr_expect_str_eq(
		down, "{\"status\":{\"conditions\":[{\"type\":\"NetworkUnavailable\",\"status\":\"True\","
		      "\"lastHeartbeatTime\":\"1970-01-01T00:00:00Z\",\"lastTransitionTime\":\"1970-01-01T00:00:00Z\","
		      "\"reason\":\"FlannelIsDown\",\"message\":\"eth0 is \\\"gone\\\"\"}]}}");
}

Test(store_kube_answer, says_what_happened)
{
	static const struct {
		int status;
		const char *body;
		bool is_failure;
		const char *message;
	} cases[] = {
		{0, "", true, "look at S: no answer"},
		{403, "{\"kind\":\"Status\",\"message\":\"no right\",\"reason\":\"Forbidden\",\"code\":403}", false,
		 "HTTP status 403 Forbidden: no right; flannel needs"},
		{401, "{\"kind\":\"Status\",\"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}",
		 true, "is not accepted"},
		{400, "Client sent an HTTP request to an HTTPS server.\n", false,
		 "HTTP status 400: Client sent an HTTP request to an HTTPS server."},
		{502, "\x01\x02", true, "HTTP status 502"},
		{429, "Too many requests", true, "HTTP status 429: Too many requests"},
		{503, "", true, "HTTP status 503"},
		{422, "[]", false, "HTTP status 422"},
		{302, "", false, "HTTP status 302"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_kube_answer answer = {.status = cases[i].status};

		fl_kube_answer_read(&answer, cases[i].body, strlen(cases[i].body));
		cr_expect_eq(fl_kube_answer_is_failure(&answer), cases[i].is_failure, "case %zu", i);
		cr_expect_lt(fl_kube_answer_fail(&answer, "look", "S", &error), 0);
		cr_expect(strstr(flannel_error_get_message(error), cases[i].message), "case %zu: %s", i,
			  flannel_error_get_message(error));
		cr_expect(flannel_error_is_retryable(error));
	}
}

Test(store_kube_answer, a_long_text_is_cut)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_kube_answer answer = {.status = 422};
	char body[40000];
	size_t len = (size_t)sprintf(body, "{\"message\":\"begins");

	memset(body + len, 'x', sizeof(body) - len);
	(void)strcpy(body + sizeof(body) - 3, "\"}");
	fl_kube_answer_read(&answer, body, sizeof(body) - 1);
	(void)fl_kube_answer_fail(&answer, "look", "S", &error);
	cr_expect(strstr(flannel_error_get_message(error), "begins"));
	cr_expect_lt(strlen(flannel_error_get_message(error)), 600);
}

/* which Nodes are read in one pass; whatever else is left to the other reader, which decides */
Test(store_kube_node, plain_ones_are_read_in_one_pass)
{
	static const struct {
		const char *text;
		bool is_plain;
	} cases[] = {
		{"{\"metadata\":{\"name\":\"n\"}}", true},
		{" { \"kind\" : \"Node\" , \"metadata\" : { \"name\" : \"n\" , \"labels\" : null } , \"spec\" : { } "
		 "}\n",
		 true},
		{"{\"metadata\":{\"name\":\"n\",\"a\":[],\"b\":[1,\"x\",{\"c\":true}],\"d\":0}}", true},
		{"{\"metadata\":{\"name\":\"a\\\"\\\\\\/b\",\"annotations\":{\"" P
		 "backend-data\":\"{\\\"VNI\\\":1}\"}}}",
		 true},
		{"{\"metadata\":{\"name\":\"n\"},\"spec\":{\"podCIDR\":\"10.0.1.0/24\",\"podCIDRs\":[\"10.0.1.0/"
		 "24\",\"fd00::/64\"]}}",
		 true},
		{"", false},
		{"[]", false},
		{"null", false},
		{"{\"metadata\":{\"uid\":\"no name\"}}", false},
		{"{\"metadata\":{\"name\":\"n\"}", false},
		{"{\"metadata\":{\"name\":\"n\"}}}", false},
		{"{\"metadata\":{\"name\":\"n\",}}", false},
		{"{\"metadata\":{\"name\":\"n\"\"uid\":\"u\"}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"a\":[1,]}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"a\":01}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"a\":nul}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"a\":nulls}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"a\":'x'}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"a\":\"\t\"}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"a\":\"\\x\"}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"name\":\"m\"}}", false},
		{"{\"metadata\":{\"name\":\"n\"},\"metadata\":{}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"Name\":\"m\"}}", false},
		{"{\"metadata\":{\"name\":7}}", false},
		{"{\"metadata\":{\"name\":\"n\"},\"spec\":{\"podCIDR\":\"10.0.1.0\"}}", false},
		/* right, but not plain */
		{"{\"metadata\":{\"name\":\"n\",\"a\":-1.5e3}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"a\":1234567890123456}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"a\":\"\\u0041\"}}", false},
		{"{\"metadata\":{\"name\":\"n\",\"a\":\"\303\274\"}}", false},
	};
	struct fl_kube_keys keys;

	cr_assert_eq(fl_kube_keys_init(&keys, FL_KUBE_DEFAULT_PREFIX, NULL), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct fl_kube_node node = {0};
		const char *text = cases[i].text;

		cr_expect_eq(fl_kube_node_read_plain(&keys, text, strlen(text), &node), cases[i].is_plain, "%s", text);
		fl_kube_node_clear(&node);
	}
	fl_kube_keys_clear(&keys);
}
