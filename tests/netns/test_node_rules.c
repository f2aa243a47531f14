/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The node keeps its rules true: whatever another program does to them is undone, and nothing else makes it act. */

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "node_lab.h"

#define RULES "nft list ruleset"
#define OWN_RULES "nft list table ip flannel-ipv4 2>/dev/null"
#define ROUTES "ip -j route show proto 241 | jq -r '.[] | .dst + \" \" + .gateway + \" \" + .dev'"

/* how many events of a type the host finds in the queue; takes them all */
static unsigned int count_events(struct lab *lab, int type)
{
	unsigned int n = 0;

	while (lab_take(lab, type))
		n++;
	return n;
}

/* dispatches until nothing is due; transactions of others were told before their programs ended, so that there is no need to wait */
static void settle(struct lab *lab)
{
	for (int i = 0; i < 50; i++)
		lab_turn(lab, 10);
}

/* what others do to the tables, and what the first event says */
static const struct {
	const char *command;
	const char *text;
	unsigned int n_repairs;
} changes[] = {
	{"nft flush ruleset", "table ip flannel-ipv4 was changed by nft", 2},
	{"nft delete table ip flannel-ipv4", "table ip flannel-ipv4 was changed by nft", 1},
	{"nft delete table ip6 flannel-ipv6", "table ip6 flannel-ipv6 was changed by nft", 1},
	{"nft flush chain ip flannel-ipv4 postrtg", "table ip flannel-ipv4 was changed by nft", 1},
	{"nft flush table ip6 flannel-ipv6", "table ip6 flannel-ipv6 was changed by nft", 1},
	{"nft delete rule ip flannel-ipv4 forward handle $(nft -a list chain ip flannel-ipv4 forward | "
	 "sed -n 's/.*saddr.*handle //p')",
	 "table ip flannel-ipv4 was changed by nft", 1},
	{"nft insert rule ip flannel-ipv4 forward drop", "table ip flannel-ipv4 was changed by nft", 1},
	{"nft add chain ip flannel-ipv4 more", "table ip flannel-ipv4 was changed by nft", 1},
	{"nft add chain ip flannel-ipv4 forward '{ policy drop; }'", "table ip flannel-ipv4 was changed by nft", 1},
	{"nft add table ip6 flannel-ipv6 '{ flags dormant; }'", "table ip6 flannel-ipv6 was changed by nft", 1},
	/* the name that a program gives itself is made fit for a line of a log */
	{"cp $(command -v nft) \"$DIR/$(printf 'a\\nb')\" && \"$DIR/$(printf 'a\\nb')\" flush ruleset",
	 "table ip flannel-ipv4 was changed by a?b", 2},
};

Test(node_rules, are_restored)
{
	uint64_t n_repairs = 0;
	struct lab lab;
	char *rules;

	lab_open(&lab, LAB_CONFIG_DUAL);
	setenv("DIR", lab.dir, 1);
	lab_start_ready(&lab);
	rules = sandbox_shell(true, RULES);
	for (size_t i = 0; i < FL_N_ELEMENTS(changes); i++) {
		/* nobody fights: the last one was a while ago */
		uint64_t start_ns = fl_loop_now();

		while (fl_loop_now() < start_ns + FL_NSEC_PER_SEC + 10 * FL_NSEC_PER_MSEC)
			lab_turn(&lab, 100);
		cr_expect_eq(count_events(&lab, FLANNEL_EVENT_REPAIRED), 0u, "%s", changes[i].command);
		sandbox_run("%s", changes[i].command);
		lab_await(&lab, FLANNEL_EVENT_REPAIRED);
		cr_expect_str_eq(lab.last_text, changes[i].text, "%s: %s", changes[i].command, lab.last_text);
		cr_expect_eq(1 + count_events(&lab, FLANNEL_EVENT_REPAIRED), changes[i].n_repairs, "%s",
			     changes[i].command);
		sandbox_expect(rules, RULES);
		n_repairs += changes[i].n_repairs;
		cr_expect_eq(flannel_node_get_repairs(lab.node), n_repairs, "%s", changes[i].command);
		cr_expect_null(flannel_node_get_error(lab.node));
	}
	free(rules);
	lab_close(&lab);
}

/* Whether acceptance counts in our tables alone is looked at again with them: Docker may have come, or gone, since the start. */
Test(node_rules, forward_policy_is_looked_at_again)
{
	static const struct {
		const char *policy, *chain;
	} steps[] = {{"drop", "chain FLANNEL-FWD"}, {"accept", ""}, {"drop", "chain FLANNEL-FWD"}};
	struct lab lab;

	lab_open(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	sandbox_run("nft add table ip filter");
	for (size_t i = 0; i < FL_N_ELEMENTS(steps); i++) {
		sandbox_run("nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy %s; }'",
			    steps[i].policy);
		sandbox_run("nft flush chain ip flannel-ipv4 postrtg");
		lab_await(&lab, FLANNEL_EVENT_REPAIRED);
		lab_await_output(&lab, steps[i].chain, "nft list table ip filter | grep -o 'chain FLANNEL-FWD'");
	}
	lab_close(&lab);
}

/* what the node itself does is no change of somebody else's, and what others do elsewhere is no business of ours */
Test(node_rules, nothing_else_is_a_repair)
{
	static const char *const elsewhere[] = {
		"nft add table ip other && nft add chain ip other c && nft add rule ip other c accept",
		"nft delete table ip other",
		"nft add table inet flannel-ipv4 && nft delete table inet flannel-ipv4",
		"nft add table ip6 flannel-ipv4 && nft delete table ip6 flannel-ipv4",
		/* the table of a family that is not in use */
		"nft add table ip6 flannel-ipv6 && nft delete table ip6 flannel-ipv6",
		"nft add table ip flannel-ipv4",
		"nft list ruleset",
		"nft delete rule ip flannel-ipv4 forward handle 9999 2>/dev/null || true",
	};
	struct lab lab;
	char *rules;

	lab_open(&lab, LAB_CONFIG);
	lab_write_file(lab.subnet_file, "FLANNEL_SUBNET=10.244.1.1/24\n");
	for (int i = 0; i < 3; i++) {
		lab_start_ready(&lab);
		lab_put(&lab, "10.244.2.0-24", LAB_VALUE("192.0.2.2"));
		lab_put(&lab, "10.244.3.0-24", LAB_VALUE("192.0.2.3"));
		lab_await_output(&lab, "10.244.2.0/24 192.0.2.2 eth0\n10.244.3.0/24 192.0.2.3 eth0", ROUTES);
		cr_assert_eq(store_client_remove(&lab.client, "10.244.2.0-24", LAB_VALUE("192.0.2.2")), 0);
		cr_assert_eq(store_client_remove(&lab.client, "10.244.3.0-24", LAB_VALUE("192.0.2.3")), 0);
		lab_await_output(&lab, "", ROUTES);
		settle(&lab);
		cr_expect_eq(count_events(&lab, FLANNEL_EVENT_REPAIRED), 0u);
		cr_expect_eq(flannel_node_get_repairs(lab.node), 0u);
		if (i < 2)
			lab_stop(&lab);
	}
	rules = sandbox_shell(true, "nft -a list table ip flannel-ipv4");
	for (size_t i = 0; i < FL_N_ELEMENTS(elsewhere); i++) {
		sandbox_run("%s", elsewhere[i]);
		settle(&lab);
		cr_expect_eq(count_events(&lab, FLANNEL_EVENT_REPAIRED), 0u, "%s", elsewhere[i]);
	}
	/* handles would be others had the rules been sent again */
	sandbox_expect(rules, "nft -a list table ip flannel-ipv4");
	cr_expect_eq(flannel_node_get_repairs(lab.node), 0u);
	free(rules);
	lab_close(&lab);
}

/* another subnet: the node sends other rules itself, and repairs those from then on */
Test(node_rules, another_lease_is_no_repair)
{
	struct lab lab;
	char *rules;

	lab_open(&lab, LAB_CONFIG);
	lab_write_file(lab.subnet_file, "FLANNEL_SUBNET=10.244.1.1/24\n");
	lab_start_ready(&lab);
	cr_assert_eq(store_client_remove(&lab.client, "10.244.1.0-24", LAB_VALUE("192.0.2.1")), 0);
	lab_put(&lab, "10.244.1.0-24", LAB_VALUE("192.0.2.9"));
	lab_await(&lab, FLANNEL_EVENT_LEASE_LOST);
	lab_await(&lab, FLANNEL_EVENT_NODE_READY);
	settle(&lab);
	cr_expect_eq(flannel_node_get_repairs(lab.node), 0u);
	rules = sandbox_shell(true, RULES);
	sandbox_run("nft flush ruleset");
	lab_await(&lab, FLANNEL_EVENT_REPAIRED);
	sandbox_expect(rules, RULES);
	free(rules);
	lab_close(&lab);
}

/* starts a program that deletes the table whenever it is there, for ever; its pid */
static pid_t start_fighter(void)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		/* also if this test fails */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c", "while :; do nft delete table ip flannel-ipv4 2>/dev/null; done", NULL);
		_exit(127);
	}
	return pid;
}

/* somebody fights us: we give way for longer and longer, say so, and win in the end */
Test(node_rules, a_fight_is_bounded)
{
	struct flannel_error *error;
	uint64_t deadline_ns;
	struct lab lab;
	char *rules;
	pid_t fighter;

	lab_open(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	rules = sandbox_shell(true, RULES);
	fighter = start_fighter();
	lab_await(&lab, FLANNEL_EVENT_OBJECT_FAILED);
	cr_expect_str_eq(lab.last_text, "keep table ip flannel-ipv4: nft keeps changing it");
	error = flannel_node_get_error(lab.node);
	cr_assert_not_null(error);
	cr_expect_eq(flannel_error_get_code(error), -EBUSY);
	cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_READY);

	/* five at once, then after 100, 200, 400, 800, 1600 ms */
	deadline_ns = fl_loop_now() + 3 * FL_NSEC_PER_SEC;
	while (fl_loop_now() < deadline_ns)
		lab_turn(&lab, 100);
	cr_expect_leq(flannel_node_get_repairs(lab.node), 10u);
	cr_expect_geq(flannel_node_get_repairs(lab.node), 6u);
	cr_expect_not_null(flannel_node_get_error(lab.node));

	kill(fighter, SIGKILL);
	waitpid(fighter, NULL, 0);
	lab_await_output(&lab, rules, RULES);
	settle(&lab);
	cr_expect_null(flannel_node_get_error(lab.node));
	sandbox_expect(rules, RULES);
	free(rules);
	lab_close(&lab);
}

/* kills the helpers of this namespace: the processes in it that run TEST_NFT_HELPER */
static void kill_helpers(void)
{
	sandbox_run("own=$(readlink /proc/self/ns/net); n=0; for p in /proc/[0-9]*; do "
		    "if [ \"$(readlink $p/exe)\" = %s ] && [ \"$(readlink $p/ns/net)\" = \"$own\" ]; "
		    "then kill -KILL ${p#/proc/}; n=1; fi; done; [ $n = 1 ]",
		    TEST_NFT_HELPER);
}

/* a helper that is dead when it is needed is started again, without a failure */
Test(node_rules, helper_is_dead)
{
	struct lab lab;
	char *rules;

	lab_open(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	rules = sandbox_shell(true, RULES);
	for (int i = 0; i < 3; i++) {
		kill_helpers();
		sandbox_run("nft flush ruleset");
		lab_await(&lab, FLANNEL_EVENT_REPAIRED);
		sandbox_expect(rules, RULES);
		settle(&lab);
		cr_expect_eq(count_events(&lab, FLANNEL_EVENT_OBJECT_FAILED), 0u);
	}
	cr_expect_eq(flannel_node_get_repairs(lab.node), 3u);
	free(rules);
	lab_close(&lab);
}

/* a helper that dies at work, is missing, or is no helper at all: told, seen in the status, tried again until it works */
Test(node_rules, restoring_fails_for_a_while)
{
	static const struct {
		const char *breaks; /* what becomes of the helper: the first takes the request and ends */
		const char *part;
	} cases[] = {
		{"printf '#!/bin/sh\\nexec /bin/dd of=/dev/null bs=65536 count=1\\n' >$DIR/helper",
		 "it ended without an answer"},
		{"rm $DIR/helper", "No such file or directory"},
		{"chmod 644 $DIR/helper", "Permission denied"},
	};
	struct lab lab;
	char *rules;

	lab_open(&lab, LAB_CONFIG);
	setenv("DIR", lab.dir, 1);
	lab_gate_helper(&lab);
	lab_open_gate(&lab);
	sandbox_run("cp $DIR/helper $DIR/good");
	lab_start_ready(&lab);
	rules = sandbox_shell(true, RULES);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		uint64_t n_repairs = flannel_node_get_repairs(lab.node);

		kill_helpers();
		sandbox_run("%s", cases[i].breaks);
		sandbox_run("nft flush ruleset");
		lab_await(&lab, FLANNEL_EVENT_OBJECT_FAILED);
		cr_expect_not_null(strstr(lab.last_text, cases[i].part), "%s", lab.last_text);
		cr_expect_not_null(strstr(lab.last_text, "restore table ip flannel-ipv4: "), "%s", lab.last_text);
		cr_assert_not_null(flannel_node_get_error(lab.node));
		cr_expect_str_eq(flannel_error_get_message(flannel_node_get_error(lab.node)), lab.last_text);
		cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_READY);
		/* the next tries say nothing new */
		settle(&lab);
		cr_expect_eq(count_events(&lab, FLANNEL_EVENT_OBJECT_FAILED), 0u);
		sandbox_expect("", RULES);
		sandbox_run("cp $DIR/good $DIR/helper && chmod 755 $DIR/helper");
		lab_await(&lab, FLANNEL_EVENT_REPAIRED);
		sandbox_expect(rules, RULES);
		cr_expect_null(flannel_node_get_error(lab.node));
		cr_expect_eq(flannel_node_get_repairs(lab.node), n_repairs + 1);
	}
	free(rules);
	lab_close(&lab);
}

/* the table goes while the helper is about to set it anew: what comes after our transaction is not lost in it */
Test(node_rules, changed_during_a_repair)
{
	struct lab lab;
	char *rules;

	lab_open(&lab, LAB_CONFIG);
	lab_gate_helper(&lab);
	lab_open_gate(&lab);
	lab_start_ready(&lab);
	rules = sandbox_shell(true, RULES);
	for (int i = 0; i < 3; i++) {
		/* a new helper waits at the gate; the change after it is set comes while the answer has not been read */
		kill_helpers();
		sandbox_run("rm %s/go && nft flush ruleset", lab.dir);
		for (int j = 0; j < 5; j++)
			lab_turn(&lab, 20);
		lab_open_gate(&lab);
		sandbox_run(
			"while ! nft -j list tables | grep -q flannel-ipv4; do sleep 0.01; done; nft flush ruleset");
		sandbox_expect("", RULES);
		lab_await_output(&lab, rules, RULES);
		settle(&lab);
		sandbox_expect(rules, RULES);
		lab_await(&lab, FLANNEL_EVENT_REPAIRED);
		for (uint64_t start_ns = fl_loop_now(); fl_loop_now() < start_ns + FL_NSEC_PER_SEC;)
			lab_turn(&lab, 100);
	}
	cr_expect_null(flannel_node_get_error(lab.node));
	free(rules);
	lab_close(&lab);
}

/* a node that is freed at any point of a repair is done with it */
Test(node_rules, freed_during_a_repair)
{
	for (int i = 0; i < 4; i++) {
		struct lab lab;

		lab_open(&lab, LAB_CONFIG);
		lab_start_ready(&lab);
		sandbox_run("nft flush ruleset");
		for (int j = 0; j < i; j++)
			lab_turn(&lab, 1000);
		lab_close(&lab);
	}
}

/* so many changes elsewhere that the queue overruns: the rules are set again to be sure, and in the end they are right */
Test(node_rules, overrun)
{
	struct lab lab;
	char *rules;

	lab_open(&lab, LAB_CONFIG);
	lab_start_ready(&lab);
	rules = sandbox_shell(true, OWN_RULES);
	sandbox_run("(echo 'table ip other {'; echo 'chain c {'; for i in $(seq 60000); do echo 'ip saddr 198.51.100.1 "
		    "tcp dport "
		    "80 counter accept'; done; echo '}'; echo '}') >%s/big && for i in 1 2; do nft -f %s/big; done && "
		    "nft delete table ip "
		    "flannel-ipv4",
		    lab.dir, lab.dir);
	lab_await_output(&lab, rules, OWN_RULES);
	cr_expect_null(flannel_node_get_error(lab.node));
	cr_expect_eq(flannel_node_get_state(lab.node), FLANNEL_NODE_READY);
	/* nobody knows who did it, or whether anybody did */
	cr_expect_eq(count_events(&lab, FLANNEL_EVENT_REPAIRED), 0u);
	free(rules);
	lab_close(&lab);
}
