/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/takeover.h"

#include <string.h>

#include "engine/node/former.h"
#include "engine/node/nft_answer.h"

#define AREA "nft"

/* former rules that could not be removed */
#define RETRY_NS (10 * FL_NSEC_PER_SEC)

void fl_node_takeover_postpone(struct fl_node_takeover *takeover)
{
	fl_source_set_deadline(takeover->timer, fl_loop_now() + RETRY_NS);
}

/* They stay for now. Told once for each new reason. */
static void keep(struct fl_node_takeover *takeover, struct flannel_error *error)
{
	const char *message = flannel_error_get_message(error);

	if (!takeover->error || strcmp(flannel_error_get_message(takeover->error), message) != 0)
		fl_log(&takeover->scope->context->log, FLANNEL_LOG_WARNING, AREA,
		       "flannel's former rules are still in force beside the new ones: %s: trying again", message);
	flannel_error_unref(takeover->error);
	takeover->error = flannel_error_ref(error);
	fl_node_takeover_postpone(takeover);
}

/* the helper's answer */
static void on_removed(void *userdata, int code, struct flannel_error *error)
{
	struct fl_node_takeover *takeover = userdata;

	takeover->helper = fl_source_free(takeover->helper);
	if (code < 0)
		keep(takeover, error);
	else
		takeover->error = flannel_error_unref(takeover->error);
	takeover->fn(takeover->userdata, FL_NODE_TAKEOVER_DONE);
}

bool fl_node_takeover_begin(struct fl_node_takeover *takeover)
{
	struct flannel_context *context = takeover->scope->context;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_former former;
	int r = fl_former_begin(&former, context, &error);

	if (!takeover->has_warned)
		fl_node_former_warn(takeover->scope);
	takeover->has_warned = true;
	fl_source_set_deadline(takeover->timer, UINT64_MAX);
	if (r >= 0)
		r = fl_node_former_mark(takeover->scope, takeover->masquerade, &former, &error);
	if (r >= 0 && former.n + former.n_set > 0) {
		r = fl_former_send(&former, on_removed, takeover, &error);
		if (r >= 0)
			r = fl_node_await_nft(context, &takeover->helper, &error);
	} else if (r >= 0) {
		takeover->error = flannel_error_unref(takeover->error);
	}
	if (r >= 0 && former.n > 0)
		fl_log(&context->log, FLANNEL_LOG_INFO, AREA,
		       "taking over from rules of flannel in iptables-nft: %d rules and chains go", former.n);
	if (r < 0)
		keep(takeover, error);
	fl_former_end(&former);
	return takeover->helper != NULL;
}

/* time to look for them again */
static void on_timer(void *userdata, uint32_t events)
{
	struct fl_node_takeover *takeover = userdata;

	(void)events;
	takeover->fn(takeover->userdata, FL_NODE_TAKEOVER_DUE);
}

int fl_node_takeover_init(struct fl_node_takeover *takeover, struct flannel_error **ret_error)
{
	return fl_loop_add_timer(takeover->scope->context->loop, on_timer, takeover, &takeover->timer, ret_error);
}

void fl_node_takeover_clear(struct fl_node_takeover *takeover)
{
	if (takeover->helper) {
		takeover->helper = fl_source_free(takeover->helper);
		fl_nft_cancel(takeover->scope->context->nft);
	}
	takeover->timer = fl_source_free(takeover->timer);
	takeover->error = flannel_error_unref(takeover->error);
}
