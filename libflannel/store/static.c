/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/static.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/file.h"
#include "domain/lease/static_leases.h"
#include "domain/backend/vxlan.h"
#include "store/path_watch.h"
#include "store/queue.h"

#define AREA "store"

/* some hundred bytes for each of ten thousand nodes, and much room for people */
#define FILE_MAX_BYTES (16U << 20)

/* what comes together is read once, and a writer gets the time to end its line */
#define SETTLE_NS (50 * FL_NSEC_PER_MSEC)

/* the path could not be watched */
#define AGAIN_NS (5 * FL_NSEC_PER_SEC)

struct fl_static {
	struct fl_log log;
	char *path;
	struct fl_loop *loop;
	struct fl_source *timer; /* read the file again */
	struct fl_path_watch *watch;
	struct fl_store_queue queue;
	struct fl_static_leases leases; /* of the last good file */
	struct stat status;             /* of the file as it was read last */
	struct flannel_error *error;    /* why the file of now is refused; NULL: it is in force */
	uint64_t revision;
	bool is_watched;
	struct flannel_lease *confirmed; /* the lease that this node was told it has */
};

/* what the file says now; *ret_leases is the caller's */
static int read_file(struct fl_static *store, struct fl_static_leases *ret_leases, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	size_t len;
	int r;

	if (stat(store->path, &store->status) < 0)
		store->status = (struct stat){0};
	r = fl_file_read(store->path, FILE_MAX_BYTES, &text, &len, ret_error);
	if (r < 0)
		return r;
	r = fl_static_leases_parse(text, len, store->path, ret_leases, ret_error);
	/* the path is good, what it leads to is not */
	if (r == -EINVAL)
		return ret_error && *ret_error ? fl_error_wrap(ret_error, -EBADMSG, "static leases") : -EBADMSG;
	return r;
}

/* is it the same file, with the same content as far as the kernel knows */
static bool is_as_read(const struct fl_static *store)
{
	const struct stat *was = &store->status;
	struct stat is = {0};

	(void)stat(store->path, &is);
	return was->st_ino && is.st_ino == was->st_ino && is.st_dev == was->st_dev && is.st_size == was->st_size &&
	       is.st_mtim.tv_sec == was->st_mtim.tv_sec && is.st_mtim.tv_nsec == was->st_mtim.tv_nsec &&
	       is.st_ctim.tv_sec == was->st_ctim.tv_sec && is.st_ctim.tv_nsec == was->st_ctim.tv_nsec;
}

/* Adds a message, which is fetched after the call or dispatch that it comes from; takes over what it points to. Without memory the receiver misses it, and hears the next list. */
static void push(struct fl_static *store, struct flannel_store_message message)
{
	message.revision = store->revision;
	if (fl_store_queue_push(&store->queue, &message) < 0)
		fl_log(&store->log, FLANNEL_LOG_ERROR, AREA, "static leases: out of memory");
}

/* the lease of this node says something else than it was told: it has to begin anew */
static void tell_confirmed(struct fl_static *store)
{
	struct flannel_lease *was = store->confirmed;

	for (size_t i = 0; was && i < store->leases.n_leases; i++) {
		if (flannel_lease_equal(store->leases.leases[i], was))
			return;
	}
	if (was)
		push(store, (struct flannel_store_message){.type = FLANNEL_STORE_REMOVED, .lease = was});
	store->confirmed = NULL;
}

/* the list as it is now */
static void tell_all(struct fl_static *store)
{
	if (!store->is_watched)
		return;
	tell_confirmed(store);
	push(store, (struct flannel_store_message){.type = FLANNEL_STORE_SNAPSHOT_BEGIN});
	for (size_t i = 0; i < store->leases.n_leases; i++)
		push(store, (struct flannel_store_message){.type = FLANNEL_STORE_LEASE,
							   .lease = flannel_lease_ref(store->leases.leases[i])});
	push(store, (struct flannel_store_message){.type = FLANNEL_STORE_SNAPSHOT_END});
}

/* the configuration; NULL without memory */
static char *copy_config(const struct fl_static *store)
{
	return strdup(flannel_netconf_get_text(store->leases.netconf));
}

/* the file is refused; told for each new reason */
static void refuse(struct fl_static *store, struct flannel_error *error)
{
	if (store->error && strcmp(flannel_error_get_message(store->error), flannel_error_get_message(error)) == 0)
		return;
	flannel_error_unref(store->error);
	store->error = flannel_error_ref(error);
	push(store, (struct flannel_store_message){.type = FLANNEL_STORE_LOST, .error = flannel_error_ref(error)});
}

/* a good file takes the place of the last one */
static void adopt(struct fl_static *store, struct fl_static_leases *leases)
{
	bool same_config =
		strcmp(flannel_netconf_get_text(store->leases.netconf), flannel_netconf_get_text(leases->netconf)) == 0;

	fl_static_leases_clear(&store->leases);
	store->leases = *leases;
	store->revision++;
	if (store->error)
		push(store, (struct flannel_store_message){.type = FLANNEL_STORE_BACK});
	store->error = flannel_error_unref(store->error);
	if (!same_config)
		push(store, (struct flannel_store_message){.type = FLANNEL_STORE_CONFIG_CHANGED,
							   .config = copy_config(store)});
	push(store, (struct flannel_store_message){.type = FLANNEL_STORE_ASSIGNED});
	tell_all(store);
}

/* looks at the file once more */
static void look_again(struct fl_static *store)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_static_leases leases = {0};

	if (fl_path_watch_renew(store->watch, &error) < 0) {
		fl_log(&store->log, FLANNEL_LOG_WARNING, AREA, "static leases: %s", flannel_error_get_message(error));
		fl_source_set_deadline(store->timer, fl_loop_now() + AGAIN_NS);
		error = flannel_error_unref(error);
	}
	if (is_as_read(store))
		return;
	if (read_file(store, &leases, &error) < 0)
		refuse(store, error);
	else
		adopt(store, &leases);
}

/* something happened on the way to the file */
static void on_change(void *userdata)
{
	struct fl_static *store = userdata;

	if (fl_source_get_deadline(store->timer) == UINT64_MAX)
		fl_source_set_deadline(store->timer, fl_loop_now() + SETTLE_NS);
}

/* the pause is over */
static void on_timer(void *userdata, uint32_t events)
{
	(void)events;
	look_again(userdata);
}

static int static_get_fd(void *impl)
{
	return fl_loop_get_fd(((struct fl_static *)impl)->loop);
}

static int static_dispatch(void *impl, struct flannel_error **ret_error)
{
	return fl_loop_dispatch(((struct fl_static *)impl)->loop, ret_error);
}

static int static_next(void *impl, struct flannel_store_message *ret_message)
{
	return fl_store_queue_pop(&((struct fl_static *)impl)->queue, ret_message);
}

static int static_watch(void *impl, struct flannel_error **ret_error)
{
	struct fl_static *store = impl;

	(void)ret_error;
	store->is_watched = true;
	tell_all(store);
	return 0;
}

/* the file's configuration, with a code */
static int answer_config(struct fl_static *store, uint64_t request, int code, struct flannel_error **ret_error)
{
	char *config = copy_config(store);

	if (!config)
		return fl_error_oom(ret_error);
	push(store, (struct flannel_store_message){
			    .type = FLANNEL_STORE_CONFIG, .request = request, .code = code, .config = config});
	return 0;
}

static int static_get_config(void *impl, uint64_t request, struct flannel_error **ret_error)
{
	return answer_config(impl, request, 0, ret_error);
}

static int static_put_config(void *impl, uint64_t request, const char *config, struct flannel_error **ret_error)
{
	(void)config;
	return answer_config(impl, request, -EEXIST, ret_error);
}

/* the answer to a request that changes something: what the file says stays */
static int answer(struct fl_static *store, uint64_t request, int code, struct flannel_lease *lease,
		  struct flannel_error *error)
{
	push(store, (struct flannel_store_message){.type = FLANNEL_STORE_DONE,
						   .request = request,
						   .code = code,
						   .lease = flannel_lease_ref(lease),
						   .error = flannel_error_ref(error)});
	return 0;
}

/* nobody but people changes the file */
static int answer_read_only(struct fl_static *store, uint64_t request, const char *operation,
			    const struct flannel_lease *lease)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	char key[2 * FLANNEL_PREFIX_STRLEN];

	fl_error_set_retryable(&error, -EROFS, AREA, "leases are written into this file by its owner",
			       "%s: %s lease %s", store->path, operation,
			       flannel_lease_format_key(lease, key, sizeof(key)));
	return answer(store, request, -EROFS, NULL, error);
}

static int static_create(void *impl, uint64_t request, struct flannel_lease *lease, uint32_t lease_sec,
			 struct flannel_error **ret_error)
{
	(void)lease_sec;
	(void)ret_error;
	return answer_read_only(impl, request, "add", lease);
}

static int static_remove(void *impl, uint64_t request, struct flannel_lease *lease, struct flannel_error **ret_error)
{
	(void)ret_error;
	return answer_read_only(impl, request, "remove", lease);
}

/* has a node the device that the file tells its peers of; other data of it are its own */
static bool has_same_device(const struct flannel_lease *a, const struct flannel_lease *b, int family)
{
	const char *x = flannel_lease_get_backend_data(a, family), *y = flannel_lease_get_backend_data(b, family);
	uint8_t mac[FL_MAC_LEN], other[FL_MAC_LEN];

	if (strcmp(flannel_lease_get_backend_type(a), "vxlan") != 0 || (!x && !y))
		return true;
	return x && y && fl_vxlan_parse_data(x, mac, NULL) >= 0 && fl_vxlan_parse_data(y, other, NULL) >= 0 &&
	       memcmp(mac, other, FL_MAC_LEN) == 0;
}

/* the file's lease with the subnets of another one */
static struct flannel_lease *find_same(const struct fl_static *store, const struct flannel_lease *lease)
{
	char key[2 * FLANNEL_PREFIX_STRLEN], other[2 * FLANNEL_PREFIX_STRLEN];

	flannel_lease_format_key(lease, key, sizeof(key));
	for (size_t i = 0; i < store->leases.n_leases; i++) {
		flannel_lease_format_key(store->leases.leases[i], other, sizeof(other));
		if (strcmp(key, other) == 0)
			return store->leases.leases[i];
	}
	return NULL;
}

/* has a node the addresses that the file says it has; what it has besides is nobody's business */
static bool has_same_ips(const struct flannel_lease *lease, const struct flannel_lease *file)
{
	const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		struct flannel_prefix is = {0}, said;

		if (flannel_lease_get_public_ip(file, families[i], &said) <= 0)
			continue;
		flannel_lease_get_public_ip(lease, families[i], &is);
		if (flannel_prefix_compare(&is, &said) != 0)
			return false;
	}
	return true;
}

/* The node takes the lease that the file has for it: confirmed, if it is what its peers are told. */
static int static_update(void *impl, uint64_t request, struct flannel_lease *lease, uint32_t lease_sec,
			 struct flannel_error **ret_error)
{
	struct fl_static *store = impl;
	struct flannel_lease *file = find_same(store, lease);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const char *why = NULL;

	(void)lease_sec;
	(void)ret_error;
	if (!file)
		return answer(store, request, -ENOENT, NULL, NULL);
	if (!has_same_ips(lease, file))
		why = "the file says another PublicIP or PublicIPv6 than the node has";
	else if (!has_same_device(lease, file, AF_INET) || !has_same_device(lease, file, AF_INET6))
		why = "the file says another VtepMAC than the node's device has; it is taken over at the node's next "
		      "start";
	if (why) {
		fl_error_set_retryable(&error, -ESTALE, AREA, why, "%s: take the lease %s", store->path,
				       flannel_lease_get_value(file));
		return answer(store, request, -ESTALE, NULL, error);
	}
	flannel_lease_unref(store->confirmed);
	store->confirmed = flannel_lease_ref(file);
	return answer(store, request, 0, file, NULL);
}

static int static_get_assigned(void *impl, const struct flannel_prefix *public_ip,
			       const struct flannel_prefix *public_ip6, struct flannel_store_assignment *ret_assignment,
			       struct flannel_error **ret_error)
{
	struct fl_static *store = impl;
	struct flannel_lease *lease = fl_static_leases_find(&store->leases, public_ip, public_ip6);

	(void)ret_error;
	if (!lease)
		return 0;
	ret_assignment->lease = flannel_lease_ref(lease);
	return 1;
}

/* ends the store */
static void static_free(void *impl)
{
	struct fl_static *store = impl;

	fl_path_watch_free(store->watch);
	fl_store_queue_clear(&store->queue);
	fl_static_leases_clear(&store->leases);
	flannel_lease_unref(store->confirmed);
	flannel_error_unref(store->error);
	fl_source_free(store->timer);
	fl_loop_free(store->loop);
	free(store->path);
	free(store);
}

static const struct flannel_store_ops ops = {
	.size = sizeof(ops),
	.name = "static",
	.free = static_free,
	.get_fd = static_get_fd,
	.dispatch = static_dispatch,
	.next = static_next,
	.watch = static_watch,
	.get_config = static_get_config,
	.put_config = static_put_config,
	.create = static_create,
	.update = static_update,
	.remove = static_remove,
	.get_assigned = static_get_assigned,
};

/* for FL_CLEANUP */
static void static_freep(struct fl_static **store)
{
	if (*store)
		static_free(*store);
}

int fl_static_open(const char *path, const struct fl_log *log, const struct flannel_store_ops **ret_ops,
		   void **ret_impl, struct flannel_error **ret_error)
{
	FL_CLEANUP(static_freep) struct fl_static *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return fl_error_oom(ret_error);
	store->log = log ? *log : (struct fl_log){0};
	store->path = strdup(path);
	if (!store->path)
		return fl_error_oom(ret_error);
	r = fl_loop_new(&store->loop, ret_error);
	if (r >= 0)
		r = fl_loop_add_timer(store->loop, on_timer, store, &store->timer, ret_error);
	if (r >= 0)
		r = fl_path_watch_new(path, store->loop, on_change, store, &store->watch, ret_error);
	if (r >= 0)
		r = fl_path_watch_renew(store->watch, ret_error);
	if (r >= 0)
		r = read_file(store, &store->leases, ret_error);
	if (r < 0)
		return r;
	store->revision = 1;
	*ret_ops = &ops;
	*ret_impl = FL_TAKE(store);
	return 0;
}
