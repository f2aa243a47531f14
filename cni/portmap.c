/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The plugin portmap: ports of the node that lead to the container. It stands after the plugin that attaches the container,
 * whose result it hands on as it is.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <flannel/flannel.h>

#include "cleanup.h"
#include "collect.h"
#include "decode.h"
#include "hex512.h"
#include "netns.h"
#include "plugin.h"
#include "portmap_config.h"
#include "previous.h"
#include "result.h"

/* names of the reference's chains for a container: a beginning, and digits that make it 28 characters */
#define DNAT_CHAIN "CNI-DN-"
#define SNAT_CHAIN "CNI-SN-"
#define CHAIN_DIGITS 21
#define CHAIN_SIZE (sizeof(DNAT_CHAIN) + CHAIN_DIGITS)

/* Is this an address of the container? One that says of what interface it is has to be of the one that is attached. */
static bool is_container_ip(const struct cni_request *request, const struct cni_result *result, const struct cni_ip *ip)
{
	const struct cni_interface *interface;

	if (ip->interface < 0 || (size_t)ip->interface >= result->n_interfaces)
		return true;
	interface = &result->interfaces[ip->interface];
	return interface->name && strcmp(interface->name, request->ifname) == 0 && interface->sandbox &&
	       interface->sandbox[0] != '\0';
}

/* the first address of a family that the container has; AF_UNSPEC if it has none */
static struct flannel_prefix find_address(const struct cni_request *request, const struct cni_result *result,
					  int family)
{
	for (size_t i = 0; i < result->n_ips; i++) {
		const struct cni_ip *ip = &result->ips[i];

		if (ip->address.family == family && is_container_ip(request, result, ip))
			return ip->address;
	}
	return (struct flannel_prefix){.family = AF_UNSPEC};
}

/* what the library is told of a container's mappings; everything is borrowed */
static struct flannel_port_map_options make_options(const struct cni_request *request,
						    const struct flannel_attachment_id *attachment,
						    const struct cni_portmap_config *config)
{
	return (struct flannel_port_map_options){
		.size = sizeof(struct flannel_port_map_options),
		.network = request->network,
		.attachment = attachment,
		.mappings = config->mappings,
		.n_mappings = config->n_mappings,
		.flags = config->flags,
		.conditions_ipv4 = config->conditions_ipv4,
		.n_conditions_ipv4 = config->n_conditions_ipv4,
		.conditions_ipv6 = config->conditions_ipv6,
		.n_conditions_ipv6 = config->n_conditions_ipv6,
	};
}

/* whose mappings they are */
static struct flannel_attachment_id make_id(const struct cni_request *request)
{
	return (struct flannel_attachment_id){.size = sizeof(struct flannel_attachment_id),
					      .container_id = request->container_id,
					      .ifname = request->ifname};
}

/* a failure of the library; conditions that we do not serve are a matter of the configuration */
static int fail_library(struct cni_error *error, const struct flannel_error *cause)
{
	(void)cni_fail_flannel(error, cause, NULL);
	if (flannel_error_get_code(cause) == -EOPNOTSUPP && strcmp(flannel_error_get_area(cause), "config") == 0)
		error->code = CNI_ERROR_UNSUPPORTED_FIELD;
	return -1;
}

/* says what was done otherwise than the configuration has it, where it may be looked for */
static void tell(const struct cni_portmap_config *config)
{
	if (strcmp(config->backend, "iptables") == 0)
		(void)fprintf(stderr, "portmap: backend is \"iptables\"; the ports are mapped with nftables\n");
	if (config->has_mark_chain)
		(void)fprintf(stderr, "portmap: externalSetMarkChain is not used; connections are masqueraded here\n");
}

/* calls the library with everything that ADD and CHECK know */
static int call(const struct cni_request *request, const struct cni_portmap_config *config,
		const struct cni_result *previous,
		int (*function)(struct flannel_context *, const struct flannel_port_map_options *,
				struct flannel_error **),
		struct cni_error *error)
{
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	const struct flannel_attachment_id attachment = make_id(request);
	struct flannel_port_map_options options = make_options(request, &attachment, config);

	options.ipv4 = find_address(request, previous, AF_INET);
	options.ipv6 = find_address(request, previous, AF_INET6);
	if (cni_context_new(-1, &context, error) < 0)
		return -1;
	return function(context, &options, &cause) < 0 ? fail_library(error, cause) : 0;
}

/* ADD. The result is made first, so that one that cannot be told leaves no mappings. */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = {0};
	CNI_CLEANUP(cni_result_clear) struct cni_result previous = {0};
	CNI_CLEANUP(cni_json_putp) struct json_object *result = NULL;

	if (cni_portmap_config_read(request, &config, error) < 0 ||
	    cni_previous_require(request, &previous, error) < 0 ||
	    cni_result_format(&previous, request->version, &result, error) < 0)
		return -1;
	if (config.n_mappings > 0) {
		if (call(request, &config, &previous, flannel_port_map_ensure, error) < 0)
			return -1;
		tell(&config);
	}
	*ret_result = CNI_TAKE(result);
	return 0;
}

/* CHECK */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = {0};
	CNI_CLEANUP(cni_result_clear) struct cni_result previous = {0};

	(void)ret_result;
	if (cni_portmap_config_read(request, &config, error) < 0 || cni_previous_require(request, &previous, error) < 0)
		return -1;
	return config.n_mappings > 0 ? call(request, &config, &previous, flannel_port_map_check, error) : 0;
}

/* Takes back our mappings. Conditions with which ADD must have failed do not keep DEL from looking everywhere else. */
static int remove_own(const struct cni_request *request, struct flannel_context *context,
		      const struct cni_portmap_config *config, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	const struct flannel_attachment_id attachment = make_id(request);
	struct flannel_port_map_options options = make_options(request, &attachment, config);
	int r = flannel_port_map_remove(context, &options, &cause);

	if ((r == -EINVAL || r == -EOPNOTSUPP) && config->n_conditions_ipv4 + config->n_conditions_ipv6 > 0) {
		cause = flannel_error_unref(cause);
		options.n_conditions_ipv4 = options.n_conditions_ipv6 = 0;
		r = flannel_port_map_remove(context, &options, &cause);
	}
	return r < 0 ? fail_library(error, cause) : 0;
}

/* takes back what the reference plugin did before this one came in its place */
static int remove_former(const struct cni_request *request, struct flannel_context *context, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	const char *const texts[] = {request->network, request->container_id};
	char dnat[CHAIN_SIZE] = DNAT_CHAIN, snat[CHAIN_SIZE] = SNAT_CHAIN;
	const char *const chains[] = {dnat, snat};

	(void)cni_hex512(texts, CNI_N_ELEMENTS(texts), CHAIN_DIGITS, dnat + strlen(DNAT_CHAIN));
	(void)cni_hex512(texts, CNI_N_ELEMENTS(texts), CHAIN_DIGITS, snat + strlen(SNAT_CHAIN));
	if (flannel_port_map_remove_former(context, request->container_id, chains, CNI_N_ELEMENTS(chains), &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* DEL. A container without mappings, as most are, costs no more than the start of this program. */
static int del(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = {0};
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;

	(void)ret_result;
	if (cni_portmap_config_read_for_del(request, &config, error) < 0)
		return -1;
	if (config.n_mappings == 0)
		return 0;
	if (cni_context_new(-1, &context, error) < 0 || remove_own(request, context, &config, error) < 0)
		return -1;
	return remove_former(request, context, error);
}

/* GC */
static int gc(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	(void)ret_result;
	return cni_collect(request, flannel_port_map_collect, error);
}

/* STATUS: would ADD find what it needs */
static int status(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_portmap_config_clear) struct cni_portmap_config config = {0};
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;

	(void)ret_result;
	if (cni_portmap_config_read(request, &config, error) < 0 || cni_context_new(-1, &context, error) < 0)
		return -1;
	if (flannel_port_map_probe(context, &cause) < 0) {
		(void)cni_fail_flannel(error, cause, NULL);
		error->code = CNI_ERROR_UNAVAILABLE;
		return -1;
	}
	return 0;
}

const struct cni_plugin cni_plugin_portmap = {
	.name = "portmap",
	.about = "CNI portmap plugin " FLANNEL_VERSION " (libflannel)",
	.run = {[CNI_VERB_ADD] = add,
		[CNI_VERB_DEL] = del,
		[CNI_VERB_CHECK] = check,
		[CNI_VERB_STATUS] = status,
		[CNI_VERB_GC] = gc},
};
