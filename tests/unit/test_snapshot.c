/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What outlives a restart: the snapshot's form, which store it belongs to, and a lease request that goes by it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/lease/request.h"
#include "fake_store.h"
#include "store/identity.h"
#include "store/snapshot.h"

#define STORE "etcd:http://192.0.2.100:2379?prefix=/coreos.com/network"

/* a snapshot of a node with two peers */
static struct fl_snapshot *make(void)
{
	struct fl_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	snapshot->store = strdup(STORE);
	snapshot->config = strdup(FAKE_CONFIG);
	snapshot->own = fake_lease("10.244.3.0-24 " FAKE_IP);
	snapshot->peers = calloc(2, sizeof(struct flannel_lease *));
	snapshot->peers[0] = fake_lease("10.244.2.0-24 192.0.2.2 {\"VNI\":1}");
	snapshot->peers[1] = fake_lease("!10.244.4.0-24&fd00:10:244:4::-64 2001:db8::4");
	snapshot->n_peers = 2;
	snapshot->written_sec = 1700000000;
	return snapshot;
}

static void expect_lease(const struct flannel_lease *a, const struct flannel_lease *b)
{
	cr_expect(flannel_lease_equal(a, b));
	cr_expect_eq(flannel_lease_get_expires_sec(a), flannel_lease_get_expires_sec(b));
	cr_expect_eq(flannel_lease_get_revision(a), flannel_lease_get_revision(b));
}

Test(snapshot, comes_back_as_it_was)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *snapshot = make(), *again = NULL;
	char path[] = "/tmp/fl-snapshot-XXXXXX";
	int fd = mkstemp(path);
	struct stat status;

	cr_assert_geq(fd, 0);
	close(fd);
	unlink(path);
	cr_assert_eq(fl_snapshot_write(snapshot, path, NULL), 0);
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_eq(status.st_mode & 0777, 0600, "the configuration may hold keys");
	cr_assert_eq(fl_snapshot_read(path, &again, NULL), 0);
	cr_expect_str_eq(again->store, STORE);
	cr_expect_str_eq(again->config, FAKE_CONFIG);
	cr_expect_eq(again->written_sec, 1700000000);
	cr_assert_eq(again->n_peers, 2);
	expect_lease(again->own, snapshot->own);
	expect_lease(again->peers[0], snapshot->peers[0]);
	expect_lease(again->peers[1], snapshot->peers[1]);
	unlink(path);
	cr_expect_eq(fl_snapshot_read(path, &again, NULL), -ENOENT);
}

/* a dispatch reads or writes a part of it */
Test(snapshot, in_steps)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *snapshot = make(), *again = NULL;
	struct fl_snapshot_writer *writer = NULL;
	struct fl_snapshot_reader *reader = NULL;
	char path[] = "/tmp/fl-snapshot-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(fl_snapshot_writer_new(snapshot, &writer, NULL), 0);
	cr_expect_eq(fl_snapshot_writer_step(writer, 1, NULL), 1);
	cr_expect_eq(fl_snapshot_writer_step(writer, 1, NULL), 0);
	cr_expect_eq(fl_snapshot_writer_save(writer, path, NULL), 0);
	fl_snapshot_writer_free(writer);
	cr_assert_eq(fl_snapshot_reader_open(path, &reader, NULL), 0);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(fl_snapshot_reader_step(reader, 1, &again, NULL), 1);
		cr_assert_null(again);
	}
	cr_assert_eq(fl_snapshot_reader_step(reader, 1, &again, NULL), 0);
	fl_snapshot_reader_free(reader);
	cr_assert_eq(again->n_peers, 2);
	expect_lease(again->peers[1], snapshot->peers[1]);
	unlink(path);
	/* given up half way */
	cr_assert_eq(fl_snapshot_writer_new(snapshot, &writer, NULL), 0);
	cr_expect_eq(fl_snapshot_writer_step(writer, 1, NULL), 1);
	fl_snapshot_writer_free(writer);
}

/* what no waiting helps against is told at once */
Test(snapshot, store_that_never_opens)
{
	static const struct {
		const char *uri;
		int code;
	} cases[] = {{"", -EINVAL}, {"embedded:", -EINVAL}, {"nowhere:x", -ENOPKG}, {"static:", -EINVAL}};
	struct flannel_context_options options = {.size = sizeof(options), .module_dir = "/nonexistent"};
	struct flannel_context *context = NULL;
	struct flannel_store *store = NULL;

	cr_assert_eq(flannel_context_new(&context, &options, NULL), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		cr_expect_eq(flannel_store_open_later(context, cases[i].uri, &store, &error), cases[i].code, "%s: %s",
			     cases[i].uri, flannel_error_get_message(error));
		cr_expect_null(store);
	}
	cr_expect_eq(flannel_store_open_later(context, NULL, &store, NULL), -EINVAL);
	cr_expect_eq(flannel_store_open_later(context, "static:/x", NULL, NULL), -EINVAL);
	cr_expect_eq(flannel_store_open_later(NULL, "static:/x", &store, NULL), -EINVAL);
	/* a file that may come: it is a store, which nobody can ask for anything yet */
	cr_assert_eq(flannel_store_open_later(context, "static:/nonexistent/peers.json", &store, NULL), 1);
	cr_expect_str_eq(flannel_store_get_name(store), "static");
	cr_expect_eq(flannel_store_set_config_sync(store, FAKE_CONFIG, 1, NULL), -EAGAIN);
	flannel_store_unref(store);
	flannel_context_unref(context);
}

Test(snapshot, any_part_and_any_other_byte_is_refused)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *snapshot = make();
	FL_CLEANUP(fl_freep) char *text = NULL;
	size_t len;

	cr_assert_eq(fl_snapshot_format(snapshot, &text, &len, NULL), 0);
	for (size_t i = 0; i < len; i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_snapshot *found = NULL;

		cr_expect_lt(fl_snapshot_parse(text, i, "file", &found, &error), 0, "the first %zu bytes", i);
		cr_expect(strstr(flannel_error_get_message(error), "file"), "%s", flannel_error_get_message(error));
		text[i] ^= 4;
		cr_expect_eq(fl_snapshot_parse(text, len, "file", &found, NULL), -EBADMSG, "byte %zu", i);
		text[i] ^= 4;
		cr_assert_null(found);
	}
}

Test(snapshot, which_store_it_is_of)
{
	static const struct {
		const char *uri, *identity;
	} cases[] = {
		{"embedded:/var/lib/flannel/leases.db", "embedded:/var/lib/flannel/leases.db"},
		{"embedded:/srv/a?prefix=b@c//x@y", "embedded:/srv/a?prefix=b@c//x@y"},
		{"etcd:http://a:1,http://b:2?prefix=/p", "etcd:http://a:1,http://b:2?prefix=/p"},
		{"etcd:https://me:secret@a:1,https://b:2?prefix=/p&username=me&password=secret&cafile=/ca",
		 "etcd:https://a:1,https://b:2?prefix=/p"},
		{"etcd:https://me:s@cret@a:1?password=secret&prefix=%2Fp", "etcd:https://a:1?prefix=%2Fp"},
		{"etcd:http://a:1?password=secret", "etcd:http://a:1"},
		{"etcd:a:1", "etcd:a:1"},
		{"kube:?pod=x/y&node=n1&prefix=a.b&kubeconfig=/k&net-config=/c&api-url=https%3A//h",
		 "kube:?node=n1&prefix=a.b&kubeconfig=/k&api-url=https%3A//h"},
		{"other", "other"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_freep) char *identity = fl_store_identity(cases[i].uri);

		cr_expect_str_eq(identity, cases[i].identity);
	}
}

/* a request that waits for the configuration, and goes by the past */
static void restore(struct bench *bench, struct fl_snapshot *past)
{
	struct fl_request_past known = {.config = past->config, .own = past->own, .n_peers = past->n_peers};

	known.peers = past->peers;
	bench_open(bench);
	bench_start(bench);
	bench_call(bench, "get_config");
	cr_assert_eq(fl_request_restore(bench->request, &known, NULL), 1);
	bench_event(bench, "peer-added 10.244.2.0-24");
	bench_event(bench, "peer-added 10.244.4.0-24&fd00:10:244:4::-64");
	bench_quiet(bench);
	cr_assert_str_eq(fake_key(flannel_request_get_lease(bench->request)), "10.244.3.0-24");
	cr_assert(fl_request_is_restored(bench->request));
	cr_assert_eq(flannel_lease_release(bench->request, NULL), -ENOENT, "it is not the store's yet");
	cr_assert_eq(fl_request_restore(bench->request, &known, NULL), 0, "there is no need");
}

/* the store answers; its list names one of the peers of the past, and a new one */
static void answer(struct bench *bench, const char *config, const char *own)
{
	fake_answer_config(bench->fake, 0, config);
	bench_call(bench, "watch");
	fake_snapshot(bench->fake, "10.244.2.0-24 192.0.2.2 {\"VNI\":1}", "10.244.9.0-24 192.0.2.9", own, NULL);
}

Test(snapshot, is_caught_up_with)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *past = make();
	struct bench bench;

	restore(&bench, past);
	answer(&bench, FAKE_CONFIG, "10.244.3.0-24 " FAKE_IP);
	bench_event(&bench, "peer-added 10.244.9.0-24");
	bench_event(&bench, "peer-removed 10.244.4.0-24&fd00:10:244:4::-64");
	bench_call(&bench, "update 10.244.3.0-24");
	cr_expect_str_eq(fake_key(flannel_request_get_lease(bench.request)), "10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.3.0-24");
	cr_expect_not(fl_request_is_restored(bench.request));
	bench_quiet(&bench);
	bench_close(&bench);
}

Test(snapshot, own_lease_is_gone_but_free)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *past = make();
	struct bench bench;

	restore(&bench, past);
	answer(&bench, FAKE_CONFIG, NULL);
	bench_event(&bench, "peer-added 10.244.9.0-24");
	bench_event(&bench, "peer-removed 10.244.4.0-24&fd00:10:244:4::-64");
	bench_call(&bench, "create 10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-acquired 10.244.3.0-24");
	bench_close(&bench);
}

Test(snapshot, own_subnet_is_another_nodes)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *past = make();
	struct bench bench;

	restore(&bench, past);
	answer(&bench, FAKE_CONFIG, "10.244.3.0-24 192.0.2.77");
	bench_event(&bench, "peer-added 10.244.9.0-24");
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_event(&bench, "peer-added 10.244.3.0-24");
	bench_event(&bench, "peer-removed 10.244.4.0-24&fd00:10:244:4::-64");
	cr_expect_null(flannel_request_get_lease(bench.request));
	bench_call(&bench, "create 10.244.");
	cr_expect_str_neq(fake_key(bench.fake->lease), "10.244.3.0-24");
	fake_answer(bench.fake, 0);
	bench_turn(&bench, "the answer");
	bench_settle(&bench);
	cr_expect_not_null(flannel_request_get_lease(bench.request));
	bench_close(&bench);
}

Test(snapshot, node_has_another_subnet)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *past = make();
	struct bench bench;

	restore(&bench, past);
	answer(&bench, FAKE_CONFIG, "10.244.5.0-24 " FAKE_IP);
	bench_event(&bench, "peer-added 10.244.9.0-24");
	bench_event(&bench, "peer-removed 10.244.4.0-24&fd00:10:244:4::-64");
	bench_call(&bench, "update 10.244.5.0-24");
	fake_answer(bench.fake, 0);
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_event(&bench, "lease-acquired 10.244.5.0-24");
	bench_close(&bench);
}

Test(snapshot, another_configuration_ends_it)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *past = make();
	struct bench bench;

	restore(&bench, past);
	fake_answer_config(bench.fake, 0, "{\"Network\":\"10.55.0.0/16\",\"Backend\":{\"Type\":\"host-gw\"}}");
	bench_event(&bench, "lease-lost 10.244.3.0-24");
	bench_call(&bench, "watch");
	fake_snapshot(bench.fake, NULL);
	bench_event(&bench, "peer-removed 10.244.4.0-24&fd00:10:244:4::-64");
	bench_event(&bench, "peer-removed 10.244.2.0-24");
	bench_call(&bench, "create 10.55.");
	bench_close(&bench);
}

Test(snapshot, is_refused)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *past = make();
	struct fl_request_past known = {.config = FAKE_CONFIG, .own = past->own};
	struct bench bench;

	bench_open(&bench);
	bench_start(&bench);
	bench_call(&bench, "get_config");
	known.config = "{\"Network\":\"10.55.0.0/16\",\"Backend\":{\"Type\":\"host-gw\"}}";
	cr_expect_eq(fl_request_restore(bench.request, &known, NULL), -ESTALE, "the lease is of another network");
	known.config = "no configuration";
	cr_expect_eq(fl_request_restore(bench.request, &known, NULL), -ESTALE);
	fake_answer_config(bench.fake, 0, "{\"Network\":\"10.244.0.0/15\",\"Backend\":{\"Type\":\"host-gw\"}}");
	bench_call(&bench, "watch");
	known.config = FAKE_CONFIG;
	cr_expect_eq(fl_request_restore(bench.request, &known, NULL), -ESTALE, "the store has another configuration");
	cr_expect_null(flannel_request_get_lease(bench.request));
	bench_close(&bench);
	/* a store that has no configuration answers, too */
	bench_open(&bench);
	bench_start(&bench);
	bench_call(&bench, "get_config");
	fake_answer_config(bench.fake, -ENOENT, NULL);
	bench_call(&bench, "watch");
	cr_expect_eq(fl_request_restore(bench.request, &known, NULL), 0);
	bench_close(&bench);
}

Test(snapshot, peers_that_a_list_has_named_stay)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *past = make();
	struct fl_request_past known = {.config = FAKE_CONFIG, .own = past->own, .n_peers = past->n_peers};
	struct bench bench;

	known.peers = past->peers;
	bench_open(&bench);
	bench_start_with(&bench, FAKE_CONFIG);
	fake_tell(bench.fake, (struct flannel_store_message){.type = FLANNEL_STORE_SNAPSHOT_BEGIN});
	fake_tell_lease(bench.fake, FLANNEL_STORE_LEASE, "10.244.2.0-24 192.0.2.22");
	bench_event(&bench, "peer-added 10.244.2.0-24");
	/* it stops in the middle of its list */
	cr_assert_eq(fl_request_restore(bench.request, &known, NULL), 1);
	bench_event(&bench, "peer-added 10.244.4.0-24&fd00:10:244:4::-64");
	bench_quiet(&bench);
	fake_tell(bench.fake, (struct flannel_store_message){.type = FLANNEL_STORE_SNAPSHOT_END});
	bench_event(&bench, "peer-removed 10.244.4.0-24&fd00:10:244:4::-64");
	bench_call(&bench, "create 10.244.3.0-24");
	bench_close(&bench);
}
