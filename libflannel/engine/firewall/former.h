/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_FORMER_H
#define FL_ENGINE_FORMER_H

/* Takes back firewall rules of other programs that know us as little as we know them, but by names: collected first, removed at once. */

#include "domain/firewall/nft_command.h"
#include "engine/context.h"
#include "sys/nft/nft.h"

struct fl_former {
	struct flannel_context *context;
	struct fl_rtnl *netfilter;    /* borrowed */
	struct json_object *commands; /* NULL without memory */
	int n;                        /* rules and chains that go */
	int n_set;                    /* chains that are set on the way, by commands that the caller added */
};

int fl_former_begin(struct fl_former *former, struct flannel_context *context, struct flannel_error **ret_error);

/* marks the rules of a chain whose comments begin with prefix; nothing without the table or chain */
int fl_former_take_rules(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
			 const char *prefix, struct flannel_error **ret_error);

/* marks the rules of a table that have exactly this comment; nothing without the table */
int fl_former_take_rules_of(struct fl_former *former, const struct fl_nft_table_name *table, const char *comment,
			    struct flannel_error **ret_error);

/* marks a chain with what jumps to it; nothing without it. A chain comes before those whose rules jump to it. */
int fl_former_take_chain(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
			 struct flannel_error **ret_error);

/* Marks the rules of a table that have this comment, and a chain with what is in it; where another rule jumps to it, it stays, empty. */
int fl_former_take_marked(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
			  const char *comment, struct flannel_error **ret_error);

/* has the table a rule that has this comment and jumps to the chain: 1, 0, negative */
int fl_former_has_jump(struct fl_former *former, const struct fl_nft_table_name *table, const char *chain,
		       const char *comment, struct flannel_error **ret_error);

/* removes what was marked, in one transaction of the helper: how many, or negative */
int fl_former_remove(struct fl_former *former, struct flannel_error **ret_error);

/* the same, the answer going to fn of the context's helper: 0 or negative. Something must be marked or set. */
int fl_former_send(struct fl_former *former, fl_nft_fn fn, void *userdata, struct flannel_error **ret_error);

void fl_former_end(struct fl_former *former);

#endif
