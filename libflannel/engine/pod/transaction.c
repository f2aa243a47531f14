/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/pod/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/netns.h"
#include "sys/rtnl/address.h"
#include "sys/rtnl/bridge_vlan.h"
#include "sys/sysctl.h"

/* a node that has had so many links has so many namespaces, as a rule, that a private place for settings costs less than it spares */
#define MANY_LINKS 512

/* from now on settings are found below /proc/sys again */
static void leave_private_settings(struct flannel_context *context)
{
	if (context->sysctl_root >= 0)
		close(context->sysctl_root);
	context->sysctl_root = FL_SYSCTL_ROOT;
}

int fl_transaction_begin(struct fl_transaction *transaction, struct flannel_context *context,
			 struct flannel_error **ret_error)
{
	*transaction = (struct fl_transaction){.context = context};
	return fl_context_get_rtnl(context, &transaction->node, ret_error);
}

/* room for one more note, taken before the kernel is asked, so that nothing done goes unnoted */
static int reserve(struct fl_transaction *transaction, struct flannel_error **ret_error)
{
	size_t n = transaction->n_allocated ? transaction->n_allocated * 2 : 8;
	struct fl_undo *undo;

	if (transaction->n_undo < transaction->n_allocated)
		return 0;
	undo = reallocarray(transaction->undo, n, sizeof(*undo));
	if (!undo)
		return fl_error_oom(ret_error);
	transaction->undo = undo;
	transaction->n_allocated = n;
	return 0;
}

/* the next note, to be filled in */
static struct fl_undo *note(struct fl_transaction *transaction, enum fl_verb verb, enum fl_object_type type,
			    uint32_t ifindex)
{
	struct fl_undo *undo = &transaction->undo[transaction->n_undo++];

	*undo = (struct fl_undo){.ifindex = ifindex};
	undo->operation.verb = verb;
	undo->operation.object.type = type;
	undo->operation.before.type = type;
	return undo;
}

int fl_transaction_create_link(struct fl_transaction *transaction, const struct fl_link *link, int peer_netns_fd,
			       struct fl_link_info *ret_info, struct flannel_error **ret_error)
{
	int r = reserve(transaction, ret_error);

	if (r >= 0)
		r = fl_link_create(transaction->node, link, peer_netns_fd, ret_info, ret_error);
	if (r < 0)
		return r;
	note(transaction, FL_VERB_CREATE, FL_OBJECT_LINK, ret_info->ifindex)->operation.object.link = *link;
	/* the settings come next: indexes are given out in order, and many links come with many namespaces */
	if (ret_info->ifindex > MANY_LINKS && transaction->context->sysctl_root == FL_SYSCTL_ROOT)
		transaction->context->sysctl_root = fl_sysctl_open_private();
	return 0;
}

void fl_transaction_disown_link(struct fl_transaction *transaction, const struct fl_link *link, const uint8_t *mac)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_link_info info;
	int r = fl_link_get(transaction->node, link->name, &info, &error);

	if (r > 0 && strcmp(info.kind, link->kind) == 0 && (!mac || memcmp(info.mac, mac, sizeof(info.mac)) == 0))
		r = fl_link_delete(transaction->node, info.ifindex, link->name, &error);
	if (r < 0)
		fl_log(&transaction->context->log, FLANNEL_LOG_WARNING, "attachment", "undo: %s",
		       flannel_error_get_message(error));
}

int fl_transaction_change_link(struct fl_transaction *transaction, uint32_t ifindex, const struct fl_link *link,
			       const struct fl_link *before, struct flannel_error **ret_error)
{
	struct fl_undo *undo;
	int r = reserve(transaction, ret_error);

	if (r >= 0)
		r = fl_link_change(transaction->node, ifindex, link, ret_error);
	if (r < 0)
		return r;
	undo = note(transaction, FL_VERB_REPLACE, FL_OBJECT_LINK, ifindex);
	undo->operation.object.link = *link;
	undo->operation.before.link = *before;
	return 0;
}

int fl_transaction_guard_mac(struct fl_transaction *transaction, const struct fl_link_info *info,
			     struct flannel_error **ret_error)
{
	struct fl_link *before;
	int r = reserve(transaction, ret_error);

	if (r < 0)
		return r;
	before = &note(transaction, FL_VERB_REPLACE, FL_OBJECT_LINK, info->ifindex)->operation.before.link;
	before->set = FL_LINK_MAC;
	memcpy(before->name, info->name, sizeof(before->name));
	memcpy(before->mac, info->mac, sizeof(before->mac));
	return 0;
}

int fl_transaction_add_address(struct fl_transaction *transaction, uint32_t ifindex, const struct fl_address *address,
			       struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = reserve(transaction, ret_error);

	if (r < 0)
		return r;
	r = fl_address_add(transaction->node, ifindex, &address->address, address->link, &error);
	if (r == -EEXIST)
		return 0;
	if (r < 0) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	note(transaction, FL_VERB_CREATE, FL_OBJECT_ADDRESS, ifindex)->operation.object.address = *address;
	return 1;
}

int fl_transaction_delete_address(struct fl_transaction *transaction, uint32_t ifindex,
				  const struct fl_address *address, struct flannel_error **ret_error)
{
	int r = reserve(transaction, ret_error);

	if (r >= 0)
		r = fl_address_delete(transaction->node, ifindex, &address->address, address->link, ret_error);
	if (r <= 0)
		return r;
	note(transaction, FL_VERB_DELETE, FL_OBJECT_ADDRESS, ifindex)->operation.before.address = *address;
	return 1;
}

/* settings are those of the calling thread's namespace, so the context's is visited if it is another one */
struct sysctl_visit {
	int root;
	const struct fl_sysctl *sysctl;
	char before[FL_SYSCTL_VALUE_SIZE];
};

static int visit_sysctl(void *userdata, struct flannel_error **ret_error)
{
	struct sysctl_visit *visit = userdata;

	return fl_sysctl_write(visit->root, visit->sysctl, visit->before, ret_error);
}

/* an object for a setting */
static struct fl_sysctl make_sysctl(const char *name, const char *value, bool optional)
{
	struct fl_sysctl sysctl = {.optional = optional};

	snprintf(sysctl.name, sizeof(sysctl.name), "%s", name);
	snprintf(sysctl.value, sizeof(sysctl.value), "%s", value);
	return sysctl;
}

int fl_transaction_write_sysctl(struct fl_transaction *transaction, const char *name, const char *value, bool optional,
				struct flannel_error **ret_error)
{
	struct fl_sysctl sysctl = make_sysctl(name, value, optional);
	struct sysctl_visit visit = {.root = transaction->context->sysctl_root, .sysctl = &sysctl};
	struct fl_undo *undo;
	int r = reserve(transaction, ret_error);

	if (r >= 0)
		r = fl_netns_run(transaction->context->netns_fd, transaction->context->single_threaded, visit_sysctl,
				 &visit, ret_error);
	if (r <= 0)
		return r;
	undo = note(transaction, FL_VERB_REPLACE, FL_OBJECT_SYSCTL, 0);
	undo->operation.object.sysctl = sysctl;
	undo->operation.before.sysctl = make_sysctl(name, visit.before, true);
	return 1;
}

void fl_transaction_commit(struct fl_transaction *transaction)
{
	transaction->n_undo = 0;
}

void fl_transaction_hand_over(struct fl_transaction *transaction, struct fl_transaction *ret_held)
{
	*ret_held = *transaction;
	ret_held->context = NULL;
	ret_held->node = NULL;
	*transaction = (struct fl_transaction){.context = transaction->context, .node = transaction->node};
}

int fl_transaction_take_back(struct fl_transaction *held, struct flannel_context *context,
			     struct flannel_error **ret_error)
{
	int r = fl_context_get_rtnl(context, &held->node, ret_error);

	if (r < 0)
		return r;
	held->context = context;
	fl_transaction_end(held);
	return 0;
}

void fl_transaction_discard(struct fl_transaction *held)
{
	free(held->undo);
	*held = (struct fl_transaction){0};
}

/* who may have come to rely on what a step did, besides whoever called */
enum share {
	SHARE_NOBODY, /* a container's link */
	SHARE_VLAN,   /* other ports of the VLAN, on its interface */
	SHARE_BRIDGE, /* all ports */
};

static enum share share_of(const struct fl_transaction *transaction, const struct fl_undo *undo)
{
	const struct fl_operation *operation = &undo->operation;

	if (transaction->vlan_ifindex && undo->ifindex == transaction->vlan_ifindex)
		return SHARE_VLAN;
	if (operation->object.type == FL_OBJECT_LINK && operation->verb == FL_VERB_CREATE &&
	    strcmp(operation->object.link.kind, "bridge") != 0)
		return SHARE_NOBODY;
	return SHARE_BRIDGE;
}

/* Has another link one of the addresses of the node's ends? Where that cannot be told, then better yes. */
static bool has_other_points(struct fl_transaction *transaction)
{
	FL_CLEANUP(fl_freep) struct fl_interface_address *found = NULL;
	size_t n = 0;

	if (!transaction->n_point_addresses)
		return false;
	if (fl_address_list(transaction->node, 0, AF_UNSPEC, &found, &n, NULL) < 0)
		return true;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < transaction->n_point_addresses; k++) {
			if (flannel_prefix_compare(&found[i].address, &transaction->point_addresses[k]) == 0)
				return true;
		}
	}
	return false;
}

/* Who else is there: ports of the bridge, and of them any in the VLAN? Where that cannot be told, then better all. */
static enum share find_sharers(struct fl_transaction *transaction)
{
	FL_CLEANUP(fl_freep) struct fl_link_info *links = NULL;
	enum share sharers = SHARE_NOBODY;
	size_t n;

	if (!transaction->bridge_ifindex)
		return has_other_points(transaction) ? SHARE_BRIDGE : SHARE_NOBODY;
	if (fl_link_list(transaction->node, &links, &n, NULL) < 0)
		return SHARE_VLAN;
	for (size_t i = 0; i < n; i++) {
		if (links[i].master_ifindex != transaction->bridge_ifindex ||
		    links[i].ifindex == transaction->vlan_port_ifindex)
			continue;
		sharers = SHARE_BRIDGE;
		if (!transaction->vlan_ifindex)
			break;
		if (fl_bridge_vlan_has(transaction->node, links[i].ifindex, transaction->vlan, NULL) != 0)
			return SHARE_VLAN;
	}
	return sharers;
}

/* has a link that MAC address, so that it need not be written? (Writing pins it.) */
static bool has_mac(struct fl_transaction *transaction, uint32_t ifindex, const struct fl_link *link)
{
	struct fl_link_info info;

	return fl_link_get_by_index(transaction->node, ifindex, &info, NULL) > 0 &&
	       memcmp(info.mac, link->mac, sizeof(info.mac)) == 0;
}

/* a link that was made is deleted, one that was changed gets its former attributes */
static int undo_link(struct fl_transaction *transaction, const struct fl_undo *undo, struct flannel_error **ret_error)
{
	const struct fl_link *link = &undo->operation.object.link, *before = &undo->operation.before.link;

	if (undo->operation.verb == FL_VERB_REPLACE && (before->set & FL_LINK_MAC) &&
	    has_mac(transaction, undo->ifindex, before))
		return 0;
	if (undo->operation.verb == FL_VERB_REPLACE)
		return fl_link_change(transaction->node, undo->ifindex, before, ret_error);
	return fl_link_delete(transaction->node, undo->ifindex, link->name, ret_error);
}

/* takes one step back */
static int undo_step(struct fl_transaction *transaction, const struct fl_undo *undo, struct flannel_error **ret_error)
{
	const struct fl_operation *operation = &undo->operation;
	const struct fl_address *address = &operation->object.address;
	struct sysctl_visit visit = {.root = transaction->context->sysctl_root, .sysctl = &operation->before.sysctl};

	switch (operation->object.type) {
	case FL_OBJECT_LINK:
		return undo_link(transaction, undo, ret_error);
	case FL_OBJECT_ADDRESS:
		if (operation->verb == FL_VERB_CREATE)
			return fl_address_delete(transaction->node, undo->ifindex, &address->address, address->link,
						 ret_error);
		address = &operation->before.address;
		return fl_address_add(transaction->node, undo->ifindex, &address->address, address->link, ret_error);
	case FL_OBJECT_SYSCTL:
		if (!visit.sysctl->value[0])
			return 0;
		return fl_netns_run(transaction->context->netns_fd, transaction->context->single_threaded, visit_sysctl,
				    &visit, ret_error);
	case FL_OBJECT_NEIGHBOUR:
	case FL_OBJECT_FDB:
	case FL_OBJECT_ROUTE:
		break; /* routes of a container go with its link */
	}
	return 0;
}

/* takes one step back; what cannot be taken back is logged */
static void undo_or_log(struct fl_transaction *transaction, const struct fl_undo *undo)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (undo_step(transaction, undo, &error) < 0)
		fl_log(&transaction->context->log, FLANNEL_LOG_WARNING, "attachment", "undo: %s",
		       flannel_error_get_message(error));
}

/* takes back, in reverse, the steps that others may rely on to that degree */
static void undo_shared(struct fl_transaction *transaction, enum share share)
{
	for (size_t i = transaction->n_undo; i-- > 0;) {
		if (share_of(transaction, &transaction->undo[i]) == share)
			undo_or_log(transaction, &transaction->undo[i]);
	}
}

void fl_transaction_end(struct fl_transaction *transaction)
{
	enum share sharers = SHARE_VLAN;

	undo_shared(transaction, SHARE_NOBODY);
	/* Our own port is gone now. If the bridge has others, its addresses, flags and forwarding serve them. */
	if (transaction->n_undo)
		sharers = find_sharers(transaction);
	if (sharers != SHARE_VLAN)
		undo_shared(transaction, SHARE_VLAN);
	if (sharers == SHARE_NOBODY)
		undo_shared(transaction, SHARE_BRIDGE);
	free(transaction->undo);
	if (transaction->context)
		leave_private_settings(transaction->context);
	*transaction = (struct fl_transaction){0};
}
