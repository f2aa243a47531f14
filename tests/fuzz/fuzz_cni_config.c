/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as the configuration of every plugin: what each reads of it, prevResult and the attachments of GC
 * included. A refusal says why, and leaves nothing behind. The first byte chooses the verb.
 */
#include <strings.h>
#include <sys/socket.h>

#include "attachments.h"
#include "bandwidth_config.h"
#include "bridge_config.h"
#include "cni_text.h"
#include "flannel_config.h"
#include "ipam_config.h"
#include "portmap_config.h"
#include "previous.h"
#include "protocol.h"
#include "result.h"
#include "sbr_config.h"
#include "tuning_config.h"

/* a node's subnet.env, for the plugin flannel */
static void make_delegate(const struct cni_request *request, const struct cni_flannel_config *config)
{
	struct flannel_prefix network;
	struct cni_subnet_env env = {.mtu = 1450, .networks = {.networks = &network, .n = 1}};
	struct json_object *delegate = NULL;
	struct cni_error error = {0};

	require(flannel_prefix_parse("10.244.0.0/16", &network) == 0);
	require(flannel_prefix_parse("10.244.1.0/24", &env.subnet) == 0);
	if (told(cni_flannel_config_make_delegate(request, config, &env, &delegate, &error), &error))
		require(json_object_is_type(delegate, json_type_object));
	json_object_put(delegate);
}

static void read_flannel(const struct cni_request *request)
{
	struct cni_flannel_config config = {0};
	struct cni_error error = {0};

	if (told(cni_flannel_config_read(request, &config, &error), &error))
		make_delegate(request, &config);
}

static void read_bridge(const struct cni_request *request)
{
	struct cni_attach_config config = {0};
	struct cni_error error = {0};

	if (!told(cni_bridge_config_read(request, &config, &error), &error))
		return;
	require(config.bridge && config.ipam && config.mac_text);
	(void)told(cni_bridge_config_check(request, &config, &error), &error);
	cni_attach_config_clear(&config);
}

/* without the one key that names a file to be read */
static void read_host_local(const struct cni_request *request)
{
	struct cni_ipam_config config = {0};
	struct cni_error error = {0};
	struct json_object_iter at;

	json_object_object_foreachC(request->config, at)
	{
		struct json_object_iter inner;
		const char *found = NULL;

		if (strcasecmp(at.key, "ipam") != 0 || !json_object_is_type(at.val, json_type_object))
			continue;
		do {
			found = NULL;
			json_object_object_foreachC(at.val, inner)
			{
				if (strcasecmp(inner.key, "resolvConf") == 0)
					found = inner.key;
			}
			if (found)
				json_object_object_del(at.val, found);
		} while (found);
	}
	if (!told(cni_ipam_config_read(request, &config, &error), &error))
		return;
	for (size_t i = 0; i < config.n_ranges; i++)
		require(config.ranges[i].subnet.family == AF_INET || config.ranges[i].subnet.family == AF_INET6);
	cni_ipam_config_clear(&config);
}

static void read_tuning(const struct cni_request *request)
{
	struct cni_tuning_config config = {0};
	struct cni_error error = {0};

	if (told(cni_tuning_config_read(request, &config, &error), &error))
		cni_tuning_config_clear(&config);
}

static void read_bandwidth(const struct cni_request *request)
{
	struct cni_bandwidth_config config = {0};
	struct cni_error error = {0};

	(void)told(cni_bandwidth_config_read(request, &config, &error), &error);
}

/* what ADD takes, DEL takes, too */
static void read_portmap(const struct cni_request *request)
{
	struct cni_portmap_config config = {0};
	struct cni_error error = {0};
	bool taken = told(cni_portmap_config_read(request, &config, &error), &error);
	size_t n = config.n_mappings;

	if (taken)
		cni_portmap_config_clear(&config);
	config = (struct cni_portmap_config){0};
	if (told(cni_portmap_config_read_for_del(request, &config, &error), &error)) {
		require(!taken || config.n_mappings == n);
		cni_portmap_config_clear(&config);
	} else {
		require(!taken);
	}
}

static void read_sbr(const struct cni_request *request)
{
	struct flannel_address *addresses = NULL;
	struct cni_result previous = {0};
	struct cni_sbr_config config = {0};
	struct cni_error error = {0};
	size_t n = 0;

	if (!told(cni_sbr_config_read(request, &config, &error), &error) ||
	    !told(cni_previous_read(request, &previous, &error), &error))
		return;
	if (told(cni_sbr_find_addresses(request, &previous, &config, &addresses, &n, &error), &error))
		free(addresses);
	cni_result_clear(&previous);
}

/* prevResult, and the plugin static, which touches nothing and so may run as a whole */
static void read_results(const struct cni_request *request)
{
	struct cni_result previous = {0};
	struct json_object *result = NULL;
	struct cni_attachments attachments = {0};
	struct cni_error error = {0};

	if (told(cni_previous_read(request, &previous, &error), &error))
		cni_result_clear(&previous);
	if (told(cni_attachments_read(request->config, &attachments, &error), &error))
		cni_attachments_clear(&attachments);
	if (told(cni_protocol_run(&cni_plugin_static, request, &result, &error), &error) && result)
		require(json_object_is_type(result, json_type_object));
	json_object_put(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_request request = {.container_id = "c1", .netns = "/nowhere", .ifname = "eth0", .args = ""};
	struct cni_error error = {0};

	if (size == 0)
		return 0;
	request.verb = data[0] % CNI_N_VERBS;
	request.path = "/nowhere";
	request.text = (const char *)data + 1;
	request.text_len = size - 1;
	request.config = object_of(data + 1, size - 1);
	if (!request.config)
		return 0;
	if (told(cni_protocol_read_config(&request, &error), &error)) {
		read_flannel(&request);
		read_bridge(&request);
		read_tuning(&request);
		read_bandwidth(&request);
		read_portmap(&request);
		read_sbr(&request);
		read_results(&request);
		read_host_local(&request);
	}
	json_object_put(request.config);
	return 0;
}
