/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_embedded.h"

TestSuite(store_embedded, .init = setup, .fini = teardown);

#define HOUR_NS (3600LL * 1000000000LL)

/* an empty store: an empty list, and room for the first lease */
Test(store_embedded, empty)
{
	struct node *node = node_open_watching(NULL);

	cr_assert_str_eq(node_drain(node), "begin\nend\n");
	node_request(node, CREATE, 1, "10.5.1.0/24", "192.0.2.1", 60);
	node_await(node, "done 1 ");
	cr_assert_str_eq(node->log, "begin\nend\nlease 10.5.1.0-24 192.0.2.1\ndone 1 0 10.5.1.0-24 192.0.2.1\n");
	node_free(node);
}

/* who watches hears first what there is, then each change in order; own ones before their replies */
Test(store_embedded, order)
{
	struct node *a = node_open_watching(NULL), *b;

	cr_assert_eq(node_ask(a, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	cr_assert_eq(node_ask(a, CREATE, "10.5.2.0/24", "192.0.2.2", 60), 0);
	cr_assert_eq(node_ask(a, CREATE, "10.5.3.0/24", "192.0.2.3", 60), 0);
	cr_assert_eq(node_ask(a, UPDATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	cr_assert_eq(node_ask(a, REMOVE, "10.5.2.0/24", "192.0.2.2", 0), 0);
	cr_assert_str_eq(a->log, "removed 10.5.2.0-24 192.0.2.2\ndone 99 0 10.5.2.0-24 192.0.2.2\n");

	b = node_open_watching(NULL);
	cr_assert_str_eq(node_drain(b), "begin\nlease 10.5.3.0-24 192.0.2.3\nlease 10.5.1.0-24 192.0.2.1\nend\n");

	/* several requests at once, no dispatch in between */
	node_clear(a);
	node_clear(b);
	node_request(a, REMOVE, 1, "10.5.3.0/24", "192.0.2.3", 0);
	node_request(a, CREATE, 2, "10.5.3.0/24", "192.0.2.4", 60);
	node_request(a, CREATE, 3, "10.5.3.0/24", "192.0.2.5", 60);
	node_request(a, REMOVE, 4, "10.5.1.0/24", "192.0.2.1", 0);
	node_await(a, "done 4 ");
	cr_assert_str_eq(node_drain(a), "removed 10.5.3.0-24 192.0.2.3\ndone 1 0 10.5.3.0-24 192.0.2.3\n"
					"lease 10.5.3.0-24 192.0.2.4\ndone 2 0 10.5.3.0-24 192.0.2.4\n"
					"done 3 -17\n"
					"removed 10.5.1.0-24 192.0.2.1\ndone 4 0 10.5.1.0-24 192.0.2.1\n");
	node_await(b, "removed 10.5.1.0-24");
	cr_assert_str_eq(node_drain(b), "removed 10.5.3.0-24 192.0.2.3\nlease 10.5.3.0-24 192.0.2.4\n"
					"removed 10.5.1.0-24 192.0.2.1\n");
	node_free(a);
	node_free(b);
}

/* when a request is refused for what another did, that has been told before */
Test(store_embedded, refusal_comes_after_its_reason)
{
	struct node *a = node_open_watching(NULL), *b = node_open_watching(NULL);

	node_clear(b);
	cr_assert_eq(node_ask(a, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	cr_assert_eq(node_ask(b, CREATE, "10.5.1.0/24", "192.0.2.2", 60), -EEXIST);
	cr_assert_str_eq(b->log, "lease 10.5.1.0-24 192.0.2.1\ndone 99 -17\n");
	node_free(a);
	node_free(b);
}

/* which leases stand in the way of which */
Test(store_embedded, create_refused)
{
	static const struct {
		const char *subnets;
		const char *addresses;
		int code;
		const char *detail;
	} cases[] = {
		{"10.5.8.0/24", "192.0.2.9", -EEXIST, "belong to 10.5.8.0-24 of 192.0.2.1"},
		{"10.5.8.0/25", "192.0.2.9", -EEXIST, "belong to 10.5.8.0-24 of 192.0.2.1"},
		{"10.5.8.128/25", "192.0.2.9", -EEXIST, "belong to 10.5.8.0-24 of 192.0.2.1"},
		{"10.5.8.252/30", "192.0.2.9", -EEXIST, "belong to 10.5.8.0-24 of 192.0.2.1"},
		{"10.5.0.0/16", "192.0.2.9", -EEXIST, "10.5."},
		{"0.0.0.0/1", "192.0.2.9", -EEXIST, "10.5."},
		{"10.5.7.0/24", "192.0.2.9", 0, ""},
		{"10.5.9.0/24", "192.0.2.10", 0, ""},
		{"10.5.9.0/25", "192.0.2.11", -EEXIST, "of 192.0.2.10"},
		{"128.0.0.0/1", "192.0.2.12", 0, ""},
		/* the other family counts as much */
		{"10.6.1.0/24 fd00:1::/64", "192.0.2.13 2001:db8::13", -EEXIST, "of 192.0.2.2"},
		{"10.6.1.0/24 fd00:1:0:0:8000::/65", "192.0.2.13 2001:db8::13", -EEXIST, "of 192.0.2.2"},
		{"10.6.1.0/24 fd00::/16", "192.0.2.13 2001:db8::13", -EEXIST, "of 192.0.2.2"},
		{"fd00:1::/64", "2001:db8::14", -EEXIST, "of 192.0.2.2"},
		{"10.5.8.0/24 fd00:9::/64", "192.0.2.13 2001:db8::13", -EEXIST, "of 192.0.2.1"},
		{"fd00:2::/64", "2001:db8::14", 0, ""},
		{"10.6.1.0/24 fd00:3::/64", "192.0.2.13 2001:db8::13", 0, ""},
		/* a public address has one lease */
		{"10.9.1.0/24", "192.0.2.1", -EEXIST, "has a lease already: 10.5.8.0-24 of 192.0.2.1"},
		{"fd00:77::/64", "2001:db8::14", -EEXIST, "has a lease already: 0.0.0.0-0&fd00:2::-64"},
	};
	struct node *node = node_open_watching(NULL);

	cr_assert_eq(node_ask(node, CREATE, "10.5.8.0/24", "192.0.2.1", 60), 0);
	cr_assert_eq(node_ask(node, CREATE, "10.5.4.0/24 fd00:1::/64", "192.0.2.2 2001:db8::2", 0), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		node->last_detail[0] = '\0';
		cr_expect_eq(node_ask(node, CREATE, cases[i].subnets, cases[i].addresses, 60), cases[i].code,
			     "%zu %s: %d %s", i, cases[i].subnets, node->last_code, node->last_detail);
		cr_expect(strstr(node->last_detail, cases[i].detail), "%zu %s: %s", i, cases[i].subnets,
			  node->last_detail);
		cr_expect_eq(node->last_code == 0, strstr(node->log, "lease ") != NULL);
	}
	node_free(node);
}

/* update and remove: the same subnets and a public address in common */
Test(store_embedded, update_and_remove_find_their_lease)
{
	static const struct {
		enum verb verb;
		const char *subnets;
		const char *addresses;
		int code;
	} cases[] = {
		{UPDATE, "10.5.2.0/24", "192.0.2.1", -ENOENT},
		{UPDATE, "10.5.1.0/25", "192.0.2.1", -ENOENT},
		{UPDATE, "10.5.1.0/24", "192.0.2.9", -ENOENT},
		{UPDATE, "10.5.1.0/24 fd00:1::/64", "192.0.2.1 2001:db8::1", -ENOENT},
		{UPDATE, "10.5.1.0/24", "192.0.2.1", 0},
		{REMOVE, "10.5.1.0/24", "192.0.2.9", -ENOENT},
		{REMOVE, "10.5.0.0/16", "192.0.2.1", -ENOENT},
		{REMOVE, "10.5.1.0/24", "192.0.2.1", 0},
		{REMOVE, "10.5.1.0/24", "192.0.2.1", -ENOENT},
		{UPDATE, "10.5.1.0/24", "192.0.2.1", -ENOENT},
		/* dual stack: one address may change while the other stays */
		{UPDATE, "10.5.3.0/24 fd00:3::/64", "192.0.2.4 2001:db8::3", 0},
		{UPDATE, "10.5.3.0/24 fd00:3::/64", "192.0.2.4 2001:db8::5", 0},
		{UPDATE, "10.5.3.0/24 fd00:3::/64", "192.0.2.3 2001:db8::3", -ENOENT},
		/* but not to one that has a lease */
		{UPDATE, "10.5.3.0/24 fd00:3::/64", "192.0.2.8 2001:db8::5", -EEXIST},
		{REMOVE, "fd00:3::/64", "2001:db8::5", -ENOENT},
		{REMOVE, "10.5.3.0/24 fd00:3::/64", "192.0.2.77 2001:db8::5", 0},
	};
	struct node *node = node_open_watching(NULL);

	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	cr_assert_eq(node_ask(node, CREATE, "10.5.3.0/24 fd00:3::/64", "192.0.2.3 2001:db8::3", 60), 0);
	cr_assert_eq(node_ask(node, CREATE, "10.5.8.0/24", "192.0.2.8", 60), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++)
		cr_expect_eq(node_ask(node, cases[i].verb, cases[i].subnets, cases[i].addresses, 60), cases[i].code,
			     "%zu: %d %s", i, node->last_code, node->last_detail);
	node_free(node);
}

/* a node that got another address names the revision that it wrote last; an older one is not enough */
Test(store_embedded, update_by_revision)
{
	struct flannel_lease_fields fields = {.size = sizeof(fields), .backend_type = "host-gw"};
	struct flannel_store_message message = {.size = sizeof(message)};
	struct node *node = node_open(NULL);
	uint64_t revision = 0;

	cr_assert_eq(flannel_prefix_parse("10.5.1.0/24", &fields.subnet), 0);
	for (int i = 0; i < 4; i++) {
		struct flannel_lease *lease;
		const char *const addresses[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"};

		cr_assert_eq(flannel_prefix_parse(addresses[i], &fields.public_ip), 0);
		/* made, moved by the right revision, by an older one, by the right one again */
		fields.revision = i == 2 ? revision - 1 : revision;
		cr_assert_eq(flannel_lease_new(&fields, &lease, NULL), 0);
		if (i == 0)
			cr_assert_eq(fl_embedded_create(node->store, 5, lease, 60, NULL), 0);
		else
			cr_assert_eq(fl_embedded_update(node->store, 5, lease, 60, NULL), 0);
		(void)fl_embedded_dispatch(node->store, NULL);
		cr_assert_eq(fl_embedded_next(node->store, &message), 1);
		cr_expect_eq(message.code, i == 2 ? -ENOENT : 0, "step %d: %d", i, message.code);
		if (message.code == 0) {
			cr_expect_eq(flannel_lease_equal(message.lease, lease), 1, "step %d", i);
			revision = message.revision;
		}
		fl_store_message_clear(&message);
		flannel_lease_unref(lease);
	}
	node_free(node);
}

/* what comes back is what was put in, to the last byte */
Test(store_embedded, content)
{
	struct flannel_lease_fields fields = {
		.size = sizeof(fields),
		.backend_type = "vxlan",
		.backend_data = "{\"VNI\":1,\"VtepMAC\":\"c6:d2:32:6f:8f:44\"}",
		.backend_v6_data = "{\"VNI\":1,\"VtepMAC\":\"c6:d2:32:6f:8f:45\"}",
	};
	struct flannel_store_message message = {.size = sizeof(message)};
	struct node *node = node_open(NULL);
	struct flannel_lease *lease;
	uint64_t revision = 0;

	cr_assert_eq(flannel_prefix_parse("10.5.1.0/24", &fields.subnet), 0);
	cr_assert_eq(flannel_prefix_parse("fd00:1::/64", &fields.subnet6), 0);
	cr_assert_eq(flannel_prefix_parse("192.0.2.1", &fields.public_ip), 0);
	cr_assert_eq(flannel_prefix_parse("2001:db8::1", &fields.public_ip6), 0);
	cr_assert_eq(flannel_lease_new(&fields, &lease, NULL), 0);
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			cr_assert_eq(fl_embedded_create(node->store, 5, lease, 60, NULL), 0);
		else
			cr_assert_eq(fl_embedded_update(node->store, 5, lease, 60, NULL), 0);
		(void)fl_embedded_dispatch(node->store, NULL);
		cr_assert_eq(fl_embedded_next(node->store, &message), 1);
		cr_assert_eq(message.type, FLANNEL_STORE_DONE);
		cr_assert_eq(message.code, 0);
		cr_assert_eq(message.request, 5);
		cr_assert_gt(message.revision, revision, "each change has a number, and they grow");
		revision = message.revision;
		cr_assert_eq(flannel_lease_get_revision(message.lease), revision);
		cr_assert(flannel_lease_equal(message.lease, lease));
		cr_assert_str_eq(flannel_lease_get_value(message.lease), flannel_lease_get_value(lease));
		cr_assert_lt(llabs(flannel_lease_get_expires_sec(message.lease) - time(NULL) - 60), 3);
		fl_store_message_clear(&message);
	}
	flannel_lease_unref(lease);
	node_free(node);
}

/* the configuration: stored once, byte for byte; others hear of it, who put it does not */
Test(store_embedded, config)
{
	static const char odd[] = "{\n\t\"Network\" : \"10.5.0.0\\/16\" }  \r\n\xff\xc3\x28 \"'`;--";
	struct node *a = node_open_watching(NULL), *b = node_open_watching(NULL), *c;
	char expected[256];

	node_clear(a);
	node_clear(b);
	cr_assert_eq(fl_embedded_get_config(a->store, 1, NULL), 0);
	node_await(a, "config 1 ");
	cr_assert_str_eq(node_drain(a), "config 1 -2\n");

	cr_assert_eq(fl_embedded_put_config(a->store, 2, odd, NULL), 0);
	cr_assert_eq(fl_embedded_put_config(a->store, 3, "{}", NULL), 0);
	cr_assert_eq(fl_embedded_get_config(a->store, 4, NULL), 0);
	node_await(a, "config 4 ");
	(void)snprintf(expected, sizeof(expected), "config 1 -2\nconfig 2 0 %s\nconfig 3 -17 %s\nconfig 4 0 %s\n", odd,
		       odd, odd);
	cr_assert_str_eq(node_drain(a), expected);

	node_await(b, "config-changed");
	(void)snprintf(expected, sizeof(expected), "config-changed %s\n", odd);
	cr_assert_str_eq(node_drain(b), expected);

	/* replaced by who knows what is there */
	node_clear(a);
	cr_assert_eq(fl_embedded_set_config(a->store, 5, "{}", "{ }", NULL), 0);
	cr_assert_eq(fl_embedded_set_config(a->store, 6, "{}", odd, NULL), 0);
	cr_assert_eq(fl_embedded_set_config(a->store, 7, odd, "{}", NULL), 0);
	node_await(a, "config 7 ");
	(void)snprintf(expected, sizeof(expected), "config 5 -17 %s\nconfig 6 0 {}\nconfig 7 0 %s\n", odd, odd);
	cr_assert_str_eq(node_drain(a), expected);
	node_clear(b);

	/* who comes later asks */
	c = node_open_watching(NULL);
	cr_assert_eq(fl_embedded_get_config(c->store, 1, NULL), 0);
	node_await(c, "config 1 ");
	(void)snprintf(expected, sizeof(expected), "begin\nend\nconfig 1 0 %s\n", odd);
	cr_assert_str_eq(node_drain(c), expected);
	cr_assert_eq(fl_embedded_put_config(c->store, 1, NULL, NULL), -EINVAL);
	cr_assert_eq(fl_embedded_create(c->store, 1, NULL, 60, NULL), -EINVAL);
	node_free(a);
	node_free(b);
	node_free(c);
}

/* a lifetime ends, and everybody hears of it, who removed it too */
Test(store_embedded, expiry)
{
	struct test_time time = {0};
	struct fl_clock clock = test_clock(&time, "boot-1");
	struct node *a = node_open_watching(&(struct fl_embedded_options){.clock = &clock});
	struct node *b = node_open_watching(&(struct fl_embedded_options){.clock = &clock});

	cr_assert_eq(node_ask(a, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	cr_assert_eq(node_ask(a, CREATE, "10.5.2.0/24", "192.0.2.2", 61), 0);
	cr_assert_eq(node_ask(a, CREATE, "10.5.3.0/24", "192.0.2.3", 0), 0);
	/* just before the end of the first; the rest of the time passes by itself */
	time.boot_offset_ns = 59950000000LL;
	cr_assert_eq(fl_embedded_get_config(a->store, 1, NULL), 0);
	node_clear(a);
	node_await(a, "removed 10.5.1.0-24 192.0.2.1\n");
	node_await(b, "removed 10.5.1.0-24 192.0.2.1\n");
	node_await(a, "removed 10.5.2.0-24 192.0.2.2\n");
	node_await(b, "removed 10.5.2.0-24 192.0.2.2\n");
	time.boot_offset_ns = 1000000 * HOUR_NS;
	cr_assert_eq(node_ask(b, CREATE, "10.5.1.0/24", "192.0.2.9", 60), 0);
	cr_assert(!strstr(node_drain(a), "removed 10.5.3.0"), "a reservation never ends");
	node_free(a);
	node_free(b);
}

/* Nobody watches: the first one who needs the place removes what has ended. Till then its holder may still renew it. */
Test(store_embedded, expired_but_not_removed)
{
	struct test_time time = {0};
	struct fl_clock clock = test_clock(&time, "boot-1");
	struct node *node = node_open(&(struct fl_embedded_options){.clock = &clock});

	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	cr_assert_eq(node_ask(node, CREATE, "10.5.2.0/25", "192.0.2.2", 60), 0);
	cr_assert_eq(node_ask(node, CREATE, "10.5.2.128/25", "192.0.2.3", 60), 0);
	time.boot_offset_ns = 60 * 1000000000LL;
	cr_assert_eq(node_ask(node, UPDATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.4", 60), -EEXIST);
	cr_assert_eq(node_ask(node, CREATE, "10.5.2.0/24", "192.0.2.4", 60), 0);
	cr_assert_eq(node_ask(node, UPDATE, "10.5.2.0/25", "192.0.2.2", 60), -ENOENT);
	time.boot_offset_ns += 60 * 1000000000LL;
	cr_assert_eq(node_ask(node, CREATE, "10.5.7.0/24", "192.0.2.1", 60), 0, "the address is free, too");
	node_free(node);
}

/* the wall clock may jump either way without ending or lengthening anything */
Test(store_embedded, wall_clock_jumps)
{
	static const int64_t jumps_ns[] = {24 * 365 * HOUR_NS, -24 * 365 * HOUR_NS, -HOUR_NS, HOUR_NS};

	for (size_t i = 0; i < FL_N_ELEMENTS(jumps_ns); i++) {
		struct test_time time = {0};
		struct fl_clock clock = test_clock(&time, "boot-1");
		struct node *node = node_open_watching(&(struct fl_embedded_options){.clock = &clock}), *late;

		cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", 600), 0);
		time.wall_offset_ns = jumps_ns[i];
		cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.2", 600), -EEXIST, "%zu", i);
		/* who opens it now sees an end that fits the wall clock of now */
		late = node_open_watching(&(struct fl_embedded_options){.clock = &clock});
		cr_expect_str_eq(node_drain(late), "begin\nlease 10.5.1.0-24 192.0.2.1\nend\n");
		cr_expect_lt(llabs(late->last_expires_sec - test_wall_ns(&time) / 1000000000LL - 600), 3, "%zu", i);
		node_free(late);

		time.boot_offset_ns = 601 * 1000000000LL;
		cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.2", 600), 0, "%zu: it did not end", i);
		cr_assert(strstr(node->log, "removed 10.5.1.0-24 192.0.2.1\n"));
		cr_assert_eq(node_ask(node, REMOVE, "10.5.1.0/24", "192.0.2.2", 0), 0);
		node_free(node);
	}
}

/* after another boot: what is left by the wall clock, but an hour at least, and never more than the whole */
Test(store_embedded, reboot)
{
	static const struct {
		uint32_t lease_sec;
		int64_t off_sec;  /* how long the machine was off, by the wall clock */
		int64_t left_sec; /* lifetime after that */
	} cases[] = {
		{86400, 60, 86340},   {86400, 86400 - 7200, 7200}, {86400, 86400 - 600, 3600},
		{86400, 90000, 3600}, {86400, 400 * 86400, 3600},  {86400, -400 * 86400, 86400},
		{600, 60, 600},       {600, 86400, 600},
	};
	char boot_id[16];

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct test_time time = {.boot_offset_ns = HOUR_NS * 100}, later = {0};
		struct fl_clock clock = test_clock(&time, "before"), clock2;
		struct fl_embedded_options options = {.clock = &clock};
		struct node *node = node_open(&options);

		cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", cases[i].lease_sec), 0);
		cr_assert_eq(node_ask(node, CREATE, "10.5.3.0/24", "192.0.2.3", 0), 0);
		node_free(node);

		(void)snprintf(boot_id, sizeof(boot_id), "after-%zu", i);
		later.wall_offset_ns = cases[i].off_sec * 1000000000LL;
		clock2 = test_clock(&later, boot_id);
		options.clock = &clock2;
		node = node_open_watching(&options);
		cr_expect_str_eq(node_drain(node),
				 "begin\nlease 10.5.1.0-24 192.0.2.1\nlease 10.5.3.0-24 192.0.2.3\nend\n");
		node_free(node);

		/* another opening in the same boot does not lengthen it */
		later.boot_offset_ns = (cases[i].left_sec - 2) * 1000000000LL;
		node = node_open(&options);
		cr_expect_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.2", 60), -EEXIST, "%zu: too early", i);
		later.boot_offset_ns = (cases[i].left_sec + 2) * 1000000000LL;
		cr_expect_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.2", 60), 0, "%zu: too late", i);
		cr_expect_eq(node_ask(node, REMOVE, "10.5.1.0/24", "192.0.2.2", 0), 0);
		cr_expect_eq(node_ask(node, REMOVE, "10.5.3.0/24", "192.0.2.3", 0), 0);
		node_free(node);
	}
}

/* a reservation stays one, whoever renews it; a lease may become one */
Test(store_embedded, reservation)
{
	struct node *node = node_open(NULL);
	sqlite3 *foreign;

	cr_assert_eq(node_ask(node, CREATE, "10.5.1.0/24", "192.0.2.1", 0), 0);
	cr_assert_eq(node->last_expires_sec, 0);
	cr_assert_eq(node_ask(node, UPDATE, "10.5.1.0/24", "192.0.2.1", 60), 0);
	cr_assert_eq(node->last_expires_sec, 0);
	cr_assert_eq(node_ask(node, CREATE, "10.5.2.0/24", "192.0.2.2", 60), 0);
	cr_assert_gt(node->last_expires_sec, 0);
	cr_assert_eq(node_ask(node, UPDATE, "10.5.2.0/24", "192.0.2.2", 0), 0);
	cr_assert_eq(node->last_expires_sec, 0);
	foreign = foreign_open();
	cr_assert_eq(foreign_int(foreign, "SELECT count(*) FROM lease WHERE deadline_ns IS NULL AND expires_sec = 0"),
		     2);
	sqlite3_close(foreign);
	node_free(node);
}

/* of the removed leases the newest are remembered; who has missed a forgotten one gets the whole list again */
Test(store_embedded, forgotten_removals)
{
	struct fl_embedded_options options = {.n_kept = 4};
	struct node *a = node_open(&options), *b;
	sqlite3 *foreign;
	char subnet[32], address[32];

	cr_assert_eq(node_ask(a, CREATE, "10.9.0.0/24", "192.0.2.200", 60), 0);
	cr_assert_eq(node_ask(a, CREATE, "10.9.1.0/24", "192.0.2.201", 60), 0);
	b = node_open_watching(&options);
	node_clear(b);
	for (int i = 0; i < 4; i++) {
		(void)snprintf(subnet, sizeof(subnet), "10.5.%d.0/24", i);
		(void)snprintf(address, sizeof(address), "192.0.2.%d", i + 1);
		cr_assert_eq(node_ask(a, CREATE, subnet, address, 60), 0);
		cr_assert_eq(node_ask(a, REMOVE, subnet, address, 0), 0);
	}
	/* four removals can be remembered: no new list */
	cr_assert_str_eq(node_drain(b), "removed 10.5.0.0-24 192.0.2.1\nremoved 10.5.1.0-24 192.0.2.2\n"
					"removed 10.5.2.0-24 192.0.2.3\nremoved 10.5.3.0-24 192.0.2.4\n");
	node_clear(b);
	cr_assert_eq(node_ask(a, REMOVE, "10.9.0.0/24", "192.0.2.200", 0), 0);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(node_ask(a, CREATE, "10.5.77.0/24", "192.0.2.77", 60), 0);
		cr_assert_eq(node_ask(a, REMOVE, "10.5.77.0/24", "192.0.2.77", 0), 0);
	}
	cr_assert_str_eq(node_drain(b), "begin\nlease 10.9.1.0-24 192.0.2.201\nend\n");
	foreign = foreign_open();
	cr_assert_eq(foreign_int(foreign, "SELECT count(*) FROM lease WHERE removed = 1"), 4);
	sqlite3_close(foreign);
	node_free(a);
	node_free(b);
}

/* long lists and long series of changes come in parts, and nothing is missing or twice */
Test(store_embedded, many)
{
	struct node *a = node_open(NULL), *b = node_open(NULL);
	const char *line;
	int n = 0;

	for (int i = 0; i < 700; i++) {
		char subnet[32], address[32];

		(void)snprintf(subnet, sizeof(subnet), "10.%d.%d.0/24", i / 256, i % 256);
		(void)snprintf(address, sizeof(address), "192.0.%d.%d", i / 256, i % 256);
		node_request(a, CREATE, (uint64_t)i + 1, subnet, address, 60);
	}
	node_await(a, "done 700 0 ");
	cr_assert_geq(a->n_dispatched, 700 / 16, "a dispatch does a bounded number of requests");

	cr_assert_eq(fl_embedded_watch(b->store, NULL), 0);
	cr_assert_eq(fl_embedded_watch(b->store, NULL), 0);
	/* the list is of the moment in which it began: what changes while it is told comes after it */
	cr_assert_eq(node_dispatch(b), 1);
	cr_assert(strstr(b->log, "lease 10.0.0.0-24") && !strstr(b->log, "lease 10.2.187.0-24"));
	cr_assert_eq(node_ask(a, REMOVE, "10.2.187.0/24", "192.0.2.187", 0), 0);
	cr_assert_eq(node_ask(a, UPDATE, "10.2.186.0/24", "192.0.2.186", 60), 0);
	node_await(b, "end\nremoved 10.2.187.0-24 192.0.2.187\nlease 10.2.186.0-24 192.0.2.186\n");
	for (line = b->log; (line = strstr(line, "lease ")); line++)
		n++;
	cr_assert_eq(n, 701);
	node_free(a);
	node_free(b);
}

/* an idle store sleeps: no timer, no event, although it has leases and others look into the same file */
Test(store_embedded, idle)
{
	struct node *a = node_open_watching(NULL), *b = node_open_watching(NULL);
	struct pollfd fds[2] = {{.fd = fl_embedded_get_fd(a->store), .events = POLLIN},
				{.fd = fl_embedded_get_fd(b->store), .events = POLLIN}};

	cr_assert_eq(node_ask(a, CREATE, "10.5.1.0/24", "192.0.2.1", 86400), 0);
	node_await(b, "lease 10.5.1.0-24 192.0.2.1");
	(void)node_drain(a);
	(void)node_drain(b);
	cr_assert_eq(poll(fds, 2, 1500), 0);
	node_free(a);
	node_free(b);
}

/* an own change does not wake the one who made it */
Test(store_embedded, own_change_wakes_once)
{
	struct node *node = node_open_watching(NULL);
	struct pollfd fd = {.fd = fl_embedded_get_fd(node->store), .events = POLLIN};

	(void)node_drain(node);
	node->n_dispatched = 0;
	node_request(node, CREATE, 1, "10.5.1.0/24", "192.0.2.1", 86400);
	cr_assert_eq(poll(&fd, 1, 0), 1);
	cr_assert_eq(node_dispatch(node), 0);
	cr_assert(strstr(node->log, "done 1 0"));
	cr_assert_eq(poll(&fd, 1, 200), 0);
	node_free(node);
}

/* freed with requests waiting, a list half told and messages not taken: nothing is left; the leak detector counts */
Test(store_embedded, free_at_any_time)
{
	struct node *node = node_open_watching(NULL);
	int before = dup(0), after;

	node_request(node, CREATE, 1, "10.5.1.0/24", "192.0.2.1", 60);
	node_await(node, "done 1 0");
	node_request(node, CREATE, 2, "10.5.2.0/24", "192.0.2.2", 60);
	cr_assert_eq(fl_embedded_put_config(node->store, 3, "{}", NULL), 0);
	(void)fl_embedded_dispatch(node->store, NULL);
	node_request(node, CREATE, 4, "10.5.3.0/24", "192.0.2.3", 60);
	node_free(node);
	node = node_open(NULL);
	cr_assert_eq(fl_embedded_watch(node->store, NULL), 0);
	(void)fl_embedded_dispatch(node->store, NULL);
	node_free(node);
	/* the lowest free descriptors are the same as before the second store */
	after = dup(0);
	cr_assert_lt(after, before + 2);
	close(before);
	close(after);
	cr_assert_null(fl_embedded_free(NULL));
}
