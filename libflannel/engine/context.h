/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_CONTEXT_H
#define FL_ENGINE_CONTEXT_H

/* What a context is made of; everything in engine/ hangs off one. Parts are opened when they are first needed. */

#include <stdbool.h>

#include <flannel/context.h>

#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "sys/nft/nft.h"
#include "sys/rtnl/rtnl.h"

struct fl_reconciler;

struct flannel_context {
	unsigned int n_refs; /* atomic */
	struct fl_loop *loop;
	struct fl_log log;
	bool single_threaded;
	bool detach_early;
	int netns_fd; /* -1: the calling thread's */
	/* where a transaction finds settings: below /proc/sys, or from the creation of a link to its end in a private place */
	int sysctl_root;
	uint8_t route_protocol;
	char *module_dir;
	char *nft_helper;

	struct flannel_event *first_event;
	struct flannel_event **last_event;
	struct fl_source *wake; /* makes the descriptor readable when an event is queued outside of dispatch */
	bool event_lost;        /* no memory for an event; told by the next dispatch */

	struct fl_rtnl *rtnl;
	struct fl_rtnl *netfilter;
	struct fl_nft *nft;
	struct fl_reconciler *reconciler; /* made when it is needed first; the context knows only how it is freed */
	struct fl_reconciler *(*free_reconciler)(struct fl_reconciler *reconciler);
	bool has_node; /* tables and ownership rules are those of one node */
};

/* the request socket of the context's namespace, borrowed */
int fl_context_get_rtnl(struct flannel_context *context, struct fl_rtnl **ret_rtnl, struct flannel_error **ret_error);

/* the same for netfilter, for plain messages about sets and connections */
int fl_context_get_netfilter(struct flannel_context *context, struct fl_rtnl **ret_netfilter,
			     struct flannel_error **ret_error);

/* the client of the nft helper, borrowed */
int fl_context_get_nft(struct flannel_context *context, struct fl_nft **ret_nft, struct flannel_error **ret_error);

FL_DEFINE_CLEANUP(struct flannel_context *, flannel_context_unref)

#endif
