/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The interface between nodes changes under a running agent. */

#include <criterion/criterion.h>

#include "engine/node/node_state.h"
#include "engine/reconcile/reconcile_state.h"
#include "node_lab.h"

#define ROUTES "ip -j route show proto 241 | jq -r '.[] | .dst + \" \" + .gateway + \" \" + .dev'"
#define PEER "10.244.2.0/24 192.0.2.2 eth0"
#define OWN_SUBNET "FLANNEL_SUBNET=10.244.1.1/24\n"

/* a ready node with one peer; its own subnet is 10.244.1.0/24 */
static void start(struct lab *lab, const char *config)
{
	lab_open(lab, config);
	lab_put(lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	lab_write_file(lab->subnet_file, OWN_SUBNET);
}

/* what the store has of this node, whatever its address */
static void expect_stored(struct lab *lab, const char *key, const char *value)
{
	struct flannel_lease *lease = store_client_find(&lab->client, key);

	cr_assert_not_null(lease, "%s is not in the store", key);
	cr_expect_str_eq(flannel_lease_get_value(lease), value);
	flannel_lease_unref(lease);
}

/* what is told of the interface, as "name address mtu-of-the-link error" */
static void expect_underlay(const struct lab *lab, const char *expected, const char *trouble)
{
	struct flannel_node_underlay underlay = {.size = sizeof(underlay), .link = {.size = sizeof(underlay.link)}};
	char address[FLANNEL_PREFIX_STRLEN], text[128];

	cr_assert_eq(flannel_node_get_underlay(lab->node, &underlay), 1);
	snprintf(text, sizeof(text), "%s %s %u", underlay.link.name,
		 flannel_prefix_format(&underlay.address, address, sizeof(address)), underlay.link.mtu);
	cr_expect_str_eq(text, expected, "%s", text);
	if (trouble)
		cr_expect(strstr(flannel_error_get_message(underlay.error), trouble), "%s",
			  flannel_error_get_message(underlay.error));
	else
		cr_expect_null(underlay.error, "%s", flannel_error_get_message(underlay.error));
	cr_expect_eq(flannel_node_get_error(lab->node), underlay.error);
	cr_expect_eq(flannel_node_get_state(lab->node), FLANNEL_NODE_READY);
}

/* DHCP gives another address: the lease follows and keeps its subnet, the routes stay, the file is not touched */
Test(node_underlay, address_changes)
{
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	sandbox_run("stat -c '%%i %%y' %s > %s/before", lab.subnet_file, lab.dir);
	sandbox_run("ip address add 192.0.2.9/24 dev eth0 && ip address delete 192.0.2.1/24 dev eth0 && "
		    "(ip address show dev eth0 | grep -q 192.0.2.9 || ip address add 192.0.2.9/24 dev eth0)");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_CHANGED);
	cr_expect_str_eq(lab.last_text, "eth0: address 192.0.2.1/24 is now 192.0.2.9/24");
	lab_await(&lab, FLANNEL_EVENT_LEASE_RENEWED);
	cr_expect_str_eq(lab.last_text, "10.244.1.0-24 of 192.0.2.9");
	lab_await_output(&lab, PEER, ROUTES);
	expect_underlay(&lab, "eth0 192.0.2.9/24 1500", NULL);
	cr_expect_str_eq(flannel_lease_get_value(flannel_node_get_lease(lab.node)), LAB_VALUE("192.0.2.9"));
	expect_stored(&lab, "10.244.1.0-24", LAB_VALUE("192.0.2.9"));
	sandbox_run("stat -c '%%i %%y' %s | cmp - %s/before", lab.subnet_file, lab.dir);
	lab_close(&lab);
}

/* both families, and the IPv6 address is the one that changes */
Test(node_underlay, ipv6_address_changes)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG_DUAL);
	lab_write_file(lab.subnet_file, OWN_SUBNET "FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\n");
	lab_start_ready(&lab);
	sandbox_run("ip address add 2001:db8::9/64 dev eth0 nodad && ip address delete 2001:db8::1/64 dev eth0");
	lab_await(&lab, FLANNEL_EVENT_LEASE_RENEWED);
	expect_stored(&lab, "10.244.1.0-24&fd00:10:244:1::-64", LAB_VALUE_DUAL("192.0.2.1", "2001:db8::9"));
	lab_close(&lab);
}

/* the lease of a node that had the address before, and is gone, is no obstacle */
Test(node_underlay, address_of_a_node_that_is_gone)
{
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab_put(&lab, "10.244.9.0-24", LAB_VALUE("192.0.2.9"));
	lab_start_ready(&lab);
	sandbox_run("ip address add 192.0.2.9/16 dev eth0 && ip address delete 192.0.2.1/24 dev eth0");
	lab_await(&lab, FLANNEL_EVENT_LEASE_RENEWED);
	expect_stored(&lab, "10.244.1.0-24", LAB_VALUE("192.0.2.9"));
	cr_expect_null(store_client_find(&lab.client, "10.244.9.0-24"));
	lab_await_output(&lab, PEER, ROUTES);
	lab_close(&lab);
}

/* taken away and put back before anybody looks; beside it another; and the lifetime of one: nothing happens */
Test(node_underlay, no_change)
{
	struct flannel_event *event = NULL;
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	sandbox_run(
		"ip address add 192.0.2.77/16 dev eth0 && ip address delete 192.0.2.1/24 dev eth0 && "
		"ip address add 192.0.2.1/24 dev eth0 && ip address change 192.0.2.1/24 dev eth0 preferred_lft 1000 "
		"valid_lft 1000 && ip link set eth0 mtu 1400 && ip link set eth0 mtu 1500 && "
		"ip link set eth0 down && ip link set eth0 up && ip -6 address flush dev eth0 && "
		"ip route replace default via 192.0.2.254");
	lab_await_output(&lab, PEER, ROUTES);
	sandbox_run("ip link add other type veth peer name other2");
	/* the monitor hears of this one last; when its route is there, all before it was looked at */
	lab_put(&lab, "10.244.3.0-24", LAB_VALUE("192.0.2.3"));
	lab_await_output(&lab, PEER "\n10.244.3.0/24 192.0.2.3 eth0", ROUTES);
	while (flannel_context_next_event(lab.context, &event) > 0) {
		int type = flannel_event_get_type(event);

		cr_expect(type == FLANNEL_EVENT_REPAIRED || type == FLANNEL_EVENT_PEER_ADDED ||
				  type == FLANNEL_EVENT_PEER_CHANGED,
			  "%s: %s", flannel_event_get_type_name(event), flannel_event_get_text(event));
		flannel_event_free(event);
	}
	expect_underlay(&lab, "eth0 192.0.2.1/24 1500", NULL);
	lab_close(&lab);
}

/* the MTU of pods to come follows, without a moment in which the node is not ready */
Test(node_underlay, mtu_changes)
{
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	sandbox_run("ip link set eth0 mtu 1400");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_CHANGED);
	cr_expect_str_eq(lab.last_text, "eth0: MTU 1500 is now 1400");
	cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_READY);
	lab_await(&lab, FLANNEL_EVENT_NODE_READY);
	sandbox_expect(
		"FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1400\nFLANNEL_IPMASQ=true",
		"cat %s", lab.subnet_file);
	expect_underlay(&lab, "eth0 192.0.2.1/24 1400", NULL);
	sandbox_expect(PEER, ROUTES);
	lab_close(&lab);
}

/* the MTU changes while the subnet file cannot be written: written when it can */
Test(node_underlay, mtu_changes_and_file_cannot_be_written)
{
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	/* a directory in the place of the temporary file, since root may write everywhere */
	sandbox_run("mkdir %s/.subnet.env.new", lab.dir);
	sandbox_run("ip link set eth0 mtu 1400");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_CHANGED);
	cr_expect(strstr(flannel_error_get_message(flannel_node_get_error(lab.node)), "subnet.env"), "%s",
		  flannel_error_get_message(flannel_node_get_error(lab.node)));
	cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_READY, "pods can be attached all the same");
	sandbox_expect("1", "grep -c FLANNEL_MTU=1500 %s", lab.subnet_file);
	sandbox_run("rmdir %s/.subnet.env.new", lab.dir);
	lab_await(&lab, FLANNEL_EVENT_NODE_READY);
	sandbox_expect("1", "grep -c FLANNEL_MTU=1400 %s", lab.subnet_file);
	cr_expect_null(flannel_node_get_error(lab.node));
	lab_close(&lab);
}

/* gone and back, with another index and MTU: the data plane is left alone meanwhile, and comes back by itself */
Test(node_underlay, interface_is_made_anew)
{
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	sandbox_run("ip link delete eth0");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_LOST);
	expect_underlay(&lab, "eth0 192.0.2.1/24 1500", "eth0: it is gone");
	sandbox_expect("1", "grep -c FLANNEL_SUBNET=10.244.1.1/24 %s", lab.subnet_file);
	sandbox_expect("ip flannel-ipv4",
		       "nft -j list tables | jq -r '.nftables[] | select(.table) | .table.family + \" \" + "
		       ".table.name'");
	cr_expect_not_null(flannel_node_get_lease(lab.node));
	/* in two steps: without an address it is there, but of no use */
	sandbox_run("ip link add eth0 type veth peer name wire && ip link set wire up && ip link set eth0 mtu 1400 up");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_LOST);
	cr_expect(strstr(lab.last_text, "no IPv4 address"), "%s", lab.last_text);
	sandbox_run("ip address add 192.0.2.1/24 dev eth0");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_CHANGED);
	cr_expect_str_eq(lab.last_text, "eth0: the interface was made anew, MTU 1500 is now 1400");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_BACK);
	lab_await_output(&lab, PEER, ROUTES);
	sandbox_expect("1", "grep -c FLANNEL_MTU=1400 %s", lab.subnet_file);
	expect_underlay(&lab, "eth0 192.0.2.1/24 1400", NULL);
	lab_close(&lab);
}

/* renamed is gone; renamed back is back */
Test(node_underlay, interface_is_renamed)
{
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	sandbox_run("ip link set eth0 down && ip link set eth0 name lan0 && ip link set lan0 up");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_LOST);
	expect_underlay(&lab, "eth0 192.0.2.1/24 1500", "it is gone");
	sandbox_run("ip link set lan0 down && ip link set lan0 name eth0 && ip link set eth0 up");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_BACK);
	lab_await_output(&lab, PEER, ROUTES);
	expect_underlay(&lab, "eth0 192.0.2.1/24 1500", NULL);
	lab_close(&lab);
}

/* down, without carrier, without an address: each says so */
Test(node_underlay, troubles)
{
	static const struct {
		const char *harm, *trouble, *mend;
	} cases[] = {
		{"ip link set eth0 down", "it is down", "ip link set eth0 up"},
		{"ip link set wire down", "no carrier", "ip link set wire up"},
		{"ip -4 address flush dev eth0", "no IPv4 address", "ip address add 192.0.2.1/24 dev eth0"},
	};
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		sandbox_run("%s", cases[i].harm);
		lab_await(&lab, FLANNEL_EVENT_UNDERLAY_LOST);
		expect_underlay(&lab, "eth0 192.0.2.1/24 1500", cases[i].trouble);
		sandbox_run("%s", cases[i].mend);
		lab_await(&lab, FLANNEL_EVENT_UNDERLAY_BACK);
		lab_await_output(&lab, PEER, ROUTES);
		expect_underlay(&lab, "eth0 192.0.2.1/24 1500", NULL);
	}
	lab_close(&lab);
}

/* an interface that carries nothing at the start is taken, as it always was, and told */
Test(node_underlay, down_at_the_start)
{
	struct lab lab;

	start(&lab, LAB_CONFIG);
	sandbox_run("ip link set wire down");
	cr_assert_eq(lab_start(&lab, NULL), 0);
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_LOST);
	cr_expect(strstr(lab.last_text, "no carrier"), "%s", lab.last_text);
	lab_await(&lab, FLANNEL_EVENT_NODE_READY);
	sandbox_run("ip link set wire up");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_BACK);
	lab_close(&lab);
}

/* named by its address, it may move to a bridge above the interface; the routes move along */
Test(node_underlay, address_moves_to_a_bridge)
{
	const char *interfaces[] = {"192.0.2.1"};
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab.options.interfaces = interfaces;
	lab.options.n_interfaces = 1;
	lab_start_ready(&lab);
	sandbox_expect(PEER, ROUTES);
	sandbox_run("ip link add br0 type bridge && ip link set br0 up && ip link set eth0 master br0 && "
		    "ip address delete 192.0.2.1/24 dev eth0 && ip address add 192.0.2.1/24 dev br0");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_CHANGED);
	cr_expect_str_eq(lab.last_text, "br0 instead of eth0");
	lab_await_output(&lab, "10.244.2.0/24 192.0.2.2 br0", ROUTES);
	/* the address is gone altogether: another one of the bridge is not meant */
	sandbox_run("ip address add 192.0.2.9/24 dev br0 && ip address delete 192.0.2.1/24 dev br0");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_LOST);
	cr_expect(strstr(lab.last_text, "no interface has the address 192.0.2.1"), "%s", lab.last_text);
	lab_close(&lab);
}

/* named by an expression, it is chosen by that once and followed by its name, though the address matches no longer */
Test(node_underlay, expression)
{
	const char *regexes[] = {"^198\\.", "^192\\.0\\.2\\.\\d$"};
	struct lab lab;

	start(&lab, LAB_CONFIG);
	sandbox_run("ip route delete default");
	lab.options.interface_regexes = regexes;
	lab.options.n_interface_regexes = 2;
	lab_start_ready(&lab);
	sandbox_expect(PEER, ROUTES);
	sandbox_run("ip address add 192.0.2.99/16 dev eth0 && ip address delete 192.0.2.1/24 dev eth0");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_CHANGED);
	expect_underlay(&lab, "eth0 192.0.2.99/16 1500", NULL);
	lab_close(&lab);
}

/* named by where it leads: the address is the one that the kernel would send from */
Test(node_underlay, can_reach)
{
	struct lab lab;

	start(&lab, LAB_CONFIG);
	sandbox_run("ip address add 192.0.2.5/24 dev eth0 && ip route delete default && "
		    "ip route add 198.51.100.0/24 via 192.0.2.254 src 192.0.2.5");
	lab.options.interface_can_reach = "198.51.100.7";
	lab_start_ready(&lab);
	expect_underlay(&lab, "eth0 192.0.2.5/24 1500", NULL);
	expect_stored(&lab, "10.244.1.0-24", LAB_VALUE("192.0.2.5"));
	lab_close(&lab);
}

/* no way there: the agent says so, and takes no other interface */
Test(node_underlay, cannot_reach)
{
	struct lab lab;

	start(&lab, LAB_CONFIG);
	sandbox_run("ip route add unreachable 198.51.100.0/24");
	lab.options.interface_can_reach = "198.51.100.7";
	cr_assert_eq(lab_start(&lab, NULL), 0);
	lab_await(&lab, FLANNEL_EVENT_NODE_FAILED);
	cr_expect(strstr(lab.last_text,
			 "--iface-can-reach 198.51.100.7: find the route to 198.51.100.7: No route to host"),
		  "%s", lab.last_text);
	lab_close(&lab);
}

/* what the backend cannot serve is trouble, and not followed: peers could not use that gateway */
Test(node_underlay, public_address_is_no_longer_the_interfaces)
{
	const char *interfaces[] = {"eth0"};
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab.options.interfaces = interfaces;
	lab.options.n_interfaces = 1;
	lab.options.public_ip = "192.0.2.1";
	lab_start_ready(&lab);
	sandbox_run("ip address add 192.0.2.9/16 dev eth0 && ip address delete 192.0.2.1/24 dev eth0");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_LOST);
	expect_underlay(&lab, "eth0 192.0.2.1/24 1500", "public address 192.0.2.1, but eth0 has 192.0.2.9");
	expect_stored(&lab, "10.244.1.0-24", LAB_VALUE("192.0.2.1"));
	sandbox_run("ip address add 192.0.2.1/24 dev eth0 && ip address delete 192.0.2.9/16 dev eth0");
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_BACK);
	lab_close(&lab);
}

/* the entry of the only peer's route */
static struct fl_entry *only_entry(const struct lab *lab)
{
	const struct fl_node_peer *peer = fl_request_get_peers(lab->node->request)->peers[0]->data;

	return (struct fl_entry *)fl_reconciler_entries_of(&peer->record.owner);
}

/* a gateway that was no neighbour becomes one: by an address, or just by a route. The peer's route is set at once. */
Test(node_underlay, gateway_becomes_a_neighbour)
{
	static const char *const ways[] = {
		"ip address add 203.0.113.1/24 dev eth0",
		"ip route add 203.0.113.0/24 dev eth0",
		"ip route replace default dev eth0",
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(ways); i++) {
		struct lab lab;

		lab_open(&lab, LAB_CONFIG);
		/* the end of duplicate detection would be news of an address */
		sandbox_run("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1");
		lab_put(&lab, "10.244.2.0-24", LAB_VALUE("203.0.113.2"));
		lab_start_ready(&lab);
		cr_assert_eq(only_entry(&lab)->state, FL_ENTRY_FAILED);
		/* it does not come back by being tried again every now and then */
		only_entry(&lab)->trouble->retry_ns = UINT64_MAX;
		sandbox_run("%s", ways[i]);
		lab_await_output(&lab, "10.244.2.0/24 203.0.113.2 eth0", ROUTES);
		lab_close(&lab);
	}
}

/* more news than the queue holds, and what counts is among those that are lost: asked again */
Test(node_underlay, news_are_lost)
{
	const int tiny = 4096;
	struct lab lab;

	start(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	cr_assert_eq(setsockopt(fl_monitor_get_fd(lab.node->scope.reconciler->monitor), SOL_SOCKET, SO_RCVBUF, &tiny,
				sizeof(tiny)),
		     0);
	sandbox_run("ip link add other type veth peer name other2 && ip link set other up && "
		    "for i in $(seq 200); do echo route add 198.18.$i.0/24 dev other; done > %s/batch && ip -batch "
		    "%s/batch && "
		    "ip address add 192.0.2.9/16 dev eth0 && ip address delete 192.0.2.1/24 dev eth0",
		    lab.dir, lab.dir);
	lab_await(&lab, FLANNEL_EVENT_UNDERLAY_CHANGED);
	cr_expect_str_eq(lab.last_text, "eth0: address 192.0.2.1/24 is now 192.0.2.9/16");
	lab_await(&lab, FLANNEL_EVENT_LEASE_RENEWED);
	lab_close(&lab);
}
