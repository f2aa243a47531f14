/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/underlay.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/underlay/underlay.h"
#include "engine/node/underlay_find.h"

/* when the kernel does not even answer the question */
#define ASK_AGAIN_NS FL_NSEC_PER_SEC

/* what was asked for, as the decision wants it */
static struct fl_interface_request make_request(const struct fl_node_underlay *underlay)
{
	const struct flannel_netconf *netconf = underlay->scope->facts.netconf;
	struct fl_interface_request request = {.n_interfaces = underlay->options->n_interfaces};
	struct flannel_prefix network;

	request.interfaces = (const char *const *)underlay->options->interfaces;
	request.regexes = (const char *const *)underlay->options->interface_regexes;
	request.n_regexes = underlay->options->n_interface_regexes;
	request.can_reach = underlay->options->interface_can_reach;
	request.public_ip = underlay->options->public_ip;
	request.public_ip6 = underlay->options->public_ip6;
	request.ipv4 = flannel_netconf_get_network(netconf, AF_INET, &network) > 0;
	request.ipv6 = flannel_netconf_get_network(netconf, AF_INET6, &network) > 0;
	return request;
}

/* tells the agent */
static void report(const struct fl_node_underlay *underlay, enum fl_node_underlay_report what)
{
	underlay->fn(underlay->userdata, what);
}

/* notes why the interface carries no traffic, NULL: it does; told once for each new reason */
static void set_trouble(struct fl_node_underlay *underlay, struct flannel_error *error)
{
	const char *message = flannel_error_get_message(error);
	bool was_lost = underlay->error != NULL;
	bool is_new = strcmp(flannel_error_get_message(underlay->error), message) != 0;

	flannel_error_ref(error);
	flannel_error_unref(underlay->error);
	underlay->error = error;
	if (error && is_new)
		fl_node_emit(underlay->scope, FLANNEL_EVENT_UNDERLAY_LOST, NULL, error, "%s", message);
	else if (!error && was_lost)
		fl_node_emit(underlay->scope, FLANNEL_EVENT_UNDERLAY_BACK, NULL, NULL,
			     "underlay interface %s is fit for use again", underlay->current.name);
	if (error || was_lost)
		report(underlay, FL_NODE_UNDERLAY_HEALTH);
}

/* the interface is another, or not as it was */
static void adopt(struct fl_node_underlay *underlay, const struct fl_underlay *found)
{
	char text[FL_UNDERLAY_CHANGE_STRLEN];
	bool changed = fl_underlay_format_change(&underlay->current, found, text, sizeof(text));

	underlay->current = *found;
	if (!changed)
		return;
	fl_node_emit(underlay->scope, FLANNEL_EVENT_UNDERLAY_CHANGED, NULL, NULL, "%s", text);
	report(underlay, FL_NODE_UNDERLAY_CHANGED);
}

/* can the backend do with an underlay that is or may become the node's */
static int check_underlay(const struct fl_node_underlay *underlay, const struct fl_underlay *found,
			  struct flannel_error **ret_error)
{
	struct fl_backend_facts facts = underlay->scope->facts;

	facts.underlay = found;
	return underlay->scope->backend->check(&facts, ret_error);
}

/* asks the kernel what became of the interface, once for all that was told of it */
static void look_again(void *userdata, uint32_t events)
{
	struct fl_node_underlay *underlay = userdata;
	struct fl_interface_request request = make_request(underlay);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_underlay found;
	struct fl_rtnl *rtnl;
	int r = fl_context_get_rtnl(underlay->scope->context, &rtnl, &error);

	(void)events;
	if (r >= 0)
		r = fl_underlay_find_again(rtnl, &request, &underlay->current, &found, &underlay->ifindex, &error);
	if (r < 0 && r != -ENODEV && r != -ENETDOWN) {
		fl_log(&underlay->scope->context->log, FLANNEL_LOG_WARNING, "node",
		       "look at the underlay interface: %s", flannel_error_get_message(error));
		fl_source_set_deadline(underlay->timer, fl_loop_now() + ASK_AGAIN_NS);
		return;
	}
	if (r >= 0)
		r = check_underlay(underlay, &found, &error);
	if (r >= 0) {
		adopt(underlay, &found);
		(void)fl_underlay_check(&found, &error);
	}
	set_trouble(underlay, error);
}

/* which peers are on-link may have changed */
static void ask_again(void *userdata, uint32_t events)
{
	(void)events;
	report(userdata, FL_NODE_UNDERLAY_ON_LINK);
}

/* May a change make a peer on-link, or none any more? Routes into the network are to pods. */
static bool is_about_on_link(const struct fl_node_scope *scope, const struct fl_change *change)
{
	struct flannel_prefix network;

	if (!scope->backend->asks_for_on_link || !scope->backend->asks_for_on_link(&scope->facts))
		return false;
	if (change->type != FL_CHANGE_ROUTE)
		return change->type == FL_CHANGE_OVERRUN;
	return flannel_netconf_get_network(scope->facts.netconf, change->route.dst.family, &network) > 0 &&
	       !flannel_prefix_contains(&network, &change->route.dst);
}

void fl_node_underlay_note_change(struct fl_node_underlay *underlay, const struct fl_change *change)
{
	if (!underlay->timer)
		return;
	if (fl_underlay_is_touched(&underlay->current, underlay->ifindex, underlay->error != NULL, change))
		fl_source_set_deadline(underlay->timer, 0);
	if (is_about_on_link(underlay->scope, change))
		fl_source_set_deadline(underlay->on_link_timer, 0);
}

int fl_node_underlay_choose(struct fl_node_underlay *underlay, struct flannel_error **ret_error)
{
	const struct fl_node_scope *scope = underlay->scope;
	struct fl_interface_request request = make_request(underlay);
	struct fl_underlay before = underlay->current;
	FL_CLEANUP_ERROR struct flannel_error *trouble = NULL;
	struct fl_rtnl *rtnl;
	int r = fl_context_get_rtnl(scope->context, &rtnl, ret_error);

	if (r >= 0 && !underlay->timer)
		r = fl_loop_add_timer(scope->context->loop, look_again, underlay, &underlay->timer, ret_error);
	if (r >= 0 && !underlay->on_link_timer)
		r = fl_loop_add_timer(scope->context->loop, ask_again, underlay, &underlay->on_link_timer, ret_error);
	if (r >= 0)
		r = fl_underlay_find(rtnl, &request, &underlay->current, ret_error);
	underlay->is_known = r >= 0;
	if (r >= 0)
		r = check_underlay(underlay, &underlay->current, ret_error);
	if (r < 0)
		return r;
	underlay->ifindex = underlay->current.ifindex;
	/* once, however often it is tried */
	if (strcmp(before.name, underlay->current.name) != 0 || strcmp(before.reason, underlay->current.reason) != 0 ||
	    before.mtu != underlay->current.mtu)
		fl_log(&scope->context->log, FLANNEL_LOG_INFO, "node", "using interface %s (%s), MTU %u",
		       underlay->current.name, underlay->current.reason, underlay->current.mtu);
	(void)fl_underlay_check(&underlay->current, &trouble);
	set_trouble(underlay, trouble);
	return 0;
}

void fl_node_underlay_forget(struct fl_node_underlay *underlay)
{
	underlay->timer = fl_source_free(underlay->timer);
	underlay->on_link_timer = fl_source_free(underlay->on_link_timer);
}

void fl_node_underlay_clear(struct fl_node_underlay *underlay)
{
	fl_node_underlay_forget(underlay);
	underlay->error = flannel_error_unref(underlay->error);
}
