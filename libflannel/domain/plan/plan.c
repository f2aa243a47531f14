/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void fl_plan_clear(struct fl_plan *plan)
{
	free(plan->operations);
	*plan = (struct fl_plan){0};
}

int fl_plan_add(struct fl_plan *plan, enum fl_verb verb, const struct fl_object *object, const struct fl_object *before,
		struct flannel_error **ret_error)
{
	struct fl_operation *operation;

	if (plan->n_operations == plan->n_allocated) {
		size_t n = plan->n_allocated ? plan->n_allocated * 2 : 8;

		operation = reallocarray(plan->operations, n, sizeof(*operation));
		if (!operation)
			return fl_error_oom(ret_error);
		plan->operations = operation;
		plan->n_allocated = n;
	}
	operation = &plan->operations[plan->n_operations++];
	operation->verb = verb;
	fl_object_copy(&operation->object, object);
	if (before)
		fl_object_copy(&operation->before, before);
	else
		memset(&operation->before, 0, sizeof(operation->before));
	return 0;
}

#define RANK_LAST (2 * (FL_OBJECT_ROUTE + 2) - 1)

/* place of an operation: makers by type, a gateway's own route before the routes through it; then deleters in reverse */
static int rank(const struct fl_operation *operation)
{
	const struct fl_object *object = &operation->object;
	int place = (int)object->type + (object->type == FL_OBJECT_ROUTE && object->route.via.family);

	return operation->verb == FL_VERB_DELETE ? RANK_LAST - place : place;
}

/* where each operation goes, so that equal ones keep their order */
static void find_targets(const struct fl_plan *plan, size_t *targets)
{
	size_t first[RANK_LAST + 2] = {0};

	for (size_t i = 0; i < plan->n_operations; i++)
		first[rank(&plan->operations[i]) + 1]++;
	for (int r = 1; r <= RANK_LAST; r++)
		first[r] += first[r - 1];
	for (size_t i = 0; i < plan->n_operations; i++)
		targets[i] = first[rank(&plan->operations[i])]++;
}

/* in place: operations are large, and a full compare of thousands of peers has as many as that thrice over */
int fl_plan_sort(struct fl_plan *plan, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) size_t *targets = NULL;
	size_t n = plan->n_operations, i = 1;

	while (i < n && rank(&plan->operations[i - 1]) <= rank(&plan->operations[i]))
		i++;
	if (i >= n)
		return 0;
	targets = calloc(n, sizeof(*targets));
	if (!targets)
		return fl_error_oom(ret_error);
	find_targets(plan, targets);
	for (i = 0; i < n; i++) {
		/* each exchange brings one of them to its place */
		while (targets[i] != i) {
			size_t to = targets[i];
			struct fl_operation other = plan->operations[to];

			plan->operations[to] = plan->operations[i];
			plan->operations[i] = other;
			targets[i] = targets[to];
			targets[to] = to;
		}
	}
	return 0;
}

/* is a destination inside one of the cluster's networks */
static bool in_network(const struct flannel_prefix *dst, const struct fl_ownership_rules *rules)
{
	return flannel_prefix_contains(&rules->network, dst) || flannel_prefix_contains(&rules->network6, dst);
}

bool fl_ownership_is_device(const struct fl_ownership_rules *rules, const char *link)
{
	for (size_t i = 0; i < FL_DEVICES_MAX; i++) {
		if (rules->devices[i][0] && strcmp(rules->devices[i], link) == 0)
			return true;
	}
	return false;
}

const char *fl_our_alias(const char *instance, char buf[FL_ALIAS_SIZE])
{
	snprintf(buf, FL_ALIAS_SIZE, "%s%s%s", FL_OUR_ALIAS, instance && *instance ? "/" : "",
		 instance ? instance : "");
	return buf;
}

bool fl_instance_is_valid(const char *instance)
{
	size_t len = strspn(instance, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return len <= FL_INSTANCE_MAX && instance[len] == '\0';
}

/* a link under the name of a device of the backend: of another kind, or with somebody's alias, it is in the way */
static enum fl_ownership ownership_of_link(const struct fl_link *link, const struct fl_ownership_rules *rules)
{
	char alias[FL_ALIAS_SIZE];

	if (!fl_ownership_is_device(rules, link->name) || strcmp(link->kind, "vxlan") != 0)
		return FL_FOREIGN;
	if (strcmp(link->alias, fl_our_alias(rules->instance, alias)) == 0)
		return FL_OURS;
	return link->alias[0] ? FL_FOREIGN : FL_ADOPTABLE;
}

/* flannel's Go daemon tags nothing: its routes have protocol boot, a next hop, and lead into the network */
static enum fl_ownership ownership_of_route(const struct fl_route *route, const struct fl_ownership_rules *rules)
{
	if (route->protocol == rules->route_protocol)
		return FL_OURS;
	if (route->protocol != FL_ROUTE_PROTOCOL_BOOT || route->type != FL_ROUTE_TYPE_UNICAST || !route->via.family ||
	    !in_network(&route->dst, rules))
		return FL_FOREIGN;
	return fl_ownership_is_device(rules, route->link) ? FL_OURS : FL_ADOPTABLE;
}

enum fl_ownership fl_ownership_of(const struct fl_object *found, const struct fl_ownership_rules *rules)
{
	switch (found->type) {
	case FL_OBJECT_LINK:
		return ownership_of_link(&found->link, rules);
	case FL_OBJECT_ROUTE:
		return ownership_of_route(&found->route, rules);
	case FL_OBJECT_ADDRESS:
		return fl_ownership_is_device(rules, found->address.link) && in_network(&found->address.address, rules)
			       ? FL_OURS
			       : FL_FOREIGN;
	case FL_OBJECT_NEIGHBOUR:
	case FL_OBJECT_FDB:
		return fl_ownership_is_device(rules, fl_object_get_link(found)) ? FL_OURS : FL_FOREIGN;
	case FL_OBJECT_SYSCTL:
		break;
	}
	return FL_FOREIGN;
}

/* the place is somebody else's: whose */
static int set_conflict(const struct fl_object *wanted, const struct fl_object *found, struct flannel_error **ret_error)
{
	char text[FL_OBJECT_STRLEN], other[FL_OBJECT_STRLEN], detail[FL_OBJECT_STRLEN];

	fl_object_format(wanted, text, sizeof(text));
	if (found->type != FL_OBJECT_LINK || strncmp(found->link.alias, FL_OUR_ALIAS, strlen(FL_OUR_ALIAS)) != 0)
		return fl_error_set_retryable(ret_error, -EEXIST, "rtnl", fl_object_format(found, other, sizeof(other)),
					      "set %s: the place is taken by another program's object", text);
	snprintf(detail, sizeof(detail), "its alias is %s; each instance needs a VNI of its own", found->link.alias);
	return fl_error_set_retryable(ret_error, -EEXIST, "rtnl", detail,
				      "set %s: it belongs to another instance of flanneld on this node", text);
}

int fl_plan_compare(struct fl_plan *plan, const struct fl_object *wanted, const struct fl_object *found,
		    const struct fl_ownership_rules *rules, struct flannel_error **ret_error)
{
	int r;

	if (!wanted && !found)
		return 0;
	if (!found)
		r = fl_plan_add(plan, FL_VERB_CREATE, wanted, NULL, ret_error);
	else if (!wanted)
		r = fl_ownership_of(found, rules) == FL_OURS
			    ? fl_plan_add(plan, FL_VERB_DELETE, found, found, ret_error)
			    : -ENOENT;
	else if (fl_object_satisfies(found, wanted))
		return 0;
	else if (fl_ownership_of(found, rules) == FL_FOREIGN)
		return set_conflict(wanted, found, ret_error);
	else
		r = fl_plan_add(plan, FL_VERB_REPLACE, wanted, found, ret_error);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : 1;
}
