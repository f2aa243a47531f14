/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_POD_ATTACHMENT_H
#define FL_DOMAIN_POD_ATTACHMENT_H

/*
 * What attaching a container wants, worked out from its options before anything is touched: gateways, default routes,
 * the bridge's addresses. Pure.
 */

#include <flannel/attachment.h>

#include "base/error.h"
#include "domain/underlay/interface.h"
#include "domain/plan/object.h"

struct fl_attachment_want {
	struct flannel_address *addresses; /* gateways filled in */
	size_t n_addresses;
	struct flannel_attachment_route *routes; /* as the caller is told: given ones, then default routes */
	size_t n_routes;
	struct fl_route *kernel_routes; /* the same for the kernel: gateways, tables, metrics filled in */
	struct fl_route
		*point_routes; /* POINT_TO_POINT: how the container reaches its gateways, and its networks by them */
	size_t n_point_routes;
	struct flannel_prefix *gateways; /* the bridge's addresses, IPv4 first; only with GATEWAY */
	size_t n_gateways;
	bool ipv4; /* there is an address of the family */
	bool ipv6;
};

/* is it the MAC address of one interface, not of a group */
bool fl_attachment_mac_is_valid(const char *text);

/* checks names, MAC, flags and addresses of the options: -EINVAL with the option's name and value */
int fl_attachment_check(const struct flannel_attachment_options *options, struct flannel_error **ret_error);

/* options were checked */
int fl_attachment_want(const struct flannel_attachment_options *options, struct fl_attachment_want *ret_want,
		       struct flannel_error **ret_error);

void fl_attachment_want_clear(struct fl_attachment_want *want);

/*
 * How a bridge address fits those that are there: 0 add it, 1 it is there already, -EEXIST another one is in the way
 * (any other IPv4 address; an IPv6 address whose network overlaps). ret_other: the first one in the way. kept: addresses
 * that the bridge should carry as well, such as the gateways of other ranges; they are never in the way.
 */
int fl_attachment_fit_address(const struct flannel_prefix *wanted, const struct flannel_prefix *kept, size_t n_kept,
			      const struct fl_interface_address *found, size_t n_found,
			      const struct flannel_prefix **ret_other);

/*
 * The MAC that goes with the first address of an attachment, the same whenever that address is given out: neighbours who knew the one
 * who had it before are right about the one who has it now. IPv4: 0a:58 and the address; IPv6: 0e and a hash. false without addresses.
 */
bool fl_attachment_choose_mac(const struct fl_attachment_want *want, uint8_t ret_mac[FL_MAC_LEN]);

#endif
