/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Routes that stay true: a set against ip(8), which takes routes away in every way there is. */

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <flannel/route.h>

#include "engine/reconcile/reconcile_state.h"
#include "sandbox.h"
#include "sys/rtnl/route.h"

/* how long a thing may take that should take milliseconds; a busy machine is no failure */
#define PATIENCE_NS (4 * FL_NSEC_PER_SEC)

/* a context and what it told */
struct fixture {
	struct flannel_context *context;
	struct flannel_route_set *set;
	int n_repaired;
	int n_failed;
	int n_overruns;
	char failure[256]; /* the last one's message */
	char repair[256];
};

/* keeps what matters of the log */
static void on_log(void *userdata, enum flannel_log_level level, const char *area, const char *message)
{
	struct fixture *fixture = userdata;

	(void)level;
	(void)area;
	fixture->n_overruns += strstr(message, "lost") != NULL;
}

/* this process in a namespace with one uplink */
static void enter(void)
{
	sandbox_enter();
	sandbox_run("ip link add up0 type veth peer name up1 && ip link set up1 up && ip link set up0 up && "
		    "ip addr add 192.0.2.1/24 dev up0 && ip addr add fd00:1::1/64 dev up0 nodad");
}

static void open_set(struct fixture *fixture, int purge)
{
	struct flannel_context_options options = {.size = sizeof(options), .log = on_log, .log_userdata = fixture};
	struct flannel_route_set_options set_options = {
		.size = sizeof(set_options), .purge = purge, .userdata = fixture};
	struct flannel_error *error = NULL;

	*fixture = (struct fixture){0};
	sandbox_assert_ok(flannel_context_new(&fixture->context, &options, &error), error);
	sandbox_assert_ok(flannel_route_set_new(fixture->context, &set_options, &fixture->set, &error), error);
}

static void close_set(struct fixture *fixture)
{
	fixture->set = flannel_route_set_free(fixture->set);
	fixture->context = flannel_context_unref(fixture->context);
}

/* a route from text; via and link may be NULL */
static struct flannel_route make_route(const char *dst, const char *via, const char *link)
{
	struct flannel_route route = {.size = sizeof(route), .dst = sandbox_prefix(dst), .link = link};

	if (via)
		route.via = sandbox_prefix(via);
	return route;
}

static int add(struct flannel_route_set *set, const char *dst, const char *via, const char *link)
{
	struct flannel_route route = make_route(dst, via, link);
	struct flannel_error *error = NULL;
	int r = flannel_route_set_add(set, &route, &error);

	sandbox_assert_ok(r, error);
	return r;
}

static int apply(struct flannel_route_set *set)
{
	struct flannel_error *error = NULL;
	int r = flannel_route_set_apply(set, &error);

	sandbox_assert_ok(r, error);
	return r;
}

/* takes all events */
static void take_events(struct fixture *fixture)
{
	struct flannel_event *event;

	while (flannel_context_next_event(fixture->context, &event) > 0) {
		cr_expect_eq(flannel_event_get_userdata(event), fixture);
		if (flannel_event_get_type(event) == FLANNEL_EVENT_REPAIRED) {
			fixture->n_repaired++;
			snprintf(fixture->repair, sizeof(fixture->repair), "%s", flannel_event_get_text(event));
		} else {
			cr_expect_eq(flannel_event_get_type(event), FLANNEL_EVENT_OBJECT_FAILED);
			cr_expect_not_null(flannel_event_get_error(event));
			fixture->n_failed++;
			snprintf(fixture->failure, sizeof(fixture->failure), "%s", flannel_event_get_text(event));
		}
		flannel_event_free(event);
	}
}

/* one round as a host does it; waits at most timeout_ms for something to do */
static void turn(struct fixture *fixture, int timeout_ms)
{
	struct pollfd fd = {.fd = flannel_context_get_fd(fixture->context), .events = POLLIN};
	struct flannel_error *error = NULL;
	int r;

	(void)poll(&fd, 1, timeout_ms);
	do
		r = flannel_context_dispatch(fixture->context, &error);
	while (r > 0);
	sandbox_assert_ok(r, error);
	take_events(fixture);
}

/* dispatches until a counter reaches a number */
static void wait_for(struct fixture *fixture, const int *counter, int n, const char *what)
{
	uint64_t deadline_ns = fl_loop_now() + PATIENCE_NS;

	while (*counter < n) {
		cr_assert_lt(fl_loop_now(), deadline_ns, "%s: %d of %d; last failure: %s", what, *counter, n,
			     fixture->failure);
		turn(fixture, 1000);
	}
}

/* dispatches until a command prints the text */
static void wait_until(struct fixture *fixture, const char *expected, const char *command)
{
	uint64_t deadline_ns = fl_loop_now() + PATIENCE_NS;
	char *text = sandbox_shell(false, command);

	while (strcmp(text, expected) != 0) {
		cr_assert_lt(fl_loop_now(), deadline_ns, "%s gives \"%s\", never \"%s\"", command, text, expected);
		turn(fixture, 1000);
		free(text);
		text = sandbox_shell(false, command);
	}
	free(text);
}

/* our routes of both families, a line each; a new link has other flags for a moment */
#define OURS                                                                                                           \
	"{ ip route show proto 241; ip -6 route show proto 241; } | sed 's/ linkdown//; s/ pref medium//; s/ metric "  \
	"1024//; s/ *$//'"
#define ONE "10.244.2.0/24 via 192.0.2.2 dev up0"
#define SIX "fd00:2::/64 via fd00:1::2 dev up0"

/* the state of a route inside the reconciler */
static struct fl_entry *entry_of(struct fixture *fixture, const char *dst)
{
	struct flannel_prefix prefix = sandbox_prefix(dst);
	struct fl_object object = {.type = FL_OBJECT_ROUTE, .route = fl_route_main(&prefix, 241)};
	struct fl_entry *entry = fl_set_find(fixture->context->reconciler->set, &object);

	cr_assert_not_null(entry, "no entry for %s", dst);
	return entry;
}

/* the route that is wanted */
static struct fl_route route_of(struct fixture *fixture, const char *dst)
{
	struct fl_object object;

	fl_entry_get_object(entry_of(fixture, dst), &object);
	return object.route;
}

/* as if nobody had changed it for long */
static void make_peace(struct fixture *fixture, const char *dst)
{
	struct fl_entry *entry = entry_of(fixture, dst);

	if (entry->trouble)
		entry->trouble->in_force_ns = 0;
}

/* from now on just an event brings it about, no timer */
static void forbid_retry(struct fixture *fixture, const char *dst)
{
	entry_of(fixture, dst)->trouble->retry_ns = fl_loop_now() + 3600 * FL_NSEC_PER_SEC;
}

Test(route_set, apply_replace_remove)
{
	struct flannel_route route = make_route("10.244.2.0/24", NULL, NULL);
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	cr_expect_eq(apply(fixture.set), 0, "an empty set");
	cr_expect_eq(add(fixture.set, "10.244.2.0/24", "192.0.2.2", NULL), 1);
	cr_expect_eq(add(fixture.set, "10.244.2.0/24", "192.0.2.2", NULL), 0, "that very route");
	cr_expect_eq(add(fixture.set, "10.244.3.0/24", "192.0.2.3", "up0"), 1);
	cr_expect_eq(add(fixture.set, "10.244.4.0/24", NULL, "up0"), 1);
	cr_expect_eq(add(fixture.set, "fd00:2::/64", "fd00:1::2", "up0"), 1);
	sandbox_expect("", OURS);
	cr_expect_eq(apply(fixture.set), 4);
	sandbox_expect(ONE "\n10.244.3.0/24 via 192.0.2.3 dev up0\n10.244.4.0/24 dev up0 scope link\n" SIX, OURS);
	cr_expect_eq(apply(fixture.set), 0, "nothing to do");

	cr_expect_eq(add(fixture.set, "10.244.3.0/24", "192.0.2.9", "up0"), 1);
	cr_expect_eq(add(fixture.set, "fd00:2::/64", "fd00:1::9", NULL), 1);
	cr_expect_eq(apply(fixture.set), 2);
	sandbox_expect(ONE "\n10.244.3.0/24 via 192.0.2.9 dev up0\n10.244.4.0/24 dev up0 scope link\n"
			   "fd00:2::/64 via fd00:1::9 dev up0",
		       OURS);

	cr_expect_eq(flannel_route_set_remove(fixture.set, &route, NULL), 1);
	cr_expect_eq(flannel_route_set_remove(fixture.set, &route, NULL), 0);
	route = make_route("10.244.4.0/24", NULL, NULL);
	cr_expect_eq(flannel_route_set_remove(fixture.set, &route, NULL), 1);
	cr_expect_eq(apply(fixture.set), 2);
	sandbox_expect("10.244.3.0/24 via 192.0.2.9 dev up0\nfd00:2::/64 via fd00:1::9 dev up0", OURS);

	/* our own doing is nobody's attack */
	for (int i = 0; i < 5; i++)
		turn(&fixture, 20);
	cr_expect_eq(fixture.n_repaired, 0);
	cr_expect_eq(fixture.n_failed, 0, "%s", fixture.failure);
	close_set(&fixture);
	sandbox_expect("", OURS);
}

/* metrics are part of the key; onlink reaches gateways that no address leads to */
Test(route_set, metrics_and_onlink)
{
	struct flannel_route route = make_route("10.244.2.0/24", "198.51.100.1", "up0");
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	route.flags = FLANNEL_ROUTE_ONLINK;
	cr_expect_eq(flannel_route_set_add(fixture.set, &route, NULL), 1);
	route = make_route("10.244.2.0/24", "192.0.2.2", "up0");
	route.metric = 7;
	cr_expect_eq(flannel_route_set_add(fixture.set, &route, NULL), 1);
	cr_expect_eq(apply(fixture.set), 2);
	sandbox_expect("10.244.2.0/24 via 198.51.100.1 dev up0 onlink\n" ONE " metric 7", OURS);
	cr_expect_eq(flannel_route_set_remove(fixture.set, &route, NULL), 1);
	cr_expect_eq(apply(fixture.set), 1);
	sandbox_expect("10.244.2.0/24 via 198.51.100.1 dev up0 onlink", OURS);
	close_set(&fixture);
}

/* many changes before an apply count as one */
Test(route_set, changes_between_applies)
{
	struct flannel_route route = make_route("10.244.2.0/24", NULL, NULL);
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.8", "up0");
	add(fixture.set, "10.244.2.0/24", "192.0.2.9", "up0");
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", "up0");
	cr_expect_eq(apply(fixture.set), 1);
	sandbox_expect(ONE, OURS);

	/* gone and back */
	cr_expect_eq(flannel_route_set_remove(fixture.set, &route, NULL), 1);
	cr_expect_eq(add(fixture.set, "10.244.2.0/24", "192.0.2.2", "up0"), 1);
	cr_expect_eq(apply(fixture.set), 0);
	sandbox_expect(ONE, OURS);

	/* gone and back as another */
	cr_expect_eq(flannel_route_set_remove(fixture.set, &route, NULL), 1);
	add(fixture.set, "10.244.2.0/24", "192.0.2.3", "up0");
	cr_expect_eq(apply(fixture.set), 1);
	sandbox_expect("10.244.2.0/24 via 192.0.2.3 dev up0", OURS);

	/* changed and gone: what the kernel has is not what was wanted last */
	add(fixture.set, "10.244.2.0/24", "192.0.2.4", "up0");
	cr_expect_eq(flannel_route_set_remove(fixture.set, &route, NULL), 1);
	cr_expect_eq(apply(fixture.set), 1);
	sandbox_expect("", OURS);

	/* the same where the kernel refused the change */
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", "up0");
	apply(fixture.set);
	add(fixture.set, "10.244.2.0/24", "203.0.113.1", "up0");
	cr_expect_eq(apply(fixture.set), 0);
	sandbox_expect(ONE, OURS);
	cr_expect_eq(flannel_route_set_remove(fixture.set, &route, NULL), 1);
	cr_expect_eq(apply(fixture.set), 1);
	sandbox_expect("", OURS);
	close_set(&fixture);
}

Test(route_set, abandon_keeps_free_deletes)
{
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", NULL);
	apply(fixture.set);
	cr_expect_null(flannel_route_set_abandon(fixture.set));
	flannel_context_unref(fixture.context);
	sandbox_expect(ONE, OURS);

	/* a later run that wants the same takes it over, and deletes it in the end */
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", NULL);
	cr_expect_eq(apply(fixture.set), 0);
	close_set(&fixture);
	sandbox_expect("", OURS);
}

Test(route_set, purge_deletes_what_an_earlier_run_left)
{
	struct fixture fixture;

	enter();
	sandbox_run("ip route add 10.244.2.0/24 via 192.0.2.7 proto 241 && ip route add 10.244.9.0/24 via 192.0.2.9 "
		    "proto 241 && "
		    "ip -6 route add fd00:9::/64 via fd00:1::9 proto 241 && ip route add 10.244.8.0/24 via 192.0.2.8 "
		    "proto 242");
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", NULL);
	cr_expect_eq(apply(fixture.set), 1, "the wanted one is corrected");
	sandbox_expect(ONE "\n10.244.9.0/24 via 192.0.2.9 dev up0\nfd00:9::/64 via fd00:1::9 dev up0", OURS);
	flannel_route_set_abandon(fixture.set);
	flannel_context_unref(fixture.context);

	open_set(&fixture, 1);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", NULL);
	cr_expect_eq(apply(fixture.set), 2);
	sandbox_expect(ONE, OURS);
	sandbox_expect("10.244.8.0/24 via 192.0.2.8 dev up0", "ip route show proto 242 | sed 's/ *$//'");
	close_set(&fixture);
}

Test(route_set, two_sets)
{
	struct flannel_error *error = NULL;
	struct flannel_route route = make_route("10.244.2.0/24", "192.0.2.3", NULL);
	struct flannel_route_set *other = NULL;
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	sandbox_assert_ok(flannel_route_set_new(fixture.context, NULL, &other, &error), error);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", NULL);
	add(other, "10.244.3.0/24", "192.0.2.3", NULL);
	cr_expect_eq(flannel_route_set_add(other, &route, &error), -EEXIST);
	sandbox_expect_error(&error, -EEXIST, "10.244.2.0/24");
	cr_expect_eq(flannel_route_set_remove(other, &route, NULL), 0, "it is not this set's");
	apply(fixture.set);
	apply(other);
	sandbox_expect(ONE "\n10.244.3.0/24 via 192.0.2.3 dev up0", OURS);

	/* handed over from one to the other */
	cr_expect_eq(flannel_route_set_remove(fixture.set, &route, NULL), 1);
	cr_expect_eq(flannel_route_set_add(other, &route, &error), 1);
	cr_expect_eq(apply(other), 1);
	sandbox_expect("10.244.2.0/24 via 192.0.2.3 dev up0\n10.244.3.0/24 via 192.0.2.3 dev up0", OURS);
	fixture.set = flannel_route_set_free(fixture.set);
	sandbox_expect("10.244.2.0/24 via 192.0.2.3 dev up0\n10.244.3.0/24 via 192.0.2.3 dev up0", OURS);
	flannel_route_set_free(other);
	sandbox_expect("", OURS);
	flannel_context_unref(fixture.context);
}

/* every way to take routes away; each is followed by a repair without anybody's help */
static void take_away_and_wait(const char *link)
{
	static const struct {
		const char *command;
		int n_repaired;
	} cases[] = {
		{"ip route del 10.244.2.0/24", 1},
		{"ip -6 route del fd00:2::/64", 1},
		{"ip route flush proto 241", 1},
		{"ip -6 route flush proto 241", 1},
		{"ip route replace 10.244.2.0/24 via 192.0.2.9 proto 241", 1},
		{"ip route replace 10.244.2.0/24 via 192.0.2.9", 1},
		{"ip -6 route replace fd00:2::/64 via fd00:1::9 proto 241", 1},
		{"ip -6 route replace fd00:2::/64 via fd00:1::9", 1},
		{"ip route change 10.244.2.0/24 via 192.0.2.2 mtu 1300 proto 241", 1},
		{"ip route del 10.244.2.0/24 && ip route add 10.244.2.0/24 via 192.0.2.9 proto 241", 1},
		{"ip link set up0 down && ip link set up0 up && ip addr replace fd00:1::1/64 dev up0 nodad", 2},
		{"ip addr flush dev up0 && ip addr add 192.0.2.1/24 dev up0 && ip addr add fd00:1::1/64 dev up0 nodad",
		 1},
		{"ip addr del 192.0.2.1/24 dev up0 && ip addr add 192.0.2.1/24 dev up0", 1},
		{"ip link del up0 && ip link add up0 type veth peer name up1 && ip link set up1 up && ip link set up0 "
		 "up && "
		 "ip addr add 192.0.2.1/24 dev up0 && ip addr add fd00:1::1/64 dev up0 nodad",
		 2},
		{"ip route del 10.244.2.0/24", 1},
	};
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", link);
	add(fixture.set, "fd00:2::/64", "fd00:1::2", link);
	cr_assert_eq(apply(fixture.set), 2);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		/* quick succession is a fight otherwise */
		make_peace(&fixture, "10.244.2.0/24");
		make_peace(&fixture, "fd00:2::/64");
		fixture.n_repaired = fixture.n_failed = 0;
		sandbox_run("%s", cases[i].command);
		wait_for(&fixture, &fixture.n_repaired, cases[i].n_repaired, cases[i].command);
		wait_until(&fixture, ONE "\n" SIX, OURS);
		cr_expect_eq(fixture.n_failed, 0, "%s: %s", cases[i].command, fixture.failure);
	}
	close_set(&fixture);
}

Test(route_set, is_put_back)
{
	take_away_and_wait("up0");
}

/* routes whose link the kernel found by their gateway are no worse off */
Test(route_set, is_put_back_without_a_link_given)
{
	take_away_and_wait(NULL);
}

/* the host looks while the link is away: the failure is told once, the repair comes with the link, not with a timer */
static void lose_the_link_and_wait(const char *link, const char *lose, const char *restore)
{
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", link);
	cr_assert_eq(apply(fixture.set), 1);
	sandbox_run("%s", lose);
	wait_for(&fixture, &fixture.n_failed, 1, lose);
	sandbox_expect("", OURS);
	forbid_retry(&fixture, "10.244.2.0/24");
	sandbox_run("%s", restore);
	wait_for(&fixture, &fixture.n_repaired, 1, restore);
	sandbox_expect(ONE, OURS);
	cr_expect_not_null(strstr(fixture.repair, "10.244.2.0/24"), "%s", fixture.repair);
	close_set(&fixture);
}

Test(route_set, waits_for_link_up)
{
	lose_the_link_and_wait("up0", "ip link set up0 down", "ip link set up0 up");
}

Test(route_set, waits_for_link_up_without_a_link_given)
{
	lose_the_link_and_wait(NULL, "ip link set up0 down", "ip link set up0 up");
}

/* the kernel drops a link's routes without a word; what is put back then is removed like any other later */
Test(route_set, is_removed_after_its_link_went_down_and_up)
{
	struct flannel_route route = make_route("10.244.2.0/24", NULL, NULL);
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", "up0");
	cr_assert_eq(apply(fixture.set), 1);
	sandbox_run("ip link set up0 down && ip link set up0 up");
	wait_for(&fixture, &fixture.n_repaired, 1, "down and up");
	sandbox_expect(ONE, OURS);
	cr_expect_eq(flannel_route_set_remove(fixture.set, &route, NULL), 1);
	cr_expect_eq(apply(fixture.set), 1);
	sandbox_expect("", OURS);
	close_set(&fixture);
}

Test(route_set, waits_for_its_address)
{
	lose_the_link_and_wait("up0", "ip addr flush dev up0", "ip addr add 192.0.2.1/24 dev up0");
}

Test(route_set, waits_for_its_address_without_a_link_given)
{
	lose_the_link_and_wait(NULL, "ip addr flush dev up0", "ip addr add 192.0.2.1/24 dev up0");
}

Test(route_set, waits_for_a_new_link_of_that_name)
{
	lose_the_link_and_wait(
		"up0", "ip link del up0",
		"ip link add up0 type veth peer name up2 && ip link set up0 up && ip addr add 192.0.2.1/24 dev up0");
}

Test(route_set, waits_for_a_new_link_without_a_link_given)
{
	lose_the_link_and_wait(
		NULL, "ip link del up0",
		"ip link add up0 type veth peer name up2 && ip link set up0 up && ip addr add 192.0.2.1/24 dev up0");
}

/* a route that could never be set before comes with the address that leads to its gateway */
Test(route_set, comes_with_the_first_address)
{
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	add(fixture.set, "10.244.7.0/24", "198.51.100.9", NULL);
	cr_expect_eq(apply(fixture.set), 0);
	turn(&fixture, 0);
	cr_expect_eq(fixture.n_failed, 1);
	forbid_retry(&fixture, "10.244.7.0/24");
	sandbox_run("ip addr add 198.51.100.1/24 dev up0");
	wait_until(&fixture, "10.244.7.0/24 via 198.51.100.9 dev up0", OURS);
	close_set(&fixture);
}

Test(route_set, foreign_route_under_the_key)
{
	static const char foreign[] = "10.244.2.0/24 via 192.0.2.9 dev up0 proto static";
	static const char all[] = "ip route show 10.244.2.0/24 | sed 's/ *$//'";
	struct fixture fixture;

	enter();
	sandbox_run("ip route add 10.244.2.0/24 via 192.0.2.9 proto static");
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", "up0");
	add(fixture.set, "10.244.3.0/24", "192.0.2.3", "up0");
	cr_expect_eq(apply(fixture.set), 1);
	take_events(&fixture);
	cr_expect_eq(fixture.n_failed, 1);
	cr_expect_not_null(strstr(fixture.failure, "10.244.2.0/24 via 192.0.2.9"), "%s", fixture.failure);
	sandbox_expect("10.244.3.0/24 via 192.0.2.3 dev up0", OURS);
	sandbox_expect(foreign, all);

	/* tried again, and again left alone; told just once */
	while (entry_of(&fixture, "10.244.2.0/24")->trouble->n_failures < 3)
		turn(&fixture, 1000);
	sandbox_expect(foreign, all);
	cr_expect_eq(fixture.n_failed, 1, "%s", fixture.failure);

	forbid_retry(&fixture, "10.244.2.0/24");
	sandbox_run("ip route del 10.244.2.0/24");
	wait_until(&fixture, ONE " proto 241", all);
	cr_expect_eq(fixture.n_repaired, 0, "it was never ours before");
	close_set(&fixture);
	sandbox_expect("", all);
}

/* somebody puts a route of his own in the place of ours, by name: that is a conflict, too */
static void put_foreign_in_our_place(const char *family, const char *key, const char *via, const char *other,
				     const char *ours)
{
	struct fixture fixture;
	char all[128], foreign[128];

	enter();
	snprintf(all, sizeof(all), "ip %s route show %s | sed 's/ metric 1024.*//; s/ *$//'", family, key);
	snprintf(foreign, sizeof(foreign), "%s via %s dev up0 proto static", key, other);
	open_set(&fixture, 0);
	add(fixture.set, key, via, "up0");
	cr_expect_eq(apply(fixture.set), 1);
	sandbox_run("ip %s route replace %s via %s proto static", family, key, other);
	wait_for(&fixture, &fixture.n_failed, 1, "replaced by a static route");
	while (entry_of(&fixture, key)->trouble->n_failures < 3)
		turn(&fixture, 1000);
	sandbox_expect(foreign, "%s", all);
	forbid_retry(&fixture, key);
	sandbox_run("ip %s route del %s", family, key);
	wait_until(&fixture, ours, OURS);
	sandbox_run("ip %s route replace %s via %s proto static", family, key, other);
	wait_for(&fixture, &fixture.n_failed, 2, "replaced by a static route");
	close_set(&fixture);
	sandbox_expect(foreign, "%s", all);
}

Test(route_set, foreign_route_takes_our_place)
{
	put_foreign_in_our_place("-4", "10.244.2.0/24", "192.0.2.2", "192.0.2.9", ONE);
}

Test(route_set, foreign_route_takes_our_place_ipv6)
{
	put_foreign_in_our_place("-6", "fd00:2::/64", "fd00:1::2", "fd00:1::9", SIX);
}

/* a kind of route that listings leave out is in the way: still an answer, and tries that end */
Test(route_set, taken_by_something_unlisted)
{
	struct fixture fixture;

	enter();
	sandbox_run("ip route add throw 10.244.2.0/24");
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", "up0");
	cr_expect_eq(apply(fixture.set), 0);
	take_events(&fixture);
	cr_expect_eq(fixture.n_failed, 1);
	cr_expect_not_null(strstr(fixture.failure, "10.244.2.0/24"), "%s", fixture.failure);
	sandbox_expect("throw 10.244.2.0/24", "ip route show 10.244.2.0/24 | sed 's/ *$//'");
	sandbox_run("ip route del throw 10.244.2.0/24");
	wait_until(&fixture, ONE, OURS);
	close_set(&fixture);
}

Test(route_set, unreachable_gateway_keeps_nothing_back)
{
	struct flannel_error *error = NULL;
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	add(fixture.set, "10.244.1.0/24", "203.0.113.1", NULL);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", NULL);
	add(fixture.set, "fd00:2::/64", "fd00:1::2", "up0");
	cr_expect_eq(flannel_route_set_apply(fixture.set, &error), 2);
	cr_expect_null(error);
	take_events(&fixture);
	cr_expect_eq(fixture.n_failed, 1);
	cr_expect_not_null(strstr(fixture.failure, "10.244.1.0/24 via 203.0.113.1"), "%s", fixture.failure);
	cr_expect_not_null(strstr(fixture.failure, "Nexthop has invalid gateway"), "%s", fixture.failure);
	sandbox_expect(ONE "\n" SIX, OURS);
	add(fixture.set, "10.244.5.0/24", "192.0.2.5", "nope0");
	cr_expect_eq(apply(fixture.set), 0);
	take_events(&fixture);
	cr_expect_not_null(strstr(fixture.failure, "nope0"), "%s", fixture.failure);
	close_set(&fixture);
}

/* a big set: in batches, repaired in one go, whatever is flushed */
Test(route_set, two_thousand_routes_flushed)
{
	struct fixture fixture;
	uint64_t start_ns;
	char dst[32];

	enter();
	open_set(&fixture, 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(dst, sizeof(dst), "10.%d.%d.0/24", 100 + i / 250, i % 250);
		add(fixture.set, dst, "192.0.2.2", i % 2 ? "up0" : NULL);
	}
	cr_expect_eq(apply(fixture.set), 2000);
	turn(&fixture, 1000);
	for (int round = 1; round <= 2; round++) {
		sandbox_run("ip route flush proto 241");
		start_ns = fl_loop_now();
		wait_for(&fixture, &fixture.n_repaired, round * 2000, "flush");
		fprintf(stderr, "2000 routes repaired in %.1f ms\n", (double)(fl_loop_now() - start_ns) / 1e6);
		sandbox_expect("2000", "ip route show proto 241 | wc -l");
	}
	turn(&fixture, 100);
	cr_expect_eq(fixture.n_repaired, 4000);
	cr_expect_eq(fixture.n_failed, 0);
	cr_expect_eq(fixture.n_overruns, 0);
	close_set(&fixture);
	sandbox_expect("0", "ip route show proto 241 | wc -l");
}

/* notifications are lost: everything is compared */
Test(route_set, overrun)
{
	const int size = 1;
	struct fixture fixture;
	char dst[32];

	enter();
	open_set(&fixture, 0);
	for (int i = 0; i < 500; i++) {
		snprintf(dst, sizeof(dst), "10.101.%d.%d/32", i / 250, i % 250);
		add(fixture.set, dst, "192.0.2.2", "up0");
	}
	apply(fixture.set);
	turn(&fixture, 100);
	cr_assert_eq(setsockopt(fl_monitor_get_fd(fixture.context->reconciler->monitor), SOL_SOCKET, SO_RCVBUFFORCE,
				&size, sizeof(size)),
		     0);
	sandbox_run("ip route flush proto 241");
	wait_for(&fixture, &fixture.n_repaired, 500, "flush with a small queue");
	cr_expect_geq(fixture.n_overruns, 1);
	sandbox_expect("500", "ip route show proto 241 | wc -l");
	close_set(&fixture);
}

/* Somebody who never gives up costs us a few repairs, then ever fewer; once he stops, the route comes back. */
Test(route_set, a_fight_is_bounded)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct fl_route route;
	struct fixture fixture;
	uint64_t end_ns;

	enter();
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", "up0");
	apply(fixture.set);
	cr_assert_eq(fl_rtnl_open(-1, true, &rtnl, NULL), 0);
	route = route_of(&fixture, "10.244.2.0/24");
	end_ns = fl_loop_now() + 2 * FL_NSEC_PER_SEC;
	while (fl_loop_now() < end_ns) {
		cr_assert_eq(fl_route_execute(rtnl, FL_VERB_DELETE, &route, NULL), 0);
		turn(&fixture, 10);
	}
	cr_expect_geq(fixture.n_repaired, FL_FIGHT_ROUNDS);
	cr_expect_leq(fixture.n_repaired, FL_FIGHT_ROUNDS + 6, "%d repairs in two seconds", fixture.n_repaired);
	cr_expect_not_null(strstr(fixture.failure, "keeps removing"), "%s", fixture.failure);
	cr_expect_leq(fixture.n_failed, 6, "%d failures told", fixture.n_failed);
	wait_until(&fixture, ONE, OURS);
	close_set(&fixture);
}

/* the same against somebody who puts his own instead */
Test(route_set, a_fight_over_the_gateway_is_bounded)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = NULL;
	struct fl_route route;
	struct fixture fixture;
	uint64_t end_ns;

	enter();
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", "up0");
	apply(fixture.set);
	cr_assert_eq(fl_rtnl_open(-1, true, &rtnl, NULL), 0);
	route = route_of(&fixture, "10.244.2.0/24");
	route.via = sandbox_prefix("192.0.2.9");
	end_ns = fl_loop_now() + 2 * FL_NSEC_PER_SEC;
	while (fl_loop_now() < end_ns) {
		cr_assert_eq(fl_route_execute(rtnl, FL_VERB_REPLACE, &route, NULL), 0);
		turn(&fixture, 10);
	}
	cr_expect_geq(fixture.n_repaired, FL_FIGHT_ROUNDS);
	cr_expect_leq(fixture.n_repaired, FL_FIGHT_ROUNDS + 6, "%d repairs in two seconds", fixture.n_repaired);
	wait_until(&fixture, ONE, OURS);
	close_set(&fixture);
}

/* without the privilege nothing can be tried */
Test(route_set, without_privilege)
{
	struct flannel_error *error = NULL;
	struct fixture fixture;

	enter();
	open_set(&fixture, 0);
	add(fixture.set, "10.244.2.0/24", "192.0.2.2", "up0");
	cr_assert_eq(seteuid(65534), 0);
	cr_expect_eq(flannel_route_set_apply(fixture.set, &error), -EPERM);
	sandbox_expect_error(&error, -EPERM, "10.244.2.0/24");
	cr_assert_eq(seteuid(0), 0);
	wait_until(&fixture, ONE, OURS);
	close_set(&fixture);
}

/* a context may work in another namespace than the caller's */
Test(route_set, in_another_namespace)
{
	struct flannel_context_options options = {.size = sizeof(options)};
	struct flannel_error *error = NULL;
	char in[64];

	sandbox_enter();
	for (unsigned int flags = 0; flags <= FLANNEL_CONTEXT_SINGLE_THREADED; flags++) {
		struct fixture fixture = {0};
		struct flannel_route_set_options set_options = {.size = sizeof(set_options), .userdata = &fixture};

		options.netns_fd = sandbox_new_netns();
		options.flags = flags;
		sandbox_in(options.netns_fd, in);
		sandbox_run("%s ip link add up0 type veth peer name up1 && %s ip link set up0 up && %s ip addr add "
			    "192.0.2.1/24 dev up0",
			    in, in, in);
		sandbox_assert_ok(flannel_context_new(&fixture.context, &options, &error), error);
		close(options.netns_fd);
		options.netns_fd = fixture.context->netns_fd;
		sandbox_in(options.netns_fd, in);
		sandbox_assert_ok(flannel_route_set_new(fixture.context, &set_options, &fixture.set, &error), error);
		add(fixture.set, "10.244.2.0/24", "192.0.2.2", NULL);
		cr_expect_eq(apply(fixture.set), 1);
		sandbox_run("%s ip route del 10.244.2.0/24", in);
		wait_for(&fixture, &fixture.n_repaired, 1, "deleted elsewhere");
		sandbox_expect(ONE, "%s ip route show proto 241 | sed 's/ linkdown//; s/ *$//'", in);
		sandbox_expect("", OURS);
		close_set(&fixture);
	}
}
