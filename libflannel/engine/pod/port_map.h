/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_PORT_MAP_H
#define FL_ENGINE_PORT_MAP_H

/* What the calls about the port mappings of one attachment have in common. */

#include "domain/port_map/port_map.h"
#include "engine/context.h"
#include "sys/nft/element.h"

struct fl_port_map_subject {
	struct flannel_port_map_options options;
	struct fl_port_map_table table;
	struct fl_nft_place place;
	struct fl_rtnl *netfilter; /* borrowed */
	char owner[FL_NFT_COMMENT_MAX + 1];
};

/* checks the arguments and opens the socket: 0 or negative */
int fl_port_map_begin(struct flannel_context *context, const struct flannel_port_map_options *options,
		      struct fl_port_map_subject *subject, struct flannel_error **ret_error);

/*
 * Looks elements up and keeps those that are there and belong to the subject's owner, at the beginning of the array, with
 * their numbers in index (may be NULL). How many they are, or negative.
 */
int fl_port_map_find_own(const struct fl_port_map_subject *subject, struct fl_nft_element *elements, size_t n_elements,
			 size_t *index, struct flannel_error **ret_error);

#endif
