/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "portmap_config.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"
#include "common_keys.h"
#include "decode.h"

#define MAPPINGS "runtimeConfig.portMappings"
#define PORT_MAX 65535
#define MARK_BIT_MAX 31

/* of the two languages of conditions and names of backends */
#define IPTABLES "iptables"
#define NFTABLES "nftables"

void cni_portmap_config_clear(struct cni_portmap_config *config)
{
	free(config->mappings);
	free(config->conditions_ipv4);
	free(config->conditions_ipv6);
	memset(config, 0, sizeof(*config));
}

/* a port of a mapping, which must be given */
static int get_port(struct json_object *object, const char *path, const char *key, uint16_t *ret_port,
		    struct cni_error *error)
{
	int64_t port = 0;
	int r = cni_get_int(object, path, key, 1, PORT_MAX, &port, error);

	if (r == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s.%s is missing, expected 1 to %d", path, key, PORT_MAX);
	*ret_port = (uint16_t)port;
	return r < 0 ? -1 : 0;
}

/* the protocol of a mapping */
static int get_protocol(struct json_object *object, const char *path, int *ret_protocol, struct cni_error *error)
{
	const struct {
		const char *name;
		int number;
	} protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}};
	const char *text = "";

	if (cni_get_string(object, path, "protocol", &text, error) < 0)
		return -1;
	for (size_t i = 0; i < CNI_N_ELEMENTS(protocols); i++) {
		if (strcasecmp(text, protocols[i].name) == 0) {
			*ret_protocol = protocols[i].number;
			return 0;
		}
	}
	return cni_fail(error, CNI_ERROR_INTERNAL, "%s.protocol is \"%s\", expected tcp, udp or sctp", path, text);
}

/* one element of the list of mappings */
static int parse_mapping(struct json_object *list, size_t index, struct flannel_port_mapping *ret_mapping,
			 struct cni_error *error)
{
	struct flannel_port_mapping mapping = {.size = sizeof(mapping)};
	char path[CNI_PATH_SIZE], key[CNI_PATH_SIZE];
	struct json_object *object;
	const char *address = "";

	if (cni_element_object(list, MAPPINGS, index, &object, error) < 0)
		return -1;
	(void)cni_path_index(path, MAPPINGS, index);
	if (!object)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is null, expected a mapping", path);
	if (get_port(object, path, "hostPort", &mapping.host_port, error) < 0 ||
	    get_port(object, path, "containerPort", &mapping.container_port, error) < 0 ||
	    get_protocol(object, path, &mapping.protocol, error) < 0 ||
	    cni_get_string(object, path, "hostIP", &address, error) < 0)
		return -1;
	if (address[0] != '\0' &&
	    cni_parse_address(address, cni_path_join(key, path, "hostIP"), &mapping.host_address, error) < 0)
		return -1;
	*ret_mapping = mapping;
	return 0;
}

/* runtimeConfig.portMappings; lenient: those that cannot be are left out */
static int read_mappings(const struct cni_request *request, bool lenient, struct cni_portmap_config *config,
			 struct cni_error *error)
{
	struct json_object *runtime = NULL, *list = NULL;
	size_t n;

	if (cni_get_object(request->config, "", "runtimeConfig", &runtime, error) < 0 ||
	    (runtime && cni_get_array(runtime, "runtimeConfig", "portMappings", &list, error) < 0))
		return -1;
	n = list ? json_object_array_length(list) : 0;
	config->mappings = calloc(n + 1, sizeof(*config->mappings));
	if (!config->mappings)
		return cni_fail_oom(error);
	for (size_t i = 0; i < n; i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};

		if (parse_mapping(list, i, &config->mappings[config->n_mappings], lenient ? &ignored : error) == 0)
			config->n_mappings++;
		else if (!lenient)
			return -1;
	}
	return 0;
}

/* conditionsV4 and conditionsV6 */
static int read_conditions(struct json_object *object, const char *key, const char ***ret_words, size_t *ret_n,
			   struct cni_error *error)
{
	struct json_object *list = NULL;
	const char **words;
	size_t n;

	if (cni_get_strings(object, "", key, &list, error) < 0)
		return -1;
	n = list ? json_object_array_length(list) : 0;
	words = calloc(n + 1, sizeof(*words));
	if (!words)
		return cni_fail_oom(error);
	for (size_t i = 0; i < n; i++)
		words[i] = json_object_get_string(json_object_array_get_idx(list, i));
	*ret_words = words;
	*ret_n = n;
	return 0;
}

/* do conditions speak the language of a backend, as far as their beginning tells; none do always */
static bool speak(const char *const *words, size_t n, const char *backend)
{
	bool iptables = n > 0 && words[0] && (words[0][0] == '-' || words[0][0] == '!');

	return n == 0 || iptables == (strcmp(backend, IPTABLES) == 0);
}

/* the backend is a name only, since the rules are always nftables; but what comes with it must fit it */
static int check_backend(const struct cni_portmap_config *config, struct cni_error *error)
{
	const char *backend = config->backend;
	bool mark_chain, ipv4, ipv6;

	if (backend[0] == '\0')
		return 0;
	if (strcmp(backend, IPTABLES) != 0 && strcmp(backend, NFTABLES) != 0)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"backend is \"%s\", expected \"" IPTABLES "\" or \"" NFTABLES "\"", backend);
	mark_chain = config->has_mark_chain && strcmp(backend, NFTABLES) == 0;
	ipv4 = !speak(config->conditions_ipv4, config->n_conditions_ipv4, backend);
	ipv6 = !speak(config->conditions_ipv6, config->n_conditions_ipv6, backend);
	if (!mark_chain && !ipv4 && !ipv6)
		return 0;
	return cni_fail(error, CNI_ERROR_INTERNAL, "backend is \"%s\", expected another one for%s%s%s", backend,
			mark_chain ? " externalSetMarkChain" : "", ipv4 ? " conditionsV4" : "",
			ipv6 ? " conditionsV6" : "");
}

/* snat, masqAll, and the keys that concern marks: those are not needed, but must be what they may be */
static int read_masquerade(struct json_object *object, struct cni_portmap_config *config, struct cni_error *error)
{
	const char *chain = "";
	bool snat = true, all = false;
	int64_t bit;
	int has_chain;
	int has_bit;

	if (cni_get_bool(object, "", "snat", &snat, error) < 0 || cni_get_bool(object, "", "masqAll", &all, error) < 0)
		return -1;
	has_chain = cni_get_string(object, "", "externalSetMarkChain", &chain, error);
	if (has_chain < 0)
		return -1;
	has_bit = cni_get_int(object, "", "markMasqBit", 0, MARK_BIT_MAX, &bit, error);
	if (has_bit < 0)
		return -1;
	config->has_mark_chain = has_chain > 0;
	if (has_bit > 0 && config->has_mark_chain)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"externalSetMarkChain and markMasqBit are set, expected one of them at most");
	config->flags = snat ? FLANNEL_PORT_MAP_SNAT : 0;
	if (snat && all)
		config->flags |= FLANNEL_PORT_MAP_MASQUERADE_ALL;
	return 0;
}

/* everything that both ways of reading have in common */
static int read_all(const struct cni_request *request, bool lenient, struct cni_portmap_config *config,
		    struct cni_error *error)
{
	struct json_object *object = request->config;
	int r;

	config->backend = "";
	if (cni_config_check_common(object, error) < 0 || read_mappings(request, lenient, config, error) < 0 ||
	    read_conditions(object, "conditionsV4", &config->conditions_ipv4, &config->n_conditions_ipv4, error) < 0 ||
	    read_conditions(object, "conditionsV6", &config->conditions_ipv6, &config->n_conditions_ipv6, error) < 0)
		return -1;
	if (lenient)
		return 0;
	r = cni_get_string(object, "", "backend", &config->backend, error);
	if (r > 0 && config->backend[0] == '\0')
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"backend is \"\", expected \"" IPTABLES "\" or \"" NFTABLES "\"");
	if (r < 0 || read_masquerade(object, config, error) < 0)
		return -1;
	return check_backend(config, error);
}

int cni_portmap_config_read(const struct cni_request *request, struct cni_portmap_config *ret_config,
			    struct cni_error *error)
{
	CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = {0};

	if (read_all(request, false, &config, error) < 0)
		return -1;
	*ret_config = config;
	memset(&config, 0, sizeof(config));
	return 0;
}

int cni_portmap_config_read_for_del(const struct cni_request *request, struct cni_portmap_config *ret_config,
				    struct cni_error *error)
{
	CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = {0};

	if (read_all(request, true, &config, error) < 0)
		return -1;
	*ret_config = config;
	memset(&config, 0, sizeof(config));
	return 0;
}
