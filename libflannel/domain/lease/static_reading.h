/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_LEASE_STATIC_READING_H
#define FL_DOMAIN_LEASE_STATIC_READING_H

/* A static store's text on its way in, shared by static_leases.c (each lease by itself) and static_claims.c (all together). */

#include <stdbool.h>

#include "domain/lease/static_leases.h"
#include "domain/backend/vxlan.h"

#define FL_STATIC_PATH_SIZE 512

struct fl_static_reading {
	const char *text;
	size_t len;
	const char *origin;
	const struct flannel_netconf *netconf;
	struct fl_vxlan_settings vxlan; /* if it is the backend */
	bool is_vxlan;
	size_t *lines;                  /* on which each lease begins */
	char path[FL_STATIC_PATH_SIZE]; /* "FILE: line 7: leases[2]" */
};

/* has messages name a lease */
void fl_static_set_path(struct fl_static_reading *reading, size_t index);

/* a value of that lease that is not what it should be: -EINVAL */
int fl_static_refuse(const struct fl_static_reading *reading, const char *key, const char *value, const char *expected,
		     struct flannel_error **ret_error);

/* subnets that overlap, addresses that two leases have: -EINVAL naming both */
int fl_static_check_claims(struct fl_static_reading *reading, const struct fl_static_leases *leases,
			   struct flannel_error **ret_error);

#endif
