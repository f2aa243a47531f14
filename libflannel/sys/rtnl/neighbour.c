/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sys/execute.h"
#include "sys/rtnl/neighbour.h"

/* attributes of an object of either type */
static int put_entry(struct nl_msg *message, const struct fl_object *object)
{
	bool fdb = object->type == FL_OBJECT_FDB;
	const struct flannel_prefix *dst = fdb ? &object->fdb.dst : &object->neighbour.address;
	const uint8_t *mac = fdb ? object->fdb.mac : object->neighbour.mac;
	int r = 0;

	if (fl_rtnl_address_len(dst->family))
		r |= nla_put(message, NDA_DST, fl_rtnl_address_len(dst->family), dst->addr);
	return r | nla_put(message, NDA_LLADDR, FL_MAC_LEN, mac);
}

struct nl_msg *fl_neighbour_make_message(enum fl_verb verb, const struct fl_object *object, uint32_t ifindex)
{
	bool fdb = object->type == FL_OBJECT_FDB;
	const struct ndmsg header = {
		.ndm_family = (uint8_t)(fdb ? AF_BRIDGE : object->neighbour.address.family),
		.ndm_ifindex = (int)ifindex,
		.ndm_state = NUD_PERMANENT,
		.ndm_flags = fdb ? NTF_SELF : 0,
	};
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = NULL;

	if (verb == FL_VERB_DELETE)
		message = fl_rtnl_message(RTM_DELNEIGH, 0, &header, sizeof(header));
	else
		message = fl_rtnl_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));
	if (!message || put_entry(message, object) < 0)
		return NULL;
	return FL_TAKE(message);
}

int fl_neighbour_execute(struct fl_rtnl *rtnl, enum fl_verb verb, const struct fl_object *object,
			 struct flannel_error **ret_error)
{
	const struct fl_operation operation = {.verb = verb, .object = *object};
	struct flannel_error *error = NULL;
	int result = 0, r = fl_execute(rtnl, &operation, 1, &result, &error, ret_error);

	if (r == 0 && result < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	flannel_error_unref(error);
	return r < 0 ? r : result;
}

/* types and lengths that the attributes must have */
static const struct nla_policy neighbour_policy[NDA_MAX + 1] = {
	[NDA_DST] = {.minlen = 4, .maxlen = 16},
	[NDA_LLADDR] = {.maxlen = 32},
};

/* reads the address of a neighbour or the destination of an FDB entry: 1, 0 if there is none */
static int parse_dst(const struct nlattr *attr, struct flannel_prefix *ret_dst)
{
	if (!attr)
		return 0;
	if (nla_len(attr) != 4 && nla_len(attr) != 16)
		return -EBADMSG;
	*ret_dst = (struct flannel_prefix){.family = nla_len(attr) == 4 ? AF_INET : AF_INET6};
	ret_dst->plen = (uint8_t)(8 * nla_len(attr));
	memcpy(ret_dst->addr, nla_data(attr), (size_t)nla_len(attr));
	return 1;
}

int fl_neighbour_parse(const struct nlmsghdr *header, struct fl_object *ret_object, uint32_t *ret_ifindex)
{
	struct fl_object object = {.role = FL_ROLE_NODE};
	struct nlattr *tb[NDA_MAX + 1];
	struct flannel_prefix dst;
	const struct ndmsg *entry;
	bool has_mac, dynamic;
	int r;

	if (!nlmsg_valid_hdr(header, sizeof(*entry)))
		return -EBADMSG;
	entry = nlmsg_data(header);
	if (nla_parse(tb, NDA_MAX, nlmsg_attrdata(header, sizeof(*entry)), nlmsg_attrlen(header, sizeof(*entry)),
		      neighbour_policy) < 0)
		return -EBADMSG;
	r = parse_dst(tb[NDA_DST], &dst);
	if (r <= 0)
		return r;
	has_mac = tb[NDA_LLADDR] && nla_len(tb[NDA_LLADDR]) == FL_MAC_LEN;
	dynamic = !(entry->ndm_state & NUD_PERMANENT) || !has_mac;
	if (entry->ndm_family == AF_BRIDGE) {
		if (!(entry->ndm_flags & NTF_SELF) || !has_mac)
			return 0;
		object.type = FL_OBJECT_FDB;
		object.fdb = (struct fl_fdb){.dst = dst, .dynamic = dynamic};
		memcpy(object.fdb.mac, nla_data(tb[NDA_LLADDR]), FL_MAC_LEN);
	} else if (entry->ndm_family == dst.family) {
		object.type = FL_OBJECT_NEIGHBOUR;
		object.neighbour = (struct fl_neighbour){.address = dst, .dynamic = dynamic};
		if (has_mac)
			memcpy(object.neighbour.mac, nla_data(tb[NDA_LLADDR]), FL_MAC_LEN);
	} else {
		return 0;
	}
	*ret_object = object;
	*ret_ifindex = (uint32_t)entry->ndm_ifindex;
	return 1;
}

/* a list on its way: of one link */
struct listing {
	uint32_t ifindex;
	const char *link;
	const struct fl_neighbour_filter *filter;
};

/* one entry of a list. The kernel's filter is looked at again: a kernel that does not know it sends everything. */
static int parse_item(void *userdata, const struct nlmsghdr *header, void *ret_item)
{
	const struct listing *listing = userdata;
	struct fl_object *object = ret_item;
	uint32_t ifindex;
	int r = fl_neighbour_parse(header, object, &ifindex);

	if (r <= 0 || ifindex != listing->ifindex)
		return r < 0 ? r : 0;
	if (object->type == FL_OBJECT_FDB)
		snprintf(object->fdb.link, sizeof(object->fdb.link), "%s", listing->link);
	else
		snprintf(object->neighbour.link, sizeof(object->neighbour.link), "%s", listing->link);
	if (object->type == FL_OBJECT_FDB ? object->fdb.dynamic : object->neighbour.dynamic)
		return 0;
	return !listing->filter || listing->filter->wants(listing->filter->userdata, object);
}

int fl_neighbour_list(struct fl_rtnl *rtnl, int family, uint32_t ifindex, const char *link,
		      const struct fl_neighbour_filter *filter, struct fl_object **ret_objects, size_t *ret_n,
		      struct flannel_error **ret_error)
{
	/* the two tables are asked for a link's entries in different ways */
	const struct ndmsg header = {
		.ndm_family = (uint8_t)family,
		.ndm_ifindex = family == AF_BRIDGE ? (int)ifindex : 0,
	};
	struct listing listing = {.ifindex = ifindex, .link = link, .filter = filter};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_GETNEIGH, 0, &header, sizeof(header));
	void *objects = NULL;
	int r;

	if (!message || (family != AF_BRIDGE && nla_put_u32(message, NDA_IFINDEX, ifindex) < 0))
		return fl_error_oom(ret_error);
	r = fl_rtnl_list(rtnl, message, sizeof(**ret_objects), parse_item, &listing, &objects, ret_n, ret_error,
			 family == AF_BRIDGE ? "list the FDB" : "list neighbours");
	if (r == 0)
		*ret_objects = objects;
	return r;
}
