/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vxlan devices: made, read, changed while packets flow, refused. */

#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>

#include "sandbox.h"
#include "sys/device.h"
#include "sys/rtnl/vxlan.h"

/* what counts of a device, as ip(8) sees it */
#define DEVICE(name)                                                                                                   \
	"ip -d -j link show " name                                                                                     \
	" | jq -r '.[0] | .linkinfo.info_data as $d | \"\\(.linkinfo.info_kind) \\(.address) mtu \\(.mtu) txqlen "     \
	"\\(.txqlen // 0) \\(.ifalias) up \\(.flags | index(\"UP\") != null) id \\($d.id) local \\($d.local // "       \
	"$d.local6) dev \\($d.link) port \\($d.port) learning \\($d.learning) gbp \\($d.gbp // false)\"'"

/* a namespace with two interfaces */
static struct fl_rtnl *enter(void)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_rtnl *rtnl = NULL;
	int r;

	sandbox_enter();
	sandbox_run("ip link add eth0 type veth peer name wire0 && ip link add eth1 type veth peer name wire1 &&"
		    "for i in eth0 eth1 wire0 wire1; do ip link set $i up; done;"
		    "ip address add 192.0.2.1/24 dev eth0; ip address add 2001:db8::1/64 dev eth0 nodad;"
		    "ip address add 198.51.100.1/24 dev eth1");
	r = fl_rtnl_open(-1, true, &rtnl, &error);
	sandbox_assert_ok(r, error);
	return rtnl;
}

/* a device as the backend wants it */
static struct fl_link make_link(const char *name, const char *local)
{
	struct fl_link link = {.kind = "vxlan", .mtu = 1450, .mac = {2, 0, 0, 0, 0x77, 1}, .up = true};

	link.set = FL_LINK_VXLAN | FL_LINK_MAC | FL_LINK_MTU | FL_LINK_ALIAS | FL_LINK_UP;
	snprintf(link.name, sizeof(link.name), "%s", name);
	snprintf(link.alias, sizeof(link.alias), "libflannel");
	link.vxlan = (struct fl_vxlan_link){.vni = 1, .port = 8472, .lower = "eth0"};
	link.vxlan.local = sandbox_prefix(local);
	return link;
}

/* reads the device, which must be as wanted */
static void expect_found(struct fl_rtnl *rtnl, const struct fl_link *wanted)
{
	struct fl_object found = {.type = FL_OBJECT_LINK}, object = {.type = FL_OBJECT_LINK, .link = *wanted};
	uint32_t ifindex = 0;

	cr_assert_eq(fl_device_read(rtnl, wanted->name, &found.link, &ifindex, NULL), 1);
	cr_expect_neq(ifindex, 0);
	cr_expect(fl_object_satisfies(&found, &object));
	cr_expect_not(fl_link_must_be_remade(&found.link, wanted));
}

Test(device, made_and_read)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_link link = make_link("flannel.1", "192.0.2.1"), link6 = make_link("flannel-v6.1", "2001:db8::1");
	struct fl_link untouched = {.mtu = 4711};
	uint32_t ifindex = 0, untouched_ifindex = 7;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	cr_assert_eq(fl_device_read(rtnl, "flannel.1", &untouched, &untouched_ifindex, NULL), 0);
	cr_expect(untouched.mtu == 4711 && untouched_ifindex == 7);
	sandbox_assert_ok(fl_device_create(rtnl, &link, &ifindex, &error), error);
	cr_expect_eq(ifindex, if_nametoindex("flannel.1"));
	sandbox_expect(
		"vxlan 02:00:00:00:77:01 mtu 1450 txqlen 0 libflannel up true id 1 local 192.0.2.1 dev eth0 port 8472 "
		"learning false gbp false",
		DEVICE("flannel.1"));
	expect_found(rtnl, &link);

	link6.mtu = 1430;
	link6.vxlan.port = 4789;
	link6.vxlan.vni = 77;
	link6.vxlan.learning = true;
	link6.vxlan.gbp = true;
	sandbox_assert_ok(fl_device_create(rtnl, &link6, &ifindex, &error), error);
	sandbox_expect(
		"vxlan 02:00:00:00:77:01 mtu 1430 txqlen 0 libflannel up true id 77 local 2001:db8::1 dev eth0 port "
		"4789 learning true gbp true",
		DEVICE("flannel-v6.1"));
	expect_found(rtnl, &link6);
	cr_expect_eq(fl_device_create(rtnl, &link, &ifindex, NULL), -EEXIST);

	/* another name for it is not its name */
	sandbox_run("ip link property add dev flannel.1 altname flannel.9");
	cr_expect_eq(fl_device_read(rtnl, "flannel.9", &untouched, &untouched_ifindex, NULL), 0);
}

Test(device, cannot_be_made_without_its_lower_link)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_link link = make_link("flannel.1", "192.0.2.1");
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	uint32_t ifindex = 7;

	snprintf(link.vxlan.lower, sizeof(link.vxlan.lower), "nobody");
	cr_expect_eq(fl_device_create(rtnl, &link, &ifindex, &error), -ENODEV);
	cr_expect_eq(ifindex, 7);
	sandbox_expect_error(&error, -ENODEV, "set up flannel.1 over nobody: No such device");
	sandbox_expect("", "ip -o link show type vxlan");
}

/* each change alone: what the device becomes; its index stays, and so do its entries */
static const struct {
	const char *what;
	unsigned int set;
	struct fl_link link;
	const char *local;
	const char *expected;
} changes[] = {
	{"MTU",
	 FL_LINK_MTU,
	 {.mtu = 1350},
	 NULL,
	 "vxlan 02:00:00:00:77:01 mtu 1350 txqlen 0 libflannel up true id 1 local 192.0.2.1 dev eth0 port 8472 "
	 "learning false "
	 "gbp false"},
	{"MAC",
	 FL_LINK_MAC,
	 {.mac = {2, 0, 0, 0, 0x77, 2}},
	 NULL,
	 "vxlan 02:00:00:00:77:02 mtu 1450 txqlen 0 libflannel up true id 1 local 192.0.2.1 dev eth0 port 8472 "
	 "learning false "
	 "gbp false"},
	{"learning, address and lower link",
	 FL_LINK_VXLAN,
	 {.vxlan = {.vni = 1, .port = 8472, .learning = true, .lower = "eth1"}},
	 "198.51.100.1",
	 "vxlan 02:00:00:00:77:01 mtu 1450 txqlen 0 libflannel up true id 1 local 198.51.100.1 dev eth1 port 8472 "
	 "learning true "
	 "gbp false"},
	{"nothing",
	 0,
	 {.mtu = 0},
	 NULL,
	 "vxlan 02:00:00:00:77:01 mtu 1450 txqlen 0 libflannel up true id 1 local 192.0.2.1 dev eth0 port 8472 "
	 "learning false "
	 "gbp false"},
};

Test(device, changed_in_place)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();

	for (size_t i = 0; i < FL_N_ELEMENTS(changes); i++) {
		struct fl_link link = make_link("flannel.1", "192.0.2.1"), wanted = link, found;
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		uint32_t ifindex = 0, same = 0;

		sandbox_assert_ok(fl_device_create(rtnl, &link, &ifindex, &error), error);
		sandbox_run("bridge fdb append 02:00:00:00:77:22 dev flannel.1 dst 192.0.2.2");
		if (changes[i].set & FL_LINK_MTU)
			wanted.mtu = changes[i].link.mtu;
		if (changes[i].set & FL_LINK_MAC)
			memcpy(wanted.mac, changes[i].link.mac, FL_MAC_LEN);
		if (changes[i].set & FL_LINK_VXLAN) {
			wanted.vxlan = changes[i].link.vxlan;
			wanted.vxlan.local = sandbox_prefix(changes[i].local);
		}
		cr_assert_eq(fl_device_read(rtnl, "flannel.1", &found, &same, NULL), 1);
		sandbox_assert_ok(fl_device_change(rtnl, ifindex, &found, &wanted, &error), error);
		sandbox_expect(changes[i].expected, DEVICE("flannel.1"));
		expect_found(rtnl, &wanted);
		sandbox_expect("02:00:00:00:77:22", "bridge -j fdb show dev flannel.1 | jq -r .[].mac");
		cr_assert_eq(fl_device_read(rtnl, "flannel.1", &found, &same, NULL), 1);
		cr_expect_eq(same, ifindex, "%s", changes[i].what);
		cr_assert_eq(fl_link_delete(rtnl, ifindex, "flannel.1", NULL), 1);
	}
}

/* what flannel and operators leave: no alias, down, another queue */
Test(device, taken_over)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_link link = make_link("flannel.1", "192.0.2.1"), found;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	uint32_t ifindex = 0;

	sandbox_run("ip link add flannel.1 address 02:00:00:00:77:01 mtu 1400 txqueuelen 0 type vxlan id 1 dev eth0 "
		    "local 192.0.2.1 dstport 8472 nolearning");
	cr_assert_eq(fl_device_read(rtnl, "flannel.1", &found, &ifindex, NULL), 1);
	cr_expect_str_eq(found.alias, "");
	cr_expect_not(found.up);
	sandbox_assert_ok(fl_device_change(rtnl, ifindex, &found, &link, &error), error);
	expect_found(rtnl, &link);
	cr_expect_eq(if_nametoindex("flannel.1"), ifindex);
}

/* what takes a new device is not even tried */
Test(device, some_changes_are_refused)
{
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = enter();
	struct fl_link link = make_link("flannel.1", "192.0.2.1"), found, wanted = link;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	uint32_t ifindex = 0;

	cr_assert_eq(fl_device_create(rtnl, &link, &ifindex, NULL), 0);
	cr_assert_eq(fl_device_read(rtnl, "flannel.1", &found, &ifindex, NULL), 1);
	wanted.vxlan.port = 4789;
	wanted.mtu = 1400;
	cr_expect_eq(fl_device_change(rtnl, ifindex, &found, &wanted, &error), -EOPNOTSUPP);
	sandbox_expect_error(&error, -EOPNOTSUPP, "change link flannel.1: the kernel cannot change that");
	expect_found(rtnl, &link);
}

Test(device, default_port)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", (unsigned int)fl_vxlan_default_port());
	sandbox_expect(text, "cat /sys/module/vxlan/parameters/udp_port 2>/dev/null || echo 8472");
}
