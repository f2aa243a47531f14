/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The plugin bandwidth: limits what goes to a container and what comes from it, on the node's end of the container's veth
 * pair. What comes from it passes through an ifb device, whose name tells the network and the container.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flannel/flannel.h>

#include "attachments.h"
#include "bandwidth_config.h"
#include "cleanup.h"
#include "hex512.h"
#include "netns.h"
#include "plugin.h"
#include "previous.h"
#include "result.h"

/* how the device is called: this, and digits of a hash of network and container, as the reference plugin does */
#define DEVICE_PREFIX "bwp"
#define DEVICE_DIGITS 12
_Static_assert(sizeof(DEVICE_PREFIX) + DEVICE_DIGITS == FLANNEL_IFNAME_SIZE, "a whole interface name");

/* how devices of one network are known, whatever their containers: this, and digits of a hash of the network */
#define TAG_PREFIX "cni-bandwidth-"
#define TAG_DIGITS 32
_Static_assert(sizeof(TAG_PREFIX) + TAG_DIGITS <= FLANNEL_BANDWIDTH_TAG_SIZE, "a tag of the library");

/* what a request comes to */
struct limits {
	struct flannel_context *context;
	struct flannel_link host; /* the node's end */
	char device[FLANNEL_IFNAME_SIZE];
	char tag[sizeof(TAG_PREFIX) + TAG_DIGITS];
	struct flannel_bandwidth_options options; /* points at what is above */
};

/* for CNI_CLEANUP */
static void clear_limits(struct limits *limits)
{
	cni_context_unrefp(&limits->context);
}

/* the name of a container's device; returns name */
static const char *name_device(const char *network, const char *container_id, char name[FLANNEL_IFNAME_SIZE])
{
	const char *const texts[] = {network, container_id};

	memcpy(name, DEVICE_PREFIX, sizeof(DEVICE_PREFIX));
	(void)cni_hex512(texts, CNI_N_ELEMENTS(texts), DEVICE_DIGITS, name + strlen(DEVICE_PREFIX));
	return name;
}

/* the tag of a network's devices; returns tag */
static const char *name_tag(const char *network, char tag[sizeof(TAG_PREFIX) + TAG_DIGITS])
{
	memcpy(tag, TAG_PREFIX, sizeof(TAG_PREFIX));
	(void)cni_hex512(&network, 1, TAG_DIGITS, tag + strlen(TAG_PREFIX));
	return tag;
}

/* is an interface of the node in a result */
static bool has_host_interface(const struct cni_result *result, const char *name)
{
	for (size_t i = 0; i < result->n_interfaces; i++) {
		const struct cni_interface *interface = &result->interfaces[i];

		if (strcmp(interface->name, name) == 0 && (!interface->sandbox || interface->sandbox[0] == '\0'))
			return true;
	}
	return false;
}

/* finds the node's end, which the plugins before must have told of: another one is not ours to limit */
static int find_host_end(const struct cni_request *request, const struct cni_result *previous, struct limits *limits,
			 struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	CNI_CLEANUP(cni_closep) int netns_fd = -1;

	if (cni_netns_require(request, &netns_fd, error) < 0 || cni_context_new(-1, &limits->context, error) < 0)
		return -1;
	limits->host = (struct flannel_link){.size = sizeof(limits->host)};
	if (flannel_veth_get(limits->context, netns_fd, request->ifname, &limits->host, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	if (!has_host_interface(previous, limits->host.name))
		return cni_fail(
			error, CNI_ERROR_INTERNAL,
			"prevResult.interfaces lacks %s, expected it without sandbox: it is the other end of %s",
			limits->host.name, request->ifname);
	return 0;
}

/* Everything that ADD and CHECK need: 1, 0 if there is nothing to limit, -1. */
static int prepare(const struct cni_request *request, struct cni_result *previous, struct limits *limits,
		   struct cni_error *error)
{
	struct cni_bandwidth_config config;

	if (cni_bandwidth_config_read(request, &config, error) < 0 ||
	    cni_previous_require(request, previous, error) < 0)
		return -1;
	if (config.ingress.bytes_per_sec == 0 && config.egress.bytes_per_sec == 0)
		return 0;
	if (find_host_end(request, previous, limits, error) < 0)
		return -1;
	limits->options = (struct flannel_bandwidth_options){
		.size = sizeof(limits->options),
		.link = limits->host.name,
		.sent = config.ingress,
		.received = config.egress,
		.receive_device = name_device(request->network, request->container_id, limits->device),
		.tag = name_tag(request->network, limits->tag),
	};
	return 1;
}

/* sets the limits, and adds the device to the result */
static int limit(const struct cni_request *request, const struct limits *limits, struct cni_result *result,
		 struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	struct flannel_link device = {.size = sizeof(device)};
	int changed = flannel_bandwidth_ensure(limits->context, &limits->options, &device, &cause);

	if (changed < 0)
		return cni_fail_flannel(error, cause, NULL);
	if (limits->options.received.bytes_per_sec > 0 && !has_host_interface(result, device.name) &&
	    !cni_result_add_interface(result, device.name, device.mac, ""))
		(void)cni_fail_oom(error);
	else if (cni_result_format(result, request->version, ret_result, error) == 0)
		return 0;
	if (changed > 0)
		(void)flannel_bandwidth_remove(limits->context, limits->host.name, limits->device, NULL);
	return -1;
}

/* ADD */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_result_clear) struct cni_result result = {0};
	CNI_CLEANUP(clear_limits) struct limits limits = {0};
	int r = prepare(request, &result, &limits, error);

	if (r < 0)
		return -1;
	if (r == 0)
		return cni_result_format(&result, request->version, ret_result, error);
	return limit(request, &limits, &result, ret_result, error);
}

/* DEL: the device goes, and with the veth pair all else. The name says which; nothing else in the configuration counts. */
static int del(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	char device[FLANNEL_IFNAME_SIZE];

	(void)ret_result;
	if (cni_context_new(-1, &context, error) < 0)
		return -1;
	(void)name_device(request->network, request->container_id, device);
	if (flannel_bandwidth_remove(context, NULL, device, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* CHECK */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	CNI_CLEANUP(cni_result_clear) struct cni_result previous = {0};
	CNI_CLEANUP(clear_limits) struct limits limits = {0};
	int r = prepare(request, &previous, &limits, error);

	(void)ret_result;
	if (r <= 0)
		return r;
	if (flannel_bandwidth_check(limits.context, &limits.options, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* deletes the devices of a network, but for those of the attachments that are in use */
static int reclaim(const char *network, const struct cni_attachments *attachments, struct cni_error *error)
{
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	CNI_CLEANUP(cni_freep) char(*names)[FLANNEL_IFNAME_SIZE] = calloc(attachments->n + 1, sizeof(*names));
	CNI_CLEANUP(cni_freep) const char **keep = calloc(attachments->n + 1, sizeof(*keep));
	char tag[sizeof(TAG_PREFIX) + TAG_DIGITS];

	if (!names || !keep)
		return cni_fail_oom(error);
	for (size_t i = 0; i < attachments->n; i++)
		keep[i] = name_device(network, attachments->ids[i].container_id, names[i]);
	if (cni_context_new(-1, &context, error) < 0)
		return -1;
	if (flannel_bandwidth_reclaim(context, name_tag(network, tag), keep, attachments->n, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* GC. Without a list of what is in use everything stays. */
static int gc(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attachments_clear) struct cni_attachments attachments = {0};
	int r = cni_attachments_read(request->config, &attachments, error);

	(void)ret_result;
	return r <= 0 ? r : reclaim(request->network, &attachments, error);
}

const struct cni_plugin cni_plugin_bandwidth = {
	.name = "bandwidth",
	.about = "CNI bandwidth plugin " FLANNEL_VERSION " (libflannel)",
	.oldest = "0.3.0",
	.run = {[CNI_VERB_ADD] = add, [CNI_VERB_DEL] = del, [CNI_VERB_CHECK] = check, [CNI_VERB_GC] = gc},
};
