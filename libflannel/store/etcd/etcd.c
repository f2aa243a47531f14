/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/etcd.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "store/etcd/request.h"
#include "store/etcd/watcher.h"

#define HEARTBEAT_MS 2000

/* pauses between tries: doubled from the first to the longest */
#define PAUSE_FIRST_NS (50 * FL_NSEC_PER_MSEC)
#define PAUSE_LONGEST_NS (600 * FL_NSEC_PER_MSEC)
#define PAUSE_REFUSED_NS (5 * FL_NSEC_PER_SEC) /* a login, or reading at all: somebody has to do something about it */

/* why a store is lost may change, as when it is started again with another certificate: told once for each kind of reason */
#define REASONS_MAX 8

struct fl_etcd {
	struct fl_log log;
	struct fl_etcd_address address;
	struct fl_etcd_keys keys;
	struct fl_loop *loop;
	struct fl_source *timer;
	struct fl_etcd_client *client;
	struct fl_etcd_watcher watcher;
	struct fl_store_queue queue;
	struct fl_etcd_request *first, **last_next;

	bool is_lost;
	uint32_t told[REASONS_MAX]; /* kinds of reasons that were given since it is lost */
	size_t n_told;
	size_t n_failures; /* in a row */
	uint64_t retry_ns; /* not before; 0: at once */
};

/* a random number up to max; need not be a good one */
static uint64_t random_up_to(uint64_t max)
{
	uint64_t number = 0;

	(void)!getrandom(&number, sizeof(number), GRND_NONBLOCK);
	return number % (max + 1);
}

/* tells the reply of the first request and is done with it */
static void answer(struct fl_etcd *store)
{
	struct fl_etcd_request *request = store->first;

	/* without memory for it nobody could be told anything */
	(void)fl_store_queue_push(&store->queue, &request->reply);
	request->reply = (struct flannel_store_message){0};
	store->first = request->next;
	if (!store->first)
		store->last_next = &store->first;
	fl_etcd_request_free(request);
}

/* tells what is answered, once its receiver is informed of all that came before */
static void answer_if_due(struct fl_etcd *store)
{
	const struct fl_etcd_request *request = store->first;

	if (!request || request->step != FL_ETCD_STEP_ANSWERED)
		return;
	if (store->is_lost || fl_etcd_watcher_has_told(&store->watcher, request->after_revision))
		answer(store);
}

/* What kind of reason it is: a hash of libcurl's or etcd's own words without numbers, such as addresses and times. FNV-1a. */
static uint32_t kind_of(const struct flannel_error *error)
{
	uint32_t hash = 2166136261U;

	for (const char *c = flannel_error_get_detail(error); *c; c++) {
		if (*c < '0' || *c > '9')
			hash = (hash ^ (uint8_t)*c) * 16777619U;
	}
	return hash;
}

/* was a reason of this kind given before */
static bool was_told(const struct fl_etcd *store, const struct flannel_error *error)
{
	const uint32_t kind = kind_of(error);

	for (size_t i = 0; i < store->n_told; i++) {
		if (store->told[i] == kind)
			return true;
	}
	return store->n_told == REASONS_MAX;
}

/* tells that the store is lost, and why */
static void tell_lost(struct fl_etcd *store, struct flannel_error *error)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_LOST};

	if (was_told(store, error))
		return;
	message.error = flannel_error_ref(error);
	/* without memory it is told after the next try */
	if (fl_store_queue_push(&store->queue, &message) < 0)
		return;
	store->told[store->n_told++] = kind_of(error);
	if (store->is_lost)
		return;
	store->is_lost = true;
	answer_if_due(store);
	if (store->watcher.state != FL_ETCD_WATCHER_OFF)
		fl_etcd_watcher_restart(&store->watcher);
}

/* tells that a lost store is back */
static void tell_back(struct fl_etcd *store)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_BACK};

	if (!store->is_lost || fl_store_queue_push(&store->queue, &message) < 0)
		return;
	store->is_lost = false;
	store->n_told = 0;
}

/* something answered as it should: what is due next need not wait */
static void note_good(struct fl_etcd *store)
{
	store->n_failures = 0;
	store->retry_ns = 0;
	fl_source_set_deadline(store->timer, 0);
}

/* how long to wait after the n-th failure in a row, of which the first ones are repeated at once */
static uint64_t pause_ns(size_t n, int code)
{
	uint64_t pause = PAUSE_FIRST_NS, longest = PAUSE_LONGEST_NS;

	if (code == -EKEYREJECTED || code == -EACCES)
		longest = PAUSE_REFUSED_NS;
	for (size_t i = 0; i < n && pause < longest; i++)
		pause *= 2;
	if (pause > longest)
		pause = longest;
	return pause / 2 + random_up_to(pause / 2);
}

/* a call failed; what it was for is tried again */
static void note_failure(struct fl_etcd *store, struct flannel_error *error)
{
	size_t n_quick = fl_etcd_client_n_endpoints(store->client);

	store->n_failures++;
	fl_log(&store->log, FLANNEL_LOG_DEBUG, "store", "try again: %s", flannel_error_get_message(error));
	/* each endpoint has had its chance, and one of them two: a connection may break without anybody being down */
	if (store->n_failures > n_quick) {
		tell_lost(store, error);
		store->retry_ns =
			fl_loop_now() + pause_ns(store->n_failures - n_quick - 1, flannel_error_get_code(error));
	}
	fl_source_set_deadline(store->timer, store->retry_ns);
}

/* a request is answered, or failed */
static void on_request(void *userdata, struct fl_etcd_request *request, struct flannel_error *error)
{
	struct fl_etcd *store = userdata;

	if (error) {
		note_failure(store, error);
		return;
	}
	if (request->type == FL_ETCD_GET_CONFIG && request->reply.revision)
		store->watcher.config_revision = request->reply.revision;
	tell_back(store);
	note_good(store);
}

/* the watcher has got on, or failed */
static void on_watcher(void *userdata, enum fl_etcd_watcher_news news, struct flannel_error *error)
{
	struct fl_etcd *store = userdata;

	if (news == FL_ETCD_WATCHER_FAILED)
		note_failure(store, error);
	else if (news == FL_ETCD_WATCHER_LISTED)
		tell_back(store);
	else
		note_good(store);
}

/* runs what is due: the list first, which tells whether a lost store is back */
static void work(void *userdata, uint32_t events)
{
	struct fl_etcd *store = userdata;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	bool is_watching = store->watcher.state != FL_ETCD_WATCHER_OFF;
	int r = 0;

	(void)events;
	if (fl_loop_now() < store->retry_ns) {
		fl_source_set_deadline(store->timer, store->retry_ns);
		return;
	}
	answer_if_due(store);
	if (is_watching)
		r = fl_etcd_watcher_run(&store->watcher, &error);
	if (r == 0 && store->first && !(store->is_lost && is_watching))
		r = fl_etcd_request_run(store->first, &error);
	if (r < 0)
		note_failure(store, error);
}

int fl_etcd_get_fd(void *impl)
{
	const struct fl_etcd *store = impl;

	return fl_loop_get_fd(store->loop);
}

int fl_etcd_dispatch(void *impl, struct flannel_error **ret_error)
{
	struct fl_etcd *store = impl;

	return fl_loop_dispatch(store->loop, ret_error);
}

int fl_etcd_next(void *impl, struct flannel_store_message *ret_message)
{
	struct fl_etcd *store = impl;

	return fl_store_queue_pop(&store->queue, ret_message);
}

int fl_etcd_watch(void *impl, struct flannel_error **ret_error)
{
	struct fl_etcd *store = impl;

	(void)ret_error;
	fl_etcd_watcher_restart(&store->watcher);
	fl_source_set_deadline(store->timer, store->retry_ns);
	return 0;
}

/* puts a request, which is taken over, into the queue */
static void append(struct fl_etcd *store, struct fl_etcd_request *request)
{
	request->client = store->client;
	request->keys = &store->keys;
	request->fn = on_request;
	request->userdata = store;
	*store->last_next = request;
	store->last_next = &request->next;
	fl_source_set_deadline(store->timer, store->retry_ns);
}

/* makes a request and puts it into the queue */
static int enqueue(struct fl_etcd *store, enum fl_etcd_request_type type, uint64_t number, struct flannel_lease *lease,
		   uint32_t lease_sec, const char *config, struct flannel_error **ret_error)
{
	struct fl_etcd_request *request;
	int r = fl_etcd_request_new(type, number, lease, lease_sec, config, &request, ret_error);

	if (r >= 0)
		append(store, request);
	return r < 0 ? r : 0;
}

/* the same for requests about a lease */
static int enqueue_lease(struct fl_etcd *store, enum fl_etcd_request_type type, uint64_t number,
			 struct flannel_lease *lease, uint32_t lease_sec, struct flannel_error **ret_error)
{
	if (!lease)
		return fl_error_set(ret_error, -EINVAL, "argument", "a lease is needed", "change leases in etcd");
	return enqueue(store, type, number, lease, lease_sec, NULL, ret_error);
}

int fl_etcd_get_config(void *impl, uint64_t number, struct flannel_error **ret_error)
{
	return enqueue(impl, FL_ETCD_GET_CONFIG, number, NULL, 0, NULL, ret_error);
}

int fl_etcd_put_config(void *impl, uint64_t number, const char *config, struct flannel_error **ret_error)
{
	if (!config)
		return fl_error_set(ret_error, -EINVAL, "argument", "a configuration is needed",
				    "change the configuration in etcd");
	return enqueue(impl, FL_ETCD_PUT_CONFIG, number, NULL, 0, config, ret_error);
}

int fl_etcd_set_config(void *impl, uint64_t number, const char *config, const char *former,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_etcd_request_freep) struct fl_etcd_request *request = NULL;
	int r;

	if (!config || !former)
		return fl_etcd_put_config(impl, number, config, ret_error);
	r = fl_etcd_request_new(FL_ETCD_SET_CONFIG, number, NULL, 0, config, &request, ret_error);
	if (r < 0)
		return r;
	request->former = strdup(former);
	if (!request->former)
		return fl_error_oom(ret_error);
	append(impl, FL_TAKE(request));
	return 0;
}

int fl_etcd_create(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		   struct flannel_error **ret_error)
{
	return enqueue_lease(impl, FL_ETCD_CREATE, number, lease, lease_sec, ret_error);
}

int fl_etcd_update(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		   struct flannel_error **ret_error)
{
	return enqueue_lease(impl, FL_ETCD_UPDATE, number, lease, lease_sec, ret_error);
}

int fl_etcd_remove(void *impl, uint64_t number, struct flannel_lease *lease, struct flannel_error **ret_error)
{
	return enqueue_lease(impl, FL_ETCD_REMOVE, number, lease, 0, ret_error);
}

/* makes the parts; what was made is in store, also on failure */
static int store_init(struct fl_etcd *store, const char *address, const struct fl_etcd_options *options,
		      struct flannel_error **ret_error)
{
	int r;

	r = fl_etcd_address_parse(address, &store->address, ret_error);
	if (r == 0)
		r = fl_etcd_keys_init(&store->keys, store->address.prefix, ret_error);
	if (r == 0)
		r = fl_loop_new(&store->loop, ret_error);
	if (r == 0)
		r = fl_loop_add_timer(store->loop, work, store, &store->timer, ret_error);
	if (r == 0)
		r = fl_etcd_client_new(store->loop, &store->address, &options->timeouts, &store->log, &store->client,
				       ret_error);
	if (r < 0)
		return r;
	store->watcher = (struct fl_etcd_watcher){
		.client = store->client,
		.keys = &store->keys,
		.queue = &store->queue,
		.log = &store->log,
		.heartbeat_ms = options->heartbeat_ms ? options->heartbeat_ms : HEARTBEAT_MS,
		.fn = on_watcher,
		.userdata = store,
	};
	return fl_etcd_watcher_init(&store->watcher, store->loop, ret_error);
}

int fl_etcd_open(const char *address, const struct fl_etcd_options *options, const struct fl_log *log,
		 struct fl_etcd **ret_store, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_etcd_freep) struct fl_etcd *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return fl_error_oom(ret_error);
	store->last_next = &store->first;
	store->log = log ? *log : (struct fl_log){0};
	r = store_init(store, address, options ? options : &(struct fl_etcd_options){0}, ret_error);
	if (r < 0)
		return r;
	*ret_store = FL_TAKE(store);
	return 0;
}

struct fl_etcd *fl_etcd_free(struct fl_etcd *store)
{
	if (!store)
		return NULL;
	while (store->first) {
		struct fl_etcd_request *request = store->first;

		store->first = request->next;
		fl_etcd_request_free(request);
	}
	fl_etcd_watcher_deinit(&store->watcher);
	fl_etcd_client_free(store->client);
	fl_source_free(store->timer);
	fl_loop_free(store->loop);
	fl_store_queue_clear(&store->queue);
	fl_etcd_keys_clear(&store->keys);
	fl_etcd_address_clear(&store->address);
	free(store);
	return NULL;
}
