/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "decode.h"
#include "result.h"
#include "version.h"

/* an address under a key; an empty text is none */
static int get_address(struct json_object *object, const char *path, const char *key, struct flannel_prefix *ret,
		       struct cni_error *error)
{
	const char *text = "";
	char at[CNI_PATH_SIZE];

	if (cni_get_string(object, path, key, &text, error) < 0)
		return -1;
	return text[0] != '\0' ? cni_parse_address(text, cni_path_join(at, path, key), ret, error) : 0;
}

/* an address with its length under a key, which must be there */
static int get_cidr(struct json_object *object, const char *path, const char *key, struct flannel_prefix *ret,
		    struct cni_error *error)
{
	const char *text = "";
	char at[CNI_PATH_SIZE];

	if (cni_get_string(object, path, key, &text, error) < 0)
		return -1;
	return cni_parse_cidr(text, cni_path_join(at, path, key), ret, error);
}

/* a copy of a text under a key; "" if it is absent */
static int get_copy(struct json_object *object, const char *path, const char *key, char **ret, struct cni_error *error)
{
	const char *text = "";

	if (cni_get_string(object, path, key, &text, error) < 0)
		return -1;
	free(*ret);
	*ret = strdup(text);
	return *ret ? 0 : cni_fail_oom(error);
}

/* one route */
static int parse_route(struct json_object *object, const char *path, struct cni_route *ret_route,
		       struct cni_error *error)
{
	struct cni_route route = {.table = -1, .scope = -1};

	if (get_cidr(object, path, "dst", &route.dst, error) < 0 ||
	    get_address(object, path, "gw", &route.gw, error) < 0 ||
	    cni_get_int(object, path, "mtu", 0, UINT32_MAX, &route.mtu, error) < 0 ||
	    cni_get_int(object, path, "advmss", 0, UINT32_MAX, &route.advmss, error) < 0 ||
	    cni_get_int(object, path, "priority", 0, UINT32_MAX, &route.priority, error) < 0 ||
	    cni_get_int(object, path, "table", 0, UINT32_MAX, &route.table, error) < 0 ||
	    cni_get_int(object, path, "scope", 0, UINT8_MAX, &route.scope, error) < 0)
		return -1;
	*ret_route = route;
	return 0;
}

int cni_routes_parse(struct json_object *object, const char *path, const char *key, struct cni_result *result,
		     struct cni_error *error)
{
	struct json_object *list = NULL;
	struct json_object *element;
	struct cni_route route;
	char list_path[CNI_PATH_SIZE];
	char at[CNI_PATH_SIZE];

	if (cni_get_array(object, path, key, &list, error) < 0)
		return -1;
	(void)cni_path_join(list_path, path, key);
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		if (cni_element_object(list, list_path, i, &element, error) < 0)
			return -1;
		if (!element)
			continue;
		if (parse_route(element, cni_path_index(at, list_path, i), &route, error) < 0)
			return -1;
		if (!cni_result_add_route(result, &route))
			return cni_fail_oom(error);
	}
	return 0;
}

int cni_dns_parse(struct json_object *object, const char *path, struct json_object **ret_dns, struct cni_error *error)
{
	const char *const keys[] = {"nameservers", "domain", "search", "options"};
	CNI_CLEANUP(cni_json_putp) struct json_object *dns = json_object_new_object();
	struct json_object *list;
	const char *domain = "";

	if (!dns)
		return cni_fail_oom(error);
	if (cni_get_string(object, path, "domain", &domain, error) < 0)
		return -1;
	for (size_t i = 0; i < CNI_N_ELEMENTS(keys); i++) {
		list = NULL;
		if (strcmp(keys[i], "domain") == 0)
			list = domain[0] != '\0' ? json_object_new_string(domain) : NULL;
		else if (cni_get_strings(object, path, keys[i], &list, error) < 0)
			return -1;
		else if (list && json_object_array_length(list) == 0)
			list = NULL;
		else
			list = json_object_get(list);
		if (list && json_object_object_add(dns, keys[i], list) < 0)
			return cni_fail_oom(error);
	}
	*ret_dns = json_object_object_length(dns) > 0 ? CNI_TAKE(dns) : NULL;
	return 0;
}

/* dns of a result */
static int parse_dns(struct json_object *object, const char *path, struct cni_result *result, struct cni_error *error)
{
	struct json_object *dns = NULL;
	char at[CNI_PATH_SIZE];

	if (cni_get_object(object, path, "dns", &dns, error) < 0)
		return -1;
	return dns ? cni_dns_parse(dns, cni_path_join(at, path, "dns"), &result->dns, error) : 0;
}

/* one element of interfaces */
static int parse_interface(struct json_object *object, const char *path, struct cni_result *result,
			   struct cni_error *error)
{
	struct cni_interface *interface = cni_result_add_interface(result, "", "", "");

	if (!interface)
		return cni_fail_oom(error);
	if (get_copy(object, path, "name", &interface->name, error) < 0 ||
	    get_copy(object, path, "mac", &interface->mac, error) < 0 ||
	    get_copy(object, path, "sandbox", &interface->sandbox, error) < 0 ||
	    get_copy(object, path, "socketPath", &interface->socket_path, error) < 0 ||
	    get_copy(object, path, "pciID", &interface->pci_id, error) < 0 ||
	    cni_get_int(object, path, "mtu", 0, INT32_MAX, &interface->mtu, error) < 0)
		return -1;
	return 0;
}

/* one element of ips */
static int parse_ip(struct json_object *object, const char *path, struct cni_result *result, struct cni_error *error)
{
	struct flannel_prefix address = {0};
	struct flannel_prefix gateway = {0};
	const char *version;
	int64_t interface = -1;

	if (get_cidr(object, path, "address", &address, error) < 0 ||
	    get_address(object, path, "gateway", &gateway, error) < 0 ||
	    cni_get_string(object, path, "version", &version, error) < 0 ||
	    cni_get_int(object, path, "interface", INT_MIN, INT_MAX, &interface, error) < 0)
		return -1;
	return cni_result_add_ip(result, &address, &gateway, (int)interface) ? 0 : cni_fail_oom(error);
}

/* each object in the list under key */
static int parse_list(struct json_object *object, const char *path, const char *key,
		      int (*parse)(struct json_object *element, const char *path, struct cni_result *result,
				   struct cni_error *error),
		      struct cni_result *result, struct cni_error *error)
{
	struct json_object *list = NULL;
	struct json_object *element;
	char list_path[CNI_PATH_SIZE];
	char at[CNI_PATH_SIZE];

	if (cni_get_array(object, path, key, &list, error) < 0)
		return -1;
	(void)cni_path_join(list_path, path, key);
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		if (cni_element_object(list, list_path, i, &element, error) < 0)
			return -1;
		if (element && parse(element, cni_path_index(at, list_path, i), result, error) < 0)
			return -1;
	}
	return 0;
}

/* ip4 or ip6 of the oldest form */
static int parse_legacy_ip(struct json_object *object, const char *path, const char *key, struct cni_result *result,
			   struct cni_error *error)
{
	struct json_object *ip = NULL;
	struct flannel_prefix address = {0};
	struct flannel_prefix gateway = {0};
	char at[CNI_PATH_SIZE];

	if (cni_get_object(object, path, key, &ip, error) < 0)
		return -1;
	if (!ip)
		return 0;
	(void)cni_path_join(at, path, key);
	if (get_cidr(ip, at, "ip", &address, error) < 0 || get_address(ip, at, "gateway", &gateway, error) < 0)
		return -1;
	if (!cni_result_add_ip(result, &address, &gateway, -1))
		return cni_fail_oom(error);
	return cni_routes_parse(ip, at, "routes", result, error);
}

/* everything but dns, by the form of the version's family */
static int parse_body(struct json_object *object, enum cni_family family, const char *path, struct cni_result *result,
		      struct cni_error *error)
{
	if (family == CNI_FAMILY_LEGACY) {
		if (parse_legacy_ip(object, path, "ip4", result, error) < 0)
			return -1;
		return parse_legacy_ip(object, path, "ip6", result, error);
	}
	if (parse_list(object, path, "interfaces", parse_interface, result, error) < 0 ||
	    parse_list(object, path, "ips", parse_ip, result, error) < 0)
		return -1;
	return cni_routes_parse(object, path, "routes", result, error);
}

int cni_result_parse(struct json_object *object, const char *version, const char *path, struct cni_result *ret_result,
		     struct cni_error *error)
{
	CNI_CLEANUP(cni_result_clear) struct cni_result result = {0};
	const char *own = "";
	enum cni_family family;

	if (cni_get_string(object, path, "cniVersion", &own, error) < 0)
		return -1;
	if (own[0] == '\0')
		own = version;
	if (!cni_version_is_known(own, &family))
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s: cniVersion is \"%s\", which is unknown", path, own);
	if (parse_body(object, family, path, &result, error) < 0 || parse_dns(object, path, &result, error) < 0)
		return -1;
	*ret_result = result;
	memset(&result, 0, sizeof(result));
	return 0;
}

int cni_result_parse_previous(struct json_object *object, const char *version, struct cni_result *ret_result,
			      struct cni_error *error)
{
	const char *own = "";
	enum cni_family family;
	enum cni_family own_family;

	if (cni_get_string(object, "prevResult", "cniVersion", &own, error) < 0)
		return -1;
	if (own[0] != '\0' && (!cni_version_is_known(own, &own_family) || !cni_version_is_known(version, &family) ||
			       own_family != family))
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"prevResult.cniVersion is \"%s\", expected a version with the same form as %s", own,
				version);
	return cni_result_parse(object, version, "prevResult", ret_result, error);
}
