/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_POD_H
#define FL_ENGINE_POD_H

/* The container's side of an attachment: settings, addresses and routes inside its namespace. */

#include "domain/attachment.h"
#include "engine/context.h"
#include "sys/rtnl_link.h"

struct fl_pod {
	struct flannel_context *context;
	int netns_fd; /* borrowed */
	const char *ifname;
	uint32_t ifindex;
	bool dad;
	struct fl_rtnl *rtnl;
	char lo_before[16]; /* disable_ipv6 of the loopback, if it was changed: all else goes with the interface */
};

/* enters the namespace once: opens the socket and makes the interface's settings. want NULL: no addresses will come. */
int fl_pod_open(struct fl_pod *pod, const struct fl_attachment_want *want, struct flannel_error **ret_error);
void fl_pod_close(struct fl_pod *pod);

/* takes back what does not go with the interface; failures are logged */
void fl_pod_undo(struct fl_pod *pod);

/* addresses, link up, duplicate address detection if wanted, routes */
int fl_pod_configure(struct fl_pod *pod, const struct fl_attachment_want *want, struct flannel_error **ret_error);

/* In place of the kernel's routes to the networks of the addresses: routes to the gateways, and to those networks by them. */
int fl_pod_set_point_routes(struct fl_pod *pod, const struct fl_attachment_want *want,
			    struct flannel_error **ret_error);

/* sets the link up, nothing else */
int fl_pod_set_up(struct fl_pod *pod, struct flannel_error **ret_error);

/* Waits until test answers non-zero (its result is returned), looking again after each change in the namespace:
 * -ETIMEDOUT after timeout_ms. */
int fl_pod_wait(struct flannel_context *context, int netns_fd, struct fl_rtnl *rtnl,
		int (*test)(void *userdata, struct flannel_error **ret_error), void *userdata, unsigned int timeout_ms,
		struct flannel_error **ret_error);

#endif
