/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_FIREWALL_NFT_ELEMENT_H
#define FL_DOMAIN_FIREWALL_NFT_ELEMENT_H

/*
 * Elements of nftables' named sets and maps, as values. A container's rules are elements: static rules look them up, so
 * that attaching a container touches no rule.
 */

#include <stddef.h>
#include <stdint.h>

enum {
	FL_NFT_VALUE_MAX = 64,    /* the kernel's limit for keys and data */
	FL_NFT_COMMENT_MAX = 127, /* nft shows no longer ones */
};

/*
 * A key or a value, as the kernel has it: network byte order, names as 16 bytes that end in zeros. The fields of a
 * concatenation begin at multiples of four bytes; a value of one field is as long as that.
 */
struct fl_nft_value {
	uint8_t bytes[FL_NFT_VALUE_MAX];
	uint8_t len;
};

/* a value of one field */
struct fl_nft_value fl_nft_value_of(const void *bytes, size_t len);

/* appends a field of a concatenation, the last one as well */
void fl_nft_value_append(struct fl_nft_value *value, const void *bytes, size_t len);

struct fl_nft_element {
	const char *set; /* name of the set or map; borrowed */
	struct fl_nft_value key;
	struct fl_nft_value data;             /* of a map; .len 0: the element of a set */
	char comment[FL_NFT_COMMENT_MAX + 1]; /* "" for none; whose it is */
	uint64_t expires_msec;                /* found elements: time left, 0 for ever; not looked at otherwise */
};

#endif
