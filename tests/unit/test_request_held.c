/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A lease that is held: renewal, loss, the other nodes, the end. */

#include <criterion/criterion.h>

#include "fake_store.h"
#include "engine/lease/request_state.h"

static void tell(struct bench *bench, int type)
{
	struct flannel_store_message message = {.type = type};

	if (type == FLANNEL_STORE_LOST)
		fl_error_set_retryable(&message.error, -EIO, "fake", "no answer", "ask");
	fake_tell(bench->fake, message);
}

Test(request_held, is_renewed)
{
	struct bench bench;
	uint64_t held_ns;

	bench_open(&bench);
	bench_hold(&bench);
	held_ns = fl_loop_now();
	for (int i = 0; i < 2; i++) {
		bench_call(&bench, "update 10.244.3.0-24");
		cr_expect_eq(bench.fake->lease_sec, 60u);
		cr_expect_not_null(flannel_request_get_lease(bench.request), "not held while it is renewed");
		fake_answer(bench.fake, 0);
		bench_event(&bench, "lease-renewed 10.244.3.0-24");
	}
	cr_expect_geq(fl_loop_now() - held_ns, 1500 * FL_NSEC_PER_MSEC, "renewed too early");
	bench_close(&bench);
}

/* when the renewal is due: the margin before the end, by default an hour or half the lifetime */
static const struct {
	uint32_t lease_sec, margin_sec, due_sec;
} times[] = {
	{0, 0, 82800}, {86400, 3600, 82800}, {3601, 0, 1}, {3600, 0, 1800}, {60, 0, 30}, {2592000, 1, 2591999},
};

Test(request_held, renewal_times)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(times); i++) {
		uint64_t before_ns, due_ns = times[i].due_sec * FL_NSEC_PER_SEC, deadline_ns;
		struct bench bench;

		bench_open(&bench);
		bench.options.lease_sec = times[i].lease_sec;
		bench.options.renew_margin_sec = times[i].margin_sec;
		bench_start_with(&bench, FAKE_CONFIG);
		fake_snapshot(bench.fake, NULL);
		bench_call(&bench, "create 10.244.");
		fake_answer(bench.fake, 0);
		before_ns = fl_loop_now();
		bench_settle(&bench);
		deadline_ns = fl_source_get_deadline(bench.request->timer);
		cr_expect(deadline_ns >= before_ns + due_ns && deadline_ns <= fl_loop_now() + due_ns, "case %zu", i);
		bench_close(&bench);
	}
}

/* a renewal that fails is repeated, and the lease is held meanwhile */
Test(request_held, renewal_fails)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	bench_call(&bench, "update 10.244.3.0-24");
	for (int i = 0; i < 3; i++) {
		fake_answer(bench.fake, -EIO);
		bench_event(&bench, "lease-failed write the lease");
		cr_expect_str_eq(fake_key(flannel_request_get_lease(bench.request)), "10.244.3.0-24");
		bench_call(&bench, "update 10.244.3.0-24");
	}
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-renewed 10.244.3.0-24");
	bench_close(&bench);
}

/* the refusal may come before, after or without the watch's word */
Test(request_held, renewal_finds_nothing)
{
	for (int told = 0; told < 3; told++) {
		struct bench bench;

		bench_open(&bench);
		bench_hold(&bench);
		bench_call(&bench, "update 10.244.3.0-24");
		if (told == 1)
			fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.3.0-24 " FAKE_IP);
		fake_answer(bench.fake, -ENOENT);
		if (told == 2)
			fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.3.0-24 " FAKE_IP);
		bench_event(&bench, "lease-lost 10.244.3.0-24");
		cr_expect_null(flannel_request_get_lease(bench.request));
		bench_call(&bench, "create 10.244.3.0-24");
		fake_answer(bench.fake, 0);
		bench_event(&bench, "lease-acquired 10.244.3.0-24");
		bench_quiet(&bench);
		bench_close(&bench);
	}
}

/* somebody removes it; the same subnet is asked for first, then another */
Test(request_held, is_removed)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.3.0-24 " FAKE_IP);
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_call(&bench, "create 10.244.3.0-24");
	fake_answer(bench.fake, -EEXIST);
	bench_call(&bench, "create 10.244.");
	fake_answer(bench.fake, 0);
	bench_settle(&bench);
	cr_expect_not_null(flannel_request_get_lease(bench.request));
	bench_close(&bench);
}

/* its end is told before its being there */
Test(request_held, is_removed_unseen)
{
	struct bench bench;

	bench_open(&bench);
	bench.options.previous = bench_prefix("10.244.3.0/24");
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, NULL);
	bench_call(&bench, "create 10.244.3.0-24");
	fake_answer(bench.fake, 0);
	fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.3.0-24 " FAKE_IP);
	bench_event(&bench, "lease-acquired 10.244.3.0-24");
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_call(&bench, "create 10.244.3.0-24");
	bench_close(&bench);
}

/* it was never told of, and then a full list lacks it */
Test(request_held, list_lacks_it)
{
	struct bench bench;

	bench_open(&bench);
	bench.options.previous = bench_prefix("10.244.3.0/24");
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, NULL);
	bench_call(&bench, "create 10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.3.0-24");
	fake_snapshot(bench.fake, NULL);
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_call(&bench, "create 10.244.3.0-24");
	bench_close(&bench);
}

/* what was lost is asked for first, whatever was held before that */
Test(request_held, lost_subnet_comes_first)
{
	struct bench bench;

	bench_open(&bench);
	bench.options.previous = bench_prefix("10.244.3.0/24");
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, "10.244.7.0-24 " FAKE_IP, NULL);
	bench_call(&bench, "update 10.244.7.0-24");
	fake_answer(bench.fake, 0);
	fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.7.0-24 " FAKE_IP);
	bench_call(&bench, "create 10.244.7.0-24");
	bench_close(&bench);
}

/* another node has it now: that one is a peer, and this node takes another subnet */
Test(request_held, changes_hands)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.3.0-24 192.0.2.9");
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_event(&bench, "peer-added 10.244.3.0-24");
	bench_call(&bench, "create 10.244.");
	cr_expect_str_neq(fake_key(bench.fake->lease), "10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_settle(&bench);
	/* and back: the peer is gone, the lease is this node's, but it is not the one that is held */
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.3.0-24 " FAKE_IP);
	bench_settle(&bench);
	cr_expect_eq(bench.request->peers.n_peers, 1u);
	cr_expect_str_neq(fake_key(flannel_request_get_lease(bench.request)), "10.244.3.0-24");
	bench_close(&bench);
}

/* overlapping, but not the same: the store has let it in, the own lease stays */
Test(request_held, overlapping_peer)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.0.0-22 192.0.2.9");
	bench_event(&bench, "peer-added 10.244.0.0-22");
	bench_quiet(&bench);
	cr_expect_not_null(flannel_request_get_lease(bench.request));
	bench_close(&bench);
}

Test(request_held, peers)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.9.0-24 192.0.2.9");
	bench_event(&bench, "peer-added 10.244.9.0-24");
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.9.0-24 192.0.2.99");
	bench_event(&bench, "peer-changed 10.244.9.0-24");
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.9.0-24 192.0.2.99 {\"VNI\":2}");
	bench_event(&bench, "peer-changed 10.244.9.0-24");
	/* a renewal changes nothing that matters */
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "!10.244.9.0-24 192.0.2.99 {\"VNI\":2}");
	bench_quiet(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.9.0-24 192.0.2.99");
	bench_event(&bench, "peer-removed 10.244.9.0-24");
	fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.9.0-24 192.0.2.99");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* while the store did not answer one peer left, one moved, one came, one stayed */
Test(request_held, store_lost_and_back)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.4.0-24 192.0.2.4");
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.5.0-24 192.0.2.5");
	bench_event(&bench, "peer-added 10.244.4.0-24");
	bench_event(&bench, "peer-added 10.244.5.0-24");
	tell(&bench, FLANNEL_STORE_LOST);
	bench_event(&bench, "store-lost no answer");
	bench_quiet(&bench);
	cr_expect_not_null(flannel_request_get_lease(bench.request));
	tell(&bench, FLANNEL_STORE_BACK);
	fake_snapshot(bench.fake, "10.244.4.0-24 192.0.2.44", "10.244.3.0-24 " FAKE_IP, "10.244.2.0-24 192.0.2.2",
		      "10.244.6.0-24 192.0.2.6", NULL);
	bench_event(&bench, "store-back");
	bench_event(&bench, "peer-changed 10.244.4.0-24");
	bench_event(&bench, "peer-added 10.244.6.0-24");
	bench_event(&bench, "peer-removed 10.244.5.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

Test(request_held, own_gone_while_store_was_lost)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	tell(&bench, FLANNEL_STORE_LOST);
	tell(&bench, FLANNEL_STORE_BACK);
	fake_snapshot(bench.fake, "10.244.2.0-24 192.0.2.2", NULL);
	bench_event(&bench, "store-lost no answer");
	bench_event(&bench, "store-back");
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_call(&bench, "create 10.244.3.0-24");
	bench_close(&bench);
}

/* it ran out while the store did not answer, and another node has the subnet now */
Test(request_held, own_taken_while_store_was_lost)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	tell(&bench, FLANNEL_STORE_LOST);
	tell(&bench, FLANNEL_STORE_BACK);
	fake_snapshot(bench.fake, "10.244.2.0-24 192.0.2.2", "10.244.3.0-24 192.0.2.9", NULL);
	bench_event(&bench, "store-lost no answer");
	bench_event(&bench, "store-back");
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_event(&bench, "peer-added 10.244.3.0-24");
	bench_call(&bench, "create 10.244.");
	cr_expect_str_neq(fake_key(bench.fake->lease), "10.244.3.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* a list that was cut off by the loss says nothing about who is gone */
Test(request_held, list_is_cut_off)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	tell(&bench, FLANNEL_STORE_SNAPSHOT_BEGIN);
	tell(&bench, FLANNEL_STORE_LOST);
	tell(&bench, FLANNEL_STORE_BACK);
	fake_snapshot(bench.fake, "10.244.2.0-24 192.0.2.2", "10.244.3.0-24 " FAKE_IP, NULL);
	bench_event(&bench, "store-lost no answer");
	bench_event(&bench, "store-back");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* the store says that it cannot go on: told once, and nothing is asked of it any more */
Test(request_held, store_ends)
{
	for (int with_error = 0; with_error < 2; with_error++) {
		struct bench bench;
		struct flannel_error *error = NULL;

		bench_open(&bench);
		bench_hold(&bench);
		bench.fake->refuse_with_error = with_error;
		bench.fake->dispatch_code = -EBADF;
		fake_ring(bench.fake);
		bench_event(&bench, with_error ? "store-lost gone for good" : "store-lost use the fake store");
		bench_quiet(&bench);
		cr_expect_not_null(flannel_request_get_lease(bench.request));
		bench_event(&bench, "lease-failed cannot go on"); /* the renewal */
		bench_quiet(&bench);
		flannel_request_free(bench.request);
		bench.request = NULL;
		cr_expect_eq(flannel_store_set_config_sync(bench.store, FAKE_CONFIG, 1000, &error), -EIO);
		flannel_error_unref(error);
		bench_close(&bench);
	}
}

/* the same while something waits to be done at once */
Test(request_held, store_ends_in_the_middle)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	cr_assert_eq(flannel_lease_release(bench.request, NULL), 0);
	bench_call(&bench, "remove 10.244.3.0-24");
	bench.fake->dispatch_code = -EBADF;
	fake_ring(bench.fake);
	bench_event(&bench, "store-lost use the fake store");
	bench_quiet(&bench);
	bench_close(&bench);
}

Test(request_held, release)
{
	for (int told_first = 0; told_first < 2; told_first++) {
		struct bench bench;
		struct flannel_error *error = NULL;

		bench_open(&bench);
		bench_hold(&bench);
		cr_assert_eq(flannel_lease_release(bench.request, NULL), 0);
		bench_call(&bench, "remove 10.244.3.0-24");
		cr_expect_null(flannel_request_get_lease(bench.request));
		cr_expect_eq(flannel_lease_release(bench.request, &error), -ENOENT);
		error = flannel_error_unref(error);
		if (told_first)
			fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.3.0-24 " FAKE_IP);
		fake_answer(bench.fake, told_first ? 0 : -ENOENT);
		bench_event(&bench, "lease-lost 10.244.3.0-24");
		/* that was the end */
		fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.9.0-24 192.0.2.9");
		tell(&bench, FLANNEL_STORE_LOST);
		bench_quiet(&bench);
		cr_expect_eq(fl_source_get_deadline(bench.request->timer), UINT64_MAX);
		bench_close(&bench);
	}
}

/* a release that fails is repeated if that can help, else the host hears that it did not come about */
Test(request_held, release_fails)
{
	struct bench bench;
	struct flannel_store_message message = {.type = FLANNEL_STORE_DONE, .code = -EACCES};

	bench_open(&bench);
	bench_hold(&bench);
	bench.fake->refuse = -EIO;
	cr_expect_eq(flannel_lease_release(bench.request, NULL), -EIO);
	bench_call(&bench, "remove 10.244.3.0-24");
	cr_expect_not_null(flannel_request_get_lease(bench.request), "a call that failed changed something");
	cr_assert_eq(flannel_lease_release(bench.request, NULL), 0);
	bench_call(&bench, "remove 10.244.3.0-24");
	fake_answer(bench.fake, -EIO);
	bench_event(&bench, "lease-failed remove the lease");
	bench_call(&bench, "remove 10.244.3.0-24");
	message.request = bench.fake->number;
	fl_error_set(&message.error, -EACCES, "fake", "not for you", "remove");
	fake_tell(bench.fake, message);
	bench_event(&bench, "lease-failed not for you");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* a release overtakes the renewal that runs */
Test(request_held, release_during_renewal)
{
	struct bench bench;
	uint64_t update;

	bench_open(&bench);
	bench_hold(&bench);
	bench_call(&bench, "update 10.244.3.0-24");
	update = bench.fake->number;
	cr_assert_eq(flannel_lease_release(bench.request, NULL), 0);
	bench_call(&bench, "remove 10.244.3.0-24");
	fake_tell(bench.fake, (struct flannel_store_message){.type = FLANNEL_STORE_DONE, .request = update});
	bench_quiet(&bench);
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* how far a request is brought before it is freed */
enum stage {
	STARTED,
	ASKED,
	WAITS_FOR_CONFIG,
	CONFIGURED,
	LIST_BEGUN,
	CREATING,
	CREATED,
	HELD,
	RENEWING,
	LOSING,
	RELEASING,
	N_STAGES
};

/* brings a request to a stage; events are left in the queue, messages in the store's */
static void bring_to(struct bench *bench, enum stage stage)
{
	if (stage >= HELD) {
		bench_hold(bench);
		if (stage == RENEWING)
			bench_call(bench, "update");
		if (stage == RELEASING)
			cr_assert_eq(flannel_lease_release(bench->request, NULL), 0);
		fake_tell_lease(bench->fake, stage == LOSING ? FLANNEL_STORE_REMOVED : FLANNEL_STORE_LEASE,
				"10.244.3.0-24 " FAKE_IP);
		if (stage == LOSING)
			bench_call(bench, "create");
		fake_tell_lease(bench->fake, FLANNEL_STORE_LEASE, "10.244.9.0-24 192.0.2.9");
		return;
	}
	bench_start(bench);
	if (stage >= ASKED)
		bench_call(bench, "get_config");
	if (stage == WAITS_FOR_CONFIG) {
		fake_answer_config(bench->fake, -ENOENT, NULL);
		bench_call(bench, "watch");
	}
	if (stage < CONFIGURED)
		return;
	fake_answer_config(bench->fake, 0, FAKE_CONFIG);
	bench_call(bench, "watch");
	if (stage == LIST_BEGUN) {
		tell(bench, FLANNEL_STORE_SNAPSHOT_BEGIN);
		fake_tell_lease(bench->fake, FLANNEL_STORE_LEASE, "10.244.9.0-24 192.0.2.9");
		bench_settle(bench);
	}
	if (stage < CREATING)
		return;
	fake_snapshot(bench->fake, "10.244.9.0-24 192.0.2.9", NULL);
	bench_call(bench, "create");
	if (stage == CREATED)
		fake_answer(bench->fake, 0);
}

/* a freed request is heard of no more, and the next one on the same store begins from the beginning */
Test(request_held, free_at_any_stage)
{
	for (int stage = 0; stage < N_STAGES; stage++) {
		struct bench bench;

		bench_open(&bench);
		bring_to(&bench, stage);
		bench.request = flannel_request_free(bench.request);
		cr_assert_null(bench.request);
		bench.fake->n_seen = bench.fake->n_calls;
		bench_quiet(&bench);

		bench.fake->open = false; /* its answer, if it still comes, is nobody's */
		bench.options.previous = bench_prefix("10.244.3.0/24");
		bench_start_with(&bench, FAKE_CONFIG);
		fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.2.0-24 192.0.2.2");
		fake_snapshot(bench.fake, "10.244.2.0-24 192.0.2.2", NULL);
		bench_call(&bench, "create 10.244.3.0-24");
		fake_answer(bench.fake, 0);
		bench_event(&bench, "peer-added 10.244.2.0-24");
		bench_event(&bench, "lease-acquired 10.244.3.0-24");
		bench_quiet(&bench);
		bench_close(&bench);
	}
}

/* messages that nobody has heard yet go with the store */
Test(request_held, store_with_messages_is_freed)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.9.0-24 192.0.2.9");
	tell(&bench, FLANNEL_STORE_LOST);
	bench_close(&bench);
}
