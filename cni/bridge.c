/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The plugin bridge: connects a container to a bridge on the node. The addresses come from an IPAM plugin, which runs first:
 * its failures cost nothing then. The library attaches, or takes back what it did, and sets the masquerade rules of the
 * network, which stay.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <flannel/flannel.h>

#include "bridge_check.h"
#include "bridge_config.h"
#include "cleanup.h"
#include "decode.h"
#include "delegate.h"
#include "detach.h"
#include "masquerade.h"
#include "netns.h"
#include "plugin.h"
#include "result.h"

/* index of the container's end in the interfaces of a result */
#define CONTAINER_INDEX 2

/* more addresses than a container's interface has */
#define ADDRESSES_MAX 64

/* one ADD as it goes */
struct addition {
	const struct cni_request *request;
	struct cni_bridge_config config;
	char mac[FLANNEL_MAC_STRLEN]; /* "" leaves it to the kernel */
	int netns_fd;
	struct cni_delegate ipam;
	struct cni_result result; /* first the IPAM's, then the whole */
};

/* for CNI_CLEANUP */
static void clear_addition(struct addition *addition)
{
	cni_bridge_config_clear(&addition->config);
	cni_delegate_clear(&addition->ipam);
	cni_result_clear(&addition->result);
	cni_closep(&addition->netns_fd);
}

/* for CNI_CLEANUP */
static void free_attachment(struct flannel_attachment **attachment)
{
	(void)flannel_attachment_free(*attachment);
}

/* looks the IPAM plugin up; those of our plugins that are none would call each other for ever */
static int find_ipam(const struct cni_request *request, const char *type, struct cni_delegate *ret_ipam,
		     struct cni_error *error)
{
	if (cni_delegate_find(request, "ipam.type", type, ret_ipam, error) < 0)
		return -1;
	if (!ret_ipam->plugin || ret_ipam->plugin->is_ipam)
		return 0;
	cni_delegate_clear(ret_ipam);
	return cni_fail(error, CNI_ERROR_INTERNAL, "ipam.type is \"%s\", expected an IPAM plugin", type);
}

/* runs a verb of an IPAM plugin by its name; without a name there is nothing to do */
static int run_ipam(const struct cni_request *request, const char *type, struct cni_error *error)
{
	CNI_CLEANUP(cni_delegate_clear) struct cni_delegate ipam = {0};
	struct json_object *none = NULL;

	if (type[0] == '\0')
		return 0;
	if (find_ipam(request, type, &ipam, error) < 0)
		return -1;
	return cni_delegate_run(&ipam, request, &none, error);
}

/* gives back what the IPAM gave; the reason why is told already */
static void release_addresses(const struct addition *addition)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	struct cni_request request = *addition->request;
	struct json_object *none = NULL;

	if (addition->config.ipam[0] == '\0')
		return;
	request.verb = CNI_VERB_DEL;
	(void)cni_delegate_run(&addition->ipam, &request, &none, &ignored);
}

/* takes over the IPAM's answer; the indices of interfaces in it mean nothing here */
static int take_answer(struct addition *addition, struct json_object *answer, struct cni_error *error)
{
	struct cni_result *result = &addition->result;

	if (cni_result_parse(answer, addition->request->version, "result of the IPAM plugin", result, error) < 0)
		return -1;
	if (result->n_ips == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "the IPAM plugin %s gave no address", addition->config.ipam);
	for (size_t i = 0; i < result->n_ips; i++)
		result->ips[i].interface = CONTAINER_INDEX;
	for (size_t i = 0; i < result->n_interfaces; i++) {
		free(result->interfaces[i].name);
		free(result->interfaces[i].mac);
		free(result->interfaces[i].sandbox);
		free(result->interfaces[i].socket_path);
		free(result->interfaces[i].pci_id);
	}
	result->n_interfaces = 0;
	return 0;
}

/* asks the IPAM for addresses; if its answer is no good, they are given back */
static int ask_ipam(struct addition *addition, struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *answer = NULL;

	if (addition->config.ipam[0] == '\0')
		return 0;
	if (find_ipam(addition->request, addition->config.ipam, &addition->ipam, error) < 0 ||
	    cni_delegate_run(&addition->ipam, addition->request, &answer, error) < 0)
		return -1;
	if (take_answer(addition, answer, error) < 0) {
		release_addresses(addition);
		return -1;
	}
	return 0;
}

/* the addresses of a result as the library wants them; NULL without memory */
static struct flannel_address *make_addresses(const struct cni_result *result)
{
	struct flannel_address *addresses = calloc(result->n_ips + 1, sizeof(*addresses));

	for (size_t i = 0; addresses && i < result->n_ips; i++) {
		addresses[i] = (struct flannel_address){.size = sizeof(*addresses),
							.address = result->ips[i].address,
							.gateway = result->ips[i].gateway};
	}
	return addresses;
}

/* the routes of a result as the library wants them; NULL without memory */
static struct flannel_attachment_route *make_routes(const struct cni_result *result)
{
	struct flannel_attachment_route *routes = calloc(result->n_routes + 1, sizeof(*routes));

	for (size_t i = 0; routes && i < result->n_routes; i++) {
		const struct cni_route *route = &result->routes[i];

		routes[i] = (struct flannel_attachment_route){
			.size = sizeof(*routes),
			.dst = route->dst,
			.via = route->gw,
			.mtu = (uint32_t)route->mtu,
			.advmss = (uint32_t)route->advmss,
			.priority = (uint32_t)route->priority,
			.table = route->table >= 0 ? (uint32_t)route->table : 0,
			.scope = route->scope >= 0 ? (int)route->scope : FLANNEL_SCOPE_UNSET,
		};
	}
	return routes;
}

/* lets the library attach the container */
static int attach(const struct addition *addition, struct flannel_context *context,
		  struct flannel_attachment **ret_attachment, struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) struct flannel_address *addresses = make_addresses(&addition->result);
	CNI_CLEANUP(cni_freep) struct flannel_attachment_route *routes = make_routes(&addition->result);
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	const struct flannel_attachment_options options = {
		.size = sizeof(options),
		.netns_fd = addition->netns_fd,
		.ifname = addition->request->ifname,
		.bridge = addition->config.bridge,
		.mac = addition->mac[0] != '\0' ? addition->mac : NULL,
		.mtu = addition->config.mtu,
		.flags = addition->config.flags,
		.addresses = addresses,
		.n_addresses = addition->result.n_ips,
		.routes = routes,
		.n_routes = addition->result.n_routes,
		.vlan = addition->config.vlan,
		.trunk = addition->config.trunk,
		.n_trunk = addition->config.n_trunk,
	};

	if (!addresses || !routes)
		return cni_fail_oom(error);
	if (flannel_attachment_attach(context, &options, ret_attachment, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* completes the result with what the library made of the addresses and routes */
static int add_chosen(struct cni_result *result, const struct flannel_attachment *attachment, struct cni_error *error)
{
	const struct flannel_attachment_route *added;
	struct cni_route route;

	for (size_t i = 0; i < result->n_ips; i++) {
		const struct flannel_address *address = flannel_attachment_get_address(attachment, i);

		if (address)
			result->ips[i].gateway = address->gateway;
	}
	/* those of the options come first, and are in the result as the IPAM gave them */
	for (size_t i = result->n_routes; (added = flannel_attachment_get_route(attachment, i)); i++) {
		route = (struct cni_route){.dst = added->dst, .gw = added->via, .table = -1, .scope = -1};
		if (!cni_result_add_route(result, &route))
			return cni_fail_oom(error);
	}
	return 0;
}

/* the whole result in the form of the configuration's version */
static int make_result(struct addition *addition, const struct flannel_attachment *attachment,
		       struct json_object **ret_result, struct cni_error *error)
{
	const struct flannel_link *bridge = flannel_attachment_get_bridge(attachment);
	const struct flannel_link *host = flannel_attachment_get_host_link(attachment);
	const struct flannel_link *container = flannel_attachment_get_container_link(attachment);
	const struct flannel_link *vlan = flannel_attachment_get_vlan_link(attachment);
	struct cni_result *result = &addition->result;

	if (!cni_result_add_interface(result, bridge->name, bridge->mac, "") ||
	    !cni_result_add_interface(result, host->name, host->mac, "") ||
	    !cni_result_add_interface(result, container->name, container->mac, addition->request->netns) ||
	    (vlan && !cni_result_add_interface(result, vlan->name, vlan->mac, "")))
		return cni_fail_oom(error);
	if (add_chosen(result, attachment, error) < 0)
		return -1;
	if (addition->config.dns) {
		json_object_put(result->dns);
		result->dns = json_object_object_length(addition->config.dns) > 0
				      ? json_object_get(addition->config.dns)
				      : NULL;
	}
	return cni_result_format(result, addition->request->version, ret_result, error);
}

/* masquerades what the container sends, if that is asked for and there are addresses */
static int masquerade(const struct addition *addition, struct flannel_context *context, struct cni_error *error)
{
	const struct cni_bridge_config *config = &addition->config;
	int r;

	if (!config->masquerade || config->ipam[0] == '\0')
		return 0;
	r = cni_masquerade_ensure(context, addition->request->network, &addition->result, error);
	if (r > 0 && strcmp(config->backend, "iptables") == 0)
		(void)fprintf(stderr, "ipMasqBackend is \"iptables\"; the rules were set with nftables\n");
	return r < 0 ? -1 : 0;
}

/*
 * Attaches with the addresses that the IPAM gave. The masquerade rules come last: what fails before leaves none, and if they
 * cannot be set, the attachment is taken back, as one that cannot be told.
 */
static int attach_and_tell(struct addition *addition, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	CNI_CLEANUP(free_attachment) struct flannel_attachment *attachment = NULL;
	CNI_CLEANUP(cni_json_putp) struct json_object *result = NULL;

	if (cni_context_new(-1, &context, error) < 0 || attach(addition, context, &attachment, error) < 0)
		return -1;
	if (make_result(addition, attachment, &result, error) == 0 && masquerade(addition, context, error) == 0) {
		*ret_result = CNI_TAKE(result);
		return 0;
	}
	(void)flannel_attachment_undo(attachment, context, addition->netns_fd, NULL);
	return -1;
}

/* does the container's interface have one of the addresses that the IPAM gave */
static bool has_addresses(const struct addition *addition, struct flannel_context *context)
{
	struct flannel_prefix present[ADDRESSES_MAX];
	size_t n = 0;

	if (flannel_link_get_addresses(context, addition->request->ifname, present, ADDRESSES_MAX, &n, NULL) < 0)
		return false;
	for (size_t i = 0; i < n && i < ADDRESSES_MAX; i++) {
		for (size_t k = 0; k < addition->result.n_ips; k++) {
			if (flannel_prefix_compare(&present[i], &addition->result.ips[k].address) == 0)
				return true;
		}
	}
	return false;
}

/*
 * Is there an attachment of an earlier ADD? An IPAM that is asked again gives the addresses of then, so those that a failed ADD got
 * may be in use. What the failed ADD itself has made is gone by now.
 */
static bool is_attached(const struct addition *addition)
{
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	const struct flannel_context_options options = {
		.size = sizeof(options), .flags = FLANNEL_CONTEXT_SINGLE_THREADED, .netns_fd = addition->netns_fd};

	return flannel_context_new(&context, &options, NULL) == 0 && has_addresses(addition, context);
}

/* ADD. Everything that can be refused is looked at before anything is done. */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(clear_addition) struct addition addition = {.request = request, .netns_fd = -1};
	int r;

	if (cni_bridge_config_read(request, &addition.config, error) < 0 ||
	    cni_bridge_config_check(request, &addition.config, addition.mac, error) < 0)
		return -1;
	r = cni_netns_open(request, &addition.netns_fd, error);
	if (r == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "CNI_NETNS is \"%s\", expected a network namespace",
				request->netns);
	if (r < 0 || ask_ipam(&addition, error) < 0)
		return -1;
	r = attach_and_tell(&addition, ret_result, error);
	if (r < 0 && !is_attached(&addition))
		release_addresses(&addition);
	return r;
}

/* DEL. The addresses go last: nobody else may get one that is still in use. */
static int del(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_bridge_config_clear) struct cni_bridge_config config = {0};

	(void)ret_result;
	if (cni_bridge_config_read(request, &config, error) < 0 || cni_detach(request, error) < 0)
		return -1;
	return run_ipam(request, config.ipam, error);
}

/* CHECK: the IPAM's, then what can be seen */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_bridge_config_clear) struct cni_bridge_config config = {0};

	(void)ret_result;
	if (cni_bridge_config_read(request, &config, error) < 0 || run_ipam(request, config.ipam, error) < 0)
		return -1;
	return cni_bridge_check(request, &config, error);
}

/* STATUS is that of the IPAM */
static int status(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_bridge_config_clear) struct cni_bridge_config config = {0};

	(void)ret_result;
	if (cni_bridge_config_read(request, &config, error) < 0)
		return -1;
	return run_ipam(request, config.ipam, error);
}

const struct cni_plugin cni_plugin_bridge = {
	.name = "bridge",
	.about = "CNI bridge plugin " FLANNEL_VERSION " (libflannel)",
	.run = {[CNI_VERB_ADD] = add, [CNI_VERB_DEL] = del, [CNI_VERB_CHECK] = check, [CNI_VERB_STATUS] = status},
};
