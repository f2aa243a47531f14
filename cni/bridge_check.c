/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bridge_check.h"

#include <string.h>

#include <flannel/flannel.h>

#include "check.h"
#include "cleanup.h"
#include "netns.h"

/* one CHECK as it goes */
struct look {
	const struct cni_request *request;
	const struct cni_attach_config *config;
	struct cni_result previous;
	struct flannel_context *node;
	struct flannel_context *container;
	struct flannel_link_status bridge;
	struct flannel_link_status inside; /* the container's interface */
};

/* for CNI_CLEANUP */
static void clear_look(struct look *look)
{
	cni_result_clear(&look->previous);
	cni_context_unrefp(&look->node);
	cni_context_unrefp(&look->container);
}

/* Is the bridge's MAC address one that must not change? It is pinned where the bridge is the gateway; else it is the kernel's. */
static bool has_fixed_mac(const struct cni_attach_config *config)
{
	return (config->flags & FLANNEL_ATTACHMENT_GATEWAY) && config->vlan == 0;
}

/* the bridge, in the result and in the kernel */
static int check_bridge(struct look *look, struct cni_error *error)
{
	const char *name = look->config->bridge;
	const struct cni_interface *interface = cni_check_find(&look->previous, name, "");

	if (!interface)
		return cni_fail(error, CNI_ERROR_INTERNAL, "prevResult has no interface \"%s\" of the node", name);
	if (cni_check_link(look->node, interface, "bridge", has_fixed_mac(look->config), &look->bridge, error) < 0)
		return -1;
	/* that it is promiscuous without having been asked to may be the doing of anybody, such as a packet capture */
	if ((look->config->flags & FLANNEL_ATTACHMENT_PROMISCUOUS) && look->bridge.promiscuity == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "bridge %s is not promiscuous, as promiscMode wants", name);
	return 0;
}

/* the container's interface, in the result and in the kernel */
static int check_container(struct look *look, struct cni_error *error)
{
	const struct cni_request *request = look->request;
	const struct cni_interface *interface = cni_check_find(&look->previous, request->ifname, request->netns);

	if (!interface)
		return cni_fail(error, CNI_ERROR_INTERNAL, "prevResult has no interface \"%s\" with sandbox \"%s\"",
				request->ifname, request->netns);
	if (cni_check_link(look->container, interface, "veth", true, &look->inside, error) < 0)
		return -1;
	if (look->inside.peer_ifindex == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "interface %s has no other end", request->ifname);
	return 0;
}

/* is a link the other end of the container's interface, and a port of the bridge */
static bool is_port(const struct look *look, const struct flannel_link_status *status)
{
	return strcmp(status->kind, "veth") == 0 && status->link.ifindex == look->inside.peer_ifindex &&
	       status->peer_ifindex == look->inside.link.ifindex && status->master_ifindex == look->bridge.link.ifindex;
}

/* One of the other interfaces is the container's port. What later plugins of a chain added stands behind it and is theirs. */
static int check_port(struct look *look, struct cni_error *error)
{
	const struct cni_result *previous = &look->previous;
	const struct cni_interface *bridge = cni_check_find(previous, look->config->bridge, "");
	const struct cni_interface *inside = cni_check_find(previous, look->request->ifname, look->request->netns);
	struct flannel_link_status status;

	for (size_t i = 0; i < previous->n_interfaces; i++) {
		const struct cni_interface *interface = &previous->interfaces[i];

		if (interface == bridge || interface == inside)
			continue;
		if (interface->sandbox && interface->sandbox[0] != '\0')
			return cni_fail(error, CNI_ERROR_INTERNAL,
					"interface %s of prevResult has sandbox \"%s\", expected none",
					interface->name ? interface->name : "", interface->sandbox);
		if (cni_check_link(look->node, interface, NULL, false, &status, error) < 0)
			return -1;
		if (is_port(look, &status))
			return cni_check_link(look->node, interface, "veth", true, &status, error);
	}
	return cni_fail(error, CNI_ERROR_INTERNAL, "no interface of prevResult joins %s to bridge %s",
			look->request->ifname, look->config->bridge);
}

int cni_bridge_check(const struct cni_request *request, const struct cni_attach_config *config, struct cni_error *error)
{
	CNI_CLEANUP(clear_look) struct look look = {.request = request, .config = config};
	CNI_CLEANUP(cni_closep) int netns_fd = -1;

	if (cni_check_previous(request, &look.previous, error) < 0 ||
	    cni_netns_require(request, &netns_fd, error) < 0 || cni_context_new(-1, &look.node, error) < 0 ||
	    cni_context_new(netns_fd, &look.container, error) < 0)
		return -1;
	if (check_bridge(&look, error) < 0 || check_container(&look, error) < 0 || check_port(&look, error) < 0 ||
	    cni_check_addresses(look.container, &look.previous, request->ifname, error) < 0)
		return -1;
	return cni_check_routes(look.container, &look.previous, error);
}
