/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <flannel/route.h>

#include "engine/event.h"
#include "engine/reconcile/reconcile.h"

struct flannel_route_set {
	struct fl_owner owner;
	struct flannel_context *context;
	struct fl_reconciler *reconciler;
	bool purge;
	void *userdata;
};

/* what happens to a route of the set becomes an event of the host */
static void on_report(struct fl_owner *owner, enum fl_report report, const struct fl_object *object,
		      struct flannel_error *error)
{
	struct flannel_route_set *set =
		(struct flannel_route_set *)((char *)owner - offsetof(struct flannel_route_set, owner));
	char text[FL_OBJECT_STRLEN];

	if (report == FL_REPORT_REPAIRED)
		fl_event_emit(set->context, set, set->userdata, FLANNEL_EVENT_REPAIRED, NULL, NULL, "%s",
			      fl_object_format(object, text, sizeof(text)));
	else
		fl_event_emit(set->context, set, set->userdata, FLANNEL_EVENT_OBJECT_FAILED, NULL, error, "%s",
			      flannel_error_get_message(error));
}

int flannel_route_set_new(struct flannel_context *context, const struct flannel_route_set_options *options,
			  struct flannel_route_set **ret_set, struct flannel_error **ret_error)
{
	struct flannel_route_set_options copy;
	struct flannel_route_set *set;
	struct fl_reconciler *reconciler;
	int r;

	if (!context || !ret_set)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "make a route set");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), options, "flannel_route_set_options", ret_error);
	if (r >= 0)
		r = fl_reconciler_get(context, &reconciler, ret_error);
	if (r < 0)
		return r;
	set = calloc(1, sizeof(*set));
	if (!set)
		return fl_error_oom(ret_error);
	set->owner.report = on_report;
	set->context = flannel_context_ref(context);
	set->reconciler = reconciler;
	set->purge = copy.purge != 0;
	set->userdata = copy.userdata;
	*ret_set = set;
	return 0;
}

/* one rule that a public route breaks, or NULL */
static const char *find_fault(const struct flannel_route *route)
{
	if (!route->dst.family)
		return "expected a destination";
	if (!flannel_prefix_is_network(&route->dst))
		return "expected host bits zero";
	if (route->via.family && route->via.family != route->dst.family)
		return "the gateway is of another family";
	if (route->link && !fl_ifname_is_valid(route->link))
		return "the link is no interface name";
	if (!route->via.family && !route->link)
		return "expected a gateway, a link, or both";
	if (route->flags & ~(unsigned int)FLANNEL_ROUTE_ONLINK)
		return "unknown flag";
	return NULL;
}

/* a public route as an object */
static struct fl_object make_object(const struct flannel_route_set *set, const struct flannel_route *route)
{
	struct fl_object object = {.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE};
	struct fl_route *to = &object.route;

	*to = fl_route_main(&route->dst, set->context->route_protocol);
	to->via = route->via;
	if (route->metric)
		to->metric = route->metric;
	if (route->link)
		memcpy(to->link, route->link, strlen(route->link) + 1);
	to->onlink = (route->flags & FLANNEL_ROUTE_ONLINK) != 0;
	if (!route->via.family)
		to->scope = FL_ROUTE_SCOPE_LINK;
	/* a gateway is an address: its length says nothing */
	if (to->via.family)
		to->via.plen = to->via.family == AF_INET ? 32 : 128;
	return object;
}

int flannel_route_set_add(struct flannel_route_set *set, const struct flannel_route *route,
			  struct flannel_error **ret_error)
{
	char text[FLANNEL_PREFIX_STRLEN];
	struct flannel_route copy;
	struct fl_object object;
	const char *fault;
	int r;

	if (!set || !route)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "add a route to a set");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), route, "flannel_route", ret_error);
	if (r < 0)
		return r;
	fault = find_fault(&copy);
	if (fault)
		return fl_error_set(ret_error, -EINVAL, "argument", fault, "add route %s",
				    flannel_prefix_format(&copy.dst, text, sizeof(text)));
	object = make_object(set, &copy);
	return fl_reconciler_want(set->reconciler, &object, &set->owner, ret_error);
}

int flannel_route_set_remove(struct flannel_route_set *set, const struct flannel_route *route,
			     struct flannel_error **ret_error)
{
	struct flannel_route copy;
	struct fl_object object;
	int r;

	if (!set || !route)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "remove a route from a set");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), route, "flannel_route", ret_error);
	if (r < 0)
		return r;
	if (!copy.dst.family)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a destination",
				    "remove a route from a set");
	object = make_object(set, &copy);
	return fl_reconciler_unwant(set->reconciler, &object, &set->owner, ret_error);
}

int flannel_route_set_apply(struct flannel_route_set *set, struct flannel_error **ret_error)
{
	if (!set)
		return fl_error_set(ret_error, -EINVAL, "argument", "set is NULL", "apply a route set");
	if (set->purge)
		fl_reconciler_demand_full(set->reconciler, true);
	set->purge = false;
	return fl_reconciler_apply(set->reconciler, ret_error);
}

/* ends a set; keep leaves its routes in the kernel */
static void end(struct flannel_route_set *set, bool keep)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_reconciler_unwant_all(set->reconciler, &set->owner, keep, &error);

	if (r >= 0 && !keep)
		r = fl_reconciler_apply(set->reconciler, &error);
	if (r < 0)
		fl_log(&set->context->log, FLANNEL_LOG_WARNING, "rtnl", "%s", flannel_error_get_message(error));
	fl_event_drop(set->context, set);
	flannel_context_unref(set->context);
	free(set);
}

struct flannel_route_set *flannel_route_set_free(struct flannel_route_set *set)
{
	if (set)
		end(set, false);
	return NULL;
}

struct flannel_route_set *flannel_route_set_abandon(struct flannel_route_set *set)
{
	if (set)
		end(set, true);
	return NULL;
}
