/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

/*
 * The least that attaching a container costs: the same kernel objects by bare route netlink messages, nothing checked, nothing
 * asked, nothing stored.
 */

/* runs in the node's namespace: veth pair from the bridge into netns_fd, address, default route; 0 or negative errno */
int floor_attach(int netns_fd, int node_fd, unsigned int bridge_ifindex, unsigned int number);

/*
 * The least that detaching costs: an orphan sends the request and waits for the kernel, the caller goes on as soon as the link is gone for
 * everybody. Link ifindex, which floor_link() found; 0 or negative errno
 */
int floor_detach(unsigned int ifindex);

/* the node's end of what floor_attach() made; 0 if there is none */
unsigned int floor_link(unsigned int number);

#endif
