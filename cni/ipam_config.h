/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_IPAM_CONFIG_H
#define CNI_IPAM_CONFIG_H

/* The configuration of the plugin host-local. It gets the whole configuration of the plugin that calls it. */

#include <flannel/address.h>

#include "plugin.h"
#include "result.h"

struct cni_ipam_config {
	char *directory; /* of the network's addresses */
	struct flannel_address_range *ranges;
	size_t n_ranges;
	size_t n_sets;
	struct flannel_prefix *wanted; /* addresses asked for by value */
	size_t n_wanted;
	struct cni_result result; /* routes and dns of the result to be */
};

/* what DEL and GC need: the directory. Wrong ranges and requests do not keep addresses from being released. */
int cni_ipam_config_read_directory(const struct cni_request *request, struct cni_ipam_config *ret_config,
				   struct cni_error *error);

/* everything, checked; STATUS may lack the ranges where the runtime is to name them */
int cni_ipam_config_read(const struct cni_request *request, struct cni_ipam_config *ret_config,
			 struct cni_error *error);

void cni_ipam_config_clear(struct cni_ipam_config *config);

#endif
