/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_BRIDGE_CONFIG_H
#define CNI_BRIDGE_CONFIG_H

/* The configuration of the plugin bridge. */

#include <flannel/attachment.h>

#include "plugin.h"

struct cni_bridge_config {
	const char *bridge; /* borrowed from the request, as the other texts and objects */
	const char *ipam;   /* the IPAM plugin's name; "" attaches on layer 2 only */
	uint32_t mtu;
	unsigned int flags; /* enum flannel_attachment_flags */
	uint32_t vlan;      /* 0 for none */
	struct flannel_vlan_span *trunk;
	size_t n_trunk;
	bool masquerade;         /* ipMasq */
	const char *backend;     /* ipMasqBackend; "" for none */
	const char *mac_text;    /* as given; "" for none */
	char *mac_argument;      /* what mac_text points at if it came from CNI_ARGS */
	struct json_object *dns; /* owned; in place of the IPAM's. NULL: not given. */
};

/* what every verb needs to be right */
int cni_bridge_config_read(const struct cni_request *request, struct cni_bridge_config *ret_config,
			   struct cni_error *error);

/* What ADD needs besides: keys that go together, that we can serve, and a MAC address as the library wants it ("" for none). */
int cni_bridge_config_check(const struct cni_request *request, const struct cni_bridge_config *config,
			    char ret_mac[FLANNEL_MAC_STRLEN], struct cni_error *error);

void cni_bridge_config_clear(struct cni_bridge_config *config);

#endif
