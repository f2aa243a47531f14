/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if.h>

#include "engine/pod/bridge.h"
#include "engine/mac.h"
#include "engine/pod/pod.h"
#include "engine/pod/transaction.h"
#include "engine/pod/veth.h"
#include "engine/pod/vlan.h"
#include "sys/link_removal.h"
#include "sys/netns.h"
#include "sys/rtnl/address.h"
#include "sys/rtnl/netconf.h"
#include "sys/rtnl/route.h"
#include "sys/sysctl.h"

#define AREA "attachment"

/* the port is up as soon as both ends are; the reference waits this long for slow kernels */
#define PORT_TIMEOUT_MS 2500

struct flannel_attachment {
	struct flannel_link bridge;
	struct flannel_link host_link;
	struct flannel_link container_link;
	struct flannel_link vlan_link; /* ifindex 0: none */
	struct fl_attachment_want want;
	struct fl_transaction steps; /* what attaching did, for flannel_attachment_undo() */
	struct fl_pod pod;           /* of it just what fl_pod_undo() needs */
};

FL_DEFINE_CLEANUP(struct flannel_attachment *, flannel_attachment_free)

/* one attach call in progress */
struct attach {
	struct fl_transaction transaction;
	struct flannel_attachment_options options;
	const char *bridge;
	struct fl_link_info bridge_info;
	size_t n_missing; /* addresses that the bridge lacks */
	struct fl_link_info host_info;
	struct fl_link_info container_info;
	struct fl_link_info vlan_info;
	struct fl_pod pod;
	struct fl_vlan_want vlan;
	struct fl_attachment_want *want;
};

/* what can be said of the options without touching anything */
static int check(const struct flannel_context *context, const struct flannel_attachment_options *options,
		 struct flannel_error **ret_error)
{
	int r = fl_attachment_check(options, ret_error);

	if (r >= 0)
		r = fl_netns_check(options->netns_fd, ret_error);
	if (r < 0)
		return r;
	if (fl_netns_same(options->netns_fd, context->netns_fd) > 0)
		return fl_error_set(ret_error, -EINVAL, AREA, "it is the node's own", "attach a network namespace");
	return 0;
}

/* is the gateway an interface of its own in a VLAN, and not the bridge */
static bool has_vlan_gateway(const struct attach *attach)
{
	return attach->options.vlan && attach->want->n_gateways;
}

/* the bridge as the attachment wants it */
static struct fl_bridge_want want_bridge(const struct attach *attach)
{
	const unsigned int flags = attach->options.flags;
	struct fl_bridge_want want = {.name = attach->bridge, .mtu = attach->options.mtu};

	want.promiscuous = (flags & FLANNEL_ATTACHMENT_PROMISCUOUS) != 0;
	want.force_address = (flags & FLANNEL_ATTACHMENT_FORCE_ADDRESS) != 0;
	want.vlan_filter = attach->vlan.filter;
	if (!has_vlan_gateway(attach)) {
		want.addresses = attach->want->gateways;
		want.n_addresses = attach->want->n_gateways;
	}
	return want;
}

/* the bridge, without its addresses; a port may change the MAC of one that has none */
static int make_bridge(struct attach *attach, struct flannel_error **ret_error)
{
	const struct fl_bridge_want want = want_bridge(attach);
	int r = fl_bridge_open(&attach->transaction, &want, &attach->bridge_info, &attach->n_missing, ret_error);

	return r < 0 ? r : fl_transaction_guard_mac(&attach->transaction, &attach->bridge_info, ret_error);
}

/* switches forwarding on, unless it is */
static int forward(struct attach *attach, int family, const char *setting, struct flannel_error **ret_error)
{
	if (fl_netconf_get_forwarding(attach->transaction.node, family, NULL) > 0)
		return 0;
	return fl_transaction_write_sysctl(&attach->transaction, setting, "1", false, ret_error);
}

/* forwarding for the families that the node is the gateway of */
static int make_forwarding(struct attach *attach, struct flannel_error **ret_error)
{
	int r = 0;

	if (attach->want->n_gateways && attach->want->ipv4)
		r = forward(attach, AF_INET, "net/ipv4/ip_forward", ret_error);
	if (r >= 0 && attach->want->n_gateways && attach->want->ipv6)
		r = forward(attach, AF_INET6, "net/ipv6/conf/all/forwarding", ret_error);
	return r;
}

/* Runs in the node's namespace: the gateway's address serves at once, and is on the node's end of every container anyway. */
static int skip_detection(void *userdata, struct flannel_error **ret_error)
{
	const struct attach *attach = userdata;
	char name[80];

	(void)ret_error;
	snprintf(name, sizeof(name), "net/ipv6/conf/%s/accept_dad", attach->host_info.name);
	/* there is none where the kernel has no IPv6 */
	(void)fl_sysctl_set(name, "0", NULL);
	return 0;
}

/* the interface that is the gateway in the VLAN, with its addresses */
static int make_vlan_gateway(struct attach *attach, struct flannel_error **ret_error)
{
	struct fl_bridge_want want = want_bridge(attach);
	int r = fl_vlan_open_gateway(&attach->transaction, &attach->vlan, &attach->bridge_info, &attach->vlan_info,
				     ret_error);

	want.name = attach->vlan_info.name;
	want.addresses = attach->want->gateways;
	want.n_addresses = attach->want->n_gateways;
	return r < 0 ? r : fl_bridge_set_addresses(&attach->transaction, &want, &attach->vlan_info, ret_error);
}

/*
 * The bridge's gateway addresses, and forwarding for the families that it is the gateway of. Last of all, because undo is
 * not perfect here: the kernel resets other settings along with forwarding, and drops routes along with addresses.
 */
static int make_gateway(struct attach *attach, struct flannel_error **ret_error)
{
	const struct fl_bridge_want want = want_bridge(attach);
	int r = 0;

	if (has_vlan_gateway(attach))
		r = make_vlan_gateway(attach, ret_error);
	else if (attach->n_missing)
		r = fl_bridge_set_addresses(&attach->transaction, &want, &attach->bridge_info, ret_error);
	return r < 0 ? r : make_forwarding(attach, ret_error);
}

/* the container's MAC: given, or its address's, or a random one */
static int choose_mac(const struct attach *attach, uint8_t mac[FL_MAC_LEN], struct flannel_error **ret_error)
{
	if (attach->options.mac)
		return fl_mac_parse(attach->options.mac, mac);
	return fl_attachment_choose_mac(attach->want, mac) ? 0 : fl_mac_draw(mac, ret_error);
}

/* the pair, made in one request */
static int make_veth(struct attach *attach, struct flannel_error **ret_error)
{
	const unsigned int flags = attach->options.flags;
	struct fl_veth_want want = {.bridge = attach->bridge, .peer_netns_fd = attach->options.netns_fd};
	struct fl_link_info *peer = &attach->container_info;
	char mac[FLANNEL_MAC_STRLEN];
	int r;

	r = choose_mac(attach, peer->mac, ret_error);
	if (r < 0)
		return r;
	want.peer_name = attach->pod.ifname;
	want.peer_mac = fl_mac_format(peer->mac, mac, sizeof(mac));
	want.mtu = attach->options.mtu;
	/* an end whose peer stays down has nothing to wait for */
	want.up = (flags & FLANNEL_ATTACHMENT_LINK_DOWN) != 0;
	want.hairpin = (flags & FLANNEL_ATTACHMENT_HAIRPIN) != 0;
	want.isolated = (flags & FLANNEL_ATTACHMENT_ISOLATED) != 0;
	r = fl_veth_create(&attach->transaction, &want, &attach->host_info, ret_error);
	if (r < 0)
		return r;
	/* with what was asked for and acknowledged, all is known of the other end */
	snprintf(peer->name, sizeof(peer->name), "%s", attach->pod.ifname);
	peer->has_mac = true;
	peer->ifindex = attach->host_info.peer_ifindex;
	peer->mtu = attach->host_info.mtu;
	return fl_vlan_set_port(&attach->transaction, &attach->vlan, &attach->bridge_info, &attach->host_info,
				ret_error);
}

/* the other end: found by the index that the kernel gave it, not by its name */
static int configure_container(struct attach *attach, struct flannel_error **ret_error)
{
	struct fl_pod *pod = &attach->pod;
	const struct fl_attachment_want *want = attach->want->n_addresses ? attach->want : NULL;
	int r;

	pod->ifindex = attach->host_info.peer_ifindex;
	r = fl_pod_open(pod, want, ret_error);
	if (r >= 0 && want)
		return fl_pod_configure(pod, want, ret_error);
	if (r >= 0 && !(attach->options.flags & FLANNEL_ATTACHMENT_LINK_DOWN))
		return fl_pod_set_up(pod, ret_error);
	return r;
}

/* 1 when the port forwards */
static int test_port(void *userdata, struct flannel_error **ret_error)
{
	struct attach *attach = userdata;
	int r;

	/* its state was "up", or unknown and was set to "up" */
	if (fl_link_is_running(attach->transaction.node, attach->host_info.name))
		return 1;
	r = fl_link_get_by_index(attach->transaction.node, attach->host_info.ifindex, &attach->host_info, ret_error);
	if (r == 0)
		return fl_error_set(ret_error, -ENODEV, AREA, "it vanished", "wait for port %s",
				    attach->host_info.name);
	return r < 0 ? r : attach->host_info.operstate == IF_OPER_UP;
}

/* 1 when the container can send */
static int test_container(void *userdata, struct flannel_error **ret_error)
{
	struct attach *attach = userdata;

	return fl_pod_has_carrier(&attach->pod, ret_error);
}

/*
 * Sets the node's end up, the last but for a new bridge's addresses: only now there is a carrier, and the kernel makes the
 * link-local address, joins groups and solicits routers. It does that in a process of its own, which takes long where a thousand
 * neighbours get each packet, and holds up who asks the kernel for anything meanwhile. So nothing is left to ask but whether both
 * ends can send, which is before all that; older kernels take a moment for it.
 */
static int connect_ends(struct attach *attach, struct flannel_error **ret_error)
{
	struct flannel_context *context = attach->transaction.context;
	const char *name = attach->host_info.name;
	int r;

	if (attach->options.flags & FLANNEL_ATTACHMENT_LINK_DOWN)
		return 0;
	r = fl_veth_set_up(&attach->transaction, &attach->host_info, ret_error);
	if (r >= 0)
		r = fl_pod_wait(context, attach->pod.netns_fd, attach->pod.rtnl, test_container, attach,
				PORT_TIMEOUT_MS, ret_error);
	if (r >= 0)
		r = fl_pod_wait(context, context->netns_fd, attach->transaction.node, test_port, attach,
				PORT_TIMEOUT_MS, ret_error);
	if (r == -ETIMEDOUT)
		return fl_error_set_retryable(ret_error, r, AREA, "it does not come up", "wait for port %s", name);
	return r < 0 || !attach->want->ipv6 ? r : fl_pod_wait_for_addresses(&attach->pod, ret_error);
}

/*
 * The kernel notes a bridge's operational state when its carrier changes. A bridge that got its first port as soon as it was made
 * never lacked it, and would stay "unknown" for ever; others wait for "up". Where another state is right, this is ignored.
 */
static int tell_operstate(struct attach *attach, struct flannel_error **ret_error)
{
	struct fl_link link = {.kind = "bridge", .set = FL_LINK_OPERSTATE, .operstate = IF_OPER_UP};

	if (attach->bridge_info.operstate == IF_OPER_UP || (attach->options.flags & FLANNEL_ATTACHMENT_LINK_DOWN))
		return 0;
	memcpy(link.name, attach->bridge_info.name, sizeof(link.name));
	return fl_link_change(attach->transaction.node, attach->bridge_info.ifindex, &link, ret_error);
}

/* is there no bridge */
static bool is_point(const struct attach *attach)
{
	return (attach->options.flags & FLANNEL_ATTACHMENT_POINT_TO_POINT) != 0;
}

/* the node's end without a bridge: gateways, and routes to the container. Not noted for undo, but for forwarding: they go with the pair. */
static int make_point(struct attach *attach, struct flannel_error **ret_error)
{
	const struct fl_link_info *host = &attach->host_info;
	struct fl_rtnl *node = attach->transaction.node;
	int r = 0;

	for (size_t i = 0; i < attach->want->n_gateways && r >= 0; i++)
		r = fl_address_add(node, host->ifindex, &attach->want->gateways[i], host->name, ret_error);
	for (size_t i = 0; i < attach->want->n_addresses && r >= 0; i++) {
		struct flannel_prefix address = attach->want->addresses[i].address;
		struct fl_route route;

		address.plen = address.family == AF_INET ? 32 : 128;
		route = fl_route_main(&address, FL_ROUTE_PROTOCOL_BOOT);
		route.scope = address.family == AF_INET ? FL_ROUTE_SCOPE_HOST : FL_ROUTE_SCOPE_UNIVERSE;
		memcpy(route.link, host->name, sizeof(route.link));
		r = fl_route_append(node, &route, ret_error);
	}
	return r < 0 ? r : make_forwarding(attach, ret_error);
}

/* all steps in order where there is no bridge */
static int run_point(struct attach *attach, struct flannel_error **ret_error)
{
	int r = make_veth(attach, ret_error);

	if (r >= 0)
		r = fl_netns_run(attach->transaction.context->netns_fd, attach->transaction.context->single_threaded,
				 skip_detection, attach, ret_error);
	if (r >= 0)
		r = configure_container(attach, ret_error);
	if (r >= 0)
		r = connect_ends(attach, ret_error);
	/* these have the address as their source, for which it must not be tentative */
	if (r >= 0)
		r = fl_pod_set_point_routes(&attach->pod, attach->want, ret_error);
	return r < 0 ? r : make_point(attach, ret_error);
}

/*
 * May the bridge differ from what was read before the port came? It takes on the least MTU of its ports. Where nobody has chosen its
 * MAC, it takes on the lowest of theirs: a bridge whose addresses were there before has one that was chosen, or not.
 */
static bool may_have_changed(const struct attach *attach)
{
	const struct fl_link_info *bridge = &attach->bridge_info;
	const struct fl_link_info *host = &attach->host_info;

	if (!attach->want->n_gateways || has_vlan_gateway(attach) || host->mtu != bridge->mtu)
		return true;
	return attach->n_missing == 0 &&
	       (bridge->operstate != IF_OPER_UP || memcmp(host->mac, bridge->mac, sizeof(host->mac)) < 0);
}

/* all steps in order; each that the kernel acknowledged can be undone */
static int run(struct attach *attach, struct flannel_error **ret_error)
{
	int r;

	if (is_point(attach))
		return run_point(attach, ret_error);
	r = make_bridge(attach, ret_error);
	if (r >= 0)
		r = make_veth(attach, ret_error);
	if (r >= 0)
		r = configure_container(attach, ret_error);
	if (r >= 0)
		r = connect_ends(attach, ret_error);
	if (r >= 0)
		r = make_gateway(attach, ret_error);
	if (r >= 0)
		r = tell_operstate(attach, ret_error);
	if (r >= 0 && may_have_changed(attach))
		r = fl_link_get_by_index(attach->transaction.node, attach->bridge_info.ifindex, &attach->bridge_info,
					 ret_error);
	return r;
}

/* what the caller is told */
static void describe(const struct attach *attach, struct flannel_attachment *attachment)
{
	attachment->bridge.size = attachment->host_link.size = sizeof(struct flannel_link);
	attachment->container_link.size = sizeof(struct flannel_link);
	fl_link_describe(&attach->bridge_info, &attachment->bridge);
	fl_link_describe(&attach->host_info, &attachment->host_link);
	fl_link_describe(&attach->container_info, &attachment->container_link);
	memcpy(attachment->pod.lo_before, attach->pod.lo_before, sizeof(attachment->pod.lo_before));
	attachment->vlan_link.size = sizeof(struct flannel_link);
	fl_link_describe(&attach->vlan_info, &attachment->vlan_link);
}

int flannel_attachment_attach(struct flannel_context *context, const struct flannel_attachment_options *options,
			      struct flannel_attachment **ret_attachment, struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_attachment_freep) struct flannel_attachment *attachment = NULL;
	struct attach attach = {0};
	int r;

	if (!context || !options || !ret_attachment)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "attach a container");
	r = fl_options_copy(&attach.options, sizeof(attach.options), sizeof(attach.options), options,
			    "flannel_attachment_options", ret_error);
	if (r >= 0)
		r = check(context, &attach.options, ret_error);
	if (r < 0)
		return r;
	attachment = calloc(1, sizeof(*attachment));
	if (!attachment)
		return fl_error_oom(ret_error);
	r = fl_attachment_want(&attach.options, &attachment->want, ret_error);
	if (r >= 0)
		r = fl_vlan_want(&attach.options, &attach.vlan, ret_error);
	if (r >= 0)
		r = fl_transaction_begin(&attach.transaction, context, ret_error);
	if (r < 0) {
		fl_vlan_want_clear(&attach.vlan);
		return r;
	}
	attach.want = &attachment->want;
	if (is_point(&attach)) {
		attach.transaction.point_addresses = attachment->want.gateways;
		attach.transaction.n_point_addresses = attachment->want.n_gateways;
	} else {
		attach.bridge = attach.options.bridge ? attach.options.bridge : "cni0";
	}
	attach.pod = (struct fl_pod){.context = context, .netns_fd = attach.options.netns_fd};
	attach.pod.ifname = attach.options.ifname ? attach.options.ifname : "eth0";
	attach.pod.dad = (attach.options.flags & FLANNEL_ATTACHMENT_DAD) != 0;
	/* where the node is the gateway nobody would answer, and every container of the bridge would get the question */
	attach.pod.solicits_routers = attachment->want.n_gateways == 0;
	r = run(&attach, ret_error);
	if (r >= 0)
		fl_transaction_hand_over(&attach.transaction, &attachment->steps);
	else
		fl_pod_undo(&attach.pod);
	fl_pod_close(&attach.pod);
	fl_transaction_end(&attach.transaction);
	fl_vlan_want_clear(&attach.vlan);
	if (r < 0)
		return r;
	describe(&attach, attachment);
	*ret_attachment = FL_TAKE(attachment);
	return 0;
}

int flannel_attachment_undo(struct flannel_attachment *attachment, struct flannel_context *context, int netns_fd,
			    struct flannel_error **ret_error)
{
	int r;

	if (!attachment || !context)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "undo an attachment");
	r = fl_netns_check(netns_fd, ret_error);
	if (r < 0)
		return r;
	r = fl_transaction_take_back(&attachment->steps, context, ret_error);
	if (r < 0)
		return r;
	attachment->pod.context = context;
	attachment->pod.netns_fd = netns_fd;
	fl_pod_undo(&attachment->pod);
	return 0;
}

int flannel_attachment_detach(struct flannel_context *context, int netns_fd, const char *ifname,
			      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct fl_link_info info;
	int r;

	if (!context || !fl_ifname_is_valid(ifname))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a context and an interface name",
				    "detach interface \"%s\"", ifname ? ifname : "");
	r = fl_netns_check(netns_fd, ret_error);
	if (r < 0)
		return r;
	if (fl_netns_same(netns_fd, context->netns_fd) > 0)
		return fl_error_set(ret_error, -EINVAL, AREA, "it is the node's own", "detach a network namespace");
	r = fl_rtnl_open(netns_fd, context->single_threaded, &rtnl, ret_error);
	if (r >= 0)
		r = fl_link_get(rtnl, ifname, &info, ret_error);
	if (r <= 0)
		return r;
	if (context->detach_early)
		return fl_link_delete_early(rtnl, netns_fd, info.ifindex, ifname, ret_error);
	return fl_link_delete(rtnl, info.ifindex, ifname, ret_error);
}

const struct flannel_link *flannel_attachment_get_bridge(const struct flannel_attachment *attachment)
{
	return attachment && attachment->bridge.ifindex ? &attachment->bridge : NULL;
}

const struct flannel_link *flannel_attachment_get_host_link(const struct flannel_attachment *attachment)
{
	return attachment ? &attachment->host_link : NULL;
}

const struct flannel_link *flannel_attachment_get_container_link(const struct flannel_attachment *attachment)
{
	return attachment ? &attachment->container_link : NULL;
}

const struct flannel_link *flannel_attachment_get_vlan_link(const struct flannel_attachment *attachment)
{
	return attachment && attachment->vlan_link.ifindex ? &attachment->vlan_link : NULL;
}

const struct flannel_address *flannel_attachment_get_address(const struct flannel_attachment *attachment, size_t index)
{
	if (!attachment || index >= attachment->want.n_addresses)
		return NULL;
	return &attachment->want.addresses[index];
}

const struct flannel_attachment_route *flannel_attachment_get_route(const struct flannel_attachment *attachment,
								    size_t index)
{
	if (!attachment || index >= attachment->want.n_routes)
		return NULL;
	return &attachment->want.routes[index];
}

struct flannel_attachment *flannel_attachment_free(struct flannel_attachment *attachment)
{
	if (!attachment)
		return NULL;
	fl_attachment_want_clear(&attachment->want);
	fl_transaction_discard(&attachment->steps);
	free(attachment);
	return NULL;
}
