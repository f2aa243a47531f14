/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_TESTS_FAKE_STORE_H
#define FL_TESTS_FAKE_STORE_H

/*
 * A store that does what the test says and nothing else: it writes down each call, checks that it may come now, and leaves the
 * answer to the test. Together with a context and a lease request on it: struct bench. Include after <criterion/criterion.h>.
 */

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <flannel/flannel.h>

#include "base/error.h"
#include "base/loop.h"
#include "store/queue.h"

#define FAKE_PATIENCE_MS 10000
#define FAKE_CALLS_MAX 256
#define FAKE_IP "192.0.2.1"
#define FAKE_IP6 "2001:db8::1"
#define FAKE_CONFIG "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"host-gw\"}}"
#define FAKE_CONFIG_DUAL                                                                                               \
	"{\"Network\":\"10.244.0.0/16\",\"EnableIPv6\":true,\"IPv6Network\":\"fd00:10:244::/48\","                     \
	"\"Backend\":{\"Type\":\"host-gw\"}}"

struct fake {
	struct fl_store_queue queue;
	int fd;
	char *calls[FAKE_CALLS_MAX];
	size_t n_calls, n_seen;
	uint64_t number; /* of the last request */
	bool open;       /* it was not answered yet */
	struct flannel_lease *lease;
	uint32_t lease_sec;
	int refuse; /* what the next call returns instead of working */
	bool refuse_with_error;
	int dispatch_code; /* negative: it cannot go on */
	bool is_reservation;

	/* of a store that does not let nodes choose */
	struct flannel_lease *given; /* NULL: nothing, or -EAGAIN with is_unsure */
	bool is_unsure;
	bool knows_names; /* it need not be told the address */
};

struct bench {
	struct flannel_context *context;
	struct flannel_store *store;
	struct fake *fake; /* owned by the store */
	struct flannel_request *request;
	struct flannel_lease_options options;
	int userdata; /* its address marks the request's events */
};

/* makes the descriptor readable */
static inline void fake_ring(struct fake *fake)
{
	uint64_t one = 1;

	cr_assert_eq(write(fake->fd, &one, sizeof(one)), (ssize_t)sizeof(one));
}

/* writes a call down; a refusal is the result */
static inline int __attribute__((format(printf, 3, 4)))
fake_note(struct fake *fake, struct flannel_error **ret_error, const char *format, ...)
{
	int refuse = fake->refuse;
	va_list args;

	cr_assert_lt(fake->n_calls, FAKE_CALLS_MAX);
	va_start(args, format);
	cr_assert_geq(vasprintf(&fake->calls[fake->n_calls++], format, args), 0);
	va_end(args);
	fake->refuse = 0;
	if (refuse && fake->refuse_with_error)
		fl_error_set_retryable(ret_error, refuse, "fake", "refused", "call");
	return refuse;
}

/* one more request: numbers only grow, and one is answered before the next, unless a removal overtakes a renewal */
static inline int fake_request(struct fake *fake, int r, uint64_t number, struct flannel_lease *lease,
			       uint32_t lease_sec)
{
	cr_assert_gt(number, fake->number, "the numbers of requests have to grow");
	if (r < 0)
		return r;
	fake->number = number;
	fake->open = true;
	flannel_lease_unref(fake->lease);
	fake->lease = flannel_lease_ref(lease);
	fake->lease_sec = lease_sec;
	return 0;
}

static inline const char *fake_key(struct flannel_lease *lease)
{
	static __thread char key[2 * FLANNEL_PREFIX_STRLEN];

	cr_assert_not_null(lease);
	return flannel_lease_format_key(lease, key, sizeof(key));
}

static inline void fake_free(void *impl)
{
	struct fake *fake = impl;

	fl_store_queue_clear(&fake->queue);
	for (size_t i = 0; i < fake->n_calls; i++)
		free(fake->calls[i]);
	flannel_lease_unref(fake->lease);
	flannel_lease_unref(fake->given);
	close(fake->fd);
	free(fake);
}

static inline int fake_get_fd(void *impl)
{
	return ((struct fake *)impl)->fd;
}

static inline int fake_dispatch(void *impl, struct flannel_error **ret_error)
{
	struct fake *fake = impl;

	if (fake->dispatch_code < 0 && fake->refuse_with_error)
		fl_error_set(ret_error, fake->dispatch_code, "fake", "gone for good", "dispatch");
	return fake->dispatch_code;
}

static inline int fake_next(void *impl, struct flannel_store_message *ret_message)
{
	struct fake *fake = impl;
	uint64_t count;

	cr_assert_eq(ret_message->size, sizeof(*ret_message));
	if (fl_store_queue_pop(&fake->queue, ret_message) > 0)
		return 1;
	(void)!read(fake->fd, &count, sizeof(count));
	return 0;
}

static inline int fake_watch(void *impl, struct flannel_error **ret_error)
{
	return fake_note(impl, ret_error, "watch");
}

static inline int fake_get_config(void *impl, uint64_t number, struct flannel_error **ret_error)
{
	struct fake *fake = impl;

	cr_assert_not(fake->open, "get_config before the last request was answered");
	return fake_request(fake, fake_note(fake, ret_error, "get_config"), number, NULL, 0);
}

static inline int fake_put_config(void *impl, uint64_t number, const char *config, struct flannel_error **ret_error)
{
	struct fake *fake = impl;

	cr_assert_not(fake->open, "put_config before the last request was answered");
	return fake_request(fake, fake_note(fake, ret_error, "put_config %s", config), number, NULL, 0);
}

static inline int fake_create(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
			      struct flannel_error **ret_error)
{
	struct fake *fake = impl;

	cr_assert_not(fake->open, "create before the last request was answered");
	return fake_request(fake, fake_note(fake, ret_error, "create %s", fake_key(lease)), number, lease, lease_sec);
}

static inline int fake_update(void *impl, uint64_t number, struct flannel_lease *lease, uint32_t lease_sec,
			      struct flannel_error **ret_error)
{
	struct fake *fake = impl;

	cr_assert_not(fake->open, "update before the last request was answered");
	return fake_request(fake, fake_note(fake, ret_error, "update %s", fake_key(lease)), number, lease, lease_sec);
}

static inline int fake_remove(void *impl, uint64_t number, struct flannel_lease *lease,
			      struct flannel_error **ret_error)
{
	struct fake *fake = impl;

	return fake_request(fake, fake_note(fake, ret_error, "remove %s", fake_key(lease)), number, lease, 0);
}

static const struct flannel_store_ops fake_ops = {
	.size = sizeof(fake_ops),
	.name = "fake",
	.free = fake_free,
	.get_fd = fake_get_fd,
	.dispatch = fake_dispatch,
	.next = fake_next,
	.watch = fake_watch,
	.get_config = fake_get_config,
	.put_config = fake_put_config,
	.create = fake_create,
	.update = fake_update,
	.remove = fake_remove,
};

/* what is given, whatever the address */
static inline int fake_get_assigned(void *impl, const struct flannel_prefix *public_ip,
				    const struct flannel_prefix *public_ip6,
				    struct flannel_store_assignment *ret_assignment, struct flannel_error **ret_error)
{
	struct fake *fake = impl;

	cr_assert_eq(ret_assignment->size, sizeof(*ret_assignment));
	if (fake->is_unsure)
		return fl_error_set_retryable(ret_error, -EAGAIN, "fake", "not yet", "wait for the subnet");
	if (!fake->given || (!fake->knows_names && !public_ip->family && !public_ip6->family))
		return 0;
	ret_assignment->lease = flannel_lease_ref(fake->given);
	return 1;
}

static inline struct fake *fake_new(void)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	cr_assert_not_null(fake);
	fake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	cr_assert_geq(fake->fd, 0);
	return fake;
}

/* queues a message; takes over what it points to */
static inline void fake_tell(struct fake *fake, struct flannel_store_message message)
{
	cr_assert_eq(fl_store_queue_push(&fake->queue, &message), 0);
	fake_ring(fake);
}

/* a lease of a node: "10.244.2.0-24 192.0.2.2 [backend data]", for a day, or for ever after "!" */
static inline struct flannel_lease *fake_lease(const char *text)
{
	bool for_ever = text[0] == '!';
	char key[64] = "", ip[64] = "", data[64] = "", value[256];
	struct flannel_error *error = NULL;
	struct flannel_lease *lease = NULL;
	int n;

	cr_assert_geq(sscanf(text + for_ever, "%63s %63s %63s", key, ip, data), 2, "%s", text);
	n = snprintf(value, sizeof(value), "{\"PublicIP\":\"%s\",\"PublicIPv6\":%s%s%s,\"BackendType\":\"host-gw\"",
		     strchr(ip, ':') ? "0.0.0.0" : ip, strchr(ip, ':') ? "\"" : "null", strchr(ip, ':') ? ip : "",
		     strchr(ip, ':') ? "\"" : "");
	snprintf(value + n, sizeof(value) - (size_t)n, "%s%s}", data[0] ? ",\"BackendData\":" : "", data);
	cr_assert_eq(
		flannel_lease_parse(key, value, strlen(value), for_ever ? 0 : time(NULL) + 86400, 7, &lease, &error), 0,
		"%s: %s", text, flannel_error_get_message(error));
	return lease;
}

static inline void fake_tell_lease(struct fake *fake, int type, const char *text)
{
	fake_tell(fake, (struct flannel_store_message){.type = type, .lease = fake_lease(text)});
}

/* a full list, ended by NULL */
static inline void __attribute__((sentinel)) fake_snapshot(struct fake *fake, ...)
{
	const char *text;
	va_list args;

	fake_tell(fake, (struct flannel_store_message){.type = FLANNEL_STORE_SNAPSHOT_BEGIN});
	va_start(args, fake);
	while ((text = va_arg(args, const char *)))
		fake_tell_lease(fake, FLANNEL_STORE_LEASE, text);
	va_end(args);
	fake_tell(fake, (struct flannel_store_message){.type = FLANNEL_STORE_SNAPSHOT_END});
}

/* what a store makes of a lease that it writes */
static inline struct flannel_lease *fake_stored(const struct fake *fake)
{
	struct flannel_lease_fields fields = {.size = sizeof(fields), .revision = 8};
	struct flannel_lease *lease = NULL;

	flannel_lease_get_subnet(fake->lease, AF_INET, &fields.subnet);
	flannel_lease_get_subnet(fake->lease, AF_INET6, &fields.subnet6);
	flannel_lease_get_public_ip(fake->lease, AF_INET, &fields.public_ip);
	flannel_lease_get_public_ip(fake->lease, AF_INET6, &fields.public_ip6);
	fields.backend_type = flannel_lease_get_backend_type(fake->lease);
	fields.backend_data = flannel_lease_get_backend_data(fake->lease, AF_INET);
	fields.backend_v6_data = flannel_lease_get_backend_data(fake->lease, AF_INET6);
	fields.expires_sec = fake->is_reservation ? 0 : time(NULL) + fake->lease_sec;
	cr_assert_eq(flannel_lease_new(&fields, &lease, NULL), 0);
	return lease;
}

/* answers the last create, update or remove */
static inline void fake_answer(struct fake *fake, int code)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_DONE, .code = code, .request = fake->number};

	cr_assert(fake->open, "nothing was asked");
	fake->open = false;
	if (code == 0)
		message.lease = fake_stored(fake);
	fake_tell(fake, message);
}

/* answers the last get_config or put_config; NULL: there is none */
static inline void fake_answer_config(struct fake *fake, int code, const char *text)
{
	struct flannel_store_message message = {.type = FLANNEL_STORE_CONFIG, .code = code, .request = fake->number};

	cr_assert(fake->open, "nothing was asked");
	fake->open = false;
	message.config = text ? strdup(text) : NULL;
	fake_tell(fake, message);
}

/* dispatches until the context wants to wait */
static inline void bench_settle(struct bench *bench)
{
	struct pollfd fd = {.fd = flannel_context_get_fd(bench->context), .events = POLLIN};

	while (flannel_context_dispatch(bench->context, NULL) > 0 || poll(&fd, 1, 0) > 0)
		;
}

/* dispatches once, waiting for something to do */
static inline void bench_turn(struct bench *bench, const char *what)
{
	struct pollfd fd = {.fd = flannel_context_get_fd(bench->context), .events = POLLIN};

	cr_assert_gt(poll(&fd, 1, FAKE_PATIENCE_MS), 0, "waited in vain for: %s", what);
	cr_assert_geq(flannel_context_dispatch(bench->context, NULL), 0);
}

/* the next call that the store gets; compared up to the length of what is expected */
static inline void bench_call(struct bench *bench, const char *expected)
{
	struct fake *fake = bench->fake;
	const char *call;

	while (fake->n_seen == fake->n_calls)
		bench_turn(bench, expected);
	call = fake->calls[fake->n_seen++];
	cr_assert(strncmp(call, expected, strlen(expected)) == 0, "the call is \"%s\", expected \"%s\"", call,
		  expected);
}

/* the next event: "lease-acquired 10.244.3.0-24", or with a part of the error's message */
static inline void bench_event(struct bench *bench, const char *expected)
{
	struct flannel_event *event = NULL;
	struct flannel_error *error;
	char line[1024];

	while (flannel_context_next_event(bench->context, &event) == 0)
		bench_turn(bench, expected);
	cr_expect_eq(flannel_event_get_userdata(event), (void *)&bench->userdata);
	error = flannel_event_get_error(event);
	snprintf(line, sizeof(line), "%s%s%s%s%s", flannel_event_get_type_name(event),
		 flannel_event_get_lease(event) ? " " : "",
		 flannel_event_get_lease(event) ? fake_key(flannel_event_get_lease(event)) : "", error ? " " : "",
		 error ? flannel_error_get_message(error) : "");
	cr_expect_neq(flannel_event_get_text(event)[0], '\0', "%s has no text", line);
	if (error)
		cr_assert(strncmp(line, expected, strcspn(expected, " ")) == 0 &&
				  strstr(line, strchr(expected, ' ') + 1),
			  "the event is \"%s\", expected \"%s\"", line, expected);
	else
		cr_assert_str_eq(line, expected, "the event is \"%s\", expected \"%s\"", line, expected);
	flannel_event_free(event);
}

/* nothing more happens by itself, neither a call nor an event */
static inline void bench_quiet(struct bench *bench)
{
	struct flannel_event *event = NULL;

	bench_settle(bench);
	cr_assert_eq(flannel_context_next_event(bench->context, &event), 0, "there is an event: %s %s",
		     flannel_event_get_type_name(event), flannel_event_get_text(event));
	cr_assert_eq(bench->fake->n_seen, bench->fake->n_calls, "there is a call: %s",
		     bench->fake->calls[bench->fake->n_seen]);
}

/* context, store, and the options of a request */
static inline void bench_open_store(struct bench *bench, const struct flannel_store_ops *ops)
{
	*bench = (struct bench){.fake = fake_new()};
	cr_assert_eq(flannel_context_new(&bench->context, NULL, NULL), 0);
	cr_assert_eq(flannel_store_new(bench->context, ops, bench->fake, &bench->store, NULL), 0);
	bench->options = (struct flannel_lease_options){.size = sizeof(bench->options)};
	bench->options.public_ip = FAKE_IP;
	bench->options.userdata = &bench->userdata;
}

static inline void bench_open(struct bench *bench)
{
	bench_open_store(bench, &fake_ops);
}

static inline void bench_close(struct bench *bench)
{
	flannel_request_free(bench->request);
	flannel_store_unref(bench->store);
	flannel_context_unref(bench->context);
}

static inline struct flannel_prefix bench_prefix(const char *text)
{
	struct flannel_prefix prefix;

	cr_assert_eq(flannel_prefix_parse(text, &prefix), 0, "%s", text);
	return prefix;
}

/* starts the request */
static inline void bench_start(struct bench *bench)
{
	struct flannel_error *error = NULL;

	cr_assert_eq(flannel_lease_acquire(bench->context, bench->store, &bench->options, &bench->request, &error), 0,
		     "%s", flannel_error_get_message(error));
	cr_assert_null(flannel_request_get_lease(bench->request));
}

/* up to the watch that follows the configuration */
static inline void bench_start_with(struct bench *bench, const char *config)
{
	bench_start(bench);
	bench_call(bench, "get_config");
	fake_answer_config(bench->fake, 0, config);
	bench_call(bench, "watch");
}

/* holds 10.244.3.0/24 with the peer 10.244.2.0/24; renewal is due after a second */
static inline void bench_hold(struct bench *bench)
{
	bench->options.previous = bench_prefix("10.244.3.0/24");
	bench->options.lease_sec = 60;
	bench->options.renew_margin_sec = 59;
	bench_start_with(bench, FAKE_CONFIG);
	fake_snapshot(bench->fake, "10.244.2.0-24 192.0.2.2", NULL);
	bench_call(bench, "create 10.244.3.0-24");
	fake_answer(bench->fake, 0);
	bench_event(bench, "peer-added 10.244.2.0-24");
	bench_event(bench, "lease-acquired 10.244.3.0-24");
	fake_tell_lease(bench->fake, FLANNEL_STORE_LEASE, "10.244.3.0-24 " FAKE_IP);
	bench_quiet(bench);
}

#endif
