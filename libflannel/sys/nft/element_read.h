/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NFT_ELEMENT_READ_H
#define FL_SYS_NFT_ELEMENT_READ_H

/* Reads elements of sets out of the kernel's messages, for element.c. */

#include <linux/netlink.h>

#include "domain/firewall/nft_element.h"

/* the type of a comment among the user data of an element, as nft and everybody else has it */
#define FL_NFT_USERDATA_COMMENT 0

/* the one element of an answer, all but .set: 0, -EBADMSG */
int fl_nft_element_read_one(const struct nlmsghdr *header, struct fl_nft_element *ret_element);

/* a list that grows while a dump comes in */
struct fl_nft_element_list {
	const char *set;
	struct fl_nft_element *elements;
	size_t n;
	size_t n_allocated;
};

/* appends all elements of one message; userdata is the list; an fl_rtnl_fn */
int fl_nft_element_collect(void *userdata, const struct nlmsghdr *header);

#endif
