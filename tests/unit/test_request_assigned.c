/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A store in which somebody else says which node has which subnets: what is given is taken, whatever else there is. */

#include <criterion/criterion.h>

#include "fake_store.h"

/* from now on this is given, a lease's key; "": nothing, NULL: the store is not sure. The request is told to ask. */
static void give(struct bench *bench, const char *key)
{
	struct flannel_lease_fields fields = {.size = sizeof(fields)};
	const char *second = key ? strchr(key, ' ') : NULL;
	struct fake *fake = bench->fake;
	char first[64];

	fake->given = flannel_lease_unref(fake->given);
	fake->is_unsure = !key;
	if (key && *key) {
		(void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(key, " "), key);
		if (strcmp(first, "-") != 0)
			fields.subnet = bench_prefix(first);
		if (second)
			fields.subnet6 = bench_prefix(second + 1);
		cr_assert_eq(flannel_lease_new(&fields, &fake->given, NULL), 0);
	}
	fake_tell(fake, (struct flannel_store_message){.type = FLANNEL_STORE_ASSIGNED});
}

/* the fake store, as one that does not let nodes choose */
static void open_assigning(struct bench *bench)
{
	struct flannel_store_ops ops = fake_ops;

	ops.get_assigned = fake_get_assigned;
	bench_open_store(bench, &ops);
	bench->fake->is_reservation = true;
}

/* up to the watch: what is given is known before the configuration is */
static void start(struct bench *bench, const char *config, const char *key)
{
	open_assigning(bench);
	bench->fake->knows_names = true;
	bench->options.public_ip6 = strstr(config, "EnableIPv6") ? FAKE_IP6 : NULL;
	bench_start(bench);
	bench_call(bench, "get_config");
	give(bench, key);
	fake_answer_config(bench->fake, 0, config);
}

Test(request_assigned, takes_what_it_is_given)
{
	static const struct {
		const char *config, *given, *lease;
	} cases[] = {
		{FAKE_CONFIG, "10.244.9.0/24", "update 10.244.9.0-24"},
		/* of any length, and anywhere in the network, unlike what is chosen */
		{FAKE_CONFIG, "10.244.0.0/26", "update 10.244.0.0-26"},
		{FAKE_CONFIG, "10.244.9.0/24 fd00:10:244:9::/64", "update 10.244.9.0-24"},
		{FAKE_CONFIG_DUAL, "10.244.9.0/24 fd00:10:244:9::/64", "update 10.244.9.0-24&fd00:10:244:9::-64"},
		{FAKE_CONFIG_DUAL, "- fd00:10:244:9::/64", "update 0.0.0.0-0&fd00:10:244:9::-64"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct bench bench;

		start(&bench, cases[i].config, cases[i].given);
		bench_call(&bench, "watch");
		fake_snapshot(bench.fake, NULL);
		bench_call(&bench, cases[i].lease);
		cr_expect_str_eq(bench.fake->calls[bench.fake->n_seen - 1], cases[i].lease);
		bench_close(&bench);
	}
}

/* what others have with this node's address is theirs: it is neither taken over nor removed */
Test(request_assigned, leaves_others_alone)
{
	struct bench bench;

	start(&bench, FAKE_CONFIG, "10.244.9.0/24");
	bench_call(&bench, "watch");
	fake_snapshot(bench.fake, "10.244.7.0-24 " FAKE_IP, "10.244.2.0-24 192.0.2.2", NULL);
	bench_call(&bench, "update 10.244.9.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "peer-added 10.244.2.0-24");
	bench_event(&bench, "lease-acquired 10.244.9.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

Test(request_assigned, refuses_what_is_not_in_the_network)
{
	static const char *const given[] = {"10.50.0.0/24", "- fd00:10:244:9::/64"};

	for (size_t i = 0; i < FL_N_ELEMENTS(given); i++) {
		struct bench bench;

		start(&bench, FAKE_CONFIG, given[i]);
		bench_event(&bench, i == 0 ? "lease-failed 10.50.0.0/24, which is not in Network 10.244.0.0/16"
					   : "lease-failed no subnet of the network's families");
		/* before anything is asked for */
		bench_quiet(&bench);
		bench_close(&bench);
	}
}

Test(request_assigned, says_why_it_waits)
{
	struct bench bench;

	open_assigning(&bench);
	bench_start(&bench);
	bench_call(&bench, "get_config");
	give(&bench, NULL);
	bench_event(&bench, "lease-failed wait for the subnet");
	give(&bench, "10.244.9.0/24");
	fake_answer_config(bench.fake, 0, FAKE_CONFIG);
	bench_call(&bench, "watch");
	bench_close(&bench);
}

Test(request_assigned, follows_to_another_subnet)
{
	struct bench bench;

	start(&bench, FAKE_CONFIG, "10.244.9.0/24");
	bench_call(&bench, "watch");
	fake_snapshot(bench.fake, NULL);
	bench_call(&bench, "update 10.244.9.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.9.0-24");
	/* told again, gone for a while, or nonsense: nothing changes */
	give(&bench, "10.244.9.0/24");
	give(&bench, "10.244.9.0/24 fd00:10:244:9::/64");
	give(&bench, NULL);
	give(&bench, "10.50.0.0/24");
	bench_quiet(&bench);
	cr_assert_str_eq(fake_key(flannel_request_get_lease(bench.request)), "10.244.9.0-24");
	give(&bench, "10.244.8.0/24");
	bench_event(&bench, "lease-lost 10.244.9.0-24");
	bench_call(&bench, "update 10.244.8.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.8.0-24");
	/* the own lease is in each list of such a store */
	fake_snapshot(bench.fake, "!10.244.8.0-24 " FAKE_IP, NULL);
	bench_quiet(&bench);
	bench_close(&bench);
}

/* nothing is created meanwhile, and that nothing is given is said once */
Test(request_assigned, waits_for_its_lease_and_creates_none)
{
	struct bench bench;

	open_assigning(&bench);
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, "!10.244.2.0-24 192.0.2.2", NULL);
	bench_event(&bench, "peer-added 10.244.2.0-24");
	bench_event(&bench, "lease-failed no lease for the address " FAKE_IP " in fake");
	for (int i = 0; i < 3; i++) {
		give(&bench, "");
		bench_quiet(&bench);
	}
	/* it is tried as soon as there is one, however long the pauses are by then */
	give(&bench, "10.244.3.0/24");
	bench_call(&bench, "update 10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.3.0-24");
	/* what is held is not lost because it is not given any more, but because it is gone */
	give(&bench, "");
	bench_quiet(&bench);
	fake_snapshot(bench.fake, NULL);
	bench_event(&bench, "peer-removed 10.244.2.0-24");
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_event(&bench, "lease-failed no lease for the address " FAKE_IP " in fake");
	bench_close(&bench);
}

/* a store that was written before there was such a thing */
Test(request_assigned, older_table_of_functions)
{
	struct flannel_store_ops ops = fake_ops;
	struct bench bench;

	ops.size = offsetof(struct flannel_store_ops, get_assigned);
	bench_open_store(&bench, &ops);
	bench_close(&bench);
}
