/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NFT_PROCESS_H
#define FL_SYS_NFT_PROCESS_H

/*
 * Starts the nft helper, so that its host notices nothing: no SIGCHLD, no zombie, no descriptor of the host in it, no
 * copy of the host's memory, no signal handler run twice.
 *
 * An exit signal of 0 does not achieve the first, because execve(2) sets it back to SIGCHLD. So a first child, which
 * executes nothing and has no exit signal, starts the helper and ends; the helper becomes an orphan, whom init reaps.
 * Both share the caller's memory until execve(), while the caller waits, as with vfork(2): it costs the same however
 * large the host is.
 *
 * If the host is init of its pid namespace (flanneld in a container), or a subreaper (prctl(2)), then it gets the
 * orphan back, with a SIGCHLD, as it does all others; fl_nft_process_stop() reaps that one.
 */

#include <stdbool.h>

#include "base/error.h"

struct fl_nft_process {
	int socket_fd; /* our end of the socketpair, -1 if no helper runs */
	int pid_fd;
};

/*
 * Starts the program with the socketpair's other end as its standard input, in the namespace (-1: the caller's). It
 * gets an empty environment, a session of its own, and all signals blocked: it unblocks them itself. Needs
 * CAP_SYS_ADMIN for a namespace. Return: 0; -ENOENT, -EACCES and so on of execve(2), naming the path; -EPERM; retryable
 * -EAGAIN, -EMFILE, -ENFILE, -ENOMEM.
 */
int fl_nft_process_start(const char *helper, int netns_fd, struct fl_nft_process *ret_process,
			 struct flannel_error **ret_error);

/* closes the connection, and the helper ends; kill ends it at once. Waits, at most 1 s, only if it is ours to reap. */
void fl_nft_process_stop(struct fl_nft_process *process, bool kill);

#endif
