/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/pod/bridge.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/mac.h"
#include "sys/rtnl/address.h"

/*
 * A MAC that is given, not chosen by the kernel, stays: else the bridge would take on that of its lowest port, and containers
 * would lose their gateway whenever one comes or goes. A bridge that is nobody's gateway keeps the kernel's ways.
 */
static int choose_mac(const struct fl_bridge_want *want, struct fl_link *link, struct flannel_error **ret_error)
{
	if (!want->n_addresses)
		return 0;
	link->set |= FL_LINK_MAC;
	return fl_mac_draw(link->mac, ret_error);
}

/* a refusal to filter VLANs, mostly because the kernel cannot, in which case its own words would be but "not supported" */
static int explain_vlans(const struct fl_bridge_want *want, int code, struct flannel_error **ret_error)
{
	if (code != -EOPNOTSUPP || !want->vlan_filter)
		return code;
	return fl_error_wrap(ret_error, code, "make bridge %s filter VLANs, for which the kernel needs %s", want->name,
			     "CONFIG_BRIDGE_VLAN_FILTERING");
}

/* gets or makes the bridge; another process may make it at the same moment */
static int get_or_create(struct fl_transaction *transaction, const struct fl_bridge_want *want,
			 struct fl_link_info *ret_info, struct flannel_error **ret_error)
{
	struct fl_link link = {.kind = "bridge", .mtu = want->mtu, .set = want->mtu ? FL_LINK_MTU : 0};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_link_get(transaction->node, want->name, ret_info, ret_error);

	if (r != 0)
		return r < 0 ? r : 0;
	r = choose_mac(want, &link, ret_error);
	if (r < 0)
		return r;
	snprintf(link.name, sizeof(link.name), "%s", want->name);
	link.vlan_filter = want->vlan_filter;
	link.set |= want->vlan_filter ? FL_LINK_VLAN_FILTER : 0;
	r = fl_transaction_create_link(transaction, &link, -1, ret_info, &error);
	if (r == -EEXIST) {
		r = fl_link_get(transaction->node, want->name, ret_info, ret_error);
		if (r == 0)
			return fl_error_set_retryable(ret_error, -EAGAIN, "attachment", "it came and went",
						      "make bridge %s", want->name);
		return r < 0 ? r : 0;
	}
	if (r < 0 && (link.set & FL_LINK_MAC))
		fl_transaction_disown_link(transaction, &link, link.mac);
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r < 0 ? explain_vlans(want, r, ret_error) : 1;
}

/* a bridge that exists begins to filter VLANs, if it should: its ports stay together in the VLAN of new ports */
static int set_vlan_filter(struct fl_transaction *transaction, const struct fl_bridge_want *want,
			   struct fl_link_info *info, struct flannel_error **ret_error)
{
	struct fl_link link = {.kind = "bridge", .set = FL_LINK_VLAN_FILTER, .vlan_filter = true}, before;
	int r;

	if (!want->vlan_filter || info->vlan_filter)
		return 0;
	memcpy(link.name, info->name, sizeof(link.name));
	before = link;
	before.vlan_filter = false;
	r = fl_transaction_change_link(transaction, info->ifindex, &link, &before, ret_error);
	if (r < 0)
		return explain_vlans(want, r, ret_error);
	info->vlan_filter = true;
	return 1;
}

/* router advertisements are not for a bridge of containers; before it goes up (CVE-2020-10749) */
static int refuse_advertisements(struct fl_transaction *transaction, const struct fl_link_info *info,
				 struct flannel_error **ret_error)
{
	char setting[80];

	if (info->refuses_ra)
		return 0;
	snprintf(setting, sizeof(setting), "net/ipv6/conf/%s/accept_ra", info->name);
	return fl_transaction_write_sysctl(transaction, setting, "0", true, ret_error);
}

/* up, and promiscuous if asked for: one request, and none if it is so already */
static int set_flags(struct fl_transaction *transaction, const struct fl_bridge_want *want,
		     const struct fl_link_info *info, struct flannel_error **ret_error)
{
	struct fl_link link = {.kind = "bridge", .up = true, .promisc = true}, before;
	int r;

	memcpy(link.name, info->name, sizeof(link.name));
	if (!(info->flags & IFF_UP))
		link.set |= FL_LINK_UP;
	if (want->promiscuous && !(info->flags & IFF_PROMISC))
		link.set |= FL_LINK_PROMISC;
	if (!link.set)
		return 0;
	before = link;
	before.up = false;
	before.promisc = false;
	r = fl_transaction_change_link(transaction, info->ifindex, &link, &before, ret_error);
	return r < 0 ? r : 1;
}

/* an address is in the way */
static int refuse(const struct fl_bridge_want *want, const struct flannel_prefix *address,
		  const struct flannel_prefix *other, struct flannel_error **ret_error)
{
	char wanted_text[FLANNEL_PREFIX_STRLEN], other_text[FLANNEL_PREFIX_STRLEN];

	flannel_prefix_format(other, other_text, sizeof(other_text));
	return fl_error_set(ret_error, -EEXIST, "attachment", "it has another address",
			    "set address %s on %s, which has %s",
			    flannel_prefix_format(address, wanted_text, sizeof(wanted_text)), want->name, other_text);
}

/* 1 if the bridge has the address, 0 if not; *ret_other: one in the way that may be removed, family AF_UNSPEC for none */
static int look_up_address(struct fl_transaction *transaction, const struct fl_bridge_want *want,
			   const struct fl_link_info *info, const struct flannel_prefix *address,
			   struct flannel_prefix *ret_other, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_interface_address *found = NULL;
	const struct flannel_prefix *other = NULL;
	size_t n = 0;
	int r = fl_address_list(transaction->node, info->ifindex, address->family, &found, &n, ret_error);

	if (r < 0)
		return r;
	/* as the reference plugin does, a second IPv4 gateway needs force, too; then it joins the first */
	r = fl_attachment_fit_address(address, want->addresses, want->force_address ? want->n_addresses : 0, found, n,
				      &other);
	if (r < 0 && !want->force_address)
		return refuse(want, address, other, ret_error);
	*ret_other = r < 0 ? *other : (struct flannel_prefix){0};
	return r > 0;
}

/* one address of the bridge: 1 if it was added */
static int ensure_address(struct fl_transaction *transaction, const struct fl_bridge_want *want,
			  const struct fl_link_info *info, const struct flannel_prefix *address,
			  struct flannel_error **ret_error)
{
	struct fl_address object = {0};
	struct flannel_prefix other;
	int r;

	memcpy(object.link, info->name, sizeof(object.link));
	for (;;) {
		r = look_up_address(transaction, want, info, address, &other, ret_error);
		if (r != 0)
			return r < 0 ? r : 0;
		if (!other.family)
			break;
		object.address = other;
		r = fl_transaction_delete_address(transaction, info->ifindex, &object, ret_error);
		if (r < 0)
			return r;
	}
	object.address = *address;
	return fl_transaction_add_address(transaction, info->ifindex, &object, ret_error);
}

/* Writing the MAC that a bridge has pins it, for the reason that choose_mac() gives. */
static int pin_mac(struct fl_transaction *transaction, const struct fl_link_info *info,
		   struct flannel_error **ret_error)
{
	struct fl_link link = {.kind = "bridge", .set = FL_LINK_MAC};

	memcpy(link.name, info->name, sizeof(link.name));
	memcpy(link.mac, info->mac, sizeof(link.mac));
	return fl_link_change(transaction->node, info->ifindex, &link, ret_error);
}

/* number of addresses that the bridge lacks; a new one lacks all */
static int count_missing(struct fl_transaction *transaction, const struct fl_bridge_want *want,
			 const struct fl_link_info *info, bool is_new, size_t *ret_n, struct flannel_error **ret_error)
{
	size_t n = is_new ? want->n_addresses : 0;

	for (size_t i = 0; i < want->n_addresses && !is_new; i++) {
		struct flannel_prefix other;
		int r = look_up_address(transaction, want, info, &want->addresses[i], &other, ret_error);

		if (r < 0)
			return r;
		n += r == 0;
	}
	*ret_n = n;
	return 0;
}

int fl_bridge_open(struct fl_transaction *transaction, const struct fl_bridge_want *want, struct fl_link_info *ret_info,
		   size_t *ret_n_missing, struct flannel_error **ret_error)
{
	size_t n_missing;
	int changed, r = get_or_create(transaction, want, ret_info, ret_error);
	bool is_new = r > 0;

	if (r < 0)
		return r;
	changed = r;
	transaction->bridge_ifindex = ret_info->ifindex;
	if (strcmp(ret_info->kind, "bridge") != 0)
		return fl_error_set(ret_error, -EEXIST, "attachment", "it is no bridge", "use link %s (%s) as a bridge",
				    want->name, ret_info->kind[0] ? ret_info->kind : "a device");
	r = count_missing(transaction, want, ret_info, is_new, &n_missing, ret_error);
	if (r >= 0)
		r = set_vlan_filter(transaction, want, ret_info, ret_error);
	if (r >= 0) {
		changed |= r;
		r = refuse_advertisements(transaction, ret_info, ret_error);
	}
	if (r >= 0) {
		changed |= r;
		r = set_flags(transaction, want, ret_info, ret_error);
	}
	if (r >= 0 && n_missing && !is_new) {
		changed |= r;
		r = pin_mac(transaction, ret_info, ret_error);
	}
	if (r < 0)
		return r;
	*ret_n_missing = n_missing;
	return changed | r;
}

int fl_bridge_set_addresses(struct fl_transaction *transaction, const struct fl_bridge_want *want,
			    const struct fl_link_info *info, struct flannel_error **ret_error)
{
	int changed = 0;

	for (size_t i = 0; i < want->n_addresses; i++) {
		int r = ensure_address(transaction, want, info, &want->addresses[i], ret_error);

		if (r < 0)
			return r;
		changed |= r;
	}
	return changed;
}

void fl_link_describe(const struct fl_link_info *info, struct flannel_link *ret_link)
{
	ret_link->ifindex = info->ifindex;
	ret_link->mtu = info->mtu;
	memcpy(ret_link->name, info->name, sizeof(ret_link->name));
	fl_mac_format(info->mac, ret_link->mac, sizeof(ret_link->mac));
}

/* names, addresses and the like that a host may get wrong */
static int check_options(const struct flannel_bridge_options *options, const struct flannel_link *ret_link,
			 struct flannel_error **ret_error)
{
	if (!fl_ifname_can_be_given(options->name))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an interface name of 1 to 15 bytes",
				    "name is \"%s\"", options->name ? options->name : "");
	if (ret_link && ret_link->size != sizeof(*ret_link))
		return fl_error_set(ret_error, -EINVAL, "argument", "its size is wrong", "ret_link");
	if (options->n_addresses && !options->addresses)
		return fl_error_set(ret_error, -EINVAL, "argument", "it is NULL", "%zu addresses",
				    options->n_addresses);
	for (size_t i = 0; i < options->n_addresses; i++) {
		if (!options->addresses[i].family)
			return fl_error_set(ret_error, -EINVAL, "argument", "it is missing", "address %zu", i);
	}
	return 0;
}

int flannel_bridge_ensure(struct flannel_context *context, const struct flannel_bridge_options *options,
			  struct flannel_link *ret_link, struct flannel_error **ret_error)
{
	FL_CLEANUP_TRANSACTION struct fl_transaction transaction = {0};
	struct flannel_bridge_options copy;
	struct fl_bridge_want want;
	struct fl_link_info info;
	size_t n_missing;
	int r, changed;

	if (!context || !options)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "ensure a bridge");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), options, "flannel_bridge_options", ret_error);
	if (r >= 0)
		r = check_options(&copy, ret_link, ret_error);
	if (r >= 0)
		r = fl_transaction_begin(&transaction, context, ret_error);
	if (r < 0)
		return r;
	want = (struct fl_bridge_want){.name = copy.name, .mtu = copy.mtu};
	want.promiscuous = copy.promiscuous != 0;
	want.force_address = copy.force_address != 0;
	want.vlan_filter = copy.vlan_filter != 0;
	want.addresses = copy.addresses;
	want.n_addresses = copy.n_addresses;
	changed = fl_bridge_open(&transaction, &want, &info, &n_missing, ret_error);
	if (changed < 0)
		return changed;
	r = n_missing ? fl_bridge_set_addresses(&transaction, &want, &info, ret_error) : 0;
	if (r < 0)
		return r;
	changed |= r;
	fl_transaction_commit(&transaction);
	if (ret_link)
		fl_link_describe(&info, ret_link);
	return changed;
}
