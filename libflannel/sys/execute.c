/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/execute.h"
#include "sys/rtnl/address.h"
#include "sys/rtnl/link.h"
#include "sys/rtnl/neighbour.h"
#include "sys/rtnl/route.h"

/* messages that are in memory at a time */
#define CHUNK 64

/* the link asked for last: neighbouring operations mostly share theirs */
struct link_cache {
	uint32_t ifindex; /* 0: nothing asked yet */
	char name[FLANNEL_IFNAME_SIZE];
};

/* index of the link that an object needs, 0 if it needs none */
static int resolve(struct fl_rtnl *rtnl, struct link_cache *cache, const struct fl_object *object,
		   uint32_t *ret_ifindex)
{
	const char *name = fl_object_get_link(object);
	int r;

	*ret_ifindex = 0;
	if (!name[0])
		return 0;
	if (cache->ifindex == 0 || strcmp(cache->name, name) != 0) {
		r = fl_link_find_index(rtnl, name, ret_ifindex);
		if (r < 0)
			return r;
		cache->ifindex = *ret_ifindex;
		memcpy(cache->name, name, strlen(name) + 1);
	}
	*ret_ifindex = cache->ifindex;
	return 0;
}

/* Makes the request for an operation. Errors have no operation yet. */
static int make_message(struct fl_rtnl *rtnl, struct link_cache *cache, const struct fl_operation *operation,
			struct nl_msg **ret_message, struct flannel_error **ret_error)
{
	const struct fl_object *object = &operation->object;
	struct nl_msg *message;
	uint32_t ifindex;
	int r = resolve(rtnl, cache, object, &ifindex);

	if (r < 0)
		return fl_error_set(ret_error, r, "rtnl", NULL, "%s", "");
	switch (object->type) {
	case FL_OBJECT_ROUTE:
		return fl_route_make_message(operation->verb, &object->route, ifindex, ret_message, ret_error);
	case FL_OBJECT_NEIGHBOUR:
	case FL_OBJECT_FDB:
		message = fl_neighbour_make_message(operation->verb, object, ifindex);
		break;
	case FL_OBJECT_ADDRESS:
		message = fl_address_make_message(operation->verb, ifindex, &object->address.address);
		break;
	default:
		return fl_error_set(ret_error, -EINVAL, "argument", "no part of a batch", "%s", "");
	}
	if (!message)
		return fl_error_oom(ret_error);
	*ret_message = message;
	return 0;
}

/* is that how the kernel says that what should be deleted is not there: by itself, with its link, or with its table */
static bool is_gone(int r)
{
	return r == -ESRCH || r == -ENODEV || r == -ENOENT || r == -EADDRNOTAVAIL;
}

/* settles one result: what is not there need not be deleted, every other error gets its operation */
static int conclude(const struct fl_operation *operation, int r, struct flannel_error **error)
{
	char text[FL_OBJECT_STRLEN];

	if (r >= 0)
		return 0;
	if (operation->verb == FL_VERB_DELETE && is_gone(r)) {
		if (error)
			*error = flannel_error_unref(*error);
		return 0;
	}
	if (!error)
		return r;
	return fl_error_wrap(error, r, "%s %s", fl_verb_format(operation->verb),
			     fl_object_format(&operation->object, text, sizeof(text)));
}

/* A part of a batch: messages that could be made, and which operation each is. */
struct chunk {
	size_t n;
	struct nl_msg *messages[CHUNK];
	size_t operations[CHUNK];
	int results[CHUNK];
	struct flannel_error *errors[CHUNK];
};

/* Makes the messages for operations from first on; those that cannot be made have their result already. */
static size_t fill(struct fl_rtnl *rtnl, struct link_cache *cache, struct chunk *chunk,
		   const struct fl_operation *operations, size_t first, size_t n_operations, int *results,
		   struct flannel_error **errors)
{
	size_t i = first;

	chunk->n = 0;
	for (; i < n_operations && chunk->n < CHUNK; i++) {
		struct flannel_error **error = errors ? &errors[i] : NULL;

		results[i] = make_message(rtnl, cache, &operations[i], &chunk->messages[chunk->n], error);
		if (results[i] < 0)
			results[i] = conclude(&operations[i], results[i], error);
		else
			chunk->operations[chunk->n++] = i;
	}
	return i;
}

/* hands results over to their operations, and frees the messages */
static void settle(struct chunk *chunk, const struct fl_operation *operations, int *results,
		   struct flannel_error **errors)
{
	for (size_t k = 0; k < chunk->n; k++) {
		size_t i = chunk->operations[k];

		fl_rtnl_message_free(chunk->messages[k]);
		results[i] = conclude(&operations[i], chunk->results[k], errors ? &chunk->errors[k] : NULL);
		if (errors)
			errors[i] = FL_TAKE(chunk->errors[k]);
	}
}

/*
 * Was an IPv6 route refused because the way to its gateway leads through another link? The kernel asks that even of a gateway that is said
 * to be on the link, and the way may be the very route that is to be replaced, or one to the whole network.
 */
static bool lacks_way(const struct fl_operation *operation, int result)
{
	const struct fl_object *object = &operation->object;

	return result == -EINVAL && operation->verb != FL_VERB_DELETE && object->type == FL_OBJECT_ROUTE &&
	       object->route.onlink && object->route.via.family == AF_INET6;
}

/* the same once more, with a route to the gateway for just that moment; so traffic never lacks both */
static int retry_with_way(struct fl_rtnl *rtnl, struct link_cache *cache, const struct fl_operation *operation,
			  struct flannel_error **error)
{
	struct fl_operation way = {.verb = FL_VERB_CREATE, .object = operation->object};
	struct nl_msg *messages[3] = {NULL};
	struct flannel_error *errors[3] = {NULL};
	int results[3] = {0}, r;

	way.object.route = fl_route_main(&operation->object.route.via, operation->object.route.protocol);
	memcpy(way.object.route.link, operation->object.route.link, sizeof(way.object.route.link));
	r = make_message(rtnl, cache, &way, &messages[0], error);
	if (r >= 0)
		r = make_message(rtnl, cache, operation, &messages[1], error);
	way.verb = FL_VERB_DELETE;
	if (r >= 0)
		r = make_message(rtnl, cache, &way, &messages[2], error);
	if (r >= 0)
		r = fl_rtnl_batch(rtnl, messages, FL_N_ELEMENTS(messages), results, errors, error);
	if (r >= 0) {
		r = results[1];
		if (error)
			*error = FL_TAKE(errors[1]);
	}
	for (size_t i = 0; i < FL_N_ELEMENTS(messages); i++) {
		fl_rtnl_message_free(messages[i]);
		flannel_error_unref(errors[i]);
	}
	return conclude(operation, r, error);
}

/* what was refused for want of a way to its gateway */
static void retry_refused(struct fl_rtnl *rtnl, struct link_cache *cache, const struct chunk *chunk,
			  const struct fl_operation *operations, int *results, struct flannel_error **errors)
{
	for (size_t k = 0; k < chunk->n; k++) {
		size_t i = chunk->operations[k];

		if (!lacks_way(&operations[i], results[i]))
			continue;
		if (errors)
			errors[i] = flannel_error_unref(errors[i]);
		results[i] = retry_with_way(rtnl, cache, &operations[i], errors ? &errors[i] : NULL);
	}
}

int fl_execute(struct fl_rtnl *rtnl, const struct fl_operation *operations, size_t n_operations, int *results,
	       struct flannel_error **errors, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct chunk *chunk = calloc(1, sizeof(*chunk));
	struct link_cache cache = {0};
	size_t done = 0;
	int r = 0;

	for (size_t i = 0; i < n_operations; i++)
		results[i] = -EIO;
	if (!chunk)
		return fl_error_oom(ret_error);
	while (done < n_operations && r == 0) {
		done = fill(rtnl, &cache, chunk, operations, done, n_operations, results, errors);
		r = fl_rtnl_batch(rtnl, chunk->messages, chunk->n, chunk->results, errors ? chunk->errors : NULL,
				  ret_error);
		settle(chunk, operations, results, errors);
		if (r >= 0)
			retry_refused(rtnl, &cache, chunk, operations, results, errors);
	}
	return r;
}
