/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/loop.h"

#define N_TIMERS 5000

/* what callbacks of these tests work on */
struct probe {
	struct fl_loop *loop;
	struct fl_source *source, *victim;
	int n, fd;
	uint32_t events;
	uint64_t deadline_ns;
	struct journal *journal;
	int id;
};

/* the order in which callbacks ran */
struct journal {
	int n, ids[N_TIMERS];
};

/* a loop that must come about */
static struct fl_loop *make_loop(void)
{
	struct fl_loop *loop = NULL;

	cr_assert_eq(fl_loop_new(&loop, NULL), 0);
	return loop;
}

/* a descriptor that is readable for ever */
static int make_readable(void)
{
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

	cr_assert_geq(fd, 0);
	return fd;
}

/* adds what must be added */
static struct fl_source *add_fd(struct fl_loop *loop, int fd, fl_source_fn fn, void *userdata)
{
	struct fl_source *source = NULL;

	cr_assert_eq(fl_loop_add_fd(loop, fd, EPOLLIN, fn, userdata, &source, NULL), 0);
	return source;
}

/* the same for a timer with a deadline */
static struct fl_source *add_timer(struct fl_loop *loop, uint64_t deadline_ns, fl_source_fn fn, void *userdata)
{
	struct fl_source *timer = NULL;

	cr_assert_eq(fl_loop_add_timer(loop, fn, userdata, &timer, NULL), 0);
	fl_source_set_deadline(timer, deadline_ns);
	return timer;
}

/* does poll(2) call the loop's descriptor readable within the time */
static bool is_readable(const struct fl_loop *loop, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fl_loop_get_fd(loop), .events = POLLIN};

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* counts */
static void on_count(void *userdata, uint32_t events)
{
	struct probe *probe = userdata;

	probe->n++;
	probe->events = events;
}

/* counts and empties an eventfd */
static void on_drain(void *userdata, uint32_t events)
{
	struct probe *probe = userdata;
	uint64_t value;

	probe->n++;
	probe->events = events;
	cr_expect_eq(read(probe->fd, &value, sizeof(value)), (ssize_t)sizeof(value));
}

Test(loop, empty_has_nothing_to_do)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();

	cr_expect_eq(fcntl(fl_loop_get_fd(loop), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_expect_not(is_readable(loop, 0));
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(fl_loop_wait(loop, 0, NULL), 0);
	cr_expect_null(fl_loop_free(NULL));
	cr_expect_null(fl_source_free(NULL));
}

Test(loop, leaves_no_descriptor_open)
{
	int first = dup(0), second;
	struct fl_loop *loop;

	close(first);
	loop = make_loop();
	(void)add_timer(loop, 1, on_count, NULL);
	fl_loop_free(loop);
	second = dup(0);
	close(second);
	cr_expect_eq(first, second);
}

Test(loop, descriptors_are_level_triggered)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	struct probe probe = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	struct fl_source *source = add_fd(loop, probe.fd, on_count, &probe);
	uint64_t one = 1;

	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(probe.n, 0);
	cr_assert_eq(write(probe.fd, &one, sizeof(one)), (ssize_t)sizeof(one));
	cr_expect(is_readable(loop, 0));
	for (int i = 1; i <= 3; i++) {
		cr_expect_eq(fl_loop_dispatch(loop, NULL), 1);
		cr_expect_eq(probe.n, i);
		cr_expect_eq(probe.events, (uint32_t)EPOLLIN);
	}
	fl_source_free(source);
	cr_expect_not(is_readable(loop, 0));

	source = add_fd(loop, probe.fd, on_drain, &probe);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(probe.n, 4);
	fl_source_free(source);
	close(probe.fd);
}

Test(loop, events_can_change)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	struct probe probe = {.fd = make_readable()};
	struct fl_source *source = add_fd(loop, probe.fd, on_count, &probe);

	cr_expect_eq(fl_source_set_events(source, EPOLLOUT), 0);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 1);
	cr_expect_eq(probe.events, (uint32_t)EPOLLOUT);
	cr_expect_eq(fl_source_set_events(source, 0), 0);
	cr_expect_eq(fl_source_set_events(source, 0), 0);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(probe.n, 1);
	cr_expect_eq(fl_source_set_events(source, EPOLLIN | EPOLLOUT), 0);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 1);
	cr_expect_eq(probe.events, (uint32_t)(EPOLLIN | EPOLLOUT));
	cr_expect_eq(probe.n, 2);
	fl_source_free(source);
	close(probe.fd);
}

Test(loop, silence_covers_hang_ups)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	struct probe probe = {0};
	struct fl_source *source;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	source = add_fd(loop, fds[0], on_count, &probe);
	close(fds[1]);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 1);
	cr_expect_eq(probe.events, (uint32_t)EPOLLHUP);
	cr_expect_eq(fl_source_set_events(source, 0), 0);
	cr_expect_not(is_readable(loop, 0));
	fl_source_free(source);
	close(fds[0]);
}

Test(loop, refuses_descriptors_it_cannot_watch)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	struct fl_source *const untouched = (struct fl_source *)&loop, *source = untouched;
	int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), twice = make_readable();
	const struct {
		int fd, want;
	} cases[] = {{-1, -EBADF}, {directory, -EPERM}, {twice, -EEXIST}, {fl_loop_get_fd(loop), -EINVAL}};

	(void)add_fd(loop, twice, on_count, NULL);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		int r = fl_loop_add_fd(loop, cases[i].fd, EPOLLIN, on_count, NULL, &source, &error);

		cr_expect_eq(r, cases[i].want, "case %zu: %d", i, r);
		cr_expect_eq(flannel_error_get_code(error), cases[i].want, "case %zu", i);
		cr_expect_eq(source, untouched, "case %zu", i);
	}
	close(directory);
	fl_loop_free(FL_TAKE(loop));
	close(twice);
}

Test(loop, nested_epoll_is_a_source)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *outer = make_loop(), *inner = make_loop();
	struct probe inner_probe = {.fd = make_readable()}, outer_probe = {0};

	(void)add_fd(inner, inner_probe.fd, on_drain, &inner_probe);
	(void)add_fd(outer, fl_loop_get_fd(inner), on_count, &outer_probe);
	cr_expect_eq(fl_loop_wait(outer, UINT64_MAX, NULL), 1);
	cr_expect_eq(outer_probe.n, 1);
	cr_expect_eq(fl_loop_dispatch(inner, NULL), 0);
	cr_expect_eq(inner_probe.n, 1);
	cr_expect_eq(fl_loop_dispatch(outer, NULL), 0);
	/* timers of the inner one wake the outer one, too */
	(void)add_timer(inner, fl_loop_now() + FL_NSEC_PER_MSEC, on_count, &inner_probe);
	cr_expect_eq(fl_loop_wait(outer, UINT64_MAX, NULL), 1);
	cr_expect_eq(outer_probe.n, 2);
	fl_loop_free(FL_TAKE(outer));
	fl_loop_free(FL_TAKE(inner));
	close(inner_probe.fd);
}

/* notes its id */
static void on_note(void *userdata, uint32_t events)
{
	struct probe *probe = userdata;

	cr_expect_eq(events, 0U);
	probe->journal->ids[probe->journal->n++] = probe->id;
}

Test(loop, timers_run_in_order_of_deadline)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	const uint64_t deadlines[] = {50, 10, 40, 10, 0, 30, UINT64_MAX, 20};
	const int want[] = {4, 1, 3, 7, 5, 2, 0};
	struct journal journal = {0};
	struct probe probes[8] = {0};

	for (int i = 0; i < 8; i++) {
		probes[i] = (struct probe){.journal = &journal, .id = i};
		probes[i].source = add_timer(loop, deadlines[i], on_note, &probes[i]);
		cr_expect_eq(fl_source_get_deadline(probes[i].source), deadlines[i]);
	}
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(journal.n, 7);
	for (int i = 0; i < 7; i++)
		cr_expect_eq(journal.ids[i], want[i], "place %d: %d", i, journal.ids[i]);
	cr_expect_eq(fl_source_get_deadline(probes[0].source), UINT64_MAX, "runs once only");
	cr_expect_not(is_readable(loop, 0));
}

Test(loop, timer_wakes_poll)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	uint64_t deadline = fl_loop_now() + 5 * FL_NSEC_PER_MSEC;
	struct probe probe = {0};
	struct fl_source *timer = add_timer(loop, deadline, on_count, &probe);

	cr_expect(is_readable(loop, 10000));
	cr_expect_geq(fl_loop_now(), deadline);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(probe.n, 1);
	cr_expect_not(is_readable(loop, 0), "an expiry is told once");

	/* a deadline in the past wakes at once; taken back, it does not */
	fl_source_set_deadline(timer, 1);
	cr_expect(is_readable(loop, 10000));
	fl_source_set_deadline(timer, UINT64_MAX);
	cr_expect_not(is_readable(loop, 0));
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(probe.n, 1);
}

Test(loop, timers_can_move)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	uint64_t far = fl_loop_now() + 3600 * FL_NSEC_PER_SEC;
	struct probe probe = {0};
	struct fl_source *timer = add_timer(loop, far, on_count, &probe);

	fl_source_set_deadline(timer, far + 1);
	cr_expect_eq(fl_source_get_deadline(timer), far + 1);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(probe.n, 0);
	fl_source_set_deadline(timer, 7);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(probe.n, 1);
	fl_source_set_deadline(timer, UINT64_MAX - 1);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(probe.n, 1);
}

Test(loop, thousands_of_timers)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	FL_CLEANUP(fl_freep) struct probe *probes = calloc(N_TIMERS, sizeof(*probes));
	FL_CLEANUP(fl_freep) struct journal *journal = calloc(1, sizeof(*journal));
	int n_dispatches = 1, n_want = 0;
	uint32_t random = 1;

	cr_assert(probes && journal);
	for (int i = 0; i < N_TIMERS; i++) {
		probes[i] = (struct probe){.journal = journal, .id = i};
		random = random * 1664525 + 1013904223;
		probes[i].deadline_ns = 1 + random % 1000000;
		probes[i].source = add_timer(loop, probes[i].deadline_ns, on_note, &probes[i]);
	}
	/* take some out and move others, so that holes in the middle of the heap get filled */
	for (int i = 0; i < N_TIMERS; i++) {
		if (i % 3 == 0)
			probes[i].source = fl_source_free(probes[i].source);
		else if (i % 3 == 1)
			fl_source_set_deadline(probes[i].source, probes[i].deadline_ns = (uint64_t)i * 7919 % 1000003);
		n_want += i % 3 != 0;
	}
	while (fl_loop_dispatch(loop, NULL) == 1)
		n_dispatches++;
	cr_expect_eq(journal->n, n_want);
	cr_expect_gt(n_dispatches, 20, "a dispatch is bounded");
	for (int i = 1; i < journal->n; i++) {
		cr_assert_leq(probes[journal->ids[i - 1]].deadline_ns, probes[journal->ids[i]].deadline_ns, "place %d",
			      i);
	}
}

/* is due again at once, always */
static void on_again(void *userdata, uint32_t events)
{
	struct probe *probe = userdata;

	(void)events;
	probe->n++;
	fl_source_set_deadline(probe->source, 0);
}

Test(loop, a_busy_timer_starves_nobody)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	struct probe busy = {0}, other = {0}, reader = {.fd = make_readable()};

	busy.source = add_timer(loop, 0, on_again, &busy);
	(void)add_timer(loop, 5, on_count, &other);
	(void)add_fd(loop, reader.fd, on_count, &reader);
	for (int i = 1; i <= 3; i++) {
		cr_expect_eq(fl_loop_dispatch(loop, NULL), 1);
		cr_expect_eq(busy.n, i, "once a dispatch");
		cr_expect_eq(reader.n, i);
		cr_expect_eq(other.n, 1);
	}
	fl_loop_free(FL_TAKE(loop));
	close(reader.fd);
}

Test(loop, many_descriptors_all_get_their_turn)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	struct probe probes[200] = {0};
	int n_quiet = 0;

	for (size_t i = 0; i < FL_N_ELEMENTS(probes); i++) {
		probes[i].fd = make_readable();
		(void)add_fd(loop, probes[i].fd, on_count, &probes[i]);
	}
	for (int i = 0; i < 4; i++)
		cr_expect_eq(fl_loop_dispatch(loop, NULL), 1);
	for (size_t i = 0; i < FL_N_ELEMENTS(probes); i++)
		n_quiet += probes[i].n == 0;
	cr_expect_eq(n_quiet, 0);
	fl_loop_free(FL_TAKE(loop));
	for (size_t i = 0; i < FL_N_ELEMENTS(probes); i++)
		close(probes[i].fd);
}

/* frees the victim, then itself */
static void on_free(void *userdata, uint32_t events)
{
	struct probe *probe = userdata;

	(void)events;
	probe->n++;
	probe->victim = fl_source_free(probe->victim);
	probe->source = fl_source_free(probe->source);
}

Test(loop, sources_may_free_each_other)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	struct probe a = {.fd = make_readable()}, b = {.fd = make_readable()}, c = {0}, d = {0};

	a.source = add_fd(loop, a.fd, on_free, &a);
	b.source = add_fd(loop, b.fd, on_free, &b);
	a.victim = b.source;
	b.victim = a.source;
	c.source = add_timer(loop, 1, on_free, &c);
	c.victim = d.source = add_timer(loop, 2, on_count, &d);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	cr_expect_eq(a.n + b.n, 1, "whoever came first has freed the other");
	cr_expect_eq(c.n, 1);
	cr_expect_eq(d.n, 0);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
	close(a.fd);
	close(b.fd);
}

/* adds a source in place of itself, on the same descriptor */
static void on_replace(void *userdata, uint32_t events)
{
	struct probe *probe = userdata;

	(void)events;
	fl_source_free(probe->source);
	probe->source = add_fd(probe->loop, probe->fd, on_count, probe);
}

Test(loop, sources_may_add_sources)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	struct probe probe = {.loop = loop, .fd = make_readable()};

	probe.source = add_fd(loop, probe.fd, on_replace, &probe);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 1);
	cr_expect_eq(probe.n, 0);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 1);
	cr_expect_eq(probe.n, 1);
	fl_loop_free(FL_TAKE(loop));
	close(probe.fd);
}

Test(loop, wait_ends_at_the_deadline)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	uint64_t deadline = fl_loop_now() + 5 * FL_NSEC_PER_MSEC;
	struct probe probe = {0};
	struct fl_source *timer = add_timer(loop, deadline + 3600 * FL_NSEC_PER_SEC, on_count, &probe);

	cr_expect_eq(fl_loop_wait(loop, deadline, NULL), 0);
	cr_expect_geq(fl_loop_now(), deadline);
	cr_expect_eq(probe.n, 0);
	cr_expect_not(is_readable(loop, 0), "the deadline of a wait does not stay armed");

	fl_source_set_deadline(timer, fl_loop_now() + FL_NSEC_PER_MSEC);
	cr_expect_eq(fl_loop_wait(loop, UINT64_MAX, NULL), 1);
	cr_expect_eq(probe.n, 1);

	/* what is due counts, even after the deadline */
	fl_source_set_deadline(timer, 1);
	cr_expect_eq(fl_loop_wait(loop, 1, NULL), 1);
	cr_expect_eq(probe.n, 2);
}

/* waits for the victim, a timer, inside a callback */
static void on_wait(void *userdata, uint32_t events)
{
	struct probe *probe = userdata;

	(void)events;
	probe->n++;
	fl_source_free(FL_TAKE(probe->source));
	while (fl_source_get_deadline(probe->victim) != UINT64_MAX)
		cr_assert_eq(fl_loop_wait(probe->loop, UINT64_MAX, NULL), 1);
}

Test(loop, wait_within_a_callback)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	struct probe outer = {.loop = loop}, inner = {0};

	outer.source = add_timer(loop, 1, on_wait, &outer);
	outer.victim = add_timer(loop, fl_loop_now() + 2 * FL_NSEC_PER_MSEC, on_count, &inner);
	cr_expect_eq(fl_loop_wait(loop, fl_loop_now() + 3600 * FL_NSEC_PER_SEC, NULL), 1);
	cr_expect_eq(outer.n, 1);
	cr_expect_eq(inner.n, 1);
	cr_expect_eq(fl_loop_dispatch(loop, NULL), 0);
}

/* interrupts system calls and does nothing else */
static void on_signal(int signal_number)
{
	(void)signal_number;
}

Test(loop, signals_do_not_end_a_wait)
{
	FL_CLEANUP(fl_loop_freep) struct fl_loop *loop = make_loop();
	struct itimerval soon = {.it_value.tv_usec = 1000, .it_interval.tv_usec = 1000}, never = {0};
	struct sigaction action = {.sa_handler = on_signal};
	uint64_t deadline = fl_loop_now() + 10 * FL_NSEC_PER_MSEC;

	cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
	cr_assert_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
	cr_expect_eq(fl_loop_wait(loop, deadline, NULL), 0);
	cr_expect_geq(fl_loop_now(), deadline);
	cr_assert_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
}

Test(loop, a_broken_loop_says_so)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_loop *loop = make_loop();
	int fd = fl_loop_get_fd(loop), zero = open("/dev/null", O_RDONLY | O_CLOEXEC);

	cr_assert_eq(dup3(zero, fd, O_CLOEXEC), fd);
	cr_expect_eq(fl_loop_dispatch(loop, &error), -EIO);
	cr_expect_eq(flannel_error_get_code(error), -EIO);
	cr_expect_str_eq(flannel_error_get_message(error), "wait for events: Invalid argument");
	error = flannel_error_unref(error);
	cr_expect_eq(fl_loop_wait(loop, 0, &error), -EIO);
	fl_loop_free(loop);
	close(zero);
}
