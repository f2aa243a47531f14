/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <flannel/link.h>
#include <flannel/sysctl.h>

#include "sandbox.h"

/* what jq makes of the settings of a link */
#define SETTINGS                                                                                                       \
	"jq -r '.[] | \"\\(.address) \\(.mtu) \\(.txqlen) \\(.flags|index(\"PROMISC\")!=null) "                        \
	"\\(.flags|index(\"ALLMULTI\")!=null)\"'"

/* a namespace with a veth eth0 in it, and a context that works there while this process stays where it is */
struct lab {
	int fd;
	char in[64];
	struct flannel_context *context;
};

static struct lab make_lab(unsigned int flags)
{
	struct flannel_context_options options = {.size = sizeof(options), .flags = flags};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct lab lab = {0};
	int r;

	sandbox_enter();
	lab.fd = sandbox_new_netns();
	sandbox_in(lab.fd, lab.in);
	sandbox_run("%s ip link add eth0 address 02:00:00:00:00:03 mtu 1500 txqueuelen 1000 type veth peer name other0",
		    lab.in);
	options.netns_fd = lab.fd;
	r = flannel_context_new(&lab.context, &options, &error);
	sandbox_assert_ok(r, error);
	return lab;
}

static void clear_lab(struct lab *lab)
{
	flannel_context_unref(lab->context);
	close(lab->fd);
}

Test(link_settings, get_and_ensure)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab(0);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_link_settings before = {.size = sizeof(before)}, wanted = {.size = sizeof(wanted)};
	int r;

	r = flannel_link_settings_get(lab.context, "eth0", &before, &error);
	sandbox_assert_ok(r, error);
	cr_expect_eq(before.which, 31);
	cr_expect_str_eq(before.mac, "02:00:00:00:00:03");
	cr_expect(before.mtu == 1500 && before.queue_length == 1000 && !before.promiscuous && !before.all_multicast);

	/* only what .which names counts */
	wanted = (struct flannel_link_settings){.size = sizeof(wanted),
						.which = FLANNEL_LINK_SETTING_MTU,
						.mtu = 1400,
						.promiscuous = 1,
						.mac = "nonsense"};
	cr_expect_eq(flannel_link_settings_ensure(lab.context, "eth0", &wanted, NULL), 1);
	cr_expect_eq(flannel_link_settings_ensure(lab.context, "eth0", &wanted, NULL), 0);
	sandbox_expect("02:00:00:00:00:03 1400 1000 false false", "%s ip -j link show eth0 | " SETTINGS, lab.in);

	wanted = (struct flannel_link_settings){.size = sizeof(wanted),
						.which = 31,
						.mtu = 1300,
						.queue_length = 0,
						.promiscuous = 1,
						.all_multicast = 7,
						.mac = "02-00-00-00-00-Aa"};
	cr_expect_eq(flannel_link_settings_ensure(lab.context, "eth0", &wanted, NULL), 1);
	sandbox_expect("02:00:00:00:00:aa 1300 null true true", "%s ip -j link show eth0 | " SETTINGS, lab.in);
	cr_expect_eq(flannel_link_settings_get(lab.context, "eth0", &wanted, NULL), 0);
	cr_expect(wanted.mtu == 1300 && wanted.queue_length == 0 && wanted.promiscuous && wanted.all_multicast);

	cr_expect_eq(flannel_link_settings_ensure(lab.context, "eth0", &before, NULL), 1);
	sandbox_expect("02:00:00:00:00:03 1500 1000 false false", "%s ip -j link show eth0 | " SETTINGS, lab.in);
	sandbox_expect("0", "ip -j link show type veth | jq length");
}

Test(link_settings, that_a_bridge_made_its_port_promiscuous_is_no_setting)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab(FLANNEL_CONTEXT_SINGLE_THREADED);
	struct flannel_link_settings settings = {.size = sizeof(settings)};

	sandbox_run("%s ip link add br0 type bridge", lab.in);
	sandbox_run("%s ip link set eth0 master br0 up", lab.in);
	sandbox_expect("1", "%s ip -j -d link show eth0 | jq '.[].promiscuity'", lab.in);
	cr_expect_eq(flannel_link_settings_get(lab.context, "eth0", &settings, NULL), 0);
	cr_expect_eq(settings.promiscuous, 0);
}

Test(link_settings, what_was_done_before_a_refusal_is_put_back)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab(FLANNEL_CONTEXT_SINGLE_THREADED);
	const struct {
		struct flannel_link_settings settings;
		int result;
		const char *part;
	} cases[] = {
		{{.which = 31, .mac = "02:00:00:00:00:09", .promiscuous = 1, .mtu = 9, .all_multicast = 1},
		 -EINVAL,
		 "settings of eth0: MTU 9: change link eth0: mtu less than device minimum"},
		{{.which = 31, .mac = "02:00:00:00:00:09", .promiscuous = 1, .mtu = 70000},
		 -EINVAL,
		 "settings of eth0: MTU 70000: change link eth0: mtu greater than device maximum"},
		{{.which = 5, .mac = "03:00:00:00:00:09", .mtu = 1400},
		 -EADDRNOTAVAIL,
		 "settings of eth0: MAC address 03:00:00:00:00:09: change link eth0"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_link_settings settings = cases[i].settings;
		struct flannel_error *error = NULL;
		int r;

		settings.size = sizeof(settings);
		r = flannel_link_settings_ensure(lab.context, "eth0", &settings, &error);
		cr_expect_eq(r, cases[i].result, "case %zu: %d", i, r);
		sandbox_expect_error(&error, cases[i].result, cases[i].part);
		sandbox_expect("02:00:00:00:00:03 1500 1000 false false", "%s ip -j link show eth0 | " SETTINGS,
			       lab.in);
	}
}

Test(link_settings, refuses_bad_arguments)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab(0);
	const struct flannel_link_settings good = {
		.size = sizeof(good), .which = FLANNEL_LINK_SETTING_MTU, .mtu = 1400};
	struct flannel_link_settings bad = good, small = {.size = 4};
	struct flannel_error *error = NULL;

	cr_expect_eq(flannel_link_settings_ensure(NULL, "eth0", &good, NULL), -EINVAL);
	cr_expect_eq(flannel_link_settings_ensure(lab.context, NULL, &good, NULL), -EINVAL);
	cr_expect_eq(flannel_link_settings_ensure(lab.context, "eth0", NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_link_settings_ensure(lab.context, "eth0", &small, NULL), -EINVAL);
	cr_expect_eq(flannel_link_settings_get(NULL, "eth0", &bad, NULL), -EINVAL);
	cr_expect_eq(flannel_link_settings_get(lab.context, "", &bad, NULL), -EINVAL);
	cr_expect_eq(flannel_link_settings_get(lab.context, "eth0", NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_link_settings_get(lab.context, "eth0", &small, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "ret_settings: its size is wrong");
	cr_expect_eq(flannel_link_settings_get(lab.context, "eth9", &bad, &error), -ENODEV);
	sandbox_expect_error(&error, -ENODEV, "get link eth9: there is none");
	cr_expect_eq(flannel_link_settings_ensure(lab.context, "eth9", &good, &error), -ENODEV);
	sandbox_expect_error(&error, -ENODEV, "get link eth9: there is none");
	bad.which = 64;
	cr_expect_eq(flannel_link_settings_ensure(lab.context, "eth0", &bad, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "link settings 0x40: unknown bits");
	bad.which = FLANNEL_LINK_SETTING_MAC;
	memcpy(bad.mac, "02:00:00:00:00:1", 17);
	cr_expect_eq(flannel_link_settings_ensure(lab.context, "eth0", &bad, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "mac is \"02:00:00:00:00:1\": expected six bytes");
	memset(bad.mac, '0', sizeof(bad.mac));
	cr_expect_eq(flannel_link_settings_ensure(lab.context, "eth0", &bad, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "expected six bytes");
}

Test(sysctl_calls, settings_are_those_of_the_context)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab(0);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	char value[FLANNEL_SYSCTL_VALUE_SIZE];
	int r;

	r = flannel_sysctl_ensure(lab.context, "net/ipv4/conf/eth0/arp_notify", "1", &error);
	sandbox_assert_ok(r, error);
	cr_expect_eq(r, 1);
	cr_expect_eq(flannel_sysctl_ensure(lab.context, "net/ipv4/conf/eth0/arp_notify", "1", NULL), 0);
	cr_expect_eq(flannel_sysctl_read(lab.context, "net/ipv4/conf/eth0/arp_notify", value, sizeof(value), NULL), 0);
	cr_expect_str_eq(value, "1");
	sandbox_expect("1", "%s cat /proc/sys/net/ipv4/conf/eth0/arp_notify", lab.in);
	cr_expect_eq(access("/proc/sys/net/ipv4/conf/eth0", F_OK), -1);

	/* the kernel puts tabs between the parts */
	cr_expect_eq(flannel_sysctl_ensure(lab.context, "net/ipv4/ping_group_range", "0 7", NULL), 1);
	cr_expect_eq(flannel_sysctl_ensure(lab.context, "net/ipv4/ping_group_range", " 0  7\n", NULL), 0);
	cr_expect_eq(flannel_sysctl_ensure(lab.context, "net/ipv4/ip_local_reserved_ports", "8080,9000-9005", NULL), 1);
	cr_expect_eq(flannel_sysctl_ensure(lab.context, "net/ipv4/ip_local_reserved_ports", "", NULL), 1);
	sandbox_expect("", "%s cat /proc/sys/net/ipv4/ip_local_reserved_ports", lab.in);
	cr_expect_eq(flannel_sysctl_ensure(lab.context, "net/ipv4/ip_local_reserved_ports", "", NULL), 0);
}

Test(sysctl_calls, refuse)
{
	FL_CLEANUP(clear_lab) struct lab lab = make_lab(FLANNEL_CONTEXT_SINGLE_THREADED);
	const struct {
		const char *name, *value;
		int result;
		const char *part;
	} cases[] = {
		{"kernel/hostname", "x", -EINVAL, "check setting \"kernel/hostname\": expected a path below net/"},
		{"net/../kernel/hostname", "x", -EINVAL, "expected a path below net/"},
		{"net/ipv4/nonsense", "1", -ENOENT, "set net/ipv4/nonsense to 1: No such file"},
		{"net/ipv4/ip_forward", "yes", -EINVAL, "set net/ipv4/ip_forward to yes: Invalid argument"},
		{"net/ipv4/ip_forward", "", -EINVAL, "set net/ipv4/ip_forward to: Invalid argument"},
		{"net/ipv4", "1", -EISDIR, "set net/ipv4 to 1: Is a directory"},
	};
	struct flannel_error *error = NULL;
	char value[8], large[FLANNEL_SYSCTL_VALUE_SIZE + 1];

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		cr_expect_eq(flannel_sysctl_ensure(lab.context, cases[i].name, cases[i].value, &error), cases[i].result,
			     "%s", cases[i].name);
		sandbox_expect_error(&error, cases[i].result, cases[i].part);
	}
	memset(large, '1', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	cr_expect_eq(flannel_sysctl_ensure(lab.context, "net/ipv4/ip_forward", large, &error), -EINVAL);
	sandbox_expect_error(&error, -EINVAL, "set net/ipv4/ip_forward: the value is longer than 4095 bytes");
	cr_expect_eq(flannel_sysctl_read(lab.context, "net/ipv4/tcp_rmem", value, sizeof(value), &error), -EFBIG);
	sandbox_expect_error(&error, -EFBIG, "read net/ipv4/tcp_rmem");
	cr_expect_eq(flannel_sysctl_read(lab.context, "net/x", value, sizeof(value), &error), -ENOENT);
	sandbox_expect_error(&error, -ENOENT, "read net/x");
	cr_expect_eq(flannel_sysctl_read(lab.context, "net/./x", value, sizeof(value), NULL), -EINVAL);
	cr_expect_eq(flannel_sysctl_read(NULL, "net/x", value, sizeof(value), NULL), -EINVAL);
	cr_expect_eq(flannel_sysctl_read(lab.context, NULL, value, sizeof(value), NULL), -EINVAL);
	cr_expect_eq(flannel_sysctl_read(lab.context, "net/x", NULL, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_sysctl_ensure(NULL, "net/x", "1", NULL), -EINVAL);
	cr_expect_eq(flannel_sysctl_ensure(lab.context, NULL, "1", NULL), -EINVAL);
	cr_expect_eq(flannel_sysctl_ensure(lab.context, "net/x", NULL, NULL), -EINVAL);
}
