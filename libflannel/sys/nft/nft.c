/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nft/nft.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "sys/nft/encode.h"
#include "sys/nft/process.h"

#define AREA "nft"
#define OPERATION "change nft rules"

/* what a synchronous request waits for */
struct answer {
	bool done;
	int code;
	struct flannel_error *error;
};

struct fl_nft {
	char *helper;
	int netns_fd;
	struct fl_log log;
	struct fl_nft_process process;
	fl_nft_fn fn; /* set while a request runs */
	void *userdata;
	struct answer
		answer; /* of a synchronous request: one at a time, and not on the stack, since userdata points at it */
};

int fl_nft_new(const char *helper, int netns_fd, const struct fl_log *log, struct fl_nft **ret_nft,
	       struct flannel_error **ret_error)
{
	struct fl_nft *nft = calloc(1, sizeof(*nft));
	int r;

	if (!nft)
		return fl_error_oom(ret_error);
	nft->process = (struct fl_nft_process){.socket_fd = -1, .pid_fd = -1};
	nft->netns_fd = netns_fd < 0 ? -1 : fcntl(netns_fd, F_DUPFD_CLOEXEC, 0);
	if (log)
		nft->log = *log;
	if (netns_fd >= 0 && nft->netns_fd < 0) {
		r = fl_error_set(ret_error, -errno, AREA, NULL, "keep network namespace");
		fl_nft_free(nft);
		return r;
	}
	nft->helper = strdup(helper);
	if (!nft->helper) {
		fl_nft_free(nft);
		return fl_error_oom(ret_error);
	}
	*ret_nft = nft;
	return 0;
}

struct fl_nft *fl_nft_free(struct fl_nft *nft)
{
	if (!nft)
		return NULL;
	fl_nft_process_stop(&nft->process, nft->fn != NULL);
	fl_closep(&nft->netns_fd);
	free(nft->helper);
	free(nft);
	return NULL;
}

/* starts the helper if none runs */
static int ensure_helper(struct fl_nft *nft, struct flannel_error **ret_error)
{
	int r;

	if (nft->process.socket_fd >= 0)
		return 0;
	r = fl_nft_process_start(nft->helper, nft->netns_fd, &nft->process, ret_error);
	if (r >= 0)
		fl_log(&nft->log, FLANNEL_LOG_DEBUG, AREA, "started %s", nft->helper);
	return r;
}

int fl_nft_start(struct fl_nft *nft, struct flannel_error **ret_error)
{
	return ensure_helper(nft, ret_error);
}

void fl_nft_prepare(struct fl_nft *nft)
{
	(void)ensure_helper(nft, NULL);
}

int fl_nft_get_fd(const struct fl_nft *nft)
{
	return nft->process.socket_fd;
}

/* does this result of send() or recv() say that the helper is dead */
static bool means_death(int code)
{
	return code == -EPIPE || code == -ECONNRESET || code == -ENOTCONN;
}

/* hands a request to the helper: 0 or negative errno */
static int send_request(const struct fl_nft *nft, const char *text, size_t len)
{
	if (send(nft->process.socket_fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}

/* the same with a helper that lives: one that died before it was asked is replaced, since nothing of this reached it */
static int send_to_helper(struct fl_nft *nft, const char *text, struct flannel_error **ret_error)
{
	bool fresh = nft->process.socket_fd < 0;
	int r;

	r = ensure_helper(nft, ret_error);
	if (r < 0)
		return r;
	r = send_request(nft, text, strlen(text));
	if (means_death(r) && !fresh) {
		fl_log(&nft->log, FLANNEL_LOG_INFO, AREA, "%s has ended, starting it again", nft->helper);
		fl_nft_process_stop(&nft->process, true);
		r = ensure_helper(nft, ret_error);
		if (r < 0)
			return r;
		r = send_request(nft, text, strlen(text));
	}
	if (r >= 0)
		return 0;
	fl_nft_process_stop(&nft->process, true);
	return fl_error_set_retryable(ret_error, means_death(r) ? -EPIPE : r, AREA, NULL, "send to nft helper %s",
				      nft->helper);
}

/* sends a request, whose answer goes to fn. Not inlined: seeing into request_sync(), which does not return before its answer has come, the
 * compiler would warn of a pointer that is left behind. */
__attribute__((noinline)) static int start_request(struct fl_nft *nft, const char *text, fl_nft_fn fn, void *userdata,
						   struct flannel_error **ret_error)
{
	int r;

	if (nft->fn)
		return fl_error_set_retryable(ret_error, -EBUSY, AREA, "another request runs", OPERATION);
	r = send_to_helper(nft, text, ret_error);
	if (r < 0)
		return r;
	nft->fn = fn;
	nft->userdata = userdata;
	return 0;
}

int fl_nft_replace(struct fl_nft *nft, const struct fl_nft_table *tables, size_t n_tables, fl_nft_fn fn, void *userdata,
		   struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	int r = fl_nft_encode(tables, n_tables, &text, ret_error);

	return r < 0 ? r : start_request(nft, text, fn, userdata, ret_error);
}

int fl_nft_run(struct fl_nft *nft, struct json_object *commands, fl_nft_fn fn, void *userdata,
	       struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	int r = fl_nft_encode_commands(commands, &text, ret_error);

	return r < 0 ? r : start_request(nft, text, fn, userdata, ret_error);
}

/* ends the running request, if any, with a result; the callback may free nft */
static void finish(struct fl_nft *nft, int code, struct flannel_error *error)
{
	fl_nft_fn fn = nft->fn;

	nft->fn = NULL;
	if (fn)
		fn(nft->userdata, code, error);
}

/* the helper is gone, or talks nonsense */
static void lose_helper(struct fl_nft *nft)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = 0;

	fl_nft_process_stop(&nft->process, true);
	if (nft->fn)
		r = fl_error_set_retryable(&error, -EPIPE, AREA, "it ended without an answer", OPERATION " with %s",
					   nft->helper);
	finish(nft, r, error);
}

/* makes a result of an answer */
static void take_answer(struct fl_nft *nft, const char *text, size_t len)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	r = fl_nft_decode(text, len, &error);
	/* what it says next would be no better */
	if (r == -EPROTO)
		fl_nft_process_stop(&nft->process, true);
	finish(nft, r, error);
}

void fl_nft_dispatch(struct fl_nft *nft)
{
	char answer[FL_NFT_ANSWER_MAX];
	ssize_t n;

	if (nft->process.socket_fd < 0)
		return;
	n = recv(nft->process.socket_fd, answer, sizeof(answer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* an answer that nobody waits for is as bad as none */
	if (n <= 0 || !nft->fn)
		lose_helper(nft);
	else
		take_answer(nft, answer, (size_t)n);
}

void fl_nft_cancel(struct fl_nft *nft)
{
	if (!nft->fn)
		return;
	nft->fn = NULL;
	fl_nft_process_stop(&nft->process, true);
}

/* keeps the answer */
static void on_answer(void *userdata, int code, struct flannel_error *error)
{
	struct answer *answer = userdata;

	answer->done = true;
	answer->code = code;
	answer->error = flannel_error_ref(error);
}

/* waits until the helper says something, or ends: 1, 0 at the deadline, negative errno */
static int wait_for_helper(const struct fl_nft *nft, uint64_t deadline_ns)
{
	struct pollfd helper = {.fd = nft->process.socket_fd, .events = POLLIN};
	uint64_t now = fl_loop_now();
	uint64_t left_ms = now < deadline_ns ? (deadline_ns - now + FL_NSEC_PER_MSEC - 1) / FL_NSEC_PER_MSEC : 0;
	int n = poll(&helper, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);

	if (n >= 0)
		return n;
	return errno == EINTR ? 1 : -errno;
}

/* does what a request asks for, and waits */
static int request_sync(struct fl_nft *nft, const char *text, unsigned int timeout_ms, struct flannel_error **ret_error)
{
	uint64_t deadline_ns = fl_loop_now() + timeout_ms * FL_NSEC_PER_MSEC;
	struct answer *answer = &nft->answer;
	int r;

	r = start_request(nft, text, on_answer, answer, ret_error);
	if (r < 0)
		return r;
	*answer = (struct answer){.done = false};
	while (!answer->done) {
		r = wait_for_helper(nft, deadline_ns);
		if (r <= 0) {
			fl_nft_cancel(nft);
			return fl_error_set_retryable(ret_error, r == 0 ? -ETIMEDOUT : r, AREA, NULL,
						      OPERATION " with %s", nft->helper);
		}
		fl_nft_dispatch(nft);
	}
	if (ret_error)
		*ret_error = answer->error;
	else
		flannel_error_unref(answer->error);
	return answer->code;
}

int fl_nft_replace_sync(struct fl_nft *nft, const struct fl_nft_table *tables, size_t n_tables, unsigned int timeout_ms,
			struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	int r = fl_nft_encode(tables, n_tables, &text, ret_error);

	return r < 0 ? r : request_sync(nft, text, timeout_ms, ret_error);
}

int fl_nft_run_sync(struct fl_nft *nft, struct json_object *commands, unsigned int timeout_ms,
		    struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	int r = fl_nft_encode_commands(commands, &text, ret_error);

	return r < 0 ? r : request_sync(nft, text, timeout_ms, ret_error);
}
