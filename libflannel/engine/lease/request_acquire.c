/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/lease/request_state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#define AREA "store"

/* so often a taken subnet is answered by another choice at once */
#define QUICK_CHOICES 3

/* this node's lease with the given subnets and its attributes; revision: of the lease that it is written over, or 0 */
static int make_lease(struct flannel_request *request, const struct fl_subnet_choice *subnets, uint64_t revision,
		      struct flannel_lease **ret_lease, struct flannel_error **ret_error)
{
	struct flannel_lease_fields fields = {.size = sizeof(fields), .revision = revision};

	fields.subnet = subnets->subnet;
	fields.subnet6 = subnets->subnet6;
	if (fields.subnet.family)
		fields.public_ip = request->public_ip;
	if (fields.subnet6.family)
		fields.public_ip6 = request->public_ip6;
	fields.backend_type =
		request->backend_type ? request->backend_type : flannel_netconf_get_backend_type(request->netconf);
	fields.backend_data = fields.subnet.family ? request->backend_data : NULL;
	fields.backend_v6_data = fields.subnet6.family ? request->backend_v6_data : NULL;
	request->is_outdated = false;
	return flannel_lease_new(&fields, ret_lease, ret_error);
}

/* all leases that exist, this node's own included */
static int collect_leases(const struct flannel_request *request, struct flannel_lease ***ret_leases, size_t *ret_n,
			  struct flannel_error **ret_error)
{
	const struct fl_peers *lists[] = {&request->peers, &request->own};
	size_t n = 0;
	struct flannel_lease **leases = calloc(request->peers.n_peers + request->own.n_peers + 1, sizeof(*leases));

	if (!leases)
		return fl_error_oom(ret_error);
	for (size_t i = 0; i < FL_N_ELEMENTS(lists); i++) {
		for (size_t j = 0; j < lists[i]->n_peers; j++)
			leases[n++] = lists[i]->peers[j]->lease;
	}
	*ret_leases = leases;
	*ret_n = n;
	return 0;
}

/* picks a free subnet */
static int choose(struct flannel_request *request, struct fl_subnet_choice *ret_choice,
		  struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct flannel_lease **leases = NULL;
	uint64_t pick[2];
	size_t n = 0;
	int r;

	if (getrandom(pick, sizeof(pick), 0) != (ssize_t)sizeof(pick))
		return fl_error_set_retryable(ret_error, -errno, AREA, NULL, "draw a random number");
	r = collect_leases(request, &leases, &n, ret_error);
	if (r < 0)
		return r;
	return fl_subnet_choose(request->netconf, &request->options.previous, leases, n, pick, ret_choice, ret_error);
}

/* the request's lease is now one for these subnets, which the store is to be asked for */
static int propose(struct flannel_request *request, const struct fl_subnet_choice *choice,
		   struct flannel_error **ret_error)
{
	struct flannel_lease *lease;
	int r = make_lease(request, choice, 0, &lease, ret_error);

	if (r < 0)
		return r;
	flannel_lease_unref(request->lease);
	request->lease = lease;
	return 0;
}

/* takes a free subnet and asks the store to create the lease */
static int create_lease(struct flannel_request *request, struct flannel_error **ret_error)
{
	struct fl_subnet_choice choice;
	int r = choose(request, &choice, ret_error);

	if (r >= 0)
		r = propose(request, &choice, ret_error);
	return r < 0 ? r
		     : fl_store_create(request->store, request->lease, request->options.lease_sec, &request->pending,
				       ret_error);
}

/* the lease that this node is given: somebody else has created it */
static int take_assigned(struct flannel_request *request, struct flannel_error **ret_error)
{
	struct fl_subnet_choice choice = {0};
	int r = fl_request_find_assigned(request, &request->public_ip, &request->public_ip6, ret_error);

	if (r >= 0)
		r = fl_request_use_assigned(request, &choice, ret_error);
	if (r >= 0)
		r = propose(request, &choice, ret_error);
	return r < 0 ? r
		     : fl_store_update(request->store, request->lease, request->options.lease_sec, &request->pending,
				       ret_error);
}

/* the lease that the store has for this node: used again if it fits, else removed before another is created */
static int take_over(struct flannel_request *request, struct flannel_lease *stored, struct flannel_error **ret_error)
{
	struct fl_subnet_choice subnets = fl_request_subnets_of(stored);
	struct flannel_lease *lease;
	int r;

	if (!fl_subnet_lease_fits(request->netconf, stored)) {
		request->removing = flannel_lease_ref(stored);
		return fl_store_remove(request->store, stored, &request->pending, ret_error);
	}
	r = make_lease(request, &subnets, flannel_lease_get_revision(stored), &lease, ret_error);
	if (r < 0)
		return r;
	flannel_lease_unref(request->lease);
	request->lease = lease;
	return fl_store_update(request->store, lease, request->options.lease_sec, &request->pending, ret_error);
}

/* an own lease with these subnets (same), or with any others; NULL if there is none */
static struct flannel_lease *find_own(const struct flannel_request *request, const struct fl_subnet_choice *subnets,
				      bool same)
{
	for (size_t i = 0; i < request->own.n_peers; i++) {
		struct fl_subnet_choice found = fl_request_subnets_of(request->own.peers[i]->lease);
		bool equal = flannel_prefix_compare(&found.subnet, &subnets->subnet) == 0 &&
			     flannel_prefix_compare(&found.subnet6, &subnets->subnet6) == 0;

		if (equal == same)
			return request->own.peers[i]->lease;
	}
	return NULL;
}

/* removes a lease of this node that is in the way; the answer goes on */
static int remove_own(struct flannel_request *request, struct flannel_lease *lease, struct flannel_error **ret_error)
{
	request->removing = flannel_lease_ref(lease);
	return fl_store_remove(request->store, lease, &request->pending, ret_error);
}

/*
 * The next step towards the lease. At the start a lease with this node's address is its own from another time. After it has held one, it
 * is another node's that has got the same address: its pods live there.
 */
void fl_request_acquire(struct flannel_request *request)
{
	const struct fl_subnet_choice *previous = &request->options.previous;
	struct flannel_lease *same = find_own(request, previous, true), *other = find_own(request, previous, false);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	request->step = STEP_ACQUIRING;
	request->removing = flannel_lease_unref(request->removing);
	/* what others have with this address has nothing to do with it */
	if (fl_store_assigns(request->store))
		r = take_assigned(request, &error);
	else if (request->displaces && other)
		r = remove_own(request, other, &error);
	else if (same)
		r = take_over(request, same, &error);
	else if (other && !request->had_lease)
		r = take_over(request, other, &error);
	else
		r = create_lease(request, &error);
	if (r < 0)
		fl_request_fail(request, error);
}

/* writes the held lease again, with a new lifetime, and as who this node is now */
static int write_again(struct flannel_request *request, struct flannel_error **ret_error)
{
	struct fl_subnet_choice subnets = fl_request_subnets_of(request->lease);
	struct flannel_lease *lease, *other = NULL;
	int r;

	if (request->displaces && !fl_store_assigns(request->store))
		other = find_own(request, &subnets, false);
	if (other)
		return remove_own(request, other, ret_error);
	r = make_lease(request, &subnets, flannel_lease_get_revision(request->lease), &lease, ret_error);
	if (r < 0)
		return r;
	flannel_lease_unref(request->renewal);
	request->renewal = lease;
	return fl_store_update(request->store, lease, request->options.lease_sec, &request->pending, ret_error);
}

void fl_request_renew(struct flannel_request *request)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	request->step = STEP_RENEWING;
	request->removing = flannel_lease_unref(request->removing);
	if (write_again(request, &error) < 0)
		fl_request_fail(request, error);
}

/*
 * The store does not let the held lease have other addresses, or has it no longer: it goes, with its old addresses, and is acquired anew.
 * That the lease is lost is not told, since nobody has taken it.
 */
static void replace(struct flannel_request *request)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	request->step = STEP_ACQUIRING;
	request->options.previous = fl_request_subnets_of(request->lease);
	request->renewal = flannel_lease_unref(request->renewal);
	if (remove_own(request, request->lease, &error) < 0)
		fl_request_fail(request, error);
}

int fl_request_send_release(struct flannel_request *request, struct flannel_error **ret_error)
{
	return fl_store_remove(request->store, request->lease, &request->pending, ret_error);
}

void fl_request_release_again(struct flannel_request *request)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (fl_request_send_release(request, &error) < 0)
		fl_request_fail(request, error);
}

void fl_request_lose(struct flannel_request *request)
{
	struct flannel_lease *lease = FL_TAKE(request->lease);

	if (!lease)
		return;
	request->options.previous = fl_request_subnets_of(lease);
	request->renewal = flannel_lease_unref(request->renewal);
	fl_request_forget_own(request, lease);
	request->pending = 0;
	request->step = request->step == STEP_RELEASING ? STEP_ENDED : STEP_ACQUIRING;
	fl_source_set_deadline(request->timer, request->step == STEP_ENDED ? UINT64_MAX : 0);
	(void)fl_request_report(request, FL_REQUEST_LOST, lease, NULL, NULL, NULL);
	flannel_lease_unref(lease);
}

/* the store has written the lease: it is ours until the renewal */
static void hold(struct flannel_request *request, struct flannel_lease *stored)
{
	bool renewed = request->step == STEP_RENEWING;
	struct flannel_lease *written = stored ? stored : request->renewal;
	uint64_t renew_sec = request->options.lease_sec - request->options.renew_margin_sec;
	uint64_t deadline_ns = UINT64_MAX;

	if (written) {
		flannel_lease_ref(written);
		flannel_lease_unref(request->lease);
		request->lease = written;
	}
	request->renewal = flannel_lease_unref(request->renewal);
	/* the watch may tell of its end before it tells of its being there */
	fl_request_note_own(request, request->lease);
	/* a reservation never ends, so there is nothing to renew */
	if (!stored || flannel_lease_get_expires_sec(stored) != 0)
		deadline_ns = fl_loop_now() + renew_sec * FL_NSEC_PER_SEC;
	/* the node has got other addresses while this was on its way */
	if (request->is_outdated)
		deadline_ns = 0;
	else
		request->displaces = false;
	fl_source_set_deadline(request->timer, deadline_ns);
	request->step = STEP_HELD;
	request->had_lease = true;
	request->n_failures = 0;
	request->waits_for = flannel_error_unref(request->waits_for);
	fl_request_end_restored(request, request->lease);
	(void)fl_request_report(request, renewed ? FL_REQUEST_RENEWED : FL_REQUEST_ACQUIRED, request->lease, NULL, NULL,
				NULL);
}

/* What was chosen is taken, or what was to be written is gone: choose again, at first at once. */
static void choose_again(struct flannel_request *request, int code)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (code == -ENOENT)
		fl_request_forget_own(request, request->lease);
	else
		request->options.previous = (struct fl_subnet_choice){0};
	if (request->n_failures < QUICK_CHOICES) {
		request->n_failures++;
		fl_source_set_deadline(request->timer, fl_loop_now() + FL_NSEC_PER_MSEC);
		return;
	}
	fl_error_set_retryable(&error, -EAGAIN, AREA, "another node was quicker", "acquire a subnet");
	fl_request_fail(request, error);
}

/*
 * Another lease has this node's address, not its subnet: either it is going to make way (see write_again()), or its node and this one
 * have the address both, and one of them will have another soon.
 */
static bool is_address_taken(const struct flannel_request *request, int code)
{
	if (code != -EEXIST || request->removing)
		return false;
	return request->step == STEP_RENEWING || (request->step == STEP_ACQUIRING && request->had_lease &&
						  find_own(request, &request->options.previous, false));
}

/* the store did not do what it was asked for */
static void on_refused(struct flannel_request *request, const struct flannel_store_message *message)
{
	FL_CLEANUP_ERROR struct flannel_error *error = flannel_error_ref(message->error);
	FL_CLEANUP_ERROR struct flannel_error *taken = NULL;
	bool is_choice = request->step == STEP_ACQUIRING && !request->removing;

	if (request->step == STEP_RENEWING && message->code == -ENOENT && !request->removing) {
		if (request->displaces)
			replace(request);
		else
			fl_request_lose(request);
		return;
	}
	/* the address was another node's, but it is ours no longer */
	if (is_choice && message->code == -EEXIST && request->is_outdated) {
		fl_source_set_deadline(request->timer, 0);
		return;
	}
	if (is_address_taken(request, message->code)) {
		fl_error_set_retryable(&taken, message->code, AREA, error ? flannel_error_get_message(error) : NULL,
				       "publish the node's address");
		fl_request_fail(request, taken);
		return;
	}
	if (is_choice && (message->code == -EEXIST || message->code == -ENOENT)) {
		choose_again(request, message->code);
		return;
	}
	if (!error)
		fl_error_set_retryable(&error, message->code, AREA, NULL, "%s the lease",
				       request->step == STEP_RELEASING || request->removing ? "remove" : "write");
	fl_request_fail(request, error);
}

/* what was removed is gone; unless its node was quick and the watch has told already that it is there again */
static void forget_removed(struct flannel_request *request)
{
	struct fl_peer *own = fl_peers_find(&request->own, request->removing);

	if (own && flannel_lease_get_revision(own->lease) <= flannel_lease_get_revision(request->removing))
		fl_request_forget_own(request, request->removing);
}

void fl_request_take_reply(struct flannel_request *request, const struct flannel_store_message *message)
{
	bool is_gone = message->code == 0 || message->code == -ENOENT;

	if (message->request != request->pending)
		return;
	request->pending = 0;
	if (request->step == STEP_RELEASING && is_gone) {
		fl_request_lose(request);
	} else if (request->removing && is_gone) {
		forget_removed(request);
		if (request->step == STEP_RENEWING)
			fl_request_renew(request);
		else
			fl_request_acquire(request);
	} else if (message->code == 0) {
		hold(request, message->lease);
	} else {
		on_refused(request, message);
	}
}
