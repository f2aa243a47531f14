/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/kube.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "store/kube/config.h"
#include "store/kube/kube_state.h"

/* pauses between tries: doubled from the first to the longest */
#define PAUSE_FIRST_NS (50 * FL_NSEC_PER_MSEC)
#define PAUSE_LONGEST_NS (1200 * FL_NSEC_PER_MSEC)

/* so many failures in a row are repeated at once: a connection may break without anybody being down */
#define N_QUICK 1

/* a random number up to max; need not be a good one */
static uint64_t random_up_to(uint64_t max)
{
	uint64_t number = 0;

	(void)!getrandom(&number, sizeof(number), GRND_NONBLOCK);
	return number % (max + 1);
}

void fl_kube_wake(struct fl_kube *store)
{
	fl_source_set_deadline(store->timer, store->retry_ns);
}

void fl_kube_reply(struct fl_kube *store, int code, struct flannel_error *error)
{
	struct fl_kube_queued *request = store->first;
	struct flannel_store_message message = {.type = FLANNEL_STORE_DONE, .code = code, .request = request->number};

	message.error = flannel_error_ref(error);
	if (request->type == FL_KUBE_GET_CONFIG || request->type == FL_KUBE_PUT_CONFIG) {
		message.type = FLANNEL_STORE_CONFIG;
		if (code == 0 || code == -EEXIST)
			message.config = strdup(store->config);
		if ((code == 0 || code == -EEXIST) && !message.config)
			message.code = -ENOMEM;
	} else if (code == 0) {
		message.lease = flannel_lease_ref(request->lease);
	}
	/* without memory for it nobody could be told anything */
	(void)fl_store_queue_push(&store->queue, &message);
	store->first = request->next;
	if (!store->first)
		store->last_next = &store->first;
	flannel_lease_unref(request->lease);
	free(request);
}

/* tells that the store is lost, and why */
static void tell_lost(struct fl_kube *store, struct flannel_error *error)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_LOST, .error = flannel_error_ref(error)};

	/* without memory it is told after the next try */
	if (fl_store_queue_push(&store->queue, &message) < 0)
		return;
	store->is_lost = true;
	/* a watch may stand on a connection that is as dead, without anybody having noticed */
	fl_kube_watcher_reopen(&store->watcher);
}

void fl_kube_note_good(struct fl_kube *store)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_BACK};

	if (store->is_lost && fl_store_queue_push(&store->queue, &message) == 0)
		store->is_lost = false;
	store->n_failures = 0;
	store->retry_ns = 0;
	fl_kube_wake(store);
}

/* how long to wait after the n-th failure in a row */
static uint64_t pause_ns(size_t n)
{
	uint64_t pause = PAUSE_FIRST_NS;

	for (size_t i = 0; i < n && pause < PAUSE_LONGEST_NS; i++)
		pause *= 2;
	if (pause > PAUSE_LONGEST_NS)
		pause = PAUSE_LONGEST_NS;
	return pause / 2 + random_up_to(pause / 2);
}

void fl_kube_note_failure(struct fl_kube *store, struct flannel_error *error, uint32_t retry_after_ms)
{
	store->n_failures++;
	fl_log(&store->log, FLANNEL_LOG_DEBUG, "store", "try again: %s", flannel_error_get_message(error));
	if (store->n_failures > N_QUICK) {
		if (!store->is_lost)
			tell_lost(store, error);
		store->retry_ns = fl_loop_now() + pause_ns(store->n_failures - N_QUICK - 1);
	}
	if (retry_after_ms)
		store->retry_ns = fl_loop_now() + retry_after_ms * FL_NSEC_PER_MSEC;
	fl_kube_wake(store);
}

void fl_kube_note_ask_failure(struct fl_kube *store, struct flannel_error *error, const struct fl_kube_answer *answer)
{
	uint64_t pause = 0;

	store->n_ask_failures++;
	if (store->n_ask_failures > N_QUICK)
		pause = pause_ns(store->n_ask_failures - N_QUICK - 1);
	if (answer->retry_after_ms)
		pause = answer->retry_after_ms * FL_NSEC_PER_MSEC;
	store->ask_ns = fl_loop_now() + pause;
	if (store->watcher.state != FL_KUBE_WATCHER_FOLLOW || answer->status == 0)
		fl_kube_note_failure(store, error, answer->retry_after_ms);
	else if (store->n_ask_failures == N_QUICK + 1)
		fl_log(&store->log, FLANNEL_LOG_WARNING, "store", "%s; trying again", flannel_error_get_message(error));
	fl_kube_wake(store);
}

/* the list that is told ends: the own lease belongs to it, whatever the Node says */
static void tell_held(struct fl_kube *store)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_LEASE};

	if (!store->own.held)
		return;
	message.lease = flannel_lease_ref(store->own.held);
	(void)fl_store_queue_push(&store->queue, &message);
}

/* the watcher has got on, or failed, or tells of the own node */
static void on_watcher(void *userdata, const struct fl_kube_watcher_report *report)
{
	struct fl_kube *store = userdata;

	switch (report->news) {
	case FL_KUBE_WATCHER_SELF:
		fl_kube_own_note(store, report->node);
		break;
	case FL_KUBE_WATCHER_LIST_ENDS:
		tell_held(store);
		break;
	case FL_KUBE_WATCHER_WAITS:
		fl_kube_wake(store);
		break;
	case FL_KUBE_WATCHER_ADVANCED:
		fl_kube_note_good(store);
		break;
	case FL_KUBE_WATCHER_FAILED:
		fl_kube_note_failure(store, report->error, report->retry_after_ms);
		break;
	}
}

/* is it time to look at the own node again, for a request that has to know; else not before poll_ns */
static int read_node(struct fl_kube *store, struct flannel_error **ret_error)
{
	return fl_loop_now() < store->poll_ns ? 0 : fl_kube_ask_node(store, ret_error);
}

/* the first request wants the configuration: first of all it is found out what this node is given */
static int run_get_config(struct fl_kube *store, struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (!store->own.is_current)
		return read_node(store, ret_error);
	r = fl_kube_own_tell(store, &error);
	if (r == -EAGAIN) {
		store->own.is_current = false;
		store->poll_ns = fl_loop_now() + FL_KUBE_POLL_NS;
		return 0;
	}
	fl_kube_reply(store, r, error);
	return 0;
}

/* is a subnet that the lease has the node's, too */
static bool is_given(const struct flannel_prefix *subnet, const struct flannel_prefix *given)
{
	return subnet->family == 0 || flannel_prefix_compare(subnet, given) == 0;
}

/* -EEXIST if a lease has other subnets than the node is given */
static int check_subnets(const struct fl_kube *store, const struct flannel_lease *lease,
			 struct flannel_error **ret_error)
{
	const struct fl_kube_node *node = &store->own.node;
	struct flannel_prefix subnet = {0}, subnet6 = {0};
	char key[2 * FLANNEL_PREFIX_STRLEN];

	(void)flannel_lease_get_subnet(lease, AF_INET, &subnet);
	(void)flannel_lease_get_subnet(lease, AF_INET6, &subnet6);
	if (is_given(&subnet, &node->subnet) && is_given(&subnet6, &node->subnet6))
		return 0;
	return fl_error_set_retryable(ret_error, -EEXIST, "store", "its pod CIDRs are others", "take %s for Node %s",
				      flannel_lease_format_key(lease, key, sizeof(key)), node->name);
}

/* the first request writes the lease, or takes it back */
static int run_write(struct fl_kube *store, struct flannel_error **ret_error)
{
	struct fl_kube_queued *request = store->first;
	FL_CLEANUP_ERROR struct flannel_error *refused = NULL;
	bool is_removal = request->type == FL_KUBE_REMOVE;
	FL_CLEANUP(fl_freep) char *body = NULL;
	int r = 0;

	if (is_removal)
		fl_kube_own_hold(store, NULL);
	if (!store->own.node.name && !is_removal)
		return read_node(store, ret_error);
	if (!is_removal)
		r = check_subnets(store, request->lease, &refused);
	if (r < 0) {
		fl_kube_reply(store, r, refused);
		return 0;
	}
	if (store->own.node.name)
		r = fl_kube_own_patch(store, is_removal ? NULL : request->lease, &body, ret_error);
	if (r > 0)
		return fl_kube_ask_patch(store, FL_KUBE_ASK_ANNOTATE, body, ret_error);
	if (r < 0)
		return r;
	/* it is as it should be already */
	if (!is_removal)
		fl_kube_own_hold(store, request->lease);
	fl_kube_reply(store, 0, NULL);
	return 0;
}

/* the first request */
static int run_request(struct fl_kube *store, struct flannel_error **ret_error)
{
	if (store->first->type == FL_KUBE_PUT_CONFIG) {
		fl_kube_reply(store, -EEXIST, NULL);
		return 0;
	}
	if (!store->address.node)
		return fl_kube_ask_pod(store, ret_error);
	return store->first->type == FL_KUBE_GET_CONFIG ? run_get_config(store, ret_error)
							: run_write(store, ret_error);
}

/* when something waits that only time brings */
static uint64_t next_ns(const struct fl_kube *store)
{
	uint64_t wait = store->poll_ns > store->ask_ns ? store->poll_ns : store->ask_ns;
	uint64_t next = fl_kube_own_next_ns(store);

	/* a request that has begun nothing waits for one of these */
	if (store->first && wait > fl_loop_now() && wait < next)
		next = wait;
	return next == UINT64_MAX || next > store->ask_ns ? next : store->ask_ns;
}

/* works again when something is due, unless that was asked for already */
static void set_next(struct fl_kube *store)
{
	uint64_t next = store->ask == FL_KUBE_ASK_NOTHING ? next_ns(store) : UINT64_MAX;
	uint64_t watch_ns = fl_kube_watcher_next_ns(&store->watcher);

	if (watch_ns < next)
		next = watch_ns;
	if (next < fl_source_get_deadline(store->timer))
		fl_source_set_deadline(store->timer, next);
}

/* one question at a time, and after a failure a pause */
static bool may_ask(const struct fl_kube *store)
{
	return store->ask == FL_KUBE_ASK_NOTHING && fl_loop_now() >= store->ask_ns;
}

/* runs what is due: the watch first, then one question at a time */
static void work(void *userdata, uint32_t events)
{
	struct fl_kube *store = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	bool is_watching = store->watcher.state != FL_KUBE_WATCHER_OFF;
	size_t n_failures = store->n_failures;
	int r = 0;

	(void)events;
	if (fl_loop_now() < store->retry_ns) {
		fl_kube_wake(store);
		return;
	}
	fl_source_set_deadline(store->timer, UINT64_MAX);
	if (is_watching)
		r = fl_kube_watcher_run(&store->watcher, &error);
	/* as long as it is lost, one try is enough */
	if (store->is_lost && is_watching) {
		fl_source_set_deadline(store->timer, fl_kube_watcher_next_ns(&store->watcher));
		if (r < 0)
			fl_kube_note_failure(store, error, 0);
		return;
	}
	while (r == 0 && store->first && may_ask(store)) {
		const struct fl_kube_queued *first = store->first;

		r = run_request(store, &error);
		if (store->first == first)
			break;
	}
	if (r == 0 && may_ask(store))
		r = fl_kube_own_run(store, &error);
	if (r < 0)
		fl_kube_note_failure(store, error, 0);
	else if (n_failures == store->n_failures)
		set_next(store);
}

int fl_kube_get_fd(void *impl)
{
	const struct fl_kube *store = impl;

	return fl_loop_get_fd(store->loop);
}

int fl_kube_dispatch(void *impl, struct flannel_error **ret_error)
{
	struct fl_kube *store = impl;

	return fl_loop_dispatch(store->loop, ret_error);
}

int fl_kube_next(void *impl, struct flannel_store_message *ret_message)
{
	struct fl_kube *store = impl;

	return fl_store_queue_pop(&store->queue, ret_message);
}

int fl_kube_watch(void *impl, struct flannel_error **ret_error)
{
	struct fl_kube *store = impl;

	(void)ret_error;
	fl_kube_watcher_restart(&store->watcher);
	fl_kube_wake(store);
	return 0;
}

/* puts a request into the queue */
static int enqueue(struct fl_kube *store, enum fl_kube_request_type type, uint64_t number, struct flannel_lease *lease,
		   struct flannel_error **ret_error)
{
	struct fl_kube_queued *request = calloc(1, sizeof(*request));

	if (!request)
		return fl_error_oom(ret_error);
	*request = (struct fl_kube_queued){.type = type, .number = number, .lease = flannel_lease_ref(lease)};
	*store->last_next = request;
	store->last_next = &request->next;
	fl_kube_wake(store);
	return 0;
}

/* the same for requests about a lease */
static int enqueue_lease(struct fl_kube *store, enum fl_kube_request_type type, uint64_t number,
			 struct flannel_lease *lease, struct flannel_error **ret_error)
{
	if (!lease)
		return fl_error_set(ret_error, -EINVAL, "argument", "a lease is needed", "annotate a Node");
	return enqueue(store, type, number, lease, ret_error);
}

int fl_kube_get_config(void *impl, uint64_t number, struct flannel_error **ret_error)
{
	struct fl_kube *store = impl;

	/* what the watch told is as new as anything */
	if (store->watcher.state != FL_KUBE_WATCHER_FOLLOW)
		store->own.is_current = false;
	return enqueue(store, FL_KUBE_GET_CONFIG, number, NULL, ret_error);
}

int fl_kube_put_config(void *impl, uint64_t number, const char *config, struct flannel_error **ret_error)
{
	if (!config)
		return fl_error_set(ret_error, -EINVAL, "argument", "a configuration is needed",
				    "change the configuration in Kubernetes");
	return enqueue(impl, FL_KUBE_PUT_CONFIG, number, NULL, ret_error);
}

int fl_kube_create(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		   struct flannel_error **ret_error)
{
	(void)lease_sec;
	return enqueue_lease(impl, FL_KUBE_CREATE, number, lease, ret_error);
}

int fl_kube_update(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		   struct flannel_error **ret_error)
{
	struct fl_kube *store = impl;

	(void)lease_sec;
	/* nobody says so of connections whose own address is gone */
	if (lease && store->own.held && !fl_kube_same_addresses(lease, store->own.held)) {
		store->is_moved = true;
		store->watcher.is_moved = true;
		fl_kube_watcher_reopen(&store->watcher);
		if (store->ask != FL_KUBE_ASK_NOTHING)
			fl_kube_own_dropped(store);
		fl_kube_ask_end(store);
	}
	return enqueue_lease(impl, FL_KUBE_UPDATE, number, lease, ret_error);
}

int fl_kube_remove(void *impl, uint64_t number, struct flannel_lease *lease, struct flannel_error **ret_error)
{
	return enqueue_lease(impl, FL_KUBE_REMOVE, number, lease, ret_error);
}

/* makes the parts; what was made is in store, also on failure */
static int store_init(struct fl_kube *store, const char *address, const struct fl_kube_options *options,
		      struct flannel_error **ret_error)
{
	int r = fl_kube_address_parse(address, &store->address, ret_error);

	if (r == 0)
		r = fl_kube_keys_init(&store->keys, store->address.prefix, ret_error);
	if (r == 0)
		r = fl_kube_config_read(store->address.net_config, &store->log, &store->config, ret_error);
	if (r == 0)
		r = fl_kube_access_load(&store->address, &store->access, ret_error);
	if (r == 0)
		r = fl_loop_new(&store->loop, ret_error);
	if (r == 0)
		r = fl_loop_add_timer(store->loop, work, store, &store->timer, ret_error);
	if (r == 0)
		r = fl_kube_client_new(store->loop, &store->access, &options->timeouts, &store->client, ret_error);
	if (r < 0)
		return r;
	store->watcher = (struct fl_kube_watcher){
		.client = store->client,
		.keys = &store->keys,
		.queue = &store->queue,
		.log = &store->log,
		.self = store->address.node,
		.fn = on_watcher,
		.userdata = store,
	};
	if (store->access.is_unverified)
		fl_log(&store->log, FLANNEL_LOG_WARNING, "store",
		       "insecure-skip-tls-verify: whoever answers at %s is taken for the Kubernetes API",
		       store->access.server);
	return 0;
}

int fl_kube_open(const char *address, const struct fl_kube_options *options, const struct fl_log *log,
		 struct fl_kube **ret_store, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_kube_freep) struct fl_kube *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return fl_error_oom(ret_error);
	store->last_next = &store->first;
	store->log = log ? *log : (struct fl_log){0};
	r = store_init(store, address, options ? options : &(struct fl_kube_options){0}, ret_error);
	if (r < 0)
		return r;
	*ret_store = FL_TAKE(store);
	return 0;
}

struct fl_kube *fl_kube_free(struct fl_kube *store)
{
	if (!store)
		return NULL;
	while (store->first) {
		struct fl_kube_queued *request = store->first;

		store->first = request->next;
		flannel_lease_unref(request->lease);
		free(request);
	}
	fl_kube_ask_end(store);
	fl_kube_watcher_deinit(&store->watcher);
	fl_kube_client_free(store->client);
	fl_source_free(store->timer);
	fl_loop_free(store->loop);
	fl_kube_own_clear(&store->own);
	fl_store_queue_clear(&store->queue);
	free(store->config);
	fl_kube_keys_clear(&store->keys);
	fl_kube_access_clear(&store->access);
	fl_kube_address_clear(&store->address);
	free(store);
	return NULL;
}
