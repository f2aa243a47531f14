/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls that wait for a store: its configuration is replaced, its leases listed, reserved and removed. With the embedded store. */

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <flannel/flannel.h>

#include "base/error.h"

#define CONFIG "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"host-gw\"}}"
#define OTHER "{\"Network\":\"10.244.0.0/15\",\"Backend\":{\"Type\":\"host-gw\"}}"
#define PATIENCE_MS 10000

struct bench {
	char directory[64];
	struct flannel_context *context;
	struct flannel_store *store;
};

static void open_store(struct bench *bench)
{
	struct flannel_context_options options = {.size = sizeof(options), .module_dir = TEST_MODULE_DIR};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	char uri[96];

	(void)snprintf(uri, sizeof(uri), "embedded:%s/leases.db", bench->directory);
	cr_assert_eq(flannel_context_new(&bench->context, &options, NULL), 0);
	cr_assert_eq(flannel_store_open(bench->context, uri, &bench->store, &error), 0, "%s",
		     flannel_error_get_message(error));
}

static void close_store(struct bench *bench)
{
	bench->store = flannel_store_unref(bench->store);
	bench->context = flannel_context_unref(bench->context);
}

static void setup(struct bench *bench)
{
	*bench = (struct bench){.directory = "/tmp/fl-store-sync-XXXXXX"};
	cr_assert_not_null(mkdtemp(bench->directory));
	open_store(bench);
}

static void teardown(struct bench *bench)
{
	char command[96];

	close_store(bench);
	(void)snprintf(command, sizeof(command), "rm -r %s", bench->directory);
	cr_assert_eq(system(command), 0);
}

/* what the store has; "" for none */
static void expect_config(struct bench *bench, const char *expected)
{
	char *text = NULL;
	int r = flannel_store_get_config_sync(bench->store, PATIENCE_MS, &text, NULL);

	cr_assert_eq(r, *expected != 0, "%d", r);
	cr_expect_str_eq(text ? text : "", expected);
	free(text);
}

/* replaces it; code 0 or the error and a part of its message */
static void replace(struct bench *bench, const char *config, const char *former, int code, const char *part)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = flannel_store_replace_config_sync(bench->store, config, former, PATIENCE_MS, &error);

	cr_assert_eq(r, code, "%d: %s", r, flannel_error_get_message(error));
	cr_expect(strstr(flannel_error_get_message(error), part), "%s", flannel_error_get_message(error));
}

Test(store_sync, configuration)
{
	struct bench bench;

	setup(&bench);
	expect_config(&bench, "");
	replace(&bench, CONFIG, OTHER, -EEXIST, "changed meanwhile");
	replace(&bench, "{}", NULL, -EINVAL, "Network");
	replace(&bench, CONFIG, NULL, 0, "");
	expect_config(&bench, CONFIG);
	replace(&bench, OTHER, NULL, -EEXIST, "changed meanwhile");
	replace(&bench, OTHER, OTHER, -EEXIST, "changed meanwhile");
	replace(&bench, OTHER, CONFIG " ", -EEXIST, "changed meanwhile");
	expect_config(&bench, CONFIG);
	replace(&bench, OTHER, CONFIG, 0, "");
	expect_config(&bench, OTHER);
	close_store(&bench);
	open_store(&bench);
	expect_config(&bench, OTHER);
	teardown(&bench);
}

/* a lease of "KEY ADDRESS" */
static struct flannel_lease *lease_of(const char *key, const char *address, const char *more)
{
	struct flannel_lease *lease = NULL;
	char value[160];

	(void)snprintf(value, sizeof(value), "{\"PublicIP\":\"%s\",\"PublicIPv6\":null%s}", address, more);
	cr_assert_eq(flannel_lease_parse(key, value, strlen(value), 0, 0, &lease, NULL), 0);
	return lease;
}

static void reserve(struct bench *bench, const char *key, const char *address, int code, const char *part)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_lease *lease = lease_of(key, address, "");
	int r = flannel_store_reserve_sync(bench->store, lease, PATIENCE_MS, &error);

	cr_assert_eq(r, code, "%s: %d: %s", key, r, flannel_error_get_message(error));
	cr_expect(strstr(flannel_error_get_message(error), part), "%s", flannel_error_get_message(error));
	flannel_lease_unref(lease);
}

/* lines of "KEY ADDRESS-OR-VALUE", "-" behind those without an end */
static void expect_leases(struct bench *bench, const char *expected)
{
	struct flannel_lease **leases = NULL;
	char text[1024] = "", key[2 * FLANNEL_PREFIX_STRLEN];
	size_t n = 99, len = 0;

	cr_assert_eq(flannel_store_list_leases_sync(bench->store, PATIENCE_MS, &leases, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s%s\n",
					flannel_lease_format_key(leases[i], key, sizeof(key)),
					flannel_lease_get_backend_type(leases[i]),
					flannel_lease_get_expires_sec(leases[i]) ? "" : "-");
	cr_expect_str_eq(text, expected, "%s", text);
	flannel_lease_list_free(leases, n);
}

static void remove_lease(struct bench *bench, const char *key, const char *address, int code)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_lease *lease = lease_of(key, address, "");
	int r = flannel_store_remove_lease_sync(bench->store, lease, PATIENCE_MS, &error);

	cr_expect_eq(r, code, "%s: %d: %s", key, r, flannel_error_get_message(error));
	flannel_lease_unref(lease);
}

/* ends the reservation of a subnet, as it is in the list */
static void unreserve(struct bench *bench, const char *key, int code)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_lease **leases = NULL;
	char found[2 * FLANNEL_PREFIX_STRLEN];
	size_t n = 0, i = 0;
	int r;

	cr_assert_eq(flannel_store_list_leases_sync(bench->store, PATIENCE_MS, &leases, &n, NULL), 0);
	while (i < n && strcmp(flannel_lease_format_key(leases[i], found, sizeof(found)), key) != 0)
		i++;
	cr_assert_lt(i, n, "%s is not there", key);
	r = flannel_store_unreserve_sync(bench->store, leases[i], PATIENCE_MS, &error);
	cr_expect_eq(r, code, "%s: %d: %s", key, r, flannel_error_get_message(error));
	flannel_lease_list_free(leases, n);
}

Test(store_sync, reservations)
{
	struct bench bench;

	setup(&bench);
	expect_leases(&bench, "");
	/* without a configuration nothing says what fits */
	reserve(&bench, "10.9.1.0-24", "192.0.2.9", 1, "");
	remove_lease(&bench, "10.9.1.0-24", "192.0.2.9", 0);
	replace(&bench, CONFIG, NULL, 0, "");
	reserve(&bench, "10.9.1.0-24", "192.0.2.9", -ERANGE, "reserve 10.9.1.0-24: it is not one of the subnets");
	reserve(&bench, "10.244.4.0-25", "192.0.2.4", -ERANGE, "not one of the subnets");
	reserve(&bench, "10.244.200.0-24", "192.0.2.4", 1, "");
	reserve(&bench, "10.244.4.0-24", "192.0.2.5", 1, "");
	reserve(&bench, "10.244.4.0-24", "192.0.2.5", 0, "");
	reserve(&bench, "10.244.4.0-24", "192.0.2.6", -EEXIST, "10.244.4.0-24");
	reserve(&bench, "10.244.6.0-24", "192.0.2.5", -EEXIST, "reserve 10.244.6.0-24: it has 10.244.4.0-24");
	expect_leases(&bench, "10.244.4.0-24 -\n10.244.200.0-24 -\n");
	close_store(&bench);
	open_store(&bench);
	expect_leases(&bench, "10.244.4.0-24 -\n10.244.200.0-24 -\n");
	remove_lease(&bench, "10.244.4.0-24", "192.0.2.77", -ENOENT);
	remove_lease(&bench, "10.244.4.0-24", "192.0.2.5", 0);
	remove_lease(&bench, "10.244.4.0-24", "192.0.2.5", -ENOENT);
	expect_leases(&bench, "10.244.200.0-24 -\n");
	teardown(&bench);
}

/* runs a request until it has its lease */
static void await_lease(struct bench *bench, struct flannel_request *request)
{
	while (!flannel_request_get_lease(request)) {
		struct pollfd fd = {.fd = flannel_context_get_fd(bench->context), .events = POLLIN};
		struct flannel_event *event = NULL;

		cr_assert_eq(poll(&fd, 1, PATIENCE_MS), 1);
		cr_assert_geq(flannel_context_dispatch(bench->context, NULL), 0);
		while (flannel_context_next_event(bench->context, &event) > 0)
			event = flannel_event_free(event);
	}
}

/* the node gets what is reserved for it; what it has becomes a reservation with all that it published, and stays one */
Test(store_sync, reservation_and_node)
{
	struct flannel_lease_options options = {.size = sizeof(options), .public_ip = "192.0.2.5"};
	struct flannel_request *request = NULL;
	struct bench bench;

	setup(&bench);
	replace(&bench, CONFIG, NULL, 0, "");
	reserve(&bench, "10.244.55.0-24", "192.0.2.5", 1, "");
	cr_assert_eq(flannel_lease_acquire(bench.context, bench.store, &options, &request, NULL), 0);
	cr_expect_eq(flannel_store_replace_config_sync(bench.store, OTHER, CONFIG, PATIENCE_MS, NULL), -EBUSY);
	await_lease(&bench, request);
	request = flannel_request_free(request);
	expect_leases(&bench, "10.244.55.0-24 host-gw-\n");
	remove_lease(&bench, "10.244.55.0-24", "192.0.2.5", 0);

	(void)flannel_prefix_parse("10.244.66.0/24", &options.previous);
	cr_assert_eq(flannel_lease_acquire(bench.context, bench.store, &options, &request, NULL), 0);
	await_lease(&bench, request);
	request = flannel_request_free(request);
	expect_leases(&bench, "10.244.66.0-24 host-gw\n");
	reserve(&bench, "10.244.66.0-24", "192.0.2.5", 1, "");
	expect_leases(&bench, "10.244.66.0-24 host-gw-\n");
	cr_assert_eq(flannel_lease_acquire(bench.context, bench.store, &options, &request, NULL), 0);
	await_lease(&bench, request);
	request = flannel_request_free(request);
	expect_leases(&bench, "10.244.66.0-24 host-gw-\n");

	/* what a node has taken stays its own, and ends; what nobody took is free */
	unreserve(&bench, "10.244.66.0-24", 1);
	expect_leases(&bench, "10.244.66.0-24 host-gw\n");
	unreserve(&bench, "10.244.66.0-24", 0);
	reserve(&bench, "10.244.67.0-24", "192.0.2.6", 1, "");
	unreserve(&bench, "10.244.67.0-24", 1);
	expect_leases(&bench, "10.244.66.0-24 host-gw\n");
	teardown(&bench);
}

Test(store_sync, bad_calls)
{
	struct flannel_lease **leases = NULL;
	struct flannel_lease *lease = lease_of("10.244.1.0-24", "192.0.2.1", "");
	struct bench bench;
	char *text = NULL;
	size_t n = 0;

	setup(&bench);
	cr_expect_eq(flannel_store_get_config_sync(NULL, 1, &text, NULL), -EINVAL);
	cr_expect_eq(flannel_store_get_config_sync(bench.store, 0, &text, NULL), -EINVAL);
	cr_expect_eq(flannel_store_get_config_sync(bench.store, 60001, &text, NULL), -EINVAL);
	cr_expect_eq(flannel_store_get_config_sync(bench.store, 1, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_store_replace_config_sync(NULL, CONFIG, NULL, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_store_replace_config_sync(bench.store, NULL, NULL, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_store_list_leases_sync(NULL, 1, &leases, &n, NULL), -EINVAL);
	cr_expect_eq(flannel_store_list_leases_sync(bench.store, 1, NULL, &n, NULL), -EINVAL);
	cr_expect_eq(flannel_store_list_leases_sync(bench.store, 1, &leases, NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_store_reserve_sync(NULL, lease, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_store_reserve_sync(bench.store, NULL, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_store_unreserve_sync(NULL, lease, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_store_unreserve_sync(bench.store, NULL, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_store_unreserve_sync(bench.store, lease, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_store_unreserve_sync(bench.store, lease, PATIENCE_MS, NULL), -ENOENT);
	cr_expect_eq(flannel_store_remove_lease_sync(NULL, lease, 1, NULL), -EINVAL);
	cr_expect_eq(flannel_store_remove_lease_sync(bench.store, NULL, 1, NULL), -EINVAL);
	cr_expect_null(flannel_lease_list_free(NULL, 0));
	flannel_lease_unref(lease);
	teardown(&bench);
}
