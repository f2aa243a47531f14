/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can happen to an etcd, and that the store goes on with it. */
#include "etcd_lab.h"

#define SUBNETS "/coreos.com/network/subnets/"
#define HOST_GW(ip) "{\"PublicIP\":\"" ip "\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}"

/* within this a store that answers again must be in use again */
#define BACK_AFTER_MS 2000

static struct etcd etcd;

static void setup(void)
{
	etcd_make(&etcd);
	etcd_start(&etcd);
}

static void teardown(void)
{
	etcd_remove(&etcd);
}

TestSuite(store_etcd_trouble, .init = setup, .fini = teardown);

/* the same within the time in which a store must be back */
static void node_await_soon(struct node *node, const char *text)
{
	uint64_t start_ns = fl_loop_now();

	node_await(node, text);
	cr_expect_leq((fl_loop_now() - start_ns) / FL_NSEC_PER_MSEC, BACK_AFTER_MS, "%s came late\n%s", text,
		      node->library_log);
}

Test(store_etcd_trouble, nobody_is_there_until_somebody_is)
{
	struct node *node;

	etcd_kill(&etcd);
	node = node_open(etcd.endpoint, NULL);
	cr_assert_eq(fl_etcd_get_config(node->store, 1, NULL), 0);
	node_await(node, "lost\n");
	cr_assert(strstr(node->last_detail, etcd.endpoint), "%s", node->last_detail);
	etcd_start(&etcd);
	node_await_soon(node, "back\nconfig 1 -2\n");
	node_free(node);
}

Test(store_etcd_trouble, a_restart_is_followed_by_a_new_list)
{
	struct node *node;

	etcdctl(&etcd, "put", SUBNETS "10.5.1.0-24", HOST_GW("192.0.2.1"), NULL);
	etcdctl(&etcd, "put", SUBNETS "10.5.2.0-24", HOST_GW("192.0.2.2"), NULL);
	node = node_open_watching(etcd.endpoint, NULL);
	node_clear(node);
	etcd_kill(&etcd);
	node_await(node, "lost\n");
	/* what is asked meanwhile waits */
	node_request(node, CREATE, 5, "10.5.3.0-24", HOST_GW("192.0.2.3"), 0, 3600);
	etcd_start(&etcd);
	node_await_soon(node, "done 5 0 10.5.3.0-24 192.0.2.3\n");
	cr_assert_str_eq(node->log, "lost\nback\nbegin\nlease 10.5.1.0-24 192.0.2.1\nlease 10.5.2.0-24 192.0.2.2\nend\n"
				    "lease 10.5.3.0-24 192.0.2.3\ndone 5 0 10.5.3.0-24 192.0.2.3\n");
	node_clear(node);
	etcdctl(&etcd, "del", SUBNETS "10.5.1.0-24", NULL);
	node_await(node, "removed 10.5.1.0-24 192.0.2.1\n");
	node_free(node);
}

Test(store_etcd_trouble, a_broken_stream_goes_on_where_it_stopped)
{
	struct node *node = node_open_watching(etcd.endpoint, NULL);

	/* nothing is dispatched meanwhile: it never hears that etcd was away */
	etcd_kill(&etcd);
	etcd_start(&etcd);
	etcdctl(&etcd, "put", SUBNETS "10.5.1.0-24", HOST_GW("192.0.2.1"), NULL);
	etcdctl(&etcd, "del", SUBNETS "10.5.1.0-24", NULL);
	node_clear(node);
	node_await_soon(node, "removed 10.5.1.0-24 192.0.2.1\n");
	cr_assert_str_eq(node->log, "lease 10.5.1.0-24 192.0.2.1\nremoved 10.5.1.0-24 192.0.2.1\n");
	node_free(node);
}

Test(store_etcd_trouble, what_was_compacted_away_is_listed_again)
{
	struct node *node;

	etcdctl(&etcd, "put", SUBNETS "10.5.1.0-24", HOST_GW("192.0.2.1"), NULL);
	node = node_open_watching(etcd.endpoint, NULL);
	etcd_kill(&etcd);
	etcd_start(&etcd);
	etcdctl(&etcd, "put", SUBNETS "10.5.2.0-24", HOST_GW("192.0.2.2"), NULL);
	etcdctl(&etcd, "del", SUBNETS "10.5.1.0-24", NULL);
	etcdctl(&etcd, "put", SUBNETS "10.5.3.0-24", HOST_GW("192.0.2.3"), NULL);
	etcdctl(&etcd, "compact", "5", NULL);
	node_clear(node);
	node_await_soon(node, "end\n");
	cr_assert_str_eq(node->log, "begin\nlease 10.5.2.0-24 192.0.2.2\nlease 10.5.3.0-24 192.0.2.3\nend\n");
	etcdctl(&etcd, "put", SUBNETS "10.5.4.0-24", HOST_GW("192.0.2.4"), NULL);
	node_await(node, "lease 10.5.4.0-24 192.0.2.4\n");
	node_free(node);
}

Test(store_etcd_trouble, a_compaction_while_it_follows_changes_nothing)
{
	struct node *node = node_open_watching(etcd.endpoint, NULL);

	node_clear(node);
	etcdctl(&etcd, "put", SUBNETS "10.5.1.0-24", HOST_GW("192.0.2.1"), NULL);
	etcdctl(&etcd, "compact", "2", NULL);
	etcdctl(&etcd, "put", SUBNETS "10.5.2.0-24", HOST_GW("192.0.2.2"), NULL);
	node_await(node, "lease 10.5.2.0-24 192.0.2.2\n");
	cr_assert_str_eq(node->log, "lease 10.5.1.0-24 192.0.2.1\nlease 10.5.2.0-24 192.0.2.2\n");
	node_free(node);
}

Test(store_etcd_trouble, another_cluster_at_the_same_place_is_listed)
{
	struct node *node;

	for (int i = 0; i < 5; i++)
		etcdctl(&etcd, "put", SUBNETS "10.5.1.0-24", HOST_GW("192.0.2.1"), NULL);
	node = node_open_watching(etcd.endpoint, NULL);
	etcd_remove(&etcd);
	cr_assert_eq(mkdir(etcd.directory, 0700), 0);
	etcd_start(&etcd);
	etcdctl(&etcd, "put", SUBNETS "10.5.2.0-24", HOST_GW("192.0.2.2"), NULL);
	node_clear(node);
	node_await_soon(node, "end\n");
	cr_assert_str_eq(node->log, "begin\nlease 10.5.2.0-24 192.0.2.2\nend\n");
	node_free(node);
}

Test(store_etcd_trouble, one_that_is_stopped_is_noticed_and_taken_up_again)
{
	const struct fl_etcd_options options = {.heartbeat_ms = 500, .timeouts = {.call_ms = 500}};
	struct node *node = node_open_watching(etcd.endpoint, &options);

	/* it is asked for signs of life, and gives them */
	node_clear(node);
	for (uint64_t end_ns = fl_loop_now() + 1500 * FL_NSEC_PER_MSEC; fl_loop_now() < end_ns;) {
		struct pollfd fd = {.fd = fl_etcd_get_fd(node->store), .events = POLLIN};

		(void)poll(&fd, 1, 50);
		(void)node_dispatch(node);
	}
	cr_assert_str_eq(node->log, "", "%s", node->library_log);
	cr_assert_eq(kill(etcd.pid, SIGSTOP), 0);
	node_await(node, "lost\n");
	cr_assert_eq(kill(etcd.pid, SIGCONT), 0);
	node_await_soon(node, "end\n");
	cr_assert_str_eq(node->log, "lost\nback\nbegin\nend\n");
	etcdctl(&etcd, "put", SUBNETS "10.5.2.0-24", HOST_GW("192.0.2.2"), NULL);
	node_await(node, "lease 10.5.2.0-24 192.0.2.2\n");
	node_free(node);
}

Test(store_etcd_trouble, an_answer_that_got_lost_is_known_again)
{
	const struct fl_etcd_options options = {.timeouts = {.call_ms = 700}};
	struct node *node = node_open_watching(etcd.endpoint, &options);
	struct pollfd fd = {.fd = fl_etcd_get_fd(node->store), .events = POLLIN};

	/* each step may be the one whose answer comes too late: etcd is stopped at another moment each time */
	for (int i = 0; i < 12; i++) {
		char key[32], text[64];

		snprintf(key, sizeof(key), "10.5.%d.0-24", i + 1);
		snprintf(text, sizeof(text), "done %d ", i + 1);
		node_clear(node);
		node_request(node, CREATE, (uint64_t)i + 1, key, HOST_GW("192.0.2.1"), 0, 3600);
		for (int j = 0; j < i; j++)
			if (poll(&fd, 1, 0) == 1)
				(void)node_dispatch(node);
		cr_assert_eq(kill(etcd.pid, SIGSTOP), 0);
		while (poll(&fd, 1, 800) == 1 && !strstr(node->log, "lost") && !strstr(node->log, "done"))
			(void)node_dispatch(node);
		cr_assert_eq(kill(etcd.pid, SIGCONT), 0);
		node_await_soon(node, text);
		cr_assert_eq(node->last_code, 0, "stopped after %d dispatches: %s\n%s", i, node->last_detail,
			     node->library_log);
	}
	node_free(node);
}

Test(store_etcd_trouble, what_etcd_refuses_is_the_reply)
{
	struct node *node;

	etcd_kill(&etcd);
	etcd.more[0] = "--quota-backend-bytes";
	etcd.more[1] = "4096";
	etcd_start(&etcd);
	node = node_open_watching(etcd.endpoint, NULL);
	/* the first write may still find room */
	for (int i = 0; i < 3 && node->last_code != -ENOSPC; i++)
		(void)node_ask(node, CREATE, i ? "10.5.2.0-24" : "10.5.1.0-24", HOST_GW("192.0.2.1"), 3600);
	cr_assert_eq(node->last_code, -ENOSPC, "%d %s", node->last_code, node->last_detail);
	cr_assert(strstr(node->last_detail, "space exceeded"), "%s", node->last_detail);
	cr_assert_not(strstr(node->log, "lost"), "%s", node->library_log);
	/* reading goes on */
	node_clear(node);
	cr_assert_eq(fl_etcd_get_config(node->store, 7, NULL), 0);
	node_await(node, "config 7 -2\n");
	node_free(node);
}

Test(store_etcd_trouble, it_may_be_freed_at_any_time)
{
	for (int n = 0; n < 30; n++) {
		struct node *node = node_open(etcd.endpoint, NULL);
		struct pollfd fd = {.fd = fl_etcd_get_fd(node->store), .events = POLLIN};

		cr_assert_eq(fl_etcd_get_config(node->store, 1, NULL), 0);
		cr_assert_eq(fl_etcd_watch(node->store, NULL), 0);
		node_request(node, CREATE, 2, "10.5.1.0-24", HOST_GW("192.0.2.1"), 0, 3600);
		node_request(node, REMOVE, 3, "10.5.1.0-24", HOST_GW("192.0.2.1"), 0, 0);
		for (int i = 0; i < n && !strstr(node->log, "done 3"); i++)
			if (poll(&fd, 1, PATIENCE_MS) == 1)
				(void)node_dispatch(node);
		node_free(node);
	}
}

Test(store_etcd_trouble, the_next_endpoint_is_asked_where_one_does_not_answer)
{
	char address[256], dead[64];
	struct node *node;

	own_url(dead, 4001);
	snprintf(address, sizeof(address), "%s,%s", dead, etcd.endpoint);
	node = node_open_watching(address, NULL);
	cr_assert_str_eq(node->log, "begin\nend\n");
	cr_assert(strstr(node->library_log, dead));
	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0-24", HOST_GW("192.0.2.1"), 3600), 0);
	node_free(node);
}

Test(store_etcd_trouble, whoever_speaks_no_grpc_is_named)
{
	struct node *node;
	char metrics[64];

	/* the port for figures speaks HTTP/1 only */
	etcd_kill(&etcd);
	own_url(metrics, 2381);
	etcd.more[0] = "--listen-metrics-urls";
	etcd.more[1] = metrics;
	etcd_start(&etcd);
	node = node_open(metrics, NULL);
	cr_assert_eq(fl_etcd_get_config(node->store, 1, NULL), 0);
	node_await(node, "lost\n");
	cr_assert(strstr(node->last_detail, metrics), "%s", node->last_detail);
	node_free(node);
}
