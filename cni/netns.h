/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_NETNS_H
#define CNI_NETNS_H

/* Network namespaces: the container's, and contexts of the library that work there or here. */

#include <flannel/context.h>

#include "plugin.h"

/* Opens CNI_NETNS. 1 with a descriptor, 0 if there is no namespace at that path (any more), -1 if it cannot be opened. */
int cni_netns_open(const struct cni_request *request, int *ret_fd, struct cni_error *error);

/* The same where one must be: 0, -1. */
int cni_netns_require(const struct cni_request *request, int *ret_fd, struct cni_error *error);

/* A context of the library that works in a namespace (-1: in this process's own), for a process that has one thread. */
int cni_context_new(int netns_fd, struct flannel_context **ret_context, struct cni_error *error);

/* flannel_context_unref() for CNI_CLEANUP */
void cni_context_unrefp(struct flannel_context **context);

#endif
