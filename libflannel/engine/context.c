/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "sys/netns.h"
#include "sys/sysctl.h"

/* Tags below this are the kernel's own and those of the route tools (RTPROT_STATIC is 4). */
#define ROUTE_PROTOCOL_MIN 5

/* all that a caller may promise */
#define KNOWN_FLAGS ((unsigned int)(FLANNEL_CONTEXT_SINGLE_THREADED | FLANNEL_CONTEXT_DETACH_EARLY))

/* the timer's only job was to make the descriptor readable */
static void wake_up(void *userdata, uint32_t events)
{
	(void)userdata;
	(void)events;
}

/* an option's value, else the environment's (never for setuid programs), else the installed place */
static char *choose_path(const char *option, const char *variable, const char *installed)
{
	const char *path = option ? option : secure_getenv(variable);

	return strdup(path && path[0] ? path : installed);
}

/* duplicates the namespace to work in; 0 in the options means the caller's */
static int take_namespace(struct flannel_context *context, int netns_fd, struct flannel_error **ret_error)
{
	int r;

	context->netns_fd = -1;
	context->sysctl_root = FL_SYSCTL_ROOT;
	if (netns_fd == 0)
		return 0;
	r = fl_netns_check(netns_fd, ret_error);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "context option netns_fd is %d", netns_fd);
	context->netns_fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 3);
	if (context->netns_fd < 0)
		return fl_error_set(ret_error, -errno, "netns", NULL, "duplicate the namespace's descriptor");
	return 0;
}

/* fills a zeroed context; the caller frees it on failure */
static int set_up(struct flannel_context *context, const struct flannel_context_options *options,
		  struct flannel_error **ret_error)
{
	int r = take_namespace(context, options->netns_fd, ret_error);

	if (r < 0)
		return r;
	context->log = (struct fl_log){.fn = options->log, .userdata = options->log_userdata};
	context->log.level = options->log_level ? options->log_level : FLANNEL_LOG_INFO;
	context->single_threaded = (options->flags & FLANNEL_CONTEXT_SINGLE_THREADED) != 0;
	context->detach_early = (options->flags & FLANNEL_CONTEXT_DETACH_EARLY) != 0;
	context->route_protocol = options->route_protocol ? options->route_protocol : FLANNEL_DEFAULT_ROUTE_PROTOCOL;
	context->module_dir = choose_path(options->module_dir, "FLANNEL_MODULE_DIR", FLANNEL_MODULE_DIR);
	context->nft_helper = choose_path(options->nft_helper, "FLANNEL_NFT_HELPER", FLANNEL_NFT_HELPER);
	if (!context->module_dir || !context->nft_helper)
		return fl_error_oom(ret_error);
	r = fl_loop_new(&context->loop, ret_error);
	if (r < 0)
		return r;
	return fl_loop_add_timer(context->loop, wake_up, NULL, &context->wake, ret_error);
}

int flannel_context_new(struct flannel_context **ret_context, const struct flannel_context_options *options,
			struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_context_unrefp) struct flannel_context *context = NULL;
	struct flannel_context_options copy;
	int r;

	if (!ret_context)
		return fl_error_set(ret_error, -EINVAL, "argument", "ret_context is NULL", "make a context");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), options, "flannel_context_options", ret_error);
	if (r < 0)
		return r;
	if (copy.route_protocol && copy.route_protocol < ROUTE_PROTOCOL_MIN)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected 5 to 255",
				    "context option route_protocol is %u", copy.route_protocol);
	if (copy.flags & ~KNOWN_FLAGS)
		return fl_error_set(ret_error, -EINVAL, "argument", "unknown flag", "context option flags is 0x%x",
				    copy.flags);
	if ((copy.flags & KNOWN_FLAGS) == FLANNEL_CONTEXT_DETACH_EARLY)
		return fl_error_set(ret_error, -EINVAL, "argument", "DETACH_EARLY needs SINGLE_THREADED",
				    "context option flags is 0x%x", copy.flags);
	context = calloc(1, sizeof(*context));
	if (!context)
		return fl_error_oom(ret_error);
	context->n_refs = 1;
	context->last_event = &context->first_event;
	r = set_up(context, &copy, ret_error);
	if (r < 0)
		return r;
	*ret_context = FL_TAKE(context);
	return 0;
}

struct flannel_context *flannel_context_ref(struct flannel_context *context)
{
	if (context)
		__atomic_add_fetch(&context->n_refs, 1, __ATOMIC_RELAXED);
	return context;
}

struct flannel_context *flannel_context_unref(struct flannel_context *context)
{
	struct flannel_event *event;

	if (!context || __atomic_sub_fetch(&context->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	if (context->reconciler)
		context->free_reconciler(context->reconciler);
	fl_nft_free(context->nft);
	fl_rtnl_close(context->netfilter);
	fl_rtnl_close(context->rtnl);
	while ((event = fl_event_take(context)))
		flannel_event_free(event);
	fl_source_free(context->wake);
	fl_loop_free(context->loop);
	free(context->module_dir);
	free(context->nft_helper);
	if (context->netns_fd >= 0)
		close(context->netns_fd);
	free(context);
	return NULL;
}

int flannel_context_get_fd(const struct flannel_context *context)
{
	return context ? fl_loop_get_fd(context->loop) : -EINVAL;
}

int flannel_context_dispatch(struct flannel_context *context, struct flannel_error **ret_error)
{
	if (!context)
		return fl_error_set(ret_error, -EINVAL, "argument", "context is NULL", "dispatch");
	if (context->event_lost) {
		context->event_lost = false;
		return fl_error_oom(ret_error);
	}
	return fl_loop_dispatch(context->loop, ret_error);
}

int flannel_context_next_event(struct flannel_context *context, struct flannel_event **ret_event)
{
	if (!context || !ret_event)
		return -EINVAL;
	*ret_event = fl_event_take(context);
	return *ret_event ? 1 : 0;
}

int fl_context_get_rtnl(struct flannel_context *context, struct fl_rtnl **ret_rtnl, struct flannel_error **ret_error)
{
	if (!context->rtnl) {
		int r = fl_rtnl_open(context->netns_fd, context->single_threaded, &context->rtnl, ret_error);

		if (r < 0)
			return r;
	}
	*ret_rtnl = context->rtnl;
	return 0;
}

int fl_context_get_netfilter(struct flannel_context *context, struct fl_rtnl **ret_netfilter,
			     struct flannel_error **ret_error)
{
	if (!context->netfilter) {
		int r = fl_rtnl_open_netfilter(context->netns_fd, context->single_threaded, &context->netfilter,
					       ret_error);

		if (r < 0)
			return r;
	}
	*ret_netfilter = context->netfilter;
	return 0;
}

int fl_context_get_nft(struct flannel_context *context, struct fl_nft **ret_nft, struct flannel_error **ret_error)
{
	if (!context->nft) {
		int r = fl_nft_new(context->nft_helper, context->netns_fd, &context->log, &context->nft, ret_error);

		if (r < 0)
			return r;
	}
	*ret_nft = context->nft;
	return 0;
}
