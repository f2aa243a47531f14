/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A store that gives each node its subnets: what is given is taken, whatever else there is. */

#include <criterion/criterion.h>

#include "engine/store/store.h"
#include "fake_store.h"

/* tells what this node is given, by a lease's key; NULL: nothing yet */
static void tell_self(struct bench *bench, const char *key)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_SELF, .code = key ? 0 : -EAGAIN};
	struct flannel_lease_fields fields = {.size = sizeof(fields)};
	const char *second = key ? strchr(key, ' ') : NULL;
	char first[64];

	if (key) {
		(void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(key, " "), key);
		if (strcmp(first, "-") != 0)
			fields.subnet = bench_prefix(first);
		if (second)
			fields.subnet6 = bench_prefix(second + 1);
		cr_assert_eq(flannel_lease_new(&fields, &message.lease, NULL), 0);
	} else {
		fl_error_set_retryable(&message.error, -EAGAIN, "fake", "not yet", "wait for the subnet");
	}
	fake_tell(bench->fake, message);
}

/* up to the watch: what is given is told before the configuration is */
static void start(struct bench *bench, const char *config, const char *key)
{
	bench_open(bench);
	bench->options.public_ip6 = strstr(config, "EnableIPv6") ? FAKE_IP6 : NULL;
	bench->fake->is_reservation = true;
	bench_start(bench);
	bench_call(bench, "get_config");
	tell_self(bench, key);
	fake_answer_config(bench->fake, 0, config);
}

Test(request_self, takes_what_it_is_given)
{
	static const struct {
		const char *config, *given, *lease;
	} cases[] = {
		{FAKE_CONFIG, "10.244.9.0/24", "create 10.244.9.0-24"},
		/* of any length, and anywhere in the network, unlike what is chosen */
		{FAKE_CONFIG, "10.244.0.0/26", "create 10.244.0.0-26"},
		{FAKE_CONFIG, "10.244.9.0/24 fd00:10:244:9::/64", "create 10.244.9.0-24"},
		{FAKE_CONFIG_DUAL, "10.244.9.0/24 fd00:10:244:9::/64", "create 10.244.9.0-24&fd00:10:244:9::-64"},
		{FAKE_CONFIG_DUAL, "- fd00:10:244:9::/64", "create 0.0.0.0-0&fd00:10:244:9::-64"},
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
Test(request_self, leaves_others_alone)
{
	struct bench bench;

	start(&bench, FAKE_CONFIG, "10.244.9.0/24");
	bench_call(&bench, "watch");
	fake_snapshot(bench.fake, "10.244.7.0-24 " FAKE_IP, "10.244.2.0-24 192.0.2.2", NULL);
	bench_call(&bench, "create 10.244.9.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "peer-added 10.244.2.0-24");
	bench_event(&bench, "lease-acquired 10.244.9.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

Test(request_self, refuses_what_is_not_in_the_network)
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

Test(request_self, says_why_it_waits)
{
	struct bench bench;

	bench_open(&bench);
	bench_start(&bench);
	bench_call(&bench, "get_config");
	tell_self(&bench, NULL);
	bench_event(&bench, "lease-failed wait for the subnet");
	tell_self(&bench, "10.244.9.0/24");
	fake_answer_config(bench.fake, 0, FAKE_CONFIG);
	bench_call(&bench, "watch");
	bench_close(&bench);
}

Test(request_self, follows_to_another_subnet)
{
	struct bench bench;

	start(&bench, FAKE_CONFIG, "10.244.9.0/24");
	bench_call(&bench, "watch");
	fake_snapshot(bench.fake, NULL);
	bench_call(&bench, "create 10.244.9.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.9.0-24");
	/* told again, gone for a while, or nonsense: nothing changes */
	tell_self(&bench, "10.244.9.0/24");
	tell_self(&bench, "10.244.9.0/24 fd00:10:244:9::/64");
	tell_self(&bench, NULL);
	tell_self(&bench, "10.50.0.0/24");
	bench_quiet(&bench);
	cr_assert_str_eq(fake_key(flannel_request_get_lease(bench.request)), "10.244.9.0-24");
	tell_self(&bench, "10.244.8.0/24");
	bench_event(&bench, "lease-lost 10.244.9.0-24");
	bench_call(&bench, "create 10.244.8.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.8.0-24");
	/* the own lease is in each list of such a store */
	fake_snapshot(bench.fake, "!10.244.8.0-24 " FAKE_IP, NULL);
	bench_quiet(&bench);
	bench_close(&bench);
}

/* what a store is told, in a line */
static char told[64];

static int note_ready(void *impl, int is_ready, const char *why, struct flannel_error **ret_error)
{
	(void)ret_error;
	(void)snprintf(told, sizeof(told), "%d %s", is_ready, why);
	fake_ring(impl);
	return 0;
}

Test(request_self, a_store_may_want_to_know_whether_the_node_is_ready)
{
	struct bench bench = {.fake = fake_new()};
	struct flannel_store_ops ops = fake_ops;

	ops.set_ready = note_ready;
	cr_assert_eq(flannel_context_new(&bench.context, NULL, NULL), 0);
	cr_assert_eq(flannel_store_new(bench.context, &ops, bench.fake, &bench.store, NULL), 0);
	cr_assert(fl_store_has_ready(bench.store));
	cr_assert_eq(fl_store_set_ready(bench.store, false, "because", NULL), 0);
	cr_expect_str_eq(told, "0 because");
	bench_close(&bench);

	/* most do not */
	bench_open(&bench);
	cr_expect_not(fl_store_has_ready(bench.store));
	bench_close(&bench);
}
