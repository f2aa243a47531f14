/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/grpc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

#include "store/etcd/grpc_state.h"

/* the first libcurl that knows, on a connection that is used again, that it speaks HTTP/2 (curl issue 10634); Debian 12 has 7.88 */
#define LIBCURL_REUSES_PRIOR_KNOWLEDGE 0x080000

/* connections that wait for the next call */
#define IDLE_CONNECTIONS 2L

/* a socket of libcurl's on our loop */
struct grpc_socket {
	struct fl_grpc *grpc;
	curl_socket_t fd;
	struct fl_source *source;
};

/* what has come in is handed over, call by call; handlers may free and make calls */
static void settle(struct fl_grpc *grpc)
{
	struct fl_grpc_call *call;
	CURLMsg *message;
	int n_left;

	while ((message = curl_multi_info_read(grpc->multi, &n_left)) != NULL) {
		CURLcode result = message->data.result;
		char *private = NULL;

		if (message->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK)
			continue;
		fl_grpc_call_done((struct fl_grpc_call *)private, result);
	}
	call = grpc->calls;
	while (call) {
		if (!call->is_dirty) {
			call = call->next;
			continue;
		}
		call->is_dirty = false;
		fl_grpc_call_deliver(call);
		call = grpc->calls;
	}
}

/* lets libcurl do what is due; threads that it starts get no signals */
static void run(struct fl_grpc *grpc, curl_socket_t fd, int events)
{
	sigset_t all, before;
	int n_running;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	(void)curl_multi_socket_action(grpc->multi, fd, events, &n_running);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	settle(grpc);
}

/* a socket is ready */
static void on_socket(void *userdata, uint32_t events)
{
	const struct grpc_socket *ready = userdata;
	int mask = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	run(ready->grpc, ready->fd, mask);
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
	struct fl_grpc *grpc = userdata;

	(void)multi;
	fl_source_set_deadline(grpc->timer,
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

/* libcurl's socket callback: -1 fails the calls on it */
static int set_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data)
{
	struct fl_grpc *grpc = userdata;
	struct grpc_socket *entry = socket_data;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (entry)
			fl_source_free(entry->source);
		free(entry);
		(void)curl_multi_assign(grpc->multi, fd, NULL);
		return 0;
	}
	if (entry)
		return fl_source_set_events(entry->source, epoll_events(what)) < 0 ? -1 : 0;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -1;
	*entry = (struct grpc_socket){.grpc = grpc, .fd = fd};
	if (fl_loop_add_fd(grpc->loop, fd, epoll_events(what), on_socket, entry, &entry->source, NULL) < 0 ||
	    curl_multi_assign(grpc->multi, fd, entry) != CURLM_OK) {
		fl_source_free(entry->source);
		free(entry);
		return -1;
	}
	return 0;
}

/* a copy for the transport; true unless memory is missing */
static bool copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

/* sets libcurl up; true if it took everything */
static bool configure(struct fl_grpc *grpc)
{
	CURLM *multi = grpc->multi;

	return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, grpc) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_TIMERDATA, grpc) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS) == CURLM_OK;
}

int fl_grpc_new(struct fl_loop *loop, const struct fl_grpc_options *options, struct fl_grpc **ret_grpc,
		struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_grpc_freep) struct fl_grpc *grpc = NULL;
	const curl_version_info_data *version;
	int r;

	/* counted by libcurl, and safe beside other users of it in this process */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fl_error_set(ret_error, -ENOSYS, "store", "it cannot be set up", "use libcurl");
	grpc = calloc(1, sizeof(*grpc));
	if (!grpc) {
		curl_global_cleanup();
		return fl_error_oom(ret_error);
	}
	version = curl_version_info(CURLVERSION_NOW);
	if (!(version->features & CURL_VERSION_HTTP2))
		return fl_error_set(ret_error, -ENOSYS, "store", "it was built without HTTP/2", "use libcurl");
	grpc->reuse_is_broken = version->version_num < LIBCURL_REUSES_PRIOR_KNOWLEDGE;
	grpc->loop = loop;
	grpc->connect_timeout_ms = options->connect_timeout_ms;
	grpc->multi = curl_multi_init();
	if (!copy(&grpc->cafile, options->cafile) || !copy(&grpc->certfile, options->certfile) ||
	    !copy(&grpc->keyfile, options->keyfile) || !grpc->multi)
		return fl_error_oom(ret_error);
	r = fl_loop_add_timer(loop, on_timer, grpc, &grpc->timer, ret_error);
	if (r < 0)
		return r;
	if (!configure(grpc))
		return fl_error_set(ret_error, -ENOSYS, "store", "it refuses a setting", "use libcurl");
	*ret_grpc = FL_TAKE(grpc);
	return 0;
}

struct fl_grpc *fl_grpc_free(struct fl_grpc *grpc)
{
	if (!grpc)
		return NULL;
	/* closes the connections, which takes their sockets off the loop */
	if (grpc->multi)
		(void)curl_multi_cleanup(grpc->multi);
	fl_source_free(grpc->timer);
	free(grpc->cafile);
	free(grpc->certfile);
	free(grpc->keyfile);
	free(grpc);
	curl_global_cleanup();
	return NULL;
}
