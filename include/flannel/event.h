/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_EVENT_H
#define FLANNEL_EVENT_H

#include <flannel/error.h>
#include <flannel/export.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: event.h - what happened, pulled by the host
 *
 * Events are taken with flannel_context_next_event(), in the order in which they happened. No event
 * needs an answer.
 */

struct flannel_event;
struct flannel_lease;

/**
 * enum flannel_event_type - kinds of event
 * @FLANNEL_EVENT_LEASE_ACQUIRED: the own subnet is ours; lease attached. Ends an acquire request's wait.
 * @FLANNEL_EVENT_LEASE_RENEWED:  same subnet, new expiry, perhaps other public addresses; lease attached.
 * @FLANNEL_EVENT_LEASE_LOST:     someone removed or took the own lease; the old lease attached. It is asked
 *                                for again at once. Also when the store does not confirm the lease of an earlier run.
 * @FLANNEL_EVENT_LEASE_FAILED:   the subnet could not be had; error attached. A retryable error is tried
 *                                again by itself; any other ends the request.
 * @FLANNEL_EVENT_PEER_ADDED:     another node's lease is new; lease attached.
 * @FLANNEL_EVENT_PEER_CHANGED:   another node's lease has other attributes; the new lease attached.
 * @FLANNEL_EVENT_PEER_REMOVED:   another node's lease is gone; the old lease attached.
 * @FLANNEL_EVENT_STORE_LOST:     the store stopped answering, or does so for another reason now; error attached. What is known stays in force.
 * @FLANNEL_EVENT_STORE_BACK:     the store answers again.
 * @FLANNEL_EVENT_REPAIRED:       someone changed what we keep true and it was put back; the text says what.
 * @FLANNEL_EVENT_OBJECT_FAILED:  one kernel object could not be set; error attached. Tried again with back-off.
 * @FLANNEL_EVENT_NODE_READY:     the node agent wrote the subnet file: pods may come; own lease attached.
 * @FLANNEL_EVENT_NODE_FAILED:    the node agent cannot go on; error attached.
 * @FLANNEL_EVENT_UNDERLAY_CHANGED: the interface between nodes has another address, MTU or index, and the node follows; the text
 *                                says what.
 * @FLANNEL_EVENT_UNDERLAY_LOST:  it carries no traffic; error attached. What was set stays. Once for each new reason.
 * @FLANNEL_EVENT_UNDERLAY_BACK:  it is fit for use again.
 * @FLANNEL_EVENT_NODE_RESTORED:  the store does not answer at the start: the node goes by what it knew in an earlier run, until
 *                                LEASE_ACQUIRED; that run's own lease attached, and the error of the store, if it said one.
 * @FLANNEL_EVENT_CONFIG_CHANGED: the network configuration in the store is another one than that in use, which stays in force until
 *                                the next start; error attached, which names the keys. Without an error: it is the one in use again.
 */
enum flannel_event_type {
	FLANNEL_EVENT_LEASE_ACQUIRED = 1,
	FLANNEL_EVENT_LEASE_RENEWED = 2,
	FLANNEL_EVENT_LEASE_LOST = 3,
	FLANNEL_EVENT_LEASE_FAILED = 4,
	FLANNEL_EVENT_PEER_ADDED = 5,
	FLANNEL_EVENT_PEER_CHANGED = 6,
	FLANNEL_EVENT_PEER_REMOVED = 7,
	FLANNEL_EVENT_STORE_LOST = 8,
	FLANNEL_EVENT_STORE_BACK = 9,
	FLANNEL_EVENT_REPAIRED = 10,
	FLANNEL_EVENT_OBJECT_FAILED = 11,
	FLANNEL_EVENT_NODE_READY = 12,
	FLANNEL_EVENT_NODE_FAILED = 13,
	FLANNEL_EVENT_UNDERLAY_CHANGED = 14,
	FLANNEL_EVENT_UNDERLAY_LOST = 15,
	FLANNEL_EVENT_UNDERLAY_BACK = 16,
	FLANNEL_EVENT_NODE_RESTORED = 17,
	FLANNEL_EVENT_CONFIG_CHANGED = 18
};

/**
 * flannel_event_free() - done with an event
 * @event: an event or NULL.
 *
 * What its getters returned dies with it, unless a reference was taken.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_event *flannel_event_free(struct flannel_event *event);

/**
 * flannel_event_get_type() - which kind
 * @event: an event.
 *
 * Return: enum flannel_event_type, or -EINVAL for NULL. A newer library may add values. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_event_get_type(const struct flannel_event *event);

/**
 * flannel_event_get_type_name() - the kind as a word for logs
 * @event: an event; NULL gives "".
 *
 * Return: static text such as "peer-added". Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_event_get_type_name(const struct flannel_event *event);

/**
 * flannel_event_get_userdata() - whose event it is
 * @event: an event; NULL gives NULL.
 *
 * Return: the .userdata of the options with which the lease request, route set or node was made. Since: 0.1.
 */
FLANNEL_PUBLIC void *flannel_event_get_userdata(const struct flannel_event *event);

/**
 * flannel_event_get_lease() - the lease the event is about
 * @event: an event; NULL gives NULL.
 *
 * Return: the lease, owned by @event (flannel_lease_ref() to keep it), or NULL if the kind has none. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_lease *flannel_event_get_lease(const struct flannel_event *event);

/**
 * flannel_event_get_error() - what failed
 * @event: an event; NULL gives NULL.
 *
 * Return: the error, owned by @event (flannel_error_ref() to keep it), or NULL if the kind has none. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_error *flannel_event_get_error(const struct flannel_event *event);

/**
 * flannel_event_get_text() - the event as a sentence for logs
 * @event: an event; NULL gives "".
 *
 * Return: text owned by @event, without a final newline. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_event_get_text(const struct flannel_event *event);

FLANNEL_END_DECLS

#endif
