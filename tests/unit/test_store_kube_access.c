/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the Kubernetes API is and who we are: URI, kubeconfig, service account, tokens. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/kube/access.h"
#include "store/kube/base64.h"
#include "store/kube/yaml.h"

#include "base/json.h"

/* a directory for one test, with a file for each name that is asked for */
struct place {
	char dir[64];
	char path[256];
};

static void place_make(struct place *place)
{
	(void)strcpy(place->dir, "/tmp/fl-kube-XXXXXX");
	cr_assert_not_null(mkdtemp(place->dir));
}

/* writes a file; its path */
static const char *place_write(struct place *place, const char *name, const char *text)
{
	FILE *file;

	(void)snprintf(place->path, sizeof(place->path), "%s/%s", place->dir, name);
	file = fopen(place->path, "we");
	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
	return place->path;
}

static void place_remove(struct place *place, const char *const *names, size_t n_names)
{
	for (size_t i = 0; i < n_names; i++) {
		(void)snprintf(place->path, sizeof(place->path), "%s/%s", place->dir, names[i]);
		(void)unlink(place->path);
	}
	cr_assert_eq(rmdir(place->dir), 0);
}

Test(store_kube_address, is_read)
{
	static const struct {
		const char *text;
		const char *said; /* node pod prefix net-config condition, or the error after "!" */
	} cases[] = {
		{"?node=n1", "n1 - flannel.alpha.coreos.com /etc/kube-flannel/net-conf.json true"},
		{"?pod=kube-flannel/ds-x1&prefix=a.b/c&net-config=/x%20y&condition=false",
		 "- kube-flannel/ds-x1 a.b/c /x y false"},
		{"?node=n1&pod=x/y&kubeconfig=&api-url=&account=",
		 "n1 - flannel.alpha.coreos.com /etc/kube-flannel/net-conf.json true"},
		{"?node=n1&prefix=", "n1 -  /etc/kube-flannel/net-conf.json true"},
		{"", "!expected \"?\""},
		{"n1", "!expected \"?\""},
		{"?", "!NODE_NAME"},
		{"?node=", "!POD_NAMESPACE"},
		{"?node=a/b", "!node is \"a/b\""},
		{"?node=..", "!node is \"..\""},
		{"?node=a%0ab", "!control character"},
		{"?pod=x", "!NAMESPACE/NAME"},
		{"?pod=/x", "!NAMESPACE/NAME"},
		{"?pod=a/b/c", "!NAMESPACE/NAME"},
		{"?node=n&condition=no", "!condition is neither"},
		{"?nodes=n", "!\"nodes\", expected api-url, kubeconfig"},
		{"?node=n&node=m", "!node is given twice"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_kube_address address = {0};
		char said[256];
		int r = fl_kube_address_parse(cases[i].text, &address, &error);

		if (*cases[i].said == '!') {
			cr_expect_eq(r, -EINVAL, "%s", cases[i].text);
			cr_expect(strstr(flannel_error_get_message(error), cases[i].said + 1), "%s: %s", cases[i].text,
				  flannel_error_get_message(error));
			continue;
		}
		cr_assert_eq(r, 0, "%s: %s", cases[i].text, flannel_error_get_message(error));
		(void)snprintf(said, sizeof(said), "%s %s%s%s %s %s %s", address.node ? address.node : "-",
			       address.node ? "-" : address.pod_namespace, address.node ? "" : "/",
			       address.node ? "" : address.pod, address.prefix, address.net_config,
			       address.no_condition ? "false" : "true");
		cr_expect_str_eq(said, cases[i].said);
		cr_expect_null(address.kubeconfig);
		cr_expect_null(address.api_url);
		cr_expect_str_eq(address.account, FL_KUBE_DEFAULT_ACCOUNT);
		fl_kube_address_clear(&address);
	}
}

Test(store_kube_base64, is_undone)
{
	static const struct {
		const char *text;
		const char *decoded; /* NULL: refused */
	} cases[] = {
		{"", ""},
		{"YQ==", "a"},
		{"YWI=", "ab"},
		{"YWJj", "abc"},
		{"YWJj\nZA==\n", "abcd"},
		{"+/8=", "\xfb\xff"},
		{"YQ", NULL},
		{"YQ=", NULL},
		{"YQ==x", NULL},
		{"=", NULL},
		{"Y", NULL},
		{"Y===", NULL},
		{"YW=j", NULL},
		{"%%%", NULL},
		{"AA==", NULL},
		{"Y-_=", NULL},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_freep) char *decoded = NULL;

		cr_assert_eq(fl_kube_base64_decode(cases[i].text, &decoded), cases[i].decoded ? 0 : -EINVAL, "%s",
			     cases[i].text);
		if (cases[i].decoded)
			cr_expect_str_eq(decoded, cases[i].decoded);
	}
}

Test(store_kube_yaml, is_read_as_json)
{
	static const struct {
		const char *text;
		const char *json; /* or what the error says, after "!" */
	} cases[] = {
		{"a: b\nc: [1, \"2\", x]\nd:\n- e: true\n  f: 'true'\n- {g: ~}\n",
		 "{\"a\":\"b\",\"c\":[\"1\",\"2\",\"x\"],\"d\":[{\"e\":true,\"f\":\"true\"},{}]}"},
		{"{\"a\": \"b\", \"c\": null}", "{\"a\":\"b\"}"},
		{"a: &x {b: c}\nd: *x\n", "{\"a\":{\"b\":\"c\"},\"d\":{\"b\":\"c\"}}"},
		{"a: |\n  b\n  c\n", "{\"a\":\"b\\nc\\n\"}"},
		{"", ""},
		{"a: [b\n", "!line "},
		{"{a: 1}: b\n", "!a key that is no text"},
		{"a: [~]\n", "!an empty item"},
		{"[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", "!nested too deeply"},
		{"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c "
		 "[*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
		 "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
		 "!too large"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_json_unrefp) struct json_object *value = NULL;
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		FL_CLEANUP(fl_freep) char *text = NULL;
		int r = fl_kube_yaml_parse(cases[i].text, strlen(cases[i].text), "origin", &value, &error);

		if (*cases[i].json == '!') {
			cr_expect_eq(r, -EINVAL, "case %zu", i);
			cr_expect(strstr(flannel_error_get_message(error), cases[i].json + 1), "case %zu: %s", i,
				  flannel_error_get_message(error));
			continue;
		}
		cr_assert_eq(r, 0, "case %zu: %s", i, flannel_error_get_message(error));
		text = value ? fl_json_format(value) : strdup("");
		cr_expect_str_eq(text, cases[i].json);
	}
}

#define CLUSTER "clusters:\n- name: c\n  cluster:\n    server: https://192.0.2.1:6443\n"
#define USER "users:\n- name: u\n  user:\n"
#define REST "contexts:\n- name: x\n  context: {cluster: c, user: u}\ncurrent-context: x\n"
#define SECRET "s3cr3t-T0ken"

/* reads a kubeconfig */
static int parse(const char *text, struct fl_kube_access *access, struct flannel_error **error)
{
	return fl_kube_access_parse(text, strlen(text), "/nowhere/config", access, error);
}

Test(store_kube_access, is_found_in_a_kubeconfig)
{
	static const struct {
		const char *text;
		const char *said; /* server token ca cert key unverified name proxy, or the error after "!" */
	} cases[] = {
		{CLUSTER USER "    token: t1\n" REST, "https://192.0.2.1:6443 t1 - - - 0"},
		{"clusters: [{name: d, cluster: {server: 'http://x'}}, {name: c, cluster: {server: 'https://h/path/', "
		 "certificate-authority-data: Q0E=, "
		 "insecure-skip-tls-verify: true}}]\n" USER
		 "    client-certificate-data: Q0VSVA==\n    client-key-data: S0VZ\n" REST,
		 "https://h/path - CA CERT KEY 1"},
		{"{\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"192.0.2.1:8080\"}}],\"contexts\":[{\"name\":"
		 "\"x\",\"context\":{\"cluster\":\"c\"}}],"
		 "\"current-context\":\"x\"}",
		 "http://192.0.2.1:8080 - - - - 0"},
		{"clusters:\n- name: c\n  cluster: {server: h, certificate-authority-data: Q0E=}\n" USER
		 "    token: ''\n" REST,
		 "https://h - CA - - 0"},
		{"", "!it is no kubeconfig"},
		{"a: [", "!line "},
		{CLUSTER USER "    token: t\n", "!current-context is missing"},
		{"current-context: gone\n", "!contexts has no \"gone\""},
		{USER "    token: t\n" REST, "!clusters has no \"c\""},
		{CLUSTER REST, "!users has no \"u\""},
		{"clusters:\n- name: c\n  cluster: {x: y}\n" USER "    token: t\n" REST, "!server is missing"},
		{CLUSTER "    certificate-authority-data: '%%%'\n" USER "    token: t\n" REST,
		 "!certificate-authority-data is no base64"},
		{CLUSTER "    certificate-authority: ca.pem\n" USER "    token: t\n" REST, "!read /nowhere/ca.pem"},
		{CLUSTER "    proxy-url: ftp://p\n" USER "    token: t\n" REST, "!proxy-url: expected"},
		{CLUSTER "    proxy-url: \"http://p/ http://u:" SECRET "@q\"\n" USER "    token: t\n" REST,
		 "!proxy-url: expected"},
		{CLUSTER "    tls-server-name: h/x\n" USER "    token: t\n" REST, "!tls-server-name is no name"},
		{CLUSTER "    tls-server-name: n.example\n    proxy-url: http://u:p@q:3128\n" USER
			 "    token: t1\n" REST,
		 "https://192.0.2.1:6443 t1 - - - 0 n.example http://u:p@q:3128"},
		{CLUSTER "    tls-server-name: ''\n    proxy-url: socks5://q\n" USER "    token: t1\n" REST,
		 "https://192.0.2.1:6443 t1 - - - 0 - socks5h://q"},
		{CLUSTER USER "    exec: {command: aws}\n" REST, "!exec is not supported"},
		{CLUSTER USER "    auth-provider: {name: gcp}\n" REST, "!auth-provider is not supported"},
		{CLUSTER USER "    username: u\n    password: " SECRET "\n" REST, "!username is not supported"},
		{CLUSTER USER "    client-certificate-data: Q0VSVA==\n" REST,
		 "!client-certificate and client-key are given only together"},
		{CLUSTER USER "    client-key-data: " SECRET "=\n" REST, "!client-key-data is no base64"},
		{CLUSTER USER "    token: {" SECRET ": x}\n" REST, "!token"},
		{"clusters:\n- name: c\n  cluster: {server: 'https://u:" SECRET "@h'}\n" USER "    token: t\n" REST,
		 "!it has a user name in it"},
		{"clusters:\n- name: c\n  cluster: {server: 'ftp://h'}\n" USER "    token: t\n" REST,
		 "!expected one such as https://"},
		{"clusters:\n- name: c\n  cluster: {server: 'https://h/?x'}\n" USER "    token: t\n" REST,
		 "!expected one such as https://"},
		{CLUSTER USER "    token: " SECRET "\n   bad\n" REST, "!line "},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_kube_access access = {0};
		char said[512];
		int r = parse(cases[i].text, &access, &error);

		/* never said, whatever is wrong */
		cr_expect_null(strstr(flannel_error_get_message(error), SECRET), "case %zu: %s", i,
			       flannel_error_get_message(error));
		if (*cases[i].said == '!') {
			cr_expect_lt(r, 0, "case %zu", i);
			cr_expect(strstr(flannel_error_get_message(error), cases[i].said + 1), "case %zu: %s", i,
				  flannel_error_get_message(error));
		} else {
			cr_assert_eq(r, 0, "case %zu: %s", i, flannel_error_get_message(error));
			(void)snprintf(said, sizeof(said), "%s %s %s %s %s %d%s%s%s%s", access.server,
				       access.token ? access.token : "-", access.ca_text ? access.ca_text : "-",
				       access.cert_text ? access.cert_text : "-",
				       access.key_text ? access.key_text : "-", access.is_unverified,
				       access.proxy ? " " : "",
				       access.server_name ? access.server_name
				       : access.proxy     ? "-"
							  : "",
				       access.proxy ? " " : "", access.proxy ? access.proxy : "");
			cr_expect_str_eq(said, cases[i].said);
		}
		fl_kube_access_clear(&access);
	}
}

Test(store_kube_access, reads_the_token_as_it_is_now)
{
	static const char *const names[] = {"token", "config"};
	struct fl_kube_address address = {.account = (char *)"/nowhere"};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_kube_access access = {0};
	struct place place;
	char *token = NULL;

	place_make(&place);
	(void)place_write(&place, "token", "one\n");
	/* a path beside the file, and a token for as long as that cannot be read */
	address.kubeconfig =
		(char *)place_write(&place, "config", CLUSTER USER "    tokenFile: token\n    token: zero\n" REST);
	cr_assert_eq(fl_kube_access_load(&address, &access, &error), 0, "%s", flannel_error_get_message(error));
	cr_assert_eq(fl_kube_access_get_token(&access, &token, NULL), 0);
	cr_expect_str_eq(token, "one");
	free(token);
	(void)place_write(&place, "token", "two");
	cr_assert_eq(fl_kube_access_get_token(&access, &token, NULL), 0);
	cr_expect_str_eq(token, "two");
	free(token);
	(void)place_write(&place, "token", "bad" SECRET "\ttoken\n");
	cr_expect_eq(fl_kube_access_get_token(&access, &token, &error), -EINVAL);
	cr_expect_null(strstr(flannel_error_get_message(error), SECRET));
	cr_expect(strstr(flannel_error_get_message(error), "/token"));
	(void)snprintf(place.path, sizeof(place.path), "%s/token", place.dir);
	cr_assert_eq(unlink(place.path), 0);
	cr_assert_eq(fl_kube_access_get_token(&access, &token, NULL), 0);
	cr_expect_str_eq(token, "zero");
	free(token);
	fl_kube_access_clear(&access);
	place_remove(&place, names, FL_N_ELEMENTS(names));
}

Test(store_kube_access, is_the_service_account_without_a_kubeconfig)
{
	static const char *const names[] = {"token", "ca.crt"};
	struct fl_kube_address address = {.account = (char *)"/nowhere", .api_url = (char *)"http://192.0.2.1:8080"};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_kube_access access = {0};
	struct place place;

	place_make(&place);
	(void)place_write(&place, "token", "t");
	(void)place_write(&place, "ca.crt", "c");
	address.account = place.dir;
	/* who we are is told nobody without TLS */
	cr_assert_eq(fl_kube_access_load(&address, &access, NULL), 0);
	cr_expect_null(access.tokenfile);
	fl_kube_access_clear(&access);
	address.api_url = (char *)"https://192.0.2.1:6443/";
	cr_assert_eq(fl_kube_access_load(&address, &access, NULL), 0);
	cr_expect_str_eq(access.server, "https://192.0.2.1:6443");
	cr_expect(strstr(access.tokenfile, "/token"));
	cr_expect(strstr(access.cafile, "/ca.crt"));
	fl_kube_access_clear(&access);

	address.api_url = NULL;
	(void)unsetenv("KUBERNETES_SERVICE_HOST");
	(void)setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	cr_assert_eq(fl_kube_access_load(&address, &access, &error), -EINVAL);
	cr_expect(strstr(flannel_error_get_message(error), "--kubeconfig-file"));
	(void)setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	cr_assert_eq(fl_kube_access_load(&address, &access, NULL), 0);
	cr_expect_str_eq(access.server, "https://[fd00::1]:443");
	fl_kube_access_clear(&access);
	address.account = (char *)"/nowhere";
	error = flannel_error_unref(error);
	cr_assert_eq(fl_kube_access_load(&address, &access, &error), -ENOENT);
	cr_expect(strstr(flannel_error_get_message(error), "/nowhere/token"));
	place_remove(&place, names, FL_N_ELEMENTS(names));
}
