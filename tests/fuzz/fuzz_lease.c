/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: a key up to the first newline and a value behind it. What is taken must be written so that it is
 * read again as the same lease, with the same key and value.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <flannel/lease.h>

#include "base/error.h"
#include "domain/backend/vxlan.h"
#include "require.h"

/* checks what every lease promises */
static void check(const struct flannel_lease *lease)
{
	struct flannel_prefix subnet;
	int n = 0;

	if (flannel_lease_get_subnet(lease, AF_INET, &subnet) == 1) {
		require(subnet.plen >= 1 && subnet.plen <= 31 && flannel_prefix_is_network(&subnet));
		n++;
	}
	if (flannel_lease_get_subnet(lease, AF_INET6, &subnet) == 1) {
		require(subnet.plen >= 1 && subnet.plen <= 127 && flannel_prefix_is_network(&subnet));
		n++;
	}
	require(n > 0);
}

/* a MAC that is taken from the backend's data is one of a device, and is written as it is read */
static void check_vxlan(const struct flannel_lease *lease, int family)
{
	const char *text = flannel_lease_get_backend_data(lease, family);
	uint8_t mac[FL_MAC_LEN], again[FL_MAC_LEN] = {0};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	char buf[FL_VXLAN_DATA_STRLEN];

	if (fl_vxlan_parse_data(text, mac, &error) < 0) {
		require(*flannel_error_get_message(error));
		return;
	}
	require(!(mac[0] & 1));
	require(fl_vxlan_parse_data(fl_vxlan_format_data(1, mac, buf), again, NULL) == 0);
	require(memcmp(mac, again, sizeof(mac)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	struct flannel_lease *lease = NULL, *again = NULL;
	char written[2 * FLANNEL_PREFIX_STRLEN], rewritten[2 * FLANNEL_PREFIX_STRLEN];
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *key = NULL;
	const char *value;

	if (!newline)
		return 0;
	key = strndup((const char *)data, (size_t)(newline - data));
	value = (const char *)newline + 1;
	if (flannel_lease_parse(key, value, size - (size_t)(newline - data) - 1, 1, 2, &lease, &error) < 0) {
		require(!lease && *flannel_error_get_message(error));
		return 0;
	}
	check(lease);
	check_vxlan(lease, AF_INET);
	check_vxlan(lease, AF_INET6);
	require(*flannel_lease_format_key(lease, written, sizeof(written)) != '\0');
	value = flannel_lease_get_value(lease);
	require(flannel_lease_parse(written, value, strlen(value), 3, 4, &again, NULL) == 0);
	require(flannel_lease_equal(lease, again));
	require(strcmp(flannel_lease_format_key(again, rewritten, sizeof(rewritten)), written) == 0);
	require(strcmp(flannel_lease_get_value(again), value) == 0);
	flannel_lease_unref(again);
	flannel_lease_unref(lease);
	return 0;
}
