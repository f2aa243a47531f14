/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin ptp: connects a container to the node without a bridge, which routes to it. */

#include <string.h>

#include <flannel/flannel.h>

#include "attach.h"
#include "check.h"
#include "cleanup.h"
#include "ipam.h"
#include "netns.h"

/* what every verb needs to be right */
static int read_config(const struct cni_request *request, struct cni_attach_config *config, struct cni_error *error)
{
	if (cni_attach_config_read(request, config, error) < 0)
		return -1;
	config->flags = FLANNEL_ATTACHMENT_POINT_TO_POINT;
	return 0;
}

/* ADD. Everything that can be refused is looked at before anything is done. */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};

	if (read_config(request, &config, error) < 0)
		return -1;
	if (config.ipam[0] == '\0')
		return cni_fail(error, CNI_ERROR_INTERNAL, "ipam.type is missing, expected an IPAM plugin");
	if (cni_attach_config_check(request, &config, error) < 0)
		return -1;
	return cni_attach_add(request, &config, ret_result, error);
}

/* DEL */
static int del(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};

	(void)ret_result;
	if (read_config(request, &config, error) < 0)
		return -1;
	return cni_attach_del(request, &config, error);
}

/* the container's interface, its addresses and routes */
static int check_container(const struct cni_request *request, const struct cni_result *previous,
			   struct cni_error *error)
{
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	CNI_CLEANUP(cni_closep) int netns_fd = -1;
	const struct cni_interface *interface = cni_check_find(previous, request->ifname, request->netns);
	struct flannel_link_status status;

	if (!interface)
		return cni_fail(error, CNI_ERROR_INTERNAL, "prevResult has no interface \"%s\" with sandbox \"%s\"",
				request->ifname, request->netns);
	if (cni_netns_require(request, &netns_fd, error) < 0 || cni_context_new(netns_fd, &context, error) < 0 ||
	    cni_check_link(context, interface, "veth", true, &status, error) < 0 ||
	    cni_check_addresses(context, previous, request->ifname, error) < 0)
		return -1;
	return cni_check_routes(context, previous, error);
}

/* CHECK: the IPAM's, then what can be seen */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};
	CNI_CLEANUP(cni_result_clear) struct cni_result previous = {0};

	(void)ret_result;
	if (read_config(request, &config, error) < 0 || cni_ipam_run(request, config.ipam, error) < 0 ||
	    cni_check_previous(request, &previous, error) < 0)
		return -1;
	return check_container(request, &previous, error);
}

/* STATUS is that of the IPAM */
static int status(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};

	(void)ret_result;
	if (read_config(request, &config, error) < 0)
		return -1;
	return cni_ipam_run(request, config.ipam, error);
}

/* GC: the IPAM's, then firewall rules */
static int gc(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attach_config_clear) struct cni_attach_config config = {0};

	(void)ret_result;
	if (read_config(request, &config, error) < 0)
		return -1;
	return cni_attach_gc(request, &config, error);
}

const struct cni_plugin cni_plugin_ptp = {
	.name = "ptp",
	.about = "CNI ptp plugin " FLANNEL_VERSION " (libflannel)",
	.run = {[CNI_VERB_ADD] = add,
		[CNI_VERB_DEL] = del,
		[CNI_VERB_CHECK] = check,
		[CNI_VERB_STATUS] = status,
		[CNI_VERB_GC] = gc},
};
