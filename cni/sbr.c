/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The plugin sbr, source based routing: in a container with several interfaces, what the addresses of this one send leaves by
 * it. Calls for one container take turns, since each looks for tables that nobody uses.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include <flannel/flannel.h>

#include "cleanup.h"
#include "netns.h"
#include "plugin.h"
#include "previous.h"
#include "sbr_config.h"

/* what a request comes to */
struct routing {
	struct cni_result result;
	struct flannel_address *addresses;
	int netns_fd; /* locked */
	struct flannel_context *context;
	struct flannel_source_route_options options;
};

/* for CNI_CLEANUP */
static void clear_routing(struct routing *routing)
{
	cni_context_unrefp(&routing->context);
	cni_closep(&routing->netns_fd);
	free(routing->addresses);
	cni_result_clear(&routing->result);
}

/* Waits for other calls with the same container to end; closing the descriptor lets the next one in. The file must be there: one
 * that was made for the lock would be taken for a namespace later. */
static int lock(struct routing *routing, const struct cni_request *request, struct cni_error *error)
{
	while (flock(routing->netns_fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return cni_fail(error, CNI_ERROR_INTERNAL, "CNI_NETNS: lock %s: %s", request->netns,
					strerror(errno));
	}
	return cni_context_new(routing->netns_fd, &routing->context, error);
}

/* the configuration and the addresses, as far as the result of the plugins before says */
static int read_options(const struct cni_request *request, struct routing *routing, struct cni_error *error)
{
	struct cni_sbr_config config;
	size_t n = 0;

	if (cni_sbr_config_read(request, &config, error) < 0 ||
	    cni_sbr_find_addresses(request, &routing->result, &config, &routing->addresses, &n, error) < 0)
		return -1;
	routing->options = (struct flannel_source_route_options){.size = sizeof(routing->options),
								 .link = request->ifname,
								 .addresses = routing->addresses,
								 .n_addresses = n,
								 .table = config.table,
								 .flags = config.flags};
	return 0;
}

/* everything that ADD and CHECK need */
static int prepare(const struct cni_request *request, struct routing *routing, struct cni_error *error)
{
	if (cni_previous_require(request, &routing->result, error) < 0 || read_options(request, routing, error) < 0)
		return -1;
	if (routing->result.n_ips == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "prevResult.ips is empty, expected an address of %s",
				request->ifname);
	if (cni_netns_require(request, &routing->netns_fd, error) < 0)
		return -1;
	return lock(routing, request, error);
}

/* An interface to which none of the addresses belongs has nothing to route by; but it has to be there. */
static int require_link(const struct cni_request *request, const struct routing *routing, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	struct flannel_prefix address;
	size_t n;

	if (flannel_link_get_addresses(routing->context, request->ifname, &address, 1, &n, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* ADD. The result is made first: what cannot be told is not done. */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(clear_routing) struct routing routing = {.netns_fd = -1};
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	CNI_CLEANUP(cni_json_putp) struct json_object *result = NULL;

	if (prepare(request, &routing, error) < 0 ||
	    cni_result_format(&routing.result, request->version, &result, error) < 0)
		return -1;
	if (routing.options.n_addresses == 0) {
		if (require_link(request, &routing, error) < 0)
			return -1;
	} else if (flannel_source_route_ensure(routing.context, &routing.options, &cause) < 0) {
		return cni_fail_flannel(error, cause, NULL);
	}
	*ret_result = CNI_TAKE(result);
	return 0;
}

/* CHECK */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(clear_routing) struct routing routing = {.netns_fd = -1};
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;

	(void)ret_result;
	if (prepare(request, &routing, error) < 0)
		return -1;
	if (routing.options.n_addresses == 0)
		return require_link(request, &routing, error);
	if (flannel_source_route_check(routing.context, &routing.options, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* DEL. Addresses are those of prevResult, if there is one, and of the interface, if that is still there. */
static int del(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(clear_routing) struct routing routing = {.netns_fd = -1};
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	int r;

	(void)ret_result;
	if (cni_previous_read(request, &routing.result, error) < 0 || read_options(request, &routing, error) < 0)
		return -1;
	/* rules and tables end with their namespace */
	r = request->netns[0] != '\0' ? cni_netns_open(request, &routing.netns_fd, error) : 0;
	if (r <= 0)
		return r;
	if (lock(&routing, request, error) < 0)
		return -1;
	if (flannel_source_route_remove(routing.context, &routing.options, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

const struct cni_plugin cni_plugin_sbr = {
	.name = "sbr",
	.about = "CNI sbr plugin " FLANNEL_VERSION " (libflannel)",
	.run = {[CNI_VERB_ADD] = add, [CNI_VERB_DEL] = del, [CNI_VERB_CHECK] = check},
};
