/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: any bytes as the file of a static store. Leases that are taken fit the network, and no two have anything in common. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/lease/static_leases.h"
#include "domain/lease/subnet.h"
#include "require.h"

/* two leases */
static void check_pair(const struct flannel_lease *a, const struct flannel_lease *b)
{
	const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		struct flannel_prefix x, y;

		if (flannel_lease_get_subnet(a, families[i], &x) > 0 &&
		    flannel_lease_get_subnet(b, families[i], &y) > 0)
			require(!flannel_prefix_overlaps(&x, &y));
		if (flannel_lease_get_public_ip(a, families[i], &x) > 0 &&
		    flannel_lease_get_public_ip(b, families[i], &y) > 0)
			require(flannel_prefix_compare(&x, &y) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_static_leases leases = {0};

	if (fl_static_leases_parse((const char *)data, size, "fuzz", &leases, &error) < 0) {
		require(*flannel_error_get_message(error));
		return 0;
	}
	for (size_t i = 0; i < leases.n_leases; i++) {
		require(fl_subnet_lease_fits(leases.netconf, leases.leases[i]));
		for (size_t j = 0; j < i && i < 64; j++)
			check_pair(leases.leases[i], leases.leases[j]);
	}
	fl_static_leases_clear(&leases);
	return 0;
}
