/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/pod/vlan.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "engine/pod/veth.h"
#include "sys/rtnl/bridge_vlan.h"

#define AREA "attachment"

/* a random name may be taken; this often another one is tried */
#define NAME_ATTEMPTS 10

int fl_vlan_set_port(struct fl_transaction *transaction, const struct fl_vlan_want *want,
		     const struct fl_link_info *bridge, const struct fl_link_info *port,
		     struct flannel_error **ret_error)
{
	const struct flannel_vlan_span untagged = {want->untagged, want->untagged};
	const uint16_t leave = fl_vlan_to_leave(want, bridge->default_vlan);
	int r;

	if (!want->port)
		return 0;
	r = fl_bridge_vlan_add(transaction->node, port->ifindex, port->name, &untagged, 1, FL_BRIDGE_VLAN_UNTAGGED,
			       ret_error);
	if (r >= 0)
		r = fl_bridge_vlan_add(transaction->node, port->ifindex, port->name, want->trunk, want->n_trunk,
				       FL_BRIDGE_VLAN_TAGGED, ret_error);
	if (r >= 0 && leave)
		r = fl_bridge_vlan_delete(transaction->node, port->ifindex, port->name, leave, ret_error);
	return r;
}

/* makes the pair, down and in no bridge; -EEXIST if somebody else was faster, -EAGAIN if the port's name is taken */
static int create_once(struct fl_transaction *transaction, struct fl_link *link, struct fl_link_info *ret_info,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	uint32_t ifindex;
	int r = fl_veth_draw_name(link->peer_name, ret_error);

	if (r < 0)
		return r;
	r = fl_transaction_create_link(transaction, link, -1, ret_info, &error);
	if (r == -EEXIST)
		return fl_link_find_index(transaction->node, link->name, &ifindex) < 0 ? -EAGAIN : -EEXIST;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

/* gets or makes the interface; another process may make it at the same moment */
static int get_or_create(struct fl_transaction *transaction, const char *name, uint32_t mtu,
			 struct fl_link_info *ret_info, struct flannel_error **ret_error)
{
	struct fl_link link = {.kind = "veth", .set = FL_LINK_MTU, .mtu = mtu};
	int r = fl_link_get(transaction->node, name, ret_info, ret_error);

	if (r != 0)
		return r < 0 ? r : 0;
	snprintf(link.name, sizeof(link.name), "%s", name);
	r = -EAGAIN;
	for (int i = 0; i < NAME_ATTEMPTS && r == -EAGAIN; i++)
		r = create_once(transaction, &link, ret_info, ret_error);
	if (r == -EAGAIN)
		return fl_error_set_retryable(ret_error, -EEXIST, AREA, "all names tried are taken",
					      "find a name for a port");
	if (r != -EEXIST)
		return r;
	r = fl_link_get(transaction->node, name, ret_info, ret_error);
	if (r == 0)
		return fl_error_set_retryable(ret_error, -EAGAIN, AREA, "it came and went", "make interface %s", name);
	return r < 0 ? r : 0;
}

/* the other end of the interface, which is in the bridge or in none: -EEXIST if it is not such an interface at all */
static int find_port(struct fl_transaction *transaction, const struct fl_link_info *bridge,
		     const struct fl_link_info *info, struct fl_link_info *ret_port, struct flannel_error **ret_error)
{
	int r = 0;

	if (strcmp(info->kind, "veth") == 0)
		r = fl_link_get_by_index(transaction->node, info->peer_ifindex, ret_port, ret_error);
	if (r < 0)
		return r;
	if (r > 0 && ret_port->peer_ifindex == info->ifindex && strcmp(ret_port->kind, "veth") == 0 &&
	    (ret_port->master_ifindex == bridge->ifindex || !ret_port->master_ifindex))
		return 0;
	return fl_error_set(ret_error, -EEXIST, AREA, "it is something else", "use interface %s as a gateway on %s",
			    info->name, bridge->name);
}

/* up, and in a bridge if that is given; router advertisements are ignored before (CVE-2020-10749) */
static int set_up(struct fl_transaction *transaction, const struct fl_link_info *info,
		  const struct fl_link_info *bridge, struct flannel_error **ret_error)
{
	struct fl_link link = {.kind = "veth", .set = FL_LINK_UP, .up = true};
	char setting[80];
	int r;

	snprintf(setting, sizeof(setting), "net/ipv6/conf/%s/accept_ra", info->name);
	r = fl_transaction_write_sysctl(transaction, setting, "0", true, ret_error);
	if (r < 0 || ((info->flags & IFF_UP) && (!bridge || info->master_ifindex)))
		return r;
	memcpy(link.name, info->name, sizeof(link.name));
	if (bridge) {
		memcpy(link.master, bridge->name, sizeof(link.master));
		link.set |= FL_LINK_MASTER | FL_LINK_NO_LINK_LOCAL;
	}
	/* not noted for undo: a pair that is ours goes as a whole, and one that is there should be complete */
	return fl_link_change(transaction->node, info->ifindex, &link, ret_error);
}

int fl_vlan_open_gateway(struct fl_transaction *transaction, const struct fl_vlan_want *want,
			 const struct fl_link_info *bridge, struct fl_link_info *ret_info,
			 struct flannel_error **ret_error)
{
	const struct fl_vlan_want access = {
		.filter = true, .port = true, .keep = want->keep, .untagged = want->untagged};
	char name[FLANNEL_IFNAME_SIZE];
	struct fl_link_info port;
	int r = fl_vlan_gateway_name(bridge->name, want->untagged, name);

	if (r < 0)
		return fl_error_set(ret_error, r, AREA, NULL, "name the gateway of VLAN %u on %s", want->untagged,
				    bridge->name);
	r = get_or_create(transaction, name, bridge->mtu, ret_info, ret_error);
	if (r < 0)
		return r;
	transaction->vlan = want->untagged;
	transaction->vlan_ifindex = ret_info->ifindex;
	r = find_port(transaction, bridge, ret_info, &port, ret_error);
	if (r < 0)
		return r;
	transaction->vlan_port_ifindex = port.ifindex;
	r = set_up(transaction, &port, bridge, ret_error);
	if (r >= 0)
		r = fl_vlan_set_port(transaction, &access, bridge, &port, ret_error);
	return r < 0 ? r : set_up(transaction, ret_info, NULL, ret_error);
}
