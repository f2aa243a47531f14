/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bridge_config.h"

#include <stdlib.h>
#include <string.h>

#include <flannel/attachment.h>

#include "args.h"
#include "cleanup.h"
#include "common_keys.h"
#include "decode.h"
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

/* Keys of the reference plugin that we do not serve yet, with the values that ask for nothing. ADD refuses any other value. */
struct unsupported {
	const char *key;
	enum json_type type;
	const char *instead;
};

static const struct unsupported unsupported_keys[] = {
	{"macspoofchk", json_type_boolean, "false"},
};

void cni_bridge_config_clear(struct cni_bridge_config *config)
{
	free(config->mac_argument);
	free(config->trunk);
	json_object_put(config->dns);
	memset(config, 0, sizeof(*config));
}

/* all keys that are true or false */
static int read_flags(struct json_object *object, unsigned int *ret_flags, struct cni_error *error)
{
	const char *const unused[] = {"macspoofchk"};
	bool is_on;

	*ret_flags = 0;
	for (size_t i = 0; i < CNI_N_ELEMENTS(flags); i++) {
		is_on = false;
		if (cni_get_bool(object, "", flags[i].key, &is_on, error) < 0)
			return -1;
		*ret_flags |= is_on ? flags[i].flag : 0;
	}
	for (size_t i = 0; i < CNI_N_ELEMENTS(unused); i++) {
		if (cni_get_bool(object, "", unused[i], &is_on, error) < 0)
			return -1;
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
static int read_element(struct json_object *element, const char *path, struct cni_bridge_config *config,
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
static int read_trunk(struct json_object *list, struct cni_bridge_config *config, struct cni_error *error)
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
static int read_vlans(struct json_object *object, struct cni_bridge_config *config, struct cni_error *error)
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
static int read_mac(const struct cni_request *request, struct cni_bridge_config *config, struct cni_error *error)
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

/* dns of the network, if any of its members is given, be it as an empty list; then it stands in place of the IPAM's */
static int read_dns(struct json_object *object, struct cni_bridge_config *config, struct cni_error *error)
{
	const char *const lists[] = {"nameservers", "search", "options"};
	struct json_object *dns = NULL;
	struct json_object *ignored;
	bool is_given;

	if (cni_get_object(object, "", "dns", &dns, error) < 0)
		return -1;
	if (!dns)
		return 0;
	if (cni_dns_parse(dns, "dns", &config->dns, error) < 0)
		return -1;
	is_given = config->dns;
	for (size_t i = 0; !is_given && i < CNI_N_ELEMENTS(lists); i++)
		is_given = cni_get_array(dns, "dns", lists[i], &ignored, error) > 0;
	if (is_given && !config->dns) {
		config->dns = json_object_new_object();
		return config->dns ? 0 : cni_fail_oom(error);
	}
	return 0;
}

int cni_bridge_config_read(const struct cni_request *request, struct cni_bridge_config *ret_config,
			   struct cni_error *error)
{
	CNI_CLEANUP(cni_bridge_config_clear)
	struct cni_bridge_config config = {.bridge = "", .ipam = "", .backend = ""};
	struct json_object *object = request->config;
	struct json_object *ipam = NULL;
	int64_t mtu = 0;

	if (cni_config_check_common(object, error) < 0 ||
	    cni_get_string(object, "", "bridge", &config.bridge, error) < 0 ||
	    cni_get_int(object, "", "mtu", 0, UINT32_MAX, &mtu, error) < 0 ||
	    read_flags(object, &config.flags, error) < 0 ||
	    cni_get_bool(object, "", "ipMasq", &config.masquerade, error) < 0 ||
	    cni_get_string(object, "", "ipMasqBackend", &config.backend, error) < 0 ||
	    cni_get_object(object, "", "ipam", &ipam, error) < 0 ||
	    (ipam && cni_get_string(ipam, "ipam", "type", &config.ipam, error) < 0) ||
	    read_vlans(object, &config, error) < 0 || read_mac(request, &config, error) < 0 ||
	    read_dns(object, &config, error) < 0)
		return -1;
	config.mtu = (uint32_t)mtu;
	if (config.bridge[0] == '\0')
		config.bridge = DEFAULT_BRIDGE;
	*ret_config = config;
	memset(&config, 0, sizeof(config));
	return 0;
}

/* is the value of an unsupported key one that asks for something */
static int is_asked_for(struct json_object *object, const struct unsupported *key, bool *ret, struct cni_error *error)
{
	struct json_object *list;
	int64_t number = 0;
	bool is_on = false;
	int r;

	switch (key->type) {
	case json_type_boolean:
		r = cni_get_bool(object, "", key->key, &is_on, error);
		break;
	case json_type_int:
		r = cni_get_int(object, "", key->key, 0, INT64_MAX, &number, error);
		break;
	default:
		r = cni_get_array(object, "", key->key, &list, error);
		is_on = r > 0;
		break;
	}
	*ret = is_on || number != 0;
	return r;
}

/* refuses what we do not serve yet, in plain words, instead of leaving it out silently */
static int check_supported(struct json_object *object, struct cni_error *error)
{
	bool asked;

	for (size_t i = 0; i < CNI_N_ELEMENTS(unsupported_keys); i++) {
		const struct unsupported *key = &unsupported_keys[i];
		struct json_object *value = json_object_object_get(object, key->key);

		if (is_asked_for(object, key, &asked, error) < 0)
			return -1;
		if (asked)
			return cni_fail(error, CNI_ERROR_UNSUPPORTED_FIELD,
					"%s is %s, which is not supported; expected %s", key->key,
					value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN) : "set",
					key->instead);
	}
	return 0;
}

/* A masquerade backend that is unknown is a mistake. The others are names only: the rules are always nftables. */
static int check_backend(const struct cni_bridge_config *config, struct cni_error *error)
{
	const char *backend = config->backend;

	if (config->masquerade && backend[0] != '\0' && strcmp(backend, "iptables") != 0 &&
	    strcmp(backend, "nftables") != 0)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"ipMasqBackend is \"%s\", expected \"iptables\" or \"nftables\"", backend);
	return 0;
}

int cni_bridge_config_check(const struct cni_request *request, const struct cni_bridge_config *config,
			    char ret_mac[FLANNEL_MAC_STRLEN], struct cni_error *error)
{
	const unsigned int both = FLANNEL_ATTACHMENT_HAIRPIN | FLANNEL_ATTACHMENT_PROMISCUOUS;

	if (config->ipam[0] != '\0' && (config->flags & FLANNEL_ATTACHMENT_LINK_DOWN))
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"disableContainerInterface is true, expected no ipam.type with it");
	if ((config->flags & both) == both)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"hairpinMode and promiscMode are true, expected one of them at most");
	if (check_backend(config, error) < 0 || check_supported(request->config, error) < 0 ||
	    cni_result_check_version(config->ipam[0] != '\0', request->version, error) < 0)
		return -1;
	ret_mac[0] = '\0';
	if (config->mac_text[0] == '\0')
		return 0;
	return cni_mac_parse(config->mac_text, "mac", ret_mac, error);
}
