/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The IPAM plugin static: gives out the addresses that its configuration names, and remembers nothing.
 *
 * The lists in the order of their weight: runtimeConfig.ips, args.cni.ips, and what is neither: ipam.addresses together with IP of CNI_ARGS.
 * The first that is not empty is it.
 */

#include <string.h>
#include <sys/socket.h>

#include "args.h"
#include "cleanup.h"
#include "common_keys.h"
#include "decode.h"
#include "plugin.h"
#include "previous.h"
#include "result.h"
#include "version.h"

/* IP and GATEWAY of CNI_ARGS, NULL if not given */
struct arguments {
	char *ip;
	char *gateway;
};

/* for CNI_CLEANUP */
static void clear_arguments(struct arguments *arguments)
{
	free(arguments->ip);
	free(arguments->gateway);
}

/* takes "address/length" into the result */
static int add_address(const char *text, const char *path, struct cni_result *result, struct cni_error *error)
{
	struct flannel_prefix address;

	if (cni_parse_cidr(text, path, &address, error) < 0)
		return -1;
	return cni_result_add_ip(result, &address, NULL, -1) ? 0 : cni_fail_oom(error);
}

/* one element of ipam.addresses */
static int add_configured(struct json_object *object, const char *path, struct cni_result *result,
			  struct cni_error *error)
{
	const char *address = "";
	const char *gateway = "";
	char at[CNI_PATH_SIZE];

	if (cni_get_string(object, path, "address", &address, error) < 0 ||
	    cni_get_string(object, path, "gateway", &gateway, error) < 0 ||
	    add_address(address, cni_path_join(at, path, "address"), result, error) < 0)
		return -1;
	if (gateway[0] == '\0')
		return 0;
	return cni_parse_address(gateway, cni_path_join(at, path, "gateway"), &result->ips[result->n_ips - 1].gateway,
				 error);
}

/* ipam.addresses */
static int read_configured(struct json_object *ipam, struct cni_result *result, struct cni_error *error)
{
	struct json_object *list = NULL;
	struct json_object *object;
	char path[CNI_PATH_SIZE];

	if (cni_get_array(ipam, "ipam", "addresses", &list, error) < 0)
		return -1;
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		if (cni_element_object(list, "ipam.addresses", i, &object, error) < 0)
			return -1;
		(void)cni_path_index(path, "ipam.addresses", i);
		if (!object)
			return cni_fail(error, CNI_ERROR_INTERNAL, "%s is null, expected an object with an address",
					path);
		if (add_configured(object, path, result, error) < 0)
			return -1;
	}
	return 0;
}

/* the next part of a text between commas, without blanks around it; NULL after the last */
static char *next_part(char **rest)
{
	char *part = strsep(rest, ",");
	size_t len;

	if (!part)
		return NULL;
	part += strspn(part, " \t");
	for (len = strlen(part); len > 0 && strchr(" \t", part[len - 1]); len--)
		part[len - 1] = '\0';
	return part;
}

/* a gateway of CNI_ARGS is that of the addresses in whose networks it lies; there need be none */
static int set_gateway(const char *text, struct cni_result *result, struct cni_error *error)
{
	struct flannel_prefix gateway;

	if (cni_parse_address(text, "GATEWAY in CNI_ARGS", &gateway, error) < 0)
		return -1;
	for (size_t i = 0; i < result->n_ips; i++) {
		if (flannel_prefix_contains(&result->ips[i].address, &gateway))
			result->ips[i].gateway = gateway;
	}
	return 0;
}

/* CNI_ARGS: more addresses, and gateways of all of them */
static int read_arguments(const char *args, struct cni_result *result, struct cni_error *error)
{
	const char *const keys[] = {"IP", "GATEWAY"};
	CNI_CLEANUP(clear_arguments) struct arguments arguments = {0};
	char *values[2] = {NULL, NULL};
	char *rest;
	char *part;

	if (cni_args_get_all(args, keys, CNI_N_ELEMENTS(keys), values, error) < 0)
		return -1;
	arguments.ip = values[0];
	arguments.gateway = values[1];
	rest = arguments.ip && arguments.ip[0] != '\0' ? arguments.ip : NULL;
	while ((part = next_part(&rest))) {
		if (add_address(part, "IP in CNI_ARGS", result, error) < 0)
			return -1;
	}
	rest = arguments.gateway && arguments.gateway[0] != '\0' ? arguments.gateway : NULL;
	while ((part = next_part(&rest))) {
		if (set_gateway(part, result, error) < 0)
			return -1;
	}
	return 0;
}

/* a list of addresses that, if it is not empty, stands in the place of all others so far */
static int replace_addresses(struct json_object *object, const char *path, struct cni_result *result,
			     struct cni_error *error)
{
	struct json_object *list = NULL;
	char at[CNI_PATH_SIZE];

	if (cni_get_strings(object, path, "ips", &list, error) < 0)
		return -1;
	if (!list || json_object_array_length(list) == 0)
		return 0;
	result->n_ips = 0;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		char element[CNI_PATH_SIZE];
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));

		(void)cni_path_index(element, cni_path_join(at, path, "ips"), i);
		if (add_address(text, element, result, error) < 0)
			return -1;
	}
	return 0;
}

/* before 0.3.0 a result holds one address of each family */
static int check_old_version(const char *version, const struct cni_result *result, struct cni_error *error)
{
	enum cni_family family;
	unsigned int n_ipv4 = 0;
	unsigned int n_ipv6 = 0;

	if (!cni_version_is_known(version, &family) || family != CNI_FAMILY_LEGACY)
		return 0;
	for (size_t i = 0; i < result->n_ips; i++)
		*(result->ips[i].address.family == AF_INET ? &n_ipv4 : &n_ipv6) += 1;
	if (n_ipv4 <= 1 && n_ipv6 <= 1)
		return 0;
	return cni_fail(error, CNI_ERROR_INTERNAL,
			"there are %u addresses for IPv4 and %u for IPv6, expected at most one each with cniVersion %s",
			n_ipv4, n_ipv6, version);
}

/* what ADD answers: addresses, routes, DNS; *result is to be cleared also on failure */
static int read_config(const struct cni_request *request, struct cni_result *result, struct cni_error *error)
{
	struct json_object *ipam;
	struct json_object *dns = NULL;
	struct json_object *args = NULL;
	struct json_object *runtime = NULL;
	const char *type;
	int r = cni_get_object(request->config, "", "ipam", &ipam, error);

	if (r == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "ipam is missing, expected an object with addresses");
	if (r < 0 || cni_get_string(ipam, "ipam", "type", &type, error) < 0 ||
	    read_configured(ipam, result, error) < 0 || read_arguments(request->args, result, error) < 0 ||
	    cni_config_get_nested(request->config, "args", "cni", &args, error) < 0 ||
	    (args && replace_addresses(args, "args.cni", result, error) < 0) ||
	    cni_get_object(request->config, "", "runtimeConfig", &runtime, error) < 0 ||
	    (runtime && replace_addresses(runtime, "runtimeConfig", result, error) < 0) ||
	    cni_routes_parse(ipam, "ipam", "routes", result, error) < 0 ||
	    cni_get_object(ipam, "ipam", "dns", &dns, error) < 0 ||
	    (dns && cni_dns_parse(dns, "ipam.dns", &result->dns, error) < 0))
		return -1;
	return check_old_version(request->version, result, error);
}

/* ADD */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_result_clear) struct cni_result result = {0};

	if (read_config(request, &result, error) < 0)
		return -1;
	return cni_result_format(&result, request->version, ret_result, error);
}

/* is an address, and its gateway if it has one, in a result */
static bool has_address(const struct cni_result *result, const struct cni_ip *wanted)
{
	for (size_t i = 0; i < result->n_ips; i++) {
		const struct cni_ip *ip = &result->ips[i];

		if (flannel_prefix_compare(&ip->address, &wanted->address) == 0 &&
		    (wanted->gateway.family == AF_UNSPEC ||
		     flannel_prefix_compare(&ip->gateway, &wanted->gateway) == 0))
			return true;
	}
	return false;
}

/* CHECK: the container was given what it would be given now */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_result_clear) struct cni_result result = {0};
	CNI_CLEANUP(cni_result_clear) struct cni_result previous = {0};
	char text[FLANNEL_PREFIX_STRLEN];

	(void)ret_result;
	if (read_config(request, &result, error) < 0 || cni_previous_require(request, &previous, error) < 0)
		return -1;
	for (size_t i = 0; i < result.n_ips; i++) {
		if (has_address(&previous, &result.ips[i]))
			continue;
		return cni_fail(error, CNI_ERROR_INTERNAL, "prevResult.ips lacks %s, or its gateway is another one",
				flannel_prefix_format(&result.ips[i].address, text, sizeof(text)));
	}
	return 0;
}

/* STATUS: can the configuration be used */
static int status(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_result_clear) struct cni_result result = {0};

	(void)ret_result;
	return read_config(request, &result, error);
}

const struct cni_plugin cni_plugin_static = {
	.name = "static",
	.about = "CNI static plugin " FLANNEL_VERSION " (libflannel)",
	.is_ipam = true,
	.run = {[CNI_VERB_ADD] = add, [CNI_VERB_CHECK] = check, [CNI_VERB_STATUS] = status},
};
