/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/leftovers.h"

#include <stdlib.h>
#include <string.h>

#include "domain/plan/leftover.h"

/* so many are kept to be shown; a node has a handful, if any */
#define CONFLICTS_MAX 256

/* one route that may or may not be flannel's */
struct fl_node_conflict {
	struct fl_object object;
	char text[FL_OBJECT_STRLEN];
};

/* is it in the list: its place, or the end */
static size_t find(const struct fl_node_leftovers *leftovers, const struct fl_object *object)
{
	size_t i = 0;

	while (i < leftovers->n_conflicts && fl_object_compare_key(&leftovers->conflicts[i].object, object) != 0)
		i++;
	return i;
}

/* notes a route to be shown; without memory it is only logged */
static void note(struct fl_node_leftovers *leftovers, const struct fl_object *object)
{
	struct fl_node_conflict *conflict;
	char text[FL_OBJECT_STRLEN];

	if (find(leftovers, object) < leftovers->n_conflicts)
		return;
	fl_log(&leftovers->scope->context->log, FLANNEL_LOG_WARNING, "node",
	       "%s leads to a subnet that no node has: if flannel left it for a node that is no more, remove it",
	       fl_object_format(object, text, sizeof(text)));
	if (leftovers->n_conflicts >= CONFLICTS_MAX)
		return;
	conflict = reallocarray(leftovers->conflicts, leftovers->n_conflicts + 1, sizeof(*conflict));
	if (!conflict)
		return;
	leftovers->conflicts = conflict;
	conflict += leftovers->n_conflicts++;
	conflict->object = *object;
	memcpy(conflict->text, text, sizeof(text));
}

/*
 * An untagged route into the network that nobody wants, at a takeover: is it flannel's? It is if its next hop is a node of the cluster: that
 * node has another subnet now, and would not know what to do with the packets. Where the next hop is unknown it may be
 * a node that is no more, or somebody's router: it stays, and is shown.
 */
static bool is_leftover(void *userdata, const struct fl_object *object)
{
	struct fl_node_leftovers *leftovers = userdata;
	const struct fl_peers *peers = fl_request_get_peers(leftovers->request);
	bool is_hop = false;
	char text[FL_OBJECT_STRLEN];

	if (object->type != FL_OBJECT_ROUTE || !flannel_request_get_lease(leftovers->request) ||
	    !fl_leftover_looks_so(&object->route, leftovers->scope->facts.netconf,
				  leftovers->scope->facts.underlay->name) ||
	    fl_leftover_ask(&object->route, flannel_request_get_lease(leftovers->request)) == FL_LEFTOVER_OWNED)
		return false;
	for (size_t i = 0; i < peers->n_peers; i++) {
		enum fl_leftover_hint hint = fl_leftover_ask(&object->route, peers->peers[i]->lease);

		if (hint == FL_LEFTOVER_OWNED)
			return false;
		is_hop |= hint == FL_LEFTOVER_HOP;
	}
	if (is_hop)
		fl_log(&leftovers->scope->context->log, FLANNEL_LOG_INFO, "node", "removing %s, left by flannel",
		       fl_object_format(object, text, sizeof(text)));
	else
		note(leftovers, object);
	return is_hop;
}

void fl_node_leftovers_judge(struct fl_node_leftovers *leftovers)
{
	fl_reconciler_set_judge(leftovers->scope->reconciler, is_leftover, leftovers);
}

void fl_node_leftovers_note_change(struct fl_node_leftovers *leftovers, const struct fl_change *change)
{
	struct fl_object object = {.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE};
	size_t i;

	if (change->type != FL_CHANGE_ROUTE || leftovers->n_conflicts == 0)
		return;
	/* gone, or replaced by one that somebody wants; one that is added beside it has another key */
	object.route = change->route;
	i = find(leftovers, &object);
	if (i == leftovers->n_conflicts)
		return;
	leftovers->n_conflicts--;
	memmove(&leftovers->conflicts[i], &leftovers->conflicts[i + 1],
		(leftovers->n_conflicts - i) * sizeof(*leftovers->conflicts));
}

void fl_node_leftovers_clear(struct fl_node_leftovers *leftovers)
{
	if (leftovers->scope->reconciler)
		fl_reconciler_set_judge(leftovers->scope->reconciler, NULL, NULL);
	free(leftovers->conflicts);
	leftovers->conflicts = NULL;
	leftovers->n_conflicts = 0;
}

const char *fl_node_leftovers_get_conflict(const struct fl_node_leftovers *leftovers, size_t index)
{
	return index < leftovers->n_conflicts ? leftovers->conflicts[index].text : NULL;
}
