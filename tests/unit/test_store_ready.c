/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A store that wants to know whether the node is ready. */

#include <criterion/criterion.h>

#include "engine/store/store.h"
#include "fake_store.h"

/* what a store is told, in a line */
static char told[64];

static int note_ready(void *impl, int is_ready, const char *why, struct flannel_error **ret_error)
{
	(void)ret_error;
	(void)snprintf(told, sizeof(told), "%d %s", is_ready, why);
	fake_ring(impl);
	return 0;
}

Test(store_ready, is_told)
{
	struct bench bench = {.fake = fake_new()};
	struct flannel_store_ops ops = fake_ops;

	ops.set_ready = note_ready;
	cr_assert_eq(flannel_context_new(&bench.context, NULL, NULL), 0);
	cr_assert_eq(flannel_store_new(bench.context, &ops, bench.fake, &bench.store, NULL), 0);
	cr_assert(fl_store_has_ready(bench.store));
	cr_assert_eq(fl_store_set_ready(bench.store, false, "because", NULL), 0);
	cr_expect_str_eq(told, "0 because");
	bench_close(&bench);

	/* most do not */
	bench_open(&bench);
	cr_expect_not(fl_store_has_ready(bench.store));
	bench_close(&bench);
}
