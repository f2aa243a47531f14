/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_COLLECT_H
#define CNI_COLLECT_H

/* GC of plugins that keep something for each attachment, where the library finds what belongs to none any more. */

#include <flannel/flannel.h>

#include "plugin.h"

/* flannel_firewall_collect() and its like */
typedef int cni_collect_function(struct flannel_context *context, const char *network,
				 const struct flannel_attachment_id *attachments, size_t n_attachments,
				 struct flannel_error **ret_error);

/* Runs GC: has collect remove what is not in the list of the configuration; nothing at all without a list. 0 or -1. */
int cni_collect(const struct cni_request *request, cni_collect_function *collect, struct cni_error *error);

#endif
