/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin bridge: connects a container to a bridge on the node. */

#include "bridge_check.h"
#include "bridge_config.h"
#include "cleanup.h"
#include "ipam.h"

/* ADD. Everything that can be refused is looked at before anything is done. */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};

	if (cni_bridge_config_read(request, &config, error) < 0 || cni_bridge_config_check(request, &config, error) < 0)
		return -1;
	return cni_attach_add(request, &config, ret_result, error);
}

/* DEL */
static int del(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};

	(void)ret_result;
	if (cni_bridge_config_read(request, &config, error) < 0)
		return -1;
	return cni_attach_del(request, &config, error);
}

/* CHECK: the IPAM's, then what can be seen */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};

	(void)ret_result;
	if (cni_bridge_config_read(request, &config, error) < 0 || cni_ipam_run(request, config.ipam, error) < 0)
		return -1;
	return cni_bridge_check(request, &config, error);
}

/* STATUS is that of the IPAM */
static int status(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};

	(void)ret_result;
	if (cni_bridge_config_read(request, &config, error) < 0)
		return -1;
	return cni_ipam_run(request, config.ipam, error);
}

/* GC: the IPAM's, then firewall rules */
static int gc(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};

	(void)ret_result;
	if (cni_bridge_config_read(request, &config, error) < 0)
		return -1;
	return cni_attach_gc(request, &config, error);
}

const struct cni_plugin cni_plugin_bridge = {
	.name = "bridge",
	.about = "CNI bridge plugin " FLANNEL_VERSION " (libflannel)",
	.run = {[CNI_VERB_ADD] = add,
		[CNI_VERB_DEL] = del,
		[CNI_VERB_CHECK] = check,
		[CNI_VERB_STATUS] = status,
		[CNI_VERB_GC] = gc},
};
