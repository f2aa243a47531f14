/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is told of a node: status, readiness, leases, the line for the service manager. */
#include <criterion/criterion.h>

#include "cli_node.h"

Test(cli_status, status_of_a_node_that_is_well)
{
	struct fixture fixture;
	struct json_object *status;

	setup(&fixture);
	status = get_status(&fixture.source);
	expect_json(status, "/version", "\"" FLANNEL_VERSION "\"");
	cr_expect_eq(json_object_get_int(at(status, "/pid")), getpid());
	expect_json(status, "/state", "\"ready\"");
	expect_json(status, "/ready", "true");
	expect_json(status, "/health", "\"ok\"");
	expect_json(status, "/reason", "null");
	expect_json(status, "/store",
		    "{\"name\":\"embedded\",\"path\":\"/x/leases.db\",\"state\":\"ok\",\"error\":null}");
	expect_json(status, "/network/network", "\"10.244.0.0/16\"");
	expect_json(status, "/network/ipv6_network", "null");
	expect_json(status, "/network/subnet_len", "24");
	expect_json(status, "/network/ipv6_subnet_len", "null");
	expect_json(status, "/network/backend", "\"host-gw\"");
	cr_expect_eq(json_object_array_length(at(status, "/network/warnings")), 1);
	expect_json(status, "/lease/subnet", "\"10.244.1.0/24\"");
	expect_json(status, "/lease/public_ip", "\"192.0.2.1\"");
	cr_expect_geq(json_object_get_int(at(status, "/lease/expires_in_sec")), 3590);
	cr_expect_eq(strlen(json_object_get_string(at(status, "/lease/expires"))), strlen("2026-11-23T07:30:01Z"));
	expect_json(status, "/underlay/interface", "\"eth0\"");
	expect_json(status, "/underlay/reason", "\"default route\"");
	expect_json(status, "/underlay/address", "\"192.0.2.1\"");
	expect_json(status, "/underlay/mtu", "1500");
	expect_json(status, "/underlay/state", "\"ok\"");
	expect_json(status, "/underlay/error", "null");
	expect_json(status, "/pod_mtu", "1450");
	expect_json(status, "/repairs", "4");
	expect_json(status, "/error", "null");
	expect_json(status, "/last_failure", "null");
	expect_json(status, "/peers", "{\"total\":0,\"ok\":0,\"failed\":0,\"ignored\":0,\"list\":[]}");
	json_object_put(status);
	teardown(&fixture);
}

Test(cli_status, status_of_a_node_that_waits)
{
	struct fixture fixture;
	struct json_object *status;

	setup(&fixture);
	fixture.node.state = FLANNEL_NODE_CONFIG;
	fixture.node.lease = flannel_lease_unref(fixture.node.lease);
	fixture.node.netconf = flannel_netconf_unref(fixture.node.netconf);
	status = get_status(&fixture.source);
	expect_json(status, "/ready", "false");
	expect_json(status, "/health", "\"not-ready\"");
	expect_json(status, "/reason", "\"waits for the network configuration in the store\"");
	expect_json(status, "/network", "null");
	expect_json(status, "/lease", "null");
	expect_json(status, "/underlay", "null");
	expect_json(status, "/pod_mtu", "null");
	json_object_put(status);
	teardown(&fixture);
}

/* what is wrong with the interface comes before its consequences */
Test(cli_status, underlay_that_is_gone)
{
	struct fixture fixture;
	struct json_object *status;

	setup(&fixture);
	(void)flannel_error_new(&fixture.node.underlay_error, -ENODEV, "node", "underlay interface eth0", "it is gone",
				1);
	(void)flannel_error_new(&fixture.source.store_error, -EIO, "store", "read leases", "no answer", 1);
	add_peer(&fixture.node, "10.244.2.0-24", "Network is down", NULL);
	status = get_status(&fixture.source);
	expect_json(status, "/health", "\"degraded\"");
	expect_json(status, "/ready", "true");
	expect_json(status, "/reason", "\"underlay interface eth0: it is gone\"");
	expect_json(status, "/underlay/interface", "\"eth0\"");
	expect_json(status, "/underlay/state", "\"lost\"");
	expect_json(status, "/underlay/error/detail", "\"it is gone\"");
	expect_json(status, "/underlay/error/errno", "\"ENODEV\"");
	json_object_put(status);
	flannel_error_unref(fixture.node.underlay_error);
	flannel_error_unref(fixture.source.store_error);
	teardown(&fixture);
}

Test(cli_status, peers_in_numbers_and_with_reasons)
{
	struct fixture fixture;
	struct json_object *status;

	setup(&fixture);
	add_peer(&fixture.node, "10.244.2.0-24", "Nexthop has invalid gateway", NULL);
	add_peer(&fixture.node, "10.244.3.0-24", NULL, NULL);
	add_peer(&fixture.node, "10.244.4.0-24", NULL, "other backend");
	status = get_status(&fixture.source);
	expect_json(status, "/health", "\"degraded\"");
	expect_json(status, "/ready", "true");
	expect_json(status, "/reason", "\"1 of 3 peers are not in force\"");
	expect_json(status, "/peers/total", "3");
	expect_json(status, "/peers/ok", "1");
	expect_json(status, "/peers/failed", "1");
	expect_json(status, "/peers/ignored", "1");
	expect_json(status, "/peers/list/0/state", "\"failed\"");
	expect_json(status, "/peers/list/0/reason", "\"add route 10.244.2.0/24: Nexthop has invalid gateway\"");
	expect_json(status, "/peers/list/1/state", "\"ok\"");
	expect_json(status, "/peers/list/1/reason", "null");
	expect_json(status, "/peers/list/2/state", "\"ignored\"");
	expect_json(status, "/peers/list/2/reason", "\"other backend\"");
	json_object_put(status);
	teardown(&fixture);
}

/* what can be wrong with a node whose state is ready, or not */
enum trouble { NONE, NO_LEASE, EXPIRED, CLOCK_SET, NO_SUBNET_FILE, STORE_LOST, ERROR, WAITS, FAILED };

/* brings the trouble about */
static void make_trouble(struct fixture *fixture, enum trouble trouble)
{
	if (trouble == NO_LEASE || trouble == EXPIRED || trouble == CLOCK_SET)
		fixture->node.lease = flannel_lease_unref(fixture->node.lease);
	if (trouble == EXPIRED)
		fixture->node.lease = make_lease("10.244.1.0-24", "{\"PublicIP\":\"192.0.2.1\"}", time(NULL) - 10);
	/* written when the clock was a day behind of what it shows now: it has a minute left */
	if (trouble == CLOCK_SET) {
		fixture->node.lease =
			make_lease("10.244.1.0-24", "{\"PublicIP\":\"192.0.2.1\"}", time(NULL) - 86400 + 60);
		fixture->source.lease_clock_sec = status_clock_sec() - 86400;
	}
	if (trouble == NO_SUBNET_FILE)
		cr_assert_eq(unlink(fixture->subnet_file), 0);
	if (trouble == STORE_LOST)
		fixture->source.store_error = make_error(-EIO, "disk full");
	if (trouble == ERROR || trouble == FAILED)
		fixture->node.error = make_error(-ENODEV, "no such interface");
	if (trouble == WAITS)
		fixture->node.state = FLANNEL_NODE_LEASE;
	if (trouble == FAILED)
		fixture->node.state = FLANNEL_NODE_FAILED;
}

Test(cli_status, readiness_is_truthful)
{
	static const struct {
		enum trouble trouble;
		enum status_health health;
		const char *reason; /* a part of it */
	} cases[] = {
		{NONE, STATUS_OK, ""},
		{NO_LEASE, STATUS_NOT_READY, "the lease is lost"},
		{EXPIRED, STATUS_NOT_READY, "expired 1"},
		{CLOCK_SET, STATUS_OK, ""},
		{NO_SUBNET_FILE, STATUS_NOT_READY, "No such file"},
		{STORE_LOST, STATUS_DEGRADED, "disk full"},
		{ERROR, STATUS_DEGRADED, "no such interface"},
		{WAITS, STATUS_NOT_READY, "waits for its lease"},
		{FAILED, STATUS_FAILED, "gave up: add route 10.244.2.0/24: no such interface"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct fixture fixture;
		char reason[256];

		setup(&fixture);
		make_trouble(&fixture, cases[i].trouble);
		cr_expect_eq(status_get_health(&fixture.source, reason, sizeof(reason)), cases[i].health, "case %zu",
			     i);
		cr_expect_not_null(strstr(reason, cases[i].reason), "case %zu: %s", i, reason);
		cr_expect_eq(*reason == '\0', cases[i].health == STATUS_OK);
		fixture.source.store_error = flannel_error_unref(fixture.source.store_error);
		teardown(&fixture);
	}
}

Test(cli_status, a_reason_that_is_too_long_is_cut)
{
	struct fixture fixture;
	char reason[16];

	setup(&fixture);
	make_trouble(&fixture, FAILED);
	(void)status_get_health(&fixture.source, reason, sizeof(reason));
	cr_expect_str_eq(reason, "gave up: add ro");
	teardown(&fixture);
}

Test(cli_status, leases_name_the_own_one_and_the_peers)
{
	struct fixture fixture;
	struct json_object *leases;
	size_t len = 0;
	char *text;

	setup(&fixture);
	add_peer(&fixture.node, "10.244.2.0-24", NULL, NULL);
	text = status_format_leases(&fixture.source, &len);
	leases = json_tokener_parse(text);
	cr_assert_not_null(leases);
	cr_expect_eq(json_object_array_length(at(leases, "/leases")), 2);
	expect_json(leases, "/leases/0/own", "true");
	expect_json(leases, "/leases/0/subnet", "\"10.244.1.0/24\"");
	expect_json(leases, "/leases/0/backend_data", "null");
	expect_json(leases, "/leases/0/revision", "42");
	expect_json(leases, "/leases/1/own", "false");
	expect_json(leases, "/leases/1/backend_data", "{\"VNI\":1}");
	expect_json(leases, "/leases/1/expires", "null");
	expect_json(leases, "/leases/1/expires_in_sec", "null");
	json_object_put(leases);
	free(text);
	teardown(&fixture);
}

/* the line for the service manager */
Test(cli_status, summary)
{
	static const struct {
		int state;
		const char *store_error;
		bool is_without_lease;
		const char *text;
	} cases[] = {
		{FLANNEL_NODE_READY, NULL, false, "Ready: 10.244.1.0/24 on eth0"},
		{FLANNEL_NODE_READY, "disk full", false, "Ready, but the store does not answer: "},
		{FLANNEL_NODE_READY, NULL, true, "Not ready: the lease is lost"},
		{FLANNEL_NODE_CONFIG, NULL, true, "Not ready: waits for the network configuration in the store"},
		{FLANNEL_NODE_FAILED, NULL, false, "Failed: gave up"},
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct fixture fixture;
		char text[64];

		setup(&fixture);
		fixture.node.state = cases[i].state;
		if (cases[i].is_without_lease)
			fixture.node.lease = flannel_lease_unref(fixture.node.lease);
		if (cases[i].store_error)
			fixture.source.store_error = make_error(-EIO, cases[i].store_error);
		status_get_summary(&fixture.source, text, sizeof(text));
		cr_expect_eq(strncmp(text, cases[i].text, strlen(cases[i].text)), 0, "case %zu: %s", i, text);
		fixture.source.store_error = flannel_error_unref(fixture.source.store_error);
		teardown(&fixture);
	}
}
