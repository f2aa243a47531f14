/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/nft_answer.h"

#include <sys/epoll.h>

#include "sys/nft/nft.h"

/* the helper has something to say */
static void on_readable(void *userdata, uint32_t events)
{
	struct flannel_context *context = userdata;

	(void)events;
	fl_nft_dispatch(context->nft);
}

int fl_node_await_nft(struct flannel_context *context, struct fl_source **ret_source, struct flannel_error **ret_error)
{
	int r = fl_loop_add_fd(context->loop, fl_nft_get_fd(context->nft), EPOLLIN, on_readable, context, ret_source,
			       ret_error);

	if (r < 0)
		fl_nft_cancel(context->nft);
	return r;
}
