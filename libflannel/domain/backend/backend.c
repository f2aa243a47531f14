/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/backend/backend.h"

#include <errno.h>
#include <string.h>

/* all backends of this build; a new one is one line here and one file */
static const struct fl_backend *const backends[] = {
	&fl_backend_host_gw,
	&fl_backend_vxlan,
};

int fl_backend_find(const char *name, const struct fl_backend **ret_backend, struct flannel_error **ret_error)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(backends); i++) {
		if (strcmp(backends[i]->name, name) == 0) {
			*ret_backend = backends[i];
			return 0;
		}
	}
	return fl_error_set(ret_error, -EINVAL, "config", "this version has the backends \"host-gw\" and \"vxlan\"",
			    "network configuration: Backend.Type is \"%s\"", name);
}

int fl_backend_read_peer(const struct fl_backend_facts *facts, const struct flannel_lease *peer, int family,
			 struct flannel_prefix *ret_subnet, struct flannel_prefix *ret_public_ip,
			 struct flannel_error **ret_error)
{
	struct flannel_prefix network, subnet, public_ip;
	char text[FLANNEL_PREFIX_STRLEN];

	if (flannel_netconf_get_network(facts->netconf, family, &network) <= 0 ||
	    flannel_lease_get_subnet(peer, family, &subnet) <= 0)
		return 0;
	if (flannel_lease_get_public_ip(peer, family, &public_ip) <= 0)
		return fl_error_set(ret_error, -EINVAL, "node", "its lease has no public address of that family",
				    "reach peer %s", flannel_prefix_format(&subnet, text, sizeof(text)));
	if (!flannel_prefix_contains(&network, &subnet) || subnet.plen <= network.plen)
		return fl_error_set(ret_error, -ERANGE, "node", "its subnet is no part of the network", "reach peer %s",
				    flannel_prefix_format(&subnet, text, sizeof(text)));
	*ret_subnet = subnet;
	*ret_public_ip = public_ip;
	return 1;
}
