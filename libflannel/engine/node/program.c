/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/file.h"
#include "domain/subnet_file.h"
#include "engine/event.h"
#include "engine/node/rules.h"

/* steps that may pass by themselves are tried again after 100 ms, doubling to ten seconds */
#define RETRY_FIRST_NS (100 * FL_NSEC_PER_MSEC)
#define RETRY_LAST_NS (10 * FL_NSEC_PER_SEC)

/* what the operator should hear of a configuration that works */
static void log_config(struct flannel_node *node, const struct flannel_netconf *netconf)
{
	const char *warning;

	for (unsigned int i = 0; (warning = flannel_netconf_get_warning(netconf, i)); i++)
		fl_log(&node->context->log, FLANNEL_LOG_WARNING, "config", "network configuration: %s", warning);
	if (node->masquerade && !flannel_netconf_get_nftables(netconf))
		fl_log(&node->context->log, FLANNEL_LOG_INFO, "config",
		       "rules are always set by nftables, whatever EnableNFTables says");
}

int fl_node_set_identity(struct flannel_node *node, struct flannel_error **ret_error)
{
	struct fl_identity identity = {.backend_type = node->backend->name};
	char data[FL_VXLAN_DATA_STRLEN], v6_data[FL_VXLAN_DATA_STRLEN];

	if (node->backend->publish) {
		identity.backend_data = node->backend->publish(&node->facts, AF_INET, data);
		identity.backend_v6_data = node->backend->publish(&node->facts, AF_INET6, v6_data);
	}
	identity.public_ip = node->underlay.public_ip;
	identity.public_ip6 = node->underlay.public_ip6;
	return fl_request_set_identity(node->request, &identity, ret_error);
}

/* from here on routes of an older flannel in these networks count as its own */
static int set_networks(struct flannel_node *node, const struct flannel_netconf *netconf,
			struct flannel_error **ret_error)
{
	struct flannel_prefix network = {0}, network6 = {0};
	int r = fl_reconciler_get(node->context, &node->reconciler, ret_error);

	if (r < 0)
		return r;
	flannel_netconf_get_network(netconf, AF_INET, &network);
	flannel_netconf_get_network(netconf, AF_INET6, &network6);
	fl_reconciler_set_networks(node->reconciler, &network, &network6);
	fl_reconciler_set_instance(node->reconciler, node->instance);
	return 0;
}

/* a store in which somebody else says who has which subnet must know this node: what it says counts from the first step on */
static int check_assigned(struct flannel_node *node, struct flannel_error **ret_error)
{
	const struct flannel_prefix *ip = &node->underlay.public_ip, *ip6 = &node->underlay.public_ip6;
	char text[FLANNEL_PREFIX_STRLEN];
	struct flannel_lease *lease;

	if (node->is_observer || !fl_store_assigns(node->store))
		return 0;
	if (fl_store_get_assigned(node->store, ip, ip6, &lease) > 0) {
		flannel_lease_unref(lease);
		return 0;
	}
	/* as long as nothing is set by way of it, nothing has to follow it */
	fl_node_forget_underlay(node);
	return fl_error_set_retryable(ret_error, -ENODATA, "store", "waiting for it",
				      "no lease for the address %s in %s",
				      flannel_prefix_format_address(ip->family ? ip : ip6, text, sizeof(text)),
				      fl_store_get_identity(node->store));
}

/* which backend, and its settings */
static int choose_backend(struct flannel_node *node, struct flannel_netconf *netconf, struct flannel_error **ret_error)
{
	int r = fl_backend_find(flannel_netconf_get_backend_type(netconf), &node->backend, ret_error);

	node->facts = (struct fl_backend_facts){.netconf = netconf, .underlay = &node->underlay};
	node->facts.route_protocol = node->context->route_protocol;
	node->facts.instance = node->instance;
	if (r >= 0 && node->backend->load)
		r = node->backend->load(&node->facts, ret_error);
	return r;
}

/*
 * The store has another configuration than the snapshot that the node goes by. As at a start, what is in the kernel stays there until it
 * is known what is wanted now.
 */
static void start_over(struct flannel_node *node)
{
	const struct fl_peers *peers = fl_request_get_peers(node->request);

	fl_log(&node->context->log, FLANNEL_LOG_WARNING, "node",
	       "the store has another network configuration than the snapshot: beginning anew with it");
	fl_node_forget_underlay(node);
	fl_node_stop_programming(node);
	for (size_t i = 0; i < peers->n_peers; i++)
		fl_node_forget_peer(node, peers->peers[i], true);
	(void)fl_reconciler_unwant_all(node->reconciler, &node->own.owner, true, NULL);
	node->programmed = (struct fl_subnet_choice){0};
	node->state = FLANNEL_NODE_CONFIG;
}

/* an address that the store asks for takes the place of the option */
static int use_given_address(struct flannel_node *node, int family, char **option, struct flannel_error **ret_error)
{
	const struct flannel_prefix *given = fl_request_get_self_ip(node->request, family);
	char text[FLANNEL_PREFIX_STRLEN], *copy;

	if (!given)
		return 0;
	copy = strdup(flannel_prefix_format_address(given, text, sizeof(text)));
	if (!copy)
		return fl_error_oom(ret_error);
	if (*option && strcmp(*option, copy) != 0)
		fl_log(&node->context->log, FLANNEL_LOG_WARNING, "node", "public address %s: the store asks for %s",
		       *option, copy);
	free(*option);
	*option = copy;
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
	if (r >= 0 && node->is_observer && node->facts.n_devices > 0)
		r = fl_error_set(ret_error, -EOPNOTSUPP, "node",
				 "its peers send to devices that they know from leases, and an observer has none; the "
				 "network needs a "
				 "backend with plain routes (host-gw), or this machine a lease",
				 "observe a network with backend %s", node->backend->name);
	if (r >= 0)
		r = use_given_address(node, AF_INET, &node->public_ip, ret_error);
	if (r >= 0)
		r = use_given_address(node, AF_INET6, &node->public_ip6, ret_error);
	if (r >= 0)
		r = set_networks(node, netconf, ret_error);
	if (r >= 0)
		r = fl_node_choose_underlay(node, netconf, ret_error);
	if (r >= 0)
		r = check_assigned(node, ret_error);
	if (r >= 0)
		r = fl_node_register_devices(node, ret_error);
	if (r >= 0)
		r = fl_node_set_identity(node, ret_error);
	if (r >= 0 && node->masquerade)
		r = fl_context_get_nft(node->context, &nft, ret_error);
	/* it loads while the lease is asked for; and if there is none, nothing has been touched yet */
	if (r >= 0 && node->masquerade)
		r = fl_nft_start(nft, ret_error);
	if (r < 0)
		return r;
	node->error = flannel_error_unref(node->error);
	node->state = FLANNEL_NODE_LEASE;
	return 0;
}

/* a step failed: again later if that may help, or if the node was ready before it, else the end */
static void retry_or_fail(struct flannel_node *node, struct flannel_error *error)
{
	uint64_t delay_ns = RETRY_FIRST_NS;

	if (!flannel_error_is_retryable(error) && node->state != FLANNEL_NODE_READY) {
		fl_node_fail(node, error);
		return;
	}
	flannel_error_ref(error);
	flannel_error_unref(node->error);
	node->error = error;
	for (uint32_t i = 0; i < node->n_failures && delay_ns < RETRY_LAST_NS; i++)
		delay_ns *= 2;
	node->n_failures++;
	fl_log(&node->context->log, FLANNEL_LOG_WARNING, "node", "%s: trying again", flannel_error_get_message(error));
	fl_source_set_deadline(node->retry, fl_loop_now() + (delay_ns < RETRY_LAST_NS ? delay_ns : RETRY_LAST_NS));
	fl_node_note_health(node);
}

/* the subnets of the held lease */
static struct fl_subnet_choice held_subnets(const struct flannel_node *node)
{
	const struct flannel_lease *lease = flannel_request_get_lease(node->request);
	struct fl_subnet_choice subnets = {0};

	flannel_lease_get_subnet(lease, AF_INET, &subnets.subnet);
	flannel_lease_get_subnet(lease, AF_INET6, &subnets.subnet6);
	return subnets;
}

/*
 * A lease that ended before the node started, and that the store has not confirmed: its subnet may be another node's by now. What runs
 * goes on, but nothing new is told to use it. True: it is such a lease.
 */
static bool is_overdue(struct flannel_node *node)
{
	int64_t expires_sec = flannel_lease_get_expires_sec(flannel_request_get_lease(node->request));
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (!fl_request_is_restored(node->request) || !expires_sec || expires_sec > time(NULL))
		return false;
	fl_error_set_retryable(&error, -ETIME, "snapshot",
			       "the lease of the snapshot has ended; the store has to confirm the subnet first",
			       "write %s", node->subnet_file);
	node->is_programming = false;
	flannel_error_unref(node->error);
	node->error = FL_TAKE(error);
	return true;
}

/* what was programmed is in force */
static void become_ready(struct flannel_node *node, const struct fl_subnet_choice *subnets, uint32_t mtu)
{
	node->is_programming = false;
	node->programmed = *subnets;
	node->programmed_mtu = mtu;
	node->n_failures = 0;
	node->error = flannel_error_unref(node->error);
	node->state = FLANNEL_NODE_READY;
}

/* the same for a node without pods */
static void finish_observer(struct flannel_node *node)
{
	const struct fl_subnet_choice none = {0};

	become_ready(node, &none, node->mtu);
	fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_NODE_READY, NULL, NULL,
		      "observing: routes to %zu peers", fl_request_get_peers(node->request)->n_peers);
}

/* the last step: the file tells the CNI plugin that pods may come */
static void write_subnet_file(struct flannel_node *node)
{
	const struct flannel_netconf *netconf = fl_request_get_netconf(node->request);
	struct fl_subnet_choice subnets = held_subnets(node);
	struct fl_subnet_file file = {.mtu = node->mtu, .ipmasq = node->ipmasq_value};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *text = NULL;
	int r;

	if (is_overdue(node))
		return;
	flannel_netconf_get_network(netconf, AF_INET, &file.network);
	flannel_netconf_get_network(netconf, AF_INET6, &file.network6);
	file.subnet = subnets.subnet;
	file.subnet6 = subnets.subnet6;
	r = fl_subnet_file_format(&file, &text, &error);
	if (r >= 0)
		r = fl_file_write_atomic(node->subnet_file, text, strlen(text), 0644, &error);
	if (r < 0) {
		retry_or_fail(node, error);
		return;
	}
	become_ready(node, &subnets, file.mtu);
	fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_NODE_READY,
		      flannel_request_get_lease(node->request), NULL, "wrote %s", node->subnet_file);
	fl_node_note_health(node);
}

void fl_node_rewrite_subnet_file(struct flannel_node *node)
{
	/* otherwise it is going to be written anyway */
	if (node->state == FLANNEL_NODE_READY && node->mtu != node->programmed_mtu &&
	    flannel_request_get_lease(node->request))
		write_subnet_file(node);
}

void fl_node_take_rules(struct flannel_node *node, int code, struct flannel_error *error)
{
	struct fl_subnet_choice subnets = held_subnets(node);

	if (code < 0)
		retry_or_fail(node, error);
	else if (!flannel_request_get_lease(node->request))
		node->is_programming = false; /* the lease was lost meanwhile: its return starts anew */
	else if (memcmp(&subnets, &node->sent, sizeof(subnets)) != 0)
		fl_node_program(node); /* it was lost, and another subnet has taken its place */
	else
		write_subnet_file(node);
}

/* sends the rules; the answer goes on */
static int send_rules(struct flannel_node *node, struct flannel_error **ret_error)
{
	node->sent = held_subnets(node);
	return fl_node_rules_send(node, &node->sent, ret_error);
}

/* from here on the peers are wanted, those that are known and those to come */
static void begin_programming(struct flannel_node *node)
{
	const struct fl_peers *peers = fl_request_get_peers(node->request);

	node->state = FLANNEL_NODE_PROGRAM;
	fl_node_judge_leftovers(node);
	/* First, so that none needs to be noted by itself. A snapshot is no proof that a peer is gone: it may have come since. */
	fl_reconciler_demand_full(node->reconciler, !fl_request_is_restored(node->request));
	for (size_t i = 0; i < peers->n_peers; i++)
		fl_node_want_peer(node, peers->peers[i]);
}

void fl_node_program(struct flannel_node *node)
{
	struct fl_subnet_choice subnets = held_subnets(node);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (node->is_programming && fl_node_rules_is_sending(node->rules))
		return;
	if (node->state == FLANNEL_NODE_READY && memcmp(&subnets, &node->programmed, sizeof(subnets)) == 0) {
		fl_node_rewrite_subnet_file(node);
		return;
	}
	node->is_programming = true;
	if (node->state == FLANNEL_NODE_LEASE)
		begin_programming(node);
	node->state = FLANNEL_NODE_PROGRAM;
	node->facts.own = subnets;
	r = fl_node_want_devices(node, &error);
	if (r >= 0)
		r = fl_reconciler_apply(node->reconciler, &error);
	if (r >= 0)
		r = fl_node_check_devices(node, &error);
	if (r >= 0 && node->masquerade)
		r = send_rules(node, &error);
	if (r < 0)
		retry_or_fail(node, error);
	else if (node->is_observer)
		finish_observer(node);
	else if (!node->masquerade)
		write_subnet_file(node);
}

void fl_node_stop_programming(struct flannel_node *node)
{
	node->rules = fl_node_rules_free(node->rules);
	node->is_programming = false;
	if (node->retry)
		fl_source_set_deadline(node->retry, UINT64_MAX);
}
