/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_BANDWIDTH_CONFIG_H
#define CNI_BANDWIDTH_CONFIG_H

/* The configuration of the plugin bandwidth. */

#include <flannel/bandwidth.h>

#include "plugin.h"

struct cni_bandwidth_config {
	struct flannel_bandwidth_limit ingress; /* to the container; zero for none */
	struct flannel_bandwidth_limit egress;  /* from it */
};

/* Limits are those of the configuration's top; if none of the four keys is there, those of runtimeConfig.bandwidth. */
int cni_bandwidth_config_read(const struct cni_request *request, struct cni_bandwidth_config *ret_config,
			      struct cni_error *error);

#endif
