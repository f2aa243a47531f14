/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Neighbours and FDB entries: set, replaced, deleted, listed, heard of; looked at with ip and bridge. */

#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include "sandbox.h"
#include "sys/execute.h"
#include "sys/monitor.h"
#include "sys/rtnl/link.h"
#include "sys/rtnl/neighbour.h"

#define NEIGHBOURS "ip -j neigh show dev flannel.1 | jq -r '.[] | \"\\(.dst) \\(.lladdr) \\(.state[0])\"' | sort"
#define NEIGHBOURS6 "ip -6 -j neigh show dev flannel.1 | jq -r '.[] | \"\\(.dst) \\(.lladdr) \\(.state[0])\"' | sort"
#define FDB "bridge -j fdb show dev flannel.1 | jq -r '.[] | \"\\(.mac) \\(.dst) \\(.state) \\(.flags[0])\"' | sort"

/* a namespace with a vxlan device that is up */
static struct fl_rtnl *enter(void)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_rtnl *rtnl = NULL;
	int r;

	sandbox_enter();
	sandbox_run("ip link add eth0 type veth peer name wire && ip link set wire up && ip link set eth0 up &&"
		    "ip address add 192.0.2.1/24 dev eth0 && ip link add flannel.1 type vxlan id 1 dev eth0 local "
		    "192.0.2.1 dstport 8472 nolearning && ip link set flannel.1 up");
	r = fl_rtnl_open(-1, true, &rtnl, &error);
	sandbox_assert_ok(r, error);
	return rtnl;
}

static struct fl_object make_neighbour(const char *link, const char *address, uint8_t last)
{
	struct fl_object object = {.type = FL_OBJECT_NEIGHBOUR, .neighbour = {.mac = {2, 0, 0, 0, 0x77, last}}};

	snprintf(object.neighbour.link, sizeof(object.neighbour.link), "%s", link);
	object.neighbour.address = sandbox_prefix(address);
	return object;
}

static struct fl_object make_fdb(const char *link, uint8_t last, const char *dst)
{
	struct fl_object object = {.type = FL_OBJECT_FDB, .fdb = {.mac = {2, 0, 0, 0, 0x77, last}}};

	snprintf(object.fdb.link, sizeof(object.fdb.link), "%s", link);
	object.fdb.dst = sandbox_prefix(dst);
	return object;
}

static int execute(struct fl_rtnl *rtnl, enum fl_verb verb, struct fl_object object)
{
	return fl_neighbour_execute(rtnl, verb, &object, NULL);
}

Test(neighbour, set_replaced_deleted)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();

	cr_expect_eq(execute(rtnl, FL_VERB_CREATE, make_neighbour("flannel.1", "10.244.2.0", 2)), 0);
	cr_expect_eq(execute(rtnl, FL_VERB_CREATE, make_neighbour("flannel.1", "fd00:10:244:2::", 3)), 0);
	sandbox_expect("10.244.2.0 02:00:00:00:77:02 PERMANENT", NEIGHBOURS " | grep -v fd00");
	sandbox_expect("fd00:10:244:2:: 02:00:00:00:77:03 PERMANENT", NEIGHBOURS6);
	cr_expect_eq(execute(rtnl, FL_VERB_REPLACE, make_neighbour("flannel.1", "10.244.2.0", 4)), 0);
	/* what is there is replaced, whoever made it */
	cr_expect_eq(execute(rtnl, FL_VERB_CREATE, make_neighbour("flannel.1", "10.244.2.0", 5)), 0);
	sandbox_expect("10.244.2.0 02:00:00:00:77:05 PERMANENT", NEIGHBOURS " | grep -v fd00");
	cr_expect_eq(execute(rtnl, FL_VERB_DELETE, make_neighbour("flannel.1", "10.244.2.0", 5)), 0);
	cr_expect_eq(execute(rtnl, FL_VERB_DELETE, make_neighbour("flannel.1", "10.244.2.0", 5)), 0, "it is gone");
	cr_expect_eq(execute(rtnl, FL_VERB_DELETE, make_neighbour("flannel.1", "fd00:10:244:2::", 3)), 0);
	sandbox_expect("", NEIGHBOURS);
	sandbox_expect("", NEIGHBOURS6);
}

Test(neighbour, fdb_set_replaced_deleted)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();

	cr_expect_eq(execute(rtnl, FL_VERB_CREATE, make_fdb("flannel.1", 2, "192.0.2.2")), 0);
	cr_expect_eq(execute(rtnl, FL_VERB_CREATE, make_fdb("flannel.1", 3, "192.0.2.3")), 0);
	sandbox_expect("02:00:00:00:77:02 192.0.2.2 permanent self\n02:00:00:00:77:03 192.0.2.3 permanent self", FDB);
	cr_expect_eq(execute(rtnl, FL_VERB_REPLACE, make_fdb("flannel.1", 2, "192.0.2.4")), 0);
	sandbox_expect("02:00:00:00:77:02 192.0.2.4 permanent self\n02:00:00:00:77:03 192.0.2.3 permanent self", FDB);
	cr_expect_eq(execute(rtnl, FL_VERB_DELETE, make_fdb("flannel.1", 2, "192.0.2.4")), 0);
	cr_expect_eq(execute(rtnl, FL_VERB_DELETE, make_fdb("flannel.1", 2, "192.0.2.4")), 0, "it is gone");
	sandbox_expect("02:00:00:00:77:03 192.0.2.3 permanent self", FDB);
}

Test(neighbour, errors_say_what_was_tried)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_object neighbour = make_neighbour("nobody", "10.244.2.0", 2),
			 fdb = make_fdb("flannel.1", 2, "2001:db8::2");
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	cr_expect_eq(fl_neighbour_execute(rtnl, FL_VERB_CREATE, &neighbour, &error), -ENODEV);
	sandbox_expect_error(&error, -ENODEV, "add neighbour 10.244.2.0 on nobody: No such device");
	cr_expect_eq(fl_neighbour_execute(rtnl, FL_VERB_DELETE, &neighbour, &error), 0, "nor has it neighbours");
	cr_expect_eq(fl_neighbour_execute(rtnl, FL_VERB_REPLACE, &fdb, &error), -EAFNOSUPPORT, "a tunnel over IPv4");
	sandbox_expect_error(&error, -EAFNOSUPPORT,
			     "replace FDB entry 02:00:00:00:77:02 to 2001:db8::2 on flannel.1: ");
}

/* two tables and two links; what the kernel keeps by itself is none of ours */
Test(neighbour, lists)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	FL_CLEANUP(fl_freep) struct fl_object *neighbours = NULL;
	FL_CLEANUP(fl_freep) struct fl_object *neighbours6 = NULL;
	FL_CLEANUP(fl_freep) struct fl_object *fdb = NULL;
	FL_CLEANUP(fl_freep) struct fl_object *fdb6 = NULL;
	uint32_t ifindex = if_nametoindex("flannel.1");
	char text[FL_OBJECT_STRLEN];
	size_t n = 0;

	sandbox_run(
		"ip address add 2001:db8::1/64 dev eth0 nodad && ip link add flannel.2 type vxlan id 2 dev eth0 local "
		"2001:db8::1 dstport 8472 nolearning && ip link set flannel.2 up");
	sandbox_run("ip neigh add 10.244.2.0 lladdr 02:00:00:00:77:02 dev flannel.1 nud permanent &&"
		    "ip neigh add 10.244.3.0 lladdr 02:00:00:00:77:03 dev flannel.2 nud permanent &&"
		    "ip neigh add 10.244.4.0 lladdr 02:00:00:00:77:04 dev flannel.1 nud reachable &&"
		    "ip neigh add 192.0.2.9 lladdr 02:00:00:00:77:09 dev eth0 nud permanent &&"
		    "ip neigh add fd00:10:244:2:: lladdr 02:00:00:00:77:06 dev flannel.1 nud permanent");
	sandbox_run("bridge fdb add 02:00:00:00:77:02 dev flannel.1 dst 192.0.2.2 self permanent &&"
		    "bridge fdb add 02:00:00:00:77:03 dev flannel.2 dst 2001:db8::3 self permanent &&"
		    "bridge fdb add 02:00:00:00:77:04 dev flannel.1 dst 192.0.2.4 self dynamic");
	cr_assert_eq(fl_neighbour_list(rtnl, AF_INET, ifindex, "flannel.1", NULL, &neighbours, &n, NULL), 0);
	cr_assert_eq(n, 1);
	cr_expect_str_eq(fl_object_format(&neighbours[0], text, sizeof(text)), "neighbour 10.244.2.0 on flannel.1");
	cr_expect_eq(neighbours[0].neighbour.mac[5], 2);
	cr_assert_eq(fl_neighbour_list(rtnl, AF_INET6, ifindex, "flannel.1", NULL, &neighbours6, &n, NULL), 0);
	cr_assert_eq(n, 1);
	cr_expect_str_eq(fl_object_format(&neighbours6[0], text, sizeof(text)),
			 "neighbour fd00:10:244:2:: on flannel.1");
	cr_assert_eq(fl_neighbour_list(rtnl, AF_BRIDGE, ifindex, "flannel.1", NULL, &fdb, &n, NULL), 0);
	cr_assert_eq(n, 1);
	cr_expect_str_eq(fl_object_format(&fdb[0], text, sizeof(text)),
			 "FDB entry 02:00:00:00:77:02 to 192.0.2.2 on flannel.1");
	cr_assert_eq(
		fl_neighbour_list(rtnl, AF_BRIDGE, if_nametoindex("flannel.2"), "flannel.2", NULL, &fdb6, &n, NULL), 0);
	cr_assert_eq(n, 1);
	cr_expect_str_eq(fl_object_format(&fdb6[0], text, sizeof(text)),
			 "FDB entry 02:00:00:00:77:03 to 2001:db8::3 on flannel.2");
}

/* a whole peer, and thousands, in a batch: each entry has its own result */
Test(neighbour, batches)
{
	enum { N = 3000 };
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	FL_CLEANUP(fl_freep) struct fl_operation *operations = calloc(N, sizeof(*operations));
	FL_CLEANUP(fl_freep) struct flannel_error **errors = calloc(N, sizeof(*errors));
	FL_CLEANUP(fl_freep) int *results = calloc(N, sizeof(*results));
	char address[32];

	cr_assert(operations && errors && results);
	for (unsigned int i = 0; i < N; i++) {
		struct fl_object *object = &operations[i].object;
		unsigned int peer = i % (N / 3);

		snprintf(address, sizeof(address), "10.%u.%u.0", 1 + peer / 250, peer % 250);
		if (i < N / 3)
			*object = make_neighbour("flannel.1", address, 2);
		else if (i < 2 * N / 3)
			*object = make_fdb(i == N / 3 + 5 ? "nobody" : "flannel.1", 0, "192.0.2.2");
		else
			object->type = FL_OBJECT_ROUTE;
		if (object->type == FL_OBJECT_FDB) {
			object->fdb.mac[3] = (uint8_t)(peer >> 8);
			object->fdb.mac[5] = (uint8_t)peer;
		}
		if (object->type != FL_OBJECT_ROUTE)
			continue;
		object->route.dst = sandbox_prefix(address);
		object->route.dst.plen = 24;
		object->route = fl_route_main(&object->route.dst, 241);
		object->route.via = sandbox_prefix(address);
		object->route.onlink = true;
		snprintf(object->route.link, sizeof(object->route.link), "flannel.1");
	}
	cr_assert_eq(fl_execute(rtnl, operations, N, results, errors, NULL), 0);
	for (int i = 0; i < N; i++) {
		if (i != N / 3 + 5) {
			cr_expect_eq(results[i], 0, "%d: %s", i, flannel_error_get_message(errors[i]));
			continue;
		}
		cr_expect_eq(results[i], -ENODEV);
		sandbox_expect_error(&errors[i], -ENODEV, "to 192.0.2.2 on nobody: No such device");
	}
	sandbox_expect("1000", "ip neigh show dev flannel.1 nud permanent | wc -l");
	sandbox_expect("999", "bridge fdb show dev flannel.1 | wc -l");
	sandbox_expect("1000", "ip route show proto 241 | wc -l");
}

Test(neighbour, addresses_in_a_batch)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_operation operations[2] = {{.object = {.type = FL_OBJECT_ADDRESS, .address = {.link = "flannel.1"}}},
					     {.object = {.type = FL_OBJECT_ADDRESS, .address = {.link = "flannel.1"}}}};
	int results[2] = {1, 1};

	operations[0].object.address.address = sandbox_prefix("10.244.1.0/32");
	operations[1].object.address.address = sandbox_prefix("fd00:10:244:1::/128");
	cr_assert_eq(fl_execute(rtnl, operations, 2, results, NULL, NULL), 0);
	cr_expect(results[0] == 0 && results[1] == 0);
	/* at once, without waiting for others to object */
	sandbox_expect("10.244.1.0/32 global null null\nfd00:10:244:1::/128 global null null",
		       "ip -j address show dev flannel.1 scope global | jq -r '.[].addr_info[]? | select(.local) | "
		       "\"\\(.local)/\\(.prefixlen) "
		       "\\(.scope) \\(.broadcast) \\(.tentative)\"'");
	cr_assert_eq(fl_execute(rtnl, operations, 2, results, NULL, NULL), 0);
	cr_expect(results[0] == -EEXIST && results[1] == -EEXIST);
	operations[0].verb = operations[1].verb = FL_VERB_DELETE;
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(fl_execute(rtnl, operations, 2, results, NULL, NULL), 0);
		cr_expect(results[0] == 0 && results[1] == 0, "the second time there is nothing left to delete");
	}
	sandbox_expect("", "ip -o address show dev flannel.1 scope global");
}

/* what a monitor told of entries */
struct news {
	int n;
	bool removed;
	struct fl_object last;
};

static void on_change(void *userdata, const struct fl_change *change)
{
	struct news *news = userdata;

	if (change->type != FL_CHANGE_ENTRY)
		return;
	news->n++;
	news->removed = change->removed;
	news->last = change->entry;
}

/* takes what is there; the kernel queues notifications before a command's answer */
static struct news take(struct fl_monitor *monitor, struct news *news)
{
	struct news taken;

	cr_assert_eq(fl_monitor_dispatch(monitor), 0);
	taken = *news;
	*news = (struct news){0};
	return taken;
}

Test(neighbour, heard_of_on_chosen_links_alone)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = NULL;
	struct news news = {0}, got;
	uint32_t links[FL_MONITOR_LINKS_MAX] = {0};
	char text[FL_OBJECT_STRLEN];

	cr_assert_eq(fl_monitor_open(-1, true, rtnl, on_change, &news, &monitor, NULL), 0);
	sandbox_run("ip neigh add 10.244.2.0 lladdr 02:00:00:00:77:02 dev flannel.1 nud permanent");
	cr_expect_eq(take(monitor, &news).n, 0, "nobody asked");
	links[1] = if_nametoindex("flannel.1");
	cr_assert_eq(fl_monitor_watch_entries(monitor, links, NULL), 0);

	sandbox_run("ip neigh add 10.244.3.0 lladdr 02:00:00:00:77:03 dev flannel.1 nud permanent");
	got = take(monitor, &news);
	cr_expect(got.n == 1 && !got.removed && !got.last.neighbour.dynamic && got.last.neighbour.mac[5] == 3);
	cr_expect_str_eq(fl_object_format(&got.last, text, sizeof(text)), "neighbour 10.244.3.0 on flannel.1");
	sandbox_run("ip neigh del 10.244.3.0 dev flannel.1");
	got = take(monitor, &news);
	cr_expect(got.n >= 1 && got.removed);
	sandbox_run("bridge fdb add 02:00:00:00:77:02 dev flannel.1 dst 192.0.2.2 self permanent");
	got = take(monitor, &news);
	cr_expect(got.n == 1 && !got.removed);
	cr_expect_str_eq(fl_object_format(&got.last, text, sizeof(text)),
			 "FDB entry 02:00:00:00:77:02 to 192.0.2.2 on flannel.1");
	sandbox_run("bridge fdb del 02:00:00:00:77:02 dev flannel.1 dst 192.0.2.2 self");
	got = take(monitor, &news);
	cr_expect(got.n == 1 && got.removed && got.last.type == FL_OBJECT_FDB);

	/* other links do not even wake us */
	sandbox_run("ip neigh add 192.0.2.9 lladdr 02:00:00:00:77:09 dev eth0 nud permanent");
	{
		struct pollfd fd = {.fd = fl_monitor_get_fd(monitor), .events = POLLIN};

		cr_expect_eq(poll(&fd, 1, 0), 0);
	}
	/* another device takes its place, and links are told as before */
	links[1] = if_nametoindex("eth0");
	cr_assert_eq(fl_monitor_watch_entries(monitor, links, NULL), 0);
	sandbox_run(
		"ip neigh del 192.0.2.9 dev eth0 && ip neigh add 10.244.4.0 lladdr 02:00:00:00:77:04 dev flannel.1");
	got = take(monitor, &news);
	cr_expect_str_eq(fl_object_format(&got.last, text, sizeof(text)), "neighbour 192.0.2.9 on eth0");
}
