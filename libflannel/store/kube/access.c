/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "store/kube/base64.h"
#include "store/kube/yaml.h"

#define FILE_MAX ((size_t)1024 * 1024)
#define TOKEN_MAX ((size_t)64 * 1024)

/* where a kubeconfig is read: its path for messages and for paths relative to it */
struct source {
	const char *path;
	struct fl_kube_access *access;
};

/* -EINVAL about a kubeconfig */
static int refuse(const struct source *source, const char *detail, struct flannel_error **ret_error)
{
	return fl_error_set(ret_error, -EINVAL, "config", detail, "kubeconfig %s", source->path);
}

/* a copy of a text; 0 or -ENOMEM */
static int copy(char **to, const char *text, struct flannel_error **ret_error)
{
	*to = strdup(text);
	return *to ? 0 : fl_error_oom(ret_error);
}

/* a file named in the kubeconfig: relative to its directory */
static int read_path(const struct source *source, struct json_object *object, const char *key, char **ret_path,
		     struct flannel_error **ret_error)
{
	const char *slash = strrchr(source->path, '/'), *text = NULL;
	int r = fl_json_get_string(object, source->path, key, &text, ret_error);

	if (r <= 0 || !*text)
		return r < 0 ? r : 0;
	if (asprintf(ret_path, "%.*s%s%s", *text == '/' || !slash ? 0 : (int)(slash - source->path), source->path,
		     *text == '/' || !slash ? "" : "/", text) < 0) {
		*ret_path = NULL;
		return fl_error_oom(ret_error);
	}
	if (faccessat(AT_FDCWD, *ret_path, R_OK, AT_EACCESS) == 0)
		return 0;
	return fl_error_set(ret_error, -errno, "config", NULL, "kubeconfig %s: %s: read %s", source->path, key,
			    *ret_path);
}

/* a PEM text in base64, or the file that has it */
static int read_pem(const struct source *source, struct json_object *object, const char *key, char **ret_text,
		    char **ret_path, struct flannel_error **ret_error)
{
	char data_key[64], detail[128];
	const char *text = NULL;
	int r;

	(void)snprintf(data_key, sizeof(data_key), "%s-data", key);
	r = fl_json_get_string(object, source->path, data_key, &text, ret_error);
	if (r < 0)
		return r;
	if (r == 0 || !*text)
		return read_path(source, object, key, ret_path, ret_error);
	r = fl_kube_base64_decode(text, ret_text);
	if (r == -ENOMEM)
		return fl_error_oom(ret_error);
	(void)snprintf(detail, sizeof(detail), "%s is no base64 of a PEM text", data_key);
	return r < 0 ? refuse(source, detail, ret_error) : 0;
}

/* a key that asks for something that we do not do: better said than passed over */
static int refuse_keys(const struct source *source, struct json_object *object, const char *const *keys, size_t n_keys,
		       const char *advice, struct flannel_error **ret_error)
{
	struct json_object *value;
	char detail[160];

	for (size_t i = 0; i < n_keys; i++) {
		if (fl_json_get_any(object, keys[i], &value) == 0 || !value)
			continue;
		(void)snprintf(detail, sizeof(detail), "%s is not supported; %s", keys[i], advice);
		return refuse(source, detail, ret_error);
	}
	return 0;
}

/* the member of a named element of a list: {name: NAME, MEMBER: {...}} */
static int find_named(const struct source *source, struct json_object *config, const char *list, const char *name,
		      const char *member, struct json_object **ret_object, struct flannel_error **ret_error)
{
	struct json_object *array = NULL, *element;
	const char *found = NULL;
	char detail[160];
	int r = fl_json_get_array(config, source->path, list, &array, ret_error);

	if (r < 0)
		return r;
	for (size_t i = 0; r > 0 && i < fl_json_array_length(array); i++) {
		element = fl_json_array_get(array, i);
		if (!fl_json_is_object(element) || fl_json_get_string(element, list, "name", &found, NULL) != 1 ||
		    strcmp(found, name) != 0)
			continue;
		r = fl_json_get_object(element, source->path, member, ret_object, ret_error);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	(void)snprintf(detail, sizeof(detail), "%s has no \"%.64s\"", list, name);
	return refuse(source, detail, ret_error);
}

/* a text that must be there */
static int read_needed(const struct source *source, struct json_object *object, const char *key, const char **ret_text,
		       struct flannel_error **ret_error)
{
	char detail[96];
	int r = fl_json_get_string(object, source->path, key, ret_text, ret_error);

	if (r < 0 || (r > 0 && **ret_text))
		return r < 0 ? r : 0;
	(void)snprintf(detail, sizeof(detail), "%s is missing", key);
	return refuse(source, detail, ret_error);
}

/* a name that is in the server's certificate: it becomes a part of a URL */
static int read_server_name(const struct source *source, struct json_object *cluster, struct flannel_error **ret_error)
{
	const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	const char *text = NULL;
	int r = fl_json_get_string(cluster, source->path, "tls-server-name", &text, ret_error);

	if (r <= 0 || !*text)
		return r < 0 ? r : 0;
	if (text[strspn(text, allowed)] != '\0')
		return refuse(source, "tls-server-name is no name of a host, nor an IPv4 address", ret_error);
	return copy(&source->access->server_name, text, ret_error);
}

/* a proxy; as with Go, names are left to one that speaks SOCKS */
static int read_proxy(const struct source *source, struct json_object *cluster, struct flannel_error **ret_error)
{
	const char *text = NULL;
	bool is_socks;
	int r = fl_json_get_string(cluster, source->path, "proxy-url", &text, ret_error);

	if (r <= 0 || !*text)
		return r < 0 ? r : 0;
	is_socks = strncmp(text, "socks5://", 9) == 0;
	if ((!is_socks && strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0) ||
	    strpbrk(text, " \"\\\t\r\n"))
		return refuse(source, "proxy-url: expected one that begins with http://, https:// or socks5://",
			      ret_error);
	if (asprintf(&source->access->proxy, "%s%s", is_socks ? "socks5h" : "", is_socks ? text + 6 : text) < 0) {
		source->access->proxy = NULL;
		return fl_error_oom(ret_error);
	}
	return 0;
}

/* where the server is, and whom to trust */
static int read_cluster(const struct source *source, struct json_object *cluster, struct flannel_error **ret_error)
{
	struct fl_kube_access *access = source->access;
	const char *server = NULL;
	int r = read_server_name(source, cluster, ret_error);

	if (r == 0)
		r = read_proxy(source, cluster, ret_error);
	if (r == 0)
		r = read_pem(source, cluster, "certificate-authority", &access->ca_text, &access->cafile, ret_error);
	if (r == 0)
		r = fl_json_get_bool(cluster, source->path, "insecure-skip-tls-verify", &access->is_unverified,
				     ret_error);
	if (r >= 0)
		r = read_needed(source, cluster, "server", &server, ret_error);
	return r < 0 ? r : fl_kube_access_set_server(access, server, source->path, ret_error);
}

/* who we are */
static int read_user(const struct source *source, struct json_object *user, struct flannel_error **ret_error)
{
	const char *const plugins[] = {"exec", "auth-provider"};
	const char *const unsupported[] = {"username", "password", "as", "as-uid", "as-groups", "as-user-extra"};
	struct fl_kube_access *access = source->access;
	const char *token = NULL;
	int r = refuse_keys(source, user, plugins, FL_N_ELEMENTS(plugins),
			    "a program that gets credentials is not run; use token, tokenFile or a client certificate",
			    ret_error);

	if (r == 0)
		r = refuse_keys(source, user, unsupported, FL_N_ELEMENTS(unsupported),
				"use token, tokenFile or a client certificate", ret_error);
	if (r == 0)
		r = read_pem(source, user, "client-certificate", &access->cert_text, &access->certfile, ret_error);
	if (r == 0)
		r = read_pem(source, user, "client-key", &access->key_text, &access->keyfile, ret_error);
	if (r == 0)
		r = read_path(source, user, "tokenFile", &access->tokenfile, ret_error);
	if (r >= 0)
		r = fl_json_get_string(user, source->path, "token", &token, ret_error);
	if (r < 0)
		return r;
	if (r > 0 && *token && copy(&access->token, token, ret_error) < 0)
		return -ENOMEM;
	if (!(access->cert_text || access->certfile) != !(access->key_text || access->keyfile))
		return refuse(source, "client-certificate and client-key are given only together", ret_error);
	return 0;
}

int fl_kube_access_parse(const char *text, size_t len, const char *path, struct fl_kube_access *access,
			 struct flannel_error **ret_error)
{
	const struct source source = {.path = path, .access = access};
	FL_CLEANUP(fl_json_unrefp) struct json_object *config = NULL;
	struct json_object *context = NULL, *cluster = NULL, *user = NULL;
	const char *name = NULL;
	int r = fl_kube_yaml_parse(text, len, path, &config, ret_error);

	if (r < 0)
		return r;
	if (!fl_json_is_object(config))
		return refuse(&source, "it is no kubeconfig: expected clusters, users, contexts and current-context",
			      ret_error);
	r = read_needed(&source, config, "current-context", &name, ret_error);
	if (r == 0)
		r = find_named(&source, config, "contexts", name, "context", &context, ret_error);
	if (r == 0)
		r = read_needed(&source, context, "cluster", &name, ret_error);
	if (r == 0)
		r = find_named(&source, config, "clusters", name, "cluster", &cluster, ret_error);
	if (r == 0)
		r = read_cluster(&source, cluster, ret_error);
	if (r == 0)
		r = fl_json_get_string(context, path, "user", &name, ret_error);
	if (r <= 0 || !*name)
		return r < 0 ? r : 0;
	r = find_named(&source, config, "users", name, "user", &user, ret_error);
	return r < 0 ? r : read_user(&source, user, ret_error);
}

/* does a URL's authority have just what it may; what it is exactly is for the transport to say */
static bool is_authority(const char *text, size_t len)
{
	const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%";

	return len > 0 && strspn(text, allowed) >= len && text[0] != ':';
}

int fl_kube_access_set_server(struct fl_kube_access *access, const char *url, const char *origin,
			      struct flannel_error **ret_error)
{
	bool has_tls =
		access->is_unverified || access->cafile || access->ca_text || access->certfile || access->cert_text;
	const char *scheme = has_tls ? "https://" : "http://", *rest = url;
	size_t len;
	char *server;

	/* before anything is said about it */
	if (strchr(url, '@'))
		return fl_error_set(ret_error, -EINVAL, "config", "it has a user name in it", "URL of the API in %s",
				    origin);
	if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) {
		scheme = "";
		rest = strstr(url, "//") + 2;
	}
	len = strcspn(rest, "/");
	if (strstr(rest, "://") || !is_authority(rest, len) || strpbrk(rest + len, "?# \"\\\t\r\n"))
		return fl_error_set(ret_error, -EINVAL, "config", "expected one such as https://192.0.2.1:6443",
				    "URL \"%.100s\" of the API in %s", url, origin);
	if (asprintf(&server, "%s%s", scheme, url) < 0)
		return fl_error_oom(ret_error);
	while (server[strlen(server) - 1] == '/')
		server[strlen(server) - 1] = '\0';
	free(access->server);
	access->server = server;
	return 0;
}

/* a kubeconfig's file */
static int load_file(const char *path, struct fl_kube_access *access, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	size_t len = 0;
	int r = fl_file_read(path, FILE_MAX, &text, &len, ret_error);

	if (r < 0)
		return fl_error_wrap(ret_error, r, "kubeconfig");
	r = fl_kube_access_parse(text, len, path, access, ret_error);
	explicit_bzero(text, len);
	return r;
}

/* the service account's files, as far as they are there */
static int use_account(const char *directory, struct fl_kube_access *access, struct flannel_error **ret_error)
{
	if (asprintf(&access->tokenfile, "%s/token", directory) < 0) {
		access->tokenfile = NULL;
		return fl_error_oom(ret_error);
	}
	if (asprintf(&access->cafile, "%s/ca.crt", directory) < 0) {
		access->cafile = NULL;
		return fl_error_oom(ret_error);
	}
	return 0;
}

/* the cluster that we run in: what every pod is told by its environment and its service account */
static int load_own_cluster(const struct fl_kube_address *address, struct fl_kube_access *access,
			    struct flannel_error **ret_error)
{
	const char *host = secure_getenv("KUBERNETES_SERVICE_HOST"), *port = secure_getenv("KUBERNETES_SERVICE_PORT");
	FL_CLEANUP(fl_freep) char *url = NULL;
	bool is_v6 = host && strchr(host, ':') && host[0] != '[';
	int r;

	if (!host || !*host || !port || !*port)
		return fl_error_set(
			ret_error, -EINVAL, "config",
			"KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, so this is no pod; "
			"give a kubeconfig file (--kubeconfig-file) or the URL of the API (--kube-api-url)",
			"find the Kubernetes API");
	if (asprintf(&url, "https://%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port) < 0) {
		url = NULL;
		return fl_error_oom(ret_error);
	}
	r = use_account(address->account, access, ret_error);
	if (r == 0 && faccessat(AT_FDCWD, access->tokenfile, R_OK, AT_EACCESS) < 0)
		return fl_error_set(ret_error, -errno, "config", NULL, "read the service account's token %s",
				    access->tokenfile);
	return r < 0 ? r : fl_kube_access_set_server(access, url, "the environment", ret_error);
}

/* a URL and nothing else: who we are is the service account, if there is one; it is told nobody without TLS */
static int load_url(const struct fl_kube_address *address, struct fl_kube_access *access,
		    struct flannel_error **ret_error)
{
	int r = fl_kube_access_set_server(access, address->api_url, "--kube-api-url", ret_error);

	if (r < 0 || strncmp(access->server, "https:", 6) != 0)
		return r;
	r = use_account(address->account, access, ret_error);
	if (r == 0 && faccessat(AT_FDCWD, access->tokenfile, R_OK, AT_EACCESS) < 0) {
		free(FL_TAKE(access->tokenfile));
		free(FL_TAKE(access->cafile));
	}
	return r;
}

int fl_kube_access_load(const struct fl_kube_address *address, struct fl_kube_access *ret_access,
			struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_kube_access_clear) struct fl_kube_access access = {0};
	int r;

	if (address->kubeconfig) {
		r = load_file(address->kubeconfig, &access, ret_error);
		if (r == 0 && address->api_url)
			r = fl_kube_access_set_server(&access, address->api_url, "--kube-api-url", ret_error);
	} else if (address->api_url) {
		r = load_url(address, &access, ret_error);
	} else {
		r = load_own_cluster(address, &access, ret_error);
	}
	if (r < 0)
		return r;
	*ret_access = access;
	access = (struct fl_kube_access){0};
	return 0;
}

/* frees a text that nobody shall find in memory */
static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void fl_kube_access_clear(struct fl_kube_access *access)
{
	free(access->server);
	wipe(access->token);
	free(access->tokenfile);
	free(access->cafile);
	free(access->certfile);
	free(access->keyfile);
	free(access->ca_text);
	free(access->cert_text);
	wipe(access->key_text);
	free(access->server_name);
	wipe(access->proxy);
	*access = (struct fl_kube_access){0};
}

/* is it a token that can stand in a header */
static bool is_token(const char *token)
{
	for (; *token; token++)
		if (*token <= ' ' || *token > '~')
			return false;
	return true;
}

int fl_kube_access_get_token(const struct fl_kube_access *access, char **ret_token, struct flannel_error **ret_error)
{
	const char *fallback = access->token ? access->token : "";
	char *token = NULL;
	size_t len = 0;
	int r = 0;

	if (access->tokenfile)
		r = fl_file_read(access->tokenfile, TOKEN_MAX, &token, &len, access->token ? NULL : ret_error);
	if (r < 0 && !access->token)
		return r;
	if (!token)
		token = strdup(fallback);
	if (!token)
		return fl_error_oom(ret_error);
	len = strlen(token);
	while (len && strchr(" \t\r\n", token[len - 1]))
		token[--len] = '\0';
	if (!is_token(token)) {
		wipe(token);
		return fl_error_set_retryable(ret_error, -EINVAL, "config", "it has characters that no token has",
					      "token%s%s", access->tokenfile ? " in " : "",
					      access->tokenfile ? access->tokenfile : "");
	}
	*ret_token = token;
	return 0;
}
