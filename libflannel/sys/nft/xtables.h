/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NFT_XTABLES_H
#define FL_SYS_NFT_XTABLES_H

/* Rules of the former iptables (xtables), which nftables neither shows nor changes. Read only. */

#include <stdbool.h>

#include "base/error.h"

/*
 * Has a table ("nat", "filter") of iptables-legacy (AF_INET) or ip6tables-legacy (AF_INET6) a chain of that name: 1, 0, negative. A table
 * that nobody has used in the namespace is not made by asking. Needs CAP_NET_ADMIN.
 */
int fl_xtables_has_chain(int netns_fd, bool single_threaded, int family, const char *table, const char *chain,
			 struct flannel_error **ret_error);

#endif
