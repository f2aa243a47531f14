/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/underlay.h"
#include "engine/event.h"
#include "engine/node/underlay_find.h"

/* when the kernel does not even answer the question */
#define ASK_AGAIN_NS FL_NSEC_PER_SEC

/* what was asked for, as the decision wants it */
static struct fl_interface_request make_request(const struct flannel_node *node, const struct flannel_netconf *netconf)
{
	struct fl_interface_request request = {.n_interfaces = node->n_interfaces};
	struct flannel_prefix network;

	request.interfaces = (const char *const *)node->interfaces;
	request.regexes = (const char *const *)node->interface_regexes;
	request.n_regexes = node->n_interface_regexes;
	request.can_reach = node->interface_can_reach;
	request.public_ip = node->public_ip;
	request.public_ip6 = node->public_ip6;
	request.ipv4 = flannel_netconf_get_network(netconf, AF_INET, &network) > 0;
	request.ipv6 = flannel_netconf_get_network(netconf, AF_INET6, &network) > 0;
	return request;
}

/* notes why the interface carries no traffic, NULL: it does; told once for each new reason */
static void set_trouble(struct flannel_node *node, struct flannel_error *error)
{
	const char *message = flannel_error_get_message(error);
	bool was_lost = node->underlay_error != NULL;
	bool is_new = strcmp(flannel_error_get_message(node->underlay_error), message) != 0;

	flannel_error_ref(error);
	flannel_error_unref(node->underlay_error);
	node->underlay_error = error;
	if (error && is_new)
		fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_UNDERLAY_LOST, NULL, error, "%s",
			      message);
	else if (!error && was_lost)
		fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_UNDERLAY_BACK, NULL, NULL,
			      "underlay interface %s is fit for use again", node->underlay.name);
	if (error || was_lost)
		fl_node_note_health(node);
}

/* peers are wanted by way of the interface as it is now; routes that the kernel dropped meanwhile come back with it */
static void want_peers_again(struct flannel_node *node)
{
	/* first, so that none needs to be noted by itself */
	fl_reconciler_demand_full(node->reconciler, false);
	fl_node_want_all_peers(node);
}

/* the interface is another, or not as it was: the lease, the peers' routes and the subnet file follow */
static void adopt(struct flannel_node *node, const struct fl_underlay *underlay)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	char text[FL_UNDERLAY_CHANGE_STRLEN];
	bool changed = fl_underlay_format_change(&node->underlay, underlay, text, sizeof(text));

	node->underlay = *underlay;
	if (!changed)
		return;
	node->mtu = node->backend->mtu(&node->facts);
	fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_UNDERLAY_CHANGED, NULL, NULL, "%s", text);
	if (fl_node_set_identity(node, &error) < 0) {
		fl_log(&node->context->log, FLANNEL_LOG_ERROR, "node", "%s", flannel_error_get_message(error));
		return;
	}
	if (fl_node_want_devices(node, &error) < 0)
		fl_log(&node->context->log, FLANNEL_LOG_ERROR, "node", "%s", flannel_error_get_message(error));
	want_peers_again(node);
	fl_node_rewrite_subnet_file(node);
}

/* can the backend do with an underlay that is or may become the node's */
static int check_underlay(const struct flannel_node *node, const struct fl_underlay *underlay,
			  struct flannel_error **ret_error)
{
	struct fl_backend_facts facts = node->facts;

	facts.underlay = underlay;
	return node->backend->check(&facts, ret_error);
}

/* asks the kernel what became of the interface, once for all that was told of it */
static void look_again(void *userdata, uint32_t events)
{
	struct flannel_node *node = userdata;
	struct flannel_netconf *netconf = fl_request_get_netconf(node->request);
	struct fl_interface_request request = make_request(node, netconf);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_underlay underlay;
	struct fl_rtnl *rtnl;
	int r = fl_context_get_rtnl(node->context, &rtnl, &error);

	(void)events;
	if (r >= 0)
		r = fl_underlay_find_again(rtnl, &request, &node->underlay, &underlay, &node->underlay_ifindex, &error);
	if (r < 0 && r != -ENODEV && r != -ENETDOWN) {
		fl_log(&node->context->log, FLANNEL_LOG_WARNING, "node", "look at the underlay interface: %s",
		       flannel_error_get_message(error));
		fl_source_set_deadline(node->underlay_timer, fl_loop_now() + ASK_AGAIN_NS);
		return;
	}
	if (r >= 0)
		r = check_underlay(node, &underlay, &error);
	if (r >= 0) {
		adopt(node, &underlay);
		(void)fl_underlay_check(&underlay, &error);
	}
	set_trouble(node, error);
}

/* which peers are on-link may have changed */
static void ask_again(void *userdata, uint32_t events)
{
	(void)events;
	fl_node_want_all_peers(userdata);
}

/* May a change make a peer on-link, or none any more? Routes into the network are to pods. */
static bool is_about_on_link(const struct flannel_node *node, const struct fl_change *change)
{
	struct flannel_prefix network;

	if (!node->backend->asks_for_on_link || !node->backend->asks_for_on_link(&node->facts))
		return false;
	if (change->type != FL_CHANGE_ROUTE)
		return change->type == FL_CHANGE_OVERRUN;
	return flannel_netconf_get_network(node->facts.netconf, change->route.dst.family, &network) > 0 &&
	       !flannel_prefix_contains(&network, &change->route.dst);
}

/* a burst of news leads to one look, after the last of them that is there */
static void on_change(void *userdata, const struct fl_change *change)
{
	struct flannel_node *node = userdata;

	fl_node_note_route(node, change);
	if (fl_underlay_is_touched(&node->underlay, node->underlay_ifindex, node->underlay_error != NULL, change))
		fl_source_set_deadline(node->underlay_timer, 0);
	if (is_about_on_link(node, change))
		fl_source_set_deadline(node->on_link_timer, 0);
}

int fl_node_choose_underlay(struct flannel_node *node, const struct flannel_netconf *netconf,
			    struct flannel_error **ret_error)
{
	struct fl_interface_request request = make_request(node, netconf);
	FL_CLEANUP_ERROR struct flannel_error *trouble = NULL;
	struct fl_rtnl *rtnl;
	int r = fl_context_get_rtnl(node->context, &rtnl, ret_error);

	if (r >= 0 && !node->underlay_timer)
		r = fl_loop_add_timer(node->context->loop, look_again, node, &node->underlay_timer, ret_error);
	if (r >= 0 && !node->on_link_timer)
		r = fl_loop_add_timer(node->context->loop, ask_again, node, &node->on_link_timer, ret_error);
	if (r >= 0)
		r = fl_underlay_find(rtnl, &request, &node->underlay, ret_error);
	node->has_underlay = r >= 0;
	if (r >= 0)
		r = check_underlay(node, &node->underlay, ret_error);
	if (r < 0)
		return r;
	node->underlay_ifindex = node->underlay.ifindex;
	node->mtu = node->backend->mtu(&node->facts);
	fl_log(&node->context->log, FLANNEL_LOG_INFO, "node", "using interface %s (%s), MTU %u", node->underlay.name,
	       node->underlay.reason, node->underlay.mtu);
	(void)fl_underlay_check(&node->underlay, &trouble);
	set_trouble(node, trouble);
	fl_reconciler_listen(node->reconciler, on_change, node);
	return 0;
}

void fl_node_forget_underlay(struct flannel_node *node)
{
	if (node->underlay_timer)
		fl_reconciler_listen(node->reconciler, NULL, NULL);
	node->underlay_timer = fl_source_free(node->underlay_timer);
	node->on_link_timer = fl_source_free(node->on_link_timer);
}
