/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_FIREWALL_ELEMENT_OWNER_H
#define FL_DOMAIN_FIREWALL_ELEMENT_OWNER_H

/*
 * Whose an element of a set is, as its comment says: the hash of the network's name, that of network, container and interface,
 * and for people the container's id (cut short) and the interface. Comments of elements that exist are compared with it, so
 * the form stays.
 */

#include <stdbool.h>

#include <flannel/attachment_id.h>

#include "base/error.h"
#include "domain/firewall/nft_element.h"

/* network: not empty; attachment: complete. 0, or -EINVAL with the error about what was to be done. */
int fl_element_owner_check(const char *network, const struct flannel_attachment_id *attachment, const char *operation,
			   struct flannel_error **ret_error);

void fl_element_owner_format(const char *network, const struct flannel_attachment_id *attachment,
			     char ret_owner[FL_NFT_COMMENT_MAX + 1]);

/* the owners of all these attachments, which are checked before, malloc()ed; -EINVAL as above, -ENOMEM */
int fl_element_owners_new(const char *network, const struct flannel_attachment_id *attachments, size_t n_attachments,
			  const char *operation, char (**ret_owners)[FL_NFT_COMMENT_MAX + 1],
			  struct flannel_error **ret_error);

/* do two comments name the same owner; owners in the same network */
bool fl_element_owner_equal(const char *a, const char *b);
bool fl_element_owner_same_network(const char *a, const char *b);

/* the part for people, "another program" if a comment is not of ours */
const char *fl_element_owner_text(const char *comment);

#endif
