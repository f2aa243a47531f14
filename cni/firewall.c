/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The plugin firewall: lets containers through where the node drops what is forwarded, and isolates bridges from each other. It
 * runs behind the plugin that made the interface, whose result it hands on.
 */

#include <stdlib.h>
#include <string.h>

#include <flannel/flannel.h>

#include "cleanup.h"
#include "collect.h"
#include "common_keys.h"
#include "decode.h"
#include "netns.h"
#include "plugin.h"
#include "previous.h"
#include "result.h"

/* what a call is about; texts are borrowed from the request */
struct firewall {
	struct cni_result previous;
	bool has_previous;
	struct flannel_attachment_id attachment;
	struct flannel_prefix *addresses;
	struct flannel_firewall_options options;
	struct flannel_context *context;
};

/* for CNI_CLEANUP */
static void clear_firewall(struct firewall *firewall)
{
	cni_result_clear(&firewall->previous);
	free(firewall->addresses);
	cni_context_unrefp(&firewall->context);
}

/* The rules are always set with nftables, by which those of iptables are, too; firewalld has rules of its own. */
static int check_backend(const struct cni_request *request, struct cni_error *error)
{
	const char *backend = "", *zone = "";

	if (cni_get_string(request->config, "", "backend", &backend, error) < 0 ||
	    cni_get_string(request->config, "", "firewalldZone", &zone, error) < 0)
		return -1;
	if (strcmp(backend, "firewalld") == 0)
		return cni_fail(error, CNI_ERROR_UNSUPPORTED_FIELD,
				"backend is \"firewalld\", which this plugin does not serve, expected \"iptables\", "
				"\"nftables\" or none; with firewalld, put the network's range into a trusted zone");
	if (backend[0] != '\0' && strcmp(backend, "iptables") != 0 && strcmp(backend, "nftables") != 0)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"backend is \"%s\", expected \"iptables\", \"nftables\" or none", backend);
	return 0;
}

/* ingressPolicy, and the bridge that it is for */
static int read_policy(const struct cni_request *request, struct firewall *firewall, struct cni_error *error)
{
	const char *policy = "";

	if (cni_get_string(request->config, "", "ingressPolicy", &policy, error) < 0)
		return -1;
	if (policy[0] == '\0' || strcmp(policy, "open") == 0)
		return 0;
	if (strcmp(policy, "same-bridge") == 0)
		firewall->options.policy = FLANNEL_FIREWALL_SAME_BRIDGE;
	else if (strcmp(policy, "isolated") == 0)
		firewall->options.policy = FLANNEL_FIREWALL_ISOLATED;
	else
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"ingressPolicy is \"%s\", expected \"open\", \"same-bridge\" or \"isolated\"", policy);
	if (firewall->previous.n_interfaces == 0)
		return cni_fail(
			error, CNI_ERROR_INTERNAL,
			"ingressPolicy is \"%s\", but prevResult has no interfaces, expected a bridge as the first",
			policy);
	firewall->options.bridge = firewall->previous.interfaces[0].name;
	return 0;
}

/* the addresses of the result before, if there is one */
static int read_addresses(const struct cni_request *request, struct firewall *firewall, struct cni_error *error)
{
	int r = cni_previous_read(request, &firewall->previous, error);

	if (r < 0)
		return -1;
	firewall->has_previous = r > 0;
	firewall->addresses = calloc(firewall->previous.n_ips + 1, sizeof(*firewall->addresses));
	if (!firewall->addresses)
		return cni_fail_oom(error);
	for (size_t i = 0; i < firewall->previous.n_ips; i++)
		firewall->addresses[i] = firewall->previous.ips[i].address;
	firewall->options.addresses = firewall->addresses;
	firewall->options.n_addresses = firewall->previous.n_ips;
	return 0;
}

/* everything that does not matter for DEL */
static int read_wishes(const struct cni_request *request, struct firewall *firewall, struct cni_error *error)
{
	const char *chain = "";

	if (!firewall->has_previous)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"prevResult is missing, expected the result of the plugins before this one");
	if (check_backend(request, error) < 0 || read_policy(request, firewall, error) < 0 ||
	    cni_get_string(request->config, "", "iptablesAdminChainName", &chain, error) < 0)
		return -1;
	firewall->options.admin_chain = chain[0] != '\0' ? chain : NULL;
	return 0;
}

/* reads what a call is about; is_removal: what is missing or wrong in the configuration must not be in the way */
static int begin(const struct cni_request *request, bool is_removal, struct firewall *firewall, struct cni_error *error)
{
	firewall->attachment = (struct flannel_attachment_id){
		.size = sizeof(firewall->attachment), .container_id = request->container_id, .ifname = request->ifname};
	firewall->options = (struct flannel_firewall_options){
		.size = sizeof(firewall->options), .network = request->network, .attachment = &firewall->attachment};
	if (cni_config_check_common(request->config, error) < 0 || read_addresses(request, firewall, error) < 0)
		return -1;
	if (!is_removal && read_wishes(request, firewall, error) < 0)
		return -1;
	return cni_context_new(-1, &firewall->context, error);
}

/* ADD. The result is made before anything is done, lest it fail afterwards. */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(clear_firewall) struct firewall firewall = {.has_previous = false};
	CNI_CLEANUP(cni_json_putp) struct json_object *result = NULL;
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;

	if (begin(request, false, &firewall, error) < 0 ||
	    cni_result_format(&firewall.previous, request->version, &result, error) < 0)
		return -1;
	if (flannel_firewall_ensure(firewall.context, &firewall.options, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	*ret_result = CNI_TAKE(result);
	return 0;
}

/* DEL, with prevResult or without; also what the plugin of that name left that was here before */
static int del(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(clear_firewall) struct firewall firewall = {.has_previous = false};
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;

	(void)ret_result;
	if (begin(request, true, &firewall, error) < 0)
		return -1;
	if (flannel_firewall_remove(firewall.context, &firewall.options, &cause) < 0 ||
	    flannel_firewall_remove_former(firewall.context, firewall.addresses, firewall.options.n_addresses, &cause) <
		    0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* CHECK */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(clear_firewall) struct firewall firewall = {.has_previous = false};
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;

	(void)ret_result;
	if (begin(request, false, &firewall, error) < 0)
		return -1;
	if (flannel_firewall_check(firewall.context, &firewall.options, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* GC: addresses of containers that are no more */
static int collect(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	(void)ret_result;
	return cni_collect(request, flannel_firewall_collect, error);
}

const struct cni_plugin cni_plugin_firewall = {
	.name = "firewall",
	.about = "CNI firewall plugin " FLANNEL_VERSION " (libflannel)",
	.oldest = "0.4.0",
	.run = {[CNI_VERB_ADD] = add, [CNI_VERB_DEL] = del, [CNI_VERB_CHECK] = check, [CNI_VERB_GC] = collect},
};
