/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Containers attached to a node: what is in the kernel afterwards, and that a failure leaves nothing of it. */

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "engine/context.h"
#include "engine/pod/pod.h"
#include "sandbox.h"
#include "sys/sysctl.h"

#include "pod.h"

/* an address of the container from text; gateway may be NULL */
static struct flannel_address make_address(const char *address, const char *gateway)
{
	struct flannel_address result = {.size = sizeof(result), .address = sandbox_prefix(address)};

	if (gateway)
		result.gateway = sandbox_prefix(gateway);
	return result;
}

static struct flannel_attachment_route make_route(const char *dst, const char *via)
{
	struct flannel_attachment_route route = {.size = sizeof(route), .scope = FLANNEL_SCOPE_UNSET};

	route.dst = sandbox_prefix(dst);
	if (via)
		route.via = sandbox_prefix(via);
	return route;
}

/* options with nothing but the namespace */
static struct flannel_attachment_options make_options(const struct pod_fixture *fixture, unsigned int flags)
{
	return (struct flannel_attachment_options){
		.size = sizeof(struct flannel_attachment_options), .netns_fd = fixture->pod_fd, .flags = flags};
}

static struct flannel_attachment *attach(struct pod_fixture *fixture, const struct flannel_attachment_options *options)
{
	struct flannel_attachment *attachment = NULL;
	struct flannel_error *error = NULL;
	int r = flannel_attachment_attach(fixture->context, options, &attachment, &error);

	sandbox_assert_ok(r, error);
	cr_assert_not_null(attachment);
	return attachment;
}

/* compares a setting */
static void expect_setting(const char *in, const char *name, const char *value)
{
	sandbox_expect(value, "%s cat /proc/sys/net/%s", in, name);
}

static void expect_dual_stack(struct pod_fixture *fixture, const struct flannel_attachment *attachment)
{
	const struct flannel_link *bridge = flannel_attachment_get_bridge(attachment);
	const struct flannel_link *host = flannel_attachment_get_host_link(attachment);
	const struct flannel_link *container = flannel_attachment_get_container_link(attachment);
	const char *node = fixture->node, *pod = fixture->pod;
	char name[64];

	/* the bridge's own operstate follows within a second */
	sandbox_expect("1450 true 10.244.1.1/24 10.244.1.255",
		       "%s ip -j addr show cni0 | jq -r '.[0] | [(.mtu|tostring), (.flags | index(\"LOWER_UP\") != "
		       "null | tostring), "
		       "(.addr_info[] | select(.family == \"inet\") | \"\\(.local)/\\(.prefixlen) \\(.broadcast)\")] | "
		       "join(\" \")'",
		       node);
	sandbox_expect("fd00:10:244:1::1/64",
		       "%s ip -j -6 addr show cni0 scope global | jq -r '.[0].addr_info[] | select(.local) | "
		       "\"\\(.local)/\\(.prefixlen)\"'",
		       node);
	sandbox_expect("0", "%s ip -j -d link show cni0 | jq -r '.[0].linkinfo.info_data.stp_state'", node);
	sandbox_expect(bridge->mac, "%s ip -j link show cni0 | jq -r '.[0].address'", node);
	expect_setting(node, "ipv6/conf/cni0/accept_ra", "0");
	cr_expect_eq(strspn(host->name, "veth0123456789abcdef"), 12, "%s", host->name);
	sandbox_expect("1450 cni0 forwarding true true true false",
		       "%s ip -j -d link show %s | jq -r '.[0] | [.mtu, .master, (.linkinfo.info_slave_data | .state, "
		       ".hairpin, "
		       ".learning, .flood, .isolated)] | map(tostring) | join(\" \")'",
		       node, host->name);
	sandbox_expect(host->mac, "%s ip -j link show %s | jq -r '.[0].address'", node, host->name);
	snprintf(name, sizeof(name), "ipv6/conf/%s/accept_ra", host->name);
	expect_setting(node, name, "0");
	expect_setting(node, "ipv4/ip_forward", "1");
	expect_setting(node, "ipv6/conf/all/forwarding", "1");
	sandbox_expect("1450 UP 10.244.1.2/24 10.244.1.255",
		       "%s ip -j addr show eth0 | jq -r '.[0] | [(.mtu|tostring), .operstate, (.addr_info[] | "
		       "select(.family == "
		       "\"inet\") | \"\\(.local)/\\(.prefixlen) \\(.broadcast)\")] | join(\" \")'",
		       pod);
	sandbox_expect("fd00:10:244:1::2/64 false",
		       "%s ip -j -6 addr show eth0 scope global | jq -r '.[0].addr_info[] | select(.local) | "
		       "\"\\(.local)/\\(.prefixlen) "
		       "\\(.tentative // false)\"'",
		       pod);
	sandbox_expect(container->mac, "%s ip -j link show eth0 | jq -r '.[0].address'", pod);
	cr_expect_str_eq(container->name, "eth0");
	cr_expect_eq(container->mtu, 1450);
	expect_setting(pod, "ipv6/conf/eth0/accept_dad", "0");
	expect_setting(pod, "ipv6/conf/eth0/enhanced_dad", "1");
	expect_setting(pod, "ipv6/conf/eth0/keep_addr_on_down", "1");
	expect_setting(pod, "ipv6/conf/eth0/disable_ipv6", "0");
	expect_setting(pod, "ipv6/conf/eth0/accept_ra", "1");
	expect_setting(pod, "ipv4/conf/eth0/arp_notify", "1");
	sandbox_expect("default via 10.244.1.1 dev eth0\n10.244.0.0/16 via 10.244.1.1 dev eth0\n"
		       "10.244.1.0/24 dev eth0 proto kernel scope link src 10.244.1.2",
		       "%s ip route | sed 's/ *$//'", pod);
	sandbox_expect("fd00:10:244:1::/64 dev eth0 proto kernel metric 256 pref medium\n"
		       "default via fd00:10:244:1::1 dev eth0 metric 1024 pref medium",
		       "%s ip -6 route | grep -v fe80", pod);
	sandbox_expect("DOWN", "%s ip -j link show lo | jq -r '.[0].operstate'", pod);
}

/* flannel's behaviour: what the bridge plugin leaves for hairpinMode, isDefaultGateway and mtu 1450 */
Test(attachment, dual_stack)
{
	/* the second time round with settings in a private place, as on a node that has had many links; without these, whose end would
	 * take the kernel's lock from all other tests for seconds */
	for (unsigned int mode = 0; mode < 2 * POD_MODES; mode++) {
		struct pod_fixture fixture;
		struct flannel_address addresses[2];
		struct flannel_attachment_route route;
		struct flannel_attachment_options options;
		struct flannel_attachment *attachment;
		char text[FLANNEL_PREFIX_STRLEN];

		pod_open(&fixture, mode % POD_MODES);
		if (mode >= POD_MODES)
			fixture.context->sysctl_root = fl_sysctl_open_private();
		cr_assert_eq(fixture.context->sysctl_root >= 0, mode >= POD_MODES);
		pod_snapshot(&fixture, "before");
		addresses[0] = make_address("10.244.1.2/24", NULL);
		addresses[1] = make_address("fd00:10:244:1::2/64", NULL);
		route = make_route("10.244.0.0/16", NULL);
		options = make_options(&fixture, FLANNEL_ATTACHMENT_DEFAULT_GATEWAY | FLANNEL_ATTACHMENT_HAIRPIN);
		options.mtu = 1450;
		options.addresses = addresses;
		options.n_addresses = 2;
		options.routes = &route;
		options.n_routes = 1;
		attachment = attach(&fixture, &options);
		cr_expect_eq(fixture.context->sysctl_root, FL_SYSCTL_ROOT);
		expect_dual_stack(&fixture, attachment);
		cr_expect_str_eq(flannel_prefix_format(&flannel_attachment_get_address(attachment, 0)->gateway, text,
						       sizeof(text)),
				 "10.244.1.1/32");
		cr_expect_null(flannel_attachment_get_address(attachment, 2));
		cr_expect_eq(flannel_attachment_get_route(attachment, 0)->via.family, AF_UNSPEC);
		cr_expect_eq(flannel_attachment_get_route(attachment, 2)->dst.family, AF_INET6);
		cr_expect_null(flannel_attachment_get_route(attachment, 3));
		sandbox_run("%s ping -c1 -W2 10.244.1.1", fixture.pod);
		if (mode & 2) {
			pod_snapshot(&fixture, "after");
			pod_expect_unchanged(&fixture, "before", "after", "caller");
		}
		cr_expect_eq(flannel_attachment_detach(fixture.context, fixture.pod_fd, "eth0", NULL), 1);
		cr_expect_eq(flannel_attachment_detach(fixture.context, fixture.pod_fd, "eth0", NULL), 0);
		sandbox_expect("", "%s ip -o link show %s 2>/dev/null", fixture.node,
			       flannel_attachment_get_host_link(attachment)->name);
		sandbox_expect("10.244.1.1", "%s ip -j -4 addr show cni0 | jq -r '.[0].addr_info[].local'",
			       fixture.node);
		flannel_attachment_free(attachment);
		pod_close(&fixture);
	}
}

/* where the node is no gateway, another router may be there, and is asked for its advertisements */
Test(attachment, routers_are_solicited)
{
	struct pod_fixture fixture;
	struct flannel_address address = make_address("10.244.1.2/24", NULL);
	struct flannel_attachment_options options;

	pod_open(&fixture, 1);
	options = make_options(&fixture, 0);
	options.addresses = &address;
	options.n_addresses = 1;
	flannel_attachment_free(attach(&fixture, &options));
	expect_setting(fixture.pod, "ipv6/conf/eth0/accept_ra", "1");
	sandbox_expect("-1", "%s cat /proc/sys/net/ipv6/conf/eth0/router_solicitations", fixture.pod);
	pod_close(&fixture);
}

/* containers come and go, and the gateway keeps its MAC address */
Test(attachment, mac_of_the_bridge_is_pinned)
{
	struct pod_fixture fixture;
	struct flannel_address address = make_address("10.244.1.2/24", NULL);
	struct flannel_attachment_options options;
	struct flannel_attachment *attachment;
	char mac[FLANNEL_MAC_STRLEN];
	int other;

	pod_open(&fixture, 1);
	options = make_options(&fixture, FLANNEL_ATTACHMENT_GATEWAY);
	options.addresses = &address;
	options.n_addresses = 1;
	options.mac = "02:aa:bb:cc:dd:ee";
	attachment = attach(&fixture, &options);
	cr_expect_str_eq(flannel_attachment_get_container_link(attachment)->mac, options.mac);
	memcpy(mac, flannel_attachment_get_bridge(attachment)->mac, sizeof(mac));
	flannel_attachment_free(attachment);
	sandbox_run("ip link add low type veth peer name low1 && ip link set low address 02:00:00:00:00:01 && "
		    "ip link set low master cni0");
	sandbox_expect(mac, "ip -j link show cni0 | jq -r '.[0].address'");

	/* a second container meets a bridge that is complete */
	other = sandbox_new_netns();
	options.netns_fd = other;
	options.mac = NULL;
	address = make_address("10.244.1.3/24", NULL);
	attachment = attach(&fixture, &options);
	cr_expect_str_eq(flannel_attachment_get_bridge(attachment)->mac, mac);
	flannel_attachment_free(attachment);
	cr_expect_eq(flannel_attachment_detach(fixture.context, fixture.pod_fd, "eth0", NULL), 1);
	cr_expect_eq(flannel_attachment_detach(fixture.context, other, "eth0", NULL), 1);
	sandbox_run("ip link del low");
	sandbox_expect(mac, "ip -j link show cni0 | jq -r '.[0].address'");
	close(other);
	pod_close(&fixture);
}

/* flags of the port, layer 2 with the bridge's MAC as it became, and an interface that stays down */
Test(attachment, layer_2)
{
	static const struct {
		unsigned int flags;
		const char *port;  /* hairpin, isolated */
		const char *state; /* operstate in the container, promiscuity of the bridge by request */
	} cases[] = {
		{0, "false false", "UP false"},
		{FLANNEL_ATTACHMENT_HAIRPIN, "true false", "UP false"},
		{FLANNEL_ATTACHMENT_ISOLATED, "false true", "UP false"},
		{FLANNEL_ATTACHMENT_HAIRPIN | FLANNEL_ATTACHMENT_ISOLATED, "true true", "UP false"},
		{FLANNEL_ATTACHMENT_PROMISCUOUS, "false false", "UP true"},
		{FLANNEL_ATTACHMENT_LINK_DOWN, "false false", "DOWN false"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct pod_fixture fixture;
		struct flannel_attachment_options options;
		struct flannel_attachment *attachment;

		pod_open(&fixture, (unsigned int)i % POD_MODES);
		options = make_options(&fixture, cases[i].flags);
		options.bridge = "br7";
		options.ifname = "net1";
		attachment = attach(&fixture, &options);
		sandbox_expect(cases[i].port,
			       "%s ip -j -d link show %s | jq -r '.[0].linkinfo.info_slave_data | \"\\(.hairpin) "
			       "\\(.isolated)\"'",
			       fixture.node, flannel_attachment_get_host_link(attachment)->name);
		sandbox_expect(cases[i].state,
			       "echo $(%s ip -j link show net1 | jq -r '.[0].operstate') $(%s ip -j link show br7 | "
			       "jq -r '.[0].flags | index(\"PROMISC\") != null')",
			       fixture.pod, fixture.node);
		sandbox_expect(flannel_attachment_get_bridge(attachment)->mac,
			       "%s ip -j link show br7 | jq -r '.[0].address'", fixture.node);
		expect_setting(fixture.node, "ipv4/ip_forward", "0");
		cr_expect_null(flannel_attachment_get_address(attachment, 0));
		cr_expect_null(flannel_attachment_get_route(attachment, 0));
		flannel_attachment_free(attachment);
		pod_close(&fixture);
	}
}

Test(attachment, routes_with_everything)
{
	struct pod_fixture fixture;
	struct flannel_address address = make_address("10.244.1.2/24", "10.244.1.254");
	struct flannel_attachment_route routes[6] = {
		make_route("10.9.0.0/16", NULL),         make_route("10.8.0.0/16", "10.244.1.7"),
		make_route("10.7.0.0/16", NULL),         make_route("10.9.0.0/16", NULL),
		make_route("10.8.0.0/16", "10.244.1.8"), make_route("10.6.0.0/16", "10.244.1.9"),
	};
	struct flannel_attachment_options options;

	pod_open(&fixture, 0);
	routes[0].mtu = 1300;
	routes[0].advmss = 1200;
	routes[3] = routes[0]; /* the very same twice is one */
	routes[2].scope = 253;
	routes[5].table = 1000;
	routes[5].priority = 5;
	options = make_options(&fixture, 0);
	options.addresses = &address;
	options.n_addresses = 1;
	options.routes = routes;
	options.n_routes = 6;
	flannel_attachment_free(attach(&fixture, &options));
	sandbox_expect("10.7.0.0/16 dev eth0 scope link\n10.8.0.0/16 via 10.244.1.7 dev eth0\n10.8.0.0/16 via "
		       "10.244.1.8 dev eth0\n"
		       "10.9.0.0/16 via 10.244.1.254 dev eth0 mtu 1300 advmss 1200\n"
		       "10.244.1.0/24 dev eth0 proto kernel scope link src 10.244.1.2",
		       "%s ip route | sed 's/ *$//' | sort -n -t. -k2", fixture.pod);
	sandbox_expect("10.6.0.0/16 via 10.244.1.9 dev eth0 metric 5", "%s ip route show table 1000 | sed 's/ *$//'",
		       fixture.pod);
	sandbox_expect("0", "ip -j -4 addr show cni0 | jq '[.[0].addr_info[]?] | length'");
	pod_close(&fixture);
}

/* a bridge that somebody else made */
Test(attachment, existing_bridge)
{
	for (unsigned int mode = 0; mode < POD_MODES; mode++) {
		struct pod_fixture fixture;
		struct flannel_address address = make_address("10.244.1.2/24", NULL);
		struct flannel_attachment_options options;
		struct flannel_attachment *attachment = NULL;
		struct flannel_error *error = NULL;

		pod_open(&fixture, mode);
		sandbox_run("%s ip link add cni0 type bridge && %s ip addr add 172.16.0.1/16 brd + dev cni0",
			    fixture.node, fixture.node);
		pod_snapshot(&fixture, "before");
		options = make_options(&fixture, FLANNEL_ATTACHMENT_GATEWAY);
		options.addresses = &address;
		options.n_addresses = 1;
		cr_expect_eq(flannel_attachment_attach(fixture.context, &options, &attachment, &error), -EEXIST);
		sandbox_expect_error(&error, -EEXIST, "172.16.0.1/16");
		cr_expect_null(attachment);
		pod_snapshot(&fixture, "after");
		pod_expect_unchanged(&fixture, "before", "after", "node");
		pod_expect_unchanged(&fixture, "before", "after", "pod");
		pod_expect_unchanged(&fixture, "before", "after", "caller");

		options.flags |= FLANNEL_ATTACHMENT_FORCE_ADDRESS;
		attachment = attach(&fixture, &options);
		sandbox_expect("10.244.1.1", "%s ip -j -4 addr show cni0 | jq -r '.[0].addr_info[].local'",
			       fixture.node);
		sandbox_run("%s ping -c1 -W2 10.244.1.1", fixture.pod);
		flannel_attachment_free(attachment);
		pod_close(&fixture);
	}
}

/* how an attempt is made to fail, and how late: each sets up its own trouble */
struct trouble {
	const char *name;
	const char *node_command; /* NODE and POD stand for the ways in */
	const char *pod_command;
	unsigned int flags;
	uint32_t mtu;
	const char *addresses[2];
	const char *gateway;
	const char *route[2];
	bool read_only; /* /proc/sys cannot be written */
	int code;
	const char *part;
};

static const struct trouble troubles[] = {
	{.name = "the bridge's name is taken",
	 .node_command = "ip link add cni0 type veth peer name x",
	 .addresses = {"10.244.1.2/24"},
	 .code = -EEXIST,
	 .part = "no bridge"},
	{.name = "the bridge is refused", .mtu = 20, .addresses = {"10.244.1.2/24"}, .code = -EINVAL, .part = "cni0"},
	{.name = "the pair is refused",
	 .node_command = "ip link add cni0 type bridge",
	 .mtu = 20,
	 .addresses = {"10.244.1.2/24"},
	 .code = -EINVAL,
	 .part = "veth"},
	{.name = "the interface is there",
	 .pod_command = "ip link add eth0 type veth peer name x",
	 .addresses = {"10.244.1.2/24"},
	 .code = -EEXIST,
	 .part = "eth0"},
	{.name = "the interface is there, layer 2, on somebody's bridge",
	 .node_command = "ip link add cni0 type bridge",
	 .pod_command = "ip link add eth0 type veth peer name x",
	 .code = -EEXIST,
	 .part = "eth0"},
	{.name = "the same address twice",
	 .addresses = {"10.244.1.2/24", "10.244.1.2/24"},
	 .flags = FLANNEL_ATTACHMENT_GATEWAY,
	 .code = -EEXIST,
	 .part = "10.244.1.2/24"},
	{.name = "an address that none can have",
	 .addresses = {"10.244.1.2/24", "ff02::5/64"},
	 .flags = FLANNEL_ATTACHMENT_PROMISCUOUS,
	 .pod_command = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
	 .part = "ff02::5/64"},
	{.name = "a route nowhere",
	 .addresses = {"10.244.1.2/24", "fd00:1::2/64"},
	 .flags = FLANNEL_ATTACHMENT_DEFAULT_GATEWAY | FLANNEL_ATTACHMENT_HAIRPIN,
	 .route = {"10.9.0.0/16", "203.0.113.1"},
	 .code = -ENETUNREACH,
	 .part = "invalid gateway"},
	{.name = "a route nowhere, from a bridge that is down, and a namespace without IPv6",
	 .node_command =
		 "ip link add cni0 type bridge; ip addr add 172.16.0.1/16 brd + dev cni0; ip link set cni0 mtu 1400",
	 .pod_command = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1",
	 .addresses = {"10.244.1.2/24", "fd00:1::2/64"},
	 .flags =
		 FLANNEL_ATTACHMENT_DEFAULT_GATEWAY | FLANNEL_ATTACHMENT_FORCE_ADDRESS | FLANNEL_ATTACHMENT_PROMISCUOUS,
	 .route = {"10.9.0.0/16", "203.0.113.1"},
	 .code = -ENETUNREACH,
	 .part = "invalid gateway"},
	{.name = "a route nowhere, on a bridge without addresses or ports",
	 .node_command = "ip link add cni0 type bridge; ip link set cni0 up",
	 .addresses = {"10.244.1.2/24"},
	 .route = {"10.9.0.0/16", "203.0.113.1"},
	 .code = -ENETUNREACH,
	 .part = "invalid gateway"},
	{.name = "two gateways of one family",
	 .addresses = {"10.244.1.2/24", "10.245.1.2/24"},
	 .flags = FLANNEL_ATTACHMENT_GATEWAY,
	 .code = -EEXIST,
	 .part = "10.245.1.1/24"},
	{.name = "a gateway that the bridge cannot have",
	 .node_command = "ip link add cni0 type bridge; ip addr add 172.16.0.1/16 brd + dev cni0",
	 .addresses = {"fd00:1::2/64"},
	 .gateway = "ff02::5",
	 .flags = FLANNEL_ATTACHMENT_GATEWAY | FLANNEL_ATTACHMENT_FORCE_ADDRESS,
	 .part = "ff02::5/64"},
	{.name = "settings that cannot be written",
	 .node_command = "ip link add cni0 type bridge; ip addr add 10.244.1.9/24 brd + dev cni0",
	 .addresses = {"10.244.1.2/24"},
	 .flags = FLANNEL_ATTACHMENT_GATEWAY | FLANNEL_ATTACHMENT_FORCE_ADDRESS,
	 .read_only = true,
	 .code = -EROFS,
	 .part = "ip_forward"},
};

/* a mount namespace of this process whose /proc/sys cannot be written */
static void forbid_settings(void)
{
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	cr_assert_eq(mount(NULL, "/proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
}

static void meet_trouble(const struct trouble *trouble, unsigned int mode)
{
	struct pod_fixture fixture;
	struct flannel_address addresses[2];
	struct flannel_attachment_route route;
	struct flannel_attachment_options options;
	struct flannel_attachment *attachment = NULL;
	struct flannel_error *error = NULL;
	int r, n_fds;

	pod_open(&fixture, mode);
	if (trouble->node_command)
		sandbox_run("%s sh -c '%s'", fixture.node, trouble->node_command);
	if (trouble->pod_command)
		sandbox_run("%s sh -c '%s'", fixture.pod, trouble->pod_command);
	if (trouble->read_only)
		forbid_settings();
	pod_snapshot(&fixture, "before");
	options = make_options(&fixture, trouble->flags);
	options.mtu = trouble->mtu;
	options.addresses = addresses;
	for (size_t i = 0; i < 2 && trouble->addresses[i]; i++)
		addresses[options.n_addresses++] = make_address(trouble->addresses[i], trouble->gateway);
	if (trouble->route[0]) {
		route = make_route(trouble->route[0], trouble->route[1]);
		options.routes = &route;
		options.n_routes = 1;
	}
	/* the first attempt opens what stays open */
	flannel_attachment_detach(fixture.context, fixture.pod_fd, "none", NULL);
	n_fds = sandbox_count_fds();
	r = flannel_attachment_attach(fixture.context, &options, &attachment, &error);
	cr_expect(r < 0, "%s: no failure", trouble->name);
	cr_assert_not_null(error, "%s", trouble->name);
	fprintf(stderr, "%s: %s\n", trouble->name, flannel_error_get_message(error));
	sandbox_expect_error(&error, trouble->code ? trouble->code : r, trouble->part);
	cr_expect_null(attachment);
	pod_snapshot(&fixture, "after");
	pod_expect_unchanged(&fixture, "before", "after", "node");
	pod_expect_unchanged(&fixture, "before", "after", "pod");
	pod_expect_unchanged(&fixture, "before", "after", "caller");
	cr_expect_leq(sandbox_count_fds(), n_fds + 1, "%s: descriptors left", trouble->name);
	pod_close(&fixture);
}

Test(attachment, a_failure_leaves_nothing)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(troubles); i++)
		meet_trouble(&troubles[i], (unsigned int)i % POD_MODES);
}

/* duplicate address detection: waited for, and told when it fails */
Test(attachment, dad)
{
	struct pod_fixture fixture;
	struct flannel_address address = make_address("fd00:1::2/64", NULL);
	struct flannel_attachment_options options;
	struct flannel_attachment *attachment = NULL;
	struct flannel_error *error = NULL;
	int other;

	pod_open(&fixture, 0);
	options = make_options(&fixture, FLANNEL_ATTACHMENT_DEFAULT_GATEWAY | FLANNEL_ATTACHMENT_DAD);
	options.addresses = &address;
	options.n_addresses = 1;
	flannel_attachment_free(attach(&fixture, &options));
	expect_setting(fixture.pod, "ipv6/conf/eth0/accept_dad", "1");
	expect_setting(fixture.pod, "ipv6/conf/eth0/enhanced_dad", "1");
	expect_setting(fixture.pod, "ipv6/conf/eth0/router_solicitations", "0");
	sandbox_expect("0", "%s ip -j -6 addr show eth0 tentative | jq '[.[] | .addr_info[]?] | length'", fixture.pod);

	other = sandbox_new_netns();
	options.netns_fd = other;
	sandbox_expect("3", "ip -o link | wc -l");
	cr_expect_eq(flannel_attachment_attach(fixture.context, &options, &attachment, &error), -EADDRINUSE);
	sandbox_expect_error(&error, -EADDRINUSE, "fd00:1::2/64");
	sandbox_expect("3", "ip -o link | wc -l");
	close(other);
	pod_close(&fixture);
}

/* without a wait for it, another owner goes unnoticed */
Test(attachment, no_dad)
{
	struct pod_fixture fixture;
	struct flannel_address address = make_address("fd00:1::2/64", NULL);
	struct flannel_attachment_options options;
	int other;

	pod_open(&fixture, 1);
	options = make_options(&fixture, 0);
	options.addresses = &address;
	options.n_addresses = 1;
	flannel_attachment_free(attach(&fixture, &options));
	other = sandbox_new_netns();
	options.netns_fd = other;
	flannel_attachment_free(attach(&fixture, &options));
	close(other);
	pod_close(&fixture);
}

Test(attachment, own_namespace_is_refused)
{
	for (unsigned int mode = 0; mode < POD_MODES; mode++) {
		struct pod_fixture fixture;
		struct flannel_attachment_options options;
		struct flannel_attachment *attachment = NULL;
		struct flannel_error *error = NULL;

		pod_open(&fixture, mode);
		options = make_options(&fixture, 0);
		options.netns_fd = fixture.node_fd;
		cr_expect_eq(flannel_attachment_attach(fixture.context, &options, &attachment, &error), -EINVAL);
		sandbox_expect_error(&error, -EINVAL, "own");
		cr_expect_eq(flannel_attachment_detach(fixture.context, fixture.node_fd, "lo", &error), -EINVAL);
		sandbox_expect_error(&error, -EINVAL, "own");
		sandbox_expect("", "%s ip -o link show cni0 2>/dev/null", fixture.node);
		/* with the context elsewhere, the caller's own namespace is a container like others */
		if (mode & 2) {
			options.netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
			flannel_attachment_free(attach(&fixture, &options));
			sandbox_expect("eth0", "ip -j link show eth0 | jq -r '.[0].ifname'");
			cr_expect_eq(flannel_attachment_detach(fixture.context, options.netns_fd, "eth0", NULL), 1);
			close(options.netns_fd);
		}
		pod_close(&fixture);
	}
}

Test(attachment, without_privilege)
{
	struct pod_fixture fixture;
	struct flannel_attachment_options options;
	struct flannel_attachment *attachment = NULL;
	struct flannel_error *error = NULL;

	pod_open(&fixture, 0);
	options = make_options(&fixture, 0);
	cr_assert_eq(seteuid(65534), 0);
	cr_expect_eq(flannel_attachment_attach(fixture.context, &options, &attachment, &error), -EPERM);
	flannel_error_unref(error);
	cr_assert_eq(seteuid(0), 0);
	sandbox_expect("", "ip -o link show cni0 2>/dev/null");
	pod_close(&fixture);
}

/* is the link there that another process is about to make */
static int test_link(void *userdata, struct flannel_error **ret_error)
{
	struct fl_link_info info;

	return fl_link_get(userdata, "late0", &info, ret_error);
}

Test(attachment, a_wait_ends_with_the_event_or_the_time)
{
	struct pod_fixture fixture;
	struct fl_rtnl *rtnl;
	uint64_t start_ns;
	pid_t child;
	int r;

	pod_open(&fixture, 0);
	cr_assert_eq(fl_context_get_rtnl(fixture.context, &rtnl, NULL), 0);
	start_ns = fl_loop_now();
	r = fl_pod_wait(fixture.context, -1, rtnl, test_link, rtnl, 50, NULL);
	cr_expect_eq(r, -ETIMEDOUT);
	cr_expect_geq(fl_loop_now() - start_ns, 50 * FL_NSEC_PER_MSEC);
	child = fork();
	if (child == 0) {
		execlp("ip", "ip", "link", "add", "late0", "type", "bridge", NULL);
		_exit(1);
	}
	cr_expect_eq(fl_pod_wait(fixture.context, -1, rtnl, test_link, rtnl, 20000, NULL), 1);
	cr_expect_lt(fl_loop_now() - start_ns, 15 * FL_NSEC_PER_SEC);
	pod_close(&fixture);
}
