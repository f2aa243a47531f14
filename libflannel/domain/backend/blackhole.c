/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/socket.h>

#include "domain/backend/backend.h"

int fl_blackhole_want(const struct fl_backend_facts *facts, struct fl_object objects[2])
{
	const struct flannel_prefix *subnets[] = {&facts->own.subnet, &facts->own.subnet6};
	int n = 0;

	for (size_t i = 0; i < FL_N_ELEMENTS(subnets); i++) {
		if (subnets[i]->family == AF_UNSPEC)
			continue;
		objects[n] = (struct fl_object){.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE};
		objects[n].route = fl_route_main(subnets[i], facts->route_protocol);
		objects[n].route.type = FL_ROUTE_TYPE_BLACKHOLE;
		objects[n].route.metric = FL_BLACKHOLE_METRIC;
		n++;
	}
	return n;
}
