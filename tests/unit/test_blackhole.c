/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <sys/socket.h>

#include "domain/backend/backend.h"

/* one for each subnet that is known, tagged as ours, behind whatever others set */
Test(blackhole, wanted)
{
	static const struct {
		const char *subnet, *subnet6;
		int n;
	} cases[] = {{NULL, NULL, 0},
		     {"10.244.1.0/24", NULL, 1},
		     {NULL, "fd00:10:244:1::/64", 1},
		     {"10.244.1.0/24", "fd00:10:244:1::/64", 2}};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct fl_backend_facts facts = {.route_protocol = 77};
		struct fl_object objects[2] = {0};

		if (cases[i].subnet)
			cr_assert_eq(flannel_prefix_parse(cases[i].subnet, &facts.own.subnet), 0);
		if (cases[i].subnet6)
			cr_assert_eq(flannel_prefix_parse(cases[i].subnet6, &facts.own.subnet6), 0);
		cr_expect_eq(fl_blackhole_want(&facts, objects), cases[i].n, "case %zu", i);
		for (int k = 0; k < cases[i].n; k++) {
			const struct fl_route *route = &objects[k].route;
			bool is_first = k == 0 && cases[i].subnet;

			cr_expect_eq(objects[k].type, FL_OBJECT_ROUTE);
			cr_expect_eq(route->type, FL_ROUTE_TYPE_BLACKHOLE);
			cr_expect_eq(route->protocol, 77);
			cr_expect_gt(route->metric, 1024u);
			cr_expect_eq(route->dst.family, is_first ? AF_INET : AF_INET6);
			cr_expect(!route->via.family && !route->link[0]);
		}
	}
}
