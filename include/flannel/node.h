/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_NODE_H
#define FLANNEL_NODE_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/lease.h>
#include <flannel/link.h>
#include <flannel/netconf.h>
#include <flannel/prefix.h>
#include <flannel/store.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: node.h - the whole agent, inside the host's loop
 *
 * A node leases a subnet, makes the peers' subnets reachable by the network's backend, sets the masquerade
 * and forward rules, writes the subnet file, and keeps all of it true. This is what flanneld is; flanneld adds only flags,
 * signals and the control socket. Needs CAP_NET_ADMIN over the context's namespace.
 */

struct flannel_node;

/**
 * enum flannel_node_state - how far a node is
 * @FLANNEL_NODE_STOPPED:  not started, or stopped.
 * @FLANNEL_NODE_CONFIG:   waits for the store's network configuration.
 * @FLANNEL_NODE_LEASE:    waits for its lease.
 * @FLANNEL_NODE_PROGRAM:  sets devices, routes and rules.
 * @FLANNEL_NODE_READY:    the subnet file is written; everything is kept true.
 * @FLANNEL_NODE_FAILED:   gave up; the event said why.
 */
enum flannel_node_state {
	FLANNEL_NODE_STOPPED = 0,
	FLANNEL_NODE_CONFIG = 1,
	FLANNEL_NODE_LEASE = 2,
	FLANNEL_NODE_PROGRAM = 3,
	FLANNEL_NODE_READY = 4,
	FLANNEL_NODE_FAILED = 5
};

/**
 * struct flannel_node_options - how the agent works
 * @size:             sizeof(struct flannel_node_options).
 * @interfaces:       interface names or addresses, tried in order; the first that exists carries the traffic.
 * @n_interfaces:     how many. Without interfaces, regular expressions and .interface_can_reach it is the interface of .public_ip, or
 *                    else of the default route; with any of them it is never that.
 * @public_ip:        IPv4 address that peers are told; NULL means the interface's.
 * @public_ip6:       IPv6 address likewise.
 * @masquerade:       enum flannel_masquerade_flags, or-ed; 0 sets no rules.
 * @subnet_file:      path of the file for the CNI plugin; NULL means /run/flannel/subnet.env. What it says at start
 *                    is the subnet asked for first. Written as ".NAME.new" beside it and renamed; no other process may
 *                    write the same one.
 * @ipmasq_value:     what the file says of FLANNEL_IPMASQ: non-zero is true.
 * @lease_sec:        as in struct flannel_lease_options.
 * @renew_margin_sec: as in struct flannel_lease_options.
 * @userdata:         comes back with each event of the node.
 * @state_dir:        directory for what must outlive a reboot, made if missing (mode 0700): the MAC address of a vxlan device, which
 *                    peers know the node by, in "NAME.mac", and network configuration, own lease and peers as last known, in
 *                    "snapshot.json", for a start while the store does not answer. NULL: the former is new after each reboot, and
 *                    such a start waits. No other node may use the same one.
 * @interface_regexes: regular expressions, tried in order after .interfaces: the first interface with an address that matches (of
 *                    each family in use one), else the first whose name does. Go's syntax (RE2), as far as flanneld(8) says.
 * @n_interface_regexes: how many.
 * @interface_can_reach: address, tried last: the interface by which the kernel would send there; NULL for none.
 * @blackhole_route:  non-zero: what is sent to a pod of this node that is not there is dropped, not sent on to the default route, by
 *                    a blackhole route for each own subnet. Its metric is higher than that of any bridge's route.
 * @observer:         non-zero: no lease, no rules (.masquerade and .blackhole_route have to be 0), no subnet file, only routes to the pods of the peers, for a machine that
 *                    has to reach pods and has none, such as a gateway or a monitor. Its peers need not know of it, so this goes with
 *                    backends of plain routes only (host-gw): others fail with -EOPNOTSUPP.
 * @instance:         name of this agent where several serve several networks of one namespace: up to 15 letters, digits, "_" and "-". Its tables are
 *                    flannel-ipv4-NAME and flannel-ipv6-NAME, its links have the alias libflannel/NAME. NULL or "": none. Each needs its own
 *                    route protocol (struct flannel_context_options), .subnet_file, .state_dir and, with vxlan, VNI.
 */
struct flannel_node_options {
	size_t size;
	const char *const *interfaces;
	size_t n_interfaces;
	const char *public_ip;
	const char *public_ip6;
	unsigned int masquerade;
	const char *subnet_file;
	int ipmasq_value;
	uint32_t lease_sec;
	uint32_t renew_margin_sec;
	void *userdata;
	const char *state_dir;
	const char *const *interface_regexes;
	size_t n_interface_regexes;
	const char *interface_can_reach;
	int blackhole_route;
	int observer;
	const char *instance;
};

/**
 * flannel_node_new() - make an agent
 * @context:   context; the node takes a reference.
 * @store:     where leases live; the node takes a reference.
 * @options:   NULL for defaults. Copied.
 * @ret_node:  set on success; owned by the caller, see flannel_node_free().
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative: -EINVAL (an address or expression does not parse, a number is out of range), -E2BIG, -ENOMEM.
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_node_new(struct flannel_context *context, struct flannel_store *store,
				    const struct flannel_node_options *options, struct flannel_node **ret_node,
				    struct flannel_error **ret_error);

/**
 * flannel_node_start() - begin; from here on the node keeps itself true, by dispatch
 * @node:      a stopped node.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Reads the subnet file, makes its directory if missing, and returns. The end is one FLANNEL_EVENT_NODE_READY or
 * FLANNEL_EVENT_NODE_FAILED; the latter names an interface that does not exist, an unknown backend, a missing nft helper, an
 * exhausted range, refused rules, a subnet file that can no longer be written. A store that does not answer, or has no
 * configuration yet, is waited for.
 *
 * If the store does not answer and .state_dir has a snapshot of it, the node goes by that: FLANNEL_EVENT_NODE_RESTORED, then devices,
 * routes, rules, subnet file and FLANNEL_EVENT_NODE_READY as ever. Where the own lease of the snapshot has ended, the subnet file waits for
 * the store, and so does READY; what runs goes on. Once the store answers, peers that left go, new ones come, and the lease is acquired as at
 * any start; another subnet than before is told by FLANNEL_EVENT_LEASE_LOST. A snapshot that is damaged, or of another store or network
 * configuration, is not used, with a warning in the log.
 *
 * The interface that was chosen is followed from then on: by its name, or, if it was chosen by an address, by that. If its address
 * changes, the lease is published with the new one and keeps its subnet as far as the store allows; if its MTU changes, the
 * subnet file does, for pods to come; both are told by FLANNEL_EVENT_UNDERLAY_CHANGED. If it is gone, down, or without an address,
 * that is told (FLANNEL_EVENT_UNDERLAY_LOST), everything stays as it is, and it is taken up again when it is back.
 *
 * Return: 0, or negative, and the node may be started again:
 *   -EINVAL    @node is NULL
 *   -EALREADY  it was started
 *   -EBUSY     the store is in use, or another node runs in the context
 *   -EISDIR, -ENOTDIR, -EACCES, -EROFS, -ENOSPC  the subnet file could not be written
 *   -ENOMEM
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_node_start(struct flannel_node *node, struct flannel_error **ret_error);

/**
 * flannel_node_free() - stop the agent and leave everything it made in force
 * @node: a node or NULL.
 *
 * Lease, routes, rules and subnet file stay, so that traffic flows while nobody watches; the next start takes them over.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_node *flannel_node_free(struct flannel_node *node);

/**
 * flannel_node_get_state() - how far the node is
 * @node: a node; NULL gives FLANNEL_NODE_STOPPED.
 *
 * Return: enum flannel_node_state. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_node_get_state(const struct flannel_node *node);

/**
 * flannel_node_get_state_name() - the state as a word
 * @node: a node; NULL gives "stopped".
 *
 * Return: static text such as "ready". Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_node_get_state_name(const struct flannel_node *node);

/**
 * flannel_node_get_error() - what is wrong now
 * @node: a node; NULL gives NULL.
 *
 * Return: the failure of a failed node, else what is wrong with the interface between nodes, else the failure of a step that is
 * tried again, else why the store is lost, else NULL; owned by @node until the next dispatch. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_error *flannel_node_get_error(const struct flannel_node *node);

/**
 * flannel_node_get_lease() - the own lease
 * @node: a node; NULL gives NULL.
 *
 * Return: the lease, owned by @node until the next dispatch, or NULL before it has one. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_lease *flannel_node_get_lease(const struct flannel_node *node);

/**
 * flannel_node_is_synced() - does the node go by what the store says now
 * @node: a node; NULL gives 0.
 *
 * Other than flannel_node_get_state(), which says whether pods can be attached and reached as far as the node knows: a node that is ready
 * and not synced works on what it knew last. That is no reason to take pods away from it.
 *
 * Return: 1 if the store answers, has confirmed the own lease and listed the peers; else 0. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_node_is_synced(const struct flannel_node *node);

/**
 * flannel_node_get_snapshot_sec() - how old is what the node goes by
 * @node: a node; NULL gives 0.
 *
 * Return: when the snapshot that the node goes by was written, seconds since the epoch (CLOCK_REALTIME); 0 if it goes by none.
 * Since: 0.1.
 */
FLANNEL_PUBLIC int64_t flannel_node_get_snapshot_sec(const struct flannel_node *node);

/**
 * flannel_node_get_netconf() - the network configuration in force
 * @node: a node; NULL gives NULL.
 *
 * Return: the configuration, owned by @node until the next dispatch, or NULL before it has one. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_netconf *flannel_node_get_netconf(const struct flannel_node *node);

/**
 * struct flannel_node_underlay - the interface that carries the traffic between nodes
 * @size:       sizeof(struct flannel_node_underlay), set by the caller.
 * @link:       name, index, MTU and MAC; .size set by the caller.
 * @address:    its IPv4 address; AF_UNSPEC if not used.
 * @address6:   its IPv6 address; AF_UNSPEC if not used.
 * @mtu:        MTU for pods, bytes.
 * @reason:     why this interface, static or owned by the node: "default route", "--iface eth1".
 * @error:      why it carries no traffic now: it is gone, down, without carrier or address, or what it has does not suit the backend;
 *              owned by the node until the next dispatch. The other fields say what it was like before. NULL: all is well.
 */
struct flannel_node_underlay {
	size_t size;
	struct flannel_link link;
	struct flannel_prefix address;
	struct flannel_prefix address6;
	uint32_t mtu;
	const char *reason;
	struct flannel_error *error;
};

/**
 * flannel_node_get_underlay() - the interface in use
 * @node:         a node.
 * @ret_underlay: filled when 1 is returned; .size and .link.size set by the caller.
 *
 * Return: 1, 0 if none is chosen yet, -EINVAL for NULL or a wrong size. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_node_get_underlay(const struct flannel_node *node,
					     struct flannel_node_underlay *ret_underlay);

/**
 * struct flannel_node_peer - a peer and whether it is reachable by our doing
 * @size:      sizeof(struct flannel_node_peer), set by the caller.
 * @lease:     its lease, owned by the node until the next dispatch.
 * @n_objects: kernel objects that it needs.
 * @n_failed:  those of them that are not in force.
 * @error:     why the first of those is not; owned by the node until the next dispatch; else NULL.
 * @ignored:   static text why the peer is ignored ("other backend"); else NULL.
 */
struct flannel_node_peer {
	size_t size;
	struct flannel_lease *lease;
	uint32_t n_objects;
	uint32_t n_failed;
	struct flannel_error *error;
	const char *ignored;
};

/**
 * flannel_node_get_peer() - one of the peers
 * @node:     a node.
 * @index:    0 for the first, in order of the subnets.
 * @ret_peer: filled when 1 is returned; .size set by the caller.
 *
 * Return: 1, 0 beyond the last, -EINVAL for NULL or a wrong size. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_node_get_peer(const struct flannel_node *node, size_t index,
					 struct flannel_node_peer *ret_peer);

/**
 * flannel_node_get_repairs() - how often something was put back
 * @node: a node; NULL gives 0.
 *
 * Return: number of kernel objects repaired since the start. Since: 0.1.
 */
FLANNEL_PUBLIC uint64_t flannel_node_get_repairs(const struct flannel_node *node);

/**
 * flannel_node_get_conflict() - a route that may be flannel's or somebody else's
 * @node:  a node; NULL has none.
 * @index: from 0 on; the order has no meaning.
 *
 * flannel's Go daemon does not tag its routes and leaves those of nodes that went while it was down. When the agent starts it removes what
 * it can tell to be of that kind. A route is a conflict if it leads to a subnet of the network that no node has, but its next hop is not known: it stays,
 * until somebody removes it or a node gets the subnet.
 *
 * Return: the route in words, owned by @node, valid until the next dispatch; NULL beyond the last one. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_node_get_conflict(const struct flannel_node *node, size_t index);

FLANNEL_END_DECLS

#endif
