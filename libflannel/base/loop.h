/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_BASE_LOOP_H
#define FL_BASE_LOOP_H

/*
 * An event loop that a host polls through one epoll descriptor: descriptors and timers, no threads, no signals.
 * Timers run on CLOCK_BOOTTIME, so that a suspended machine catches up at once. A source may free any source,
 * itself included, from inside a callback, and may dispatch or wait again, but not free the loop. Descriptors are
 * level-triggered and served before timers; timers in the order of their deadlines, then in that of setting.
 */

#include <stdint.h>

#include <flannel/error.h>

#include "base/cleanup.h"

struct fl_loop;
struct fl_source;

/* events: EPOLLIN and so on, see epoll_ctl(2); timers get 0 */
typedef void (*fl_source_fn)(void *userdata, uint32_t events);

#define FL_NSEC_PER_SEC 1000000000ULL
#define FL_NSEC_PER_MSEC 1000000ULL

int fl_loop_new(struct fl_loop **ret_loop, struct flannel_error **ret_error);

/* frees the sources that are left, too */
struct fl_loop *fl_loop_free(struct fl_loop *loop);

/* the epoll descriptor; the loop's for life */
int fl_loop_get_fd(const struct fl_loop *loop);

/* calls back for what is due, up to a limit, never waits: 1 if more is due, 0 if not, -EIO */
int fl_loop_dispatch(struct fl_loop *loop, struct flannel_error **ret_error);

/* waits until something is due or deadline_ns (fl_loop_now() clock) has come, then dispatches: 1, 0 at the deadline */
int fl_loop_wait(struct fl_loop *loop, uint64_t deadline_ns, struct flannel_error **ret_error);

/* watches fd, which stays the caller's and must outlive the source; events 0 watches nothing, not even hang-ups */
int fl_loop_add_fd(struct fl_loop *loop, int fd, uint32_t events, fl_source_fn fn, void *userdata,
		   struct fl_source **ret_source, struct flannel_error **ret_error);

/* a timer that is not armed yet */
int fl_loop_add_timer(struct fl_loop *loop, fl_source_fn fn, void *userdata, struct fl_source **ret_source,
		      struct flannel_error **ret_error);

/* runs once at deadline_ns (at the next dispatch, if past); UINT64_MAX disarms. Setting it again moves it. */
void fl_source_set_deadline(struct fl_source *timer, uint64_t deadline_ns);

/* the deadline; UINT64_MAX if not armed */
uint64_t fl_source_get_deadline(const struct fl_source *timer);

/* changes what a descriptor source waits for; 0 is silence. Negative errno only if it waited for nothing before. */
int fl_source_set_events(struct fl_source *source, uint32_t events);

struct fl_source *fl_source_free(struct fl_source *source);

/* CLOCK_BOOTTIME in nanoseconds */
uint64_t fl_loop_now(void);

FL_DEFINE_CLEANUP(struct fl_loop *, fl_loop_free)
FL_DEFINE_CLEANUP(struct fl_source *, fl_source_free)

#endif
