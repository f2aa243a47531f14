/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Tells the store whether pods of this node have their network, where the store wants to know. */

#include "engine/node/node.h"

#include "engine/node/rules.h"

/* what mends itself in that time is nobody's business */
#define UNREADY_NS (30 * FL_NSEC_PER_SEC)

/* looked at again, as long as something is wrong: not everything that becomes well again is told */
#define LOOK_AGAIN_NS (5 * FL_NSEC_PER_SEC)

/* what is wrong; NULL: nothing. *ret_error keeps it */
static const char *find_trouble(const struct flannel_node *node, struct flannel_error **ret_error)
{
	struct flannel_error *error = node->underlay_error;

	if (!error)
		error = node->error;
	if (!error)
		error = fl_node_rules_get_error(node->rules);
	if (error)
		return flannel_error_get_message(error);
	if (node->state != FLANNEL_NODE_READY)
		return flannel_node_get_state_name(node);
	if (!flannel_node_get_lease(node))
		return "the node has lost its subnet";
	return fl_node_check_devices(node, ret_error) < 0 ? flannel_error_get_message(*ret_error) : NULL;
}

/* tells it */
static void tell(struct flannel_node *node, bool is_ready, const char *why)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (fl_store_set_ready(node->store, is_ready, why, &error) < 0)
		fl_log(&node->context->log, FLANNEL_LOG_WARNING, "node", "%s", flannel_error_get_message(error));
	node->told_ready = is_ready;
	node->has_told_ready = true;
}

/* looks at the node */
static void look(void *userdata, uint32_t events)
{
	struct flannel_node *node = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	uint64_t now = fl_loop_now();
	const char *why;

	(void)events;
	/* before it was ready for the first time, the store knows by itself that it is not */
	if (node->state != FLANNEL_NODE_READY && !node->has_told_ready)
		return;
	why = find_trouble(node, &error);
	if (!why) {
		node->unready_ns = 0;
		if (!node->has_told_ready || !node->told_ready)
			tell(node, true, "");
		return;
	}
	if (!node->unready_ns)
		node->unready_ns = now;
	if (node->told_ready && now - node->unready_ns >= UNREADY_NS)
		tell(node, false, why);
	fl_source_set_deadline(node->ready_timer, now + LOOK_AGAIN_NS);
}

void fl_node_note_health(struct flannel_node *node)
{
	if (!fl_store_has_ready(node->store) || node->state == FLANNEL_NODE_FAILED)
		return;
	if (!node->ready_timer && fl_loop_add_timer(node->context->loop, look, node, &node->ready_timer, NULL) < 0)
		return;
	fl_source_set_deadline(node->ready_timer, 0);
}
