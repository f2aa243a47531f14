/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every public call of context.h, event.h, route.h, link.h and attachment.h with NULL and bad input, and the queue of events. */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <flannel/attachment.h>
#include <flannel/context.h>
#include <flannel/link.h>
#include <flannel/route.h>

#include "base/error.h"
#include "engine/context.h"
#include "engine/event.h"

/* a context with default options */
static struct flannel_context *make_context(void)
{
	struct flannel_context *context = NULL;

	cr_assert_eq(flannel_context_new(&context, NULL, NULL), 0);
	return context;
}

/* compares a result and its error, and drops the error */
static void expect_error(int r, struct flannel_error **error, int code, const char *part)
{
	cr_expect_eq(r, code, "%d instead of %d (%s)", r, code, part);
	cr_assert_not_null(*error, "no error with %s", part);
	cr_expect_eq(flannel_error_get_code(*error), code);
	cr_expect_not_null(strstr(flannel_error_get_message(*error), part), "\"%s\" lacks \"%s\"",
			   flannel_error_get_message(*error), part);
	*error = flannel_error_unref(*error);
}

static struct flannel_prefix prefix(const char *text)
{
	struct flannel_prefix result;

	cr_assert_eq(flannel_prefix_parse(text, &result), 0);
	return result;
}

Test(context, null_everywhere)
{
	struct flannel_error *error = NULL;
	struct flannel_context *context = make_context();
	struct flannel_event *event = NULL;

	expect_error(flannel_context_new(NULL, NULL, &error), &error, -EINVAL, "ret_context");
	cr_expect_eq(flannel_context_new(NULL, NULL, NULL), -EINVAL);
	cr_expect_null(flannel_context_ref(NULL));
	cr_expect_null(flannel_context_unref(NULL));
	cr_expect_eq(flannel_context_get_fd(NULL), -EINVAL);
	expect_error(flannel_context_dispatch(NULL, &error), &error, -EINVAL, "NULL");
	cr_expect_eq(flannel_context_next_event(NULL, &event), -EINVAL);
	cr_expect_eq(flannel_context_next_event(context, NULL), -EINVAL);
	cr_expect_null(flannel_event_free(NULL));
	cr_expect_eq(flannel_event_get_type(NULL), -EINVAL);
	cr_expect_str_eq(flannel_event_get_type_name(NULL), "");
	cr_expect_null(flannel_event_get_userdata(NULL));
	cr_expect_null(flannel_event_get_lease(NULL));
	cr_expect_null(flannel_event_get_error(NULL));
	cr_expect_str_eq(flannel_event_get_text(NULL), "");
	flannel_context_unref(context);
}

Test(context, bad_options)
{
	struct flannel_error *error = NULL;
	struct flannel_context *context = (struct flannel_context *)&error;
	struct flannel_context_options options = {.size = sizeof(options)};
	struct {
		struct flannel_context_options known;
		int newer;
	} larger = {.known = {.size = sizeof(larger)}};

	options.size = 0;
	expect_error(flannel_context_new(&context, &options, &error), &error, -EINVAL, "size");
	larger.newer = 1;
	expect_error(flannel_context_new(&context, &larger.known, &error), &error, -E2BIG, "does not know");
	for (uint8_t protocol = 1; protocol < 5; protocol++) {
		options = (struct flannel_context_options){.size = sizeof(options), .route_protocol = protocol};
		expect_error(flannel_context_new(&context, &options, &error), &error, -EINVAL, "route_protocol");
	}
	options = (struct flannel_context_options){.size = sizeof(options), .flags = 64};
	expect_error(flannel_context_new(&context, &options, &error), &error, -EINVAL, "flags");
	options = (struct flannel_context_options){.size = sizeof(options), .netns_fd = 4711};
	expect_error(flannel_context_new(&context, &options, &error), &error, -EINVAL, "4711");
	options.netns_fd = -1;
	expect_error(flannel_context_new(&context, &options, &error), &error, -EINVAL, "netns_fd");
	cr_expect_eq(context, (struct flannel_context *)&error, "a failure touched the result");

	larger.newer = 0;
	cr_assert_eq(flannel_context_new(&context, &larger.known, &error), 0);
	flannel_context_unref(context);
}

/* the descriptor is dup()ed, so that the caller may close its own */
Test(context, keeps_its_own_namespace_descriptor)
{
	struct flannel_context_options options = {.size = sizeof(options), .route_protocol = 5};
	struct flannel_context *context = NULL;
	int flags;

	options.netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(options.netns_fd, 0);
	cr_assert_eq(flannel_context_new(&context, &options, NULL), 0);
	cr_expect_neq(context->netns_fd, options.netns_fd);
	close(options.netns_fd);
	flags = fcntl(context->netns_fd, F_GETFD);
	cr_expect(flags >= 0 && (flags & FD_CLOEXEC));
	cr_expect_eq(context->route_protocol, 5);
	flannel_context_unref(context);
}

Test(context, lives_until_its_last_reference)
{
	struct flannel_context *context = make_context();
	int fd = flannel_context_get_fd(context);

	cr_assert_geq(fd, 0);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_expect_eq(flannel_context_ref(context), context);
	cr_expect_null(flannel_context_unref(context));
	cr_expect_eq(flannel_context_get_fd(context), fd, "the descriptor changed");
	cr_expect_null(flannel_context_unref(context));
	cr_expect_eq(fcntl(fd, F_GETFD), -1, "the last reference did not close it");
}

/* without descriptors there is no context, and nothing is left of the attempt */
Test(context, out_of_descriptors)
{
	struct rlimit limit;
	int last = dup(0), r = 0;

	cr_assert_geq(last, 0);
	close(last);
	for (int room = 0; room < 2; room++) {
		struct flannel_error *error = NULL;
		struct flannel_context *context = NULL;

		cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
		limit.rlim_cur = (rlim_t)(last + room);
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		r = flannel_context_new(&context, NULL, &error);
		limit.rlim_cur = limit.rlim_max;
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		expect_error(r, &error, -EMFILE, "descriptor");
		cr_expect_null(context);
	}
}

/* is the context's descriptor readable now */
static bool is_readable(const struct flannel_context *context)
{
	struct pollfd poll_fd = {.fd = flannel_context_get_fd(context), .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

Test(event, come_out_in_order_and_make_the_descriptor_readable)
{
	struct flannel_context *context = make_context();
	struct flannel_error *error = NULL;
	struct flannel_event *event = (struct flannel_event *)&error;
	int userdata = 0;

	cr_expect_eq(flannel_context_next_event(context, &event), 0);
	cr_expect_null(event);
	cr_expect_eq(flannel_context_dispatch(context, NULL), 0);
	cr_expect_not(is_readable(context));

	fl_error_set(&error, -EIO, "rtnl", "broken", "add route");
	fl_event_emit(context, context, &userdata, FLANNEL_EVENT_REPAIRED, NULL, NULL, "first %d", 1);
	cr_expect(is_readable(context), "nobody would come for the event");
	fl_event_emit(context, context, NULL, FLANNEL_EVENT_OBJECT_FAILED, NULL, error, "%s", "second");
	error = flannel_error_unref(error);
	cr_expect_eq(flannel_context_dispatch(context, NULL), 0);
	cr_expect_not(is_readable(context));

	cr_assert_eq(flannel_context_next_event(context, &event), 1);
	cr_expect_eq(flannel_event_get_type(event), FLANNEL_EVENT_REPAIRED);
	cr_expect_str_eq(flannel_event_get_type_name(event), "repaired");
	cr_expect_str_eq(flannel_event_get_text(event), "first 1");
	cr_expect_eq(flannel_event_get_userdata(event), &userdata);
	cr_expect_null(flannel_event_get_error(event));
	cr_expect_null(flannel_event_get_lease(event));
	cr_expect_null(flannel_event_free(event));

	cr_assert_eq(flannel_context_next_event(context, &event), 1);
	cr_expect_str_eq(flannel_event_get_type_name(event), "object-failed");
	cr_expect_str_eq(flannel_error_get_detail(flannel_event_get_error(event)), "broken");
	flannel_event_free(event);
	cr_expect_eq(flannel_context_next_event(context, &event), 0);
	flannel_context_unref(context);
}

/* every kind has a word */
Test(event, names_of_types)
{
	static const char *const names[] = {"lease-acquired", "lease-renewed", "lease-lost",    "lease-failed",
					    "peer-added",     "peer-changed",  "peer-removed",  "store-lost",
					    "store-back",     "repaired",      "object-failed", "node-ready",
					    "node-failed"};
	struct flannel_context *context = make_context();

	for (size_t i = 0; i < FL_N_ELEMENTS(names); i++) {
		struct flannel_event *event;

		fl_event_emit(context, NULL, NULL, (enum flannel_event_type)(i + 1), NULL, NULL, "x");
		cr_assert_eq(flannel_context_next_event(context, &event), 1);
		cr_expect_str_eq(flannel_event_get_type_name(event), names[i]);
		flannel_event_free(event);
	}
	flannel_context_unref(context);
}

/* events of something that is freed vanish; those of others stay in order; new ones go behind them */
Test(event, of_a_freed_source_are_dropped)
{
	static const char *const left[] = {"b1", "b2", "b3"};
	struct flannel_context *context = make_context();
	struct flannel_event *event;
	int a, b;

	fl_event_emit(context, &a, NULL, FLANNEL_EVENT_REPAIRED, NULL, NULL, "a1");
	fl_event_emit(context, &b, NULL, FLANNEL_EVENT_REPAIRED, NULL, NULL, "b1");
	fl_event_emit(context, &b, NULL, FLANNEL_EVENT_REPAIRED, NULL, NULL, "b2");
	fl_event_emit(context, &a, NULL, FLANNEL_EVENT_REPAIRED, NULL, NULL, "a2");
	fl_event_drop(context, &a);
	fl_event_emit(context, &b, NULL, FLANNEL_EVENT_REPAIRED, NULL, NULL, "b3");
	for (size_t i = 0; i < FL_N_ELEMENTS(left); i++) {
		cr_assert_eq(flannel_context_next_event(context, &event), 1);
		cr_expect_str_eq(flannel_event_get_text(event), left[i]);
		flannel_event_free(event);
	}
	cr_expect_eq(flannel_context_next_event(context, &event), 0);
	/* what the host never took is freed with the context: the leak checker watches */
	fl_event_emit(context, &a, NULL, FLANNEL_EVENT_REPAIRED, NULL, NULL, "a3");
	flannel_context_unref(context);
}

Test(route_set, bad_input)
{
	struct flannel_context *context = make_context();
	struct flannel_error *error = NULL;
	struct flannel_route_set *set = NULL;
	struct flannel_route_set_options options = {0};
	struct flannel_route route = {.size = sizeof(route)};

	expect_error(flannel_route_set_new(NULL, NULL, &set, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_route_set_new(context, NULL, NULL, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_route_set_new(context, &options, &set, &error), &error, -EINVAL, "size");
	expect_error(flannel_route_set_add(NULL, &route, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_route_set_remove(NULL, &route, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_route_set_apply(NULL, &error), &error, -EINVAL, "NULL");
	cr_expect_null(flannel_route_set_free(NULL));
	cr_expect_null(flannel_route_set_abandon(NULL));
	cr_expect_null(set);
	flannel_context_unref(context);
}

Test(route_set, bad_routes)
{
	static const struct {
		const char *dst, *via, *link;
		unsigned int flags;
		const char *part;
	} cases[] = {
		{NULL, "192.0.2.1", NULL, 0, "destination"},
		{"10.244.1.1/24", "192.0.2.1", NULL, 0, "host bits"},
		{"10.244.1.0/24", "fd00::1", NULL, 0, "family"},
		{"10.244.1.0/24", "192.0.2.1", "eth/0", 0, "link"},
		{"10.244.1.0/24", "192.0.2.1", "", 0, "link"},
		{"10.244.1.0/24", "192.0.2.1", "sixteen-bytes-it", 0, "link"},
		{"10.244.1.0/24", NULL, NULL, 0, "gateway"},
		{"10.244.1.0/24", "192.0.2.1", "eth0", 2, "flag"},
	};
	struct flannel_context *context = make_context();
	struct flannel_error *error = NULL;
	struct flannel_route_set *set = NULL;
	struct flannel_route route = {0};

	cr_assert_eq(flannel_route_set_new(context, NULL, &set, NULL), 0);
	expect_error(flannel_route_set_add(set, NULL, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_route_set_add(set, &route, &error), &error, -EINVAL, "size");
	expect_error(flannel_route_set_remove(set, NULL, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_route_set_remove(set, &route, &error), &error, -EINVAL, "size");
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		route = (struct flannel_route){.size = sizeof(route), .link = cases[i].link, .flags = cases[i].flags};
		if (cases[i].dst)
			route.dst = prefix(cases[i].dst);
		if (cases[i].via)
			route.via = prefix(cases[i].via);
		expect_error(flannel_route_set_add(set, &route, &error), &error, -EINVAL, cases[i].part);
	}
	route = (struct flannel_route){.size = sizeof(route)};
	expect_error(flannel_route_set_remove(set, &route, &error), &error, -EINVAL, "destination");
	route.dst = prefix("10.244.1.0/24");
	cr_expect_eq(flannel_route_set_remove(set, &route, &error), 0);
	/* only the key counts for removal */
	route.link = "no such name, and too long";
	route.flags = 77;
	route.via = prefix("fd00::1");
	cr_expect_eq(flannel_route_set_remove(set, &route, &error), 0);
	flannel_route_set_free(set);
	flannel_context_unref(context);
}

Test(link, bad_input)
{
	struct flannel_context *context = make_context();
	struct flannel_error *error = NULL;
	struct flannel_prefix none = {0};
	struct flannel_bridge_options bridge = {.size = sizeof(bridge), .name = "br0"};
	struct flannel_veth_options veth = {.size = sizeof(veth), .peer_name = "eth0", .peer_netns_fd = -1};
	struct flannel_link link = {.size = 1};

	expect_error(flannel_bridge_ensure(NULL, &bridge, NULL, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_bridge_ensure(context, NULL, NULL, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_bridge_ensure(context, &bridge, &link, &error), &error, -EINVAL, "ret_link");
	bridge.n_addresses = 1;
	expect_error(flannel_bridge_ensure(context, &bridge, NULL, &error), &error, -EINVAL, "address");
	bridge.addresses = &none;
	expect_error(flannel_bridge_ensure(context, &bridge, NULL, &error), &error, -EINVAL, "address 0");
	bridge.name = NULL;
	expect_error(flannel_bridge_ensure(context, &bridge, NULL, &error), &error, -EINVAL, "name");
	bridge.size--;
	expect_error(flannel_bridge_ensure(context, &bridge, NULL, &error), &error, -EINVAL, "size");

	expect_error(flannel_veth_ensure(NULL, &veth, NULL, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_veth_ensure(context, NULL, NULL, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_veth_ensure(context, &veth, NULL, &error), &error, -EINVAL, "namespace");
	veth.peer_netns_fd = 0;
	expect_error(flannel_veth_ensure(context, &veth, NULL, &error), &error, -EINVAL, "namespace");
	expect_error(flannel_veth_ensure(context, &veth, &link, &error), &error, -EINVAL, "ret_link");
	veth.peer_mac = "x";
	expect_error(flannel_veth_ensure(context, &veth, NULL, &error), &error, -EINVAL, "peer_mac is \"x\"");
	veth.peer_mac = "01:00:5e:00:00:01";
	expect_error(flannel_veth_ensure(context, &veth, NULL, &error), &error, -EINVAL, "peer_mac");
	veth.bridge = "a b";
	expect_error(flannel_veth_ensure(context, &veth, NULL, &error), &error, -EINVAL, "bridge is \"a b\"");
	veth.name = "";
	expect_error(flannel_veth_ensure(context, &veth, NULL, &error), &error, -EINVAL, "name is \"\"");
	veth.peer_name = NULL;
	expect_error(flannel_veth_ensure(context, &veth, NULL, &error), &error, -EINVAL, "peer_name");
	veth.size = 1;
	expect_error(flannel_veth_ensure(context, &veth, NULL, &error), &error, -EINVAL, "size");

	expect_error(flannel_link_remove(NULL, "br0", &error), &error, -EINVAL, "remove link");
	expect_error(flannel_link_remove(context, NULL, &error), &error, -EINVAL, "remove link");
	expect_error(flannel_link_remove(context, "a/b", &error), &error, -EINVAL, "a/b");
	flannel_context_unref(context);
}

Test(attachment, bad_input)
{
	struct flannel_context *context = make_context();
	struct flannel_error *error = NULL;
	struct flannel_attachment *attachment = NULL;
	struct flannel_attachment_options options = {.size = sizeof(options), .netns_fd = -1};
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC),
	    uts = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

	expect_error(flannel_attachment_attach(NULL, &options, &attachment, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_attachment_attach(context, NULL, &attachment, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_attachment_attach(context, &options, NULL, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_attachment_attach(context, &options, &attachment, &error), &error, -EINVAL, "namespace");
	options.netns_fd = uts;
	expect_error(flannel_attachment_attach(context, &options, &attachment, &error), &error, -EINVAL, "namespace");
	options.netns_fd = own;
	expect_error(flannel_attachment_attach(context, &options, &attachment, &error), &error, -EINVAL, "own");
	options.ifname = "a:b";
	expect_error(flannel_attachment_attach(context, &options, &attachment, &error), &error, -EINVAL, "a:b");
	options.size = 0;
	expect_error(flannel_attachment_attach(context, &options, &attachment, &error), &error, -EINVAL, "size");
	cr_expect_null(attachment);

	expect_error(flannel_attachment_detach(NULL, own, "eth0", &error), &error, -EINVAL, "eth0");
	expect_error(flannel_attachment_detach(context, own, NULL, &error), &error, -EINVAL, "name");
	expect_error(flannel_attachment_detach(context, own, "", &error), &error, -EINVAL, "name");
	expect_error(flannel_attachment_detach(context, -1, "eth0", &error), &error, -EINVAL, "namespace");
	expect_error(flannel_attachment_detach(context, uts, "eth0", &error), &error, -EINVAL, "namespace");
	expect_error(flannel_attachment_detach(context, own, "eth0", &error), &error, -EINVAL, "own");

	cr_expect_null(flannel_attachment_get_bridge(NULL));
	cr_expect_null(flannel_attachment_get_host_link(NULL));
	cr_expect_null(flannel_attachment_get_container_link(NULL));
	cr_expect_null(flannel_attachment_get_address(NULL, 0));
	cr_expect_null(flannel_attachment_get_route(NULL, 0));
	cr_expect_null(flannel_attachment_free(NULL));
	close(own);
	close(uts);
	flannel_context_unref(context);
}
