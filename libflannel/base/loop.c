/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/error.h"

/* Callbacks of one dispatch: this many descriptors and this many timers at most. */
#define DISPATCH_MAX 64

#define NEVER UINT64_MAX

enum source_type { SOURCE_FD, SOURCE_TIMER };

struct fl_source {
	struct fl_loop *loop;
	struct fl_source *prev, *next; /* among all sources of the loop; next also among the dead ones */
	enum source_type type;
	fl_source_fn fn;
	void *userdata;

	int fd;
	uint32_t events; /* 0: not in the epoll set */

	uint64_t deadline_ns; /* as set */
	uint64_t due_ns;      /* the same, but not before the dispatch in which it was set */
	uint64_t order;       /* of setting; decides among equal due_ns */
	size_t heap_index;    /* valid while deadline_ns is not NEVER */
};

struct fl_loop {
	int epoll_fd;
	int timer_fd;
	unsigned int depth; /* of dispatches that run now */
	struct fl_source *sources;
	struct fl_source *dead; /* freed in callbacks; the memory stays until no dispatch can hold it any more */

	/* armed timers, a binary heap with the earliest on top; it has room for every timer there is */
	struct fl_source **heap;
	size_t n_armed, n_timers, heap_size;
	uint64_t order;
	uint64_t now_ns;   /* at the start of the last dispatch */
	uint64_t wait_ns;  /* deadline of the fl_loop_wait() that runs now */
	uint64_t armed_ns; /* what timer_fd is set to */
};

uint64_t fl_loop_now(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * FL_NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* is timer a due before b */
static bool is_before(const struct fl_source *a, const struct fl_source *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

/* puts a timer into a place of the heap */
static void heap_place(struct fl_loop *loop, size_t index, struct fl_source *timer)
{
	loop->heap[index] = timer;
	timer->heap_index = index;
}

/* moves the timer from the hole at index to where it belongs */
static void heap_sift(struct fl_loop *loop, size_t index, struct fl_source *timer)
{
	while (index > 0 && is_before(timer, loop->heap[(index - 1) / 2])) {
		heap_place(loop, index, loop->heap[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * index + 1;

		if (child + 1 < loop->n_armed && is_before(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (child >= loop->n_armed || !is_before(loop->heap[child], timer))
			break;
		heap_place(loop, index, loop->heap[child]);
		index = child;
	}
	heap_place(loop, index, timer);
}

/* takes a timer out of the heap */
static void heap_remove(struct fl_loop *loop, struct fl_source *timer)
{
	struct fl_source *last;

	if (timer->deadline_ns == NEVER)
		return;
	timer->deadline_ns = NEVER;
	last = loop->heap[--loop->n_armed];
	if (last != timer)
		heap_sift(loop, timer->heap_index, last);
}

/* sets timer_fd to what comes first */
static void arm_now(struct fl_loop *loop)
{
	uint64_t first = loop->n_armed ? loop->heap[0]->due_ns : NEVER;
	struct itimerspec spec = {0};

	if (loop->wait_ns < first)
		first = loop->wait_ns;
	if (first == 0)
		first = 1; /* zero would disarm */
	if (first == loop->armed_ns)
		return;
	if (first != NEVER) {
		spec.it_value.tv_sec = (time_t)(first / FL_NSEC_PER_SEC);
		spec.it_value.tv_nsec = (long)(first % FL_NSEC_PER_SEC);
	}
	/* takes back an expiry that nobody has read, too; cannot fail with a valid time */
	(void)timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
	loop->armed_ns = first;
}

/* the same, but inside a dispatch it is left to its end: one system call for all changes */
static void arm(struct fl_loop *loop)
{
	if (loop->depth == 0)
		arm_now(loop);
}

/* frees the memory of what was freed in callbacks */
static void bury(struct fl_loop *loop)
{
	while (loop->dead) {
		struct fl_source *source = loop->dead;

		loop->dead = source->next;
		free(source);
	}
}

/* stops a source and takes it off the list; its memory stays while a dispatch may hold it */
static void source_remove(struct fl_loop *loop, struct fl_source *source)
{
	if (source->type == SOURCE_TIMER) {
		fl_source_set_deadline(source, NEVER);
		loop->n_timers--;
	} else {
		/* fails only if the descriptor was closed already, which took it out of the set */
		(void)fl_source_set_events(source, 0);
		source->events = 0;
	}
	if (source->prev)
		source->prev->next = source->next;
	else
		loop->sources = source->next;
	if (source->next)
		source->next->prev = source->prev;
	if (loop->depth == 0) {
		free(source);
		return;
	}
	source->next = loop->dead;
	loop->dead = source;
}

struct fl_source *fl_source_free(struct fl_source *source)
{
	if (source)
		source_remove(source->loop, source);
	return NULL;
}

int fl_loop_new(struct fl_loop **ret_loop, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = calloc(1, sizeof(*loop));
	struct epoll_event event = {.events = EPOLLIN};

	if (!loop)
		return fl_error_oom(ret_error);
	loop->wait_ns = loop->armed_ns = NEVER;
	loop->timer_fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return fl_error_set(ret_error, -errno, "process", NULL, "open epoll descriptor");
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->timer_fd < 0)
		return fl_error_set(ret_error, -errno, "process", NULL, "open timer descriptor");
	/* its data.ptr stays NULL, no source looks like that */
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->timer_fd, &event) < 0)
		return fl_error_set(ret_error, -errno, "process", NULL, "watch timer descriptor");
	*ret_loop = FL_TAKE(loop);
	return 0;
}

struct fl_loop *fl_loop_free(struct fl_loop *loop)
{
	if (!loop)
		return NULL;
	while (loop->sources)
		source_remove(loop, loop->sources);
	bury(loop);
	free(loop->heap);
	fl_closep(&loop->timer_fd);
	fl_closep(&loop->epoll_fd);
	free(loop);
	return NULL;
}

int fl_loop_get_fd(const struct fl_loop *loop)
{
	return loop->epoll_fd;
}

/* calls back for timers that were due when the dispatch began; returns how many */
static int run_timers(struct fl_loop *loop)
{
	/* What a callback sets anew, though due at once, waits for the next dispatch: others get their turn. */
	uint64_t last_order = loop->order, now_ns = loop->now_ns;
	int n = 0;

	while (n < DISPATCH_MAX && loop->n_armed > 0) {
		struct fl_source *timer = loop->heap[0];

		if (timer->due_ns > now_ns || timer->order > last_order)
			break;
		heap_remove(loop, timer);
		timer->fn(timer->userdata, 0);
		n++;
	}
	return n;
}

/* Calls back once for whatever is due. Returns the number of callbacks or a negative errno. */
static int dispatch_once(struct fl_loop *loop)
{
	struct epoll_event events[DISPATCH_MAX];
	int n_events, n = 0;

	do {
		n_events = epoll_wait(loop->epoll_fd, events, DISPATCH_MAX, 0);
	} while (n_events < 0 && errno == EINTR);
	if (n_events < 0)
		return -errno;
	loop->now_ns = fl_loop_now();
	loop->depth++;
	/* Descriptors first: an answer that has come in counts, even if its time-out passed while the host slept. */
	for (int i = 0; i < n_events; i++) {
		struct fl_source *source = events[i].data.ptr;
		uint32_t wanted;

		/* timer_fd: whether a timer is due is asked of the clock, and arm() takes back the expiry */
		if (!source)
			continue;
		/* a callback before it may have freed it or changed what it waits for */
		wanted = source->events ? source->events | EPOLLERR | EPOLLHUP : 0;
		if (!(events[i].events & wanted))
			continue;
		source->fn(source->userdata, events[i].events & wanted);
		n++;
	}
	n += run_timers(loop);
	if (--loop->depth == 0)
		bury(loop);
	arm(loop);
	return n;
}

/* is something due now; asks the kernel, so that sources that have not read everything count */
static bool is_due(const struct fl_loop *loop)
{
	struct pollfd poll_fd = {.fd = loop->epoll_fd, .events = POLLIN};

	if (loop->n_armed > 0 && loop->heap[0]->due_ns <= fl_loop_now())
		return true;
	return poll(&poll_fd, 1, 0) > 0;
}

/* -EIO, with what the kernel said as its detail */
static int wait_failed(int r, struct flannel_error **ret_error)
{
	char detail[64];

	errno = -r;
	(void)snprintf(detail, sizeof(detail), "%m");
	return fl_error_set(ret_error, -EIO, "process", detail, "wait for events");
}

int fl_loop_dispatch(struct fl_loop *loop, struct flannel_error **ret_error)
{
	int r = dispatch_once(loop);

	if (r < 0)
		return wait_failed(r, ret_error);
	return is_due(loop);
}

/* sleeps until something is due or loop->wait_ns has come, which timer_fd tells */
static int sleep_until_due(const struct fl_loop *loop)
{
	struct pollfd poll_fd = {.fd = loop->epoll_fd, .events = POLLIN};

	if (loop->n_armed > 0 && loop->heap[0]->due_ns <= fl_loop_now())
		return 0;
	while (poll(&poll_fd, 1, -1) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int fl_loop_wait(struct fl_loop *loop, uint64_t deadline_ns, struct flannel_error **ret_error)
{
	/* may run inside a callback of another wait, whose deadline comes back afterwards */
	uint64_t outer_wait_ns = loop->wait_ns;
	int r;

	for (;;) {
		loop->wait_ns = deadline_ns;
		arm_now(loop);
		r = sleep_until_due(loop);
		if (r == 0)
			r = dispatch_once(loop);
		if (r != 0 || fl_loop_now() >= deadline_ns)
			break;
	}
	loop->wait_ns = outer_wait_ns;
	arm(loop);
	if (r < 0)
		return wait_failed(r, ret_error);
	return r > 0;
}

/* makes a source and puts it on the loop's list */
static struct fl_source *source_new(struct fl_loop *loop, enum source_type type, fl_source_fn fn, void *userdata)
{
	struct fl_source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->loop = loop;
	source->type = type;
	source->fn = fn;
	source->userdata = userdata;
	source->fd = -1;
	source->deadline_ns = NEVER;
	source->next = loop->sources;
	if (source->next)
		source->next->prev = source;
	loop->sources = source;
	if (type == SOURCE_TIMER)
		loop->n_timers++;
	return source;
}

int fl_loop_add_fd(struct fl_loop *loop, int fd, uint32_t events, fl_source_fn fn, void *userdata,
		   struct fl_source **ret_source, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_source_freep) struct fl_source *source = source_new(loop, SOURCE_FD, fn, userdata);
	int r;

	if (!source)
		return fl_error_oom(ret_error);
	source->fd = fd;
	r = fl_source_set_events(source, events);
	if (r < 0)
		return fl_error_set(ret_error, r, "process", NULL, "watch descriptor %d", fd);
	*ret_source = FL_TAKE(source);
	return 0;
}

int fl_loop_add_timer(struct fl_loop *loop, fl_source_fn fn, void *userdata, struct fl_source **ret_source,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_source_freep) struct fl_source *source = NULL;

	/* room for it now, so that arming it cannot fail */
	if (loop->n_timers >= loop->heap_size) {
		size_t size = loop->heap_size ? 2 * loop->heap_size : 16;
		struct fl_source **heap = reallocarray(loop->heap, size, sizeof(struct fl_source *));

		if (!heap)
			return fl_error_oom(ret_error);
		loop->heap = heap;
		loop->heap_size = size;
	}
	source = source_new(loop, SOURCE_TIMER, fn, userdata);
	if (!source)
		return fl_error_oom(ret_error);
	*ret_source = FL_TAKE(source);
	return 0;
}

void fl_source_set_deadline(struct fl_source *timer, uint64_t deadline_ns)
{
	struct fl_loop *loop = timer->loop;

	heap_remove(loop, timer);
	if (deadline_ns != NEVER) {
		timer->deadline_ns = deadline_ns;
		timer->due_ns = deadline_ns > loop->now_ns ? deadline_ns : loop->now_ns;
		timer->order = ++loop->order;
		loop->n_armed++;
		heap_sift(loop, loop->n_armed - 1, timer);
	}
	arm(loop);
}

uint64_t fl_source_get_deadline(const struct fl_source *timer)
{
	return timer->deadline_ns;
}

int fl_source_set_events(struct fl_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	int operation = EPOLL_CTL_MOD;

	if (events == source->events)
		return 0;
	/* epoll tells errors and hang-ups even if nothing was asked for, which would keep the loop awake */
	if (!events)
		operation = EPOLL_CTL_DEL;
	else if (!source->events)
		operation = EPOLL_CTL_ADD;
	if (epoll_ctl(source->loop->epoll_fd, operation, source->fd, &event) < 0)
		return -errno;
	source->events = events;
	return 0;
}
