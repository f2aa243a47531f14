/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bridge_config.h"

#include <stdlib.h>
#include <string.h>

#include <flannel/attachment.h>

#include "args.h"
#include "cleanup.h"
#include "common_keys.h"
#include "decode.h"
#include "environment.h"
#include "mac.h"
#include "result.h"

#define DEFAULT_BRIDGE "cni0"
#define VLAN_MAX 4094

/* a key that is true or false, and the flag of the library that it stands for */
struct flag {
	const char *key;
	unsigned int flag;
};

static const struct flag flags[] = {
	{"isGateway", FLANNEL_ATTACHMENT_GATEWAY},
	{"isDefaultGateway", FLANNEL_ATTACHMENT_GATEWAY | FLANNEL_ATTACHMENT_DEFAULT_GATEWAY},
	{"forceAddress", FLANNEL_ATTACHMENT_FORCE_ADDRESS},
	{"hairpinMode", FLANNEL_ATTACHMENT_HAIRPIN},
	{"promiscMode", FLANNEL_ATTACHMENT_PROMISCUOUS},
	{"portIsolation", FLANNEL_ATTACHMENT_ISOLATED},
	{"enabledad", FLANNEL_ATTACHMENT_DAD},
	{"disableContainerInterface", FLANNEL_ATTACHMENT_LINK_DOWN},
	{"preserveDefaultVlan", FLANNEL_ATTACHMENT_KEEP_VLAN},
};

/* all keys that are true or false */
static int read_flags(struct json_object *object, unsigned int *ret_flags, struct cni_error *error)
{
	bool is_on;

	*ret_flags = 0;
	for (size_t i = 0; i < CNI_N_ELEMENTS(flags); i++) {
		is_on = false;
		if (cni_get_bool(object, "", flags[i].key, &is_on, error) < 0)
			return -1;
		*ret_flags |= is_on ? flags[i].flag : 0;
	}
	return 0;
}

/* a span of VLANs in an element of vlanTrunk: 1 if there is one, which needs both bounds */
static int read_span(struct json_object *element, const char *path, struct flannel_vlan_span *ret_span,
		     struct cni_error *error)
{
	int64_t min = 0;
	int64_t max = 0;
	int has_min = cni_get_int(element, path, "minID", 1, VLAN_MAX, &min, error);
	int has_max = has_min < 0 ? -1 : cni_get_int(element, path, "maxID", 1, VLAN_MAX, &max, error);

	if (has_max < 0)
		return -1;
	if (has_min != has_max || min > max)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"%s: expected minID and maxID, the first not above the second", path);
	*ret_span = (struct flannel_vlan_span){(uint16_t)min, (uint16_t)max};
	return has_min;
}

/* one element of vlanTrunk: an id, a span of ids, or both */
static int read_element(struct json_object *element, const char *path, struct cni_attach_config *config,
			struct cni_error *error)
{
	int64_t id;
	int r = cni_get_int(element, path, "id", 1, VLAN_MAX, &id, error);

	if (r > 0)
		config->trunk[config->n_trunk++] = (struct flannel_vlan_span){(uint16_t)id, (uint16_t)id};
	if (r < 0)
		return -1;
	r = read_span(element, path, &config->trunk[config->n_trunk], error);
	if (r > 0)
		config->n_trunk++;
	return r < 0 ? -1 : 0;
}

/* the list of a trunk; an empty one still asks for a bridge that filters VLANs */
static int read_trunk(struct json_object *list, struct cni_attach_config *config, struct cni_error *error)
{
	const size_t n = json_object_array_length(list);
	struct json_object *element;
	char path[CNI_PATH_SIZE];

	config->flags |= FLANNEL_ATTACHMENT_VLAN_FILTER;
	config->trunk = calloc(2 * n + 1, sizeof(*config->trunk));
	if (!config->trunk)
		return cni_fail_oom(error);
	for (size_t i = 0; i < n; i++) {
		(void)cni_path_index(path, "vlanTrunk", i);
		if (cni_element_object(list, "vlanTrunk", i, &element, error) < 0 ||
		    (element && read_element(element, path, config, error) < 0))
			return -1;
	}
	return 0;
}

/* vlan and vlanTrunk */
static int read_vlans(struct json_object *object, struct cni_attach_config *config, struct cni_error *error)
{
	struct json_object *list = NULL;
	int64_t vlan = 0;

	if (cni_get_int(object, "", "vlan", 0, VLAN_MAX, &vlan, error) < 0 ||
	    cni_get_array(object, "", "vlanTrunk", &list, error) < 0 || (list && read_trunk(list, config, error) < 0))
		return -1;
	config->vlan = (uint32_t)vlan;
	return 0;
}

/* the container's MAC address: runtimeConfig before args.cni before CNI_ARGS */
static int read_mac(const struct cni_request *request, struct cni_attach_config *config, struct cni_error *error)
{
	struct json_object *runtime = NULL;
	struct json_object *cni = NULL;
	const char *text = "";

	if (cni_args_get(request->args, "MAC", &config->mac_argument, error) < 0 ||
	    cni_config_get_nested(request->config, "args", "cni", &cni, error) < 0 ||
	    (cni && cni_get_string(cni, "args.cni", "mac", &text, error) < 0))
		return -1;
	config->mac_text = text[0] == '\0' && config->mac_argument ? config->mac_argument : text;
	text = "";
	if (cni_get_object(request->config, "", "runtimeConfig", &runtime, error) < 0 ||
	    (runtime && cni_get_string(runtime, "runtimeConfig", "mac", &text, error) < 0))
		return -1;
	if (text[0] != '\0')
		config->mac_text = text;
	return 0;
}

int cni_bridge_config_read(const struct cni_request *request, struct cni_attach_config *ret_config,
			   struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};
	struct json_object *object = request->config;
	int r = cni_attach_config_read(request, &config, error);

	if (r == 0)
		r = cni_get_string(object, "", "bridge", &config.bridge, error);
	if (r == 0)
		config.bridge = DEFAULT_BRIDGE;
	if (r < 0 || read_flags(object, &config.flags, error) < 0 ||
	    cni_get_bool(object, "", "macspoofchk", &config.guard, error) < 0 ||
	    read_vlans(object, &config, error) < 0 || read_mac(request, &config, error) < 0)
		return -1;
	*ret_config = config;
	memset(&config, 0, sizeof(config));
	return 0;
}

int cni_bridge_config_check(const struct cni_request *request, struct cni_attach_config *config,
			    struct cni_error *error)
{
	const unsigned int both = FLANNEL_ATTACHMENT_HAIRPIN | FLANNEL_ATTACHMENT_PROMISCUOUS;
	const char *complaint = cni_ifname_complaint(config->bridge);

	if (complaint)
		return cni_fail(error, CNI_ERROR_INTERNAL, "bridge is \"%s\", expected %s", config->bridge, complaint);
	if (config->ipam[0] != '\0' && (config->flags & FLANNEL_ATTACHMENT_LINK_DOWN))
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"disableContainerInterface is true, expected no ipam.type with it");
	if ((config->flags & both) == both)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"hairpinMode and promiscMode are true, expected one of them at most");
	if (cni_attach_config_check(request, config, error) < 0)
		return -1;
	if (config->mac_text[0] == '\0')
		return 0;
	return cni_mac_parse(config->mac_text, "mac", config->mac, error);
}
