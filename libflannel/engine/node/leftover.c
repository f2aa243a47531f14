/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node.h"

#include <stdlib.h>
#include <string.h>

#include "domain/leftover.h"
#include "engine/event.h"

/* so many are kept to be shown; a node has a handful, if any */
#define CONFLICTS_MAX 256

/* one route that may or may not be flannel's */
struct fl_node_conflict {
	struct fl_object object;
	char text[FL_OBJECT_STRLEN];
};

/* is it in the list: its place, or the end */
static size_t find(const struct flannel_node *node, const struct fl_object *object)
{
	size_t i = 0;

	while (i < node->n_conflicts && fl_object_compare_key(&node->conflicts[i].object, object) != 0)
		i++;
	return i;
}

/* notes a route to be shown; without memory it is only logged */
static void note(struct flannel_node *node, const struct fl_object *object)
{
	struct fl_node_conflict *conflict;
	char text[FL_OBJECT_STRLEN];

	if (find(node, object) < node->n_conflicts)
		return;
	fl_log(&node->context->log, FLANNEL_LOG_WARNING, "node",
	       "%s leads to a subnet that no node has: if flannel left it for a node that is no more, remove it",
	       fl_object_format(object, text, sizeof(text)));
	if (node->n_conflicts >= CONFLICTS_MAX)
		return;
	conflict = reallocarray(node->conflicts, node->n_conflicts + 1, sizeof(*conflict));
	if (!conflict)
		return;
	node->conflicts = conflict;
	conflict += node->n_conflicts++;
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
	struct flannel_node *node = userdata;
	const struct fl_peers *peers = fl_request_get_peers(node->request);
	bool is_hop = false;
	char text[FL_OBJECT_STRLEN];

	if (object->type != FL_OBJECT_ROUTE || !flannel_request_get_lease(node->request) ||
	    !fl_leftover_looks_so(&object->route, node->facts.netconf, node->underlay.name) ||
	    fl_leftover_ask(&object->route, flannel_request_get_lease(node->request)) == FL_LEFTOVER_OWNED)
		return false;
	for (size_t i = 0; i < peers->n_peers; i++) {
		enum fl_leftover_hint hint = fl_leftover_ask(&object->route, peers->peers[i]->lease);

		if (hint == FL_LEFTOVER_OWNED)
			return false;
		is_hop |= hint == FL_LEFTOVER_HOP;
	}
	if (is_hop)
		fl_log(&node->context->log, FLANNEL_LOG_INFO, "node", "removing %s, left by flannel",
		       fl_object_format(object, text, sizeof(text)));
	else
		note(node, object);
	return is_hop;
}

void fl_node_judge_leftovers(struct flannel_node *node)
{
	fl_reconciler_set_judge(node->reconciler, is_leftover, node);
}

void fl_node_note_route(struct flannel_node *node, const struct fl_change *change)
{
	struct fl_object object = {.type = FL_OBJECT_ROUTE, .role = FL_ROLE_NODE};
	size_t i;

	if (change->type != FL_CHANGE_ROUTE || node->n_conflicts == 0)
		return;
	/* gone, or replaced by one that somebody wants; one that is added beside it has another key */
	object.route = change->route;
	i = find(node, &object);
	if (i == node->n_conflicts)
		return;
	node->n_conflicts--;
	memmove(&node->conflicts[i], &node->conflicts[i + 1], (node->n_conflicts - i) * sizeof(*node->conflicts));
}

void fl_node_forget_leftovers(struct flannel_node *node)
{
	if (node->reconciler)
		fl_reconciler_set_judge(node->reconciler, NULL, NULL);
	free(node->conflicts);
	node->conflicts = NULL;
	node->n_conflicts = 0;
}

const char *flannel_node_get_conflict(const struct flannel_node *node, size_t index)
{
	return node && index < node->n_conflicts ? node->conflicts[index].text : NULL;
}
