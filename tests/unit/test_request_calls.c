/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every public call of store.h, lease.h's requests and node.h with NULL and bad input, and the configuration's way into a store. */

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "fake_store.h"

/* compares a result and its error, and drops the error */
static void expect_error(int r, struct flannel_error **error, int code, const char *part)
{
	cr_expect_eq(r, code, "%d instead of %d (%s)", r, code, part);
	cr_assert_not_null(*error, "no error with %s", part);
	cr_expect_eq(flannel_error_get_code(*error), code);
	cr_expect_not_null(strstr(flannel_error_get_message(*error), part), "\"%s\" lacks \"%s\"",
			   flannel_error_get_message(*error), part);
	*error = flannel_error_unref(*error);
}

Test(store_calls, null_everywhere)
{
	struct flannel_error *error = NULL;
	struct flannel_store *store = (struct flannel_store *)&error;
	struct bench bench;

	bench_open(&bench);
	expect_error(flannel_store_open(NULL, "embedded:/x", &store, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_store_open(bench.context, NULL, &store, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_store_open(bench.context, "embedded:/x", NULL, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_store_new(NULL, &fake_ops, NULL, &store, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_store_new(bench.context, NULL, NULL, &store, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_store_new(bench.context, &fake_ops, NULL, NULL, &error), &error, -EINVAL, "NULL");
	cr_expect_null(flannel_store_ref(NULL));
	cr_expect_null(flannel_store_unref(NULL));
	cr_expect_str_eq(flannel_store_get_name(NULL), "");
	cr_expect_str_eq(flannel_store_get_name(bench.store), "fake");
	expect_error(flannel_store_set_config_sync(NULL, FAKE_CONFIG, 1000, &error), &error, -EINVAL,
		     "expected a store");
	expect_error(flannel_store_set_config_sync(bench.store, NULL, 1000, &error), &error, -EINVAL, "a text");
	cr_expect_eq(store, (struct flannel_store *)&error, "a failure touched the result");
	bench_close(&bench);
}

static const struct {
	const char *uri;
	int code;
	const char *part;
} uris[] = {
	{"", -EINVAL, ""},
	{"embedded", -EINVAL, "embedded"},
	{"embedded:", -EINVAL, ""},
	{"/var/lib/leases.db", -EINVAL, "/var/lib/leases.db"},
	{"Embedded:/x", -EINVAL, "Embedded"},
	{"../../x:/y", -EINVAL, ".."},
	{"nosuch:/x", -ENOPKG, "nosuch"},
};

Test(store_calls, bad_uris)
{
	struct flannel_context_options options = {.size = sizeof(options), .module_dir = "/nonexistent"};
	struct flannel_context *context = NULL;
	struct flannel_error *error = NULL;
	struct flannel_store *store = NULL;

	cr_assert_eq(flannel_context_new(&context, &options, NULL), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(uris); i++) {
		int r = flannel_store_open(context, uris[i].uri, &store, &error);

		/* a store of this version that is not installed looks the same as one that is not known */
		if (r == -ENOPKG && uris[i].code == -EINVAL && strcmp(uris[i].uri, "embedded:") == 0)
			error = flannel_error_unref(error);
		else
			expect_error(r, &error, uris[i].code, uris[i].part);
		cr_expect_null(store);
	}
	flannel_context_unref(context);
}

Test(store_calls, bad_tables)
{
	/* the functions' members follow each other */
	static const size_t functions[] = {
		offsetof(struct flannel_store_ops, name),       offsetof(struct flannel_store_ops, free),
		offsetof(struct flannel_store_ops, get_fd),     offsetof(struct flannel_store_ops, dispatch),
		offsetof(struct flannel_store_ops, next),       offsetof(struct flannel_store_ops, watch),
		offsetof(struct flannel_store_ops, get_config), offsetof(struct flannel_store_ops, put_config),
		offsetof(struct flannel_store_ops, create),     offsetof(struct flannel_store_ops, update),
		offsetof(struct flannel_store_ops, remove),
	};
	struct {
		struct flannel_store_ops known;
		void *newer;
	} larger = {.known = fake_ops};
	struct flannel_error *error = NULL;
	struct flannel_store *store = NULL;
	struct fake *fake = fake_new();
	struct bench bench;

	bench_open(&bench);
	for (size_t i = 0; i < FL_N_ELEMENTS(functions); i++) {
		struct flannel_store_ops ops = fake_ops;

		memset((char *)&ops + functions[i], 0, sizeof(void *));
		expect_error(flannel_store_new(bench.context, &ops, fake, &store, &error), &error, -EINVAL, "missing");
	}
	larger.known.size = 0;
	expect_error(flannel_store_new(bench.context, &larger.known, fake, &store, &error), &error, -EINVAL, "size");
	larger.known.size = sizeof(larger);
	larger.newer = &larger;
	expect_error(flannel_store_new(bench.context, &larger.known, fake, &store, &error), &error, -E2BIG,
		     "does not know");
	/* a descriptor that is none */
	close(fake->fd);
	cr_expect_lt(flannel_store_new(bench.context, &fake_ops, fake, &store, NULL), 0);
	cr_expect_null(store);
	fake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	larger.newer = NULL;
	cr_assert_eq(flannel_store_new(bench.context, &larger.known, fake, &store, NULL), 0);
	cr_expect_eq(flannel_store_ref(store), store);
	cr_expect_null(flannel_store_unref(store));
	cr_expect_null(flannel_store_unref(store));
	bench_close(&bench);
}

static const struct {
	struct flannel_lease_options options;
	const char *previous;
	const char *previous6;
	const char *part;
} bad_options[] = {
	{.part = "public_ip and public_ip6 are NULL"},
	{.options = {.public_ip = ""}, .part = "public_ip is \"\""},
	{.options = {.public_ip = "192.0.2.256"}, .part = "192.0.2.256"},
	{.options = {.public_ip = "192.0.2.1/24"}, .part = "192.0.2.1/24"},
	{.options = {.public_ip = FAKE_IP6}, .part = "expected an IPv4 address"},
	{.options = {.public_ip = FAKE_IP, .public_ip6 = FAKE_IP}, .part = "expected an IPv6 address"},
	{.options = {.public_ip = FAKE_IP, .public_ip6 = "x"}, .part = "public_ip6 is \"x\""},
	{.options = {.public_ip = FAKE_IP, .lease_sec = 59}, .part = "lease_sec is 59"},
	{.options = {.public_ip = FAKE_IP, .lease_sec = 2592001}, .part = "lease_sec is 2592001"},
	{.options = {.public_ip = FAKE_IP, .lease_sec = 60, .renew_margin_sec = 60}, .part = "renew_margin_sec is 60"},
	{.options = {.public_ip = FAKE_IP, .renew_margin_sec = 86400}, .part = "renew_margin_sec is 86400"},
	{.options = {.public_ip = FAKE_IP}, .previous = "10.244.3.1/24", .part = "previous is 10.244.3.1/24"},
	{.options = {.public_ip = FAKE_IP}, .previous = "fd00::/64", .part = "previous is fd00::/64"},
	{.options = {.public_ip = FAKE_IP}, .previous6 = "10.244.3.0/24", .part = "previous6 is 10.244.3.0/24"},
	{.options = {.public_ip = FAKE_IP}, .previous6 = "fd00::1/64", .part = "previous6 is fd00::1/64"},
};

Test(lease_calls, bad_options)
{
	struct {
		struct flannel_lease_options known;
		int newer;
	} larger = {.known = {.size = sizeof(larger), .public_ip = FAKE_IP}, .newer = 1};
	struct flannel_error *error = NULL;
	struct flannel_request *request = (struct flannel_request *)&error;
	struct bench bench;

	bench_open(&bench);
	for (size_t i = 0; i < FL_N_ELEMENTS(bad_options); i++) {
		struct flannel_lease_options options = bad_options[i].options;

		options.size = sizeof(options);
		if (bad_options[i].previous)
			options.previous = bench_prefix(bad_options[i].previous);
		if (bad_options[i].previous6)
			options.previous6 = bench_prefix(bad_options[i].previous6);
		expect_error(flannel_lease_acquire(bench.context, bench.store, &options, &request, &error), &error,
			     -EINVAL, bad_options[i].part);
	}
	expect_error(flannel_lease_acquire(bench.context, bench.store, &larger.known, &request, &error), &error, -E2BIG,
		     "does not know");
	larger.known.size = 0;
	expect_error(flannel_lease_acquire(bench.context, bench.store, &larger.known, &request, &error), &error,
		     -EINVAL, "size");
	cr_expect_eq(request, (struct flannel_request *)&error, "a failure touched the result");
	/* none of them left the store in use */
	bench_quiet(&bench);
	bench_start(&bench);
	bench_close(&bench);
}

Test(lease_calls, null_everywhere)
{
	struct flannel_error *error = NULL;
	struct bench bench;

	bench_open(&bench);
	expect_error(flannel_lease_acquire(NULL, bench.store, &bench.options, &bench.request, &error), &error, -EINVAL,
		     "NULL");
	expect_error(flannel_lease_acquire(bench.context, NULL, &bench.options, &bench.request, &error), &error,
		     -EINVAL, "NULL");
	expect_error(flannel_lease_acquire(bench.context, bench.store, NULL, &bench.request, &error), &error, -EINVAL,
		     "NULL");
	expect_error(flannel_lease_acquire(bench.context, bench.store, &bench.options, NULL, &error), &error, -EINVAL,
		     "NULL");
	cr_expect_eq(flannel_lease_acquire(NULL, NULL, NULL, NULL, NULL), -EINVAL);
	expect_error(flannel_lease_release(NULL, &error), &error, -EINVAL, "NULL");
	cr_expect_null(flannel_request_get_lease(NULL));
	cr_expect_null(flannel_request_free(NULL));
	bench_start(&bench);
	expect_error(flannel_lease_release(bench.request, &error), &error, -ENOENT, "none is held");
	bench_close(&bench);
}

/* one user at a time */
Test(lease_calls, store_in_use)
{
	struct flannel_error *error = NULL;
	struct flannel_request *other = NULL;
	struct flannel_node *node = NULL;
	struct flannel_node_options options = {.size = sizeof(options)};
	char directory[] = "/tmp/fl-request-XXXXXX", file[64];
	struct bench bench;

	cr_assert_not_null(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/subnet.env", directory);
	options.subnet_file = file;
	bench_open(&bench);
	bench_start(&bench);
	expect_error(flannel_lease_acquire(bench.context, bench.store, &bench.options, &other, &error), &error, -EBUSY,
		     "fake store");
	expect_error(flannel_store_set_config_sync(bench.store, FAKE_CONFIG, 1000, &error), &error, -EBUSY,
		     "fake store");
	cr_assert_eq(flannel_node_new(bench.context, bench.store, &options, &node, NULL), 0);
	expect_error(flannel_node_start(node, &error), &error, -EBUSY, "fake store");
	cr_expect_eq(flannel_node_get_state(node), FLANNEL_NODE_STOPPED);
	flannel_request_free(bench.request);
	bench.request = NULL;
	cr_expect_eq(flannel_node_start(node, NULL), 0);
	expect_error(flannel_lease_acquire(bench.context, bench.store, &bench.options, &other, &error), &error, -EBUSY,
		     "fake store");
	flannel_node_free(node);
	bench_start(&bench);
	bench_close(&bench);
	rmdir(directory);
}

static const struct {
	struct flannel_node_options options;
	const char *part;
} bad_node_options[] = {
	{{.public_ip = "x"}, "public_ip is \"x\""},
	{{.public_ip = "192.0.2.1/24"}, "192.0.2.1/24"},
	{{.public_ip = FAKE_IP6}, "expected an IPv4 address"},
	{{.public_ip6 = FAKE_IP}, "expected an IPv6 address"},
	{{.lease_sec = 1}, "lease_sec is 1"},
	{{.renew_margin_sec = 86400}, "renew_margin_sec is 86400"},
	{{.masquerade = 0x80000000U}, "masquerade"},
	{{.subnet_file = ""}, "subnet_file"},
	{{.interfaces = (const char *const[]){"eth0", NULL}, .n_interfaces = 2}, "interface 1"},
	{{.n_interfaces = 1}, "interfaces"},
	{{.n_interface_regexes = 1}, "interface_regexes"},
	{{.interface_regexes = (const char *const[]){"eth0", NULL}, .n_interface_regexes = 2}, "interface_regex 1"},
	{{.interface_regexes = (const char *const[]){"eth0", "("}, .n_interface_regexes = 2}, "--iface-regex"},
	{{.interface_can_reach = "eth0"}, "--iface-can-reach is \"eth0\""},
	{{.interface_can_reach = "192.0.2.0/24"}, "192.0.2.0/24"},
	{{.interface_can_reach = ""}, "expected an IPv4 or IPv6 address"},
};

Test(node_calls, bad_options)
{
	struct {
		struct flannel_node_options known;
		int newer;
	} larger = {.known = {.size = sizeof(larger)}, .newer = 1};
	struct flannel_error *error = NULL;
	struct flannel_node *node = (struct flannel_node *)&error;
	struct bench bench;

	bench_open(&bench);
	for (size_t i = 0; i < FL_N_ELEMENTS(bad_node_options); i++) {
		struct flannel_node_options options = bad_node_options[i].options;

		options.size = sizeof(options);
		expect_error(flannel_node_new(bench.context, bench.store, &options, &node, &error), &error, -EINVAL,
			     bad_node_options[i].part);
	}
	expect_error(flannel_node_new(bench.context, bench.store, &larger.known, &node, &error), &error, -E2BIG,
		     "does not know");
	larger.known.size = 0;
	expect_error(flannel_node_new(bench.context, bench.store, &larger.known, &node, &error), &error, -EINVAL,
		     "size");
	expect_error(flannel_node_new(NULL, bench.store, NULL, &node, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_node_new(bench.context, NULL, NULL, &node, &error), &error, -EINVAL, "NULL");
	expect_error(flannel_node_new(bench.context, bench.store, NULL, NULL, &error), &error, -EINVAL, "NULL");
	cr_expect_eq(node, (struct flannel_node *)&error, "a failure touched the result");
	cr_assert_eq(flannel_node_new(bench.context, bench.store, NULL, &node, NULL), 0);
	flannel_node_free(node);
	bench_close(&bench);
}

Test(node_calls, null_and_stopped)
{
	struct flannel_node_underlay underlay = {.size = sizeof(underlay), .link = {.size = sizeof(underlay.link)}};
	struct flannel_node_peer peer = {.size = sizeof(peer)};
	struct flannel_error *error = NULL;
	struct flannel_node *node = NULL;
	struct bench bench;

	bench_open(&bench);
	expect_error(flannel_node_start(NULL, &error), &error, -EINVAL, "NULL");
	cr_expect_null(flannel_node_free(NULL));
	cr_expect_eq(flannel_node_get_state(NULL), FLANNEL_NODE_STOPPED);
	cr_expect_str_eq(flannel_node_get_state_name(NULL), "stopped");
	cr_expect_null(flannel_node_get_error(NULL));
	cr_expect_null(flannel_node_get_lease(NULL));
	cr_expect_null(flannel_node_get_netconf(NULL));
	cr_expect_eq(flannel_node_get_underlay(NULL, &underlay), -EINVAL);
	cr_expect_eq(flannel_node_get_peer(NULL, 0, &peer), -EINVAL);
	cr_expect_eq(flannel_node_get_repairs(NULL), 0u);

	cr_assert_eq(flannel_node_new(bench.context, bench.store, NULL, &node, NULL), 0);
	cr_expect_eq(flannel_node_get_state(node), FLANNEL_NODE_STOPPED);
	cr_expect_null(flannel_node_get_error(node));
	cr_expect_null(flannel_node_get_lease(node));
	cr_expect_null(flannel_node_get_netconf(node));
	cr_expect_eq(flannel_node_get_underlay(node, NULL), -EINVAL);
	cr_expect_eq(flannel_node_get_underlay(node, &underlay), 0);
	cr_expect_eq(flannel_node_get_peer(node, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_node_get_peer(node, 0, &peer), 0);
	underlay.link.size = 0;
	cr_expect_eq(flannel_node_get_underlay(node, &underlay), -EINVAL);
	peer.size++;
	cr_expect_eq(flannel_node_get_peer(node, 0, &peer), -EINVAL);
	flannel_node_free(node);
	bench_close(&bench);
}

/* what the store answers in time; the fake's descriptor is readable before the call waits */
static const struct {
	int code;
	const char *config;
	int result;
	const char *part;
} replies[] = {
	{0, NULL, 1, NULL},
	{-EEXIST, FAKE_CONFIG, 0, NULL},
	{-EEXIST, "{ \"backend\": {\"TYPE\": \"Host-GW\"}, \"network\": \"10.244.0.0/16\" }", 0, NULL},
	{-EEXIST, "{\"Network\":\"10.1.0.0/16\"}", -EEXIST, "10.1.0.0/16"},
	{-EEXIST, "{\"Network\":\"10.1.0.0/16\"}", -EEXIST, FAKE_CONFIG},
	{-EEXIST, "nonsense", -EEXIST, "invalid"},
	{-EACCES, NULL, -EACCES, "network configuration"},
};

Test(store_calls, set_config)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(replies); i++) {
		struct flannel_error *error = NULL;
		struct bench bench;
		int r;

		bench_open(&bench);
		/* the number of the first request is 1 */
		bench.fake->open = true;
		bench.fake->number = 1;
		fake_answer_config(bench.fake, replies[i].code, replies[i].config);
		bench.fake->number = 0;
		r = flannel_store_set_config_sync(bench.store, FAKE_CONFIG, 5000, &error);
		if (replies[i].part)
			expect_error(r, &error, replies[i].result, replies[i].part);
		else
			cr_expect_eq(r, replies[i].result, "%zu: %d", i, r);
		bench_call(&bench, "put_config " FAKE_CONFIG);
		bench.fake->open = false;
		/* the store is free again */
		bench_start(&bench);
		bench_close(&bench);
	}
}

Test(store_calls, set_config_refused)
{
	static const char *const bad[] = {"", "{}", "{\"Network\":\"10.244.0.0/16\",\"SubnetLen\":40}"};
	struct flannel_error *error = NULL;
	struct flannel_store_message lost = {.type = FLANNEL_STORE_LOST};
	struct bench bench;

	bench_open(&bench);
	for (size_t i = 0; i < FL_N_ELEMENTS(bad); i++) {
		cr_expect_eq(flannel_store_set_config_sync(bench.store, bad[i], 1000, &error), -EINVAL);
		error = flannel_error_unref(error);
	}
	expect_error(flannel_store_set_config_sync(bench.store, FAKE_CONFIG, 0, &error), &error, -EINVAL, "0 ms");
	expect_error(flannel_store_set_config_sync(bench.store, FAKE_CONFIG, 60001, &error), &error, -EINVAL,
		     "60001 ms");
	bench_quiet(&bench); /* nothing was asked of the store for any of them */

	bench.fake->refuse = -ENOSPC;
	expect_error(flannel_store_set_config_sync(bench.store, FAKE_CONFIG, 1000, &error), &error, -ENOSPC,
		     "fake store");
	/* no answer at all, then one with a reason */
	cr_expect_eq(flannel_store_set_config_sync(bench.store, FAKE_CONFIG, 10, &error), -ETIMEDOUT);
	cr_assert(flannel_error_is_retryable(error));
	error = flannel_error_unref(error);
	bench.fake->open = false;
	fl_error_set_retryable(&lost.error, -EROFS, "fake", NULL, "write it");
	fake_tell(bench.fake, lost);
	expect_error(flannel_store_set_config_sync(bench.store, FAKE_CONFIG, 10, &error), &error, -ETIMEDOUT,
		     "Read-only file system");
	bench.fake->open = false;
	bench.fake->n_seen = bench.fake->n_calls;
	/* the late answer is nobody's */
	bench.fake->open = true;
	fake_answer_config(bench.fake, 0, NULL);
	bench_quiet(&bench);
	bench_start(&bench);
	bench_close(&bench);
}
