/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NFT_RULE_H
#define FL_SYS_NFT_RULE_H

/* Rules of a table, as far as they matter for finding those that somebody's program left. */

#include "sys/nft/message.h"

/* a whole address, in network byte order; len 0 for none */
struct fl_nft_address {
	uint8_t bytes[16];
	uint8_t len;
};

struct fl_nft_found_rule {
	char chain[128];  /* which the rule is in */
	char target[128]; /* which it jumps or goes to; "" for none */
	char comment[128];
	struct fl_nft_address source; /* which it compares with, if it is a whole one */
	struct fl_nft_address destination;
	uint64_t handle;
};

/* All rules of a table (chain NULL) or of one chain of it. *ret_rules is malloc()ed, NULL if there are none. -ENOENT without it. */
int fl_nft_rule_list(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *chain,
		     struct fl_nft_found_rule **ret_rules, size_t *ret_n, struct flannel_error **ret_error);

/* the same of those that are meant only: the tables of a busy node have tens of thousands of rules */
typedef bool (*fl_nft_rule_filter)(const void *userdata, const struct fl_nft_found_rule *rule);
int fl_nft_rule_find(struct fl_rtnl *netfilter, const struct fl_nft_place *place, fl_nft_rule_filter is_meant,
		     const void *userdata, struct fl_nft_found_rule **ret_rules, size_t *ret_n,
		     struct flannel_error **ret_error);

#endif
