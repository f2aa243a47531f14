/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nft/element_read.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

/* of the attributes of an element, those that are looked at: without minimal lengths each is checked where it is read */
static const struct nla_policy element_policy[NFTA_SET_ELEM_MAX + 1] = {
	[NFTA_SET_ELEM_KEY] = {.type = NLA_NESTED},
	[NFTA_SET_ELEM_DATA] = {.type = NLA_NESTED},
	[NFTA_SET_ELEM_TIMEOUT] = {.minlen = sizeof(uint64_t)},
	[NFTA_SET_ELEM_EXPIRATION] = {.minlen = sizeof(uint64_t)},
};

/* a value; one that is no plain value (a verdict) or too long leaves none: 0, -EBADMSG */
static int read_value(struct nlattr *nest, struct fl_nft_value *ret_value)
{
	struct nlattr *value;

	*ret_value = (struct fl_nft_value){.len = 0};
	if (!nest)
		return 0;
	value = nla_find(nla_data(nest), nla_len(nest), NFTA_DATA_VALUE);
	if (!value)
		return 0;
	if (nla_len(value) > FL_NFT_VALUE_MAX)
		return -EBADMSG;
	memcpy(ret_value->bytes, nla_data(value), (size_t)nla_len(value));
	ret_value->len = (uint8_t)nla_len(value);
	return 0;
}

/* the comment among the user data, cut at the length that we give; other programs may have other data */
static void read_comment(const struct nlattr *attribute, char comment[FL_NFT_COMMENT_MAX + 1])
{
	const uint8_t *at = attribute ? nla_data(attribute) : NULL;
	size_t left = attribute ? (size_t)nla_len(attribute) : 0;

	comment[0] = '\0';
	while (left >= 2 && at[1] <= left - 2) {
		if (at[0] == FL_NFT_USERDATA_COMMENT) {
			size_t len = strnlen((const char *)at + 2, at[1]);

			if (len > FL_NFT_COMMENT_MAX)
				len = FL_NFT_COMMENT_MAX;
			memcpy(comment, at + 2, len);
			comment[len] = '\0';
			return;
		}
		left -= 2U + at[1];
		at += 2 + at[1];
	}
}

/* one element */
static int read_element(struct nlattr *nest, struct fl_nft_element *ret_element)
{
	struct nlattr *attributes[NFTA_SET_ELEM_MAX + 1];
	uint64_t expires_msec = 0;

	if (nla_parse_nested(attributes, NFTA_SET_ELEM_MAX, nest, element_policy) < 0 ||
	    read_value(attributes[NFTA_SET_ELEM_KEY], &ret_element->key) < 0 ||
	    read_value(attributes[NFTA_SET_ELEM_DATA], &ret_element->data) < 0)
		return -EBADMSG;
	read_comment(attributes[NFTA_SET_ELEM_USERDATA], ret_element->comment);
	if (attributes[NFTA_SET_ELEM_EXPIRATION]) {
		expires_msec = be64toh(nla_get_u64(attributes[NFTA_SET_ELEM_EXPIRATION]));
		/* the last tick of one that expires is not "for ever" */
		if (expires_msec == 0)
			expires_msec = 1;
	}
	ret_element->expires_msec = expires_msec;
	return 0;
}

/* the list of elements in a message; NULL if it has none */
static struct nlattr *find_list(const struct nlmsghdr *header)
{
	return nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)header, sizeof(struct nfgenmsg),
			       NFTA_SET_ELEM_LIST_ELEMENTS);
}

int fl_nft_element_read_one(const struct nlmsghdr *header, struct fl_nft_element *ret_element)
{
	struct nlattr *list = find_list(header);
	struct nlattr *nest = list ? nla_find(nla_data(list), nla_len(list), NFTA_LIST_ELEM) : NULL;

	*ret_element = (struct fl_nft_element){.set = NULL};
	return nest ? read_element(nest, ret_element) : -EBADMSG;
}

/* makes room for one more */
static int reserve(struct fl_nft_element_list *list)
{
	size_t n = list->n_allocated > 0 ? 2 * list->n_allocated : 16;
	struct fl_nft_element *larger;

	if (list->n < list->n_allocated)
		return 0;
	larger = reallocarray(list->elements, n, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	list->elements = larger;
	list->n_allocated = n;
	return 0;
}

int fl_nft_element_collect(void *userdata, const struct nlmsghdr *header)
{
	struct fl_nft_element_list *collected = userdata;
	struct nlattr *list = find_list(header), *nest;
	int left, r;

	if (!list)
		return 0;
	nla_for_each_nested(nest, list, left)
	{
		struct fl_nft_element *element;

		r = reserve(collected);
		if (r < 0)
			return r;
		element = &collected->elements[collected->n];
		*element = (struct fl_nft_element){.set = collected->set};
		r = read_element(nest, element);
		if (r < 0)
			return r;
		collected->n++;
	}
	return 0;
}
