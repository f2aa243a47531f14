/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "domain/plan/object.h"

Test(object, interface_names)
{
	static const struct {
		const char *name;
		bool valid;
	} cases[] = {
		{"eth0", true},
		{"veth0123abcd", true},
		{"flannel.1", true},
		{"a", true},
		{"123456789012345", true},
		{"1234567890123456", false},
		{"", false},
		{".", false},
		{"..", false},
		{"a/b", false},
		{"eth0:1", false},
		{"a b", false},
		{"a\tb", false},
		{"a\nb", false},
		{NULL, false},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++)
		cr_assert_eq(fl_ifname_is_valid(cases[i].name), cases[i].valid, "\"%s\"", cases[i].name);
}

Test(object, a_name_that_the_kernel_would_complete_cannot_be_given)
{
	cr_assert(fl_ifname_can_be_given("eth0"));
	cr_assert(!fl_ifname_can_be_given("a/b"));
	cr_assert(!fl_ifname_can_be_given("eth%d"));
	cr_assert(fl_ifname_is_valid("eth%d"), "what cannot be there may still be looked for");
}

Test(object, mac_addresses)
{
	static const char *const good[] = {"02:00:00:00:77:01", "02-00-00-00-77-01", "AA:bb:CC:dd:EE:ff"};
	static const char *const bad[] = {"",
					  "02:00:00:00:77",
					  "02:00:00:00:77:0",
					  "02:00:00:00:77:01:02",
					  "02:00-00:00:77:01",
					  "02.00.00.00.77.01",
					  "0g:00:00:00:77:01",
					  NULL};
	uint8_t mac[FL_MAC_LEN] = {0};
	char text[FLANNEL_MAC_STRLEN];

	for (size_t i = 0; i < FL_N_ELEMENTS(good); i++)
		cr_assert_eq(fl_mac_parse(good[i], mac), 0, "%s", good[i]);
	cr_assert_str_eq(fl_mac_format(mac, text, sizeof(text)), "aa:bb:cc:dd:ee:ff");
	for (size_t i = 0; i < FL_N_ELEMENTS(bad); i++)
		cr_assert_eq(fl_mac_parse(bad[i], mac), -EINVAL, "%s", bad[i]);
	cr_assert_eq(mac[0], 0xaa, "failure must not touch the result");
}

Test(object, routes_are_told_apart_by_table_destination_and_metric_alone)
{
	struct flannel_prefix dst, dst6;
	struct fl_object a = {.type = FL_OBJECT_ROUTE}, b;

	cr_assert_eq(flannel_prefix_parse("10.244.2.0/24", &dst), 0);
	cr_assert_eq(flannel_prefix_parse("fd00::/64", &dst6), 0);
	a.route = fl_route_main(&dst, 241);
	b = a;
	b.route.protocol = 3;
	strcpy(b.route.link, "eth1");
	cr_assert_eq(fl_object_compare_key(&a, &b), 0);
	cr_assert_not(fl_object_satisfies(&b, &a));
	b = a;
	b.route.metric = 5;
	cr_assert_neq(fl_object_compare_key(&a, &b), 0);
	b = a;
	b.route.table = 100;
	cr_assert_neq(fl_object_compare_key(&a, &b), 0);
	b = a;
	b.role = FL_ROLE_POD;
	cr_assert_neq(fl_object_compare_key(&a, &b), 0);
	cr_assert_eq(fl_route_main(&dst6, 241).metric, 1024, "the kernel's default is written out");
}

Test(object, text_for_people)
{
	struct fl_object object = {.type = FL_OBJECT_ROUTE};
	struct flannel_prefix prefix;
	char text[FL_OBJECT_STRLEN];

	cr_assert_eq(flannel_prefix_parse("10.244.2.0/24", &prefix), 0);
	object.route = fl_route_main(&prefix, 241);
	cr_assert_str_eq(fl_object_format(&object, text, sizeof(text)), "route 10.244.2.0/24");
	cr_assert_eq(flannel_prefix_parse("192.0.2.2", &object.route.via), 0);
	strcpy(object.route.link, "eth0");
	object.route.metric = 7;
	cr_assert_str_eq(fl_object_format(&object, text, sizeof(text)),
			 "route 10.244.2.0/24 via 192.0.2.2 dev eth0 metric 7");
	object = (struct fl_object){.type = FL_OBJECT_ADDRESS};
	cr_assert_eq(flannel_prefix_parse("10.244.1.1/24", &object.address.address), 0);
	strcpy(object.address.link, "cni0");
	cr_assert_str_eq(fl_object_format(&object, text, sizeof(text)), "address 10.244.1.1/24 on cni0");
	object = (struct fl_object){.type = FL_OBJECT_LINK, .link = {.name = "cni0", .kind = "bridge"}};
	cr_assert_str_eq(fl_object_format(&object, text, sizeof(text)), "bridge cni0");
}

Test(object, neighbours_and_fdb_entries)
{
	struct fl_object a = {.type = FL_OBJECT_NEIGHBOUR,
			      .neighbour = {.link = "flannel.1", .mac = {2, 0, 0, 0, 0, 1}}};
	struct fl_object fdb = {.type = FL_OBJECT_FDB, .fdb = {.link = "flannel.1", .mac = {2, 0, 0, 0, 0, 1}}}, b;
	char text[FL_OBJECT_STRLEN];

	cr_assert_eq(flannel_prefix_parse("10.244.2.0", &a.neighbour.address), 0);
	cr_assert_str_eq(fl_object_format(&a, text, sizeof(text)), "neighbour 10.244.2.0 on flannel.1");
	cr_assert_str_eq(fl_object_get_link(&a), "flannel.1");
	b = a;
	b.neighbour.mac[5] = 2;
	cr_assert_eq(fl_object_compare_key(&a, &b), 0, "the MAC is an attribute");
	cr_assert_not(fl_object_satisfies(&b, &a));
	b = a;
	b.neighbour.dynamic = true;
	cr_assert_not(fl_object_satisfies(&b, &a), "one that the kernel forgets does not do");
	b.neighbour.address.addr[3] = 1;
	cr_assert_neq(fl_object_compare_key(&a, &b), 0);

	cr_assert_eq(flannel_prefix_parse("192.0.2.2", &fdb.fdb.dst), 0);
	cr_assert_str_eq(fl_object_format(&fdb, text, sizeof(text)),
			 "FDB entry 02:00:00:00:00:01 to 192.0.2.2 on flannel.1");
	cr_assert_str_eq(fl_object_get_link(&fdb), "flannel.1");
	b = fdb;
	b.fdb.dst.addr[3] = 3;
	cr_assert_eq(fl_object_compare_key(&fdb, &b), 0, "the destination is an attribute");
	cr_assert_not(fl_object_satisfies(&b, &fdb));
	b = fdb;
	b.fdb.mac[5] = 2;
	cr_assert_neq(fl_object_compare_key(&fdb, &b), 0);
	b = fdb;
	strcpy(b.fdb.link, "flannel.2");
	cr_assert_neq(fl_object_compare_key(&fdb, &b), 0);
	cr_assert_neq(fl_object_compare_key(&fdb, &a), 0);
}

/* what of a vxlan device can be changed, and what takes a new one */
Test(object, vxlan_devices)
{
	const struct fl_object wanted = {
		.type = FL_OBJECT_LINK,
		.link = {.name = "flannel.1",
			 .kind = "vxlan",
			 .set = FL_LINK_VXLAN,
			 .vxlan = {1, 8472, false, false, {0}, "eth0"}},
	};
	const struct {
		const char *what;
		struct fl_vxlan_link vxlan;
		const char *kind;
		bool satisfies, must_be_remade;
	} cases[] = {
		{"the same", {1, 8472, false, false, {0}, "eth0"}, "vxlan", true, false},
		{"another VNI", {2, 8472, false, false, {0}, "eth0"}, "vxlan", false, true},
		{"another port", {1, 4789, false, false, {0}, "eth0"}, "vxlan", false, true},
		{"learning", {1, 8472, true, false, {0}, "eth0"}, "vxlan", false, false},
		{"GBP", {1, 8472, false, true, {0}, "eth0"}, "vxlan", false, true},
		{"another address",
		 {1, 8472, false, false, {.family = AF_INET, .plen = 32}, "eth0"},
		 "vxlan",
		 false,
		 false},
		{"another interface", {1, 8472, false, false, {0}, "eth1"}, "vxlan", false, false},
		{"no vxlan", {1, 8472, false, false, {0}, "eth0"}, "bridge", false, true},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct fl_object found = wanted;

		found.link.vxlan = cases[i].vxlan;
		strcpy(found.link.kind, cases[i].kind);
		cr_assert_eq(fl_object_satisfies(&found, &wanted), cases[i].satisfies, "%s", cases[i].what);
		cr_assert_eq(fl_link_must_be_remade(&found.link, &wanted.link), cases[i].must_be_remade, "%s",
			     cases[i].what);
		cr_assert_eq(fl_object_compare_key(&found, &wanted), 0);
	}
	cr_assert_str_eq(fl_object_get_link(&wanted), "");
}

Test(object, packed_and_back)
{
	struct fl_object objects[] = {
		{.type = FL_OBJECT_LINK, .link = {.name = "flannel.1", .kind = "vxlan", .mtu = 1450, .up = true}},
		{.type = FL_OBJECT_SYSCTL,
		 .role = FL_ROLE_POD,
		 .sysctl = {.name = "net/ipv4/ip_forward", .value = "1"}},
		{.type = FL_OBJECT_ADDRESS, .address = {.link = "cni0"}},
		{.type = FL_OBJECT_NEIGHBOUR, .neighbour = {.mac = {2, 0, 255, 0, 0, 1}, .link = "flannel.1"}},
		{.type = FL_OBJECT_FDB, .fdb = {.mac = {0, 0, 0, 0, 0, 0}, .link = "123456789012345"}},
		{.type = FL_OBJECT_ROUTE, .route = {.link = "eth0", .multipath = true}},
		{.type = FL_OBJECT_ROUTE},
	};

	cr_assert_eq(flannel_prefix_parse("fd00:1:2:3::/64", &objects[2].address.address), 0);
	cr_assert_eq(flannel_prefix_parse("10.5.0.0/32", &objects[3].neighbour.address), 0);
	cr_assert_eq(flannel_prefix_parse("10.5.255.0/24", &objects[5].route.dst), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(objects); i++) {
		uint8_t packed[FL_OBJECT_PACKED_MAX];
		struct fl_object back;
		size_t len;

		memset(packed, 0xee, sizeof(packed));
		memset(&back, 0xee, sizeof(back));
		len = fl_object_pack(&objects[i], packed);
		cr_assert_lt(len, fl_object_size(objects[i].type), "%zu", i);
		fl_object_unpack(objects[i].type, packed, &back);
		cr_assert_arr_eq(&back, &objects[i], fl_object_size(objects[i].type), "%zu", i);
		cr_assert_eq(fl_object_compare_key(&back, &objects[i]), 0);
		cr_assert_eq(fl_object_hash_key(&back), fl_object_hash_key(&objects[i]));
	}
	/* all ones take the most room there can be */
	memset(&objects[0].link, 0xff, sizeof(objects[0].link));
	uint8_t packed[FL_OBJECT_PACKED_MAX];

	cr_assert_leq(fl_object_pack(&objects[0], packed), sizeof(packed));
}
