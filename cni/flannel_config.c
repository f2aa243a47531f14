/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "flannel_config.h"

#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "common_keys.h"
#include "decode.h"
#include "delegate.h"
#include "result.h"

#define DEFAULT_SUBNET_FILE "/run/flannel/subnet.env"
#define DEFAULT_DATA_DIR "/var/lib/cni/flannel"
#define DEFAULT_DELEGATE "bridge"
#define DEFAULT_IPAM "host-local"

int cni_flannel_config_read(const struct cni_request *request, struct cni_flannel_config *ret_config,
			    struct cni_error *error)
{
	struct cni_flannel_config config = {.subnet_file = "", .data_dir = ""};

	if (cni_config_check_common(request->config, error) < 0 ||
	    cni_get_string(request->config, "", "subnetFile", &config.subnet_file, error) < 0 ||
	    cni_get_string(request->config, "", "dataDir", &config.data_dir, error) < 0 ||
	    cni_get_object(request->config, "", "delegate", &config.delegate, error) < 0 ||
	    cni_get_object(request->config, "", "ipam", &config.ipam, error) < 0 ||
	    cni_get_object(request->config, "", "runtimeConfig", &config.runtime, error) < 0)
		return -1;
	if (config.subnet_file[0] == '\0')
		config.subnet_file = DEFAULT_SUBNET_FILE;
	if (config.data_dir[0] == '\0')
		config.data_dir = DEFAULT_DATA_DIR;
	*ret_config = config;
	return 0;
}

/* sets a key of a generated object; the value is taken over, NULL stands for missing memory */
static int set(struct json_object *object, const char *key, struct json_object *value, struct cni_error *error)
{
	if (value && json_object_object_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return cni_fail_oom(error);
}

/* sets a key unless the operator has */
static int set_default(struct json_object *object, const char *key, struct json_object *value, struct cni_error *error)
{
	if (!json_object_object_get_ex(object, key, NULL))
		return set(object, key, value, error);
	json_object_put(value);
	return 0;
}

/* a new object with the members of another, which may be NULL */
static struct json_object *copy_members(struct json_object *from, struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *copy = json_object_new_object();

	if (!copy) {
		(void)cni_fail_oom(error);
		return NULL;
	}
	if (from) {
		json_object_object_foreach(from, key, value)
		{
			if (json_object_object_add(copy, key, json_object_get(value)) < 0) {
				(void)cni_fail_oom(error);
				return NULL;
			}
		}
	}
	return CNI_TAKE(copy);
}

/* appends a range set of one subnet, [{"subnet": ...}]; none for AF_UNSPEC */
static int add_range_set(struct json_object *sets, const struct flannel_prefix *subnet, struct cni_error *error)
{
	struct json_object *set_array;
	struct json_object *range;
	char text[FLANNEL_PREFIX_STRLEN];

	if (subnet->family == AF_UNSPEC)
		return 0;
	set_array = json_object_new_array();
	if (!set_array || json_object_array_add(sets, set_array) < 0) {
		json_object_put(set_array);
		return cni_fail_oom(error);
	}
	range = json_object_new_object();
	if (!range || json_object_array_add(set_array, range) < 0) {
		json_object_put(range);
		return cni_fail_oom(error);
	}
	return set(range, "subnet", json_object_new_string(flannel_prefix_format(subnet, text, sizeof(text))), error);
}

/* adds routes to flannel's networks behind those of the operator */
static int add_network_routes(struct cni_result *routes, const struct cni_network_list *list, struct cni_error *error)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct cni_route route = {.dst = list->networks[i], .table = -1, .scope = -1};

		if (!cni_result_add_route(routes, &route))
			return cni_fail_oom(error);
	}
	return 0;
}

/* ipam.routes: the operator's, then flannel's networks */
static int set_routes(struct json_object *ipam, const struct cni_flannel_config *config,
		      const struct cni_subnet_env *env, struct cni_error *error)
{
	CNI_CLEANUP(cni_result_clear) struct cni_result routes = {0};
	struct json_object *list = json_object_new_array();

	if (set(ipam, "routes", list, error) < 0)
		return -1;
	if ((config->ipam && cni_routes_parse(config->ipam, "ipam", "routes", &routes, error) < 0) ||
	    add_network_routes(&routes, &env->networks, error) < 0 ||
	    add_network_routes(&routes, &env->networks6, error) < 0)
		return -1;
	for (size_t i = 0; i < routes.n_routes; i++) {
		struct json_object *route = cni_route_format(&routes.routes[i]);

		if (!route || json_object_array_add(list, route) < 0) {
			json_object_put(route);
			return cni_fail_oom(error);
		}
	}
	return 0;
}

/* the delegate's ipam: the operator's with this node's subnets */
static int set_ipam(struct json_object *delegate, const struct cni_flannel_config *config,
		    const struct cni_subnet_env *env, struct cni_error *error)
{
	struct json_object *ipam = copy_members(config->ipam, error);
	struct json_object *sets = json_object_new_array();

	if (!ipam || set(delegate, "ipam", ipam, error) < 0) {
		json_object_put(sets);
		return -1;
	}
	if (set(ipam, "ranges", sets, error) < 0 || add_range_set(sets, &env->subnet, error) < 0 ||
	    add_range_set(sets, &env->subnet6, error) < 0 ||
	    set_default(ipam, "type", json_object_new_string(DEFAULT_IPAM), error) < 0)
		return -1;
	return set_routes(ipam, config, env, error);
}

/* what the operator may not say in delegate */
static int check_delegate(struct json_object *delegate, struct cni_error *error)
{
	const char *const reserved[] = {"name", "ipam"};
	struct json_object *value;

	for (size_t i = 0; delegate && i < CNI_N_ELEMENTS(reserved); i++) {
		if (json_object_object_get_ex(delegate, reserved[i], NULL))
			return cni_fail(error, CNI_ERROR_INTERNAL,
					"delegate.%s is set, expected it to be left to flannel", reserved[i]);
	}
	if (delegate && json_object_object_get_ex(delegate, "type", &value) &&
	    !json_object_is_type(value, json_type_string))
		return cni_fail(error, CNI_ERROR_INTERNAL, "delegate.type is no string, expected the name of a plugin");
	return 0;
}

int cni_flannel_config_make_delegate(const struct cni_request *request, const struct cni_flannel_config *config,
				     const struct cni_subnet_env *env, struct json_object **ret_delegate,
				     struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *delegate = NULL;
	const char *version = "";
	const char *type;

	if (check_delegate(config->delegate, error) < 0)
		return -1;
	delegate = copy_members(config->delegate, error);
	if (!delegate || cni_get_string(request->config, "", "cniVersion", &version, error) < 0)
		return -1;
	if (set(delegate, "name", json_object_new_string(request->network), error) < 0 ||
	    set_default(delegate, "type", json_object_new_string(DEFAULT_DELEGATE), error) < 0 ||
	    set_default(delegate, "ipMasq", json_object_new_boolean(!env->ipmasq), error) < 0 ||
	    set_default(delegate, "mtu", json_object_new_int64(env->mtu), error) < 0)
		return -1;
	type = json_object_get_string(json_object_object_get(delegate, "type"));
	if (cni_delegate_check_type("delegate.type", type, error) < 0)
		return -1;
	if (strcmp(type, cni_plugin_flannel.name) == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "delegate.type is \"%s\", expected another plugin", type);
	if (strcmp(type, "bridge") == 0 && set_default(delegate, "isGateway", json_object_new_boolean(1), error) < 0)
		return -1;
	if ((config->runtime && set(delegate, "runtimeConfig", json_object_get(config->runtime), error) < 0) ||
	    (version[0] != '\0' && set(delegate, "cniVersion", json_object_new_string(version), error) < 0) ||
	    set_ipam(delegate, config, env, error) < 0)
		return -1;
	if (!cni_json_is_finite(delegate))
		return cni_fail(
			error, CNI_ERROR_INTERNAL,
			"delegate, ipam or runtimeConfig holds a number that is too large, expected one below 1e309");
	*ret_delegate = CNI_TAKE(delegate);
	return 0;
}
