/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Tests that do what no test may, one defect each, for net-catches. Criterion alone would call most of them passed. */

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

/* keeps the compiler from seeing through what is planted */
static volatile int one = 1;
static void *volatile somewhere;

/* nothing wrong: the net must stay quiet */
Test(planted, clean)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	somewhere = malloc(16);
	free(somewhere);
	somewhere = NULL;
	cr_assert_geq(fd, 0);
	cr_assert_eq(close(fd), 0);
}

Test(planted, leak)
{
	somewhere = malloc(16);
	cr_assert_not_null(somewhere);
	somewhere = NULL;
}

Test(planted, overflow)
{
	char *buf;

	somewhere = malloc(16);
	buf = somewhere;
	buf[15 + one] = 1;
	free(buf);
}

Test(planted, use_after_free)
{
	volatile char *buf;

	somewhere = malloc(16);
	buf = somewhere;
	free(somewhere);
	cr_assert(buf[0] || one);
}

Test(planted, undefined)
{
	cr_assert_neq(INT_MAX + one, 0);
}

Test(planted, descriptor)
{
	cr_assert_geq(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
}

Test(planted, skipped)
{
	cr_skip_test("skipped on purpose");
}
