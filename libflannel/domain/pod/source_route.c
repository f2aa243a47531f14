/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/pod/source_route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* a plan in the making */
struct planner {
	const struct flannel_source_route_options *options;
	const struct fl_source_route_facts *facts;
	struct fl_source_route_plan plan;
	size_t n_allocated;
	uint32_t next_table; /* tables below are in use, or chosen in this plan */
};

/* bits of an address of a family */
static uint8_t get_bits(unsigned int family)
{
	return family == AF_INET ? 32 : 128;
}

/* an address without the length of its network */
static struct flannel_prefix get_host(struct flannel_prefix address)
{
	address.plen = get_bits(address.family);
	return address;
}

int fl_source_route_check(const struct flannel_source_route_options *options, bool needs_addresses,
			  struct flannel_error **ret_error)
{
	if (!fl_ifname_is_valid(options->link))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an interface name of 1 to 15 bytes",
				    "link is \"%s\"", options->link ? options->link : "");
	if (options->flags & ~(unsigned int)FLANNEL_SOURCE_ROUTE_KEEP_LINK)
		return fl_error_set(ret_error, -EINVAL, "argument", "unknown bits", "source route flags 0x%x",
				    options->flags);
	if (options->n_addresses ? !options->addresses : needs_addresses)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected one at least", "addresses");
	for (size_t i = 0; i < options->n_addresses; i++) {
		const struct flannel_address *address = &options->addresses[i];
		unsigned int family = address->address.family;

		if (address->size != sizeof(*address))
			return fl_error_set(ret_error, -EINVAL, "argument", "its size is wrong", "address %zu", i);
		if ((family != AF_INET && family != AF_INET6) || address->address.plen > get_bits(family))
			return fl_error_set(ret_error, -EINVAL, "argument", "it is missing", "address %zu", i);
		if (address->gateway.family && address->gateway.family != family)
			return fl_error_set(ret_error, -EINVAL, "argument", "it is of the other family",
					    "gateway of address %zu", i);
	}
	return 0;
}

const struct fl_rule *fl_source_route_find_rule(const struct fl_source_route_facts *facts,
						const struct flannel_prefix *address)
{
	struct flannel_prefix host = get_host(*address);

	for (size_t i = 0; i < facts->n_rules; i++) {
		if (flannel_prefix_compare(&facts->rules[i].src, &host) == 0)
			return &facts->rules[i];
	}
	return NULL;
}

/* a rule that leads to another table than the one that is given */
static int refuse_rule(const struct fl_rule *rule, uint32_t table, struct flannel_error **ret_error)
{
	char text[FLANNEL_PREFIX_STRLEN];

	return fl_error_set(ret_error, -EEXIST, "source_route", "there is a rule to another table",
			    "rule from %s to table %u (table %u)",
			    flannel_prefix_format(&rule->src, text, sizeof(text)), table, rule->table);
}

/* the next step, to be filled in; NULL without memory */
static struct fl_source_route_step *add_step(struct planner *planner)
{
	struct fl_source_route_plan *plan = &planner->plan;

	if (plan->n == planner->n_allocated) {
		size_t n = planner->n_allocated ? 2 * planner->n_allocated : 8;
		struct fl_source_route_step *steps = reallocarray(plan->steps, n, sizeof(*steps));

		if (!steps)
			return NULL;
		plan->steps = steps;
		planner->n_allocated = n;
	}
	memset(&plan->steps[plan->n], 0, sizeof(plan->steps[plan->n]));
	return &plan->steps[plan->n++];
}

/* a step with a route; before is what it takes away */
static int add_route_step(struct planner *planner, enum fl_verb verb, const struct fl_route *route,
			  const struct fl_route *before)
{
	struct fl_source_route_step *step = add_step(planner);

	if (!step)
		return -ENOMEM;
	step->route.verb = verb;
	step->route.object.type = FL_OBJECT_ROUTE;
	step->route.before.type = FL_OBJECT_ROUTE;
	step->route.object.route = *route;
	if (before)
		step->route.before.route = *before;
	return 0;
}

/* a step with a rule */
static int add_rule_step(struct planner *planner, const struct fl_rule *rule, bool remove)
{
	struct fl_source_route_step *step = add_step(planner);

	if (!step)
		return -ENOMEM;
	step->is_rule = true;
	step->remove = remove;
	step->rule = *rule;
	return 0;
}

/* do two routes have one place in the kernel */
static bool same_key(const struct fl_route *a, const struct fl_route *b)
{
	return a->table == b->table && a->metric == b->metric && flannel_prefix_compare(&a->dst, &b->dst) == 0;
}

/* is one as the other */
static bool satisfies(const struct fl_route *found, const struct fl_route *wanted)
{
	const struct fl_object a = {.type = FL_OBJECT_ROUTE, .route = *found};
	const struct fl_object b = {.type = FL_OBJECT_ROUTE, .route = *wanted};

	return fl_object_satisfies(&a, &b) && flannel_prefix_compare(&found->source, &wanted->source) == 0;
}

/* does the plan have a route for that place already */
static bool is_planned(const struct planner *planner, const struct fl_route *route)
{
	for (size_t i = 0; i < planner->plan.n; i++) {
		const struct fl_source_route_step *step = &planner->plan.steps[i];

		if (!step->is_rule && same_key(&step->route.object.route, route))
			return true;
	}
	return false;
}

/* one route as it should be, whatever is in its place */
static int want_route(struct planner *planner, const struct fl_route *route)
{
	const struct fl_source_route_facts *facts = planner->facts;

	if (is_planned(planner, route))
		return 0;
	for (size_t i = 0; i < facts->n_routes; i++) {
		if (!same_key(&facts->routes[i], route))
			continue;
		if (satisfies(&facts->routes[i], route))
			return 0;
		return add_route_step(planner, FL_VERB_REPLACE, route, &facts->routes[i]);
	}
	return add_route_step(planner, FL_VERB_CREATE, route, NULL);
}

/* fe80::/10: without it the link itself would not work */
static bool is_link_local(const struct flannel_prefix *prefix)
{
	return prefix->family == AF_INET6 && prefix->addr[0] == 0xfe && (prefix->addr[1] & 0xc0) == 0x80;
}

/* does a route of the main table belong to an address of the link */
static bool belongs(const struct planner *planner, const struct fl_route *route, const struct flannel_prefix *address)
{
	struct flannel_prefix network = flannel_prefix_mask(*address);

	if (route->table != FL_ROUTE_TABLE_MAIN || route->multipath || route->dst.family != address->family ||
	    is_link_local(&route->dst) || strcmp(route->link, planner->options->link) != 0)
		return false;
	if (!route->via.family && !route->source.family)
		return true;
	return (route->via.family && flannel_prefix_contains(&network, &route->via)) ||
	       (route->source.family && flannel_prefix_contains(&network, &route->source));
}

/* copies those routes of the main table that belong to an address and have, or have not, a gateway */
static int copy_routes(struct planner *planner, const struct flannel_prefix *address, uint32_t table, bool with_gateway)
{
	const struct fl_source_route_facts *facts = planner->facts;

	for (size_t i = 0; i < facts->n_routes; i++) {
		struct fl_route route = facts->routes[i];

		if ((route.via.family != 0) != with_gateway || !belongs(planner, &route, address))
			continue;
		route.table = table;
		if (want_route(planner, &route) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* the default route of an address's table */
static struct fl_route make_default(const struct planner *planner, const struct flannel_address *address,
				    uint32_t table)
{
	const struct flannel_prefix everything = {.family = address->address.family};
	struct fl_route route = fl_route_main(&everything, FL_ROUTE_PROTOCOL_BOOT);

	route.table = table;
	route.via = get_host(address->gateway);
	memcpy(route.link, planner->options->link, strlen(planner->options->link) + 1);
	return route;
}

/* Everything in the table of an address: networks before gateways in them. The address's own gateway goes before the main
 * table's. */
static int want_table(struct planner *planner, const struct flannel_address *address, uint32_t table)
{
	int r = copy_routes(planner, &address->address, table, false);

	if (r == 0 && address->gateway.family) {
		struct fl_route route = make_default(planner, address, table);

		r = want_route(planner, &route);
	}
	return r < 0 ? r : copy_routes(planner, &address->address, table, true);
}

/* default, main and local, which the kernel has by itself */
static bool is_reserved(uint32_t table)
{
	return table >= 253 && table <= 255;
}

/* does any rule name a table */
static bool has_rule(const struct fl_source_route_facts *facts, uint32_t table)
{
	for (size_t i = 0; i < facts->n_tables; i++) {
		if (facts->tables[i] == table)
			return true;
	}
	return false;
}

/* The table that an address had before it lost its rule, which has the link's route to its network; 0 if there is none. */
static uint32_t find_orphan(const struct planner *planner, const struct flannel_prefix *address)
{
	const struct fl_source_route_facts *facts = planner->facts;
	const struct flannel_prefix network = flannel_prefix_mask(*address);

	for (size_t i = 0; i < facts->n_routes; i++) {
		const struct fl_route *route = &facts->routes[i];

		if (route->table >= FLANNEL_SOURCE_ROUTE_TABLE_MIN && !is_reserved(route->table) &&
		    !route->via.family && flannel_prefix_compare(&route->dst, &network) == 0 &&
		    strcmp(route->link, planner->options->link) == 0 && !has_rule(facts, route->table))
			return route->table;
	}
	return 0;
}

/* a table for an address: one that it had, or one that nobody uses */
static uint32_t choose_table(struct planner *planner, const struct flannel_prefix *address)
{
	const struct fl_source_route_facts *facts = planner->facts;
	uint32_t orphan = find_orphan(planner, address);

	if (orphan)
		return orphan;
	for (;;) {
		uint32_t table = planner->next_table++;
		bool used = has_rule(facts, table);

		for (size_t i = 0; i < facts->n_routes && !used; i++)
			used = facts->routes[i].table == table;
		if (!used && !is_reserved(table))
			return table;
	}
}

/* does an address stand in the options before that place, too */
static bool is_repeated(const struct flannel_source_route_options *options, size_t index)
{
	struct flannel_prefix host = get_host(options->addresses[index].address);

	for (size_t i = 0; i < index; i++) {
		struct flannel_prefix other = get_host(options->addresses[i].address);

		if (flannel_prefix_compare(&host, &other) == 0)
			return true;
	}
	return false;
}

/* the table of each address, and what should be in those that are not somebody else's */
static int want_tables(struct planner *planner, uint32_t *tables, struct flannel_error **ret_error)
{
	const struct flannel_source_route_options *options = planner->options;

	for (size_t i = 0; i < options->n_addresses; i++) {
		const struct fl_rule *rule = fl_source_route_find_rule(planner->facts, &options->addresses[i].address);

		if (is_repeated(options, i))
			continue;
		if (rule && options->table && rule->table != options->table)
			return refuse_rule(rule, options->table, ret_error);
		if (options->table)
			tables[i] = options->table;
		else
			tables[i] = rule ? rule->table : choose_table(planner, &options->addresses[i].address);
		if (!options->table && want_table(planner, &options->addresses[i], tables[i]) < 0)
			return fl_error_oom(ret_error);
	}
	return 0;
}

/* the rules that are missing */
static int want_rules(struct planner *planner, const uint32_t *tables)
{
	const struct flannel_source_route_options *options = planner->options;

	for (size_t i = 0; i < options->n_addresses; i++) {
		const struct fl_rule rule = {.src = get_host(options->addresses[i].address), .table = tables[i]};

		if (!is_repeated(options, i) && !fl_source_route_find_rule(planner->facts, &rule.src) &&
		    add_rule_step(planner, &rule, false) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* what becomes of a route of the main table that belongs to an address */
static int leave_main(struct planner *planner, const struct fl_route *route, const struct flannel_prefix *address)
{
	struct fl_route hinted = *route;

	if (!(planner->options->flags & FLANNEL_SOURCE_ROUTE_KEEP_LINK) || route->via.family)
		return add_route_step(planner, FL_VERB_DELETE, route, route);
	if (route->source.family)
		return 0;
	hinted.source = get_host(*address);
	return add_route_step(planner, FL_VERB_REPLACE, &hinted, route);
}

/* takes what was copied out of the main table, those with a gateway first: the kernel needs the others for them */
static int want_main(struct planner *planner)
{
	const struct flannel_source_route_options *options = planner->options;
	const struct fl_source_route_facts *facts = planner->facts;

	for (size_t k = 0; k < 2 * facts->n_routes; k++) {
		const struct fl_route *route = &facts->routes[k % facts->n_routes];
		bool with_gateway = k < facts->n_routes;

		if ((route->via.family != 0) != with_gateway)
			continue;
		for (size_t i = 0; i < options->n_addresses; i++) {
			if (!belongs(planner, route, &options->addresses[i].address))
				continue;
			if (leave_main(planner, route, &options->addresses[i].address) < 0)
				return -ENOMEM;
			break;
		}
	}
	return 0;
}

int fl_source_route_want(const struct flannel_source_route_options *options, const struct fl_source_route_facts *facts,
			 struct fl_source_route_plan *ret_plan, struct flannel_error **ret_error)
{
	struct planner planner = {.options = options, .facts = facts, .next_table = FLANNEL_SOURCE_ROUTE_TABLE_MIN};
	FL_CLEANUP(fl_freep) uint32_t *tables = calloc(options->n_addresses + 1, sizeof(*tables));
	int r;

	if (!tables)
		return fl_error_oom(ret_error);
	r = want_tables(&planner, tables, ret_error);
	if (r == 0 && (want_rules(&planner, tables) < 0 || (!options->table && want_main(&planner) < 0)))
		r = fl_error_oom(ret_error);
	if (r < 0) {
		fl_source_route_plan_clear(&planner.plan);
		return r;
	}
	*ret_plan = planner.plan;
	return 0;
}

/* is the default route of an address in its table */
static int compare_default(const struct planner *planner, const struct flannel_address *address, uint32_t table,
			   struct flannel_error **ret_error)
{
	const struct fl_route wanted = make_default(planner, address, table);
	const struct fl_source_route_facts *facts = planner->facts;
	char text[FLANNEL_PREFIX_STRLEN];

	for (size_t i = 0; i < facts->n_routes; i++) {
		const struct fl_route *found = &facts->routes[i];

		if (found->table == table && flannel_prefix_compare(&found->dst, &wanted.dst) == 0 &&
		    flannel_prefix_compare(&found->via, &wanted.via) == 0 && strcmp(found->link, wanted.link) == 0)
			return 0;
	}
	return fl_error_set(ret_error, -ENOENT, "source_route", "there is none",
			    "default route via %s dev %s in table %u",
			    flannel_prefix_format_address(&wanted.via, text, sizeof(text)), wanted.link, table);
}

int fl_source_route_compare(const struct flannel_source_route_options *options,
			    const struct fl_source_route_facts *facts, struct flannel_error **ret_error)
{
	const struct planner planner = {.options = options, .facts = facts};
	char text[FLANNEL_PREFIX_STRLEN];

	for (size_t i = 0; i < options->n_addresses; i++) {
		const struct flannel_address *address = &options->addresses[i];
		const struct fl_rule *rule = fl_source_route_find_rule(facts, &address->address);

		if (!rule)
			return fl_error_set(ret_error, -ENOENT, "source_route", "there is none", "rule from %s",
					    flannel_prefix_format_address(&address->address, text, sizeof(text)));
		if (options->table && rule->table != options->table)
			return refuse_rule(rule, options->table, ret_error);
		if (!options->table && address->gateway.family &&
		    compare_default(&planner, address, rule->table, ret_error) < 0)
			return -ENOENT;
	}
	return 0;
}

/* the routes of the link in a table that rules of its addresses name */
static int unwant_routes(struct planner *planner, uint32_t table)
{
	const struct fl_source_route_facts *facts = planner->facts;

	if (planner->options->table || is_reserved(table))
		return 0;
	for (size_t i = 0; i < facts->n_routes; i++) {
		const struct fl_route *route = &facts->routes[i];

		if (route->table == table && strcmp(route->link, planner->options->link) == 0 &&
		    add_route_step(planner, FL_VERB_DELETE, route, route) < 0)
			return -ENOMEM;
	}
	return 0;
}

int fl_source_route_unwant(const struct flannel_source_route_options *options,
			   const struct fl_source_route_facts *facts, struct fl_source_route_plan *ret_plan,
			   struct flannel_error **ret_error)
{
	struct planner planner = {.options = options, .facts = facts};

	for (size_t i = 0; i < options->n_addresses; i++) {
		struct flannel_prefix host = get_host(options->addresses[i].address);

		for (size_t k = 0; k < facts->n_rules; k++) {
			const struct fl_rule *rule = &facts->rules[k];

			if (flannel_prefix_compare(&rule->src, &host) != 0 ||
			    (options->table && rule->table != options->table))
				continue;
			if (add_rule_step(&planner, rule, true) < 0 || unwant_routes(&planner, rule->table) < 0) {
				fl_source_route_plan_clear(&planner.plan);
				return fl_error_oom(ret_error);
			}
		}
	}
	*ret_plan = planner.plan;
	return 0;
}

void fl_source_route_plan_clear(struct fl_source_route_plan *plan)
{
	free(plan->steps);
	*plan = (struct fl_source_route_plan){0};
}
