/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nft/message.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which defines the same again otherwise */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "base/cleanup.h"

#define DUMP_ATTEMPTS 8
#define QUESTION_SIZE 512

/* the number of a family by its name */
static uint8_t family_number(const char *family)
{
	if (strcmp(family, "ip") == 0)
		return NFPROTO_IPV4;
	if (strcmp(family, "ip6") == 0)
		return NFPROTO_IPV6;
	return strcmp(family, "bridge") == 0 ? NFPROTO_BRIDGE : NFPROTO_INET;
}

struct nl_msg *fl_nft_message(uint8_t type, uint16_t flags, const char *family, size_t size)
{
	const struct nfgenmsg header = {.nfgen_family = family_number(family), .version = NFNETLINK_V0};

	return fl_rtnl_message_sized(NLMSG_LENGTH(sizeof(header)) + size, NFNL_SUBSYS_NFTABLES << 8 | type, flags,
				     &header, sizeof(header));
}

/*
 * Does a refusal say that something does not exist? A kernel without nftables refuses even well-formed questions with EINVAL; what
 * is asked for cannot be there.
 */
static bool means_none(int code)
{
	return code == -ENOENT || code == -EINVAL;
}

int fl_nft_has_table(struct fl_rtnl *netfilter, const struct fl_nft_place *place, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_nft_message(NFT_MSG_GETTABLE, 0, place->family, QUESTION_SIZE);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (!message || nla_put_string(message, NFTA_TABLE_NAME, place->table) < 0)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(netfilter, message, NULL, NULL, &error, "look for nft table %s %s", place->family,
			    place->table);
	if (means_none(r))
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r < 0 ? r : 1;
}

/* asks for a chain; parse sees the answer: 1, 0 without it, negative */
static int ask_chain(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *chain,
		     int (*parse)(void *userdata, const struct nlmsghdr *header), void *userdata,
		     struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_nft_message(NFT_MSG_GETCHAIN, 0, place->family, QUESTION_SIZE);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (!message || nla_put_string(message, NFTA_CHAIN_TABLE, place->table) < 0 ||
	    nla_put_string(message, NFTA_CHAIN_NAME, chain) < 0)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(netfilter, message, parse, userdata, &error, "look for nft chain %s %s %s", place->family,
			    place->table, chain);
	if (means_none(r))
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r < 0 ? r : 1;
}

int fl_nft_has_chain(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *chain,
		     struct flannel_error **ret_error)
{
	return ask_chain(netfilter, place, chain, NULL, NULL, ret_error);
}

/* reads the policy of a base chain */
static int take_policy(void *userdata, const struct nlmsghdr *header)
{
	struct nlattr *attr =
		nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)header, sizeof(struct nfgenmsg), NFTA_CHAIN_POLICY);

	if (attr && nla_len(attr) >= (int)sizeof(uint32_t))
		*(uint32_t *)userdata = be32toh(nla_get_u32(attr));
	return 0;
}

int fl_nft_chain_drops(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *chain,
		       struct flannel_error **ret_error)
{
	uint32_t policy = NF_ACCEPT;
	int r = ask_chain(netfilter, place, chain, take_policy, &policy, ret_error);

	return r <= 0 ? r : policy == NF_DROP;
}

/* names that a dump brought */
struct names {
	const char *prefix;
	char *text;
	size_t len;
	int n;
};

/* keeps the name of a table, if it is one of those wanted */
static int take_table(void *userdata, const struct nlmsghdr *header)
{
	struct names *names = userdata;
	struct nlattr *attr =
		nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)header, sizeof(struct nfgenmsg), NFTA_TABLE_NAME);
	const char *name = attr ? nla_data(attr) : "";
	size_t size = attr ? strnlen(name, (size_t)nla_len(attr)) + 1 : 1;
	char *larger;

	if (!attr || size > (size_t)nla_len(attr) || strncmp(name, names->prefix, strlen(names->prefix)) != 0)
		return 0;
	larger = realloc(names->text, names->len + size);
	if (!larger)
		return -ENOMEM;
	names->text = larger;
	memcpy(names->text + names->len, name, size);
	names->len += size;
	names->n++;
	return 0;
}

int fl_nft_list_tables(struct fl_rtnl *netfilter, const char *family, const char *prefix, char **ret_names,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_nft_message(NFT_MSG_GETTABLE, 0, family, QUESTION_SIZE);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct names names = {.prefix = prefix};
	int r = -EAGAIN;

	if (!message)
		return fl_error_oom(ret_error);
	for (int attempt = 0; r == -EAGAIN && attempt < DUMP_ATTEMPTS; attempt++) {
		error = flannel_error_unref(error);
		names.len = 0;
		names.n = 0;
		r = fl_rtnl_dump(netfilter, message, take_table, &names, &error, "list nft tables");
	}
	if (r < 0) {
		free(names.text);
		if (means_none(r)) {
			*ret_names = NULL;
			return 0;
		}
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	*ret_names = names.text;
	return names.n;
}
