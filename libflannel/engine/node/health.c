/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/health.h"

/* what mends itself in that time is nobody's business */
#define UNREADY_NS (30 * FL_NSEC_PER_SEC)

/* looked at again, as long as something is wrong: not everything that becomes well again is told */
#define LOOK_AGAIN_NS (5 * FL_NSEC_PER_SEC)

/* tells it */
static void tell(struct fl_node_health *health, bool is_ready, const char *why)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (fl_store_set_ready(health->store, is_ready, why, &error) < 0)
		fl_log(&health->scope->context->log, FLANNEL_LOG_WARNING, "node", "%s",
		       flannel_error_get_message(error));
	health->told = is_ready;
	health->has_told = true;
}

/* looks at the node */
static void look(void *userdata, uint32_t events)
{
	struct fl_node_health *health = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const char *why = health->find_trouble(health->userdata, &error);
	uint64_t now = fl_loop_now();

	(void)events;
	if (!why) {
		health->unready_ns = 0;
		if (!health->has_told || !health->told)
			tell(health, true, "");
		return;
	}
	if (!health->unready_ns)
		health->unready_ns = now;
	if (health->told && now - health->unready_ns >= UNREADY_NS)
		tell(health, false, why);
	fl_source_set_deadline(health->timer, now + LOOK_AGAIN_NS);
}

void fl_node_health_note(struct fl_node_health *health)
{
	if (!fl_store_has_ready(health->store))
		return;
	if (!health->timer && fl_loop_add_timer(health->scope->context->loop, look, health, &health->timer, NULL) < 0)
		return;
	fl_source_set_deadline(health->timer, 0);
}

void fl_node_health_clear(struct fl_node_health *health)
{
	health->timer = fl_source_free(health->timer);
}
