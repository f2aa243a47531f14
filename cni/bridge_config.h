/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_BRIDGE_CONFIG_H
#define CNI_BRIDGE_CONFIG_H

/* The configuration of the plugin bridge. */

#include "attach.h"

/* what every verb needs to be right */
int cni_bridge_config_read(const struct cni_request *request, struct cni_attach_config *ret_config,
			   struct cni_error *error);

/* What ADD needs besides: keys that go together, and a MAC address as the library wants it. */
int cni_bridge_config_check(const struct cni_request *request, struct cni_attach_config *config,
			    struct cni_error *error);

#endif
