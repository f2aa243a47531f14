/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TEST_NFT_CLIENT_H
#define TEST_NFT_CLIENT_H

/* Clients of the nft helper, for tests. */

#include <criterion/criterion.h>

#include "sys/nft/nft.h"

#define ANSWER_MS 10000

/* a client that asks the helper of this build */
static inline struct fl_nft *new_client(const char *helper, int netns_fd)
{
	struct fl_nft *nft = NULL;

	cr_assert_eq(fl_nft_new(helper, netns_fd, NULL, &nft, NULL), 0);
	return nft;
}

/* flannel's table for a network */
static inline struct fl_nft_table table_of(const char *network, const char *subnet, unsigned int flags)
{
	struct flannel_masquerade_options options = {.size = sizeof(options), .flags = flags};
	struct fl_nft_table table;

	cr_assert_eq(flannel_prefix_parse(network, &options.network), 0);
	cr_assert_eq(flannel_prefix_parse(subnet, &options.subnet), 0);
	fl_masquerade_want(&options, &table);
	return table;
}

/* the table that most tests set */
static inline struct fl_nft_table ipv4_table(void)
{
	return table_of("10.244.0.0/16", "10.244.1.0/24", FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD);
}

/* replaces one table, which must work */
static inline void must_replace(struct fl_nft *nft, const struct fl_nft_table *table)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	cr_assert_eq(fl_nft_replace_sync(nft, table, 1, ANSWER_MS, &error), 0, "%s", flannel_error_get_message(error));
}

#endif
