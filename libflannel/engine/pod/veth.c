/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/pod/veth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <linux/if.h>

#include "engine/pod/bridge.h"
#include "sys/netns.h"

/* A random name may be taken; this often another one is tried. */
#define NAME_ATTEMPTS 10

int fl_veth_draw_name(char ret_name[FLANNEL_IFNAME_SIZE], struct flannel_error **ret_error)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return fl_error_set_retryable(ret_error, -EIO, "attachment", NULL, "draw a random number");
	snprintf(ret_name, FLANNEL_IFNAME_SIZE, "veth%08x", number);
	return 0;
}

/* the name of this end: given, or drawn */
static int choose_name(const struct fl_veth_want *want, struct fl_link *link, struct flannel_error **ret_error)
{
	if (!want->name)
		return fl_veth_draw_name(link->name, ret_error);
	snprintf(link->name, sizeof(link->name), "%s", want->name);
	return 0;
}

/* is the peer's name taken in its namespace */
static int peer_exists(struct fl_transaction *transaction, const struct fl_veth_want *want,
		       struct fl_link_info *ret_info, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *peer = NULL;
	int r = fl_rtnl_open(want->peer_netns_fd, transaction->context->single_threaded, &peer, ret_error);

	return r < 0 ? r : fl_link_get(peer, want->peer_name, ret_info, ret_error);
}

/* one attempt: -EEXIST if one of the two names is taken, which the kernel does not tell apart */
static int create_once(struct fl_transaction *transaction, const struct fl_veth_want *want, struct fl_link *link,
		       struct fl_link_info *ret_info, struct flannel_error **ret_error)
{
	struct fl_link_info peer;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = choose_name(want, link, ret_error);

	if (r < 0)
		return r;
	r = fl_transaction_create_link(transaction, link, want->peer_netns_fd, ret_info, &error);
	if (r == -EEXIST) {
		r = peer_exists(transaction, want, &peer, ret_error);
		if (r > 0)
			return fl_error_set(ret_error, -EEXIST, "attachment", "it exists already",
					    "make interface %s in the container", want->peer_name);
		if (r < 0)
			return r;
		r = want->name ? -EEXIST : -EAGAIN;
	}
	if (r < 0 && r != -EAGAIN && r != -EEXIST && !want->name)
		fl_transaction_disown_link(transaction, link, NULL);
	if (r < 0 && r != -EAGAIN && ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

/* everything about the pair that can be said before it is made */
static void describe(const struct fl_veth_want *want, struct fl_link *link)
{
	*link = (struct fl_link){.kind = "veth", .up = want->up, .mtu = want->mtu};
	link->set = FL_LINK_UP | FL_LINK_TXQLEN | (want->mtu ? FL_LINK_MTU : 0);
	snprintf(link->peer_name, sizeof(link->peer_name), "%s", want->peer_name);
	if (want->peer_mac)
		link->peer_has_mac = fl_mac_parse(want->peer_mac, link->peer_mac) == 0;
	if (want->bridge) {
		link->set |= FL_LINK_MASTER;
		snprintf(link->master, sizeof(link->master), "%s", want->bridge);
	}
}

/*
 * What is to be set before both ends are up: until then nothing can come in, and no address is made. This end has no use for router
 * advertisements (CVE-2020-10749), and as a bridge port none for an address, which would only cost time. Not noted for undo: all
 * this goes with the pair.
 */
static int complete(struct fl_transaction *transaction, const struct fl_veth_want *want, const struct fl_link *link,
		    const struct fl_link_info *info, struct flannel_error **ret_error)
{
	struct fl_link port = *link;
	char setting[80];
	int r;

	snprintf(setting, sizeof(setting), "net/ipv6/conf/%s/accept_ra", link->name);
	r = fl_transaction_write_sysctl(transaction, setting, "0", true, ret_error);
	if (r < 0 || !want->bridge)
		return r;
	port.set =
		FL_LINK_NO_LINK_LOCAL | (want->hairpin ? FL_LINK_HAIRPIN : 0) | (want->isolated ? FL_LINK_ISOLATED : 0);
	port.hairpin = want->hairpin;
	port.isolated = want->isolated;
	return fl_link_change(transaction->node, info->ifindex, &port, ret_error);
}

int fl_veth_create(struct fl_transaction *transaction, const struct fl_veth_want *want, struct fl_link_info *ret_info,
		   struct flannel_error **ret_error)
{
	struct fl_link link;
	int r = -EAGAIN;

	describe(want, &link);
	for (int i = 0; i < NAME_ATTEMPTS && r == -EAGAIN; i++)
		r = create_once(transaction, want, &link, ret_info, ret_error);
	if (r == -EAGAIN)
		return fl_error_set_retryable(ret_error, -EEXIST, "attachment", "all names tried are taken",
					      "find a name for a veth pair");
	return r < 0 ? r : complete(transaction, want, &link, ret_info, ret_error);
}

int fl_veth_set_up(struct fl_transaction *transaction, struct fl_link_info *info, struct flannel_error **ret_error)
{
	/* of the state the kernel itself comes to say so a little later; where it said something else before, this is ignored */
	struct fl_link link = {.kind = "veth", .set = FL_LINK_UP | FL_LINK_OPERSTATE, .up = true};
	int r;

	link.operstate = IF_OPER_UP;
	memcpy(link.name, info->name, sizeof(link.name));
	r = fl_link_change(transaction->node, info->ifindex, &link, ret_error);
	if (r == 0)
		info->flags |= IFF_UP;
	return r;
}

/* names and the like that a host may get wrong */
static int check_options(const struct flannel_veth_options *options, const struct flannel_link *ret_link,
			 struct flannel_error **ret_error)
{
	if (!fl_ifname_can_be_given(options->peer_name))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an interface name of 1 to 15 bytes",
				    "peer_name is \"%s\"", options->peer_name ? options->peer_name : "");
	if (options->name && !fl_ifname_can_be_given(options->name))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an interface name of 1 to 15 bytes",
				    "name is \"%s\"", options->name);
	if (options->bridge && !fl_ifname_is_valid(options->bridge))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an interface name of 1 to 15 bytes",
				    "bridge is \"%s\"", options->bridge);
	if (options->peer_mac && !fl_attachment_mac_is_valid(options->peer_mac))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected the address of one interface, such as 02:00:00:00:00:01",
				    "peer_mac is \"%s\"", options->peer_mac);
	if (ret_link && ret_link->size != sizeof(*ret_link))
		return fl_error_set(ret_error, -EINVAL, "argument", "its size is wrong", "ret_link");
	return fl_netns_check(options->peer_netns_fd, ret_error);
}

/* is the interface that exists already the other end of a pair like the wanted one: 1 with this end, or -EEXIST */
static int match_existing(struct fl_transaction *transaction, const struct fl_veth_want *want, uint32_t bridge_ifindex,
			  const struct fl_link_info *peer, struct fl_link_info *ret_info,
			  struct flannel_error **ret_error)
{
	int r = 0;

	if (strcmp(peer->kind, "veth") == 0)
		r = fl_link_get_by_index(transaction->node, peer->peer_ifindex, ret_info, ret_error);
	if (r < 0)
		return r;
	if (r > 0 && strcmp(ret_info->kind, "veth") == 0 && ret_info->peer_ifindex == peer->ifindex &&
	    ret_info->master_ifindex == bridge_ifindex && (!want->name || strcmp(want->name, ret_info->name) == 0))
		return 1;
	return fl_error_set(ret_error, -EEXIST, "attachment", "it exists already and is something else",
			    "make interface %s in the container", want->peer_name);
}

/* index of the bridge, 0 without one; other links that have ports (bonds) are none */
static int find_bridge(struct fl_transaction *transaction, const struct fl_veth_want *want, uint32_t *ret_ifindex,
		       struct flannel_error **ret_error)
{
	struct fl_link_info bridge = {0};
	int r = want->bridge ? fl_link_get(transaction->node, want->bridge, &bridge, ret_error) : 0;

	if (r < 0)
		return r;
	if (want->bridge && (r == 0 || strcmp(bridge.kind, "bridge") != 0))
		return fl_error_set(ret_error, -ENODEV, "attachment", r ? "it is no bridge" : "there is none",
				    "use link %s as a bridge", want->bridge);
	*ret_ifindex = bridge.ifindex;
	return 0;
}

/* the pair that is there, or a new one: 1 if it was made, else 0 */
static int ensure(struct fl_transaction *transaction, const struct fl_veth_want *want, struct fl_link_info *ret_info,
		  struct flannel_error **ret_error)
{
	struct fl_link_info peer;
	uint32_t bridge_ifindex = 0;
	int r = find_bridge(transaction, want, &bridge_ifindex, ret_error);

	if (r >= 0)
		r = peer_exists(transaction, want, &peer, ret_error);
	if (r < 0)
		return r;
	if (r > 0) {
		r = match_existing(transaction, want, bridge_ifindex, &peer, ret_info, ret_error);
		return r < 0 ? r : 0;
	}
	r = fl_veth_create(transaction, want, ret_info, ret_error);
	return r < 0 ? r : 1;
}

int flannel_veth_ensure(struct flannel_context *context, const struct flannel_veth_options *options,
			struct flannel_link *ret_link, struct flannel_error **ret_error)
{
	FL_CLEANUP_TRANSACTION struct fl_transaction transaction = {0};
	struct flannel_veth_options copy;
	struct fl_veth_want want;
	struct fl_link_info info;
	int r;

	if (!context || !options)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "ensure a veth pair");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), options, "flannel_veth_options", ret_error);
	if (r >= 0)
		r = check_options(&copy, ret_link, ret_error);
	if (r >= 0)
		r = fl_transaction_begin(&transaction, context, ret_error);
	if (r < 0)
		return r;
	want = (struct fl_veth_want){.name = copy.name, .bridge = copy.bridge, .peer_netns_fd = copy.peer_netns_fd};
	want.peer_name = copy.peer_name;
	want.peer_mac = copy.peer_mac;
	want.up = true;
	want.mtu = copy.mtu;
	want.hairpin = copy.hairpin != 0;
	want.isolated = copy.isolated != 0;
	r = ensure(&transaction, &want, &info, ret_error);
	if (r < 0)
		return r;
	fl_transaction_commit(&transaction);
	if (ret_link)
		fl_link_describe(&info, ret_link);
	return r;
}

/* the other end, where it is */
static int get_peer(struct flannel_context *context, int netns_fd, const char *name, struct fl_link_info *ret_info,
		    struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	int r = fl_netns_check(netns_fd, ret_error);

	if (r >= 0)
		r = fl_rtnl_open(netns_fd, context->single_threaded, &rtnl, ret_error);
	if (r >= 0)
		r = fl_link_get(rtnl, name, ret_info, ret_error);
	if (r == 0)
		return fl_error_set(ret_error, -ENODEV, "rtnl", "there is none", "get link %s in the container", name);
	return r;
}

int flannel_veth_get(struct flannel_context *context, int peer_netns_fd, const char *peer_name,
		     struct flannel_link *ret_link, struct flannel_error **ret_error)
{
	struct fl_link_info peer, info;
	struct fl_rtnl *rtnl;
	int r;

	if (!context || !ret_link || !fl_ifname_is_valid(peer_name))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected a context, an interface name and room for the answer",
				    "find the other end of \"%s\"", peer_name ? peer_name : "");
	if (ret_link->size != sizeof(*ret_link))
		return fl_error_set(ret_error, -EINVAL, "argument", "its size is wrong", "ret_link");
	r = get_peer(context, peer_netns_fd, peer_name, &peer, ret_error);
	if (r >= 0)
		r = fl_context_get_rtnl(context, &rtnl, ret_error);
	if (r < 0)
		return r;
	if (strcmp(peer.kind, "veth") != 0)
		return fl_error_set(ret_error, -ENXIO, "attachment", "it is no veth pair",
				    "find the other end of %s in the container", peer_name);
	r = fl_link_get_by_index(rtnl, peer.peer_ifindex, &info, ret_error);
	if (r < 0)
		return r;
	if (r == 0 || strcmp(info.kind, "veth") != 0 || info.peer_ifindex != peer.ifindex)
		return fl_error_set(ret_error, -ENXIO, "attachment", "it is not here",
				    "find the other end of %s in the container", peer_name);
	fl_link_describe(&info, ret_link);
	return 0;
}

int flannel_link_remove(struct flannel_context *context, const char *name, struct flannel_error **ret_error)
{
	struct fl_link_info info;
	struct fl_rtnl *rtnl;
	int r;

	if (!context || !fl_ifname_is_valid(name))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a context and an interface name",
				    "remove link \"%s\"", name ? name : "");
	r = fl_context_get_rtnl(context, &rtnl, ret_error);
	if (r >= 0)
		r = fl_link_get(rtnl, name, &info, ret_error);
	return r <= 0 ? r : fl_link_delete(rtnl, info.ifindex, name, ret_error);
}
