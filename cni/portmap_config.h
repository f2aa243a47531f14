/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_PORTMAP_CONFIG_H
#define CNI_PORTMAP_CONFIG_H

/* The configuration of the plugin portmap. */

#include <flannel/port_map.h>

#include "plugin.h"

struct cni_portmap_config {
	struct flannel_port_mapping *mappings;
	size_t n_mappings;
	const char **conditions_ipv4; /* the texts are borrowed from the request */
	size_t n_conditions_ipv4;
	const char **conditions_ipv6;
	size_t n_conditions_ipv6;
	unsigned int flags;  /* enum flannel_port_map_flags */
	const char *backend; /* "" if none is named; borrowed */
	bool has_mark_chain; /* externalSetMarkChain */
};

/* Reads and checks everything. */
int cni_portmap_config_read(const struct cni_request *request, struct cni_portmap_config *ret_config,
			    struct cni_error *error);

/*
 * The same for DEL, which must not fail for a configuration with which ADD did: mappings that cannot be are left out, and
 * what only ADD needs is not looked at.
 */
int cni_portmap_config_read_for_del(const struct cni_request *request, struct cni_portmap_config *ret_config,
				    struct cni_error *error);

void cni_portmap_config_clear(struct cni_portmap_config *config);

#endif
