/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "cleanup.h"

int cni_netns_open(const struct cni_request *request, int *ret_fd, struct cni_error *error)
{
	/* a path may be anything: opening must not wait for the other end of a pipe */
	CNI_CLEANUP(cni_closep) int fd = open(request->netns, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct statfs file_system;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstatfs(fd, &file_system) < 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "CNI_NETNS: open %s: %s", request->netns, strerror(errno));
	/* a bind mount of a namespace that was taken away leaves a regular file behind */
	if (file_system.f_type != NSFS_MAGIC && file_system.f_type != PROC_SUPER_MAGIC)
		return 0;
	*ret_fd = cni_take_fd(&fd);
	return 1;
}

int cni_netns_require(const struct cni_request *request, int *ret_fd, struct cni_error *error)
{
	int r = cni_netns_open(request, ret_fd, error);

	if (r == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "CNI_NETNS is \"%s\", expected a network namespace",
				request->netns);
	return r < 0 ? -1 : 0;
}

int cni_context_new(int netns_fd, struct flannel_context **ret_context, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	const struct flannel_context_options options = {.size = sizeof(options),
							.flags = FLANNEL_CONTEXT_SINGLE_THREADED,
							.netns_fd = netns_fd >= 0 ? netns_fd : 0};

	if (flannel_context_new(ret_context, &options, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	return 0;
}

void cni_context_unrefp(struct flannel_context **context)
{
	(void)flannel_context_unref(*context);
}
