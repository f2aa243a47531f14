/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_TESTS_NETNS_NODE_LAB_H
#define FL_TESTS_NETNS_NODE_LAB_H

/*
 * A node agent in a namespace of its own: eth0 has 192.0.2.1/24 and 2001:db8::1/64, leases are in an embedded store in a directory
 * that is gone afterwards. Include after <criterion/criterion.h>.
 */

#include <poll.h>
#include <sys/stat.h>
#include <time.h>

#include <flannel/flannel.h>

#include "base/loop.h"
#include "../harness/store_client.h"
#include "sandbox.h"

#define LAB_PATIENCE_MS 10000
#define LAB_CONFIG "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"host-gw\"}}"
#define LAB_CONFIG_DUAL                                                                                                \
	"{\"Network\":\"10.244.0.0/16\",\"EnableIPv6\":true,\"IPv6Network\":\"fd00:10:244::/48\","                     \
	"\"Backend\":{\"Type\":\"host-gw\"}}"
#define LAB_CONFIG6                                                                                                    \
	"{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fd00:10:244::/"                                   \
	"48\",\"Backend\":{\"Type\":\"host-gw\"}}"
#define LAB_VALUE(ip) "{\"PublicIP\":\"" ip "\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}"
#define LAB_VALUE_DUAL(ip, ip6) "{\"PublicIP\":\"" ip "\",\"PublicIPv6\":\"" ip6 "\",\"BackendType\":\"host-gw\"}"

struct lab {
	char dir[64];
	char subnet_file[96];
	char helper[96];
	struct store_client client;
	struct flannel_context *context;
	struct flannel_store *store;
	struct flannel_node *node;
	struct flannel_node_options options;
	char last_text[512];
};

/* namespace, interface, directory, and a store with a configuration (NULL: none) */
static inline void lab_open(struct lab *lab, const char *config)
{
	sandbox_enter();
	sandbox_run("ip link add eth0 type veth peer name wire && ip link set wire up && ip link set eth0 up && ip "
		    "address add 192.0.2.1/24 dev eth0 &&"
		    "ip address add 2001:db8::1/64 dev eth0 nodad && ip route add default via 192.0.2.254 &&"
		    "ip -6 route add default via 2001:db8::fe");
	*lab = (struct lab){.dir = "/tmp/fl-node-XXXXXX"};
	cr_assert_not_null(mkdtemp(lab->dir));
	snprintf(lab->subnet_file, sizeof(lab->subnet_file), "%s/subnet.env", lab->dir);
	snprintf(lab->helper, sizeof(lab->helper), "%s", TEST_NFT_HELPER);
	lab->options = (struct flannel_node_options){.size = sizeof(lab->options)};
	lab->options.subnet_file = lab->subnet_file;
	lab->options.masquerade = FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD;
	lab->options.ipmasq_value = 1;
	lab->options.userdata = lab;
	{
		char path[96];

		snprintf(path, sizeof(path), "%s/leases.db", lab->dir);
		store_client_open(&lab->client, TEST_MODULE_DIR, path);
	}
	if (config)
		cr_assert_eq(store_client_put_config(&lab->client, config), 0);
}

/* writes a lease of another node */
static inline void lab_put(struct lab *lab, const char *key, const char *value)
{
	cr_assert_eq(store_client_put(&lab->client, key, value, 86400), 0, "%s", key);
}

/* what the subnet file says before the start */
static inline void lab_write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	cr_assert_not_null(file, "%s", path);
	cr_assert_geq(fputs(text, file), 0);
	fclose(file);
}

/* makes the node and starts it; the result of the start */
static inline int lab_start(struct lab *lab, struct flannel_error **ret_error)
{
	struct flannel_context_options options = {.size = sizeof(options)};
	struct flannel_error *error = NULL;
	char uri[128];

	options.module_dir = TEST_MODULE_DIR;
	options.nft_helper = lab->helper;
	snprintf(uri, sizeof(uri), "embedded:%s/leases.db", lab->dir);
	cr_assert_eq(flannel_context_new(&lab->context, &options, NULL), 0);
	sandbox_assert_ok(flannel_store_open(lab->context, uri, &lab->store, &error), error);
	sandbox_assert_ok(flannel_node_new(lab->context, lab->store, &lab->options, &lab->node, &error), error);
	return flannel_node_start(lab->node, ret_error);
}

/* ends the node, as a daemon does */
static inline void lab_stop(struct lab *lab)
{
	lab->node = flannel_node_free(lab->node);
	lab->store = flannel_store_unref(lab->store);
	lab->context = flannel_context_unref(lab->context);
}

static inline void lab_close(struct lab *lab)
{
	lab_stop(lab);
	store_client_close(&lab->client);
	sandbox_run("rm -rf %s", lab->dir);
}

/* takes events until one of that type comes; false if none is left before it */
static inline bool lab_take(struct lab *lab, int type)
{
	struct flannel_event *event = NULL;

	while (flannel_context_next_event(lab->context, &event) > 0) {
		int found = flannel_event_get_type(event);

		cr_expect_eq(flannel_event_get_userdata(event), (void *)lab);
		snprintf(lab->last_text, sizeof(lab->last_text), "%s", flannel_event_get_text(event));
		if (found != type && (found == FLANNEL_EVENT_NODE_FAILED || found == FLANNEL_EVENT_LEASE_FAILED))
			cr_log_error("%s: %s", flannel_event_get_type_name(event), lab->last_text);
		flannel_event_free(event);
		if (found == type)
			return true;
	}
	return false;
}

/* one dispatch, waiting for something to do; at most a moment, so that conditions outside of the context are seen */
static inline void lab_turn(struct lab *lab, int patience_ms)
{
	struct pollfd fd = {.fd = flannel_context_get_fd(lab->context), .events = POLLIN};

	(void)poll(&fd, 1, patience_ms);
	cr_assert_geq(flannel_context_dispatch(lab->context, NULL), 0);
}

/* works until an event of that type; its text is in last_text */
static inline void lab_await(struct lab *lab, int type)
{
	uint64_t deadline_ns = fl_loop_now() + LAB_PATIENCE_MS * FL_NSEC_PER_MSEC;

	while (!lab_take(lab, type)) {
		cr_assert_lt(fl_loop_now(), deadline_ns, "waited in vain for event %d in state \"%s\", error \"%s\"",
			     type, flannel_node_get_state_name(lab->node),
			     flannel_error_get_message(flannel_node_get_error(lab->node)));
		lab_turn(lab, LAB_PATIENCE_MS);
	}
}

/* works until the node is in a state */
static inline void lab_await_state(struct lab *lab, int state)
{
	uint64_t deadline_ns = fl_loop_now() + LAB_PATIENCE_MS * FL_NSEC_PER_MSEC;

	while (flannel_node_get_state(lab->node) != state) {
		cr_assert_lt(fl_loop_now(), deadline_ns, "waited in vain for state %d, it is \"%s\"", state,
			     flannel_node_get_state_name(lab->node));
		lab_turn(lab, LAB_PATIENCE_MS);
	}
}

/* works until a command prints that */
static inline void lab_await_output(struct lab *lab, const char *expected, const char *command)
{
	uint64_t deadline_ns = fl_loop_now() + LAB_PATIENCE_MS * FL_NSEC_PER_MSEC;

	for (;;) {
		char *text = sandbox_shell(false, command);
		bool same = strcmp(text, expected) == 0;

		cr_assert(same || fl_loop_now() < deadline_ns, "%s\n  gave     %s\n  expected %s", command, text,
			  expected);
		free(text);
		if (same)
			return;
		lab_turn(lab, 20);
	}
}

/* starts a node that becomes ready */
static inline void lab_start_ready(struct lab *lab)
{
	struct flannel_error *error = NULL;

	sandbox_assert_ok(lab_start(lab, &error), error);
	lab_await(lab, FLANNEL_EVENT_NODE_READY);
	cr_assert_eq(flannel_node_get_state(lab->node), FLANNEL_NODE_READY);
}

/* the subnet file must not be there */
static inline void lab_expect_no_file(const struct lab *lab)
{
	cr_expect_lt(access(lab->subnet_file, F_OK), 0, "%s is there", lab->subnet_file);
}

/*
 * Puts a script before the helper: it waits until DIR/go is there, and ends with DIR. One that finds DIR/die takes it away and
 * ends.
 * What a test waits for with it is what comes before the rules.
 */
static inline void lab_gate_helper(struct lab *lab)
{
	char script[512];

	snprintf(lab->helper, sizeof(lab->helper), "%s/helper", lab->dir);
	snprintf(script, sizeof(script),
		 "#!/bin/sh\nif [ -e %s/die ]; then /bin/rm %s/die; exit 1; fi\n"
		 "while ! [ -e %s/go ]; do [ -d %s ] || exit 1; /bin/sleep 0.01; done\nexec %s\n",
		 lab->dir, lab->dir, lab->dir, lab->dir, TEST_NFT_HELPER);
	lab_write_file(lab->helper, script);
	cr_assert_eq(chmod(lab->helper, 0755), 0);
}

static inline void lab_open_gate(const struct lab *lab)
{
	sandbox_run("touch %s/go", lab->dir);
}

#endif
