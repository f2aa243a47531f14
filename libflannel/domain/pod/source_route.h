/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_POD_SOURCE_ROUTE_H
#define FL_DOMAIN_POD_SOURCE_ROUTE_H

/* Rules and routes by source address, worked out from what a namespace has. Pure. */

#include <stdbool.h>
#include <stddef.h>

#include <flannel/source_route.h>

#include "base/error.h"
#include "domain/plan/object.h"

/* a rule that sends what comes from somewhere to a table, and looks at nothing else */
struct fl_rule {
	struct flannel_prefix src;
	uint32_t table;
	uint32_t priority; /* of found ones; 0 of a wanted one leaves it to the kernel */
};

/* what the namespace has */
struct fl_source_route_facts {
	const struct fl_rule *rules; /* with a source */
	size_t n_rules;
	const uint32_t *tables; /* that any rule names */
	size_t n_tables;
	const struct fl_route *routes; /* of all tables but local, of all links */
	size_t n_routes;
};

/* one step, carried out in order */
struct fl_source_route_step {
	bool is_rule;
	bool remove; /* the rule; for routes the operation says it */
	struct fl_rule rule;
	struct fl_operation route;
};

struct fl_source_route_plan {
	struct fl_source_route_step *steps;
	size_t n;
};

/* names, flags and addresses: -EINVAL with the option's name and value. needs_addresses: one at least. */
int fl_source_route_check(const struct flannel_source_route_options *options, bool needs_addresses,
			  struct flannel_error **ret_error);

/* The steps to what the options want, none if it is so already; options were checked. First routes of the addresses' tables, then
 * rules, then the main table: there is no moment without a way. -EEXIST for a rule that leads elsewhere. */
int fl_source_route_want(const struct flannel_source_route_options *options, const struct fl_source_route_facts *facts,
			 struct fl_source_route_plan *ret_plan, struct flannel_error **ret_error);

/* Is what the options want there: 0, -ENOENT, -EEXIST. */
int fl_source_route_compare(const struct flannel_source_route_options *options,
			    const struct fl_source_route_facts *facts, struct flannel_error **ret_error);

/* the steps that remove it; addresses are looked for in rules, link in routes */
int fl_source_route_unwant(const struct flannel_source_route_options *options,
			   const struct fl_source_route_facts *facts, struct fl_source_route_plan *ret_plan,
			   struct flannel_error **ret_error);

void fl_source_route_plan_clear(struct fl_source_route_plan *plan);

/* the rule of an address, NULL if it has none */
const struct fl_rule *fl_source_route_find_rule(const struct fl_source_route_facts *facts,
						const struct flannel_prefix *address);

#endif
