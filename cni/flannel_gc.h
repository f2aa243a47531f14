/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_FLANNEL_GC_H
#define CNI_FLANNEL_GC_H

/* What the plugin flannel remembers of attachments that nobody uses any more. */

#include "attachments.h"
#include "plugin.h"

/*
 * Forgets what directory holds of the request's network for attachments that are not valid. A runtime runs DEL for all that
 * it knows of before it calls GC, so these are those it has lost. Their delegate's DEL comes first, with the configuration that
 * was saved: no other has its settings, and the delegate of today may be another one. It goes without a namespace, which nobody
 * knows. One that fails keeps its file; the others go on, and *error is the first failure.
 */
int cni_flannel_gc(const struct cni_request *request, const char *directory, const struct cni_attachments *valid,
		   struct cni_error *error);

#endif
