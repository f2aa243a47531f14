/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A store in which somebody else says which node has which subnet. */
#include <criterion/criterion.h>

#include "fake_store.h"

static int never_assigned(void *impl, const struct flannel_prefix *public_ip, const struct flannel_prefix *public_ip6,
			  struct flannel_lease **ret_lease)
{
	(void)impl;
	(void)public_ip;
	(void)public_ip6;
	(void)ret_lease;
	return 0;
}

/* the fake store, as one that assigns */
static void open_assigning(struct bench *bench)
{
	struct flannel_store_ops ops = fake_ops;

	ops.assigned = never_assigned;
	*bench = (struct bench){.fake = fake_new()};
	cr_assert_eq(flannel_context_new(&bench->context, NULL, NULL), 0);
	cr_assert_eq(flannel_store_new(bench->context, &ops, bench->fake, &bench->store, NULL), 0);
	bench->options = (struct flannel_lease_options){.size = sizeof(bench->options)};
	bench->options.public_ip = FAKE_IP;
	bench->options.userdata = &bench->userdata;
}

Test(request_assigned, waits_for_its_lease_and_creates_none)
{
	struct bench bench;

	open_assigning(&bench);
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, "!10.244.2.0-24 192.0.2.2", NULL);
	bench_event(&bench, "peer-added 10.244.2.0-24");
	bench_event(&bench, "lease-failed no lease for this node's address");
	/* it is tried as soon as there is one, however long the pauses are by then */
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "!10.244.3.0-24 " FAKE_IP);
	bench_call(&bench, "update 10.244.3.0-24");
	bench.fake->is_reservation = true;
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.3.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

Test(request_assigned, follows_to_another_subnet)
{
	struct bench bench;

	open_assigning(&bench);
	bench.fake->is_reservation = true;
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, "!10.244.3.0-24 " FAKE_IP, NULL);
	bench_call(&bench, "update 10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.3.0-24");
	fake_snapshot(bench.fake, "!10.244.4.0-24 " FAKE_IP, NULL);
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_call(&bench, "update 10.244.4.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.4.0-24");
	fake_snapshot(bench.fake, NULL);
	bench_event(&bench, "lease-lost 10.244.4.0-24");
	bench_event(&bench, "lease-failed no lease for this node's address");
	bench_close(&bench);
}

/* a store that was written before there was such a thing */
Test(request_assigned, older_table_of_functions)
{
	struct flannel_store_ops ops = fake_ops;
	struct bench bench = {.fake = fake_new()};

	ops.size = offsetof(struct flannel_store_ops, assigned);
	cr_assert_eq(flannel_context_new(&bench.context, NULL, NULL), 0);
	cr_assert_eq(flannel_store_new(bench.context, &ops, bench.fake, &bench.store, NULL), 0);
	bench_close(&bench);
}
