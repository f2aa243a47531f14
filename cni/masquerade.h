/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_MASQUERADE_H
#define CNI_MASQUERADE_H

/*
 * Masquerade rules of containers. There is one nftables table per network and range of addresses, not one set of rules
 * per container: the first ADD sets it, later ones see that it is there, DEL leaves it, GC without attachments removes it.
 * Somebody who deletes it gets it back with the next ADD.
 */

#include <flannel/context.h>

#include "plugin.h"
#include "result.h"

/* "cni-masq-", 10 digits, a hyphen, 10 digits and the final zero */
#define CNI_MASQUERADE_TABLE_SIZE 31

/*
 * The name of a table: "cni-masq-", digits of a hash of the network's name, a hyphen, digits of one of the range as text (see
 * hex512.h). It must stay the same for ever, since tables are found again by it.
 */
const char *cni_masquerade_table(const char *network, const struct flannel_prefix *range,
				 char table[CNI_MASQUERADE_TABLE_SIZE]);

/*
 * Makes sure that what containers send from the networks of a result's addresses to anywhere else gets the node's address. 1 if
 * rules were set, 0 if they were there. -1 may leave those of some of the networks, for the next ADD to find.
 */
int cni_masquerade_ensure(struct flannel_context *context, const char *network, const struct cni_result *result,
			  struct cni_error *error);

/* removes the tables of all ranges of a network */
int cni_masquerade_remove(struct flannel_context *context, const char *network, struct cni_error *error);

/* removes what the reference plugins set for the attachment of a request, with either of their backends */
int cni_masquerade_remove_former(struct flannel_context *context, const struct cni_request *request,
				 struct cni_error *error);

#endif
