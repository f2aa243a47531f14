/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_BACKEND_VXLAN_H
#define FL_DOMAIN_BACKEND_VXLAN_H

/* The vxlan backend's settings (Backend in the network configuration) and what its nodes tell each other in their leases. */

#include <stdbool.h>
#include <stdint.h>

#include <flannel/netconf.h>

#include "base/error.h"
#include "domain/plan/object.h"

/* the kernel's own, unless its module was told another */
#define FL_VXLAN_PORT_DEFAULT 8472

/* bytes that a packet grows by: Ethernet, vxlan, UDP, and IPv4 or IPv6 */
#define FL_VXLAN_OVERHEAD 50
#define FL_VXLAN_OVERHEAD6 70

struct fl_vxlan_settings {
	uint32_t vni;
	uint16_t port; /* 0: the kernel's default */
	uint32_t mtu;  /* of what goes over the underlay; 0: the underlay's own */
	bool gbp;
	bool learning;
	bool direct_routing;
};

/* reads Backend; unknown keys (those of other systems: Name, MacPrefix) have no effect. -EINVAL names key, value, expectation. */
int fl_vxlan_load(const struct flannel_netconf *netconf, struct fl_vxlan_settings *ret_settings,
		  struct flannel_error **ret_error);

/* "flannel.1", "flannel-v6.1"; false if the name would be longer than the kernel takes */
bool fl_vxlan_format_name(const struct fl_vxlan_settings *settings, int family, char buf[FLANNEL_IFNAME_SIZE]);

/* {"VNI":1,"VtepMAC":"02:00:00:00:77:01"}: what a lease says of the node's device; returns buf, which has that many bytes */
#define FL_VXLAN_DATA_STRLEN 64
const char *fl_vxlan_format_data(uint32_t vni, const uint8_t mac[FL_MAC_LEN], char buf[FL_VXLAN_DATA_STRLEN]);

/* The MAC in such a text; its VNI does not count, as with flannel. text may be NULL. -EINVAL says what is wrong with it. */
int fl_vxlan_parse_data(const char *text, uint8_t ret_mac[FL_MAC_LEN], struct flannel_error **ret_error);

/*
 * The MAC of a device whose node has this public address, for stores in which nobody publishes one: 0e, the VNI's last byte and the four bytes of
 * an IPv4 address; 1e and a hash for IPv6. Nodes of all versions have to agree on it.
 */
void fl_vxlan_derive_mac(uint32_t vni, const struct flannel_prefix *address, uint8_t ret_mac[FL_MAC_LEN]);

#endif
