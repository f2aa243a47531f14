/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_BANDWIDTH_H
#define FLANNEL_BANDWIDTH_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/link.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: bandwidth.h - how much may pass through a link
 *
 * What a link sends is limited by a token bucket (tc-tbf(8)) at its root. What it receives is first redirected to an ifb
 * device made for that, which limits it in the same way: a link cannot queue what comes in. On the node's end of a container's
 * veth pair, sent is what goes to the container, and received what comes from it. Needs CAP_NET_ADMIN over the context's
 * namespace. Calls are immediate.
 */

/**
 * struct flannel_bandwidth_limit - a token bucket; all zero for no limit
 * @bytes_per_sec: rate at which tokens, one a byte, come in.
 * @burst_bytes:   how many there may be: what may pass at once. A packet larger than this never passes. What cannot pass is
 *                 kept as long as that takes at most 25 ms, the burst aside; the rest is dropped.
 */
struct flannel_bandwidth_limit {
	uint64_t bytes_per_sec;
	uint32_t burst_bytes;
};

/** FLANNEL_BANDWIDTH_TAG_SIZE - bytes of the longest tag with its terminating zero */
#define FLANNEL_BANDWIDTH_TAG_SIZE 64

/**
 * struct flannel_bandwidth_options - the limits that a link should have
 * @size:           sizeof(struct flannel_bandwidth_options).
 * @link:           interface name.
 * @sent:           limit of what it sends.
 * @received:       limit of what it receives.
 * @receive_device: name of the ifb device for that, 1 to 15 bytes; needed if @received is a limit. No two links can share
 *                  one.
 * @tag:            written into the device's alias, by which flannel_bandwidth_reclaim() finds it; NULL for none.
 */
struct flannel_bandwidth_options {
	size_t size;
	const char *link;
	struct flannel_bandwidth_limit sent;
	struct flannel_bandwidth_limit received;
	const char *receive_device;
	const char *tag;
};

/**
 * flannel_bandwidth_ensure() - make sure that a link has these limits
 * @context:    context.
 * @options:    what should be; read before return. A direction without a limit is left alone.
 * @ret_device: NULL, or where to write what the ifb device is now; .size set by the caller. Untouched without .received.
 * @ret_error:  NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * A new device has the MTU of the link. Limits that are there already get the new numbers without an interruption. A failed
 * call takes back what it did itself.
 *
 * Return: 1 if something was changed, 0 if it was so already, or negative:
 *   -EINVAL  bad name or tag, no limit at all, a rate without a burst or the reverse, a burst that the rate needs more
 *            than 274 s to fill
 *   -ENODEV  no such link
 *   -EEXIST  the name of the device belongs to another kind of link; something else queues at the link or redirects what it
 *            receives
 *   -EOPNOTSUPP  the kernel has no ifb devices
 *   -EPERM   CAP_NET_ADMIN is missing
 *   -E2BIG, -ENOMEM, and what else the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_bandwidth_ensure(struct flannel_context *context,
					    const struct flannel_bandwidth_options *options,
					    struct flannel_link *ret_device, struct flannel_error **ret_error);

/**
 * flannel_bandwidth_check() - does a link have these limits
 * @context:   context.
 * @options:   what should be, as for flannel_bandwidth_ensure(); the tag does not count.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller: it says what differs.
 *
 * Return: 0 if all is as it should be, or negative:
 *   -ENOENT  there is no limit, no device, or what is received is not redirected to it
 *   -EEXIST  something else is there: another limit, another kind of link, another redirection
 *   -EINVAL, -ENODEV, -E2BIG, -ENOMEM as for flannel_bandwidth_ensure(), and what else the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_bandwidth_check(struct flannel_context *context,
					   const struct flannel_bandwidth_options *options,
					   struct flannel_error **ret_error);

/**
 * flannel_bandwidth_remove() - remove limits
 * @context:        context.
 * @link:           interface whose limits go; NULL leaves those of the link itself, which end with it.
 * @receive_device: the ifb device; NULL for none.
 * @ret_error:      NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Of the link goes a token bucket at its root, and the redirection of what it receives if that leads to @receive_device or to
 * a device that is gone. What is not there is no failure; what somebody else has put there stays.
 *
 * Return: 1 if something was removed, 0 if there was nothing, or negative:
 *   -EINVAL  bad name, or both are NULL
 *   -EEXIST  @receive_device is no ifb device, or other filters stand beside the redirection
 *   -EPERM   CAP_NET_ADMIN is missing
 *   -ENOMEM, and what else the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_bandwidth_remove(struct flannel_context *context, const char *link,
					    const char *receive_device, struct flannel_error **ret_error);

/**
 * flannel_bandwidth_reclaim() - delete the ifb devices that nobody uses any more
 * @context:   context.
 * @tag:       the devices' tag.
 * @keep:      names of those that are in use.
 * @n_keep:    how many; 0 deletes all with this tag.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Devices that cannot be deleted do not keep the others; the error is that of the first.
 *
 * Return: how many were deleted, or negative: -EINVAL, -EPERM, -ENOMEM, and what else the kernel says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_bandwidth_reclaim(struct flannel_context *context, const char *tag, const char *const *keep,
					     size_t n_keep, struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
