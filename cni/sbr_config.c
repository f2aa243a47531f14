/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sbr_config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "common_keys.h"
#include "decode.h"

/* one gateway of the list, the only one of its family */
static int take_gateway(const char *text, const char *path, struct cni_sbr_config *config, struct cni_error *error)
{
	struct flannel_prefix gateway;
	struct flannel_prefix *slot;

	if (cni_parse_address(text, path, &gateway, error) < 0)
		return -1;
	slot = gateway.family == AF_INET ? &config->gateway : &config->gateway6;
	if (slot->family)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is \"%s\", expected one gateway of each family at most",
				path, text);
	*slot = gateway;
	return 0;
}

/* the key gateways */
static int read_gateways(struct json_object *config_object, struct cni_sbr_config *config, struct cni_error *error)
{
	struct json_object *list = NULL;
	int r = cni_get_strings(config_object, "", "gateways", &list, error);

	for (size_t i = 0; r > 0 && i < json_object_array_length(list); i++) {
		char path[CNI_PATH_SIZE];

		if (take_gateway(json_object_get_string(json_object_array_get_idx(list, i)),
				 cni_path_index(path, "gateways", i), config, error) < 0)
			return -1;
	}
	return r < 0 ? -1 : 0;
}

int cni_sbr_config_read(const struct cni_request *request, struct cni_sbr_config *ret_config, struct cni_error *error)
{
	struct cni_sbr_config config = {0};
	bool add_hints = false;
	int64_t table = 0;

	if (cni_config_check_common(request->config, error) < 0 ||
	    cni_get_int(request->config, "", "table", 1, INT32_MAX, &table, error) < 0 ||
	    cni_get_bool(request->config, "", "addSourceHints", &add_hints, error) < 0 ||
	    read_gateways(request->config, &config, error) < 0)
		return -1;
	config.table = (uint32_t)table;
	config.flags = add_hints ? FLANNEL_SOURCE_ROUTE_KEEP_LINK : 0;
	*ret_config = config;
	return 0;
}

/* is an address one of the interface; one that does not say of which it is, or of none that there is, is taken for that */
static bool is_of_interface(const struct cni_request *request, const struct cni_result *result, const struct cni_ip *ip)
{
	if (ip->interface < 0)
		return true;
	return (size_t)ip->interface >= result->n_interfaces ||
	       strcmp(result->interfaces[ip->interface].name, request->ifname) == 0;
}

int cni_sbr_find_addresses(const struct cni_request *request, const struct cni_result *result,
			   const struct cni_sbr_config *config, struct flannel_address **ret_addresses, size_t *ret_n,
			   struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) struct flannel_address *addresses = calloc(result->n_ips + 1, sizeof(*addresses));
	size_t n = 0;

	if (!addresses)
		return cni_fail_oom(error);
	for (size_t i = 0; i < result->n_ips; i++) {
		const struct cni_ip *ip = &result->ips[i];
		const struct flannel_prefix *gateway =
			ip->address.family == AF_INET ? &config->gateway : &config->gateway6;

		if (is_of_interface(request, result, ip))
			addresses[n++] = (struct flannel_address){.size = sizeof(*addresses),
								  .address = ip->address,
								  .gateway = gateway->family ? *gateway : ip->gateway};
	}
	*ret_addresses = CNI_TAKE(addresses);
	*ret_n = n;
	return 0;
}
