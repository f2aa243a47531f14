/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/embedded/embedded.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "store/embedded/follower.h"
#include "store/embedded/place.h"
#include "store/embedded/request.h"

#define N_KEPT 512
#define LOST_AFTER_NS (3 * FL_NSEC_PER_SEC)

/* requests and expired leases that one dispatch deals with at most */
#define REQUESTS_MAX 16
#define EXPIRE_MAX 64

/* pauses between tries: doubled from the first to the longest; held means that another process has the lock */
#define HELD_FIRST_NS (2 * FL_NSEC_PER_MSEC)
#define HELD_LONGEST_NS (50 * FL_NSEC_PER_MSEC)
#define HELD_LONGEST_LOST_NS (500 * FL_NSEC_PER_MSEC)
#define FAILED_FIRST_NS (100 * FL_NSEC_PER_MSEC)
#define FAILED_LONGEST_NS (5 * FL_NSEC_PER_SEC)

/* Stores that wait for the same end of a lease do not all wake in the same instant. */
#define EXPIRY_SPREAD_NS (20 * FL_NSEC_PER_MSEC)

struct fl_embedded {
	struct fl_log log;
	struct fl_clock clock;
	char *path;
	struct fl_loop *loop;
	struct fl_source *timer;
	struct fl_database database; /* closed while the file cannot be opened */
	struct fl_leases leases;
	struct fl_follower follower;
	struct fl_store_queue queue;
	struct fl_store_request *first, **last_next;

	uint64_t lost_after_ns;
	uint64_t expiry_delay_ns;
	bool failing; /* the last try failed; the next one is at retry_ns */
	bool lost;
	uint64_t failing_since_ns;
	uint64_t retry_ns;
	unsigned int n_failures;
};

/* the timer only wakes; what is due is seen by dispatch */
static void on_timer(void *userdata, uint32_t events)
{
	(void)userdata;
	(void)events;
}

/* a random number up to max; need not be a good one */
static uint64_t random_up_to(uint64_t max)
{
	uint64_t number = 0;

	(void)!getrandom(&number, sizeof(number), GRND_NONBLOCK);
	return number % (max + 1);
}

/* is there something that can be done at once */
static bool work_is_due(const struct fl_embedded *store)
{
	return store->first || !store->database.sqlite || fl_follower_is_due(&store->follower);
}

/* when the next lease is to be looked at, on the loop's clock */
static uint64_t expiry_ns(const struct fl_embedded *store)
{
	uint64_t deadline_ns = store->follower.next_deadline_ns, now_ns;

	if (store->follower.state != FL_FOLLOWER_FOLLOW || deadline_ns == UINT64_MAX)
		return UINT64_MAX;
	now_ns = fl_clock_boottime_ns(&store->clock);
	deadline_ns += store->expiry_delay_ns;
	return fl_loop_now() + (deadline_ns > now_ns ? deadline_ns - now_ns : 0);
}

/* arms the timer for whatever comes first */
static void schedule(struct fl_embedded *store)
{
	if (store->failing)
		fl_source_set_deadline(store->timer, store->retry_ns);
	else if (work_is_due(store))
		fl_source_set_deadline(store->timer, fl_loop_now());
	else
		fl_source_set_deadline(store->timer, expiry_ns(store));
}

/* Does a failure pass by itself within moments? */
static bool is_held(int code)
{
	return code == -EAGAIN || code == -ENOMEM;
}

/* failures by which the connection takes no harm: reading may still work, and a new one might not come about */
static bool connection_is_good(int code)
{
	return is_held(code) || code == -ENOSPC || code == -EDQUOT || code == -EROFS || code == -EACCES ||
	       code == -EMFILE || code == -ENFILE;
}

/* how long to wait after the n-th failure in a row */
static uint64_t pause_ns(const struct fl_embedded *store, bool held)
{
	uint64_t pause = held ? HELD_FIRST_NS : FAILED_FIRST_NS;
	uint64_t longest = FAILED_LONGEST_NS;

	if (held)
		longest = store->lost ? HELD_LONGEST_LOST_NS : HELD_LONGEST_NS;
	for (unsigned int i = 0; i < store->n_failures && pause < longest; i++)
		pause *= 2;
	if (pause > longest)
		pause = longest;
	return pause / 2 + random_up_to(pause / 2);
}

/* tells that the store is lost, and why */
static void tell_lost(struct fl_embedded *store, struct flannel_error *error)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_LOST, .error = flannel_error_ref(error)};

	/* without memory it is told after the next try */
	if (fl_store_queue_push(&store->queue, &message) < 0)
		return;
	store->lost = true;
	fl_follower_restart(&store->follower);
}

/* something failed: everything is put back to where it can be tried again, after a pause */
static void fail(struct fl_embedded *store, int code, struct flannel_error *error)
{
	uint64_t now_ns = fl_loop_now();
	bool held = is_held(code);

	if (store->follower.state == FL_FOLLOWER_SNAPSHOT || !connection_is_good(code))
		fl_follower_restart(&store->follower);
	if (connection_is_good(code))
		fl_database_rollback(&store->database);
	else
		fl_database_close(&store->database);
	if (!store->failing) {
		store->failing = true;
		store->failing_since_ns = now_ns;
		store->n_failures = 0;
	}
	fl_log(&store->log, FLANNEL_LOG_DEBUG, "store", "try again: %s", flannel_error_get_message(error));
	if (!store->lost && (!held || now_ns - store->failing_since_ns >= store->lost_after_ns))
		tell_lost(store, error);
	store->retry_ns = now_ns + pause_ns(store, held);
	store->n_failures++;
}

/* opens the database if it is closed */
static int ensure_open(struct fl_embedded *store, struct flannel_error **ret_error)
{
	int r;

	if (store->database.sqlite)
		return 0;
	r = fl_database_open(store->path, &store->database, ret_error);
	if (r == 0)
		r = fl_schema_adopt_boot(&store->database, &store->clock, ret_error);
	if (r == 0)
		r = fl_follower_attach(&store->follower, ret_error);
	if (r < 0)
		fl_database_close(&store->database);
	return r;
}

/* tells everybody of a change that is on the disk; our own news of it is taken at once and does not wake us again */
static void ring(struct fl_embedded *store)
{
	bool kicked = store->follower.kicked;

	fl_follower_ring(store->path);
	fl_follower_drain(&store->follower);
	store->follower.kicked = kicked;
	store->follower.dirty = true;
}

/* removes leases whose time is over, if this store follows them */
static int expire(struct fl_embedded *store, struct flannel_error **ret_error)
{
	int n;

	if (store->follower.state != FL_FOLLOWER_FOLLOW || expiry_ns(store) > fl_loop_now())
		return 0;
	n = fl_leases_expire(&store->leases, EXPIRE_MAX, ret_error);
	if (n < 0)
		return n;
	store->follower.dirty = true;
	if (n > 0)
		ring(store);
	return 0;
}

/* carries out the first request; its reply stays with it */
static int execute(struct fl_embedded *store, struct flannel_error **ret_error)
{
	struct fl_store_request *request = store->first;
	int r = fl_store_request_execute(request, &store->leases, ret_error);

	if (r < 0)
		return r;
	if (request->reply.type == FLANNEL_STORE_CONFIG)
		fl_follower_config_told(&store->follower, request->reply.revision);
	if (request->type != FL_STORE_REQUEST_GET_CONFIG && request->reply.code == 0)
		ring(store);
	/* a refusal has its reason in changes that may be news */
	store->follower.dirty = true;
	return 0;
}

/* tells the reply of the first request, if there is one, and is done with it */
static int answer(struct fl_embedded *store, struct flannel_error **ret_error)
{
	struct fl_store_request *request = store->first;

	if (!request || !request->answered)
		return 0;
	if (fl_store_queue_reserve(&store->queue, 1) < 0)
		return fl_error_oom(ret_error);
	(void)fl_store_queue_push(&store->queue, &request->reply);
	request->reply = (struct flannel_store_message){0};
	store->first = request->next;
	if (!store->first)
		store->last_next = &store->first;
	fl_store_request_free(request);
	return 0;
}

/* Has the store come back? What is waiting to be done is the test, since reading may work where writing does not. */
static int probe(struct fl_embedded *store, struct flannel_error **ret_error)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_BACK};
	uint64_t deadline_ns;
	int r;

	if (store->first && !store->first->answered)
		r = execute(store, ret_error);
	else
		r = fl_leases_next_deadline(&store->leases, &deadline_ns, ret_error);
	if (r < 0)
		return r;
	if (fl_store_queue_push(&store->queue, &message) < 0)
		return fl_error_oom(ret_error);
	store->lost = false;
	return 0;
}

/* does what is due: 1 if there is more, 0 if not, negative if something failed and is to be tried again */
static int work(struct fl_embedded *store, struct flannel_error **ret_error)
{
	int r;

	r = ensure_open(store, ret_error);
	if (r == 0)
		r = fl_database_check_moved(&store->database, ret_error);
	if (r == 0)
		r = expire(store, ret_error);
	if (r == 0 && store->lost)
		r = probe(store, ret_error);
	if (r < 0)
		return r;
	for (int i = 0; i < REQUESTS_MAX; i++) {
		r = fl_database_check_moved(&store->database, ret_error);
		/* changes first, so that a reply finds its receiver informed */
		if (r == 0)
			r = fl_follower_step(&store->follower, ret_error);
		if (r == 0)
			r = answer(store, ret_error);
		if (r != 0)
			return r;
		if (!store->first)
			return 0;
		r = execute(store, ret_error);
		if (r < 0)
			return r;
		store->failing = false;
	}
	return 1;
}

int fl_embedded_get_fd(void *impl)
{
	struct fl_embedded *store = impl;

	return fl_loop_get_fd(store->loop);
}

int fl_embedded_dispatch(void *impl, struct flannel_error **ret_error)
{
	struct fl_embedded *store = impl;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	bool kicked;
	int r;

	r = fl_loop_dispatch(store->loop, ret_error);
	if (r < 0)
		return r;
	kicked = store->follower.kicked;
	store->follower.kicked = false;
	/* a pause ends early when something happened to the file */
	if (store->failing && !kicked && fl_loop_now() < store->retry_ns) {
		schedule(store);
		return 0;
	}
	r = work(store, &error);
	if (r < 0)
		fail(store, r, error);
	else
		store->failing = false;
	schedule(store);
	return r > 0;
}

int fl_embedded_next(void *impl, struct flannel_store_message *ret_message)
{
	struct fl_embedded *store = impl;

	return fl_store_queue_pop(&store->queue, ret_message);
}

int fl_embedded_watch(void *impl, struct flannel_error **ret_error)
{
	struct fl_embedded *store = impl;
	int r;

	if (store->follower.state != FL_FOLLOWER_OFF) {
		/* again: whoever hears it now begins with a new list */
		fl_follower_restart(&store->follower);
		schedule(store);
		return 0;
	}
	r = fl_follower_start(&store->follower, store->loop, ret_error);
	if (r < 0)
		return r;
	if (store->database.sqlite)
		r = fl_follower_attach(&store->follower, ret_error);
	if (r < 0) {
		fl_follower_deinit(&store->follower);
		return r;
	}
	schedule(store);
	return 0;
}

/* puts a request, which is taken over, into the queue */
static void append(struct fl_embedded *store, struct fl_store_request *request)
{
	*store->last_next = request;
	store->last_next = &request->next;
	schedule(store);
}

/* makes a request and puts it into the queue; config may be NULL */
static int enqueue(struct fl_embedded *store, enum fl_store_request_type type, uint64_t number,
		   struct flannel_lease *lease, uint32_t lease_sec, const char *config,
		   struct flannel_error **ret_error)
{
	struct fl_store_request *request;
	int r;

	r = fl_store_request_new(type, number, lease, lease_sec, config, &request, ret_error);
	if (r < 0)
		return r;
	append(store, request);
	return 0;
}

/* the same for requests about a lease */
static int enqueue_lease(struct fl_embedded *store, enum fl_store_request_type type, uint64_t number,
			 struct flannel_lease *lease, uint32_t lease_sec, struct flannel_error **ret_error)
{
	if (!lease)
		return fl_error_set(ret_error, -EINVAL, "argument", "a lease is needed", "change lease database %s",
				    store->path);
	return enqueue(store, type, number, lease, lease_sec, NULL, ret_error);
}

int fl_embedded_get_config(void *impl, uint64_t number, struct flannel_error **ret_error)
{
	return enqueue(impl, FL_STORE_REQUEST_GET_CONFIG, number, NULL, 0, NULL, ret_error);
}

int fl_embedded_put_config(void *impl, uint64_t number, const char *config, struct flannel_error **ret_error)
{
	struct fl_embedded *store = impl;

	if (!config)
		return fl_error_set(ret_error, -EINVAL, "argument", "a configuration is needed",
				    "change lease database %s", store->path);
	return enqueue(store, FL_STORE_REQUEST_PUT_CONFIG, number, NULL, 0, config, ret_error);
}

int fl_embedded_set_config(void *impl, uint64_t number, const char *config, const char *former,
			   struct flannel_error **ret_error)
{
	struct fl_store_request *request;
	int r;

	if (!config || !former)
		return fl_embedded_put_config(impl, number, config, ret_error);
	r = fl_store_request_new(FL_STORE_REQUEST_SET_CONFIG, number, NULL, 0, config, &request, ret_error);
	if (r < 0)
		return r;
	request->former = strdup(former);
	if (!request->former) {
		fl_store_request_free(request);
		return fl_error_oom(ret_error);
	}
	append(impl, request);
	return 0;
}

int fl_embedded_create(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		       struct flannel_error **ret_error)
{
	return enqueue_lease(impl, FL_STORE_REQUEST_CREATE, number, lease, lease_sec, ret_error);
}

int fl_embedded_update(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
		       struct flannel_error **ret_error)
{
	return enqueue_lease(impl, FL_STORE_REQUEST_UPDATE, number, lease, lease_sec, ret_error);
}

int fl_embedded_remove(void *impl, uint64_t number, struct flannel_lease *lease, struct flannel_error **ret_error)
{
	return enqueue_lease(impl, FL_STORE_REQUEST_REMOVE, number, lease, 0, ret_error);
}

/* takes over the options and makes what needs no file */
static int store_init(struct fl_embedded *store, const struct fl_embedded_options *options, const struct fl_log *log,
		      struct flannel_error **ret_error)
{
	int r = 0;

	store->last_next = &store->first;
	store->log = log ? *log : (struct fl_log){0};
	store->lost_after_ns = options->lost_after_ns ? options->lost_after_ns : LOST_AFTER_NS;
	store->expiry_delay_ns = random_up_to(EXPIRY_SPREAD_NS);
	if (options->clock)
		store->clock = *options->clock;
	else
		r = fl_clock_init(&store->clock, ret_error);
	if (r < 0)
		return r;
	store->leases = (struct fl_leases){
		.database = &store->database,
		.clock = &store->clock,
		.n_kept = options->n_kept ? options->n_kept : N_KEPT,
	};
	fl_follower_init(&store->follower, &store->leases, &store->queue, &store->log);
	r = fl_loop_new(&store->loop, ret_error);
	if (r < 0)
		return r;
	return fl_loop_add_timer(store->loop, on_timer, store, &store->timer, ret_error);
}

int fl_embedded_open(const char *path, const struct fl_embedded_options *options, const struct fl_log *log,
		     struct fl_embedded **ret_store, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_embedded_freep) struct fl_embedded *store = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (path[0] == '\0')
		return fl_error_set(ret_error, -EINVAL, "argument", "the path is empty", "open lease database");
	store = calloc(1, sizeof(*store));
	if (!store)
		return fl_error_oom(ret_error);
	/* an unstarted follower has no descriptor */
	store->follower.inotify_fd = -1;
	r = store_init(store, options ? options : &(struct fl_embedded_options){0}, log, ret_error);
	if (r == 0)
		r = fl_place_prepare(path, &store->path, ret_error);
	if (r < 0)
		return r;
	store->database.path = store->path;
	r = ensure_open(store, &error);
	if (r < 0 && r != -EAGAIN) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	/* another process makes or changes it in this instant; ours comes a little later, requests wait */
	if (r < 0)
		fail(store, r, error);
	schedule(store);
	*ret_store = FL_TAKE(store);
	return 0;
}

struct fl_embedded *fl_embedded_free(struct fl_embedded *store)
{
	if (!store)
		return NULL;
	fl_follower_deinit(&store->follower);
	fl_database_close(&store->database);
	while (store->first) {
		struct fl_store_request *request = store->first;

		store->first = request->next;
		fl_store_request_free(request);
	}
	fl_store_queue_clear(&store->queue);
	store->timer = fl_source_free(store->timer);
	store->loop = fl_loop_free(store->loop);
	free(store->path);
	free(store);
	return NULL;
}
