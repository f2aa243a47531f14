/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_OWNER_H
#define FL_DOMAIN_OWNER_H

/*
 * Whose an element of an nftables set is: its comment begins with hashes of the network and of the attachment, 16 digits each;
 * container and interface follow, for people. Owners are compared by the hashes.
 */

#include <stdbool.h>

#include <flannel/attachment_id.h>

#include "domain/nft_element.h"

void fl_owner_format(const char *network, const struct flannel_attachment_id *attachment,
		     char ret_owner[FL_NFT_COMMENT_MAX + 1]);

bool fl_owner_same(const char *a, const char *b);
bool fl_owner_same_network(const char *a, const char *b);

#endif
