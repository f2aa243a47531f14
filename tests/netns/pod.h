/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_TESTS_NETNS_POD_H
#define FL_TESTS_NETNS_POD_H

/*
 * A node and a container for tests of links and attachments, in every way in which a context can work: with a thread or
 * without, in the caller's namespace or in another one. Include after "sandbox.h".
 */

#include <flannel/attachment.h>
#include <flannel/context.h>

struct pod_fixture {
	struct flannel_context *context;
	int node_fd; /* the node's namespace; that of this process, or another one */
	int pod_fd;
	char node[64]; /* what to put before a command */
	char pod[64];
	char directory[32]; /* for snapshots */
};

/* modes of a fixture: bit 0 is FLANNEL_CONTEXT_SINGLE_THREADED, bit 1 a context in another namespace than the caller's */
#define POD_MODES 4

/* new namespaces each time; this process is in a fresh one in any case */
static inline void pod_open(struct pod_fixture *fixture, unsigned int mode)
{
	struct flannel_context_options options = {.size = sizeof(options), .flags = mode & 1};
	struct flannel_error *error = NULL;

	sandbox_enter();
	*fixture = (struct pod_fixture){.directory = "/tmp/flannel-pod-XXXXXX"};
	cr_assert_not_null(mkdtemp(fixture->directory));
	fixture->pod_fd = sandbox_new_netns();
	fixture->node_fd = mode & 2 ? sandbox_new_netns() : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fixture->node_fd, 0);
	sandbox_in(fixture->pod_fd, fixture->pod);
	sandbox_in(fixture->node_fd, fixture->node);
	sandbox_run("%s ip link set lo up", fixture->node);
	/* the local route of a bridge's own address comes when detection ends: at once, not between two snapshots */
	sandbox_run("%s sysctl -qw net.ipv6.conf.default.accept_dad=0", fixture->node);
	if (mode & 2)
		options.netns_fd = fixture->node_fd;
	sandbox_assert_ok(flannel_context_new(&fixture->context, &options, &error), error);
}

static inline void pod_close(struct pod_fixture *fixture)
{
	fixture->context = flannel_context_unref(fixture->context);
	close(fixture->node_fd);
	close(fixture->pod_fd);
	sandbox_run("rm -rf %s", fixture->directory);
}

/*
 * What can be seen of a namespace into a file: links, addresses, routes, settings of interfaces. Not what moves by itself
 * (timers, lifetimes, an IPv6 address that is still tentative) nor what no request takes back: a queue discipline is there
 * from the first time that a link goes up, and a bridge counts as running until its first port has been and gone.
 */
static inline void pod_snapshot_of(struct pod_fixture *fixture, const char *in, const char *name)
{
	sandbox_run("cat > %s/take <<'END'\n"
		    "{ ip -j -d link; ip -j addr; ip -j route show table all; ip -6 -j route show table all; bridge -j "
		    "-d link; } | "
		    "jq -cS '.[] | walk(if type == \"object\" then with_entries(select(.key | "
		    "test(\"_timer$|life_time$|^tentative$|^qdisc$|^[tg]so_|^operstate$|^(bridge|root)_id$\") | not)) "
		    "elif type == \"array\" "
		    "then . - [\"LOWER_UP\", \"NO-CARRIER\", \"linkdown\"] else . end)'\n"
		    "grep -s . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv[46]/conf/*/*\ntrue\n"
		    "END",
		    fixture->directory);
	sandbox_run("%s sh %s/take > %s/%s", in, fixture->directory, fixture->directory, name);
}

/* node, container and, if it is another one, the caller's namespace */
static inline void pod_snapshot(struct pod_fixture *fixture, const char *name)
{
	char file[32];

	snprintf(file, sizeof(file), "%s.node", name);
	pod_snapshot_of(fixture, fixture->node, file);
	snprintf(file, sizeof(file), "%s.pod", name);
	pod_snapshot_of(fixture, fixture->pod, file);
	snprintf(file, sizeof(file), "%s.caller", name);
	pod_snapshot_of(fixture, "", file);
}

/* compares one namespace in two snapshots */
static inline void pod_expect_unchanged(struct pod_fixture *fixture, const char *before, const char *after,
					const char *which)
{
	sandbox_expect("", "diff %s/%s.%s %s/%s.%s", fixture->directory, before, which, fixture->directory, after,
		       which);
}

#endif
