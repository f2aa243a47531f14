/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "sandbox.h"
#include "sys/monitor.h"
#include "sys/rtnl/link.h"
#include "sys/execute.h"
#include "sys/rtnl/route.h"

/* what a monitor told, as text, one change after the other; and how many there were */
struct heard {
	char text[8192];
	int n;
	int n_overruns;
};

/* writes one change down */
static void hear(void *userdata, const struct fl_change *change)
{
	struct heard *heard = userdata;
	struct fl_object object = {.type = FL_OBJECT_ROUTE, .route = change->route};
	char what[FL_OBJECT_STRLEN] = "", prefix[FLANNEL_PREFIX_STRLEN];
	size_t len = strlen(heard->text);

	heard->n++;
	switch (change->type) {
	case FL_CHANGE_LINK:
		snprintf(what, sizeof(what), "link %s", change->link.name);
		break;
	case FL_CHANGE_ADDRESS:
		snprintf(what, sizeof(what), "address %s of %u",
			 flannel_prefix_format(&change->address.address, prefix, sizeof(prefix)),
			 change->address.ifindex);
		break;
	case FL_CHANGE_ROUTE:
		fl_object_format(&object, what, sizeof(what));
		break;
	case FL_CHANGE_OVERRUN:
		heard->n_overruns++;
		snprintf(what, sizeof(what), "overrun");
		break;
	default:
		break; /* of neighbours and FDB entries, see test_neighbour.c */
	}
	snprintf(heard->text + len, sizeof(heard->text) - len, "%s%s\n", change->removed ? "-" : "+", what);
}

/* reads until nothing is left */
static void drain(struct fl_monitor *monitor)
{
	int r;

	do
		r = fl_monitor_dispatch(monitor);
	while (r > 0);
	cr_assert_eq(r, 0, "dispatch: %d", r);
}

/* Was that told? Most messages are queued before the call that caused them returns, so there is nothing to wait for. */
static void expect_heard(struct heard *heard, const char *line, bool expected)
{
	cr_expect_eq(strstr(heard->text, line) != NULL, expected, "%s \"%s\" in:\n%s",
		     expected ? "missing" : "unexpected", line, heard->text);
}

/* a namespace, a socket and a monitor */
static struct fl_monitor *enter(struct fl_rtnl **ret_rtnl, struct heard *heard)
{
	struct fl_monitor *monitor = NULL;

	sandbox_enter();
	sandbox_run("ip link add up0 index 10 type veth peer name up1 && ip link set up0 up && ip link set up1 up && "
		    "ip addr add 192.0.2.1/24 dev up0");
	cr_assert_eq(fl_rtnl_open(-1, true, ret_rtnl, NULL), 0);
	cr_assert_eq(fl_monitor_open(-1, true, *ret_rtnl, hear, heard, &monitor, NULL), 0);
	return monitor;
}

Test(monitor, hears_links_addresses_and_routes_come_and_go)
{
	static const struct {
		const char *command;
		const char *line;
	} cases[] = {
		{"ip link add bridge0 index 20 type bridge", "+link bridge0\n"},
		{"ip addr add 10.244.1.1/24 dev up0", "+address 10.244.1.1/24 of 10\n"},
		{"ip addr add fd00:1::1/64 dev up0 nodad", "+address fd00:1::1/64 of 10\n"},
		{"ip route add 10.244.2.0/24 via 192.0.2.2", "+route 10.244.2.0/24 via 192.0.2.2 dev up0\n"},
		{"ip route replace 10.244.2.0/24 via 192.0.2.3", "+route 10.244.2.0/24 via 192.0.2.3 dev up0\n"},
		{"ip -6 route add fd00:2::/64 via fd00:1::2", "+route fd00:2::/64 via fd00:1::2 dev up0\n"},
		{"ip -6 route del fd00:2::/64", "-route fd00:2::/64 via fd00:1::2 dev up0\n"},
		{"ip route del 10.244.2.0/24", "-route 10.244.2.0/24 via 192.0.2.3 dev up0\n"},
		{"ip addr del fd00:1::1/64 dev up0", "-address fd00:1::1/64 of 10\n"},
		{"ip addr del 10.244.1.1/24 dev up0", "-address 10.244.1.1/24 of 10\n"},
		{"ip link del bridge0", "-link bridge0\n"},
	};
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct heard heard = {.n = 0};
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = enter(&rtnl, &heard);

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct pollfd fd = {.fd = fl_monitor_get_fd(monitor), .events = POLLIN};

		drain(monitor);
		heard = (struct heard){.n = 0};
		sandbox_run("%s", cases[i].command);
		/* the kernel tells of an IPv6 address from a work queue, after its route */
		while (!strstr(heard.text, cases[i].line) && poll(&fd, 1, 10000) == 1)
			drain(monitor);
		expect_heard(&heard, cases[i].line, true);
	}
	drain(monitor);
	cr_expect_eq(fl_monitor_dispatch(monitor), 0, "an empty queue is no failure");
}

/* the kernel says "RTM_DELLINK" of a port that leaves its bridge, too */
Test(monitor, a_port_that_leaves_its_bridge_is_not_gone)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct heard heard = {.n = 0};
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = enter(&rtnl, &heard);

	sandbox_run("ip link add bridge0 type bridge && ip link set up1 master bridge0");
	drain(monitor);
	heard = (struct heard){.n = 0};
	sandbox_run("ip link set up1 nomaster");
	drain(monitor);
	expect_heard(&heard, "+link up1\n", true);
	expect_heard(&heard, "-link up1\n", false);
}

Test(monitor, routes_of_other_tables_are_none_of_our_business)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct heard heard = {.n = 0};
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = enter(&rtnl, &heard);

	drain(monitor);
	heard = (struct heard){.n = 0};
	sandbox_run("ip route add 10.244.2.0/24 via 192.0.2.2 table 77 && ip route add local 10.244.9.9 dev lo table "
		    "local");
	drain(monitor);
	cr_expect_eq(heard.n, 0, "%s", heard.text);
}

Test(monitor, the_routes_of_a_link_that_goes_down_or_away_are_followed_by_news_of_the_link)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct heard heard = {.n = 0};
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = enter(&rtnl, &heard);

	sandbox_run("ip route add 10.244.2.0/24 via 192.0.2.2");
	drain(monitor);
	heard = (struct heard){.n = 0};
	sandbox_run("ip link set up0 down");
	drain(monitor);
	expect_heard(&heard, "+link up0\n", true);
	sandbox_run("ip link del up0");
	drain(monitor);
	expect_heard(&heard, "-link up0\n", true);
	expect_heard(&heard, "-address 192.0.2.1/24 of 10\n", true);
}

/* adds or deletes many routes at once */
static void change_many(struct fl_rtnl *rtnl, enum fl_verb verb, unsigned int n)
{
	FL_CLEANUP(fl_freep) struct fl_operation *operations = calloc(n, sizeof(*operations));
	FL_CLEANUP(fl_freep) int *results = calloc(n, sizeof(*results));
	struct flannel_prefix dst, via = sandbox_prefix("192.0.2.2");

	for (unsigned int i = 0; i < n; i++) {
		dst = sandbox_prefix("10.0.0.0/24");
		dst.addr[1] = (uint8_t)(i >> 8);
		dst.addr[2] = (uint8_t)i;
		operations[i].verb = verb;
		operations[i].object.type = FL_OBJECT_ROUTE;
		operations[i].object.route = fl_route_main(&dst, 241);
		operations[i].object.route.via = via;
		strcpy(operations[i].object.route.link, "up0");
	}
	cr_assert_eq(fl_execute(rtnl, operations, n, results, NULL, NULL), 0);
	for (unsigned int i = 0; i < n; i++)
		cr_assert_eq(results[i], 0, "route %u: %d", i, results[i]);
}

Test(monitor, dispatch_is_bounded)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct heard heard = {.n = 0};
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = enter(&rtnl, &heard);

	drain(monitor);
	heard = (struct heard){.n = 0};
	change_many(rtnl, FL_VERB_CREATE, 600);
	cr_expect_eq(fl_monitor_dispatch(monitor), 1);
	cr_expect_eq(heard.n, 256);
	cr_expect_eq(fl_monitor_dispatch(monitor), 1);
	cr_expect_eq(fl_monitor_dispatch(monitor), 0);
	cr_expect_eq(heard.n, 600);
	cr_expect_eq(heard.n_overruns, 0);
}

Test(monitor, the_queue_holds_five_thousand_routes)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct heard heard = {.n = 0};
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = enter(&rtnl, &heard);

	drain(monitor);
	heard = (struct heard){.n = 0};
	change_many(rtnl, FL_VERB_CREATE, 5000);
	drain(monitor);
	cr_expect_eq(heard.n, 5000);
	cr_expect_eq(heard.n_overruns, 0);
}

Test(monitor, an_overrun_is_told_once_and_nothing_after_it_is_lost)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct heard heard = {.n = 0};
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = enter(&rtnl, &heard);
	const int tiny = 4096;

	drain(monitor);
	cr_assert_eq(setsockopt(fl_monitor_get_fd(monitor), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	for (int round = 0; round < 2; round++) {
		heard = (struct heard){.n = 0};
		change_many(rtnl, round == 0 ? FL_VERB_CREATE : FL_VERB_DELETE, 3000);
		drain(monitor);
		cr_expect_eq(heard.n_overruns, 1);
		cr_expect_eq(heard.n, 1, "what came before the overrun is old news:\n%s", heard.text);
		/* the next change is heard again: the queue was empty when the overrun was told */
		sandbox_run("ip route add 10.99.%d.0/24 via 192.0.2.2", round);
		drain(monitor);
		expect_heard(&heard,
			     round == 0 ? "+route 10.99.0.0/24 via 192.0.2.2 dev up0\n"
					: "+route 10.99.1.0/24 via 192.0.2.2 dev up0\n",
			     true);
		cr_expect_eq(heard.n_overruns, 1);
	}
}

Test(monitor, listens_in_another_namespace_and_leaks_nothing)
{
	FL_CLEANUP(fl_closep) int other = -1;
	struct heard heard = {.n = 0};
	char in[64];
	int n_fds;

	sandbox_enter();
	other = sandbox_new_netns();
	n_fds = sandbox_count_fds();
	for (int single = 0; single <= 1; single++) {
		FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
		FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = NULL;

		cr_assert_eq(fl_rtnl_open(other, single, &rtnl, NULL), 0);
		cr_assert_eq(fl_monitor_open(other, single, rtnl, hear, &heard, &monitor, NULL), 0);
		cr_expect_eq(fcntl(fl_monitor_get_fd(monitor), F_GETFD), FD_CLOEXEC);
		cr_expect(fcntl(fl_monitor_get_fd(monitor), F_GETFL) & O_NONBLOCK);
		heard = (struct heard){.n = 0};
		sandbox_run("ip link add here%d type bridge", single);
		sandbox_run("%s ip link add there%d type bridge", sandbox_in(other, in), single);
		drain(monitor);
		expect_heard(&heard, "+link here", false);
		expect_heard(&heard, single ? "+link there1\n" : "+link there0\n", true);
	}
	cr_expect_eq(sandbox_count_fds(), n_fds);
}

Test(monitor, open_fails_without_a_leak)
{
	FL_CLEANUP(fl_closep) int mount = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	struct fl_monitor *monitor = NULL;
	struct flannel_error *error = NULL;
	int n_fds = sandbox_count_fds();

	cr_expect_eq(fl_monitor_open(mount, false, NULL, hear, NULL, &monitor, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "network namespace");
	cr_expect_null(monitor);
	cr_expect_eq(sandbox_count_fds(), n_fds);
	cr_expect_null(fl_monitor_close(NULL));
}
