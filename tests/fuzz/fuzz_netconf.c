/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as network configuration. What is taken must keep the promises of netconf.h: aligned
 * subnets of one length within the network, in order, and the same meaning when its text is read again. Whatever the backend, its
 * settings are read as those of vxlan, too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <flannel/netconf.h>

#include "base/error.h"
#include "domain/backend/vxlan.h"
#include "require.h"

/* checks one family; returns 1 if it is enabled */
static int check_family(const struct flannel_netconf *netconf, int family, int bits)
{
	struct flannel_prefix network, first, last;
	int r = flannel_netconf_get_network(netconf, family, &network);

	require(flannel_netconf_get_subnet_range(netconf, family, &first, &last) == r);
	if (r == 0)
		return 0;
	require(r == 1 && network.family == family && flannel_prefix_is_network(&network));
	require(first.plen == last.plen && first.plen >= network.plen + 2 && first.plen <= bits - 2);
	require(flannel_prefix_is_network(&first) && flannel_prefix_is_network(&last));
	require(flannel_prefix_contains(&network, &first) && flannel_prefix_contains(&network, &last));
	require(flannel_prefix_compare(&first, &last) <= 0);
	return 1;
}

/* settings of vxlan that are taken are in range, and name a device or not at all */
static void check_vxlan(const struct flannel_netconf *netconf)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_vxlan_settings settings;
	char name[FLANNEL_IFNAME_SIZE];

	if (fl_vxlan_load(netconf, &settings, &error) < 0) {
		require(*flannel_error_get_message(error));
		return;
	}
	require(settings.vni <= 0xffffff && (settings.mtu == 0 || settings.mtu >= 118));
	require(fl_vxlan_format_name(&settings, AF_INET, name) == (settings.vni <= 9999999));
	if (settings.vni <= 9999999)
		require(fl_ifname_is_valid(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flannel_netconf *netconf = NULL, *again = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const char *text;

	if (flannel_netconf_parse((const char *)data, size, &netconf, &error) < 0) {
		require(!netconf && flannel_error_get_code(error) < 0 && *flannel_error_get_message(error));
		return 0;
	}
	require(!error);
	require(check_family(netconf, AF_INET, 32) + check_family(netconf, AF_INET6, 128) > 0);
	check_vxlan(netconf);
	text = flannel_netconf_get_text(netconf);
	require(strlen(text) == size && memcmp(text, data, size) == 0);
	for (unsigned int i = 0; flannel_netconf_get_warning(netconf, i); i++)
		require(*flannel_netconf_get_warning(netconf, i) != '\0');
	require(flannel_netconf_get_backend_text(netconf)[0] == '{');
	require(flannel_netconf_parse(text, size, &again, NULL) == 0);
	require(flannel_netconf_equal(netconf, again));
	flannel_netconf_unref(again);
	flannel_netconf_unref(netconf);
	return 0;
}
