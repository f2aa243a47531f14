/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/nft/nft.h"

/* what the operator should hear of a configuration that works; once, however often it is tried */
static void log_config(struct flannel_node *node, struct flannel_netconf *netconf)
{
	struct flannel_netconf *before = node->logged;
	const char *warning;

	if (before && strcmp(flannel_netconf_get_text(before), flannel_netconf_get_text(netconf)) == 0)
		return;
	node->logged = flannel_netconf_ref(netconf);
	flannel_netconf_unref(before);
	for (unsigned int i = 0; (warning = flannel_netconf_get_warning(netconf, i)); i++)
		fl_log(&node->scope.context->log, FLANNEL_LOG_WARNING, "config", "network configuration: %s", warning);
	if (node->options.masquerade && !flannel_netconf_get_nftables(netconf))
		fl_log(&node->scope.context->log, FLANNEL_LOG_INFO, "config",
		       "rules are always set by nftables, whatever EnableNFTables says");
}

/* what the store is told of this node */
static int set_identity(struct flannel_node *node, struct flannel_error **ret_error)
{
	struct fl_identity identity = {.backend_type = node->scope.backend->name};
	char data[FL_VXLAN_DATA_STRLEN], v6_data[FL_VXLAN_DATA_STRLEN];

	if (node->scope.backend->publish) {
		identity.backend_data = node->scope.backend->publish(&node->scope.facts, AF_INET, data);
		identity.backend_v6_data = node->scope.backend->publish(&node->scope.facts, AF_INET6, v6_data);
	}
	identity.public_ip = node->underlay.current.public_ip;
	identity.public_ip6 = node->underlay.current.public_ip6;
	return fl_request_set_identity(node->request, &identity, ret_error);
}

/* from here on routes of an older flannel in these networks count as its own */
static int set_networks(struct flannel_node *node, const struct flannel_netconf *netconf,
			struct flannel_error **ret_error)
{
	struct flannel_prefix network = {0}, network6 = {0};
	int r = fl_reconciler_get(node->scope.context, &node->scope.reconciler, ret_error);

	if (r < 0)
		return r;
	flannel_netconf_get_network(netconf, AF_INET, &network);
	flannel_netconf_get_network(netconf, AF_INET6, &network6);
	fl_reconciler_set_networks(node->scope.reconciler, &network, &network6);
	fl_reconciler_set_instance(node->scope.reconciler, node->options.instance);
	return 0;
}

/* a store in which somebody else says who has which subnet must know this node: what it says counts from the first step on */
static int check_assigned(struct flannel_node *node, struct flannel_error **ret_error)
{
	const struct fl_underlay *underlay = &node->underlay.current;
	int r = fl_request_find_assigned(node->request, &underlay->public_ip, &underlay->public_ip6, ret_error);

	/* as long as nothing is set by way of it, nothing has to follow it */
	if (r < 0)
		fl_node_forget_underlay(node);
	return r < 0 ? r : 0;
}

/* which backend, and its settings */
static int choose_backend(struct flannel_node *node, struct flannel_netconf *netconf, struct flannel_error **ret_error)
{
	int r = fl_backend_find(flannel_netconf_get_backend_type(netconf), &node->scope.backend, ret_error);

	node->scope.facts = (struct fl_backend_facts){.netconf = netconf, .underlay = &node->underlay.current};
	node->scope.facts.route_protocol = node->scope.context->route_protocol;
	node->scope.facts.instance = node->options.instance;
	if (r >= 0 && node->scope.backend->load)
		r = node->scope.backend->load(&node->scope.facts, ret_error);
	return r;
}

/*
 * The store has another configuration than the snapshot that the node goes by. As at a start, what is in the kernel stays there until it
 * is known what is wanted now.
 */
static void start_over(struct flannel_node *node)
{
	fl_log(&node->scope.context->log, FLANNEL_LOG_WARNING, "node",
	       "the store has another network configuration than the snapshot: beginning anew with it");
	fl_node_forget_underlay(node);
	fl_node_stop_programming(node);
	fl_node_peers_leave(&node->peers);
	fl_node_devices_leave(&node->devices);
	node->programmed = (struct fl_subnet_choice){0};
	node->state = FLANNEL_NODE_CONFIG;
}

/* an address that the store asks for takes the place of the option */
static int use_given_address(struct flannel_node *node, int family, char **option, struct flannel_error **ret_error)
{
	const struct flannel_prefix *given = fl_request_get_assigned_ip(node->request, family);
	char text[FLANNEL_PREFIX_STRLEN], *copy;

	if (!given)
		return 0;
	copy = strdup(flannel_prefix_format_address(given, text, sizeof(text)));
	if (!copy)
		return fl_error_oom(ret_error);
	if (*option && strcmp(*option, copy) != 0)
		fl_log(&node->scope.context->log, FLANNEL_LOG_WARNING, "node",
		       "public address %s: the store asks for %s", *option, copy);
	free(*option);
	*option = copy;
	return 0;
}

/* the kernel tells of a change */
static void on_change(void *userdata, const struct fl_change *change)
{
	struct flannel_node *node = userdata;

	fl_node_leftovers_note_change(&node->leftovers, change);
	fl_node_underlay_note_change(&node->underlay, change);
}

/* the interface between nodes, which is followed from now on */
static int choose_underlay(struct flannel_node *node, struct flannel_error **ret_error)
{
	int r = fl_node_underlay_choose(&node->underlay, ret_error);

	if (r < 0)
		return r;
	node->mtu = node->scope.backend->mtu(&node->scope.facts);
	fl_reconciler_listen(node->scope.reconciler, on_change, node);
	return 0;
}

int fl_node_configure(struct flannel_node *node, struct flannel_error **ret_error)
{
	struct flannel_netconf *netconf = fl_request_get_netconf(node->request);
	struct fl_nft *nft;
	int r;

	if (node->state == FLANNEL_NODE_PROGRAM || node->state == FLANNEL_NODE_READY)
		start_over(node);
	log_config(node, netconf);
	r = choose_backend(node, netconf, ret_error);
	if (r >= 0 && node->options.is_observer && node->scope.facts.n_devices > 0)
		r = fl_error_set(ret_error, -EOPNOTSUPP, "node",
				 "its peers send to devices that they know from leases, and an observer has none; the "
				 "network needs a "
				 "backend with plain routes (host-gw), or this machine a lease",
				 "observe a network with backend %s", node->scope.backend->name);
	if (r >= 0)
		r = use_given_address(node, AF_INET, &node->options.public_ip, ret_error);
	if (r >= 0)
		r = use_given_address(node, AF_INET6, &node->options.public_ip6, ret_error);
	if (r >= 0)
		r = set_networks(node, netconf, ret_error);
	if (r >= 0)
		r = choose_underlay(node, ret_error);
	if (r >= 0)
		r = check_assigned(node, ret_error);
	if (r >= 0)
		r = fl_node_devices_register(&node->devices, &node->scope.facts, fl_request_get_assigned(node->request),
					     ret_error);
	if (r >= 0)
		r = set_identity(node, ret_error);
	if (r >= 0 && node->options.masquerade)
		r = fl_context_get_nft(node->scope.context, &nft, ret_error);
	/* it loads while the lease is asked for; and if there is none, nothing has been touched yet */
	if (r >= 0 && node->options.masquerade)
		r = fl_nft_start(nft, ret_error);
	if (r < 0)
		return r;
	fl_node_set_error(node, NULL);
	node->state = FLANNEL_NODE_LEASE;
	return 0;
}

void fl_node_follow_underlay(struct flannel_node *node)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	node->mtu = node->scope.backend->mtu(&node->scope.facts);
	if (set_identity(node, &error) < 0) {
		fl_log(&node->scope.context->log, FLANNEL_LOG_ERROR, "node", "%s", flannel_error_get_message(error));
		return;
	}
	if (fl_node_devices_want(&node->devices, &error) < 0)
		fl_log(&node->scope.context->log, FLANNEL_LOG_ERROR, "node", "%s", flannel_error_get_message(error));
	/* First, so that none needs to be noted by itself. Routes that the kernel dropped meanwhile come back with it. */
	fl_reconciler_demand_full(node->scope.reconciler, false);
	fl_node_want_peers_again(node);
	fl_node_rewrite_subnet_file(node);
}
