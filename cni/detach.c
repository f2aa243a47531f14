/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "detach.h"

#include <flannel/flannel.h>

#include "cleanup.h"
#include "decode.h"
#include "netns.h"

int cni_detach(const struct cni_request *request, struct cni_error *error)
{
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	CNI_CLEANUP(cni_closep) int netns_fd = -1;
	struct flannel_context_options options = {.size = sizeof(options), .flags = FLANNEL_CONTEXT_SINGLE_THREADED};
	bool wait = false;
	int r;

	if (cni_get_bool(request->config, "", "waitForRemoval", &wait, error) < 0)
		return -1;
	r = request->netns[0] != '\0' ? cni_netns_open(request, &netns_fd, error) : 0;
	if (r <= 0)
		return r;
	if (!wait)
		options.flags |= FLANNEL_CONTEXT_DETACH_EARLY;
	if (flannel_context_new(&context, &options, &cause) < 0 ||
	    flannel_attachment_detach(context, netns_fd, request->ifname, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}
