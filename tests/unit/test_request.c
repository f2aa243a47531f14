/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* flannel_lease_acquire() from the configuration to the lease: what it asks of the store, and in which order. */

#include <criterion/criterion.h>

#include "fake_store.h"
#include "engine/lease/request_state.h"

Test(request, waits_for_a_configuration)
{
	struct bench bench;
	uint64_t asked_ns;

	bench_open(&bench);
	bench_start(&bench);
	bench_call(&bench, "get_config");
	fake_answer_config(bench.fake, -ENOENT, NULL);
	asked_ns = fl_loop_now();
	bench_call(&bench, "watch");
	/* leases mean nothing yet: nobody knows which is whose */
	fake_snapshot(bench.fake, "10.244.2.0-24 192.0.2.2", NULL);
	bench_quiet(&bench);
	bench_call(&bench, "get_config");
	cr_expect_geq(fl_loop_now() - asked_ns, 900 * FL_NSEC_PER_MSEC, "asked again too early");
	fake_answer_config(bench.fake, -ENOENT, NULL);
	bench_quiet(&bench); /* it watches already */
	/* a change is heard at once */
	fake_tell(bench.fake, (struct flannel_store_message){
				      .type = FLANNEL_STORE_CONFIG_CHANGED,
				      .config = strdup(FAKE_CONFIG),
			      });
	bench_call(&bench, "watch");
	fake_snapshot(bench.fake, "10.244.2.0-24 192.0.2.2", NULL);
	bench_event(&bench, "peer-added 10.244.2.0-24");
	bench_call(&bench, "create 10.244.");
	fake_answer(bench.fake, 0);
	bench_settle(&bench);
	cr_assert_not_null(flannel_request_get_lease(bench.request));
	bench_close(&bench);
}

/* a change comes while the question runs: the late answer is nothing new */
Test(request, configuration_comes_twice)
{
	struct bench bench;

	bench_open(&bench);
	bench_start(&bench);
	bench_call(&bench, "get_config");
	fake_answer_config(bench.fake, -ENOENT, NULL);
	bench_call(&bench, "watch");
	bench_call(&bench, "get_config");
	fake_tell(bench.fake, (struct flannel_store_message){
				      .type = FLANNEL_STORE_CONFIG_CHANGED,
				      .config = strdup(FAKE_CONFIG),
			      });
	fake_answer_config(bench.fake, 0, FAKE_CONFIG);
	bench_call(&bench, "watch");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* another configuration counts from the next start on */
Test(request, changed_configuration_is_for_later)
{
	struct bench bench;

	bench_open(&bench);
	bench_hold(&bench);
	fake_tell(bench.fake, (struct flannel_store_message){
				      .type = FLANNEL_STORE_CONFIG_CHANGED,
				      .config = strdup("{\"Network\":\"10.0.0.0/8\"}"),
			      });
	bench_event(&bench, "config-changed the network configuration in the store was changed (Network, Backend): it "
			    "counts from the next start on");
	cr_expect_str_eq(flannel_netconf_get_text(bench.request->netconf), FAKE_CONFIG);
	/* one with which nothing starts, the same once more, which is no news, and the one in use, written another way */
	fake_tell(bench.fake, (struct flannel_store_message){
				      .type = FLANNEL_STORE_CONFIG_CHANGED,
				      .config = strdup("{\"Network\":1}"),
			      });
	bench_event(
		&bench,
		"config-changed the network configuration in the store was replaced by one with which no node starts");
	fake_tell(bench.fake, (struct flannel_store_message){
				      .type = FLANNEL_STORE_CONFIG_CHANGED,
				      .config = strdup("{\"Network\":1}"),
			      });
	bench_quiet(&bench);
	fake_tell(bench.fake, (struct flannel_store_message){
				      .type = FLANNEL_STORE_CONFIG_CHANGED,
				      .config = strdup(" " FAKE_CONFIG " "),
			      });
	bench_event(&bench, "config-changed");
	fake_tell(bench.fake, (struct flannel_store_message){
				      .type = FLANNEL_STORE_CONFIG_CHANGED,
				      .config = strdup(FAKE_CONFIG "\n"),
			      });
	bench_quiet(&bench);
	bench_close(&bench);
}

static const struct {
	const char *text;
	const char *part;
} bad_configs[] = {
	{"", "lease-failed net-conf.json"},
	{"{", "lease-failed ends too early"},
	{"[]", "lease-failed net-conf.json"},
	{"{}", "lease-failed Network"},
	{"{\"Network\":\"10.244.0.0/16\",\"SubnetLen\":17}", "lease-failed SubnetLen"},
};

/* what is invalid is told once, and somebody will mend it: the store tells, or is asked each second */
Test(request, waits_for_a_valid_configuration)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(bad_configs); i++) {
		struct bench bench;

		bench_open(&bench);
		bench_start(&bench);
		bench_call(&bench, "get_config");
		fake_answer_config(bench.fake, 0, bad_configs[i].text);
		bench_event(&bench, bad_configs[i].part);
		bench_call(&bench, "watch");
		/* leases are no business of a node that does not know its network */
		fake_snapshot(bench.fake, "10.244.2.0-24 192.0.2.2", NULL);
		bench_quiet(&bench);
		bench_call(&bench, "get_config");
		fake_answer_config(bench.fake, 0, bad_configs[i].text);
		bench_quiet(&bench);
		fake_tell(bench.fake, (struct flannel_store_message){
					      .type = FLANNEL_STORE_CONFIG_CHANGED,
					      .config = strdup(i % 2 ? FAKE_CONFIG : "{\"Network\":5}"),
				      });
		if (i % 2 == 0) {
			bench_event(&bench, "lease-failed Network");
			bench_call(&bench, "get_config");
			fake_answer_config(bench.fake, 0, FAKE_CONFIG);
		}
		bench_call(&bench, "watch");
		cr_expect_str_eq(flannel_netconf_get_text(bench.request->netconf), FAKE_CONFIG);
		bench_quiet(&bench);
		bench_close(&bench);
	}
}

/* a network that this node cannot be part of is another matter */
Test(request, refuses_a_configuration)
{
	struct bench bench;

	bench_open(&bench);
	bench_start(&bench);
	bench_call(&bench, "get_config");
	fake_answer_config(bench.fake, 0, FAKE_CONFIG_DUAL);
	bench_event(&bench, "lease-failed public IPv6 address");
	/* that was the end: nothing is heard any more */
	fake_snapshot(bench.fake, "10.244.2.0-24 192.0.2.2", NULL);
	bench_quiet(&bench);
	cr_expect_eq(fl_source_get_deadline(bench.request->timer), UINT64_MAX);
	cr_expect_eq(flannel_lease_release(bench.request, NULL), -ENOENT);
	bench_close(&bench);
}

/* a network without IPv4 needs a public IPv6 address, and no other */
Test(request, family_without_an_address)
{
	struct bench bench;

	bench_open(&bench);
	bench.options.public_ip = NULL;
	bench.options.public_ip6 = FAKE_IP6;
	bench_start(&bench);
	bench_call(&bench, "get_config");
	fake_answer_config(bench.fake, 0, FAKE_CONFIG);
	bench_event(&bench, "lease-failed public IPv4 address");
	bench_close(&bench);
}

/* an unreadable configuration is asked for again; then it is still watched for */
Test(request, configuration_cannot_be_read)
{
	struct bench bench;

	bench_open(&bench);
	bench_start(&bench);
	bench_call(&bench, "get_config");
	fake_answer_config(bench.fake, -EIO, NULL);
	bench_event(&bench, "lease-failed read the network configuration");
	bench_call(&bench, "get_config");
	fake_answer_config(bench.fake, -ENOENT, NULL);
	bench_call(&bench, "watch");
	bench_call(&bench, "get_config");
	fake_answer_config(bench.fake, 0, FAKE_CONFIG);
	bench_call(&bench, "watch");
	bench_close(&bench);
}

/* what is left in the queue of an older list is no part of the new one */
Test(request, rest_of_an_older_list)
{
	struct bench bench;

	bench_open(&bench);
	bench.options.previous = bench_prefix("10.244.3.0/24");
	bench_start(&bench);
	bench_call(&bench, "get_config");
	fake_answer_config(bench.fake, 0, FAKE_CONFIG);
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.4.0-24 192.0.2.4");
	fake_tell(bench.fake, (struct flannel_store_message){.type = FLANNEL_STORE_SNAPSHOT_END});
	fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.4.0-24 192.0.2.4");
	bench_call(&bench, "watch");
	bench_quiet(&bench);
	fake_snapshot(bench.fake, "10.244.3.0-24 192.0.2.2", NULL);
	bench_event(&bench, "peer-added 10.244.3.0-24");
	bench_call(&bench, "create 10.244.");
	cr_expect_str_neq(fake_key(bench.fake->lease), "10.244.3.0-24");
	bench_close(&bench);
}

/* the peers are told before the own lease, whatever the order of the list */
Test(request, takes_its_own_lease_over)
{
	struct bench bench;

	bench_open(&bench);
	bench.options.previous = bench_prefix("10.244.3.0/24");
	bench.options.backend_data = "{\"VNI\":1}";
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, "10.244.7.0-24 " FAKE_IP " {\"VNI\":2}", "10.244.9.0-24 192.0.2.9",
		      "10.244.2.0-24 192.0.2.2", NULL);
	bench_call(&bench, "update 10.244.7.0-24");
	cr_expect_str_eq(flannel_lease_get_backend_data(bench.fake->lease, AF_INET), "{\"VNI\":1}");
	cr_expect_eq(bench.fake->lease_sec, (uint32_t)FLANNEL_DEFAULT_LEASE_SEC);
	cr_expect_null(flannel_request_get_lease(bench.request));
	fake_answer(bench.fake, 0);
	bench_event(&bench, "peer-added 10.244.9.0-24");
	bench_event(&bench, "peer-added 10.244.2.0-24");
	bench_event(&bench, "lease-acquired 10.244.7.0-24");
	cr_expect_str_eq(fake_key(flannel_request_get_lease(bench.request)), "10.244.7.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

static const char *const unfit[] = {
	"10.244.7.0-25 " FAKE_IP,  "10.245.7.0-24 " FAKE_IP,
	"10.244.0.0-24 " FAKE_IP, /* the first subnet of the network is not leased */
	"!10.245.7.0-24 " FAKE_IP, "10.244.7.0-24&fd00::-64 " FAKE_IP,
};

Test(request, own_lease_does_not_fit)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(unfit); i++) {
		struct bench bench;
		char call[64];

		bench_open(&bench);
		bench.options.previous = bench_prefix("10.244.3.0/24");
		bench_start_with(&bench, FAKE_CONFIG);
		fake_snapshot(bench.fake, unfit[i], NULL);
		snprintf(call, sizeof(call), "remove %.*s", (int)strcspn(unfit[i] + (unfit[i][0] == '!'), " "),
			 unfit[i] + (unfit[i][0] == '!'));
		bench_call(&bench, call);
		fake_answer(bench.fake, -EIO);
		bench_event(&bench, "lease-failed remove the lease");
		bench_call(&bench, call);
		fake_answer(bench.fake, i % 2 ? 0 : -ENOENT);
		bench_call(&bench, "create 10.244.3.0-24");
		fake_answer(bench.fake, 0);
		bench_event(&bench, "lease-acquired 10.244.3.0-24");
		/* now the watch tells, too: that is not the held one */
		fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, unfit[i]);
		bench_quiet(&bench);
		bench_close(&bench);
	}
}

/* two leases of this node, the fitting one second */
Test(request, two_own_leases)
{
	struct bench bench;

	bench_open(&bench);
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, "10.243.7.0-24 " FAKE_IP, "10.244.8.0-24 " FAKE_IP, NULL);
	bench_call(&bench, "remove 10.243.7.0-24");
	fake_answer(bench.fake, 0);
	bench_call(&bench, "update 10.244.8.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.8.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* a reservation is used and never renewed */
Test(request, reservation)
{
	struct bench bench;

	bench_open(&bench);
	bench.options.lease_sec = 60;
	bench.options.renew_margin_sec = 59;
	bench.fake->is_reservation = true;
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, "!10.244.7.0-24 " FAKE_IP, NULL);
	bench_call(&bench, "update 10.244.7.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.7.0-24");
	cr_expect_eq(flannel_lease_get_expires_sec(flannel_request_get_lease(bench.request)), 0);
	cr_expect_eq(fl_source_get_deadline(bench.request->timer), UINT64_MAX, "a reservation is renewed");
	/* until it is none any more: then it would end */
	bench.fake->is_reservation = false;
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.7.0-24 " FAKE_IP);
	bench_call(&bench, "update 10.244.7.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-renewed 10.244.7.0-24");
	cr_expect_neq(fl_source_get_deadline(bench.request->timer), UINT64_MAX, "a lease is not renewed");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* another node's reservation is as good as taken */
static const struct {
	const char *previous;
	const char *lease; /* of another node */
	bool is_used;
} previous_cases[] = {
	{"10.244.3.0/24", "10.244.2.0-24 192.0.2.2", true},
	{"10.244.3.0/24", "10.244.3.0-24 192.0.2.2", false},
	{"10.244.3.0/24", "!10.244.3.0-24 192.0.2.2", false},
	{"10.244.3.0/24", "10.244.3.0-24&fd00::-64 192.0.2.2", false},
	{"10.244.3.0/24", "10.244.0.0-22 192.0.2.2", false},
	{"10.244.3.0/24", "10.244.3.128-25 192.0.2.2", false},
	{"10.244.0.0/24", "10.244.2.0-24 192.0.2.2", false},
	{"10.245.3.0/24", "10.244.2.0-24 192.0.2.2", false},
	{"10.244.3.0/25", "10.244.2.0-24 192.0.2.2", false},
	{"10.244.255.0/24", "10.244.2.0-24 192.0.2.2", true},
};

Test(request, subnet_held_before)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(previous_cases); i++) {
		struct flannel_prefix previous = bench_prefix(previous_cases[i].previous), subnet, other;
		struct flannel_lease *lease = fake_lease(previous_cases[i].lease);
		struct bench bench;

		bench_open(&bench);
		bench.options.previous = previous;
		bench_start_with(&bench, FAKE_CONFIG);
		fake_snapshot(bench.fake, previous_cases[i].lease, NULL);
		bench_call(&bench, "create 10.244.");
		cr_assert_eq(flannel_lease_get_subnet(bench.fake->lease, AF_INET, &subnet), 1);
		cr_assert_eq(flannel_lease_get_subnet(lease, AF_INET, &other), 1);
		cr_expect_eq(flannel_prefix_compare(&subnet, &previous) == 0, previous_cases[i].is_used, "case %zu", i);
		cr_expect_not(flannel_prefix_overlaps(&subnet, &other), "case %zu", i);
		bench_close(&bench);
		flannel_lease_unref(lease);
	}
}

/* each family goes by itself */
Test(request, dual_stack)
{
	struct bench bench;
	struct flannel_prefix subnet;

	bench_open(&bench);
	bench.options.public_ip6 = FAKE_IP6;
	bench.options.previous = bench_prefix("10.244.3.0/24");
	bench.options.previous6 = bench_prefix("fd00:10:244:3::/64");
	bench.options.backend_type = "vxlan";
	bench.options.backend_data = "{\"VNI\":1}";
	bench.options.backend_v6_data = "{\"VNI\":6}";
	bench_start_with(&bench, FAKE_CONFIG_DUAL);
	fake_snapshot(bench.fake, "10.244.2.0-24&fd00:10:244:3::-64 192.0.2.2", NULL);
	bench_call(&bench, "create 10.244.3.0-24&fd00:10:244:");
	cr_assert_eq(flannel_lease_get_subnet(bench.fake->lease, AF_INET6, &subnet), 1);
	cr_expect_neq(subnet.addr[7], 3);
	cr_expect_str_eq(flannel_lease_get_value(bench.fake->lease),
			 "{\"PublicIP\":\"" FAKE_IP "\",\"PublicIPv6\":\"" FAKE_IP6 "\",\"BackendType\":\"vxlan\","
			 "\"BackendData\":{\"VNI\":1},\"BackendV6Data\":{\"VNI\":6}}");
	bench_close(&bench);
}

/* the store knows this node by either address */
Test(request, own_by_the_other_address)
{
	struct bench bench;

	bench_open(&bench);
	bench.options.public_ip6 = FAKE_IP6;
	bench_start_with(&bench, FAKE_CONFIG_DUAL);
	fake_snapshot(bench.fake, "10.244.7.0-24&fd00:10:244:7::-64 " FAKE_IP6, NULL);
	bench_call(&bench, "update 10.244.7.0-24&fd00:10:244:7::-64");
	bench_close(&bench);
}

/* others are quicker: other subnets are tried, at first at once, then with a pause, and the host hears of it */
Test(request, race)
{
	struct bench bench;

	bench_open(&bench);
	bench.options.previous = bench_prefix("10.244.3.0/24");
	bench_start_with(&bench, "{\"Network\":\"10.244.0.0/21\",\"SubnetLen\":24,\"SubnetMin\":\"10.244.3.0\","
				 "\"SubnetMax\":\"10.244.4.0\",\"Backend\":{\"Type\":\"host-gw\"}}");
	fake_snapshot(bench.fake, NULL);
	bench_call(&bench, "create 10.244.3.0-24");
	/* the refusal is the first to tell of the other node's lease */
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.3.0-24 192.0.2.2");
	fake_answer(bench.fake, -EEXIST);
	bench_event(&bench, "peer-added 10.244.3.0-24");
	for (int i = 0; i < 3; i++) {
		bench_call(&bench, "create 10.244.4.0-24");
		fake_answer(bench.fake, -EEXIST);
	}
	bench_event(&bench, "lease-failed another node was quicker");
	bench_call(&bench, "create 10.244.4.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.4.0-24");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* a store may give a reason with its refusal; the own lease is gone before it can be taken over */
Test(request, refusals_with_a_reason)
{
	struct bench bench;
	struct flannel_store_message message = {.type = FLANNEL_STORE_DONE, .code = -ENOENT};

	bench_open(&bench);
	bench.options.previous = bench_prefix("10.244.3.0/24");
	bench_start_with(&bench, FAKE_CONFIG);
	fake_snapshot(bench.fake, "10.244.7.0-24 " FAKE_IP, NULL);
	bench_call(&bench, "update 10.244.7.0-24");
	message.request = bench.fake->number;
	fl_error_set(&message.error, -ENOENT, "fake", "gone", "update");
	bench.fake->open = false;
	fake_tell(bench.fake, message);
	/* nothing told of its end yet: still it is not asked for again in vain */
	bench_call(&bench, "create 10.244.3.0-24");
	message = (struct flannel_store_message){.type = FLANNEL_STORE_DONE, .code = -EEXIST};
	message.request = bench.fake->number;
	fl_error_set(&message.error, -EEXIST, "fake", "taken", "create");
	bench.fake->open = false;
	fake_tell(bench.fake, message);
	bench_call(&bench, "create 10.244.");
	cr_expect_str_neq(fake_key(bench.fake->lease), "10.244.3.0-24");
	/* a reason that does not pass is the end */
	message = (struct flannel_store_message){.type = FLANNEL_STORE_DONE, .code = -EACCES};
	message.request = bench.fake->number;
	fl_error_set(&message.error, -EACCES, "fake", "not for you", "create");
	bench.fake->open = false;
	fake_tell(bench.fake, message);
	bench_event(&bench, "lease-failed not for you");
	bench_quiet(&bench);
	bench_close(&bench);
}

Test(request, exhausted)
{
	struct bench bench;

	bench_open(&bench);
	bench_start_with(&bench, "{\"Network\":\"10.244.0.0/24\",\"Backend\":{\"Type\":\"host-gw\"}}");
	fake_snapshot(bench.fake, "10.244.0.64-26 192.0.2.2", "10.244.0.128-26 192.0.2.3", "10.244.0.192-26 192.0.2.4",
		      NULL);
	bench_event(&bench, "peer-added 10.244.0.64-26");
	bench_event(&bench, "peer-added 10.244.0.128-26");
	bench_event(&bench, "peer-added 10.244.0.192-26");
	bench_event(&bench, "lease-failed 3 leases are in use");
	fake_tell_lease(bench.fake, FLANNEL_STORE_REMOVED, "10.244.0.64-26 192.0.2.2");
	bench_quiet(&bench);
	bench_close(&bench);
}

/* answers to other requests are nobody's */
Test(request, foreign_answers)
{
	struct bench bench;

	bench_open(&bench);
	bench_start(&bench);
	bench_call(&bench, "get_config");
	fake_tell(bench.fake, (struct flannel_store_message){
				      .type = FLANNEL_STORE_CONFIG,
				      .request = bench.fake->number + 1,
				      .config = strdup(FAKE_CONFIG),
			      });
	fake_tell(bench.fake, (struct flannel_store_message){.type = 4711});
	bench_quiet(&bench);
	fake_answer_config(bench.fake, 0, FAKE_CONFIG);
	bench_call(&bench, "watch");
	fake_snapshot(bench.fake, NULL);
	bench_call(&bench, "create 10.244.");
	fake_tell(bench.fake,
		  (struct flannel_store_message){.type = FLANNEL_STORE_DONE, .request = bench.fake->number - 1});
	bench_quiet(&bench);
	fake_answer(bench.fake, 0);
	bench_settle(&bench);
	cr_expect_not_null(flannel_request_get_lease(bench.request));
	bench_close(&bench);
}

/* a store may refuse at once, with and without saying why */
Test(request, refused_at_once)
{
	for (int with_error = 0; with_error < 2; with_error++) {
		static const char *const calls[] = {"get_config", "watch", "create 10.244."};

		for (size_t i = 0; i < FL_N_ELEMENTS(calls); i++) {
			struct bench bench;

			bench_open(&bench);
			bench.fake->refuse_with_error = with_error;
			bench.fake->refuse = i == 0 ? -EAGAIN : 0;
			bench_start(&bench);
			bench_call(&bench, "get_config");
			if (i > 0) {
				bench.fake->refuse = i == 1 ? -EAGAIN : 0;
				fake_answer_config(bench.fake, 0, FAKE_CONFIG);
				bench_call(&bench, "watch");
			}
			if (i > 1) {
				bench.fake->refuse = -EAGAIN;
				fake_snapshot(bench.fake, NULL);
				bench_call(&bench, calls[i]);
			}
			bench_event(&bench, with_error ? "lease-failed refused" : "lease-failed ask the fake store");
			if (with_error)
				bench_call(&bench, i == 1 ? "get_config" : calls[i]);
			else
				bench_quiet(&bench); /* nothing says that it would pass */
			bench_close(&bench);
		}
	}
}
