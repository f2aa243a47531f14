/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/http/transport.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include "store/http/transport_state.h"

/* connections that wait for the next transfer */
#define IDLE_CONNECTIONS 2L

/* a socket of libcurl's on our loop */
struct http_socket {
	struct fl_http *http;
	curl_socket_t fd;
	struct fl_source *source;
};

/* what has come in is told, transfer by transfer; whoever is told may stop and start some */
static void settle(struct fl_http *http)
{
	struct fl_http_transfer *transfer;
	CURLMsg *message;
	int n_left;

	while ((message = curl_multi_info_read(http->multi, &n_left)) != NULL) {
		CURLcode result = message->data.result;
		char *private = NULL;

		if (message->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK)
			continue;
		transfer = (struct fl_http_transfer *)private;
		transfer->is_done = true;
		transfer->is_dirty = true;
		transfer->result = result;
	}
	transfer = http->transfers;
	while (transfer) {
		if (!transfer->is_dirty) {
			transfer = transfer->next;
			continue;
		}
		transfer->is_dirty = false;
		fl_http_transfer_deliver(transfer);
		transfer = http->transfers;
	}
}

/* lets libcurl do what is due; threads that it starts get no signals */
static void run(struct fl_http *http, curl_socket_t fd, int events)
{
	sigset_t all, before;
	int n_running;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	(void)curl_multi_socket_action(http->multi, fd, events, &n_running);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	settle(http);
}

/* a socket is ready */
static void on_socket(void *userdata, uint32_t events)
{
	const struct http_socket *ready = userdata;
	int mask = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	run(ready->http, ready->fd, mask);
}

/* the time has come that libcurl asked for */
static void on_timer(void *userdata, uint32_t events)
{
	(void)events;
	run(userdata, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl's timer callback */
static int set_timer(CURLM *multi, long timeout_ms, void *userdata)
{
	struct fl_http *http = userdata;

	(void)multi;
	fl_source_set_deadline(http->timer,
			       timeout_ms < 0 ? UINT64_MAX : fl_loop_now() + (uint64_t)timeout_ms * FL_NSEC_PER_MSEC);
	return 0;
}

/* what epoll is to wait for */
static uint32_t epoll_events(int what)
{
	uint32_t events = 0;

	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	return events;
}

/* libcurl's socket callback: -1 fails the transfers on it */
static int set_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data)
{
	struct fl_http *http = userdata;
	struct http_socket *entry = socket_data;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (entry)
			fl_source_free(entry->source);
		free(entry);
		(void)curl_multi_assign(http->multi, fd, NULL);
		return 0;
	}
	if (entry)
		return fl_source_set_events(entry->source, epoll_events(what)) < 0 ? -1 : 0;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -1;
	*entry = (struct http_socket){.http = http, .fd = fd};
	if (fl_loop_add_fd(http->loop, fd, epoll_events(what), on_socket, entry, &entry->source, NULL) < 0 ||
	    curl_multi_assign(http->multi, fd, entry) != CURLM_OK) {
		fl_source_free(entry->source);
		free(entry);
		return -1;
	}
	return 0;
}

/* sets libcurl up; true if it took everything */
static bool configure(struct fl_http *http)
{
	CURLM *multi = http->multi;

	return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS) == CURLM_OK;
}

int fl_http_new(struct fl_loop *loop, struct fl_http **ret_http, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_http_freep) struct fl_http *http = NULL;
	int r;

	/* counted by libcurl, and safe beside other users of it in this process */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fl_error_set(ret_error, -ENOSYS, "store", "it cannot be set up", "use libcurl");
	http = calloc(1, sizeof(*http));
	if (!http) {
		curl_global_cleanup();
		return fl_error_oom(ret_error);
	}
	http->loop = loop;
	http->multi = curl_multi_init();
	if (!http->multi)
		return fl_error_oom(ret_error);
	r = fl_loop_add_timer(loop, on_timer, http, &http->timer, ret_error);
	if (r < 0)
		return r;
	if (!configure(http))
		return fl_error_set(ret_error, -ENOSYS, "store", "it refuses a setting", "use libcurl");
	*ret_http = FL_TAKE(http);
	return 0;
}

struct fl_http *fl_http_free(struct fl_http *http)
{
	if (!http)
		return NULL;
	/* closes the connections, which takes their sockets off the loop */
	if (http->multi)
		(void)curl_multi_cleanup(http->multi);
	fl_source_free(http->timer);
	free(http);
	curl_global_cleanup();
	return NULL;
}

bool fl_http_transfer_is_current(const struct fl_http *http, const struct fl_http_transfer *transfer)
{
	return http->delivering == transfer;
}
