/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The node agent when something is wrong: the options, the files, the helper, the lease; and what a stopped one leaves. */

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "node_lab.h"

#define ROUTES "ip -j route show proto 241 | jq -r '.[] | .dst + \" \" + .gateway + \" \" + .dev'"
#define TABLES "nft -j list tables | jq -r '.nftables[] | select(.table) | .table.family + \" \" + .table.name'"

/* the key of the own lease in the store */
static void note_own(void *userdata, struct flannel_lease *lease)
{
	struct flannel_prefix address;
	char text[FLANNEL_PREFIX_STRLEN];

	if (flannel_lease_get_public_ip(lease, AF_INET, &address) > 0 &&
	    strcmp(flannel_prefix_format_address(&address, text, sizeof(text)), "192.0.2.1") == 0)
		flannel_lease_format_key(lease, userdata, 2 * FLANNEL_PREFIX_STRLEN);
}

/* compares the own lease in the store; "" is none */
static void expect_own(struct lab *lab, const char *expected)
{
	char key[2 * FLANNEL_PREFIX_STRLEN] = "";

	store_client_list(&lab->client, note_own, key);
	cr_expect_str_eq(key, expected);
}

static const struct {
	const char *config;
	const char *interface;
	const char *public_ip;
	const char *helper;
	const char *parts[3];
} failures[] = {
	{.interface = "nosuch", .parts = {"nosuch", "eth0"}},
	{.interface = "192.0.2.77", .parts = {"192.0.2.77"}},
	{.config = "{\"Network\":\"10.244.0.0/16\"}", .parts = {"udp", "host-gw"}},
	{.config = "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"IPIP\"}}", .parts = {"ipip", "host-gw"}},
	{.config = "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"vxlan\",\"VNI\":10000000}}",
	 .parts = {"VNI is 10000000", "15 characters"}},
	{.config = "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"vxlan\",\"MTU\":\"1400\"}}",
	 .parts = {"MTU is \"1400\""}},
	{.config = "{\"Network\":\"10.244.0.0/16\",\"Backend\":{}}", .parts = {"Backend.Type"}},
	{.interface = "eth0", .public_ip = "203.0.113.1", .parts = {"203.0.113.1", "192.0.2.1", "host-gw"}},
	{.public_ip = "203.0.113.1", .parts = {"203.0.113.1"}},
	{.helper = "/nonexistent/nft", .parts = {"/nonexistent/nft"}},
	{.helper = "/etc/passwd", .parts = {"/etc/passwd"}},
	{.config =
		 "{\"Network\":\"10.244.0.0/16\",\"SubnetMin\":\"10.244.2.0\",\"SubnetMax\":\"10.244.2.0\",\"Backend\":"
		 "{\"Type\":\"host-gw\"}}",
	 .parts = {"10.244.2.0", "no subnet is free"}},
	{.config = LAB_CONFIG_DUAL, .interface = "lo", .parts = {"lo"}},
};

/* the message says what is wrong, and nothing was touched */
Test(node_trouble, cannot_start, .timeout = 60)
{
	struct lab lab;

	for (size_t i = 0; i < FL_N_ELEMENTS(failures); i++) {
		struct flannel_error *error;

		lab_open(&lab, failures[i].config ? failures[i].config : LAB_CONFIG);
		lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
		lab.options.interfaces = &failures[i].interface;
		lab.options.n_interfaces = failures[i].interface ? 1 : 0;
		lab.options.public_ip = failures[i].public_ip;
		if (failures[i].helper)
			snprintf(lab.helper, sizeof(lab.helper), "%s", failures[i].helper);
		cr_assert_eq(lab_start(&lab, NULL), 0);
		lab_await(&lab, FLANNEL_EVENT_NODE_FAILED);
		cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_FAILED);
		cr_expect_str_eq(flannel_node_get_state_name(lab.node), "failed");
		error = flannel_node_get_error(lab.node);
		cr_assert_not_null(error);
		for (size_t j = 0; j < FL_N_ELEMENTS(failures[i].parts) && failures[i].parts[j]; j++)
			cr_expect_not_null(strstr(flannel_error_get_message(error), failures[i].parts[j]),
					   "\"%s\" lacks \"%s\"", flannel_error_get_message(error),
					   failures[i].parts[j]);
		sandbox_expect("", ROUTES);
		sandbox_expect("", TABLES);
		lab_expect_no_file(&lab);
		expect_own(&lab, "");
		/* a failed node hears nothing, and the store is not free before it is freed */
		lab_put(&lab, "10.244.3.0-24", LAB_VALUE("192.0.2.3"));
		lab_turn(&lab, 100);
		lab_turn(&lab, 100);
		sandbox_expect("", ROUTES);
		cr_expect_eq(flannel_node_start(lab.node, NULL), -EALREADY);
		lab_close(&lab);
	}
}

/* the subnet file is looked at before anything is touched */
Test(node_trouble, subnet_file)
{
	static const struct {
		const char *prepare; /* shell, in the directory */
		const char *file;
		int code;
	} cases[] = {
		{"mkdir file", "file", -EISDIR},
		{"touch parent", "parent/file", -ENOTDIR},
		{"mkdir parent && mount -t tmpfs -o ro none parent", "parent/file", -EROFS},
		{"mkdir parent && mount -t tmpfs -o ro none parent", "parent/deeper/file", -EROFS},
		{"mkdir file", "file/", -EISDIR},
		{"true", "parent/deeper/file", 0},
		{"ln -s /nonexistent/x link", "link", 0},
		{"echo FLANNEL_SUBNET=garbage >file", "file", 0},
		{"head -c 70000 /dev/zero >file", "file", 0},
		{"mkfifo file", "file", 0},
	};

	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_error *error = NULL;
		char path[128];
		struct lab lab;
		int r;

		lab_open(&lab, LAB_CONFIG);
		sandbox_run("cd %s && %s", lab.dir, cases[i].prepare);
		snprintf(path, sizeof(path), "%s/%s", lab.dir, cases[i].file);
		lab.options.subnet_file = path;
		r = lab_start(&lab, &error);
		cr_expect_eq(r, cases[i].code, "%zu: %d, expected %d: %s", i, r, cases[i].code,
			     flannel_error_get_message(error));
		if (r < 0) {
			cr_expect_not_null(strstr(flannel_error_get_message(error), lab.dir));
			cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_STOPPED);
			expect_own(&lab, "");
			sandbox_expect("", ROUTES);
		} else {
			lab_await(&lab, FLANNEL_EVENT_NODE_READY);
			sandbox_expect("FLANNEL_NETWORK=10.244.0.0/16", "head -n 1 %s", path);
		}
		flannel_error_unref(error);
		lab_stop(&lab);
		sandbox_run("umount %s/parent 2>/dev/null || true", lab.dir);
		lab_close(&lab);
	}
}

/* the place for the file vanishes between the start and the end: the node fails and says so */
Test(node_trouble, subnet_file_directory_vanishes)
{
	char path[128];
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_gate_helper(&lab);
	snprintf(path, sizeof(path), "%s/parent/file", lab.dir);
	lab.options.subnet_file = path;
	cr_assert_eq(lab_start(&lab, NULL), 0);
	lab_await_state(&lab, FLANNEL_NODE_PROGRAM);
	sandbox_run("rmdir %s/parent", lab.dir);
	lab_open_gate(&lab);
	lab_await(&lab, FLANNEL_EVENT_NODE_FAILED);
	cr_expect_not_null(strstr(lab.last_text, path), "%s", lab.last_text);
	lab_close(&lab);
}

/* a helper that dies before it answers is started again */
Test(node_trouble, helper_dies)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_gate_helper(&lab);
	sandbox_run("touch %s/die %s/go", lab.dir, lab.dir);
	cr_assert_eq(lab_start(&lab, NULL), 0);
	lab_await(&lab, FLANNEL_EVENT_NODE_READY);
	sandbox_expect("ip flannel-ipv4", TABLES);
	cr_expect_null(flannel_node_get_error(lab.node));
	lab_close(&lab);
}

/* one that is killed while it works, too; meanwhile the node says what it waits for */
Test(node_trouble, helper_is_killed)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_gate_helper(&lab);
	cr_assert_eq(lab_start(&lab, NULL), 0);
	lab_await_state(&lab, FLANNEL_NODE_PROGRAM);
	/* the script's path is in its command line; nobody else has this directory */
	sandbox_run("for p in /proc/[0-9]*; do if tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '^/bin/sh %s'; "
		    "then kill -KILL ${p#/proc/}; fi; done",
		    lab.helper);
	while (!flannel_node_get_error(lab.node))
		lab_turn(&lab, LAB_PATIENCE_MS);
	cr_expect(flannel_error_is_retryable(flannel_node_get_error(lab.node)));
	cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_PROGRAM);
	lab_expect_no_file(&lab);
	lab_open_gate(&lab);
	lab_await(&lab, FLANNEL_EVENT_NODE_READY);
	cr_expect_null(flannel_node_get_error(lab.node));
	lab_close(&lab);
}

/* a node that is freed leaves what it has set up to then */
Test(node_trouble, freed_at_any_step, .timeout = 60)
{
	for (int state = FLANNEL_NODE_STOPPED; state <= FLANNEL_NODE_READY; state++) {
		struct lab lab;

		lab_open(&lab, state == FLANNEL_NODE_CONFIG ? NULL : LAB_CONFIG);
		lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
		lab_gate_helper(&lab);
		lab_write_file(lab.subnet_file, "FLANNEL_SUBNET=10.244.1.1/24\n");
		if (state == FLANNEL_NODE_READY)
			lab_open_gate(&lab);
		cr_assert_eq(lab_start(&lab, NULL), 0);
		if (state == FLANNEL_NODE_CONFIG)
			lab_turn(&lab, 1500);
		if (state > FLANNEL_NODE_CONFIG)
			lab_await_state(&lab, state);
		lab.node = flannel_node_free(lab.node);
		cr_expect_not(lab_take(&lab, FLANNEL_EVENT_NODE_READY), "an event of a freed node");
		/* what others of the context have to do takes nothing of it back */
		sandbox_run("ip link set eth0 mtu 1450");
		for (int i = 0; i < 5; i++)
			lab_turn(&lab, 10);
		lab_stop(&lab);
		sandbox_expect(state >= FLANNEL_NODE_PROGRAM ? "10.244.2.0/24 192.0.2.2 eth0" : "", ROUTES);
		sandbox_expect(state == FLANNEL_NODE_READY ? "ip flannel-ipv4" : "", TABLES);
		sandbox_expect(state == FLANNEL_NODE_READY ? "4" : "1", "grep -c . %s", lab.subnet_file);
		/* one that waits for its lease may have got it without having heard of it */
		if (state != FLANNEL_NODE_LEASE)
			expect_own(&lab, state >= FLANNEL_NODE_PROGRAM ? "10.244.1.0-24" : "");
		lab_close(&lab);
	}
}

/* the same subnet again: nothing is written anew */
Test(node_trouble, lease_lost_and_found)
{
	struct lab lab;
	char *before;

	lab_open(&lab, LAB_CONFIG);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	lab_write_file(lab.subnet_file, "FLANNEL_SUBNET=10.244.1.1/24\n");
	lab_start_ready(&lab);
	before = sandbox_shell(true, "ip route; nft list ruleset");
	sandbox_run("ls -i --full-time %s >%s/inode", lab.subnet_file, lab.dir);
	cr_assert_eq(store_client_remove(&lab.client, "10.244.1.0-24", LAB_VALUE("192.0.2.1")), 0);
	lab_await(&lab, FLANNEL_EVENT_LEASE_LOST);
	lab_await(&lab, FLANNEL_EVENT_LEASE_ACQUIRED);
	expect_own(&lab, "10.244.1.0-24");
	cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_READY);
	lab_turn(&lab, 50);
	cr_expect_not(lab_take(&lab, FLANNEL_EVENT_NODE_READY), "ready again, though nothing changed");
	sandbox_expect(before, "ip route; nft list ruleset");
	sandbox_expect("", "ls -i --full-time %s | diff - %s/inode", lab.subnet_file, lab.dir);
	free(before);
	lab_close(&lab);
}

/* takes the own subnet away and gives it to another node before this one hears of it */
static void give_away(struct lab *lab)
{
	cr_assert_eq(store_client_remove(&lab->client, "10.244.1.0-24", LAB_VALUE("192.0.2.1")), 0);
	lab_put(lab, "10.244.1.0-24", LAB_VALUE("192.0.2.9"));
}

/* rules and file speak of the subnet that is held now */
static void expect_subnet(struct lab *lab)
{
	struct flannel_prefix subnet;
	char text[FLANNEL_PREFIX_STRLEN], address[FLANNEL_PREFIX_STRLEN];

	cr_assert_eq(flannel_lease_get_subnet(flannel_node_get_lease(lab->node), AF_INET, &subnet), 1);
	flannel_prefix_format(&subnet, text, sizeof(text));
	cr_expect_str_neq(text, "10.244.1.0/24");
	snprintf(address, sizeof(address), "%.*s1/24", (int)strcspn(text, "/") - 1, text);
	sandbox_expect(address, "sed -n s/FLANNEL_SUBNET=//p %s", lab->subnet_file);
	sandbox_expect("0", "nft list ruleset | grep -c 10.244.1.0/24");
	sandbox_expect("3", "nft list ruleset | grep -c %s", text);
	sandbox_expect("10.244.1.0/24 192.0.2.9 eth0", ROUTES);
}

/* another subnet: everything is set anew */
Test(node_trouble, lease_lost_for_good)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_write_file(lab.subnet_file, "FLANNEL_SUBNET=10.244.1.1/24\n");
	lab_start_ready(&lab);
	give_away(&lab);
	lab_await(&lab, FLANNEL_EVENT_LEASE_LOST);
	lab_await(&lab, FLANNEL_EVENT_NODE_READY);
	expect_subnet(&lab);
	lab_close(&lab);
}

/* the same while the rules for the first subnet are on their way */
Test(node_trouble, lease_lost_while_programming)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_gate_helper(&lab);
	lab_write_file(lab.subnet_file, "FLANNEL_SUBNET=10.244.1.1/24\n");
	cr_assert_eq(lab_start(&lab, NULL), 0);
	lab_await_state(&lab, FLANNEL_NODE_PROGRAM);
	give_away(&lab);
	lab_await(&lab, FLANNEL_EVENT_LEASE_LOST);
	lab_await(&lab, FLANNEL_EVENT_LEASE_ACQUIRED);
	lab_open_gate(&lab);
	lab_await(&lab, FLANNEL_EVENT_NODE_READY);
	expect_subnet(&lab);
	lab_close(&lab);
}

/* the underlay's link goes and comes back: the routes with it */
Test(node_trouble, link_flaps)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	lab_start_ready(&lab);
	sandbox_run("ip link set eth0 down");
	lab_await_output(&lab, "", ROUTES);
	sandbox_run("ip link set eth0 up");
	lab_await_output(&lab, "10.244.2.0/24 192.0.2.2 eth0", ROUTES);
	cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_READY);
	lab_close(&lab);
}

/* the store's directory is moved away and back */
Test(node_trouble, store_lost_and_back)
{
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
	lab_start_ready(&lab);
	sandbox_run("mv %s %s.away", lab.dir, lab.dir);
	lab_await(&lab, FLANNEL_EVENT_STORE_LOST);
	cr_expect_not_null(flannel_node_get_error(lab.node));
	cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_READY);
	sandbox_expect("10.244.2.0/24 192.0.2.2 eth0", ROUTES);
	sandbox_run("mv %s.away %s", lab.dir, lab.dir);
	lab_await(&lab, FLANNEL_EVENT_STORE_BACK);
	cr_expect_null(flannel_node_get_error(lab.node));
	cr_expect_not_null(flannel_node_get_lease(lab.node));
	lab_close(&lab);
}
