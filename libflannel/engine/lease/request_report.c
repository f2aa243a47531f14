/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the user of a lease request hears, failures included. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/lease/request_state.h"

/* a failed request is repeated after this time, doubling to the maximum */
#define RETRY_FIRST_NS (50 * FL_NSEC_PER_MSEC)
#define RETRY_LAST_NS (60 * FL_NSEC_PER_SEC)

int fl_request_report(struct flannel_request *request, enum fl_request_report what, struct flannel_lease *lease,
		      struct fl_peer *peer, struct flannel_error *error, struct flannel_error **ret_error)
{
	struct fl_request_news news = {.report = what, .lease = lease, .peer = peer, .error = error};

	return request->fn(request->userdata, request, &news, ret_error);
}

/* Is it that nothing is given yet, as the user knows already? */
static bool is_known_wait(struct flannel_request *request, struct flannel_error *error)
{
	struct flannel_error *before = request->waits_for;
	bool is_known = before && strcmp(flannel_error_get_message(before), flannel_error_get_message(error)) == 0;

	request->waits_for = flannel_error_get_code(error) == -ENODATA ? flannel_error_ref(error) : NULL;
	flannel_error_unref(before);
	return is_known;
}

void fl_request_fail(struct flannel_request *request, struct flannel_error *error)
{
	uint64_t delay_ns = RETRY_FIRST_NS;

	if (!flannel_error_is_retryable(error)) {
		request->step = STEP_ENDED;
		fl_source_set_deadline(request->timer, UINT64_MAX);
	} else {
		for (uint32_t i = 0; i < request->n_failures && delay_ns < RETRY_LAST_NS; i++)
			delay_ns *= 2;
		request->n_failures++;
		fl_source_set_deadline(request->timer,
				       fl_loop_now() + (delay_ns < RETRY_LAST_NS ? delay_ns : RETRY_LAST_NS));
	}
	if (is_known_wait(request, error))
		return;
	(void)fl_request_report(request, FL_REQUEST_FAILED, NULL, NULL, error, NULL);
}

struct fl_subnet_choice fl_request_subnets_of(const struct flannel_lease *lease)
{
	struct fl_subnet_choice subnets = {0};

	flannel_lease_get_subnet(lease, AF_INET, &subnets.subnet);
	flannel_lease_get_subnet(lease, AF_INET6, &subnets.subnet6);
	return subnets;
}
