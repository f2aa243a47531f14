/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_POD_H
#define FL_ENGINE_POD_H

/* The container's side of an attachment: settings, addresses and routes inside its namespace. */

#include "domain/pod/attachment.h"
#include "engine/context.h"
#include "sys/rtnl/link.h"

struct fl_pod {
	struct flannel_context *context;
	int netns_fd; /* borrowed */
	const char *ifname;
	uint32_t ifindex;
	bool dad;
	bool solicits_routers; /* asks for router advertisements, as the kernel does unless told otherwise */
	struct fl_rtnl *rtnl;
	char lo_before[16]; /* disable_ipv6 of the loopback, if it was changed: all else goes with the interface */
};

/* enters the namespace once: opens the socket and makes the interface's settings. want NULL: no addresses will come. */
int fl_pod_open(struct fl_pod *pod, const struct fl_attachment_want *want, struct flannel_error **ret_error);
void fl_pod_close(struct fl_pod *pod);

/* takes back what does not go with the interface; failures are logged */
void fl_pod_undo(struct fl_pod *pod);

/* Link up, addresses, routes. All that works while the node's end is down. */
int fl_pod_configure(struct fl_pod *pod, const struct fl_attachment_want *want, struct flannel_error **ret_error);

/* In place of the kernel's routes to the networks of the addresses: routes to the gateways, and to those networks by them. */
int fl_pod_set_point_routes(struct fl_pod *pod, const struct fl_attachment_want *want,
			    struct flannel_error **ret_error);

/* waits for duplicate address detection, which needs a carrier; -EADDRINUSE when it found another owner */
int fl_pod_wait_for_addresses(struct fl_pod *pod, struct flannel_error **ret_error);

/* 1 when the link can send, else 0 */
int fl_pod_has_carrier(struct fl_pod *pod, struct flannel_error **ret_error);

/* sets the link up, nothing else */
int fl_pod_set_up(struct fl_pod *pod, struct flannel_error **ret_error);

/* Waits until test answers non-zero (its result is returned), looking again after each change in the namespace:
 * -ETIMEDOUT after timeout_ms. */
int fl_pod_wait(struct flannel_context *context, int netns_fd, struct fl_rtnl *rtnl,
		int (*test)(void *userdata, struct flannel_error **ret_error), void *userdata, unsigned int timeout_ms,
		struct flannel_error **ret_error);

#endif
