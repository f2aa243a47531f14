/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <flannel/mac_guard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/pod/attachment.h"
#include "domain/firewall/mac_guard.h"
#include "domain/firewall/element_owner.h"
#include "engine/context.h"
#include "engine/firewall/former.h"
#include "sys/nft/nft.h"
#include "sys/nft/element.h"
#include "sys/nft/rule.h"

#define HELPER_TIMEOUT_MS 5000

static const struct fl_nft_place place = {.family = FL_MAC_GUARD_FAMILY, .table = FL_MAC_GUARD_TABLE};

/* checks whose guard it is */
static int check_owner(const char *network, const struct flannel_attachment_id *attachment,
		       struct flannel_error **ret_error)
{
	if (network && network[0] && attachment && attachment->size == sizeof(*attachment) &&
	    attachment->container_id && attachment->container_id[0] && fl_ifname_is_valid(attachment->ifname))
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument",
			    "expected a network's name, a container's id and an interface name",
			    "find the MAC guard of an attachment");
}

/* Makes the table, or puts its rule back: 1, or 0 if all is there. Somebody else may make it at the same moment. */
static int ensure_table(struct flannel_context *context, struct fl_rtnl *netfilter, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_nft *nft;
	bool is_there;
	size_t n = 0;
	int r = fl_nft_rule_list(netfilter, &place, FL_MAC_GUARD_CHAIN, &rules, &n, &error);

	is_there = r >= 0;
	if (r >= 0 && n > 0)
		return 0;
	if (r >= 0 || r == -ENOENT) {
		error = flannel_error_unref(error);
		/* a chain that has no rules looks the same as none */
		r = fl_nft_has_chain(netfilter, &place, FL_MAC_GUARD_CHAIN, &error);
		is_there = r > 0;
	}
	if (r >= 0)
		r = fl_context_get_nft(context, &nft, &error);
	if (r >= 0)
		r = fl_nft_run_sync(nft, fl_mac_guard_commands(is_there), HELPER_TIMEOUT_MS, &error);
	if (r == -EEXIST)
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r < 0 ? r : 1;
}

int flannel_mac_guard_ensure(struct flannel_context *context, const struct flannel_mac_guard_options *options,
			     struct flannel_error **ret_error)
{
	struct fl_nft_element elements[FL_MAC_GUARD_ELEMENTS];
	struct flannel_mac_guard_options copy;
	char owner[FL_NFT_COMMENT_MAX + 1];
	struct fl_rtnl *netfilter;
	uint8_t mac[FL_MAC_LEN];
	int r, changed;

	if (!context || !options)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "guard a port");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), options, "flannel_mac_guard_options", ret_error);
	if (r >= 0)
		r = check_owner(copy.network, copy.attachment, ret_error);
	if (r < 0)
		return r;
	if (!fl_ifname_is_valid(copy.port) || !copy.mac || !fl_attachment_mac_is_valid(copy.mac) ||
	    fl_mac_parse(copy.mac, mac) < 0)
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected an interface name and one interface's address",
				    "guard port \"%s\" with MAC address \"%s\"", copy.port ? copy.port : "",
				    copy.mac ? copy.mac : "");
	fl_element_owner_format(copy.network, copy.attachment, owner);
	fl_mac_guard_elements(copy.port, mac, owner, elements);
	r = fl_context_get_netfilter(context, &netfilter, ret_error);
	changed = r < 0 ? r : ensure_table(context, netfilter, ret_error);
	if (changed >= 0)
		r = fl_nft_element_add(netfilter, &place, elements, FL_MAC_GUARD_ELEMENTS, NULL, ret_error);
	if (changed < 0 || r < 0)
		return fl_error_wrap(ret_error, changed < 0 ? changed : r, "guard port %s", copy.port);
	return changed;
}

/* whose guards a sweep ends: those of one owner, or those of a network whose owner is none of a list */
struct broom {
	char owner[FL_NFT_COMMENT_MAX + 1];
	bool is_network;
	const char *network;
	const struct flannel_attachment_id *kept;
	size_t n_kept;
};

/* does an element go */
static bool takes(const struct broom *broom, const struct fl_nft_element *element)
{
	char kept[FL_NFT_COMMENT_MAX + 1];

	if (fl_nft_element_is_retired(element))
		return false;
	if (!broom->is_network)
		return fl_element_owner_equal(element->comment, broom->owner);
	if (!fl_element_owner_same_network(element->comment, broom->owner))
		return false;
	for (size_t i = 0; i < broom->n_kept; i++) {
		fl_element_owner_format(broom->network, &broom->kept[i], kept);
		if (fl_element_owner_equal(element->comment, kept))
			return false;
	}
	return true;
}

/* retires what goes of one set: how many elements, or negative; a set that is not there has none */
static int sweep(struct fl_rtnl *netfilter, const char *set, const struct broom *broom,
		 struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_element *elements = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	size_t n = 0, n_taken = 0;
	int r = fl_nft_element_list(netfilter, &place, set, &elements, &n, &error);

	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (takes(broom, &elements[i]))
			elements[n_taken++] = elements[i];
	}
	if (r >= 0 && n_taken)
		r = fl_nft_element_retire(netfilter, &place, elements, n_taken, &error);
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r < 0 ? r : (int)n_taken;
}

/* ends guards: first that ports are guarded, then what they may send */
static int end_guards(struct flannel_context *context, const struct broom *broom, struct flannel_error **ret_error)
{
	struct fl_rtnl *netfilter;
	int n, r = fl_context_get_netfilter(context, &netfilter, ret_error);

	if (r < 0)
		return fl_error_wrap(ret_error, r, "end the MAC guard of a port");
	n = sweep(netfilter, FL_MAC_GUARD_PORTS, broom, ret_error);
	r = n < 0 ? n : sweep(netfilter, FL_MAC_GUARD_ALLOWED, broom, ret_error);
	return r < 0 ? fl_error_wrap(ret_error, r, "end the MAC guard of a port") : n;
}

int flannel_mac_guard_remove(struct flannel_context *context, const char *network,
			     const struct flannel_attachment_id *attachment, struct flannel_error **ret_error)
{
	struct broom broom = {.is_network = false};
	int r = context ? check_owner(network, attachment, ret_error)
			: fl_error_set(ret_error, -EINVAL, "argument", "a context is needed", "end a MAC guard");

	if (r < 0)
		return r;
	fl_element_owner_format(network, attachment, broom.owner);
	return end_guards(context, &broom, ret_error);
}

int flannel_mac_guard_collect(struct flannel_context *context, const char *network,
			      const struct flannel_attachment_id *attachments, size_t n_attachments,
			      struct flannel_error **ret_error)
{
	const struct flannel_attachment_id any = {.size = sizeof(any), .container_id = "any", .ifname = "any"};
	struct broom broom = {.is_network = true, .network = network, .kept = attachments, .n_kept = n_attachments};
	int r;

	if (!context || (n_attachments && !attachments))
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "collect MAC guards");
	r = check_owner(network, &any, ret_error);
	for (size_t i = 0; i < n_attachments && r >= 0; i++)
		r = check_owner(network, &attachments[i], ret_error);
	if (r < 0)
		return r;
	fl_element_owner_format(network, &any, broom.owner);
	return end_guards(context, &broom, ret_error);
}

int flannel_mac_guard_remove_former(struct flannel_context *context, const struct flannel_attachment_id *attachment,
				    struct flannel_error **ret_error)
{
	const struct fl_nft_table_name table = {.family = "bridge", .name = "nat"};
	char chain[128], mac_chain[128]; /* the kernel has no longer names */
	struct fl_former former;
	int len, r = context ? check_owner("any", attachment, ret_error)
			     : fl_error_set(ret_error, -EINVAL, "argument", "a context is needed",
					    "remove former rules");

	if (r < 0)
		return r;
	(void)snprintf(chain, sizeof(chain), "cni-br-iface-%s-%s", attachment->container_id, attachment->ifname);
	len = snprintf(mac_chain, sizeof(mac_chain), "cni-br-iface-%s-%s-mac", attachment->container_id,
		       attachment->ifname);
	if (len >= (int)sizeof(mac_chain))
		return 0;
	r = fl_former_begin(&former, context, ret_error);
	if (r >= 0)
		r = fl_former_take_chain(&former, &table, mac_chain, ret_error);
	if (r >= 0)
		r = fl_former_take_chain(&former, &table, chain, ret_error);
	if (r >= 0)
		r = fl_former_remove(&former, ret_error);
	fl_former_end(&former);
	return r < 0 ? fl_error_wrap(ret_error, r, "remove former rules of %s", chain) : r;
}
