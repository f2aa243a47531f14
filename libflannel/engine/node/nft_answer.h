/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_NFT_ANSWER_H
#define FL_ENGINE_NODE_NFT_ANSWER_H

/* Waiting for the nft helper inside of the loop. */

#include "engine/context.h"

/* The helper was asked: its answer goes to the function given with the question. If it cannot be waited for, the question is taken back. */
int fl_node_await_nft(struct flannel_context *context, struct fl_source **ret_source, struct flannel_error **ret_error);

#endif
