/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NFT_MONITOR_H
#define FL_SYS_NFT_MONITOR_H

/*
 * Hears of nft transactions that touched an agent's two tables (NFNLGRP_NFTABLES): of everybody's, the helper's included.
 *
 * The kernel does not say whose a transaction was in a way that holds everywhere: the process id that it names counts in
 * the initial pid namespace, where a daemon in a container does not know its own. But it tells all listeners before it
 * answers the sender. So whoever reads the monitor empty before a request and again after its answer has seen just one
 * transaction of its own between the two, and every other one is somebody else's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* which of the agent's tables, or-ed */
enum fl_nft_touched { FL_NFT_TOUCHED_IPV4 = 1, FL_NFT_TOUCHED_IPV6 = 2 };

struct fl_nft_change {
	unsigned int touched; /* enum fl_nft_touched; 0 is an overrun: transactions went by unseen */
	uint32_t pid;         /* of who committed, in the initial pid namespace: good for comparing only */
	char program[16];     /* its name, printable; "" if the kernel does not say */
};

/* must not close the monitor */
typedef void (*fl_nft_monitor_fn)(void *userdata, const struct fl_nft_change *change);

struct fl_nft_monitor;

/* listens for the tables of an instance ("": flannel's own names) in a namespace (-1: the caller's); single_threaded as for fl_netns_run(). Needs CAP_NET_ADMIN. */
int fl_nft_monitor_open(int netns_fd, bool single_threaded, const char *instance, fl_nft_monitor_fn fn, void *userdata,
			struct fl_nft_monitor **ret_monitor, struct flannel_error **ret_error);

/* the kernel may take some 20 ms for it while somebody's deletion is pending */
struct fl_nft_monitor *fl_nft_monitor_close(struct fl_nft_monitor *monitor);

/* non-blocking netlink socket, for the event loop */
int fl_nft_monitor_get_fd(const struct fl_nft_monitor *monitor);

/* reads what is there, at most 256 datagrams: 1 if there may be more, 0 if not, negative errno */
int fl_nft_monitor_dispatch(struct fl_nft_monitor *monitor);

FL_DEFINE_CLEANUP(struct fl_nft_monitor *, fl_nft_monitor_close)

#endif
