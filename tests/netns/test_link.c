/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sandbox.h"
#include "sys/rtnl/link.h"

/* a socket in a namespace of this test's own */
static struct fl_rtnl *enter(void)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_rtnl *rtnl = NULL;
	int r;

	sandbox_enter();
	r = fl_rtnl_open(-1, true, &rtnl, &error);
	sandbox_assert_ok(r, error);
	return rtnl;
}

/* makes a link that must succeed */
static struct fl_link_info create(struct fl_rtnl *rtnl, const struct fl_link *link, int peer_netns_fd)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_link_info info;
	int r = fl_link_create(rtnl, link, peer_netns_fd, &info, &error);

	sandbox_assert_ok(r, error);
	return info;
}

Test(link, create_bridge_with_all_attributes)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	const struct fl_link bridge = {
		.name = "cni0",
		.kind = "bridge",
		.set = FL_LINK_MTU | FL_LINK_MAC | FL_LINK_UP | FL_LINK_PROMISC | FL_LINK_ALIAS,
		.mtu = 1450,
		.mac = {2, 0, 0, 0, 0, 9},
		.up = true,
		.promisc = true,
		.alias = "flannel test",
	};
	struct fl_link_info info = create(rtnl, &bridge, -1), again = {0};

	sandbox_expect("cni0 bridge 1450 02:00:00:00:00:09 true true flannel test",
		       "ip -j -d link show cni0 | jq -r '.[] | [.ifname, .linkinfo.info_kind, .mtu, .address, "
		       "(.flags|index(\"UP\")!=null), (.flags|index(\"PROMISC\")!=null), .ifalias] | join(\" \")'");
	cr_expect_eq(fl_link_get(rtnl, "cni0", &again, NULL), 1);
	cr_expect_eq(info.ifindex, again.ifindex);
	cr_expect_str_eq(info.name, "cni0");
	cr_expect_str_eq(info.kind, "bridge");
	cr_expect_str_eq(info.alias, "flannel test");
	cr_expect_str_eq(again.alias, "flannel test");
	cr_expect_eq(info.mtu, 1450);
	cr_expect(info.has_mac && memcmp(info.mac, bridge.mac, FL_MAC_LEN) == 0);
	cr_expect_eq(info.flags & (IFF_UP | IFF_PROMISC), IFF_UP | IFF_PROMISC);
	cr_expect_eq(again.flags & (IFF_UP | IFF_PROMISC), IFF_UP | IFF_PROMISC);
	cr_expect_eq(fl_link_get_by_index(rtnl, info.ifindex, &again, NULL), 1);
	cr_expect_str_eq(again.name, "cni0");
}

Test(link, create_leaves_alone_what_is_not_set)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	const struct fl_link bridge = {
		.name = "cni0", .kind = "bridge", .mtu = 1234, .up = true, .promisc = true, .alias = "no"};

	cr_expect_eq(fl_link_create(rtnl, &bridge, -1, NULL, NULL), 0);
	sandbox_expect("1500 false false null",
		       "ip -j link show cni0 | jq -r '.[] | \"\\(.mtu) \\(.flags|index(\"UP\")!=null) "
		       "\\(.flags|index(\"PROMISC\")!=null) \\(.ifalias)\"'");
}

Test(link, create_veth_into_a_namespace)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	FL_CLEANUP(fl_closep) int pod = sandbox_new_netns();
	const struct fl_link bridge = {.name = "cni0", .kind = "bridge", .set = FL_LINK_UP, .up = true};
	const struct fl_link veth = {
		.name = "veth0",
		.kind = "veth",
		.set = FL_LINK_MTU | FL_LINK_MAC | FL_LINK_UP | FL_LINK_MASTER | FL_LINK_ALIAS,
		.mtu = 1400,
		.mac = {2, 0, 0, 0, 0, 1},
		.up = true,
		.master = "cni0",
		.alias = "pod",
		.peer_name = "eth0",
		.peer_has_mac = true,
		.peer_mac = {2, 0, 0, 0, 0, 2},
	};
	uint32_t bridge_index = create(rtnl, &bridge, -1).ifindex;
	int n_fds = sandbox_count_fds();
	struct fl_link_info info = create(rtnl, &veth, pod), again = {0}, peer = {0};
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *inside = NULL;
	char in[64];

	sandbox_expect("veth0 1400 02:00:00:00:00:01 cni0 true pod 1 1",
		       "ip -j -d link show veth0 | jq -r '.[] | [.ifname, .mtu, .address, .master, "
		       "(.flags|index(\"UP\")!=null), .ifalias, .num_tx_queues, .num_rx_queues] | join(\" \")'");
	sandbox_expect("eth0 1400 02:00:00:00:00:02 false 1 1",
		       "%s ip -j -d link show eth0 | jq -r '.[] | [.ifname, .mtu, .address, "
		       "(.flags|index(\"UP\")!=null), .num_tx_queues, .num_rx_queues] | join(\" \")'",
		       sandbox_in(pod, in));
	cr_expect_eq(sandbox_count_fds(), n_fds);
	cr_expect_eq(fl_link_get(rtnl, "veth0", &again, NULL), 1);
	cr_expect_eq(info.ifindex, again.ifindex);
	cr_expect_eq(info.master_ifindex, bridge_index);
	cr_expect_eq(again.master_ifindex, bridge_index);
	cr_expect(again.is_port && !again.hairpin && !again.isolated);
	cr_expect_str_eq(info.kind, "veth");
	cr_expect_eq(memcmp(info.mac, veth.mac, FL_MAC_LEN), 0);
	cr_assert_eq(fl_rtnl_open(pod, false, &inside, NULL), 0);
	cr_expect_eq(fl_link_get(inside, "eth0", &peer, NULL), 1);
	cr_expect_eq(info.peer_ifindex, peer.ifindex);
	cr_expect_eq(peer.peer_ifindex, info.ifindex);
}

Test(link, create_veth_here_with_names_of_the_kernels_choice)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	const struct fl_link veth = {.name = "a", .kind = "veth"};
	struct fl_link_info info = create(rtnl, &veth, -1), peer;

	cr_expect_eq(fl_link_get_by_index(rtnl, info.peer_ifindex, &peer, NULL), 1);
	cr_expect_eq(peer.peer_ifindex, info.ifindex);
	cr_expect(info.has_mac);
}

Test(link, create_refuses)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	FL_CLEANUP(fl_closep) int pod = sandbox_new_netns();
	const struct {
		const char *what;
		struct fl_link link;
		int peer_netns_fd;
		int result;
		const char *part;
	} cases[] = {
		{"name taken", {.name = "lo", .kind = "bridge"}, -1, -EEXIST, "create bridge lo: File exists"},
		{"peer name taken",
		 {.name = "v0", .kind = "veth", .peer_name = "eth0"},
		 pod,
		 -EEXIST,
		 "create veth v0 with peer eth0: File exists"},
		{"peer name taken here",
		 {.name = "v0", .kind = "veth", .peer_name = "lo"},
		 -1,
		 -EEXIST,
		 "create veth v0 with peer lo: File exists"},
		{"unknown kind", {.name = "x", .kind = "nonsense"}, -1, -EOPNOTSUPP, "Unknown device type"},
		{"no such master",
		 {.name = "v0", .kind = "veth", .set = FL_LINK_MASTER, .master = "nobody"},
		 -1,
		 -ENODEV,
		 "put v0 into nobody: No such device"},
		{"master is no bridge",
		 {.name = "v0", .kind = "veth", .set = FL_LINK_MASTER, .master = "lo"},
		 -1,
		 -EOPNOTSUPP,
		 "create veth v0"},
		{"bad name", {.name = "a/b", .kind = "bridge"}, -1, -EINVAL, "create bridge a/b"},
		{"multicast MAC",
		 {.name = "v0", .kind = "veth", .set = FL_LINK_MAC, .mac = {1, 0, 0, 0, 0, 1}},
		 -1,
		 -EADDRNOTAVAIL,
		 "create veth v0"},
		{"MTU too small",
		 {.name = "b0", .kind = "bridge", .set = FL_LINK_MTU, .mtu = 1},
		 -1,
		 -EINVAL,
		 "create bridge b0: mtu less than device minimum"},
		{"no namespace", {.name = "v0", .kind = "veth", .peer_name = "p"}, 9999, -EBADF, "create veth v0"},
	};
	char in[64];

	sandbox_run("%s ip link add eth0 type bridge", sandbox_in(pod, in));
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_error *error = NULL;
		struct fl_link_info info = {.ifindex = 77};
		int r = fl_link_create(rtnl, &cases[i].link, cases[i].peer_netns_fd, &info, &error);

		cr_expect_eq(r, cases[i].result, "%s: %d", cases[i].what, r);
		cr_expect_eq(info.ifindex, 77, "%s: result touched", cases[i].what);
		sandbox_expect_error(&error, cases[i].result, cases[i].part);
		sandbox_expect("1", "ip -j link | jq length");
	}
}

Test(link, get_tells_absence_from_failure)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_link_info info = {.ifindex = 77};
	struct flannel_error *error = NULL;
	char name[FLANNEL_IFNAME_SIZE] = "old";
	uint32_t ifindex = 77;

	cr_expect_eq(fl_link_get(rtnl, "nobody", &info, &error), 0);
	cr_expect_eq(fl_link_get_by_index(rtnl, 4711, &info, &error), 0);
	cr_expect_null(error);
	cr_expect_eq(info.ifindex, 77);
	cr_expect_eq(fl_link_get(rtnl, "a-name-that-is-much-too-long", &info, &error), -ERANGE);
	sandbox_expect_error(&error, -ERANGE, "get link a-name-that-is-much-too-long: ");
	cr_expect_eq(fl_link_find_index(rtnl, "nobody", &ifindex), -ENODEV);
	cr_expect_eq(fl_link_find_index(rtnl, "a-name-that-is-much-too-long", &ifindex), -ENODEV);
	cr_expect_eq(fl_link_find_index(rtnl, "", &ifindex), -ENODEV);
	cr_expect_eq(ifindex, 77);
	cr_expect_eq(fl_link_find_name(rtnl, 4711, name), -ENODEV);
	cr_expect_str_eq(name, "old");
	cr_expect_eq(fl_link_find_index(rtnl, "lo", &ifindex), 0);
	cr_expect_eq(ifindex, 1);
	cr_expect_eq(fl_link_find_name(rtnl, 1, name), 0);
	cr_expect_str_eq(name, "lo");
}

Test(link, list_is_complete_and_in_order)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	FL_CLEANUP(fl_freep) struct fl_link_info *links = NULL;
	size_t n = 0;

	sandbox_run("seq -f 'link add b%%g type bridge' 200 | ip -batch -");
	cr_expect_eq(fl_link_list(rtnl, &links, &n, NULL), 0);
	cr_assert_eq(n, 201);
	cr_expect_str_eq(links[0].name, "lo");
	for (size_t i = 1; i < n; i++) {
		cr_expect_gt(links[i].ifindex, links[i - 1].ifindex);
		cr_expect_str_eq(links[i].kind, "bridge");
	}
}

Test(link, change_touches_only_what_is_set)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	static const char own[] = "ip -j -d link show v0 | jq -r '.[] | \"\\(.mtu) \\(.master) "
				  "\\(.flags|index(\"UP\")!=null) \\(.promiscuity) \\(.ifalias)\"'";
	static const char port[] = "bridge -j -d link show dev v0 | jq -r '.[] | \"\\(.hairpin) \\(.isolated)\"'";
	const struct {
		struct fl_link change;
		const char *own, *port;
	} cases[] = {
		{{.name = "v0"}, "1500 null false 0 null", ""},
		{{.name = "v0", .set = FL_LINK_MTU, .mtu = 1400, .up = true}, "1400 null false 0 null", ""},
		{{.name = "v0", .set = FL_LINK_MASTER, .master = "bridge0"},
		 "1400 bridge0 false 1 null",
		 "false false"},
		{{.name = "v0", .set = FL_LINK_UP, .up = true}, "1400 bridge0 true 1 null", "false false"},
		{{.name = "v0", .set = FL_LINK_HAIRPIN, .hairpin = true}, "1400 bridge0 true 1 null", "true false"},
		{{.name = "v0", .set = FL_LINK_ISOLATED, .isolated = true}, "1400 bridge0 true 1 null", "true true"},
		{{.name = "v0", .set = FL_LINK_HAIRPIN | FL_LINK_ISOLATED | FL_LINK_MTU, .mtu = 1300},
		 "1300 bridge0 true 1 null",
		 "false false"},
		{{.name = "v0", .set = FL_LINK_ALIAS, .alias = "mine"}, "1300 bridge0 true 1 mine", "false false"},
		{{.name = "v0", .set = FL_LINK_PROMISC, .promisc = true}, "1300 bridge0 true 2 mine", "false false"},
		{{.name = "v0", .set = FL_LINK_PROMISC | FL_LINK_MASTER}, "1300 null true 0 mine", ""},
		{{.name = "v0", .set = FL_LINK_UP | FL_LINK_ALIAS}, "1300 null false 0 null", ""},
	};
	uint32_t ifindex = 0;

	sandbox_run("ip link add bridge0 type bridge && ip link add v0 type veth peer name v1");
	cr_assert_eq(fl_link_find_index(rtnl, "v0", &ifindex), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_link_info info;
		int r = fl_link_change(rtnl, ifindex, &cases[i].change, &error);

		sandbox_assert_ok(r, error);
		sandbox_expect(cases[i].own, own);
		sandbox_expect(cases[i].port, port);
		cr_expect_eq(fl_link_get(rtnl, "v0", &info, NULL), 1);
		cr_expect_eq(info.is_port, cases[i].port[0] != '\0', "case %zu", i);
		cr_expect_eq(info.hairpin, strncmp(cases[i].port, "true", 4) == 0, "case %zu", i);
		cr_expect_eq(info.isolated, strstr(cases[i].port, " true") != NULL, "case %zu", i);
	}
}

Test(link, change_refuses)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	const struct {
		uint32_t ifindex;
		struct fl_link change;
		int result;
		const char *part;
	} cases[] = {
		{4711, {.name = "x", .set = FL_LINK_UP, .up = true}, -ENODEV, "change link x: No such device"},
		{4711, {.name = "x", .set = FL_LINK_HAIRPIN}, -ENODEV, "change bridge port x: unknown ifindex"},
		{1, {.name = "lo", .set = FL_LINK_HAIRPIN}, -EOPNOTSUPP, "change bridge port lo: "},
		{1, {.name = "lo", .set = FL_LINK_MASTER, .master = "no"}, -ENODEV, "put lo into no: No such device"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct flannel_error *error = NULL;
		int r = fl_link_change(rtnl, cases[i].ifindex, &cases[i].change, &error);

		cr_expect_eq(r, cases[i].result, "case %zu: %d", i, r);
		sandbox_expect_error(&error, cases[i].result, cases[i].part);
	}
}

Test(link, delete_goes_by_index_and_not_by_name)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct flannel_error *error = NULL;
	uint32_t first = 0;

	sandbox_run("ip link add bridge0 type bridge");
	cr_assert_eq(fl_link_find_index(rtnl, "bridge0", &first), 0);
	cr_expect_eq(fl_link_delete(rtnl, first, "bridge0", &error), 1);
	sandbox_expect("1", "ip -j link | jq length");
	/* someone else takes the name over */
	sandbox_run("ip link add bridge0 type bridge");
	cr_expect_eq(fl_link_delete(rtnl, first, "bridge0", &error), 0);
	cr_expect_null(error);
	sandbox_expect("bridge0", "ip -j link show bridge0 | jq -r '.[].ifname'");
	cr_expect_eq(fl_link_delete(rtnl, 1, "lo", &error), -EOPNOTSUPP);
	sandbox_expect_error(&error, -EOPNOTSUPP, "delete link lo: Operation not supported");
}

/* a message of the kernel's making, to be spoilt */
static struct nl_msg *make_newlink(unsigned char family, const char *name)
{
	const struct ifinfomsg header = {.ifi_family = family, .ifi_index = 5};
	struct nl_msg *message = fl_rtnl_message(RTM_NEWLINK, 0, &header, sizeof(header));

	cr_assert_not_null(message);
	if (name)
		cr_assert_eq(nla_put(message, IFLA_IFNAME, (int)strlen(name) + 1, name), 0);
	return message;
}

Test(link, parse_refuses_malformed_messages)
{
	struct fl_link_info info = {.ifindex = 77};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *good = make_newlink(AF_UNSPEC, "x"), *port = make_newlink(AF_BRIDGE, "x"),
		      *nameless = make_newlink(AF_UNSPEC, NULL),
		      *endless = make_newlink(AF_UNSPEC, "a-name-of-16-byte"),
		      *short_mtu = make_newlink(AF_UNSPEC, "x"), *cut = make_newlink(AF_UNSPEC, "x");

	cr_assert_eq(nla_put_u16(short_mtu, IFLA_MTU, 1), 0);
	nlmsg_hdr(cut)->nlmsg_len = NLMSG_HDRLEN + 4;
	cr_expect_eq(fl_link_parse(nlmsg_hdr(port), &info), -EBADMSG);
	cr_expect_eq(fl_link_parse(nlmsg_hdr(nameless), &info), -EBADMSG);
	cr_expect_eq(fl_link_parse(nlmsg_hdr(endless), &info), -EBADMSG);
	cr_expect_eq(fl_link_parse(nlmsg_hdr(short_mtu), &info), -EBADMSG);
	cr_expect_eq(fl_link_parse(nlmsg_hdr(cut), &info), -EBADMSG);
	cr_expect_eq(info.ifindex, 77, "touched on failure");
	cr_expect_eq(fl_link_parse(nlmsg_hdr(good), &info), 0);
	cr_expect_eq(info.ifindex, 5);
}
