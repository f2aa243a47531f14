/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_ROUTE_H
#define FLANNEL_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/prefix.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: route.h - routes that stay true
 *
 * A route set is a list of routes of the main table. After flannel_route_set_apply() they are in the kernel, tagged with
 * the context's route protocol, and are put back within milliseconds when someone deletes or changes them, for as long as
 * the host dispatches the context. Needs CAP_NET_ADMIN over the context's namespace.
 */

struct flannel_route_set;

/** enum flannel_route_flags - @FLANNEL_ROUTE_ONLINK: the gateway is reachable on the link although no address says so */
enum flannel_route_flags { FLANNEL_ROUTE_ONLINK = 1 };

/**
 * struct flannel_route - one route
 * @size:   sizeof(struct flannel_route).
 * @dst:    destination, host bits zero. Together with @metric it is the route's key.
 * @via:    gateway of the same family, as an address; AF_UNSPEC for none.
 * @link:   output interface; NULL lets the kernel find it by the gateway.
 * @metric: priority, lower wins; 0 is the kernel's default (0 for IPv4, 1024 for IPv6).
 * @flags:  enum flannel_route_flags, or-ed.
 */
struct flannel_route {
	size_t size;
	struct flannel_prefix dst;
	struct flannel_prefix via;
	const char *link;
	uint32_t metric;
	unsigned int flags;
};

/**
 * struct flannel_route_set_options - how a set behaves
 * @size:     sizeof(struct flannel_route_set_options).
 * @purge:    non-zero: the first apply deletes routes with our protocol that nothing in this context wants, such as
 *            those that an earlier run left behind.
 * @userdata: comes back with each event of the set.
 */
struct flannel_route_set_options {
	size_t size;
	int purge;
	void *userdata;
};

/**
 * flannel_route_set_new() - make an empty set
 * @context:   context; the set takes a reference.
 * @options:   NULL for defaults. Copied.
 * @ret_set:   set on success; owned by the caller, see flannel_route_set_free().
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative: -EINVAL, -E2BIG, -ENOMEM, -EMFILE and -ENFILE (the first set opens two sockets). Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_route_set_new(struct flannel_context *context,
					 const struct flannel_route_set_options *options,
					 struct flannel_route_set **ret_set, struct flannel_error **ret_error);

/**
 * flannel_route_set_add() - want a route
 * @set:       a set.
 * @route:     copied. A route with the same key in this set is replaced.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Nothing changes in the kernel before flannel_route_set_apply().
 *
 * Return: 1 if the set changed, 0 if it had that very route, or negative: -EINVAL (host bits, families differ, bad
 * link name), -EEXIST (another set or node of this context wants the same key), -E2BIG, -ENOMEM. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_route_set_add(struct flannel_route_set *set, const struct flannel_route *route,
					 struct flannel_error **ret_error);

/**
 * flannel_route_set_remove() - want a route no longer
 * @set:       a set.
 * @route:     only .dst and .metric count.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 1 if the set had it, 0 if not, or negative: -EINVAL, -ENOMEM. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_route_set_remove(struct flannel_route_set *set, const struct flannel_route *route,
					    struct flannel_error **ret_error);

/**
 * flannel_route_set_apply() - make the kernel agree with the set
 * @set:       a set.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Immediate. A route that the kernel refuses does not keep the others back: it is reported by a
 * FLANNEL_EVENT_OBJECT_FAILED and tried again with back-off, as is a route whose key is taken by someone else's
 * route, which is never touched.
 *
 * Return: number of routes that were added, changed or deleted (those of the context's other sets that were due
 * are among them), or negative if none could be tried: -EPERM,
 * -ENOMEM, and what the kernel says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_route_set_apply(struct flannel_route_set *set, struct flannel_error **ret_error);

/**
 * flannel_route_set_free() - delete the set's routes from the kernel, and the set
 * @set: a set or NULL.
 *
 * Routes that cannot be deleted are logged. To leave the routes in the kernel, use flannel_route_set_abandon().
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_route_set *flannel_route_set_free(struct flannel_route_set *set);

/**
 * flannel_route_set_abandon() - free the set and leave its routes in the kernel
 * @set: a set or NULL.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_route_set *flannel_route_set_abandon(struct flannel_route_set *set);

/**
 * flannel_route_exists() - is there a route to a destination
 * @context:   context; its option netns_fd says in which namespace.
 * @dst:       destination, just this network.
 * @via:       gateway of the same family; NULL or AF_UNSPEC takes any, and none. A route with several next hops is taken to
 *             have it.
 * @table:     routing table; 0 means main (254).
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * It may belong to anybody, and need be in no set. The kernel sends the whole table, so this is for namespaces of
 * containers, where it is small. Needs no privilege.
 *
 * Return: 1, 0 if there is none, or negative: -EINVAL (a parameter is NULL or of another family), -ENOMEM, and what the
 * kernel says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_route_exists(struct flannel_context *context, const struct flannel_prefix *dst,
					const struct flannel_prefix *via, uint32_t table,
					struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
