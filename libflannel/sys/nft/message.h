/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NFT_MESSAGE_H
#define FL_SYS_NFT_MESSAGE_H

/*
 * Plain messages to nftables (nfnetlink), for what every container needs: questions, and elements of sets. They go through
 * a socket of fl_rtnl_open_netfilter(), take a tenth of a millisecond and need no helper.
 *
 * Closing such a socket takes the kernel 8 to 20 ms while somebody's deletion in the same namespace waits to be
 * freed, and so does a transaction that fails. Nothing here deletes if it need not.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sys/rtnl/rtnl.h"

/* A table by its name; family is "ip", "ip6", "inet" or "bridge". */
struct fl_nft_place {
	const char *family;
	const char *table;
};

/* a message with its family header; type: NFT_MSG_*; size: room for attributes. NULL without memory. */
struct nl_msg *fl_nft_message(uint8_t type, uint16_t flags, const char *family, size_t size);

/* does a table exist: 1, 0 (also in a kernel without nftables), negative */
int fl_nft_has_table(struct fl_rtnl *netfilter, const struct fl_nft_place *place, struct flannel_error **ret_error);

/* does a chain exist: 1, 0 (also without the table), negative */
int fl_nft_has_chain(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *chain,
		     struct flannel_error **ret_error);

/* does a base chain drop what no rule of it decides: 1, 0 (also without it), negative */
int fl_nft_chain_drops(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *chain,
		       struct flannel_error **ret_error);

/*
 * The tables of a family whose names begin with prefix: their names, one after the other, each with its final zero, in
 * *ret_names, malloc()ed; their number is the result. Or negative.
 */
int fl_nft_list_tables(struct fl_rtnl *netfilter, const char *family, const char *prefix, char **ret_names,
		       struct flannel_error **ret_error);

/*
 * Sends messages as one transaction: all are carried out, or none. Return: 0, or the kernel's negative errno for the first
 * that it refused, whose index is then in *ret_failed (n_messages if it was the transaction as a whole). At
 * most FL_NFT_TRANSACTION_MAX messages, none of which has NLM_F_ACK.
 */
#define FL_NFT_TRANSACTION_MAX 128
int fl_nft_transact(struct fl_rtnl *netfilter, struct nl_msg *const *messages, size_t n_messages, size_t *ret_failed,
		    struct flannel_error **ret_error, const char *operation);

#endif
