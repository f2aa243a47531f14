/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_FIREWALL_H
#define FL_ENGINE_FIREWALL_H

/* What the calls about the firewall of attachments have in common. */

#include "domain/firewall/firewall.h"
#include "engine/context.h"
#include "sys/nft/element.h"

/* one call as it goes */
struct fl_firewall {
	struct flannel_context *context;
	struct flannel_firewall_options options; /* a copy, checked */
	struct fl_rtnl *netfilter;               /* borrowed */
	char owner[FL_NFT_COMMENT_MAX + 1];
};

/* our table */
extern const struct fl_nft_place fl_firewall_place;

/* checks the arguments and opens the socket; operation is for messages: 0 or negative */
int fl_firewall_begin(struct flannel_context *context, const struct flannel_firewall_options *options,
		      const char *operation, struct fl_firewall *ret_firewall, struct flannel_error **ret_error);

/* retires those of the elements that are there and belong to the owner: how many, or negative */
int fl_firewall_retire_own(const struct fl_firewall *firewall, struct fl_nft_element *elements, size_t n_elements,
			   struct flannel_error **ret_error);

/* looks at the table "filter" of a family: 0 or negative */
int fl_firewall_look(const struct fl_firewall *firewall, const char *family, struct fl_firewall_found *ret_found,
		     struct flannel_error **ret_error);

#endif
