/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NFT_NFT_H
#define FL_SYS_NFT_NFT_H

/*
 * Client of the nft helper, the one program that links libnftables, which may end its process, is not for threads and
 * is bound to one namespace. Requests and answers are JSON datagrams on a SOCK_SEQPACKET socketpair. The helper is
 * started at the first request, in the given namespace; it is kept, and started anew after it died.
 *
 * The helper is not a child of this process (see process.h), so there is no SIGCHLD and nothing to wait for: it
 * ends by itself when the connection is closed, also when this process dies.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "domain/firewall/masquerade.h"

struct fl_nft;

/* helper: path of the program. netns_fd: duplicated; -1 is the caller's namespace. Starts nothing yet. */
int fl_nft_new(const char *helper, int netns_fd, const struct fl_log *log, struct fl_nft **ret_nft,
	       struct flannel_error **ret_error);

/*
 * Closes the connection and does not wait: the helper then ends by itself. A running request is given up as by
 * fl_nft_cancel(). Closing takes the kernel some 20 ms after a deletion; the helper spends them, not the caller (except
 * one that has to reap orphans, see process.h).
 */
struct fl_nft *fl_nft_free(struct fl_nft *nft);

/* starts the helper ahead of time, so that it loads while the caller does other things: 0, or as fl_nft_replace() */
int fl_nft_start(struct fl_nft *nft, struct flannel_error **ret_error);

/* the same for callers that can wait for the request to show a failure */
void fl_nft_prepare(struct fl_nft *nft);

/*
 * answer of one request: code 0, or negative with error; borrowed for the call. It may start the next request or free
 * the fl_nft.
 */
typedef void (*fl_nft_fn)(void *userdata, int code, struct flannel_error *error);

/* descriptor to watch for EPOLLIN while a request runs; -1 if no helper runs. A new helper has a new one. */
int fl_nft_get_fd(const struct fl_nft *nft);

/*
 * Replaces tables as a whole, all in one transaction: tables with chains are set, tables without are deleted if they
 * exist. One request at a time (-EBUSY). fn is called from fl_nft_dispatch(). A helper that died while nothing was
 * asked of it is replaced silently. Return: 0, -ENOENT or -EACCES (no helper), -EPIPE (retryable), -EMSGSIZE,
 * -ENOMEM.
 */
int fl_nft_replace(struct fl_nft *nft, const struct fl_nft_table *tables, size_t n_tables, fl_nft_fn fn, void *userdata,
		   struct flannel_error **ret_error);

/*
 * Takes the answer if there is one; calls fn for a helper that died, too (-EPIPE, retryable): then the tables are as
 * before or as asked for, not between.
 */
void fl_nft_dispatch(struct fl_nft *nft);

/* the same for commands, see fl_nft_run_sync(); takes over the array */
int fl_nft_run(struct fl_nft *nft, struct json_object *commands, fl_nft_fn fn, void *userdata,
	       struct flannel_error **ret_error);

/* gives up the running request (the helper is ended); fn is not called */
void fl_nft_cancel(struct fl_nft *nft);

/* the same as fl_nft_replace(), waiting at most timeout_ms: -ETIMEDOUT, retryable, leaves what -EPIPE leaves */
int fl_nft_replace_sync(struct fl_nft *nft, const struct fl_nft_table *tables, size_t n_tables, unsigned int timeout_ms,
			struct flannel_error **ret_error);

/*
 * Carries out commands of libnftables-json(5) in one transaction, and waits; see nft_command.h for how they are made. The
 * array is taken over; NULL, for one that there was no memory for, is -ENOMEM. Results are those of fl_nft_replace_sync(); what
 * "create" finds made already is -EEXIST.
 */
int fl_nft_run_sync(struct fl_nft *nft, struct json_object *commands, unsigned int timeout_ms,
		    struct flannel_error **ret_error);

/*
 * Does a table exist: 1, 0, negative; one nfnetlink request without the helper. Needs CAP_NET_ADMIN. Its socket is
 * closed before return, for which the kernel waits (some 20 ms) while somebody's deletion is pending.
 */
int fl_nft_table_exists(int netns_fd, bool single_threaded, int family, const char *name,
			struct flannel_error **ret_error);

FL_DEFINE_CLEANUP(struct fl_nft *, fl_nft_free)

#endif
