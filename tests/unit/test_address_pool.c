/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool_lab.h"

TestSuite(address_pool, .init = begin, .fini = end);

Test(address_pool, files_are_those_of_host_local)
{
	const struct sets sets = {.subnets = {"10.1.2.0/24", "fd00:1::/64"}};
	struct flannel_address_pool *pool = open_pool();

	cr_expect_str_eq(allocate(pool, &sets, " c1\n", "eth0", NULL), "10.1.2.2/24");
	cr_expect_str_eq(content("10.1.2.2"), "c1\r\neth0");
	cr_expect_str_eq(content("fd00:1::2"), "c1\r\neth0");
	cr_expect_str_eq(content("last_reserved_ip.0"), "10.1.2.2");
	cr_expect_str_eq(content("last_reserved_ip.1"), "fd00:1::2");
	cr_expect_str_eq(content("lock"), "");
	cr_expect_eq(mode_of("."), 0755);
	cr_expect_eq(mode_of("lock"), 0750);
	cr_expect_eq(mode_of("10.1.2.2"), 0600);
	cr_expect_eq(mode_of("last_reserved_ip.0"), 0600);

	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 2);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth1", NULL), 0);
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 2);
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 0);
	cr_expect_str_eq(content("10.1.2.2"), "-");
	cr_expect_str_eq(content("last_reserved_ip.0"), "10.1.2.2");
	flannel_address_pool_free(pool);
}

Test(address_pool, round_robin)
{
	const struct {
		const char *last; /* content of last_reserved_ip.0, NULL for no file */
		const char *taken[6];
		const char *want;
	} cases[] = {
		{NULL, {NULL}, "10.0.0.2/29"},
		{"10.0.0.5", {NULL}, "10.0.0.6/29"},
		{"10.0.0.5\n", {NULL}, "10.0.0.2/29"},
		{"10.0.0.5", {"10.0.0.5", "10.0.0.6", NULL}, "10.0.0.2/29"},
		{"10.0.0.6", {NULL}, "10.0.0.2/29"},
		{"10.9.9.9", {"10.0.0.2", NULL}, "10.0.0.3/29"},
		{"rubbish", {"10.0.0.2", NULL}, "10.0.0.3/29"},
		{"", {NULL}, "10.0.0.2/29"},
		{"10.0.0.3", {"10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6", NULL}, "10.0.0.3/29"},
		{"10.0.0.3", {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", NULL}, "ENOSPC"},
	};
	const struct sets sets = {.subnets = {"10.0.0.0/29"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flannel_address_pool *pool;

		(void)snprintf(pool_path, sizeof(pool_path), "%s/case%zu", directory, i);
		pool = open_pool();
		if (cases[i].last)
			write_file("last_reserved_ip.0", cases[i].last);
		for (const char *const *taken = cases[i].taken; *taken; taken++)
			write_file(*taken, "other\r\neth0");
		cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), cases[i].want, "case %zu", i);
		flannel_address_pool_free(pool);
	}
}

Test(address_pool, a_freed_address_comes_last)
{
	const struct sets sets = {.subnets = {"10.0.0.0/29"}};
	struct flannel_address_pool *pool = open_pool();

	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.2/29");
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 1);
	cr_expect_str_eq(allocate(pool, &sets, "c2", "eth0", NULL), "10.0.0.3/29");
	cr_expect_str_eq(allocate(pool, &sets, "c3", "eth0", NULL), "10.0.0.4/29");
	cr_expect_str_eq(allocate(pool, &sets, "c4", "eth0", NULL), "10.0.0.5/29");
	cr_expect_str_eq(allocate(pool, &sets, "c5", "eth0", NULL), "10.0.0.6/29");
	cr_expect_str_eq(allocate(pool, &sets, "c6", "eth0", NULL), "10.0.0.2/29");
	cr_expect_str_eq(allocate(pool, &sets, "c7", "eth0", NULL), "ENOSPC");
	flannel_address_pool_free(pool);
}

Test(address_pool, one_address_of_a_set_for_one_owner)
{
	const struct sets sets = {.subnets = {"10.0.0.0/24"}};
	const struct sets other = {.subnets = {"10.0.1.0/24"}};
	struct flannel_address_pool *pool = open_pool();

	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.2/24");
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.2/24");
	cr_expect_str_eq(content("last_reserved_ip.0"), "10.0.0.2");
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth1", NULL), "10.0.0.3/24");
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.2/24");
	cr_expect_str_eq(allocate(pool, &other, "c1", "eth0", NULL), "10.0.1.2/24");
	/* more by value; then the lowest one is it */
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", "10.0.0.9"), "10.0.0.9/24");
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.2/24");
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 3);
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 3);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth1", NULL), 1);
	flannel_address_pool_free(pool);
}

Test(address_pool, names_that_begin_alike_are_others)
{
	const struct sets sets = {.subnets = {"10.0.0.0/24"}};
	struct flannel_address_pool *pool = open_pool();

	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.2/24");
	cr_expect_eq(flannel_address_pool_release(pool, "c", "eth0", NULL), 0);
	cr_expect_eq(flannel_address_pool_release(pool, "c11", "eth0", NULL), 0);
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth", NULL), 0);
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth00", NULL), 0);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	flannel_address_pool_free(pool);
}

Test(address_pool, wanted)
{
	const struct sets sets = {.subnets = {"10.0.0.0/24", "10.0.1.0/24"}, .start = "10.0.0.10", .end = "10.0.0.20"};
	struct flannel_address_pool *pool = open_pool();

	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", "10.0.0.15"), "10.0.0.15/24");
	cr_expect_str_eq(content("last_reserved_ip.0"), "10.0.0.15");
	cr_expect_str_eq(allocate(pool, &sets, "c2", "eth0", "10.0.0.15"), "EADDRINUSE");
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", "10.0.0.15"), "EADDRINUSE");
	cr_expect_str_eq(allocate(pool, &sets, "c2", "eth0", "10.0.0.21"), "EINVAL");
	cr_expect_str_eq(allocate(pool, &sets, "c2", "eth0", "10.0.0.9"), "EINVAL");
	cr_expect_str_eq(allocate(pool, &sets, "c2", "eth0", "192.0.2.1"), "EINVAL");
	/* the gateway of the second set */
	cr_expect_str_eq(allocate(pool, &sets, "c2", "eth0", "10.0.1.1"), "EINVAL");
	/* nothing of the failed calls is left */
	cr_expect_eq(flannel_address_pool_count(pool, "c2", "eth0", NULL), 0);
	/* but the four have moved the position */
	cr_expect_str_eq(allocate(pool, &sets, "c2", "eth0", "10.0.1.77"), "10.0.0.20/24");
	cr_expect_str_eq(content("10.0.1.77"), "c2\r\neth0");
	flannel_address_pool_free(pool);
}

Test(address_pool, failure_takes_back_only_its_own)
{
	const struct sets one = {.subnets = {"10.0.0.0/24"}};
	const struct sets full = {.subnets = {"10.0.1.0/24", "10.0.2.0/30"}};
	struct flannel_address_pool *pool = open_pool();

	cr_expect_str_eq(allocate(pool, &one, "c1", "eth0", NULL), "10.0.0.2/24");
	write_file("10.0.2.2", "other\r\neth0");
	cr_expect_str_eq(allocate(pool, &full, "c1", "eth0", NULL), "ENOSPC");
	cr_expect_str_eq(content("10.0.1.2"), "-");
	cr_expect_str_eq(content("10.0.0.2"), "c1\r\neth0");
	flannel_address_pool_free(pool);
}

Test(address_pool, a_call_that_ended_halfway_is_completed)
{
	const struct sets one = {.subnets = {"10.0.0.0/24"}};
	const struct sets both = {.subnets = {"10.0.0.0/24", "10.0.1.0/24"}};
	const struct sets full = {.subnets = {"10.0.0.0/24", "10.0.2.0/30"}};
	struct flannel_address_pool *pool = open_pool();

	cr_expect_str_eq(allocate(pool, &one, "c1", "eth0", NULL), "10.0.0.2/24");
	cr_expect_str_eq(allocate(pool, &both, "c1", "eth0", NULL), "10.0.0.2/24");
	cr_expect_str_eq(content("10.0.1.2"), "c1\r\neth0");
	/* what it had before stays if the rest fails */
	write_file("10.0.2.2", "other\r\neth0");
	cr_expect_str_eq(allocate(pool, &full, "c1", "eth0", NULL), "ENOSPC");
	cr_expect_str_eq(content("10.0.0.2"), "c1\r\neth0");
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 2);
	flannel_address_pool_free(pool);
}

Test(address_pool, says_what_is_new)
{
	const struct sets both = {.subnets = {"10.0.0.0/24", "10.0.1.0/24"}};
	struct flannel_address_range ranges[3];
	struct flannel_address addresses[2];
	struct flannel_address_request request = {
		.size = sizeof(request), .container_id = "c1", .ifname = "eth0", .ranges = ranges};
	struct flannel_address_pool *pool = open_pool();

	write_file("10.0.0.7", "c1\r\neth0");
	request.n_ranges = make_ranges(&both, ranges);
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, addresses, NULL), 2);
	cr_expect_eq(addresses[0].is_new, 0);
	cr_expect_eq(addresses[1].is_new, 1);
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, addresses, NULL), 2);
	cr_expect_eq(addresses[0].is_new, 0);
	cr_expect_eq(addresses[1].is_new, 0);
	flannel_address_pool_free(pool);
}

Test(address_pool, files_of_very_old_versions)
{
	struct flannel_address_pool *pool = open_pool();

	write_file("10.0.0.7", "c1\n");
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 1);
	cr_expect_eq(flannel_address_pool_count(pool, "c", "eth0", NULL), 0);
	/* what names the interface, too, goes first */
	write_file("10.0.0.8", "c1\r\neth0");
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 1);
	cr_expect_str_eq(content("10.0.0.7"), "c1\n");
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 1);
	cr_expect_str_eq(content("10.0.0.7"), "-");
	flannel_address_pool_free(pool);
}

Test(address_pool, a_very_old_file_is_given_to_one_interface)
{
	const struct sets sets = {.subnets = {"10.0.0.0/24"}};
	struct flannel_address_pool *pool = open_pool();

	write_file("10.0.0.7", "  c1 \t \n                  \n");
	write_file("10.0.0.8", "c2");
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.7/24");
	cr_expect_str_eq(content("10.0.0.7"), "c1\r\neth0");
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth1", NULL), "10.0.0.2/24");
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.7/24");
	/* by value another one */
	cr_expect_str_eq(allocate(pool, &sets, "c2", "eth0", "10.0.0.9"), "10.0.0.9/24");
	cr_expect_str_eq(content("10.0.0.8"), "c2");
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 1);
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 0);
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth1", NULL), 1);
	flannel_address_pool_free(pool);
}

Test(address_pool, what_is_no_address_is_left_alone)
{
	const struct sets sets = {.subnets = {"10.0.0.0/24"}};
	struct flannel_address_pool *pool = open_pool();
	char path[100];

	write_file("notes", "c1\r\neth0");
	write_file("10.0.0.300", "c1\r\neth0");
	(void)snprintf(path, sizeof(path), "%s/10.0.0.2", pool_path);
	cr_assert_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/10.0.0.3", pool_path);
	cr_assert_eq(symlink("nowhere", path), 0);
	(void)snprintf(path, sizeof(path), "%s/10.0.0.4", pool_path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.5/24");
	cr_expect_eq(flannel_address_pool_release(pool, "c1", "eth0", NULL), 1);
	cr_expect_str_eq(content("notes"), "c1\r\neth0");
	flannel_address_pool_free(pool);
}

Test(address_pool, an_empty_file_of_a_killed_writer_is_used_again)
{
	const struct sets sets = {.subnets = {"10.0.0.0/30"}};
	struct flannel_address_pool *pool = open_pool();

	write_file("10.0.0.2", "");
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "10.0.0.2/30");
	cr_expect_str_eq(content("10.0.0.2"), "c1\r\neth0");
	flannel_address_pool_free(pool);
}

Test(address_pool, failing_writes_leave_no_file)
{
	const struct sets sets = {.subnets = {"10.0.0.0/24"}};
	struct flannel_address_pool *pool = open_pool();
	char path[100];

	/* the place where the position would be kept is a directory */
	(void)snprintf(path, sizeof(path), "%s/last_reserved_ip.0", pool_path);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_str_eq(allocate(pool, &sets, "c1", "eth0", NULL), "EISDIR");
	cr_expect_str_eq(content("10.0.0.2"), "-");
	flannel_address_pool_free(pool);
}

Test(address_pool, bad_calls)
{
	struct flannel_address_range ranges[3];
	const struct sets sets = {.subnets = {"10.0.0.0/24"}};
	struct flannel_address_request request = {.size = sizeof(request),
						  .container_id = "c1",
						  .ifname = "eth0",
						  .ranges = ranges,
						  .n_ranges = make_ranges(&sets, ranges)};
	struct flannel_address address;
	struct flannel_address_pool *pool = NULL;
	char file[100];

	cr_expect_eq(flannel_address_pool_open(NULL, &pool, NULL), -EINVAL);
	cr_expect_eq(flannel_address_pool_open("", &pool, NULL), -EINVAL);
	cr_expect_eq(flannel_address_pool_open(pool_path, NULL, NULL), -EINVAL);
	pool = open_pool();
	(void)snprintf(file, sizeof(file), "%s/lock/x", pool_path);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", "eth0", NULL), 0);
	{
		struct flannel_address_pool *none = NULL;

		cr_expect_eq(flannel_address_pool_open(file, &none, NULL), -ENOTDIR);
		cr_expect_null(none);
	}
	cr_expect_eq(flannel_address_pool_allocate(NULL, &request, &address, NULL), -EINVAL);
	cr_expect_eq(flannel_address_pool_allocate(pool, NULL, &address, NULL), -EINVAL);
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, NULL, NULL), -EINVAL);
	request.container_id = " \n";
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, &address, NULL), -EINVAL);
	request.container_id = "c1\r\nc2";
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, &address, NULL), -EINVAL);
	request.container_id = "c1";
	request.ifname = "eth 0";
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, &address, NULL), -EINVAL);
	request.ifname = "";
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, &address, NULL), -EINVAL);
	request.ifname = "eth0";
	request.n_wanted = 1;
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, &address, NULL), -EINVAL);
	request.n_wanted = 0;
	request.n_ranges = 0;
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, &address, NULL), -EINVAL);
	request.n_ranges = 1;
	request.size = 0;
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, &address, NULL), -EINVAL);
	/* ranges that were not checked */
	request.size = sizeof(request);
	memset(&ranges[0].start, 0, sizeof(ranges[0].start));
	cr_expect_eq(flannel_address_pool_allocate(pool, &request, &address, NULL), -EINVAL);
	cr_expect_eq(flannel_address_pool_release(NULL, "c1", "eth0", NULL), -EINVAL);
	cr_expect_eq(flannel_address_pool_release(pool, NULL, "eth0", NULL), -EINVAL);
	cr_expect_eq(flannel_address_pool_count(pool, "c1", NULL, NULL), -EINVAL);
	cr_expect_null(flannel_address_pool_free(pool));
	cr_expect_null(flannel_address_pool_free(NULL));
}

/* a child: allocates n addresses one after the other, giving every third back; _exit status 0 if all went well */
static void churn(unsigned int child, unsigned int n)
{
	const struct sets sets = {.subnets = {"10.0.0.0/16"}};
	struct flannel_address_pool *pool = open_pool();
	char id[40];

	for (unsigned int i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "c%u-%u", child, i);
		if (allocate(pool, &sets, id, "eth0", NULL)[0] != '1')
			_exit(1);
		if (i % 3 == 0 && flannel_address_pool_release(pool, id, "eth0", NULL) != 1)
			_exit(2);
	}
	flannel_address_pool_free(pool);
	_exit(0);
}

/* how many address files there are, and whether each has an owner of its own */
static size_t count_files(void)
{
	DIR *entries = opendir(pool_path);
	struct dirent *entry;
	size_t n = 0;

	cr_assert(entries);
	while ((entry = readdir(entries))) {
		struct flannel_prefix address;

		if (flannel_prefix_parse(entry->d_name, &address) < 0)
			continue;
		cr_expect_neq(strcmp(content(entry->d_name), ""), 0, "%s is empty", entry->d_name);
		n++;
	}
	(void)closedir(entries);
	return n;
}

Test(address_pool, many_processes)
{
	enum { CHILDREN = 16, EACH = 30 };
	pid_t pids[CHILDREN];
	int status;

	for (unsigned int i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		cr_assert_geq(pids[i], 0);
		if (pids[i] == 0)
			churn(i, EACH);
	}
	for (unsigned int i = 0; i < CHILDREN; i++) {
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_expect_eq(status, 0, "child %u: %d", i, status);
	}
	/* an address given out twice would have been refused by the file system, or have lost an owner */
	cr_expect_eq(count_files(), (size_t)CHILDREN * (EACH - EACH / 3));
}
