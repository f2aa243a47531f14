/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The node agent's way to ready, and what it does with what it finds in the kernel. */

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/inotify.h>

#include "node_lab.h"

#define ROUTES "ip -j route show proto 241 | jq -r '.[] | .dst + \" \" + .gateway + \" \" + .dev'"
#define ROUTES6 "ip -6 -j route show proto 241 | jq -r '.[] | .dst + \" \" + .gateway + \" \" + .dev'"
#define TABLES "nft -j list tables | jq -r '.nftables[] | select(.table) | .table.family + \" \" + .table.name'"

/* what a thread saw right after the subnet file had come */
struct witness {
	const char *dir;
	int inotify_fd;
	char *seen;
};

/* waits for the rename, then looks */
static void *watch_rename(void *userdata)
{
	struct witness *witness = userdata;
	char buffer[4096];
	bool came = false;

	while (!came) {
		ssize_t n = read(witness->inotify_fd, buffer, sizeof(buffer));

		if (n <= 0)
			return NULL;
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const struct inotify_event *)(buffer + at);

			came |= event->len > 0 && strcmp(event->name, "subnet.env") == 0;
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	witness->seen = sandbox_shell(false, ROUTES "; " TABLES);
	return NULL;
}

/* when the file appears, routes and rules are there */
Test(node, subnet_file_comes_last)
{
	struct witness witness = {0};
	pthread_t thread;
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	witness.inotify_fd = inotify_init1(IN_CLOEXEC);
	cr_assert_geq(inotify_add_watch(witness.inotify_fd, lab.dir, IN_MOVED_TO), 0);
	cr_assert_eq(pthread_create(&thread, NULL, watch_rename, &witness), 0);
	lab_start_ready(&lab);
	pthread_join(thread, NULL);
	cr_assert_not_null(witness.seen);
	cr_expect_str_eq(witness.seen, "10.244.2.0/24 192.0.2.2 eth0\nip flannel-ipv4");
	free(witness.seen);
	close(witness.inotify_fd);
	lab_close(&lab);
}

/* each step waits for the one before */
Test(node, order_of_steps)
{
	struct lab lab;
	struct flannel_node_underlay underlay = {.size = sizeof(underlay), .link = {.size = sizeof(underlay.link)}};

	lab_open(&lab, LAB_CONFIG);
	lab_gate_helper(&lab);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	lab_write_file(lab.subnet_file, "FLANNEL_SUBNET=10.244.1.1/24\n");
	cr_assert_eq(lab_start(&lab, NULL), 0);
	cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_CONFIG);
	cr_expect_eq(flannel_node_start(lab.node, NULL), -EALREADY);
	lab_await_state(&lab, FLANNEL_NODE_LEASE);
	cr_expect_not_null(flannel_node_get_netconf(lab.node));
	cr_expect_eq(flannel_node_get_underlay(lab.node, &underlay), 1);
	cr_expect_str_eq(underlay.link.name, "eth0");
	cr_expect_str_eq(underlay.reason, "default route");
	cr_expect_eq(underlay.mtu, 1500u);
	sandbox_expect("", ROUTES);
	lab_await_state(&lab, FLANNEL_NODE_PROGRAM);
	sandbox_expect("10.244.2.0/24 192.0.2.2 eth0", ROUTES);
	sandbox_expect("", TABLES);
	sandbox_expect("FLANNEL_SUBNET=10.244.1.1/24", "cat %s", lab.subnet_file);
	lab_open_gate(&lab);
	lab_await(&lab, FLANNEL_EVENT_NODE_READY);
	sandbox_expect("ip flannel-ipv4", TABLES);
	sandbox_expect(
		"FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=true",
		"cat %s", lab.subnet_file);
	cr_expect_null(flannel_node_get_error(lab.node));
	lab_close(&lab);
}

Test(node, dual_stack)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG_DUAL);
	lab_put(&lab, "10.244.2.0-24&fd00:10:244:2::-64", LAB_VALUE_DUAL("192.0.2.2", "2001:db8::2"));
	/* one family only: gets that one's route */
	lab_put(&lab, "10.244.4.0-24", LAB_VALUE("192.0.2.4"));
	lab_write_file(lab.subnet_file, "FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\n");
	lab_start_ready(&lab);
	sandbox_expect("10.244.2.0/24 192.0.2.2 eth0\n10.244.4.0/24 192.0.2.4 eth0", ROUTES);
	sandbox_expect("fd00:10:244:2::/64 2001:db8::2 eth0", ROUTES6);
	sandbox_expect("ip flannel-ipv4\nip6 flannel-ipv6", TABLES);
	sandbox_expect("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n"
		       "FLANNEL_IPV6_NETWORK=fd00:10:244::/48\nFLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\n"
		       "FLANNEL_MTU=1500\nFLANNEL_IPMASQ=true",
		       "cat %s", lab.subnet_file);
	cr_expect_str_eq(flannel_lease_get_value(flannel_node_get_lease(lab.node)),
			 LAB_VALUE_DUAL("192.0.2.1", "2001:db8::1"));
	lab_close(&lab);
}

Test(node, ipv6_only)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG6);
	lab_put(&lab, "0.0.0.0-0&fd00:10:244:2::-64", LAB_VALUE_DUAL("0.0.0.0", "2001:db8::2"));
	lab.options.ipmasq_value = 0;
	lab_start_ready(&lab);
	sandbox_expect("", ROUTES);
	sandbox_expect("fd00:10:244:2::/64 2001:db8::2 eth0", ROUTES6);
	sandbox_expect("ip6 flannel-ipv6", TABLES);
	sandbox_expect("0\n1\nFLANNEL_IPMASQ=false",
		       "grep -c FLANNEL_SUBNET %s; grep -c FLANNEL_IPV6_SUBNET %s; tail -n 1 %s", lab.subnet_file,
		       lab.subnet_file, lab.subnet_file);
	lab_close(&lab);
}

/* 0: no rules, and no helper is needed */
Test(node, no_rules)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab.options.masquerade = 0;
	snprintf(lab.helper, sizeof(lab.helper), "/nonexistent/nft");
	lab_start_ready(&lab);
	sandbox_expect("", TABLES);
	lab_close(&lab);
}

/* the configuration comes later: the store's watch begins anew then */
Test(node, configuration_comes_later)
{
	struct lab lab;

	lab_open(&lab, NULL);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	cr_assert_eq(lab_start(&lab, NULL), 0);
	/* a timeout of one question: it is asked again each second */
	for (int i = 0; i < 3; i++)
		lab_turn(&lab, 1500);
	cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_CONFIG);
	cr_assert_eq(store_client_put_config(&lab.client, LAB_CONFIG), 0);
	lab_await(&lab, FLANNEL_EVENT_NODE_READY);
	sandbox_expect("10.244.2.0/24 192.0.2.2 eth0", ROUTES);
	lab_close(&lab);
}

/* finds a peer by its key */
static struct flannel_node_peer find_peer(const struct lab *lab, const char *key)
{
	struct flannel_node_peer peer = {.size = sizeof(peer)};
	char text[2 * FLANNEL_PREFIX_STRLEN];

	for (size_t i = 0; flannel_node_get_peer(lab->node, i, &peer) > 0; i++) {
		if (strcmp(flannel_lease_format_key(peer.lease, text, sizeof(text)), key) == 0)
			return peer;
	}
	cr_assert_fail("no peer %s", key);
	return peer;
}

/* peers that get no route, each for its reason; the others do */
Test(node, peers_that_cannot_be_served)
{
	struct flannel_node_peer peer;
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	lab_put(&lab, "10.244.3.0-24", "{\"PublicIP\":\"192.0.2.3\",\"PublicIPv6\":null,\"BackendType\":\"vxlan\"}");
	lab_put(&lab, "10.99.0.0-24", LAB_VALUE("192.0.2.4"));
	lab_put(&lab, "10.244.5.0-24", LAB_VALUE("198.51.100.5"));
	lab_put(&lab, "10.244.6.0-24", LAB_VALUE("192.0.2.6"));
	sandbox_run("ip route add 10.244.6.0/24 via 192.0.2.66 proto static && ip route del default");
	lab.options.interfaces = (const char *const[]){"eth0"};
	lab.options.n_interfaces = 1;
	lab_start_ready(&lab);
	sandbox_expect("10.244.2.0/24 192.0.2.2 eth0", ROUTES);
	sandbox_expect("static 192.0.2.66",
		       "ip -j route show 10.244.6.0/24 | jq -r '.[] | .protocol + \" \" + .gateway'");

	peer = find_peer(&lab, "10.244.2.0-24");
	cr_expect(peer.n_objects == 1 && peer.n_failed == 0 && !peer.error && !peer.ignored);
	peer = find_peer(&lab, "10.244.3.0-24");
	cr_expect(peer.n_objects == 0 && peer.n_failed == 0 && peer.ignored);
	peer = find_peer(&lab, "10.99.0.0-24");
	cr_expect(peer.n_objects == 0 && peer.n_failed == 1);
	cr_expect_not_null(strstr(flannel_error_get_message(peer.error), "10.99.0.0/24"));
	peer = find_peer(&lab, "10.244.5.0-24");
	cr_expect(peer.n_objects == 1 && peer.n_failed == 1);
	cr_expect_not_null(strstr(flannel_error_get_message(peer.error), "invalid gateway"), "%s",
			   flannel_error_get_message(peer.error));
	peer = find_peer(&lab, "10.244.6.0-24");
	cr_expect(peer.n_objects == 1 && peer.n_failed == 1);
	cr_expect_not_null(strstr(flannel_error_get_message(peer.error), "192.0.2.66"), "%s",
			   flannel_error_get_message(peer.error));

	/* the place becomes free: it is taken without waiting for the next try */
	sandbox_run("ip route del 10.244.6.0/24");
	lab_await_output(&lab, "10.244.2.0/24 192.0.2.2 eth0\n10.244.6.0/24 192.0.2.6 eth0", ROUTES);
	lab_close(&lab);
}

/* each failure is an event */
Test(node, failures_are_told)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	/* else it may choose what a peer is to get later */
	lab_write_file(lab.subnet_file, "FLANNEL_SUBNET=10.244.1.1/24\n");
	lab_start_ready(&lab);
	lab_put(&lab, "10.99.0.0-24", LAB_VALUE("192.0.2.4"));
	lab_await(&lab, FLANNEL_EVENT_OBJECT_FAILED);
	cr_expect_not_null(strstr(lab.last_text, "10.99.0.0/24"), "%s", lab.last_text);
	sandbox_run("ip route add 10.244.6.0/24 via 192.0.2.66 proto static");
	lab_put(&lab, "10.244.6.0-24", LAB_VALUE("192.0.2.6"));
	lab_await(&lab, FLANNEL_EVENT_OBJECT_FAILED);
	cr_expect_not_null(strstr(lab.last_text, "10.244.6.0/24"), "%s", lab.last_text);
	lab_close(&lab);
}

/* routes of peers that left while nobody looked go; everybody else's stay */
Test(node, stale_routes_are_purged)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG_DUAL);
	lab_put(&lab, "10.244.2.0-24&fd00:10:244:2::-64", LAB_VALUE_DUAL("192.0.2.2", "2001:db8::2"));
	sandbox_run(
		"ip route add 10.244.2.0/24 via 192.0.2.2 proto 241 && ip route add 10.244.7.0/24 via 192.0.2.7 proto "
		"241 &&"
		"ip route add 10.99.0.0/24 via 192.0.2.9 proto 241 && ip -6 route add fd00:10:244:7::/64 via "
		"2001:db8::7 "
		"proto 241 && ip route add 10.244.8.0/24 via 192.0.2.8 proto static &&"
		"ip route add 10.244.9.0/24 via 192.0.2.9 proto 242 && ip route add 198.51.100.0/24 via 192.0.2.254");
	lab_start_ready(&lab);
	sandbox_expect("10.244.2.0/24 192.0.2.2 eth0", ROUTES);
	sandbox_expect("fd00:10:244:2::/64 2001:db8::2 eth0", ROUTES6);
	sandbox_expect("10.244.8.0/24\n10.244.9.0/24\n198.51.100.0/24",
		       "ip -j route show | jq -r '.[] | select(.protocol != \"kernel\" and .protocol != \"241\" and "
		       ".dst != \"default\") | .dst'");
	lab_close(&lab);
}

/* starts `ip monitor`, for sandbox_expect() on DIR/monitor; its pid is in DIR/pid */
static void start_monitor(const struct lab *lab)
{
	sandbox_run("(ip -t monitor route >>%s/monitor 2>&1 & echo $! >%s/pid)", lab->dir, lab->dir);
	/* it listens once it reports something */
	sandbox_run("while ! grep -q 203.0.113.0 %s/monitor; do ip route replace blackhole 203.0.113.0/30; "
		    "ip route del blackhole 203.0.113.0/30; done",
		    lab->dir);
	sandbox_run("echo started >>%s/monitor", lab->dir);
}

/* everything up to now is in the file */
static void stop_monitor(const struct lab *lab)
{
	sandbox_run("ip route replace blackhole 203.0.113.4/30; while ! grep -q 203.0.113.4 %s/monitor; do sleep 0.01; "
		    "done; "
		    "kill $(cat %s/pid)",
		    lab->dir, lab->dir);
}

/* routes of the Go daemon become ours without ever being away */
Test(node, routes_of_go_flannel_are_adopted)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG_DUAL);
	lab_put(&lab, "10.244.2.0-24&fd00:10:244:2::-64", LAB_VALUE_DUAL("192.0.2.2", "2001:db8::2"));
	lab_put(&lab, "10.244.4.0-24&fd00:10:244:4::-64", LAB_VALUE_DUAL("192.0.2.4", "2001:db8::4"));
	/* the second peer has another address by now */
	sandbox_run("ip route add 10.244.2.0/24 via 192.0.2.2 proto boot && ip route add 10.244.4.0/24 via 192.0.2.44 "
		    "proto boot &&"
		    "ip -6 route add fd00:10:244:2::/64 via 2001:db8::2 proto boot && "
		    "ip -6 route add fd00:10:244:4::/64 via 2001:db8::44 proto boot");
	start_monitor(&lab);
	lab_start_ready(&lab);
	stop_monitor(&lab);
	sandbox_expect("10.244.2.0/24 192.0.2.2 eth0\n10.244.4.0/24 192.0.2.4 eth0", ROUTES);
	sandbox_expect("fd00:10:244:2::/64 2001:db8::2 eth0\nfd00:10:244:4::/64 2001:db8::4 eth0", ROUTES6);
	sandbox_expect("", "ip route show proto boot 10.244.0.0/16; ip -6 route show proto boot fd00:10:244::/48");
	sandbox_expect("0", "sed '1,/^started/d; /203.0.113/d' %s/monitor | grep -c Deleted", lab.dir);
	sandbox_expect("4", "sed '1,/^started/d' %s/monitor | grep -c 'proto 241'", lab.dir);
	lab_close(&lab);
}

/* a second start finds everything and touches nothing */
Test(node, restart_changes_nothing)
{
	char *rules;
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	lab_start_ready(&lab);
	lab_stop(&lab);
	sandbox_expect("10.244.2.0/24 192.0.2.2 eth0", ROUTES);
	sandbox_expect("ip flannel-ipv4", TABLES);
	rules = sandbox_shell(true, "nft list ruleset");
	sandbox_run("cp %s %s/before", lab.subnet_file, lab.dir);
	start_monitor(&lab);
	lab_start_ready(&lab);
	stop_monitor(&lab);
	sandbox_expect("0", "sed '1,/^started/d' %s/monitor | grep -c 10.244", lab.dir);
	sandbox_expect("", "cmp %s %s/before", lab.subnet_file, lab.dir);
	sandbox_expect(rules, "nft list ruleset");
	free(rules);
	lab_close(&lab);
}

/* peers come, move and go */
Test(node, peers_change)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	/* else it may choose what a peer is to get later */
	lab_write_file(lab.subnet_file, "FLANNEL_SUBNET=10.244.1.1/24\n");
	lab_start_ready(&lab);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	lab_put(&lab, "10.244.3.0-24", LAB_VALUE("192.0.2.3"));
	lab_await_output(&lab, "10.244.2.0/24 192.0.2.2 eth0\n10.244.3.0/24 192.0.2.3 eth0", ROUTES);
	cr_assert_eq(store_client_remove(&lab.client, "10.244.2.0-24", LAB_VALUE("192.0.2.2")), 0);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.22"));
	lab_await_output(&lab, "10.244.2.0/24 192.0.2.22 eth0\n10.244.3.0/24 192.0.2.3 eth0", ROUTES);
	/* to a backend that this node does not have */
	lab_put(&lab, "10.244.3.0-24", "{\"PublicIP\":\"192.0.2.3\",\"PublicIPv6\":null,\"BackendType\":\"vxlan\"}");
	lab_await_output(&lab, "10.244.2.0/24 192.0.2.22 eth0", ROUTES);
	cr_assert_eq(store_client_remove(&lab.client, "10.244.2.0-24", LAB_VALUE("192.0.2.22")), 0);
	lab_await_output(&lab, "", ROUTES);
	lab_close(&lab);
}

Test(node, repairs)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	lab_start_ready(&lab);
	cr_expect_eq(flannel_node_get_repairs(lab.node), 0u);
	sandbox_run("ip route del 10.244.2.0/24");
	lab_await(&lab, FLANNEL_EVENT_REPAIRED);
	sandbox_expect("10.244.2.0/24 192.0.2.2 eth0", ROUTES);
	cr_expect_eq(flannel_node_get_repairs(lab.node), 1u);
	lab_close(&lab);
}
