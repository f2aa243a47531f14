/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "etcd_lab.h"

#include <time.h>

#include "messages.pb-c.h"

#define SUBNETS "/coreos.com/network/subnets/"
#define HOST_GW(ip) "{\"PublicIP\":\"" ip "\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}"
#define DUAL(ip, ip6) "{\"PublicIP\":\"" ip "\",\"PublicIPv6\":\"" ip6 "\",\"BackendType\":\"host-gw\"}"

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

TestSuite(store_etcd, .init = setup, .fini = teardown);

Test(store_etcd, configuration_is_put_once)
{
	struct node *node = node_open(etcd.endpoint, NULL);

	cr_assert_eq(fl_etcd_get_config(node->store, 1, NULL), 0);
	node_await(node, "config 1 -2\n");
	cr_assert_eq(fl_etcd_put_config(node->store, 2, "{\"Network\":\"10.5.0.0/16\"}", NULL), 0);
	node_await(node, "config 2 0 {\"Network\":\"10.5.0.0/16\"}\n");
	cr_assert_eq(fl_etcd_put_config(node->store, 3, "{}", NULL), 0);
	node_await(node, "config 3 -17 {\"Network\":\"10.5.0.0/16\"}\n");
	cr_assert_eq(fl_etcd_get_config(node->store, 4, NULL), 0);
	node_await(node, "config 4 0 {\"Network\":\"10.5.0.0/16\"}\n");
	node_free(node);
}

/* over the one that the caller knows, and no other */
Test(store_etcd, configuration_is_replaced)
{
	struct node *node = node_open(etcd.endpoint, NULL);
	const char *one = "{\"Network\":\"10.5.0.0/16\"}", *two = "{\"Network\":\"10.6.0.0/16\"}";

	cr_assert_eq(fl_etcd_set_config(node->store, 1, one, two, NULL), 0);
	node_await(node, "config 1 -2\n");
	cr_assert_eq(fl_etcd_set_config(node->store, 2, one, NULL, NULL), 0);
	node_await(node, "config 2 0 {\"Network\":\"10.5.0.0/16\"}\n");
	cr_assert_eq(fl_etcd_set_config(node->store, 3, two, two, NULL), 0);
	node_await(node, "config 3 -17 {\"Network\":\"10.5.0.0/16\"}\n");
	cr_assert_eq(fl_etcd_set_config(node->store, 4, two, one, NULL), 0);
	node_await(node, "config 4 0 {\"Network\":\"10.6.0.0/16\"}\n");
	cr_assert_eq(fl_etcd_get_config(node->store, 5, NULL), 0);
	node_await(node, "config 5 0 {\"Network\":\"10.6.0.0/16\"}\n");
	node_free(node);
}

Test(store_etcd, a_change_of_the_configuration_is_told_from_the_one_that_was_read)
{
	struct node *node = node_open(etcd.endpoint, NULL);

	cr_assert_eq(fl_etcd_get_config(node->store, 1, NULL), 0);
	node_await(node, "config 1 -2\n");
	/* between reading and watching, and then while watching */
	etcdctl(&etcd, "put", "/coreos.com/network/config", "{\"Network\":\"10.5.0.0/16\"}", NULL);
	cr_assert_eq(fl_etcd_watch(node->store, NULL), 0);
	node_await(node, "config-changed {\"Network\":\"10.5.0.0/16\"}\n");
	etcdctl(&etcd, "put", "/coreos.com/network/config", "{\"Network\":\"10.6.0.0/16\"}", NULL);
	node_await(node, "config-changed {\"Network\":\"10.6.0.0/16\"}\n");
	node_free(node);
}

/* the remaining seconds of a key's etcd lease; 0 if it has none */
static long ttl_of(const char *key)
{
	char out[4096];
	const char *at;
	unsigned long long id;

	etcdctl(&etcd, "get", "-w", "fields", key, NULL);
	at = strstr(etcdctl_output(&etcd, out, sizeof(out)), "\"Lease\" : ");
	cr_assert(at, "no key %s", key);
	id = strtoull(at + strlen("\"Lease\" : "), NULL, 10);
	if (id == 0)
		return 0;
	snprintf(out, sizeof(out), "%llx", id);
	etcdctl(&etcd, "lease", "timetolive", out, NULL);
	at = strstr(etcdctl_output(&etcd, out, sizeof(out)), "remaining(");
	cr_assert(at, "%s", out);
	return strtol(at + strlen("remaining("), NULL, 10);
}

Test(store_etcd, create_writes_flannels_key_and_value_with_an_end)
{
	struct node *node = node_open_watching(etcd.endpoint, NULL);
	char out[4096];

	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0-24", HOST_GW("192.0.2.1"), 86400), 0);
	/* told before the reply */
	cr_assert_str_eq(node->log, "lease 10.5.1.0-24 192.0.2.1\ndone 99 0 10.5.1.0-24 192.0.2.1\n");
	cr_assert(llabs(node->last_expires_sec - time(NULL) - 86400) < 5);
	etcdctl(&etcd, "get", "--prefix", "/", NULL);
	cr_assert_str_eq(etcdctl_output(&etcd, out, sizeof(out)), SUBNETS "10.5.1.0-24\n" HOST_GW("192.0.2.1") "\n");
	cr_assert(ttl_of(SUBNETS "10.5.1.0-24") > 86390);
	cr_assert_eq(node_ask(node, CREATE, "10.5.2.0-24&fd00:5::-64", DUAL("192.0.2.2", "2001:db8::2"), 0), 0);
	cr_assert_eq(ttl_of(SUBNETS "10.5.2.0-24&fd00:5::-64"), 0, "a reservation has no end");
	node_free(node);
}

Test(store_etcd, create_is_refused_by_whatever_overlaps_and_leaves_nothing)
{
	static const struct {
		const char *there;
		const char *wanted;
		int code;
	} cases[] = {
		{"10.5.1.0-24", "10.5.1.0-24", -EEXIST},
		{"10.5.1.0-24&fd00:5::-64", "10.5.1.0-24", -EEXIST},
		{"10.5.1.0-24", "10.5.1.0-24&fd00:5::-64", -EEXIST},
		{"10.5.0.0-20", "10.5.1.0-24", -EEXIST},
		{"10.5.1.128-25", "10.5.1.0-24", -EEXIST},
		{"10.5.9.0-24&fd00:5::-64", "10.5.1.0-24&fd00:5::-64", -EEXIST},
		{"10.5.9.0-24&fd00:5::-48", "10.5.1.0-24&fd00:5:0:1::-64", -EEXIST},
		{"0.0.0.0-0&fd00:5::-64", "0.0.0.0-0&fd00:5::-64", -EEXIST},
		{"10.5.10.0-24", "10.5.1.0-24", 0},
		{"10.5.1.0-240", "10.5.1.0-24", 0},
		{"10.5.9.0-24&fd00:6::-64", "10.5.1.0-24&fd00:5::-64", 0},
		{"garbage", "10.5.1.0-24", 0},
	};
	struct node *node = node_open(etcd.endpoint, NULL);
	char key[128], out[4096];

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		for (int lease_sec = 0; lease_sec <= 3600; lease_sec += 3600) {
			snprintf(key, sizeof(key), SUBNETS "%s", cases[i].there);
			etcdctl(&etcd, "put", key, HOST_GW("192.0.2.9"), NULL);
			cr_expect_eq(node_ask(node, CREATE, cases[i].wanted, DUAL("192.0.2.1", "2001:db8::1"),
					      (uint32_t)lease_sec),
				     cases[i].code, "%s beside %s: %d", cases[i].wanted, cases[i].there,
				     node->last_code);
			etcdctl(&etcd, "del", "-w", "fields", "--prefix", SUBNETS, NULL);
			snprintf(key, sizeof(key), "\"Deleted\" : %d", cases[i].code ? 1 : 2);
			cr_expect(strstr(etcdctl_output(&etcd, out, sizeof(out)), key), "%s beside %s: %s",
				  cases[i].wanted, cases[i].there, out);
			/* nor an etcd lease without a key */
			etcdctl(&etcd, "lease", "list", NULL);
			if (cases[i].code)
				cr_expect(strstr(etcdctl_output(&etcd, out, sizeof(out)), "found 0 leases"),
					  "%s beside %s: %s", cases[i].wanted, cases[i].there, out);
		}
	}
	node_free(node);
}

Test(store_etcd, update_needs_the_holder_or_the_revision)
{
	struct node *node = node_open_watching(etcd.endpoint, NULL);
	struct flannel_store_message message = {.size = sizeof(message)};

	cr_assert_eq(node_ask(node, UPDATE, "10.5.1.0-24", HOST_GW("192.0.2.1"), 3600), -ENOENT);
	etcdctl(&etcd, "put", SUBNETS "10.5.1.0-24", HOST_GW("192.0.2.7"), NULL);
	cr_assert_eq(node_ask(node, UPDATE, "10.5.1.0-24", HOST_GW("192.0.2.1"), 3600), -ENOENT, "another's");
	cr_assert(strstr(node->last_detail, "another node has it"), "%s", node->last_detail);
	cr_assert_eq(node_ask(node, REMOVE, "10.5.1.0-24", HOST_GW("192.0.2.1"), 0), -ENOENT, "another's");
	/* revision 2 wrote it */
	node_clear(node);
	node_request(node, UPDATE, 7, "10.5.1.0-24", HOST_GW("192.0.2.8"), 3, 3600);
	node_await(node, "done 7 -2\n");
	node_request(node, UPDATE, 8, "10.5.1.0-24", HOST_GW("192.0.2.8"), 2, 3600);
	node_await(node, "lease 10.5.1.0-24 192.0.2.8\ndone 8 0 10.5.1.0-24 192.0.2.8\n");
	cr_assert_eq(node_ask(node, REMOVE, "10.5.1.0-24", HOST_GW("192.0.2.8"), 0), 0);
	cr_assert_str_eq(node->log, "removed 10.5.1.0-24 192.0.2.8\ndone 99 0 10.5.1.0-24 192.0.2.8\n");
	node_free(node);
}

Test(store_etcd, a_reservation_stays_one_and_a_lease_gets_a_new_end)
{
	struct node *node = node_open(etcd.endpoint, NULL);

	etcdctl(&etcd, "put", SUBNETS "10.5.1.0-24", HOST_GW("192.0.2.1"), NULL);
	cr_assert_eq(
		node_ask(node, UPDATE, "10.5.1.0-24", "{\"PublicIP\":\"192.0.2.1\",\"BackendType\":\"vxlan\"}", 3600),
		0);
	cr_assert_eq(node->last_expires_sec, 0);
	cr_assert_eq(ttl_of(SUBNETS "10.5.1.0-24"), 0);
	cr_assert_eq(node_ask(node, CREATE, "10.5.2.0-24", HOST_GW("192.0.2.2"), 100), 0);
	cr_assert_eq(node_ask(node, UPDATE, "10.5.2.0-24", HOST_GW("192.0.2.2"), 3600), 0);
	cr_assert(ttl_of(SUBNETS "10.5.2.0-24") > 3000);
	cr_assert(llabs(node->last_expires_sec - time(NULL) - 3600) < 5);
	node_free(node);
}

/* a lease becomes a reservation by an update without an end */
Test(store_etcd, a_lease_becomes_a_reservation)
{
	struct node *node = node_open(etcd.endpoint, NULL);

	cr_assert_eq(node_ask(node, CREATE, "10.5.2.0-24", HOST_GW("192.0.2.2"), 100), 0);
	cr_assert(ttl_of(SUBNETS "10.5.2.0-24") > 0);
	cr_assert_eq(node_ask(node, UPDATE, "10.5.2.0-24", HOST_GW("192.0.2.2"), 0), 0);
	cr_assert_eq(ttl_of(SUBNETS "10.5.2.0-24"), 0);
	cr_assert_eq(node_ask(node, UPDATE, "10.5.2.0-24", HOST_GW("192.0.2.2"), 3600), 0);
	cr_assert_eq(ttl_of(SUBNETS "10.5.2.0-24"), 0);
	node_free(node);
}

Test(store_etcd, changes_are_told_and_what_cannot_be_read_is_passed_over)
{
	struct node *node;

	etcdctl(&etcd, "put", SUBNETS "10.5.1.0-24", HOST_GW("192.0.2.1"), NULL);
	etcdctl(&etcd, "put", SUBNETS "10.5.300.0-24", HOST_GW("192.0.2.2"), NULL);
	etcdctl(&etcd, "put", SUBNETS "10.5.3.0-24", "{\"PublicIP\":null}", NULL);
	etcdctl(&etcd, "put", SUBNETS "more/10.5.4.0-24", HOST_GW("192.0.2.4"), NULL);
	etcdctl(&etcd, "put", "/coreos.com/network/subnets-old/10.5.5.0-24", HOST_GW("192.0.2.5"), NULL);
	node = node_open_watching(etcd.endpoint, NULL);
	cr_assert_str_eq(node->log, "begin\nlease 10.5.1.0-24 192.0.2.1\nend\n");
	cr_assert(strstr(node->library_log, "10.5.300.0-24"), "%s", node->library_log);
	cr_assert(strstr(node->library_log, "10.5.3.0-24"), "%s", node->library_log);
	node_clear(node);
	etcdctl(&etcd, "put", SUBNETS "10.5.1.0-24", "garbage", NULL);
	etcdctl(&etcd, "put", SUBNETS "10.5.6.0-24", HOST_GW("192.0.2.6"), NULL);
	etcdctl(&etcd, "del", SUBNETS "10.5.300.0-24", NULL);
	etcdctl(&etcd, "del", SUBNETS "10.5.6.0-24", NULL);
	etcdctl(&etcd, "del", SUBNETS "10.5.1.0-24", NULL);
	node_await(node, "removed 10.5.1.0-24 -\n");
	cr_assert_str_eq(node->log,
			 "lease 10.5.6.0-24 192.0.2.6\nremoved 10.5.6.0-24 192.0.2.6\nremoved 10.5.1.0-24 -\n");
	/* once more from the start */
	node_clear(node);
	cr_assert_eq(fl_etcd_watch(node->store, NULL), 0);
	node_await(node, "end\n");
	cr_assert_str_eq(node->log, "begin\nend\n");
	node_free(node);
}

Test(store_etcd, a_revoked_etcd_lease_takes_its_key_along)
{
	struct node *node = node_open_watching(etcd.endpoint, NULL);
	char out[4096], *id;

	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0-24", HOST_GW("192.0.2.1"), 3600), 0);
	etcdctl(&etcd, "lease", "list", NULL);
	(void)etcdctl_output(&etcd, out, sizeof(out));
	id = strchr(out, '\n');
	cr_assert(id);
	id[strcspn(id + 1, "\n") + 1] = '\0';
	etcdctl(&etcd, "lease", "revoke", id + 1, NULL);
	node_await(node, "removed 10.5.1.0-24 192.0.2.1\n");
	cr_assert_eq(node_ask(node, UPDATE, "10.5.1.0-24", HOST_GW("192.0.2.1"), 3600), -ENOENT);
	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0-24", HOST_GW("192.0.2.1"), 3600), 0);
	node_free(node);
}

Test(store_etcd, a_prefix_of_its_own_and_slashes_that_are_too_many)
{
	char address[128];
	struct node *node;
	char out[4096];

	snprintf(address, sizeof(address), "%s/?prefix=%%2fmy%%2f%%2fnet/", etcd.endpoint);
	node = node_open_watching(address, NULL);
	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0-24", HOST_GW("192.0.2.1"), 3600), 0);
	etcdctl(&etcd, "get", "--prefix", "--keys-only", "/", NULL);
	cr_assert_str_eq(etcdctl_output(&etcd, out, sizeof(out)), "/my/net/subnets/10.5.1.0-24\n\n");
	node_free(node);
}

static void on_filled(void *userdata, const struct fl_grpc_status *status, const ProtobufCMessage *reply,
		      struct flannel_error *error)
{
	(void)status;
	(void)reply;
	cr_assert(!error, "%s", flannel_error_get_message(error));
	*(bool *)userdata = true;
}

/* writes so many leases, a hundred at once */
static void fill(struct fl_loop *loop, struct fl_etcd_client *client, int n)
{
	for (int at = 0; at < n; at += 100) {
		Etcd__TxnRequest txn = ETCD__TXN_REQUEST__INIT;
		static Etcd__PutRequest puts[100];
		static Etcd__RequestOp ops[100], *list[100];
		static char keys[100][96];
		struct fl_etcd_ask *ask;
		bool done = false;

		for (int i = 0; i < 100; i++) {
			snprintf(keys[i], sizeof(keys[i]), SUBNETS "10.%d.%d.0-24", (at + i) / 256, (at + i) % 256);
			puts[i] = (Etcd__PutRequest)ETCD__PUT_REQUEST__INIT;
			puts[i].key = (ProtobufCBinaryData){strlen(keys[i]), (uint8_t *)keys[i]};
			puts[i].value =
				(ProtobufCBinaryData){strlen(HOST_GW("192.0.2.9")), (uint8_t *)HOST_GW("192.0.2.9")};
			ops[i] = (Etcd__RequestOp)ETCD__REQUEST_OP__INIT;
			ops[i].request_case = ETCD__REQUEST_OP__REQUEST_PUT;
			ops[i].put = &puts[i];
			list[i] = &ops[i];
		}
		txn.success = list;
		txn.n_success = 100;
		cr_assert_eq(fl_etcd_ask_new(client, &fl_etcd_txn, &txn.base, on_filled, &done, &ask, NULL), 0);
		while (!done)
			cr_assert_eq(fl_loop_wait(loop, fl_loop_now() + PATIENCE_MS * FL_NSEC_PER_MSEC, NULL), 1);
		fl_etcd_ask_free(ask);
	}
}

Test(store_etcd, a_long_list_comes_in_pages)
{
	struct fl_etcd_address address;
	struct fl_loop *loop;
	struct fl_etcd_client *client;
	struct node *node;
	int n = 0;

	cr_assert_eq(fl_etcd_address_parse(etcd.endpoint, &address, NULL), 0);
	cr_assert_eq(fl_loop_new(&loop, NULL), 0);
	cr_assert_eq(fl_etcd_client_new(loop, &address, &(struct fl_etcd_timeouts){0}, NULL, &client, NULL), 0);
	fill(loop, client, 2000);
	node = node_open_watching(etcd.endpoint, NULL);
	for (const char *at = node->log; (at = strstr(at, "lease ")); at++)
		n++;
	cr_assert_eq(n, 2000);
	cr_assert(!strncmp(node->log, "begin\nlease ", 12));
	etcdctl(&etcd, "put", SUBNETS "10.77.1.0-24", HOST_GW("192.0.2.6"), NULL);
	node_await(node, "lease 10.77.1.0-24 192.0.2.6\n");
	node_free(node);
	fl_etcd_client_free(client);
	fl_loop_free(loop);
	fl_etcd_address_clear(&address);
}
