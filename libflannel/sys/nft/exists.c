/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/socket.h>

#include "sys/nft/nft.h"
#include "sys/nft/message.h"

int fl_nft_table_exists(int netns_fd, bool single_threaded, int family, const char *name,
			struct flannel_error **ret_error)
{
	const struct fl_nft_place place = {.family = family == AF_INET6 ? "ip6" : "ip", .table = name};
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *netfilter = NULL;
	int r;

	r = fl_rtnl_open_netfilter(netns_fd, single_threaded, &netfilter, ret_error);
	return r < 0 ? r : fl_nft_has_table(netfilter, &place, ret_error);
}
