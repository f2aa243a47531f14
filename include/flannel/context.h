/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_CONTEXT_H
#define FLANNEL_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/error.h>
#include <flannel/event.h>
#include <flannel/export.h>
#include <flannel/log.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: context.h - one file descriptor, and everything that hangs off it
 *
 * A context is used by one thread at a time; different contexts may run in different threads. It never
 * changes signals, the environment, the working directory, the umask or the network namespace of the
 * calling thread, and every descriptor it opens is close-on-exec.
 *
 * Threads: a netlink socket inside another namespace can be opened, and its settings written, only from within it. So
 * flannel_attachment_attach(), flannel_attachment_detach(), flannel_veth_ensure() and flannel_veth_get(), and with the
 * option netns_fd every call that touches the kernel, may start a short thread (signals blocked, joined before the call
 * returns). A context with FLANNEL_CONTEXT_SINGLE_THREADED enters and leaves the namespace itself instead. A store in
 * etcd has endpoints that are given by name looked up in threads of libcurl (signals blocked).
 */

struct flannel_context;

/** FLANNEL_DEFAULT_ROUTE_PROTOCOL - tag of the routes that are ours (rtm_protocol), see rtnetlink(7) */
#define FLANNEL_DEFAULT_ROUTE_PROTOCOL 241

/**
 * enum flannel_context_flags - promises of the caller
 * @FLANNEL_CONTEXT_SINGLE_THREADED: the process has no other thread, and may be moved into a container's
 *     network namespace and back within one call. Saves 0.1 to 0.2 ms an attachment. If the way back
 *     fails the process ends with abort(3), since going on in the wrong namespace is worse.
 * @FLANNEL_CONTEXT_DETACH_EARLY:    the process ends soon, and may have a child that is not waited for. Then
 *     flannel_attachment_detach() returns as soon as the interface is gone for everybody, some 15 ms before
 *     the kernel is done with it; the child waits for that and ends. Only with SINGLE_THREADED.
 */
enum flannel_context_flags { FLANNEL_CONTEXT_SINGLE_THREADED = 1, FLANNEL_CONTEXT_DETACH_EARLY = 2 };

/**
 * struct flannel_context_options - how a context behaves; zero means default everywhere
 * @size:           sizeof(struct flannel_context_options).
 * @log:            receives messages; NULL is silence.
 * @log_userdata:   handed to @log.
 * @log_level:      least urgent level handed out; 0 means FLANNEL_LOG_INFO.
 * @flags:          enum flannel_context_flags, or-ed.
 * @netns_fd:       network namespace to work in, an open /proc/PID/ns/net; duplicated. 0 means that of
 *                  the calling thread.
 * @route_protocol: tag of our routes, 5 to 255; 0 means FLANNEL_DEFAULT_ROUTE_PROTOCOL. Two agents in
 *                  one namespace need two.
 * @module_dir:     where store-*.so are; NULL means $FLANNEL_MODULE_DIR (not if setuid), else the
 *                  installed place.
 * @nft_helper:     path of the nft helper; NULL means $FLANNEL_NFT_HELPER (not if setuid), else the
 *                  installed place.
 */
struct flannel_context_options {
	size_t size;
	flannel_log_fn log;
	void *log_userdata;
	enum flannel_log_level log_level;
	unsigned int flags;
	int netns_fd;
	uint8_t route_protocol;
	const char *module_dir;
	const char *nft_helper;
};

/**
 * flannel_context_new() - make a context
 * @ret_context: set on success; owned by the caller, see flannel_context_unref().
 * @options:     NULL for defaults. Copied.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Opens the one descriptor. No netlink socket, file or program is opened before it is needed. Needs no
 * privilege.
 *
 * Return: 0, or negative with nothing changed:
 *   -EINVAL  @ret_context is NULL, .size is 0, .route_protocol is below 5, .netns_fd is no network namespace, unknown
 *            flag, DETACH_EARLY without SINGLE_THREADED
 *   -E2BIG   @options is from a newer header and uses a field this library does not know
 *   -EMFILE, -ENFILE, -ENOMEM
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_context_new(struct flannel_context **ret_context,
				       const struct flannel_context_options *options, struct flannel_error **ret_error);

/**
 * flannel_context_ref() - take one more reference
 * @context: a context or NULL.
 *
 * Return: @context. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_context *flannel_context_ref(struct flannel_context *context);

/**
 * flannel_context_unref() - drop a reference; the last one closes everything
 * @context: a context or NULL.
 *
 * Stores, nodes, route sets and requests hold a reference of their own: free them first. Nothing in the kernel is
 * taken back, except what the objects' own free calls say.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_context *flannel_context_unref(struct flannel_context *context);

/**
 * flannel_context_get_fd() - the descriptor to poll
 * @context: a context.
 *
 * Readable when flannel_context_dispatch() has something to do, or when an event was queued since the last dispatch: after
 * each dispatch, take all events. It is an epoll
 * descriptor, the same for the context's whole life, and belongs to the context: poll it, do not read or close it.
 *
 * Return: a descriptor, or -EINVAL for NULL. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_context_get_fd(const struct flannel_context *context);

/**
 * flannel_context_dispatch() - do what is due
 * @context:   a context.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Never waits for the network and does a bounded amount of work. What happened is told by events.
 *
 * Return: 1 if more is due at once, 0 if the descriptor should be polled first, or negative:
 *   -EINVAL  @context is NULL
 *   -EIO     the event loop itself failed
 *   -ENOMEM
 * A failure of one object is an event of that object, not a failure of this call.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_context_dispatch(struct flannel_context *context, struct flannel_error **ret_error);

/**
 * flannel_context_next_event() - take the oldest event
 * @context:   a context.
 * @ret_event: set to the event, owned by the caller (flannel_event_free()), or to NULL if there is none.
 *
 * Return: 1 with an event, 0 without, -EINVAL if a parameter is NULL. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_context_next_event(struct flannel_context *context, struct flannel_event **ret_event);

FLANNEL_END_DECLS

#endif
