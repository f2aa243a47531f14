/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as the subnet file of an earlier run. What is read must be networks of the right
 * family, and what the writer makes of it must be read as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/lease/subnet_file.h"
#include "require.h"

/* a network of the family without host bits, or none */
static void check(const struct flannel_prefix *prefix, int family)
{
	require(prefix->family == AF_UNSPEC || (prefix->family == family && flannel_prefix_is_network(prefix)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fl_subnet_file file, again;
	FL_CLEANUP(fl_freep) char *text = NULL;

	fl_subnet_file_parse((const char *)data, size, &file);
	check(&file.network, AF_INET);
	check(&file.subnet, AF_INET);
	check(&file.network6, AF_INET6);
	check(&file.subnet6, AF_INET6);
	if (fl_subnet_file_format(&file, &text, NULL) < 0)
		return 0;
	fl_subnet_file_parse(text, strlen(text), &again);
	require(flannel_prefix_compare(&again.network, &file.network) == 0);
	require(flannel_prefix_compare(&again.network6, &file.network6) == 0);
	/* a subnet without its network is not written */
	if (file.network.family != AF_UNSPEC)
		require(flannel_prefix_compare(&again.subnet, &file.subnet) == 0);
	if (file.network6.family != AF_UNSPEC)
		require(flannel_prefix_compare(&again.subnet6, &file.subnet6) == 0);
	require(again.mtu == file.mtu && again.ipmasq == file.ipmasq);
	return 0;
}
