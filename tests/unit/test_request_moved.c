/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A node that gets other addresses: its lease is published with them and keeps its subnet. */

#include <criterion/criterion.h>

#include "fake_store.h"
#include "engine/lease/request_state.h"

#define OLD_IP FAKE_IP
#define NEW_IP "192.0.2.11"

/* the node has another address from now on */
static void move(struct bench *bench, const char *ip)
{
	struct fl_identity identity = {.backend_type = "host-gw", .public_ip = bench_prefix(ip)};

	cr_assert_eq(fl_request_set_identity(bench->request, &identity, NULL), 0);
}

/* the public address of a lease */
static const char *address_of(struct flannel_lease *lease)
{
	static __thread char text[FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix address;

	cr_assert_eq(flannel_lease_get_public_ip(lease, AF_INET, &address), 1);
	return flannel_prefix_format_address(&address, text, sizeof(text));
}

/* holds 10.244.3.0/24; a renewal by itself is far away */
static void hold(struct bench *bench)
{
	bench_open(bench);
	bench->options.previous = bench_prefix("10.244.3.0/24");
	bench_start_with(bench, FAKE_CONFIG);
	fake_snapshot(bench->fake, "10.244.2.0-24 192.0.2.2", NULL);
	bench_call(bench, "create 10.244.3.0-24");
	fake_answer(bench->fake, 0);
	bench_event(bench, "peer-added 10.244.2.0-24");
	bench_event(bench, "lease-acquired 10.244.3.0-24");
	fake_tell_lease(bench->fake, FLANNEL_STORE_LEASE, "10.244.3.0-24 " OLD_IP);
	bench_quiet(bench);
}

/* one write, over the revision that was read; what the watch tells late is no loss */
Test(request_moved, keeps_its_subnet)
{
	struct bench bench;

	hold(&bench);
	move(&bench, NEW_IP);
	bench_call(&bench, "update 10.244.3.0-24");
	cr_expect_str_eq(address_of(bench.fake->lease), NEW_IP);
	cr_expect_eq(flannel_lease_get_revision(bench.fake->lease), 8u);
	cr_expect_str_eq(address_of(flannel_request_get_lease(bench.request)), OLD_IP, "not written yet");
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.3.0-24 " OLD_IP);
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-renewed 10.244.3.0-24");
	cr_expect_str_eq(address_of(flannel_request_get_lease(bench.request)), NEW_IP);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.3.0-24 " OLD_IP);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.3.0-24 " NEW_IP);
	bench_quiet(&bench);
	cr_expect_eq(bench.request->own.n_peers, 1u);
	cr_expect_eq(bench.request->peers.n_peers, 1u);
	/* the same address again is no move */
	move(&bench, NEW_IP);
	bench_quiet(&bench);
	/* somebody else has it: that is a loss, whatever the addresses before */
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.3.0-24 192.0.2.77");
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_close(&bench);
}

/* moved twice, the second time while the first is on its way */
Test(request_moved, twice)
{
	struct bench bench;

	hold(&bench);
	move(&bench, NEW_IP);
	bench_call(&bench, "update 10.244.3.0-24");
	move(&bench, "192.0.2.12");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-renewed 10.244.3.0-24");
	bench_call(&bench, "update 10.244.3.0-24");
	cr_expect_str_eq(address_of(bench.fake->lease), "192.0.2.12");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-renewed 10.244.3.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* before there is a lease: it is created, or corrected, with the new address */
Test(request_moved, while_acquiring)
{
	for (int is_sent = 0; is_sent < 2; is_sent++) {
		struct bench bench;

		bench_open(&bench);
		bench_start_with(&bench, FAKE_CONFIG);
		if (is_sent) {
			fake_snapshot(bench.fake, NULL);
			bench_call(&bench, "create 10.244.");
		}
		move(&bench, NEW_IP);
		if (is_sent) {
			fake_answer(bench.fake, 0);
			bench_call(&bench, "update 10.244.");
		} else {
			fake_snapshot(bench.fake, NULL);
			bench_call(&bench, "create 10.244.");
		}
		cr_expect_str_eq(address_of(bench.fake->lease), NEW_IP, "case %d", is_sent);
		fake_answer(bench.fake, 0);
		bench_settle(&bench);
		cr_expect_str_eq(address_of(flannel_request_get_lease(bench.request)), NEW_IP, "case %d", is_sent);
		bench_close(&bench);
	}
}

/* a store that knows no other way: the old lease goes, and the same subnet is created; if it was taken meanwhile, another */
Test(request_moved, store_that_cannot)
{
	for (int is_taken = 0; is_taken < 2; is_taken++) {
		struct bench bench;

		hold(&bench);
		move(&bench, NEW_IP);
		bench_call(&bench, "update 10.244.3.0-24");
		fake_answer(bench.fake, -ENOENT);
		bench_call(&bench, "remove 10.244.3.0-24");
		cr_expect_str_eq(address_of(bench.fake->lease), OLD_IP);
		fake_answer(bench.fake, is_taken ? -ENOENT : 0);
		bench_call(&bench, "create 10.244.3.0-24");
		cr_expect_str_eq(address_of(bench.fake->lease), NEW_IP);
		if (is_taken) {
			fake_answer(bench.fake, -EEXIST);
			bench_call(&bench, "create 10.244.");
		}
		fake_answer(bench.fake, 0);
		fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.3.0-24 " OLD_IP);
		bench_settle(&bench);
		cr_expect_str_eq(address_of(flannel_request_get_lease(bench.request)), NEW_IP);
		bench_close(&bench);
	}
}

/* a node that is gone had the address: its lease makes way. One that has moved away in the meantime is a peer again. */
Test(request_moved, to_the_address_of_another_lease)
{
	struct bench bench;

	hold(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.5.0-24 " NEW_IP);
	bench_event(&bench, "peer-added 10.244.5.0-24");
	move(&bench, NEW_IP);
	bench_event(&bench, "peer-removed 10.244.5.0-24");
	bench_call(&bench, "remove 10.244.5.0-24");
	cr_expect_not_null(flannel_request_get_lease(bench.request));
	fake_answer(bench.fake, -EIO);
	bench_event(&bench, "lease-failed remove the lease");
	bench_call(&bench, "remove 10.244.5.0-24");
	/* its node has moved, too, and is quicker */
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.5.0-24 192.0.2.55");
	fake_answer(bench.fake, -ENOENT);
	bench_event(&bench, "peer-added 10.244.5.0-24");
	bench_call(&bench, "update 10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-renewed 10.244.3.0-24");
	bench_quiet(&bench);
	/* and a lease of the new address that comes later is not touched */
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.6.0-24 " NEW_IP);
	bench_quiet(&bench);
	bench_close(&bench);
}

/* the store knows of such a lease before it tells: tried again, and the node goes on */
Test(request_moved, to_an_address_that_is_taken)
{
	struct bench bench;

	hold(&bench);
	move(&bench, NEW_IP);
	bench_call(&bench, "update 10.244.3.0-24");
	fake_answer(bench.fake, -EEXIST);
	bench_event(&bench, "lease-failed publish the node's address");
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.5.0-24 " NEW_IP);
	bench_call(&bench, "remove 10.244.5.0-24");
	fake_answer(bench.fake, 0);
	bench_call(&bench, "update 10.244.3.0-24");
	cr_expect_not_null(flannel_request_get_lease(bench.request));
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-renewed 10.244.3.0-24");
	bench_close(&bench);
}

/* the lease of a peer that took over the old address before this node told of its new one */
Test(request_moved, somebody_got_the_old_address)
{
	struct bench bench;

	hold(&bench);
	move(&bench, NEW_IP);
	bench_call(&bench, "update 10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-renewed 10.244.3.0-24");
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.9.0-24 " OLD_IP);
	bench_event(&bench, "peer-added 10.244.9.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

/*
 * The other way round: a node has moved to our address, before we know that ours is another, and ours made way. Its lease is not
 * taken over; ours comes back as soon as we know.
 */
Test(request_moved, somebody_else_moved_first)
{
	struct bench bench;

	hold(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.3.0-24 " OLD_IP);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.2.0-24 " OLD_IP);
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_event(&bench, "peer-removed 10.244.2.0-24");
	bench_call(&bench, "create 10.244.3.0-24");
	fake_answer(bench.fake, -EEXIST);
	bench_event(&bench, "lease-failed publish the node's address");
	bench_call(&bench, "create 10.244.3.0-24");
	fake_answer(bench.fake, -EEXIST);
	bench_event(&bench, "lease-failed publish the node's address");
	move(&bench, "192.0.2.2");
	bench_event(&bench, "peer-added 10.244.2.0-24");
	bench_call(&bench, "create 10.244.3.0-24");
	cr_expect_str_eq(address_of(bench.fake->lease), "192.0.2.2");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.3.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* the refusal was for the address that the node had when it asked: asked again with the new one, for the same subnet */
Test(request_moved, while_it_is_refused)
{
	struct bench bench;

	hold(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.3.0-24 " OLD_IP);
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_call(&bench, "create 10.244.3.0-24");
	move(&bench, NEW_IP);
	fake_answer(bench.fake, -EEXIST);
	bench_call(&bench, "create 10.244.3.0-24");
	cr_expect_str_eq(address_of(bench.fake->lease), NEW_IP);
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.3.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* a lease that was removed to make way, and is told to be there again before the removal is answered: it is known */
Test(request_moved, the_other_comes_back_at_once)
{
	const char *value = "{\"PublicIP\":\"" NEW_IP "\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}";
	struct flannel_lease *lease = NULL;
	struct bench bench;

	hold(&bench);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.5.0-24 " NEW_IP);
	bench_event(&bench, "peer-added 10.244.5.0-24");
	move(&bench, NEW_IP);
	bench_event(&bench, "peer-removed 10.244.5.0-24");
	bench_call(&bench, "remove 10.244.5.0-24");
	fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.5.0-24 " NEW_IP);
	cr_assert_eq(flannel_lease_parse("10.244.5.0-24", value, strlen(value), time(NULL) + 100, 9, &lease, NULL), 0);
	fake_tell(bench.fake, (struct flannel_store_message){.type = FLANNEL_STORE_LEASE, .lease = lease});
	fake_answer(bench.fake, 0);
	bench_call(&bench, "remove 10.244.5.0-24");
	fake_answer(bench.fake, 0);
	bench_call(&bench, "update 10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-renewed 10.244.3.0-24");
	bench_close(&bench);
}

/* what has our former address but was written after us is no old news */
Test(request_moved, somebody_with_the_old_address_takes_the_lease)
{
	struct flannel_lease *lease = NULL;
	const char *value = "{\"PublicIP\":\"" OLD_IP "\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}";
	struct bench bench;

	hold(&bench);
	move(&bench, NEW_IP);
	bench_call(&bench, "update 10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-renewed 10.244.3.0-24");
	cr_assert_eq(flannel_lease_parse("10.244.3.0-24", value, strlen(value), time(NULL) + 100, 9, &lease, NULL), 0);
	fake_tell(bench.fake, (struct flannel_store_message){.type = FLANNEL_STORE_LEASE, .lease = lease});
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_event(&bench, "peer-added 10.244.3.0-24");
	bench_close(&bench);
}

/* of two leases of this node the one with the subnet that it had before is taken */
Test(request_moved, former_subnet_counts)
{
	struct bench bench;

	bench_open(&bench);
	bench.options.previous = bench_prefix("10.244.8.0/24");
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, "10.244.7.0-24 " FAKE_IP, "10.244.8.0-24 " FAKE_IP, NULL);
	bench_call(&bench, "update 10.244.8.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.8.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}
