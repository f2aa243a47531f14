/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <flannel/source_route.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "domain/pod/source_route.h"
#include "engine/context.h"
#include "sys/rtnl/address.h"
#include "sys/rtnl/link.h"
#include "sys/rtnl/route.h"
#include "sys/rtnl/rule.h"

/* what a call works with */
struct work {
	struct flannel_source_route_options options;
	struct flannel_context *context;
	struct fl_rtnl *rtnl;
	struct fl_link_info link;          /* .ifindex is 0 if there is none */
	struct flannel_address *addresses; /* those of the options, and of the link; for removing */
	struct fl_rule *rules;             /* of both families, as the next two */
	uint32_t *tables;
	struct fl_route *routes;
	struct fl_source_route_facts facts; /* points at the three */
	struct fl_source_route_plan plan;
};

/* for FL_CLEANUP */
static void clear_work(struct work *work)
{
	free(work->addresses);
	free(work->rules);
	free(work->tables);
	free(work->routes);
	fl_source_route_plan_clear(&work->plan);
}

/* checks the options, and finds the link */
static int begin(struct work *work, struct flannel_context *context, const struct flannel_source_route_options *options,
		 bool needs_addresses, struct flannel_error **ret_error)
{
	int r;

	if (!context || !options)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "route by source");
	work->context = context;
	r = fl_options_copy(&work->options, sizeof(work->options), sizeof(work->options), options,
			    "flannel_source_route_options", ret_error);
	if (r >= 0)
		r = fl_source_route_check(&work->options, needs_addresses, ret_error);
	if (r >= 0)
		r = fl_context_get_rtnl(context, &work->rtnl, ret_error);
	if (r >= 0)
		r = fl_link_get(work->rtnl, work->options.link, &work->link, ret_error);
	return r < 0 ? r : 0;
}

/* the link must be there */
static int require_link(const struct work *work, struct flannel_error **ret_error)
{
	if (work->link.ifindex)
		return 0;
	return fl_error_set(ret_error, -ENODEV, "rtnl", "there is none", "get link %s", work->options.link);
}

/* A list with more items at its end, which are counted. NULL without memory, and then the list is as it was. */
static void *extend(void *list, size_t *n, const void *items, size_t n_items, size_t size)
{
	char *larger = reallocarray(list, *n + n_items + 1, size);

	if (!larger)
		return NULL;
	if (n_items)
		memcpy(larger + *n * size, items, n_items * size);
	*n += n_items;
	return larger;
}

/* the rules of one family */
static int look_at_rules(struct work *work, int family, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_rule *rules = NULL;
	FL_CLEANUP(fl_freep) uint32_t *tables = NULL;
	struct fl_source_route_facts *facts = &work->facts;
	size_t n_rules = 0, n_tables = 0;
	void *larger;
	int r = fl_rule_list(work->rtnl, family, &rules, &n_rules, &tables, &n_tables, ret_error);

	if (r < 0)
		return r;
	larger = extend(work->rules, &facts->n_rules, rules, n_rules, sizeof(*rules));
	work->rules = larger ? larger : work->rules;
	if (larger)
		larger = extend(work->tables, &facts->n_tables, tables, n_tables, sizeof(*tables));
	work->tables = larger ? larger : work->tables;
	return larger ? 0 : fl_error_oom(ret_error);
}

/* the routes of one family */
static int look_at_routes(struct work *work, int family, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_route *routes = NULL;
	struct fl_source_route_facts *facts = &work->facts;
	size_t n_routes = 0;
	void *larger;
	int r = fl_route_list_tables(work->rtnl, family, &routes, &n_routes, ret_error);

	if (r < 0)
		return r;
	larger = extend(work->routes, &facts->n_routes, routes, n_routes, sizeof(*routes));
	work->routes = larger ? larger : work->routes;
	return larger ? 0 : fl_error_oom(ret_error);
}

/* the rules and routes of one family; a kernel without it has none */
static int look_at_family(struct work *work, int family, struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = look_at_rules(work, family, &error);

	if (r >= 0)
		r = look_at_routes(work, family, &error);
	if (r == -EAFNOSUPPORT)
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

/* everything that counts in the namespace: a table's number is one for both families, so both are looked at */
static int look(struct work *work, struct flannel_error **ret_error)
{
	int r = look_at_family(work, AF_INET, ret_error);

	if (r >= 0)
		r = look_at_family(work, AF_INET6, ret_error);
	work->facts.rules = work->rules;
	work->facts.tables = work->tables;
	work->facts.routes = work->routes;
	return r;
}

/* carries out one step */
static int execute(const struct work *work, const struct fl_source_route_step *step, struct flannel_error **ret_error)
{
	if (!step->is_rule)
		return fl_route_execute(work->rtnl, step->route.verb, &step->route.object.route, ret_error);
	return step->remove ? fl_rule_delete(work->rtnl, &step->rule, ret_error)
			    : fl_rule_add(work->rtnl, &step->rule, ret_error);
}

/* takes one step of flannel_source_route_ensure() back */
static int execute_back(const struct work *work, const struct fl_source_route_step *step,
			struct flannel_error **ret_error)
{
	const struct fl_operation *operation = &step->route;

	if (step->is_rule)
		return fl_rule_delete(work->rtnl, &step->rule, ret_error);
	if (operation->verb == FL_VERB_CREATE)
		return fl_route_execute(work->rtnl, FL_VERB_DELETE, &operation->object.route, ret_error);
	if (operation->verb == FL_VERB_REPLACE)
		return fl_route_execute(work->rtnl, FL_VERB_REPLACE, &operation->before.route, ret_error);
	return fl_route_append(work->rtnl, &operation->before.route, ret_error);
}

/* takes the first n steps back, the last first */
static void undo(const struct work *work, size_t n)
{
	while (n-- > 0) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		if (execute_back(work, &work->plan.steps[n], &error) < 0)
			fl_log(&work->context->log, FLANNEL_LOG_WARNING, "source_route", "undo: %s",
			       flannel_error_get_message(error));
	}
}

int flannel_source_route_ensure(struct flannel_context *context, const struct flannel_source_route_options *options,
				struct flannel_error **ret_error)
{
	FL_CLEANUP(clear_work) struct work work = {0};
	int r = begin(&work, context, options, true, ret_error);

	if (r >= 0)
		r = require_link(&work, ret_error);
	if (r >= 0)
		r = look(&work, ret_error);
	if (r >= 0)
		r = fl_source_route_want(&work.options, &work.facts, &work.plan, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < work.plan.n; i++) {
		r = execute(&work, &work.plan.steps[i], ret_error);
		if (r < 0) {
			/* -ENOBUFS: the kernel's answer was lost, it may have been done */
			undo(&work, r == -ENOBUFS ? i + 1 : i);
			return r;
		}
	}
	return work.plan.n > 0;
}

int flannel_source_route_check(struct flannel_context *context, const struct flannel_source_route_options *options,
			       struct flannel_error **ret_error)
{
	FL_CLEANUP(clear_work) struct work work = {0};
	int r = begin(&work, context, options, true, ret_error);

	if (r >= 0)
		r = require_link(&work, ret_error);
	if (r >= 0)
		r = look(&work, ret_error);
	return r < 0 ? r : fl_source_route_compare(&work.options, &work.facts, ret_error);
}

/* puts the addresses that the link has beside those of the options */
static int add_own_addresses(struct work *work, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_interface_address *found = NULL;
	size_t n = 0, n_options = work->options.n_addresses;
	int r = 0;

	if (work->link.ifindex)
		r = fl_address_list(work->rtnl, work->link.ifindex, AF_UNSPEC, &found, &n, ret_error);
	if (r < 0 && r != -ENODEV)
		return r;
	work->addresses = calloc(n_options + n + 1, sizeof(*work->addresses));
	if (!work->addresses)
		return fl_error_oom(ret_error);
	if (n_options)
		memcpy(work->addresses, work->options.addresses, n_options * sizeof(*work->addresses));
	for (size_t i = 0; i < n; i++)
		work->addresses[n_options + i] =
			(struct flannel_address){.size = sizeof(*work->addresses), .address = found[i].address};
	work->options.addresses = work->addresses;
	work->options.n_addresses = n_options + n;
	return 0;
}

int flannel_source_route_remove(struct flannel_context *context, const struct flannel_source_route_options *options,
				struct flannel_error **ret_error)
{
	FL_CLEANUP(clear_work) struct work work = {0};
	int r = begin(&work, context, options, false, ret_error);

	if (r >= 0)
		r = add_own_addresses(&work, ret_error);
	if (r >= 0)
		r = look(&work, ret_error);
	if (r >= 0)
		r = fl_source_route_unwant(&work.options, &work.facts, &work.plan, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < work.plan.n; i++) {
		r = execute(&work, &work.plan.steps[i], ret_error);
		if (r < 0)
			return r;
	}
	return work.plan.n > 0;
}
