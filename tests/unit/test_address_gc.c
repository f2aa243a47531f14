/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which addresses are given back although nobody says so one by one, and whether any can be given out. */

#include "pool_lab.h"

TestSuite(address_gc, .init = begin, .fini = end, .timeout = 120);

static const struct sets sets = {.subnets = {"10.0.0.0/16", "fd00::/64"}};

/* "c1 eth0" as an attachment */
static struct flannel_attachment_id make_id(char *text)
{
	char *blank = strchr(text, ' ');

	*blank = '\0';
	return (struct flannel_attachment_id){
		.size = sizeof(struct flannel_attachment_id), .container_id = text, .ifname = blank + 1};
}

Test(address_gc, gives_back_what_is_not_in_the_list)
{
	const struct {
		const char *valid[4];
		const char *left; /* which of the files below */
		int n_released;
	} cases[] = {
		{{"c1 eth0", "c1 eth1", "c2 eth0", "old eth0"}, "abcd", 1},
		{{NULL}, "", 8},
		{{"c1 eth0"}, "a", 6},
		{{"c1 eth1"}, "b", 6},
		{{"c1 eth2", "c eth0", "c11 eth0"}, "", 8},
		{{"c2 eth0", "c2 eth0"}, "c", 6},
		{{"old eth7"}, "d", 7},
		{{"c2\n eth0"}, "c", 6},
	};
	/* both families of a, b and c; an old file d; one that is nobody's */
	const char *const files[][2] = {
		{"10.0.0.2", "fd00::2"}, {"10.0.0.3", "fd00::3"}, {"10.0.0.4", "fd00::4"}, {"10.0.9.9", NULL}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flannel_address_pool *pool;
		struct flannel_attachment_id ids[4];
		char texts[4][40];
		size_t n = 0;

		(void)snprintf(pool_path, sizeof(pool_path), "%s/%zu/n1", directory, i);
		pool = open_pool();
		cr_assert_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.2/16");
		cr_assert_str_eq(allocate(pool, &sets, "c1", "eth1", NULL), "10.0.0.3/16");
		cr_assert_str_eq(allocate(pool, &sets, "c2", "eth0", NULL), "10.0.0.4/16");
		write_file("10.0.9.9", "old\n");
		write_file("10.0.9.8", "c1\neth0");
		write_file("10.0.9.7", "");
		write_file("notes", "c7\r\neth0");
		for (; n < 4 && cases[i].valid[n]; n++) {
			(void)snprintf(texts[n], sizeof(texts[n]), "%s", cases[i].valid[n]);
			ids[n] = make_id(texts[n]);
		}
		cr_expect_eq(flannel_address_pool_gc(pool, n > 0 ? ids : NULL, n, NULL), cases[i].n_released,
			     "case %zu", i);
		for (size_t j = 0; j < 4; j++) {
			bool stays = strchr(cases[i].left, 'a' + (int)j) != NULL;

			for (size_t k = 0; k < 2 && files[j][k]; k++)
				cr_expect_eq(strcmp(content(files[j][k]), "-") != 0, stays, "case %zu: %s", i,
					     files[j][k]);
		}
		cr_expect_str_eq(content("10.0.9.8"), "-");
		cr_expect_str_eq(content("10.0.9.7"), "-");
		cr_expect_str_eq(content("notes"), "c7\r\neth0");
		cr_expect_str_eq(content("lock"), "");
		cr_expect_str_eq(content("last_reserved_ip.0"), "10.0.0.4");
		/* and the index knows */
		plant();
		cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), strchr(cases[i].left, 'a') ? 2 : 0);
		cr_expect_eq(flannel_address_pool_count(pool, "c2", "eth0", NULL), strchr(cases[i].left, 'c') ? 2 : 0);
		cr_expect_not(was_scanned());
		flannel_address_pool_free(pool);
	}
}

Test(address_gc, of_thousands)
{
	enum { N = 3000 };
	struct flannel_attachment_id *ids = calloc(N, sizeof(*ids));
	struct flannel_address_pool *pool = open_pool();
	char(*names)[16] = calloc(N, sizeof(*names));
	char file[40], text[40];

	cr_assert(ids && names);
	for (unsigned int i = 0; i < N; i++) {
		(void)snprintf(file, sizeof(file), "10.0.%u.%u", i >> 8, i & 255);
		(void)snprintf(text, sizeof(text), "c%u\r\neth0", i);
		write_file(file, text);
		/* every second one; and as many that have no address */
		(void)snprintf(names[i], sizeof(names[i]), "%s%u", i % 2 ? "c" : "other", i);
		ids[i] = (struct flannel_attachment_id){
			.size = sizeof(ids[i]), .container_id = names[i], .ifname = "eth0"};
	}
	cr_expect_eq(flannel_address_pool_gc(pool, ids, N, NULL), N / 2);
	cr_expect_eq(flannel_address_pool_gc(pool, ids, N, NULL), 0);
	cr_expect_eq(flannel_address_pool_count(pool, "c7", "eth0", NULL), 1);
	cr_expect_eq(flannel_address_pool_count(pool, "c8", "eth0", NULL), 0);
	cr_expect_eq(flannel_address_pool_gc(pool, NULL, 0, NULL), N / 2);
	flannel_address_pool_free(pool);
	free(ids);
	free(names);
}

Test(address_gc, bad_lists)
{
	struct flannel_attachment_id ids[] = {
		{.size = sizeof(ids[0]), .container_id = "c1", .ifname = "eth0"},
		{.size = sizeof(ids[0]), .container_id = "c2", .ifname = "eth0"},
	};
	struct flannel_address_pool *pool = open_pool();
	const struct sets one = {.subnets = {"10.0.0.0/24"}};

	cr_assert_str_eq(allocate(pool, &one, "c3", "eth0", NULL), "10.0.0.2/24");
	cr_expect_eq(flannel_address_pool_gc(NULL, ids, 2, NULL), -EINVAL);
	cr_expect_eq(flannel_address_pool_gc(pool, NULL, 1, NULL), -EINVAL);
	ids[1].size = 0;
	cr_expect_eq(flannel_address_pool_gc(pool, ids, 2, NULL), -EINVAL);
	ids[1].size = sizeof(ids[0]) + 8;
	cr_expect_eq(flannel_address_pool_gc(pool, ids, 2, NULL), -E2BIG);
	ids[1].size = sizeof(ids[0]);
	ids[1].container_id = "";
	cr_expect_eq(flannel_address_pool_gc(pool, ids, 2, NULL), -EINVAL);
	ids[1].container_id = NULL;
	cr_expect_eq(flannel_address_pool_gc(pool, ids, 2, NULL), -EINVAL);
	ids[1].container_id = "c2";
	ids[1].ifname = NULL;
	cr_expect_eq(flannel_address_pool_gc(pool, ids, 2, NULL), -EINVAL);
	/* nothing was given back for that */
	cr_expect_str_eq(content("10.0.0.2"), "c3\r\neth0");
	flannel_address_pool_free(pool);
}

/* what flannel_address_pool_check() says of a directory, as the errno's name; "" if nothing */
static const char *check(const char *path, const struct sets *wanted)
{
	struct flannel_address_range ranges[3];
	struct flannel_error *error = NULL;
	int r = flannel_address_pool_check(path, wanted ? ranges : NULL, wanted ? make_ranges(wanted, ranges) : 0,
					   &error);

	cr_expect_eq(r, error ? flannel_error_get_code(error) : 0);
	flannel_error_unref(error);
	return r < 0 ? strerrorname_np(-r) : r == 0 ? "" : "positive";
}

Test(address_gc, check_of_the_directory)
{
	const struct sets one = {.subnets = {"10.0.0.0/30"}};
	char path[200];

	/* not there: it could be made, and is not */
	cr_expect_str_eq(check(pool_path, &one), "");
	cr_expect_str_eq(check(pool_path, NULL), "");
	(void)snprintf(path, sizeof(path), "%s/net", directory);
	cr_expect_neq(access(path, F_OK), 0);
	/* a file is in the way, at its place or above it */
	cr_assert_eq(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	cr_expect_str_eq(check(path, &one), "ENOTDIR");
	cr_expect_str_eq(check(pool_path, &one), "ENOTDIR");
	cr_assert_eq(unlink(path), 0);
	cr_expect_str_eq(check("", &one), "EINVAL");
	cr_expect_str_eq(check("relative/and/not/there", &one), "");
	cr_expect_eq(flannel_address_pool_check(NULL, NULL, 0, NULL), -EINVAL);
	cr_expect_eq(flannel_address_pool_check(pool_path, NULL, 1, NULL), -EINVAL);
	{
		const struct flannel_address_range unchecked = {.size = sizeof(unchecked), .subnet = P("10.0.0.0/24")};

		cr_expect_eq(flannel_address_pool_check(pool_path, &unchecked, 1, NULL), -EINVAL);
	}
}

Test(address_gc, check_of_the_ranges)
{
	const struct sets one = {.subnets = {"10.0.0.0/30"}};
	const struct sets both = {.subnets = {"10.1.0.0/24", "10.0.0.0/30"}};
	struct flannel_address_pool *pool = open_pool();

	cr_expect_str_eq(check(pool_path, &one), "");
	cr_expect_str_eq(allocate(pool, &one, "c1", "eth0", NULL), "10.0.0.2/30");
	cr_expect_str_eq(check(pool_path, &one), "ENOSPC");
	cr_expect_str_eq(check(pool_path, &both), "ENOSPC");
	cr_expect_str_eq(check(pool_path, NULL), "");
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 1);
	cr_expect_str_eq(check(pool_path, &both), "");
	/* what a killed writer left does not count */
	write_file("10.0.0.2", "");
	cr_expect_str_eq(check(pool_path, &one), "");
	flannel_address_pool_free(pool);
}
