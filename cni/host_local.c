/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The IPAM plugin host-local: gives out addresses that this node has, and remembers them in files. */

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "attachments.h"
#include "cleanup.h"
#include "ipam_config.h"
#include "plugin.h"
#include "result.h"

/* flannel_address_pool_free() for CNI_CLEANUP */
static void free_pool(struct flannel_address_pool **pool)
{
	(void)flannel_address_pool_free(*pool);
}

/* opens the network's pool */
static int open_pool(const struct cni_ipam_config *config, struct flannel_address_pool **ret_pool,
		     struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;

	if (flannel_address_pool_open(config->directory, ret_pool, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* takes an address of each set; returns how many */
static int allocate(const struct cni_request *request, const struct cni_ipam_config *config,
		    struct flannel_address *ret_addresses, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	CNI_CLEANUP(free_pool) struct flannel_address_pool *pool = NULL;
	const struct flannel_address_request wanted = {
		.size = sizeof(wanted),
		.container_id = request->container_id,
		.ifname = request->ifname,
		.ranges = config->ranges,
		.n_ranges = config->n_ranges,
		.wanted = config->wanted,
		.n_wanted = config->n_wanted,
	};
	int n;

	if (open_pool(config, &pool, error) < 0)
		return -1;
	n = flannel_address_pool_allocate(pool, &wanted, ret_addresses, &cause);
	return n < 0 ? cni_fail_flannel(error, cause, NULL) : n;
}

/* does this call serve an ADD that gave what the container had before */
static bool had_addresses(const struct cni_request *request)
{
	return request->had_addresses && *request->had_addresses;
}

/* gives back what the container has, unless that is an earlier attachment's */
static int release(const struct cni_request *request, const struct cni_ipam_config *config, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	CNI_CLEANUP(free_pool) struct flannel_address_pool *pool = NULL;

	if (had_addresses(request))
		return 0;
	if (open_pool(config, &pool, error) < 0)
		return -1;
	if (flannel_address_pool_release(pool, request->container_id, request->ifname, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

/* the answer to ADD */
static int make_result(const struct cni_request *request, struct cni_result *result,
		       const struct flannel_address *addresses, int n, struct json_object **ret_result,
		       struct cni_error *error)
{
	for (int i = 0; i < n; i++) {
		if (!cni_result_add_ip(result, &addresses[i].address, &addresses[i].gateway, -1))
			return cni_fail_oom(error);
	}
	return cni_result_format(result, request->version, ret_result, error);
}

/* ADD */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_ipam_config_clear) struct cni_ipam_config config = {0};
	CNI_CLEANUP(cni_freep) struct flannel_address *addresses = NULL;
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	int n;

	if (cni_ipam_config_read(request, &config, error) < 0)
		return -1;
	addresses = calloc(config.n_sets, sizeof(*addresses));
	if (!addresses)
		return cni_fail_oom(error);
	n = allocate(request, &config, addresses, error);
	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		if (!addresses[i].is_new && request->had_addresses)
			*request->had_addresses = true;
	}
	if (make_result(request, &config.result, addresses, n, ret_result, error) == 0)
		return 0;
	(void)release(request, &config, &ignored);
	return -1;
}

/* DEL */
static int del(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_ipam_config_clear) struct cni_ipam_config config = {0};

	(void)ret_result;
	if (cni_ipam_config_read_directory(request, &config, error) < 0)
		return -1;
	return release(request, &config, error);
}

/* CHECK: the configuration is one that ADD takes, and the container has an address, whichever */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_ipam_config_clear) struct cni_ipam_config config = {0};
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	CNI_CLEANUP(free_pool) struct flannel_address_pool *pool = NULL;
	int n;

	(void)ret_result;
	if (cni_ipam_config_read(request, &config, error) < 0 || open_pool(&config, &pool, error) < 0)
		return -1;
	n = flannel_address_pool_count(pool, request->container_id, request->ifname, &cause);
	if (n < 0)
		return cni_fail_flannel(error, cause, NULL);
	if (n == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "container %s has no address for %s in %s",
				request->container_id, request->ifname, config.directory);
	return 0;
}

/* STATUS: could ADD give out an address of each set? It makes nothing. */
static int status(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_ipam_config_clear) struct cni_ipam_config config = {0};
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;

	(void)ret_result;
	if (cni_ipam_config_read(request, &config, error) < 0)
		return -1;
	if (flannel_address_pool_check(config.directory, config.ranges, config.n_ranges, &cause) == 0)
		return 0;
	(void)cni_fail_flannel(error, cause, NULL);
	error->code = CNI_ERROR_UNAVAILABLE;
	return -1;
}

/*
 * GC: the addresses of all attachments that the runtime does not name; without its list nothing. A network that never had one gets
 * no directory for that.
 */
static int gc(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_ipam_config_clear) struct cni_ipam_config config = {0};
	CNI_CLEANUP(cni_attachments_clear) struct cni_attachments valid = {0};
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	CNI_CLEANUP(free_pool) struct flannel_address_pool *pool = NULL;
	struct stat present;
	int r = cni_attachments_read(request->config, &valid, error);

	(void)ret_result;
	if (r <= 0)
		return r;
	if (cni_ipam_config_read_directory(request, &config, error) < 0)
		return -1;
	if (stat(config.directory, &present) < 0 && errno == ENOENT)
		return 0;
	if (open_pool(&config, &pool, error) < 0)
		return -1;
	if (flannel_address_pool_gc(pool, valid.ids, valid.n, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

const struct cni_plugin cni_plugin_host_local = {
	.name = "host-local",
	.about = "CNI host-local plugin " FLANNEL_VERSION " (libflannel)",
	.is_ipam = true,
	.run = {[CNI_VERB_ADD] = add,
		[CNI_VERB_DEL] = del,
		[CNI_VERB_CHECK] = check,
		[CNI_VERB_STATUS] = status,
		[CNI_VERB_GC] = gc},
};
