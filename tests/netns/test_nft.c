/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the helper does to rulesets: as the nft program lists them afterwards. */
#include <criterion/criterion.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nft_client.h"
#include "nft_listing.h"
#include "sys/netns.h"

/* a namespace of the test's own */
static void own_namespace(void)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root");
}

TestSuite(nft, .init = own_namespace);

/* a list of expected objects and how far it got */
struct expectation {
	const char *const *texts;
	size_t n;
};

/* compares the next object with what is expected */
static void expect_next(void *userdata, const char *kind, struct json_object *value)
{
	struct expectation *expected = userdata;
	struct json_object *wanted, *part;
	const char *key = strcmp(kind, "rule") == 0 ? "expr" : NULL;

	if (strcmp(kind, "table") == 0)
		return;
	cr_assert_not_null(expected->texts[expected->n], "one too many: %s", json_object_to_json_string(value));
	wanted = json_tokener_parse(expected->texts[expected->n++]);
	cr_assert_not_null(wanted);
	part = key ? json_object_object_get(value, key) : value;
	cr_expect(json_object_equal(part, wanted), "is %s\nnot %s", json_object_to_json_string(part),
		  json_object_to_json_string(wanted));
	json_object_put(wanted);
}

#define MATCH(op, field, addr, len)                                                                                    \
	"{\"match\": {\"op\": \"" op "\", \"left\": {\"payload\": {\"protocol\": \"ip\", \"field\": \"" field          \
	"\"}}, \"right\": {\"prefix\": {\"addr\": \"" addr "\", \"len\": " #len "}}}}"
#define CHAIN(name, type, hook, prio)                                                                                  \
	"{\"family\": \"ip\", \"table\": \"flannel-ipv4\", \"name\": \"" name "\", \"type\": \"" type                  \
	"\", \"hook\": \"" hook "\", \"prio\": " #prio ", \"policy\": \"accept\"}"
#define RULE(from, to, verdict) "[" from ", " to ", " verdict "]"
#define FULLY_RANDOM "{\"masquerade\": {\"flags\": \"fully-random\"}}"

static const char *const ipv4_objects[] = {
	CHAIN("postrtg", "nat", "postrouting", 100),
	CHAIN("forward", "filter", "forward", 0),
	"[{\"match\": {\"op\": \"==\", \"left\": {\"&\": [{\"meta\": {\"key\": \"mark\"}}, 16384]}, \"right\": "
	"16384}}, "
	"{\"return\": null}]",
	RULE(MATCH("==", "saddr", "10.244.1.0", 24), MATCH("==", "daddr", "10.244.0.0", 16), "{\"return\": null}"),
	RULE(MATCH("==", "saddr", "10.244.0.0", 16), MATCH("==", "daddr", "10.244.1.0", 24), "{\"return\": null}"),
	RULE(MATCH("!=", "saddr", "10.244.0.0", 16), MATCH("==", "daddr", "10.244.1.0", 24), "{\"return\": null}"),
	RULE(MATCH("==", "saddr", "10.244.0.0", 16), MATCH("!=", "daddr", "224.0.0.0", 4), FULLY_RANDOM),
	RULE(MATCH("!=", "saddr", "10.244.0.0", 16), MATCH("==", "daddr", "10.244.0.0", 16), FULLY_RANDOM),
	"[" MATCH("==", "saddr", "10.244.0.0", 16) ", {\"accept\": null}]",
	"[" MATCH("==", "daddr", "10.244.0.0", 16) ", {\"accept\": null}]",
	NULL,
};

Test(nft, rules)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	struct expectation expected = {.texts = ipv4_objects};
	struct fl_nft_table table = ipv4_table();

	must_replace(nft, &table);
	each_nft_object("ip", "flannel-ipv4", expect_next, &expected);
	cr_expect_eq(expected.n, FL_N_ELEMENTS(ipv4_objects) - 1);
}

struct golden_case {
	const char *name; /* data/masquerade/NAME.nft is what flanneld has set */
	unsigned int flags;
	bool dual;
};

static const struct golden_case golden_cases[] = {
	{"ipmasq-nft-v4", FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD, false},
	{"ipmasq-nft-dual", FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD, true},
	{"ipmasq-notrandom-nft", FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD | FLANNEL_MASQUERADE_FIXED_PORTS,
	 false},
	{"nomasq-nft", FLANNEL_MASQUERADE_FORWARD, false},
	{"forward-off-nft", FLANNEL_MASQUERADE_SNAT, false},
};

/* flanneld's rules as text, with what we do in another way on purpose put in its place */
static char *golden_text(const struct golden_case *c)
{
	char command[300];
	char *text;

	snprintf(command, sizeof(command), "cat " TEST_DATA "/masquerade/%s.nft", c->name);
	text = output_of(command);
	drop_lines(text, "\tcomment \"");
	/* a family that is not in use gets no table */
	if (!c->dual)
		text = substitute(text, "table ip6 flannel-ipv6 {\n}\n", "");
	for (int n = 0; n < 1 + c->dual && c->flags & FLANNEL_MASQUERADE_SNAT; n++)
		text = substitute(text, "meta mark 0x00004000", "meta mark & 0x00004000 == 0x00004000");
	if (c->flags & FLANNEL_MASQUERADE_SNAT)
		text = substitute(text, "ip saddr != 10.244.1.0/24 ip daddr 10.244.0.0/16 return",
				  "ip saddr != 10.244.0.0/16 ip daddr 10.244.1.0/24 return");
	if (c->dual)
		text = substitute(text, "ip6 saddr != fd00:10:244:1::/64 ip6 daddr fd00:10:244::/48 return",
				  "ip6 saddr != fd00:10:244::/48 ip6 daddr fd00:10:244:1::/64 return");
	return text;
}

Test(nft, as_flanneld)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);

	for (size_t i = 0; i < FL_N_ELEMENTS(golden_cases); i++) {
		const struct golden_case *c = &golden_cases[i];
		FL_CLEANUP(fl_freep) char *expected = golden_text(c);
		FL_CLEANUP(fl_freep) char *found = NULL;
		struct fl_nft_table tables[] = {table_of("10.244.0.0/16", "10.244.1.0/24", c->flags),
						table_of("fd00:10:244::/48", "fd00:10:244:1::/64", c->flags)};

		if (!c->dual)
			fl_masquerade_table_init(&tables[1], AF_INET6);
		cr_assert_eq(fl_nft_replace_sync(nft, tables, 2, ANSWER_MS, NULL), 0);
		found = ruleset_text();
		cr_expect_str_eq(found, expected, "%s:\n%s\nnot:\n%s", c->name, found, expected);
	}
}

/* flanneld's own tables, of another network too, are replaced; other people's stay */
Test(nft, takes_over)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	FL_CLEANUP(fl_freep) char *expected = NULL;
	FL_CLEANUP(fl_freep) char *found = NULL;
	struct fl_nft_table tables[] = {ipv4_table(), {.family = NULL}};

	fl_masquerade_table_init(&tables[1], AF_INET6);
	cr_assert_eq(system("nft -f " TEST_DATA "/masquerade/network-changed-nft.before.nft"), 0);
	cr_assert_eq(
		system("nft 'add table ip other; add chain ip other c { type nat hook postrouting priority 90; }'"), 0);
	cr_assert_eq(fl_nft_replace_sync(nft, tables, 2, ANSWER_MS, NULL), 0);
	expected = golden_text(&(struct golden_case){"network-changed-nft", 5, false});
	found = output_of("nft list table ip flannel-ipv4");
	cr_expect_str_eq(found, expected, "%s", found);
	free(found);
	found = output_of("nft list tables");
	cr_expect_str_eq(found, "table ip other\ntable ip flannel-ipv4\n");
	free(found);
	found = output_of("nft list table ip other");
	cr_expect_not_null(strstr(found, "chain c {"));
}

Test(nft, idempotent)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	FL_CLEANUP(fl_freep) char *first = NULL;
	FL_CLEANUP(fl_freep) char *second = NULL;
	struct fl_nft_table table = ipv4_table();

	must_replace(nft, &table);
	first = ruleset_text();
	must_replace(nft, &table);
	second = ruleset_text();
	cr_expect_str_eq(first, second);
	cr_expect_not_null(strstr(first, "masquerade"));
}

Test(nft, deletes)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	FL_CLEANUP(fl_freep) char *left = NULL;
	struct fl_nft_table table = ipv4_table(), none;

	fl_masquerade_table_init(&none, AF_INET);
	must_replace(nft, &none);
	must_replace(nft, &table);
	must_replace(nft, &none);
	left = ruleset_text();
	cr_expect_str_eq(left, "");
}

/* the widest and the narrowest prefixes */
Test(nft, prefix_lengths)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	FL_CLEANUP(fl_freep) char *found = NULL;
	struct fl_nft_table tables[] = {table_of("0.0.0.0/0", "10.0.0.1/32", 5), table_of("::/0", "fd00::1/128", 5)};

	cr_assert_eq(fl_nft_replace_sync(nft, tables, 2, ANSWER_MS, NULL), 0);
	found = ruleset_text();
	cr_expect_not_null(strstr(found, "ip saddr 10.0.0.1 ip daddr 0.0.0.0/0 return"), "%s", found);
	cr_expect_not_null(strstr(found, "ip6 saddr fd00::1 ip6 daddr ::/0 return"), "%s", found);
}

/* a transaction of which the kernel refuses a part changes nothing */
Test(nft, all_or_nothing)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *before = NULL;
	FL_CLEANUP(fl_freep) char *after = NULL;
	struct fl_nft_table tables[] = {table_of("10.9.0.0/16", "10.9.1.0/24", 5),
					table_of("fd00:9::/48", "fd00:9::/64", 5)};
	struct fl_nft_table good = ipv4_table();
	int r;

	must_replace(nft, &good);
	before = ruleset_text();
	/* there is no nat at this hook */
	tables[1].chains[0].hook = "forward";
	r = fl_nft_replace_sync(nft, tables, 2, ANSWER_MS, &error);
	cr_expect_eq(r, -EOPNOTSUPP, "%d %s", r, flannel_error_get_message(error));
	cr_expect_str_eq(flannel_error_get_area(error), "nft");
	cr_expect_str_eq(flannel_error_get_detail(error), "Could not process rule: Operation not supported");
	cr_expect_not(flannel_error_is_retryable(error));
	after = ruleset_text();
	cr_expect_str_eq(before, after);
	must_replace(nft, &good);
}

/* looks for the table until told to stop; counts how often it was there and how often not */
struct watcher {
	atomic_bool stop;
	atomic_int n_there, n_missing;
};

static void *watch_table(void *userdata)
{
	struct watcher *watcher = userdata;

	while (!atomic_load(&watcher->stop)) {
		int r = fl_nft_table_exists(-1, false, AF_INET, "flannel-ipv4", NULL);

		atomic_fetch_add(r > 0 ? &watcher->n_there : &watcher->n_missing, 1);
	}
	return NULL;
}

/* nobody sees the moment between the old and the new table */
Test(nft, no_gap)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = new_client(TEST_NFT_HELPER, -1);
	struct watcher watcher = {.stop = false};
	struct fl_nft_table table = ipv4_table();
	pthread_t thread;

	must_replace(nft, &table);
	cr_assert_eq(pthread_create(&thread, NULL, watch_table, &watcher), 0);
	for (int n = 0; n < 50 || atomic_load(&watcher.n_there) < 20; n++)
		must_replace(nft, &table);
	atomic_store(&watcher.stop, true);
	pthread_join(thread, NULL);
	cr_expect_eq(watcher.n_missing, 0);
}

/* the helper works where it is told to, and the caller stays where it is */
Test(nft, namespace)
{
	FL_CLEANUP(fl_closep) int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	FL_CLEANUP(fl_closep) int there = -1;
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = NULL;
	struct fl_nft_table table = ipv4_table();

	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	there = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(setns(here, CLONE_NEWNET), 0);
	nft = new_client(TEST_NFT_HELPER, there);
	must_replace(nft, &table);

	cr_expect_eq(fl_netns_same(here, -1), 1);
	for (int single_threaded = 0; single_threaded < 2; single_threaded++) {
		cr_expect_eq(fl_nft_table_exists(there, single_threaded, AF_INET, "flannel-ipv4", NULL), 1);
		cr_expect_eq(fl_nft_table_exists(there, single_threaded, AF_INET6, "flannel-ipv4", NULL), 0);
		cr_expect_eq(fl_nft_table_exists(here, single_threaded, AF_INET, "flannel-ipv4", NULL), 0);
	}
	cr_expect_eq(fl_nft_table_exists(-1, true, AF_INET, "flannel-ipv4", NULL), 0);

	/* a namespace that is none */
	nft = fl_nft_free(nft);
	cr_assert_eq(dup2(STDERR_FILENO, there), there);
	nft = new_client(TEST_NFT_HELPER, there);
	cr_expect_eq(fl_nft_replace_sync(nft, &table, 1, ANSWER_MS, NULL), -EINVAL);
}

/* gives up CAP_NET_ADMIN, for programs started from here, too; files stay within reach wherever the checkout is */
static void drop_net_admin(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	cr_assert_eq(prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0), 0);
	cr_assert_eq(syscall(SYS_capget, &header, data), 0);
	data[0].effective &= ~(1U << CAP_NET_ADMIN);
	data[0].permitted &= ~(1U << CAP_NET_ADMIN);
	data[0].inheritable &= ~(1U << CAP_NET_ADMIN);
	cr_assert_eq(syscall(SYS_capset, &header, data), 0);
}

/* without the capability everything is refused, by the kernel and in its words */
Test(nft, unprivileged)
{
	FL_CLEANUP(fl_nft_freep) struct fl_nft *nft = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP_ERROR struct flannel_error *lookup_error = NULL;
	struct fl_nft_table table = ipv4_table();
	int r;

	drop_net_admin();
	nft = new_client(TEST_NFT_HELPER, -1);
	r = fl_nft_replace_sync(nft, &table, 1, ANSWER_MS, &error);
	cr_expect_eq(r, -EPERM, "%d %s", r, flannel_error_get_message(error));
	cr_expect_not(flannel_error_is_retryable(error));
	cr_expect_not_null(strstr(flannel_error_get_detail(error), "Operation not permitted"), "%s",
			   flannel_error_get_message(error));
	cr_expect_eq(fl_nft_table_exists(-1, true, AF_INET, "flannel-ipv4", &lookup_error), -EPERM);
	cr_expect_str_eq(flannel_error_get_area(lookup_error), "nft");
}
