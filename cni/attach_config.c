/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "cleanup.h"
#include "common_keys.h"
#include "decode.h"
#include "result.h"

/* of bridges and veth pairs */
#define MTU_MIN 68U
#define MTU_MAX 65535U

void cni_attach_config_clear(struct cni_attach_config *config)
{
	free(config->mac_argument);
	free(config->trunk);
	json_object_put(config->dns);
	memset(config, 0, sizeof(*config));
}

/* dns of the network, if any of its members is given, be it as an empty list; then it stands in place of the IPAM's */
static int read_dns(struct json_object *object, struct cni_attach_config *config, struct cni_error *error)
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

int cni_attach_config_read(const struct cni_request *request, struct cni_attach_config *config, struct cni_error *error)
{
	struct json_object *object = request->config;
	struct json_object *ipam = NULL;
	int64_t mtu = 0;

	config->ipam = config->backend = config->mac_text = config->bridge = "";
	if (cni_config_check_common(object, error) < 0 ||
	    cni_get_int(object, "", "mtu", INT32_MIN, UINT32_MAX, &mtu, error) < 0 ||
	    cni_get_bool(object, "", "ipMasq", &config->masquerade, error) < 0 ||
	    cni_get_string(object, "", "ipMasqBackend", &config->backend, error) < 0 ||
	    cni_get_object(object, "", "ipam", &ipam, error) < 0 ||
	    (ipam && cni_get_string(ipam, "ipam", "type", &config->ipam, error) < 0) ||
	    read_dns(object, config, error) < 0)
		return -1;
	/* one that is not positive is none */
	config->mtu = mtu > 0 ? (uint32_t)mtu : 0;
	return 0;
}

int cni_attach_config_check(const struct cni_request *request, const struct cni_attach_config *config,
			    struct cni_error *error)
{
	const char *backend = config->backend;

	/* one that is unknown is a mistake; the others are names only: the rules are always nftables */
	if (config->masquerade && backend[0] != '\0' && strcmp(backend, "iptables") != 0 &&
	    strcmp(backend, "nftables") != 0)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"ipMasqBackend is \"%s\", expected \"iptables\" or \"nftables\"", backend);
	if (config->mtu != 0 && (config->mtu < MTU_MIN || config->mtu > MTU_MAX))
		return cni_fail(error, CNI_ERROR_INTERNAL, "mtu is %u, expected %u to %u, or 0", config->mtu, MTU_MIN,
				MTU_MAX);
	return cni_result_check_version(config->ipam[0] != '\0', request->version, error);
}
