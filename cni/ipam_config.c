/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ipam_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "args.h"
#include "cleanup.h"
#include "decode.h"
#include "resolv_conf.h"
#include "version.h"

#define DEFAULT_DIRECTORY "/var/lib/cni/networks"

void cni_ipam_config_clear(struct cni_ipam_config *config)
{
	free(config->directory);
	free(config->ranges);
	free(config->wanted);
	cni_result_clear(&config->result);
	memset(config, 0, sizeof(*config));
}

/* the ipam object, which must be there */
static int get_ipam(const struct cni_request *request, struct json_object **ret_ipam, struct cni_error *error)
{
	int r = cni_get_object(request->config, "", "ipam", ret_ipam, error);

	if (r == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "ipam is missing, expected an object with ranges");
	return r < 0 ? -1 : 0;
}

/* <dataDir>/<network> */
static int read_directory(const struct cni_request *request, struct json_object *ipam, struct cni_ipam_config *config,
			  struct cni_error *error)
{
	const char *directory = "";

	if (cni_get_string(ipam, "ipam", "dataDir", &directory, error) < 0)
		return -1;
	if (asprintf(&config->directory, "%s/%s", directory[0] != '\0' ? directory : DEFAULT_DIRECTORY,
		     request->network) < 0) {
		config->directory = NULL;
		return cni_fail_oom(error);
	}
	return 0;
}

/* an address in a range; absent or empty leaves AF_UNSPEC */
static int get_address(struct json_object *object, const char *path, const char *key, struct flannel_prefix *ret,
		       struct cni_error *error)
{
	const char *text = "";
	char at[CNI_PATH_SIZE];

	if (cni_get_string(object, path, key, &text, error) < 0)
		return -1;
	(void)cni_path_join(at, path, key);
	return text[0] != '\0' ? cni_parse_address(text, at, ret, error) : 0;
}

/* a range's subnet; of IPv4 in the form of IPv6 the length would be ambiguous */
static int parse_subnet(const char *text, const char *path, struct flannel_prefix *ret, struct cni_error *error)
{
	if (cni_parse_cidr(text, path, ret, error) < 0)
		return -1;
	if (ret->family == AF_INET && strchr(text, ':'))
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is \"%s\", expected IPv4 in dotted form", path, text);
	return 0;
}

/* appends one range to the set that is being read */
static int add_range(struct json_object *object, const char *path, struct cni_ipam_config *config,
		     struct cni_error *error)
{
	struct flannel_address_range range = {.size = sizeof(range), .set = (uint32_t)config->n_sets};
	struct flannel_address_range *larger;
	const char *subnet = "";
	char at[CNI_PATH_SIZE];

	(void)cni_path_join(at, path, "subnet");
	if (cni_get_string(object, path, "subnet", &subnet, error) < 0 ||
	    (subnet[0] != '\0' && parse_subnet(subnet, at, &range.subnet, error) < 0) ||
	    get_address(object, path, "rangeStart", &range.start, error) < 0 ||
	    get_address(object, path, "rangeEnd", &range.end, error) < 0 ||
	    get_address(object, path, "gateway", &range.gateway, error) < 0)
		return -1;
	larger = reallocarray(config->ranges, config->n_ranges + 1, sizeof(*larger));
	if (!larger)
		return cni_fail_oom(error);
	config->ranges = larger;
	config->ranges[config->n_ranges++] = range;
	return 0;
}

/* one range set: a list of ranges */
static int add_set(struct json_object *set, const char *path, struct cni_ipam_config *config, struct cni_error *error)
{
	struct json_object *range;
	char at[CNI_PATH_SIZE];

	if (set && !json_object_is_type(set, json_type_array))
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is no list, expected a list of ranges", path);
	if (!set || json_object_array_length(set) == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is empty, expected a range", path);
	for (size_t i = 0; i < json_object_array_length(set); i++) {
		if (cni_element_object(set, path, i, &range, error) < 0)
			return -1;
		(void)cni_path_index(at, path, i);
		if (!range)
			return cni_fail(error, CNI_ERROR_INTERNAL, "%s is null, expected a range", at);
		if (add_range(range, at, config, error) < 0)
			return -1;
	}
	config->n_sets++;
	return 0;
}

/* a list of range sets */
static int add_sets(struct json_object *object, const char *path, const char *key, struct cni_ipam_config *config,
		    struct cni_error *error)
{
	struct json_object *sets = NULL;
	char list[CNI_PATH_SIZE];
	char at[CNI_PATH_SIZE];

	if (cni_get_array(object, path, key, &sets, error) < 0)
		return -1;
	(void)cni_path_join(list, path, key);
	for (size_t i = 0; sets && i < json_object_array_length(sets); i++) {
		(void)cni_path_index(at, list, i);
		if (add_set(json_object_array_get_idx(sets, i), at, config, error) < 0)
			return -1;
	}
	return 0;
}

/* the old way to write one range: its members directly in ipam. Without a subnet they are checked, but not used. */
static int add_plain_set(struct json_object *ipam, struct cni_ipam_config *config, struct cni_error *error)
{
	const char *subnet = "";
	int r = cni_get_string(ipam, "ipam", "subnet", &subnet, error);

	if (r < 0)
		return -1;
	if (r > 0 && subnet[0] == '\0')
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"ipam.subnet is empty, expected a network such as 10.1.0.0/16");
	if (add_range(ipam, "ipam", config, error) < 0)
		return -1;
	if (r > 0)
		config->n_sets++;
	else
		config->n_ranges--;
	return 0;
}

/* before 0.3.0 a result holds one address of each family */
static int check_old_version(const struct cni_request *request, const struct cni_ipam_config *config,
			     struct cni_error *error)
{
	enum cni_family family;
	unsigned int n_ipv4 = 0;
	unsigned int n_ipv6 = 0;
	uint32_t set = UINT32_MAX;

	if (!cni_version_is_known(request->version, &family) || family != CNI_FAMILY_LEGACY)
		return 0;
	for (size_t i = 0; i < config->n_ranges; i++) {
		if (config->ranges[i].set == set)
			continue;
		set = config->ranges[i].set;
		*(config->ranges[i].subnet.family == AF_INET ? &n_ipv4 : &n_ipv6) += 1;
	}
	if (n_ipv4 <= 1 && n_ipv6 <= 1)
		return 0;
	return cni_fail(
		error, CNI_ERROR_INTERNAL,
		"there are %u range sets for IPv4 and %u for IPv6, expected at most one each with cniVersion %s",
		n_ipv4, n_ipv6, request->version);
}

/* may the sets be missing: STATUS is not told what the runtime will add to an ADD */
static int may_lack_ranges(const struct cni_request *request, struct cni_error *error)
{
	struct json_object *capabilities = NULL;
	bool is_on = false;

	if (request->verb != CNI_VERB_STATUS)
		return 0;
	if (cni_get_object(request->config, "", "capabilities", &capabilities, error) < 0 ||
	    (capabilities && cni_get_bool(capabilities, "capabilities", "ipRanges", &is_on, error) < 0))
		return -1;
	return is_on ? 1 : 0;
}

/* all range sets in their order: those of the runtime, the plain one, those of the network */
static int read_ranges(const struct cni_request *request, struct json_object *ipam, struct json_object *runtime,
		       struct cni_ipam_config *config, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	int r;

	if ((runtime && add_sets(runtime, "runtimeConfig", "ipRanges", config, error) < 0) ||
	    add_plain_set(ipam, config, error) < 0 || add_sets(ipam, "ipam", "ranges", config, error) < 0)
		return -1;
	if (config->n_sets == 0) {
		r = may_lack_ranges(request, error);
		if (r != 0)
			return r < 0 ? -1 : 0;
		return cni_fail(error, CNI_ERROR_INTERNAL, "ipam.ranges is missing, expected at least one range set");
	}
	if (flannel_address_ranges_check(config->ranges, config->n_ranges, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return check_old_version(request, config, error);
}

/* appends an address asked for by value; a length after it does not count */
static int add_wanted(const char *text, const char *path, struct cni_ipam_config *config, struct cni_error *error)
{
	struct flannel_prefix address;
	struct flannel_prefix *larger;
	int r = strchr(text, '/') ? cni_parse_cidr(text, path, &address, error)
				  : cni_parse_address(text, path, &address, error);

	if (r < 0)
		return -1;
	larger = reallocarray(config->wanted, config->n_wanted + 1, sizeof(*larger));
	if (!larger)
		return cni_fail_oom(error);
	config->wanted = larger;
	config->wanted[config->n_wanted++] = address;
	return 0;
}

/* appends a list of such addresses */
static int add_wanted_list(struct json_object *object, const char *path, struct cni_ipam_config *config,
			   struct cni_error *error)
{
	struct json_object *list = NULL;
	char at[CNI_PATH_SIZE];

	if (cni_get_strings(object, path, "ips", &list, error) < 0)
		return -1;
	(void)cni_path_join(at, path, "ips");
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		if (add_wanted(json_object_get_string(json_object_array_get_idx(list, i)), at, config, error) < 0)
			return -1;
	}
	return 0;
}

/* all addresses asked for: CNI_ARGS, args.cni, runtimeConfig */
static int read_wanted(const struct cni_request *request, struct json_object *runtime, struct cni_ipam_config *config,
		       struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *argument = NULL;
	struct json_object *args = NULL;
	struct json_object *cni = NULL;

	if (cni_args_get(request->args, "IP", &argument, error) < 0 ||
	    (argument && argument[0] != '\0' && add_wanted(argument, "IP in CNI_ARGS", config, error) < 0) ||
	    cni_get_object(request->config, "", "args", &args, error) < 0 ||
	    (args && cni_get_object(args, "args", "cni", &cni, error) < 0) ||
	    (cni && add_wanted_list(cni, "args.cni", config, error) < 0))
		return -1;
	return runtime ? add_wanted_list(runtime, "runtimeConfig", config, error) : 0;
}

int cni_ipam_config_read_directory(const struct cni_request *request, struct cni_ipam_config *ret_config,
				   struct cni_error *error)
{
	CNI_CLEANUP(cni_ipam_config_clear) struct cni_ipam_config config = {0};
	CNI_CLEANUP(cni_freep) char *argument = NULL;
	struct json_object *ipam;

	if (get_ipam(request, &ipam, error) < 0 || cni_args_get(request->args, "IP", &argument, error) < 0 ||
	    read_directory(request, ipam, &config, error) < 0)
		return -1;
	*ret_config = config;
	memset(&config, 0, sizeof(config));
	return 0;
}

int cni_ipam_config_read(const struct cni_request *request, struct cni_ipam_config *ret_config, struct cni_error *error)
{
	CNI_CLEANUP(cni_ipam_config_clear) struct cni_ipam_config config = {0};
	struct json_object *ipam;
	struct json_object *runtime = NULL;
	const char *resolv_conf = "";
	const char *type;

	if (get_ipam(request, &ipam, error) < 0 || cni_get_string(ipam, "ipam", "type", &type, error) < 0 ||
	    cni_get_object(request->config, "", "runtimeConfig", &runtime, error) < 0 ||
	    read_wanted(request, runtime, &config, error) < 0 ||
	    read_ranges(request, ipam, runtime, &config, error) < 0 ||
	    cni_routes_parse(ipam, "ipam", "routes", &config.result, error) < 0 ||
	    cni_get_string(ipam, "ipam", "resolvConf", &resolv_conf, error) < 0 ||
	    (resolv_conf[0] != '\0' && request->verb != CNI_VERB_CHECK &&
	     cni_resolv_conf_read(resolv_conf, &config.result.dns, error) < 0) ||
	    read_directory(request, ipam, &config, error) < 0)
		return -1;
	*ret_config = config;
	memset(&config, 0, sizeof(config));
	return 0;
}
