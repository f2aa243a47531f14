/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_NETNS_H
#define CNI_NETNS_H

/* The container's network namespace. */

#include "plugin.h"

/* Opens CNI_NETNS. 1 with a descriptor, 0 if there is no namespace at that path (any more), -1 if it cannot be opened. */
int cni_netns_open(const struct cni_request *request, int *ret_fd, struct cni_error *error);

#endif
