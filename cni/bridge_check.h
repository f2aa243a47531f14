/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_BRIDGE_CHECK_H
#define CNI_BRIDGE_CHECK_H

/* CHECK of the plugin bridge: the bridge, the container's interface, the port between them, addresses and routes. */

#include "bridge_config.h"
#include "plugin.h"

/* Compares prevResult with the kernel. What CHECK of the IPAM says comes before. */
int cni_bridge_check(const struct cni_request *request, const struct cni_attach_config *config,
		     struct cni_error *error);

#endif
