/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <flannel/flannel.h>

#include "attachments.h"
#include "cleanup.h"
#include "detach.h"
#include "ipam.h"
#include "masquerade.h"
#include "netns.h"
#include "result.h"

/* more addresses than a container's interface has */
#define ADDRESSES_MAX 64

/* one ADD as it goes */
struct addition {
	const struct cni_request *request;
	const struct cni_attach_config *config;
	int netns_fd;
	struct cni_delegate ipam;
	struct cni_result result; /* first the IPAM's, then the whole */
};

/* for CNI_CLEANUP */
static void clear_addition(struct addition *addition)
{
	cni_delegate_clear(&addition->ipam);
	cni_result_clear(&addition->result);
	cni_closep(&addition->netns_fd);
}

/* for CNI_CLEANUP */
static void free_attachment(struct flannel_attachment **attachment)
{
	(void)flannel_attachment_free(*attachment);
}

/* index of the container's end in the interfaces of a result: behind the bridge, if there is one, and the node's end */
static int container_index(const struct cni_attach_config *config)
{
	return config->bridge[0] != '\0' ? 2 : 1;
}

/* whose all of this is */
static struct flannel_attachment_id make_id(const struct cni_request *request)
{
	return (struct flannel_attachment_id){.size = sizeof(struct flannel_attachment_id),
					      .container_id = request->container_id,
					      .ifname = request->ifname};
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
		.bridge = addition->config->bridge[0] != '\0' ? addition->config->bridge : NULL,
		.mac = addition->config->mac[0] != '\0' ? addition->config->mac : NULL,
		.mtu = addition->config->mtu,
		.flags = addition->config->flags,
		.addresses = addresses,
		.n_addresses = addition->result.n_ips,
		.routes = routes,
		.n_routes = addition->result.n_routes,
		.vlan = addition->config->vlan,
		.trunk = addition->config->trunk,
		.n_trunk = addition->config->n_trunk,
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

	if ((bridge && !cni_result_add_interface(result, bridge->name, bridge->mac, "")) ||
	    !cni_result_add_interface(result, host->name, host->mac, "") ||
	    !cni_result_add_interface(result, container->name, container->mac, addition->request->netns) ||
	    (vlan && !cni_result_add_interface(result, vlan->name, vlan->mac, "")))
		return cni_fail_oom(error);
	if (add_chosen(result, attachment, error) < 0)
		return -1;
	if (addition->config->dns) {
		json_object_put(result->dns);
		result->dns = json_object_object_length(addition->config->dns) > 0
				      ? json_object_get(addition->config->dns)
				      : NULL;
	}
	return cni_result_format(result, addition->request->version, ret_result, error);
}

/* masquerades what the container sends, if that is asked for and there are addresses */
static int masquerade(const struct addition *addition, struct flannel_context *context, struct cni_error *error)
{
	const struct cni_attach_config *config = addition->config;
	int r;

	if (!config->masquerade || config->ipam[0] == '\0')
		return 0;
	r = cni_masquerade_ensure(context, addition->request->network, &addition->result, error);
	if (r > 0 && strcmp(config->backend, "iptables") == 0)
		(void)fprintf(stderr, "ipMasqBackend is \"iptables\"; the rules were set with nftables\n");
	return r < 0 ? -1 : 0;
}

/* lets the container send with its own MAC address only, if that is asked for */
static int guard(const struct addition *addition, struct flannel_context *context,
		 const struct flannel_attachment *attachment, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	const struct flannel_attachment_id id = make_id(addition->request);
	const struct flannel_mac_guard_options options = {
		.size = sizeof(options),
		.network = addition->request->network,
		.attachment = &id,
		.port = flannel_attachment_get_host_link(attachment)->name,
		.mac = flannel_attachment_get_container_link(attachment)->mac,
	};

	if (addition->config->guard && flannel_mac_guard_ensure(context, &options, &cause) < 0)
		return cni_fail_flannel(error, cause, "macspoofchk");
	return 0;
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
	const struct flannel_attachment_id id = make_id(addition->request);

	if (cni_context_new(-1, &context, error) < 0 || attach(addition, context, &attachment, error) < 0)
		return -1;
	if (make_result(addition, attachment, &result, error) == 0 &&
	    guard(addition, context, attachment, error) == 0 && masquerade(addition, context, error) == 0) {
		*ret_result = CNI_TAKE(result);
		return 0;
	}
	(void)flannel_attachment_undo(attachment, context, addition->netns_fd, NULL);
	if (addition->config->guard)
		(void)flannel_mac_guard_remove(context, addition->request->network, &id, NULL);
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
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;

	return cni_context_new(addition->netns_fd, &context, &ignored) == 0 && has_addresses(addition, context);
}

int cni_attach_add(const struct cni_request *request, const struct cni_attach_config *config,
		   struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(clear_addition)
	struct addition addition = {.request = request, .config = config, .netns_fd = -1};
	int r;

	if (cni_netns_require(request, &addition.netns_fd, error) < 0 ||
	    cni_ipam_add(request, config->ipam, container_index(config), &addition.ipam, &addition.result, error) < 0)
		return -1;
	r = attach_and_tell(&addition, ret_result, error);
	if (r < 0 && !is_attached(&addition))
		cni_ipam_release(request, config->ipam, &addition.ipam);
	return r;
}

/* A firewall that cannot be asked holds nothing of ours, or nothing that hurts without the interface: this is told, and no failure. */
static void tell(const char *what, const struct flannel_error *cause)
{
	(void)fprintf(stderr, "%s: %s\n", what, flannel_error_get_message(cause));
}

/* ends the MAC guard, ours or the reference plugin's; without the port it guards nothing any more */
static void end_guard(const struct cni_request *request, struct flannel_context *context)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	const struct flannel_attachment_id id = make_id(request);

	if (flannel_mac_guard_remove(context, request->network, &id, &cause) < 0 ||
	    flannel_mac_guard_remove_former(context, &id, &cause) < 0)
		tell("macspoofchk", cause);
}

/* ends what firewalls were told of the container; without anything of that kind they are not asked */
static int end_rules(const struct cni_request *request, const struct cni_attach_config *config, struct cni_error *error)
{
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	const bool has_rules = config->masquerade && config->ipam[0] != '\0';

	if (!config->guard && !has_rules)
		return 0;
	if (cni_context_new(-1, &context, error) < 0)
		return -1;
	if (config->guard)
		end_guard(request, context);
	return has_rules ? cni_masquerade_remove_former(context, request, error) : 0;
}

/* DEL. The addresses go last: nobody else may get one that is still in use, or has rules. */
int cni_attach_del(const struct cni_request *request, const struct cni_attach_config *config, struct cni_error *error)
{
	if (cni_detach(request, error) < 0 || end_rules(request, config, error) < 0)
		return -1;
	return cni_ipam_run(request, config->ipam, error);
}

/* firewall rules and guards of those who are gone */
static int collect(const struct cni_request *request, struct cni_error *error)
{
	CNI_CLEANUP(cni_attachments_clear) struct cni_attachments attachments = {0};
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	int r = cni_attachments_read(request->config, &attachments, error);

	if (r <= 0)
		return r;
	if (cni_context_new(-1, &context, error) < 0)
		return -1;
	/* rules serve all containers of their range: they go with the last one */
	if (attachments.n == 0 && cni_masquerade_remove(context, request->network, error) < 0)
		return -1;
	if (flannel_mac_guard_collect(context, request->network, attachments.ids, attachments.n, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

int cni_attach_gc(const struct cni_request *request, const struct cni_attach_config *config, struct cni_error *error)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error second = {0};
	int r = cni_ipam_run(request, config->ipam, error);

	/* what one cannot collect is no reason to leave the rest */
	if (collect(request, r < 0 ? &second : error) < 0)
		return -1;
	return r;
}
