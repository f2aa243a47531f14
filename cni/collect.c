/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "collect.h"

#include "attachments.h"
#include "cleanup.h"
#include "netns.h"

int cni_collect(const struct cni_request *request, cni_collect_function *collect, struct cni_error *error)
{
	CNI_CLEANUP(cni_attachments_clear) struct cni_attachments attachments = {0};
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	int r = cni_attachments_read(request->config, &attachments, error);

	if (r <= 0)
		return r;
	if (cni_context_new(-1, &context, error) < 0)
		return -1;
	if (collect(context, request->network, attachments.ids, attachments.n, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}
