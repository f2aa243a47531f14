/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <flannel/masquerade.h>

#include "base/file.h"
#include "domain/pattern.h"
#include "domain/subnet_file.h"
#include "engine/event.h"
#include "sys/nft.h"

#define SUBNET_FILE "/run/flannel/subnet.env"
#define SUBNET_FILE_MAX 65536
#define MASQUERADE_FLAGS (FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FIXED_PORTS | FLANNEL_MASQUERADE_FORWARD)

FL_DEFINE_CLEANUP(struct flannel_node *, flannel_node_free)

void fl_node_fail(struct flannel_node *node, struct flannel_error *error)
{
	flannel_error_ref(error);
	flannel_error_unref(node->error);
	node->error = error;
	node->state = FLANNEL_NODE_FAILED;
	fl_node_forget_underlay(node);
	fl_node_stop_programming(node);
	fl_node_close_snapshot(node);
	fl_event_emit(node->context, node, node->userdata, FLANNEL_EVENT_NODE_FAILED, NULL, error, "%s",
		      flannel_error_get_message(error));
}

/* A peer came, changed or went: routes change at the next dispatch, all of them together. Before the own lease nothing is wanted. */
static void note_peer(struct flannel_node *node, const struct fl_request_news *news)
{
	if (node->state != FLANNEL_NODE_PROGRAM && node->state != FLANNEL_NODE_READY)
		return;
	if (news->report == FL_REQUEST_PEER_REMOVED)
		fl_node_forget_peer(node, news->peer, false);
	else
		fl_node_want_peer(node, news->peer);
	fl_reconciler_schedule(node->reconciler);
}

/* why the configuration cannot be used, until there is another one */
static void note_config(struct flannel_node *node, struct flannel_error *error)
{
	flannel_error_ref(error);
	flannel_error_unref(node->error);
	node->error = error;
}

/* the store stopped or began to answer */
static void note_store(struct flannel_node *node, struct flannel_error *error)
{
	flannel_error_ref(error);
	flannel_error_unref(node->store_error);
	node->store_error = error;
	if (error)
		fl_node_consider_snapshot(node);
}

/* why there is no lease yet; it is tried again */
static void note_failure(struct flannel_node *node, struct flannel_error *error)
{
	if (node->state != FLANNEL_NODE_CONFIG && node->state != FLANNEL_NODE_LEASE)
		return;
	flannel_error_ref(error);
	flannel_error_unref(node->error);
	node->error = error;
}

/* news of the request about the lease and the peers */
static int on_news(void *userdata, struct flannel_request *request, const struct fl_request_news *news,
		   struct flannel_error **ret_error)
{
	struct flannel_node *node = userdata;

	(void)request;
	if (node->state == FLANNEL_NODE_FAILED) {
		/* the peer is freed after this call, so what is kept for it must go even now */
		if (news->report == FL_REQUEST_PEER_REMOVED)
			note_peer(node, news);
		return 0;
	}
	if (news->report == FL_REQUEST_CONFIG ||
	    (news->report == FL_REQUEST_FAILED && node->state == FLANNEL_NODE_CONFIG))
		note_config(node, news->error);
	if (news->report == FL_REQUEST_CONFIG)
		return fl_node_configure(node, ret_error);
	if (news->report == FL_REQUEST_FAILED && !flannel_error_is_retryable(news->error)) {
		fl_node_fail(node, news->error);
		return 0;
	}
	if (news->report == FL_REQUEST_FAILED)
		note_failure(node, news->error);
	fl_request_emit(node->context, node, node->userdata, news);
	switch (news->report) {
	case FL_REQUEST_RESTORED:
		fl_node_use_snapshot(node);
		fl_node_program(node);
		break;
	case FL_REQUEST_LISTED:
	case FL_REQUEST_ACQUIRED:
		fl_node_leave_snapshot(node);
		fl_node_program(node);
		break;
	case FL_REQUEST_RENEWED:
		fl_node_note_change(node);
		break;
	case FL_REQUEST_LOST:
		fl_node_note_health(node);
		break;
	case FL_REQUEST_PEER_ADDED:
	case FL_REQUEST_PEER_CHANGED:
	case FL_REQUEST_PEER_REMOVED:
		note_peer(node, news);
		fl_node_note_change(node);
		break;
	case FL_REQUEST_STORE_LOST:
		note_store(node, news->error);
		break;
	case FL_REQUEST_STORE_BACK:
		note_store(node, NULL);
		fl_node_note_health(node);
		break;
	default:
		break;
	}
	return 0;
}

/* a step is due again */
static void on_retry(void *userdata, uint32_t events)
{
	struct flannel_node *node = userdata;

	(void)events;
	if (node->is_observer || flannel_request_get_lease(node->request))
		fl_node_program(node);
	else
		node->is_programming = false;
}

/* an optional text; NULL stays NULL */
static int copy_text(char **to, const char *text, struct flannel_error **ret_error)
{
	if (!text)
		return 0;
	*to = strdup(text);
	return *to ? 0 : fl_error_oom(ret_error);
}

/* a public address option must be one before anything is started */
static int check_address(const char *text, int family, const char *option, struct flannel_error **ret_error)
{
	struct flannel_prefix address;

	if (!text || (!strchr(text, '/') && flannel_prefix_parse(text, &address) == 0 && address.family == family))
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument",
			    family == AF_INET ? "expected an IPv4 address" : "expected an IPv6 address", "%s is \"%s\"",
			    option, text);
}

/* options that are no addresses */
static int check_options(const struct flannel_node_options *options, struct flannel_error **ret_error)
{
	if (options->masquerade & ~(unsigned int)MASQUERADE_FLAGS)
		return fl_error_set(ret_error, -EINVAL, "argument", "unknown bits", "masquerade is 0x%x",
				    options->masquerade);
	if (options->subnet_file && !*options->subnet_file)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a path", "subnet_file is \"\"");
	if (options->state_dir && !*options->state_dir)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a path", "state_dir is \"\"");
	if (options->observer && (options->masquerade || options->blackhole_route))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "an observer sets neither rules nor routes of its own",
				    "observer is %d, masquerade 0x%x, blackhole_route %d", options->observer,
				    options->masquerade, options->blackhole_route);
	if (options->instance && !fl_instance_is_valid(options->instance))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected up to 15 letters, digits, \"_\" and \"-\"", "instance is \"%.64s\"",
				    options->instance);
	if (options->n_interfaces && !options->interfaces)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an array",
				    "interfaces is NULL, n_interfaces %zu", options->n_interfaces);
	if (options->n_interface_regexes && !options->interface_regexes)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an array",
				    "interface_regexes is NULL, n_interface_regexes %zu", options->n_interface_regexes);
	return 0;
}

/* all options but the interfaces */
static int copy_options(struct flannel_node *node, const struct flannel_node_options *options,
			struct flannel_error **ret_error)
{
	int r = check_options(options, ret_error);

	if (r >= 0)
		r = check_address(options->public_ip, AF_INET, "public_ip", ret_error);
	if (r >= 0)
		r = check_address(options->public_ip6, AF_INET6, "public_ip6", ret_error);
	if (r >= 0)
		r = copy_text(&node->public_ip, options->public_ip, ret_error);
	if (r >= 0)
		r = copy_text(&node->public_ip6, options->public_ip6, ret_error);
	if (r >= 0)
		r = copy_text(&node->subnet_file, options->subnet_file ? options->subnet_file : SUBNET_FILE, ret_error);
	if (r >= 0)
		r = copy_text(&node->state_dir, options->state_dir, ret_error);
	if (r >= 0 && options->instance)
		snprintf(node->instance, sizeof(node->instance), "%s", options->instance);
	node->masquerade = options->masquerade;
	node->ipmasq_value = options->ipmasq_value != 0;
	node->is_observer = options->observer != 0;
	node->blackhole_route = options->blackhole_route != 0;
	node->lease_sec = options->lease_sec;
	node->renew_margin_sec = options->renew_margin_sec;
	node->userdata = options->userdata;
	return r < 0 ? r : fl_request_check_times(&node->lease_sec, &node->renew_margin_sec, ret_error);
}

/* copies a list of texts; *n counts those that are there, also on failure */
static int copy_list(char ***list, size_t *n, const char *const *texts, size_t n_texts, const char *what,
		     struct flannel_error **ret_error)
{
	*list = calloc(n_texts + 1, sizeof(char *));
	if (!*list)
		return fl_error_oom(ret_error);
	for (size_t i = 0; i < n_texts; i++) {
		int r = copy_text(&(*list)[i], texts[i], ret_error);

		if (r < 0)
			return r;
		if (!(*list)[i])
			return fl_error_set(ret_error, -EINVAL, "argument", "it is NULL", "%s %zu", what, i);
		(*n)++;
	}
	return 0;
}

/* a regular expression that will be understood when it is needed */
static int check_regex(const char *text, struct flannel_error **ret_error)
{
	struct fl_pattern pattern;
	int r = fl_pattern_compile(text, &pattern, ret_error);

	if (r < 0)
		return fl_error_wrap(ret_error, r, "--iface-regex");
	fl_pattern_clear(&pattern);
	return 0;
}

/* the address that the interface must lead to, of either family */
static int check_reach(const char *text, struct flannel_error **ret_error)
{
	struct flannel_prefix address;

	if (!text || (!strchr(text, '/') && flannel_prefix_parse(text, &address) == 0))
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument", "expected an IPv4 or IPv6 address",
			    "--iface-can-reach is \"%s\"", text);
}

/* what names the interface between nodes */
static int copy_interfaces(struct flannel_node *node, const struct flannel_node_options *options,
			   struct flannel_error **ret_error)
{
	int r = copy_list(&node->interfaces, &node->n_interfaces, options->interfaces, options->n_interfaces,
			  "interface", ret_error);

	if (r >= 0)
		r = copy_list(&node->interface_regexes, &node->n_interface_regexes, options->interface_regexes,
			      options->n_interface_regexes, "interface_regex", ret_error);
	for (size_t i = 0; r >= 0 && i < node->n_interface_regexes; i++)
		r = check_regex(node->interface_regexes[i], ret_error);
	if (r >= 0)
		r = check_reach(options->interface_can_reach, ret_error);
	if (r >= 0)
		r = copy_text(&node->interface_can_reach, options->interface_can_reach, ret_error);
	return r;
}

int flannel_node_new(struct flannel_context *context, struct flannel_store *store,
		     const struct flannel_node_options *options, struct flannel_node **ret_node,
		     struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_node_freep) struct flannel_node *node = NULL;
	struct flannel_node_options copy;
	int r;

	if (!context || !store || !ret_node)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "make a node");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), options, "flannel_node_options", ret_error);
	if (r < 0)
		return r;
	node = calloc(1, sizeof(*node));
	if (!node)
		return fl_error_oom(ret_error);
	node->context = flannel_context_ref(context);
	node->store = flannel_store_ref(store);
	fl_node_record_init(node, &node->own);
	r = copy_options(node, &copy, ret_error);
	if (r >= 0)
		r = copy_interfaces(node, &copy, ret_error);
	if (r >= 0)
		r = fl_loop_add_timer(context->loop, on_retry, node, &node->retry, ret_error);
	if (r < 0)
		return r;
	*ret_node = FL_TAKE(node);
	return 0;
}

/*
 * Looks at the subnet file before anything is touched: what it says is the subnet asked for first, and if it cannot be written
 * later, that is better known now.
 */
static int read_subnet_file(struct flannel_node *node, struct fl_subnet_choice *ret_previous,
			    struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *text = NULL;
	struct fl_subnet_file file = {0};
	size_t len;
	int r = fl_file_make_parents(node->subnet_file, 0755, ret_error);

	if (r < 0)
		return r;
	r = fl_file_check_writable(node->subnet_file, ret_error);
	if (r < 0)
		return r;
	r = fl_file_read(node->subnet_file, SUBNET_FILE_MAX, &text, &len, &error);
	if (r >= 0)
		fl_subnet_file_parse(text, len, &file);
	else if (r != -ENOENT)
		fl_log(&node->context->log, FLANNEL_LOG_WARNING, "node", "former subnet unknown: %s",
		       flannel_error_get_message(error));
	*ret_previous = (struct fl_subnet_choice){.subnet = file.subnet, .subnet6 = file.subnet6};
	return 0;
}

int flannel_node_start(struct flannel_node *node, struct flannel_error **ret_error)
{
	struct fl_request_options options = {0};
	struct fl_nft *nft;
	int r = 0;

	if (!node)
		return fl_error_set(ret_error, -EINVAL, "argument", "node is NULL", "start a node");
	if (node->state != FLANNEL_NODE_STOPPED)
		return fl_error_set(ret_error, -EALREADY, "node", "it was started before", "start the node");
	if (node->context->has_node)
		return fl_error_set(ret_error, -EBUSY, "node", "another node runs in its context", "start the node");
	if (!node->is_observer)
		r = read_subnet_file(node, &options.previous, ret_error);
	if (r < 0)
		return r;
	options.observes = node->is_observer;
	options.lease_sec = node->lease_sec;
	options.renew_margin_sec = node->renew_margin_sec;
	r = fl_node_open_snapshot(node, ret_error);
	if (r >= 0)
		r = fl_request_new(node->context, node->store, &options, on_news, node, &node->request, ret_error);
	if (r < 0)
		return r;
	node->context->has_node = true;
	node->state = FLANNEL_NODE_CONFIG;
	/* it loads while the store is asked; what is wrong with it is told once rules are to be set */
	if (node->masquerade && fl_context_get_nft(node->context, &nft, NULL) >= 0)
		fl_nft_prepare(nft);
	return 0;
}

/* frees the options */
static void free_options(struct flannel_node *node)
{
	for (size_t i = 0; i < node->n_interfaces; i++)
		free(node->interfaces[i]);
	free(node->interfaces);
	for (size_t i = 0; i < node->n_interface_regexes; i++)
		free(node->interface_regexes[i]);
	free(node->interface_regexes);
	free(node->interface_can_reach);
	free(node->public_ip);
	free(node->public_ip6);
	free(node->subnet_file);
	free(node->state_dir);
}

struct flannel_node *flannel_node_free(struct flannel_node *node)
{
	const struct fl_peers *peers;

	if (!node)
		return NULL;
	fl_node_forget_underlay(node);
	fl_node_forget_leftovers(node);
	fl_node_stop_programming(node);
	fl_node_close_snapshot(node);
	if (node->request) {
		peers = fl_request_get_peers(node->request);
		for (size_t i = 0; i < peers->n_peers; i++)
			fl_node_forget_peer(node, peers->peers[i], true);
		flannel_request_free(node->request);
	}
	if (node->reconciler)
		(void)fl_reconciler_unwant_all(node->reconciler, &node->own.owner, true, NULL);
	fl_event_drop(node->context, node);
	fl_source_free(node->retry);
	fl_source_free(node->ready_timer);
	flannel_error_unref(node->error);
	flannel_error_unref(node->store_error);
	flannel_error_unref(node->underlay_error);
	free_options(node);
	flannel_store_unref(node->store);
	flannel_context_unref(node->context);
	free(node);
	return NULL;
}
