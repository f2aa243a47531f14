/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <flannel/bandwidth.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "engine/context.h"
#include "sandbox.h"

/* how many frames of how many bytes go through */
#define N_FRAMES 100
#define FRAME_SIZE 1000

/* a veth pair: v0 here, eth0 in a namespace of its own */
struct lab {
	int pod;
	char in[64];
	struct flannel_context *context;
};

static struct lab make_lab(void)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct lab lab = {0};
	int r;

	sandbox_enter();
	lab.pod = sandbox_new_netns();
	sandbox_in(lab.pod, lab.in);
	sandbox_run("ip link add v0 mtu 1400 type veth peer name eth0 netns /proc/%d/fd/%d", getpid(), lab.pod);
	sandbox_run("sysctl -qw net.ipv6.conf.v0.disable_ipv6=1 && ip link set v0 up");
	sandbox_run("%s sh -c 'sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1 && ip link set eth0 up'", lab.in);
	r = flannel_context_new(&lab.context, NULL, &error);
	sandbox_assert_ok(r, error);
	return lab;
}

static void clear_lab(struct lab *lab)
{
	flannel_context_unref(lab->context);
	close(lab->pod);
}

/* sends frames to everybody through a link of a namespace (-1: here) */
static void send_frames(int netns_fd, const char *link)
{
	uint8_t frame[FRAME_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
	FL_CLEANUP(fl_closep) int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	FL_CLEANUP(fl_closep) int fd = -1;
	struct sockaddr_ll address = {.sll_family = AF_PACKET};

	cr_assert(netns_fd < 0 || setns(netns_fd, CLONE_NEWNET) == 0);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	address.sll_ifindex = (int)if_nametoindex(link);
	cr_assert_eq(setns(own, CLONE_NEWNET), 0);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	for (int i = 0; i < N_FRAMES; i++) {
		/* a full queue is what is looked for */
		cr_assert(send(fd, frame, sizeof(frame), 0) == sizeof(frame) || errno == ENOBUFS);
	}
}

/* what the token bucket of a link has seen: is there one, did frames have to wait, were some dropped */
static void expect_counters(const char *link, const char *expected)
{
	sandbox_expect(expected,
		       "tc -s -j qdisc show dev %s root | jq -r '.[0] | \"\\(.kind) \\(.packets > 0) "
		       "\\(.overlimits > 0) \\(.drops > 0)\"'",
		       link);
}

Test(bandwidth, narrow_limits_hold_frames_back_and_wide_ones_do_not)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab();
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_bandwidth_options options = {.size = sizeof(options),
						    .link = "v0",
						    .sent = {1000000000, 10000000},
						    .received = {1000000000, 10000000},
						    .receive_device = "bwp0"};
	int r = flannel_bandwidth_ensure(lab.context, &options, NULL, &error);

	sandbox_assert_ok(r, error);
	send_frames(-1, "v0");
	send_frames(lab.pod, "eth0");
	expect_counters("v0", "tbf true false false");
	expect_counters("bwp0", "tbf true false false");
	/* everything came through, by way of the device */
	sandbox_expect("100", "%s ip -s -j link show eth0 | jq '.[].stats64.rx.packets'", lab.in);
	sandbox_expect("true", "tc -s -j qdisc show dev bwp0 root | jq '.[].bytes >= %d'", N_FRAMES * FRAME_SIZE);

	/* at this rate all the frames would take 97 seconds */
	options.sent = options.received = (struct flannel_bandwidth_limit){1000, 3000};
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, NULL, NULL), 1);
	send_frames(-1, "v0");
	send_frames(lab.pod, "eth0");
	expect_counters("v0", "tbf true true true");
	expect_counters("bwp0", "tbf true true true");
}

Test(bandwidth, ensure_tells_whether_it_changed_anything)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab();
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_link device = {.size = sizeof(device)};
	struct flannel_bandwidth_options options = {.size = sizeof(options),
						    .link = "v0",
						    .received = {375000, 500000},
						    .receive_device = "bwp0",
						    .tag = "the tag"};
	char mac[FLANNEL_MAC_STRLEN];
	int r = flannel_bandwidth_ensure(lab.context, &options, &device, &error);

	sandbox_assert_ok(r, error);
	cr_expect_eq(r, 1);
	cr_expect_str_eq(device.name, "bwp0");
	cr_expect_eq(device.mtu, 1400);
	memcpy(mac, device.mac, sizeof(mac));
	sandbox_expect("ifb 1400 true the tag",
		       "ip -j -d link show bwp0 | jq -r '.[] | \"\\(.linkinfo.info_kind) \\(.mtu) "
		       "\\(.flags|index(\"UP\")!=null) \\(.ifalias)\"'");
	/* of a device whose queue has no length of its own */
	sandbox_expect("tbf 1: 375000 499999 25001",
		       "tc -j qdisc show dev bwp0 root | jq -r '.[] | \"\\(.kind) \\(.handle) \\(.options.rate) "
		       "\\(.options.burst) \\(.options.lat)\"'");
	sandbox_expect("ingress ffff:", "tc -j qdisc show dev v0 ingress | jq -r '.[] | select(.kind==\"ingress\") | "
					"\"\\(.kind) \\(.handle)\"'");
	sandbox_expect(
		"all 1 u32 1:1 0 0 mirred redirect egress bwp0 stolen",
		"tc -j filter show dev v0 parent ffff: | jq -r '.[] | select(.options.actions) | \"\\(.protocol) "
		"\\(.pref) \\(.kind) \\(.options.flowid) \\(.options.match.value) \\(.options.match.mask) "
		"\\(.options.actions[] | \"\\(.kind) \\(.mirred_action) \\(.direction) \\(.to_dev) "
		"\\(.control_action.type)\")\"'");
	cr_expect_eq(flannel_bandwidth_check(lab.context, &options, NULL), 0);
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, &device, NULL), 0);
	cr_expect_str_eq(device.mac, mac);

	options.received.bytes_per_sec = UINT64_C(5000000000);
	options.sent = (struct flannel_bandwidth_limit){1000000, 10000};
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, NULL, NULL), 1);
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, NULL, NULL), 0);
	cr_expect_eq(flannel_bandwidth_check(lab.context, &options, NULL), 0);
	sandbox_expect("5000000000", "tc -j qdisc show dev bwp0 root | jq '.[].options.rate'");
	sandbox_expect("1000000 10000 25000", "tc -j qdisc show dev v0 root | jq -r '.[] | select(.kind==\"tbf\") | "
					      "\"\\(.options.rate) \\(.options.burst) \\(.options.lat)\"'");
	/* one filter, however often it is asked for */
	sandbox_expect("1", "tc -j filter show dev v0 parent ffff: | jq '[.[] | select(.options.actions)] | length'");
}

Test(bandwidth, check_says_what_differs)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab();
	const struct flannel_bandwidth_options options = {.size = sizeof(options),
							  .link = "v0",
							  .sent = {1000000, 10000},
							  .received = {375000, 500000},
							  .receive_device = "bwp0"};
	const struct {
		const char *command;
		int result;
		const char *part;
	} cases[] = {
		{"tc qdisc del dev v0 root", -ENOENT, "check the limit of what v0 sends: there is none"},
		{"tc qdisc replace dev v0 root handle 1: tbf rate 1mbit burst 10000 latency 25ms", -EEXIST,
		 "check the limit of what v0 sends: rate 125000, limit 13125, buffer 1250000; expected 1000000, 35000, "
		 "156250"},
		{"tc qdisc replace dev v0 root pfifo", -EEXIST,
		 "limit what v0 sends (qdisc pfifo): something else queues there"},
		{"tc qdisc del dev bwp0 root", -ENOENT, "check the limit of what bwp0 sends: there is none"},
		{"tc qdisc del dev v0 ingress", -ENOENT,
		 "check that what v0 receives goes to bwp0: it is not redirected"},
		{"tc filter del dev v0 parent ffff:", -ENOENT,
		 "check that what v0 receives goes to bwp0: it is not redirected"},
		{"tc qdisc del dev v0 ingress && tc qdisc add dev v0 clsact", -EEXIST,
		 "redirect what v0 receives (qdisc clsact): something else is there"},
		{"ip link del bwp0", -ENOENT, "get link bwp0: there is none"},
		{"ip link del bwp0 && ip link add bwp0 type bridge", -EEXIST,
		 "use link bwp0 (bridge) to limit: it is no ifb device"},
		{"ip link del v0", -ENODEV, "get link v0: there is none"},
	};
	struct flannel_error *error = NULL;

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		int r = flannel_bandwidth_ensure(lab.context, &options, NULL, &error);

		sandbox_assert_ok(r, error);
		cr_expect_eq(flannel_bandwidth_check(lab.context, &options, NULL), 0, "case %zu", i);
		sandbox_run("%s", cases[i].command);
		r = flannel_bandwidth_check(lab.context, &options, &error);
		cr_expect_eq(r, cases[i].result, "%s: %d", cases[i].command, r);
		sandbox_expect_error(&error, cases[i].result, cases[i].part);
		(void)!system("tc qdisc del dev v0 root 2>/dev/null; tc qdisc del dev v0 clsact 2>/dev/null; ip link "
			      "del bwp0 "
			      "2>/dev/null");
	}
}

Test(bandwidth, what_somebody_else_has_put_there_stays)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab();
	const struct flannel_bandwidth_options options = {.size = sizeof(options),
							  .link = "v0",
							  .sent = {1000000, 10000},
							  .received = {375000, 500000},
							  .receive_device = "bwp0"};
	const struct {
		const char *before, *after;
		const char *part;
	} cases[] = {
		{"tc qdisc add dev v0 root pfifo", "tc qdisc del dev v0 root",
		 "limit what v0 sends (qdisc pfifo): something else queues there"},
		{"tc qdisc add dev v0 clsact", "tc qdisc del dev v0 clsact",
		 "redirect what v0 receives (qdisc clsact): something else is there"},
		{"tc qdisc add dev v0 ingress && tc filter add dev v0 parent ffff: protocol all u32 match u32 0 0 "
		 "flowid 1:2",
		 "tc qdisc del dev v0 ingress", "redirect what v0 receives: somebody else's filters are there"},
		{"ip link add other type ifb && tc qdisc add dev v0 ingress && tc filter add dev v0 parent ffff: "
		 "protocol all "
		 "u32 match u32 0 0 action mirred egress redirect dev other",
		 "tc qdisc del dev v0 ingress; ip link del other",
		 "redirect what v0 receives (to other): it goes elsewhere already"},
		{"ip link add bwp0 type bridge", "ip link del bwp0",
		 "use link bwp0 (bridge) to limit: it is no ifb device"},
	};
	struct flannel_error *error = NULL;

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_freep) char *before = NULL;
		const char *listing =
			"ip -j link | jq -c '[.[] | .ifname]'; tc -j qdisc show; tc -j filter show dev v0 parent "
			"ffff: 2>/dev/null";

		sandbox_run("%s", cases[i].before);
		before = sandbox_shell(false, listing);
		cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, NULL, &error), -EEXIST, "%s",
			     cases[i].before);
		sandbox_expect_error(&error, -EEXIST, cases[i].part);
		sandbox_expect(before, "%s", listing);
		cr_expect(flannel_bandwidth_remove(lab.context, "v0", NULL, NULL) >= 0);
		sandbox_expect(before, "%s", listing);
		sandbox_run("%s", cases[i].after);
	}
}

/* the kernel refuses a bucket that cannot hold one byte */
Test(bandwidth, a_refusal_takes_everything_back)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab();
	struct flannel_bandwidth_options options = {.size = sizeof(options),
						    .link = "v0",
						    .sent = {1000000, 1},
						    .received = {375000, 500000},
						    .receive_device = "bwp0"};
	const char *listing =
		"ip -j link | jq -c '[.[] | .ifname]'; tc -j qdisc show; tc -j filter show dev v0 parent ffff: "
		"2>/dev/null";
	FL_CLEANUP(fl_freep) char *nothing = sandbox_shell(false, listing);
	FL_CLEANUP(fl_freep) char *limits = NULL;
	struct flannel_error *error = NULL;

	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, NULL, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "limit what v0 sends");
	sandbox_expect(nothing, "%s", listing);

	/* limits that were there get their numbers back */
	options.sent.burst_bytes = 10000;
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, NULL, NULL), 1);
	limits = sandbox_shell(false, listing);
	options.received.bytes_per_sec = 1000;
	options.sent.burst_bytes = 1;
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, NULL, NULL), -EINVAL);
	sandbox_expect(limits, "%s", listing);
}

Test(bandwidth, what_an_earlier_attempt_left_makes_room)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab();
	const struct flannel_bandwidth_options options = {
		.size = sizeof(options), .link = "v0", .received = {375000, 500000}, .receive_device = "bwp0"};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	sandbox_run("tc qdisc add dev v0 handle ffff: ingress");
	r = flannel_bandwidth_ensure(lab.context, &options, NULL, &error);
	sandbox_assert_ok(r, error);
	cr_expect_eq(r, 1);
	cr_expect_eq(flannel_bandwidth_check(lab.context, &options, NULL), 0);
	/* without the device the filter leads nowhere */
	cr_expect_eq(flannel_bandwidth_remove(lab.context, NULL, "bwp0", NULL), 1);
	r = flannel_bandwidth_ensure(lab.context, &options, NULL, &error);
	sandbox_assert_ok(r, error);
	cr_expect_eq(r, 1);
	cr_expect_eq(flannel_bandwidth_check(lab.context, &options, NULL), 0);
	sandbox_expect("1", "tc -j filter show dev v0 parent ffff: | jq '[.[] | select(.options.actions)] | length'");
}

Test(bandwidth, remove_leaves_nothing)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab();
	const struct flannel_bandwidth_options options = {.size = sizeof(options),
							  .link = "v0",
							  .sent = {1000000, 10000},
							  .received = {375000, 500000},
							  .receive_device = "bwp0"};
	const char *listing = "ip -j link | jq -c '[.[] | .ifname]'; tc -j qdisc show";
	FL_CLEANUP(fl_freep) char *nothing = sandbox_shell(false, listing);
	struct flannel_error *error = NULL;

	cr_expect_eq(flannel_bandwidth_remove(lab.context, "v0", "bwp0", NULL), 0);
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, NULL, NULL), 1);
	cr_expect_eq(flannel_bandwidth_remove(lab.context, "v0", "bwp0", NULL), 1);
	sandbox_expect(nothing, "%s", listing);
	cr_expect_eq(flannel_bandwidth_remove(lab.context, "gone", "bwp0", NULL), 0);

	/* the device first: then the redirection leads nowhere, and goes as well */
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, NULL, NULL), 1);
	cr_expect_eq(flannel_bandwidth_remove(lab.context, NULL, "bwp0", NULL), 1);
	cr_expect_eq(flannel_bandwidth_remove(lab.context, "v0", NULL, NULL), 1);
	sandbox_expect(nothing, "%s", listing);

	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &options, NULL, NULL), 1);
	sandbox_run("tc filter add dev v0 parent ffff: protocol ip prio 7 u32 match u32 0 0 flowid 1:2");
	cr_expect_eq(flannel_bandwidth_remove(lab.context, "v0", "bwp0", &error), -EEXIST);
	sandbox_expect_error(&error, -EEXIST, "somebody else's filters are there, too");
	cr_expect_eq(flannel_bandwidth_remove(lab.context, NULL, "v0", &error), -EEXIST);
	sandbox_expect_error(&error, -EEXIST, "remove link v0: it is no ifb device");
	cr_expect_eq(flannel_bandwidth_remove(lab.context, NULL, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_remove(NULL, "v0", NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_remove(lab.context, "a/b", NULL, NULL), -EINVAL);
}

Test(bandwidth, reclaim_keeps_what_is_named_and_what_is_not_tagged)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab();
	const char *const keep[] = {"b", "nobody"};

	for (const char *name = "abcd"; *name; name++)
		sandbox_run("ip link add name %c type ifb && ip link set dev %c alias %s", *name, *name,
			    *name == 'd' ? "theirs" : "ours");
	sandbox_run("ip link add name e type bridge && ip link set dev e alias ours");
	cr_expect_eq(flannel_bandwidth_reclaim(lab.context, "ours", keep, FL_N_ELEMENTS(keep), NULL), 2);
	sandbox_expect("b d e", "ip -j link | jq -r '[.[] | .ifname | select(length==1)] | join(\" \")'");
	cr_expect_eq(flannel_bandwidth_reclaim(lab.context, "ours", NULL, 0, NULL), 1);
	cr_expect_eq(flannel_bandwidth_reclaim(lab.context, "ours", NULL, 0, NULL), 0);
	sandbox_expect("d e", "ip -j link | jq -r '[.[] | .ifname | select(length==1)] | join(\" \")'");
	cr_expect_eq(flannel_bandwidth_reclaim(lab.context, "", NULL, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_reclaim(lab.context, NULL, NULL, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_reclaim(lab.context, "ours", NULL, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_reclaim(NULL, "ours", NULL, 0, NULL), -EINVAL);
}

Test(bandwidth, bad_arguments)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab();
	const struct flannel_bandwidth_options good = {.size = sizeof(good), .link = "v0", .sent = {1000, 1000}},
					       small = {.size = 8, .link = "v0"},
					       none = {.size = sizeof(none), .link = "v0"},
					       gone = {.size = sizeof(gone), .link = "v9", .sent = {1000, 1000}};
	struct flannel_link bad_size = {.size = 1};

	cr_expect_eq(flannel_bandwidth_ensure(NULL, &good, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, NULL, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &small, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &none, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &good, &bad_size, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_ensure(lab.context, &gone, NULL, NULL), -ENODEV);
	cr_expect_eq(flannel_bandwidth_check(NULL, &good, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_check(lab.context, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_bandwidth_check(lab.context, &gone, NULL), -ENODEV);
}

Test(veth_get, finds_the_end_that_is_here)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab();
	FL_CLEANUP(fl_closep) int third = sandbox_new_netns();
	struct flannel_link link = {.size = sizeof(link)}, bad_size = {.size = 1};
	struct flannel_error *error = NULL;

	cr_expect_eq(flannel_veth_get(lab.context, lab.pod, "eth0", &link, NULL), 0);
	cr_expect_str_eq(link.name, "v0");
	cr_expect_eq(link.mtu, 1400);
	cr_expect_eq(link.ifindex, if_nametoindex("v0"));
	cr_expect_eq(flannel_veth_get(lab.context, lab.pod, "eth9", &link, &error), -ENODEV);
	sandbox_expect_error(&error, -ENODEV, "get link eth9 in the container: there is none");
	cr_expect_eq(flannel_veth_get(lab.context, lab.pod, "lo", &link, &error), -ENXIO);
	sandbox_expect_error(&error, -ENXIO, "find the other end of lo in the container: it is no veth pair");
	sandbox_run("%s ip link add eth1 type veth peer name other netns /proc/%d/fd/%d", lab.in, getpid(), third);
	cr_expect_eq(flannel_veth_get(lab.context, lab.pod, "eth1", &link, &error), -ENXIO);
	sandbox_expect_error(&error, -ENXIO, "find the other end of eth1 in the container: it is not here");
	cr_expect_eq(flannel_veth_get(lab.context, 9999, "eth0", &link, NULL), -EINVAL);
	cr_expect_eq(flannel_veth_get(lab.context, lab.pod, "", &link, NULL), -EINVAL);
	cr_expect_eq(flannel_veth_get(lab.context, lab.pod, "eth0", NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_veth_get(lab.context, lab.pod, "eth0", &bad_size, NULL), -EINVAL);
	cr_expect_eq(flannel_veth_get(NULL, lab.pod, "eth0", &link, NULL), -EINVAL);
}
