/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_VETH_H
#define FL_ENGINE_VETH_H

/* A veth pair that reaches into another namespace, for flannel_veth_ensure() and for attachments. */

#include "engine/pod/transaction.h"

struct fl_veth_want {
	const char *name;   /* NULL: "veth" and eight random hexadecimal digits */
	const char *bridge; /* NULL: none */
	int peer_netns_fd;
	const char *peer_name;
	const char *peer_mac; /* NULL: the kernel's choice */
	uint32_t mtu;
	bool up; /* this end, as soon as it is there */
	bool hairpin;
	bool isolated;
};

/* "veth" and eight random digits, as the reference bridge plugin makes them; it may be taken */
int fl_veth_draw_name(char ret_name[FLANNEL_IFNAME_SIZE], struct flannel_error **ret_error);

/* Makes the pair, the other end down. -EEXIST if the peer's name, or a given name, is taken. ret_info: this end; its
 * peer_ifindex is the other end's index in its namespace. */
int fl_veth_create(struct fl_transaction *transaction, const struct fl_veth_want *want, struct fl_link_info *ret_info,
		   struct flannel_error **ret_error);

/* Sets this end up when the other end is: now both have their carrier. Not noted for undo: it goes with the pair. */
int fl_veth_set_up(struct fl_transaction *transaction, struct fl_link_info *info, struct flannel_error **ret_error);

#endif
